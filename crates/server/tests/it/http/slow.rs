//! Slow clients and greedy ones: every wait has an end, every size a limit, and others are served meanwhile. The
//! connections are in memory and the clock runs by itself, so nothing here takes as long as it says.

use std::sync::Arc;
use std::time::Duration;

use portcullis::http::client::Peer;
use portcullis::http::connection::{self, Ending, Limits};
use portcullis::http::ports::Port;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::support::TestApp;

/// A client's end of a connection to the public port. What is not read piles up to `capacity` bytes.
fn connect(app: &TestApp, capacity: usize) -> (DuplexStream, Ending, watch::Sender<()>) {
    let (ours, theirs) = tokio::io::duplex(capacity);
    let (edge, wanted) = (Arc::clone(&app.edge), watch::Sender::new(()));
    let ending = Ending { stop: CancellationToken::new(), wanted: wanted.subscribe() };
    let peer = Peer::new("192.0.2.7".parse().ok(), false);
    tokio::spawn({
        let ending = ending.clone();
        async move { connection::serve(theirs, &edge, Port::Public, peer, Limits::of(Port::Public), ending).await }
    });
    (ours, ending, wanted)
}

/// Everything that comes until the server closes, and how many seconds that takes.
async fn rest(stream: &mut DuplexStream) -> (String, u64) {
    let began = Instant::now();
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).await;
    (String::from_utf8_lossy(&bytes).into_owned(), began.elapsed().as_secs())
}

/// Reads one answer without body.
async fn answer(stream: &mut DuplexStream, end: &str) -> String {
    let mut bytes = Vec::new();
    while !String::from_utf8_lossy(&bytes).ends_with(end) {
        bytes.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(bytes).unwrap()
}

/// An application whose clock for waiting runs by itself whenever everybody waits.
async fn hurried() -> TestApp {
    let app = TestApp::new().await;
    tokio::time::pause();
    app
}

const ALIVE: &str = "GET /health/alive HTTP/1.1\r\nhost: h\r\n\r\n";

#[tokio::test]
async fn a_head_that_comes_in_drops_is_not_waited_for() {
    let app = hurried().await;
    let (mut stream, ..) = connect(&app, 64);
    let began = Instant::now();
    for byte in b"GET /health/alive HTTP/1.1\r\nhost: h\r\nx: ".iter().chain(std::iter::repeat(&b'y')) {
        if stream.write_all(&[*byte]).await.is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(400)).await;
        assert!(began.elapsed() < Duration::from_secs(8), "still open");
    }
    assert!(began.elapsed() >= Duration::from_secs(4), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_body_that_comes_in_drops_is_told_so() {
    let app = hurried().await;
    let (stream, ..) = connect(&app, 64);
    let (mut reader, mut writer) = tokio::io::split(stream);
    tokio::spawn(async move {
        let head = b"POST /self-service/login?flow=x HTTP/1.1\r\nhost: h\r\ncontent-length: 1000\r\n\r\n";
        writer.write_all(head).await.unwrap();
        while writer.write_all(b" ").await.is_ok() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
    let began = Instant::now();
    let mut bytes = Vec::new();
    let _ = reader.read_to_end(&mut bytes).await;
    let (told, took) = (String::from_utf8(bytes).unwrap(), began.elapsed().as_secs());
    assert!(told.starts_with("HTTP/1.1 408 ") && told.contains("connection: close\r\n"), "{told}");
    assert!((15..=16).contains(&took), "{took}");
}

#[tokio::test]
async fn who_does_not_read_the_answer_is_not_waited_for() {
    let app = hurried().await;
    let (mut stream, ..) = connect(&app, 32);
    stream.write_all(ALIVE.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(58)).await;
    assert!(stream.write_all(b"").await.is_ok());
    tokio::time::sleep(Duration::from_secs(4)).await;
    let (told, took) = rest(&mut stream).await;
    assert!(told.len() <= 32 && took == 0, "{told} {took}");
}

#[tokio::test]
async fn an_idle_connection_ends_after_two_minutes() {
    let app = hurried().await;
    let (mut stream, ..) = connect(&app, 4096);
    stream.write_all(ALIVE.as_bytes()).await.unwrap();
    let (told, took) = rest(&mut stream).await;
    assert!(told.starts_with("HTTP/1.1 200 OK\r\n"), "{told}");
    assert!((120..=121).contains(&took), "{took}");
}

#[tokio::test]
async fn heads_have_limits() {
    let app = hurried().await;
    let many: String = (0..120).map(|n| format!("x-{n}: 1\r\n")).collect();
    for (head, statuses) in [
        (format!("GET /health/alive HTTP/1.1\r\nhost: h\r\n{many}\r\n"), &["431"][..]),
        (format!("GET /health/alive HTTP/1.1\r\nhost: h\r\ncookie: {}\r\n\r\n", "c".repeat(100_000)), &["431"]),
        (format!("GET /{} HTTP/1.1\r\nhost: h\r\n\r\n", "p".repeat(100_000)), &["414", "431"]),
        ("GET /health/alive\r\n\r\n".to_owned(), &["400"]),
        ("\u{0}\u{1}\u{2} rubbish\r\n\r\n".to_owned(), &["400"]),
        ("GET /health/alive HTTP/1.1\r\nhost: h\r\nbad header\r\n\r\n".to_owned(), &["400"]),
        ("POST /sessions/whoami HTTP/1.1\r\nhost: h\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd".to_owned(), &["400"]),
        ("POST /sessions/whoami HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\nrubbish\r\n".to_owned(), &["400"]),
    ] {
        let (stream, ..) = connect(&app, 1 << 20);
        let (mut reader, mut writer) = tokio::io::split(stream);
        let _ = writer.write_all(head.as_bytes()).await;
        let mut bytes = Vec::new();
        let _ = reader.read_to_end(&mut bytes).await;
        let told = String::from_utf8_lossy(&bytes);
        let begin: String = head.chars().take(60).collect();
        assert!(statuses.iter().any(|s| told.starts_with(&format!("HTTP/1.1 {s} "))), "{begin:?}: {told}");
    }
}

#[tokio::test]
async fn an_idle_connection_makes_room_but_a_new_one_may_speak_first() {
    let app = hurried().await;
    let (mut stream, _, wanted) = connect(&app, 4096);
    tokio::task::yield_now().await;
    wanted.send_replace(());
    tokio::time::sleep(Duration::from_millis(10)).await;
    stream.write_all(ALIVE.as_bytes()).await.unwrap();
    answer(&mut stream, "{\"status\":\"ok\"}").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    wanted.send_replace(());
    assert_eq!(rest(&mut stream).await, (String::new(), 0));
}

#[tokio::test]
async fn many_requests_sent_at_once_are_answered_in_order() {
    let app = hurried().await;
    let (mut stream, ending, _wanted) = connect(&app, 1 << 20);
    let paths = ["/health/alive", "/nope", "/sessions/whoami/", "/health/alive"];
    for path in paths {
        stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: h\r\n\r\n").as_bytes()).await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    ending.stop.cancel();
    let (told, _) = rest(&mut stream).await;
    let statuses: Vec<_> = told.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
    assert_eq!(statuses, ["200", "404", "404", "200"], "{told}");
}
