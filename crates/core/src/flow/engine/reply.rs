//! An answer, without HTTP: what the edge is to send.

use portcullis_model::error::ApiError;
use portcullis_model::time::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::crypto::Secret;
use crate::crypto::tokens::CsrfSecret;

/// What an answer does to the client's cookies.
#[derive(Clone)]
pub enum CookieChange {
    /// Write the session cookie.
    SetSession {
        /// The session's token.
        token: Secret,
        /// When the session ends.
        expires_at: Timestamp,
    },
    /// Remove the session cookie.
    RemoveSession,
    /// Give the browser a new anti-CSRF secret, so that older forms are out of reach.
    SetCsrf(CsrfSecret),
    /// Write the cookie that refers to a parked submit.
    SetParked {
        /// The cookie's value.
        handle: String,
        /// When the parked submit ends.
        expires_at: Timestamp,
    },
    /// Remove the cookie that refers to a parked submit.
    RemoveParked,
}

/// The part of an answer that is sent as such.
#[derive(Clone)]
pub enum Body {
    /// JSON.
    Json(Value),
    /// JSON that is written already, for answers that are given often.
    Written(Vec<u8>),
    /// An error as JSON, with its status and the header `Ory-Error-Id`.
    Error(Box<ApiError>),
    /// A redirect.
    Location(String),
    /// Nothing.
    Empty,
}

impl Body {
    /// Writes a value as JSON at once. What cannot be written as JSON, such as a map whose keys are no texts, comes out
    /// empty; no view is of that kind.
    #[must_use]
    pub fn written(value: &impl Serialize) -> Self {
        Self::Written(serde_json::to_vec(value).unwrap_or_default())
    }
}

/// An answer.
#[derive(Clone)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// What is sent.
    pub body: Body,
    /// What happens to cookies, in order.
    pub cookies: Vec<CookieChange>,
    /// Further headers, by lower-case name.
    pub headers: Vec<(&'static str, String)>,
}

impl Reply {
    /// JSON with a status.
    #[must_use]
    pub fn json(status: u16, body: Value) -> Self {
        Self { status, body: Body::Json(body), cookies: Vec::new(), headers: Vec::new() }
    }

    /// An error as JSON.
    #[must_use]
    pub fn error(error: ApiError) -> Self {
        Self { status: error.status, body: Body::Error(Box::new(error)), cookies: Vec::new(), headers: Vec::new() }
    }

    /// 303 See Other.
    #[must_use]
    pub fn see_other(location: impl Into<String>) -> Self {
        Self::redirect(303, location)
    }

    /// A redirect with a status.
    #[must_use]
    pub fn redirect(status: u16, location: impl Into<String>) -> Self {
        Self { status, body: Body::Location(location.into()), cookies: Vec::new(), headers: Vec::new() }
    }

    /// 204 No Content.
    #[must_use]
    pub fn no_content() -> Self {
        Self { status: 204, body: Body::Empty, cookies: Vec::new(), headers: Vec::new() }
    }

    /// With a change of cookies.
    #[must_use]
    pub fn cookie(mut self, change: CookieChange) -> Self {
        self.cookies.push(change);
        self
    }

    /// With a header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}
