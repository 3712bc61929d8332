//! Native apps: the trip happens in a browser, the session is the app's.

use serde_json::{Value, json};

use super::{leads_to, two};
use crate::support::{Browser, Form, Native, Person, Provider, Spa, TestApp, UI};

/// A flow that gives an exchange code, with that code.
async fn begin(app: &Native<'_>, kind: &str) -> (Form, String) {
    let url = format!("/self-service/{kind}/api?return_session_token_exchange_code=true&return_to={UI}/app");
    let shown = app.get(&url).await;
    let code = shown.json()["session_token_exchange_code"].as_str().unwrap().to_owned();
    assert_eq!(code.len(), 64);
    (Form::of(&shown), code)
}

async fn leave(app: &Native<'_>, form: &Form) -> String {
    app.submit(form, json!({ "method": "oidc", "provider": "op" })).await.redirect_browser_to()
}

async fn exchange(app: &Native<'_>, first: &str, second: &str) -> (u16, Value) {
    let answer = app.get(&format!("/sessions/token-exchange?init_code={first}&return_to_code={second}")).await;
    (answer.status, answer.json())
}

#[tokio::test]
async fn both_halves_give_the_session_and_neither_alone_does() {
    let provider = Provider::start().await;
    let app = two(&provider).await;
    let native = Native::new(&app);
    let mut halves = Default::default();
    for kind in ["registration", "login", "registration"] {
        let (form, first) = begin(&native, kind).await;
        let url = leave(&native, &form).await;
        let mut browser = Browser::new(&app);
        let back = browser.get(&provider.visit(&url)).await;
        assert!(back.location().starts_with(&format!("{UI}/app?code=")), "{kind}: {back:?}");
        assert_eq!(browser.fetch("/sessions/whoami").await.status, 401, "the browser is not signed in");
        let second = back.parameter("code").unwrap();
        for (a, b) in [("x", second.as_str()), (first.as_str(), "x"), (second.as_str(), first.as_str())] {
            assert_eq!(exchange(&native, a, b).await.0, 404);
        }
        let (status, given) = exchange(&native, &first, &second).await;
        assert_eq!(status, 200);
        assert_eq!(exchange(&native, &first, &second).await.1["session_token"], given["session_token"], "asking again gives it");
        let mut signed_in = native.clone();
        signed_in.token = given["session_token"].as_str().map(str::to_owned);
        assert_eq!(signed_in.get("/sessions/whoami").await.json()["identity"]["traits"]["email"], "ada@example.org");
        halves = (first, second);
    }
    for url in ["", "?init_code=x", "?return_to_code=x", "?init_code=&return_to_code=x"] {
        assert_eq!(native.get(&format!("/sessions/token-exchange{url}")).await.status, 400, "{url}");
    }
    app.wait(61 * 60);
    assert_eq!(exchange(&native, &halves.0, &halves.1).await.0, 404, "not for ever");
}

#[tokio::test]
async fn without_an_exchange_code_no_browser_can_finish() {
    let provider = Provider::start().await;
    let app = two(&provider).await;
    let native = Native::new(&app);
    let form = native.open("login").await;
    let url = leave(&native, &form).await;
    let answer = Browser::new(&app).get(&provider.visit(&url)).await;
    assert!(leads_to(&answer, "error"), "{answer:?}");
    assert_eq!(provider.asked("/token"), 0);
}

#[tokio::test]
async fn whoever_is_signed_in_in_the_browser_is_not_touched() {
    let provider = Provider::start().await;
    let app = two(&provider).await;
    let native = Native::new(&app);
    let mut spa = Spa::new(&app);
    spa.sign_up(&Person::named("grace")).await;
    let (form, first) = begin(&native, "login").await;
    let url = leave(&native, &form).await;
    let mut browser = spa.browser();
    let back = browser.get(&provider.visit(&url)).await;
    let second = back.parameter("code").unwrap();
    let given = exchange(&native, &first, &second).await.1;
    assert_eq!(given["session"]["identity"]["traits"]["email"], "ada@example.org");
    assert_eq!(browser.fetch("/sessions/whoami").await.json()["identity"]["traits"]["email"], "grace@example.org");
}

#[tokio::test]
async fn what_goes_wrong_leads_back_to_the_app_with_the_flow() {
    let provider = Provider::start().await;
    let app = two(&provider).await;
    let native = Native::new(&app);
    let (form, _) = begin(&native, "registration").await;
    let url = leave(&native, &form).await;
    let back = Browser::new(&app).get(&provider.refuse(&url)).await;
    assert_eq!(back.parameter("flow").as_deref(), Some(form.id.as_str()), "{back:?}");
    assert!(back.location().starts_with(&format!("{UI}/app?")));
    assert_eq!(native.flow("registration", &form.id).await.told(), [4_000_001]);
    provider.person(&json!({ "email": null, "email_verified": null }));
    let url = leave(&native, &form).await;
    let back = Browser::new(&app).get(&provider.visit(&url)).await;
    assert_eq!(back.parameter("flow").as_deref(), Some(form.id.as_str()));
    assert_eq!(native.flow("registration", &form.id).await.told_at("traits.email"), [4_000_002]);
}

#[tokio::test]
async fn an_app_joins_an_account_by_signing_in() {
    let provider = Provider::start().await;
    let app: TestApp = two(&provider).await;
    let ada = Person::named("ada");
    Spa::new(&app).sign_up(&ada).await;
    let native = Native::new(&app);
    let (form, _) = begin(&native, "registration").await;
    let url = leave(&native, &form).await;
    let back = Browser::new(&app).get(&provider.visit(&url)).await;
    let id = back.parameter("flow").unwrap();
    assert_ne!(id, form.id);
    let shown = native.flow("login", &id).await;
    assert_eq!(shown.told(), [1_010_016]);
    let fields = json!({ "method": "password", "identifier": ada.email, "password": ada.password });
    let done = native.submit(&Form::of(&shown), fields).await;
    assert_eq!(done.status, 200, "{done:?}");
    assert_eq!(done.json()["session"]["authentication_methods"].as_array().map(Vec::len), Some(2));
}
