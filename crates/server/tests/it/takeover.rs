//! A change that waits for a fresh sign-in is nobody's but theirs who asked for it: what strangers try, and what is left to
//! them of old cookies, sessions and ids.

use portcullis_core::crypto::tokens::SessionCookie;
use portcullis_model::session::Aal;
use portcullis_store::{Changes, identities, parked, sessions};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Admin, Answer, Browser, Form, Native, Person, Spa, TestApp};

/// What waits.
const NEW: &str = "heron-Qx7-58-lantern";
/// What somebody else sets meanwhile.
const OTHER: &str = "badger-Vy2-33-compass";

async fn app() -> TestApp {
    TestApp::with(json!({ "selfservice": { "flows": { "settings": { "privileged_session_max_age": "1m" } } } })).await
}

fn ada() -> Person {
    Person::named("ada")
}

/// Ada's browser, in which a new password waits.
async fn in_a_browser(app: &TestApp) -> (Spa<'_>, Form) {
    let mut spa = Spa::new(app);
    spa.sign_up(&ada()).await;
    let form = spa.open("settings").await;
    app.wait(120);
    let asked = spa.submit(&form, json!({ "method": "password", "password": NEW })).await;
    assert_eq!(asked.error_id().as_deref(), Some("session_refresh_required"), "{asked:?}");
    (spa, form)
}

/// Ada's app, in which a new password waits.
async fn in_an_app(app: &TestApp) -> (Native<'_>, Form) {
    let mut native = Native::new(app);
    native.sign_up(&ada()).await;
    let form = native.open("settings").await;
    app.wait(120);
    let asked = native.submit(&form, json!({ "method": "password", "password": NEW })).await;
    assert_eq!(asked.error_id().as_deref(), Some("session_refresh_required"), "{asked:?}");
    (native, form)
}

/// Every way to finish what waits, by pages and by scripts.
async fn try_everything(spa: &Spa<'_>, form: &Form) -> Vec<Answer> {
    let (mut script, mut browser) = (spa.clone(), spa.browser());
    vec![
        browser.get(&form.action).await,
        browser.post(&form.action, &[]).await,
        browser.post(&form.action, &[("csrf_token", &form.csrf)]).await,
        script.get(&form.action).await,
        script.finish(form).await,
        script.post(&form.action, &json!({})).await,
        script.submit(form, json!({})).await,
    ]
}

async fn works(app: &TestApp, who: &Person, password: &str) -> bool {
    Native::new(app).try_sign_in(&who.with_password(password)).await.status == 200
}

/// None of the answers is a success, and the account is as it was.
async fn nothing_came_of(app: &TestApp, answers: &[Answer], present: &str) {
    for answer in answers {
        assert!(answer.status == 302 || answer.status == 303 || answer.status >= 400, "{answer:?}");
    }
    assert!(works(app, &ada(), present).await, "the password is not as it was: {answers:?}");
    assert!(!works(app, &ada(), NEW).await, "the change was applied: {answers:?}");
}

/// Whether something waits in a flow.
async fn waits(app: &TestApp, form: &Form) -> bool {
    parked::get(&app.app.store, Uuid::parse_str(&form.id).unwrap()).await.unwrap().is_some()
}

