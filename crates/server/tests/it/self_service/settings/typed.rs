//! Nothing typed is lost: lines 1 to 6 of the acceptance list of settings.

use serde_json::{Value, json};

use super::{NEW, good, parked_by_app, parked_by_script, password, profile, signed_up, stale};
use crate::support::{Browser, Form, Person, Spa, TestApp, UI};

#[tokio::test]
async fn line_01_a_form_is_finished_after_a_fresh_sign_in_without_typing_it_again() {
    let app = TestApp::with(stale()).await;
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
    let app = TestApp::with(stale()).await;
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
        let app = TestApp::with(stale()).await;
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
        let app = TestApp::with(stale()).await;
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
    let app = TestApp::with(stale()).await;
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
    let app = TestApp::with(stale()).await;
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
async fn line_05_an_expired_flow_keeps_return_to() {
    let app = TestApp::new().await;
    let ada = Person::named("ada");
    let mut browser = Browser::new(&app);
    browser.sign_up(&ada).await;
    let page = browser.get(&format!("/self-service/settings/browser?return_to={UI}/after")).await;
    let form = browser.arrive("settings", &page).await;
    app.wait(3601);
    let sent = browser.submit(&form, &[("method", "profile"), ("traits.email", &ada.email)]).await;
    let new = browser.arrive("settings", &sent).await;
    let saved = browser.submit(&new, &[("method", "profile"), ("traits.email", &ada.email)]).await;
    assert_eq!(saved.location(), format!("{UI}/after"));
}

#[tokio::test]
async fn line_05_an_expired_flow_keeps_the_traits_that_were_typed() {
    let app = TestApp::new().await;
    let ada = Person::named("ada");
    let mut browser = Browser::new(&app);
    browser.sign_up(&ada).await;
    let form = browser.open("settings").await;
    app.wait(3601);
    let typed = [("method", "profile"), ("traits.email", ada.email.as_str()), ("traits.name.first", "Ada")];
    let sent = browser.submit(&form, &typed).await;
    let new = browser.flow("settings", &sent.parameter("flow").unwrap()).await;
    assert_eq!(new.told(), [4_050_001]);
    assert_eq!(new.field("traits.name.first"), Some(json!("Ada")));
}

#[tokio::test]
async fn line_05_a_lost_session_keeps_return_to_and_the_traits_that_were_typed() {
    let app = TestApp::new().await;
    let ada = Person::named("ada");
    let mut browser = Browser::new(&app);
    browser.sign_up(&ada).await;
    let form = browser.open("settings").await;
    app.wait(3000);
    browser.jar.forget("ory_kratos_session");
    let typed = [("method", "profile"), ("traits.email", ada.email.as_str()), ("traits.name.first", "Ada")];
    let sent = browser.submit(&form, &typed).await;
    assert_eq!(sent.status, 302);
    browser.sign_in(&ada).await;
    let page = browser.get(&form.action).await;
    assert_eq!(page.parameter("flow"), Some(form.id.clone()));
    assert_eq!(browser.flow("settings", &form.id).await.field("traits.name.first"), Some(json!("Ada")));
}

#[tokio::test]
async fn line_05_only_the_browser_of_the_form_leaves_anything_in_it() {
    let app = TestApp::new().await;
    let ada = Person::named("ada");
    let (mut spa, form) = signed_up(&app, &ada).await;
    let named = profile(json!({ "email": ada.email, "name": { "first": "Eve" } }));
    let mut stranger = Spa::new(&app);
    let theirs = stranger.open("login").await;
    let forged = Form { csrf: theirs.csrf, ..form.clone() };
    let without = Form { csrf: String::new(), ..form.clone() };
    let mut signed_out = spa.clone();
    signed_out.jar.forget("ory_kratos_session");
    for answer in [
        stranger.submit(&forged, named.clone()).await,
        stranger.submit(&without, named.clone()).await,
        signed_out.submit(&without, named.clone()).await,
        signed_out.submit(&forged, named).await,
    ] {
        assert_eq!((answer.status, answer.error_id().as_deref()), (401, Some("session_inactive")));
    }
    assert_eq!(spa.flow("settings", &form.id).await.field("traits.name.first").unwrap_or_default(), Value::Null);
}

#[tokio::test]
async fn line_06_faults_are_told_before_a_fresh_sign_in_is_asked() {
    let app = TestApp::with(stale()).await;
    let ada = Person::named("ada");
    let (mut spa, form) = signed_up(&app, &ada).await;
    app.wait(120);
    for (fields, told) in [
        (password("Zq7-x"), 4_000_032),
        (password(&ada.email), 4_000_031),
        (password(&"b7Q-".repeat(30)), 4_000_033),
        (profile(json!({ "email": "nobody" })), 4_000_040),
        (profile(json!({})), 4_000_002),
    ] {
        let answer = spa.submit(&form, fields.clone()).await;
        assert_eq!((answer.status, answer.told()), (400, vec![told]), "{fields}");
    }
    assert_eq!(spa.submit(&form, password("heron-Qx7-58-lantern")).await.status, 403);
}

#[tokio::test]
async fn line_01_fields_that_were_emptied_come_back_empty() {
    let app = TestApp::new().await;
    let ada = Person::named("ada");
    let (mut spa, form) = signed_up(&app, &ada).await;
    let whole = profile(json!({ "email": ada.email, "name": { "first": "Ada", "last": "King" } }));
    assert_eq!(spa.submit(&form, whole).await.status, 200);
    let mut browser = spa.browser();
    let typed = [("method", "profile"), ("traits.email", "nobody"), ("traits.name.first", "Augusta"), ("traits.name.last", "")];
    assert_eq!(browser.submit(&form, &typed).await.status, 303);
    let shown = browser.flow("settings", &form.id).await;
    assert_eq!(shown.field("traits.name.first"), Some(json!("Augusta")));
    assert_eq!(shown.field("traits.name.last").unwrap_or_default(), Value::Null, "what is there is not what was typed");
}

#[tokio::test]
async fn line_02_clients_that_cannot_send_an_empty_body_send_an_empty_object() {
    for native in [false, true] {
        let app = TestApp::with(stale()).await;
        let ada = Person::named("ada");
        let finished = if native {
            let (native, form) = parked_by_app(&app, &ada).await;
            assert_eq!(native.submit(&form, json!({})).await.error_id().as_deref(), Some("session_refresh_required"));
            native.refresh(&ada).await;
            native.submit(&form, json!({})).await
        } else {
            let (mut spa, form) = parked_by_script(&app, &ada).await;
            // With the token that the client puts into every body, and without.
            assert_eq!(spa.submit(&form, json!({})).await.error_id().as_deref(), Some("session_refresh_required"));
            spa.refresh(&ada).await;
            spa.post(&form.action, &json!({})).await
        };
        assert_eq!((finished.status, finished.state(), finished.told()), (200, "success".to_owned(), vec![1_050_001]));
        assert_eq!(good(&app, &ada, &[&ada.password, NEW]).await, [NEW]);
    }
    // Where nothing waits, it lacks its method, as ever.
    let app = TestApp::new().await;
    let (mut spa, form) = signed_up(&app, &Person::named("ada")).await;
    assert_eq!(spa.submit(&form, json!({})).await.told(), [4_010_004]);
}

#[tokio::test]
async fn line_02_a_body_with_anything_in_it_is_a_submit_of_its_own() {
    let app = TestApp::with(stale()).await;
    let ada = Person::named("ada");
    let (mut spa, form) = parked_by_script(&app, &ada).await;
    spa.refresh(&ada).await;
    for (fields, told) in [
        (json!({ "method": "" }), 4_010_004),
        (json!({ "traits": {} }), 4_010_004),
        (json!({ "password": null }), 4_010_004),
        (json!({ "method": "password" }), 4_000_002),
    ] {
        assert_eq!(spa.submit(&form, fields.clone()).await.told(), [told], "{fields}");
    }
    assert_eq!(good(&app, &ada, &[&ada.password, NEW]).await, [&ada.password], "the change still waits");
    assert_eq!(spa.submit(&form, json!({})).await.status, 200);
}

#[tokio::test]
async fn line_06_only_a_fresh_sign_in_learns_which_password_is_the_present_one() {
    let app = TestApp::with(stale()).await;
    let ada = Person::named("ada");
    let (mut spa, form) = signed_up(&app, &ada).await;
    app.wait(120);
    // Whoever found this browser open learns nothing: the present password is answered as any other is.
    let other = spa.submit(&form, password(NEW)).await;
    let present = spa.submit(&form, password(&ada.password)).await;
    assert_eq!((present.status, present.error_id().as_deref()), (403, Some("session_refresh_required")));
    assert_eq!(present.json(), other.json());
    assert_eq!(spa.flow("settings", &form.id).await.told(), [0; 0]);
    // The owner is told, once, and nothing waits any more.
    spa.refresh(&ada).await;
    let told = spa.finish(&form).await;
    assert_eq!((told.status, told.told(), told.told_at("password")), (400, vec![4_000_039], vec![4_000_039]));
    assert_eq!(spa.flow("settings", &form.id).await.told(), [4_000_039]);
    assert_eq!(spa.finish(&form).await.told(), [4_000_001], "it was judged");
    assert_eq!(spa.submit(&form, password(&ada.password)).await.told(), [4_000_039], "and is told at once while fresh");
}
