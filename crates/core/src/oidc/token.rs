//! Token endpoints (RFC 6749, section 4.1.3): a code becomes tokens.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use serde_json::{Map, Value};
use url::{Url, form_urlencoded};

use super::{OidcError, ask};
use crate::app::Cx;
use crate::config::Secret;
use crate::outbound::{Method, Request, Response, Trust};

const ENDPOINT: &str = "the token endpoint";

/// What a code was exchanged for.
#[derive(Clone, Default)]
pub struct Tokens {
    /// Opens the provider's API.
    pub access: String,
    /// Gives another access token, if the provider gave one.
    pub refresh: String,
    /// Says who the person is, if the provider gave one.
    pub id: String,
    /// Everything that the endpoint said.
    pub(super) answer: Map<String, Value>,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[tokens]")
    }
}

impl Tokens {
    pub(super) fn of(answer: Map<String, Value>) -> Self {
        let text = |name: &str| answer.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        Self { access: text("access_token"), refresh: text("refresh_token"), id: text("id_token"), answer }
    }

    /// The scopes that were granted, as the endpoint tells: separated by blanks or commas.
    pub(super) fn scopes(&self) -> Vec<&str> {
        let told = self.answer.get("scope").and_then(Value::as_str).unwrap_or_default();
        told.split([' ', ',']).filter(|s| !s.is_empty()).collect()
    }
}

/// How a client proves itself to a token endpoint.
pub(super) enum Proof<'a> {
    /// By HTTP Basic (section 2.3.1).
    Basic(&'a Secret),
    /// In the body.
    Body(&'a Secret),
}

/// What is exchanged.
pub(super) struct Exchange<'a> {
    pub(super) endpoint: &'a str,
    pub(super) client_id: &'a str,
    pub(super) proof: Proof<'a>,
    pub(super) code: &'a str,
    pub(super) redirect_uri: &'a str,
    pub(super) verifier: Option<&'a str>,
    /// Further parameters.
    pub(super) more: &'a [(&'a str, &'a str)],
}

impl Exchange<'_> {
    fn request(&self, in_body: Option<&Secret>, basic: Option<&Secret>) -> Result<Request, OidcError> {
        let mut form = vec![("grant_type", "authorization_code"), ("code", self.code), ("redirect_uri", self.redirect_uri)];
        form.extend(self.verifier.map(|verifier| ("code_verifier", verifier)));
        if let Some(secret) = in_body {
            form.extend([("client_id", self.client_id), ("client_secret", secret.expose())]);
        }
        form.extend(self.more);
        let mut request = form_request(ENDPOINT, self.endpoint, &form)?;
        if let Some(secret) = basic {
            // RFC 6749, section 2.3.1: both are written as in forms first.
            let written = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
            let pair = STANDARD.encode(format!("{}:{}", written(self.client_id), written(secret.expose())));
            let mut value = HeaderValue::from_str(&format!("Basic {pair}"))
                .map_err(|_| OidcError::Configuration("the client's id or secret cannot be sent"))?;
            value.set_sensitive(true);
            request.headers.insert(AUTHORIZATION, value);
        }
        Ok(request)
    }

    /// Exchanges the code.
    pub(super) async fn run(&self, cx: &Cx) -> Result<Tokens, OidcError> {
        match self.proof {
            Proof::Body(secret) => tokens_of(&ask(cx, ENDPOINT, self.request(Some(secret), None)?).await?),
            Proof::Basic(secret) => {
                let answer = ask(cx, ENDPOINT, self.request(None, Some(secret))?).await?;
                // Some know the body only, and say so in one of these ways. Who does not know a client uses up no code.
                let error = error_code(&answer);
                if answer.status == 401 || matches!(error.as_deref(), Some("invalid_client" | "invalid_request")) {
                    return tokens_of(&ask(cx, ENDPOINT, self.request(Some(secret), None)?).await?);
                }
                tokens_of(&answer)
            }
        }
    }
}

/// The code of an error (section 5.2), if an answer has one that can be told.
fn error_code(answer: &Response) -> Option<String> {
    code_of(&serde_json::from_slice(&answer.body).ok()?)
}

fn code_of(told: &Value) -> Option<String> {
    let code = told.get("error")?.as_str()?;
    let is_code = code.len() <= 64 && code.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
    is_code.then(|| code.to_owned())
}

/// The tokens of an answer: JSON, or as older services write it, a form.
pub(super) fn tokens_of(answer: &Response) -> Result<Tokens, OidcError> {
    let refused = |why: String| Err(OidcError::upstream(ENDPOINT, why));
    if let Some(code) = error_code(answer) {
        return refused(format!("it says {code} with status {}", answer.status));
    }
    if !answer.is_success() {
        return refused(format!("it answers with status {}", answer.status));
    }
    let told: Map<String, Value> = match serde_json::from_slice(&answer.body) {
        Ok(told) => told,
        Err(_) => form_urlencoded::parse(&answer.body).map(|(k, v)| (k.into_owned(), Value::from(v.into_owned()))).collect(),
    };
    let tokens = Tokens::of(told);
    if tokens.access.is_empty() {
        return refused("it gives no access token".to_owned());
    }
    Ok(tokens)
}

/// A request that sends a form to an endpoint.
pub(super) fn form_request(endpoint: &'static str, address: &str, form: &[(&str, &str)]) -> Result<Request, OidcError> {
    let url = Url::parse(address).map_err(|_| OidcError::upstream(endpoint, "its address is no URL"))?;
    let mut request = Request::new(Method::POST, url, Trust::Operator);
    request.headers = accepts_json();
    request.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    request.body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish().into();
    Ok(request)
}

/// Headers of a request for JSON.
pub(super) fn accepts_json() -> HeaderMap {
    HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("application/json"))])
}

/// Asks an API with a token.
pub(super) async fn get(cx: &Cx, endpoint: &'static str, address: &str, bearer: Option<&str>) -> Result<Value, OidcError> {
    let url = Url::parse(address).map_err(|_| OidcError::upstream(endpoint, "its address is no URL"))?;
    let mut request = Request::new(Method::GET, url, Trust::Operator);
    request.headers = accepts_json();
    if let Some(token) = bearer {
        let mut value =
            HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| OidcError::upstream(ENDPOINT, "its token is none"))?;
        value.set_sensitive(true);
        request.headers.insert(AUTHORIZATION, value);
    }
    json_of(endpoint, &ask(cx, endpoint, request).await?)
}

/// The JSON of a good answer.
pub(super) fn json_of(endpoint: &'static str, answer: &Response) -> Result<Value, OidcError> {
    if !answer.is_success() {
        return Err(OidcError::upstream(endpoint, format!("it answers with status {}", answer.status)));
    }
    let told = serde_json::from_slice(&answer.body).map_err(|_| OidcError::upstream(endpoint, "its answer is no JSON"))?;
    // Some tell their errors in good answers.
    match (code_of(&told), told.get("error").filter(|error| !error.is_null())) {
        (Some(code), _) => Err(OidcError::upstream(endpoint, format!("it says {code}"))),
        (None, Some(_)) => Err(OidcError::upstream(endpoint, "it says that there is an error")),
        (None, None) => Ok(told),
    }
}
