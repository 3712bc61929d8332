//! People stay signed in.

use portcullis::http::ports::Port;
use serde_json::json;

use super::move_over;
use crate::sessions::whoami;
use crate::support::{Browser, Jar, OldServer, Release, Spa, TestApp};

const NAME: &str = "ory_kratos_session";

/// A cookie that Gorilla's sessions 1.4.0 made under `secrets.cookie` of the tests, and its token.
const COOKIE: &str = "MTc5NTQxMzM5M3xOX01TNGItX0o5YkFKS00xckZrMGdwRHhucEhORnh6LXJRcl93QktNdDhQRkJMRThMVDZTamFxRFdrZ3dYdU9ScnNrSWswMGhRUU5SRWlzNDlrcnBKWGNKVVFWUlZrSHBDbFdaOEJ5dTE0WHZPVXVMYWw5V2xJdjRManE3SHJrME42UUVOWGRlN1lWblVnQ2RHSzNfZEM5QlhwdFpQV2pOTzhmYTFOZlJscnB2VExGYkZsQWd4cnF6Z0doYUtHU3haS200T05WTlJYS0lxLUNNWTNYLXZKOUo0b2NhWjk1RFJfWTh5X3UzUnM5YzlwNFNNZjZEMDFHZ2N3WW9feE9MdjlFS1d3eGFRaHdqTHNxNzJJSi1wdz09fJ3DIKp0cKWQ4yFGE5QvqO-IvxuUITY9BN3ME4napJgC";
const TOKEN: &str = "ory_st_BrowserOfAda0123456789abcdefghijk";

async fn moved() -> (TestApp, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let mut old = OldServer::in_file(Release::New);
    let ada = old.person(1, "ada@example.org");
    old.session(&ada, TOKEN, true, 2030);
    old.session(&ada, "ory_st_OfAnAppOfAda", true, 2030);
    old.session(&ada, "ory_st_OverSinceLong", true, 2020);
    old.session(&ada, "ory_st_Revoked", false, 2030);
    let from = old.write(&folder.path().join("kratos.sqlite"));
    let app = TestApp::new().await;
    let report = move_over(&app, &from).await;
    assert_eq!((report.sessions, report.sessions_over), (2, 2), "{report:?}");
    (app, folder)
}

#[tokio::test]
async fn tokens_of_apps_still_sign_in() {
    let (app, _folder) = moved().await;
    let answer = whoami(&app, "ory_st_OfAnAppOfAda").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let session = answer.json();
    assert_eq!(session["identity"]["traits"]["email"], "ada@example.org");
    assert_eq!(session["expires_at"], "2030-01-01T00:00:00Z");
    assert_eq!(session["authenticated_at"], "2026-11-12T13:14:15.678000Z");
    assert_eq!(session["authentication_methods"][0]["method"], "password");
    assert_eq!(
        (&session["devices"][0]["ip_address"], &session["devices"][0]["location"]),
        (&json!("192.0.2.7"), &json!("Bern, CH"))
    );
    for token in ["ory_st_OverSinceLong", "ory_st_Revoked"] {
        assert_eq!(whoami(&app, token).await.status, 401, "{token}");
    }
}

#[tokio::test]
async fn a_browsers_old_cookie_is_replaced_with_the_first_answer_whatever_it_is() {
    for path in ["/sessions/whoami", "/self-service/settings/browser", "/self-service/login/browser?refresh=true", "/sessions"] {
        let (app, _folder) = moved().await;
        let mut spa = Spa::new(&app);
        spa.set_cookie(NAME, COOKIE);
        let answer = spa.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        let replaced = spa.cookie(NAME).unwrap().to_owned();
        assert_ne!(replaced, COOKIE, "{path}");
        assert_eq!(answer.cookies().iter().filter(|c| c.starts_with(NAME)).count(), 1, "{path}");
        let next = spa.get("/sessions/whoami").await;
        assert_eq!(next.status, 200, "{path}");
        assert!(!next.cookies().iter().any(|c| c.starts_with(NAME)), "once is enough: {path}");
    }
}

#[tokio::test]
async fn signing_out_with_an_old_cookie_ends_the_session_for_good() {
    let (app, _folder) = moved().await;
    let mut spa = Spa::new(&app);
    spa.set_cookie(NAME, COOKIE);
    let out = spa.get("/self-service/logout/browser").await;
    let token = out.json()["logout_token"].as_str().unwrap().to_owned();
    spa.set_cookie(NAME, COOKIE);
    let ended = spa.get(&format!("/self-service/logout?token={token}")).await;
    assert_eq!(ended.status, 204, "{ended:?}");
    let mut jar = Jar::default();
    jar.set(NAME, COOKIE);
    let again = app.ask(Port::Public, "GET", "/sessions/whoami", &[("cookie", &jar.header().unwrap())]).await;
    assert_eq!(again.status, 401);
    assert!(!again.cookies().iter().any(|c| c.starts_with(NAME)), "nothing replaces the cookie of a session that is over");
}

#[tokio::test]
async fn an_old_cookie_is_worth_nothing_under_other_secrets() {
    let (app, _folder) = moved().await;
    let other =
        app.reconfigured(json!({ "secrets": { "cookie": ["another-cookie-secret-of-tests", "one-more-cookie-secret"] } })).await;
    let mut browser = Browser::new(&other);
    browser.jar.set(NAME, COOKIE);
    assert_eq!(browser.fetch("/sessions/whoami").await.status, 401);
}
