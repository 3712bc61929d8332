//! What is refused, and in which words.

use serde_json::{Value, json};

use super::super::{ConfigErrors, from_value};
use super::{Folder, least, load_with, loaded, merged};

fn refusal(over: Value) -> String {
    load_with(over.clone(), &[]).map(|_| ()).expect_err(&format!("{over}")).to_string()
}

/// Puts a value at a dotted path.
fn at(path: &str, value: Value) -> Value {
    path.rsplit('.').fold(value, |value, key| json!({ key: value }))
}

fn hook(hook: Value) -> Value {
    json!([hook])
}

#[test]
fn bad_values_are_named_by_key_and_file_with_what_is_right() {
    let provider = |more: Value| {
        json!([merged(
            json!({"id": "x", "provider": "generic", "client_id": "c", "client_secret": "s", "mapper_url": "file:///m"}),
            more
        )])
    };
    let web_hook = |more: Value| {
        hook(json!({"hook": "web_hook", "config": merged(json!({"url": "https://h.example.org", "method": "POST"}), more)}))
    };
    let many = "must be a port, from 1 to 65535";
    let time = "must be a length of time such as 30s, 15m or 1h30m";
    for (path, value, key, words) in [
        ("serve.public.port", json!("4433"), "serve.public.port", many),
        ("serve.public.port", json!(70000), "serve.public.port", many),
        ("serve.public.port", json!(0.5), "serve.public.port", many),
        ("serve.public.base_url", json!("/auth"), "serve.public.base_url", "is \"/auth\", but must be a URL such as https://"),
        ("selfservice.flows.login.lifespan", json!("an hour"), "selfservice.flows.login.lifespan", time),
        ("session.lifespan", json!(3600), "session.lifespan", time),
        ("session.lifespan", json!("99999999999999999h"), "session.lifespan", time),
        ("hashers.argon2.memory", json!("99999999999999EB"), "hashers.argon2.memory", "must be a size such as"),
        ("hashers.bcrypt.cost", json!(32), "hashers.bcrypt.cost", "is 32, but must be from 4 to 31"),
        ("selfservice.methods.password.enabled", json!("yes"), "selfservice.methods.password.enabled", "must be true or false"),
        (
            "selfservice.allowed_return_urls",
            json!("https://a"),
            "selfservice.allowed_return_urls",
            "is a text of 9 characters, but must be a list",
        ),
        ("hashers.algorithm", json!("md5"), "hashers.algorithm", "is \"md5\", but must be one of argon2, bcrypt"),
        ("cookies.same_site", json!("lax"), "cookies.same_site", "must be one of Strict, Lax, None"),
        ("cookies.secure", json!("maybe"), "cookies.secure", "must be true or false"),
        (
            "selfservice.flows.login.ui_url",
            json!(""),
            "selfservice.flows.login.ui_url",
            "is empty, but must be the URL of a page",
        ),
        (
            "courier.smtp.connection_uri",
            json!("nothing"),
            "courier.smtp.connection_uri",
            "must be a URL that begins with smtp://",
        ),
        ("courier.smtp.from_address", json!("nobody"), "courier.smtp.from_address", "must be a mail address"),
        ("identity.schemas", json!([]), "identity.schemas", "must be a list of 1 or more"),
        ("identity.schemas", json!([{"id": "default"}]), "identity.schemas.0.url", "is missing"),
        (
            "identity.schemas",
            json!([{"id": "default", "url": "person.json"}]),
            "identity.schemas.0.url",
            "is \"person.json\", but must be a URL such as",
        ),
        (
            "identity.default_schema_id",
            json!("person"),
            "identity.default_schema_id",
            "must be the id of one of identity.schemas: default",
        ),
        (
            "secrets.cookie",
            json!(["short"]),
            "secrets.cookie.0",
            "is a text of 5 characters, but must be a text of 16 characters or more",
        ),
        ("secrets.cipher", json!(["short"]), "secrets.cipher.0", "must be a text of exactly 32 characters"),
        ("ciphers.algorithm", json!("aes"), "secrets.cipher", "is missing"),
        ("selfservice.methods.passkey.enabled", json!(true), "selfservice.methods.passkey.config.rp", "is missing"),
        ("selfservice.methods.webauthn.enabled", json!(true), "selfservice.methods.webauthn.config", "is missing"),
        (
            "selfservice.methods.passkey.config.rp",
            json!({"id": "x"}),
            "selfservice.methods.passkey.config.rp.display_name",
            "is missing",
        ),
        (
            "selfservice.methods.webauthn.config.rp",
            json!({"id": "x", "display_name": "x", "origin": "https://x", "origins": ["https://x"]}),
            "selfservice.methods.webauthn.config.rp.origin",
            "must be left out",
        ),
        (
            "selfservice.methods.passkey.config.timeouts.login",
            json!("0s"),
            "selfservice.methods.passkey.config.timeouts.login",
            "above zero",
        ),
        (
            "selfservice.methods.code",
            json!({"passwordless_enabled": true, "mfa_enabled": true}),
            "selfservice.methods.code.mfa_enabled",
            "is true, but must be false: codes are either",
        ),
        (
            "selfservice.methods.oidc.config.providers",
            provider(json!({"provider": "nowhere"})),
            "selfservice.methods.oidc.config.providers.0.provider",
            "must be one of github,",
        ),
        (
            "selfservice.methods.oidc.config.providers",
            provider(json!({"provider": "microsoft"})),
            "selfservice.methods.oidc.config.providers.0.microsoft_tenant",
            "is missing",
        ),
        (
            "selfservice.methods.oidc.config.providers",
            provider(json!({"microsoft_tenant": "x"})),
            "selfservice.methods.oidc.config.providers.0.microsoft_tenant",
            "must be left out",
        ),
        (
            "selfservice.methods.oidc.config.providers",
            provider(json!({"provider": "apple"})),
            "selfservice.methods.oidc.config.providers.0.apple_private_key",
            "is missing",
        ),
        (
            "serve.public.cors.allowed_origins",
            json!(["https://*.*.org"]),
            "serve.public.cors.allowed_origins.0",
            "must be an origin",
        ),
        (
            "selfservice.flows.login.after.hooks",
            hook(json!({"hook": "session"})),
            "selfservice.flows.login.after.hooks.0.hook",
            "must be one of revoke_active",
        ),
        ("selfservice.flows.login.after.hooks", hook(json!({})), "selfservice.flows.login.after.hooks.0.hook", "is missing"),
        (
            "selfservice.flows.login.after.oidc.hooks",
            hook(json!({"hook": "verification"})),
            "selfservice.flows.login.after.oidc.hooks.0.hook",
            "is \"verification\", but must be one of",
        ),
        (
            "selfservice.flows.registration.after.password.hooks",
            hook(json!({"hook": "session", "config": {}})),
            "selfservice.flows.registration.after.password.hooks.0.config",
            "is not a known key",
        ),
        (
            "selfservice.flows.settings.after.profile.hooks",
            hook(json!({"hook": "notify_previous_addresses", "config": {"recipients": "none"}})),
            "selfservice.flows.settings.after.profile.hooks.0.config.recipients",
            "must be one of removed, all_verified, all",
        ),
        (
            "selfservice.flows.login.before.hooks",
            json!([{"hook": "b2b_sso"}, {"hook": "b2b_sso"}]),
            "selfservice.flows.login.before.hooks",
            "must be a list without repetitions",
        ),
        (
            "selfservice.flows.login.before.hooks",
            hook(json!({"hook": "web_hook"})),
            "selfservice.flows.login.before.hooks.0.config",
            "is missing",
        ),
        (
            "selfservice.flows.login.before.hooks",
            web_hook(json!({"response": {"ignore": true, "parse": true}})),
            "selfservice.flows.login.before.hooks.0.config.response.parse",
            "must be false",
        ),
        (
            "selfservice.flows.login.before.hooks",
            web_hook(json!({"response": {"ignore": true}, "can_interrupt": true})),
            "selfservice.flows.login.before.hooks.0.config.can_interrupt",
            "must be false",
        ),
        (
            "selfservice.flows.login.before.hooks",
            web_hook(json!({"body": "ftp://x"})),
            "selfservice.flows.login.before.hooks.0.config.body",
            "must be a URL that begins with file://",
        ),
        (
            "selfservice.flows.login.before.hooks",
            web_hook(json!({"auth": {"type": "api_key", "config": {"name": "x", "in": "header"}}})),
            "selfservice.flows.login.before.hooks.0.config.auth.config.value",
            "is missing",
        ),
    ] {
        let told = refusal(at(path, value.clone()));
        let line = told
            .lines()
            .find(|l| l.trim_start().starts_with(&format!("{key} ")))
            .unwrap_or_else(|| panic!("{path} = {value}: {told}"));
        assert!(line.contains(words), "{path} = {value}: {line}");
        assert!(line.contains("config.json"), "{path} = {value}: {line}");
    }
}

