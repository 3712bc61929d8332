//! What the schema cannot say: refusals and warnings that need several keys at once.

use super::Config;
use super::cookies::SameSite;
use super::courier::DeliveryStrategy;
use super::hashers::CipherAlgorithm;
use super::key::{KeyPath, Step};
use super::layers::Origins;
use super::serve::is_loopback_host;
use super::violation::Violation;

/// Refusals.
pub(super) fn refuse(config: &Config, origins: &Origins) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut tell = |path: KeyPath, problem: String| found.push(Violation::of_key(&path, problem, origins.of(&path)));
    let schemas = &config.identity.schemas;
    if config.identity.schema(&config.identity.default_schema_id).is_none() {
        let ids: Vec<&str> = schemas.iter().map(|s| s.id.as_str()).collect();
        let problem = format!(
            "is {:?}, but must be the id of one of identity.schemas: {}",
            config.identity.default_schema_id,
            ids.join(", ")
        );
        tell(KeyPath::dotted("identity.default_schema_id"), problem);
    }
    if config.ciphers.algorithm != CipherAlgorithm::Noop {
        for (n, secret) in config.secrets.cipher.iter().enumerate().filter(|(_, s)| s.expose().len() != 32) {
            let problem = format!("has {} bytes, but must have exactly 32: write it in letters of ASCII", secret.expose().len());
            tell(KeyPath::dotted("secrets.cipher").with(Step::Index(n)), problem);
        }
    }
    found
}

/// Warnings about what is legal but seldom meant.
pub(super) fn warn(config: &Config, origins: &Origins) -> Vec<String> {
    let mut warnings = Vec::new();
    let mut tell = |warning: String| warnings.push(warning);
    let session = config.session_cookie();
    if session.same_site == SameSite::None && !session.secure {
        tell("session.cookie: same_site is None without secure, so browsers will drop the session cookie".to_owned());
    }
    if config.cookies.secure.is_some() && config.session.cookie.secure.is_none() && config.cookies.secure != Some(session.secure)
    {
        tell(format!(
            "cookies.secure is {} but does not speak for the session cookie, which is {}: set session.cookie.secure too",
            !session.secure,
            if session.secure { "Secure" } else { "not Secure" },
        ));
    }
    let base = config.public_base_url();
    if base.scheme() == "http" && !config.dev && !base.host_str().is_some_and(is_loopback_host) {
        tell(format!("serve.public.base_url is {base}: without https, cookies and passwords can be read on the way"));
    }
    for (name, listener) in [("public", &config.serve.public), ("admin", &config.serve.admin)] {
        if listener.tls.pair().is_none() && listener.tls.cert.as_ref().or(listener.tls.key.as_ref()).is_some() {
            tell(format!("serve.{name}.tls needs both cert and key; the port speaks plain HTTP"));
        }
    }
    warn_of_messages(config, origins, &mut tell);
    for url in config.selfservice.allowed_return_urls.iter().filter(|u| url::Url::parse(u).is_err()) {
        tell(format!("selfservice.allowed_return_urls: {url:?} is not absolute and allows nothing"));
    }
    warn_of_twins("identity.schemas", config.identity.schemas.iter().map(|s| s.id.as_str()), &mut tell);
    warn_of_twins(
        "selfservice.methods.oidc.config.providers",
        config.selfservice.methods.oidc.config.providers.iter().map(|p| p.id.as_str()),
        &mut tell,
    );
    if config.log.leak_sensitive_values {
        tell("log.leak_sensitive_values is on: secrets and addresses may reach the log".to_owned());
    }
    if !config.dev && config.hashers.bcrypt.cost != config.bcrypt_cost() {
        tell(format!(
            "hashers.bcrypt.cost is {}, which is raised to {} outside of development mode",
            config.hashers.bcrypt.cost,
            config.bcrypt_cost()
        ));
    }
    warnings
}

fn warn_of_messages(config: &Config, origins: &Origins, tell: &mut impl FnMut(String)) {
    let code = &config.selfservice.methods.code;
    let flows = &config.selfservice.flows;
    if !(flows.recovery.enabled || flows.verification.enabled || code.passwordless_enabled || code.mfa_enabled) {
        return;
    }
    match config.courier.delivery_strategy {
        DeliveryStrategy::Smtp if config.courier.smtp.connection_uri.is_none() => {
            tell("courier.smtp.connection_uri is not set: mails are written but not sent".to_owned());
        }
        DeliveryStrategy::Smtp if origins.missing("courier.smtp.from_address") => {
            tell(format!("courier.smtp.from_address is not set: mails come from {}", config.courier.smtp.from_address));
        }
        DeliveryStrategy::Http if config.courier.http.request_config.url.is_none() => {
            tell("courier.http.request_config.url is not set: mails are written but not sent".to_owned());
        }
        _ => {}
    }
}

fn warn_of_twins<'a>(key: &str, ids: impl Iterator<Item = &'a str>, tell: &mut impl FnMut(String)) {
    let mut seen = Vec::new();
    for id in ids {
        if seen.contains(&id) {
            tell(format!("{key}: two entries have the id {id:?}; the first one counts"));
        }
        seen.push(id);
    }
}

/// A word of warning about keys that no section knows.
pub(super) fn strangers(paths: &[KeyPath], origins: &Origins) -> Vec<String> {
    let told = |path: &KeyPath| match origins.of(path) {
        Some(origin) => format!("{path} is not a known key and has no effect ({origin})"),
        None => format!("{path} is not a known key and has no effect"),
    };
    paths.iter().map(told).collect()
}
