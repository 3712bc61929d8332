//! Signing in, signing up and proving a second factor by a code.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::recovery::app_with;
use crate::support::{Admin, Answer, Browser, Form, Native, Person, Spa, TestApp, UI};

/// An identity schema whose e-mail address and phone number get codes.
fn schema() -> String {
    let address = |via: &str, format: &str| {
        json!({ "type": "string", "format": format, "title": via, "ory.sh/kratos": {
            "credentials": { "code": { "identifier": true, "via": via } },
            "verification": { "via": via }, "recovery": { "via": via } } })
    };
    let mut email = address("email", "email");
    email["ory.sh/kratos"]["credentials"]["password"] = json!({ "identifier": true });
    let schema = json!({ "$id": "coded", "type": "object", "properties": { "traits": { "type": "object", "properties": {
        "email": email, "phone": address("sms", "tel"), "name": { "type": "string" },
    }, "required": ["email"] } } });
    format!("base64://{}", STANDARD.encode(schema.to_string()))
}

async fn app_of(code: Value, more: Value) -> TestApp {
    app_with(codes_config(code, more)).await
}

/// People with an e-mail address and a phone number, and this configuration of the method; `more` takes the place of what
/// it names.
pub(super) fn codes_config(code: Value, more: Value) -> Value {
    let mut change = json!({
        "identity": { "default_schema_id": "coded", "schemas": [{ "id": "coded", "url": schema() }] },
        "selfservice": { "methods": { "code": code },
            "flows": { "registration": { "after": { "code": { "hooks": [{ "hook": "session" }] } } } } },
    });
    for (key, value) in more.as_object().unwrap() {
        change[key] = value.clone();
    }
    change
}

/// Codes alone sign people in.
async fn app() -> TestApp {
    app_of(json!({ "passwordless_enabled": true }), json!({})).await
}

/// Codes are a second factor.
async fn second() -> TestApp {
    app_of(json!({ "mfa_enabled": true }), json!({})).await
}

async fn person(app: &TestApp, name: &str) -> Person {
    made(app, name, json!({})).await
}

/// Somebody whom an administrator made, with more traits than an address.
pub(super) async fn made(app: &TestApp, name: &str, more: Value) -> Person {
    let person = Person::named(name);
    let mut traits = more;
    traits["email"] = json!(person.email);
    let body = json!({ "schema_id": "coded", "traits": traits,
        "credentials": { "password": { "config": { "password": person.password } } } });
    let made = Admin::new(app).send("POST", "/admin/identities", &body).await;
    assert_eq!(made.status, 201, "{made:?}");
    person
}

fn ask(identifier: &str) -> Value {
    json!({ "method": "code", "identifier": identifier })
}

fn bring(identifier: &str, code: &str) -> Value {
    json!({ "method": "code", "identifier": identifier, "code": code })
}

/// A native flow that has sent a code, and the code.
async fn asked(app: &TestApp, identifier: &str) -> (Form, String) {
    let native = Native::new(app);
    let form = native.open("login").await;
    app.wait(1);
    let answer = native.submit(&form, ask(identifier)).await;
    assert_eq!((answer.status, answer.state(), answer.told()), (400, "sent_email".to_owned(), vec![1_010_014]));
    (form, app.newest_mail(identifier).await.code())
}

async fn sessions(app: &TestApp) -> usize {
    Admin::new(app).get("/admin/sessions").await.json().as_array().unwrap().len()
}

#[tokio::test]
async fn a_code_signs_in_once_and_verifies_its_address() {
    let app = app().await;
    let ada = made(&app, "ada", json!({ "phone": "+4915112345642" })).await;
    let (form, code) = asked(&app, &ada.email).await;
    let native = Native::new(&app);
    let done = native.submit(&form, bring(&ada.email.to_uppercase(), &code)).await;
    assert_eq!(done.status, 200, "{done:?}");
    let session = &done.json()["session"];
    assert_eq!(session["authentication_methods"].as_array().unwrap().len(), 1);
    let proof = session["authentication_methods"][0].as_object().unwrap().clone();
    assert_eq!(proof.keys().collect::<Vec<_>>(), ["method", "aal", "completed_at"], "nothing else is shown");
    assert_eq!((&proof["method"], &proof["aal"]), (&json!("code"), &json!("aal1")));
    let verified: Vec<_> =
        session["identity"]["verifiable_addresses"].as_array().unwrap().iter().map(|a| &a["verified"]).collect();
    assert_eq!(verified, [true, false], "only the address that it went to");
    let again = native.submit(&form, bring(&ada.email, &code)).await;
    assert_eq!((again.status, again.told()), (400, vec![4_010_002]));
    assert_eq!(sessions(&app).await, 1);
}

