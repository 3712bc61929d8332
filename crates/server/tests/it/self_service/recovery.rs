//! Getting back into an account by a code.

use serde_json::{Value, json};

use crate::support::{Admin, Browser, Form, Native, Person, Spa, TestApp, UI, together};

/// Recovery is on, and everything else as `change` says.
pub(super) async fn app_with(change: Value) -> TestApp {
    TestApp::with(with_recovery(change)).await
}

/// A change of configuration that also switches recovery on.
pub(super) fn with_recovery(change: Value) -> Value {
    let mut base = json!({ "selfservice": { "flows": { "recovery": { "enabled": true, "ui_url": format!("{UI}/recovery") } } } });
    join(&mut base, change);
    base
}

fn join(base: &mut Value, over: Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            over.into_iter().for_each(|(key, over)| join(base.entry(key).or_insert(Value::Null), over));
        }
        (base, over) => *base = over,
    }
}

async fn app() -> TestApp {
    app_with(json!({})).await
}

/// With answers that say how to go on instead of redirects.
fn transitions() -> Value {
    json!({ "feature_flags": { "use_continue_with_transitions": true } })
}

/// Somebody whom an administrator made: no mail went to them yet.
pub(super) async fn person(app: &TestApp, name: &str) -> Person {
    let person = Person::named(name);
    let body = json!({ "schema_id": "default", "traits": { "email": person.email },
        "credentials": { "password": { "config": { "password": person.password } } } });
    assert_eq!(Admin::new(app).send("POST", "/admin/identities", &body).await.status, 201);
    person
}

async fn id_of(app: &TestApp, who: &Person) -> String {
    let list = Admin::new(app).get(&format!("/admin/identities?credentials_identifier={}", who.email)).await.json();
    list[0]["id"].as_str().unwrap().to_owned()
}

/// A script's flow that has sent a code, and the code.
async fn asked(app: &TestApp, spa: &mut Spa<'_>, who: &Person) -> (Form, String) {
    let form = spa.open("recovery").await;
    app.wait(1);
    let answer = spa.submit(&form, json!({ "method": "code", "email": who.email })).await;
    assert_eq!((answer.status, answer.state(), answer.told()), (200, "sent_email".to_owned(), vec![1_060_003]));
    (form, app.newest_mail(&who.email).await.code())
}

async fn whoami(spa: &mut Spa<'_>) -> u16 {
    spa.get("/sessions/whoami").await.status
}

fn code(code: &str) -> Value {
    json!({ "method": "code", "code": code })
}

#[tokio::test]
async fn a_code_signs_in_and_lands_in_settings_where_the_password_can_be_changed() {
    let app = app().await;
    let ada = person(&app, "ada").await;
    let mut spa = Spa::new(&app);
    let (form, secret) = asked(&app, &mut spa, &ada).await;
    let done = spa.submit(&form, code(&secret)).await;
    assert_eq!((done.status, done.error_id().as_deref()), (422, Some("browser_location_change_required")));
    let page = done.redirect_browser_to();
    let id = page.strip_prefix(&format!("{UI}/settings?flow=")).unwrap();
    let session = spa.get("/sessions/whoami").await.json();
    assert_eq!(session["authentication_methods"][0]["method"], "code_recovery");
    assert_eq!(session["authenticator_assurance_level"], "aal1");
    let address = &session["identity"]["verifiable_addresses"][0];
    assert_eq!((&address["verified"], &address["status"]), (&json!(true), &json!("completed")));
    let shown = spa.flow("settings", id).await;
    assert_eq!(shown.told(), [1_060_001]);
    let new = "heron-Qx7-58-lantern";
    let saved = spa.submit(&Form::of(&shown), json!({ "method": "password", "password": new })).await;
    assert_eq!((saved.status, saved.told()), (200, vec![1_050_001]), "without signing in again");
    Spa::new(&app).sign_in(&ada.with_password(new)).await;
}

