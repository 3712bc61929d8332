//! Errors as clients see them: an optional id, a status, prose and details. Which HTTP response carries them is decided
//! at the edge.

use serde::Serialize;
use serde_json::{Map, Value, json};

/// The ids by which front ends tell errors apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are the ids; reference: docs/errors.md")]
pub enum ErrorId {
    SecurityCsrfViolation,
    SecurityIdentityMismatch,
    SessionInactive,
    SessionAlreadyAvailable,
    SessionAal1Required,
    SessionAal2Required,
    SessionAalAlreadyFulfilled,
    SessionRefreshRequired,
    SessionVerifiedAddressRequired,
    IdentityDisabled,
    SelfServiceFlowExpired,
    SelfServiceFlowReplaced,
    SelfServiceFlowDisabled,
    SelfServiceFlowReturnToForbidden,
    BrowserLocationChangeRequired,
    InvalidConfiguration,
    UpstreamError,
}

impl ErrorId {
    /// The id as clients see it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SecurityCsrfViolation => "security_csrf_violation",
            Self::SecurityIdentityMismatch => "security_identity_mismatch",
            Self::SessionInactive => "session_inactive",
            Self::SessionAlreadyAvailable => "session_already_available",
            Self::SessionAal1Required => "session_aal1_required",
            Self::SessionAal2Required => "session_aal2_required",
            Self::SessionAalAlreadyFulfilled => "session_aal_already_fulfilled",
            Self::SessionRefreshRequired => "session_refresh_required",
            Self::SessionVerifiedAddressRequired => "session_verified_address_required",
            Self::IdentityDisabled => "identity_disabled",
            Self::SelfServiceFlowExpired => "self_service_flow_expired",
            Self::SelfServiceFlowReplaced => "self_service_flow_replaced",
            Self::SelfServiceFlowDisabled => "self_service_flow_disabled",
            Self::SelfServiceFlowReturnToForbidden => "self_service_flow_return_to_forbidden",
            Self::BrowserLocationChangeRequired => "browser_location_change_required",
            Self::InvalidConfiguration => "invalid_configuration",
            Self::UpstreamError => "upstream_error",
        }
    }
}

/// An error for a client. `details` and `beside` are almost always empty.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{status} {reason}")]
pub struct ApiError {
    /// The id, where the error has one.
    pub id: Option<ErrorId>,
    /// The HTTP status.
    pub status: u16,
    /// What happened, for developers.
    pub reason: String,
    /// More about it, by documented keys.
    pub details: Map<String, Value>,
    /// Keys that stand beside `error` at the top of the body, such as `redirect_browser_to`.
    pub beside: Map<String, Value>,
    /// The `code` inside the body where it differs from the status.
    pub inner_code: Option<u16>,
    /// After how many seconds the client may try again (`Retry-After`).
    pub retry_after: Option<u32>,
}

impl ApiError {
    /// An error without id.
    pub fn new(status: u16, reason: impl Into<String>) -> Self {
        Self {
            id: None,
            status,
            reason: reason.into(),
            details: Map::new(),
            beside: Map::new(),
            inner_code: None,
            retry_after: None,
        }
    }

    /// 400.
    pub fn bad_request(reason: impl Into<String>) -> Self {
        Self::new(400, reason)
    }

    /// 401.
    pub fn unauthorized(reason: impl Into<String>) -> Self {
        Self::new(401, reason)
    }

    /// 403.
    pub fn forbidden(reason: impl Into<String>) -> Self {
        Self::new(403, reason)
    }

    /// 404.
    pub fn not_found(reason: impl Into<String>) -> Self {
        Self::new(404, reason)
    }

    /// 409.
    pub fn conflict(reason: impl Into<String>) -> Self {
        Self::new(409, reason)
    }

    /// 500, with a reason that gives nothing away.
    #[must_use]
    pub fn internal() -> Self {
        Self::new(500, "Something went wrong on our side. The incident was logged.")
    }

    /// With an id.
    #[must_use]
    pub fn id(mut self, id: ErrorId) -> Self {
        self.id = Some(id);
        self
    }

    /// With the number of seconds after which the client may try again.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// With a detail.
    #[must_use]
    pub fn detail(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.details.insert(key.to_owned(), value.into());
        self
    }

    /// With a key beside `error`.
    #[must_use]
    pub fn beside(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.beside.insert(key.to_owned(), value.into());
        self
    }

    /// The `error` object: what is stored in an error container, and what stands under `error` in a JSON answer.
    #[must_use]
    pub fn object(&self) -> Value {
        let code = self.inner_code.unwrap_or(self.status);
        let mut out = Map::new();
        if let Some(id) = self.id {
            out.insert("id".into(), id.as_str().into());
        }
        out.insert("code".into(), code.into());
        out.insert("status".into(), phrase(code).into());
        out.insert("reason".into(), self.reason.clone().into());
        out.insert("message".into(), message(code).into());
        if !self.details.is_empty() {
            out.insert("details".into(), Value::Object(self.details.clone()));
        }
        Value::Object(out)
    }

    /// The whole JSON body.
    #[must_use]
    pub fn body(&self) -> Value {
        let mut out = json!({ "error": self.object() });
        if let Value::Object(map) = &mut out {
            map.extend(self.beside.clone());
        }
        out
    }
}

/// The standard phrase of a status (RFC 9110, section 15).
fn phrase(code: u16) -> &'static str {
    match code {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        410 => "Gone",
        413 => "Request Entity Too Large",
        415 => "Unsupported Media Type",
        422 => "Unprocessable Entity",
        429 => "Too Many Requests",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Internal Server Error",
    }
}

fn message(code: u16) -> &'static str {
    match code {
        400 => "The request was malformed or contained invalid parameters",
        401 => "The request could not be authorized",
        403 => "The requested action was forbidden",
        404 => "The requested resource could not be found",
        409 => "The resource could not be created due to a conflict",
        410 => "The requested resource is gone",
        413 => "The request is too large",
        415 => "The request uses a media type that is not understood",
        422 => "The request was understood but cannot be completed as it is",
        429 => "Too many requests",
        502 => "An upstream service failed",
        503 => "The service is busy",
        _ => "An internal server error occurred, please contact the system administrator",
    }
}
