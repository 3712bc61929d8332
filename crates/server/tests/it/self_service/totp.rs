//! Authenticator apps: linking, unlinking, the second step of signing in.

use serde_json::{Value, json};

use crate::support::{Admin, Authenticator, Browser, Form, Native, Person, RawDatabase, Spa, TestApp, second_factors, together};

fn code(text: &str) -> Value {
    json!({ "method": "totp", "totp_code": text })
}

async fn level(spa: &mut Spa<'_>) -> Value {
    spa.get("/sessions/whoami").await.json()["authenticator_assurance_level"].clone()
}

#[tokio::test]
async fn a_right_code_links_the_app_and_raises_the_session() {
    let app = TestApp::with(second_factors()).await;
    let mut spa = Spa::new(&app);
    spa.sign_up(&Person::named("ada")).await;
    let shown = spa.get("/self-service/settings/browser").await;
    let device = Authenticator::reading(&shown);
    let form = Form::of(&shown);
    for (fields, told) in [
        (json!({ "method": "totp" }), 4_000_002),
        (code(""), 4_000_002),
        (code(&device.wrong(&app)), 4_000_008),
        (code("12345"), 4_000_008),
        (code(&device.code(&app, 2)), 4_000_008),
        (json!({ "method": "totp", "totp_code": 123_456 }), 4_000_026),
        (json!({ "totp_unlink": true }), 4_000_002),
    ] {
        let refused = spa.submit(&form, fields.clone()).await;
        assert_eq!((refused.status, refused.told_at("totp_code")), (400, vec![told]), "{fields}");
        assert_eq!(Authenticator::reading(&refused).secret, device.secret, "the secret stays");
    }
    assert_eq!(level(&mut spa).await, "aal1");
    let linked = spa.submit(&form, code(&device.code(&app, 0))).await;
    assert_eq!((linked.status, linked.state()), (200, "success".to_owned()));
    assert!(linked.nodes().contains(&"totp_unlink".to_owned()) && !linked.nodes().contains(&"totp_code".to_owned()));
    assert_eq!(level(&mut spa).await, "aal2");
    let again = spa.submit(&form, code(&device.code(&app, 1))).await;
    assert_eq!((again.status, again.told()), (400, vec![4_000_001]), "another one is not linked silently");
}

#[tokio::test]
async fn the_secret_stays_when_something_else_is_saved_and_changes_when_it_was_linked() {
    let app = TestApp::with(second_factors()).await;
    let ada = Person::named("ada");
    let mut spa = Spa::new(&app);
    spa.sign_up(&ada).await;
    let shown = spa.get("/self-service/settings/browser").await;
    let (form, device) = (Form::of(&shown), Authenticator::reading(&shown));
    let saved =
        spa.submit(&form, json!({ "method": "profile", "traits": { "email": ada.email, "name": { "first": "A" } } })).await;
    assert_eq!((saved.state().as_str(), Authenticator::reading(&saved).secret), ("success", device.secret.clone()));
    assert_eq!(spa.submit(&form, code(&device.code(&app, 0))).await.status, 200);
    let unlinked = spa.submit(&form, json!({ "totp_unlink": true })).await;
    let next = Authenticator::reading(&unlinked);
    assert_ne!(next.secret, device.secret);
    assert_eq!(Authenticator::reading(&spa.flow("settings", &form.id).await).secret, next.secret, "it is remembered");
    assert_eq!(spa.submit(&form, code(&device.code(&app, 1))).await.told(), [4_000_008]);
    assert_eq!(spa.submit(&form, code(&next.code(&app, 1))).await.status, 200);
}

#[tokio::test]
async fn a_form_that_is_looked_at_after_the_app_was_unlinked_elsewhere_remembers_what_it_shows() {
    let app = TestApp::with(second_factors()).await;
    let mut spa = Spa::new(&app);
    spa.sign_up(&Person::named("ada")).await;
    Authenticator::link(&app, &mut spa).await;
    let (form, other) = (spa.open("settings").await, spa.open("settings").await);
    assert_eq!(spa.submit(&other, json!({ "totp_unlink": true })).await.status, 200);
    let device = Authenticator::reading(&spa.flow("settings", &form.id).await);
    assert_eq!(spa.submit(&form, code(&device.code(&app, 0))).await.status, 200);
}

