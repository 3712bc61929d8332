//! The anti-CSRF cookie: who gets it, who keeps it, who must not see it.

use serde_json::json;

use crate::support::{Native, Person, Spa, TestApp};

/// SHA-256 of `http://127.0.0.1:4433/`.
fn name(answer_cookie: &str) -> &str {
    answer_cookie.split('=').next().unwrap_or_default()
}

#[tokio::test]
async fn a_guarded_path_gives_a_browser_the_cookie_once() {
    let app = TestApp::new().await;
    let mut spa = Spa::new(&app);
    let first = spa.get("/self-service/login/browser").await;
    let cookie = first.cookie("csrf_token_").expect("a cookie");
    assert_eq!(name(&cookie).len(), "csrf_token_".len() + 64);
    for part in ["; Max-Age=31536000", "; Path=/", "; HttpOnly", "; SameSite=Lax"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains("Secure"));
    let second = spa.get("/self-service/registration/browser").await;
    assert_eq!(second.cookies(), [""; 0], "a good cookie is kept");
    assert_ne!(first.field("csrf_token"), second.field("csrf_token"));
}

#[tokio::test]
async fn a_bad_cookie_is_replaced() {
    let app = TestApp::new().await;
    let mut spa = Spa::new(&app);
    let cookie = spa.get("/self-service/login/browser").await.cookie("csrf_token_").expect("a cookie");
    spa.set_cookie(name(&cookie), "rubbish");
    spa.get("/self-service/login/browser").await;
    assert!(spa.cookie("csrf_token_").is_some_and(|value| value != "rubbish"));
}

#[tokio::test]
async fn unguarded_paths_and_native_clients_get_none() {
    let app = TestApp::new().await;
    let mut native = Native::new(&app);
    for path in ["/self-service/login/api", "/sessions/whoami", "/health/alive", "/schemas/default", "/identities", "/nope"] {
        assert_eq!(native.get(path).await.cookies(), [""; 0], "{path}");
    }
    native.token = Some("ory_st_none".to_owned());
    assert_eq!(native.get("/self-service/settings/flows?id=x").await.cookies(), [""; 0]);
    let submit = native.post("/self-service/login?flow=x", &json!({})).await;
    assert_eq!(submit.cookies(), [""; 0]);
}

#[tokio::test]
async fn the_name_depends_on_the_base_url_as_written() {
    let mut names = Vec::new();
    for base in ["https://id.example.org/auth/", "https://id.example.org/auth"] {
        let app = TestApp::with(
            json!({ "serve": { "public": { "base_url": base } }, "cookies": { "secure": true, "same_site": "None" } }),
        )
        .await;
        let cookie = Spa::new(&app).get("/self-service/login/browser").await.cookie("csrf_token_").expect("a cookie");
        assert!(cookie.ends_with("; HttpOnly; Secure; SameSite=None"), "{cookie}");
        names.push(name(&cookie).to_owned());
    }
    assert_ne!(names[0], names[1]);
}

#[tokio::test]
async fn attributes_are_those_of_the_configuration() {
    let all = json!({ "domain": "example.org", "path": "/x", "same_site": "Strict", "secure": true });
    let own = json!({ "name": "portal", "domain": "id.example.org", "path": "/y", "same_site": "None", "secure": "true" });
    let lasting = "Max-Age=86400; ";
    for (change, csrf, session_name, session) in [
        (json!({}), "; Path=/; HttpOnly; SameSite=Lax", "ory_kratos_session", "; Path=/; HttpOnly; SameSite=Lax"),
        (
            json!({ "cookies": all }),
            "; Path=/x; Domain=example.org; HttpOnly; Secure; SameSite=Strict",
            "ory_kratos_session",
            "; Path=/x; Domain=example.org; HttpOnly; SameSite=Strict",
        ),
        (
            json!({ "cookies": all, "session": { "cookie": own } }),
            "; Path=/x; Domain=example.org; HttpOnly; Secure; SameSite=Strict",
            "portal",
            "; Path=/y; Domain=id.example.org; HttpOnly; Secure; SameSite=None",
        ),
        // Without Secure browsers would drop it.
        (
            json!({ "cookies": { "same_site": "None", "secure": "false" } }),
            "; Path=/; HttpOnly; SameSite=Lax",
            "ory_kratos_session",
            "; Path=/; HttpOnly; SameSite=Lax",
        ),
        (
            json!({ "dev": false, "hashers": { "algorithm": "argon2", "argon2": { "memory": "1MB", "iterations": 1 } } }),
            "; Path=/; HttpOnly; Secure; SameSite=Lax",
            "ory_kratos_session",
            "; Path=/; HttpOnly; Secure; SameSite=Lax",
        ),
    ] {
        let app = TestApp::with(change.clone()).await;
        let mut spa = Spa::new(&app);
        let begun = spa.get("/self-service/registration/browser").await;
        let given = begun.cookie("csrf_token_").unwrap();
        assert!(given.ends_with(&format!("; Max-Age=31536000{csrf}")), "{change}: {given}");
        let signed_up = spa.sign_up(&Person::named("ada")).await;
        let given = signed_up.cookie(session_name).unwrap();
        assert!(given.ends_with(&format!("; {lasting}{}", &session[2..])), "{change}: {given}");
        // It goes as it came, or browsers would keep it.
        let gone = spa.sign_out().await.cookie(session_name).unwrap();
        assert!(gone.starts_with(&format!("{session_name}=; Max-Age=0; ")) && gone.ends_with(session), "{change}: {gone}");
    }
    let app = TestApp::with(json!({ "session": { "cookie": { "persistent": false } } })).await;
    let given = Spa::new(&app).sign_up(&Person::named("ada")).await.cookie("ory_kratos_session").unwrap();
    assert!(!given.contains("Max-Age") && !given.contains("Expires"), "{given}");
}
