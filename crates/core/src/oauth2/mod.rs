//! The OAuth2 server beside us (Ory Hydra): it asks who somebody is by a login challenge, and is told when they signed in.
//!
//! It is spoken to on its admin address (`oauth2_provider.url`). Nobody is signed in here whom it then refuses: it is told
//! before the session is saved.

use std::time::Duration;

use portcullis_model::error::{ApiError, ErrorId};
use portcullis_model::flow::Flow;
use portcullis_model::session::Session;
use serde::Deserialize;
use serde_json::{Value, json};
use url::form_urlencoded;

use crate::app::Cx;
use crate::flow::engine::Reply;
use crate::outbound::{Call, OutboundError, Purpose, Response};

/// How long one question to the OAuth2 server may take.
const TIME_LIMIT: Duration = Duration::from_secs(10);
/// The query parameter that brings a challenge.
const PARAMETER: &str = "login_challenge";
const LOGIN: &str = "admin/oauth2/auth/requests/login";
const ACCEPT: &str = "admin/oauth2/auth/requests/login/accept";

/// A login that the OAuth2 server asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct LoginRequest {
    /// By which both know it.
    pub challenge: String,
    /// Whether whoever is signed in need not be asked again.
    pub skip: bool,
    /// The address by which the OAuth2 client began.
    pub request_url: String,
    /// All of it, as the OAuth2 server gave it: for front ends.
    pub shown: Value,
}

#[derive(Deserialize)]
struct Read {
    #[serde(default)]
    skip: bool,
    #[serde(default)]
    request_url: String,
}

#[derive(Deserialize)]
struct Accepted {
    redirect_to: String,
}

/// The login that a request which begins a flow is about; `None` if it brings no challenge.
///
/// # Errors
/// 500 `invalid_configuration` if no OAuth2 server is configured, 400 for an empty challenge, and what
/// [`login_request`] says.
pub async fn asked(cx: &Cx) -> Result<Option<LoginRequest>, ApiError> {
    let Some((_, challenge)) = cx.request.query.iter().find(|(name, _)| name == PARAMETER) else { return Ok(None) };
    if cx.config().oauth2_provider.url.is_none() {
        return Err(ApiError::new(500, "A login_challenge was sent, but no OAuth2 server is configured (oauth2_provider.url).")
            .id(ErrorId::InvalidConfiguration));
    }
    if challenge.is_empty() {
        return Err(ApiError::bad_request("The parameter login_challenge is there but empty."));
    }
    login_request(cx, challenge).await.map(Some)
}

/// The login that a flow answers; `None` if it answers none.
///
/// # Errors
/// As [`login_request`].
pub async fn of_flow(cx: &Cx, flow: &Flow) -> Result<Option<LoginRequest>, ApiError> {
    match &flow.login_challenge {
        Some(challenge) => login_request(cx, challenge).await.map(Some),
        None => Ok(None),
    }
}

/// Asks the OAuth2 server about a challenge.
///
/// # Errors
/// 400 if it does not know the challenge, 500 if it fails or does not answer; with its status and hint as details.
pub async fn login_request(cx: &Cx, challenge: &str) -> Result<LoginRequest, ApiError> {
    let answer = ask(cx, "GET", LOGIN, challenge, None).await?;
    if !answer.is_success() {
        let status = if answer.status >= 500 { 500 } else { 400 };
        return Err(refused(&answer, status, "The OAuth2 server does not know this login_challenge, or cannot say."));
    }
    let unreadable = || broken("its login request cannot be read");
    let shown: Value = serde_json::from_slice(&answer.body).map_err(|_| unreadable())?;
    let read = Read::deserialize(&shown).ok().filter(|_| shown.is_object()).ok_or_else(unreadable)?;
    Ok(LoginRequest { challenge: challenge.to_owned(), skip: read.skip, request_url: read.request_url, shown })
}

/// Tells the OAuth2 server who signed in; gives the address to which it wants the browser to be sent.
///
/// # Errors
/// 500 if it refuses, fails or does not answer; with its status and hint as details.
pub async fn accept(cx: &Cx, challenge: &str, session: &Session) -> Result<String, ApiError> {
    let body = json!({
        "subject": session.identity_id,
        "identity_provider_session_id": session.id,
        "remember": cx.config().session.cookie.persistent,
        "remember_for": cx.config().session.lifespan.as_secs(),
        "amr": session.methods.iter().map(|proof| proof.method.as_str()).collect::<Vec<_>>(),
    });
    let answer = ask(cx, "PUT", ACCEPT, challenge, Some(&body)).await?;
    if !answer.is_success() {
        tracing::error!(status = answer.status, "the OAuth2 server refused a login");
        return Err(refused(&answer, 500, "The OAuth2 server did not take the sign-in. Begin again at the application."));
    }
    let read: Accepted = serde_json::from_slice(&answer.body).map_err(|_| broken("its answer to a login cannot be read"))?;
    Ok(read.redirect_to)
}

/// Sends the browser to where the OAuth2 server wants it: 422 for scripts, a redirect for pages.
#[must_use]
pub fn sent_on(json: bool, url: String) -> Reply {
    if !json {
        return Reply::see_other(url);
    }
    Reply::error(
        ApiError::new(422, "Send the browser to the address that is named.")
            .id(ErrorId::BrowserLocationChangeRequired)
            .beside("redirect_browser_to", url),
    )
}

async fn ask(cx: &Cx, method: &str, path: &str, challenge: &str, body: Option<&Value>) -> Result<Response, ApiError> {
    let settings = &cx.config().oauth2_provider;
    let Some(base) = &settings.url else {
        return Err(ApiError::new(500, "No OAuth2 server is configured (oauth2_provider.url).").id(ErrorId::InvalidConfiguration));
    };
    let query = form_urlencoded::Serializer::new(String::new()).append_pair(PARAMETER, challenge).finish();
    let url = format!("{}/{path}?{query}", base.trim_end_matches('/'));
    let call = Call { url: &url, method, headers: &settings.headers, auth: None };
    let request = match body {
        Some(body) => call.request(body),
        None => call.request_without_body(),
    };
    let mut request = request.map_err(|error| broken(&error.to_string()))?;
    request.timeout = Some(TIME_LIMIT);
    cx.snapshot.outbound.ask(Purpose::OAuth2, request).await.map_err(|error: OutboundError| broken(&error.to_string()))
}

/// What a client is told of an answer that is an error. The server's own words are for developers.
fn refused(answer: &Response, status: u16, told: &str) -> ApiError {
    let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let hint = said.get("error_hint").and_then(Value::as_str).unwrap_or_default();
    ApiError::new(status, told).detail("status_code", answer.status).detail("oauth2_error_hint", hint)
}

fn broken(why: &str) -> ApiError {
    tracing::error!(why, "the OAuth2 server cannot be used");
    ApiError::new(500, "The OAuth2 server cannot be asked at the moment.")
}
