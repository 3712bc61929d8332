//! One connection: serving its requests within time limits, and ending it when the server stops.
//!
//! `hyper` times the head of a request from the moment it waits for one, which would cut idle connections short. So a
//! [`Pulse`] notes what the connection is doing and since when, and the connection's own task looks at it now and then:
//! a connection costs one timer, whatever it carries.
//!
//! A connection that is idle is parked: its protocol's buffers are given up, and it waits for its next bytes with a few of
//! its own. So thousands of idle connections cost little, and a new one costs little until it says something.

use std::convert::Infallible;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes};
use http::Version;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::client::Peer;
use super::edge::Edge;
use super::ports::Port;
use super::reply::Response;

/// How long a connection may take for each thing.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From the first byte of a request to the end of its head.
    pub head: Duration,
    /// For the body of a request.
    pub body: Duration,
    /// For the answer: making it, and getting it to a client that reads slowly.
    pub answer: Duration,
    /// Between requests.
    pub idle: Duration,
}

impl Limits {
    /// The limits of a port.
    #[must_use]
    pub fn of(port: Port) -> Self {
        let seconds = Duration::from_secs;
        match port {
            Port::Public => Self { head: seconds(5), body: seconds(15), answer: seconds(60), idle: seconds(120) },
            Port::Admin => Self { head: seconds(5), body: seconds(30), answer: seconds(120), idle: seconds(600) },
        }
    }
}

/// How a connection begins that speaks HTTP/2 (RFC 9113, section 3.4). No request of HTTP/1 begins so.
const HTTP2: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// After this long without a request a connection is parked, so that few wait with buffers when many speak seldom. A busy one
/// never is.
const PARKED_AFTER: Duration = Duration::from_millis(250);

const IDLE: u8 = 0;
const HEAD: u8 = 1;
const BUSY: u8 = 2;

/// For how many milliseconds an idle connection is not asked to make room.
const SETTLED: u64 = 1000;

/// The largest head of a request, in bytes.
const MAX_HEAD: usize = 64 * 1024;
/// How many requests a client may have under way on one HTTP/2 connection.
const MAX_STREAMS: u32 = 100;

/// What a connection is doing, and since when in milliseconds of its life.
struct Pulse {
    born: Instant,
    phase: AtomicU8,
    since: AtomicU64,
    in_flight: AtomicU32,
    /// Since when a write waits for the client; zero if none does.
    blocked: AtomicU64,
    /// HTTP/2 talks also between requests, so its bytes do not mean that a head has begun.
    multiplexed: AtomicBool,
}

impl Pulse {
    fn new() -> Self {
        Self {
            born: Instant::now(),
            phase: AtomicU8::new(IDLE),
            since: AtomicU64::new(0),
            in_flight: AtomicU32::new(0),
            blocked: AtomicU64::new(0),
            multiplexed: AtomicBool::new(false),
        }
    }

    /// Never zero.
    fn now(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX).max(1)
    }

    fn enter(&self, phase: u8) {
        self.phase.store(phase, Ordering::Relaxed);
        self.since.store(self.now(), Ordering::Relaxed);
    }

    fn has_read(&self) {
        if self.phase.load(Ordering::Relaxed) == IDLE && !self.multiplexed.load(Ordering::Relaxed) {
            self.enter(HEAD);
        }
    }

    fn begin(&self, version: Version) {
        if version == Version::HTTP_2 {
            self.multiplexed.store(true, Ordering::Relaxed);
        }
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        self.enter(BUSY);
    }

    fn end(&self) {
        if self.in_flight.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.enter(IDLE);
        }
    }

    fn wrote<T>(&self, outcome: &Poll<T>) {
        match outcome {
            Poll::Ready(_) => self.blocked.store(0, Ordering::Relaxed),
            Poll::Pending if self.blocked.load(Ordering::Relaxed) == 0 => self.blocked.store(self.now(), Ordering::Relaxed),
            Poll::Pending => {}
        }
    }

    /// Whether the connection could make room for another: after the answer that is under way, or at once if it does nothing.
    /// One that has only just come, or is sending a head, is left to its limits.
    fn may_make_room(&self) -> bool {
        match self.phase.load(Ordering::Relaxed) {
            IDLE => self.now().saturating_sub(self.since.load(Ordering::Relaxed)) >= SETTLED,
            phase => phase == BUSY,
        }
    }

    /// Whether nothing goes on, and nothing has for some time: all answers were written, and no bytes came since.
    fn is_idle(&self) -> bool {
        self.phase.load(Ordering::Relaxed) == IDLE
            && self.in_flight.load(Ordering::Relaxed) == 0
            && self.blocked.load(Ordering::Relaxed) == 0
            && Duration::from_millis(self.now().saturating_sub(self.since.load(Ordering::Relaxed))) >= PARKED_AFTER
    }

    /// How long until the connection is worth another look; `None` if it took too long for what it is doing.
    fn patience(&self, limits: &Limits) -> Option<Duration> {
        let now = self.now();
        let left = |since: u64, limit: Duration| {
            limit.checked_sub(Duration::from_millis(now.saturating_sub(since))).filter(|d| !d.is_zero())
        };
        let since = self.since.load(Ordering::Relaxed);
        let own = match self.phase.load(Ordering::Relaxed) {
            // A head may begin at any moment, so an idle connection is looked at as often as heads demand.
            IDLE => left(since, limits.idle)?.min(limits.head),
            HEAD => left(since, limits.head)?,
            _ => left(since, limits.body + limits.answer)?,
        };
        match self.blocked.load(Ordering::Relaxed) {
            0 => Some(own),
            blocked => Some(own.min(left(blocked, limits.answer)?)),
        }
    }
}