#[tokio::test]
async fn a_page_is_led_by_redirects() {
    let app = app().await;
    let ada = person(&app, "ada").await;
    let mut browser = Browser::new(&app);
    let form = browser.open("recovery").await;
    let sent = browser.submit(&form, &[("method", "code"), ("email", &ada.email)]).await;
    assert_eq!((sent.status, sent.location()), (303, format!("{UI}/recovery?flow={}", form.id).as_str()));
    let form = Form::of(&browser.flow("recovery", &form.id).await);
    let secret = app.newest_mail(&ada.email).await.code();
    let done = browser.submit(&form, &[("method", "code"), ("code", &secret)]).await;
    assert_eq!(done.status, 303);
    assert!(done.location().starts_with(&format!("{UI}/settings?flow=")), "{done:?}");
    let settings = browser.arrive("settings", &done).await;
    assert!(!settings.csrf.is_empty());
    // The browser's secret is a new one, and the recovery flow is bound to it.
    let shown = browser.flow("recovery", &form.id).await;
    assert_eq!((shown.status, shown.state()), (200, "passed_challenge".to_owned()));
    assert_ne!(Form::of(&shown).csrf, form.csrf);
}

#[tokio::test]
async fn an_app_gets_a_token_and_a_settings_flow_of_its_own() {
    let app = app_with(transitions()).await;
    let ada = person(&app, "ada").await;
    let mut native = Native::new(&app);
    let form = native.open("recovery").await;
    native.submit(&form, json!({ "method": "code", "email": ada.email })).await;
    let done = native.submit(&form, code(&app.newest_mail(&ada.email).await.code())).await;
    assert_eq!((done.status, done.state()), (200, "passed_challenge".to_owned()));
    assert!(done.cookies().is_empty(), "apps have no cookies: {done:?}");
    let list = done.json()["continue_with"].clone();
    assert_eq!((&list[0]["action"], &list[1]["action"]), (&json!("set_ory_session_token"), &json!("show_settings_ui")));
    native.token = list[0]["ory_session_token"].as_str().map(str::to_owned);
    let settings = native.flow("settings", list[1]["flow"]["id"].as_str().unwrap()).await;
    assert_eq!((settings.status, settings.json()["type"].clone()), (200, json!("api")));
    assert!(settings.cookies().is_empty(), "with a cookie its submits would be refused: {settings:?}");
}

#[tokio::test]
async fn nobody_learns_whose_an_address_is() {
    let notify = json!({ "selfservice": { "flows": { "recovery": { "notify_unknown_recipients": true } } } });
    for (change, mails) in [(json!({}), 1), (notify, 2)] {
        let app = app_with(change).await;
        let ada = person(&app, "ada").await;
        let mut seen = Vec::new();
        for email in [ada.email.as_str(), "nobody@example.org"] {
            let mut spa = Spa::new(&app);
            let form = spa.open("recovery").await;
            for fields in [json!({ "method": "code", "email": email }), code("123456")] {
                let answer = spa.submit(&form, fields).await;
                let body = answer.json()["ui"].to_string();
                let body = body.replace(email, "EMAIL").replace(&form.id, "ID").replace(&form.csrf, "TOKEN");
                seen.push((answer.status, answer.state(), body));
            }
        }
        let (known, unknown) = seen.split_at(2);
        assert_eq!(known, unknown);
        let kinds: Vec<_> = app.mails().await.into_iter().map(|m| m.template).collect();
        assert_eq!(kinds, ["recovery_code_valid", "recovery_code_invalid"][..mails]);
    }
}

#[tokio::test]
async fn faults_of_the_form_are_told_at_their_fields() {
    let app = app().await;
    let native = Native::new(&app);
    for (body, told, at) in [
        (json!({ "method": "code" }), 4_000_002, Some("email")),
        (json!({ "method": "code", "email": "" }), 4_000_002, Some("email")),
        (json!({ "method": "code", "email": "nobody" }), 4_000_040, Some("email")),
        (json!({ "method": "code", "email": 7 }), 4_000_040, Some("email")),
        (json!({ "email": "a@example.org" }), 4_010_005, None),
        (json!({ "method": "link", "email": "a@example.org" }), 4_010_005, None),
        (json!({ "method": "password", "email": "a@example.org" }), 4_010_005, None),
        (json!({ "method": "code", "email": "a@example.org", "transient_payload": 1 }), 4_000_026, Some("transient_payload")),
    ] {
        let form = native.open("recovery").await;
        let answer = native.submit(&form, body.clone()).await;
        assert_eq!((answer.status, answer.told(), answer.state().as_str()), (400, vec![told], "choose_method"), "{body}");
        if let Some(name) = at {
            assert_eq!(answer.told_at(name), [told], "{body}");
        }
        assert_eq!(answer.json()["active"], "code", "{body}");
        // The flow is as good as before.
        let sent = native.submit(&form, json!({ "method": "code", "email": "a@example.org" })).await;
        assert_eq!((sent.status, sent.told()), (200, vec![1_060_003]), "{body}");
    }
}

