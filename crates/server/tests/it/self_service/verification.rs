//! Proving an address.

use serde_json::{Value, json};

use crate::support::{Form, Native, Person, Spa, TestApp, UI};

/// An application with verification by code.
async fn app() -> TestApp {
    TestApp::with(config()).await
}

fn config() -> Value {
    json!({ "selfservice": { "flows": { "verification": { "enabled": true, "ui_url": format!("{UI}/verification") } } } })
}

async fn is_verified(spa: &mut Spa<'_>) -> bool {
    spa.get("/sessions/whoami").await.json()["identity"]["verifiable_addresses"][0]["verified"] == true
}

/// A native flow that has sent a code to an address.
async fn sent(app: &TestApp, email: &str) -> Form {
    let native = Native::new(app);
    let form = native.open("verification").await;
    app.wait(1);
    let answer = native.submit(&form, json!({ "method": "code", "email": email })).await;
    assert_eq!((answer.status, answer.state(), answer.told()), (200, "sent_email".to_owned(), vec![1_080_003]));
    form
}

#[tokio::test]
async fn the_right_code_verifies_once() {
    let app = app().await;
    let ada = Person::named("ada");
    let mut spa = Spa::new(&app);
    spa.sign_up(&ada).await;
    assert!(!is_verified(&mut spa).await);
    let form = sent(&app, &ada.email).await;
    let code = app.newest_mail(&ada.email).await.code();
    let native = Native::new(&app);
    let done = native.submit(&form, json!({ "method": "code", "code": code })).await;
    assert_eq!((done.status, done.state()), (200, "passed_challenge".to_owned()));
    assert!(is_verified(&mut spa).await);
    let again = native.submit(&form, json!({ "method": "code", "code": code })).await;
    assert_eq!((again.status, again.error_id().as_deref()), (410, Some("self_service_flow_replaced")));
}

#[tokio::test]
async fn a_wrong_late_or_foreign_code_verifies_nothing() {
    let app = app().await;
    let ada = Person::named("ada");
    let mut spa = Spa::new(&app);
    spa.sign_up(&ada).await;
    let native = Native::new(&app);
    let (first, second) = (sent(&app, &ada.email).await, sent(&app, &ada.email).await);
    let code = app.newest_mail(&ada.email).await.code();
    let wrong = if code == "123456" { "654321" } else { "123456" };
    for (form, code) in [(&first, code.as_str()), (&second, wrong), (&second, ""), (&second, "\u{0}"), (&second, "１２３４５６")]
    {
        let answer = native.submit(form, json!({ "method": "code", "code": code })).await;
        assert!(answer.status < 500, "{answer:?}");
        assert!(!is_verified(&mut spa).await, "{code}");
    }
    app.wait(3599);
    let late = native.submit(&second, json!({ "method": "code", "code": code })).await;
    assert!(late.status < 500, "{late:?}");
    assert!(!is_verified(&mut spa).await);
}

#[tokio::test]
async fn guesses_are_counted() {
    let app = app().await;
    let ada = Person::named("ada");
    let mut spa = Spa::new(&app);
    spa.sign_up(&ada).await;
    let form = sent(&app, &ada.email).await;
    let code = app.newest_mail(&ada.email).await.code();
    let native = Native::new(&app);
    for guess in 0..5 {
        let guess = format!("{:06}", (code.parse::<u32>().unwrap() + 1 + guess) % 1_000_000);
        native.submit(&form, json!({ "method": "code", "code": guess })).await;
    }
    let answer = native.submit(&form, json!({ "method": "code", "code": code })).await;
    assert_ne!(answer.status, 200, "the right code after too many wrong ones");
    assert!(!is_verified(&mut spa).await);
}

#[tokio::test]
async fn nobody_learns_whose_an_address_is() {
    let app = app().await;
    let ada = Person::named("ada");
    Spa::new(&app).sign_up(&ada).await;
    let before = app.mails().await.len();
    let native = Native::new(&app);
    let mut seen = Vec::new();
    for email in [ada.email.as_str(), "nobody@example.org"] {
        let form = native.open("verification").await;
        let answer = native.submit(&form, json!({ "method": "code", "email": email })).await;
        let mut ui = answer.json()["ui"].clone();
        let text = ui.take().to_string().replace(email, "EMAIL").replace(&form.id, "ID");
        seen.push((answer.status, answer.state(), text));
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(app.mails().await.len(), before + 1, "and nobody else is written to");
}

#[tokio::test]
async fn a_sign_up_sends_a_code_and_names_the_flow_where_configured() {
    let mut change = config();
    change["selfservice"]["flows"]["registration"] =
        json!({ "after": { "password": { "hooks": [{ "hook": "session" }, { "hook": "show_verification_ui" }] } } });
    let app = TestApp::with(change).await;
    let ada = Person::named("ada");
    let mut spa = Spa::new(&app);
    let answer = spa.sign_up(&ada).await;
    let list = answer.json()["continue_with"].clone();
    let shown = list.as_array().unwrap().iter().find(|item| item["action"] == "show_verification_ui").unwrap();
    let flow = shown["flow"]["id"].as_str().unwrap();
    assert_eq!(shown["flow"]["url"], format!("{UI}/verification?flow={flow}"));
    assert_eq!(shown["flow"]["verifiable_address"], ada.email.as_str());
    let form = Form::of(&spa.flow("verification", flow).await);
    let code = app.newest_mail(&ada.email).await.code();
    let done = spa.submit(&form, json!({ "method": "code", "code": code })).await;
    assert_eq!(done.state(), "passed_challenge");
    assert!(is_verified(&mut spa).await);
}

#[tokio::test]
async fn the_link_in_the_mail_fills_in_the_code_and_proves_nothing() {
    let app = app().await;
    let ada = Person::named("ada");
    let mut spa = Spa::new(&app);
    spa.sign_up(&ada).await;
    let mail = app.newest_mail(&ada.email).await;
    let link = mail.data["verification_url"].as_str().unwrap().to_owned();
    let page = spa.browser().get(&link).await;
    assert!(page.location().starts_with(&format!("{UI}/verification?flow=")), "{page:?}");
    assert!(!is_verified(&mut spa).await, "a mail scanner that follows links verifies nothing");
    let shown = spa.flow("verification", &page.parameter("flow").unwrap()).await;
    assert_eq!(shown.field("code"), Some(json!(mail.code())));
}

#[tokio::test]
async fn where_it_is_off_it_says_so() {
    let app = TestApp::new().await;
    let native = Native::new(&app);
    for path in ["api", "browser", "flows?id=6a2b0c1e-2222-4333-8444-555566667777"] {
        assert_eq!(native.get(&format!("/self-service/verification/{path}")).await.status, 400, "{path}");
    }
    assert_eq!(native.post("/self-service/verification?flow=x", &json!({})).await.status, 400);
}