async fn id_of(app: &TestApp, who: &Person) -> String {
    let mut native = Native::new(app);
    let answer = native.sign_in(who).await;
    answer.json()["session"]["identity"]["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn another_session_of_the_same_person_with_the_flows_id() {
    let app = app().await;
    let (mut spa, form) = in_a_browser(&app).await;
    let mut elsewhere = Spa::new(&app);
    elsewhere.sign_in(&ada()).await;
    nothing_came_of(&app, &try_everything(&elsewhere, &form).await, &ada().password).await;
    // The id of the flow in a form of one's own, and the other way round.
    let own = elsewhere.open("settings").await;
    let mixed = Form { csrf: own.csrf.clone(), ..form.clone() };
    nothing_came_of(&app, &try_everything(&elsewhere, &mixed).await, &ada().password).await;
    let mut native = Native::new(&app);
    native.sign_in(&ada()).await;
    nothing_came_of(&app, &[native.get(&form.action).await, native.finish(&form).await], &ada().password).await;
    assert!(waits(&app, &form).await, "and it was not taken away either");
    spa.refresh(&ada()).await;
    assert_eq!(spa.finish(&form).await.status, 200, "it still waits for whoever asked");
}

#[tokio::test]
async fn another_person_with_the_flows_id_and_with_the_cookie() {
    let app = app().await;
    let grace = Person::named("grace");
    Native::new(&app).sign_up(&grace).await;
    let (spa, form) = in_a_browser(&app).await;
    let mut stranger = Spa::new(&app);
    stranger.sign_in(&grace).await;
    nothing_came_of(&app, &try_everything(&stranger, &form).await, &ada().password).await;
    stranger.set_cookie("ory_kratos_continuity", spa.cookie("ory_kratos_continuity").unwrap());
    let answers = try_everything(&stranger, &form).await;
    nothing_came_of(&app, &answers, &ada().password).await;
    assert!(answers.iter().all(|a| a.status == 303 || a.error_id().as_deref() == Some("security_identity_mismatch")));
    assert!(!works(&app, &grace, NEW).await);
    // Nor in the same browser, after Ada.
    let mut same = spa.clone();
    same.jar.forget("ory_kratos_session");
    same.sign_in(&grace).await;
    nothing_came_of(&app, &try_everything(&same, &form).await, &ada().password).await;
    assert!(!works(&app, &grace, NEW).await);
}

#[tokio::test]
async fn the_cookie_without_a_session() {
    let app = app().await;
    let (spa, form) = in_a_browser(&app).await;
    let mut thief = Spa::new(&app);
    thief.set_cookie("ory_kratos_continuity", spa.cookie("ory_kratos_continuity").unwrap());
    let answers = try_everything(&thief, &form).await;
    nothing_came_of(&app, &answers, &ada().password).await;
    assert!(answers.iter().all(|a| a.status == 302 || a.error_id().as_deref() == Some("session_inactive")), "{answers:?}");
}

#[tokio::test]
async fn the_cookie_once_more_after_it_was_used() {
    let app = app().await;
    let (mut spa, form) = in_a_browser(&app).await;
    let kept = spa.clone();
    spa.refresh(&ada()).await;
    assert_eq!(spa.finish(&form).await.status, 200);
    // Ada thinks better of it; the old cookie does not bring it back.
    let again = json!({ "method": "password", "password": OTHER });
    assert_eq!(spa.submit(&form, again).await.status, 200);
    nothing_came_of(&app, &try_everything(&kept, &form).await, OTHER).await;
    nothing_came_of(&app, &try_everything(&spa, &form).await, OTHER).await;
}

#[tokio::test]
async fn the_cookie_in_another_flow() {
    let app = app().await;
    let mut spa = Spa::new(&app);
    spa.sign_up(&ada()).await;
    let (form, other) = (spa.open("settings").await, spa.open("settings").await);
    app.wait(120);
    assert_eq!(spa.submit(&form, json!({ "method": "password", "password": NEW })).await.status, 403);
    spa.refresh(&ada()).await;
    nothing_came_of(&app, &try_everything(&spa, &other).await, &ada().password).await;
}

#[tokio::test]
async fn an_older_sign_in() {
    let app = app().await;
    let mut older = Spa::new(&app);
    older.sign_up(&ada()).await;
    app.wait(30);
    let mut spa = Spa::new(&app);
    spa.sign_in(&ada()).await;
    let form = spa.open("settings").await;
    app.wait(120);
    assert_eq!(spa.submit(&form, json!({ "method": "password", "password": NEW })).await.status, 403);
    // The same session without a sign-in since, and an older one of the same person in this browser.
    nothing_came_of(&app, &try_everything(&spa, &form).await, &ada().password).await;
    let mut with_older = spa.clone();
    with_older.set_cookie("ory_kratos_session", older.cookie("ory_kratos_session").unwrap());
    let answers = try_everything(&with_older, &form).await;
    nothing_came_of(&app, &answers, &ada().password).await;
    assert!(
        answers.iter().all(|a| a.status == 303 || a.error_id().as_deref() == Some("session_refresh_required")),
        "{answers:?}"
    );
    assert!(waits(&app, &form).await);
}

/// Changes the session of a browser beside the server.
async fn set_level(app: &TestApp, spa: &mut Spa<'_>, aal: Aal) {
    let id = spa.get("/sessions/whoami").await.json()["id"].as_str().unwrap().to_owned();
    let (mut session, _) = sessions::get(&app.app.store, Uuid::parse_str(&id).unwrap()).await.unwrap().unwrap();
    session.aal = aal;
    let mut changes = Changes::new();
    sessions::update(&mut changes, &session);
    app.app.store.commit(changes).await.unwrap();
}

#[tokio::test]
async fn a_session_of_a_lower_level() {
    let app = app().await;
    let mut spa = Spa::new(&app);
    spa.sign_up(&ada()).await;
    set_level(&app, &mut spa, Aal::Aal2).await;
    let form = spa.open("settings").await;
    app.wait(120);
    assert_eq!(spa.submit(&form, json!({ "method": "password", "password": NEW })).await.status, 403);
    // Signed in again, but with a password alone, in a session of its own.
    let mut lower = spa.clone();
    lower.jar.forget("ory_kratos_session");
    lower.sign_in(&ada()).await;
    let answers = try_everything(&lower, &form).await;
    nothing_came_of(&app, &answers, &ada().password).await;
    for answer in answers {
        match answer.status {
            303 => assert!(answer.location().contains("/self-service/login/browser?aal=aal2"), "{answer:?}"),
            _ => assert_eq!(answer.error_id().as_deref(), Some("session_aal2_required")),
        }
    }
    set_level(&app, &mut lower, Aal::Aal2).await;
    assert_eq!(lower.finish(&form).await.status, 200, "with the second factor it goes through");
}

#[tokio::test]
async fn a_page_that_lures_the_owner_to_a_strangers_change() {
    let app = app().await;
    // A stranger found Ada's browser open, took its session along, and has a change wait in a browser of their own.
    let mut owner = Spa::new(&app);
    owner.sign_up(&ada()).await;
    let mut stranger = Spa::new(&app);
    stranger.set_cookie("ory_kratos_session", owner.cookie("ory_kratos_session").unwrap());
    let form = stranger.open("settings").await;
    app.wait(120);
    assert_eq!(stranger.submit(&form, json!({ "method": "password", "password": NEW })).await.status, 403);
    // Ada signs in again and follows a link, or a page sends her there, with or without a body.
    owner.jar.forget("ory_kratos_session");
    owner.sign_in(&ada()).await;
    nothing_came_of(&app, &try_everything(&owner, &form).await, &ada().password).await;
    // A change of her own waits, too: her cookie is not the stranger's.
    let own = owner.open("settings").await;
    app.wait(120);
    assert_eq!(owner.submit(&own, json!({ "method": "password", "password": OTHER })).await.status, 403);
    owner.refresh(&ada()).await;
    nothing_came_of(&app, &try_everything(&owner, &form).await, &ada().password).await;
    // What a foreign page asks for without any cookies leads to the sign-in.
    let mut bare = Browser::new(&app);
    assert_eq!(bare.get(&form.action).await.status, 302);
    assert_eq!(bare.post(&form.action, &[]).await.status, 302);
    assert_eq!(owner.finish(&own).await.status, 200);
    assert!(works(&app, &ada(), OTHER).await);
}

#[tokio::test]
async fn a_page_does_not_finish_what_an_app_asked_for_even_in_the_same_session() {
    let app = app().await;
    let mut spa = Spa::new(&app);
    spa.sign_up(&ada()).await;
    let cookie = SessionCookie::open(&app.app.snapshot.load().keys, spa.cookie("ory_kratos_session").unwrap()).unwrap();
    let mut native = Native::new(&app);
    native.token = Some(cookie.token.expose().to_owned());
    let form = native.open("settings").await;
    app.wait(120);
    assert_eq!(native.submit(&form, json!({ "method": "password", "password": NEW })).await.status, 403);
    spa.refresh(&ada()).await;
    let answers = try_everything(&spa, &form).await;
    nothing_came_of(&app, &answers, &ada().password).await;
    let mut fresh = Browser::new(&app);
    fresh.sign_in(&ada()).await;
    nothing_came_of(&app, &[fresh.get(&form.action).await], &ada().password).await;
    assert!(waits(&app, &form).await);
    assert_eq!(native.finish(&form).await.status, 200, "the app does");
}

#[tokio::test]
async fn a_token_of_another_session() {
    let app = app().await;
    let (native, form) = in_an_app(&app).await;
    let mut other = Native::new(&app);
    other.sign_in(&ada()).await;
    let answers = [other.get(&form.action).await, other.finish(&form).await, other.submit(&form, json!({})).await];
    nothing_came_of(&app, &answers, &ada().password).await;
    native.refresh(&ada()).await;
    assert_eq!(native.finish(&form).await.status, 200);
}

#[tokio::test]
async fn after_a_logout() {
    let app = app().await;
    let (mut spa, form) = in_a_browser(&app).await;
    let kept = spa.clone();
    spa.sign_out().await;
    assert!(!waits(&app, &form).await);
    let mut back = kept.clone();
    back.jar.forget("ory_kratos_session");
    back.sign_in(&ada()).await;
    nothing_came_of(&app, &try_everything(&back, &form).await, &ada().password).await;
    nothing_came_of(&app, &try_everything(&kept, &form).await, &ada().password).await;
}

#[tokio::test]
async fn after_a_logout_of_an_app() {
    let app = app().await;
    let (mut native, form) = in_an_app(&app).await;
    let token = native.token.clone().unwrap();
    assert_eq!(native.delete("/self-service/logout/api", &json!({ "session_token": token })).await.status, 204);
    assert!(!waits(&app, &form).await);
    nothing_came_of(&app, &[native.finish(&form).await], &ada().password).await;
    native.sign_in(&ada()).await;
    nothing_came_of(&app, &[native.finish(&form).await, native.get(&form.action).await], &ada().password).await;
}

/// Sets another password, or address, as somebody else.
async fn change_elsewhere(app: &TestApp, by: &str) {
    let id = id_of(app, &ada()).await;
    let one = format!("/admin/identities/{id}");
    match by {
        "another browser" => {
            let mut other = Spa::new(app);
            other.sign_in(&ada()).await;
            let form = other.open("settings").await;
            let answer = other.submit(&form, json!({ "method": "password", "password": OTHER })).await;
            assert_eq!(answer.status, 200);
        }
        "an app" => {
            let mut other = Native::new(app);
            other.sign_in(&ada()).await;
            let form = other.open("settings").await;
            let answer = other.submit(&form, json!({ "method": "password", "password": OTHER })).await;
            assert_eq!(answer.status, 200);
        }
        _ => {
            let body = json!({
                "schema_id": "default", "traits": { "email": ada().email }, "state": "active",
                "credentials": { "password": { "config": { "password": OTHER } } },
            });
            assert_eq!(Admin::new(app).send("PUT", &one, &body).await.status, 200);
        }
    }
    assert!(works(app, &ada(), OTHER).await);
}

#[tokio::test]
async fn after_somebody_else_changed_the_password() {
    for by in ["another browser", "an app", "an operator"] {
        let app = app().await;
        let (mut spa, form) = in_a_browser(&app).await;
        change_elsewhere(&app, by).await;
        spa.refresh(&ada().with_password(OTHER)).await;
        let first = spa.clone().finish(&form).await;
        assert_eq!((first.status, first.told()), (400, vec![4_000_001]), "{by}");
        assert!(!waits(&app, &form).await, "{by}: it is over");
        nothing_came_of(&app, &try_everything(&spa, &form).await, OTHER).await;
    }
    let app = app().await;
    let (native, form) = in_an_app(&app).await;
    change_elsewhere(&app, "another browser").await;
    native.refresh(&ada().with_password(OTHER)).await;
    nothing_came_of(&app, &[native.finish(&form).await, native.get(&form.action).await], OTHER).await;
}

#[tokio::test]
async fn a_waiting_address_after_somebody_else_changed_the_password() {
    let app = app().await;
    let mut spa = Spa::new(&app);
    spa.sign_up(&ada()).await;
    let form = spa.open("settings").await;
    app.wait(120);
    let moved = json!({ "method": "profile", "traits": { "email": "eve@example.org", "name": { "first": "Eve" } } });
    assert_eq!(spa.submit(&form, moved).await.status, 403);
    change_elsewhere(&app, "another browser").await;
    spa.refresh(&ada().with_password(OTHER)).await;
    let answer = spa.finish(&form).await;
    assert_eq!((answer.status, answer.told()), (400, vec![4_000_001]));
    assert_eq!(answer.field("traits.email"), Some(json!("eve@example.org")), "what was typed is there");
    assert_eq!(spa.traits().await, json!({ "email": ada().email, "name": {} }));
    nothing_came_of(&app, &try_everything(&spa, &form).await, OTHER).await;
    assert_eq!(spa.traits().await["email"], Value::from(ada().email));
}

#[tokio::test]
async fn after_the_session_was_ended_or_the_account_switched_off() {
    for end in ["sessions", "state", "identity"] {
        let app = app().await;
        let (mut spa, form) = in_a_browser(&app).await;
        let id = id_of(&app, &ada()).await;
        spa.refresh(&ada()).await;
        let admin = Admin::new(&app);
        let one = format!("/admin/identities/{id}");
        match end {
            "sessions" => assert_eq!(admin.send("DELETE", &format!("{one}/sessions"), &json!({})).await.status, 204),
            "state" => {
                let off = json!([{ "op": "replace", "path": "/state", "value": "inactive" }]);
                assert_eq!(admin.send("PATCH", &one, &off).await.status, 200);
            }
            _ => assert_eq!(admin.send("DELETE", &one, &json!({})).await.status, 204),
        }
        for answer in try_everything(&spa, &form).await {
            assert!(answer.status == 302 || answer.error_id().as_deref() == Some("session_inactive"), "{end}: {answer:?}");
        }
        let id = Uuid::parse_str(&id).unwrap();
        let left = identities::get_with_credentials(&app.app.store, id).await.unwrap();
        assert_eq!(left.is_none(), end == "identity");
        assert_eq!(waits(&app, &form).await, end != "identity", "{end}");
        if end == "sessions" {
            assert!(works(&app, &ada(), &ada().password).await && !works(&app, &ada(), NEW).await);
        }
    }
}
