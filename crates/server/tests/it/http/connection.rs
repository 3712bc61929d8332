//! Real connections: what the protocol does around the edge.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use portcullis::http::listen::{self, Bound};
use portcullis::http::ports::Port;
use portcullis::http::room::Room;
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
        Self::start_with(app, Room::of_port(Port::Public)).await
    }

    async fn start_with(app: &TestApp, room: Room) -> Self {
        let mut listener = app.app.snapshot.load().config.serve.public.clone();
        listener.port = 0;
        let bound = Bound::open(Port::Public, &listener).await.unwrap().with_room(room);
        let (address, tasks, stop) = (bound.address().unwrap(), TaskTracker::new(), CancellationToken::new());
        tasks.spawn(bound.run(Arc::clone(&app.edge), tasks.clone(), stop.clone()));
        Self { address, tasks, stop }
    }

    /// Asks the server to end; whether it did so within seconds.
    async fn end(&self) -> bool {
        listen::drain(&self.tasks, &self.stop, Duration::from_secs(5)).await
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

#[tokio::test]
async fn a_request_that_does_not_end_keeps_the_server_no_longer_than_agreed() {
    let app = TestApp::new().await;
    let server = Server::start(&app).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"POST /sessions/whoami HTTP/1.1\r\nhost: h\r\ncontent-length: 2\r\n\r\n").await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let began = std::time::Instant::now();
    assert!(!listen::drain(&server.tasks, &server.stop, Duration::from_millis(300)).await);
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
}

#[tokio::test]
async fn idle_connections_make_room_for_those_that_wait() {
    const ALIVE: &str = "GET /health/alive HTTP/1.1\r\nhost: h\r\n\r\n";
    let app = TestApp::new().await;
    let server = Server::start_with(&app, Room::new(2)).await;
    let mut idle = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        talk(&mut stream, ALIVE, "{\"status\":\"ok\"}").await;
        idle.push(stream);
    }
    // More than there is room for, one after the other: each is served as soon as an idle one has gone.
    for _ in 0..3 {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        talk(&mut stream, ALIVE, "{\"status\":\"ok\"}").await;
        idle.push(stream);
    }
    assert_eq!(idle[0].read(&mut [0; 1]).await.unwrap(), 0, "the first one was asked to go");
    let metrics = app.ask(Port::Admin, "GET", "/metrics/prometheus", &[]).await;
    let text = String::from_utf8(metrics.body.to_vec()).unwrap();
    let open = text.lines().find_map(|l| l.strip_prefix("portcullis_connections{port=\"public\"} ")).unwrap();
    assert!(open.parse::<u32>().unwrap() <= 2, "{open}");
    assert!(server.end().await);
}
