//! What a settings flow holds to beyond its forms: the numbers are the lines of the acceptance list. Lines 1 to 4, 7, 8 and
//! 17 are in `settings_fresh`, 11 to 13, 18, 20, 22, 23 and 25 in `settings_form`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::{Browser, Form, Native, Person, RawDatabase, Spa, TestApp, UI, schema, together};

fn stale() -> Value {
    json!({ "selfservice": { "flows": { "settings": { "privileged_session_max_age": "1m" } } } })
}

fn profile(traits: Value) -> Value {
    json!({ "method": "profile", "traits": traits })
}

fn password(new: &str) -> Value {
    json!({ "method": "password", "password": new })
}

async fn signed_up<'a>(app: &'a TestApp, who: &Person) -> (Spa<'a>, Form) {
    let mut spa = Spa::new(app);
    spa.sign_up(who).await;
    let form = spa.open("settings").await;
    (spa, form)
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
async fn line_09_a_change_its_flow_and_its_mails_are_saved_together_or_not_at_all() {
    let change = json!({ "selfservice": { "flows": {
        "verification": { "enabled": true, "ui_url": format!("{UI}/verification") },
        "settings": { "after": { "profile": { "hooks": [{ "hook": "notify_previous_addresses" }] } } },
    } } });
    let app = TestApp::with(change).await;
    let (ada, grace) = (Person::named("ada"), Person::named("grace"));
    Spa::new(&app).sign_up(&grace).await;
    let (mut spa, form) = signed_up(&app, &ada).await;
    let before = app.mails().await.len();
    let taken = spa.submit(&form, profile(json!({ "email": grace.email }))).await;
    assert_eq!((taken.status, taken.told()), (400, vec![4_000_007]));
    assert_eq!(spa.traits().await["email"], ada.email.as_str());
    assert_eq!(app.mails().await.len(), before, "nobody is written to about what did not happen");
    app.wait(1);
    let moved = spa.submit(&form, profile(json!({ "email": "countess@example.org" }))).await;
    assert_eq!(moved.state(), "success");
    let mut written: Vec<_> = app.mails().await.split_off(before).into_iter().map(|m| (m.to, m.template)).collect();
    written.sort();
    let expected = [("ada@example.org", "verifiable_address_changed"), ("countess@example.org", "verification_code_valid")];
    assert_eq!(written, expected.map(|(to, template)| (to.to_owned(), template.to_owned())));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn line_10_requests_at_once_do_not_undo_one_another() {
    let app = TestApp::new().await;
    let ada = Person::named("ada");
    let (mut spa, _) = signed_up(&app, &ada).await;
    let forms = [spa.open("settings").await, spa.open("settings").await];
    let changes = [password("heron-Qx7-58-lantern"), profile(json!({ "email": "countess@example.org" }))];
    let answers = together(2, |number| {
        let (mut spa, form, fields) = (spa.clone(), forms[number].clone(), changes[number].clone());
        async move { spa.submit(&form, fields).await }
    });
    for answer in &answers {
        assert_eq!((answer.status, answer.state()), (200, "success".to_owned()), "{answer:?}");
    }
    let now = Person { email: "countess@example.org".to_owned(), password: "heron-Qx7-58-lantern".to_owned() };
    assert_eq!(Native::new(&app).try_sign_in(&now).await.status, 200, "both are in effect");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn line_10_many_changes_at_once_are_applied_whole_or_refused() {
    let app = TestApp::new().await;
    let ada = Person::named("ada");
    let (mut spa, form) = signed_up(&app, &ada).await;
    let answers = together(64, |number| {
        let (mut spa, form) = (spa.clone(), form.clone());
        let fields = profile(json!({
            "email": format!("ada-{number}@example.org"),
            "name": { "first": format!("Ada {number}"), "last": format!("L {number}") },
        }));
        async move { spa.submit(&form, fields).await }
    });
    let saved: Vec<usize> = (0..64).filter(|n| answers[*n].status == 200).collect();
    assert!(!saved.is_empty());
    for (number, answer) in answers.iter().enumerate() {
        match answer.status {
            200 => assert_eq!(answer.json()["identity"]["traits"]["email"], format!("ada-{number}@example.org")),
            400 => assert_eq!(answer.told(), [4_000_001], "overtaken by others"),
            _ => panic!("{answer:?}"),
        }
    }
    let traits = spa.traits().await;
    let matching = |n: &&usize| {
        let (email, first, last) = (format!("ada-{n}@example.org"), format!("Ada {n}"), format!("L {n}"));
        traits == json!({ "email": email, "name": { "first": first, "last": last } })
    };
    let last = saved.iter().find(matching).unwrap_or_else(|| panic!("mixed: {traits}"));
    let now = Person { email: format!("ada-{last}@example.org"), ..ada.clone() };
    assert_eq!(Native::new(&app).try_sign_in(&now).await.status, 200);
    for number in (0..64).filter(|n| n != last) {
        let other = Person { email: format!("ada-{number}@example.org"), ..ada.clone() };
        assert_eq!(Native::new(&app).try_sign_in(&other).await.status, 400, "{number} is free again");
    }
}

#[tokio::test]
async fn line_10_a_form_opened_before_an_address_changed_does_not_change_it_back() {
    let app = TestApp::new().await;
    let ada = Person::named("ada");
    let mut spa = Spa::new(&app);
    spa.sign_up(&ada).await;
    let (first, second) = (spa.open("settings").await, spa.open("settings").await);
    let moved = json!({ "method": "profile", "traits": { "email": "countess@example.org" } });
    assert_eq!(spa.submit(&first, moved).await.status, 200);
    // The second form still shows the old address; only the name was typed into it.
    let named = json!({ "method": "profile", "traits": { "email": ada.email, "name": { "first": "Ada" } } });
    let answer = spa.submit(&second, named.clone()).await;
    assert_eq!((answer.status, answer.told()), (400, vec![4_000_001]), "refused, so that the person looks again");
    assert_eq!(answer.field("traits.email"), Some(json!("countess@example.org")), "what is there now");
    assert_eq!(answer.field("traits.name.first"), Some(json!("Ada")), "and what was typed");
    assert_eq!(spa.traits().await["email"], "countess@example.org");
    // Whoever looked at it and means it may.
    let answer = spa.submit(&second, named).await;
    assert_eq!((answer.status, spa.traits().await["email"].clone()), (200, json!(ada.email)));
}

#[tokio::test]
async fn line_14_what_waits_goes_on_use_and_on_logout() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db.sqlite");
    let app = TestApp::stored_at(&path, stale()).await;
    let raw = RawDatabase::at(&path);
    for (name, used) in [("ada", true), ("grace", false)] {
        let who = Person::named(name);
        let (mut spa, form) = signed_up(&app, &who).await;
        app.wait(120);
        assert_eq!(spa.submit(&form, password("heron-Qx7-58-lantern")).await.status, 403);
        assert_eq!(raw.count("parked"), 1, "{name}");
        if used {
            spa.refresh(&who).await;
            spa.finish(&form).await;
        } else {
            spa.sign_out().await;
        }
        assert_eq!(raw.count("parked"), 0, "{name}");
    }
}

#[tokio::test]
async fn line_19_the_person_is_told_and_other_sessions_end_where_configured() {
    let change = json!({ "selfservice": { "flows": { "settings": { "after": {
        "password": { "hooks": [{ "hook": "revoke_active_sessions" }] },
        "profile": { "hooks": [{ "hook": "notify_previous_addresses", "config": { "recipients": "all" } }] },
    } } } } });
    let app = TestApp::with(change).await;
    let ada = Person::named("ada");
    let (mut spa, form) = signed_up(&app, &ada).await;
    let mut elsewhere = Native::new(&app);
    elsewhere.sign_in(&ada).await;
    spa.submit(&form, password("short")).await;
    spa.submit(&form, profile(json!({ "email": ada.email, "name": { "first": "Ada" } }))).await;
    assert_eq!(elsewhere.get("/sessions/whoami").await.status, 200, "a refused password ends nothing, nor does a name");
    assert!(app.mails().await.is_empty());
    assert_eq!(spa.submit(&form, password("heron-Qx7-58-lantern")).await.status, 200);
    assert_eq!(elsewhere.get("/sessions/whoami").await.status, 401);
    assert_eq!(spa.get("/sessions/whoami").await.status, 200, "this one stays");
    spa.submit(&form, profile(json!({ "email": "countess@example.org" }))).await;
    let told: Vec<_> = app.mails().await.into_iter().map(|m| (m.to, m.template)).collect();
    assert_eq!(told, [(ada.email, "verifiable_address_changed".to_owned())]);
}

#[tokio::test]
async fn line_24_every_new_address_is_written_to_at_once_in_the_schemas_order() {
    let mail = json!({ "verification": { "via": "email" } });
    let properties = json!({
        "email": { "type": "string", "format": "email", "ory.sh/kratos": { "credentials": { "password": { "identifier": true } } } },
        "zulu": { "type": "string", "format": "email", "ory.sh/kratos": mail },
        "alfa": { "type": "string", "format": "email", "ory.sh/kratos": mail },
        "mike": { "type": "string", "format": "email", "ory.sh/kratos": mail },
    });
    let mut change = schema(properties, &["email"]);
    change["selfservice"] = json!({ "flows": { "verification": { "enabled": true, "ui_url": format!("{UI}/verification") } } });
    let app = TestApp::with(change).await;
    let ada = Person::named("ada");
    let (mut spa, form) = signed_up(&app, &ada).await;
    let traits = json!({ "email": ada.email, "mike": "m@example.org", "alfa": "a@example.org", "zulu": "z@example.org" });
    let answer = spa.submit(&form, profile(traits.clone())).await;
    assert_eq!(answer.state(), "success");
    let values = |answer: &crate::support::Answer| -> Vec<String> {
        let addresses = answer.json()["identity"]["verifiable_addresses"].clone();
        addresses.as_array().unwrap().iter().map(|a| a["value"].as_str().unwrap().to_owned()).collect()
    };
    let order = ["z@example.org", "a@example.org", "m@example.org"];
    assert_eq!(values(&answer), order);
    assert_eq!(values(&spa.flow("settings", &form.id).await), order);
    let mut to: Vec<_> = app.mails().await.into_iter().map(|m| m.to).collect();
    to.sort();
    assert_eq!(to, ["a@example.org", "m@example.org", "z@example.org"], "each once");
    spa.submit(&form, profile(traits)).await;
    assert_eq!(app.mails().await.len(), 3, "and not again at the next save");
}

#[tokio::test]
async fn line_27_every_url_that_is_handed_out_works_through_the_mount() {
    for base in ["https://id.example.org/auth/", "https://id.example.org/auth"] {
        let change = json!({
            "serve": { "public": { "base_url": base } },
            "selfservice": { "flows": { "settings": { "privileged_session_max_age": "1m" } } },
        });
        let app = TestApp::with(change).await;
        let ada = Person::named("ada");
        let (mut spa, form) = signed_up(&app, &ada).await;
        let mount = "https://id.example.org/auth/self-service";
        assert_eq!(form.action, format!("{mount}/settings?flow={}", form.id));
        app.wait(120);
        let asked = spa.submit(&form, password("heron-Qx7-58-lantern")).await.redirect_browser_to();
        assert!(asked.starts_with(&format!("{mount}/login/browser?refresh=true&return_to=https%3A%2F%2F")), "{asked}");
        // It is followed as it stands, mount and all, up to the end.
        let mut browser = spa.browser();
        let page = browser.get(&asked).await;
        let login = browser.arrive("login", &page).await;
        let fields = [("method", "password"), ("identifier", ada.email.as_str()), ("password", ada.password.as_str())];
        let back = browser.submit(&login, &fields).await;
        assert_eq!(back.location(), form.action);
        assert_eq!(browser.get(back.location()).await.parameter("flow"), Some(form.id.clone()));
        app.wait(7200);
        let gone = browser.flow("settings", &form.id).await;
        assert_eq!(gone.json()["error"]["details"]["redirect_to"], format!("{mount}/settings/browser"));
    }
}

#[tokio::test]
async fn line_28_native_clients_get_no_cookies_and_pages_no_json() {
    let app = TestApp::with(stale()).await;
    let ada = Person::named("ada");
    let mut native = Native::new(&app);
    assert_eq!(native.sign_up(&ada).await.cookies(), [""; 0]);
    let form = native.open("settings").await;
    for answer in [
        native.get("/self-service/settings/api").await,
        native.flow("settings", &form.id).await,
        native.submit(&form, profile(json!({ "email": "nobody" }))).await,
        native.submit(&form, profile(json!({ "email": ada.email }))).await,
        native.submit(&form, password("heron-Qx7-58-lantern")).await,
    ] {
        assert_eq!(answer.cookies(), [""; 0], "{answer:?}");
    }
    app.wait(120);
    assert_eq!(native.submit(&form, password("heron-Qx7-59-lantern")).await.cookies(), [""; 0], "when it asks for a sign-in");
    native.refresh(&ada.with_password("heron-Qx7-58-lantern")).await;
    assert_eq!(native.finish(&form).await.cookies(), [""; 0]);

    let grace = Person::named("grace");
    let mut browser = Browser::new(&app);
    browser.sign_up(&grace).await;
    let form = browser.open("settings").await;
    let begin = "/self-service/settings/browser";
    let mut answers = BTreeMap::new();
    answers.insert("begin", browser.get(begin).await);
    answers.insert("forbidden return_to", browser.get(&format!("{begin}?return_to=https://evil.example")).await);
    answers.insert("no flow", browser.post("/self-service/settings", &[]).await);
    answers.insert("unknown flow", browser.post("/self-service/settings?flow=6a2b0c1e-2222-4333-8444-555566667777", &[]).await);
    answers.insert("no token", browser.post(&form.action, &[("method", "profile"), ("traits.email", &grace.email)]).await);
    answers.insert("a fault", browser.submit(&form, &[("method", "profile"), ("traits.email", "nobody")]).await);
    answers.insert("no method", browser.submit(&form, &[]).await);
    answers.insert("success", browser.submit(&form, &[("method", "profile"), ("traits.email", &grace.email)]).await);
    answers.insert("nothing waits", browser.get(&form.action).await);
    app.wait(7200);
    answers.insert("expired", browser.submit(&form, &[("method", "profile")]).await);
    for (case, answer) in answers {
        assert_eq!((answer.status, answer.body.len()), (303, 0), "{case}: {answer:?}");
    }
}

#[tokio::test]
async fn line_29_a_flow_is_one_row() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db.sqlite");
    let app = TestApp::stored_at(&path, json!({})).await;
    let ada = Person::named("ada");
    let mut spa = Spa::new(&app);
    spa.sign_up(&ada).await;
    let raw = RawDatabase::at(&path);
    let rows = || -> BTreeMap<String, usize> { raw.tables().into_iter().map(|t| (t.clone(), raw.count(&t))).collect() };
    let before = rows();
    let form = spa.open("settings").await;
    for fields in [
        profile(json!({ "email": "nobody" })),
        profile(json!({ "email": ada.email, "name": { "first": "Ada" } })),
        password("short"),
        password("heron-Qx7-58-lantern"),
    ] {
        spa.submit(&form, fields).await;
        spa.flow("settings", &form.id).await;
    }
    let mut expected = before.clone();
    *expected.get_mut("flows").unwrap() += 1;
    assert_eq!(rows(), expected, "opening, failing, saving and fetching leave one row");
}

#[tokio::test]
async fn line_15_a_password_is_in_no_answer() {
    let app = TestApp::with(stale()).await;
    let ada = Person::named("ada");
    let (mut spa, form) = signed_up(&app, &ada).await;
    let new = "heron-Qx7-58-lantern";
    let short = "Zq7-x!y";
    let mut answers = vec![
        spa.submit(&form, password(new)).await,
        spa.submit(&form, password(short)).await,
        spa.submit(&form, password(new)).await,
        spa.submit(&form, json!({ "method": "profile", "password": new, "traits": { "email": "nobody" } })).await,
        spa.flow("settings", &form.id).await,
    ];
    app.wait(120);
    answers.push(spa.submit(&form, password("heron-Qx7-59-lantern")).await);
    answers.push(spa.flow("settings", &form.id).await);
    for answer in answers {
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        for secret in [new, short, &ada.password, "heron-Qx7-59-lantern"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
        assert!(!text.contains("$2a$") && !text.contains("$2b$") && !text.contains("$argon2"), "a hash in {text}");
    }
}

#[tokio::test]
async fn line_21_a_lost_session_is_told_by_the_same_name_on_every_route() {
    let app = TestApp::new().await;
    let ada = Person::named("ada");
    let (mut spa, form) = signed_up(&app, &ada).await;
    app.wait(25 * 3600);
    for answer in [
        spa.get("/self-service/settings/browser").await,
        spa.get("/self-service/settings/api").await,
        spa.flow("settings", &form.id).await,
        spa.submit(&form, password("heron-Qx7-58-lantern")).await,
        spa.finish(&form).await,
        spa.get(&form.action).await,
    ] {
        assert_eq!((answer.status, answer.error_id().as_deref()), (401, Some("session_inactive")));
    }
}
