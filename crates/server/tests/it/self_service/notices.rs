//! Mails that tell people of changes to their accounts, and the end of their other sessions.

use portcullis_core::courier::preview;
use portcullis_store::outbox::{self, Message, MessageStatus};
use serde_json::{Value, json};

use crate::support::{Admin, Browser, Native, Person, Spa, TestApp, UI, schema};

const NEW: &str = "heron-Qx7-58-lantern";
const NEWER: &str = "badger-Vy2-33-compass";
const NOTICE: &str = "settings_changed";
const OLD: &str = "verifiable_address_changed";

/// An application with verification, and a schema with two addresses that are proved and a third that nobody proves;
/// settings are as given.
async fn app(settings: Value) -> TestApp {
    let address = |uses: Value| json!({ "type": "string", "format": "email", "ory.sh/kratos": uses });
    let first = json!({
        "credentials": { "password": { "identifier": true } }, "verification": { "via": "email" }, "recovery": { "via": "email" },
    });
    let other = json!({ "verification": { "via": "email" } });
    let properties = json!({
        "email": address(first), "second": address(other.clone()), "third": address(other), "name": { "type": "string" },
    });
    let mut config = schema(properties, &["email"]);
    let verification = json!({ "enabled": true, "ui_url": format!("{UI}/verification") });
    config["selfservice"] = json!({ "flows": { "verification": verification, "settings": settings } });
    TestApp::with(config).await
}

/// Ada as an administrator made her: of her addresses all are proved but the third.
async fn ada(app: &TestApp) -> (Person, String) {
    let ada = Person::named("ada");
    let proved = |value: &str| json!({ "value": value, "via": "email", "verified": true, "status": "completed" });
    let body = json!({
        "schema_id": "default",
        "traits": traits(&ada.email),
        "credentials": { "password": { "config": { "password": ada.password } } },
        "verifiable_addresses": [proved(&ada.email), proved("second@example.org")],
    });
    let made = Admin::new(app).send("POST", "/admin/identities", &body).await;
    assert_eq!(made.status, 201, "{made:?}");
    (ada, made.json()["id"].as_str().unwrap().to_owned())
}

fn traits(email: &str) -> Value {
    json!({ "email": email, "second": "second@example.org", "third": "third@example.org" })
}

async fn signed_in<'a>(app: &'a TestApp, who: &Person) -> Spa<'a> {
    let mut spa = Spa::new(app);
    spa.sign_in(who).await;
    spa
}

async fn save(spa: &mut Spa<'_>, fields: Value) {
    let form = spa.open("settings").await;
    let answer = spa.submit(&form, fields).await;
    assert_eq!((answer.status, answer.state()), (200, "success".to_owned()), "{answer:?}");
}

fn password(new: &str) -> Value {
    json!({ "method": "password", "password": new })
}

fn profile(traits: Value) -> Value {
    json!({ "method": "profile", "traits": traits })
}

/// To whom notices of these kinds went, and what changes they tell, by recipient.
async fn told(app: &TestApp, kind: &str) -> Vec<(String, Vec<String>)> {
    let ids = |data: &Value| -> Vec<String> {
        let changes = data["changes"].as_array().into_iter().flatten();
        changes.map(|c| c["id"].as_str().unwrap().to_owned()).collect()
    };
    let mut told: Vec<_> =
        app.mails().await.into_iter().filter(|m| m.template == kind).map(|m| (m.to.clone(), ids(&m.data))).collect();
    told.sort();
    told
}

fn both(first: &str, changes: &[&str]) -> Vec<(String, Vec<String>)> {
    let changes: Vec<String> = changes.iter().map(|c| (*c).to_owned()).collect();
    vec![(first.to_owned(), changes.clone()), ("second@example.org".to_owned(), changes)]
}

/// The notices as the outbox has them.
async fn rows(app: &TestApp) -> Vec<Message> {
    let all = outbox::list(&app.app.store, None, None, None, 100).await.unwrap();
    all.into_iter().filter(|m| m.template == NOTICE).collect()
}