#[tokio::test]
async fn a_text_message_signs_in_too() {
    let app = app().await;
    made(&app, "ada", json!({ "phone": "+4915112345642" })).await;
    let (form, code) = asked(&app, "+4915112345642").await;
    assert_eq!(app.mails().await.len(), 1, "the mail address gets none");
    let done = Native::new(&app).submit(&form, bring("+49 151 123-45642", &code)).await;
    assert_eq!(done.status, 200, "{done:?}");
}

#[tokio::test]
async fn the_identifier_may_be_left_out_the_second_time() {
    let app = app().await;
    let ada = person(&app, "ada").await;
    let mut browser = Browser::new(&app);
    let form = browser.open("login").await;
    browser.submit(&form, &[("method", "code"), ("identifier", &ada.email.to_uppercase())]).await;
    let shown = browser.flow("login", &form.id).await;
    assert_eq!(shown.field("identifier"), Some(json!(ada.email)));
    assert_eq!(shown.nodes(), ["identifier", "method", "code", "method", "resend", "csrf_token"]);
    let form = Form::of(&shown);
    let code = app.newest_mail(&ada.email).await.code();
    let wrong = browser.submit(&form, &[("method", "code"), ("code", "nope")]).await;
    assert_eq!(wrong.location(), format!("{UI}/login?flow={}", form.id));
    let shown = browser.flow("login", &form.id).await;
    assert_eq!((shown.told(), shown.field("identifier")), (vec![4_010_008], Some(json!(ada.email))));
    let done = browser.submit(&form, &[("method", "code"), ("code", &code)]).await;
    assert_eq!((done.status, done.location()), (303, format!("{UI}/").as_str()));
}

#[tokio::test]
async fn a_wrong_older_late_or_foreign_code_signs_nobody_in() {
    let app =
        app_of(json!({ "passwordless_enabled": true, "config": { "max_submissions": 20, "lifespan": "30m" } }), json!({})).await;
    let (ada, grace) = (person(&app, "ada").await, person(&app, "grace").await);
    let (form, older) = asked(&app, &ada.email).await;
    let (foreign, foreigners) = asked(&app, &grace.email).await;
    let native = Native::new(&app);
    app.wait(1);
    let again = native.submit(&form, json!({ "method": "code", "identifier": ada.email, "resend": "code" })).await;
    assert_eq!((again.status, again.told()), (400, vec![1_010_014]));
    let newer = app.newest_mail(&ada.email).await.code();
    for (form, identifier, code) in [
        (&form, &ada.email, older.as_str()),
        (&form, &ada.email, foreigners.as_str()),
        (&form, &grace.email, newer.as_str()),
        (&foreign, &grace.email, newer.as_str()),
        (&form, &ada.email, "\u{0}"),
    ] {
        let answer = native.submit(form, bring(identifier, code)).await;
        assert_eq!((answer.status, answer.told()), (400, vec![4_010_008]), "{identifier} {code}");
    }
    let none = native.submit(&form, bring(&ada.email, "")).await;
    assert_eq!((none.status, none.told_at("code")), (400, vec![4_000_002]));
    app.wait(1800);
    assert_eq!(native.submit(&form, bring(&ada.email, &newer)).await.told(), [4_010_008]);
    assert_eq!(sessions(&app).await, 0);
}

