//! Settings and second factors: forms that lack one, and how strong a fresh sign-in must be. The numbers are the lines of
//! the acceptance list of settings.

use serde_json::{Value, json};

use crate::support::{Answer, Authenticator, Browser, Form, Native, Person, Spa, TestApp, backup_codes, listed, second_factors};

const NEW: &str = "heron-Qx7-58-lantern";

/// An application with second factors where a sign-in is fresh for ten minutes.
async fn app() -> TestApp {
    let mut config = second_factors();
    config["selfservice"]["flows"]["settings"]["privileged_session_max_age"] = json!("10m");
    TestApp::with(config).await
}

fn password(new: &str) -> Value {
    json!({ "method": "password", "password": new })
}

fn name(who: &Person, first: &str) -> Value {
    json!({ "method": "profile", "traits": { "email": who.email, "name": { "first": first } } })
}

fn refused(answer: &Answer) -> (u16, Option<String>) {
    (answer.status, answer.error_id())
}

/// Somebody signed in with one factor in a browser of its own whose form was opened before the account got a second one.
async fn overtaken<'a>(app: &'a TestApp, who: &Person) -> (Spa<'a>, Form, Authenticator) {
    let mut enroller = Spa::new(app);
    enroller.sign_up(who).await;
    let mut spa = Spa::new(app);
    spa.sign_in(who).await;
    let form = spa.open("settings").await;
    let device = Authenticator::link(app, &mut enroller).await;
    (spa, form, device)
}

#[tokio::test]
async fn line_01_a_form_is_finished_after_the_second_factor_without_typing_it_again() {
    let app = app().await;
    let ada = Person::named("ada");
    let (spa, form, device) = overtaken(&app, &ada).await;
    let mut browser = spa.browser();
    let sent = browser.submit(&form, &[("method", "profile"), ("traits.email", &ada.email), ("traits.name.first", "Ada")]).await;
    assert_eq!((sent.status, sent.parameter("aal")), (303, Some("aal2".to_owned())));
    assert_eq!(sent.parameter("return_to"), Some(form.action.clone()));
    let page = browser.get(sent.location()).await;
    let step = browser.arrive("login", &page).await;
    let back = browser.submit(&step, &[("method", "totp"), ("totp_code", &device.code(&app, 0))]).await;
    assert_eq!(back.location(), form.action, "the second step leads back to the submit");
    let finished = browser.get(back.location()).await;
    assert_eq!((finished.status, finished.parameter("flow")), (303, Some(form.id.clone())));
    let flow = browser.flow("settings", &form.id).await;
    assert_eq!((flow.state(), flow.told()), ("success".to_owned(), vec![1_050_001]));
    assert_eq!(browser.script().traits().await["name"]["first"], "Ada");
}

#[tokio::test]
async fn line_01_what_lacks_the_second_factor_and_is_wrong_is_told_after_it() {
    let app = app().await;
    let ada = Person::named("ada");
    for (fields, told, kept) in [
        (
            json!({ "method": "profile", "traits": { "email": "nobody", "name": { "first": "Ada" } } }),
            4_000_040,
            Some(json!("Ada")),
        ),
        (password("Zq7-x"), 4_000_032, None),
    ] {
        let ada = Person::named(&format!("{}{told}", &ada.email[..3]));
        let (mut spa, form, device) = overtaken(&app, &ada).await;
        let sent = spa.submit(&form, fields).await;
        assert_eq!(refused(&sent), (403, Some("session_aal2_required".to_owned())), "nothing is told before");
        assert_eq!(device.prove(&app, &mut spa, "").await.status, 200);
        let finished = spa.finish(&form).await;
        assert_eq!((finished.status, finished.told()), (400, vec![told]));
        if let Some(kept) = kept {
            assert_eq!(finished.field("traits.name.first"), Some(kept));
        }
        assert_eq!(spa.finish(&form).await.told(), [4_000_001], "once");
    }
}

#[tokio::test]
async fn line_01_and_02_an_app_finishes_after_the_second_factor() {
    let app = app().await;
    let ada = Person::named("ada");
    let mut enroller = Spa::new(&app);
    enroller.sign_up(&ada).await;
    let mut native = Native::new(&app);
    native.sign_in(&ada).await;
    let form = native.open("settings").await;
    let device = Authenticator::link(&app, &mut enroller).await;
    let sent = native.submit(&form, password(NEW)).await;
    assert_eq!(refused(&sent), (403, Some("session_aal2_required".to_owned())));
    assert_eq!(Native::new(&app).try_sign_in(&ada.with_password(NEW)).await.status, 400, "nothing is applied before");
    let step = Form::of(&native.get("/self-service/login/api?aal=aal2").await);
    assert_eq!(native.submit(&step, json!({ "method": "totp", "totp_code": device.code(&app, 0) })).await.status, 200);
    assert_eq!(native.finish(&form).await.state(), "success");
    assert_eq!(Native::new(&app).try_sign_in(&ada.with_password(NEW)).await.status, 200);
}

