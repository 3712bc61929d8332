//! The defaults are those of the contract.

use std::time::Duration;

use serde_json::json;

use super::super::cookies::SameSite;
use super::super::courier::DeliveryStrategy;
use super::super::flows::{Challenge, LoginStyle, RegistrationStyle};
use super::super::hashers::{CipherAlgorithm, HashAlgorithm};
use super::super::log::LogLevel;
use super::super::session::RequiredAal;
use super::config;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn flows() {
    let c = config(json!({}));
    let flows = &c.selfservice.flows;
    for kind in portcullis_model::flow::FlowKind::ALL {
        assert_eq!(c.flow(kind).lifespan, HOUR, "{kind}");
        assert_eq!(c.flow(kind).ui_url, None, "{kind}: the built-in page");
        assert!(c.before_hooks(kind).is_empty() && c.after_hooks(kind, Some("password")).is_empty(), "{kind}");
    }
    assert_eq!(flows.error.ui_url, None);
    assert_eq!(flows.login.style, LoginStyle::Unified);
    assert_eq!(flows.registration.style(), RegistrationStyle::ProfileFirst);
    assert!(flows.registration.enabled && !flows.registration.login_hints && !flows.registration.enable_legacy_one_step);
    assert_eq!((flows.settings.privileged_session_max_age, flows.settings.required_aal), (HOUR, RequiredAal::HighestAvailable));
    let notices = flows.settings.change_notices;
    assert_eq!((notices.enabled, notices.by_administrators, notices.delay), (true, false, Duration::from_secs(10)));
    assert!(!flows.recovery.enabled && !flows.recovery.notify_unknown_recipients && flows.recovery.challenge == Challenge::Code);
    assert!(
        !flows.verification.enabled
            && !flows.verification.notify_unknown_recipients
            && flows.verification.challenge == Challenge::Code
    );
    assert!(!flows.logout.clear_browser_data);
    assert!(c.selfservice.allowed_return_urls.is_empty());
}

#[test]
fn methods() {
    let c = config(json!({}));
    let used = ["profile", "password", "code"];
    for id in ["profile", "password", "code", "link", "totp", "lookup_secret", "webauthn", "passkey", "oidc", "nonsense"] {
        assert_eq!(c.method_enabled(id), used.contains(&id), "{id}");
    }
    let m = &c.selfservice.methods;
    let p = &m.password.config;
    assert_eq!((p.min_password_length, p.max_breaches), (8, 0));
    assert!(
        p.haveibeenpwned_enabled && p.ignore_network_errors && p.identifier_similarity_check_enabled && !p.migrate_hook.enabled
    );
    assert_eq!(p.haveibeenpwned_host, "api.pwnedpasswords.com");
    assert_eq!((p.migrate_hook.config.method.as_str(), p.migrate_hook.config.emit_analytics_event), ("POST", true));
    assert_eq!((m.code.config.lifespan, m.code.config.max_submissions), (HOUR, 5));
    assert!(!m.code.passwordless_enabled && !m.code.mfa_enabled && !m.code.config.missing_credential_fallback_enabled);
    assert_eq!(m.link.config.lifespan, HOUR);
    assert_eq!(m.totp.config.issuer, None);
    assert!(!m.webauthn.config.passwordless);
    let select = &m.passkey.config.authenticator_selection;
    assert_eq!(
        (select.resident_key.as_str(), select.user_verification.as_str(), &select.attachment),
        ("required", "preferred", &None)
    );
    assert_eq!(m.passkey.config.attestation.preference, "none");
    assert_eq!(m.passkey.config.timeouts.registration, None);
}

