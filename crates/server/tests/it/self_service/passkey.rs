//! Passkeys: signing up, signing in without a name, and looking after them.

use serde_json::{Value, json};

use crate::support::{Admin, Browser, Form, Native, Person, SecurityKey, Spa, TestApp, asked, everywhere, keys, together};

fn ada() -> Person {
    Person::named("ada")
}

async fn sign_up<'a>(app: &'a TestApp, key: &mut SecurityKey, who: &Person) -> Spa<'a> {
    let mut spa = Spa::new(app);
    let shown = spa.get("/self-service/registration/browser").await;
    let made = key.make(&asked(&shown, "passkey_create_data"));
    let fields = json!({ "method": "passkey", "passkey_register": made, "traits": { "email": who.email } });
    let done = spa.submit(&Form::of(&shown), fields).await;
    assert_eq!(done.status, 200, "{done:?}");
    spa
}

async fn who(spa: &mut Spa<'_>) -> Value {
    spa.get("/sessions/whoami").await.json()["identity"]["traits"]["email"].clone()
}

#[tokio::test]
async fn a_passkey_signs_up_and_in_and_may_not_be_the_last_to_go() {
    let app = TestApp::with(keys(false)).await;
    let mut key = SecurityKey::new();
    let mut spa = sign_up(&app, &mut key, &ada()).await;
    let mut other = Spa::new(&app);
    let answer = key.sign_in(&mut other).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(who(&mut other).await, json!(ada().email));
    let form = spa.get("/self-service/settings/browser").await;
    let refused = spa.submit(&Form::of(&form), json!({ "passkey_remove": key.hex() })).await;
    assert_eq!((refused.status, refused.told_at("passkey_remove")), (400, vec![4_000_001]));
    let mut second = SecurityKey::new();
    assert_eq!(second.add_passkey(&mut spa).await.status, 200);
    assert_eq!(second.sign_in(&mut Spa::new(&app)).await.status, 200, "each has a handle of its own");
    let removed = spa.submit(&Form::of(&form), json!({ "passkey_remove": key.hex() })).await;
    assert_eq!(removed.status, 200, "{removed:?}");
    assert_eq!(key.sign_in(&mut Spa::new(&app)).await.told(), [4_000_043]);
    assert_eq!(second.sign_in(&mut Spa::new(&app)).await.status, 200);
}

#[tokio::test]
async fn a_security_key_answers_for_a_passkey_and_shows_no_addresses() {
    let app = TestApp::with(keys(true)).await;
    let (mut passkey, mut key) = (SecurityKey::new(), SecurityKey::new());
    let mut spa = sign_up(&app, &mut passkey, &ada()).await;
    assert_eq!(key.add(&mut spa, "key").await.status, 200);
    for (used, is_shown) in [(&mut passkey, true), (&mut key, false)] {
        let mut other = Spa::new(&app);
        let answer = used.sign_in(&mut other).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let identity = answer.json()["session"]["identity"].clone();
        assert_eq!(identity["traits"]["email"], json!(ada().email));
        assert_eq!(identity.get("recovery_addresses").is_some(), is_shown);
        assert_eq!(identity.get("verifiable_addresses").is_some(), is_shown);
        let seen = other.get("/sessions/whoami").await.json();
        assert!(seen["identity"].get("verifiable_addresses").is_some(), "asked for, they are there");
    }
}

#[tokio::test]
async fn of_the_last_two_ways_in_one_stays_when_both_are_removed_at_once() {
    let app = TestApp::with(keys(true)).await;
    let (mut first, mut second) = (SecurityKey::new(), SecurityKey::new());
    let mut spa = sign_up(&app, &mut first, &ada()).await;
    assert_eq!(second.add(&mut spa, "key").await.status, 200);
    let form = Form::of(&spa.get("/self-service/settings/browser").await);
    let mut other = spa.clone();
    let other_form = Form::of(&other.get("/self-service/settings/browser").await);
    let (one, two) = tokio::join!(
        spa.submit(&form, json!({ "passkey_remove": first.hex() })),
        other.submit(&other_form, json!({ "webauthn_remove": second.hex() })),
    );
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 400]);
}

