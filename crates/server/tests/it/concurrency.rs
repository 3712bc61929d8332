//! What holds when many do the same thing at the same moment.

use serde_json::json;

use crate::support::{Admin, Answer, Form, Native, Person, Spa, TestApp, UI, together};

fn sign_up(email: &str, first: &str) -> serde_json::Value {
    json!({ "method": "password", "password": "heron-Qx7-58-lantern", "traits": { "email": email, "name": { "first": first } } })
}

fn statuses(answers: &[Answer]) -> Vec<u16> {
    let mut all: Vec<u16> = answers.iter().map(|a| a.status).collect();
    all.sort_unstable();
    all
}

async fn identities(app: &TestApp) -> Vec<serde_json::Value> {
    Admin::new(app).get("/admin/identities").await.json().as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_address_is_given_to_one_of_64_who_sign_up_with_it() {
    let app = TestApp::new().await;
    let mut forms = Vec::new();
    for _ in 0..64 {
        forms.push(Native::new(&app).open("registration").await);
    }
    let spellings = ["ada@example.org", "ADA@example.org", "Ada@Example.Org"];
    let answers = together(64, |number| {
        let (native, form) = (Native::new(&app), &forms[number]);
        async move { native.submit(form, sign_up(spellings[number % 3], &format!("Ada {number}"))).await }
    });
    assert_eq!(answers.iter().filter(|a| a.status == 200).count(), 1, "{:?}", statuses(&answers));
    for answer in answers.iter().filter(|a| a.status != 200) {
        assert_eq!((answer.status, answer.told()), (400, vec![4_000_007]), "{answer:?}");
    }
    let winner = answers.iter().position(|a| a.status == 200).unwrap();
    let kept = identities(&app).await;
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0]["traits"]["name"]["first"], format!("Ada {winner}"));
    let sessions = Admin::new(&app).get("/admin/sessions").await.json().as_array().unwrap().len();
    assert_eq!(sessions, 1, "those who were refused have no session");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_form_sent_64_times_with_different_traits_makes_what_each_answer_says() {
    let app = TestApp::new().await;
    let form = Native::new(&app).open("registration").await;
    let answers = together(64, |number| {
        let (native, form) = (Native::new(&app), &form);
        async move { native.submit(form, sign_up(&format!("ada-{number}@example.org"), &format!("Ada {number}"))).await }
    });
    let mut made = Vec::new();
    for (number, answer) in answers.iter().enumerate() {
        match answer.status {
            200 => {
                let body = answer.json();
                assert_eq!(body["identity"]["traits"]["name"]["first"], format!("Ada {number}"), "somebody else's answer");
                assert_eq!(body["session"]["identity"]["id"], body["identity"]["id"]);
                let mut native = Native::new(&app);
                native.token = Some(body["session_token"].as_str().unwrap().to_owned());
                assert_eq!(native.get("/sessions/whoami").await.json()["identity"]["id"], body["identity"]["id"]);
                made.push(body["identity"]["id"].clone());
            }
            400 => assert!(!answer.told().is_empty(), "{answer:?}"),
            _ => panic!("{answer:?}"),
        }
    }
    assert!(!made.is_empty());
    assert_eq!(identities(&app).await.len(), made.len(), "what was refused was not made");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_logout_by_64_at_once_ends_the_session_and_fails_for_nobody_oddly() {
    let app = TestApp::new().await;
    let mut spa = Spa::new(&app);
    spa.sign_up(&Person::named("ada")).await;
    let token = spa.get("/self-service/logout/browser").await.json()["logout_token"].as_str().unwrap().to_owned();
    let path = format!("/self-service/logout?token={token}");
    let answers = together(64, |_| {
        let (mut spa, path) = (spa.clone(), &path);
        async move { spa.get(path).await }
    });
    assert!(answers.iter().any(|a| a.status == 204));
    for answer in answers.iter().filter(|a| a.status != 204) {
        assert_eq!((answer.status, answer.error_id().as_deref()), (401, Some("session_inactive")));
    }
    assert_eq!(spa.get("/sessions/whoami").await.status, 401);
    assert_eq!(spa.get(&path).await.status, 401, "the token is good for nothing afterwards");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sign_ins_at_once_all_succeed_with_sessions_of_their_own() {
    let app = TestApp::new().await;
    let ada = Person::named("ada");
    Native::new(&app).sign_up(&ada).await;
    let answers = together(32, |_| {
        let (native, ada) = (Native::new(&app), &ada);
        async move { native.try_sign_in(ada).await }
    });
    let mut tokens: Vec<_> = answers.iter().map(|a| a.json()["session_token"].as_str().unwrap().to_owned()).collect();
    tokens.sort();
    tokens.dedup();
    assert_eq!(tokens.len(), 32);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_external_id_is_given_to_one_of_64() {
    let app = TestApp::new().await;
    let answers = together(64, |number| {
        let app = &app;
        async move {
            let body =
                json!({ "schema_id": "default", "external_id": "E1", "traits": { "email": format!("n{number}@example.org") } });
            Admin::new(app).send("POST", "/admin/identities", &body).await
        }
    });
    assert_eq!(answers.iter().filter(|a| a.status == 201).count(), 1, "{:?}", statuses(&answers));
    assert!(answers.iter().all(|a| matches!(a.status, 201 | 409)));
    assert_eq!(identities(&app).await.len(), 1);
}

async fn verifying() -> TestApp {
    TestApp::with(
        json!({ "selfservice": { "flows": { "verification": { "enabled": true, "ui_url": format!("{UI}/verification") } } } }),
    )
    .await
}

/// A native flow that has sent a code, and the code.
async fn sent(app: &TestApp, who: &Person) -> (Form, String) {
    let native = Native::new(app);
    let form = native.open("verification").await;
    app.wait(1);
    assert_eq!(native.submit(&form, json!({ "method": "code", "email": who.email })).await.status, 200);
    (form, app.newest_mail(&who.email).await.code())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_code_is_good_for_one_of_64() {
    let app = verifying().await;
    let ada = Person::named("ada");
    Native::new(&app).sign_up(&ada).await;
    let (form, code) = sent(&app, &ada).await;
    let answers = together(64, |_| {
        let (native, form, code) = (Native::new(&app), &form, &code);
        async move { native.submit(form, json!({ "method": "code", "code": code })).await }
    });
    let passed = answers.iter().filter(|a| a.status == 200 && a.state() == "passed_challenge").count();
    assert_eq!(passed, 1, "{:?}", statuses(&answers));
    assert!(answers.iter().all(|a| a.status < 500), "{:?}", statuses(&answers));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_number_of_guesses_at_once_is_more_than_is_allowed() {
    let app = verifying().await;
    let ada = Person::named("ada");
    Native::new(&app).sign_up(&ada).await;
    let (form, code) = sent(&app, &ada).await;
    let right: u32 = code.parse().unwrap();
    let answers = together(64, |number| {
        let guess = format!("{:06}", (right + 1 + u32::try_from(number).unwrap()) % 1_000_000);
        let (native, form) = (Native::new(&app), &form);
        async move { native.submit(form, json!({ "method": "code", "code": guess })).await }
    });
    assert!(answers.iter().all(|a| a.status < 500), "{:?}", statuses(&answers));
    let judged = answers.iter().filter(|a| a.status != 410).filter(|a| a.told().contains(&4_070_006)).count();
    assert!(judged <= 5, "{judged} guesses were judged");
    let late = Native::new(&app).submit(&form, json!({ "method": "code", "code": code })).await;
    assert_ne!(late.status, 200, "the tries are spent");
}
