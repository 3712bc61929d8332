//! Services that speak OpenID Connect at known issuers: Google, Microsoft, Apple, netID, LINE, LinkedIn.

use std::sync::OnceLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{CLIENT, Case, OWN, Sent, Step, Trip, ok, tokens, value};
use crate::support::{Asked, Told};

const NOW: i64 = 1_800_000_000;

/// The services' keys: one of each kind will do.
fn rsa() -> &'static RsaKeyPair {
    static KEY: OnceLock<RsaKeyPair> = OnceLock::new();
    KEY.get_or_init(|| RsaKeyPair::generate(KeySize::Rsa2048).unwrap())
}

fn ec() -> &'static EcdsaKeyPair {
    static KEY: OnceLock<EcdsaKeyPair> = OnceLock::new();
    KEY.get_or_init(|| {
        let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, made.as_ref()).unwrap()
    })
}

pub(super) fn jwks() -> Value {
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let public = rsa().public_key();
    let (n, e) = (public.modulus().big_endian_without_leading_zero(), public.exponent().big_endian_without_leading_zero());
    let point = ec().public_key().as_ref();
    json!({ "keys": [
        { "kty": "RSA", "kid": "r", "use": "sig", "n": encode(n), "e": encode(e) },
        { "kty": "EC", "kid": "e", "use": "sig", "alg": "ES256", "crv": "P-256", "x": encode(&point[1..33]), "y": encode(&point[33..]) },
    ] })
}

pub(super) fn signed(algorithm: &str, claims: &Value) -> String {
    let head = json!({ "alg": algorithm, "kid": if algorithm == "RS256" { "r" } else { "e" } });
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", encode(&head), encode(claims));
    let signature = if algorithm == "RS256" {
        let mut out = vec![0; rsa().public_modulus_len()];
        rsa().sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut out).unwrap();
        out
    } else {
        ec().sign(&SystemRandom::new(), message.as_bytes()).unwrap().as_ref().to_vec()
    };
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// Claims of a token for us.
pub(super) fn claims(issuer: &str, more: &Value) -> Value {
    let mut claims = json!({ "iss": issuer, "aud": CLIENT, "sub": "110169484474386276334", "iat": NOW, "exp": NOW + 600 });
    claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    claims
}

/// Gives tokens, among them one of these claims that repeats what was sent as nonce.
fn gives(algorithm: &'static str, claims: Value) -> impl Fn(&Sent, &Asked) -> Told + Send + Sync {
    move |sent, _| {
        let mut claims = claims.clone();
        if claims.get("nonce").is_none() && !value(sent, "nonce").is_empty() {
            claims["nonce"] = json!(value(sent, "nonce"));
        }
        ok(&tokens(json!({ "id_token": signed(algorithm, &claims) })))
    }
}

const NONCE: (&str, &str) = ("nonce", "*");
const PKCE: [(&str, &str); 2] = [("code_challenge", "*"), ("code_challenge_method", "S256")];

/// Google, whose token has these claims besides.
fn google(scope: Value, sent: &[(&str, &str)], more: &Value) -> Case {
    let sent = [&PKCE[..], &[NONCE], sent].concat();
    Case::of("google", json!({ "scope": scope }), "https://accounts.google.com/o/oauth2/v2/auth", &sent)
        .asks(Step::get("GET https://accounts.google.com/.well-known/openid-configuration").answers(json!({
            "issuer": "https://accounts.google.com", "authorization_endpoint": "https://accounts.google.com/o/oauth2/v2/auth",
            "token_endpoint": "https://oauth2.googleapis.com/token", "jwks_uri": "https://www.googleapis.com/oauth2/v3/certs",
            "userinfo_endpoint": "https://openidconnect.googleapis.com/v1/userinfo",
            "id_token_signing_alg_values_supported": ["RS256"], "code_challenge_methods_supported": ["plain", "S256"],
            "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
        })))
        .asks(
            Step::redeem("POST https://oauth2.googleapis.com/token")
                .does(gives("RS256", claims("https://accounts.google.com", more))),
        )
        .asks(Step::get("GET https://www.googleapis.com/oauth2/v3/certs").answers(jwks()))
}

