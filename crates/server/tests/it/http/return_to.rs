//! Where a flow may lead back.

use portcullis::http::ports::Port;
use serde_json::json;

use crate::support::{TestApp, UI};

async fn asked(app: &TestApp, wish: &str) -> (u16, Option<String>) {
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("return_to", wish).finish();
    let path = format!("/self-service/login/browser?{query}");
    let answer = app.ask(Port::Public, "GET", &path, &[("accept", "application/json")]).await;
    (answer.status, (answer.status != 200).then(|| answer.error_id()).flatten())
}

#[tokio::test]
async fn addresses_are_compared_by_scheme_host_port_and_path() {
    let list =
        [UI, "https://app.example.org/welcome", "https://app.example.org/in/", "https://*.example.com/a", "myapp://open", "/x"];
    let app = TestApp::with(json!({
        "serve": { "public": { "base_url": "https://id.example.org/auth/" } },
        "selfservice": { "allowed_return_urls": list },
    }))
    .await;
    let forbidden = (400, Some("self_service_flow_return_to_forbidden".to_owned()));
    for wish in [
        "",
        UI,
        "/",
        "/a/b?c=d#e",
        "?x",
        "#x",
        "//127.0.0.1:4455/x",
        "https://app.example.org/welcome",
        "https://app.example.org/welcome/home?x=https://evil.example/",
        "HTTPS://APP.example.org/welcome",
        "https://app.example.org/other/../welcome/home",
        "https://app.example.org/in/",
        "https://a.b.example.com/a",
        "myapp://open/x",
        // Our own, by whole segments, below the mount.
        "https://id.example.org/auth/self-service",
        "https://id.example.org/auth/self-service/settings/browser?x=y",
        "https://ID.example.org/auth/self-service/login/browser",
    ] {
        assert_eq!(asked(&app, wish).await, (200, None), "{wish}");
    }
    for wish in [
        "x/y",
        "//evil.example/x",
        "https://app.example.org/",
        "https://app.example.org/Welcome",
        "https://app.example.org/welcome/../admin",
        "https://app.example.org/welcome/%2e%2e/admin",
        "https://app.example.org/in",
        "https://app.example.org/inner",
        "https://app.example.org:443/welcome",
        "https://app.example.org.evil.example/welcome",
        "https://app.example.org@evil.example/welcome",
        "http://app.example.org/welcome",
        "https://example.com/a",
        "https://evil-example.com/a",
        "https://a.example.com:8443/a",
        "javascript:alert(1)",
        "data:text/html,x",
        "otherapp://open",
        "https://id.example.org/self-service/login/browser",
        "https://id.example.org/auth",
        "https://id.example.org/auth/sessions",
        "https://id.example.org/auth/self-servicex",
        "https://id.example.org/auth/self-service/../sessions",
        "https://id.example.org/authentic/self-service/login",
        "https://id.example.org:8443/auth/self-service/login",
        "http://id.example.org/auth/self-service/login",
    ] {
        assert_eq!(asked(&app, wish).await, forbidden, "{wish}");
    }
    for wish in ["http://%zz", "https://app.example.org/welcome%zz", "https://app.example.org\\@evil.example", "/a\nb", "http://"]
    {
        assert_eq!(asked(&app, wish).await, (400, None), "{wish}");
    }
}
