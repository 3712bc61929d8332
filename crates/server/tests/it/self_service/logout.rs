//! Signing out.

use serde_json::json;

use crate::support::{Browser, Native, Person, Spa, TestApp, UI};

#[tokio::test]
async fn the_token_stays_the_same_for_a_session_and_fits_no_other() {
    let app = TestApp::new().await;
    let ada = Person::named("ada");
    let mut spa = Spa::new(&app);
    spa.sign_up(&ada).await;
    let begin = "/self-service/logout/browser";
    let first = spa.get(begin).await.json();
    spa.refresh(&ada).await;
    assert_eq!(spa.get(begin).await.json(), first);
    let token = first["logout_token"].as_str().unwrap().to_owned();
    assert!(token.starts_with("ory_lo_") && token.len() == "ory_lo_".len() + 32, "{token}");
    let mut other = Spa::new(&app);
    other.sign_in(&ada).await;
    assert_ne!(other.get(begin).await.json(), first);
    for (who, query, status) in [
        (&mut spa, String::new(), 400),
        (&mut other, format!("?token={token}"), 403),
        (&mut Spa::new(&app), format!("?token={token}"), 401),
    ] {
        assert_eq!(who.get(&format!("/self-service/logout{query}")).await.status, status, "{query}");
    }
    assert_eq!(spa.get("/sessions/whoami").await.status, 200, "nothing has ended so far");
}

#[tokio::test]
async fn a_logout_ends_the_session_and_takes_the_cookie_away() {
    let app = TestApp::new().await;
    let ada = Person::named("ada");
    let mut spa = Spa::new(&app);
    spa.sign_up(&ada).await;
    let kept = spa.clone();
    let csrf = spa.cookie("csrf_token_").unwrap().to_owned();
    let answer = spa.sign_out().await;
    assert!(answer.cookie("ory_kratos_session=;").is_some());
    assert_ne!(spa.cookie("csrf_token_"), Some(csrf.as_str()));
    assert_eq!(spa.get("/sessions/whoami").await.status, 401);
    assert_eq!(kept.clone().get("/sessions/whoami").await.status, 401, "who kept the cookie is out as well");
}

#[tokio::test]
async fn a_page_goes_where_it_may() {
    for (configured, wish, expected) in [
        (None, "", Some("/")),
        (None, "/asked", Some("/asked")),
        (Some("/after"), "", Some("/after")),
        (Some("/after"), "/asked", Some("/asked")),
        (None, "https://evil.example/", None),
    ] {
        let after = configured.map_or(json!({}), |path| json!({ "default_browser_return_url": format!("{UI}{path}") }));
        let app = TestApp::with(json!({ "selfservice": { "flows": { "logout": { "after": after } } } })).await;
        let mut browser = Browser::new(&app);
        browser.sign_up(&Person::named("ada")).await;
        let token = browser.fetch("/self-service/logout/browser").await.json()["logout_token"].as_str().unwrap().to_owned();
        let wish = if wish.starts_with('/') { format!("{UI}{wish}") } else { wish.to_owned() };
        let answer = browser.get(&format!("/self-service/logout?token={token}&return_to={wish}")).await;
        match expected {
            Some(path) => assert_eq!((answer.status, answer.location()), (303, &*format!("{UI}{path}"))),
            None => {
                assert!(answer.location().starts_with(&format!("{UI}/error?id=")), "{answer:?}");
                assert_eq!(browser.fetch("/sessions/whoami").await.status, 200, "a refused address ends nothing");
            }
        }
    }
}

#[tokio::test]
async fn an_app_ends_its_session_by_its_token() {
    let app = TestApp::new().await;
    let mut native = Native::new(&app);
    native.sign_up(&Person::named("ada")).await;
    let path = "/self-service/logout/api";
    let token = native.token.clone().unwrap();
    for (body, status) in [
        (json!({}), 403),
        (json!({ "session_token": "" }), 403),
        (json!({ "session_token": "ory_st_unknown" }), 403),
        (json!({ "session_token": 5 }), 400),
        (json!([]), 400),
    ] {
        assert_eq!(native.delete(path, &body).await.status, status, "{body}");
    }
    assert_eq!(native.get("/sessions/whoami").await.status, 200);
    for _ in 0..2 {
        assert_eq!(native.delete(path, &json!({ "session_token": token })).await.status, 204, "also when it has ended");
    }
    assert_eq!(native.get("/sessions/whoami").await.status, 401);
}

#[tokio::test]
async fn without_a_session_there_is_nothing_to_end() {
    let app = TestApp::new().await;
    let answer = Spa::new(&app).get("/self-service/logout/browser").await;
    assert_eq!((answer.status, answer.error_id().as_deref()), (401, Some("session_inactive")));
    let page = Browser::new(&app).get("/self-service/logout/browser").await;
    assert!(page.location().starts_with(&format!("{UI}/error?id=")));
}
