//! Answers that several keys give together.

use portcullis_model::flow::FlowKind;
use serde_json::json;

use super::super::cookies::SameSite;
use super::super::flows::RegistrationStyle;
use super::config;

#[test]
fn hooks_and_return_addresses_fall_back_from_method_to_flow_to_all() {
    let c = config(json!({"selfservice": {"flows": {"login": {
        "before": {"hooks": [{"hook": "web_hook", "config": {"url": "https://h/b", "method": "GET"}}]},
        "after": {
            "default_browser_return_url": "https://login",
            "hooks": [{"hook": "revoke_active_sessions"}],
            "password": {"default_browser_return_url": "https://password", "hooks": [{"hook": "require_verified_address"}]},
            "totp": {"hooks": []},
        },
    }, "logout": {"after": {"default_browser_return_url": "/bye"}}}}}));
    let names = |method| c.after_hooks(FlowKind::Login, method).iter().map(|h| h.name.as_str()).collect::<Vec<_>>();
    assert_eq!(names(Some("password")), ["require_verified_address"]);
    assert_eq!(names(Some("totp")), ["revoke_active_sessions"]);
    assert_eq!(names(Some("oidc")), ["revoke_active_sessions"]);
    assert_eq!(names(None), ["revoke_active_sessions"]);
    assert_eq!(c.before_hooks(FlowKind::Login)[0].config, json!({"url": "https://h/b", "method": "GET"}));
    assert!(c.after_hooks(FlowKind::Settings, Some("password")).is_empty());
    assert_eq!(c.return_url(FlowKind::Login, Some("password")), "https://password");
    assert_eq!(c.return_url(FlowKind::Login, Some("totp")), "https://login");
    assert_eq!(c.return_url(FlowKind::Registration, Some("password")), "https://www.example.org/");
    assert_eq!(c.logout_return_url(), "/bye");
}

#[test]
fn cookies() {
    let c = config(json!({}));
    let s = c.session_cookie();
    assert_eq!(
        (s.name.as_str(), s.path.as_str(), s.domain, s.same_site, s.secure, s.persistent),
        ("ory_kratos_session", "/", None, SameSite::Lax, true, true)
    );
    assert!(c.csrf_cookie().secure);

    let c = config(json!({"dev": true, "cookies": {"same_site": "None", "domain": "example.org", "path": "/a"}}));
    let (s, x) = (c.session_cookie(), c.csrf_cookie());
    assert_eq!((s.same_site, s.secure, s.domain.as_deref(), s.path.as_str()), (SameSite::None, false, Some("example.org"), "/a"));
    assert_eq!((x.same_site, x.secure, x.domain.as_deref()), (SameSite::Lax, false, Some("example.org")));

    let c = config(json!({
        "cookies": {"same_site": "Strict", "domain": "example.org", "secure": "false"},
        "session": {"cookie": {"same_site": "None", "domain": "auth.example.org", "path": "/b", "name": "s", "persistent": false, "secure": true}},
    }));
    let (s, x, k) = (c.session_cookie(), c.csrf_cookie(), c.continuity_cookie());
    assert_eq!((s.name.as_str(), s.path.as_str(), s.domain.as_deref()), ("s", "/b", Some("auth.example.org")));
    assert_eq!((s.same_site, s.secure, s.persistent), (SameSite::None, true, false));
    assert_eq!((x.same_site, x.secure), (SameSite::Lax, false));
    assert_eq!((k.name.as_str(), k.same_site, k.secure), ("ory_kratos_continuity", SameSite::Lax, false));
}

#[test]
fn the_csrf_cookie_is_named_after_the_base_url_letter_by_letter() {
    let name = |url: &str| config(json!({"serve": {"public": {"base_url": url}}})).csrf_cookie().name;
    // printf %s http://127.0.0.1:4433/ | sha256sum
    assert_eq!(name("http://127.0.0.1:4433/"), "csrf_token_806060ca5bf70dff3caa0e5c860002aade9d470a5a4dce73bcfa7ba10778f481");
    assert_ne!(name("http://127.0.0.1:4433"), name("http://127.0.0.1:4433/"));
}

#[test]
fn base_urls_are_worked_out_from_host_and_port() {
    let url = |over| config(over).public_base_url().to_string();
    assert_eq!(url(json!({"serve": {"public": {"host": "127.0.0.1", "port": 5000}}})), "https://127.0.0.1:5000/");
    assert_eq!(url(json!({"dev": true, "serve": {"public": {"host": "127.0.0.1"}}})), "http://127.0.0.1:4433/");
    assert_eq!(url(json!({"dev": true, "serve": {"public": {"host": "::1"}}})), "http://[::1]:4433/");
    assert_eq!(url(json!({"dev": true, "serve": {"public": {"host": "unix:/run/p.sock"}}})), "http://localhost:4433/");
    let tls = json!({"cert": {"path": "/c"}, "key": {"base64": "a2V5"}});
    assert_eq!(
        url(json!({"dev": true, "serve": {"public": {"host": "a.example.org", "tls": tls}}})),
        "https://a.example.org:4433/"
    );
    assert!(url(json!({"dev": true})).ends_with(":4433/"));
    let c = config(json!({"serve": {"public": {"base_url": "https://a.example.org/auth/"}, "admin": {"host": "10.0.0.1"}}}));
    assert_eq!(
        c.public_url("/self-service/login/browser?aal=aal2").as_str(),
        "https://a.example.org/auth/self-service/login/browser?aal=aal2"
    );
    assert_eq!(c.admin_url("/admin/identities").as_str(), "https://10.0.0.1:4434/admin/identities");
}