#[tokio::test]
async fn google_signs_in() {
    let person = json!({ "email": "ada@example.org", "email_verified": true, "hd": "example.org", "name": "Ada" });
    let mut expected = person.clone();
    expected["iss"] = json!("https://accounts.google.com");
    expected["sub"] = json!("110169484474386276334");
    google(json!(["email", "profile"]), &[("scope", "email profile openid")], &person).gives(expected.clone()).await;
    // A refresh token is asked for in words of its own.
    let sent = [("scope", "email openid"), ("access_type", "offline")];
    google(json!(["email", "offline_access"]), &sent, &person).gives(expected).await;
}

#[tokio::test]
async fn a_token_of_another_trip_is_none() {
    for nonce in [json!("another"), json!(""), Value::Null, json!(7)] {
        let case = google(json!([]), &[("scope", "openid")], &json!({ "nonce": nonce }));
        let Trip { person, told, back } = case.travel(&[("code", "the-code")]).await;
        assert_eq!((person, told), (None, vec![4_000_001]), "{nonce}: {back:?}");
    }
}

const TENANT: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";

fn microsoft(tenant: &str, more: &Value, document: &str, claims: Value) -> Case {
    let base = format!("https://login.microsoftonline.com/{tenant}");
    let line = |text: String| -> &'static str { text.leak() };
    let mut settings = json!({ "scope": ["profile", "email"], "microsoft_tenant": tenant });
    settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let place = line(format!("{base}/oauth2/v2.0/authorize"));
    Case::of("microsoft", settings, place, &[NONCE, ("scope", "profile email openid")])
        .asks(Step::get(line(format!("GET {base}/v2.0/.well-known/openid-configuration"))).answers(json!({
            "issuer": document, "authorization_endpoint": place, "token_endpoint": format!("{base}/oauth2/v2.0/token"),
            "jwks_uri": format!("{base}/discovery/v2.0/keys"), "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
            "userinfo_endpoint": "https://graph.microsoft.com/oidc/userinfo",
        })))
        .asks(Step::redeem(line(format!("POST {base}/oauth2/v2.0/token"))).does(gives("RS256", claims)))
        .asks(Step::get(line(format!("GET {base}/discovery/v2.0/keys"))).answers(jwks()))
}

#[tokio::test]
async fn microsoft_signs_in() {
    let several = "https://login.microsoftonline.com/{tenantid}/v2.0";
    let one = format!("https://login.microsoftonline.com/{TENANT}/v2.0");
    let person = json!({ "tid": TENANT, "oid": "00000000-0000-0000-66f3-3332eca7ea81", "email": "ada@example.org" });
    let token = claims(&one, &person);
    let expected = |sub: &str| json!({ "iss": one, "sub": sub, "oid": person["oid"], "email": "ada@example.org" });
    // Whether one tenant is meant or several, and by whatever name.
    for (tenant, document) in
        [("common", several), ("consumers", &one), (TENANT, &one), ("contoso.onmicrosoft.com", &one), ("organizations", several)]
    {
        let case = microsoft(tenant, &json!({}), document, token.clone());
        case.gives(expected("110169484474386276334")).await;
    }
    microsoft("common", &json!({ "subject_source": "oid" }), several, token.clone())
        .gives(expected("00000000-0000-0000-66f3-3332eca7ea81"))
        .await;
    microsoft("common", &json!({ "subject_source": "me" }), several, token)
        .asks(
            Step::profile("GET https://graph.microsoft.com/v1.0/me").answers(json!({ "id": "87d349ed", "mail": "x@y.example" })),
        )
        .gives(expected("87d349ed"))
        .await;
}

#[tokio::test]
async fn a_tenant_speaks_for_itself_alone() {
    let other = "11111111-6c67-4c5b-b112-36a304b66dad";
    let of = |tenant: &str| format!("https://login.microsoftonline.com/{tenant}/v2.0");
    for (tenant, document, claims) in [
        // A token of another tenant than the one that may sign in.
        (TENANT, of(TENANT), claims(&of(other), &json!({ "tid": other }))),
        // One that says another tenant than its issuer.
        ("common", of("{tenantid}"), claims(&of(other), &json!({ "tid": TENANT }))),
        // One whose tenant is none.
        ("common", of("{tenantid}"), claims(&of("evil"), &json!({ "tid": "evil" }))),
        ("common", of("{tenantid}"), claims(&of("{tenantid}"), &json!({}))),
    ] {
        let shown = claims.to_string();
        let Trip { person, told, back } = microsoft(tenant, &json!({}), &document, claims).travel(&[("code", "the-code")]).await;
        assert_eq!((person, told), (None, vec![4_000_001]), "{shown}: {back:?}");
    }
}

