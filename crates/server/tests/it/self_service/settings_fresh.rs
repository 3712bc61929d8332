//! Changes that take a fresh sign-in: what waits, who may finish it, and how often. The numbers are the lines of the
//! acceptance list of settings.

use serde_json::{Value, json};

use crate::support::{Admin, Browser, Form, Native, Person, Spa, TestApp, together};

const NEW: &str = "heron-Qx7-58-lantern";
const NEWER: &str = "badger-Vy2-33-compass";

/// An application where a sign-in is fresh for a minute.
async fn app() -> TestApp {
    TestApp::with(json!({ "selfservice": { "flows": { "settings": { "privileged_session_max_age": "1m" } } } })).await
}

fn password(new: &str) -> Value {
    json!({ "method": "password", "password": new })
}

/// Which of the passwords are good for a sign-in.
async fn good<'p>(app: &TestApp, who: &Person, passwords: &[&'p str]) -> Vec<&'p str> {
    let mut good = Vec::new();
    for password in passwords {
        let answer = Native::new(app).try_sign_in(&who.with_password(password)).await;
        match answer.status {
            200 => good.push(*password),
            400 => assert_eq!(answer.told(), [4_000_006]),
            _ => panic!("{answer:?}"),
        }
    }
    good
}

/// Somebody in a browser who sent a new password too late, and the form that they sent.
async fn parked_by_script<'a>(app: &'a TestApp, who: &Person) -> (Spa<'a>, Form) {
    let mut spa = Spa::new(app);
    spa.sign_up(who).await;
    let form = spa.open("settings").await;
    app.wait(120);
    let answer = spa.submit(&form, password(NEW)).await;
    assert_eq!((answer.status, answer.error_id().as_deref()), (403, Some("session_refresh_required")));
    (spa, form)
}

/// The same with an app.
async fn parked_by_app<'a>(app: &'a TestApp, who: &Person) -> (Native<'a>, Form) {
    let mut native = Native::new(app);
    native.sign_up(who).await;
    let form = native.open("settings").await;
    app.wait(120);
    let answer = native.submit(&form, password(NEW)).await;
    assert_eq!((answer.status, answer.error_id().as_deref()), (403, Some("session_refresh_required")));
    (native, form)
}

#[tokio::test]
async fn line_01_a_form_is_finished_after_a_fresh_sign_in_without_typing_it_again() {
    let app = app().await;
    let ada = Person::named("ada");
    let mut browser = Browser::new(&app);
    browser.sign_up(&ada).await;
    let form = browser.open("settings").await;
    app.wait(120);
    let sent = browser.submit(&form, &[("method", "password"), ("password", NEW)]).await;
    assert_eq!(sent.status, 303);
    assert!(sent.location().starts_with("http://127.0.0.1:4433/self-service/login/browser?refresh=true&return_to="));
    assert_eq!(good(&app, &ada, &[&ada.password, NEW]).await, [&ada.password], "nothing is applied before");
    let back = browser.sign_in_at(&sent, &ada).await;
    assert_eq!(back.location(), form.action, "login leads back to the submit");
    let finished = browser.get(back.location()).await;
    assert_eq!((finished.status, finished.parameter("flow")), (303, Some(form.id.clone())));
    let flow = browser.flow("settings", &form.id).await;
    assert_eq!((flow.state(), flow.told()), ("success".to_owned(), vec![1_050_001]));
    assert_eq!(good(&app, &ada, &[&ada.password, NEW]).await, [NEW]);
}

#[tokio::test]
async fn line_01_what_cannot_be_finished_comes_back_as_it_was_typed() {
    let app = app().await;
    let (ada, grace) = (Person::named("ada"), Person::named("grace"));
    let mut browser = Browser::new(&app);
    browser.sign_up(&ada).await;
    let form = browser.open("settings").await;
    app.wait(120);
    let typed = [("method", "profile"), ("traits.email", grace.email.as_str()), ("traits.name.first", "Ada")];
    let sent = browser.submit(&form, &typed).await;
    Spa::new(&app).sign_up(&grace).await;
    let back = browser.sign_in_at(&sent, &ada).await;
    assert_eq!(browser.get(back.location()).await.parameter("flow"), Some(form.id.clone()));
    let flow = browser.flow("settings", &form.id).await;
    assert_eq!((flow.state(), flow.told()), ("show_form".to_owned(), vec![4_000_007]));
    assert_eq!(flow.field("traits.email"), Some(json!(grace.email)));
    assert_eq!(flow.field("traits.name.first"), Some(json!("Ada")));
    assert_eq!(flow.field("password").unwrap_or_default(), Value::Null);
    assert_eq!(browser.script().traits().await, json!({ "email": ada.email, "name": {} }), "and nothing was applied");
}