#[test]
fn serving_and_sessions() {
    let c = config(json!({}));
    for (listener, port) in [(&c.serve.public, 4433), (&c.serve.admin, 4434)] {
        assert_eq!((listener.host.as_str(), listener.port, listener.socket.mode), ("0.0.0.0", port, 0o755));
        assert!(!listener.request_log.disable_for_health && listener.tls.pair().is_none());
    }
    let cors = &c.serve.public.cors;
    assert!(!cors.enabled && cors.allow_credentials && !cors.options_passthrough && !cors.debug);
    assert_eq!((cors.allowed_origins.as_slice(), cors.max_age), (["*".to_owned()].as_slice(), 0));
    assert_eq!(cors.allowed_methods, ["POST", "GET", "PUT", "PATCH", "DELETE"]);
    assert_eq!(
        cors.allowed_headers,
        ["Authorization", "Content-Type", "Max-Age", "X-Session-Token", "X-XSRF-TOKEN", "X-CSRF-TOKEN"]
    );
    assert_eq!(cors.exposed_headers, ["Content-Type"]);
    assert_eq!((c.session.lifespan, c.session.earliest_possible_extend), (24 * HOUR, None));
    assert_eq!(c.session.whoami.required_aal, RequiredAal::HighestAvailable);
    assert_eq!(c.session.cookie.name, "ory_kratos_session");
    assert!(c.session.cookie.persistent);
    assert_eq!((c.cookies.path.as_str(), c.cookies.same_site, c.cookies.secure), ("/", SameSite::Lax, None));
}

#[test]
fn the_rest() {
    let c = config(json!({}));
    assert!(!c.dev && !c.watch_courier && c.expose_metrics_port == 0);
    assert_eq!(c.identity.default_schema_id, "default");
    assert!(!c.identity.schemas[0].selfservice_selectable);
    let h = &c.hashers;
    assert_eq!((h.algorithm, h.bcrypt.cost), (HashAlgorithm::Bcrypt, 12));
    assert_eq!((h.argon2.memory, h.argon2.dedicated_memory), (128 << 20, 1 << 30));
    assert_eq!((h.argon2.iterations, h.argon2.salt_length, h.argon2.key_length, h.argon2.parallelism), (1, 16, 32, None));
    assert_eq!(h.argon2.expected_duration, Duration::from_millis(500));
    assert_eq!(h.argon2.expected_deviation, Duration::from_millis(500));
    assert!(h.argon2.lanes() >= 2);
    assert_eq!(c.ciphers.algorithm, CipherAlgorithm::Noop);
    let k = &c.courier;
    assert_eq!((k.message_retries, k.worker.pull_count, k.worker.pull_wait), (5, 10, Duration::from_secs(1)));
    assert_eq!((k.delivery_strategy, &k.smtp.connection_uri), (DeliveryStrategy::Smtp, &None));
    assert_eq!((k.smtp.from_address.as_str(), k.smtp.local_name.as_str()), ("no-reply@ory.kratos.sh", "localhost"));
    assert_eq!((k.http.request_config.method.as_str(), &k.http.request_config.body), ("POST", &None));
    assert_eq!(c.log.level, LogLevel::Info);
    assert!(!c.security.account_enumeration.mitigate && !c.security.disallow_ref_in_identity_schemas);
    assert!(!c.security.refuse_copied_keys);
    assert_eq!((c.security.guess_limit.max_tries, c.security.guess_limit.window), (10, 5 * MINUTE));
    assert!(!c.clients.http.disallow_private_ip_ranges && !c.clients.smtp.disallow_private_ip_ranges);
    assert_eq!((c.clients.http.private_ip_exception_urls.len(), c.clients.web_hook.header_allowlist.len()), (0, 17));
    let f = &c.feature_flags;
    assert!(!f.cacheable_sessions && !f.use_continue_with_transitions && !f.choose_recovery_address && !f.faster_session_extend);
    assert_eq!((f.cacheable_sessions_max_age, f.password_profile_registration_node_group.as_str()), (None, "default"));
    assert_eq!((&c.oauth2_provider.url, c.oauth2_provider.override_return_to), (&None, false));
    let d = &c.database.cleanup;
    assert_eq!((d.batch_size, d.sleep.tables, d.older_than), (100, MINUTE, Duration::ZERO));
    assert_eq!(c.revision, c.fingerprint);
    assert_eq!(c.fingerprint.len(), 64);
}