#[tokio::test]
async fn a_wrong_answer_signs_nobody_in_and_the_form_stays_good() {
    let app = TestApp::with(keys(false)).await;
    let (mut key, mut bobs) = (SecurityKey::new(), SecurityKey::new());
    sign_up(&app, &mut key, &ada()).await;
    sign_up(&app, &mut bobs, &Person::named("bob")).await;
    let mut spa = Spa::new(&app);
    let shown = spa.get("/self-service/login/browser").await;
    let (form, options) = (Form::of(&shown), asked(&shown, "passkey_challenge"));
    assert!(options.get("allowCredentials").is_none());
    let other = asked(&spa.get("/self-service/login/browser").await, "passkey_challenge");
    let mut swapped = SecurityKey::new();
    swapped.make(&json!({ "rp": { "id": "example.org" }, "user": { "id": "AAAA" }, "challenge": "AAAA" }));
    let nobodys = swapped.prove(&options);
    swapped.pretend_to_be(&key);
    for (said, told) in
        [("{}".to_owned(), 4_000_001), (nobodys, 4_000_015), (swapped.prove(&options), 4_000_043), (key.prove(&other), 4_000_043)]
    {
        let refused = spa.submit(&form, json!({ "method": "passkey", "passkey_login": said })).await;
        assert_eq!((refused.status, refused.told()), (400, vec![told]));
    }
    let said = key.prove(&options);
    assert_eq!(spa.submit(&form, json!({ "passkey_login": said })).await.status, 200);
    let mut again = Spa::new(&app);
    let replayed = again.open("login").await;
    assert_eq!(again.submit(&replayed, json!({ "passkey_login": said })).await.told(), [4_000_043]);
}

#[tokio::test]
async fn a_refresh_takes_no_other_persons_passkey() {
    let app = TestApp::with(keys(false)).await;
    let (mut key, mut bobs) = (SecurityKey::new(), SecurityKey::new());
    let mut spa = sign_up(&app, &mut key, &ada()).await;
    sign_up(&app, &mut bobs, &Person::named("bob")).await;
    let shown = spa.get("/self-service/login/browser?refresh=true").await;
    let options = asked(&shown, "passkey_challenge");
    assert_eq!(options["allowCredentials"].as_array().map(Vec::len), Some(1));
    let form = Form::of(&shown);
    let refused = spa.submit(&form, json!({ "passkey_login": bobs.prove(&options) })).await;
    assert_eq!((refused.status, refused.told()), (400, vec![4_000_043]));
    assert_eq!(spa.submit(&form, json!({ "passkey_login": key.prove(&options) })).await.status, 200);
    assert_eq!(who(&mut spa).await, json!(ada().email));
}

#[tokio::test]
async fn without_verification_nobody_gets_in_where_it_is_required() {
    let mut config = keys(false);
    config["selfservice"]["methods"]["passkey"]["config"]["authenticator_selection"] = json!({ "user_verification": "required" });
    let app = TestApp::with(config).await;
    let mut key = SecurityKey::new();
    sign_up(&app, &mut key, &ada()).await;
    key.flags = 0x01;
    assert_eq!(key.sign_in(&mut Spa::new(&app)).await.told(), [4_000_043]);
    key.flags = 0x05;
    assert_eq!(key.sign_in(&mut Spa::new(&app)).await.status, 200);
}