#[tokio::test]
async fn a_changed_password_is_told_to_every_proved_address_once() {
    let app = app(json!({})).await;
    let (ada, _) = ada(&app).await;
    let mut spa = signed_in(&app, &ada).await;
    let form = spa.open("settings").await;
    assert_eq!(spa.submit(&form, password("short")).await.status, 400);
    save(
        &mut spa,
        profile(json!({ "name": "Ada", "email": ada.email, "second": "second@example.org", "third": "third@example.org" })),
    )
    .await;
    assert_eq!(told(&app, NOTICE).await, [], "a refused password and a name are nothing to tell");
    save(&mut spa, password(NEW)).await;
    assert_eq!(told(&app, NOTICE).await, both(&ada.email, &["password"]));
    let data = app.mails().await.into_iter().find(|m| m.template == NOTICE).unwrap().data;
    assert_eq!((&data["client_ip"], &data["identity"]["schema_id"]), (&json!("127.0.0.1"), &json!("default")));
    assert!(!data.to_string().contains(NEW) && !data.to_string().contains("$2"), "{data}");
}

#[tokio::test]
async fn changed_addresses_are_told_to_the_old_ones_with_the_new_ones_masked() {
    let app = app(json!({})).await;
    let (ada, _) = ada(&app).await;
    let mut spa = signed_in(&app, &ada).await;
    save(&mut spa, profile(traits("countess@example.org"))).await;
    assert_eq!(told(&app, NOTICE).await, both(&ada.email, &["address_added", "address_removed"]));
    for row in rows(&app).await {
        let words = preview(&app.app.snapshot.load(), &row).await.unwrap();
        assert_eq!(words.subject, "Your account was changed");
        for text in [&words.text, words.html.as_ref().unwrap()] {
            assert!(text.contains("co****@example.org") && !text.contains("countess"), "{text}");
            // Whoever has only the old address cannot sign in with it.
            let links = row.recipient == "second@example.org";
            assert_eq!(text.contains("/self-service/settings/browser"), links, "{text}");
        }
    }
}

#[tokio::test]
async fn who_has_no_proved_address_is_told_nothing() {
    let app = app(json!({})).await;
    let grace = Person::named("grace");
    let mut spa = Spa::new(&app);
    spa.sign_up(&grace).await;
    save(&mut spa, password(NEW)).await;
    save(&mut spa, profile(json!({ "email": "hopper@example.org" }))).await;
    assert_eq!(told(&app, NOTICE).await, []);
}

#[tokio::test]
async fn only_configuration_switches_it_off() {
    let app = app(json!({ "change_notices": { "enabled": false } })).await;
    let (ada, _) = ada(&app).await;
    let mut spa = signed_in(&app, &ada).await;
    save(&mut spa, password(NEW)).await;
    save(&mut spa, profile(traits("countess@example.org"))).await;
    assert_eq!(told(&app, NOTICE).await, []);
}

#[tokio::test]
async fn an_address_that_a_hook_writes_to_is_not_written_to_twice() {
    for (recipients, by_hook, by_notice) in [
        ("removed", vec!["ada@example.org"], vec!["second@example.org"]),
        ("all_verified", vec!["ada@example.org", "second@example.org"], vec![]),
        ("all", vec!["ada@example.org", "second@example.org", "third@example.org"], vec![]),
    ] {
        let hook = json!([{ "hook": "notify_previous_addresses", "config": { "recipients": recipients } }]);
        let app = app(json!({ "after": { "profile": { "hooks": hook } } })).await;
        let (ada, _) = ada(&app).await;
        let mut spa = signed_in(&app, &ada).await;
        save(&mut spa, profile(traits("countess@example.org"))).await;
        let to = |told: Vec<(String, Vec<String>)>| told.into_iter().map(|(to, _)| to).collect::<Vec<_>>();
        assert_eq!(
            (to(told(&app, OLD).await), to(told(&app, NOTICE).await)),
            (by_hook.into_iter().map(str::to_owned).collect(), by_notice.into_iter().map(str::to_owned).collect()),
            "{recipients}"
        );
        save(&mut spa, password(NEW)).await;
        assert!(
            told(&app, NOTICE).await.iter().any(|(_, c)| c.contains(&"password".to_owned())),
            "{recipients}: other changes are"
        );
    }
}