#[tokio::test]
async fn tries_are_charged_and_the_password_still_works() {
    let app = app().await;
    let ada = person(&app, "ada").await;
    let (form, code) = asked(&app, &ada.email).await;
    let native = Native::new(&app);
    for _ in 0..5 {
        assert_eq!(native.submit(&form, bring(&ada.email, "x")).await.told(), [4_010_008]);
    }
    assert_eq!(native.submit(&form, bring(&ada.email, &code)).await.told(), [4_000_001]);
    assert_eq!(sessions(&app).await, 0);
    let password = json!({ "method": "password", "identifier": ada.email, "password": ada.password });
    assert_eq!(native.submit(&form, password).await.status, 200);
}

#[tokio::test]
async fn unknown_people_are_told_so_unless_that_is_to_be_hidden() {
    let hiding = json!({ "security": { "account_enumeration": { "mitigate": true } } });
    for (more, told) in [(json!({}), 4_000_035), (hiding, 1_010_014)] {
        let app = app_of(json!({ "passwordless_enabled": true }), more).await;
        person(&app, "ada").await;
        let native = Native::new(&app);
        for identifier in ["nobody@example.org", "+4915112345642"] {
            let form = native.open("login").await;
            let answer = native.submit(&form, ask(identifier)).await;
            assert_eq!((answer.status, answer.told()), (400, vec![told]), "{identifier}");
            if told == 1_010_014 {
                assert_eq!(native.submit(&form, bring(identifier, "123456")).await.told(), [4_010_008]);
            }
        }
        assert!(app.mails().await.is_empty());
        for body in [json!({ "method": "code" }), ask("")] {
            let answer = native.submit(&native.open("login").await, body).await;
            assert_eq!((answer.status, answer.told_at("identifier")), (400, vec![4_000_002]));
        }
    }
}

#[tokio::test]
async fn disabled_people_are_told_so_after_the_code_only() {
    let app = app().await;
    let ada = person(&app, "ada").await;
    let (form, code) = asked(&app, &ada.email).await;
    let list = Admin::new(&app).get("/admin/identities").await.json();
    let path = format!("/admin/identities/{}", list[0]["id"].as_str().unwrap());
    let patch = json!([{ "op": "replace", "path": "/state", "value": "inactive" }]);
    assert_eq!(Admin::new(&app).send("PATCH", &path, &patch).await.status, 200);
    let native = Native::new(&app);
    assert_eq!(native.submit(&form, bring(&ada.email, "x")).await.told(), [4_010_008]);
    let answer = native.submit(&form, bring(&ada.email, &code)).await;
    assert_eq!((answer.status, answer.told(), answer.state().as_str()), (400, vec![4_010_011], "passed_challenge"));
    assert_eq!(sessions(&app).await, 0);
}

#[tokio::test]
async fn a_mailbox_is_not_filled_and_the_flow_stays_as_it_was() {
    let app = app().await;
    let ada = person(&app, "ada").await;
    let native = Native::new(&app);
    for _ in 0..10 {
        let form = native.open("login").await;
        native.submit(&form, ask(&ada.email)).await;
    }
    let form = native.open("login").await;
    let refused = native.submit(&form, ask(&ada.email)).await;
    assert_eq!((refused.status, refused.told(), refused.state().as_str()), (400, vec![4_000_001], "choose_method"));
    assert_eq!(app.mails().await.len(), 10);
}

#[tokio::test]
async fn whoever_proves_themselves_again_is_who_they_are() {
    let choose = json!({ "feature_flags": { "refresh_login_choose_address": true } });
    for more in [json!({}), choose.clone()] {
        let app = app_of(json!({ "passwordless_enabled": true }), more.clone()).await;
        let (ada, grace) = (person(&app, "ada").await, person(&app, "grace").await);
        let mut spa = Spa::new(&app);
        spa.sign_in(&ada).await;
        let field = if more == choose { "address" } else { "identifier" };
        let shown = spa.get("/self-service/login/browser?refresh=true").await;
        assert!(shown.nodes().contains(&field.to_owned()), "{:?}", shown.nodes());
        let form = Form::of(&shown);
        let other = spa.submit(&form, json!({ "method": "code", field: grace.email })).await;
        assert_eq!((other.status, other.told()), (400, vec![4_000_035]));
        app.wait(1);
        let sent = spa.submit(&form, json!({ "method": "code", field: ada.email })).await;
        assert_eq!((sent.status, sent.told()), (400, vec![1_010_025]));
        let code = app.newest_mail(&ada.email).await.code();
        let done = spa.submit(&form, json!({ "method": "code", field: ada.email, "code": code })).await;
        assert_eq!(done.status, 200, "{done:?}");
        assert_eq!(done.json()["session"]["authentication_methods"].as_array().unwrap().len(), 2);
    }
}

