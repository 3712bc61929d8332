//! TLS: certificates from files and from the configuration, renewal, refusals; and socket files.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portcullis::http::listen::Bound;
use portcullis::http::ports::Port;
use portcullis_core::config::serve::{Listener, Socket, Tls};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::support::TestApp;

/// A certificate for `localhost`, with its key.
struct Made {
    cert: String,
    key: String,
    der: CertificateDer<'static>,
}

fn make() -> Made {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    Made { cert: made.cert.pem(), key: made.signing_key.serialize_pem(), der: made.cert.der().clone() }
}

impl Made {
    fn write(&self, folder: &Path) {
        std::fs::write(folder.join("key.pem"), &self.key).unwrap();
        std::fs::write(folder.join("cert.pem"), &self.cert).unwrap();
    }
}

fn listener(app: &TestApp, tls: serde_json::Value) -> Listener {
    let mut listener = app.app.snapshot.load().config.serve.public.clone();
    listener.port = 0;
    listener.tls = serde_json::from_value::<Tls>(tls).unwrap();
    listener
}

struct Server {
    address: Option<SocketAddr>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Server {
    async fn start(app: &TestApp, listener: &Listener) -> Self {
        let bound = Bound::open(Port::Public, listener).await.unwrap();
        let (address, tasks, stop) = (bound.address(), TaskTracker::new(), CancellationToken::new());
        tasks.spawn(bound.run(Arc::clone(&app.edge), tasks.clone(), stop.clone()));
        Self { address, tasks, stop }
    }

    async fn end(self) {
        assert!(portcullis::http::listen::drain(&self.tasks, &self.stop, Duration::from_secs(5)).await);
    }

    async fn tcp(&self) -> TcpStream {
        TcpStream::connect(self.address.unwrap()).await.unwrap()
    }

    /// What a client that trusts only this certificate is answered.
    async fn ask(&self, trusted: &Made) -> std::io::Result<String> {
        let mut roots = RootCertStore::empty();
        roots.add(trusted.der.clone()).unwrap();
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let name = ServerName::try_from("localhost").unwrap();
        let mut stream = TlsConnector::from(Arc::new(config)).connect(name, self.tcp().await).await?;
        Ok(talk(&mut stream, "/self-service/login/api").await)
    }
}

async fn talk(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nhost: h.example\r\nconnection: close\r\n\r\n");
    let _ = stream.write_all(request.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a_renewed_certificate_is_served_and_a_broken_one_is_not() {
    let app = TestApp::new().await;
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (make(), make());
    first.write(folder.path());
    let paths = json!({ "cert": { "path": folder.path().join("cert.pem") }, "key": { "path": folder.path().join("key.pem") } });
    let server = Server::start(&app, &listener(&app, paths)).await;
    let told = server.ask(&first).await.unwrap();
    assert!(told.starts_with("HTTP/1.1 200 ") && told.contains("https://h.example/self-service/login/api"), "{told}");
    assert!(server.ask(&second).await.is_err());

    // Files are looked at once a second at most.
    let settle = || tokio::time::sleep(Duration::from_millis(1100));
    std::fs::write(folder.path().join("cert.pem"), "rubbish").unwrap();
    settle().await;
    assert!(server.ask(&first).await.is_ok(), "the old pair stays");
    std::fs::write(folder.path().join("cert.pem"), &second.cert).unwrap();
    settle().await;
    assert!(server.ask(&first).await.is_ok(), "half a pair is none");
    second.write(folder.path());
    settle().await;
    assert!(server.ask(&second).await.is_ok());
    assert!(server.ask(&first).await.is_err());
    server.end().await;
}

#[tokio::test]
async fn certificate_and_key_may_stand_in_the_configuration() {
    let app = TestApp::new().await;
    let made = make();
    let pair = json!({ "cert": { "base64": STANDARD.encode(&made.cert) }, "key": { "base64": STANDARD.encode(&made.key) } });
    let server = Server::start(&app, &listener(&app, pair.clone())).await;
    assert!(server.ask(&made).await.unwrap().starts_with("HTTP/1.1 200 "));
    // Plain HTTP on a TLS port gets nothing that looks like an answer.
    let plain = talk(&mut server.tcp().await, "/health/alive").await;
    assert!(!plain.contains("200 OK"), "{plain}");
    server.end().await;

    let half = listener(&app, json!({ "cert": pair["cert"] }));
    let server = Server::start(&app, &half).await;
    assert!(talk(&mut server.tcp().await, "/health/alive").await.starts_with("HTTP/1.1 200 OK"), "one of both is plain HTTP");
    server.end().await;
}

#[tokio::test]
async fn a_pair_that_is_none_keeps_the_port_closed() {
    let app = TestApp::new().await;
    let (made, other) = (make(), make());
    let encode = |text: &str| json!({ "base64": STANDARD.encode(text) });
    for (cert, key, reason) in [
        (encode(&made.cert), encode(&other.key), "cannot be used together"),
        (encode("rubbish"), encode(&made.key), "certificate is not in PEM format"),
        (encode(&made.cert), encode("rubbish"), "key is not in PEM format"),
        (json!({ "base64": "*" }), encode(&made.key), "is not base64"),
        (json!({ "path": "/nowhere/cert.pem" }), encode(&made.key), "/nowhere/cert.pem cannot be read"),
    ] {
        let refused = Bound::open(Port::Public, &listener(&app, json!({ "cert": cert, "key": key }))).await;
        let told = refused.err().map(|e| e.to_string()).unwrap_or_default();
        assert!(told.starts_with("the public port does not open: ") && told.contains(reason), "{reason}: {told}");
        assert!(!told.contains("PRIVATE"), "{told}");
    }
}

#[tokio::test]
async fn a_socket_file_answers_and_trusts_who_may_open_it() {
    let app = TestApp::new().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("public.sock");
    let mut listener = listener(&app, json!({}));
    listener.host = format!("unix:{}", path.display());
    listener.socket = Socket { owner: String::new(), group: String::new(), mode: 0o640 };
    let server = Server::start(&app, &listener).await;
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    let mut stream = UnixStream::connect(&path).await.unwrap();
    let request =
        "GET /self-service/login/api HTTP/1.1\r\nhost: inner\r\nx-forwarded-host: id.example.org\r\nconnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut told = String::new();
    stream.read_to_string(&mut told).await.unwrap();
    assert!(told.contains("http://id.example.org/self-service/login/api"), "{told}");
    server.end().await;
    assert!(!path.exists());
}