#[tokio::test]
async fn apps_use_passkeys_without_scripts() {
    let app = TestApp::with(keys(false)).await;
    let mut key = SecurityKey::new();
    sign_up(&app, &mut key, &ada()).await;
    let native = Native::new(&app);
    let form = native.open("login").await;
    let shown = native.flow("login", &form.id).await;
    let text = String::from_utf8_lossy(&shown.body).into_owned();
    assert!(!text.contains("webauthn.js") && !text.contains("\"onclick\"") && !text.contains("\"onload\""), "{text}");
    let said = key.prove(&asked(&shown, "passkey_challenge"));
    let done = native.submit(&form, json!({ "method": "passkey", "passkey_login": said })).await;
    assert!(done.json()["session_token"].is_string(), "{done:?}");
    let none = native.submit(&native.open("login").await, json!({ "method": "passkey" })).await;
    assert_eq!((none.status, none.told_at("passkey_login")), (400, vec![4_000_002]));
}

#[tokio::test]
async fn administrators_remove_passkeys_where_another_way_in_is_left() {
    let app = TestApp::with(keys(false)).await;
    let mut key = SecurityKey::new();
    let mut spa = Spa::new(&app);
    spa.sign_up(&ada()).await;
    assert_eq!(key.add_passkey(&mut spa).await.status, 200);
    let id = spa.get("/sessions/whoami").await.json()["identity"]["id"].as_str().unwrap().to_owned();
    let admin = Admin::new(&app);
    let delete = format!("/admin/identities/{id}/credentials/passkey");
    assert_eq!(admin.send("DELETE", &delete, &Value::Null).await.status, 204);
    assert_eq!(admin.send("DELETE", &delete, &Value::Null).await.status, 404);
    assert_eq!(key.sign_in(&mut Spa::new(&app)).await.told(), [4_000_015]);
    let (mut only, bob) = (SecurityKey::new(), Person::named("bob"));
    let mut spa = sign_up(&app, &mut only, &bob).await;
    let id = spa.get("/sessions/whoami").await.json()["identity"]["id"].as_str().unwrap().to_owned();
    let delete = format!("/admin/identities/{id}/credentials/passkey");
    assert_eq!(admin.send("DELETE", &delete, &Value::Null).await.status, 400, "the only way in stays");
}

#[tokio::test]
async fn two_steps_lead_to_a_passkey_on_pages() {
    let mut config = keys(false);
    config["selfservice"]["flows"]["registration"]["style"] = json!("profile_first");
    let app = TestApp::with(config).await;
    let mut browser = Browser::new(&app);
    let form = browser.open("registration").await;
    browser.submit(&form, &[("method", "profile"), ("traits.email", &ada().email)]).await;
    let shown = browser.flow("registration", &form.id).await;
    let made = SecurityKey::new().make(&asked(&shown, "passkey_create_data"));
    let done = browser.submit(&form, &[("passkey_register", &made), ("traits.email", &ada().email)]).await;
    assert_eq!(done.status, 303);
    assert!(browser.jar.get("ory_kratos_session").is_some(), "{done:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_assertion_of_a_passkey_is_good_for_one_of_64() {
    everywhere(keys(false), async |app| {
        let mut key = SecurityKey::new();
        sign_up(app, &mut key, &ada()).await;
        let mut spa = Spa::new(app);
        let shown = spa.get("/self-service/login/browser").await;
        let form = Form::of(&shown);
        let said = key.prove(&asked(&shown, "passkey_challenge"));
        let answers = together(64, |_| {
            let (mut spa, form, said) = (spa.clone(), &form, &said);
            async move { spa.submit(form, json!({ "passkey_login": said })).await }
        });
        let statuses: Vec<_> = answers.iter().map(|a| a.status).collect();
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
        assert!(statuses.iter().all(|status| matches!(status, 200 | 400)), "{statuses:?}");
    })
    .await;
}

#[tokio::test]
async fn where_the_identifier_is_asked_first_a_passkey_needs_none() {
    let mut config = keys(false);
    config["selfservice"]["flows"]["login"] = json!({ "style": "identifier_first" });
    let app = TestApp::with(config).await;
    let mut key = SecurityKey::new();
    sign_up(&app, &mut key, &ada()).await;
    let mut spa = Spa::new(&app);
    assert_eq!(key.sign_in(&mut spa).await.status, 200);
    assert_eq!(who(&mut spa).await, json!(ada().email));
}
