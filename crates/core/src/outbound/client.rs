//! The HTTP client.

use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use bytes::{Bytes, BytesMut};
use portcullis_model::clock::Clock;
use quick_cache::sync::Cache;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{ACCEPT, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, LOCATION, USER_AGENT};
use reqwest::{Method, redirect};
use url::{Host, Url};

use super::address::Reach;
use super::circuit::{Circuits, LeftAlone, Visit};
use super::glob;
use super::purpose::Purpose;
use super::tally::{Outcome, Tally};

const MAX_REDIRECTS: usize = 5;
const DEFAULT_LIMIT: usize = 1024 * 1024;

/// What is configured about outgoing HTTP (`clients.http`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `disallow_private_ip_ranges`: addresses that operators wrote may not lead to private networks.
    pub disallow_private_ip_ranges: bool,
    /// `private_ip_exception_urls`: patterns of URLs that may nevertheless.
    pub private_ip_exception_urls: Vec<String>,
    /// How long a whole exchange may take, redirects and body included, unless the request says otherwise.
    pub timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { disallow_private_ip_ranges: false, private_ip_exception_urls: Vec::new(), timeout: Duration::from_secs(30) }
    }
}

/// Where names lead and whose certificates count. By default that is the system's to say; a world of its own can be made for a
/// client, in which real names lead to other servers. The rules about addresses hold in every world.
#[derive(Clone, Debug, Default)]
pub struct World {
    names: HashMap<String, SocketAddr>,
    roots: Vec<reqwest::Certificate>,
}

impl World {
    /// A world in which a few names lead elsewhere: with the port where their URLs name none. Only certificates count that
    /// one of `roots`, in DER, has signed.
    ///
    /// # Errors
    /// If a certificate cannot be read.
    pub fn with(names: HashMap<String, SocketAddr>, roots: &[&[u8]]) -> Result<Self, OutboundError> {
        let read = |der: &&[u8]| reqwest::Certificate::from_der(der).map_err(|e| OutboundError::Setup(root(&e)));
        Ok(Self { names, roots: roots.iter().map(read).collect::<Result<_, _>>()? })
    }
}

/// Who wrote a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// The configuration: private networks may be reached as configured.
    Operator,
    /// Anybody else: public addresses only.
    Outsider,
}

/// A request to be sent.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// An absolute `http` or `https` URL.
    pub url: Url,
    /// Headers; a redirect to another origin takes only `Accept`, `Content-Type` and `User-Agent` along.
    pub headers: HeaderMap,
    /// The body; may be empty.
    pub body: Bytes,
    /// Who wrote the URL.
    pub trust: Trust,
    /// The longest answer that is read, in bytes.
    pub limit: usize,
    /// The time for everything; the configured one if absent.
    pub timeout: Option<Duration>,
}

impl Request {
    /// A request without headers and body, for answers of at most 1 MiB.
    #[must_use]
    pub fn new(method: Method, url: Url, trust: Trust) -> Self {
        Self { method, url, headers: HeaderMap::new(), body: Bytes::new(), trust, limit: DEFAULT_LIMIT, timeout: None }
    }
}

/// An answer, whatever its status.
#[derive(Clone, Debug)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
    /// Where the answer came from, after redirects.
    pub url: Url,
}

impl Response {
    /// Whether the status is 2xx.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// Why there is no answer. The texts name no URL: it may hold secrets.
#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    /// The system's certificates or TLS could not be set up.
    #[error("the HTTP client cannot be set up: {0}")]
    Setup(String),
    /// No absolute `http` or `https` URL.
    #[error("the URL is no absolute http or https URL")]
    Url,
    /// The URL leads to an address that may not be reached.
    #[error("the URL leads to an address that must not be reached")]
    Refused,
    /// Too many redirects, one that leads nowhere, or one that would carry a body to another origin.
    #[error("the server redirects in a way that is not followed")]
    Redirect,
    /// The answer is longer than the limit.
    #[error("the answer is longer than {limit} bytes")]
    TooLarge {
        /// The request's limit, in bytes.
        limit: usize,
    },
    /// The time is up.
    #[error("no answer within the time limit")]
    TimedOut,
    /// No connection, or one that broke.
    #[error("no answer: {0}")]
    Failed(String),
    /// Nobody was asked.
    #[error("nobody is asked: {0}")]
    LeftAlone(LeftAlone),
}

/// The client. Connections are kept and shared; one for the whole process is enough.
pub struct Client {
    /// For requests that may reach private addresses. Made when first needed, as the other is: reading the machine's
    /// certificates would be the longest part of a start.
    open: OnceLock<reqwest::Client>,
    /// For requests that may not. Apart, so that no kept connection is shared between the two.
    closed: OnceLock<reqwest::Client>,
    world: World,
    settings: ArcSwap<Settings>,
    circuits: Circuits,
    tally: Tally,
    pub(super) cached: Cache<String, (Instant, Bytes)>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("settings", &self.settings.load()).finish_non_exhaustive()
    }
}

