//! Codes and links that administrators hand over.

use serde_json::{Value, json};

use super::recovery::{app_with, person};
use crate::support::{Admin, Answer, Browser, Native, Spa, TestApp, UI};

async fn app() -> TestApp {
    app_with(json!({ "selfservice": { "methods": { "link": { "enabled": true } } } })).await
}

async fn id_of(app: &TestApp, email: &str) -> String {
    let list = Admin::new(app).get(&format!("/admin/identities?credentials_identifier={email}")).await.json();
    list[0]["id"].as_str().unwrap().to_owned()
}

async fn ask(app: &TestApp, path: &str, body: Value) -> Answer {
    Admin::new(app).send("POST", path, &body).await
}

fn flow_of(made: &Answer) -> String {
    let link = made.json()["recovery_link"].as_str().unwrap().to_owned();
    link.split("flow=").nth(1).unwrap().split('&').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_code_is_good_in_any_browser_and_verifies_nothing() {
    let app = app().await;
    let ada = person(&app, "ada").await;
    let id = id_of(&app, &ada.email).await;
    for path in ["/admin/recovery/code", "/recovery/code"] {
        let made = ask(&app, path, json!({ "identity_id": id })).await;
        assert_eq!(made.status, 201, "{made:?}");
        let code = made.json()["recovery_code"].as_str().unwrap().to_owned();
        assert!(code.len() == 6 && code.bytes().all(|b| b.is_ascii_digit()));
        let mut browser = Browser::new(&app);
        let shown = browser.flow("recovery", &flow_of(&made)).await;
        assert_eq!((shown.status, shown.nodes()), (200, vec!["code".to_owned(), "method".to_owned()]));
        let done = browser.post(&shown.action(), &[("method", "code"), ("code", &code)]).await;
        assert!(done.location().starts_with(&format!("{UI}/settings?flow=")), "{done:?}");
        let session = browser.script().get("/sessions/whoami").await.json();
        assert_eq!(session["identity"]["verifiable_addresses"][0]["verified"], false);
    }
    assert!(app.mails().await.is_empty());
}

#[tokio::test]
async fn an_app_may_be_meant() {
    let mut change = json!({ "feature_flags": { "use_continue_with_transitions": true } });
    change["selfservice"]["flows"]["recovery"]["enabled"] = json!(false);
    let app = app_with(change).await;
    let ada = person(&app, "ada").await;
    let made =
        ask(&app, "/admin/recovery/code", json!({ "identity_id": id_of(&app, &ada.email).await, "flow_type": "api" })).await;
    let mut native = Native::new(&app);
    let shown = native.flow("recovery", &flow_of(&made)).await;
    assert_eq!((shown.status, shown.json()["type"].clone()), (200, json!("api")), "although nobody may begin recovery");
    let mail = native.post(&shown.action(), &json!({ "method": "code", "email": ada.email })).await;
    assert_eq!(mail.status, 400, "it sends nothing where recovery is off");
    assert!(app.mails().await.is_empty());
    let passed = ask(&app, "/admin/recovery/code", json!({ "identity_id": id_of(&app, &ada.email).await })).await;
    let spent = native.flow("recovery", &flow_of(&passed)).await.action();
    for status in [200, 200, 200, 200, 200, 410] {
        assert_eq!(native.post(&spent, &json!({ "method": "code", "code": "nope" })).await.status, status);
    }
    let code = made.json()["recovery_code"].clone();
    let done = native.post(&shown.action(), &json!({ "method": "code", "code": code })).await;
    native.token = done.json()["continue_with"][0]["ory_session_token"].as_str().map(str::to_owned);
    assert_eq!(native.get("/sessions/whoami").await.status, 200, "{done:?}");
}

#[tokio::test]
async fn a_link_works_once_and_leads_where_it_says() {
    let app = app().await;
    let ada = person(&app, "ada").await;
    let body = json!({ "identity_id": id_of(&app, &ada.email).await, "expires_in": "12h" });
    let made = ask(&app, &format!("/admin/recovery/link?return_to={UI}/back"), body.clone()).await;
    assert_eq!(made.status, 200, "{made:?}");
    let link = made.json()["recovery_link"].as_str().unwrap().to_owned();
    app.wait(11 * 3600);
    let mut browser = Browser::new(&app);
    let landed = browser.get(&link).await;
    let settings = browser.flow("settings", &landed.parameter("flow").unwrap()).await;
    assert_eq!(settings.json()["return_to"], format!("{UI}/back"));
    let again = Browser::new(&app).get(&link).await;
    assert!(again.location().starts_with(&format!("{UI}/recovery?flow=")), "{again:?}");
    let evil = ask(&app, "/admin/recovery/link?return_to=https://evil.example", body).await;
    assert_eq!((evil.status, evil.error_id().as_deref()), (400, Some("self_service_flow_return_to_forbidden")));
}

#[tokio::test]
async fn faults_are_told_by_status() {
    let app = app().await;
    let ada = person(&app, "ada").await;
    let id = id_of(&app, &ada.email).await;
    let unknown = "6a2b0c1e-2222-4333-8444-555566667777";
    for (body, code, link) in [
        (json!({ "identity_id": unknown }), 404, 400),
        (json!({}), 404, 400),
        (json!({ "identity_id": "nope" }), 400, 400),
        (json!({ "identity_id": id, "expires_in": "soon" }), 400, 400),
        (json!({ "identity_id": id, "expires_in": "-1h" }), 400, 400),
        (json!({ "identity_id": id, "expires_in": "0s" }), 400, 400),
        (json!([]), 400, 400),
    ] {
        assert_eq!(ask(&app, "/admin/recovery/code", body.clone()).await.status, code, "{body}");
        assert_eq!(ask(&app, "/admin/recovery/link", body.clone()).await.status, link, "{body}");
    }
    let fax = json!({ "identity_id": id, "flow_type": "fax" });
    assert_eq!(ask(&app, "/admin/recovery/code", fax).await.status, 400);
    for (method, path) in [("code", "/admin/recovery/code"), ("link", "/admin/recovery/link")] {
        let mut off = json!({ "selfservice": { "methods": { "link": { "enabled": true } } } });
        off["selfservice"]["methods"][method]["enabled"] = json!(false);
        let app = app_with(off).await;
        assert_eq!(ask(&app, path, json!({ "identity_id": unknown })).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn tries_are_limited_and_time_is() {
    let app = app().await;
    let ada = person(&app, "ada").await;
    let id = id_of(&app, &ada.email).await;
    let made = ask(&app, "/admin/recovery/code", json!({ "identity_id": id, "expires_in": "15m" })).await;
    let mut spa = Spa::new(&app);
    let action = spa.flow("recovery", &flow_of(&made)).await.action();
    for _ in 0..5 {
        assert_eq!(spa.post(&action, &json!({ "method": "code", "code": "nope" })).await.told(), [4_060_006]);
    }
    let right = json!({ "method": "code", "code": made.json()["recovery_code"] });
    assert_eq!(spa.post(&action, &right).await.status, 303, "on to a new flow");
    assert_eq!(spa.get("/sessions/whoami").await.status, 401);
    let made = ask(&app, "/admin/recovery/code", json!({ "identity_id": id, "expires_in": "15m" })).await;
    app.wait(900);
    assert_eq!(spa.flow("recovery", &flow_of(&made)).await.status, 410);
}