#[tokio::test]
async fn line_01_strangers_park_nothing_in_somebodys_form() {
    let app = app().await;
    let ada = Person::named("ada");
    let (mut spa, form, device) = overtaken(&app, &ada).await;
    let mut forged = Spa::new(&app);
    forged.try_sign_in(&ada).await;
    let theirs = Form { csrf: Form::of(&forged.get("/self-service/login/browser?aal=aal2").await).csrf, ..form.clone() };
    for answer in [
        forged.submit(&theirs, password(NEW)).await,
        spa.submit(&Form { csrf: String::new(), ..form.clone() }, password(NEW)).await,
    ] {
        assert_eq!(refused(&answer), (403, Some("session_aal2_required".to_owned())));
    }
    assert_eq!(device.prove(&app, &mut spa, "").await.status, 200);
    assert_eq!(spa.finish(&form).await.told(), [4_000_001]);
}

#[tokio::test]
async fn line_05_an_expired_form_that_lacks_the_second_factor_keeps_what_was_typed_for_the_next_one() {
    let app = app().await;
    let ada = Person::named("ada");
    let (mut spa, form, device) = overtaken(&app, &ada).await;
    app.wait(3601);
    assert_eq!(refused(&spa.submit(&form, name(&ada, "Ada")).await).1.as_deref(), Some("session_aal2_required"));
    assert_eq!(device.prove(&app, &mut spa, "").await.status, 200);
    let sent = spa.submit(&form, name(&ada, "Ada")).await;
    let new = sent.json()["use_flow_id"].as_str().unwrap().to_owned();
    let flow = spa.flow("settings", &new).await;
    assert_eq!((flow.told(), flow.field("traits.name.first")), (vec![4_050_001], Some(json!("Ada"))));
}

#[tokio::test]
async fn line_08_what_waits_is_not_applied_until_the_account_s_new_level_is_reached() {
    let app = app().await;
    let ada = Person::named("ada");
    let mut spa = Spa::new(&app);
    spa.sign_up(&ada).await;
    let form = spa.open("settings").await;
    app.wait(900);
    assert_eq!(refused(&spa.submit(&form, password(NEW)).await).1.as_deref(), Some("session_refresh_required"));
    let mut enroller = Spa::new(&app);
    enroller.sign_in(&ada).await;
    let device = Authenticator::link(&app, &mut enroller).await;
    let form_again = Form::of(&spa.get("/self-service/login/browser?refresh=true").await);
    let first = json!({ "method": "password", "identifier": ada.email, "password": ada.password });
    assert_eq!(spa.submit(&form_again, first).await.status, 422, "the first factor is not all any more");
    assert_eq!(refused(&spa.finish(&form).await), (403, Some("session_aal2_required".to_owned())));
    assert_eq!(Native::new(&app).try_sign_in(&ada.with_password(NEW)).await.status, 400);
    assert_eq!(device.prove(&app, &mut spa, "").await.status, 200);
    assert_eq!(spa.finish(&form).await.state(), "success", "it waited on");
    assert_eq!(Native::new(&app).try_sign_in(&ada.with_password(NEW)).await.status, 200);
}

#[tokio::test]
async fn line_16_a_fresh_sign_in_is_as_strong_as_the_session() {
    let app = app().await;
    let ada = Person::named("ada");
    let mut spa = Spa::new(&app);
    spa.sign_up(&ada).await;
    let device = Authenticator::link(&app, &mut spa).await;
    app.wait(900);
    let form = spa.open("settings").await;
    let unlink = json!({ "totp_unlink": true });
    let asked = spa.submit(&form, unlink.clone()).await;
    assert_eq!(refused(&asked), (403, Some("session_refresh_required".to_owned())));
    let way = asked.redirect_browser_to();
    assert!(way.starts_with("http://127.0.0.1:4433/self-service/login/browser?aal=aal2&refresh=true&return_to="), "{way}");
    spa.refresh(&ada).await;
    for fields in [unlink, password(NEW), json!({ "lookup_secret_regenerate": true })] {
        let asked = spa.submit(&form, fields.clone()).await;
        assert_eq!(refused(&asked), (403, Some("session_refresh_required".to_owned())), "a password is not enough: {fields}");
    }
    let step = Form::of(&spa.get(&way).await);
    assert_eq!(spa.submit(&step, json!({ "method": "totp", "totp_code": device.code(&app, 0) })).await.status, 200);
    assert_eq!(listed(&spa.finish(&form).await).len(), 12, "the newest of what was sent goes through");
    assert_eq!(spa.submit(&form, password(NEW)).await.state(), "success");
}