#[test]
fn old_and_dependent_keys() {
    let c = config(json!({"selfservice": {
        "flows": {"registration": {"enable_legacy_one_step": true, "style": "profile_first"}},
        "methods": {"code": {"enabled": false, "passwordless_enabled": true}},
    }, "hashers": {"bcrypt": {"cost": 4}}}));
    assert_eq!(c.selfservice.flows.registration.style(), RegistrationStyle::Unified);
    assert!(c.method_enabled("code"), "signing in by code needs codes");
    assert_eq!(c.bcrypt_cost(), 12);
    assert_eq!(config(json!({"dev": true, "hashers": {"bcrypt": {"cost": 4}}})).bcrypt_cost(), 4);
    let keys = config(json!({"secrets": {"cookie": [], "default": ["the-one-for-everything"]}})).secrets;
    assert_eq!(
        (keys.cookie_keys()[0].expose(), keys.pagination_keys()[0].expose()),
        ("the-one-for-everything", "the-one-for-everything")
    );
}

#[test]
fn typed_details_survive() {
    let c = config(json!({
        "selfservice": {"methods": {
            "oidc": {"enabled": true, "config": {"providers": [{
                "id": "g", "provider": "google", "client_id": "c", "client_secret": "s", "mapper_url": "base64://e30=",
                "requested_claims": {"id_token": {"email": {"essential": true}, "name": null}}, "account_linking_mode": "automatic",
            }]}},
            "webauthn": {"enabled": true, "config": {"passwordless": true, "rp": {"id": "example.org", "display_name": "E", "origin": "https://example.org"}}},
            "passkey": {"enabled": true, "config": {"rp": {"id": "example.org", "display_name": "E"}, "timeouts": {"login": "2m"}}},
            "password": {"config": {"migrate_hook": {"enabled": true, "config": {"url": "https://m", "auth": {"type": "api_key", "config": {"name": "X", "value": "v", "in": "cookie"}}}}}},
        }},
        "session": {"whoami": {"tokenizer": {"templates": {"jwt": {"jwks_url": "file:///k"}}}}},
        "courier": {
            "channels": [{"id": "sms", "type": "http", "request_config": {"url": "https://sms"}}],
            "templates": {
                "recovery_code": {"valid": {"email": {"subject": "file:///s"}}, "invalid": {"email": {"body": {"html": "file:///h"}}}},
                "verifiable_address_changed": {"sms": {"body": {"plaintext": "file:///t"}}},
            },
        },
    }));
    let m = &c.selfservice.methods;
    let g = m.oidc.config.provider("g").expect("the provider");
    assert_eq!(g.requested_claims.get("id_token"), Some(&json!({"email": {"essential": true}, "name": null})));
    assert_eq!((g.client_secret.expose(), g.subject_source.as_str()), ("s", "userinfo"));
    assert_eq!(m.webauthn.config.rp.as_ref().expect("rp").origins(), ["https://example.org"]);
    assert!(m.passkey.config.rp.as_ref().expect("rp").origins().is_empty());
    assert_eq!(m.passkey.config.timeouts.login.map(|t| t.as_secs()), Some(120));
    assert!(m.password.config.migrate_hook.config.auth.is_some());
    assert_eq!(c.session.whoami.tokenizer.templates["jwt"].ttl.as_secs(), 60);
    assert_eq!(c.courier.channels[0].request_config.method, "POST");
    let recovery = &c.courier.templates["recovery_code"];
    assert_eq!(recovery.choose(true).email.as_ref().and_then(|e| e.subject.as_deref()), Some("file:///s"));
    assert_eq!(recovery.choose(false).email.as_ref().and_then(|e| e.body.html.as_deref()), Some("file:///h"));
    let changed = &c.courier.templates["verifiable_address_changed"];
    assert_eq!(changed.choose(true).sms.as_ref().and_then(|s| s.body.plaintext.as_deref()), Some("file:///t"));
}

#[test]
fn the_fingerprint_follows_every_effective_change_and_nothing_else() {
    let print = |over| config(over).fingerprint;
    let plain = print(json!({}));
    assert_eq!(plain, print(json!({})));
    assert_eq!(plain, print(json!({"session": {"lifespan": "24h"}})), "a default that is spelt out");
    assert_ne!(plain, print(json!({"session": {"lifespan": "25h"}})));
    assert_ne!(plain, print(json!({"secrets": {"cookie": ["another-secret-for-the-tests"]}})));
    assert_ne!(plain, print(json!({"organizations": [1]})));
    let c = config(json!({"revision": "r7"}));
    assert_eq!(c.revision, "r7");
    assert_ne!(c.fingerprint, plain);
}
