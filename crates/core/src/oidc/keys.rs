//! Providers' keys (RFC 7517), and the ID tokens that are verified with them (OpenID Connect Core 1.0, section 3.1.3.7).
//!
//! A token is judged by keys of its issuer only, by an algorithm for public keys only: a token that names `none`, or an
//! algorithm of shared secrets, is no token. An unknown key is looked for once in a fresh key set, so that rotated keys are
//! found, but not more often than every few seconds, so that forged tokens do not make us ask again and again.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use reqwest::header::{ACCEPT, HeaderValue};
use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;

use super::{OidcError, ask};
use crate::app::Cx;
use crate::outbound::{Method, Request, Trust};

/// How long a key set is used before it is asked for again.
const FRESH: Duration = Duration::from_secs(60 * 60);

/// The least time between two looks for an unknown key.
const PAUSE: Duration = Duration::from_secs(5);

/// How many keys of a set are looked at.
const MOST_KEYS: usize = 64;

/// The longest token that is read, in bytes.
const LONGEST: usize = 64 * 1024;

/// By how much clocks may differ.
const SKEW: Duration = Duration::from_secs(60);

/// The keys of an issuer that verify signatures.
pub(super) struct KeySet(Vec<Jwk>);

/// What a token must say.
pub(super) struct Expected<'a> {
    /// Where the issuer's keys are.
    pub(super) jwks_uri: &'a str,
    /// The algorithms that the issuer announces; empty: RS256, which all must know.
    pub(super) algorithms: &'a [String],
    /// Whether an issuer is the right one.
    pub(super) issuer: &'a (dyn Fn(&Map<String, Value>) -> bool + Sync),
    /// Whom it may be for: one of them must be named.
    pub(super) audiences: &'a [&'a str],
}

/// The claims of an ID token whose signature, issuer, audience and times are right.
///
/// # Errors
/// [`OidcError::Token`] if they are not; [`OidcError::Upstream`] if the keys cannot be had.
pub(super) async fn verify(cx: &Cx, token: &str, expected: &Expected<'_>) -> Result<Map<String, Value>, OidcError> {
    let read = Read::of(token)?;
    let allowed = read.algorithm;
    let announced = |name: &str| expected.algorithms.iter().any(|a| a == name);
    let name = algorithm_name(allowed);
    if !(announced(name) || expected.algorithms.is_empty() && allowed == Algorithm::RS256) {
        return Err(refused("its algorithm is not one of its issuer's"));
    }
    let mut set = key_set(cx, expected.jwks_uri, FRESH).await?;
    if !set.verifies(&read) {
        set = key_set(cx, expected.jwks_uri, PAUSE).await?;
        if !set.verifies(&read) {
            return Err(refused("its signature fits no key of its issuer"));
        }
    }
    check_claims(cx, &read.claims, expected)?;
    Ok(read.claims)
}

/// Checks issuer, audience and times.
pub(super) fn check_claims(cx: &Cx, claims: &Map<String, Value>, expected: &Expected<'_>) -> Result<(), OidcError> {
    if !(expected.issuer)(claims) {
        return Err(refused("it comes from another issuer"));
    }
    let named: Vec<&str> = match claims.get("aud") {
        Some(Value::String(one)) => vec![one.as_str()],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if !named.iter().any(|aud| expected.audiences.contains(aud)) {
        return Err(refused("it is for somebody else"));
    }
    // Of several audiences one is who asked for it (Core 1.0, section 3.1.3.7, 4 and 5).
    if let Some(party) = claims.get("azp").and_then(Value::as_str)
        && named.len() > 1
        && !expected.audiences.contains(&party)
    {
        return Err(refused("somebody else asked for it"));
    }
    let time = |name: &str| claims.get(name).and_then(Value::as_f64);
    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are far below 2^52")]
    let (now, skew) = (cx.now.seconds() as f64, SKEW.as_secs_f64());
    match time("exp") {
        Some(end) if now < end + skew => {}
        Some(_) => return Err(refused("it has expired")),
        None => return Err(refused("it does not say when it ends")),
    }
    if time("nbf").is_some_and(|start| now + skew < start) {
        return Err(refused("it is not good yet"));
    }
    Ok(())
}

fn refused(why: &str) -> OidcError {
    OidcError::Token(why.to_owned())
}

/// A token taken apart, not yet verified.
struct Read<'t> {
    message: &'t str,
    signature: &'t str,
    algorithm: Algorithm,
    key_id: Option<String>,
    claims: Map<String, Value>,
}

#[derive(Deserialize)]
struct Head {
    alg: String,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default)]
    crit: Option<Value>,
}