#[tokio::test]
async fn line_02_a_script_finishes_by_an_empty_post_by_get_or_by_sending_it_again() {
    for way in ["post", "get", "again"] {
        let app = app().await;
        let ada = Person::named("ada");
        let (mut spa, form) = parked_by_script(&app, &ada).await;
        spa.refresh(&ada).await;
        let finished = match way {
            "post" => spa.finish(&form).await,
            "get" => spa.get(&form.action).await,
            _ => spa.submit(&form, password(NEW)).await,
        };
        assert_eq!((finished.status, finished.state(), finished.told()), (200, "success".to_owned(), vec![1_050_001]), "{way}");
        assert_eq!(good(&app, &ada, &[&ada.password, NEW]).await, [NEW], "{way}");
    }
}

#[tokio::test]
async fn line_02_an_app_finishes_by_an_empty_post_by_get_or_by_sending_it_again() {
    for way in ["post", "get", "again"] {
        let app = app().await;
        let ada = Person::named("ada");
        let (native, form) = parked_by_app(&app, &ada).await;
        let refreshed = native.refresh(&ada).await;
        assert_eq!(refreshed.json()["session_token"].as_str(), native.token.as_deref(), "the session stays");
        let finished = match way {
            "post" => native.finish(&form).await,
            "get" => native.get(&form.action).await,
            _ => native.submit(&form, password(NEW)).await,
        };
        assert_eq!((finished.status, finished.state(), finished.cookies()), (200, "success".to_owned(), vec![]), "{way}");
        assert_eq!(good(&app, &ada, &[&ada.password, NEW]).await, [NEW], "{way}");
    }
}

#[tokio::test]
async fn line_03_a_new_sign_in_in_the_same_browser_serves_as_well() {
    let app = app().await;
    let ada = Person::named("ada");
    let (spa, form) = parked_by_script(&app, &ada).await;
    let mut browser = spa.browser();
    browser.jar.forget("ory_kratos_session");
    browser.sign_in(&ada).await;
    assert_eq!(browser.get(&form.action).await.parameter("flow"), Some(form.id.clone()));
    assert_eq!(browser.flow("settings", &form.id).await.state(), "success");
    assert_eq!(good(&app, &ada, &[&ada.password, NEW]).await, [NEW]);
}

#[tokio::test]
async fn line_04_coming_back_too_early_leaves_it_waiting() {
    let app = app().await;
    let ada = Person::named("ada");
    let (spa, form) = parked_by_script(&app, &ada).await;
    let mut browser = spa.browser();
    for _ in 0..3 {
        let early = browser.get(&form.action).await;
        assert!(early.location().contains("/self-service/login/browser?refresh=true"), "{early:?}");
    }
    browser.sign_in_at(&browser.clone().get(&form.action).await, &ada).await;
    assert_eq!(browser.get(&form.action).await.parameter("flow"), Some(form.id.clone()));
    assert_eq!(good(&app, &ada, &[&ada.password, NEW]).await, [NEW]);
}

#[tokio::test]
async fn line_07_of_two_submits_that_came_too_late_the_newer_one_waits() {
    let app = app().await;
    let ada = Person::named("ada");
    let (mut spa, form) = parked_by_script(&app, &ada).await;
    assert_eq!(spa.submit(&form, password(NEWER)).await.status, 403);
    spa.refresh(&ada).await;
    assert_eq!(spa.finish(&form).await.status, 200);
    assert_eq!(good(&app, &ada, &[&ada.password, NEW, NEWER]).await, [NEWER]);
}

