//! ID tokens that apps got by themselves from Google, Apple or netID, and hand in.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::openid::{claims, jwks, netid_document, signed};
use super::{CLIENT, Case, ok, value};
use crate::support::{Form, Native, TestApp, Told, internet};

async fn app_with(mut settings: Value, world: portcullis_core::outbound::World) -> TestApp {
    let config = json!({ "selfservice": {
        "methods": { "oidc": { "enabled": true, "config": { "providers": [settings.take()] } } },
    } });
    TestApp::within(world, config).await
}

#[tokio::test]
async fn a_token_is_for_one_of_our_apps_and_of_their_question() {
    let google = "https://accounts.google.com";
    let apple = "https://appleid.apple.com";
    let names = ["accounts.google.com", "www.googleapis.com", "appleid.apple.com"];
    let apples = json!({
        "client_secret": null, "apple_team_id": "T", "apple_private_key_id": "K", "apple_private_key": "unused",
    });
    for (kind, issuer, extra, cases) in [
        (
            "google",
            google,
            json!({}),
            [
                ("of the question", json!({ "nonce": "n" }), 200),
                ("for another app of ours", json!({ "nonce": "n", "aud": "our-other-client" }), 200),
                ("older spelling of the issuer", json!({ "nonce": "n", "iss": "accounts.google.com" }), 200),
                ("without a nonce", json!({}), 200),
                ("of another question", json!({ "nonce": "m" }), 502),
                ("for somebody else", json!({ "nonce": "n", "aud": "theirs" }), 403),
                ("of another issuer", json!({ "nonce": "n", "iss": apple }), 403),
                ("old", json!({ "nonce": "n", "exp": 1_799_999_000 }), 403),
            ],
        ),
        (
            "apple",
            apple,
            apples,
            [
                ("of the question", json!({ "nonce": "n", "nonce_supported": true }), 200),
                ("for another app of ours", json!({ "nonce": "n", "aud": "our-other-client" }), 200),
                ("of a device without nonces", json!({ "nonce_supported": false }), 200),
                ("without a nonce, though it could", json!({ "nonce_supported": true }), 502),
                ("of another question", json!({ "nonce": "m" }), 502),
                ("for somebody else", json!({ "nonce": "n", "aud": "theirs" }), 403),
                ("of another issuer", json!({ "nonce": "n", "iss": google }), 403),
                ("old", json!({ "nonce": "n", "exp": 1_799_999_000 }), 403),
            ],
        ),
    ] {
        let world = internet(&names, move |asked| {
            if asked.line.ends_with("/openid-configuration") {
                let keys = if issuer == google {
                    "https://www.googleapis.com/oauth2/v3/certs".to_owned()
                } else {
                    format!("{apple}/auth/keys")
                };
                return ok(&json!({
                    "issuer": issuer, "authorization_endpoint": format!("{issuer}/authorize"), "jwks_uri": keys,
                    "id_token_signing_alg_values_supported": ["RS256"],
                }));
            }
            ok(&jwks())
        });
        let mut settings = Case::of(kind, extra, "", &[]).settings;
        settings["additional_id_token_audiences"] = json!(["our-other-client"]);
        let app = app_with(settings, world.await).await;
        let native = Native::new(&app);
        for (what, more, status) in cases {
            // Each is another person.
            let mut said = json!({ "sub": what, "email": format!("{}@example.org", what.replace([' ', ','], "-")) });
            said.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let token = signed("RS256", &claims(issuer, &said));
            let form = Form::of(&native.get("/self-service/registration/api").await);
            let fields = json!({ "method": "oidc", "provider": "it", "id_token": token, "id_token_nonce": "n" });
            let answer = native.submit(&form, fields).await;
            assert_eq!(answer.status, status, "{kind}, {what}: {answer:?}");
        }
    }
    assert_ne!(CLIENT, "our-other-client");
}

#[tokio::test]
async fn what_netids_dialogue_gives_is_exchanged_by_whoever_shows_it() {
    let log: Arc<Mutex<Vec<String>>> = Arc::default();
    let seen = Arc::clone(&log);
    let world = internet(&["broker.netid.de"], move |asked| {
        if asked.line.ends_with("/openid-configuration") {
            return ok(&netid_document());
        }
        if asked.line.ends_with("/jwks.json") {
            return ok(&jwks());
        }
        let form = asked.form();
        seen.lock().unwrap().push(format!("{} {form:?} {}", asked.line, asked.header("origin")));
        if value(&form, "fedcm_token") != "from-the-dialogue" {
            return Told::json(400, &json!({ "error": "invalid_grant" }));
        }
        let token = claims("https://broker.netid.de/", &json!({ "nonce": "n", "email": "ada@example.org" }));
        ok(&json!({ "id_token": signed("RS256", &token) }))
    });
    let case = Case::of("netid", json!({ "net_id_token_origin_header": "https://www.example.org" }), "", &[]);
    let app = app_with(case.settings, world.await).await;
    let native = Native::new(&app);
    let form = Form::of(&native.get("/self-service/registration/api").await);
    let hand_in = |token: &'static str| {
        native.submit(&form, json!({ "method": "oidc", "provider": "it", "id_token": token, "id_token_nonce": "n" }))
    };
    assert_eq!(hand_in("another").await.status, 403);
    let done = hand_in("from-the-dialogue").await;
    assert_eq!((done.status, done.json()["identity"]["traits"]["email"].clone()), (200, json!("ada@example.org")), "{done:?}");
    let expected = "POST https://broker.netid.de/token [(\"fedcm_token\", \"from-the-dialogue\"), (\"grant_type\", \
                    \"netid_fedcm\")] https://www.example.org";
    assert_eq!(log.lock().unwrap().last().map(String::as_str), Some(expected));
}
