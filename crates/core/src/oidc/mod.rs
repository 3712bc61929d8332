//! Social sign-in from the side of the wire: what providers are asked, and how their answers are judged.
//!
//! Nothing here knows flows or accounts. Every request goes through [`crate::outbound`], has a time limit and a circuit by
//! origin, so that a provider that is slow or gone holds up nobody but those who want to sign in with it. What a
//! provider claims is taken from a token that was verified, or from an endpoint that was asked with the token that came
//! with it.

mod claims;
mod discovery;
mod keys;
pub mod mapper;
mod pkce;
mod provider;
mod token;

pub use claims::Claims;
pub use mapper::{Mapped, MapperError, map};
pub use pkce::{Challenge, challenge_of};
pub use provider::{Departure, Handed, IdTokenError, Landing, Ticket, accept_id_token, depart, is_pkce_forced, land};
pub use token::Tokens;

use std::sync::Arc;
use std::time::Duration;

use portcullis_model::time::Timestamp;
use quick_cache::sync::Cache;

use discovery::Document;
use keys::KeySet;

use crate::app::Cx;
use crate::outbound::{Purpose, Request, Response};

/// How long an endpoint of a provider has for its whole answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest answer that is read: 512 KiB. Key sets and profiles are far shorter.
const LONGEST: usize = 512 * 1024;

/// How many issuers and key sets are remembered.
const REMEMBERED: usize = 256;

/// What is known of providers between requests: documents, and keys. One exists for an application.
pub struct Known {
    documents: Cache<String, (Timestamp, Arc<Document>)>,
    keys: Cache<String, (Timestamp, Arc<KeySet>)>,
}

impl Default for Known {
    fn default() -> Self {
        Self { documents: Cache::new(REMEMBERED), keys: Cache::new(REMEMBERED) }
    }
}

/// Why a sign-in by a provider comes to nothing. The texts hold nothing that a provider or a person sent, but for the code
/// of an error (RFC 6749, section 5.2).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OidcError {
    /// The provider's configuration cannot be used.
    #[error("the provider's configuration cannot be used: {0}")]
    Configuration(&'static str),
    /// The issuer's document cannot be had.
    #[error("the issuer's document cannot be used: {0}")]
    Discovery(String),
    /// The provider does not answer, or refuses what it is asked.
    #[error("{endpoint} fails: {reason}")]
    Upstream {
        /// Which endpoint.
        endpoint: &'static str,
        /// What it did.
        reason: String,
    },
    /// What it answered does not prove anything: a token that is missing, forged, old, or somebody else's.
    #[error("the provider's answer was not accepted: {0}")]
    Refused(String),
    /// The ID token cannot be verified. As [`OidcError::Refused`], but told apart where an app hands one in.
    #[error("the ID token was not accepted: {0}")]
    Token(String),
    /// It does not say who somebody is.
    #[error("the provider did not tell who the person is")]
    NoSubject,
    /// The person, or the provider, said no.
    #[error("the provider said no: {0}")]
    Denied(String),
}

impl OidcError {
    fn upstream(endpoint: &'static str, reason: impl Into<String>) -> Self {
        Self::Upstream { endpoint, reason: reason.into() }
    }

    fn refused(reason: impl Into<String>) -> Self {
        Self::Refused(reason.into())
    }
}

/// Asks an endpoint of a provider. Any status is an answer.
async fn ask(cx: &Cx, endpoint: &'static str, mut request: Request) -> Result<Response, OidcError> {
    request.timeout = Some(PATIENCE);
    request.limit = LONGEST;
    let answer = cx.snapshot.outbound.ask(Purpose::Oidc, request).await;
    answer.map_err(|error| OidcError::upstream(endpoint, error.to_string()))
}
