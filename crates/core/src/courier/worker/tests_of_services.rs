use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portcullis_model::identity::Via;
use portcullis_store::outbox::{Message, MessageStatus};
use serde_json::{Value, json};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use super::tests::Post;

const ADDRESS: &str = "ada@example.org";
const PHONE: &str = "+4915112345678";

/// A service that answers so.
async fn service(status: u16, said: &str) -> MockServer {
    let server = MockServer::start().await;
    answer(&server, status, said).await;
    server
}

async fn answer(server: &MockServer, status: u16, said: &str) {
    server.reset().await;
    Mock::given(any()).respond_with(ResponseTemplate::new(status).set_body_string(said)).mount(server).await;
}

async fn asked(server: &MockServer) -> Vec<Request> {
    server.received_requests().await.expect("recorded")
}

fn source(text: &str) -> String {
    format!("base64://{}", STANDARD.encode(text))
}

/// Mails and text messages by one service, called as `more` says.
fn by_service(server: &MockServer, more: Value) -> Value {
    let mut call = json!({ "url": format!("{}/send?tenant=blue", server.uri()) });
    if let (Value::Object(call), Value::Object(more)) = (&mut call, more) {
        call.extend(more);
    }
    json!({
        "worker": { "pull_wait": "10ms" },
        "delivery_strategy": "http",
        "http": { "request_config": call },
        "channels": [{ "id": "sms", "type": "http", "request_config": call }],
    })
}

async fn sent(post: &Post, via: Via, to: &str) -> uuid::Uuid {
    let id = post.post(via, to).await;
    post.until(id, |m| m.status == MessageStatus::Sent).await;
    id
}

#[tokio::test]
async fn a_message_is_posted_as_configured_and_once() {
    let server = service(204, "").await;
    let body = "function(ctx) { names: std.objectFields(ctx), ctx: ctx }";
    let auth = json!({ "type": "basic_auth", "config": { "user": "desk", "password": "sesame" } });
    let call = json!({ "method": "PUT", "headers": { "X-Tenant": "blue" }, "auth": auth, "body": source(body) });
    let post = Post::open(by_service(&server, call)).await;
    post.work();
    let id = sent(&post, Via::Email, ADDRESS).await;
    sent(&post, Via::Sms, PHONE).await;
    let asked = asked(&server).await;
    let [mail, text] = asked.as_slice() else { panic!("{asked:?}") };
    assert_eq!((mail.method.as_str(), mail.url.path(), mail.url.query()), ("PUT", "/send", Some("tenant=blue")));
    for (name, value) in [
        ("content-type", "application/json"),
        ("x-tenant", "blue"),
        ("authorization", "Basic ZGVzazpzZXNhbWU="),
        ("idempotency-key", &id.to_string()),
    ] {
        assert_eq!(mail.headers.get(name).and_then(|v| v.to_str().ok()), Some(value), "{name}");
    }
    let body: Value = mail.body_json().expect("JSON");
    let names =
        json!(["body", "html_body", "message_type", "recipient", "request_headers", "subject", "template_data", "template_type"]);
    let ctx = &body["ctx"];
    assert_eq!(body["names"], names);
    assert_eq!((&ctx["recipient"], &ctx["message_type"]), (&json!(ADDRESS), &json!("email")));
    assert_eq!((&ctx["template_type"], &ctx["template_data"]["login_code"]), (&json!("login_code_valid"), &json!("314159")));
    assert!(ctx["body"].as_str().is_some_and(|b| b.contains("314159")) && ctx["html_body"].is_string(), "{ctx}");
    let body: Value = text.body_json().expect("JSON");
    assert!(!body["names"].to_string().contains("html_body"), "{body}");
    assert_eq!((&body["ctx"]["message_type"], &body["ctx"]["subject"]), (&json!("sms"), &json!("")));
    assert_eq!(body["ctx"]["template_data"]["request_url_domain"], "id.example.org");
}

