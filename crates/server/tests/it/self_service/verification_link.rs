//! Proving an address by a link, and where verification leads.

use serde_json::{Value, json};

use super::recovery::{app_with, person};
use crate::support::{Admin, Browser, Form, Native, Person, Spa, TestApp, UI, together};

fn config(more: Value) -> Value {
    let mut change = json!({ "selfservice": {
        "methods": { "link": { "enabled": true } },
        "flows": { "verification": { "enabled": true, "use": "link", "ui_url": format!("{UI}/verification") } },
    } });
    for (key, value) in more.as_object().unwrap() {
        change["selfservice"]["flows"][key] = value.clone();
    }
    change
}

async fn app() -> TestApp {
    app_with(config(json!({}))).await
}

async fn asked(app: &TestApp, who: &Person) -> (Form, String) {
    let native = Native::new(app);
    let form = native.open("verification").await;
    app.wait(1);
    let answer = native.submit(&form, json!({ "method": "link", "email": who.email })).await;
    assert_eq!((answer.status, answer.state(), answer.told()), (200, "sent_email".to_owned(), vec![1_080_001]));
    (form, app.newest_mail(&who.email).await.link())
}

/// How far an account's only address is verified.
async fn status(app: &TestApp, who: &Person) -> String {
    let list = Admin::new(app).get(&format!("/admin/identities?credentials_identifier={}", who.email)).await.json();
    list[0]["verifiable_addresses"][0]["status"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_link_verifies_in_any_browser_once() {
    let app = app().await;
    let ada = person(&app, "ada").await;
    let mut spa = Spa::new(&app);
    let form = spa.open("verification").await;
    spa.submit(&form, json!({ "method": "link", "email": ada.email })).await;
    assert_eq!(status(&app, &ada).await, "sent");
    let link = app.newest_mail(&ada.email).await.link();
    let mut browser = Browser::new(&app);
    let landed = browser.get(&link).await;
    assert_eq!((landed.status, landed.location()), (303, format!("{UI}/verification?flow={}", form.id).as_str()));
    let shown = browser.flow("verification", &form.id).await;
    assert_eq!((shown.status, shown.state().as_str(), shown.told()), (200, "passed_challenge", vec![1_080_002]));
    assert_eq!(status(&app, &ada).await, "completed");
    let again = browser.get(&link).await;
    let shown = browser.flow("verification", &again.parameter("flow").unwrap()).await;
    assert_eq!((shown.told(), shown.state().as_str()), (vec![4_070_001], "choose_method"));
    assert_eq!(spa.get(&link).await.status, 410, "scripts are told of the new flow");
    assert_eq!(status(&app, &ada).await, "completed");
}

#[tokio::test]
async fn a_late_older_or_foreign_link_verifies_nothing() {
    let mut change = config(json!({}));
    change["selfservice"]["methods"]["link"]["config"] = json!({ "lifespan": "1m" });
    let app = app_with(change).await;
    let ada = person(&app, "ada").await;
    let (form, older) = asked(&app, &ada).await;
    app.wait(1);
    Native::new(&app).submit(&form, json!({ "method": "link", "email": ada.email })).await;
    let newer = app.newest_mail(&ada.email).await.link();
    let other = Native::new(&app).open("verification").await;
    let foreign = newer.replace(&form.id, &other.id);
    let mut seen = Vec::new();
    for (wait, link) in [(0, &older), (0, &foreign), (60, &newer)] {
        app.wait(wait);
        let mut browser = Browser::new(&app);
        let refused = browser.get(link).await;
        seen.extend(browser.flow("verification", &refused.parameter("flow").unwrap()).await.told());
        assert_eq!(status(&app, &ada).await, "sent");
    }
    assert_eq!(seen, [4_070_001, 4_070_001, 4_070_005]);
}

#[tokio::test]
async fn whoever_only_looks_at_a_link_uses_nothing_up() {
    let app = app().await;
    let ada = person(&app, "ada").await;
    let (_, link) = asked(&app, &ada).await;
    let path = link.strip_prefix("http://127.0.0.1:4433").unwrap();
    app.ask(portcullis::http::ports::Port::Public, "HEAD", path, &[("accept", "text/html")]).await;
    assert_eq!(status(&app, &ada).await, "sent");
    Browser::new(&app).get(&link).await;
    assert_eq!(status(&app, &ada).await, "completed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_link_followed_by_64_at_once_verifies_once() {
    let app = app().await;
    let ada = person(&app, "ada").await;
    let (form, link) = asked(&app, &ada).await;
    let landed = together(64, |_| {
        let (mut browser, link, own) = (Browser::new(&app), &link, &form.id);
        async move { browser.get(link).await.location().ends_with(own.as_str()) }
    });
    assert_eq!(landed.iter().filter(|own| **own).count(), 1);
    assert_eq!(status(&app, &ada).await, "completed");
}

#[tokio::test]
async fn a_verified_address_stays_so_when_asked_about_again() {
    let app = app().await;
    let ada = person(&app, "ada").await;
    let (_, link) = asked(&app, &ada).await;
    Browser::new(&app).get(&link).await;
    asked(&app, &ada).await;
    assert_eq!(status(&app, &ada).await, "completed");
}

#[tokio::test]
async fn faults_start_afresh_with_each_submit() {
    let app = app().await;
    let native = Native::new(&app);
    let form = native.open("verification").await;
    for (body, told, at) in [
        (json!({ "method": "link", "email": "nobody" }), 4_000_040, "email"),
        (json!({ "method": "link" }), 4_000_002, "email"),
        (json!({ "method": "nope", "email": "a@example.org" }), 4_000_001, "method"),
        (json!({ "method": "link", "email": "" }), 4_000_002, "email"),
    ] {
        let answer = native.submit(&form, body.clone()).await;
        assert_eq!((answer.status, answer.told(), answer.told_at(at)), (400, vec![told], vec![told]), "{body}");
    }
    for body in [json!({ "email": "a@example.org" }), json!({ "method": "code", "email": "a@example.org" })] {
        let answer = native.submit(&form, body.clone()).await;
        assert_eq!((answer.status, answer.told()), (400, vec![4_010_006]), "{body}");
    }
}

#[tokio::test]
async fn after_a_sign_up_the_link_can_be_sent_again_from_its_form() {
    let hooks = json!([{ "hook": "session" }, { "hook": "show_verification_ui" }]);
    let more = json!({ "registration": { "after": { "password": { "hooks": hooks } } } });
    let app = app_with(config(more)).await;
    let ada = Person::named("ada");
    let mut spa = Spa::new(&app);
    let list = spa.sign_up(&ada).await.json()["continue_with"].clone();
    let shown = list.as_array().unwrap().iter().find(|item| item["action"] == "show_verification_ui").unwrap();
    let flow = spa.flow("verification", shown["flow"]["id"].as_str().unwrap()).await;
    assert_eq!((flow.state().as_str(), flow.told()), ("sent_email", vec![]));
    let older = app.newest_mail(&ada.email).await.link();
    app.wait(1);
    let again = spa.submit(&Form::of(&flow), json!({ "email": ada.email })).await;
    assert_eq!((again.status, again.told()), (200, vec![1_080_001]));
    let mut browser = spa.browser();
    browser.get(&older).await;
    assert_eq!(status(&app, &ada).await, "sent", "the older link is worthless");
    browser.get(&app.newest_mail(&ada.email).await.link()).await;
    assert_eq!(status(&app, &ada).await, "completed");
}

#[tokio::test]
async fn where_it_leads_is_configured_asked_for_or_inherited() {
    let more = json!({ "registration": { "after": { "password": { "hooks": [{ "hook": "session" }] } } } });
    let mut change = config(more);
    change["selfservice"]["flows"]["verification"]["after"] = json!({ "default_browser_return_url": format!("{UI}/verified") });
    let app = app_with(change).await;
    for (number, (query, expected)) in [
        (String::new(), format!("{UI}/verified")),
        (format!("?return_to={UI}/mine"), format!("{UI}/mine")),
        (format!("?return_to={UI}/mine&after_verification_return_to={UI}/then"), format!("{UI}/then")),
        ("?after_verification_return_to=https://evil.example/".to_owned(), format!("{UI}/verified")),
    ]
    .into_iter()
    .enumerate()
    {
        let ada = Person::named(&format!("ada{number}"));
        let mut spa = Spa::new(&app);
        let form = Form::of(&spa.get(&format!("/self-service/registration/browser{query}")).await);
        let traits = json!({ "email": ada.email });
        let made = spa.submit(&form, json!({ "method": "password", "password": ada.password, "traits": traits })).await;
        assert_eq!(made.status, 200, "{made:?}");
        let passed = spa.get(&app.newest_mail(&ada.email).await.link()).await;
        assert_eq!((passed.state().as_str(), passed.action()), ("passed_challenge", expected), "{query}");
    }
}
