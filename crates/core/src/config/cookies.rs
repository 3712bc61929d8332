//! `cookies`: the attributes of all cookies.

use serde::Deserialize;

use super::value::{loose_boolean, non_empty};

/// `cookies`.
#[derive(Clone, Debug, Deserialize)]
pub struct Cookies {
    /// Their domain; `None`: the host that sets them.
    #[serde(default, deserialize_with = "non_empty")]
    pub domain: Option<String>,
    /// Their path.
    pub path: String,
    /// Their SameSite.
    pub same_site: SameSite,
    /// Whether the anti-CSRF and continuity cookies are Secure; `None`: unless in development mode.
    #[serde(default, deserialize_with = "loose_boolean")]
    pub secure: Option<bool>,
}

/// With which requests of other sites a browser sends a cookie (RFC 6265bis).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum SameSite {
    /// With none.
    Strict,
    /// When the user follows a link.
    Lax,
    /// With all; browsers demand Secure.
    None,
}

impl SameSite {
    /// The attribute's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Strict => "Strict",
            Self::Lax => "Lax",
            Self::None => "None",
        }
    }
}

/// Everything about a cookie except its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CookieAttributes {
    /// Its name.
    pub name: String,
    /// Its domain; `None`: the host that sets it.
    pub domain: Option<String>,
    /// Its path.
    pub path: String,
    /// With which requests of other sites it is sent.
    pub same_site: SameSite,
    /// Whether it is sent over HTTPS only.
    pub secure: bool,
    /// Whether it outlives the browser (Max-Age).
    pub persistent: bool,
}
