//! Requests of pages of other origins.

use portcullis::http::ports::Port;
use serde_json::json;

use crate::support::TestApp;

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
