//! ID tokens: which are believed.

use aws_lc_rs::hmac;
use base64::Engine as _;
use serde_json::{Value, json};

use super::{leads_to, trip, two, who};
use crate::support::{Form, Native, Provider, TestApp, unsigned};

fn hmac_of(key: &[u8], message: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message.as_bytes()).as_ref().to_vec()
}

#[tokio::test]
async fn rotated_keys_are_picked_up() {
    let provider = Provider::start().await;
    let app = two(&provider).await;
    trip(&app, &provider, "registration", "op").await;
    assert_eq!(provider.asked("/jwks"), 1);
    trip(&app, &provider, "login", "op").await;
    assert_eq!((provider.asked("/jwks"), provider.asked("/.well-known/openid-configuration")), (1, 1), "both are remembered");
    provider.rotate();
    app.wait(6);
    let (mut browser, _) = trip(&app, &provider, "login", "op").await;
    assert_eq!(who(&mut browser).await.as_deref(), Some("ada@example.org"));
    assert_eq!(provider.asked("/jwks"), 2);
    // Whoever sends forged tokens does not make us ask again and again.
    let other = Provider::start().await;
    provider.forge(move |claims| other.signed(claims));
    for _ in 0..3 {
        let (mut browser, back) = trip(&app, &provider, "login", "op").await;
        assert!(leads_to(&back, "login") && who(&mut browser).await.is_none(), "{back:?}");
    }
    assert_eq!(provider.asked("/jwks"), 2);
}

/// What makes an ID token of claims.
type Forge = Box<dyn Fn(&Value) -> String + Send>;

#[tokio::test]
async fn the_algorithm_is_the_issuers_and_the_key_is_no_secret() {
    let provider = Provider::start().await;
    let app = two(&provider).await;
    let public = provider.public_key();
    let forgeries: Vec<(&str, Forge)> = vec![
        ("no signature", Box::new(|claims| unsigned(&json!({ "alg": "none" }), claims, |_| Vec::new()))),
        ("no signature, in capitals", Box::new(|claims| unsigned(&json!({ "alg": "NONE" }), claims, |_| Vec::new()))),
        ("an empty signature", Box::new(|claims| unsigned(&json!({ "alg": "ES256", "kid": "first" }), claims, |_| Vec::new()))),
        ("zeros", Box::new(|claims| unsigned(&json!({ "alg": "ES256", "kid": "first" }), claims, |_| vec![0; 64]))),
        (
            "the public key as a secret",
            Box::new(move |claims| unsigned(&json!({ "alg": "HS256", "kid": "first" }), claims, |m| hmac_of(&public, m))),
        ),
        ("our own secret", Box::new(|claims| unsigned(&json!({ "alg": "HS256" }), claims, |m| hmac_of(b"a-client-secret", m)))),
        ("another algorithm", Box::new(|claims| unsigned(&json!({ "alg": "RS256", "kid": "first" }), claims, |_| vec![1; 256]))),
        ("no token", Box::new(|_| "abc".to_owned())),
        ("nothing", Box::new(|_| String::new())),
    ];
    for (what, forge) in forgeries {
        provider.forge(forge);
        let (mut browser, back) = trip(&app, &provider, "login", "op").await;
        assert!(leads_to(&back, "login"), "{what}: {back:?}");
        assert_eq!(who(&mut browser).await, None, "{what}");
        let id = back.parameter("flow").unwrap();
        assert_eq!(browser.flow("login", &id).await.told(), [4_000_001], "{what}");
    }
    // Another issuer's key of the same name.
    let other = Provider::start().await;
    provider.forge(move |claims| other.signed(claims));
    let (mut browser, _) = trip(&app, &provider, "login", "op").await;
    assert_eq!(who(&mut browser).await, None);
    provider.behave();
    let (mut browser, _) = trip(&app, &provider, "login", "op").await;
    assert_eq!(who(&mut browser).await.as_deref(), Some("ada@example.org"));
}

#[tokio::test]
async fn only_keys_for_signatures_count_and_only_those_of_the_key_set() {
    let encode = |bytes: &[u8]| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes);
    let provider = Provider::start().await;
    provider.document(json!({ "id_token_signing_alg_values_supported": ["ES256", "HS256", "none"] }));
    let app = two(&provider).await;
    let (cipher, own) = (Provider::start().await, Provider::start().await);
    let mut for_ciphers = cipher.public();
    (for_ciphers["kid"], for_ciphers["use"]) = (json!("cipher"), json!("enc"));
    provider.has_key(for_ciphers);
    // A secret that is shown in the key set is none.
    provider.has_key(json!({ "kty": "oct", "kid": "shared", "use": "sig", "alg": "HS256", "k": encode(b"shared-secret") }));
    let brought = own.public();
    let forgeries: Vec<(&str, Forge)> = vec![
        (
            "a secret of the key set",
            Box::new(|c| unsigned(&json!({ "alg": "HS256", "kid": "shared" }), c, |m| hmac_of(b"shared-secret", m))),
        ),
        ("announced, but none", Box::new(|c| unsigned(&json!({ "alg": "none", "kid": "first" }), c, |_| Vec::new()))),
        ("a key for ciphers", Box::new(move |c| cipher.signed_as(&json!({ "alg": "ES256", "kid": "cipher" }), c))),
        ("a key that it brings along", {
            let head = json!({ "alg": "ES256", "jwk": brought, "jku": format!("{}/jwks", own.url()), "kid": "own" });
            Box::new(move |c| own.signed_as(&head, c))
        }),
    ];
    for (what, forge) in forgeries {
        provider.forge(forge);
        app.wait(6);
        let (mut browser, back) = trip(&app, &provider, "login", "op").await;
        assert!(leads_to(&back, "login") && who(&mut browser).await.is_none(), "{what}: {back:?}");
    }
    // What must be understood is not, although all else is right.
    for (head, good) in [(json!({ "alg": "ES256", "kid": "first", "crit": ["b64"] }), false), (json!({ "alg": "ES256" }), true)] {
        let signer = provider.signer();
        provider.forge(move |c| signer(&head, c));
        let (mut browser, _) = trip(&app, &provider, "login", "op").await;
        assert_eq!(who(&mut browser).await.is_some(), good);
    }
}

