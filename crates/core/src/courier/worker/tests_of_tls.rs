use std::sync::Arc;

use portcullis_model::identity::Via;
use portcullis_store::outbox::MessageStatus;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use super::tests::Post;

/// For `mail.example.org` and 127.0.0.1, signed by itself. Server and client both show it.
const CERTIFICATE: &str = "\
-----BEGIN CERTIFICATE-----
MIIBrjCCAVOgAwIBAgIUMvNsN2zosrxP1XnLQcpvg/VTu5MwCgYIKoZIzj0EAwIw
GzEZMBcGA1UEAwwQbWFpbC5leGFtcGxlLm9yZzAgFw0yNjExMjMwMjQ3NTZaGA8y
MTI2MTAzMDAyNDc1NlowGzEZMBcGA1UEAwwQbWFpbC5leGFtcGxlLm9yZzBZMBMG
ByqGSM49AgEGCCqGSM49AwEHA0IABLasc2ctvAJOxrD0gy5rAlThZbP2MS537hyV
zfX/3WguTB/PJeSGtuJTbwENqBBy2ULEtIlfgEzBxDHi2V6/7lyjczBxMB0GA1Ud
DgQWBBRzFZ+/gS+r2u9XSK3iXgrzpMoUOTAfBgNVHSMEGDAWgBRzFZ+/gS+r2u9X
SK3iXgrzpMoUOTAhBgNVHREEGjAYghBtYWlsLmV4YW1wbGUub3JnhwR/AAABMAwG
A1UdEwEB/wQCMAAwCgYIKoZIzj0EAwIDSQAwRgIhAOc1aOFT0BAhMZ82P7nWjAYz
wVz12zYI3usw3/1HKBe1AiEAhdvN2aqsRxPM9mPSzCfI1jtZEqBKguTDGHtBVw5/
OD0=
-----END CERTIFICATE-----
";
const KEY: &str = "\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgDbN8UhoVZmhk7hG7
zoBch5VwwDwb8XrsNTehE0ktgUWhRANCAAS2rHNnLbwCTsaw9IMuawJU4WWz9jEu
d+4clc31/91oLkwfzyXkhrbiU28BDagQctlCxLSJX4BMwcQx4tlev+5c
-----END PRIVATE KEY-----
";

/// When a server speaks TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Speaks {
    /// From the start.
    Always,
    /// After STARTTLS, without which it takes nothing.
    Later,
    /// Never: it does not know STARTTLS.
    Never,
}

/// What a server saw of a mail that it took.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    encrypted: bool,
    certificate: bool,
    greeting: String,
    auth: Option<String>,
}

/// A mail server that asks for a client certificate but goes without.
async fn server(speaks: Speaks) -> (u16, mpsc::UnboundedReceiver<Seen>) {
    let certificate = CertificateDer::from_pem_slice(CERTIFICATE.as_bytes()).expect("a certificate");
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).expect("a root");
    let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).allow_unauthenticated().build().expect("a verifier");
    let key = PrivateKeyDer::from_pem_slice(KEY.as_bytes()).expect("a key");
    let config = ServerConfig::builder().with_client_cert_verifier(verifier).with_single_cert(vec![certificate], key);
    let acceptor = TlsAcceptor::from(Arc::new(config.expect("a configuration")));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let (told, seen) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, told) = (acceptor.clone(), told.clone());
            tokio::spawn(async move { drop(serve(stream, acceptor, speaks, told).await) });
        }
    });
    (port, seen)
}

async fn serve(
    mut stream: TcpStream,
    acceptor: TlsAcceptor,
    speaks: Speaks,
    told: mpsc::UnboundedSender<Seen>,
) -> std::io::Result<()> {
    if speaks != Speaks::Always {
        stream.write_all(b"220 sink ESMTP\r\n").await?;
        let offers = if speaks == Speaks::Later { "250-sink\r\n250 STARTTLS\r\n" } else { "250-sink\r\n250 AUTH PLAIN\r\n" };
        let Some(mut stream) = talk(stream, Seen::default(), offers, &told).await? else { return Ok(()) };
        stream.write_all(b"220 go on\r\n").await?;
        return secure(acceptor.accept(stream).await?, &told).await;
    }
    let mut stream = acceptor.accept(stream).await?;
    stream.write_all(b"220 sink ESMTP\r\n").await?;
    secure(stream, &told).await
}

async fn secure(stream: tokio_rustls::server::TlsStream<TcpStream>, told: &mpsc::UnboundedSender<Seen>) -> std::io::Result<()> {
    let certificate = stream.get_ref().1.peer_certificates().is_some();
    let seen = Seen { encrypted: true, certificate, ..Seen::default() };
    talk(stream, seen, "250-sink\r\n250 AUTH PLAIN\r\n", told).await.map(drop)
}

