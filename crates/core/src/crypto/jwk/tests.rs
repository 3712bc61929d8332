use aws_lc_rs::signature::{ECDSA_P521_SHA512_FIXED, UnparsedPublicKey};
use jsonwebtoken::jwk::Jwk as PublicJwk;
use jsonwebtoken::{DecodingKey, Validation, decode as read_token, decode_header};
use serde_json::json;

use super::*;

/// Keys made for these tests, and those of RFC 7515 (HMAC) and RFC 8037 (Ed25519).
fn keys() -> Vec<Value> {
    serde_json::from_str(include_str!("keys.json")).expect("a list of keys")
}

fn key(kid: &str) -> Value {
    keys().into_iter().find(|k| k["kid"] == kid).expect("the key is in the list")
}

fn signing(key: &Value) -> Result<SigningKey, JwkError> {
    SigningKey::first_of(json!({ "keys": [key] }).to_string().as_bytes())
}

fn claims() -> Map<String, Value> {
    Map::from_iter([("sub".to_owned(), json!("ada")), ("exp".to_owned(), json!(4_000_000_000_u64))])
}

#[test]
fn tokens_of_every_kind_of_key_can_be_checked_with_its_public_part() {
    for (kid, algorithms) in [
        ("rsa", &["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"][..]),
        ("es256", &["ES256"]),
        ("es384", &["ES384"]),
        ("eddsa", &["EdDSA"]),
        ("hs256", &["HS256", "HS384", "HS512"]),
    ] {
        for algorithm in algorithms {
            let mut key = key(kid);
            key["alg"] = json!(algorithm);
            let token = signing(&key).and_then(|k| k.sign(&claims())).unwrap_or_else(|e| panic!("{algorithm}: {e}"));
            let head = decode_header(&token).expect("it has a head");
            assert_eq!((head.kid.as_deref(), head.typ.as_deref()), (Some(kid), Some("JWT")));
            let public: PublicJwk = serde_json::from_value(key).expect("a key");
            let public = DecodingKey::from_jwk(&public).expect("a key");
            let read = read_token::<Map<String, Value>>(&token, &public, &Validation::new(head.alg));
            assert_eq!(read.unwrap_or_else(|e| panic!("{algorithm}: {e}")).claims, claims());
            let changed = token.replacen(&token[..1], "f", 1);
            assert!(read_token::<Map<String, Value>>(&changed, &public, &Validation::new(head.alg)).is_err());
        }
    }
}

#[test]
fn es512_is_signed_on_p521() {
    let key = key("es512");
    let token = signing(&key).and_then(|k| k.sign(&claims())).expect("it signs");
    let (message, signature) = token.rsplit_once('.').expect("a token");
    let part = |name: &str| URL_SAFE_NO_PAD.decode(key[name].as_str().expect("a text")).expect("base64");
    let point = [vec![4], part("x"), part("y")].concat();
    let signature = URL_SAFE_NO_PAD.decode(signature).expect("base64");
    assert!(UnparsedPublicKey::new(&ECDSA_P521_SHA512_FIXED, point).verify(message.as_bytes(), &signature).is_ok());
}

/// RFC 7515, appendix A.1: the example's key and its text, whose signature is known.
#[test]
fn hmac_signs_as_specified() {
    let k = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    let key = signing(&json!({ "kty": "oct", "alg": "HS256", "k": k })).expect("a key");
    let message = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let signature = key.pair.sign(message.as_bytes()).expect("it signs");
    assert_eq!(URL_SAFE_NO_PAD.encode(signature), "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
}

/// RFC 8037, appendix A.4.
#[test]
fn ed25519_signs_as_specified() {
    let signature = signing(&key("eddsa")).expect("a key").pair.sign(b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc");
    let expected = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    assert_eq!(URL_SAFE_NO_PAD.encode(signature.expect("it signs")), expected);
}

#[test]
fn leading_zeros_may_be_missing_or_too_many() {
    let rsa = key("rsa");
    let padded = |name: &str| {
        let bytes = URL_SAFE_NO_PAD.decode(rsa[name].as_str().expect("a text")).expect("base64");
        json!(URL_SAFE_NO_PAD.encode([vec![0], bytes].concat()))
    };
    let mut changed = rsa.clone();
    for name in ["n", "e", "d", "qi"] {
        changed[name] = padded(name);
    }
    assert!(signing(&changed).is_ok());
    let short = Some(Secret::from("AQ"));
    assert_eq!(fixed(&short, 4).map(|b| b.to_vec()), Ok(vec![0, 0, 0, 1]));
    assert_eq!(fixed(&Some(Secret::from("AQEBAQE")), 4), Err(JwkError::Key));
}

#[test]
fn what_cannot_sign_is_told_apart() {
    let with = |kid: &str, name: &str, value: Value| {
        let mut key = key(kid);
        key[name] = value;
        key
    };
    let without = |kid: &str, name: &str| with(kid, name, Value::Null);
    for (key, error) in [
        (without("es256", "alg"), JwkError::NoAlgorithm),
        (with("es256", "alg", json!("none")), JwkError::Algorithm),
        (with("es256", "alg", json!("HS256")), JwkError::Algorithm),
        (with("es256", "alg", json!("ES384")), JwkError::Algorithm),
        (with("rsa", "alg", json!("HS256")), JwkError::Algorithm),
        (with("hs256", "alg", json!("RS256")), JwkError::Algorithm),
        (with("eddsa", "crv", json!("X25519")), JwkError::Algorithm),
        (with("es256", "kty", json!("XX")), JwkError::Algorithm),
        (without("es256", "d"), JwkError::Key),
        (without("rsa", "p"), JwkError::Key),
        (without("hs256", "k"), JwkError::Key),
        (with("hs256", "k", json!("")), JwkError::Key),
        (with("es256", "d", json!("!")), JwkError::Key),
        (with("es256", "x", json!("AQ")), JwkError::Key),
        (with("eddsa", "x", json!("AQ")), JwkError::Key),
        (with("rsa", "d", json!("AQ")), JwkError::Key),
        (with("es256", "kty", json!(7)), JwkError::Unreadable),
    ] {
        assert_eq!(signing(&key).err(), Some(error), "{key}");
    }
    assert_eq!(SigningKey::first_of(br#"{"keys": []}"#).err(), Some(JwkError::Empty));
    assert_eq!(SigningKey::first_of(b"{}").err(), Some(JwkError::Unreadable));
    assert!(!format!("{:?}", signing(&key("hs256"))).contains("AyM1"));
}
