//! What is asked of the wrong port.

use portcullis::http::ports::Port;

use crate::support::TestApp;

#[tokio::test]
async fn the_public_port_sends_operators_to_the_admin_port() {
    let app = TestApp::new().await;
    for (method, path, expected) in [
        ("GET", "/admin/identities?page_size=2", "http://127.0.0.1:4434/admin/identities?page_size=2"),
        ("GET", "/identities", "http://127.0.0.1:4434/admin/identities"),
        ("POST", "/identities", "http://127.0.0.1:4434/admin/identities"),
        ("PATCH", "/admin/identities/x", "http://127.0.0.1:4434/admin/identities/x"),
        ("GET", "/identities/by/external/a%2Fb", "http://127.0.0.1:4434/admin/identities/by/external/a%2Fb"),
        ("DELETE", "/identities/x/credentials/totp", "http://127.0.0.1:4434/admin/identities/x/credentials/totp"),
        ("DELETE", "/identities/x/sessions", "http://127.0.0.1:4434/admin/identities/x/sessions"),
        ("POST", "/recovery/code", "http://127.0.0.1:4434/admin/recovery/code"),
        ("POST", "/admin/recovery/link", "http://127.0.0.1:4434/admin/recovery/link"),
        ("GET", "/courier/messages/x", "http://127.0.0.1:4434/admin/courier/messages/x"),
        ("DELETE", "/admin/identities/x/sessions", "http://127.0.0.1:4434/admin/identities/x/sessions"),
        ("GET", "/admin/courier/messages", "http://127.0.0.1:4434/admin/courier/messages"),
    ] {
        let answer = app.ask(Port::Public, method, path, &[]).await;
        assert_eq!((answer.status, answer.location()), (307, expected), "{method} {path}");
        assert_eq!(answer.cookies(), [""; 0]);
    }
    for (method, path) in [("GET", "/admin/sessions"), ("GET", "/admin/version"), ("POST", "/recovery/codes")] {
        assert_eq!(app.ask(Port::Public, method, path, &[]).await.status, 404, "{method} {path}");
    }
}

#[tokio::test]
async fn the_admin_port_sends_people_to_the_public_port() {
    let app = TestApp::new().await;
    for (method, path, expected) in [
        ("GET", "/self-service/login/browser?refresh=true", "http://127.0.0.1:4433/self-service/login/browser?refresh=true"),
        ("GET", "/admin/self-service/settings/api", "http://127.0.0.1:4433/self-service/settings/api"),
        ("POST", "/self-service/recovery?flow=x", "http://127.0.0.1:4433/self-service/recovery?flow=x"),
        ("DELETE", "/self-service/logout/api", "http://127.0.0.1:4433/self-service/logout/api"),
        ("GET", "/self-service/errors?id=x", "http://127.0.0.1:4433/self-service/errors?id=x"),
        ("GET", "/schemas/default", "http://127.0.0.1:4433/schemas/default"),
        ("GET", "/sessions/whoami", "http://127.0.0.1:4433/sessions/whoami"),
        ("DELETE", "/admin/sessions", "http://127.0.0.1:4433/sessions"),
    ] {
        let answer = app.ask(Port::Admin, method, path, &[]).await;
        assert_eq!((answer.status, answer.location()), (307, expected), "{method} {path}");
    }
}

#[tokio::test]
async fn schemas_are_public_also_with_the_prefix() {
    let app = TestApp::new().await;
    for path in ["/schemas", "/schemas/default", "/admin/schemas", "/admin/schemas/default"] {
        assert_eq!(app.ask(Port::Public, "GET", path, &[]).await.status, 200, "{path}");
    }
}