impl<'t> Read<'t> {
    fn of(token: &'t str) -> Result<Self, OidcError> {
        let broken = || refused("it is no signed token");
        if token.len() > LONGEST {
            return Err(broken());
        }
        let (message, signature) = token.rsplit_once('.').ok_or_else(broken)?;
        let (head, body) = message.split_once('.').ok_or_else(broken)?;
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| broken());
        let head: Head = serde_json::from_slice(&decode(head)?).map_err(|_| broken())?;
        // What must be understood is not (RFC 7515, section 4.1.11).
        if head.crit.is_some() {
            return Err(refused("it demands what is not known here"));
        }
        let algorithm = algorithm_of(&head.alg).ok_or_else(|| refused("its algorithm is not for public keys"))?;
        let claims = serde_json::from_slice(&decode(body)?).map_err(|_| broken())?;
        Ok(Self { message, signature, algorithm, key_id: head.kid, claims })
    }
}

/// The algorithms for public keys, by name.
const ALGORITHMS: [(&str, Algorithm); 9] = [
    ("RS256", Algorithm::RS256),
    ("RS384", Algorithm::RS384),
    ("RS512", Algorithm::RS512),
    ("PS256", Algorithm::PS256),
    ("PS384", Algorithm::PS384),
    ("PS512", Algorithm::PS512),
    ("ES256", Algorithm::ES256),
    ("ES384", Algorithm::ES384),
    ("EdDSA", Algorithm::EdDSA),
];

fn algorithm_of(name: &str) -> Option<Algorithm> {
    ALGORITHMS.iter().find(|(known, _)| *known == name).map(|(_, algorithm)| *algorithm)
}

fn algorithm_name(algorithm: Algorithm) -> &'static str {
    ALGORITHMS.iter().find(|(_, known)| *known == algorithm).map_or("", |(name, _)| name)
}

impl KeySet {
    /// Reads a set. Keys that are not for signatures, or of a kind that is not known, are passed over.
    fn read(document: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<Value>,
        }
        let set: Set = serde_json::from_slice(document).ok()?;
        let keys = set.keys.into_iter().take(MOST_KEYS).filter_map(|key| serde_json::from_value::<Jwk>(key).ok());
        let signs = |key: &Jwk| !matches!(key.common.public_key_use, Some(PublicKeyUse::Encryption));
        // A shared secret in a set of public keys is public.
        let is_public = |key: &Jwk| !matches!(key.algorithm, AlgorithmParameters::OctetKey(_));
        Some(Self(keys.filter(|key| signs(key) && is_public(key)).collect()))
    }

    /// Whether one of its keys made a token's signature.
    fn verifies(&self, token: &Read<'_>) -> bool {
        let meant = |key: &&Jwk| match (&token.key_id, &key.common.key_id) {
            (Some(wanted), Some(has)) => wanted == has,
            _ => true,
        };
        self.0.iter().filter(meant).any(|key| {
            let fits = match &key.algorithm {
                AlgorithmParameters::RSA(_) => matches!(algorithm_name(token.algorithm).get(..2), Some("RS" | "PS")),
                AlgorithmParameters::EllipticCurve(_) => matches!(token.algorithm, Algorithm::ES256 | Algorithm::ES384),
                AlgorithmParameters::OctetKeyPair(_) => token.algorithm == Algorithm::EdDSA,
                _ => false,
            };
            let stated = key.common.key_algorithm.map(|a| a.to_string());
            let same = stated.is_none_or(|a| a == algorithm_name(token.algorithm));
            fits && same
                && DecodingKey::from_jwk(key).is_ok_and(|key| {
                    jsonwebtoken::crypto::verify(token.signature, token.message.as_bytes(), &key, token.algorithm)
                        .unwrap_or(false)
                })
        })
    }
}

/// The key set at an address: the remembered one if it is not older than `most`.
async fn key_set(cx: &Cx, address: &str, most: Duration) -> Result<Arc<KeySet>, OidcError> {
    if let Some((since, set)) = cx.app.oidc.keys.get(address)
        && cx.now.since(since) < most
    {
        return Ok(set);
    }
    let endpoint = "the key set";
    let url = Url::parse(address).map_err(|_| OidcError::upstream(endpoint, "its address is no URL"))?;
    let mut request = Request::new(Method::GET, url, Trust::Operator);
    request.headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    let answer = ask(cx, endpoint, request).await?;
    if !answer.is_success() {
        return Err(OidcError::upstream(endpoint, format!("it answers with status {}", answer.status)));
    }
    let set = KeySet::read(&answer.body).ok_or_else(|| OidcError::upstream(endpoint, "it is none"))?;
    let set = Arc::new(set);
    cx.app.oidc.keys.insert(address.to_owned(), (cx.now, Arc::clone(&set)));
    Ok(set)
}
