//! Nothing that opens an account is readable in the database, in its files, or in the log.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portcullis_core::crypto::tokens::SessionCookie;
use serde_json::json;

use crate::support::{Admin, Browser, Form, Log, Native, Person, RawDatabase, Spa, TestApp, UI, found};

/// Secrets by what they are.
#[derive(Default)]
struct Secrets(Vec<(String, Vec<u8>)>);

impl Secrets {
    /// A secret as it is written, and as it would look in base64 or in hexadecimal digits.
    fn add(&mut self, what: &str, text: &str) {
        let mut put = |form: &str, bytes: Vec<u8>| self.0.push((format!("{what}{form} {text:?}"), bytes));
        put("", text.as_bytes().to_vec());
        put(" in hex", text.bytes().map(|b| format!("{b:02x}")).collect::<String>().into_bytes());
        // Without the end, which depends on what follows.
        let whole = text.len() / 3 * 3;
        put(" in base64", STANDARD.encode(&text.as_bytes()[..whole]).into_bytes());
    }

    /// A secret of bytes that is written in base64.
    fn add_base64(&mut self, what: &str, text: &str) {
        self.add(what, text);
        self.0.push((format!("{what} as bytes"), STANDARD.decode(text).unwrap()));
    }

    /// What a browser's cookies hold.
    fn add_browser(&mut self, app: &TestApp, spa: &Spa<'_>) {
        self.add_base64("anti-CSRF secret", spa.cookie("csrf_token_").unwrap());
        if let Some(cookie) = spa.cookie("ory_kratos_session") {
            self.add("session cookie", cookie);
            let token = SessionCookie::open(&app.app.snapshot.load().keys, cookie).unwrap().token;
            self.add("session token", token.expose());
        }
        if let Some(handle) = spa.cookie("ory_kratos_continuity") {
            self.add("handle of what waits", handle);
        }
    }
}

