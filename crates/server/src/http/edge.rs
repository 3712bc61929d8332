//! One request from its first byte in to its last byte out: routing, cookies, the operation, and the headers and records
//! that every answer gets.
//!
//! This is plain code over `hyper`, without a framework's layers: the order of handling can be read here from top to
//! bottom, and a request costs one table lookup and one boxed future. The connection is somebody else's business: tests
//! call [`Edge::answer`] without one.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use bytes::Bytes;
use futures_util::FutureExt as _;
use http::header::{CACHE_CONTROL, HeaderValue, SET_COOKIE, VARY};
use http::request::Parts;
use http::{Method, Request};
use hyper::body::Body;
use portcullis_core::app::{App, Cx};
use portcullis_core::crypto::tokens::CsrfSecret;
use portcullis_core::flow::engine::{CookieChange, CsrfCookie};
use portcullis_core::{kratos, session};
use portcullis_model::error::ApiError;
use tracing::Instrument as _;

use super::body::Bodies;
use super::client::{self, Peer, Proxies};
use super::extract::{Source, shows_token};
use super::metrics::{Metrics, Observation};
use super::ports::{self, Port};
use super::reply::{self, Response};
use super::table::{Action, Params, Place, Table};
use super::view::View;
use super::{admin, cookies, csrf, path, public};

const NEVER_CACHED: HeaderValue = HeaderValue::from_static("private, no-cache, no-store, must-revalidate");

/// The HTTP side of a server: both ports' routes over one application.
pub struct Edge {
    app: Arc<App>,
    public: Table,
    admin: Table,
    view: ArcSwap<View>,
    proxies: Proxies,
    metrics: Metrics,
    public_bodies: Bodies,
    admin_bodies: Bodies,
    /// How many requests there were, to tell them apart in the log.
    requests: AtomicU64,
}

/// Where a path leads.
struct Found<'e, 'p> {
    place: &'e Place,
    params: Params<'p>,
    /// The path without mount and, on the admin port, without prefix.
    path: &'p str,
    is_below_mount: bool,
}

/// An answer, and the place that gave it.
struct Answered {
    response: Response,
    endpoint: Option<&'static str>,
    request_bytes: u64,
}

impl Answered {
    fn of(endpoint: Option<&'static str>, response: Response) -> Self {
        Self { response, endpoint, request_bytes: 0 }
    }
}

impl Edge {
    /// The edge of an application, with the product's routes.
    #[must_use]
    pub fn new(app: Arc<App>, proxies: Proxies) -> Self {
        Self::with_tables(app, proxies, Table::new(public::rows()), Table::new(admin::rows()))
    }

    /// The edge of an application, with routes of its own.
    #[must_use]
    pub fn with_tables(app: Arc<App>, proxies: Proxies, public: Table, admin: Table) -> Self {
        let view = ArcSwap::from_pointee(View::new(app.snapshot.load_full()));
        Self {
            app,
            public,
            admin,
            view,
            proxies,
            metrics: Metrics::default(),
            public_bodies: Bodies::default(),
            admin_bodies: Bodies::default(),
            requests: AtomicU64::new(0),
        }
    }

    /// What was counted of requests so far.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// The view of the snapshot that is in force. The first request after a reload makes it.
    fn view(&self) -> Arc<View> {
        let known = self.view.load_full();
        let snapshot = self.app.snapshot.load();
        if Arc::ptr_eq(&known.snapshot, &snapshot) {
            return known;
        }
        let fresh = Arc::new(View::new(Arc::clone(&snapshot)));
        self.view.store(Arc::clone(&fresh));
        fresh
    }

