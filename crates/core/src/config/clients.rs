//! `clients`: what outgoing calls may reach. Besides, what every configured outgoing call has: headers and credentials.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Deserialize;

use super::value::{Secret, duration};

/// Header names and their values. The values may be credentials, so they are not shown.
pub type Headers = BTreeMap<String, Secret>;

/// `clients`.
#[derive(Clone, Debug, Deserialize)]
pub struct Clients {
    /// Outgoing HTTP.
    pub http: HttpClients,
    /// Outgoing mail.
    pub smtp: SmtpClients,
    /// Web hooks.
    pub web_hook: WebHookClients,
}

/// `clients.http`.
#[derive(Clone, Debug, Deserialize)]
pub struct HttpClients {
    /// Whether private addresses are out of reach.
    pub disallow_private_ip_ranges: bool,
    /// URLs (with `*` as wildcard) that are in reach all the same.
    pub private_ip_exception_urls: Vec<String>,
}

/// `clients.smtp`.
#[derive(Clone, Debug, Deserialize)]
pub struct SmtpClients {
    /// Whether private addresses are out of reach.
    pub disallow_private_ip_ranges: bool,
}

/// `clients.web_hook`.
#[derive(Clone, Debug, Deserialize)]
pub struct WebHookClients {
    /// The request headers that templates see.
    pub header_allowlist: Vec<String>,
    /// How long one try may take.
    #[serde(deserialize_with = "duration")]
    pub timeout: Duration,
    /// What calls are signed with, each of them; none: they are not signed.
    pub signing_secrets: Vec<Secret>,
}

/// How an outgoing call proves itself.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", content = "config", rename_all = "snake_case")]
pub enum HttpAuth {
    /// A key in a header or cookie.
    ApiKey {
        /// The name of the header or cookie.
        name: String,
        /// The key.
        value: Secret,
        /// Which of the two.
        #[serde(rename = "in")]
        place: ApiKeyPlace,
    },
    /// HTTP Basic (RFC 7617).
    BasicAuth {
        /// The user.
        user: String,
        /// The password.
        password: Secret,
    },
}

impl fmt::Debug for HttpAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ApiKey { .. } => "ApiKey([hidden])",
            Self::BasicAuth { .. } => "BasicAuth([hidden])",
        })
    }
}

/// Where an API key is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApiKeyPlace {
    /// In a header.
    Header,
    /// In a cookie.
    Cookie,
}