/// Takes mails until STARTTLS is asked for; then the stream is given back.
async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    mut seen: Seen,
    offers: &str,
    told: &mpsc::UnboundedSender<Seen>,
) -> std::io::Result<Option<S>> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    let mut in_content = false;
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(None);
        }
        let (word, rest) = line.trim_end().split_once(' ').unwrap_or((line.trim_end(), ""));
        let answer = match word.to_ascii_uppercase().as_str() {
            "." if in_content => {
                in_content = false;
                told.send(std::mem::take(&mut seen)).ok();
                "250 taken\r\n"
            }
            _ if in_content => continue,
            "EHLO" => {
                rest.clone_into(&mut seen.greeting);
                offers
            }
            "AUTH" => {
                seen.auth = Some(rest.to_owned());
                "235 welcome\r\n"
            }
            "STARTTLS" => return Ok(Some(stream.into_inner())),
            "DATA" => {
                in_content = true;
                "354 go on\r\n"
            }
            _ => "250 ok\r\n",
        };
        stream.write_all(answer.as_bytes()).await?;
        stream.flush().await?;
    }
}

fn smtp(uri: String, more: Value) -> Value {
    let mut smtp = json!({ "connection_uri": uri, "local_name": "desk.example.org" });
    if let (Value::Object(smtp), Value::Object(more)) = (&mut smtp, more) {
        smtp.extend(more);
    }
    json!({ "worker": { "pull_wait": "10ms" }, "smtp": smtp })
}

#[tokio::test]
async fn mails_leave_encrypted_unless_that_is_switched_off() {
    for (speaks, scheme, options, encrypted) in [
        (Speaks::Always, "smtps", "skip_ssl_verify=true", true),
        (Speaks::Later, "smtp", "skip_ssl_verify=true", true),
        (Speaks::Never, "smtp", "disable_starttls=true", false),
    ] {
        let (port, mut seen) = server(speaks).await;
        let uri = format!("{scheme}://me%40example.org:p%2Fw@127.0.0.1:{port}/?{options}");
        let post = Post::open(smtp(uri, json!({}))).await;
        post.work();
        let id = post.post(Via::Email, "ada@example.org").await;
        post.until(id, |m| m.status == MessageStatus::Sent).await;
        let seen = seen.recv().await.expect("a mail");
        // RFC 4616: NUL, user, NUL, password.
        let auth = Some("PLAIN AG1lQGV4YW1wbGUub3JnAHAvdw==".to_owned());
        assert_eq!(seen, Seen { encrypted, certificate: false, greeting: "desk.example.org".into(), auth }, "{speaks:?}");
    }
}

#[tokio::test]
async fn a_certificate_is_shown_where_one_is_configured() {
    let folder = tempfile::tempdir().expect("a folder");
    let (certificate, key) = (folder.path().join("tls.crt"), folder.path().join("tls.key"));
    std::fs::write(&certificate, CERTIFICATE).expect("written");
    std::fs::write(&key, KEY).expect("written");
    let (port, mut seen) = server(Speaks::Later).await;
    let files = json!({ "client_cert_path": certificate, "client_key_path": key });
    let post = Post::open(smtp(format!("smtp://127.0.0.1:{port}/?skip_ssl_verify=true"), files)).await;
    post.work();
    let id = post.post(Via::Email, "ada@example.org").await;
    post.until(id, |m| m.status == MessageStatus::Sent).await;
    assert!(seen.recv().await.is_some_and(|seen| seen.certificate && seen.auth.is_none()));
}

#[tokio::test]
async fn what_cannot_be_trusted_gets_no_mail() {
    for (speaks, uri) in [
        // Nobody whom the machine trusts signed for it.
        (Speaks::Always, "smtps://127.0.0.1:PORT/"),
        (Speaks::Later, "smtp://127.0.0.1:PORT/"),
        (Speaks::Later, "smtp://127.0.0.1:PORT/?server_name=mail.example.org"),
        // It does not offer what is wanted.
        (Speaks::Never, "smtp://127.0.0.1:PORT/"),
        (Speaks::Never, "smtp://me:password@127.0.0.1:PORT/?skip_ssl_verify=true"),
    ] {
        let (port, mut seen) = server(speaks).await;
        let post = Post::open(smtp(uri.replace("PORT", &port.to_string()), json!({}))).await;
        post.work();
        let id = post.post(Via::Email, "ada@example.org").await;
        let (message, attempts) = post.until_tried(id, 1).await;
        assert_eq!(message.status, MessageStatus::Queued, "{uri}");
        let reason = attempts[0].error.clone().expect("a reason");
        assert!(reason.starts_with("the mail server cannot be used") && !reason.contains("password"), "{uri}: {reason}");
        assert!(seen.try_recv().is_err(), "{uri}");
    }
}