#[tokio::test]
async fn apple_signs_in() {
    let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, made.as_ref()).unwrap();
    let public = pair.public_key().as_ref().to_vec();
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(made.as_ref()));
    let settings = json!({
        "client_secret": null, "scope": ["email", "name"], "apple_team_id": "DEF123GHIJ", "apple_private_key_id": "ABC123DEFG",
        "apple_private_key": pem,
    });
    let sent = [NONCE, ("response_mode", "form_post"), ("scope", "email name openid")];
    let token = claims(
        "https://appleid.apple.com",
        &json!({
            "sub": "001999.a5b6.1234", "email": "ada@example.org", "email_verified": "true", "nonce_supported": true,
        }),
    );
    let form = [("grant_type", "authorization_code"), ("code", "the-code"), ("redirect_uri", OWN), ("client_id", CLIENT)];
    let gives = gives("RS256", token);
    Case::of("apple", settings, "https://appleid.apple.com/auth/authorize", &sent)
        .asks(Step::get("GET https://appleid.apple.com/.well-known/openid-configuration").answers(json!({
            "issuer": "https://appleid.apple.com", "authorization_endpoint": "https://appleid.apple.com/auth/authorize",
            "token_endpoint": "https://appleid.apple.com/auth/token", "jwks_uri": "https://appleid.apple.com/auth/keys",
            "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
        })))
        .asks(
            Step::post("POST https://appleid.apple.com/auth/token", &form)
                .with("client_secret", "*")
                .header("authorization", "")
                .does(move |sent, asked| match judged_by_apple(value(&asked.form(), "client_secret"), &public) {
                    Ok(()) => gives(sent, asked),
                    Err(why) => Told::json(400, &json!({ "error": "invalid_client", "why": why })),
                }),
        )
        .asks(Step::get("GET https://appleid.apple.com/auth/keys").answers(jwks()))
        .travels_with_name()
        .await;
}

impl Case {
    /// Apple tells names once, beside the code.
    async fn travels_with_name(self) {
        let user = r#"{"name":{"firstName":"Ada","lastName":"Byron"},"email":"evil@example.org"}"#;
        let Trip { back, person, told } = self.travel(&[("code", "the-code"), ("user", user)]).await;
        let person = person.unwrap_or_else(|| panic!("{back:?} {told:?}"));
        let mut seen = person["metadata_admin"].clone();
        seen.as_object_mut().unwrap().remove("nonce");
        let expected = json!({
            "iss": "https://appleid.apple.com", "sub": "001999.a5b6.1234", "email": "ada@example.org", "email_verified": true,
            "nonce_supported": true, "given_name": "Ada", "family_name": "Byron", "last_name": "Byron",
        });
        assert_eq!(seen, expected);
    }
}

/// What Apple makes of a client secret: a token of ours, signed by the key that it has the other half of.
fn judged_by_apple(secret: &str, public: &[u8]) -> Result<(), &'static str> {
    let parts: Vec<&str> = secret.split('.').collect();
    let [head, body, signature] = parts[..] else { return Err("no token") };
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).unwrap();
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public)
        .verify(format!("{head}.{body}").as_bytes(), &decode(signature))
        .map_err(|_| "another key")?;
    let read = |part: &str| serde_json::from_slice::<Value>(&decode(part)).unwrap();
    let (head, body) = (read(head), read(body));
    if (&head["alg"], &head["kid"]) != (&json!("ES256"), &json!("ABC123DEFG")) {
        return Err("the head");
    }
    let expected = json!({
        "iss": "DEF123GHIJ", "sub": CLIENT, "aud": "https://appleid.apple.com", "iat": NOW, "exp": NOW + 300,
    });
    if body == expected { Ok(()) } else { Err("the claims") }
}

pub(super) fn netid_document() -> Value {
    json!({
        "issuer": "https://broker.netid.de/", "authorization_endpoint": "https://broker.netid.de/authorize",
        "token_endpoint": "https://broker.netid.de/token", "userinfo_endpoint": "https://broker.netid.de/userinfo",
        "jwks_uri": "https://broker.netid.de/.well-known/jwks.json", "id_token_signing_alg_values_supported": ["RS256"],
    })
}

