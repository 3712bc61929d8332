//! A public base URL with a path, and what the client's address is.

use bytes::Bytes;
use portcullis::http::client::Proxies;
use portcullis::http::ports::Port;
use serde_json::json;

use crate::support::{Answer, TestApp};

async fn begin(app: &TestApp, path: &str, headers: &[(&str, &str)]) -> Answer {
    let headers = [&[("accept", "application/json")], headers].concat();
    app.ask(Port::Public, "GET", path, &headers).await
}

#[tokio::test]
async fn every_route_answers_with_and_without_the_mount() {
    let app = TestApp::with(json!({ "serve": { "public": { "base_url": "https://id.example.org/auth/" } } })).await;
    for (path, status) in [
        ("/health/alive", 200),
        ("/auth/health/alive", 200),
        ("/auth/sessions/whoami", 401),
        ("/auth/schemas/default", 200),
        ("/authx/health/alive", 404),
        ("/auth", 404),
        ("/auth/", 404),
        ("/auth/auth/health/alive", 404),
    ] {
        assert_eq!(app.ask(Port::Public, "GET", path, &[]).await.status, status, "{path}");
    }
    let moved = app.ask(Port::Public, "GET", "/auth/admin/identities?x=1", &[]).await;
    assert_eq!(moved.location(), "http://127.0.0.1:4434/admin/identities?x=1");
    let back = app.ask(Port::Admin, "GET", "/schemas/default", &[]).await;
    assert_eq!(back.location(), "https://id.example.org/auth/schemas/default");
}

#[tokio::test]
async fn the_request_url_is_what_the_client_sees() {
    let app = TestApp::with(json!({ "serve": { "public": { "base_url": "https://id.example.org/auth/" } } })).await;
    let start = "/self-service/login/browser?x=1";
    for (path, headers, expected) in [
        (start, &[][..], "http://127.0.0.1:4433/self-service/login/browser?x=1"),
        ("/auth/self-service/login/browser?x=1", &[], "http://127.0.0.1:4433/auth/self-service/login/browser?x=1"),
        (
            start,
            &[("x-forwarded-host", "id.example.org"), ("x-forwarded-proto", "https")],
            "https://id.example.org/auth/self-service/login/browser?x=1",
        ),
        (
            "/auth/self-service/login/browser?x=1",
            &[("x-forwarded-host", "id.example.org"), ("x-forwarded-proto", "https")],
            "https://id.example.org/auth/self-service/login/browser?x=1",
        ),
        (start, &[("x-forwarded-host", "other.example.org")], "http://other.example.org/self-service/login/browser?x=1"),
        (start, &[("forwarded", "host=id.example.org;proto=https")], "http://127.0.0.1:4433/self-service/login/browser?x=1"),
    ] {
        let answer = begin(&app, path, headers).await;
        assert_eq!(answer.json()["request_url"], expected, "{headers:?}");
    }
}

#[tokio::test]
async fn strangers_do_not_forge_where_they_come_from() {
    let app = TestApp::behind(json!({}), Proxies::named(Some("192.0.2.1")).unwrap()).await;
    for (peer, expected) in [
        ("192.0.2.1", "https://id.example.org/self-service/login/api"),
        ("192.0.2.2", "http://127.0.0.1:4433/self-service/login/api"),
        ("127.0.0.1", "http://127.0.0.1:4433/self-service/login/api"),
    ] {
        let request = http::Request::get("/self-service/login/api").header("host", "127.0.0.1:4433");
        let request = request.header("x-forwarded-host", "id.example.org").header("x-forwarded-proto", "https");
        let answer = app.send_from(peer, Port::Public, request.body(Bytes::new()).unwrap()).await;
        assert_eq!(answer.json()["request_url"], expected, "{peer}");
    }
}