#[tokio::test]
async fn people_sign_up_by_a_code_for_the_traits_that_it_was_sent_for() {
    let app = app().await;
    let native = Native::new(&app);
    let form = native.open("registration").await;
    let traits = json!({ "email": "new@example.org", "name": "Ada" });
    let sent = native.submit(&form, json!({ "method": "code", "traits": traits })).await;
    assert_eq!((sent.status, sent.state().as_str(), sent.told()), (400, "sent_email", vec![1_040_005]));
    let code = app.newest_mail("new@example.org").await.code();
    let with = |traits: Value, code: &str| json!({ "method": "code", "traits": traits, "code": code });
    let other = native.submit(&form, with(json!({ "email": "thief@example.org" }), &code)).await;
    assert_eq!((other.status, other.told()), (400, vec![4_000_036]));
    assert_eq!(other.field("traits.email"), Some(json!("new@example.org")), "the form goes on with what the code is for");
    assert_eq!(native.submit(&form, with(traits.clone(), "nope")).await.told(), [4_040_003]);
    assert_eq!(native.submit(&form, json!({ "method": "code", "traits": traits })).await.told_at("code"), [4_000_002]);
    let done = native.submit(&form, with(traits.clone(), &code)).await;
    assert_eq!(done.status, 200, "{done:?}");
    let address = &done.json()["identity"]["verifiable_addresses"][0];
    assert_eq!((&address["verified"], &address["status"]), (&json!(true), &json!("completed")));
    assert_eq!(done.json()["session"]["authentication_methods"][0]["method"], "code");
    assert_eq!(app.mails().await.len(), 1);
    let again = native.submit(&form, with(traits, &code)).await;
    assert_eq!((again.status, again.told(), again.state().as_str()), (400, vec![4_010_003], "passed_challenge"));
}

#[tokio::test]
async fn a_taken_address_is_told_to_its_holder_only() {
    let app = app().await;
    let ada = person(&app, "ada").await;
    let native = Native::new(&app);
    let form = native.open("registration").await;
    let traits = json!({ "email": ada.email });
    assert_eq!(native.submit(&form, json!({ "method": "code", "traits": traits })).await.told(), [1_040_005]);
    let code = app.newest_mail(&ada.email).await.code();
    let refused = native.submit(&form, json!({ "method": "code", "traits": traits, "code": code })).await;
    assert_eq!((refused.status, refused.told(), refused.state().as_str()), (400, vec![4_000_007], "passed_challenge"));
}

/// A browser's flow for the second factor, after the password.
pub(super) async fn stepping_up(app: &TestApp, spa: &mut Spa<'_>, who: &Person) -> Answer {
    let form = spa.open("login").await;
    let password = json!({ "method": "password", "identifier": who.email, "password": who.password });
    let first = spa.submit(&form, password).await;
    assert_eq!((first.status, first.error_id().as_deref()), (422, Some("browser_location_change_required")));
    app.wait(1);
    spa.get("/self-service/login/browser?aal=aal2").await
}

#[tokio::test]
async fn the_only_second_factor_is_sent_at_once_and_raises_the_session() {
    let app = second().await;
    let ada = person(&app, "ada").await;
    let mut spa = Spa::new(&app);
    let shown = stepping_up(&app, &mut spa, &ada).await;
    assert_eq!((shown.status, shown.state().as_str(), shown.told()), (200, "sent_email", vec![1_010_025]));
    assert_eq!(spa.get("/sessions/whoami").await.status, 403);
    let form = Form::of(&shown);
    let code = app.newest_mail(&ada.email).await.code();
    assert_eq!(spa.submit(&form, json!({ "method": "code", "code": "nope" })).await.told(), [4_010_008]);
    let done = spa.submit(&form, json!({ "method": "code", "code": code })).await;
    assert_eq!(done.json()["session"]["authenticator_assurance_level"], "aal2", "{done:?}");
    assert_eq!(spa.get("/sessions/whoami").await.status, 200);
}

