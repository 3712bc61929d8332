//! The configuration of a server that was given none.

use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

use super::super::first_run::{MadeSecrets, SecretsError, forgotten_file, secrets};
use super::super::hashers::CipherAlgorithm;
use super::super::{Loaded, load};
use super::{Counting, Folder, least, sources};

fn first_run(environment: &[(&str, &str)]) -> Loaded {
    let mut sources = sources(&[], environment);
    sources.secrets = Some(MadeSecrets::for_this_process(&Counting::default()));
    load(&sources).unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn everything_is_on_this_machine() {
    let Loaded { config: c, first_run, warnings } = first_run(&[]);
    assert!(first_run && !c.dev);
    assert_eq!(c.dsn.expose(), "sqlite://data/portcullis.db");
    assert_eq!((c.public_base_url().as_str(), c.admin_base_url().as_str()), ("http://localhost:4433/", "http://localhost:4434/"));
    assert!(c.serve.public.is_loopback() && c.serve.admin.is_loopback());
    assert_eq!((c.serve.public.port, c.serve.admin.port), (4433, 4434));
    assert!(!c.session_cookie().secure && !c.csrf_cookie().secure);
    assert_eq!(c.selfservice.default_browser_return_url, "http://localhost:4433/");
    assert!(!c.selfservice.methods.password.config.haveibeenpwned_enabled);
    assert!(!c.selfservice.flows.recovery.enabled && !c.selfservice.flows.verification.enabled);
    assert_eq!(
        (c.ciphers.algorithm, c.secrets.cipher_keys().len(), c.secrets.cookie_keys().len()),
        (CipherAlgorithm::XChaCha20Poly1305, 1, 1)
    );
    assert_eq!(warnings, Vec::<String>::new());
    let url = &c.identity.schema("default").expect("a schema").url;
    let text = BASE64_STANDARD.decode(url.strip_prefix("base64://").expect("base64")).expect("base64");
    let schema: Value = serde_json::from_slice(&text).expect("JSON");
    let email = schema.pointer("/properties/traits/properties/email/ory.sh~1kratos/credentials/password/identifier");
    assert_eq!(email, Some(&Value::Bool(true)));
}

#[test]
fn the_environment_still_counts() {
    let c = first_run(&[("PORTCULLIS_DATA", "/var/lib/portcullis"), ("SERVE_PUBLIC_PORT", "5000"), ("SESSION_LIFESPAN", "1h")])
        .config;
    assert_eq!(c.dsn.expose(), "sqlite:///var/lib/portcullis/portcullis.db");
    assert_eq!(c.public_base_url().as_str(), "http://localhost:5000/");
    assert_eq!(c.session.lifespan.as_secs(), 3600);
    let c = first_run(&[("DSN", "memory"), ("SECRETS_COOKIE", "a-secret-of-the-environment")]).config;
    assert_eq!((c.dsn.expose(), c.secrets.cookie_keys()[0].expose()), ("memory", "a-secret-of-the-environment"));
    for reachable in [("SERVE_PUBLIC_HOST", "0.0.0.0"), ("SERVE_PUBLIC_BASE_URL", "https://auth.example.org/")] {
        let c = first_run(&[reachable]).config;
        assert!(c.session_cookie().secure && c.csrf_cookie().secure, "{reachable:?}");
    }
}

#[test]
fn a_file_that_was_not_named_is_found() {
    let folder = Folder::new();
    let data = folder.path("data").display().to_string();
    let forgotten = |files: &[&Path], environment: &[(&str, &str)]| {
        forgotten_file(&sources(files, environment), &folder.path("")).map(|f| f.file_name().unwrap().to_owned())
    };
    assert_eq!(forgotten(&[], &[]), None, "an empty folder");
    folder.write("config.json", r#"{"name": "of another program"}"#);
    folder.write("config.yaml", "a: [");
    assert_eq!(forgotten(&[], &[]), None, "other programs' files");
    let named = folder.write("kratos.yml", "selfservice: {}");
    assert_eq!(forgotten(&[], &[]), Some("kratos.yml".into()));
    assert_eq!(forgotten(&[&named], &[]), None, "it was named");
    assert_eq!(forgotten(&[], &[("DSN", "memory")]), None);
    assert_eq!(forgotten(&[], &[("PORTCULLIS_DATA", &data)]), None);
}

#[test]
fn made_up_secrets_are_only_stand_ins() {
    let folder = Folder::new();
    let mut value = least();
    value.as_object_mut().expect("a mapping").remove("secrets");
    let file = folder.write("config.json", value.to_string());
    let mut sources = sources(&[&file], &[]);
    let without = load(&sources).expect("legal").config;
    assert!(without.secrets.cookie_keys().is_empty());
    sources.secrets = Some(MadeSecrets::for_this_process(&Counting::default()));
    let with = load(&sources).expect("legal").config;
    assert_eq!(with.secrets.cookie_keys()[0].expose().len(), 32);
    assert!(with.secrets.cipher_keys().is_empty(), "stored data must not depend on a process");
    assert_eq!(with.fingerprint, without.fingerprint);
    sources.environment.push(("CIPHERS_ALGORITHM".to_owned(), "aes".to_owned()));
    assert!(load(&sources).expect_err("a refusal").to_string().contains("secrets.cipher is missing"));
}

#[test]
fn secrets_are_made_once() {
    let folder = Folder::new();
    let path = folder.path("secrets.json");
    let rng = Counting::default();
    let first = secrets(&path, &rng).unwrap_or_else(|e| panic!("{e}"));
    let again = secrets(&path, &rng).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(first.default_secrets(), again.default_secrets());
    assert_eq!(first.cipher_secrets(), again.cipher_secrets());
    assert_ne!(first.default_secrets(), first.cipher_secrets());
    assert_eq!(std::fs::read_dir(&folder.0).expect("the folder").count(), 1, "no draft is left behind");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(&path).expect("the file").permissions().mode() & 0o777, 0o600);
    }
    assert!(!format!("{first:?}").contains("A"), "{first:?}");
}

#[test]
fn processes_that_start_together_share_one_set() {
    let folder = Folder::new();
    let path = folder.path("secrets.json");
    let made: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8u32)
            .map(|n| {
                let path = &path;
                scope.spawn(move || secrets(path, &Counting::from(n * 1_000)).map(|s| s.default_secrets().to_string()))
            })
            .collect();
        threads.into_iter().map(|t| t.join().expect("no panic").unwrap_or_else(|e| panic!("{e}"))).collect()
    });
    assert!(made.iter().all(|s| *s == made[0]), "{made:?}");
}

#[test]
fn broken_or_unreachable_secrets_are_never_replaced() {
    let folder = Folder::new();
    for text in ["", "{", "{}", r#"{"default":["short"],"cipher":["x"]}"#, r#"{"default":[],"cipher":[]}"#] {
        let path = folder.write("secrets.json", text);
        let error = secrets(&path, &Counting::default()).expect_err("a refusal");
        assert!(matches!(error, SecretsError::Broken(_)), "{text}: {error}");
        assert_eq!(std::fs::read_to_string(&path).expect("the file"), text);
    }
    let error = secrets(&folder.path("no/such/folder/secrets.json"), &Counting::default()).expect_err("a refusal");
    assert!(matches!(error, SecretsError::Write { .. }), "{error}");
}