/// What asks a connection to end.
#[derive(Clone, Debug)]
pub struct Ending {
    /// The server stops.
    pub stop: CancellationToken,
    /// Somebody waits for a place among the connections.
    pub wanted: watch::Receiver<()>,
}

/// Ends a request's time also when its future is dropped.
struct InFlight<'p>(&'p Pulse);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// A stream whose pulse is taken.
struct Watched<S> {
    stream: S,
    pulse: Arc<Pulse>,
    /// What was read already and is to be read again.
    before: Bytes,
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.before.is_empty() {
            let count = self.before.len().min(buf.remaining());
            buf.put_slice(&self.before[..count]);
            self.before.advance(count);
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        let outcome = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.pulse.has_read();
        }
        outcome
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.pulse.wrote(&outcome);
        outcome
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.pulse.wrote(&outcome);
        outcome
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_flush(cx);
        self.pulse.wrote(&outcome);
        outcome
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// What answers the requests of one connection.
struct Service {
    edge: Arc<Edge>,
    pulse: Arc<Pulse>,
    port: Port,
    peer: Peer,
    body: Duration,
}

impl hyper::service::Service<http::Request<Incoming>> for Service {
    type Response = Response;
    type Error = Infallible;
    /// Boxed, since a connection keeps room for one also while it has none.
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn call(&self, request: http::Request<Incoming>) -> Self::Future {
        let (edge, pulse, port, peer, body) = (Arc::clone(&self.edge), Arc::clone(&self.pulse), self.port, self.peer, self.body);
        Box::pin(async move {
            pulse.begin(request.version());
            let _running = InFlight(&pulse);
            Ok(edge.answer(port, request, peer, body).await)
        })
    }
}

/// Serves a connection to its end. When it is asked to end, running requests are finished and no further one is taken.
pub async fn serve<S>(stream: S, edge: &Arc<Edge>, port: Port, peer: Peer, limits: Limits, mut ending: Ending)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let _open = edge.metrics().connection(port);
    let pulse = Arc::new(Pulse::new());
    let mut stream = Watched { stream, pulse: Arc::clone(&pulse), before: Bytes::new() };
    let mut service = Service { edge: Arc::clone(edge), pulse, port, peer, body: limits.body };
    // The protocols are boxed, since a parked connection needs no room for them.
    while let Some(version) = begun(&mut stream, &limits, &mut ending).await {
        if version == Version::HTTP_2 {
            return Box::pin(http2(stream, service, &limits, &mut ending)).await;
        }
        match Box::pin(http1(stream, service, &limits, &mut ending)).await {
            Some(idle) => (stream, service) = idle,
            None => return,
        }
    }
}

/// Waits for the first bytes of a request, and tells what they speak; they are read again later. `None` if there will be
/// no request.
async fn begun<S: AsyncRead + Unpin>(stream: &mut Watched<S>, limits: &Limits, ending: &mut Ending) -> Option<Version> {
    let pulse = Arc::clone(&stream.pulse);
    if !stream.before.is_empty() {
        // They came with the request before, and that was one of HTTP/1.
        pulse.has_read();
        return Some(Version::HTTP_11);
    }
    let mut bytes = [0; HTTP2.len()];
    let mut count = 0;
    let version = loop {
        let Some(patience) = pulse.patience(limits) else {
            tracing::debug!("a connection said nothing for too long and was closed");
            return None;
        };
        tokio::select! {
            biased;
            read = stream.read(bytes.get_mut(count..)?) => match read {
                Ok(0) | Err(_) => return None,
                Ok(more) => count += more,
            },
            () = ending.stop.cancelled() => return None,
            Ok(()) = ending.wanted.changed() => if pulse.may_make_room() {
                return None;
            },
            () = tokio::time::sleep(patience) => continue,
        }
        match bytes.get(..count)? {
            said if said == HTTP2 => break Version::HTTP_2,
            said if !HTTP2.starts_with(said) => break Version::HTTP_11,
            _ => {}
        }
    };
    stream.before = Bytes::copy_from_slice(bytes.get(..count)?);
    Some(version)
}

