//! How often somebody may guess: limits that strangers cannot turn against the owner.

use bytes::Bytes;
use portcullis::http::ports::Port;
use serde_json::{Value, json};

use crate::support::{Admin, Answer, Authenticator, Form, Native, Person, Spa, TestApp, backup_codes, second_factors, together};

/// A sign-in with a password from an address.
async fn sign_in_from(app: &TestApp, address: &str, who: &Person, flow: Option<&str>) -> Answer {
    let native = Native::new(app);
    let action = match flow {
        Some(action) => action.to_owned(),
        None => native.open("login").await.action,
    };
    let path = action.strip_prefix("http://127.0.0.1:4433").unwrap();
    let body = json!({ "method": "password", "identifier": who.email, "password": who.password }).to_string();
    let request = http::Request::post(path).header("host", "127.0.0.1:4433").header("accept", "application/json");
    let request = request.header("content-type", "application/json").body(Bytes::from(body)).unwrap();
    app.send_from(address, Port::Public, request).await
}

#[tokio::test]
async fn wrong_passwords_are_counted_and_unknown_people_get_the_same_answers() {
    let app = TestApp::new().await;
    let (ada, nobody) = (Person::named("ada"), Person::named("nobody"));
    Native::new(&app).sign_up(&ada).await;
    let wrong = ada.with_password("not-her-password");
    let native = Native::new(&app);
    for who in [&wrong, &nobody] {
        for number in 0..10 {
            assert_eq!(native.try_sign_in(who).await.told(), [4_000_006], "{number}");
        }
        let refused = native.try_sign_in(who).await;
        assert_eq!((refused.status, refused.told()), (400, vec![4_000_001]));
    }
    assert_eq!(native.try_sign_in(&ada).await.told(), [4_000_001], "the right one is not told either");
    app.wait(299);
    assert_eq!(native.try_sign_in(&ada).await.told(), [4_000_001]);
    app.wait(1);
    assert_eq!(native.try_sign_in(&ada).await.status, 200, "it does not last");
    for _ in 0..9 {
        native.try_sign_in(&wrong).await;
    }
    assert_eq!(native.try_sign_in(&ada).await.status, 200);
    assert_eq!(native.try_sign_in(&wrong).await.told(), [4_000_006], "a right one ends it");
}

#[tokio::test]
async fn strangers_do_not_keep_the_owner_out() {
    let app = TestApp::with(json!({ "security": { "guess_limit": { "max_tries": 3 } } })).await;
    let ada = Person::named("ada");
    Native::new(&app).sign_up(&ada).await;
    let wrong = ada.with_password("not-her-password");
    for number in 0..40 {
        // Each address has its own tries, all of them together ten times as many.
        let address = format!("192.0.2.{}", number / 3 + 1);
        let answer = sign_in_from(&app, &address, &wrong, None).await;
        let told = if number < 30 || number % 3 == 0 { 4_000_006 } else { 4_000_001 };
        assert_eq!(answer.told(), [told], "{number}");
    }
    assert_eq!(sign_in_from(&app, "192.0.2.14", &ada, None).await.told(), [4_000_001], "it had its try");
    assert_eq!(sign_in_from(&app, "198.51.100.9", &ada, None).await.status, 200, "the owner has one, too, and it is right");
    assert_eq!(sign_in_from(&app, "203.0.113.1", &wrong, None).await.told(), [4_000_006]);
}

