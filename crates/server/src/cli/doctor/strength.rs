//! How hard it is to get into somebody's account, and how long somebody stays in one.

use std::time::Duration;

use portcullis_core::config::Config;
use portcullis_core::config::session::RequiredAal;
use url::Url;

use super::Findings;

/// Sessions beyond this outlive what people remember having signed in to.
const LONG: Duration = Duration::from_secs(400 * 24 * 60 * 60);

/// Codes and links beyond this lie about in mailboxes.
const STALE: Duration = Duration::from_secs(24 * 60 * 60);

pub(super) fn examine(config: &Config, found: &mut Findings) {
    let methods = &config.selfservice.methods;
    let second_factors =
        methods.totp.enabled || methods.lookup_secret.enabled || methods.webauthn.enabled || methods.code.mfa_enabled;
    if second_factors && config.session.whoami.required_aal == RequiredAal::Aal1 {
        found.warn(
            "session.whoami.required_aal",
            "it is aal1: whoever has a second factor is signed in without it, as far as your applications can see",
            "set it to highest_available, or ask for the level of each session yourself",
        );
    }
    if second_factors && config.selfservice.flows.settings.required_aal == RequiredAal::Aal1 {
        found.warn(
            "selfservice.flows.settings.required_aal",
            "it is aal1: whoever knows a password can take the second factor away",
            "set it to highest_available",
        );
    }
    if config.session.lifespan > LONG {
        found.warn("session.lifespan", "sessions last for more than a year", "let them end, and be extended while they are used");
    }
    if config.security.guess_limit.max_tries == 0 {
        found.serious(
            "security.guess_limit.max_tries",
            "wrong passwords and codes are not counted: they can be guessed without end",
            "leave it out, or set a limit",
        );
    }
    if methods.password.enabled && !methods.password.config.haveibeenpwned_enabled {
        found.note(
            "selfservice.methods.password.config.haveibeenpwned_enabled",
            "passwords that everybody knows from leaks are taken",
            "turn it on, if the server may ask the network",
        );
    }
    for (key, lifespan) in [
        ("selfservice.methods.code.config.lifespan", methods.code.config.lifespan),
        ("selfservice.methods.link.config.lifespan", methods.link.config.lifespan),
    ] {
        if lifespan > STALE {
            found.warn(key, "what is sent is good for more than a day", "an hour will do");
        }
    }
    keys(config, found);
}

/// Security keys and passkeys are bound to a domain, which must be that of the pages.
fn keys(config: &Config, found: &mut Findings) {
    let methods = &config.selfservice.methods;
    let parties = [
        ("webauthn", methods.webauthn.enabled, &methods.webauthn.config.rp),
        ("passkey", methods.passkey.enabled, &methods.passkey.config.rp),
    ];
    for (name, is_on, party) in parties {
        let Some(party) = party.as_ref().filter(|_| is_on) else { continue };
        let covers = |url: &Url| {
            let host = url.host_str().unwrap_or_default();
            host == party.id || host.ends_with(&format!(".{}", party.id))
        };
        for origin in party.origins() {
            if Url::parse(origin).is_ok_and(|url| !covers(&url)) {
                found.serious(
                    &format!("selfservice.methods.{name}.config.rp.id"),
                    format!("{} is not the domain of {origin}: browsers refuse to use keys there", party.id),
                    "name the host of your pages or a domain above it",
                );
            }
        }
    }
}
