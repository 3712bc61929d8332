//! What is applied is what was meant: lines 7, 9 and 10 of the acceptance list of settings. What
//! line 10 says of requests at once is in `concurrency`, and of crashes in `crash`.

use serde_json::json;

use super::{NEW, NEWER, good, parked_by_script, password, profile, signed_up, stale};
use crate::support::{Admin, Form, Person, Spa, TestApp, UI};

#[tokio::test]
async fn line_07_of_two_submits_that_came_too_late_the_newer_one_waits() {
    let app = TestApp::with(stale()).await;
    let ada = Person::named("ada");
    let (mut spa, form) = parked_by_script(&app, &ada).await;
    assert_eq!(spa.submit(&form, password(NEWER)).await.status, 403);
    spa.refresh(&ada).await;
    assert_eq!(spa.finish(&form).await.status, 200);
    assert_eq!(good(&app, &ada, &[&ada.password, NEW, NEWER]).await, [NEWER]);
}

#[tokio::test]
async fn line_07_the_newest_submit_counts() {
    let app = TestApp::with(stale()).await;
    let ada = Person::named("ada");
    let (mut spa, form) = parked_by_script(&app, &ada).await;
    spa.refresh(&ada).await;
    let mut browser = spa.browser();
    let sent = browser.submit(&form, &[("method", "password"), ("password", NEWER)]).await;
    assert_eq!((sent.status, sent.parameter("flow")), (303, Some(form.id.clone())));
    assert_eq!(good(&app, &ada, &[NEW, NEWER]).await, [NEWER]);
    // The way back from the login that the first submit was sent to must not bring it about after all.
    browser.get(&form.action).await;
    assert_eq!(good(&app, &ada, &[NEW, NEWER]).await, [NEWER], "the older one is gone");
}

#[tokio::test]
async fn line_09_a_change_its_flow_and_its_mails_are_saved_together_or_not_at_all() {
    let change = json!({ "selfservice": { "flows": {
        "verification": { "enabled": true, "ui_url": format!("{UI}/verification") },
        "settings": { "after": { "profile": { "hooks": [{ "hook": "notify_previous_addresses" }] } } },
    } } });
    let app = TestApp::with(change).await;
    let (ada, grace) = (Person::named("ada"), Person::named("grace"));
    Spa::new(&app).sign_up(&grace).await;
    let (mut spa, form) = signed_up(&app, &ada).await;
    let before = app.mails().await.len();
    let taken = spa.submit(&form, profile(json!({ "email": grace.email }))).await;
    assert_eq!((taken.status, taken.told()), (400, vec![4_000_007]));
    assert_eq!(spa.traits().await["email"], ada.email.as_str());
    assert_eq!(app.mails().await.len(), before, "nobody is written to about what did not happen");
    app.wait(1);
    let moved = spa.submit(&form, profile(json!({ "email": "countess@example.org" }))).await;
    assert_eq!(moved.state(), "success");
    let mut written: Vec<_> = app.mails().await.split_off(before).into_iter().map(|m| (m.to, m.template)).collect();
    written.sort();
    let expected = [("ada@example.org", "verifiable_address_changed"), ("countess@example.org", "verification_code_valid")];
    assert_eq!(written, expected.map(|(to, template)| (to.to_owned(), template.to_owned())));
}

#[tokio::test]
async fn line_10_a_form_opened_before_an_address_changed_does_not_change_it_back() {
    let app = TestApp::new().await;
    let ada = Person::named("ada");
    let mut spa = Spa::new(&app);
    spa.sign_up(&ada).await;
    let (first, second) = (spa.open("settings").await, spa.open("settings").await);
    let moved = json!({ "method": "profile", "traits": { "email": "countess@example.org" } });
    assert_eq!(spa.submit(&first, moved).await.status, 200);
    // The second form still shows the old address; only the name was typed into it.
    let named = json!({ "method": "profile", "traits": { "email": ada.email, "name": { "first": "Ada" } } });
    let answer = spa.submit(&second, named.clone()).await;
    assert_eq!((answer.status, answer.told()), (400, vec![4_000_001]), "refused, so that the person looks again");
    assert_eq!(answer.field("traits.email"), Some(json!("countess@example.org")), "what is there now");
    assert_eq!(answer.field("traits.name.first"), Some(json!("Ada")), "and what was typed");
    assert_eq!(spa.traits().await["email"], "countess@example.org");
    // Whoever looked at it and means it may.
    let answer = spa.submit(&second, named).await;
    assert_eq!((answer.status, spa.traits().await["email"].clone()), (200, json!(ada.email)));
}