#[tokio::test]
async fn nothing_that_opens_an_account_is_readable() {
    let log = Log::start();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db.sqlite");
    let change = json!({ "selfservice": { "flows": {
        "verification": { "enabled": true, "ui_url": format!("{UI}/verification") },
        "recovery": { "enabled": true, "ui_url": format!("{UI}/recovery") },
        "settings": { "privileged_session_max_age": "1m" },
    }, "methods": { "code": { "passwordless_enabled": true }, "link": { "enabled": true } } } });
    let app = TestApp::stored_at(&path, change).await;
    let raw = RawDatabase::at(&path);
    let mut secrets = Secrets::default();
    // A password that no other test sends: they share the log, and some put theirs into paths.
    let ada = Person::named("ada").with_password("tapir-Nn5-63-gantry");
    secrets.add("password", &ada.password);

    // Signing up, by page and by script.
    let mut spa = Spa::new(&app);
    spa.sign_up(&ada).await;
    secrets.add_browser(&app, &spa);
    let grace = Person { password: "walrus-Ty6-72-pennant".to_owned(), ..Person::named("grace") };
    secrets.add("password", &grace.password);
    let mut browser = Browser::new(&app);
    browser.sign_up(&grace).await;
    secrets.add_browser(&app, &browser.script());

    // Signing in: right, wrong, unknown, with an app.
    let mut native = Native::new(&app);
    native.sign_in(&ada).await;
    secrets.add("session token", native.token.as_deref().unwrap());
    for wrong in ["ocelot-Rr1-11-wrong", "magpie-Rr2-22-wrong"] {
        secrets.add("wrong password", wrong);
        Native::new(&app).try_sign_in(&ada.with_password(wrong)).await;
        Native::new(&app).try_sign_in(&Person::named("nobody").with_password(wrong)).await;
    }
    let codes = Native::new(&app).get("/self-service/login/api?return_session_token_exchange_code=true").await.json();
    secrets.add("exchange code", codes["session_token_exchange_code"].as_str().unwrap());

    // Settings: saved, refused, waiting, finished.
    let form = spa.open("settings").await;
    secrets.add_base64("form token", &form.csrf);
    let refused = "Xy7-zq!";
    secrets.add("refused password", refused);
    spa.submit(&form, json!({ "method": "password", "password": refused })).await;
    let new = "heron-Qx7-58-lantern";
    secrets.add("new password", new);
    assert_eq!(spa.submit(&form, json!({ "method": "password", "password": new })).await.status, 200);
    app.wait(120);
    let waiting = "badger-Vy2-33-compass";
    secrets.add("waiting password", waiting);
    assert_eq!(spa.submit(&form, json!({ "method": "password", "password": waiting })).await.status, 403);
    secrets.add_browser(&app, &spa);
    let places = raw.places_of(&secrets.0);
    assert!(places.is_empty(), "while a change waits:\n{}", places.join("\n"));
    assert_eq!(raw.count("parked"), 1);
    spa.refresh(&ada.with_password(new)).await;
    secrets.add_browser(&app, &spa);
    assert_eq!(spa.finish(&form).await.status, 200);
    let moved = json!({ "method": "profile", "traits": { "email": "countess@example.org" } });
    assert_eq!(spa.submit(&form, moved).await.status, 200);

    // Codes by mail: used, wrong, open.
    let form = Form::of(&native.get("/self-service/verification/api").await);
    native.submit(&form, json!({ "method": "code", "email": "countess@example.org" })).await;
    for mail in app.mails().await {
        secrets.add("code", &mail.code());
        secrets.add("link", mail.data["verification_url"].as_str().unwrap());
    }
    let code = app.newest_mail("countess@example.org").await.code();
    native.submit(&form, json!({ "method": "code", "code": "000000" })).await;
    assert_eq!(native.submit(&form, json!({ "method": "code", "code": code })).await.status, 200);

    // Getting back into an account, and signing in, by what was sent or handed over.
    let mut lost = Spa::new(&app);
    let form = lost.open("recovery").await;
    lost.submit(&form, json!({ "method": "code", "email": grace.email })).await;
    let code = app.newest_mail(&grace.email).await.code();
    secrets.add("recovery code", &code);
    assert_eq!(lost.submit(&form, json!({ "method": "code", "code": code })).await.status, 422);
    secrets.add_browser(&app, &lost);
    let whose = lost.get("/sessions/whoami").await.json()["identity"]["id"].clone();
    let admin = Admin::new(&app);
    let made = admin.send("POST", "/admin/recovery/code", &json!({ "identity_id": whose })).await.json();
    secrets.add("handed over code", made["recovery_code"].as_str().unwrap());
    let made = admin.send("POST", "/admin/recovery/link", &json!({ "identity_id": whose })).await.json();
    let link = made["recovery_link"].as_str().unwrap();
    secrets.add("token of a link", link.split("token=").nth(1).unwrap());
    assert_eq!(Browser::new(&app).get(link).await.status, 303);
    let form = Form::of(&Native::new(&app).get("/self-service/login/api").await);
    app.wait(1);
    Native::new(&app).submit(&form, json!({ "method": "code", "identifier": grace.email })).await;
    secrets.add("sign-in code", &app.newest_mail(&grace.email).await.code());

    // Operators bring a password; an error page is stored; sessions end.
    let brought = "ibex-Kk8-44-lagoon";
    secrets.add("imported password", brought);
    let body = json!({ "schema_id": "default", "traits": { "email": "mary@example.org" }, "credentials": { "password": { "config": { "password": brought } } } });
    assert_eq!(Admin::new(&app).send("POST", "/admin/identities", &body).await.status, 201);
    let mut broken = body.clone();
    broken["traits"] = json!({ "email": "nobody" });
    assert_eq!(Admin::new(&app).send("POST", "/admin/identities", &broken).await.status, 400);
    let token = spa.get("/self-service/logout/browser").await.json()["logout_token"].as_str().unwrap().to_owned();
    secrets.add("logout token", &token);
    browser.get(&format!("/self-service/logout?token={token}&return_to=https://evil.example")).await;
    browser.get(&format!("/self-service/logout?token={token}")).await;
    assert_eq!(spa.get(&format!("/self-service/logout?token={token}")).await.status, 204);
    secrets.add_browser(&app, &spa);
    let ended = json!({ "session_token": native.token });
    assert_eq!(native.delete("/self-service/logout/api", &ended).await.status, 204);

    let places = raw.places_of(&secrets.0);
    assert!(places.is_empty(), "in the database:\n{}", places.join("\n"));
    let log = log.text();
    let places: Vec<_> = found(&secrets.0, log.as_bytes()).collect();
    assert!(places.is_empty(), "in the log:\n{}", places.join("\n"));
    // The search itself finds what is there.
    let seen = [("address".to_owned(), b"countess@example.org".to_vec())];
    assert!(!raw.places_of(&seen).is_empty());
    assert!(
        found(&[("path".to_owned(), b"/self-service/settings".to_vec())], log.as_bytes()).next().is_some(),
        "the log is heard"
    );
    drop(app);
    let places = raw.places_of(&secrets.0);
    assert!(places.is_empty(), "after the end:\n{}", places.join("\n"));
}