#[test]
fn unknown_keys_are_refused_where_the_schema_is_closed() {
    for path in [
        "",
        "selfservice",
        "selfservice.flows.login",
        "selfservice.methods.password.config",
        "session",
        "cookies",
        "serve.public.tls",
        "tracing",
    ] {
        let told = refusal(if path.is_empty() { json!({"nonsense": 1}) } else { at(path, json!({"nonsense": 1})) });
        let key = if path.is_empty() { "nonsense".to_owned() } else { format!("{path}.nonsense") };
        assert!(told.contains(&format!("{key} is not a known key")), "{told}");
    }
    let told = refusal(json!({"serve": {"public": {"prot": 1}}, "coukies": {}}));
    assert!(told.contains("serve.public.prot is not a known key; was port meant?"), "{told}");
    assert!(told.contains("coukies is not a known key; was cookies meant?"), "{told}");
    for path in ["security", "clients", "ciphers", "preview", "database.cleanup", "courier.worker", "selfservice.methods.code"] {
        let l = loaded(at(path, json!({"nonsense": 1})));
        assert!(
            l.warnings.iter().any(|w| w.contains(&format!("{path}.nonsense is not a known key"))),
            "{path}: {:?}",
            l.warnings
        );
    }
}

#[test]
fn everything_missing_and_wrong_is_told_at_once() {
    let error = from_value(json!({"serve": {"public": {"port": "x"}}, "log": {"level": 1}})).expect_err("a refusal");
    let keys: Vec<&str> = error.violations().iter().map(|v| v.key.as_str()).collect();
    assert_eq!(keys, ["dsn", "identity.schemas", "log.level", "selfservice.default_browser_return_url", "serve.public.port"]);
    for (missing, key) in
        [("dsn", "dsn"), ("identity", "identity.schemas"), ("selfservice", "selfservice.default_browser_return_url")]
    {
        let mut value = least();
        value.as_object_mut().expect("a mapping").remove(missing);
        assert!(from_value(value).expect_err("a refusal").to_string().contains(&format!("{key} is missing")), "{missing}");
    }
}

