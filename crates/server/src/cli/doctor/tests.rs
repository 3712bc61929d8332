use portcullis_core::config::first_run::IDENTITY_SCHEMA;
use portcullis_core::config::from_value;
use serde_json::Value;

use super::*;

const MACHINE: Machine = Machine { hash: Duration::from_millis(200), memory: Some(8 << 30), processors: 4 };

/// A configuration that nothing is wrong with.
fn good() -> Value {
    use base64::Engine as _;
    let schema = format!("base64://{}", base64::engine::general_purpose::STANDARD.encode(IDENTITY_SCHEMA));
    json!({
        "dsn": "sqlite:///var/lib/portcullis/db.sqlite",
        "watch-courier": true,
        "serve": {
            "public": { "base_url": "https://id.tidal.org/", "host": "0.0.0.0", "port": 4433 },
            "admin": { "base_url": "http://127.0.0.1:4434/", "host": "127.0.0.1", "port": 4434 },
        },
        "selfservice": {
            "default_browser_return_url": "https://id.tidal.org/home",
            "flows": {
                "login": { "ui_url": "https://id.tidal.org/login" },
                "recovery": { "enabled": true, "ui_url": "https://id.tidal.org/recovery" },
            },
        },
        "courier": { "smtp": { "connection_uri": "smtps://u:p@mail.tidal.org:465/", "from_address": "id@tidal.org" } },
        "secrets": { "default": ["ZcmjUDv9xQ0rYb2TtW8sNfKgLpHeXaJi"], "cipher": ["9vBqTn3mWxKz7LrYcPdHsJfGaEuRo5Xi"] },
        "identity": { "schemas": [{ "id": "default", "url": schema }] },
    })
}

fn lay(value: &mut Value, over: Value) {
    match (value, over) {
        (Value::Object(value), Value::Object(over)) => {
            for (key, over) in over {
                if over.is_null() {
                    value.remove(&key);
                } else {
                    lay(value.entry(key).or_insert(Value::Null), over);
                }
            }
        }
        (value, over) => *value = over,
    }
}

fn found_on(change: Value, machine: &Machine) -> Vec<(Level, String)> {
    let mut value = good();
    lay(&mut value, change.clone());
    let loaded = from_value(value).unwrap_or_else(|e| panic!("{change}: {e}"));
    examine(&loaded.config, &loaded.warnings, machine).into_iter().map(|f| (f.level, f.key)).collect()
}

const PROVIDER_ISSUER: &str = "selfservice.methods.oidc.config.providers.0.issuer_url";
const WEB_HOOK_URL: &str = "selfservice.flows.login.after.hooks.0.config.url";

fn provider(more: Value) -> Value {
    let mut one =
        json!({ "id": "hub", "provider": "generic", "client_id": "us", "client_secret": "s", "mapper_url": "base64://e30=" });
    lay(&mut one, more);
    json!({ "selfservice": { "methods": { "oidc": { "enabled": true, "config": { "providers": [one] } } } } })
}

fn web_hook(more: Value) -> Value {
    let mut config = json!({ "method": "POST" });
    lay(&mut config, more);
    json!({ "selfservice": { "flows": { "login": { "after": { "hooks": [{ "hook": "web_hook", "config": config }] } } } } })
}

fn passkey(id: &str) -> Value {
    let rp = json!({ "id": id, "display_name": "us", "origins": ["https://id.tidal.org"] });
    json!({ "selfservice": { "methods": { "passkey": { "enabled": true, "config": { "rp": rp } } } } })
}

fn found(change: Value) -> Vec<(Level, String)> {
    found_on(change, &MACHINE)
}

#[test]
fn a_good_configuration_has_nothing_to_tell() {
    assert_eq!(found(json!({})), []);
}

