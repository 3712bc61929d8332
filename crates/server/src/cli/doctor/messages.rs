//! Whether mails and text messages will arrive.

use portcullis_core::config::Config;
use portcullis_core::config::courier::DeliveryStrategy;
use url::Url;

use super::Findings;
use super::addresses::is_local;

pub(super) fn examine(config: &Config, found: &mut Findings) {
    let flows = &config.selfservice.flows;
    let code = &config.selfservice.methods.code;
    let mut needing = Vec::new();
    for (name, is_on) in [
        ("recovery", flows.recovery.enabled),
        ("verification", flows.verification.enabled),
        ("sign-in by code", code.passwordless_enabled),
        ("codes as second factor", code.mfa_enabled),
    ] {
        if is_on {
            needing.push(name);
        }
    }
    let courier = &config.courier;
    if needing.is_empty() {
        if !flows.recovery.enabled {
            found.note(
                "selfservice.flows.recovery.enabled",
                "whoever forgets a password needs an administrator",
                "turn recovery on",
            );
        }
        return;
    }
    let needing = needing.join(", ");
    match courier.delivery_strategy {
        DeliveryStrategy::Http if courier.http.request_config.url.is_none() => {
            found.serious(
                "courier.http.request_config.url",
                format!("it is not set, and nothing is sent for {needing}"),
                "name the service that sends",
            );
        }
        DeliveryStrategy::Http => {}
        DeliveryStrategy::Smtp => match courier.smtp.connection_uri.as_ref().map(|uri| Url::parse(uri.expose())) {
            None => {
                found.serious(
                    "courier.smtp.connection_uri",
                    format!("it is not set, and no mail is sent for {needing}"),
                    "name your mail server: smtps://USER:PASSWORD@HOST:465/",
                );
            }
            Some(Err(_)) => found.serious(
                "courier.smtp.connection_uri",
                "it cannot be read as a URL",
                "escape what is not a letter or digit in user and password",
            ),
            Some(Ok(uri)) => mail_server(config, &uri, found),
        },
    }
    if !config.watch_courier {
        found.note(
            "watch-courier",
            "messages are sent only by `serve --watch-courier` or by `courier watch` beside the server",
            "start one of them",
        );
    }
}

fn mail_server(config: &Config, uri: &Url, found: &mut Findings) {
    let key = "courier.smtp.connection_uri";
    let says = |name: &str| uri.query_pairs().any(|(k, v)| k == name && v == "true");
    let is_public = !is_local(config.public_base_url());
    if is_local(uri) && is_public && matches!(uri.port(), Some(1025 | 2525)) {
        found.warn(key, "it names a port of this machine that mail catchers for tests use", "name your mail server");
    }
    if !is_local(uri) && says("disable_starttls") && uri.scheme() == "smtp" {
        found.serious(key, "mails with codes go over the network without encryption", "use smtps, or leave disable_starttls out");
    }
    if !is_local(uri) && says("skip_ssl_verify") {
        found.serious(
            key,
            "any server on the way may take the mails, since certificates are not looked at",
            "leave skip_ssl_verify out",
        );
    }
    let sender = &config.courier.smtp.from_address;
    if sender.ends_with("@no-reply.ory.sh") || sender.ends_with(".sh") && sender.contains("ory") {
        found.warn(
            "courier.smtp.from_address",
            format!("mails come from {sender}, which is nobody's here: they will be taken for spam"),
            "write an address of your own domain",
        );
    }
}
