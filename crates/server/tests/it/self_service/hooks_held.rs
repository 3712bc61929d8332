//! Hooks of a settings change that waits until its new address is proved: they follow the change, not the wish.

use portcullis_core::hook;
use serde_json::{Value, json};

use crate::support::{Admin, Manner, Person, Spa, Target, TestApp, UI};

const NEW: &str = "countess@example.org";

fn ada() -> Person {
    Person::named("ada")
}

async fn app(hooks: Value) -> TestApp {
    let verification = json!({ "enabled": true, "ui_url": format!("{UI}/verification") });
    let settings = json!({ "after": { "profile": { "hooks": hooks } } });
    TestApp::with(json!({ "selfservice": { "flows": { "verification": verification, "settings": settings } } })).await
}

/// Asks for another address; gives the path of the verification that it waits for.
async fn ask(spa: &mut Spa<'_>) -> String {
    let form = spa.open("settings").await;
    let fields = json!({ "method": "profile", "traits": { "email": NEW }, "transient_payload": { "why": "name" } });
    let held = spa.submit(&form, fields).await;
    let verification = held.json()["continue_with"][0]["flow"]["id"].as_str().unwrap_or_default().to_owned();
    assert!(!verification.is_empty(), "{held:?}");
    format!("/self-service/verification?flow={verification}")
}

#[tokio::test]
async fn they_run_when_the_change_is_applied() {
    let target = Target::start().await;
    let told = target.hook("/told", json!({ "response": { "ignore": true } }));
    let hooks = json!([
        { "hook": "verify_new_address" }, { "hook": "notify_previous_addresses" }, target.hook("/awaited", json!({})), told,
    ]);
    let app = app(hooks).await;
    let mut spa = Spa::new(&app);
    spa.sign_up(&ada()).await;
    let path = ask(&mut spa).await;
    assert_eq!(hook::deliver_due(&app.app).await, Ok(0));
    assert!(target.order().is_empty(), "nothing has changed yet");

    let code = app.newest_mail(NEW).await.code();
    let done = spa.post(&path, &json!({ "method": "code", "code": code })).await;
    assert_eq!(done.state(), "passed_challenge", "{done:?}");
    assert_eq!(target.order(), ["/awaited"]);
    assert_eq!(target.sent("/awaited")[0].json()["who"], NEW);
    assert_eq!(hook::deliver_due(&app.app).await, Ok(1));
    assert_eq!(target.sent("/told")[0].json()["who"], NEW);
    let to: Vec<_> = app.mails().await.into_iter().filter(|m| m.template == "verifiable_address_changed").map(|m| m.to).collect();
    assert_eq!(to, [ada().email]);
}

#[tokio::test]
async fn one_that_decides_is_asked_again_and_its_no_leaves_everything_as_it_was() {
    let target = Target::start().await;
    let deciding = target.hook("/ask", json!({ "response": { "parse": true } }));
    let app = app(json!([deciding, { "hook": "verify_new_address" }])).await;
    let mut spa = Spa::new(&app);
    spa.sign_up(&ada()).await;
    let path = ask(&mut spa).await;
    assert_eq!(target.order(), ["/ask"]);
    target.says("/ask", 403, &json!({ "messages": [{ "messages": [{ "id": 7, "text": "no", "type": "error" }] }] }));
    let code = app.newest_mail(NEW).await.code();
    let answer = spa.post(&path, &json!({ "method": "code", "code": code })).await;
    assert_eq!((answer.status, answer.told()), (400, vec![7]), "{answer:?}");
    assert_eq!(spa.traits().await["email"], ada().email);
    target.says("/ask", 200, &json!({ "identity": { "metadata_public": { "plan": 1 } } }));
    let done = spa.post(&path, &json!({ "method": "code", "code": code })).await;
    assert_eq!(done.state(), "passed_challenge", "{done:?}");
    let identity = spa.get("/sessions/whoami").await.json()["identity"].clone();
    assert_eq!((&identity["traits"]["email"], &identity["metadata_public"]), (&json!(NEW), &json!({ "plan": 1 })));
    assert_eq!(identity["verifiable_addresses"][0]["verified"], true);
}

#[tokio::test]
async fn one_that_fails_says_that_the_change_was_saved() {
    let target = Target::start().await;
    let app = app(json!([{ "hook": "verify_new_address" }, target.hook("/awaited", json!({}))])).await;
    let mut spa = Spa::new(&app);
    spa.sign_up(&ada()).await;
    let path = ask(&mut spa).await;
    target.treat("/awaited", Manner::Says(418, String::new()));
    let code = app.newest_mail(NEW).await.code();
    let answer = spa.post(&path, &json!({ "method": "code", "code": code })).await;
    assert_eq!(answer.status, 502);
    assert!(answer.json()["error"]["reason"].as_str().unwrap().contains("was saved"), "{answer:?}");
    assert_eq!(spa.traits().await["email"], NEW);
    let calls = Admin::new(&app).get("/admin/hooks/calls").await.json();
    assert_eq!((&calls[0]["place"], &calls[0]["status"]), (&json!("settings.after.profile"), &json!("abandoned")), "{calls}");
}
