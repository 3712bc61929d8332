//! From HTTP to the plain [`Request`] that operations take: what is asked, by whom, how it wants to be answered, and with
//! which cookies and tokens.

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderName};
use portcullis_core::crypto::Keyring;
use portcullis_core::crypto::tokens::{CsrfSecret, SessionCookie};
use portcullis_core::flow::engine::{Carrier, CsrfCookie, Presented, Request};
use portcullis_core::kratos;
use url::form_urlencoded;

use super::client::{self, Peer};
use super::path::Mount;
use super::view::View;
use super::{csrf, negotiation};

const SESSION_TOKEN: HeaderName = HeaderName::from_static("x-session-token");

/// What there is to read a request from.
pub struct Source<'r> {
    /// Method, address and headers.
    pub parts: &'r http::request::Parts,
    /// The path by which the route was found: without mount, and on the admin port without prefix.
    pub path: &'r str,
    /// Where the port's routes stand besides their plain paths.
    pub mount: &'r Mount,
    /// Whether the path was asked for below the mount.
    pub is_below_mount: bool,
    /// The cookies.
    pub cookies: &'r [(&'r str, &'r str)],
    /// The other end of the connection.
    pub peer: Peer,
    /// Whether the peer's forwarded headers count.
    pub trusted: bool,
}

impl Source<'_> {
    /// The request with its body. `fresh` is the anti-CSRF secret that the answer will set, if it sets one.
    #[must_use]
    pub fn request(&self, view: &View, body: Vec<u8>, fresh: Option<CsrfSecret>) -> Request {
        let headers = &self.parts.headers;
        let content_type = client::text(headers, CONTENT_TYPE.as_str());
        let csrf_cookie = csrf::read(self.cookies, view.csrf.name());
        Request {
            method: self.parts.method.as_str().to_owned(),
            url: self.url(view),
            path: self.path.to_owned(),
            mount: self.mount.as_str().to_owned(),
            query: self.parts.uri.query().map(parameters).unwrap_or_default(),
            wants: Some(negotiation::wants(accept(headers).as_deref())),
            sends_json: content_type == Some("application/json"),
            media_type: negotiation::media_type(content_type),
            body,
            session: session(headers, self.cookies, view, &view.snapshot.keys),
            csrf_secret: match &csrf_cookie {
                CsrfCookie::Secret(secret) => Some(secret.clone()),
                CsrfCookie::Missing | CsrfCookie::NoCookies => fresh,
            },
            csrf_cookie,
            parked_cookie: self
                .cookies
                .iter()
                .find(|(name, _)| *name == view.parked.name())
                .map(|(_, value)| (*value).to_owned()),
            cookie_names: self.cookies.iter().map(|(name, _)| (*name).to_owned()).collect(),
            headers: headers.iter().filter_map(|(k, v)| Some((k.as_str().to_owned(), v.to_str().ok()?.to_owned()))).collect(),
            request_id: client::request_id(headers).map(str::to_owned),
            client_ip: client::address(headers, self.peer, self.trusted),
            user_agent: client::text(headers, USER_AGENT.as_str()).unwrap_or_default().to_owned(),
            location: client::location(headers, self.trusted),
            is_https: client::is_https(headers, self.peer, self.trusted),
        }
    }

    /// The address as the client sees it: with the mount in front where a proxy took it off. One did if the client knows us
    /// by the host of the base URL, or if a trusted proxy says that it took off just this.
    fn url(&self, view: &View) -> String {
        let uri = &self.parts.uri;
        let headers = &self.parts.headers;
        let asked = uri.path_and_query().map_or(uri.path(), http::uri::PathAndQuery::as_str);
        let authority = uri.authority().map(http::uri::Authority::as_str);
        let Some(host) = client::host(headers, authority, self.trusted) else {
            return format!("{}{asked}", view.public_base);
        };
        let scheme = if client::is_https(headers, self.peer, self.trusted) { "https" } else { "http" };
        let is_stripped = !self.is_below_mount
            && (view.is_public_host(host) || client::prefix(headers, self.trusted) == Some(self.mount.as_str()));
        let mount = if is_stripped { self.mount.as_str() } else { "" };
        format!("{scheme}://{host}{mount}{asked}")
    }
}

/// Whether the request shows a session token in a header, as native apps do.
#[must_use]
pub fn shows_token(headers: &HeaderMap) -> bool {
    client::text(headers, SESSION_TOKEN.as_str()).is_some() || bearer(headers).is_some()
}

/// The parameters of a query, decoded, in order.
fn parameters(query: &str) -> Vec<(String, String)> {
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

/// The `Accept` header; several lines count as one list (RFC 9110, section 5.3).
fn accept(headers: &HeaderMap) -> Option<std::borrow::Cow<'_, str>> {
    let mut lines = headers.get_all(ACCEPT).iter().filter_map(|v| v.to_str().ok());
    let first = lines.next()?;
    match lines.next() {
        None => Some(first.into()),
        Some(second) => Some([first, second].into_iter().chain(lines).collect::<Vec<_>>().join(",").into()),
    }
}

/// The session token: `X-Session-Token` alone if it is there; else the first readable session cookie, ours before those that
/// a browser has from the server that was here before; else a bearer token.
fn session(headers: &HeaderMap, cookies: &[(&str, &str)], view: &View, keys: &Keyring) -> Option<Presented> {
    if let Some(token) = client::text(headers, SESSION_TOKEN.as_str()) {
        return Some(Presented { token: token.into(), carrier: Carrier::Header, cookie_expires_at: None });
    }
    let ours = cookies.iter().filter(|(name, _)| *name == view.session.name());
    if let Some(cookie) = ours.clone().filter_map(|(_, value)| SessionCookie::open(keys, value)).next() {
        return Some(Presented { token: cookie.token, carrier: Carrier::Cookie, cookie_expires_at: Some(cookie.expires_at) });
    }
    let secrets = view.snapshot.config.secrets.cookie_keys();
    if let Some(token) = ours.filter_map(|(name, value)| kratos::cookie::token(secrets, name, value)).next() {
        let outdated = Some(kratos::cookie::OUTDATED);
        return Some(Presented { token, carrier: Carrier::Cookie, cookie_expires_at: outdated });
    }
    bearer(headers).map(|token| Presented { token: token.into(), carrier: Carrier::Bearer, cookie_expires_at: None })
}

/// The token of `Authorization: Bearer`, the scheme in any case (RFC 6750, section 2.1).
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = client::text(headers, AUTHORIZATION.as_str())?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}
