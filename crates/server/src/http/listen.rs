//! A port: accepting connections until the server stops.

use std::sync::Arc;
use std::time::Duration;

use portcullis_core::config::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::client::Peer;
use super::connection::{self, Ending, Limits};
use super::edge::Edge;
use super::ports::Port;
use super::room::Room;
use super::socket::{self, Open, SocketError};
use super::tls::{self, TlsError};

/// How long accepting rests after a failure such as too many open files.
const REST: Duration = Duration::from_millis(100);

/// Why a port does not open.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Its address or file.
    #[error("the {} port does not open: {error}", port.as_str())]
    Socket {
        /// The port.
        port: Port,
        /// Why.
        error: SocketError,
    },
    /// Its certificate or key.
    #[error("the {} port does not open: {error}", port.as_str())]
    Tls {
        /// The port.
        port: Port,
        /// Why.
        error: TlsError,
    },
}

/// An open port, not yet accepting.
pub struct Bound {
    port: Port,
    open: Open,
    tls: Option<TlsAcceptor>,
    room: Room,
}

impl Bound {
    /// Opens a port as it is configured.
    ///
    /// # Errors
    /// If its address, file, certificate or key cannot be had.
    pub async fn open(port: Port, listener: &Listener) -> Result<Self, ListenError> {
        let tls = tls::acceptor(&listener.tls).map_err(|error| ListenError::Tls { port, error })?;
        let open = socket::open(listener).await.map_err(|error| ListenError::Socket { port, error })?;
        Ok(Self { port, open, tls, room: Room::of_port(port) })
    }

    /// With another limit of connections.
    #[must_use]
    pub fn with_room(self, room: Room) -> Self {
        Self { room, ..self }
    }

    /// The port's network address; none for a socket file.
    #[must_use]
    pub fn address(&self) -> Option<std::net::SocketAddr> {
        self.open.address()
    }

    /// Accepts connections until `stop` is cancelled. Connections run in `tasks` and end by the same token.
    pub async fn run(self, edge: Arc<Edge>, tasks: TaskTracker, stop: CancellationToken) {
        while let Some(accepted) = stop.run_until_cancelled(self.accept()).await {
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(port = self.port.as_str(), %error, "a connection was not accepted");
                    tokio::time::sleep(REST).await;
                    continue;
                }
            };
            let Some(Some(place)) = stop.run_until_cancelled(self.room.enter()).await else { break };
            let (edge, tls, port) = (Arc::clone(&edge), self.tls.clone(), self.port);
            let ending = Ending { stop: stop.clone(), wanted: self.room.wanted() };
            tasks.spawn(async move {
                let limits = Limits::of(port);
                match stream {
                    Stream::Tcp(stream) => serve(stream, tls, &edge, port, peer, limits, ending).await,
                    Stream::Unix(stream) => serve(stream, tls, &edge, port, peer, limits, ending).await,
                }
                drop(place);
            });
        }
    }

    async fn accept(&self) -> std::io::Result<(Stream, Peer)> {
        let is_tls = self.tls.is_some();
        match &self.open {
            Open::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                // Answers are written whole; waiting to fill a packet would only delay them.
                let _ = stream.set_nodelay(true);
                Ok((Stream::Tcp(stream), Peer::new(Some(address.ip()), is_tls)))
            }
            Open::Unix(listener, _) => {
                let (stream, _) = listener.accept().await?;
                Ok((Stream::Unix(stream), Peer::new(None, is_tls)))
            }
        }
    }
}

/// Stops accepting and waits for what still runs, but not longer than `grace`. Whether everything came to its end.
pub async fn drain(tasks: &TaskTracker, stop: &CancellationToken, grace: Duration) -> bool {
    stop.cancel();
    tasks.close();
    tokio::time::timeout(grace, tasks.wait()).await.is_ok()
}

enum Stream {
    Tcp(tokio::net::TcpStream),
    Unix(tokio::net::UnixStream),
}

async fn serve<S>(stream: S, tls: Option<TlsAcceptor>, edge: &Arc<Edge>, port: Port, peer: Peer, limits: Limits, ending: Ending)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Some(tls) = tls else {
        connection::serve(stream, edge, port, peer, limits, ending).await;
        return;
    };
    // Boxed, so that connections without TLS have no room for it.
    Box::pin(async move {
        match tokio::time::timeout(limits.head, tls.accept(stream)).await {
            Ok(Ok(stream)) => connection::serve(stream, edge, port, peer, limits, ending).await,
            Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
            Err(_) => tracing::debug!("a TLS handshake took too long"),
        }
    })
    .await;
}
