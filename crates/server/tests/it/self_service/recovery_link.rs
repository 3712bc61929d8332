//! Getting back into an account by a link.

use serde_json::{Value, json};

use super::recovery::{app_with, person};
use crate::support::{Admin, Browser, Form, Native, Person, Spa, TestApp, UI, together};

async fn app() -> TestApp {
    app_with(links()).await
}

fn links() -> Value {
    json!({ "selfservice": { "methods": { "link": { "enabled": true } }, "flows": { "recovery": { "use": "link" } } } })
}

/// A script's flow that has sent a link, and the link.
async fn asked(app: &TestApp, spa: &mut Spa<'_>, who: &Person) -> (Form, String) {
    let form = spa.open("recovery").await;
    app.wait(1);
    let answer = spa.submit(&form, json!({ "method": "link", "email": who.email })).await;
    assert_eq!((answer.status, answer.state(), answer.told()), (200, "sent_email".to_owned(), vec![1_060_002]));
    (form, app.newest_mail(&who.email).await.link())
}

async fn who(browser: &Browser<'_>) -> Option<Value> {
    let answer = browser.script().get("/sessions/whoami").await;
    (answer.status == 200).then(|| answer.json())
}

#[tokio::test]
async fn a_link_signs_in_whichever_browser_follows_it_once() {
    let app = app().await;
    let ada = person(&app, "ada").await;
    let mut spa = Spa::new(&app);
    let (_, link) = asked(&app, &mut spa, &ada).await;
    let mut browser = Browser::new(&app);
    let landed = browser.get(&link).await;
    assert_eq!(landed.status, 303);
    assert!(landed.location().starts_with(&format!("{UI}/settings?flow=")), "{landed:?}");
    browser.arrive("settings", &landed).await;
    let session = who(&browser).await.unwrap();
    assert_eq!(session["authentication_methods"][0]["method"], "link_recovery");
    assert_eq!(session["identity"]["verifiable_addresses"][0]["verified"], true);
    assert_eq!(spa.get("/sessions/whoami").await.status, 401, "the browser that asked is not signed in by it");

    let mut late = Browser::new(&app);
    let refused = late.get(&link).await;
    assert_eq!(refused.status, 303);
    let shown = late.flow("recovery", &refused.parameter("flow").unwrap()).await;
    assert_eq!((shown.status, shown.told(), shown.state().as_str()), (200, vec![4_060_004], "choose_method"));
    assert!(who(&late).await.is_none());
}

#[tokio::test]
async fn scripts_are_redirected_too_and_a_session_is_replaced() {
    let app = app().await;
    let (ada, grace) = (person(&app, "ada").await, person(&app, "grace").await);
    let native = Native::new(&app);
    let form = native.open("recovery").await;
    native.submit(&form, json!({ "method": "link", "email": ada.email })).await;
    let mut spa = Spa::new(&app);
    spa.sign_in(&grace).await;
    let landed = spa.get(&app.newest_mail(&ada.email).await.link()).await;
    assert_eq!(landed.status, 303);
    assert!(landed.location().starts_with(&format!("{UI}/settings?flow=")), "{landed:?}");
    assert_eq!(spa.get("/sessions/whoami").await.json()["identity"]["traits"]["email"], ada.email.as_str());
}

#[tokio::test]
async fn a_wrong_foreign_older_or_late_link_opens_nothing() {
    let app = app().await;
    let ada = person(&app, "ada").await;
    let mut spa = Spa::new(&app);
    let (form, older) = asked(&app, &mut spa, &ada).await;
    app.wait(1);
    spa.submit(&form, json!({ "method": "link", "email": ada.email })).await;
    let newer = app.newest_mail(&ada.email).await.link();
    let other = spa.open("recovery").await;
    let foreign = newer.replace(&form.id, &other.id);
    let made_up = format!("/self-service/recovery?flow={}&token=nonsense", form.id);
    for (link, told) in [(older, 4_060_004), (foreign, 4_060_004), (made_up, 4_060_004)] {
        let mut browser = Browser::new(&app);
        let refused = browser.get(&link).await;
        let shown = browser.flow("recovery", &refused.parameter("flow").unwrap()).await;
        assert_eq!((shown.told(), who(&browser).await), (vec![told], None), "{link}");
    }
    for (path, status) in [("?token=x", 400), ("?flow=6a2b0c1e-2222-4333-8444-555566667777&token=x", 404)] {
        assert_eq!(spa.get(&format!("/self-service/recovery{path}")).await.status, status, "{path}");
    }
    app.wait(3598);
    let mut browser = Browser::new(&app);
    let refused = browser.get(&newer).await;
    let shown = browser.flow("recovery", &refused.parameter("flow").unwrap()).await;
    assert_eq!((shown.status, shown.told()), (200, vec![4_060_005]), "and a browser without cookies may see it");
    assert!(who(&browser).await.is_none());
}

#[tokio::test]
async fn a_link_ends_before_its_flow_where_configured() {
    let mut change = links();
    change["selfservice"]["methods"]["link"]["config"]["lifespan"] = json!("1m");
    let app = app_with(change).await;
    let ada = person(&app, "ada").await;
    let mut spa = Spa::new(&app);
    let (_, link) = asked(&app, &mut spa, &ada).await;
    app.wait(60);
    for _ in 0..2 {
        let mut browser = Browser::new(&app);
        let refused = browser.get(&link).await;
        let shown = browser.flow("recovery", &refused.parameter("flow").unwrap()).await;
        assert_eq!((shown.told(), who(&browser).await), (vec![4_060_005], None));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_link_followed_by_64_at_once_signs_one_of_them_in() {
    let app = app().await;
    let ada = person(&app, "ada").await;
    let mut spa = Spa::new(&app);
    let (_, link) = asked(&app, &mut spa, &ada).await;
    let landed = together(64, |_| {
        let (mut browser, link) = (Browser::new(&app), &link);
        async move { browser.get(link).await.location().contains("/settings?flow=") }
    });
    assert_eq!(landed.iter().filter(|landed| **landed).count(), 1);
    let sessions = Admin::new(&app).get("/admin/sessions").await.json().as_array().unwrap().len();
    assert_eq!(sessions, 1);
}

#[tokio::test]
async fn what_was_sent_along_reaches_the_mail() {
    let app = app().await;
    let ada = person(&app, "ada").await;
    let native = Native::new(&app);
    let form = native.open("recovery").await;
    let body = json!({ "method": "link", "email": ada.email, "transient_payload": { "theme": "dark" } });
    assert_eq!(native.submit(&form, body).await.json()["transient_payload"], json!({ "theme": "dark" }));
    assert_eq!(app.newest_mail(&ada.email).await.data["transient_payload"], json!({ "theme": "dark" }));
}