#[tokio::test]
async fn a_token_is_for_us_from_the_issuer_and_of_now() {
    let provider = Provider::start().await;
    let app = two(&provider).await;
    let now = 1_800_000_000;
    for (what, claims, good) in [
        ("another audience", json!({ "aud": "another" }), false),
        ("no audience", json!({ "aud": null }), false),
        ("one of several, asked for by another", json!({ "aud": ["another", "test-client"], "azp": "another" }), false),
        ("one of several, asked for by us", json!({ "aud": ["another", "test-client"], "azp": "test-client" }), true),
        ("another issuer", json!({ "iss": "https://evil.example" }), false),
        ("no issuer", json!({ "iss": null }), false),
        ("expired", json!({ "exp": now - 120 }), false),
        ("expired just now, by a clock that is a little off", json!({ "exp": now - 30 }), true),
        ("without end", json!({ "exp": null }), false),
        ("an end that is a text", json!({ "exp": "9999999999" }), false),
        ("of tomorrow", json!({ "nbf": now + 86_400 }), false),
        ("good", json!({}), true),
    ] {
        provider.claims(claims);
        let (mut browser, back) = trip(&app, &provider, "login", "op").await;
        assert_eq!(who(&mut browser).await.is_some(), good, "{what}: {back:?}");
    }
}

#[tokio::test]
async fn the_profile_is_of_whom_the_token_names() {
    let provider = Provider::start().await;
    let app = TestApp::with(provider.settings(&[("op", json!({ "claims_source": "userinfo" }))])).await;
    provider.claims(json!({ "given_name": "FromToken" }));
    let (browser, _) = trip(&app, &provider, "registration", "op").await;
    assert_eq!(browser.script().traits().await["name"]["first"], "ada", "claims come from the userinfo endpoint");
    provider.claims(json!({ "sub": "sub-eve" }));
    let (mut browser, back) = trip(&app, &provider, "login", "op").await;
    assert!(leads_to(&back, "login") && who(&mut browser).await.is_none(), "{back:?}");
}

#[tokio::test]
async fn a_token_that_an_app_hands_in_is_the_one_that_it_asked_for() {
    let provider = Provider::start().await;
    let app = TestApp::with(provider.settings(&[("fed", json!({ "provider": "fedcm-test" })), ("op", json!({}))])).await;
    let app_of = Native::new(&app);
    let token = |claims: &Value| unsigned(&json!({ "alg": "HS256" }), claims, |message| hmac_of(b"xxxxxxx", message));
    let ada = json!({ "sub": "1", "email": "ada@example.org", "nonce": "n" });
    let form = Form::of(&app_of.get("/self-service/registration/api").await);
    let send = |provider: &'static str, token: String, nonce: &'static str| {
        let fields = json!({ "method": "oidc", "provider": provider, "id_token": token, "id_token_nonce": nonce });
        app_of.submit(&form, fields)
    };
    for (what, provider, token, nonce, status) in [
        ("another nonce", "fed", token(&ada), "other", 502),
        ("no nonce", "fed", token(&ada), "", 502),
        ("no nonce in it", "fed", token(&json!({ "sub": "1" })), "n", 502),
        ("no subject", "fed", token(&json!({ "nonce": "n" })), "n", 403),
        ("another key", "fed", unsigned(&json!({ "alg": "HS256" }), &ada, |m| hmac_of(b"other", m)), "n", 403),
        ("no signature", "fed", unsigned(&json!({ "alg": "none" }), &ada, |_| Vec::new()), "n", 403),
        ("a provider that takes none", "op", token(&ada), "n", 502),
        ("a good one", "fed", token(&ada), "n", 200),
    ] {
        let answer = send(provider, token, nonce).await;
        assert_eq!(answer.status, status, "{what}: {answer:?}");
    }
}

#[tokio::test]
async fn the_test_provider_works_in_development_only() {
    let provider = Provider::start().await;
    let settings = crate::support::with(
        provider.settings(&[("fed", json!({ "provider": "fedcm-test" }))]),
        &json!({ "dev": false, "serve": { "public": { "base_url": "http://127.0.0.1:4433/" } } }),
    );
    let app = TestApp::with(settings).await;
    let native = Native::new(&app);
    let form = Form::of(&native.get("/self-service/login/api").await);
    let ada = json!({ "sub": "1", "email": "ada@example.org", "nonce": "n" });
    let token = unsigned(&json!({ "alg": "HS256" }), &ada, |message| hmac_of(b"xxxxxxx", message));
    let fields = json!({ "method": "oidc", "provider": "fed", "id_token": token, "id_token_nonce": "n" });
    assert_eq!(native.submit(&form, fields).await.status, 502);
}
