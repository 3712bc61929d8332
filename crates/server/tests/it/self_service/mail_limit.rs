//! Messages that flows send on their way, without being asked for them, count like those that people ask for: no way leads to
//! a filled mailbox, and none is closed by it.

use serde_json::{Value, json};

use super::login_code::{codes_config, made, stepping_up};
use super::recovery::with_recovery;
use crate::support::{Admin, Answer, Form, Native, Person, Spa, TestApp, UI};

/// How many messages one client may have sent to one address in ten minutes.
const LIMIT: usize = 10;

fn verifying(flows: Value) -> Value {
    let mut all = json!({ "verification": { "enabled": true, "ui_url": format!("{UI}/verification") } });
    all.as_object_mut().unwrap().extend(flows.as_object().unwrap().clone());
    json!({ "selfservice": { "flows": all } })
}

async fn mails_to(app: &TestApp, address: &str) -> usize {
    app.mails().await.iter().filter(|m| m.to == address).count()
}

/// The verification flow to which somebody is sent on.
async fn verification_of(spa: &mut Spa<'_>, answer: &Answer) -> Answer {
    let body = answer.json();
    let items = body["continue_with"].as_array().or(body["error"]["details"]["continue_with"].as_array());
    let found = items.into_iter().flatten().find(|item| item["action"] == "show_verification_ui");
    let id = found.unwrap_or_else(|| panic!("{body}"))["flow"]["id"].as_str().unwrap().to_owned();
    spa.flow("verification", &id).await
}

/// A flow that sent nothing says so, and sends what it is asked for once there is room again.
async fn waits_and_works(app: &TestApp, spa: &mut Spa<'_>, shown: &Answer, address: &str) {
    assert_eq!((shown.state().as_str(), shown.told()), ("choose_method", vec![4_000_001]));
    let form = Form::of(shown);
    let ask = json!({ "method": "code", "email": address });
    assert_eq!(spa.submit(&form, ask.clone()).await.told(), [4_000_001]);
    assert_eq!(mails_to(app, address).await, LIMIT);
    app.wait(601);
    assert_eq!(spa.submit(&form, ask).await.state(), "sent_email");
    let code = app.newest_mail(address).await.code();
    assert_eq!(spa.submit(&form, json!({ "method": "code", "code": code })).await.state(), "passed_challenge");
}

#[tokio::test]
async fn sign_ups_with_one_address_send_no_more_and_succeed() {
    let hooks = json!({ "registration": { "after": { "password": {
        "hooks": [{ "hook": "session" }, { "hook": "show_verification_ui" }] } } } });
    let app = TestApp::with(verifying(hooks)).await;
    let ada = Person::named("ada");
    for round in 0..=LIMIT {
        let mut spa = Spa::new(&app);
        let done = spa.sign_up(&ada).await;
        assert_eq!(mails_to(&app, &ada.email).await, LIMIT.min(round + 1));
        let address = &done.json()["identity"]["verifiable_addresses"][0];
        assert_eq!(address["status"], if round < LIMIT { "sent" } else { "pending" });
        if round == LIMIT {
            let shown = verification_of(&mut spa, &done).await;
            waits_and_works(&app, &mut spa, &shown, &ada.email).await;
            return;
        }
        let path = format!("/admin/identities/{}", done.json()["identity"]["id"].as_str().unwrap());
        assert_eq!(Admin::new(&app).send("DELETE", &path, &Value::Null).await.status, 204);
    }
}

#[tokio::test]
async fn sign_ins_with_an_address_that_is_to_be_verified_send_no_more() {
    let hooks =
        json!({ "login": { "ui_url": format!("{UI}/login"), "after": { "hooks": [{ "hook": "require_verified_address" }] } } });
    let app = TestApp::with(verifying(hooks)).await;
    let ada = super::recovery::person(&app, "ada").await;
    let mut spa = Spa::new(&app);
    for _ in 0..LIMIT {
        let refused = spa.try_sign_in(&ada).await;
        assert_eq!((refused.status, refused.error_id().as_deref()), (403, Some("session_verified_address_required")));
        assert_eq!(verification_of(&mut spa, &refused).await.state(), "sent_email");
    }
    let refused = spa.try_sign_in(&ada).await;
    assert_eq!(refused.status, 403);
    let shown = verification_of(&mut spa, &refused).await;
    waits_and_works(&app, &mut spa, &shown, &ada.email).await;
    assert_eq!(spa.try_sign_in(&ada).await.status, 200);
}

#[tokio::test]
async fn an_address_taken_and_left_again_is_not_written_to_for_ever() {
    let app = TestApp::with(verifying(json!({}))).await;
    let mut spa = Spa::new(&app);
    spa.sign_up(&Person::named("ada")).await;
    let victim = "victim@example.org";
    for round in 0..LIMIT + 2 {
        for address in [victim, &format!("own-{round}@example.org")] {
            let form = spa.open("settings").await;
            let saved = spa.submit(&form, json!({ "method": "profile", "traits": { "email": address } })).await;
            assert_eq!(saved.state(), "success", "what is saved does not hang on the mail");
        }
    }
    assert_eq!(mails_to(&app, victim).await, LIMIT);
}