/// Serves requests of HTTP/1 until the connection is idle, and gives it back then; `None` if it ended.
async fn http1<S>(stream: Watched<S>, service: Service, limits: &Limits, ending: &mut Ending) -> Option<(Watched<S>, Service)>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let pulse = Arc::clone(&service.pulse);
    let mut builder = http1::Builder::new();
    builder.header_read_timeout(None).max_buf_size(MAX_HEAD);
    let mut connection = builder.serve_connection(TokioIo::new(stream), service);
    let parked = run(Pin::new(&mut connection), http1::Connection::graceful_shutdown, true, &pulse, limits, ending).await;
    parked.then(|| {
        let parts = connection.into_parts();
        let mut stream = parts.io.into_inner();
        // What the protocol has read ahead comes before what it has not. A copy, since even an empty part of its buffer would
        // keep all of it.
        stream.before = Bytes::from([&parts.read_buf[..], &stream.before[..]].concat());
        (stream, parts.service)
    })
}

/// Serves a connection that speaks HTTP/2 to its end.
async fn http2<S>(stream: Watched<S>, service: Service, limits: &Limits, ending: &mut Ending)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let pulse = Arc::clone(&service.pulse);
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.max_concurrent_streams(MAX_STREAMS).max_header_list_size(MAX_HEAD as u32);
    let connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    run(connection, http2::Connection::graceful_shutdown, false, &pulse, limits, ending).await;
}

/// Runs a connection until it ends or takes too long, or, if it may be parked, is idle: then it is true.
async fn run<C>(
    mut connection: Pin<&mut C>,
    finish: fn(Pin<&mut C>),
    parks: bool,
    pulse: &Pulse,
    limits: &Limits,
    ending: &mut Ending,
) -> bool
where
    C: Future<Output = hyper::Result<()>>,
{
    let mut stopping = false;
    while let Some(patience) = pulse.patience(limits) {
        tokio::select! {
            biased;
            outcome = connection.as_mut() => {
                if let Err(error) = outcome {
                    tracing::debug!(%error, "a connection broke");
                }
                return false;
            }
            () = ending.stop.cancelled(), if !stopping => {
                stopping = true;
                finish(connection.as_mut());
            }
            Ok(()) = ending.wanted.changed(), if !stopping => {
                if pulse.may_make_room() {
                    stopping = true;
                    finish(connection.as_mut());
                }
            }
            () = tokio::time::sleep(if parks { patience.min(PARKED_AFTER) } else { patience }) => {
                if parks && !stopping && pulse.is_idle() {
                    return true;
                }
            }
        }
    }
    tracing::debug!("a connection took too long and was closed");
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_phase_has_its_own_limit() {
        let limits = Limits::of(Port::Public);
        let seconds = |n| tokio::time::advance(Duration::from_secs(n));
        let pulse = Pulse::new();
        seconds(100).await;
        assert_eq!(pulse.patience(&limits), Some(limits.head), "an idle connection is looked at often");
        seconds(21).await;
        assert_eq!(pulse.patience(&limits), None, "and ends when it was idle too long");

        let pulse = Pulse::new();
        seconds(10).await;
        pulse.has_read();
        seconds(4).await;
        pulse.has_read();
        assert_eq!(pulse.patience(&limits), Some(Duration::from_secs(1)), "further bytes do not give a head more time");
        seconds(2).await;
        assert_eq!(pulse.patience(&limits), None);

        let pulse = Pulse::new();
        pulse.has_read();
        pulse.begin(Version::HTTP_11);
        seconds(60).await;
        assert!(pulse.patience(&limits).is_some(), "an answer may take a minute");
        drop(InFlight(&pulse));
        assert_eq!(pulse.patience(&limits), Some(limits.head), "and the connection is idle after it");
        pulse.wrote(&Poll::<()>::Pending);
        seconds(59).await;
        assert!(pulse.patience(&limits).is_some());
        seconds(2).await;
        assert_eq!(pulse.patience(&limits), None, "a client that does not read is not waited for");
    }
}