#[tokio::test]
async fn among_several_addresses_one_is_chosen() {
    let app = second().await;
    let ada = made(&app, "ada", json!({ "phone": "+4915112345642" })).await;
    let mut spa = Spa::new(&app);
    let shown = stepping_up(&app, &mut spa, &ada).await;
    assert_eq!(
        (shown.state().as_str(), shown.nodes()),
        ("choose_method", ["csrf_token", "address", "address"].map(str::to_owned).to_vec())
    );
    let form = Form::of(&shown);
    assert_eq!(spa.submit(&form, json!({ "address": "stranger@example.org" })).await.told(), [4_000_035]);
    let nothing = spa.submit(&form, json!({ "method": "code" })).await;
    assert_eq!((nothing.status, nothing.told_at("identifier")), (400, vec![4_000_002]));
    let sent = spa.submit(&form, json!({ "address": "+4915112345642" })).await;
    assert_eq!((sent.status, sent.told()), (400, vec![1_010_025]));
    assert_eq!(app.mails().await.len(), 1);
    let code = app.newest_mail("+4915112345642").await.code();
    assert_eq!(spa.submit(&form, json!({ "method": "code", "code": code })).await.status, 200);
    for (via, status) in [("phone", 200), ("name", 400), ("nothing", 400), ("", 200)] {
        let mut other = Spa::new(&app);
        stepping_up(&app, &mut other, &ada).await;
        let answer = other.get(&format!("/self-service/login/browser?aal=aal2&via={via}")).await;
        assert_eq!(answer.status, status, "{via}");
    }
}

#[tokio::test]
async fn a_second_factors_code_is_the_persons_own() {
    let app = second().await;
    let (ada, grace) = (person(&app, "ada").await, person(&app, "grace").await);
    let (mut one, mut two) = (Spa::new(&app), Spa::new(&app));
    let form = Form::of(&stepping_up(&app, &mut one, &ada).await);
    stepping_up(&app, &mut two, &grace).await;
    let graces = app.newest_mail(&grace.email).await.code();
    for fields in [bring(&grace.email, &graces), json!({ "method": "code", "code": graces })] {
        assert_eq!(one.submit(&form, fields).await.told(), [4_010_008]);
    }
    let asking = one.submit(&form, json!({ "method": "code", "identifier": grace.email, "resend": "code" })).await;
    assert_eq!(asking.told(), [4_000_035]);
    assert_eq!(one.get("/sessions/whoami").await.status, 403);
    let first = Native::new(&app).open("login").await;
    assert_eq!(Native::new(&app).submit(&first, ask(&ada.email)).await.told(), [4_010_002], "it is no first factor");
}

#[tokio::test]
async fn one_mailbox_is_never_both_factors() {
    let app = second().await;
    let ada = made(&app, "ada", json!({ "phone": "+4915112345642" })).await;
    let mut spa = Spa::new(&app);
    let form = spa.open("recovery").await;
    spa.submit(&form, json!({ "method": "code", "email": ada.email })).await;
    let code = app.newest_mail(&ada.email).await.code();
    assert_eq!(spa.submit(&form, json!({ "method": "code", "code": code })).await.status, 422);
    assert_eq!(spa.get("/sessions/whoami").await.status, 403, "a second factor is asked for");
    let form = Form::of(&spa.get("/self-service/login/browser?aal=aal2").await);
    let same = spa.submit(&form, json!({ "address": ada.email })).await;
    assert_eq!((same.status, same.told()), (400, vec![4_000_035]));
    app.wait(1);
    assert_eq!(spa.submit(&form, json!({ "address": "+4915112345642" })).await.told(), [1_010_025]);
    let code = app.newest_mail("+4915112345642").await.code();
    assert_eq!(spa.submit(&form, json!({ "method": "code", "code": code })).await.status, 200, "another address is one");
    assert_eq!(spa.get("/sessions/whoami").await.json()["authenticator_assurance_level"], "aal2");
}
