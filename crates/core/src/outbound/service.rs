//! Calls of operators' services whose bodies Jsonnet makes: web hooks, and what is like them.
//!
//! A call is tried up to three times where trying again may help, within one limit for everything, so that a service which
//! hangs, fails or drops connections ends in a documented error and not in a waiting client. Where secrets are configured
//! every call is signed as the Standard Webhooks specification (1.0.0) says.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use portcullis_model::clock::{self, Clock, Rng};
use reqwest::header::RETRY_AFTER;
use serde_json::Value;
use sha2::Sha256;
use tokio::time::Instant;
use uuid::Uuid;

use super::call::{Call, CallError};
use super::circuit::LeftAlone;
use super::client::{Client, OutboundError, Request, Response};
use super::purpose::Purpose;
use super::source::SourceError;
use super::{HeaderName, HeaderValue};
use crate::app::{App, Snapshot};
use crate::config::clients::WebHookClients;
use crate::jsonnet::{Input, Jsonnet, JsonnetError};

/// How long a Jsonnet program that came over HTTP is kept.
const TEMPLATE_AGE: Duration = Duration::from_secs(30 * 60);
/// The pause before the second try; it doubles before the third.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause that a service may ask for while somebody waits for the answer.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// No further try is begun when this much time, in time limits of one try, has passed.
const LIMITS: u32 = 2;
/// The word of a Jsonnet `error` by which a program says that there is nothing to call for.
const CANCEL: &str = "cancel";

const REQUEST_ID: HeaderName = HeaderName::from_static("ory-webhook-request-id");
const TRIGGER_ID: HeaderName = HeaderName::from_static("ory-webhook-trigger-id");
const SIGNED_ID: HeaderName = HeaderName::from_static("webhook-id");
const SIGNED_AT: HeaderName = HeaderName::from_static("webhook-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// A service as the configuration describes it.
#[derive(Clone, Copy)]
pub struct Service<'c> {
    /// What it is called for.
    pub purpose: Purpose,
    /// Address, method, headers and credentials.
    pub call: Call<'c>,
    /// What its body is.
    pub body: ServiceBody<'c>,
    /// Whether the call is numbered in its headers.
    pub numbered: bool,
}

/// The body of a call.
#[derive(Clone, Copy)]
pub enum ServiceBody<'c> {
    /// There is none.
    None,
    /// What the Jsonnet of this URL makes.
    Jsonnet(&'c str),
    /// This.
    Json(&'c Value),
}

/// One call.
#[derive(Clone, Copy)]
pub struct Occasion<'a> {
    /// By which receivers know a call that they got before.
    pub id: Uuid,
    /// What the Jsonnet is given.
    pub ctx: &'a Value,
    /// How often it is tried.
    pub tries: u32,
}

/// Why a call came to nothing. The texts repeat nothing of what was to be told.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The Jsonnet cannot be read.
    #[error("the Jsonnet of the body cannot be loaded: {0}")]
    Source(#[source] SourceError),
    /// It is not UTF-8.
    #[error("the Jsonnet of the body is not UTF-8")]
    NoText,
    /// It fails, never ends, or makes too much. What it says may repeat what it was given.
    #[error("the Jsonnet of the body failed")]
    Jsonnet(JsonnetError),
    /// The configuration or the body cannot be sent.
    #[error("the service cannot be called: {0}")]
    Call(CallError),
    /// It was not called.
    #[error("the service was not called: {0}")]
    LeftAlone(LeftAlone),
    /// No answer within the time limit.
    #[error("the service did not answer within the time limit")]
    TimedOut,
    /// It may not be reached, or what it answers cannot be taken.
    #[error("the service cannot be used: {0}")]
    Unusable(OutboundError),
    /// No answer, in all tries.
    #[error("the service cannot be reached: {0}")]
    Unreachable(OutboundError),
    /// It answered with an error that may pass, in all tries.
    #[error("the service answered with status {0}, and did so again")]
    Failing(u16),
}

impl ServiceError {
    /// What only operators may see, who may see what was told.
    #[must_use]
    pub fn whole(&self) -> String {
        match self {
            Self::Jsonnet(error) => format!("{self}: {error}"),
            other => other.to_string(),
        }
    }
}

/// What making calls takes.
#[derive(Clone, Copy)]
pub struct Caller<'a> {
    outbound: &'a Client,
    jsonnet: &'a Jsonnet,
    clock: &'a dyn Clock,
    rng: &'a dyn Rng,
    settings: &'a WebHookClients,
}

impl<'a> Caller<'a> {
    /// By an application, as it is configured at this moment.
    #[must_use]
    pub fn new(app: &'a App, snapshot: &'a Snapshot) -> Self {
        Self {
            outbound: &snapshot.outbound,
            jsonnet: &app.jsonnet,
            clock: &*app.clock,
            rng: &*app.rng,
            settings: &snapshot.config.clients.web_hook,
        }
    }

