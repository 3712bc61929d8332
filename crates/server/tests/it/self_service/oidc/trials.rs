//! Trying a provider out: what an administrator sees of a trip, and what nobody else does.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{two, who};
use crate::support::{Admin, Answer, Browser, Form, Provider, TestApp, unsigned};

/// A trial of a provider, as the administrator gets it.
async fn begin(app: &TestApp, name: &str) -> Answer {
    let begun = Admin::new(app).send("POST", "/admin/test-login-flows", &json!({ "provider_id": name })).await;
    assert_eq!(begun.status, 201, "{begun:?}");
    begun
}

/// Makes the trip of a trial, and gives the browser that made it and what the flow tells.
async fn make<'a>(app: &'a TestApp, provider: &Provider, begun: &Answer, says_no: bool) -> (Browser<'a>, Value) {
    let mut browser = Browser::new(app);
    let form = Form::of(begun);
    let name = begun.json()["test_context"]["provider_id"].as_str().unwrap().to_owned();
    let left = browser.submit(&form, &[("method", "oidc"), ("provider", &name)]).await;
    assert_eq!(left.status, 303, "{left:?}");
    let url = if says_no { provider.refuse(left.location()) } else { provider.visit(left.location()) };
    let back = browser.get(&url).await;
    assert_eq!(back.location(), format!("http://127.0.0.1:4433/session/test-oidc?flow={}", form.id));
    let seen = browser.flow("login", &form.id).await.json()["test_context"]["debug_payload"].clone();
    (browser, seen)
}

#[tokio::test]
async fn the_outcome_is_its_browsers_and_touches_nobody() {
    let provider = Provider::start().await;
    let app = two(&provider).await;
    let begun = begin(&app, "op").await;
    assert_eq!(begun.nodes(), ["csrf_token", "provider"]);
    let id = begun.json()["id"].as_str().unwrap().to_owned();
    let mut stranger = Browser::new(&app);
    assert_eq!(stranger.flow("login", &id).await.status, 200, "before anything was seen anybody may look");
    let (mut browser, seen) = make(&app, &provider, &begun, false).await;
    assert_eq!(seen["jsonnet_output"]["identity"]["traits"]["email"], "ada@example.org");
    assert_eq!((&seen["id_token_claims"]["sub"], &seen["error"]), (&json!("sub-ada"), &Value::Null));
    assert_eq!(seen["jsonnet_input"]["identity"], json!({ "traits": {}, "metadata_public": {}, "metadata_admin": {} }));
    assert_eq!(who(&mut browser).await, None);
    assert_eq!(Admin::new(&app).get("/admin/identities").await.json(), json!([]));
    assert_eq!(stranger.flow("login", &id).await.status, 403);
    let url = format!("/self-service/login/test?id={id}");
    let remove = |browser: &Browser<'_>| {
        let cookie = browser.jar.header().unwrap_or_default();
        let (app, url) = (&app, &url);
        async move {
            let port = portcullis::http::ports::Port::Public;
            app.ask(port, "DELETE", url, &[("cookie", &cookie), ("accept", "application/json")]).await.status
        }
    };
    assert_eq!(remove(&stranger).await, 403);
    assert_eq!(remove(&browser).await, 204);
    assert_eq!(browser.flow("login", &id).await.status, 404);
}

#[tokio::test]
async fn what_went_wrong_is_told_by_its_step() {
    let mapper = |source: &str| json!({ "mapper_url": format!("base64://{}", STANDARD.encode(source)) });
    let provider = Provider::start().await;
    let app = TestApp::with(provider.settings(&[
        ("op", json!({})),
        ("broken", mapper("error 'no'")),
        ("none", mapper("{}")),
        ("text", mapper("{ identity: { traits: 'text' } }")),
        ("public", mapper("{ identity: { traits: {}, metadata_public: 1 } }")),
        ("admin", mapper("{ identity: { traits: {}, metadata_admin: 1 } }")),
        ("traits", mapper("{ identity: { traits: { email: 'no address' } } }")),
    ]))
    .await;
    for (what, name, step, reason) in [
        ("says no", "op", "provider_denied", "access_denied"),
        ("/token", "op", "token_exchange", "exchange_failed"),
        ("/jwks", "op", "callback", "callback_failed"),
        ("forged", "op", "claims_decode", "claims_invalid"),
        ("", "broken", "jsonnet_run", "evaluation_failed"),
        ("", "none", "jsonnet_run", "invalid_output"),
        ("", "text", "jsonnet_run", "invalid_traits"),
        ("", "public", "jsonnet_run", "invalid_metadata_public"),
        ("", "admin", "jsonnet_run", "invalid_metadata_admin"),
        ("", "traits", "schema_validate", "traits_invalid"),
    ] {
        if what.starts_with('/') {
            provider.answer(what, 500, None);
        }
        if what == "forged" {
            provider.forge(|claims| unsigned(&json!({ "alg": "none" }), claims, |_| Vec::new()));
        }
        let begun = begin(&app, name).await;
        let (_, seen) = make(&app, &provider, &begun, what == "says no").await;
        assert_eq!((&seen["error"]["step"], &seen["error"]["reason"]), (&json!(step), &json!(reason)), "{what} {name}: {seen}");
        assert_eq!(seen["schema_validation_errors"].is_array(), step == "schema_validate", "{seen}");
        provider.behave();
    }
    assert_eq!(Admin::new(&app).get("/admin/identities").await.json(), json!([]));
}

#[tokio::test]
async fn a_trial_is_of_a_provider_that_is_there_and_takes_its_own_form_once() {
    let provider = Provider::start().await;
    let app = two(&provider).await;
    for (body, status) in [
        (json!({ "provider_id": "nobody" }), 404),
        (json!({}), 400),
        (json!({ "provider_id": "" }), 400),
        (json!({ "provider_id": "x".repeat(256) }), 400),
    ] {
        assert_eq!(Admin::new(&app).send("POST", "/admin/test-login-flows", &body).await.status, status, "{body}");
    }
    let begun = begin(&app, "op").await;
    let action = begun.action();
    let mut browser = Browser::new(&app);
    let bare = browser.script().post(&action, &json!({ "method": "oidc", "provider": "op", "csrf_token": "x" })).await;
    assert_eq!((bare.status, bare.error_id().as_deref()), (403, Some("security_csrf_violation")));
    let other = browser.submit(&Form::of(&begun), &[("method", "password"), ("identifier", "a"), ("password", "b")]).await;
    assert!(other.status >= 300 && who(&mut browser).await.is_none(), "{other:?}");
    make(&app, &provider, &begun, false).await;
    let again = browser.script().submit(&Form::of(&begun), json!({ "method": "oidc", "provider": "op" })).await;
    assert_eq!(again.status, 400, "{again:?}");
}
