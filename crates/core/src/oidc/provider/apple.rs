//! Sign in with Apple: a client secret that is a token of our own making, and names that come beside the code.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};

use crate::app::Cx;
use crate::config::Secret;
use crate::config::oidc::Provider;
use crate::oidc::OidcError;

/// How long a client secret is good, in seconds.
const LIFE: i64 = 5 * 60;

/// The client secret: a token signed by the operator's key (ES256), for five minutes.
///
/// # Errors
/// If the key is none.
pub(super) fn client_secret(cx: &Cx, provider: &Provider) -> Result<Secret, OidcError> {
    let part = |value: &Option<String>, what| value.clone().filter(|v| !v.is_empty()).ok_or(OidcError::Configuration(what));
    let team = part(&provider.apple_team_id, "it has no apple_team_id")?;
    let key_id = part(&provider.apple_private_key_id, "it has no apple_private_key_id")?;
    let pem = provider.apple_private_key.as_ref().ok_or(OidcError::Configuration("it has no apple_private_key"))?;
    let key = key_of(pem.expose()).ok_or(OidcError::Configuration("its apple_private_key is no PKCS#8 key of P-256"))?;
    let now = cx.now.seconds();
    let head = json!({ "alg": "ES256", "kid": key_id, "typ": "JWT" });
    let body = json!({
        "iss": team, "iat": now, "exp": now.saturating_add(LIFE), "aud": "https://appleid.apple.com", "sub": provider.client_id,
    });
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", encode(&head), encode(&body));
    let signature = key
        .sign(&SystemRandom::new(), message.as_bytes())
        .map_err(|_| OidcError::Configuration("its apple_private_key does not sign"))?;
    Ok(Secret::new(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))))
}

/// The key in a PEM text.
fn key_of(pem: &str) -> Option<EcdsaKeyPair> {
    let inner = pem.split("-----BEGIN PRIVATE KEY-----").nth(1)?.split("-----END PRIVATE KEY-----").next()?;
    // Configurations hold the lines' ends as such or as two characters.
    let inner: String = inner.replace("\\n", "").chars().filter(|c| !c.is_whitespace()).collect();
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &STANDARD.decode(inner).ok()?).ok()
}

/// Apple's names of the parts of a person's name, and the claims that they become.
const NAMES: [(&str, &str); 4] =
    [("firstName", "given_name"), ("middleName", "middle_name"), ("lastName", "last_name"), ("lastName", "family_name")];

/// Adds the names that Apple tells at the first sign-in only, beside the code. Nothing vouches for them, so nothing else of
/// what stands there is taken.
pub(super) fn add_names(claims: &mut Map<String, Value>, query: &[(String, String)]) {
    let told = query.iter().find(|(name, _)| name == "user").and_then(|(_, text)| serde_json::from_str::<Value>(text).ok());
    let Some(name) = told.as_ref().and_then(|told| told.get("name")) else { return };
    for (theirs, ours) in NAMES {
        if let Some(value) = name.get(theirs).and_then(Value::as_str).filter(|v| !v.is_empty() && v.len() <= 512) {
            claims.entry(ours.to_owned()).or_insert_with(|| value.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_are_taken_from_what_comes_beside_the_code() {
        let user = r#"{"name":{"firstName":"Ada","lastName":"Byron"},"email":"evil@example.org","sub":"other"}"#;
        let mut claims = json!({ "sub": "1", "email": "ada@example.org" }).as_object().cloned().unwrap_or_default();
        add_names(&mut claims, &[("user".to_owned(), user.to_owned())]);
        let expected =
            json!({ "sub": "1", "email": "ada@example.org", "given_name": "Ada", "family_name": "Byron", "last_name": "Byron" });
        assert_eq!(Value::Object(claims.clone()), expected);
        add_names(&mut claims, &[("user".to_owned(), "no json".to_owned())]);
        assert_eq!(Value::Object(claims), expected);
    }

    #[test]
    fn keys_are_read_with_their_lines_ends_written_either_way() {
        let rng = SystemRandom::new();
        let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &rng).expect("a key");
        let body = STANDARD.encode(key.as_ref());
        for end in ["\n", "\\n"] {
            let pem = format!("-----BEGIN PRIVATE KEY-----{end}{body}{end}-----END PRIVATE KEY-----{end}");
            assert!(key_of(&pem).is_some());
        }
        assert!(key_of("no key").is_none());
    }
}
