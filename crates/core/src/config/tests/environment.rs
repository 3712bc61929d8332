//! Variables of the environment, of every kind.

use serde_json::{Value, json};

use super::super::{Flags, load};
use super::{Folder, least, load_with, merged, sources};

#[test]
fn variables_win_over_files() {
    let env = [
        ("SELFSERVICE_FLOWS_LOGIN_UI_URL", "https://www.example.org/env"),
        ("selfservice_flows_registration_enabled", "f"),
        ("SERVE_PUBLIC_PORT", "5000"),
        ("SESSION_LIFESPAN", "5m"),
        ("SELFSERVICE_ALLOWED_RETURN_URLS", "https://one.example.org, https://two.example.org"),
        ("SECRETS_COOKIE", r#"["one-secret-of-the-environment","another-one-of-the-environment"]"#),
        ("COURIER_SMTP_HEADERS", r#"{"X-A": "b"}"#),
        ("IDENTITY_SCHEMAS_1_ID", "second"),
        ("IDENTITY_SCHEMAS_1_URL", "file:///second"),
        ("IDENTITY_SCHEMAS_0_ID", "renamed"),
        ("IDENTITY_DEFAULT_SCHEMA_ID", "renamed"),
        ("TRACING_PROVIDERS_OTLP_SAMPLING_SAMPLING_RATIO", "0.5"),
        ("COOKIES_SECURE", "true"),
        ("DEV", "true"),
        ("WATCH_COURIER", "1"),
        ("REVISION", "r1"),
        ("SELFSERVICE_NOTHING_OF_THE_KIND", "1"),
        ("NOTHING", "2"),
        ("VERSION", "{"),
        ("SERVE_ADMIN_PORT", ""),
        ("COOKIES_DOMAIN", ""),
    ];
    let c = load_with(json!({"cookies": {"domain": "example.org"}}), &env).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(c.selfservice.flows.login.common.ui_url.as_deref(), Some("https://www.example.org/env"));
    assert!(!c.selfservice.flows.registration.enabled);
    assert_eq!((c.serve.public.port, c.serve.admin.port), (5000, 4434));
    assert_eq!(c.session.lifespan.as_secs(), 300);
    assert_eq!(c.selfservice.allowed_return_urls, ["https://one.example.org", "https://two.example.org"]);
    assert_eq!(c.secrets.cookie_keys().iter().map(|s| s.expose().len()).collect::<Vec<_>>(), [29, 30]);
    assert_eq!(c.courier.smtp.headers.get("X-A").map(|v| v.expose()), Some("b"));
    let ids: Vec<_> = c.identity.schemas.iter().map(|s| (s.id.as_str(), s.url.as_str())).collect();
    assert_eq!(ids, [("renamed", "file:///etc/person.schema.json"), ("second", "file:///second")]);
    assert_eq!(c.tracing.providers.otlp.sampling.sampling_ratio, Some(0.5));
    assert_eq!((c.cookies.secure, c.dev, c.watch_courier, c.revision.as_str()), (Some(true), true, true, "r1"));
    assert_eq!(c.cookies.domain, None, "an empty text takes the domain away");
}

#[test]
fn a_list_of_objects_is_json_and_comes_before_its_entries() {
    let schemas = r#"[{"id":"default","url":"file:///a"},{"id":"b","url":"file:///b"}]"#;
    let c = load_with(json!({}), &[("IDENTITY_SCHEMAS_1_URL", "file:///c"), ("IDENTITY_SCHEMAS", schemas)])
        .unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(c.identity.schemas.iter().map(|s| s.url.as_str()).collect::<Vec<_>>(), ["file:///a", "file:///c"]);
}

#[test]
fn of_two_spellings_the_one_in_capitals_wins() {
    for env in [[("DSN", "memory"), ("dsn", "sqlite://x")], [("dsn", "sqlite://x"), ("DSN", "memory")]] {
        assert_eq!(load_with(json!({}), &env).expect("legal").dsn.expose(), "memory");
    }
}

#[test]
fn bad_values_are_refused_by_the_name_of_the_variable() {
    for (name, text, words) in [
        ("SELFSERVICE_FLOWS_LOGIN_LIFESPAN", "soon", "selfservice.flows.login.lifespan is \"soon\""),
        ("SERVE_PUBLIC_PORT", "many", "serve.public.port is \"many\", but must be a port"),
        ("DEV", "yes", "dev is \"yes\", but must be true or false"),
        ("IDENTITY_SCHEMAS", "[{", "identity.schemas is a text of 2 characters, but must be a list"),
        ("IDENTITY_SCHEMAS_7_ID", "x", "identity.schemas.7.id names entry 7 of a list that has 1"),
        ("SELFSERVICE_METHODS_OIDC", "x", "selfservice.methods.oidc is a text of 1 characters, but must be a mapping"),
        ("DSN", "", "dsn is empty"),
    ] {
        let told = load_with(json!({}), &[(name, text)]).expect_err(name).to_string();
        assert!(told.contains(words) && told.contains(&format!("(environment variable {name})")), "{told}");
    }
}

#[test]
fn flags_win_over_everything() {
    let folder = Folder::new();
    let over =
        json!({"dev": false, "watch-courier": false, "expose-metrics-port": 1, "database": {"cleanup": {"batch_size": 1}}});
    let file = folder.write("config.json", merged(least(), over).to_string());
    let mut sources = sources(&[&file], &[("DEV", "false")]);
    sources.flags = Flags {
        dev: true,
        watch_courier: true,
        sqa_opt_out: true,
        expose_metrics_port: Some(9000),
        cleanup_batch_size: Some(7),
        cleanup_sleep: Some("1s".to_owned()),
    };
    let c = load(&sources).unwrap_or_else(|e| panic!("{e}")).config;
    assert!(c.dev && c.watch_courier);
    assert_eq!((c.expose_metrics_port, c.database.cleanup.batch_size, c.database.cleanup.sleep.tables.as_secs()), (9000, 7, 1));
    sources.flags = Flags { cleanup_sleep: Some("often".to_owned()), ..Flags::default() };
    let told = load(&sources).expect_err("a refusal").to_string();
    assert!(told.contains("(flag --database.cleanup.sleep.tables)"), "{told}");
}

#[test]
fn the_environment_is_not_shown() {
    let sources = sources(&[], &[("SECRETS_COOKIE", "hunter2hunter2hunter2")]);
    assert!(!format!("{sources:?}").contains("hunter2"));
    let told = load_with(json!({}), &[("SECRETS_COOKIE", "hunter2")]).expect_err("too short").to_string();
    assert!(!told.contains("hunter2") && told.contains("SECRETS_COOKIE"), "{told}");
    let told = load_with(json!({}), &[("SELFSERVICE_METHODS_OIDC_CONFIG_PROVIDERS", r#"[{"client_secret":"hunter2""#)])
        .expect_err("broken")
        .to_string();
    assert!(!told.contains("hunter2"), "{told}");
    assert!(!format!("{:?}", Value::Null).contains("hunter2"));
}
