//! Failures of the edge itself, before or beside any operation, as the errors that clients see.

use portcullis_model::error::ApiError;

use super::reply::{self, Response};

/// Why a request's body was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// It is larger than a request may be.
    #[error("the body is larger than {} bytes", super::edge::MAX_BODY)]
    TooLarge,
    /// It did not arrive in time.
    #[error("the body did not arrive in time")]
    TooSlow,
    /// The connection broke, or its framing is wrong.
    #[error("the body did not arrive whole")]
    Broken,
}

impl BodyError {
    /// The answer. The connection cannot be used again, since the rest of the body may still be under way.
    #[must_use]
    pub fn response(self) -> Response {
        let status = match self {
            Self::TooLarge => 413,
            Self::TooSlow | Self::Broken => 400,
        };
        let mut response = reply::error(&ApiError::new(status, self.to_string()));
        response.headers_mut().insert(http::header::CONNECTION, http::HeaderValue::from_static("close"));
        response
    }
}
