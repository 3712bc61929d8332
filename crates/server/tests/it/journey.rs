//! A person's way through the product, once for each kind of client: sign up, be known, sign out, sign in again.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Admin, Answer, Browser, Native, Spa, TestApp};

const EMAIL: &str = "ada@example.org";
const PASSWORD: &str = "a long walk by the sea";

/// What a script or app sends to a password form.
fn credentials(form: &Answer, identifier: bool) -> Value {
    let mut body = json!({ "method": "password", "password": PASSWORD, "csrf_token": form.field("csrf_token") });
    if identifier {
        body["identifier"] = EMAIL.into();
    } else {
        body["traits"] = json!({ "email": EMAIL });
    }
    body
}

#[tokio::test]
async fn a_script_signs_up_out_and_in() {
    let app = TestApp::new().await;
    let mut spa = Spa::new(&app);
    let form = spa.get("/self-service/registration/browser").await;
    let token = spa.cookie("csrf_token_").map(str::to_owned);
    let done = spa.post(&form.action(), &credentials(&form, false)).await;
    assert_eq!((done.status, &done.json()["identity"]["traits"]["email"]), (200, &json!(EMAIL)), "{:?}", done.json());
    assert_ne!(spa.cookie("csrf_token_").map(str::to_owned), token, "the anti-CSRF secret changes with the session");
    assert_eq!(spa.get("/sessions/whoami").await.json()["identity"]["traits"]["email"], EMAIL);

    let out = spa.get("/self-service/logout/browser").await.json();
    assert_eq!(spa.get(out["logout_url"].as_str().unwrap()).await.status, 204);
    assert_eq!(spa.cookie("ory_kratos_session"), None);
    assert_eq!(spa.get("/sessions/whoami").await.status, 401);

    let form = spa.get("/self-service/login/browser").await;
    let wrong =
        json!({ "method": "password", "identifier": EMAIL, "password": "not it", "csrf_token": form.field("csrf_token") });
    assert_eq!(spa.post(&form.action(), &wrong).await.json()["ui"]["messages"][0]["id"], 4_000_006);
    assert_eq!(spa.post(&form.action(), &credentials(&form, true)).await.status, 200);
    assert_eq!(spa.get("/sessions/whoami").await.status, 200);
}

#[tokio::test]
async fn a_browser_signs_up_by_forms() {
    let app = TestApp::new().await;
    let mut browser = Browser::new(&app);
    let started = browser.get("/self-service/registration/browser").await;
    assert_eq!(started.status, 303);
    let flow = started.parameter("flow").unwrap();
    let form = browser.script().get(&format!("/self-service/registration/flows?id={flow}")).await;
    let csrf = form.field("csrf_token").unwrap();
    let fields =
        [("method", "password"), ("traits.email", EMAIL), ("password", PASSWORD), ("csrf_token", csrf.as_str().unwrap())];
    let done = browser.post(&form.action(), &fields).await;
    assert_eq!((done.status, done.location()), (303, "http://127.0.0.1:4455/"));
    assert_eq!(browser.script().get("/sessions/whoami").await.status, 200);
    let refused = browser.post(&form.action(), &fields[..3]).await;
    assert_eq!(refused.status, 302, "a page never sees JSON");
}

#[tokio::test]
async fn an_app_signs_up_and_its_session_ends_in_time() {
    let app = TestApp::new().await;
    let mut native = Native::new(&app);
    let form = native.get("/self-service/registration/api").await;
    let done = native.post(&form.action(), &credentials(&form, false)).await;
    assert_eq!(done.cookies(), [""; 0]);
    native.token = Some(done.json()["session_token"].as_str().unwrap().to_owned());
    assert_eq!(native.get("/sessions/whoami").await.status, 200);
    app.clock.advance(Duration::from_secs(23 * 3600));
    assert_eq!(native.get("/sessions/whoami").await.status, 200);
    app.clock.advance(Duration::from_secs(2 * 3600));
    assert_eq!(native.get("/sessions/whoami").await.status, 401);
}

#[tokio::test]
async fn a_cookie_that_we_did_not_make_is_no_session() {
    let app = TestApp::new().await;
    let mut spa = Spa::new(&app);
    for value in ["", "rubbish", "ory_st_00000000000000000000000000000000"] {
        spa.set_cookie("ory_kratos_session", value);
        assert_eq!(spa.get("/sessions/whoami").await.status, 401, "{value}");
    }
    let form = spa.get("/self-service/login/browser").await;
    let forged = json!({ "method": "password", "identifier": EMAIL, "password": PASSWORD, "csrf_token": "AAAA" });
    assert_eq!(spa.post(&form.action(), &forged).await.error_id().as_deref(), Some("security_csrf_violation"));
}

#[tokio::test]
async fn whom_an_operator_makes_can_sign_in_and_whom_they_disable_cannot() {
    let app = TestApp::new().await;
    let admin = Admin::new(&app);
    let made = json!({ "schema_id": "default", "traits": { "email": EMAIL }, "credentials": { "password": { "config": { "password": PASSWORD } } } });
    let identity = admin.send("POST", "/identities", &made).await;
    assert_eq!(identity.status, 201, "{:?}", identity.json());
    let mut spa = Spa::new(&app);
    let form = spa.get("/self-service/login/browser").await;
    assert_eq!(spa.post(&form.action(), &credentials(&form, true)).await.status, 200);
    let path = format!("/admin/identities/{}", identity.json()["id"].as_str().unwrap());
    let disable = json!([{ "op": "replace", "path": "/state", "value": "inactive" }]);
    assert_eq!(admin.send("PATCH", &path, &disable).await.status, 200);
    assert_eq!(spa.get("/sessions/whoami").await.status, 401);
}
