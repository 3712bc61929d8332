//! `session`: how long sessions last, what whoami insists on, and the session cookie.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::cookies::SameSite;
use super::value::{duration, loose_boolean, non_empty, optional_duration};

/// `session`.
#[derive(Clone, Debug, Deserialize)]
pub struct Session {
    /// How long a session lasts.
    #[serde(deserialize_with = "duration")]
    pub lifespan: Duration,
    /// A session is extended only when less than this is left of it; `None`: always.
    #[serde(default, deserialize_with = "optional_duration")]
    pub earliest_possible_extend: Option<Duration>,
    /// Asking who is signed in.
    pub whoami: Whoami,
    /// The session cookie as written; see [`super::Config::session_cookie`].
    pub cookie: SessionCookie,
}

/// `session.whoami`.
#[derive(Clone, Debug, Deserialize)]
pub struct Whoami {
    /// The session strength that it insists on.
    pub required_aal: RequiredAal,
    /// Turning sessions into tokens.
    #[serde(default)]
    pub tokenizer: Tokenizer,
}

/// A demand on the strength of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequiredAal {
    /// One factor will do.
    Aal1,
    /// Two factors, if the identity has a second one.
    HighestAvailable,
}

/// `session.whoami.tokenizer`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Tokenizer {
    /// Kinds of tokens, by name.
    pub templates: BTreeMap<String, TokenTemplate>,
}

/// `session.whoami.tokenizer.templates.NAME`.
#[derive(Clone, Debug, Deserialize)]
pub struct TokenTemplate {
    /// How long a token is good.
    #[serde(deserialize_with = "duration")]
    pub ttl: Duration,
    /// The URL of the Jsonnet that makes the claims.
    #[serde(default)]
    pub claims_mapper_url: Option<String>,
    /// The URL of the signing keys (RFC 7517).
    pub jwks_url: String,
    /// What becomes the subject.
    pub subject_source: SubjectSource,
}

/// What becomes the subject of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubjectSource {
    /// The identity's id.
    Id,
    /// The identity's external id.
    ExternalId,
}

/// `session.cookie`.
#[derive(Clone, Debug, Deserialize)]
pub struct SessionCookie {
    /// Its name.
    pub name: String,
    /// Its domain, instead of `cookies.domain`.
    #[serde(default, deserialize_with = "non_empty")]
    pub domain: Option<String>,
    /// Its path, instead of `cookies.path`.
    #[serde(default, deserialize_with = "non_empty")]
    pub path: Option<String>,
    /// Its SameSite, instead of `cookies.same_site`.
    #[serde(default)]
    pub same_site: Option<SameSite>,
    /// Whether it is Secure; `None`: unless in development mode.
    #[serde(default, deserialize_with = "loose_boolean")]
    pub secure: Option<bool>,
    /// Whether it outlives the browser.
    pub persistent: bool,
}
