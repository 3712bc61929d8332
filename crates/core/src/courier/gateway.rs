//! Handing messages to HTTP services: mails where the configuration says so, and every text message.
//!
//! One message is one call, with a body that Jsonnet makes, or a built-in one. Any status of the 200s means that it was
//! taken. The outbox row's id goes along as idempotency key: should a crash make a message leave twice, services can tell.

use std::time::Duration;

use portcullis_model::identity::Via;
use serde_json::{Map, Value, json};

use super::desk::Desk;
use super::failure::Failure;
use super::render::{Rendered, TEMPLATE_AGE};
use crate::config::courier::HttpRequest;
use crate::jsonnet::{Input, Jsonnet};
use crate::outbound::{Call, Client, HeaderName, HeaderValue, OutboundError, Purpose};

/// How much of a service's answer is kept in a message's history, in characters.
const KEPT_OF_ANSWER: usize = 500;
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// A message to be handed over.
pub(super) struct Posted<'a> {
    /// The outbox row's id.
    pub(super) id: uuid::Uuid,
    /// Mail or text message.
    pub(super) via: Via,
    /// To whom.
    pub(super) recipient: &'a str,
    /// Its kind, as the API names it.
    pub(super) template: &'a str,
    /// Its words.
    pub(super) words: &'a Rendered,
    /// What its words were made of.
    pub(super) data: &'a Map<String, Value>,
    /// Headers of the request that asked for it.
    pub(super) request_headers: &'a Value,
}

/// Hands a message to a service.
///
/// # Errors
/// If the call cannot be made, or the service does not take the message in time.
pub(super) async fn post(
    desk: &dyn Desk,
    jsonnet: &Jsonnet,
    service: &HttpRequest,
    message: &Posted<'_>,
    time_limit: Duration,
) -> Result<(), Failure> {
    let url = service.url.as_ref().ok_or_else(|| Failure::passing("courier.http.request_config.url is not set"))?;
    let body = match &service.body {
        Some(source) => made(desk.outbound(), jsonnet, source, message).await?,
        None => plain(message),
    };
    let call = Call { url: url.expose(), method: &service.method, headers: &service.headers, auth: service.auth.as_ref() };
    let mut request = call.request(&body).map_err(|e| Failure::passing(format!("the service cannot be called: {e}")))?;
    request.timeout = Some(time_limit);
    if let Ok(id) = HeaderValue::from_str(&message.id.to_string()) {
        request.headers.entry(IDEMPOTENCY_KEY).or_insert(id);
    }
    let answer = desk.outbound().ask(Purpose::Courier, request).await.map_err(|error| {
        let later = if let OutboundError::LeftAlone(why) = &error { Some(why.retry_in()) } else { None };
        Failure { later, ..Failure::passing(format!("the service cannot be used: {error}")) }
    })?;
    if answer.is_success() {
        return Ok(());
    }
    let said: String = String::from_utf8_lossy(&answer.body).chars().take(KEPT_OF_ANSWER).collect();
    Err(Failure {
        permanent: false,
        answered: true,
        reason: format!("the service answered with status {}", answer.status),
        detail: Some(said).filter(|said| !said.trim().is_empty()),
        later: None,
    })
}

/// The body by the operator's Jsonnet.
async fn made(outbound: &Client, jsonnet: &Jsonnet, source: &str, message: &Posted<'_>) -> Result<Value, Failure> {
    let snippet = outbound.load_cached(source, TEMPLATE_AGE).await;
    let snippet = snippet.map_err(|e| Failure::passing(format!("the Jsonnet of the body cannot be loaded: {e}")))?;
    let snippet = std::str::from_utf8(&snippet).map_err(|_| Failure::passing("the Jsonnet of the body is not UTF-8"))?;
    let ctx = context(message);
    jsonnet.evaluate(snippet, Input { variables: &[], ctx: Some(&ctx) }).await.map_err(|error| Failure {
        // What a snippet says may repeat what it was given.
        detail: Some(error.to_string()),
        ..Failure::passing("the Jsonnet of the body failed")
    })
}

/// What the Jsonnet is given.
fn context(message: &Posted<'_>) -> Value {
    let mut ctx = json!({
        "recipient": message.recipient,
        "subject": message.words.subject,
        "body": message.words.text,
        "template_type": message.template,
        "template_data": message.data,
        "message_type": message.via.as_str(),
        "request_headers": message.request_headers,
    });
    if let (Some(html), Value::Object(ctx)) = (&message.words.html, &mut ctx) {
        ctx.insert("html_body".into(), html.as_str().into());
    }
    ctx
}

/// The body where none is configured.
fn plain(message: &Posted<'_>) -> Value {
    let data = |name: &str| message.data.get(name).cloned().unwrap_or_default();
    json!({
        "recipient": message.recipient,
        "template_type": message.template,
        "to": data("to"),
        "recovery_code": data("recovery_code"),
        "recovery_url": data("recovery_url"),
        "verification_url": data("verification_url"),
        "verification_code": data("verification_code"),
        "subject": message.words.subject,
        "body": message.words.text,
    })
}