#[tokio::test]
async fn a_second_factor_that_is_sent_by_itself_counts() {
    let app = TestApp::with(with_recovery(codes_config(json!({ "mfa_enabled": true }), json!({})))).await;
    let ada = made(&app, "ada", json!({})).await;
    let mut spa = Spa::new(&app);
    assert_eq!(stepping_up(&app, &mut spa, &ada).await.state(), "sent_email");
    for _ in 1..LIMIT {
        assert_eq!(spa.get("/self-service/login/browser?aal=aal2").await.state(), "sent_email");
    }
    let shown = spa.get("/self-service/login/browser?aal=aal2").await;
    assert_eq!((shown.status, shown.state().as_str()), (200, "choose_method"));
    assert_eq!(mails_to(&app, &ada.email).await, LIMIT);
    let asked = spa.submit(&Form::of(&shown), json!({ "address": ada.email })).await;
    assert_eq!(asked.told(), [4_000_001], "those that are asked for are counted with them");
    app.wait(601);
    assert_eq!(spa.get("/self-service/login/browser?aal=aal2").await.state(), "sent_email");
}

#[tokio::test]
async fn others_do_not_use_up_what_one_client_may_have_sent() {
    let app = TestApp::with(verifying(json!({}))).await;
    let ada = super::recovery::person(&app, "ada").await;
    let ask = json!({ "method": "code", "email": ada.email });
    let native = Native::new(&app);
    for _ in 0..LIMIT {
        assert_eq!(native.submit(&native.open("verification").await, ask.clone()).await.status, 200);
    }
    let form = native.open("verification").await;
    let path = form.action.strip_prefix("http://127.0.0.1:4433").unwrap();
    let request = http::Request::builder().method("POST").uri(path).header("host", "127.0.0.1:4433");
    let request = request.header("content-type", "application/json").header("accept", "application/json");
    let request = request.body(bytes::Bytes::from(ask.to_string())).unwrap();
    let elsewhere = app.send_from("192.0.2.7", portcullis::http::ports::Port::Public, request).await;
    assert_eq!(elsewhere.state(), "sent_email");
}

/// Whose address is to be changed, and who has the new one proved first.
async fn holding_back(app: &TestApp) -> (Spa<'_>, Form) {
    let mut spa = Spa::new(app);
    spa.sign_up(&Person::named("ada")).await;
    let form = spa.open("settings").await;
    (spa, form)
}

fn new_address() -> Value {
    json!({ "method": "profile", "traits": { "email": "countess@example.org" } })
}

fn verify_first() -> Value {
    let hooks = json!({ "after": { "profile": { "hooks": [{ "hook": "verify_new_address" }] } } });
    let mut settings = json!({ "ui_url": format!("{UI}/settings") });
    settings.as_object_mut().unwrap().extend(hooks.as_object().unwrap().clone());
    verifying(json!({ "settings": settings }))
}

#[tokio::test]
async fn the_code_for_an_address_that_waits_to_be_proved_can_be_sent_again() {
    let app = TestApp::with(verify_first()).await;
    let (mut spa, form) = holding_back(&app).await;
    let held = spa.submit(&form, new_address()).await;
    let shown = verification_of(&mut spa, &held).await;
    let form = Form::of(&shown);
    let first = app.newest_mail("countess@example.org").await.code();
    app.wait(1);
    let again = spa.submit(&form, json!({ "method": "code", "email": "countess@example.org" })).await;
    assert_eq!((again.status, again.state().as_str()), (200, "sent_email"));
    let newest = app.newest_mail("countess@example.org").await;
    assert_eq!((newest.template.as_str(), mails_to(&app, "countess@example.org").await), ("verification_code_valid", 2));
    let bring = |code: String| json!({ "method": "code", "code": code });
    assert_eq!(spa.submit(&form, bring(first)).await.told(), [4_070_006], "the older one is worthless");
    assert_eq!(spa.submit(&form, bring(newest.code())).await.state(), "passed_challenge");
    assert_eq!(spa.traits().await["email"], "countess@example.org");
    // Nobody else's flow makes anything of it.
    let other = spa.open("verification").await;
    spa.submit(&other, json!({ "method": "code", "email": "duchess@example.org" })).await;
    assert_eq!(mails_to(&app, "duchess@example.org").await, 0);
}

#[tokio::test]
async fn a_change_that_waits_for_its_proof_is_refused_when_no_more_can_be_sent() {
    let app = TestApp::with(verify_first()).await;
    let (mut spa, form) = holding_back(&app).await;
    for _ in 0..LIMIT {
        assert_eq!(spa.submit(&form, new_address()).await.status, 200);
    }
    let refused = spa.submit(&form, new_address()).await;
    assert_eq!((refused.status, refused.told()), (400, vec![4_000_001]));
    assert_eq!(mails_to(&app, "countess@example.org").await, LIMIT);
    assert_eq!(spa.traits().await["email"], "ada@example.org");
}
