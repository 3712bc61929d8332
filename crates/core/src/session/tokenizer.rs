//! Sessions as signed tokens, for back ends that check a signature instead of asking whoami.
//!
//! A template says which key signs, how long a token is good and which claims it has. The standard claims come first,
//! the mapper's are laid over them, and the subject is set last: no mapper can turn one person into another.

use std::time::Duration;

use portcullis_model::clock::Rng;
use portcullis_model::time::Timestamp;
use serde_json::{Map, Value, json};

use crate::config::session::{SubjectSource, TokenTemplate};
use crate::crypto::jwk::{JwkError, SigningKey};
use crate::jsonnet::{Input, Jsonnet, JsonnetError};
use crate::outbound::{self, SourceError};

/// How long a key set or mapper that came over HTTP is used before it is asked for again.
const MAX_AGE: Duration = Duration::from_secs(60);

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenizeError {
    /// The template's subject is the external id, and the identity has none. HTTP: 400; all others are 500.
    #[error("the identity has no external id, which the token's subject is made from")]
    NoExternalId,
    /// The session is not as whoami shows it.
    #[error("the session lacks its id or its identity")]
    NoIdentity,
    /// The key set cannot be read.
    #[error("the key set cannot be read: {0}")]
    Keys(#[source] SourceError),
    /// The key set cannot sign.
    #[error("{0}")]
    Key(#[source] JwkError),
    /// The mapper cannot be read.
    #[error("the claims mapper cannot be read: {0}")]
    Mapper(#[source] SourceError),
    /// The mapper is no text.
    #[error("the claims mapper is not UTF-8")]
    MapperText,
    /// The mapper failed.
    #[error("{0}")]
    Jsonnet(#[source] JsonnetError),
    /// The mapper gave something without an object `claims`.
    #[error("the claims mapper gives no object with an object named claims")]
    NoClaims,
}

/// What makes tokens.
#[derive(Clone, Copy)]
pub struct Tools<'a> {
    /// Gives each token its id.
    pub rng: &'a dyn Rng,
    /// Evaluates mappers.
    pub jsonnet: &'a Jsonnet,
    /// Reads key sets and mappers.
    pub outbound: &'a outbound::Client,
}

/// A token that says what `session` says. `session` is the JSON that whoami answers with, which is also all that the
/// mapper sees; `issuer` is the public base URL.
///
/// # Errors
/// If the subject is missing, or mapper or key cannot be used.
pub async fn tokenize(
    template: &TokenTemplate,
    session: &Value,
    issuer: &str,
    now: Timestamp,
    tools: &Tools<'_>,
) -> Result<String, TokenizeError> {
    let subject = subject(template.subject_source, session)?;
    let session_id = session.get("id").filter(|id| id.is_string()).cloned().ok_or(TokenizeError::NoIdentity)?;
    let set = tools.outbound.load_cached(&template.jwks_url, MAX_AGE).await.map_err(TokenizeError::Keys)?;
    let key = SigningKey::first_of(&set).map_err(TokenizeError::Key)?;
    let expires = now.plus(template.ttl).seconds();
    let mut claims = Map::new();
    for (name, value) in [
        ("jti", json!(token_id(tools.rng))),
        ("iss", json!(issuer)),
        ("iat", json!(now.seconds())),
        ("nbf", json!(now.seconds())),
        ("exp", json!(expires)),
        ("sid", session_id),
        ("sub", subject.clone()),
    ] {
        claims.insert(name.to_owned(), value);
    }
    if let Some(url) = &template.claims_mapper_url {
        let mapped = map(url, &claims, session, tools).await?;
        claims.extend(mapped);
        claims.insert("sub".to_owned(), subject);
    }
    key.sign(&claims).map_err(TokenizeError::Key)
}

fn subject(source: SubjectSource, session: &Value) -> Result<Value, TokenizeError> {
    let identity = session.get("identity").ok_or(TokenizeError::NoIdentity)?;
    let (name, missing) = match source {
        SubjectSource::Id => ("id", TokenizeError::NoIdentity),
        SubjectSource::ExternalId => ("external_id", TokenizeError::NoExternalId),
    };
    identity.get(name).filter(|id| id.as_str().is_some_and(|id| !id.is_empty())).cloned().ok_or(missing)
}

/// A random UUID (RFC 9562, version 4): it tells nothing, not even the time.
fn token_id(rng: &dyn Rng) -> uuid::Uuid {
    let mut random = [0; 16];
    rng.fill(&mut random);
    uuid::Builder::from_random_bytes(random).into_uuid()
}

async fn map(
    url: &str,
    claims: &Map<String, Value>,
    session: &Value,
    tools: &Tools<'_>,
) -> Result<Map<String, Value>, TokenizeError> {
    let mapper = tools.outbound.load_cached(url, MAX_AGE).await.map_err(TokenizeError::Mapper)?;
    let snippet = std::str::from_utf8(&mapper).map_err(|_| TokenizeError::MapperText)?;
    let claims = Value::Object(claims.clone());
    let ctx = json!({ "claims": claims, "session": session });
    let input = Input { variables: &[("claims", &claims), ("session", session)], ctx: Some(&ctx) };
    let mut mapped = tools.jsonnet.evaluate(snippet, input).await.map_err(TokenizeError::Jsonnet)?;
    match mapped.get_mut("claims").map(Value::take) {
        Some(Value::Object(claims)) => Ok(claims),
        _ => Err(TokenizeError::NoClaims),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};

    use super::*;
    use crate::crypto::random::{SeededRng, SystemClock};

    /// RFC 7515, appendix A.1.
    const HMAC_KEY: &str = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    const NOW: Timestamp = Timestamp::from_seconds(4_000_000_000);

    fn source(text: &str) -> String {
        format!("base64://{}", STANDARD.encode(text))
    }

    fn keys() -> String {
        source(&json!({ "keys": [{ "kty": "oct", "kid": "k", "alg": "HS256", "k": HMAC_KEY }] }).to_string())
    }

    fn template(mapper: Option<&str>, subject_source: SubjectSource) -> TokenTemplate {
        TokenTemplate { ttl: Duration::from_secs(30), claims_mapper_url: mapper.map(source), jwks_url: keys(), subject_source }
    }

    fn session() -> Value {
        json!({
            "id": "session-id",
            "active": true,
            "authenticator_assurance_level": "aal1",
            "identity": { "id": "identity-id", "traits": { "email": "ada@example.org" }, "metadata_public": { "plan": "gold" } },
        })
    }

    async fn claims_of(template: &TokenTemplate, session: &Value) -> Result<Value, TokenizeError> {
        // Fails if another test has been faster.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let outbound =
            outbound::Client::new(outbound::Settings::default(), Arc::new(SystemClock)).expect("the client can be set up");
        let jsonnet = Jsonnet::new(crate::jsonnet::test_settings());
        let tools = Tools { rng: &SeededRng::new(1), jsonnet: &jsonnet, outbound: &outbound };
        let token = tokenize(template, session, "http://localhost:4433/", NOW, &tools).await?;
        let key = DecodingKey::from_secret(&URL_SAFE_NO_PAD.decode(HMAC_KEY).expect("base64"));
        Ok(decode::<Value>(&token, &key, &Validation::new(Algorithm::HS256)).expect("a good token").claims)
    }

    #[tokio::test]
    async fn a_plain_token_has_the_standard_claims() {
        let claims = claims_of(&template(None, SubjectSource::Id), &session()).await.expect("a token");
        let names: Vec<_> = claims.as_object().expect("an object").keys().map(String::as_str).collect();
        assert_eq!(names, ["jti", "iss", "iat", "nbf", "exp", "sid", "sub"]);
        assert!(claims["jti"].as_str().is_some_and(|id| uuid::Uuid::parse_str(id).is_ok_and(|id| id.get_version_num() == 4)));
        let expected = json!({
            "jti": claims["jti"], "iss": "http://localhost:4433/", "iat": 4_000_000_000_u64, "nbf": 4_000_000_000_u64, "exp": 4_000_000_030_u64,
            "sid": "session-id", "sub": "identity-id",
        });
        assert_eq!(claims, expected);
    }

    #[tokio::test]
    async fn the_mappers_claims_are_laid_over_but_the_subject_stays() {
        let by_variables = "local claims = std.extVar('claims'); local session = std.extVar('session');
            { claims: { iss: claims.iss + 'tokens', email: session.identity.traits.email, plan: session.identity.metadata_public.plan, sub: 'other' } }";
        let by_function = by_variables.replace(
            "local claims = std.extVar('claims'); local session = std.extVar('session');",
            "function(ctx) local claims = ctx.claims, session = ctx.session;",
        );
        for mapper in [by_variables, by_function.as_str()] {
            let claims = claims_of(&template(Some(mapper), SubjectSource::Id), &session()).await.expect("a token");
            assert_eq!((&claims["iss"], &claims["email"]), (&json!("http://localhost:4433/tokens"), &json!("ada@example.org")));
            assert_eq!(
                (&claims["plan"], &claims["sub"], &claims["exp"]),
                (&json!("gold"), &json!("identity-id"), &json!(4_000_000_030_u64))
            );
        }
    }

    #[tokio::test]
    async fn the_external_id_may_be_the_subject_but_must_be_there() {
        let template = template(None, SubjectSource::ExternalId);
        let mut session = session();
        assert!(matches!(claims_of(&template, &session).await, Err(TokenizeError::NoExternalId)));
        session["identity"]["external_id"] = json!("");
        assert!(matches!(claims_of(&template, &session).await, Err(TokenizeError::NoExternalId)));
        session["identity"]["external_id"] = json!("ext-1");
        assert_eq!(claims_of(&template, &session).await.expect("a token")["sub"], "ext-1");
    }

    #[tokio::test]
    async fn what_makes_no_token_is_told() {
        let good = template(None, SubjectSource::Id);
        for mapper in ["{ claims: 'not an object' }", "{}", "[]", "1"] {
            let outcome = claims_of(&template(Some(mapper), SubjectSource::Id), &session()).await;
            assert!(matches!(outcome, Err(TokenizeError::NoClaims)), "{mapper}");
        }
        let outcome = claims_of(&template(Some("error 'no'"), SubjectSource::Id), &session()).await;
        assert!(matches!(outcome, Err(TokenizeError::Jsonnet(JsonnetError::Snippet(_)))));
        let with_keys = |keys: &str| TokenTemplate { jwks_url: source(keys), ..good.clone() };
        assert!(matches!(claims_of(&with_keys(r#"{"keys":[]}"#), &session()).await, Err(TokenizeError::Key(JwkError::Empty))));
        let no_algorithm = json!({ "keys": [{ "kty": "oct", "k": HMAC_KEY }] }).to_string();
        assert!(matches!(claims_of(&with_keys(&no_algorithm), &session()).await, Err(TokenizeError::Key(JwkError::NoAlgorithm))));
        let missing = TokenTemplate { jwks_url: "file:///does/not/exist".to_owned(), ..good.clone() };
        assert!(matches!(claims_of(&missing, &session()).await, Err(TokenizeError::Keys(_))));
        let missing = TokenTemplate { claims_mapper_url: Some("file:///does/not/exist".to_owned()), ..good.clone() };
        assert!(matches!(claims_of(&missing, &session()).await, Err(TokenizeError::Mapper(_))));
        assert!(matches!(claims_of(&good, &json!({ "id": "s" })).await, Err(TokenizeError::NoIdentity)));
    }
}