    /// Calls a service and gives its answer, whatever its status; `None` if the Jsonnet says that there is nothing to call
    /// for. Tried again: no connection, 429, and the 500s but 501. All tries are one visit to the service: if there was an
    /// answer to any of them, it is not silent.
    ///
    /// # Errors
    /// If the call cannot be made, or nothing but passing errors comes of it.
    pub async fn call(&self, service: &Service<'_>, occasion: &Occasion<'_>) -> Result<Option<Response>, ServiceError> {
        let Some(request) = self.request(service, occasion).await? else { return Ok(None) };
        let mut visit = self.outbound.enter(service.purpose, &request.url).map_err(not_called)?;
        let limit = self.settings.timeout;
        let begun = Instant::now();
        let mut pause = FIRST_PAUSE;
        let mut tries = 0;
        loop {
            tries += 1;
            let mut request = request.clone();
            request.timeout = Some(limit);
            self.mark(&mut request, service, occasion.id);
            let (error, asked) = match self.outbound.ask_within(&mut visit, service.purpose, request).await {
                Ok(answer) if may_pass(answer.status) => (ServiceError::Failing(answer.status), retry_after(&answer)),
                Ok(answer) => return Ok(Some(answer)),
                Err(OutboundError::TimedOut) => return Err(ServiceError::TimedOut),
                Err(error @ OutboundError::Failed(_)) => (ServiceError::Unreachable(error), None),
                Err(error) => return Err(ServiceError::Unusable(error)),
            };
            let wait = asked.unwrap_or(pause);
            if tries >= occasion.tries || wait > LONGEST_PAUSE || begun.elapsed() + wait > limit * LIMITS {
                return Err(error);
            }
            tokio::time::sleep(wait).await;
            pause *= 2;
        }
    }

    /// The longest that [`Caller::call`] takes.
    #[must_use]
    pub fn longest(&self) -> Duration {
        // Making the body is bounded by the worker; the last try may begin just before the limit.
        self.settings.timeout * (LIMITS + 1) + Duration::from_secs(15)
    }

    async fn request(&self, service: &Service<'_>, occasion: &Occasion<'_>) -> Result<Option<Request>, ServiceError> {
        let request = match service.body {
            ServiceBody::Json(body) => service.call.request(body),
            ServiceBody::None => service.call.request_without_body(),
            ServiceBody::Jsonnet(source) => match self.body(source, occasion.ctx).await {
                Err(ServiceError::Jsonnet(error)) if error.says(CANCEL) && !service.call.sends_form() => return Ok(None),
                made => service.call.request(&made?),
            },
        };
        request.map(Some).map_err(ServiceError::Call)
    }

    async fn body(&self, source: &str, ctx: &Value) -> Result<Value, ServiceError> {
        let snippet = self.outbound.load_cached(source, TEMPLATE_AGE).await.map_err(ServiceError::Source)?;
        let snippet = std::str::from_utf8(&snippet).map_err(|_| ServiceError::NoText)?;
        self.jsonnet.evaluate(snippet, Input { variables: &[], ctx: Some(ctx) }).await.map_err(ServiceError::Jsonnet)
    }

    /// Numbers and signs one try.
    fn mark(&self, request: &mut Request, service: &Service<'_>, id: Uuid) {
        let mut put = |name: HeaderName, text: &str| {
            if let Ok(value) = HeaderValue::from_str(text) {
                request.headers.insert(name, value);
            }
        };
        let id = id.to_string();
        if service.numbered {
            put(REQUEST_ID, &clock::new_id(self.clock, self.rng).to_string());
            put(TRIGGER_ID, &id);
        }
        let secrets = &self.settings.signing_secrets;
        if !secrets.is_empty() {
            let at = self.clock.now().seconds().to_string();
            put(SIGNED_ID, &id);
            put(SIGNED_AT, &at);
            let signatures: Vec<String> =
                secrets.iter().map(|secret| format!("v1,{}", signature(secret.expose(), &id, &at, &request.body))).collect();
            let signatures = HeaderValue::from_str(&signatures.join(" "));
            if let Ok(value) = signatures {
                request.headers.insert(SIGNATURE, value);
            }
        }
    }
}

/// The signature of a body: HMAC-SHA256 over id, time and body, in Base64. A secret that begins with `whsec_` is Base64.
fn signature(secret: &str, id: &str, at: &str, body: &[u8]) -> String {
    let key = match secret.strip_prefix("whsec_").and_then(|text| STANDARD.decode(text).ok()) {
        Some(key) => key,
        None => secret.as_bytes().to_vec(),
    };
    // HMAC takes keys of any length (RFC 2104, section 2).
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&key) else { return String::new() };
    for part in [id.as_bytes(), b".", at.as_bytes(), b".", body] {
        mac.update(part);
    }
    STANDARD.encode(mac.finalize().into_bytes())
}

fn not_called(error: OutboundError) -> ServiceError {
    match error {
        OutboundError::LeftAlone(why) => ServiceError::LeftAlone(why),
        other => ServiceError::Unusable(other),
    }
}

/// Whether an answer may be another one soon.
fn may_pass(status: u16) -> bool {
    status == 429 || (status >= 500 && status != 501)
}

/// How long a service wants to be left alone, in whole seconds (RFC 9110, section 10.2.3). Dates are not heeded.
fn retry_after(answer: &Response) -> Option<Duration> {
    if !matches!(answer.status, 429 | 503) {
        return None;
    }
    answer.headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_those_of_the_specification() {
        // The specification's own example.
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let body = br#"{"test": 2432232314}"#;
        let made = signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", body);
        assert_eq!(made, "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert_ne!(signature("a secret of another kind", "1", "2", body), signature("another", "1", "2", body));
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        for (status, wanted) in
            [(200, false), (304, false), (400, false), (408, false), (429, true), (500, true), (501, false), (503, true)]
        {
            assert_eq!(may_pass(status), wanted, "{status}");
        }
    }
}