#[tokio::test]
async fn a_browser_links_and_unlinks_by_forms() {
    let app = TestApp::with(second_factors()).await;
    let mut browser = Browser::new(&app);
    browser.sign_up(&Person::named("ada")).await;
    let form = browser.open("settings").await;
    let device = Authenticator::reading(&browser.flow("settings", &form.id).await);
    browser.submit(&form, &[("method", "totp"), ("totp_code", &device.wrong(&app))]).await;
    assert_eq!(browser.flow("settings", &form.id).await.told(), [4_000_008]);
    // As apps show it.
    let spaced = device.code(&app, 0);
    let spaced = format!("{} {}", &spaced[..3], &spaced[3..]);
    let linked = browser.submit(&form, &[("method", "totp"), ("totp_code", &spaced)]).await;
    assert_eq!(linked.parameter("flow"), Some(form.id.clone()));
    assert!(browser.flow("settings", &form.id).await.nodes().contains(&"totp_unlink".to_owned()));
    browser.submit(&form, &[("totp_unlink", "true")]).await;
    let flow = browser.flow("settings", &form.id).await;
    assert_ne!(Authenticator::reading(&flow).secret, device.secret);
    assert_eq!(flow.state(), "success");
}

#[tokio::test]
async fn the_second_step_tells_what_is_wrong_and_raises_the_session() {
    let app = TestApp::with(second_factors()).await;
    let ada = Person::named("ada");
    let mut spa = Spa::new(&app);
    spa.sign_up(&ada).await;
    let device = Authenticator::link(&app, &mut spa).await;
    let mut other = Spa::new(&app);
    let answer = other.try_sign_in(&ada).await;
    assert_eq!((answer.status, answer.error_id().as_deref()), (422, Some("browser_location_change_required")));
    assert_eq!(other.get("/sessions/whoami").await.error_id().as_deref(), Some("session_aal2_required"));
    let shown = other.get(&answer.redirect_browser_to()).await;
    assert_eq!((shown.told(), shown.field("totp_code")), (vec![1_010_004], Some(json!(""))));
    let form = Form::of(&shown);
    for (typed, told) in [("", 4_000_002), ("123", 4_000_003), (device.wrong(&app).as_str(), 4_000_008)] {
        let refused = other.submit(&form, code(typed)).await;
        assert_eq!((refused.status, refused.told()), (400, vec![told]), "{typed}");
        assert_eq!(refused.field("totp_code"), Some(Value::Null), "what was typed does not come back");
    }
    let kept = other.get("/sessions/whoami").await;
    assert_eq!(kept.status, 403);
    let raised = other.submit(&form, code(&device.code(&app, 0))).await;
    assert_eq!(raised.status, 200, "{raised:?}");
    let methods = raised.json()["session"]["authentication_methods"].clone();
    assert_eq!(
        (&methods[0]["method"], &methods[1]["method"], &methods[1]["aal"]),
        (&json!("password"), &json!("totp"), &json!("aal2"))
    );
}