impl Client {
    /// Sets the client up; its circuits follow `clock`. The process must have installed a rustls provider before.
    ///
    /// # Errors
    /// If there is no such provider.
    pub fn new(settings: Settings, clock: Arc<dyn Clock>) -> Result<Self, OutboundError> {
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            return Err(OutboundError::Setup("no TLS provider is installed".to_owned()));
        }
        let (open, closed) = (OnceLock::new(), OnceLock::new());
        let (circuits, world) = (Circuits::new(clock), World::default());
        let settings = ArcSwap::from_pointee(settings);
        Ok(Self { open, closed, world, settings, circuits, tally: Tally::default(), cached: Cache::new(256) })
    }

    /// This client, before it is used, in a world that is not the system's.
    #[must_use]
    pub fn within(self, world: World) -> Self {
        Self { world, ..self }
    }

    /// Follows a change of the configuration.
    pub fn reconfigure(&self, settings: Settings) {
        self.settings.store(Arc::new(settings));
    }

    /// [`send`](Self::send) for a purpose: it is counted, and whoever does not answer several times in a row is not asked for
    /// a while. To be preferred wherever somebody else waits.
    ///
    /// # Errors
    /// As [`send`](Self::send), or if nobody is asked.
    pub async fn ask(&self, purpose: Purpose, request: Request) -> Result<Response, OutboundError> {
        let mut visit = self.enter(purpose, &request.url)?;
        self.ask_within(&mut visit, purpose, request).await
    }

    /// Begins asking somebody, perhaps several times.
    pub(super) fn enter(&self, purpose: Purpose, url: &Url) -> Result<Visit<'_>, OutboundError> {
        self.circuits.enter(purpose, url).map_err(|why| {
            self.tally.add(purpose, Outcome::LeftAlone, None);
            OutboundError::LeftAlone(why)
        })
    }

    /// Asks once.
    pub(super) async fn ask_within(
        &self,
        visit: &mut Visit<'_>,
        purpose: Purpose,
        request: Request,
    ) -> Result<Response, OutboundError> {
        let begun = tokio::time::Instant::now();
        let answer = self.send(request).await;
        self.tally.add(purpose, Outcome::of(&answer), Some(begun.elapsed()));
        match &answer {
            Err(OutboundError::TimedOut) => visit.silent(true),
            Err(OutboundError::Failed(_)) => visit.silent(false),
            // An overloaded service answers quickly that it is: that is no reason to leave it alone.
            _ => visit.heard(),
        }
        answer
    }

    /// What became of requests, and how circuits stand, as Prometheus reads it (text format 0.0.4).
    #[must_use]
    pub fn render_measures(&self) -> String {
        self.tally.render(&self.circuits)
    }

    /// Sends a request and reads the whole answer, following at most five redirects. A status is no error.
    ///
    /// # Errors
    /// If the URL must not be reached, nobody answers in time, or the answer is too long.
    pub async fn send(&self, request: Request) -> Result<Response, OutboundError> {
        let settings = self.settings.load_full();
        let limit = request.timeout.unwrap_or(settings.timeout);
        tokio::time::timeout(limit, self.follow(&settings, request)).await.map_err(|_| OutboundError::TimedOut)?
    }

    async fn follow(&self, settings: &Settings, mut request: Request) -> Result<Response, OutboundError> {
        for _ in 0..=MAX_REDIRECTS {
            let answer = send_once(self.client_for(settings, &request)?, &request).await?;
            let status = answer.status().as_u16();
            let location = answer.headers().get(LOCATION).cloned();
            match (status, location) {
                (301 | 302 | 303 | 307 | 308, Some(location)) => {
                    let location = location.to_str().ok().and_then(|l| request.url.join(l).ok());
                    redirected(&mut request, status, location.ok_or(OutboundError::Redirect)?)?;
                }
                _ => return read(answer, request).await,
            }
        }
        Err(OutboundError::Redirect)
    }

    /// The client to use for a URL, if it may be reached at all. Names are judged when they are resolved.
    fn client_for(&self, settings: &Settings, request: &Request) -> Result<&reqwest::Client, OutboundError> {
        let url = &request.url;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(OutboundError::Url);
        }
        let reach = match request.trust {
            Trust::Outsider => Reach::Public,
            Trust::Operator if settings.disallow_private_ip_ranges && !settings.is_exception(url) => Reach::Public,
            Trust::Operator => Reach::Private,
        };
        let allowed = match url.host() {
            Some(Host::Ipv4(v4)) => reach.allows(v4.into()),
            Some(Host::Ipv6(v6)) => reach.allows(v6.into()),
            Some(Host::Domain(_)) => true,
            None => return Err(OutboundError::Url),
        };
        match (allowed, reach) {
            (false, _) => Err(OutboundError::Refused),
            (true, Reach::Private) => made(&self.open, &self.world, reach),
            (true, Reach::Public) => made(&self.closed, &self.world, reach),
        }
    }
}

impl Settings {
    fn is_exception(&self, url: &Url) -> bool {
        let text = url.as_str();
        // A URL without path is written without slash as often as with one.
        let bare = text.strip_suffix('/').filter(|_| url.path() == "/").unwrap_or(text);
        self.private_ip_exception_urls.iter().any(|pattern| glob::matches(pattern, text) || glob::matches(pattern, bare))
    }
}

