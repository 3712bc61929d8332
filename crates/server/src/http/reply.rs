//! Answers in HTTP: JSON, errors, redirects, plain text, and the core's replies turned into them.
//!
//! A body is serialised once, straight from its value. Headers that every answer carries are put on by the edge.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, LOCATION, RETRY_AFTER, SET_COOKIE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderName, HeaderValue, StatusCode};
use http_body_util::Full;
use portcullis_core::app::Cx;
use portcullis_core::crypto::tokens::SessionCookie;
use portcullis_core::flow::engine::{Body, CookieChange, Reply};
use portcullis_model::error::ApiError;
use serde_json::Value;

use super::csrf;
use super::view::View;

/// An answer.
pub type Response = http::Response<Full<Bytes>>;

const JSON: &str = "application/json; charset=utf-8";
const ERROR_ID: HeaderName = HeaderName::from_static("ory-error-id");

/// An answer with a status and no body. An impossible status becomes 500.
#[must_use]
pub fn empty(status: u16) -> Response {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
}

/// An answer with a body of a media type.
#[must_use]
pub fn content(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Response {
    let mut response = empty(status);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    *response.body_mut() = Full::new(body.into());
    response
}

/// JSON.
#[must_use]
pub fn json(status: u16, body: &Value) -> Response {
    content(status, JSON, bytes_of(body))
}

/// An error as JSON, with its id and the time to wait in headers where it has them.
#[must_use]
pub fn error(error: &ApiError) -> Response {
    error_of(error, None)
}

/// As [`error`], naming the request by the id that its client gave it.
fn error_of(error: &ApiError, request_id: Option<&str>) -> Response {
    let mut body = error.body();
    if let (Some(id), Some(object)) = (request_id, body.get_mut("error").and_then(Value::as_object_mut)) {
        object.insert("request".to_owned(), id.into());
    }
    let mut response = content(error.status, "application/json", bytes_of(&body));
    let headers = response.headers_mut();
    if let Some(id) = error.id {
        headers.insert(ERROR_ID, HeaderValue::from_static(id.as_str()));
    }
    if let Some(seconds) = error.retry_after {
        headers.insert(RETRY_AFTER, seconds.into());
    }
    response
}

fn bytes_of(value: &Value) -> Vec<u8> {
    // Serialising a `Value` into memory cannot fail: its keys are texts.
    serde_json::to_vec(value).unwrap_or_default()
}

/// A redirect. An address that cannot stand in a header becomes 500.
#[must_use]
pub fn redirect(status: u16, location: &str) -> Response {
    let Ok(location) = HeaderValue::try_from(location) else { return error(&ApiError::internal()) };
    let mut response = empty(status);
    response.headers_mut().insert(LOCATION, location);
    response
}

/// 404 for a path that is no route.
#[must_use]
pub fn unknown_path() -> Response {
    plain(404, "There is nothing at this path.\n")
}

/// 405 for a path that does not know the method; `allow` lists those that it knows.
#[must_use]
pub fn wrong_method(allow: &str) -> Response {
    let mut response = plain(405, "This path does not take this method.\n");
    if let Ok(allow) = HeaderValue::try_from(allow) {
        response.headers_mut().insert(ALLOW, allow);
    }
    response
}

fn plain(status: u16, text: &'static str) -> Response {
    let mut response = content(status, "text/plain; charset=utf-8", text);
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Turns a reply of the core into HTTP, with the cookies of this configuration.
#[must_use]
pub fn of(reply: Reply, view: &View, cx: &Cx) -> Response {
    let request_id = cx.request.request_id.as_deref();
    let mut response = match reply.body {
        Body::Json(value) => json(reply.status, &value),
        Body::Written(text) => content(reply.status, JSON, text),
        Body::Error(e) => error_of(&e, request_id),
        Body::Location(location) => redirect(reply.status, &location),
        Body::Empty => empty(reply.status),
    };
    let headers = response.headers_mut();
    for (name, value) in reply.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::try_from(value)) {
            headers.append(name, value);
        }
    }
    for change in &reply.cookies {
        if let Some(cookie) = set_cookie(change, view, cx) {
            headers.append(SET_COOKIE, cookie);
        }
    }
    response
}

/// Whether a reply gives the browser a new anti-CSRF secret by itself.
#[must_use]
pub fn renews_csrf(reply: &Reply) -> bool {
    reply.cookies.iter().any(|c| matches!(c, CookieChange::SetCsrf(_)))
}

/// A change of cookies as a `Set-Cookie` value.
#[must_use]
pub fn set_cookie(change: &CookieChange, view: &View, cx: &Cx) -> Option<HeaderValue> {
    let left = |until: portcullis_model::time::Timestamp| until.since(cx.now).max(Duration::from_secs(1));
    match change {
        CookieChange::SetSession { token, expires_at } => {
            let cookie = SessionCookie { token: token.clone(), expires_at: *expires_at };
            view.session.set(&cookie.seal(cx.keys(), cx.rng()), left(*expires_at))
        }
        CookieChange::RemoveSession => view.session.remove(),
        CookieChange::SetCsrf(secret) => view.csrf.set(&secret.cookie_value(), csrf::MAX_AGE),
        CookieChange::SetParked { handle, expires_at } => view.parked.set(handle, left(*expires_at)),
        CookieChange::RemoveParked => view.parked.remove(),
    }
}