#[tokio::test]
async fn what_changes_in_one_go_comes_in_one_mail_and_what_comes_later_in_another() {
    let app = app(json!({ "change_notices": { "delay": "1m" } })).await;
    let (ada, _) = ada(&app).await;
    let mut spa = signed_in(&app, &ada).await;
    save(&mut spa, password(NEW)).await;
    let first = rows(&app).await;
    app.wait(30);
    save(&mut spa, profile(json!({ "email": ada.email, "second": "second@example.org" }))).await;
    assert_eq!(told(&app, NOTICE).await, both(&ada.email, &["password", "address_removed"]));
    let second = rows(&app).await;
    assert_eq!(first.iter().map(|m| m.id).collect::<Vec<_>>(), second.iter().map(|m| m.id).collect::<Vec<_>>());
    let lease = std::time::Duration::from_secs(60);
    let now = || app.app.clock.now();
    let worker = uuid::Uuid::from_u128(7);
    assert!(outbox::claim(&app.app.store, worker, now(), lease, 10).await.unwrap().iter().all(|m| m.template != NOTICE), "early");
    app.wait(30);
    let due = outbox::claim(&app.app.store, worker, now(), lease, 10).await.unwrap();
    assert_eq!(due.iter().filter(|m| m.template == NOTICE).count(), 2, "more changes do not put it off");
    save(&mut spa, password(NEWER)).await;
    let queued: Vec<_> = rows(&app).await.into_iter().filter(|m| m.status == MessageStatus::Queued).collect();
    assert_eq!(queued.len(), 2, "what is on its way stays as it is");
}

#[tokio::test]
async fn a_held_back_address_is_told_once_it_is_proved() {
    let app = app(json!({ "after": { "profile": { "hooks": [{ "hook": "verify_new_address" }] } } })).await;
    let (ada, _) = ada(&app).await;
    let mut spa = signed_in(&app, &ada).await;
    let form = spa.open("settings").await;
    let held = spa.submit(&form, profile(traits("countess@example.org"))).await;
    assert_eq!(told(&app, NOTICE).await, []);
    let flow = held.json()["continue_with"][0]["flow"]["id"].as_str().unwrap().to_owned();
    let code = app.newest_mail("countess@example.org").await.code();
    let path = format!("/self-service/verification?flow={flow}");
    let done = spa.post(&path, &json!({ "method": "code", "code": code })).await;
    assert_eq!(done.state(), "passed_challenge", "{done:?}");
    assert_eq!(told(&app, NOTICE).await, both(&ada.email, &["address_added", "address_removed"]));
}

#[tokio::test]
async fn what_administrators_change_is_told_only_where_configured() {
    for tells in [false, true] {
        let app = app(json!({ "change_notices": { "by_administrators": tells } })).await;
        let (ada, id) = ada(&app).await;
        let patch = json!([{ "op": "replace", "path": "/traits/email", "value": "countess@example.org" }]);
        let answer = Admin::new(&app).send("PATCH", &format!("/admin/identities/{id}"), &patch).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let expected = if tells { both(&ada.email, &["address_added", "address_removed"]) } else { vec![] };
        assert_eq!(told(&app, NOTICE).await, expected);
        for mail in app.mails().await.iter().filter(|m| m.template == NOTICE) {
            assert_eq!((&mail.data["client_ip"], &mail.data["by_administrator"]), (&json!(""), &json!(true)));
        }
    }
}