#[tokio::test]
async fn line_16_who_has_no_second_factor_left_signs_in_with_the_first() {
    let app = app().await;
    let ada = Person::named("ada");
    let mut spa = Spa::new(&app);
    spa.sign_up(&ada).await;
    backup_codes(&mut spa).await;
    let form = spa.open("settings").await;
    assert_eq!(spa.submit(&form, json!({ "lookup_secret_disable": true })).await.state(), "success");
    app.wait(900);
    let asked = spa.submit(&form, password(NEW)).await;
    let way = asked.redirect_browser_to();
    assert!(way.starts_with("http://127.0.0.1:4433/self-service/login/browser?refresh=true&return_to="), "{way}");
    spa.refresh(&ada).await;
    assert_eq!(spa.finish(&form).await.state(), "success");
}

#[tokio::test]
async fn line_16_where_one_factor_is_enough_it_is_enough_for_sessions_of_one() {
    let mut config = second_factors();
    config["selfservice"]["flows"]["settings"] = json!({ "required_aal": "aal1", "privileged_session_max_age": "10m" });
    config["session"] = json!({ "whoami": { "required_aal": "aal1" } });
    let app = TestApp::with(config).await;
    let ada = Person::named("ada");
    let mut strong = Spa::new(&app);
    strong.sign_up(&ada).await;
    let device = Authenticator::link(&app, &mut strong).await;
    let mut weak = Spa::new(&app);
    weak.sign_in(&ada).await;
    app.wait(900);
    for (spa, way) in [(&mut weak, "?refresh=true&"), (&mut strong, "?aal=aal2&refresh=true&")] {
        let form = spa.open("settings").await;
        let asked = spa.submit(&form, password(NEW)).await;
        assert!(asked.redirect_browser_to().contains(way), "{asked:?}");
    }
    let form = weak.open("settings").await;
    weak.refresh(&ada).await;
    assert_eq!(weak.submit(&form, password(NEW)).await.state(), "success");
    let form = strong.open("settings").await;
    assert_eq!(device.prove(&app, &mut strong, "&refresh=true").await.status, 200);
    assert_eq!(strong.submit(&form, json!({ "totp_unlink": true })).await.state(), "success");
}

#[tokio::test]
async fn showing_and_linking_wait_for_a_fresh_sign_in_like_changes() {
    let app = app().await;
    let ada = Person::named("ada");
    let mut browser = Browser::new(&app);
    browser.sign_up(&ada).await;
    let form = browser.open("settings").await;
    app.wait(900);
    let sent = browser.submit(&form, &[("lookup_secret_regenerate", "true")]).await;
    let back = browser.sign_in_at(&sent, &ada).await;
    let shown = browser.get(back.location()).await;
    assert_eq!(shown.parameter("flow"), Some(form.id.clone()));
    assert_eq!(listed(&browser.flow("settings", &form.id).await).len(), 12);

    app.wait(900);
    let device = Authenticator::reading(&browser.flow("settings", &form.id).await);
    let code = device.code(&app, 0);
    let sent = browser.submit(&form, &[("method", "totp"), ("totp_code", &code)]).await;
    app.wait(300);
    let back = browser.sign_in_at(&sent, &ada).await;
    browser.get(back.location()).await;
    let flow = browser.flow("settings", &form.id).await;
    assert_eq!(flow.state(), "success", "the code was right when it was typed");
    assert!(flow.nodes().contains(&"totp_unlink".to_owned()));
}

#[tokio::test]
async fn a_wrong_code_of_somebody_whose_sign_in_is_too_old_is_told_after_it() {
    let app = app().await;
    let ada = Person::named("ada");
    let mut browser = Browser::new(&app);
    browser.sign_up(&ada).await;
    let form = browser.open("settings").await;
    let device = Authenticator::reading(&browser.flow("settings", &form.id).await);
    app.wait(900);
    let sent = browser.submit(&form, &[("method", "totp"), ("totp_code", &device.wrong(&app))]).await;
    assert_eq!((sent.status, sent.parameter("refresh")), (303, Some("true".to_owned())));
    let back = browser.sign_in_at(&sent, &ada).await;
    browser.get(back.location()).await;
    let flow = browser.flow("settings", &form.id).await;
    assert_eq!((flow.state(), flow.told_at("totp_code")), ("show_form".to_owned(), vec![4_000_008]));
    let linked = browser.submit(&form, &[("method", "totp"), ("totp_code", &device.code(&app, 0))]).await;
    assert_eq!(linked.parameter("flow"), Some(form.id.clone()));
    assert_eq!(browser.flow("settings", &form.id).await.state(), "success");
}
