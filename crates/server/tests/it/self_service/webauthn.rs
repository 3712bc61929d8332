//! Security keys: as a second factor, and alone.

use portcullis_store::outbox;
use serde_json::{Value, json};

use crate::support::{Admin, Browser, Form, Native, Person, SecurityKey, Spa, TestApp, UI, asked, everywhere, keys, together};

const STEP_UP: &str = "/self-service/login/browser?aal=aal2";

fn ada() -> Person {
    Person::named("ada")
}

/// Ada with a security key, signed in once more with her password only.
async fn with_key<'a>(app: &'a TestApp, key: &mut SecurityKey) -> Spa<'a> {
    let mut spa = Spa::new(app);
    spa.sign_up(&ada()).await;
    let added = key.add(&mut spa, "blue").await;
    assert_eq!((added.status, added.told()), (200, vec![1_050_001]), "{added:?}");
    let mut other = Spa::new(app);
    other.try_sign_in(&ada()).await;
    other
}

async fn level(spa: &mut Spa<'_>) -> Value {
    spa.get("/sessions/whoami").await.json()["authenticator_assurance_level"].clone()
}

async fn stored(app: &TestApp, kind: &str) -> Value {
    let admin = Admin::new(app);
    let all = admin.get(&format!("/admin/identities?include_credential={kind}")).await.json();
    let id = all[0]["id"].as_str().unwrap().to_owned();
    let one = admin.get(&format!("/admin/identities/{id}?include_credential={kind}")).await.json();
    one["credentials"][kind]["config"].clone()
}

#[tokio::test]
async fn a_key_is_added_with_a_name_and_raises_the_session() {
    let app = TestApp::with(keys(false)).await;
    let mut key = SecurityKey::new();
    let mut other = with_key(&app, &mut key).await;
    assert_eq!(other.get("/sessions/whoami").await.error_id().as_deref(), Some("session_aal2_required"));
    let shown = other.get(STEP_UP).await;
    assert_eq!(shown.told(), [1_010_004]);
    let raised = key.step_up(&mut other, &shown).await;
    assert_eq!(raised.status, 200, "{raised:?}");
    assert_eq!(level(&mut other).await, "aal2");
    let form = other.get("/self-service/settings/browser").await;
    assert_eq!(form.field("webauthn_remove"), Some(json!(key.hex())));
    assert_eq!(asked(&form, "webauthn_register_trigger")["excludeCredentials"].as_array().map(Vec::len), Some(1));
    let removed = other.submit(&Form::of(&form), json!({ "webauthn_remove": key.hex() })).await;
    assert_eq!(removed.status, 200, "{removed:?}");
    let mut again = Spa::new(&app);
    again.sign_in(&ada()).await;
    assert_eq!(level(&mut again).await, "aal1", "no second factor is left");
}

#[tokio::test]
async fn what_is_wrong_with_a_new_key_is_told_in_the_form() {
    let app = TestApp::with(keys(false)).await;
    let mut spa = Spa::new(&app);
    spa.sign_up(&ada()).await;
    let shown = spa.get("/self-service/settings/browser").await;
    let (form, options) = (Form::of(&shown), asked(&shown, "webauthn_register_trigger"));
    let other = asked(&spa.get("/self-service/settings/browser").await, "webauthn_register_trigger");
    let mut away = SecurityKey::new();
    away.origin = "https://evil.example";
    let mut inside = SecurityKey::new();
    inside.cross_origin = true;
    let mut untouched = SecurityKey::new();
    untouched.flags = 0x04;
    for (made, why) in [
        ("{}".to_owned(), "no parts"),
        ("x".repeat(200_000), "too long"),
        (SecurityKey::new().make(&other), "another flow's challenge"),
        (away.make(&options), "another site's page"),
        (inside.make(&options), "inside another site's page"),
        (untouched.make(&options), "nobody touched it"),
    ] {
        let fields = json!({ "method": "webauthn", "webauthn_register": made, "webauthn_register_displayname": "x" });
        let refused = spa.submit(&form, fields).await;
        assert_eq!((refused.status, refused.told()), (400, vec![4_000_001]), "{why}");
    }
    let mut key = SecurityKey::new();
    let made = key.make(&options);
    let nameless = spa.submit(&form, json!({ "webauthn_register": made })).await;
    assert_eq!(nameless.told_at("webauthn_register_displayname"), [4_000_002]);
    let fields = json!({ "webauthn_register": made, "webauthn_register_displayname": "x" });
    assert_eq!(spa.submit(&form, fields.clone()).await.status, 200, "the right one is taken after all that");
    assert_eq!(spa.submit(&form, fields).await.told(), [4_000_001], "once: its challenge is used up");
    let again = key.add(&mut spa, "twice").await;
    assert_eq!((again.status, again.told_at("webauthn_register")), (400, vec![4_000_001]));
}