/// The client in a place, made now if it is not there yet. Of two that are made at once the first stays.
fn made<'c>(place: &'c OnceLock<reqwest::Client>, world: &World, reach: Reach) -> Result<&'c reqwest::Client, OutboundError> {
    if let Some(client) = place.get() {
        return Ok(client);
    }
    let fresh = build(world, reach)?;
    Ok(place.get_or_init(|| fresh))
}

fn build(world: &World, reach: Reach) -> Result<reqwest::Client, OutboundError> {
    let builder = || {
        reqwest::Client::builder()
            .user_agent(concat!("Portcullis/", env!("CARGO_PKG_VERSION")))
            .no_proxy()
            // Names of headers have no case (RFC 9110, section 5.1), but services exist that know only the usual spelling.
            .http1_title_case_headers()
            .redirect(redirect::Policy::none())
            .connect_timeout(Duration::from_secs(10))
            .pool_idle_timeout(Duration::from_secs(30))
            .dns_resolver(Arc::new(Resolver { reach, names: world.names.clone() }))
    };
    if !world.roots.is_empty() {
        return builder().tls_certs_only(world.roots.clone()).build().map_err(|e| OutboundError::Setup(root(&e)));
    }
    builder().build().or_else(|error| {
        // A machine without certificates, such as an empty container, can still speak plain HTTP.
        tracing::warn!(error = %root(&error), "no certificates were found: https addresses cannot be reached");
        builder().tls_certs_only([]).build().map_err(|e| OutboundError::Setup(root(&e)))
    })
}

async fn send_once(client: &reqwest::Client, request: &Request) -> Result<reqwest::Response, OutboundError> {
    // Name and password in the URL become an Authorization header here.
    let mut builder = client.request(request.method.clone(), request.url.clone()).headers(request.headers.clone());
    if !request.body.is_empty() {
        builder = builder.body(request.body.clone());
    }
    builder.send().await.map_err(|e| told(&e))
}

/// Turns a request into the one that a redirect asks for (RFC 9110, section 15.4).
fn redirected(request: &mut Request, status: u16, location: Url) -> Result<(), OutboundError> {
    let drops_body = match status {
        303 => request.method != Method::HEAD,
        301 | 302 => request.method == Method::POST,
        _ => false,
    };
    if drops_body {
        request.method = Method::GET;
        request.body = Bytes::new();
        for name in [CONTENT_TYPE, CONTENT_LENGTH, CONTENT_ENCODING] {
            request.headers.remove(name);
        }
    }
    if location.origin() != request.url.origin() {
        // What was meant for one server is not for another: bodies may hold passwords, any header may hold a key.
        if !request.body.is_empty() {
            return Err(OutboundError::Redirect);
        }
        let kept = [ACCEPT, CONTENT_TYPE, USER_AGENT];
        request.headers = kept.into_iter().filter_map(|name| request.headers.remove(&name).map(|value| (name, value))).collect();
    }
    request.url = location;
    Ok(())
}

async fn read(mut answer: reqwest::Response, request: Request) -> Result<Response, OutboundError> {
    let limit = request.limit;
    let mut body = BytesMut::new();
    while let Some(chunk) = answer.chunk().await.map_err(|e| told(&e))? {
        if body.len() + chunk.len() > limit {
            return Err(OutboundError::TooLarge { limit });
        }
        body.extend_from_slice(&chunk);
    }
    let headers = std::mem::take(answer.headers_mut());
    Ok(Response { status: answer.status().as_u16(), headers, body: body.freeze(), url: request.url })
}

fn told(error: &reqwest::Error) -> OutboundError {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(this) = cause {
        if this.is::<RefusedAddress>() {
            return OutboundError::Refused;
        }
        cause = this.source();
    }
    if error.is_timeout() { OutboundError::TimedOut } else { OutboundError::Failed(root(error)) }
}

/// The innermost cause, which unlike the outer ones names no URL.
fn root(error: &reqwest::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    match cause.downcast_ref::<reqwest::Error>() {
        Some(error) if error.is_connect() => "no connection".to_owned(),
        Some(_) => "the exchange failed".to_owned(),
        None => cause.to_string(),
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the name resolves to addresses that must not be reached")]
struct RefusedAddress;

/// Finds a name's addresses, in the world or by asking the system, and keeps those that may be reached.
struct Resolver {
    reach: Reach,
    names: HashMap<String, SocketAddr>,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (reach, known) = (self.reach, self.names.get(name.as_str()).copied());
        Box::pin(async move {
            // The port is a placeholder: the connector puts the URL's in its place.
            let found: Vec<_> = match known {
                Some(address) => vec![address],
                None => tokio::net::lookup_host((name.as_str(), 0)).await?.collect(),
            };
            let any = !found.is_empty();
            let allowed: Vec<_> = found.into_iter().filter(|a| reach.allows(a.ip())).collect();
            if any && allowed.is_empty() {
                return Err(RefusedAddress.into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests;
