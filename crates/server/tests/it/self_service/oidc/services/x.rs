//! X: OAuth 1.0a, whose every request is signed (RFC 5849).

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha1::Sha1;

use super::{Case, OWN, SECRET, Step, Trip, value};
use crate::support::{Asked, Told};

const PLACE: &str = "https://api.twitter.com/oauth/authenticate";

/// The parameters of a signed request; `None` if its signature is not by our secret and the token's.
fn parameters(asked: &Asked, token_secret: &str) -> Option<Vec<(String, String)>> {
    let escape = |text: &str| -> String {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
        text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
    };
    let read = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8().unwrap().into_owned();
    let header = asked.header("authorization").strip_prefix("OAuth ")?;
    let mut own: Vec<(String, String)> = Vec::new();
    for pair in header.split(", ") {
        let (name, quoted) = pair.split_once('=')?;
        own.push((read(name), read(quoted.strip_prefix('"')?.strip_suffix('"')?)));
    }
    let signature = value(&own, "oauth_signature").to_owned();
    own.retain(|(name, _)| name != "oauth_signature");
    let mut all: Vec<(String, String)> = own.iter().chain(&asked.query).map(|(k, v)| (escape(k), escape(v))).collect();
    all.sort();
    let all: Vec<String> = all.iter().map(|(k, v)| format!("{k}={v}")).collect();
    let (method, address) = asked.line.split_once(' ')?;
    let base = format!("{method}&{}&{}", escape(address), escape(&all.join("&")));
    let mut mac = Hmac::<Sha1>::new_from_slice(format!("{}&{}", escape(SECRET), escape(token_secret)).as_bytes()).unwrap();
    mac.update(base.as_bytes());
    (STANDARD.encode(mac.finalize().into_bytes()) == signature).then_some(own)
}

/// Answers a form, if the request is signed and has these parameters besides those that all have.
fn signed(step: Step, token_secret: &'static str, expected: &'static [(&'static str, &'static str)], told: Told) -> Step {
    step.does(move |_, asked| {
        let Some(own) = parameters(asked, token_secret) else { return Told::json(401, &json!({ "errors": [{ "code": 32 }] })) };
        let fixed = [
            ("oauth_consumer_key", super::CLIENT),
            ("oauth_signature_method", "HMAC-SHA1"),
            ("oauth_timestamp", "1800000000"),
            ("oauth_version", "1.0"),
        ];
        let right = fixed.iter().chain(expected).all(|(name, wanted)| {
            let given = value(&own, name);
            if *wanted == "*" { !given.is_empty() } else { given == *wanted }
        });
        if right && own.len() == fixed.len() + 1 + expected.len() {
            told.clone()
        } else {
            Told::json(400, &json!({ "own": own }))
        }
    })
}

fn form(text: &str) -> Told {
    Told { status: 200, content_type: "text/html;charset=utf-8", body: text.to_owned() }
}

/// The first two requests of a sign-in, up to the return.
fn begun(scope: Value) -> Case {
    let case =
        Case { sent: super::pairs(&[("oauth_token", "request-token")]), ..Case::of("x", json!({ "scope": scope }), PLACE, &[]) };
    let back = Arc::clone(&case.back);
    let line = "POST https://api.twitter.com/oauth/request_token";
    let given = form("oauth_token=request-token&oauth_token_secret=request-secret&oauth_callback_confirmed=true");
    let Step { answers, .. } = signed(Step::get(line), "", &[("oauth_callback", "*")], given);
    case.asks(Step::get(line).does(move |sent, asked| {
        let told = parameters(asked, "").map(|own| value(&own, "oauth_callback").to_owned()).unwrap_or_default();
        // It adds no state to what comes back: that must be in the address.
        assert!(told.starts_with(&format!("{OWN}?state=")), "{told}");
        *back.lock().unwrap() = Some(told);
        answers(sent, asked)
    }))
}

fn complete(scope: Value, query: &[(&str, &str)], profile: Value) -> Case {
    begun(scope)
        .asks(signed(
            Step::get("POST https://api.twitter.com/oauth/access_token"),
            "request-secret",
            &[("oauth_token", "request-token"), ("oauth_verifier", "the-verifier")],
            form("oauth_token=access&oauth_token_secret=access-secret&user_id=38895958&screen_name=ada"),
        ))
        .asks(signed(
            Step::get("GET https://api.twitter.com/1.1/account/verify_credentials.json").query(query),
            "access-secret",
            &[("oauth_token", "access")],
            Told::json(200, &profile),
        ))
}

fn profile(email: Option<&str>) -> Value {
    json!({
        "id": 38_895_958, "id_str": "38895958", "name": "Ada Byron", "screen_name": "ada", "url": null, "email": email,
        "profile_image_url_https": "https://pbs.example/1.png",
    })
}

#[tokio::test]
async fn x_signs_in() {
    for (scope, query, email) in
        [(json!(["email"]), &[("include_email", "true")][..], Some("ada@example.org")), (json!([]), &[], None)]
    {
        let case = complete(scope, query, profile(email));
        let Trip { back, person, told } =
            case.travel(&[("oauth_token", "request-token"), ("oauth_verifier", "the-verifier")]).await;
        let person = person.unwrap_or_else(|| panic!("{back:?} {told:?}"));
        let mut expected = json!({
            "iss": "https://api.twitter.com/1.1/account/verify_credentials.json", "sub": "38895958", "name": "Ada Byron",
            "preferred_username": "ada", "nickname": "ada", "picture": "https://pbs.example/1.png",
        });
        if let Some(email) = email {
            expected["email"] = json!(email);
        }
        assert_eq!(person["metadata_admin"], expected);
    }
}

#[tokio::test]
async fn what_is_not_of_this_trip_is_refused() {
    for coming in [
        &[("oauth_token", "another-token"), ("oauth_verifier", "the-verifier")][..],
        &[("oauth_token", "request-token")],
        &[("oauth_verifier", "the-verifier")],
        &[("denied", "request-token")],
    ] {
        let Trip { back, person, told } = begun(json!([])).travel(coming).await;
        assert_eq!((person, told), (None, vec![4_000_001]), "{coming:?}: {back:?}");
    }
}
