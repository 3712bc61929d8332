//! Signing in and up for an OAuth2 server beside us, and what people find when it misbehaves.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Answer, Authenticator, Browser, Manner, Native, Person, Spa, Target, TestApp, UI};

const REQUEST: &str = "/admin/oauth2/auth/requests/login?login_challenge=c1";
const ACCEPT: &str = "/admin/oauth2/auth/requests/login/accept?login_challenge=c1";
const BEGIN: &str = "/self-service/login/browser?login_challenge=c1";
const ONWARDS: &str = "https://oauth2.example.org/oauth2/auth?login_verifier=v";

fn ada() -> Person {
    Person::named("ada")
}

/// An OAuth2 server with one open login.
async fn hydra(skip: bool) -> Target {
    let target = Target::start().await;
    let request =
        json!({ "challenge": "c1", "skip": skip, "subject": "", "request_url": "https://oauth2.example.org/oauth2/auth" });
    target.says(REQUEST, 200, &request);
    target.says(ACCEPT, 200, &json!({ "redirect_to": ONWARDS }));
    target
}

async fn beside(target: &Target, more: Value) -> TestApp {
    let mut change = json!({ "oauth2_provider": { "url": format!("{}/", target.url), "headers": { "X-Key": "sesame-open" } } });
    change.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    TestApp::with(change).await
}

async fn sign_in(spa: &mut Spa<'_>, begun: &Answer) -> Answer {
    let form = crate::support::Form::of(begun);
    let fields = json!({ "method": "password", "identifier": ada().email, "password": ada().password });
    spa.submit(&form, fields).await
}