#[tokio::test]
async fn a_wrong_late_older_or_foreign_code_opens_nothing() {
    let app =
        app_with(json!({ "selfservice": { "methods": { "code": { "config": { "max_submissions": 20, "lifespan": "30m" } } } } }))
            .await;
    let (ada, grace) = (person(&app, "ada").await, person(&app, "grace").await);
    let mut spa = Spa::new(&app);
    let (form, older) = asked(&app, &mut spa, &ada).await;
    app.wait(1);
    spa.submit(&form, json!({ "method": "code", "email": ada.email })).await;
    let newer = app.newest_mail(&ada.email).await.code();
    let mut other = Spa::new(&app);
    let (foreign, foreigners) = asked(&app, &mut other, &grace).await;
    for wrong in [older.as_str(), foreigners.as_str(), "", "\u{0}", "１２３４５６"] {
        if wrong == newer {
            continue;
        }
        let answer = spa.submit(&form, code(wrong)).await;
        assert!(answer.status < 500, "{wrong}: {answer:?}");
        assert_eq!(whoami(&mut spa).await, 401, "{wrong}");
    }
    assert_eq!(other.submit(&foreign, code(&newer)).await.told(), [4_060_006], "a code is good in its own flow only");
    let (form, secret) = asked(&app, &mut spa, &ada).await;
    app.wait(1800);
    let late = spa.submit(&form, code(&secret)).await;
    assert_eq!((late.status, late.told()), (200, vec![4_060_006]));
    assert_eq!((whoami(&mut spa).await, whoami(&mut other).await), (401, 401));
}

#[tokio::test]
async fn guesses_are_counted_and_asking_again_gives_no_more_of_them() {
    let app = app_with(transitions()).await;
    let ada = person(&app, "ada").await;
    let mut spa = Spa::new(&app);
    let (form, _) = asked(&app, &mut spa, &ada).await;
    for _ in 0..5 {
        assert_eq!(spa.submit(&form, code("x")).await.told(), [4_060_006]);
    }
    spa.submit(&form, json!({ "method": "code", "email": ada.email })).await;
    let right = app.newest_mail(&ada.email).await.code();
    let answer = spa.submit(&form, code(&right)).await;
    assert_eq!(answer.status, 400);
    let next = &answer.json()["error"]["details"]["continue_with"][0];
    assert_eq!(next["action"], "show_recovery_ui");
    let shown = spa.flow("recovery", next["flow"]["id"].as_str().unwrap()).await;
    assert_eq!((shown.status, shown.told(), shown.state().as_str()), (200, vec![4_000_001], "choose_method"));
    assert_eq!(whoami(&mut spa).await, 401);
}

#[tokio::test]
async fn only_the_browser_that_began_may_bring_the_code() {
    let app = app().await;
    let ada = person(&app, "ada").await;
    let mut spa = Spa::new(&app);
    let (form, secret) = asked(&app, &mut spa, &ada).await;
    let mut thief = Spa::new(&app);
    thief.open("recovery").await;
    assert_eq!(thief.flow("recovery", &form.id).await.status, 403);
    let answer = thief.submit(&form, code(&secret)).await;
    assert_eq!((answer.status, answer.error_id().as_deref()), (403, Some("security_csrf_violation")));
    assert_eq!(whoami(&mut thief).await, 401);
    let tokenless = spa.post(&form.action, &code(&secret)).await;
    assert_eq!(tokenless.status, 403);
    assert_eq!(spa.submit(&form, code(&secret)).await.status, 422, "and no try was lost");
}