#[tokio::test]
async fn another_page_flow_or_person_proves_nothing() {
    let app = TestApp::with(keys(false)).await;
    let mut key = SecurityKey::new();
    let mut spa = with_key(&app, &mut key).await;
    let mut bobs = SecurityKey::new();
    let bob = Person::named("bob");
    let mut bobs_browser = Spa::new(&app);
    bobs_browser.sign_up(&bob).await;
    bobs.add(&mut bobs_browser, "bob's").await;
    let shown = spa.get(STEP_UP).await;
    let told = |answer: &crate::support::Answer| (answer.status, answer.told());
    assert_eq!(told(&bobs.step_up(&mut spa, &shown).await), (400, vec![4_000_043]), "another person's key");
    bobs.pretend_to_be(&key);
    assert_eq!(told(&bobs.step_up(&mut spa, &shown).await), (400, vec![4_000_043]), "also if it claims to be hers");
    key.origin = "https://evil.example";
    assert_eq!(told(&key.step_up(&mut spa, &shown).await), (400, vec![4_000_043]), "another origin");
    key.origin = crate::support::ORIGIN;
    let other = spa.get(STEP_UP).await;
    let said = key.prove(&asked(&other, "webauthn_login_trigger"));
    let fields = json!({ "method": "webauthn", "webauthn_login": said, "identifier": ada().email });
    assert_eq!(told(&spa.submit(&Form::of(&shown), fields.clone()).await), (400, vec![4_000_043]), "another flow");
    assert_eq!(spa.submit(&Form::of(&other), fields.clone()).await.status, 200);
    let mut third = Spa::new(&app);
    third.try_sign_in(&ada()).await;
    let replayed = Form::of(&third.get(STEP_UP).await);
    assert_eq!(told(&third.submit(&replayed, fields).await), (400, vec![4_000_043]), "replayed");
}

#[tokio::test]
async fn a_count_that_goes_back_is_marked_and_told_or_refused() {
    let copied = |refuse: bool| async move {
        let mut config = keys(false);
        config["security"] = json!({ "refuse_copied_keys": refuse });
        let app = TestApp::with(config).await;
        let mut key = SecurityKey::new();
        let mut spa = with_key(&app, &mut key).await;
        let id = spa_id(&app).await;
        let proved = json!([{ "op": "replace", "path": "/verifiable_addresses", "value":
            [{ "value": ada().email, "via": "email", "verified": true, "status": "completed" }] }]);
        Admin::new(&app).send("PATCH", &format!("/admin/identities/{id}"), &proved).await;
        key.count = 9;
        let shown = spa.get(STEP_UP).await;
        assert_eq!(key.step_up(&mut spa, &shown).await.status, 200);
        key.count = 3;
        let mut other = Spa::new(&app);
        other.try_sign_in(&ada()).await;
        let shown = other.get(STEP_UP).await;
        let answer = key.step_up(&mut other, &shown).await;
        let kept = stored(&app, "webauthn").await["credentials"][0]["authenticator"].clone();
        let told = outbox::list(&app.app.store, None, None, None, 100).await.unwrap();
        let told = told.iter().filter(|m| m.template == "settings_changed").count();
        (answer.status, kept["sign_count"].clone(), kept["clone_warning"].clone(), told)
    };
    assert_eq!(copied(false).await, (200, json!(10), json!(true), 1));
    assert_eq!(copied(true).await, (400, json!(10), json!(false), 0));
}