#[tokio::test]
async fn messages_for_a_service_that_is_left_alone_wait_without_spending_a_try() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let call = json!({ "url": format!("http://{address}/send") });
    let config = json!({ "worker": { "pull_wait": "10ms" }, "delivery_strategy": "http", "http": { "request_config": call } });
    let post = Post::open(config).await;
    let mut ids = Vec::new();
    for _ in 0..7 {
        // To one recipient, so that they leave one after the other.
        ids.push(post.post(Via::Email, ADDRESS).await);
    }
    // Of one moment, they leave in the order of their ids.
    ids.sort();
    post.work();
    for (place, id) in ids.iter().enumerate() {
        let left_alone = "outbound_requests_total{outcome=\"left_alone\",purpose=\"courier\"} 2";
        let tries = u64::from(place < 5);
        let waits =
            |m: &Message| m.status == MessageStatus::Queued && m.send_count == tries && post.measures().contains(left_alone);
        let (_, attempts) = post.until(*id, waits).await;
        assert_eq!(attempts.len(), usize::from(place < 5), "{place}");
    }
    let listener = std::net::TcpListener::bind(address).expect("the same port");
    let server = MockServer::builder().listener(listener).start().await;
    answer(&server, 204, "").await;
    post.clock.advance(Duration::from_secs(30));
    for id in ids {
        post.until(id, |m| m.status == MessageStatus::Sent).await;
    }
    assert_eq!(asked(&server).await.len(), 7);
}

#[tokio::test]
async fn without_a_body_of_ones_own_the_built_in_one_is_sent() {
    let server = service(200, "").await;
    let post = Post::open(by_service(&server, json!({}))).await;
    post.work();
    sent(&post, Via::Email, ADDRESS).await;
    let asked = asked(&server).await;
    let body: Value = asked[0].body_json().expect("JSON");
    let mut names: Vec<&String> = body.as_object().expect("an object").keys().collect();
    names.sort();
    let expected = [
        "body",
        "recipient",
        "recovery_code",
        "recovery_url",
        "subject",
        "template_type",
        "to",
        "verification_code",
        "verification_url",
    ];
    assert_eq!(names, expected);
    assert_eq!((asked[0].method.as_str(), &body["to"], &body["recovery_code"]), ("POST", &json!(ADDRESS), &Value::Null));
}

#[tokio::test]
async fn forms_are_sent_where_the_content_type_says_so() {
    let server = service(201, "{}").await;
    let body = source("function(ctx) { To: ctx.recipient, Body: ctx.body, From: '+1 555' }");
    let call = json!({ "headers": { "Content-Type": "application/x-www-form-urlencoded" }, "body": body });
    let post = Post::open(by_service(&server, call)).await;
    post.work();
    sent(&post, Via::Sms, PHONE).await;
    let form = String::from_utf8(asked(&server).await[0].body.clone()).expect("text");
    assert!(form.starts_with("Body=") && form.ends_with("&From=%2B1+555&To=%2B4915112345678"), "{form}");
}

#[tokio::test]
async fn a_service_that_refuses_is_asked_again_later() {
    let server = service(503, "no credit for +4915112345678").await;
    let post = Post::open(by_service(&server, json!({}))).await;
    post.work();
    let id = post.post(Via::Sms, PHONE).await;
    let (message, attempts) = post.until_tried(id, 1).await;
    assert_eq!(message.status, MessageStatus::Queued);
    assert_eq!(attempts[0].error.as_deref(), Some("the service answered with status 503: no credit for +4915112345678"));
    assert_eq!(asked(&server).await.len(), 1, "once in an attempt");
    answer(&server, 299, "").await;
    post.clock.advance(Duration::from_secs(3));
    let (message, attempts) = post.until(id, |m| m.status == MessageStatus::Sent).await;
    assert_eq!((message.send_count, attempts.len(), asked(&server).await.len()), (2, 2, 1));
}

#[tokio::test]
async fn what_cannot_be_called_says_why() {
    let server = service(200, "").await;
    let body = |text: &str| json!({ "body": source(text) });
    for (call, reason) in [
        (body("function(ctx) error 'no ' + ctx.recipient"), "the Jsonnet of the body failed: "),
        (body("function(ctx"), "the Jsonnet of the body failed: "),
        (json!({ "body": "file:///nowhere/at/all.jsonnet" }), "the Jsonnet of the body cannot be loaded: "),
        (json!({ "url": null }), "courier.http.request_config.url is not set"),
        (json!({ "headers": { "X A": "b" } }), "the service cannot be called: "),
        (json!({ "url": "http://169.254.169.254/" }), "the service cannot be used: "),
    ] {
        let mut courier = by_service(&server, call);
        courier["channels"] = json!([]);
        if courier["http"]["request_config"]["url"].is_null() {
            courier["http"] = json!({ "request_config": {} });
        }
        let post = Post::open(courier).await;
        post.work();
        let id = post.post(Via::Email, ADDRESS).await;
        let (message, attempts) = post.until_tried(id, 1).await;
        assert_eq!(message.status, MessageStatus::Queued);
        let error = attempts[0].error.clone().expect("a reason");
        assert!(error.starts_with(reason), "{error}");
    }
    assert!(asked(&server).await.is_empty());
}
