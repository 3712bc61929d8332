//! Which of several credentials of a request counts, for how long, and what is shown of its session.

use bytes::Bytes;
use portcullis::http::ports::Port;
use serde_json::json;

use crate::support::{Admin, Answer, Native, Person, Spa, TestApp};

const WHOAMI: &str = "/sessions/whoami";

async fn ask(app: &TestApp, headers: &[(&str, String)]) -> Answer {
    let mut request = http::Request::get(WHOAMI).header("host", "127.0.0.1:4433");
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    app.send(Port::Public, request.body(Bytes::new()).unwrap()).await
}

#[tokio::test]
async fn the_header_comes_first_then_a_readable_cookie_then_the_bearer() {
    let app = TestApp::new().await;
    let mut tokens = Vec::new();
    for name in ["ada", "grace"] {
        let mut native = Native::new(&app);
        native.sign_up(&Person::named(name)).await;
        tokens.push(native.token.unwrap());
    }
    let mut spa = Spa::new(&app);
    spa.sign_up(&Person::named("katherine")).await;
    let cookie = format!("ory_kratos_session={}", spa.cookie("ory_kratos_session").unwrap());
    let (ada, grace) = (tokens[0].clone(), tokens[1].clone());
    let bearer = |token: &str| format!("Bearer {token}");
    for (headers, expected) in [
        (vec![("x-session-token", ada.clone())], Some("ada")),
        (vec![("authorization", bearer(&ada))], Some("ada")),
        (vec![("authorization", format!("bEaReR {ada}"))], Some("ada")),
        (vec![("cookie", cookie.clone())], Some("katherine")),
        (vec![("authorization", bearer(&ada)), ("x-session-token", grace.clone())], Some("grace")),
        (vec![("authorization", bearer(&ada)), ("cookie", cookie.clone())], Some("katherine")),
        (vec![("x-session-token", ada.clone()), ("cookie", cookie.clone())], Some("ada")),
        (vec![("authorization", bearer(&ada)), ("cookie", "ory_kratos_session=rubbish".to_owned())], Some("ada")),
        (vec![("x-session-token", "ory_st_unknown".to_owned()), ("cookie", cookie.clone())], None),
        (vec![("x-session-cookie", ada.clone())], None),
        (vec![("authorization", format!("Basic {ada}"))], None),
        (vec![("authorization", ada.clone())], None),
        (vec![], None),
    ] {
        let answer = ask(&app, &headers).await;
        let email = answer.json()["identity"]["traits"]["email"].as_str().map(str::to_owned);
        assert_eq!(email, expected.map(|name| format!("{name}@example.org")), "{headers:?}");
        if expected.is_none() {
            assert_eq!((answer.status, answer.error_id()), (401, None), "{headers:?}");
        }
    }
}

#[tokio::test]
async fn a_session_ends_at_its_time_and_with_its_identity() {
    let app = TestApp::new().await;
    let ada = Person::named("ada");
    let mut native = Native::new(&app);
    let id = native.sign_up(&ada).await.json()["identity"]["id"].as_str().unwrap().to_owned();
    let admin = Admin::new(&app);
    let state = |state: &str| json!([{ "op": "replace", "path": "/state", "value": state }]);
    for (patch, status) in [(state("inactive"), 401), (state("active"), 200)] {
        assert_eq!(admin.send("PATCH", &format!("/admin/identities/{id}"), &patch).await.status, 200);
        assert_eq!(native.get(WHOAMI).await.status, status, "a disabled account hides its sessions without ending them");
    }
    app.wait(24 * 3600 - 1);
    assert_eq!(native.get(WHOAMI).await.status, 200);
    app.wait(1);
    assert_eq!(native.get(WHOAMI).await.status, 401);
    native.sign_in(&ada).await;
    assert_eq!(admin.send("DELETE", &format!("/admin/identities/{id}"), &json!({})).await.status, 204);
    assert_eq!(native.get(WHOAMI).await.status, 401);
}

#[tokio::test]
async fn what_is_shown_holds_no_secret() {
    let app = TestApp::new().await;
    let mut spa = Spa::new(&app);
    let id = spa.sign_up(&Person::named("ada")).await.json()["identity"]["id"].as_str().unwrap().to_owned();
    let patch = json!([
        { "op": "add", "path": "/metadata_admin", "value": { "note": "for-operators" } },
        { "op": "add", "path": "/metadata_public", "value": { "plan": "gold" } },
    ]);
    assert_eq!(Admin::new(&app).send("PATCH", &format!("/admin/identities/{id}"), &patch).await.status, 200);
    let answer = spa.get(WHOAMI).await;
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert!(text.contains("gold"));
    for hidden in ["for-operators", "metadata_admin", "credentials", "ory_st_", "$2a$", "$2b$"] {
        assert!(!text.contains(hidden), "{hidden} in {text}");
    }
    assert_eq!(answer.header("x-kratos-authenticated-identity-id"), Some(id));
}

#[tokio::test]
async fn a_device_is_noted_once() {
    let app = TestApp::new().await;
    let ada = Person::named("ada");
    let mut spa = Spa::new(&app);
    spa.sign_up(&ada).await;
    spa.refresh(&ada).await;
    let devices = spa.get(WHOAMI).await.json()["devices"].clone();
    assert_eq!(devices.as_array().unwrap().len(), 1);
    assert_eq!(devices[0]["ip_address"], "127.0.0.1", "without a port");
}
