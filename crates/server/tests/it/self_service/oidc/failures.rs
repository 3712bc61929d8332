//! Providers that are broken, slow or hostile, and mappers that are: they harm nobody but who wants to sign in with them.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{begin, leads_to, trip, two, who};
use crate::support::{Person, Provider, Spa, TestApp, with};

#[tokio::test]
async fn an_endpoint_that_fails_is_an_error_and_not_somebodys_fault() {
    let provider = Provider::start().await;
    let app = two(&provider).await;
    for (path, status) in [("/token", 500), ("/token", 400), ("/jwks", 503)] {
        provider.answer(path, status, None);
        let (mut browser, back) = trip(&app, &provider, "login", "op").await;
        assert!(leads_to(&back, "error") && who(&mut browser).await.is_none(), "{path} {status}: {back:?}");
        let id = back.parameter("id").unwrap();
        let error = browser.fetch(&format!("/self-service/errors?id={id}")).await.json()["error"].clone();
        assert_eq!(error["code"], 502, "{path} {status}: {error}");
        provider.behave();
    }
    let (mut browser, _) = trip(&app, &provider, "login", "op").await;
    assert!(who(&mut browser).await.is_some(), "it behaves again");
}

#[tokio::test]
async fn an_issuers_document_is_its_own() {
    for document in [
        json!({ "issuer": "https://evil.example" }),
        json!({ "authorization_endpoint": "javascript:alert(1)" }),
        json!({ "token_endpoint": "file:///etc/passwd" }),
        json!({ "jwks_uri": "/relative" }),
    ] {
        let provider = Provider::start().await;
        provider.document(document.clone());
        let app = two(&provider).await;
        let mut spa = Spa::new(&app);
        let form = spa.open("login").await;
        let refused = spa.submit(&form, json!({ "method": "oidc", "provider": "op" })).await;
        assert_eq!(refused.status, 500, "{document}: {refused:?}");
    }
}

#[tokio::test]
async fn who_does_not_answer_is_left_alone_for_a_while_and_nobody_else_is_kept_waiting() {
    let provider = Provider::start().await;
    let settings = provider.settings(&[("op", json!({})), ("down", json!({ "issuer_url": "http://127.0.0.1:1" }))]);
    let app = TestApp::with(settings).await;
    let mut spa = Spa::new(&app);
    let form = spa.open("login").await;
    for _ in 0..8 {
        let refused = spa.submit(&form, json!({ "method": "oidc", "provider": "down" })).await;
        assert_eq!(refused.status, 500);
    }
    let (mut browser, _) = trip(&app, &provider, "login", "op").await;
    assert!(who(&mut browser).await.is_some());
    Spa::new(&app).sign_up(&Person::named("grace")).await;
}

/// Settings under which only the provider itself may be reached of all that is private.
fn closed(provider: &Provider) -> Value {
    with(
        provider.settings(&[("op", json!({}))]),
        &json!({ "clients": { "http": {
            "disallow_private_ip_ranges": true,
            "private_ip_exception_urls": [format!("{}/**", provider.url())],
        } } }),
    )
}

#[tokio::test]
async fn a_provider_does_not_lead_to_private_addresses() {
    let inner = Provider::start().await;
    let port = inner.url().rsplit(':').next().unwrap().to_owned();
    for target in [
        format!("http://127.0.0.1:{port}/token"),
        format!("http://localhost:{port}/token"),
        format!("http://[::1]:{port}/token"),
        format!("http://[::ffff:127.0.0.1]:{port}/token"),
        format!("http://0x7f000001:{port}/token"),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
    ] {
        // By a redirect...
        let provider = Provider::start().await;
        let app = TestApp::with(closed(&provider)).await;
        provider.answer("/token", 307, Some(target.clone()));
        let (mut browser, back) = trip(&app, &provider, "login", "op").await;
        assert!(leads_to(&back, "error") && who(&mut browser).await.is_none(), "{target}: {back:?}");
        // ...or by its own document.
        let provider = Provider::start().await;
        let app = TestApp::with(closed(&provider)).await;
        provider.document(json!({ "token_endpoint": target, "jwks_uri": target }));
        let (mut browser, back) = trip(&app, &provider, "login", "op").await;
        assert!(leads_to(&back, "error") && who(&mut browser).await.is_none(), "{target}: {back:?}");
    }
    assert_eq!(inner.asked("/token"), 0, "nothing private was asked");
    // Without an exception the provider itself is not asked.
    let provider = Provider::start().await;
    let strict = with(closed(&provider), &json!({ "clients": { "http": { "private_ip_exception_urls": [] } } }));
    let app = TestApp::with(strict).await;
    let mut spa = Spa::new(&app);
    let form = spa.open("login").await;
    assert_eq!(spa.submit(&form, json!({ "method": "oidc", "provider": "op" })).await.status, 500);
    assert_eq!(provider.asked("/.well-known/openid-configuration"), 0);
}

#[tokio::test]
async fn a_mapper_that_never_ends_or_eats_everything_ends() {
    let provider = Provider::start().await;
    let mapper = |source: &str| json!({ "mapper_url": format!("base64://{}", STANDARD.encode(source)) });
    let settings = provider.settings(&[
        ("endless", mapper("local f(x) = f(x + 1); { identity: { traits: { email: f(0) } } }")),
        ("large", mapper("local f(n) = if n == 0 then 'xxxxxxxxxxxxxxxx' else f(n - 1) + f(n - 1); { identity: { traits: { email: f(40) } } }")),
        ("file", mapper("{ identity: { traits: { email: importstr '/etc/passwd' } } }")),
        ("text", mapper("'text'")),
    ]);
    let app = TestApp::with(settings).await;
    let mut ada = Spa::new(&app);
    ada.sign_up(&Person::named("someone")).await;
    for name in ["endless", "large", "file", "text"] {
        let (spa, _, url) = begin(&app, "registration", name).await;
        let back = provider.visit(&url);
        let mut browser = spa.browser();
        let began = Instant::now();
        let (answer, seen) = tokio::join!(browser.get(&back), async { ada.get("/sessions/whoami").await });
        assert_eq!(seen.status, 200, "{name}");
        assert!(began.elapsed() < Duration::from_secs(60), "{name}");
        assert!(leads_to(&answer, "error"), "{name}: {answer:?}");
        assert_eq!(who(&mut browser).await, None);
    }
}