#[tokio::test]
async fn households_and_flows_are_counted() {
    let app = TestApp::with(json!({ "security": { "guess_limit": { "max_tries": 2, "window": "1h" } } })).await;
    let people: Vec<_> = ["ada", "grace", "mary"].map(Person::named).into();
    let wrong = people[0].with_password("not-her-password");
    Native::new(&app).sign_up(&people[0]).await;
    let told = |answer: Answer| answer.told();
    assert_eq!(told(sign_in_from(&app, "2001:db8::1", &wrong, None).await), [4_000_006]);
    assert_eq!(told(sign_in_from(&app, "2001:db8::2", &wrong, None).await), [4_000_006]);
    assert_eq!(
        told(sign_in_from(&app, "2001:db8::3", &wrong, None).await),
        [4_000_001],
        "one network of 64 bits is one household"
    );
    assert_eq!(told(sign_in_from(&app, "2001:db8:0:1::1", &wrong, None).await), [4_000_006]);
    let flow = Native::new(&app).open("login").await.action;
    for (number, who) in people.iter().enumerate() {
        let answer = sign_in_from(&app, &format!("192.0.2.{}", number + 1), &who.with_password("x"), Some(&flow)).await;
        assert_eq!(answer.told(), [if number < 2 { 4_000_006 } else { 4_000_001 }], "a flow is good for two, whoever it is");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_guesses_at_once_no_more_learn_anything() {
    let app = TestApp::new().await;
    let ada = Person::named("ada");
    Native::new(&app).sign_up(&ada).await;
    let wrong = ada.with_password("not-her-password");
    let answers = together(24, |_| {
        let (app, wrong) = (&app, &wrong);
        async move { Native::new(app).try_sign_in(wrong).await.told() }
    });
    assert_eq!(answers.iter().filter(|told| told[..] == [4_000_006]).count(), 10, "{answers:?}");
    assert_eq!(answers.iter().filter(|told| told[..] == [4_000_001]).count(), 14);
}

#[tokio::test]
async fn second_factors_are_limited_each_for_itself() {
    let app = TestApp::with(second_factors()).await;
    let ada = Person::named("ada");
    let mut spa = Spa::new(&app);
    spa.sign_up(&ada).await;
    let device = Authenticator::link(&app, &mut spa).await;
    let codes = backup_codes(&mut spa).await;
    let totp = |code: &str| json!({ "method": "totp", "totp_code": code });
    let lookup = |code: &str| json!({ "method": "lookup_secret", "lookup_secret": code });
    let mut other = Spa::new(&app);
    other.try_sign_in(&ada).await;
    for (wrong, right, told) in
        [(totp(&device.wrong(&app)), totp(&device.code(&app, 0)), 4_000_008), (lookup("12345678"), lookup(&codes[0]), 4_000_016)]
    {
        for _ in 0..10 {
            // A new form is no new start.
            let form = Form::of(&other.get("/self-service/login/browser?aal=aal2").await);
            assert_eq!(other.submit(&form, wrong.clone()).await.told(), [told]);
        }
        let form = Form::of(&other.get("/self-service/login/browser?aal=aal2").await);
        for refused in [wrong, right] {
            assert_eq!(other.submit(&form, refused).await.told(), [4_000_001]);
        }
    }
    app.wait(300);
    let form = Form::of(&other.get("/self-service/login/browser?aal=aal2").await);
    assert_eq!(other.submit(&form, lookup(&codes[0])).await.status, 200, "a code that was refused was not used up");
}

#[tokio::test]
async fn the_limit_can_be_lifted() {
    let mut config = second_factors();
    config["security"] = json!({ "guess_limit": { "max_tries": 0 } });
    let app = TestApp::with(config).await;
    let ada = Person::named("ada");
    let mut spa = Spa::new(&app);
    spa.sign_up(&ada).await;
    let device = Authenticator::link(&app, &mut spa).await;
    let wrong: Value = json!({ "method": "totp", "totp_code": device.wrong(&app) });
    let native = Native::new(&app);
    for _ in 0..12 {
        assert_eq!(native.try_sign_in(&ada.with_password("not-her-password")).await.told(), [4_000_006]);
        let form = Form::of(&spa.get("/self-service/login/browser?aal=aal2&refresh=true").await);
        assert_eq!(spa.submit(&form, wrong.clone()).await.told(), [4_000_008]);
    }
    assert_eq!(native.try_sign_in(&ada).await.status, 200);
    assert_eq!(Admin::new(&app).get("/admin/identities").await.status, 200);
}