#[tokio::test]
async fn a_sign_in_is_told_to_the_server_before_anybody_has_a_session() {
    let target = hydra(false).await;
    let app = beside(&target, json!({})).await;
    Native::new(&app).sign_up(&ada()).await;
    for (manner, status) in [
        (Manner::Says(404, r#"{"error_hint":"gone"}"#.into()), 500),
        (Manner::Says(500, "no".into()), 500),
        (Manner::Drops, 500),
        (Manner::Babbles, 500),
        (Manner::Says(200, "{}".into()), 500),
    ] {
        target.treat(ACCEPT, manner.clone());
        let mut spa = Spa::new(&app);
        let begun = spa.get(BEGIN).await;
        let answer = sign_in(&mut spa, &begun).await;
        assert_eq!((answer.status, answer.cookie("ory_kratos_session")), (status, None), "{manner:?}: {answer:?}");
        assert_eq!(spa.get("/sessions/whoami").await.status, 401, "{manner:?}");
    }
    target.says(ACCEPT, 200, &json!({ "redirect_to": ONWARDS }));
    let mut spa = Spa::new(&app);
    let begun = spa.get(BEGIN).await;
    let answer = sign_in(&mut spa, &begun).await;
    assert_eq!((answer.status, answer.redirect_browser_to()), (422, ONWARDS.to_owned()));
    let session = spa.get("/sessions/whoami").await.json();
    let told = target.sent(ACCEPT).pop().unwrap();
    assert_eq!(told.headers["x-key"], "sesame-open");
    assert_eq!(
        told.json(),
        json!({
            "subject": session["identity"]["id"], "identity_provider_session_id": session["id"],
            "remember": true, "remember_for": 86_400, "amr": ["password"],
        })
    );
}

#[tokio::test]
async fn a_server_that_misbehaves_is_told_at_the_start() {
    let target = hydra(false).await;
    let app = beside(&target, json!({})).await;
    for (manner, status, details) in [
        (Manner::Says(404, r#"{"error_hint":"gone"}"#.into()), 400, json!({ "status_code": 404, "oauth2_error_hint": "gone" })),
        (Manner::Says(503, "x".into()), 500, json!({ "status_code": 503, "oauth2_error_hint": "" })),
        (Manner::Drops, 500, Value::Null),
        (Manner::Babbles, 500, Value::Null),
        (Manner::Floods, 500, Value::Null),
        (Manner::Says(200, "[]".into()), 500, Value::Null),
        (Manner::Says(200, r#"{"skip":"x"}"#.into()), 500, Value::Null),
    ] {
        target.treat(REQUEST, manner.clone());
        // So that it is asked again although it did not answer.
        app.wait(20);
        for kind in ["login", "registration"] {
            let begun = Instant::now();
            let answer = Spa::new(&app).get(&format!("/self-service/{kind}/browser?login_challenge=c1")).await;
            assert_eq!((answer.status, &answer.json()["error"]["details"]), (status, &details), "{kind}, {manner:?}");
            assert!(begun.elapsed() < Duration::from_secs(5), "{manner:?}");
        }
        let page = Browser::new(&app).get(BEGIN).await;
        assert!(page.location().starts_with(&format!("{UI}/error?id=")), "{page:?}");
    }
    assert_eq!(Spa::new(&app).get("/self-service/login/browser?login_challenge=").await.status, 400);
    assert_eq!(Native::new(&app).get("/self-service/login/api?login_challenge=c1").await.status, 200, "apps have no use for it");
    // The challenge is one parameter, whatever stands in it.
    let odd = "/admin/oauth2/auth/requests/login?login_challenge=a%26b%3Dc%2F..%23";
    target.says(odd, 200, &json!({ "skip": false, "request_url": "" }));
    let answer = Spa::new(&app).get("/self-service/login/browser?login_challenge=a%26b%3Dc%2F..%23").await;
    assert_eq!((answer.status, &answer.json()["oauth2_login_challenge"]), (200, &json!("a&b=c/..#")));
}

#[tokio::test]
async fn a_form_lives_without_the_server_and_what_is_wrong_is_told() {
    let target = hydra(false).await;
    let app = beside(&target, json!({})).await;
    Native::new(&app).sign_up(&ada()).await;
    let mut spa = Spa::new(&app);
    let begun = spa.get(BEGIN).await;
    assert_eq!(begun.json()["oauth2_login_request"]["challenge"], "c1");
    let form = crate::support::Form::of(&begun);
    let wrong = json!({ "method": "password", "identifier": ada().email, "password": "wrong" });
    target.treat(REQUEST, Manner::Drops);
    let answer = spa.submit(&form, wrong.clone()).await;
    assert_eq!((answer.status, answer.told(), &answer.json()["oauth2_login_request"]), (400, vec![4_000_006], &Value::Null));
    target.says(REQUEST, 200, &json!({ "challenge": "c1" }));
    assert_eq!(spa.submit(&form, wrong).await.json()["oauth2_login_request"]["challenge"], "c1");
    assert!(target.sent(ACCEPT).is_empty());
}

#[tokio::test]
async fn whoever_is_signed_in_is_sent_on_or_asked_again() {
    let target = hydra(true).await;
    let app = beside(&target, json!({})).await;
    let mut spa = Spa::new(&app);
    spa.sign_up(&ada()).await;
    let answer = spa.get(BEGIN).await;
    assert_eq!((answer.status, answer.redirect_browser_to()), (422, ONWARDS.to_owned()), "scripts are told, too");
    let page = spa.browser().get(BEGIN).await;
    assert_eq!((page.status, page.location()), (303, ONWARDS));
    let answer = spa.get("/self-service/registration/browser?login_challenge=c1").await;
    assert_eq!((answer.status, answer.redirect_browser_to()), (422, ONWARDS.to_owned()));
    assert_eq!(target.sent(ACCEPT).len(), 3);
    let form = spa.get(&format!("{BEGIN}&refresh=true")).await;
    assert_eq!((form.status, &form.json()["refresh"]), (200, &json!(true)), "a fresh sign-in was asked for");
    assert_eq!(target.sent(ACCEPT).len(), 3);

    target.says(REQUEST, 200, &json!({ "skip": false }));
    let form = spa.get(BEGIN).await;
    assert_eq!((form.status, &form.json()["refresh"], form.told()), (200, &json!(true), vec![1_010_003]));
    let page = spa.browser().get("/self-service/registration/browser?login_challenge=c1").await;
    assert_eq!((page.status, page.location()), (302, "http://127.0.0.1:4433/self-service/login/browser?login_challenge=c1"));
}

#[tokio::test]
async fn a_second_factor_comes_before_the_server_is_told() {
    let target = hydra(false).await;
    let more = json!({
        "selfservice": { "methods": { "totp": { "enabled": true } } },
        "session": { "whoami": { "required_aal": "highest_available" } },
    });
    let app = beside(&target, more).await;
    let mut spa = Spa::new(&app);
    spa.sign_up(&ada()).await;
    let authenticator = Authenticator::link(&app, &mut spa).await;
    let mut spa = Spa::new(&app);
    let begun = spa.get(BEGIN).await;
    let first = sign_in(&mut spa, &begun).await;
    assert_eq!(first.status, 422, "{first:?}");
    let url = first.redirect_browser_to();
    assert!(url.contains("aal=aal2") && url.contains("login_challenge=c1"), "{url}");
    assert!(target.sent(ACCEPT).is_empty());
    let form = crate::support::Form::of(&spa.get(&url).await);
    let answer = spa.submit(&form, json!({ "method": "totp", "totp_code": authenticator.code(&app, 0) })).await;
    assert_eq!((answer.status, answer.redirect_browser_to()), (422, ONWARDS.to_owned()), "{answer:?}");
    assert_eq!(target.sent(ACCEPT)[0].json()["amr"], json!(["password", "totp"]));
}

#[tokio::test]
async fn return_to_is_overridden_by_allowed_addresses_only() {
    let target = hydra(false).await;
    let with = |allowed: Value| {
        json!({
            "oauth2_provider": { "url": target.url, "override_return_to": true },
            "selfservice": { "allowed_return_urls": allowed },
        })
    };
    let app = TestApp::with(with(json!([UI]))).await;
    let answer = Spa::new(&app).get(BEGIN).await;
    assert_eq!((answer.status, answer.error_id().as_deref()), (400, Some("self_service_flow_return_to_forbidden")));
    let app = TestApp::with(with(json!([UI, "https://oauth2.example.org/"]))).await;
    let answer = Spa::new(&app).get(&format!("{BEGIN}&return_to={UI}/x")).await.json();
    assert_eq!(answer["return_to"], "https://oauth2.example.org/oauth2/auth");
    assert!(answer["request_url"].as_str().unwrap().contains("&refresh=true&return_to=https%3A%2F%2Foauth2"), "{answer}");
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_left_alone_for_a_while() {
    let target = hydra(false).await;
    let app = beside(&target, json!({})).await;
    target.treat(REQUEST, Manner::Drops);
    for _ in 0..8 {
        assert_eq!(Spa::new(&app).get(BEGIN).await.status, 500);
    }
    assert_eq!(target.sent(REQUEST).len(), 5);
    target.says(REQUEST, 200, &json!({ "skip": false }));
    assert_eq!(Spa::new(&app).get(BEGIN).await.status, 500);
    app.wait(20);
    assert_eq!(Spa::new(&app).get(BEGIN).await.status, 200);
}

#[tokio::test]
async fn a_sign_up_that_the_server_refuses_is_saved_without_a_session() {
    let target = hydra(false).await;
    let app = beside(&target, json!({})).await;
    target.treat(ACCEPT, Manner::Says(500, "x".into()));
    let sign_up = async |who: &Person| {
        let mut spa = Spa::new(&app);
        let form = crate::support::Form::of(&spa.get("/self-service/registration/browser?login_challenge=c1").await);
        let traits = json!({ "email": who.email });
        spa.submit(&form, json!({ "method": "password", "password": who.password, "traits": traits })).await
    };
    let answer = sign_up(&ada()).await;
    assert_eq!((answer.status, answer.cookie("ory_kratos_session")), (500, None), "{answer:?}");
    Native::new(&app).sign_in(&ada()).await;
    target.says(ACCEPT, 200, &json!({ "redirect_to": ONWARDS }));
    let answer = sign_up(&Person::named("bob")).await;
    let onwards = json!([{ "action": "redirect_browser_to", "redirect_browser_to": ONWARDS }]);
    assert_eq!((answer.status, &answer.json()["continue_with"]), (200, &onwards));
}

#[tokio::test]
async fn a_verification_leads_on_in_the_browser_that_began_it() {
    let target = hydra(false).await;
    let more = json!({ "selfservice": { "flows": {
        "verification": { "enabled": true, "ui_url": format!("{UI}/verification") },
        "registration": { "after": { "password": { "hooks": [{ "hook": "session" }, { "hook": "show_verification_ui" }] } } },
    } } });
    let app = beside(&target, more).await;
    for (who, same) in [(ada(), true), (Person::named("bob"), false)] {
        let mut browser = Browser::new(&app);
        let page = browser.get("/self-service/registration/browser?login_challenge=c1").await;
        let form = browser.arrive("registration", &page).await;
        let fields = [("method", "password"), ("password", who.password.as_str()), ("traits.email", who.email.as_str())];
        let page = browser.submit(&form, &fields).await;
        assert!(page.location().starts_with(&format!("{UI}/verification?flow=")), "{page:?}");
        let before = target.sent(ACCEPT).len();
        let id = page.parameter("flow").unwrap();
        let code = app.newest_mail(&who.email).await.code();
        let mut spa = if same { browser.script() } else { Spa::new(&app) };
        let (action, csrf) = if same {
            let form = crate::support::Form::of(&spa.flow("verification", &id).await);
            (form.action, form.csrf)
        } else {
            (format!("/self-service/verification?flow={id}"), String::new())
        };
        let answer = spa.post(&action, &json!({ "method": "code", "code": code, "csrf_token": csrf })).await;
        let anchor =
            answer.json()["ui"]["nodes"].as_array().into_iter().flatten().find(|n| n["attributes"]["id"] == "continue").cloned();
        let href = anchor.map(|node| node["attributes"]["href"].clone());
        if same {
            assert_eq!(href, Some(json!(ONWARDS)), "{answer:?}");
            let shown = spa.flow("verification", &id).await.json();
            assert!(shown.to_string().contains("login_verifier"), "it stays in the flow: {shown}");
        } else {
            assert_ne!(href, Some(json!(ONWARDS)), "{answer:?}");
        }
        assert_eq!(target.sent(ACCEPT).len() - before, usize::from(same));
    }
}

#[tokio::test]
async fn built_in_pages_carry_the_challenge_and_lead_on() {
    let target = hydra(false).await;
    let none = json!({ "ui_url": null });
    let app = beside(&target, json!({ "selfservice": { "flows": { "login": none, "registration": none } } })).await;
    let mut browser = Browser::new(&app);
    let mut page = browser.get("/login?login_challenge=c1").await;
    for _ in 0..3 {
        if page.status == 303 {
            let next = page.location().to_owned();
            page = browser.get(&next).await;
        }
    }
    let text = String::from_utf8(page.body.to_vec()).unwrap();
    assert!(text.contains("/self-service/registration/browser?login_challenge=c1"), "{text}");
}
