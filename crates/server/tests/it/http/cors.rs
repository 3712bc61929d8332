//! Requests of pages of other origins.

use portcullis::http::ports::Port;
use serde_json::json;

use crate::support::{Log, TestApp};

const ORIGIN: (&str, &str) = ("origin", "https://app.example.org");

#[tokio::test]
async fn without_cors_nothing_is_said_of_origins() {
    let app = TestApp::new().await;
    let answer = app.ask(Port::Public, "GET", "/sessions/whoami", &[ORIGIN]).await;
    assert_eq!((answer.header("access-control-allow-origin"), answer.header("vary").as_deref()), (None, Some("Cookie")));
    let preflight = app
        .ask(Port::Public, "OPTIONS", "/self-service/login/browser", &[ORIGIN, ("access-control-request-method", "GET")])
        .await;
    assert_eq!(preflight.status, 405);
}

#[tokio::test]
async fn pages_of_listed_origins_read_answers_and_errors() {
    let app = TestApp::with(
        json!({ "serve": { "public": { "cors": { "enabled": true, "allowed_origins": ["https://app.example.org"] } } } }),
    )
    .await;
    for path in ["/sessions/whoami", "/nope"] {
        let answer = app.ask(Port::Public, "GET", path, &[ORIGIN]).await;
        assert_eq!(answer.header("access-control-allow-origin").as_deref(), Some("https://app.example.org"), "{path}");
        assert_eq!(answer.header("access-control-allow-credentials").as_deref(), Some("true"));
        assert_eq!(answer.header("vary").as_deref(), Some("Cookie, Origin"));
    }
    let evil = app.ask(Port::Public, "GET", "/sessions/whoami", &[("origin", "https://evil.example.org")]).await;
    assert_eq!((evil.status, evil.header("access-control-allow-origin")), (401, None));
    let preflight = app.ask(Port::Public, "OPTIONS", "/nope", &[ORIGIN, ("access-control-request-method", "GET")]).await;
    assert_eq!((preflight.status, preflight.body.len(), preflight.cookies().len()), (204, 0, 0));
    assert_eq!(preflight.header("access-control-allow-methods").as_deref(), Some("GET"));
    let admin = app.ask(Port::Admin, "GET", "/health/alive", &[ORIGIN]).await;
    assert_eq!((admin.header("access-control-allow-origin"), admin.header("vary")), (None, None));
}

#[tokio::test]
async fn a_reload_lets_other_origins_in_or_nobody() {
    let change = |origin: &str| json!({ "serve": { "public": { "cors": { "enabled": true, "allowed_origins": [origin] } } } });
    let app = TestApp::new().await;
    let told = async |app: &TestApp| {
        app.ask(Port::Public, "GET", "/sessions/whoami", &[ORIGIN]).await.header("access-control-allow-origin")
    };
    assert_eq!(told(&app).await, None);
    for (change, expected) in [
        (change("https://app.example.org"), Some("https://app.example.org")),
        (change("https://*.example.org"), Some("https://app.example.org")),
        (change("https://other.example.org"), None),
        (change("*"), Some("*")),
        (json!({}), None),
    ] {
        let next = app.reconfigured(change).await;
        app.app.snapshot.store(next.app.snapshot.load_full());
        assert_eq!(told(&app).await.as_deref(), expected);
    }
}

#[tokio::test]
async fn decisions_are_logged_where_that_is_asked_for() {
    let log = Log::start();
    for debug in [false, true] {
        let app = TestApp::with(json!({ "serve": { "public": { "cors": {
            "enabled": true, "allowed_origins": ["https://app.example.org"], "debug": debug,
        } } } }))
        .await;
        let origin = if debug { "https://loud.example.net" } else { "https://quiet.example.net" };
        app.ask(Port::Public, "GET", "/sessions/whoami", &[("origin", origin)]).await;
        let preflight = [("origin", origin), ("access-control-request-method", "PUT")];
        app.ask(Port::Public, "OPTIONS", "/sessions/whoami", &preflight).await;
    }
    let text = log.text();
    let told: Vec<_> = text.lines().filter(|l| l.contains("loud.example.net")).collect();
    assert!(told.len() == 2 && told.iter().all(|l| l.contains("let_in=false")), "{told:?}");
    assert!(!text.contains("quiet.example.net"));
}

#[tokio::test]
async fn preflights_may_reach_the_routes() {
    let cors = json!({ "enabled": true, "allowed_origins": ["https://app.example.org"], "options_passthrough": true });
    let app = TestApp::with(json!({ "serve": { "public": { "cors": cors } } })).await;
    let headers = [ORIGIN, ("access-control-request-method", "GET")];
    assert_eq!(app.ask(Port::Public, "OPTIONS", "/self-service/login/browser", &headers).await.status, 405);
}