#[tokio::test]
async fn line_10_a_form_that_was_saved_once_does_not_change_an_address_back_either() {
    let app = TestApp::new().await;
    let ada = Person::named("ada");
    let (mut spa, form) = signed_up(&app, &ada).await;
    assert_eq!(spa.submit(&form, password(NEW)).await.status, 200);
    let id = spa.get("/sessions/whoami").await.json()["identity"]["id"].as_str().unwrap().to_owned();
    let patch = json!([{ "op": "replace", "path": "/traits/email", "value": "countess@example.org" }]);
    assert_eq!(Admin::new(&app).send("PATCH", &format!("/admin/identities/{id}"), &patch).await.status, 200);
    let named = profile(json!({ "email": ada.email, "name": { "first": "Ada" } }));
    let answer = spa.submit(&form, named.clone()).await;
    assert_eq!((answer.status, answer.told()), (400, vec![4_000_001]));
    assert_eq!(answer.field("traits.email"), Some(json!("countess@example.org")));
    // It changes once more before the person sends the form again: they have not seen that either.
    let patch = json!([{ "op": "replace", "path": "/traits/email", "value": "duchess@example.org" }]);
    assert_eq!(Admin::new(&app).send("PATCH", &format!("/admin/identities/{id}"), &patch).await.status, 200);
    assert_eq!(spa.submit(&form, named).await.told(), [4_000_001]);
    assert_eq!(spa.traits().await, json!({ "email": "duchess@example.org", "name": {} }));
}

#[tokio::test]
async fn line_10_a_form_that_took_an_expired_ones_place_does_not_change_an_address_back_either() {
    let app = TestApp::new().await;
    let ada = Person::named("ada");
    let (mut spa, form) = signed_up(&app, &ada).await;
    app.wait(3601);
    let named = profile(json!({ "email": ada.email, "name": { "first": "Ada" } }));
    let new = spa.submit(&form, named.clone()).await.json()["use_flow_id"].as_str().unwrap().to_owned();
    let form = Form::of(&spa.flow("settings", &new).await);
    let id = spa.get("/sessions/whoami").await.json()["identity"]["id"].as_str().unwrap().to_owned();
    let patch = json!([{ "op": "replace", "path": "/traits/email", "value": "countess@example.org" }]);
    assert_eq!(Admin::new(&app).send("PATCH", &format!("/admin/identities/{id}"), &patch).await.status, 200);
    assert_eq!(spa.submit(&form, named).await.told(), [4_000_001]);
    assert_eq!(spa.traits().await["email"], "countess@example.org");
}

#[tokio::test]
async fn line_10_what_was_not_typed_keeps_what_somebody_else_made_of_it() {
    let app = TestApp::new().await;
    let ada = Person::named("ada");
    let (mut spa, first) = signed_up(&app, &ada).await;
    let second = spa.open("settings").await;
    let named = profile(json!({ "email": ada.email, "name": { "first": "Ada" } }));
    assert_eq!(spa.submit(&first, named).await.status, 200);
    // This form knows of no first name yet.
    let answer = spa.submit(&second, profile(json!({ "email": "countess@example.org", "name": { "last": "King" } }))).await;
    assert_eq!(answer.status, 200);
    let all = json!({ "email": "countess@example.org", "name": { "first": "Ada", "last": "King" } });
    assert_eq!((&answer.json()["identity"]["traits"], spa.traits().await), (&all, all.clone()));
    // What is typed counts, and so does what is emptied.
    let emptied = profile(json!({ "email": "countess@example.org", "name": { "first": "Augusta" } }));
    assert_eq!(spa.submit(&second, emptied).await.status, 200);
    assert_eq!(spa.traits().await, json!({ "email": "countess@example.org", "name": { "first": "Augusta" } }));
}

#[tokio::test]
async fn line_10_what_waits_does_not_undo_a_newer_change_of_credentials() {
    let app = TestApp::with(stale()).await;
    let ada = Person::named("ada");
    let (mut spa, first) = signed_up(&app, &ada).await;
    let second = spa.open("settings").await;
    app.wait(120);
    assert_eq!(spa.submit(&first, password(NEW)).await.status, 403);
    spa.refresh(&ada).await;
    assert_eq!(spa.submit(&second, password(NEWER)).await.status, 200);
    let late = spa.finish(&first).await;
    assert_eq!((late.status, late.told()), (400, vec![4_000_001]));
    assert_eq!(good(&app, &ada, &[&ada.password, NEW, NEWER]).await, [NEWER]);
}
