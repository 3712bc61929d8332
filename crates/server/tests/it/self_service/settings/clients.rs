//! Mounts and clients: lines 27 to 29 of the acceptance list of settings.

use std::collections::BTreeMap;

use portcullis_core::jobs;
use serde_json::json;

use super::{password, profile, signed_up, stale};
use crate::support::{Browser, Native, Person, RawDatabase, Spa, TestApp};

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
async fn line_29_opening_settings_a_thousand_times_costs_nothing_lasting() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db.sqlite");
    let app = TestApp::stored_at(&path, json!({})).await;
    let mut native = Native::new(&app);
    native.sign_up(&Person::named("ada")).await;
    let raw = RawDatabase::at(&path);
    let rows = || -> BTreeMap<String, usize> { raw.tables().into_iter().map(|t| (t.clone(), raw.count(&t))).collect() };
    // A flow of the sign-up is there, too: it goes with the others.
    app.wait(2 * 24 * 3600 - 1);
    native.sign_in(&Person::named("ada")).await;
    app.wait(1);
    jobs::tidy(&app.app).await.unwrap();
    let mut before = rows();
    app.wait(1);
    for _ in 0..1000 {
        assert_eq!(native.get("/self-service/settings/api").await.status, 200);
    }
    before.insert("flows".to_owned(), before["flows"] + 1000);
    assert_eq!(rows(), before, "one row each");
    app.wait(3600 + 24 * 3600 + 1);
    assert!(jobs::tidy(&app.app).await.unwrap().flows >= 1000);
    before.insert("flows".to_owned(), 0);
    assert_eq!(rows(), before);
}

#[tokio::test]
async fn line_29_the_room_of_flows_that_are_gone_is_given_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db.sqlite");
    let app = TestApp::stored_at(&path, json!({})).await;
    let mut native = Native::new(&app);
    native.sign_up(&Person::named("ada")).await;
    // A long address makes long flows, so that few of them fill a file.
    let long = "x".repeat(16_000);
    for _ in 0..500 {
        assert_eq!(native.get(&format!("/self-service/settings/api?x={long}")).await.status, 200);
    }
    let size = || std::fs::metadata(&path).unwrap().len() >> 10;
    let raw = RawDatabase::at(&path);
    let pages = raw.pages();
    assert!(pages > 1500, "{pages} pages are too few to tell");
    app.wait(3600 + 24 * 3600 + 1);
    jobs::tidy(&app.app).await.unwrap();
    assert!(raw.pages() < pages / 3, "{} of {pages} pages are left", raw.pages());
    app.app.store.close().await.unwrap();
    assert!(size() < 2048, "{} KiB are left", size());
}
