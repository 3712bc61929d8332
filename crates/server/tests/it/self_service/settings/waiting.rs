//! What waits is finished once, by who parked it: line 8 of the acceptance list of settings.

use serde_json::json;

use super::{NEW, good, parked_by_app, parked_by_script, stale};
use crate::support::{Admin, Answer, Browser, Native, Person, Spa, TestApp, together};

/// Somebody whose change waits is fresh again; somebody else comes by.
async fn not_for(app: &TestApp, who: &Person, answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(good(app, who, &[&who.password, NEW]).await, [&who.password], "applied by a stranger: {answer:?}");
}

#[tokio::test]
async fn line_08_another_browser_of_the_same_person_does_not_finish_it() {
    let app = TestApp::with(stale()).await;
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
    let app = TestApp::with(stale()).await;
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
    let app = TestApp::with(stale()).await;
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
        let app = TestApp::with(stale()).await;
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
    let app = TestApp::with(stale()).await;
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
    let app = TestApp::with(stale()).await;
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
    let app = TestApp::with(stale()).await;
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
    let app = TestApp::with(stale()).await;
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
    let app = TestApp::with(stale()).await;
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
    let app = TestApp::with(stale()).await;
    let ada = Person::named("ada");
    let (native, form) = parked_by_app(&app, &ada).await;
    native.refresh(&ada).await;
    let answers = together(64, |_| native.finish(&form));
    assert_eq!(answers.iter().filter(|a| a.status == 200).count(), 1);
    assert!(answers.iter().all(|a| a.status == 200 || a.told() == [4_000_001]), "{answers:?}");
}
