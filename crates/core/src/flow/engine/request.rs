//! The facts of a request, without HTTP: what the edge read from it.

use portcullis_model::time::Timestamp;

use crate::crypto::Secret;
use crate::crypto::tokens::CsrfSecret;

/// How a client wants to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wants {
    /// A page: redirects and error pages.
    Page,
    /// JSON.
    Json,
}

/// By which way a session token came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// The header `X-Session-Token`.
    Header,
    /// The session cookie.
    Cookie,
    /// The header `Authorization: Bearer`.
    Bearer,
}

/// A session token as it came.
#[derive(Clone)]
pub struct Presented {
    /// The token.
    pub token: Secret,
    /// How it came.
    pub carrier: Carrier,
    /// Until when the cookie says that the session lasts; `None` for the headers.
    pub cookie_expires_at: Option<Timestamp>,
}

/// The media type of a body, as far as flows care.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum MediaType {
    /// `application/json`, with or without parameters.
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// Anything else, or none.
    #[default]
    Other,
}

/// What the anti-CSRF check knows of the browser's cookie.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum CsrfCookie {
    /// The request brought no cookie at all.
    #[default]
    NoCookies,
    /// It brought cookies, but not the anti-CSRF cookie, or an unreadable one.
    Missing,
    /// Its secret.
    Secret(CsrfSecret),
}

/// The facts of a request.
#[derive(Clone, Default)]
pub struct Request {
    /// `GET`, `POST`, ...
    pub method: String,
    /// The URL as the client sees it, with query: what becomes a flow's `request_url`.
    pub url: String,
    /// The path alone, without a mount's prefix.
    pub path: String,
    /// What stands in front of the port's paths in addresses that clients get: the path of its base URL, without slash at
    /// the end; empty for none.
    pub mount: String,
    /// The query's parameters in order, decoded. Of repeated ones the first counts.
    pub query: Vec<(String, String)>,
    /// What the `Accept` header prefers. `None` stands for a page, too.
    pub wants: Option<Wants>,
    /// Whether `Content-Type` is exactly `application/json`: such a client wants JSON wherever a flow or error is shown.
    pub sends_json: bool,
    /// The body's media type.
    pub media_type: MediaType,
    /// The body.
    pub body: Vec<u8>,
    /// The session token: the first of header, readable cookie and bearer.
    pub session: Option<Presented>,
    /// The anti-CSRF cookie as it came.
    pub csrf_cookie: CsrfCookie,
    /// The secret that forms of this answer are made with: the cookie's, or the new one that this answer sets.
    pub csrf_secret: Option<CsrfSecret>,
    /// The cookie that refers to a parked submit.
    pub parked_cookie: Option<String>,
    /// The names of all cookies.
    pub cookie_names: Vec<String>,
    /// All headers by lower-case name, for hooks and the courier; values that are no text are left out.
    pub headers: Vec<(String, String)>,
    /// The id that the client, or a proxy in front, gave the request.
    pub request_id: Option<String>,
    /// The client's address, without port.
    pub client_ip: String,
    /// `User-Agent`.
    pub user_agent: String,
    /// City and country as a proxy in front tells them.
    pub location: String,
    /// Whether the client reached us by https.
    pub is_https: bool,
}

impl Request {
    /// The first query parameter of a name. An empty one counts as absent.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(k, _)| k == name).map(|(_, v)| v.as_str()).filter(|v| !v.is_empty())
    }

    /// A header by its lower-case name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(k, _)| k == name).map(|(_, v)| v.as_str())
    }

    /// Whether the client that begins a flow wants JSON: `Accept` alone decides.
    #[must_use]
    pub fn wants_json(&self) -> bool {
        self.wants == Some(Wants::Json)
    }

    /// Whether the client that is shown a flow or an error wants JSON: a JSON body counts too.
    #[must_use]
    pub fn takes_json(&self) -> bool {
        self.wants_json() || self.sends_json
    }
}