async fn spa_id(app: &TestApp) -> String {
    Admin::new(app).get("/admin/identities").await.json()[0]["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_key_that_waits_for_a_sign_in_leaves_the_others_as_they_are() {
    let mut config = keys(false);
    config["selfservice"]["flows"]["settings"] = json!({ "privileged_session_max_age": "1m" });
    let app = TestApp::with(config).await;
    let (mut first, mut second) = (SecurityKey::new(), SecurityKey::new());
    let mut spa = Spa::new(&app);
    spa.sign_up(&ada()).await;
    first.add(&mut spa, "first").await;
    app.wait(120);
    let shown = spa.get("/self-service/settings/browser").await;
    let made = second.make(&asked(&shown, "webauthn_register_trigger"));
    let form = Form::of(&shown);
    let waits = spa.submit(&form, json!({ "webauthn_register": made, "webauthn_register_displayname": "second" })).await;
    assert_eq!(waits.error_id().as_deref(), Some("session_refresh_required"));
    first.count = 40;
    let again = spa.get(&waits.redirect_browser_to()).await;
    assert_eq!(first.step_up(&mut spa, &again).await.status, 200);
    assert_eq!(spa.finish(&form).await.status, 200);
    let kept = stored(&app, "webauthn").await;
    let of = |n: usize| {
        (kept["credentials"][n]["display_name"].clone(), kept["credentials"][n]["authenticator"]["sign_count"].clone())
    };
    assert_eq!((of(0), of(1)), ((json!("first"), json!(41)), (json!("second"), json!(1))));
}

/// Signs up with a key alone.
async fn sign_up<'a>(app: &'a TestApp, key: &mut SecurityKey) -> Spa<'a> {
    let mut spa = Spa::new(app);
    let shown = spa.get("/self-service/registration/browser").await;
    let made = key.make(&asked(&shown, "webauthn_register_trigger"));
    let fields = json!({ "method": "webauthn", "webauthn_register": made, "traits": { "email": ada().email } });
    let done = spa.submit(&Form::of(&shown), fields).await;
    assert_eq!(done.status, 200, "{done:?}");
    spa
}

#[tokio::test]
async fn a_key_alone_signs_up_and_in() {
    let app = TestApp::with(keys(true)).await;
    let mut key = SecurityKey::new();
    let mut spa = sign_up(&app, &mut key).await;
    assert_eq!(level(&mut spa).await, "aal1");
    let mut other = Spa::new(&app);
    let form = other.open("login").await;
    for (identifier, told) in [("nobody@example.org", vec![4_000_015]), ("", vec![4_000_002])] {
        assert_eq!(other.submit(&form, json!({ "method": "webauthn", "identifier": identifier })).await.told(), told);
    }
    let asked_for = other.submit(&form, json!({ "method": "webauthn", "identifier": "ADA@example.org" })).await;
    assert_eq!(asked_for.status, 422);
    assert_eq!(asked_for.redirect_browser_to(), format!("{UI}/login?flow={}", form.id));
    let shown = other.flow("login", &form.id).await;
    assert_eq!(shown.told(), [1_010_012]);
    assert_eq!(key.step_up(&mut other, &shown).await.status, 200);
    assert_eq!(level(&mut other).await, "aal1");
    let form = other.get("/self-service/settings/browser").await;
    let last = other.submit(&Form::of(&form), json!({ "webauthn_remove": key.hex() })).await;
    assert_eq!((last.status, last.told_at("webauthn_remove")), (400, vec![4_000_001]), "the only way in stays");
    assert_eq!(key.sign_in(&mut Spa::new(&app)).await.status, 200, "it answers the question for passkeys, too");
}