#[test]
fn secrets_are_never_repeated() {
    const HIDDEN: &str = "hunter2";
    let errors: Vec<ConfigErrors> = [
        json!({"secrets": {"cookie": [HIDDEN]}}),
        json!({"secrets": {"cookie": HIDDEN}}),
        json!({"courier": {"smtp": {"connection_uri": HIDDEN}}}),
        json!({"courier": {"smtp": {"headers": HIDDEN}}}),
        json!({"courier": {"http": {"request_config": {"url": HIDDEN, "auth": HIDDEN}}}}),
        json!({"courier": {"http": {"request_config": {"auth": {"type": "basic_auth", "config": {"user": "u", "password": [HIDDEN]}}}}}}),
        json!({"selfservice": {"methods": {"oidc": {"config": {"providers": HIDDEN}}}}}),
        json!({"selfservice": {"methods": {"oidc": {"config": {"providers": [{"id": "a", "provider": "apple", "client_id": "c", "mapper_url": "file:///m", "client_secret": HIDDEN}]}}}}}),
        json!({"selfservice": {"flows": {"login": {"before": {"hooks": [{"hook": "web_hook", "config": {"url": HIDDEN, "method": "GET"}}]}}}}}),
        json!({"serve": {"public": {"tls": {"key": HIDDEN}}}}),
    ]
    .into_iter()
    .map(|over| from_value(merged(least(), over)).expect_err("a refusal"))
    .collect();
    for error in errors {
        assert!(!error.to_string().contains(HIDDEN) && !format!("{error:?}").contains(HIDDEN), "{error}");
    }
    let config = loaded(json!({
        "dsn": "postgres://u:hunter2@db/x",
        "secrets": {"cookie": ["hunter2hunter2hunter2"]},
        "courier": {"smtp": {"connection_uri": "smtp://u:hunter2@mail", "headers": {"X-Key": HIDDEN}}, "http": {"request_config": {"url": "https://u:hunter2@h/", "auth": {"type": "basic_auth", "config": {"user": "u", "password": HIDDEN}}}}},
        "selfservice": {
            "flows": {"login": {"before": {"hooks": [{"hook": "web_hook", "config": {"url": "https://h/?key=hunter2", "method": "GET"}}]}}},
            "methods": {"oidc": {"config": {"providers": [{"id": "a", "provider": "generic", "client_id": "c", "mapper_url": "file:///m", "client_secret": HIDDEN}]}}},
        },
        "oauth2_provider": {"headers": {"Authorization": HIDDEN}},
        "tracing": {"providers": {"otlp": {"authorization_header": HIDDEN}}},
    }));
    assert!(!format!("{config:?}").contains(HIDDEN), "{config:?}");
}