#[tokio::test]
async fn words_are_replaced_like_any_others() {
    let word = |text: &str| {
        use base64::Engine as _;
        format!("base64://{}", base64::engine::general_purpose::STANDARD.encode(text))
    };
    let text = "{{ range .Changes }}{{ .id }}{{ end }} {{ .SettingsURL }} {{ .Identity.traits.email }}";
    let template = json!({ "email": { "subject": word("Sprich Freund"), "body": { "plaintext": word(text) } } });
    let app = TestApp::with(json!({ "courier": { "templates": { NOTICE: template } } })).await;
    let ada = Person::named("ada");
    let mut spa = Spa::new(&app);
    spa.sign_up(&ada).await;
    let id = spa.get("/sessions/whoami").await.json()["identity"]["id"].as_str().unwrap().to_owned();
    let patch = json!([{ "op": "replace", "path": "/verifiable_addresses/0/verified", "value": true }]);
    let answer = Admin::new(&app).send("PATCH", &format!("/admin/identities/{id}"), &patch).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    save(&mut spa, password(NEW)).await;
    let rows = rows(&app).await;
    let words = preview(&app.app.snapshot.load(), &rows[0]).await.unwrap();
    assert_eq!(words.subject, "Sprich Freund");
    assert_eq!(words.text.trim(), format!("password http://127.0.0.1:4433/self-service/settings/browser {}", ada.email));
    assert!(words.html.unwrap().contains("Your password was changed."));
}

/// How a client changes its password.
#[derive(Clone, Copy, Debug)]
enum Way {
    Page,
    Script,
    App,
}

#[tokio::test]
async fn a_changed_password_ends_all_other_sessions_where_configured() {
    for way in [Way::Page, Way::Script, Way::App] {
        let hooks = json!({ "password": { "hooks": [{ "hook": "revoke_active_sessions" }] } });
        let app = TestApp::with(json!({
            "feature_flags": { "cacheable_sessions": true },
            "selfservice": { "flows": { "settings": { "after": hooks } } },
        }))
        .await;
        let ada = Person::named("ada");
        let grace = Person::named("grace");
        let mut stranger = Native::new(&app);
        stranger.sign_up(&grace).await;
        let mut browser = Browser::new(&app);
        browser.sign_up(&ada).await;
        let (mut script, mut native) = (Spa::new(&app), Native::new(&app));
        script.sign_in(&ada).await;
        native.sign_in(&ada).await;
        for answer in [browser.script().get("/sessions/whoami").await, script.get("/sessions/whoami").await] {
            assert_eq!(answer.status, 200);
        }
        assert!(native.get("/sessions/whoami").await.header("ory-session-cache-for").is_some());
        match way {
            Way::Page => {
                let form = browser.open("settings").await;
                let answer = browser.submit(&form, &[("method", "password"), ("password", NEW)]).await;
                assert_eq!(answer.status, 303);
            }
            Way::Script => save(&mut script, password(NEW)).await,
            Way::App => {
                let form = native.open("settings").await;
                assert_eq!(native.submit(&form, password(NEW)).await.status, 200);
            }
        }
        let lives = [
            browser.script().get("/sessions/whoami").await.status,
            script.get("/sessions/whoami").await.status,
            native.get("/sessions/whoami").await.status,
        ];
        let own = [matches!(way, Way::Page), matches!(way, Way::Script), matches!(way, Way::App)];
        assert_eq!(lives, own.map(|own| if own { 200 } else { 401 }), "{way:?}");
        let elsewhere = native.get("/self-service/settings/api").await.status;
        assert_eq!(elsewhere, if matches!(way, Way::App) { 200 } else { 401 }, "{way:?}: a token opens nothing else either");
        assert_eq!(stranger.get("/sessions/whoami").await.status, 200, "{way:?}: nobody else is concerned");
        let again = Native::new(&app).try_sign_in(&ada.with_password(NEW)).await;
        assert_eq!(again.status, 200, "{way:?}");
    }
}