#[tokio::test]
async fn line_07_the_newest_submit_counts() {
    let app = app().await;
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

/// Somebody whose change waits is fresh again; somebody else comes by.
async fn not_for(app: &TestApp, who: &Person, answer: &crate::support::Answer, status: u16) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(good(app, who, &[&who.password, NEW]).await, [&who.password], "applied by a stranger: {answer:?}");
}

#[tokio::test]
async fn line_08_another_browser_of_the_same_person_does_not_finish_it() {
    let app = app().await;
    let ada = Person::named("ada");
    let (mut spa, form) = parked_by_script(&app, &ada).await;
    let mut other = Spa::new(&app);
    other.sign_in(&ada).await;
    for answer in [other.finish(&form).await, other.get(&form.action).await] {
        not_for(&app, &ada, &answer, 400).await;
        assert_eq!(answer.told(), [4_000_001]);
    }
    let page = other.browser().get(&form.action).await;
    not_for(&app, &ada, &page, 303).await;
    spa.refresh(&ada).await;
    assert_eq!(spa.finish(&form).await.status, 200, "it still waits for whoever parked it");
}

#[tokio::test]
async fn line_08_another_session_of_the_same_person_does_not_finish_what_an_app_parked() {
    let app = app().await;
    let ada = Person::named("ada");
    let (native, form) = parked_by_app(&app, &ada).await;
    let mut other = Native::new(&app);
    other.sign_in(&ada).await;
    for answer in [other.finish(&form).await, other.get(&form.action).await] {
        not_for(&app, &ada, &answer, 400).await;
    }
    // Nobody lures the owner's browser into applying a change that a stranger's app parked.
    let mut browser = Browser::new(&app);
    browser.sign_in(&ada).await;
    let lured = browser.get(&form.action).await;
    not_for(&app, &ada, &lured, 400).await;
    native.refresh(&ada).await;
    assert_eq!(native.finish(&form).await.status, 200, "it still waits for whoever parked it");
}

#[tokio::test]
async fn line_08_another_person_in_the_same_browser_does_not_finish_it() {
    let app = app().await;
    let (ada, grace) = (Person::named("ada"), Person::named("grace"));
    Native::new(&app).sign_up(&grace).await;
    let (mut spa, form) = parked_by_script(&app, &ada).await;
    spa.jar.forget("ory_kratos_session");
    spa.sign_in(&grace).await;
    let answer = spa.finish(&form).await;
    not_for(&app, &ada, &answer, 403).await;
    assert_eq!(answer.error_id().as_deref(), Some("security_identity_mismatch"));
    assert_eq!(good(&app, &grace, &[NEW]).await, [""; 0]);
}

#[tokio::test]
async fn line_08_it_waits_for_fifteen_minutes() {
    for (seconds, finished) in [(12 * 60, 200), (16 * 60, 400)] {
        let app = app().await;
        let ada = Person::named("ada");
        let (mut spa, form) = parked_by_script(&app, &ada).await;
        let (native, native_form) = parked_by_app(&app, &Person::named("grace")).await;
        app.wait(seconds);
        spa.refresh(&ada).await;
        native.refresh(&Person::named("grace")).await;
        assert_eq!(spa.finish(&form).await.status, finished, "{seconds}");
        assert_eq!(native.finish(&native_form).await.status, finished, "{seconds}");
        assert_eq!(good(&app, &ada, &[NEW]).await.len(), usize::from(finished == 200));
    }
}

#[tokio::test]
async fn line_08_logout_drops_it() {
    let app = app().await;
    let ada = Person::named("ada");
    let (mut spa, form) = parked_by_script(&app, &ada).await;
    spa.sign_out().await;
    spa.sign_in(&ada).await;
    not_for(&app, &ada, &spa.finish(&form).await, 400).await;
    let grace = Person::named("grace");
    let (mut native, form) = parked_by_app(&app, &grace).await;
    let token = native.token.take().unwrap();
    assert_eq!(native.delete("/self-service/logout/api", &json!({ "session_token": token })).await.status, 204);
    native.sign_in(&grace).await;
    not_for(&app, &grace, &native.finish(&form).await, 400).await;
}