#[test]
fn a_cipher_needs_exactly_32_bytes() {
    let aes = |secret: &str| load_with(json!({"ciphers": {"algorithm": "aes"}, "secrets": {"cipher": [secret]}}), &[]);
    assert!(aes(&"x".repeat(32)).is_ok());
    let told = aes(&"ü".repeat(32)).expect_err("64 bytes").to_string();
    assert!(told.contains("secrets.cipher.0 has 64 bytes"), "{told}");
    let unused = load_with(json!({"secrets": {"cipher": ["ü".repeat(32)]}}), &[]);
    assert!(unused.is_ok(), "without a cipher nothing needs it");
}

#[test]
fn warnings_are_given_for_what_is_seldom_meant() {
    for (over, words) in [
        (json!({"session": {"cookie": {"same_site": "None", "secure": "false"}}}), "same_site is None without secure"),
        (
            json!({"cookies": {"secure": false}}),
            "cookies.secure is false but does not speak for the session cookie, which is Secure",
        ),
        (json!({"serve": {"public": {"base_url": "http://auth.example.org/"}}}), "without https"),
        (json!({"serve": {"public": {"tls": {"cert": {"path": "/c"}}}}}), "serve.public.tls needs both cert and key"),
        (json!({"secrets": {"cookie": []}}), "a secret is made up"),
        (json!({"selfservice": {"flows": {"recovery": {"enabled": true}}}}), "courier.smtp.connection_uri is not set"),
        (
            json!({"selfservice": {"flows": {"verification": {"enabled": true}}}, "courier": {"smtp": {"connection_uri": "smtp://mail"}}}),
            "mails come from no-reply@ory.kratos.sh",
        ),
        (json!({"selfservice": {"allowed_return_urls": ["/welcome"]}}), "\"/welcome\" is not absolute"),
        (
            json!({"identity": {"schemas": [{"id": "default", "url": "file:///a"}, {"id": "default", "url": "file:///b"}]}}),
            "two entries have the id",
        ),
        (json!({"log": {"leak_sensitive_values": true}}), "log.leak_sensitive_values is on"),
        (json!({"hashers": {"bcrypt": {"cost": 4}}}), "is raised to 12"),
    ] {
        let warnings = loaded(over.clone()).warnings;
        assert!(warnings.iter().any(|w| w.contains(words)), "{over}: {warnings:?}");
    }
    let quiet = loaded(json!({"serve": {"public": {"base_url": "http://localhost:4433/"}}, "cookies": {"secure": true}}));
    assert_eq!(quiet.warnings, Vec::<String>::new());
    let mut without = least();
    without.as_object_mut().expect("a mapping").remove("secrets");
    assert!(from_value(without).expect("legal").warnings.iter().any(|w| w.contains("a secret is made up")));
}

#[test]
fn paid_and_old_keys_are_accepted() {
    loaded(json!({
        "enterprise": {"identity_schema_fallback_url_template": "https://x/{}"},
        "organizations": [],
        "preview": {"default_read_consistency_level": "eventual"},
        "version": "1.0",
        "sqa-opt-out": true,
        "help": false,
        "config": ["x.yaml"],
        "selfservice": {
            "methods": {"b2b": {"config": {"organizations": [{"id": "6a2b0c1e-2222-4333-8444-555566667777", "label": "x", "domains": ["example.org"], "session_lifespan": "1h"}]}}},
            "flows": {"registration": {"after": {"hooks": [{"hook": "b2b_sso", "config": {"anything": 1}}]}}},
        },
    }));
}

#[test]
fn a_violation_names_the_last_file_that_gave_the_value() {
    let folder = Folder::new();
    let base = folder.write("base.json", merged(least(), json!({"session": {"lifespan": "soon"}})).to_string());
    let over = folder.write("over.yaml", "session:\n  lifespan: later\n");
    let told = super::load(&super::sources(&[&base, &over], &[])).expect_err("a refusal").to_string();
    assert!(
        told.contains("session.lifespan is \"later\"") && told.contains("over.yaml") && !told.contains("base.json"),
        "{told}"
    );
}