#[tokio::test]
async fn netid_signs_in() {
    let issuer = "https://broker.netid.de/";
    Case::of("netid", json!({ "scope": ["email"] }), "https://broker.netid.de/authorize", &[NONCE, ("scope", "email openid")])
        .asks(Step::get("GET https://broker.netid.de/.well-known/openid-configuration").answers(netid_document()))
        .asks(Step::redeem("POST https://broker.netid.de/token").does(gives("RS256", claims(issuer, &json!({ "sub": "n-1" })))))
        .asks(Step::get("GET https://broker.netid.de/.well-known/jwks.json").answers(jwks()))
        // The profile does not say whose it is.
        .asks(
            Step::profile("GET https://broker.netid.de/userinfo")
                .answers(json!({ "email": "ada@example.org", "email_verified": true, "given_name": "Ada" })),
        )
        .gives(json!({
            "iss": issuer, "sub": "n-1", "email": "ada@example.org", "email_verified": true, "given_name": "Ada",
        }))
        .await;
}

#[tokio::test]
async fn line_signs_in() {
    let token =
        claims("https://access.line.me", &json!({ "sub": "U1234567890abcdef", "name": "Ada", "picture": "https://p.example/1" }));
    let sent = [&PKCE[..], &[NONCE, ("scope", "profile openid")]].concat();
    Case::of("line", json!({ "scope": ["profile"] }), "https://access.line.me/oauth2/v2.1/authorize", &sent)
        .asks(Step::get("GET https://access.line.me/.well-known/openid-configuration").answers(json!({
            "issuer": "https://access.line.me", "authorization_endpoint": "https://access.line.me/oauth2/v2.1/authorize",
            "token_endpoint": "https://api.line.me/oauth2/v2.1/token", "jwks_uri": "https://api.line.me/oauth2/v2.1/certs",
            "id_token_signing_alg_values_supported": ["ES256"], "code_challenge_methods_supported": ["S256"],
        })))
        // Without this it would sign by our secret.
        .asks(
            Step::redeem_in_body("POST https://api.line.me/oauth2/v2.1/token")
                .with("id_token_key_type", "JWK")
                .does(gives("ES256", token)),
        )
        .asks(Step::get("GET https://api.line.me/oauth2/v2.1/certs").answers(jwks()))
        .gives(json!({
            "iss": "https://access.line.me", "sub": "U1234567890abcdef", "name": "Ada", "picture": "https://p.example/1",
        }))
        .await;
}

#[tokio::test]
async fn linkedin_signs_in_by_its_newer_api() {
    let issuer = "https://www.linkedin.com/oauth";
    let place = "https://www.linkedin.com/oauth/v2/authorization";
    Case::of("linkedin_v2", json!({ "scope": ["profile", "email"] }), place, &[("scope", "profile email openid")])
        .asks(Step::get("GET https://www.linkedin.com/oauth/.well-known/openid-configuration").answers(json!({
            "issuer": issuer, "authorization_endpoint": place,
            "token_endpoint": "https://www.linkedin.com/oauth/v2/accessToken",
            "userinfo_endpoint": "https://api.linkedin.com/v2/userinfo",
            "jwks_uri": "https://www.linkedin.com/oauth/openid/jwks", "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
        })))
        // Its tokens repeat no nonce, and say little.
        .asks(
            Step::redeem_in_body("POST https://www.linkedin.com/oauth/v2/accessToken")
                .does(gives("RS256", claims(issuer, &json!({ "sub": "782bbtaQ" })))),
        )
        .asks(Step::get("GET https://www.linkedin.com/oauth/openid/jwks").answers(jwks()))
        .asks(Step::profile("GET https://api.linkedin.com/v2/userinfo").answers(json!({
            "sub": "782bbtaQ", "name": "Ada Byron", "given_name": "Ada", "family_name": "Byron", "email": "ada@example.org",
            "email_verified": true, "locale": { "country": "US", "language": "en" },
        })))
        .gives(json!({
            "iss": issuer, "sub": "782bbtaQ", "name": "Ada Byron", "given_name": "Ada", "family_name": "Byron",
            "email": "ada@example.org", "email_verified": true, "locale": "en-US",
        }))
        .await;
}