#[tokio::test]
async fn a_challenge_for_one_persons_key_is_none_for_anothers() {
    let app = TestApp::with(keys(true)).await;
    let (mut adas, mut bobs) = (SecurityKey::new(), SecurityKey::new());
    sign_up(&app, &mut adas).await;
    let mut bob = Spa::new(&app);
    bob.sign_up(&Person::named("bob")).await;
    bobs.add(&mut bob, "bob's").await;
    let mut spa = Spa::new(&app);
    let form = spa.open("login").await;
    spa.submit(&form, json!({ "method": "webauthn", "identifier": ada().email })).await;
    let shown = spa.flow("login", &form.id).await;
    let said = bobs.prove(&asked(&shown, "webauthn_login_trigger"));
    let fields = json!({ "method": "webauthn", "identifier": "bob@example.org", "webauthn_login": said });
    assert_eq!(spa.submit(&form, fields).await.told(), [4_000_043]);
}

#[tokio::test]
async fn an_expired_form_leads_to_one_whose_challenge_is_good() {
    let app = TestApp::with(keys(true)).await;
    let mut key = SecurityKey::new();
    let mut browser = Browser::new(&app);
    let form = browser.open("registration").await;
    app.wait(3 * 3600);
    let late = browser.submit(&form, &[("method", "webauthn"), ("webauthn_register", "x"), ("traits.email", &ada().email)]).await;
    let fresh = browser.arrive("registration", &late).await;
    let made = key.make(&asked(&browser.flow("registration", &fresh.id).await, "webauthn_register_trigger"));
    let done = browser.submit(&fresh, &[("webauthn_register", &made), ("traits.email", &ada().email)]).await;
    assert_eq!((done.status, done.location()), (303, format!("{UI}/").as_str()));
}

#[tokio::test]
async fn apps_have_no_security_keys() {
    let app = TestApp::with(keys(false)).await;
    let mut native = Native::new(&app);
    native.sign_up(&ada()).await;
    let form = native.open("settings").await;
    assert!(!native.flow("settings", &form.id).await.nodes().iter().any(|name| name.starts_with("webauthn")));
    let fields = json!({ "method": "webauthn", "webauthn_register": "{}", "webauthn_register_displayname": "x" });
    assert_eq!(native.submit(&form, fields).await.told(), [4_010_004]);
}

#[tokio::test]
async fn administrators_remove_second_factors_but_never_the_only_way_in() {
    let app = TestApp::with(keys(false)).await;
    let mut key = SecurityKey::new();
    let mut other = with_key(&app, &mut key).await;
    let path = format!("/admin/identities/{}/credentials", spa_id(&app).await);
    let begun = other.get(STEP_UP).await;
    assert_eq!(Admin::new(&app).send("DELETE", &format!("{path}/webauthn"), &Value::Null).await.status, 204);
    assert_eq!(key.step_up(&mut other, &begun).await.told(), [4_000_013]);
    assert_eq!(level(&mut other).await, "aal1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_assertion_is_good_for_one_of_64() {
    everywhere(keys(false), async |app| {
        let mut key = SecurityKey::new();
        let mut spa = with_key(app, &mut key).await;
        let shown = spa.get(STEP_UP).await;
        let said = key.prove(&asked(&shown, "webauthn_login_trigger"));
        let fields = json!({ "method": "webauthn", "webauthn_login": said, "identifier": ada().email });
        let form = Form::of(&shown);
        let answers = together(64, |_| {
            let (mut spa, form, fields) = (spa.clone(), &form, fields.clone());
            async move { spa.submit(form, fields).await }
        });
        let statuses: Vec<_> = answers.iter().map(|a| a.status).collect();
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
        assert!(statuses.iter().all(|status| matches!(status, 200 | 400)), "{statuses:?}");
        let methods = spa.get("/sessions/whoami").await.json()["authentication_methods"].as_array().map(Vec::len);
        assert_eq!(methods, Some(2), "proved once");
    })
    .await;
}
