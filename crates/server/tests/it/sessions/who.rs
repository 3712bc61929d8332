//! Who is signed in.

use std::time::Duration;

use portcullis::http::ports::Port;
use serde_json::json;

use super::{sign_in, whoami};
use crate::admin::person;
use crate::support::{Admin, Spa, TestApp};

const PATH: &str = "/sessions/whoami";

#[tokio::test]
async fn whoami_names_the_session() {
    let app = TestApp::new().await;
    let admin = Admin::new(&app);
    let id = person(&admin, "a@example.org").await;
    let (token, session) = sign_in(&app, "a@example.org").await;
    let answer = whoami(&app, &token).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("x-kratos-authenticated-identity-id").as_deref(), Some(id.as_str()));
    assert_eq!(answer.header("content-type").as_deref(), Some("application/json; charset=utf-8"));
    let body = answer.json();
    assert_eq!((body["id"].as_str(), body["active"].as_bool()), (Some(session.as_str()), Some(true)));
    assert_eq!(body["authenticator_assurance_level"], "aal1");
    assert!(body["identity"].get("metadata_admin").is_none() && body["identity"].get("credentials").is_none());
    let lower = app.ask(Port::Public, "GET", PATH, &[("authorization", &format!("bearer {token}"))]).await;
    assert_eq!(lower.status, 200);
    for header in [format!("Token {token}"), token.clone()] {
        assert_eq!(app.ask(Port::Public, "GET", PATH, &[("authorization", &header)]).await.status, 401);
    }
}

#[tokio::test]
async fn nobody_is_told_without_an_id() {
    let app = TestApp::new().await;
    for headers in [&[][..], &[("x-session-token", "ory_st_unknown")], &[("cookie", "ory_kratos_session=garbage")]] {
        let answer = app.ask(Port::Public, "GET", PATH, headers).await;
        assert_eq!((answer.status, answer.error_id()), (401, None), "{headers:?}");
    }
}

#[tokio::test]
async fn a_disabled_identity_has_no_sessions_while_that_lasts() {
    let app = TestApp::new().await;
    let admin = Admin::new(&app);
    let id = person(&admin, "a@example.org").await;
    let (token, _) = sign_in(&app, "a@example.org").await;
    for (state, status) in [("inactive", 401), ("active", 200)] {
        let patch = json!([{ "op": "replace", "path": "/state", "value": state }]);
        assert_eq!(admin.send("PATCH", &format!("/identities/{id}"), &patch).await.status, 200);
        assert_eq!(whoami(&app, &token).await.status, status, "{state}");
    }
}

#[tokio::test]
async fn how_long_it_may_be_remembered() {
    let flags = json!({ "cacheable_sessions": true, "cacheable_sessions_max_age": "5m" });
    let app = TestApp::with(json!({ "feature_flags": flags, "session": { "lifespan": "1h" } })).await;
    let admin = Admin::new(&app);
    person(&admin, "a@example.org").await;
    let (token, _) = sign_in(&app, "a@example.org").await;
    let age = |answer: &crate::support::Answer| answer.header("ory-session-cache-for");
    assert_eq!(age(&whoami(&app, &token).await).as_deref(), Some("300"));
    app.clock.advance(Duration::from_secs(3500));
    assert_eq!(age(&whoami(&app, &token).await).as_deref(), Some("100"));
    assert_eq!(age(&app.ask(Port::Public, "GET", PATH, &[]).await).as_deref(), Some("60"));
    for bad in [("x-session-token", "x"), ("authorization", "Bearer x"), ("cookie", "ory_kratos_session=x")] {
        assert_eq!(age(&app.ask(Port::Public, "GET", PATH, &[bad]).await), None, "{bad:?}");
    }
}

#[tokio::test]
async fn the_cookie_is_renewed_only_when_the_session_lasts_longer_than_it() {
    let app = TestApp::with(json!({ "session": { "lifespan": "1h" } })).await;
    let admin = Admin::new(&app);
    person(&admin, "a@example.org").await;
    let mut browser = Spa::new(&app);
    let flow = browser.get("/self-service/login/browser").await;
    let token = flow.field("csrf_token").unwrap();
    let body =
        json!({ "method": "password", "identifier": "a@example.org", "password": "a-secret-of-mine", "csrf_token": token });
    let signed_in = browser.post(&flow.action(), &body).await;
    assert_eq!(signed_in.status, 200, "{signed_in:?}");
    let fresh = browser.get(PATH).await;
    assert_eq!((fresh.status, fresh.cookie("ory_kratos_session")), (200, None));
    app.clock.advance(Duration::from_secs(60));
    assert_eq!(browser.get(PATH).await.cookie("ory_kratos_session"), None);
    let session = fresh.json()["id"].as_str().unwrap().to_owned();
    let extended = admin.send("PATCH", &format!("/admin/sessions/{session}/extend"), &json!(null)).await;
    assert_eq!(extended.status, 200);
    assert!(browser.get(PATH).await.cookie("ory_kratos_session").is_some());
    assert_eq!(browser.get(PATH).await.cookie("ory_kratos_session"), None);
}

#[tokio::test]
async fn an_unknown_template_makes_no_token() {
    let app = TestApp::new().await;
    let admin = Admin::new(&app);
    person(&admin, "a@example.org").await;
    let (token, _) = sign_in(&app, "a@example.org").await;
    let header = [("x-session-token", token.as_str())];
    for (path, status) in [("/sessions/whoami?tokenize_as=nope", 400), ("/sessions/whoami?tokenize_as=", 200)] {
        assert_eq!(app.ask(Port::Public, "GET", path, &header).await.status, status, "{path}");
    }
}
