//! What other systems are told over the network, and what is believed of what they say.

use portcullis_core::config::Config;
use portcullis_core::config::flows::Hook;
use portcullis_model::flow::FlowKind;
use url::Url;

use super::Findings;
use super::addresses::is_local;

/// An address without encryption that leaves this machine.
fn is_open(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| url.scheme() == "http" && !is_local(&url))
}

pub(super) fn examine(config: &Config, found: &mut Findings) {
    providers(config, found);
    hooks(config, found);
    let hook = &config.selfservice.methods.password.config.migrate_hook;
    if hook.enabled && hook.config.url.as_ref().is_some_and(|url| is_open(url.expose())) {
        found.serious(
            "selfservice.methods.password.config.migrate_hook.config.url",
            "passwords are sent there in clear, without https: whoever is on the way reads them",
            "use https",
        );
    }
    let courier = &config.courier;
    let channels = courier.channels.iter().map(|c| (format!("courier.channels.{}.request_config.url", c.id), &c.request_config));
    let mails = ("courier.http.request_config.url".to_owned(), &courier.http.request_config);
    for (key, request) in std::iter::once(mails).chain(channels) {
        if request.url.as_ref().is_some_and(|url| is_open(url.expose())) {
            found.serious(&key, "messages with codes and links are sent there without https", "use https");
        }
    }
    if config.oauth2_provider.url.as_deref().is_some_and(is_open) {
        found.serious(
            "oauth2_provider.url",
            "sign-ins are accepted there without https: whoever is on the way can accept others",
            "use https",
        );
    }
    for (name, template) in &config.session.whoami.tokenizer.templates {
        if is_open(&template.jwks_url) {
            found.serious(
                &format!("session.whoami.tokenizer.templates.{name}.jwks_url"),
                "signing keys are fetched without https: whoever is on the way learns them",
                "use https, a file or base64",
            );
        }
    }
}

/// Providers of social sign-in. What they say is believed, so it must be them who say it.
fn providers(config: &Config, found: &mut Findings) {
    let oidc = &config.selfservice.methods.oidc;
    if !oidc.enabled {
        return;
    }
    for (place, provider) in oidc.config.providers.iter().enumerate() {
        let key = |name: &str| format!("selfservice.methods.oidc.config.providers.{place}.{name}");
        let addresses =
            [("issuer_url", &provider.issuer_url), ("auth_url", &provider.auth_url), ("token_url", &provider.token_url)];
        for (name, url) in addresses {
            if url.as_deref().is_some_and(is_open) {
                found.serious(
                    &key(name),
                    format!("the provider {:?} is asked without https: whoever is on the way can be anybody here", provider.id),
                    "use https",
                );
            }
        }
        if is_open(&provider.mapper_url) {
            found.serious(
                &key("mapper_url"),
                "it is fetched without https: whoever is on the way decides who people are",
                "use https, a file or base64",
            );
        }
        if oidc.config.providers.iter().take(place).any(|earlier| earlier.id == provider.id) {
            found.warn(&key("id"), format!("{:?} stands twice: the first one counts", provider.id), "give it a name of its own");
        }
    }
}

fn hooks(config: &Config, found: &mut Findings) {
    for kind in FlowKind::ALL {
        let flow = config.flow(kind);
        let general = [("before".to_owned(), &flow.before.hooks), ("after".to_owned(), &flow.after.hooks)];
        let own = flow.after.methods.iter().map(|(method, after)| (format!("after.{method}"), &after.hooks));
        for (place, hooks) in general.into_iter().chain(own) {
            for (n, hook) in hooks.iter().enumerate() {
                web_hook(&format!("selfservice.flows.{kind}.{place}.hooks.{n}.config"), hook, found);
            }
        }
    }
}

fn web_hook(key: &str, hook: &Hook, found: &mut Findings) {
    let text = |name: &str| hook.config.get(name).and_then(serde_json::Value::as_str).unwrap_or_default();
    if hook.name != "web_hook" {
        return;
    }
    if is_open(text("url")) {
        let key = format!("{key}.url");
        if hook.config.get("auth").is_some_and(|auth| !auth.is_null()) {
            found.serious(&key, "its credentials go over the network without https", "use https");
        } else {
            found.warn(&key, "what it is told about people goes over the network without https", "use https");
        }
    }
    if is_open(text("body")) {
        found.warn(&format!("{key}.body"), "it is fetched without https", "use https, a file or base64");
    }
}