#[tokio::test]
async fn one_recovery_ends_the_codes_of_all_others() {
    let app = app().await;
    let ada = person(&app, "ada").await;
    let (mut one, mut two) = (Spa::new(&app), Spa::new(&app));
    let (first, secret) = asked(&app, &mut one, &ada).await;
    let (second, other) = asked(&app, &mut two, &ada).await;
    assert_eq!(one.submit(&first, code(&secret)).await.status, 422);
    assert_eq!(two.submit(&second, code(&other)).await.told(), [4_060_006]);
    assert_eq!(whoami(&mut two).await, 401);
}

#[tokio::test]
async fn another_password_or_a_lost_address_ends_open_codes() {
    let app = app().await;
    for (name, change) in [
        ("ada", json!({ "method": "password", "password": "heron-Qx7-58-lantern" })),
        ("grace", json!({ "method": "profile", "traits": { "email": "moved@example.org" } })),
    ] {
        let who = person(&app, name).await;
        let mut thief = Spa::new(&app);
        let (form, secret) = asked(&app, &mut thief, &who).await;
        let mut owner = Spa::new(&app);
        owner.sign_in(&who).await;
        let settings = owner.open("settings").await;
        assert_eq!(owner.submit(&settings, change.clone()).await.status, 200, "{change}");
        assert_eq!(thief.submit(&form, code(&secret)).await.told(), [4_060_006], "{change}");
        assert_eq!(whoami(&mut thief).await, 401, "{change}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn recovery_and_a_change_of_password_at_once_come_one_after_the_other() {
    for round in 0..8 {
        let app = app_with(transitions()).await;
        let ada = person(&app, "ada").await;
        let native = Native::new(&app);
        let form = native.open("recovery").await;
        native.submit(&form, json!({ "method": "code", "email": ada.email })).await;
        let secret = app.newest_mail(&ada.email).await.code();
        let mut owner = Native::new(&app);
        owner.sign_in(&ada).await;
        let settings = owner.open("settings").await;
        let (owner, settings, form) = (&owner, &settings, &form);
        let answers = together(2, |number| {
            let fields = code(&secret);
            let native = Native::new(&app);
            async move {
                if number == 0 {
                    native.submit(form, fields).await
                } else {
                    owner.submit(settings, json!({ "method": "password", "password": "heron-Qx7-58-lantern" })).await
                }
            }
        });
        assert_eq!(answers[1].status, 200, "round {round}: {:?}", answers[1]);
        // Either the code came first and was good, or the password did and it was not.
        let recovered = answers[0].json()["state"] == "passed_challenge";
        let refused = answers[0].status == 400 || answers[0].told() == [4_060_006];
        assert!(recovered || refused, "round {round}: {:?}", answers[0]);
        Native::new(&app).sign_in(&ada.with_password("heron-Qx7-58-lantern")).await;
    }
}

#[tokio::test]
async fn disabled_and_deleted_people_are_not_recovered() {
    let app = app().await;
    let (ada, grace) = (person(&app, "ada").await, person(&app, "grace").await);
    let (mut one, mut two) = (Spa::new(&app), Spa::new(&app));
    let (first, secret) = asked(&app, &mut one, &ada).await;
    let (second, other) = asked(&app, &mut two, &grace).await;
    let admin = Admin::new(&app);
    let patch = json!([{ "op": "replace", "path": "/state", "value": "inactive" }]);
    let disabled = format!("/admin/identities/{}", id_of(&app, &ada).await);
    assert_eq!(admin.send("PATCH", &disabled, &patch).await.status, 200);
    let deleted = format!("/admin/identities/{}", id_of(&app, &grace).await);
    assert_eq!(admin.send("DELETE", &deleted, &json!({})).await.status, 204);

    let refused = one.submit(&first, code(&secret)).await;
    assert_eq!(refused.status, 303);
    let shown = one.get(refused.location()).await;
    assert_eq!((shown.status, shown.told()), (200, vec![4_010_011]));
    let patch = json!([{ "op": "replace", "path": "/state", "value": "active" }]);
    assert_eq!(admin.send("PATCH", &disabled, &patch).await.status, 200);
    assert_ne!(one.submit(&first, code(&secret)).await.status, 422, "the code was used up");
    assert_eq!(two.submit(&second, code(&other)).await.told(), [4_060_006]);
    assert_eq!((whoami(&mut one).await, whoami(&mut two).await), (401, 401));
}

#[tokio::test]
async fn a_finished_flow_leads_to_a_new_one() {
    let app = app().await;
    let ada = person(&app, "ada").await;
    let native = Native::new(&app);
    let form = native.open("recovery").await;
    native.submit(&form, json!({ "method": "code", "email": ada.email })).await;
    let secret = app.newest_mail(&ada.email).await.code();
    native.submit(&form, code(&secret)).await;
    for (fields, told) in [(json!({ "method": "code", "email": ada.email }), 4_060_001), (code(&secret), 4_000_001)] {
        let answer = native.submit(&form, fields.clone()).await;
        assert_eq!(answer.status, 303, "{fields}");
        assert_eq!(native.get(answer.location()).await.told(), [told], "{fields}");
    }
    let flagged = app_with(transitions()).await;
    let ada = person(&flagged, "ada").await;
    let mut spa = Spa::new(&flagged);
    let (form, secret) = asked(&flagged, &mut spa, &ada).await;
    spa.submit(&form, code(&secret)).await;
    spa.get("/self-service/logout/browser").await;
    let form = Form::of(&spa.flow("recovery", &form.id).await);
    let mut out = Spa::new(&flagged);
    out.jar = spa.jar.clone();
    out.jar.forget("ory_kratos_session");
    let answer = out.submit(&form, json!({ "method": "code", "email": ada.email })).await;
    assert_eq!(answer.status, 400, "{answer:?}");
    assert_eq!(answer.json()["error"]["details"]["continue_with"][0]["action"], "show_recovery_ui");
}

#[tokio::test]
async fn an_expired_flow_is_replaced_and_keeps_its_way_back() {
    let app = app_with(transitions()).await;
    let mut spa = Spa::new(&app);
    let form = Form::of(&spa.get(&format!("/self-service/recovery/browser?return_to={UI}/back")).await);
    let native = Native::new(&app);
    let theirs = native.open("recovery").await;
    app.wait(3601);
    let gone = spa.flow("recovery", &form.id).await;
    assert_eq!((gone.status, gone.error_id()), (410, None));
    assert_eq!(gone.json()["error"]["details"]["return_to"], format!("{UI}/back"));
    let answer = spa.submit(&form, json!({ "method": "code", "email": "a@example.org" })).await;
    assert_eq!(answer.status, 303);
    let shown = spa.get(answer.location()).await;
    assert_eq!((shown.told(), shown.json()["return_to"].clone()), (vec![4_060_005], json!(format!("{UI}/back"))));
    let answer = native.submit(&theirs, json!({ "method": "code", "email": "a@example.org" })).await;
    assert_eq!((answer.status, answer.error_id().as_deref()), (410, Some("self_service_flow_expired")));
    let body = answer.json();
    assert_eq!(body["error"]["details"]["continue_with"][0]["flow"]["id"], body["use_flow_id"]);
}

#[tokio::test]
async fn whoever_is_signed_in_has_nothing_to_recover_but_may_finish_it() {
    let app = app().await;
    let (ada, grace) = (person(&app, "ada").await, person(&app, "grace").await);
    let mut spa = Spa::new(&app);
    let (form, secret) = asked(&app, &mut spa, &ada).await;
    let unused = spa.open("recovery").await;
    let mut other = Spa::new(&app);
    other.sign_in(&grace).await;
    spa.set_cookie("ory_kratos_session", other.cookie("ory_kratos_session").unwrap());
    let begun = spa.get("/self-service/recovery/browser").await;
    assert_eq!((begun.status, begun.error_id().as_deref()), (400, Some("session_already_available")));
    let page = spa.browser().get(&format!("/self-service/recovery/browser?return_to={UI}/here")).await;
    assert_eq!((page.status, page.location()), (302, format!("{UI}/here").as_str()));
    let asking = spa.submit(&unused, json!({ "method": "code", "email": ada.email })).await;
    assert_eq!((asking.status, asking.error_id().as_deref()), (400, Some("session_already_available")));
    assert_eq!(spa.submit(&form, code(&secret)).await.status, 422);
    let now = spa.get("/sessions/whoami").await.json();
    assert_eq!(now["identity"]["traits"]["email"], ada.email.as_str(), "the recovered account's session takes the place");
    assert_eq!(whoami(&mut other).await, 200);
}

#[tokio::test]
async fn settings_can_be_skipped_and_hooks_run() {
    let app = app_with(json!({ "selfservice": { "flows": { "recovery": {
        "after": { "hooks": [{ "hook": "revoke_active_sessions" }], "default_browser_return_url": format!("{UI}/recovered") },
    } } } }))
    .await;
    let ada = person(&app, "ada").await;
    let mut old = Spa::new(&app);
    old.sign_in(&ada).await;
    let mut spa = Spa::new(&app);
    let form = Form::of(&spa.get("/self-service/recovery/browser?skip_settings=true").await);
    spa.submit(&form, json!({ "method": "code", "email": ada.email })).await;
    let done = spa.submit(&form, code(&app.newest_mail(&ada.email).await.code())).await;
    assert_eq!((done.status, done.state()), (200, "passed_challenge".to_owned()));
    assert_eq!((whoami(&mut old).await, whoami(&mut spa).await), (401, 200));

    app.wait(1);
    let mut browser = Browser::new(&app);
    let begun = browser.get("/self-service/recovery/browser?skip_settings=true").await;
    let form = browser.arrive("recovery", &begun).await;
    browser.submit(&form, &[("method", "code"), ("email", &ada.email)]).await;
    let secret = app.newest_mail(&ada.email).await.code();
    let form = Form::of(&browser.flow("recovery", &form.id).await);
    let done = browser.submit(&form, &[("method", "code"), ("code", &secret)]).await;
    assert_eq!((done.status, done.location()), (303, format!("{UI}/recovered").as_str()));
}

#[tokio::test]
async fn a_mailbox_is_not_filled_and_nobody_is_locked_out_by_it() {
    let app = app().await;
    let ada = person(&app, "ada").await;
    let native = Native::new(&app);
    let form = native.open("recovery").await;
    let ask = json!({ "method": "code", "email": ada.email });
    for _ in 0..10 {
        app.wait(1);
        assert_eq!(native.submit(&form, ask.clone()).await.status, 200);
    }
    let secret = app.newest_mail(&ada.email).await.code();
    let refused = native.submit(&form, ask.clone()).await;
    assert_eq!((refused.status, refused.told()), (400, vec![4_000_001]));
    let again = native.submit(&native.open("recovery").await, ask.clone()).await;
    assert_eq!(again.told(), [4_000_001], "a new flow gives no new messages");
    assert_eq!(app.mails().await.len(), 10);
    let unknown = json!({ "method": "code", "email": "nobody@example.org" });
    let stranger = native.open("recovery").await;
    for _ in 0..10 {
        assert_eq!(native.submit(&stranger, unknown.clone()).await.status, 200);
    }
    assert_eq!(native.submit(&stranger, unknown).await.told(), [4_000_001], "the limit does not tell who is known");
    assert_eq!(native.submit(&form, code(&secret)).await.status, 422, "what was sent last is good");
    app.wait(600);
    assert_eq!(native.submit(&native.open("recovery").await, ask).await.status, 200);
}

#[tokio::test]
async fn where_it_is_off_it_says_so() {
    let app = TestApp::new().await;
    let native = Native::new(&app);
    for path in ["api", "browser", "flows?id=6a2b0c1e-2222-4333-8444-555566667777"] {
        assert_eq!(native.get(&format!("/self-service/recovery/{path}")).await.status, 400, "{path}");
    }
    let submit = "/self-service/recovery?flow=6a2b0c1e-2222-4333-8444-555566667777";
    assert_eq!(native.post(submit, &json!({})).await.status, 400);
    let mut unusable = json!({ "selfservice": { "methods": { "code": { "enabled": false } } } });
    unusable["selfservice"]["flows"]["recovery"]["use"] = json!("code");
    let app = app_with(unusable).await;
    assert_eq!(Native::new(&app).get("/self-service/recovery/api").await.status, 400);
}