    /// Answers a request. Never fails and never panics: a panic further down is an answer with status 500.
    ///
    /// `patience` is how long the body may take to arrive.
    pub async fn answer<B>(&self, port: Port, request: Request<B>, peer: Peer, patience: Duration) -> Response
    where
        B: Body<Data = Bytes> + Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let started = Instant::now();
        let view = self.view();
        let (parts, body) = request.into_parts();
        let span = self.span(&parts, peer);
        let answering = AssertUnwindSafe(self.route(port, &view, &parts, body, peer, patience));
        let mut answered = answering.catch_unwind().instrument(span.clone()).await.unwrap_or_else(|_| {
            // The panic hook has logged where; what was said is not for clients.
            span.in_scope(|| tracing::error!(port = port.as_str(), path = parts.uri.path(), "a request ended in a panic"));
            Answered::of(None, reply::error(&ApiError::internal()))
        });
        span.in_scope(|| self.finish(port, &view, &parts, &mut answered, started.elapsed()));
        answered.response
    }

    /// What ties together all lines that a request leaves in the log: the id that a trusted proxy gave it, else a number.
    fn span(&self, parts: &Parts, peer: Peer) -> tracing::Span {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        match client::request_id(&parts.headers).filter(|_| self.proxies.trusts(peer)) {
            Some(id) => tracing::info_span!("request", id),
            None => tracing::info_span!("request", number),
        }
    }

    /// The room for the bodies that clients of a port send.
    fn bodies(&self, port: Port) -> &Bodies {
        match port {
            Port::Public => &self.public_bodies,
            Port::Admin => &self.admin_bodies,
        }
    }

    async fn route<B>(&self, port: Port, view: &Arc<View>, parts: &Parts, body: B, peer: Peer, patience: Duration) -> Answered
    where
        B: Body<Data = Bytes> + Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (method, asked) = (&parts.method, parts.uri.path());
        if port == Port::Public
            && let Some(cors) = view.cors.as_ref().filter(|c| c.answers_preflight(method, &parts.headers))
        {
            let mut response = reply::empty(204);
            *response.headers_mut() = cors.preflight(&parts.headers);
            return Answered::of(Some("preflight"), response);
        }
        if let Some(clean) = path::cleaned(asked) {
            return Answered::of(None, reply::redirect(307, &self.clean_address(port, view, &clean, parts.uri.query())));
        }
        let Some(Found { place, params, path, is_below_mount }) = self.find(port, view, asked) else {
            return Answered::of(None, reply::unknown_path());
        };
        let Some(action) = place.action(method) else {
            return Answered::of(Some(place.pattern), reply::wrong_method(&place.allow));
        };
        if matches!(action, Action::OtherPort) {
            let base = if port == Port::Public { &view.admin_base } else { &view.public_base };
            let location = ports::location(port, base, path, parts.uri.query());
            return Answered::of(Some(place.pattern), reply::redirect(307, &location));
        }
        let mut body = match self.bodies(port).read(body, patience).await {
            Ok(body) => body,
            Err(error) => return Answered::of(Some(place.pattern), error.response(port)),
        };
        let request_bytes = body.bytes.len() as u64;
        let bytes = std::mem::take(&mut body.bytes);
        let cookies: Vec<(&str, &str)> = cookies::each(&parts.headers).collect();
        let source = Source {
            parts,
            path,
            mount: view.mount(port),
            is_below_mount,
            cookies: &cookies,
            peer,
            trusted: self.proxies.trusts(peer),
        };
        let response = self.operate(port, view, &source, bytes, action, &params).await;
        // Its room is taken until here, since the operation holds what was read.
        drop(body);
        Answered { response, endpoint: Some(place.pattern), request_bytes }
    }

    /// The place of a path: as it stands, or below the port's mount. Where both lead somewhere, a path that is written out in
    /// the table goes before a pattern, and then the plain path before the mounted one.
    fn find<'p>(&self, port: Port, view: &View, asked: &'p str) -> Option<Found<'_, 'p>> {
        let at = |path: &'p str, is_below_mount| {
            let (table, path) = match port {
                Port::Public => (&self.public, path),
                Port::Admin => (&self.admin, path::without_admin(path)?),
            };
            let (place, params) = table.find(path)?;
            place.exists(&view.snapshot.config).then_some(Found { place, params, path, is_below_mount })
        };
        let plain = at(asked, false);
        let Some(below) = view.mount(port).below(asked).and_then(|rest| at(rest, true)) else { return plain };
        Some(plain.filter(|p| p.place.is_literal() || !below.place.is_literal()).unwrap_or(below))
    }

    /// Where a client with an unclean path is sent: to the clean path below the mount. A proxy may have taken the mount off,
    /// and where none did, both paths lead to the same.
    fn clean_address(&self, port: Port, view: &View, clean: &str, query: Option<&str>) -> String {
        let mount = view.mount(port);
        let is_below_mount =
            self.find(port, view, clean).map_or_else(|| mount.below(clean).is_some(), |found| found.is_below_mount);
        let front = if is_below_mount { "" } else { mount.as_str() };
        let (mark, query) = query.map_or(("", ""), |q| ("?", q));
        format!("{front}{clean}{mark}{query}")
    }

    /// Runs an action and turns its outcome into HTTP, with the anti-CSRF cookie where the path calls for one.
    async fn operate(
        &self,
        port: Port,
        view: &Arc<View>,
        source: &Source<'_>,
        body: Vec<u8>,
        action: Action,
        params: &Params<'_>,
    ) -> Response {
        let fresh = (port == Port::Public && needs_csrf_cookie(view, source)).then(|| CsrfSecret::new(&*self.app.rng));
        let request = source.request(view, body, fresh.clone());
        let cx = Cx { app: Arc::clone(&self.app), snapshot: Arc::clone(&view.snapshot), now: self.app.clock.now(), request };
        let (mut response, renewed) = match action {
            Action::Operation(run) => {
                let reply = run(&cx, params).await;
                let renewed = reply::renews_csrf(&reply);
                (reply::of(reply, view, &cx), renewed)
            }
            Action::Direct(run) => (run(self, &cx, params).await, false),
            Action::Page { run, .. } => (run(&cx).await, false),
            Action::OtherPort => (reply::unknown_path(), true),
        };
        if let Some(secret) = fresh.filter(|_| !renewed)
            && let Some(cookie) = reply::set_cookie(&CookieChange::SetCsrf(secret), view, &cx)
        {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
        if let Some(cookie) = replaced_cookie(view, &cx, &response).await {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
        response
    }

    /// Puts on what every answer has, and records the request.
    fn finish(&self, port: Port, view: &View, parts: &Parts, answered: &mut Answered, took: Duration) {
        let is_health = answered.endpoint.is_some_and(|e| e.starts_with("/health/"));
        let headers = answered.response.headers_mut();
        if parts.method == Method::GET {
            // What says for itself how long it holds, such as a style sheet, is left alone.
            headers.entry(CACHE_CONTROL).or_insert(NEVER_CACHED);
        }
        if port == Port::Public && answered.endpoint != Some("preflight") {
            if !is_health {
                headers.append(VARY, HeaderValue::from_static("Cookie"));
            }
            if let Some(cors) = &view.cors {
                cors.mark(&parts.headers, headers);
            }
        }
        let status = answered.response.status();
        self.metrics.observe(&Observation {
            endpoint: answered.endpoint,
            method: &parts.method,
            status,
            took,
            request_bytes: answered.request_bytes,
            response_bytes: answered.response.body().size_hint().exact().unwrap_or(0),
        });
        let quiet = match port {
            Port::Public => view.quiet_public_health,
            Port::Admin => view.quiet_admin_health,
        };
        if !(is_health && quiet) {
            // The path alone: queries hold tokens and codes.
            let (method, path, micros) =
                (parts.method.as_str(), parts.uri.path(), u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
            tracing::info!(target: "portcullis::access", port = port.as_str(), method, path, status = status.as_u16(), micros);
        }
    }
}

/// One of our session cookies for a browser that still has one of the server that was here before, unless the answer sets or
/// removes one anyway, or the session is over. So an old cookie is read about once.
async fn replaced_cookie(view: &View, cx: &Cx, response: &Response) -> Option<HeaderValue> {
    let presented = cx.request.session.as_ref()?;
    if presented.cookie_expires_at != Some(kratos::cookie::OUTDATED) {
        return None;
    }
    let name = view.session.name();
    let is_ours = |cookie: &HeaderValue| cookie.to_str().is_ok_and(|c| c.strip_prefix(name).is_some_and(|c| c.starts_with('=')));
    if response.headers().get_all(SET_COOKIE).iter().any(is_ours) {
        return None;
    }
    // A session that cannot be looked up is looked up again with the next request.
    let current = session::current(cx).await.ok().flatten()?;
    let (token, expires_at) = (current.token, current.session.expires_at);
    reply::set_cookie(&CookieChange::SetSession { token, expires_at }, view, cx)
}

/// Whether the answer gives the browser an anti-CSRF secret: on guarded paths, if it brought no good one. A client that
/// fetches a flow with a session token and no cookies is no browser; one that begins a browser flow so may be about to
/// become one.
fn needs_csrf_cookie(view: &View, source: &Source<'_>) -> bool {
    let is_native = source.cookies.is_empty() && shows_token(&source.parts.headers) && source.path.ends_with("/flows");
    csrf::is_guarded(source.path) && !is_native && !matches!(csrf::read(source.cookies, view.csrf.name()), CsrfCookie::Secret(_))
}