#[tokio::test]
async fn a_code_counts_once_and_none_from_before_it() {
    let app = TestApp::with(second_factors()).await;
    let ada = Person::named("ada");
    let mut spa = Spa::new(&app);
    spa.sign_up(&ada).await;
    let device = Authenticator::link(&app, &mut spa).await;
    for (steps, status) in [(0, 200), (0, 400), (-1, 400), (1, 200), (0, 400), (1, 400)] {
        let mut other = Spa::new(&app);
        other.try_sign_in(&ada).await;
        let form = Form::of(&other.get("/self-service/login/browser?aal=aal2").await);
        let answer = other.submit(&form, code(&device.code(&app, steps))).await;
        assert_eq!(answer.status, status, "{steps} {answer:?}");
        if status == 400 {
            assert_eq!(answer.told(), [4_000_008]);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_many_sessions_gets_the_use_of_a_code() {
    let app = TestApp::with(second_factors()).await;
    let ada = Person::named("ada");
    let mut spa = Spa::new(&app);
    spa.sign_up(&ada).await;
    let device = Authenticator::link(&app, &mut spa).await;
    let mut prepared = Vec::new();
    for _ in 0..8 {
        let mut native = Native::new(&app);
        native.sign_in(&ada).await;
        let form = Form::of(&native.get("/self-service/login/api?aal=aal2").await);
        prepared.push((native, form));
    }
    let typed = device.code(&app, 0);
    let answers = together(8, |number| {
        let ((native, form), typed) = (&prepared[number], &typed);
        async move { native.submit(form, code(typed)).await }
    });
    assert_eq!(
        answers.iter().filter(|a| a.status == 200).count(),
        1,
        "{:?}",
        answers.iter().map(|a| a.status).collect::<Vec<_>>()
    );
    for refused in answers.iter().filter(|a| a.status != 200) {
        assert_eq!((refused.status, refused.told()), (400, vec![4_000_008]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_apps_that_are_linked_at_once_one_is() {
    let app = TestApp::with(second_factors()).await;
    let mut spa = Spa::new(&app);
    spa.sign_up(&Person::named("ada")).await;
    let mut prepared = Vec::new();
    for _ in 0..4 {
        let shown = spa.get("/self-service/settings/browser").await;
        prepared.push((Form::of(&shown), Authenticator::reading(&shown)));
    }
    let answers = together(4, |number| {
        let (mut spa, (form, device)) = (spa.clone(), &prepared[number]);
        let typed = code(&device.code(&app, 0));
        async move { spa.submit(form, typed).await }
    });
    let linked: Vec<_> = answers.iter().enumerate().filter(|(_, a)| a.status == 200).map(|(number, _)| number).collect();
    assert_eq!(linked.len(), 1, "{answers:?}");
    app.wait(60);
    assert_eq!(prepared[linked[0]].1.prove(&app, &mut spa, "&refresh=true").await.status, 200, "the one that was told");
}

#[tokio::test]
async fn nobody_without_an_app_gets_past_and_a_switched_off_method_is_none() {
    let app = TestApp::with(second_factors()).await;
    let ada = Person::named("ada");
    let mut spa = Spa::new(&app);
    spa.sign_up(&ada).await;
    let form = Form::of(&spa.get("/self-service/login/browser?aal=aal2").await);
    assert_eq!(spa.submit(&form, code("123456")).await.told(), [4_000_011]);
    let first = spa.get("/self-service/login/browser?refresh=true").await;
    assert_eq!(spa.submit(&Form::of(&first), code("123456")).await.told(), [4_010_002], "it is no first factor");
    Authenticator::link(&app, &mut spa).await;

    let off = app.reconfigured(json!({ "selfservice": { "methods": { "totp": { "enabled": false } } } })).await;
    let mut there = Spa::new(&off);
    there.sign_in(&ada).await;
    assert_eq!(there.get("/sessions/whoami").await.status, 200, "what is switched off is not asked for");
    let settings = there.get("/self-service/settings/browser").await;
    assert!(!settings.nodes().iter().any(|name| name.starts_with("totp")), "{:?}", settings.nodes());
    assert_eq!(there.submit(&Form::of(&settings), json!({ "totp_unlink": true })).await.status, 404);
    let form = Form::of(&there.get("/self-service/login/browser?aal=aal2").await);
    assert_eq!(there.submit(&form, code("123456")).await.status, 404);
}

#[tokio::test]
async fn administrators_see_import_and_remove_it() {
    let app = TestApp::with(second_factors()).await;
    let ada = Person::named("ada");
    let mut spa = Spa::new(&app);
    spa.sign_up(&ada).await;
    let device = Authenticator::link(&app, &mut spa).await;
    let admin = Admin::new(&app);
    let id = spa.get("/sessions/whoami").await.json()["identity"]["id"].as_str().unwrap().to_owned();
    let path = format!("/admin/identities/{id}");
    let plain = admin.get(&path).await.json()["credentials"]["totp"].clone();
    assert_eq!((&plain["config"], &plain["identifiers"]), (&Value::Null, &json!([id])));
    let config = admin.get(&format!("{path}?include_credential=totp")).await.json()["credentials"]["totp"]["config"].clone();
    let expected = format!(
        "otpauth://totp/127.0.0.1:ada@example.org?algorithm=SHA1&digits=6&issuer=127.0.0.1&period=30&secret={}",
        device.secret
    );
    assert_eq!(config, json!({ "totp_url": expected }), "and nothing else");

    let mut other = Spa::new(&app);
    other.try_sign_in(&ada).await;
    let begun = other.get("/self-service/login/browser?aal=aal2").await;
    let remove = format!("{path}/credentials/totp");
    assert_eq!(admin.send("DELETE", &remove, &json!({})).await.status, 204);
    assert_eq!(admin.send("DELETE", &remove, &json!({})).await.status, 404);
    assert_eq!(other.get("/sessions/whoami").await.status, 200, "one factor is all there is now");
    let late = other.submit(&Form::of(&begun), code(&device.code(&app, 0))).await;
    assert_eq!(late.told(), [4_000_011]);
    assert!(late.nodes().contains(&"totp_code".to_owned()), "the form stays as it was seen");

    let url = "otpauth://totp/x:ada?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&digits=6";
    let body = json!({
        "schema_id": "default", "state": "active", "traits": { "email": ada.email },
        "credentials": { "totp": { "config": { "totp_url": url } } },
    });
    assert_eq!(admin.send("PUT", &path, &body).await.status, 200);
    assert_eq!(other.get("/sessions/whoami").await.status, 403, "an imported factor counts at once");
    let imported = Authenticator { secret: "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP".to_owned() };
    assert_eq!(imported.prove(&app, &mut other, "").await.status, 200);
}

#[tokio::test]
async fn the_secret_is_not_readable_at_rest() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("portcullis.db");
    let app = TestApp::stored_at(&file, second_factors()).await;
    let mut spa = Spa::new(&app);
    spa.sign_up(&Person::named("ada")).await;
    let shown = Authenticator::reading(&spa.get("/self-service/settings/browser").await);
    let linked = Authenticator::link(&app, &mut spa).await;
    let secrets = [shown.secret, linked.secret].map(|secret| (secret.clone(), secret.into_bytes()));
    assert_eq!(RawDatabase::at(&file).places_of(&secrets), Vec::<String>::new(), "neither of a form nor of an app");
}
