//! Real connections: what the protocol does around the edge.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use portcullis::http::listen::Bound;
use portcullis::http::ports::Port;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::support::TestApp;

struct Server {
    address: SocketAddr,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Server {
    async fn start(app: &TestApp) -> Self {
        let mut listener = app.app.snapshot.load().config.serve.public.clone();
        listener.port = 0;
        let bound = Bound::open(Port::Public, &listener).await.unwrap();
        let (address, tasks, stop) = (bound.address().unwrap(), TaskTracker::new(), CancellationToken::new());
        tasks.spawn(bound.run(Arc::clone(&app.edge), tasks.clone(), stop.clone()));
        Self { address, tasks, stop }
    }

    /// Asks the server to end; whether it did so within seconds.
    async fn end(&self) -> bool {
        self.stop.cancel();
        self.tasks.close();
        tokio::time::timeout(Duration::from_secs(5), self.tasks.wait()).await.is_ok()
    }
}

/// Sends bytes and reads until the answer has ended so.
async fn talk(stream: &mut TcpStream, request: &str, end: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !String::from_utf8_lossy(&answer).ends_with(end) {
        let mut buffer = [0; 4096];
        let read = tokio::time::timeout(Duration::from_secs(5), stream.read(&mut buffer)).await.unwrap().unwrap();
        assert_ne!(read, 0, "closed after {:?}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&buffer[..read]);
    }
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn a_connection_serves_one_request_after_the_other_and_ends_with_the_server() {
    let app = TestApp::new().await;
    let server = Server::start(&app).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let alive = talk(&mut stream, "GET /health/alive HTTP/1.1\r\nhost: h\r\n\r\n", "{\"status\":\"ok\"}").await;
    assert!(alive.starts_with("HTTP/1.1 200 OK\r\n"), "{alive}");
    let head = talk(&mut stream, "HEAD /health/alive HTTP/1.1\r\nhost: h\r\n\r\n", "\r\n\r\n").await;
    assert!(head.contains("content-length: 15\r\n") && !head.contains("status"), "{head}");
    let whoami = talk(&mut stream, "POST /sessions/whoami HTTP/1.1\r\nhost: h\r\ncontent-length: 2\r\n\r\n{}", "}").await;
    assert!(whoami.starts_with("HTTP/1.1 401 "), "{whoami}");
    assert!(server.end().await, "an idle connection does not keep the server");
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0);
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn a_body_announced_too_large_is_refused_before_it_is_sent() {
    let app = TestApp::new().await;
    let server = Server::start(&app).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let request = "POST /self-service/login HTTP/1.1\r\nhost: h\r\ncontent-length: 99999999\r\n\r\n";
    let answer = talk(&mut stream, request, "}}").await;
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("connection: close\r\n"), "{answer}");
    assert!(server.end().await);
}

#[tokio::test]
async fn a_running_request_is_finished_when_the_server_ends() {
    let app = TestApp::new().await;
    let server = Server::start(&app).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    // The head alone: the server waits for the body.
    stream.write_all(b"POST /sessions/whoami HTTP/1.1\r\nhost: h\r\ncontent-length: 2\r\n\r\n").await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    server.stop.cancel();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let answer = talk(&mut stream, "{}", "}").await;
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    assert!(server.end().await);
}