#[tokio::test]
async fn line_08_a_new_flow_drops_it() {
    let app = app().await;
    let (ada, grace) = (Person::named("ada"), Person::named("grace"));
    let (mut spa, form) = parked_by_script(&app, &ada).await;
    spa.open("settings").await;
    spa.refresh(&ada).await;
    not_for(&app, &ada, &spa.finish(&form).await, 400).await;
    let (native, form) = parked_by_app(&app, &grace).await;
    native.open("settings").await;
    native.refresh(&grace).await;
    not_for(&app, &grace, &native.finish(&form).await, 400).await;
}

#[tokio::test]
async fn line_08_a_session_that_was_ended_finishes_nothing() {
    let app = app().await;
    let ada = Person::named("ada");
    let (mut spa, form) = parked_by_script(&app, &ada).await;
    let identity = spa.get("/sessions/whoami").await.json()["identity"]["id"].as_str().unwrap().to_owned();
    spa.refresh(&ada).await;
    let gone = Admin::new(&app).send("DELETE", &format!("/admin/identities/{identity}/sessions"), &json!({})).await;
    assert_eq!(gone.status, 204);
    not_for(&app, &ada, &spa.finish(&form).await, 401).await;
}

#[tokio::test]
async fn line_08_it_is_taken_once() {
    let app = app().await;
    let ada = Person::named("ada");
    let (mut spa, form) = parked_by_script(&app, &ada).await;
    spa.refresh(&ada).await;
    assert_eq!(spa.finish(&form).await.status, 200);
    for again in [spa.finish(&form).await, spa.get(&form.action).await] {
        assert_eq!((again.status, again.told()), (400, vec![4_000_001]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn line_08_it_is_taken_once_by_64_requests_at_the_same_moment() {
    let app = app().await;
    let ada = Person::named("ada");
    let (mut spa, form) = parked_by_script(&app, &ada).await;
    spa.refresh(&ada).await;
    let answers = together(64, |number| {
        let (mut spa, form) = (spa.clone(), form.clone());
        async move { if number % 2 == 0 { spa.finish(&form).await } else { spa.get(&form.action).await } }
    });
    let finished = answers.iter().filter(|a| a.status == 200).count();
    assert_eq!(finished, 1, "{:?}", answers.iter().map(|a| a.status).collect::<Vec<_>>());
    for answer in answers.iter().filter(|a| a.status != 200) {
        assert_eq!((answer.status, answer.told()), (400, vec![4_000_001]), "{answer:?}");
    }
    assert_eq!(good(&app, &ada, &[&ada.password, NEW]).await, [NEW]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn line_08_an_app_takes_it_once_by_64_requests_at_the_same_moment() {
    let app = app().await;
    let ada = Person::named("ada");
    let (native, form) = parked_by_app(&app, &ada).await;
    native.refresh(&ada).await;
    let answers = together(64, |_| native.finish(&form));
    assert_eq!(answers.iter().filter(|a| a.status == 200).count(), 1);
    assert!(answers.iter().all(|a| a.status == 200 || a.told() == [4_000_001]), "{answers:?}");
}

#[tokio::test]
async fn line_17_asking_always_asks_every_method_and_lets_it_through_after_a_sign_in() {
    let app = TestApp::with(json!({ "selfservice": { "flows": { "settings": { "privileged_session_max_age": "0s" } } } })).await;
    let ada = Person::named("ada");
    let mut spa = Spa::new(&app);
    spa.sign_up(&ada).await;
    let form = spa.open("settings").await;
    let moved = json!({ "method": "profile", "traits": { "email": "countess@example.org" } });
    for fields in [password(NEW), moved.clone()] {
        let asked = spa.submit(&form, fields.clone()).await;
        assert_eq!((asked.status, asked.error_id().as_deref()), (403, Some("session_refresh_required")), "{fields}");
    }
    assert_eq!(spa.finish(&form).await.status, 403, "no sign-in since");
    app.wait(1);
    spa.refresh(&ada).await;
    app.wait(1);
    assert_eq!(spa.finish(&form).await.status, 200);
    assert_eq!(spa.traits().await["email"], "countess@example.org");
    assert_eq!(spa.submit(&form, password(NEW)).await.status, 403, "and asks again for the next change");
}