#[test]
fn each_thing_that_will_bite_is_told_by_its_key() {
    use Level::{Note, Serious, Warning};
    let mut wrong = Vec::new();
    let ui = |url: &str| json!({ "selfservice": { "flows": { "login": { "ui_url": url } }, "allowed_return_urls": [url] } });
    let with = |mut change: Value, more: Value| {
        lay(&mut change, more);
        change
    };
    for (change, expected) in [
        // Cookie domains against the front end.
        (json!({ "cookies": { "domain": "elsewhere.org" } }), &[(Serious, "cookies.domain")][..]),
        (json!({ "cookies": { "domain": "org" } }), &[(Serious, "cookies.domain")]),
        (json!({ "cookies": { "domain": "tidal.org" } }), &[(Warning, "cookies.domain")]),
        (json!({ "session": { "cookie": { "domain": "tidal.org" } } }), &[(Warning, "session.cookie.domain")]),
        (
            with(ui("https://app.tidal.org/login"), json!({ "cookies": { "domain": "id.tidal.org" } })),
            &[(Serious, "cookies.domain")],
        ),
        (ui("https://app.tidal.org/login"), &[(Warning, "cookies.domain")]),
        (
            json!({ "serve": { "public": { "base_url": "https://192.0.2.7/" } }, "cookies": { "domain": "192.0.2.7" } }),
            &[(Serious, "cookies.domain"), (Serious, "cookies.same_site")],
        ),
        // SameSite and pages of another site.
        (ui("https://front.end.example/login"), &[(Serious, "cookies.same_site")]),
        (
            with(ui("https://front.end.example/login"), json!({ "cookies": { "same_site": "None" } })),
            &[(Warning, "selfservice.flows.login.ui_url")],
        ),
        (json!({ "cookies": { "same_site": "Strict" } }), &[(Warning, "cookies.same_site")]),
        (
            json!({ "cookies": { "same_site": "Strict" }, "selfservice": { "methods": { "link": { "enabled": true } } } }),
            &[(Serious, "cookies.same_site")],
        ),
        (json!({ "session": { "cookie": { "secure": false } } }), &[(Serious, "session.cookie.secure")]),
        // One origin with others.
        (json!({ "serve": { "public": { "base_url": "https://id.tidal.org/auth" } } }), &[(Warning, "serve.public.base_url")]),
        (
            json!({ "selfservice": { "allowed_return_urls": ["https://id.tidal.org:8443/app"] } }),
            &[(Warning, "selfservice.allowed_return_urls")],
        ),
        // Plain http and development.
        (json!({ "dev": true, "session": { "cookie": { "secure": true } } }), &[(Serious, "dev")]),
        (
            json!({ "selfservice": { "flows": { "login": { "ui_url": "http://id.tidal.org/login" } } } }),
            &[
                (Serious, "cookies.same_site"),
                (Serious, "selfservice.flows.login.ui_url"),
                (Warning, "selfservice.allowed_return_urls"),
            ],
        ),
        (
            json!({ "selfservice": { "default_browser_return_url": "http://127.0.0.1:4455/" } }),
            &[(Serious, "selfservice.default_browser_return_url")],
        ),
        (json!({ "serve": { "admin": { "host": "0.0.0.0" } } }), &[(Warning, "serve.admin.host")]),
        // Return addresses.
        (
            json!({ "cookies": { "domain": "tidal.org" }, "selfservice": { "flows": { "login": { "ui_url": "https://app.tidal.org/login" } } } }),
            &[(Warning, "cookies.domain"), (Warning, "selfservice.allowed_return_urls")],
        ),
        (
            json!({ "selfservice": { "allowed_return_urls": ["http://www.tidal.org/"] } }),
            &[(Warning, "selfservice.allowed_return_urls")],
        ),
        // Secrets.
        (json!({ "secrets": { "default": ["PLEASE-CHANGE-ME-I-AM-VERY-INSECURE"] } }), &[(Serious, "secrets.default.0")]),
        (json!({ "secrets": { "default": ["aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbb"] } }), &[(Serious, "secrets.default.0")]),
        (json!({ "secrets": { "default": ["ZcmjUDv9xQ0rYb2T"] } }), &[(Warning, "secrets.default.0")]),
        (json!({ "secrets": { "default": null } }), &[(Serious, "secrets.default"), (Warning, "secrets.cookie")]),
        (json!({ "secrets": { "cookie": ["ZcmjUDv9xQ0rYb2TtW8sNfKgLpHeXaJi"] } }), &[(Warning, "secrets.cookie")]),
        (
            json!({ "secrets": { "cipher": null }, "selfservice": { "methods": { "totp": { "enabled": true } } } }),
            &[(Note, "secrets.cipher")],
        ),
        // Messages.
        (json!({ "courier": { "smtp": { "connection_uri": null } } }), &[(Serious, "courier.smtp.connection_uri")]),
        (
            json!({ "courier": { "smtp": { "connection_uri": "smtp://mail.tidal.org:25/?disable_starttls=true" } } }),
            &[(Serious, "courier.smtp.connection_uri")],
        ),
        (
            json!({ "courier": { "smtp": { "connection_uri": "smtps://mail.tidal.org:465/?skip_ssl_verify=true" } } }),
            &[(Serious, "courier.smtp.connection_uri")],
        ),
        (
            json!({ "courier": { "smtp": { "connection_uri": "smtp://localhost:1025/" } } }),
            &[(Warning, "courier.smtp.connection_uri")],
        ),
        (json!({ "watch-courier": false }), &[(Note, "watch-courier")]),
        (
            json!({ "selfservice": { "flows": { "recovery": { "enabled": false } } } }),
            &[(Note, "selfservice.flows.recovery.enabled")],
        ),
        // What goes over the network.
        (json!({ "serve": { "admin": { "host": "8.8.4.4" } } }), &[(Serious, "serve.admin.host")]),
        (json!({ "serve": { "admin": { "host": "10.0.0.7" } } }), &[(Warning, "serve.admin.host")]),
        (provider(json!({ "issuer_url": "http://login.hub.example" })), &[(Serious, PROVIDER_ISSUER)]),
        (provider(json!({ "issuer_url": "https://login.hub.example" })), &[]),
        (provider(json!({ "issuer_url": "http://127.0.0.1:9000" })), &[]),
        (
            provider(json!({ "issuer_url": "https://hub.example", "mapper_url": "http://hub.example/m.jsonnet" })),
            &[(Serious, "selfservice.methods.oidc.config.providers.0.mapper_url")],
        ),
        (web_hook(json!({ "url": "http://hooks.tidal.org/x" })), &[(Warning, WEB_HOOK_URL)]),
        (
            web_hook(
                json!({ "url": "http://hooks.tidal.org/x", "auth": { "type": "basic_auth", "config": { "user": "u", "password": "p" } } }),
            ),
            &[(Serious, WEB_HOOK_URL)],
        ),
        (web_hook(json!({ "url": "https://hooks.tidal.org/x" })), &[]),
        (web_hook(json!({ "url": "http://localhost:9000/x" })), &[]),
        (
            json!({ "selfservice": { "methods": { "password": { "config": { "migrate_hook": { "enabled": true, "config": { "url": "http://old.tidal.org/check" } } } } } } }),
            &[(Serious, "selfservice.methods.password.config.migrate_hook.config.url")],
        ),
        (
            json!({ "courier": { "delivery_strategy": "http", "http": { "request_config": { "url": "http://mail.tidal.org/send", "method": "POST", "body": "base64://e30=" } } } }),
            &[(Serious, "courier.http.request_config.url")],
        ),
        (json!({ "oauth2_provider": { "url": "http://hydra.tidal.org:4445" } }), &[(Serious, "oauth2_provider.url")]),
        (json!({ "oauth2_provider": { "url": "https://hydra.tidal.org:4445" } }), &[]),
        (
            json!({ "session": { "whoami": { "tokenizer": { "templates": { "shop": { "jwks_url": "http://keys.tidal.org/jwks.json", "ttl": "1m" } } } } } }),
            &[(Serious, "session.whoami.tokenizer.templates.shop.jwks_url")],
        ),
        // How hard it is to get in.
        (
            json!({ "selfservice": { "methods": { "totp": { "enabled": true } } }, "session": { "whoami": { "required_aal": "aal1" } } }),
            &[(Warning, "session.whoami.required_aal")],
        ),
        (
            json!({ "selfservice": { "methods": { "totp": { "enabled": true } }, "flows": { "settings": { "required_aal": "aal1" } } } }),
            &[(Warning, "selfservice.flows.settings.required_aal")],
        ),
        (json!({ "session": { "whoami": { "required_aal": "aal1" } } }), &[]),
        (json!({ "session": { "lifespan": "20000h" } }), &[(Warning, "session.lifespan")]),
        (json!({ "security": { "guess_limit": { "max_tries": 0 } } }), &[(Serious, "security.guess_limit.max_tries")]),
        (
            json!({ "selfservice": { "methods": { "password": { "config": { "haveibeenpwned_enabled": false } } } } }),
            &[(Note, "selfservice.methods.password.config.haveibeenpwned_enabled")],
        ),
        (
            json!({ "selfservice": { "methods": { "code": { "config": { "lifespan": "72h" } } } } }),
            &[(Warning, "selfservice.methods.code.config.lifespan")],
        ),
        (passkey("elsewhere.org"), &[(Serious, "selfservice.methods.passkey.config.rp.id")]),
        (passkey("tidal.org"), &[]),
        (
            json!({ "selfservice": { "methods": { "webauthn": { "enabled": true, "config": { "passwordless": true, "rp": { "id": "elsewhere.org", "display_name": "us", "origins": ["https://id.tidal.org"] } } } } } }),
            &[(Serious, "selfservice.methods.webauthn.config.rp.id")],
        ),
        // The rest.
        (json!({ "dsn": "sqlite:///tmp/db.sqlite?_fk=true" }), &[(Serious, "dsn")]),
        (json!({ "dsn": "postgres://u:p@db.tidal.org/id?sslmode=disable" }), &[(Warning, "dsn")]),
        (json!({ "dsn": "postgres://u:p@localhost/id?sslmode=disable" }), &[]),
        (json!({ "dsn": "memory" }), &[(Serious, "dsn")]),
        (json!({ "log": { "leak_sensitive_values": true } }), &[(Serious, "log.leak_sensitive_values")]),
        (
            json!({ "identity": { "schemas": [{ "id": "default", "url": "http://schemas.tidal.org/person.json" }] } }),
            &[(Warning, "identity.schemas")],
        ),
    ] {
        let expected: Vec<(Level, String)> = expected.iter().map(|(level, key)| (*level, (*key).to_owned())).collect();
        let told = found(change.clone());
        if told != expected {
            wrong.push(format!("{change}: {told:?} instead of {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn plain_http_on_a_public_address_is_serious_whatever_else_follows() {
    let keys = found(json!({ "serve": { "public": { "base_url": "http://id.tidal.org/" } } }));
    assert!(keys.contains(&(Level::Serious, "serve.public.base_url".to_owned())), "{keys:?}");
    assert!(keys.contains(&(Level::Serious, "session.cookie.secure".to_owned())), "{keys:?}");
}

#[test]
fn hashes_are_judged_on_this_machine() {
    let argon = || json!({ "hashers": { "algorithm": "argon2", "argon2": { "memory": "1GB" } } });
    let machine = |millis, memory| Machine { hash: Duration::from_millis(millis), memory, processors: 4 };
    for (change, machine, expected) in [
        (json!({}), machine(3, None), Some((Level::Warning, "hashers.bcrypt.cost"))),
        (json!({}), machine(1500, None), Some((Level::Warning, "hashers.bcrypt.cost"))),
        (argon(), machine(1500, None), Some((Level::Warning, "hashers.argon2"))),
        (argon(), machine(300, Some(4 << 30)), Some((Level::Serious, "hashers.argon2.memory"))),
        (argon(), machine(300, Some(16 << 30)), None),
    ] {
        let expected: Vec<_> = expected.into_iter().map(|(level, key)| (level, key.to_owned())).collect();
        assert_eq!(found_on(change.clone(), &machine), expected, "{change}");
    }
}

#[test]
fn memory_is_read_as_linux_tells_it() {
    assert_eq!(total_memory("MemTotal:       16384 kB\nMemFree: 1 kB\n"), Some(16 << 20));
    assert_eq!(total_memory("nothing"), None);
}

#[test]
fn no_secret_is_shown() {
    let mut value = good();
    lay(
        &mut value,
        json!({ "secrets": { "default": ["PLEASE-CHANGE-ME-I-AM-VERY-INSECURE"] }, "courier": { "smtp": { "connection_uri": "smtp://u:s3cr3t-word@mail.tidal.org/?disable_starttls=true" } } }),
    );
    let loaded = from_value(value).unwrap();
    let all = format!("{:?}", examine(&loaded.config, &loaded.warnings, &MACHINE));
    assert!(!all.contains("PLEASE") && !all.contains("s3cr3t-word"), "{all}");
}
