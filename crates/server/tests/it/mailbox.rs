//! The development mailbox: what it shows, and to whom it is there at all.

use bytes::Bytes;
use portcullis::http::ports::Port;
use serde_json::{Value, json};

use crate::support::{Admin, Spa, TestApp};

const PAGES: [&str; 3] = ["/dev/mailbox", "/dev/mailbox/message", "/dev/mailbox/html"];

/// A server that has written a code to somebody.
async fn written(change: Value) -> TestApp {
    let mut config = json!({ "selfservice": { "flows": { "verification": { "enabled": true } } } });
    for (key, value) in change.as_object().unwrap() {
        config[key] = value.clone();
    }
    let app = TestApp::with(config).await;
    let person = json!({ "schema_id": "default", "traits": { "email": "ada@example.org" } });
    assert_eq!(Admin::new(&app).send("POST", "/identities", &person).await.status, 201);
    let mut browser = Spa::new(&app);
    let flow = browser.get("/self-service/verification/browser").await;
    let fields = json!({ "method": "code", "email": "ada@example.org", "csrf_token": flow.field("csrf_token") });
    assert_eq!(browser.post(&flow.action(), &fields).await.status, 200);
    app
}

#[tokio::test]
async fn messages_can_be_read_before_they_are_sent() {
    let app = written(json!({})).await;
    let list = app.ask(Port::Admin, "GET", "/admin/dev/mailbox", &[]).await;
    let list = String::from_utf8(list.body.to_vec()).unwrap();
    assert!(list.contains("ada@example.org") && list.contains("Waiting"), "{list}");
    let (_, rest) = list.split_once("/dev/mailbox/message?id=").unwrap();
    let id = rest.split('"').next().unwrap();

    let page = app.ask(Port::Admin, "GET", &format!("/dev/mailbox/message?id={id}"), &[]).await;
    let text = String::from_utf8(page.body.to_vec()).unwrap();
    assert!(text.contains("<code>verification_code_valid</code>"), "{text}");
    assert!(text.contains(r#"sandbox="allow-popups allow-popups-to-escape-sandbox""#), "{text}");
    assert!(page.header("content-security-policy").unwrap().contains("frame-ancestors 'none'"));

    let html = app.ask(Port::Admin, "GET", &format!("/dev/mailbox/html?id={id}"), &[]).await;
    let policy = html.header("content-security-policy").unwrap();
    for rule in ["default-src 'none'", "frame-ancestors 'self'", "sandbox allow-popups"] {
        assert!(policy.contains(rule), "{policy}");
    }
    assert!(!policy.contains("allow-scripts") && !policy.contains("allow-same-origin"), "{policy}");
    assert!(String::from_utf8(html.body.to_vec()).unwrap().contains(r#"<base target="_blank">"#));

    for path in ["/dev/mailbox/message", "/dev/mailbox/message?id=x", "/dev/mailbox/html?id=6a2b0c1e-2222-4333-8444-555566667777"]
    {
        assert_eq!(app.ask(Port::Admin, "GET", path, &[]).await.status, 404, "{path}");
    }
    for path in ["/dev/mailbox/portcullis.css", "/dev/mailbox/portcullis.js", "/dev/mailbox/portcullis.svg"] {
        assert!(list.contains(path) && app.ask(Port::Admin, "GET", path, &[]).await.status == 200, "{path}");
    }
}

#[tokio::test]
async fn nobody_else_finds_the_mailbox() {
    // Not outside of development, not where others can reach the port.
    for change in [json!({ "dev": false }), json!({ "serve": { "admin": { "host": "0.0.0.0" } } })] {
        let app = TestApp::with(change.clone()).await;
        for path in PAGES {
            assert_eq!(app.ask(Port::Admin, "GET", path, &[]).await.status, 404, "{path} {change}");
        }
    }
    let app = TestApp::new().await;
    for path in PAGES {
        assert_eq!(app.ask(Port::Public, "GET", path, &[]).await.status, 404, "{path} on the public port");
    }
    // A page elsewhere whose name leads to this machine, and a stranger.
    for (host, peer, expected) in [
        ("127.0.0.1:4434", "127.0.0.1", 200),
        ("localhost", "::1", 200),
        ("[::1]:4434", "127.0.0.1", 200),
        ("evil.example.org", "127.0.0.1", 404),
        ("localhost.example.org:4434", "127.0.0.1", 404),
        ("127.0.0.1:4434", "192.0.2.7", 404),
    ] {
        let request = http::Request::get("/dev/mailbox").header("host", host).body(Bytes::new()).unwrap();
        assert_eq!(app.send_from(peer, Port::Admin, request).await.status, expected, "{host} {peer}");
    }
    assert_eq!(app.ask(Port::Admin, "POST", "/dev/mailbox", &[]).await.status, 405);
}
