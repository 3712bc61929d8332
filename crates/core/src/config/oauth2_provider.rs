//! `oauth2_provider`: the OAuth2 server whose logins are answered here.

use serde::Deserialize;

use super::clients::Headers;

/// `oauth2_provider`.
#[derive(Clone, Debug, Deserialize)]
pub struct OAuth2Provider {
    /// Its admin address; `None`: there is none.
    #[serde(default)]
    pub url: Option<String>,
    /// Headers that it is sent.
    #[serde(default)]
    pub headers: Headers,
    /// Whether `return_to` becomes the OAuth2 request.
    pub override_return_to: bool,
}
