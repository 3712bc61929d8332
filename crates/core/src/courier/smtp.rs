//! Handing mails to the mail server.
//!
//! A [`Mailer`] is made from the configuration and keeps its connections, so that a mail seldom waits for a handshake. The
//! message id is the outbox row's id: should a crash make a mail leave twice, mail programs can tell that it is one.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message, MultiPart, SinglePart};
use lettre::transport::smtp::PoolConfig;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Identity, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{Address, AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};
use percent_encoding::percent_decode_str;
use portcullis_model::time::Timestamp;
use url::Url;
use uuid::Uuid;

use super::failure::{Failure, chain};
use super::render::Rendered;
use crate::config::courier::Smtp;
use crate::outbound::may_connect;

/// How long an unused connection is kept.
const IDLE_LIMIT: Duration = Duration::from_secs(60);

/// Where mail servers may be (`clients.smtp.disallow_private_ip_ranges`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Anywhere.
    Any,
    /// At public addresses.
    Public,
}

/// Sends mails by SMTP, as one state of the configuration says.
pub(super) struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    headers: Vec<HeaderValue>,
    time_limit: Duration,
}

/// A mail to be sent.
pub(super) struct Mail<'a> {
    /// The outbox row's id.
    pub(super) id: Uuid,
    /// To whom.
    pub(super) recipient: &'a str,
    /// Its words.
    pub(super) words: &'a Rendered,
    /// The present moment, for the `Date` header.
    pub(super) now: Timestamp,
}

impl Mailer {
    /// Makes a mailer that keeps at most `connections` and gives a mail at most `time_limit`, connecting included. Reads
    /// certificates from disk; connects to nothing yet.
    ///
    /// # Errors
    /// In words, if the configuration cannot be used.
    pub(super) async fn new(smtp: &Smtp, reach: Reach, connections: u32, time_limit: Duration) -> Result<Self, Failure> {
        let uri = smtp.connection_uri.as_ref().ok_or_else(|| Failure::passing("courier.smtp.connection_uri is not set"))?;
        let server = Server::parse(uri.expose()).map_err(Failure::passing)?;
        let target = match reach {
            Reach::Any => server.host.clone(),
            Reach::Public => server.public_address().await?.to_string(),
        };
        let smtp = smtp.clone();
        tokio::task::spawn_blocking(move || Self::build(&smtp, server, target, connections, time_limit).map_err(Failure::passing))
            .await
            .map_err(|_| Failure::passing("preparing for the mail server was broken off"))?
    }

    fn build(smtp: &Smtp, server: Server, target: String, connections: u32, time_limit: Duration) -> Result<Self, String> {
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(target)
            .port(server.port)
            .tls(server.tls(smtp)?)
            .timeout(Some(time_limit))
            .hello_name(ClientId::Domain(smtp.local_name.clone()))
            .pool_config(PoolConfig::new().min_idle(0).max_size(connections).idle_timeout(IDLE_LIMIT));
        if let Some((user, password)) = server.credentials {
            builder = builder.credentials(Credentials::new(user, password));
        }
        let address: Address = smtp.from_address.parse().map_err(|_| "courier.smtp.from_address is no address")?;
        if smtp.from_name.as_ref().is_some_and(|name| name.contains(char::is_control)) {
            return Err("courier.smtp.from_name holds a line break or another control character".into());
        }
        let mut headers = Vec::new();
        for (name, value) in &smtp.headers {
            headers.push(header(name, value.expose()).ok_or_else(|| format!("courier.smtp.headers: {name:?} cannot be sent"))?);
        }
        Ok(Self { transport: builder.build(), from: Mailbox::new(smtp.from_name.clone(), address), headers, time_limit })
    }

    /// Sends a mail.
    ///
    /// # Errors
    /// If the server did not take it, or cannot be reached in time.
    pub(super) async fn send(&self, mail: &Mail<'_>) -> Result<(), Failure> {
        let message = self.message(mail)?;
        match tokio::time::timeout(self.time_limit, self.transport.send(message)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(explain(&error)),
            Err(_) => Err(Failure::passing("the mail server took too long")),
        }
    }

    fn message(&self, mail: &Mail<'_>) -> Result<Message, Failure> {
        let to: Address = mail.recipient.parse().map_err(|_| Failure::permanent("the recipient's address is no mail address"))?;
        let since_epoch = Duration::from_micros(u64::try_from(mail.now.micros()).unwrap_or(0));
        let mut message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(mail.words.subject.clone())
            .date(SystemTime::UNIX_EPOCH + since_epoch)
            .message_id(Some(format!("<{}@{}>", mail.id, self.from.email.domain())));
        // Asks answering machines for silence (RFC 3834).
        message = message.raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".into()));
        for header in &self.headers {
            message = message.raw_header(header.clone());
        }
        let text = SinglePart::plain(mail.words.text.clone());
        let built = match &mail.words.html {
            Some(html) => message.multipart(MultiPart::alternative().singlepart(text).singlepart(SinglePart::html(html.clone()))),
            None => message.singlepart(text),
        };
        built.map_err(|error| Failure::permanent(format!("the mail cannot be built: {error}")))
    }
}

/// What the connection address says.
struct Server {
    host: String,
    port: u16,
    is_wrapped: bool,
    credentials: Option<(String, String)>,
    skip_ssl_verify: bool,
    disable_starttls: bool,
    server_name: Option<String>,
}

impl Server {
    /// Reads `smtp://` or `smtps://`, `user:password@host:port`, with the options `skip_ssl_verify`, `disable_starttls` and
    /// `server_name`. Errors do not repeat the address: it may hold a password.
    fn parse(uri: &str) -> Result<Self, &'static str> {
        let url = Url::parse(uri).map_err(|_| "courier.smtp.connection_uri is no URL (is the password percent-encoded?)")?;
        let is_wrapped = match url.scheme() {
            "smtp" => false,
            "smtps" => true,
            _ => return Err("courier.smtp.connection_uri begins with neither smtp:// nor smtps://"),
        };
        let option = |name: &str| url.query_pairs().find(|(k, _)| k == name).map(|(_, v)| v.into_owned());
        let is_on = |name: &str| option(name).is_some_and(|v| matches!(v.as_str(), "1" | "t" | "T" | "true" | "TRUE" | "True"));
        let decoded = |text: &str| percent_decode_str(text).decode_utf8().map(std::borrow::Cow::into_owned);
        let encoding = |_| "user and password in courier.smtp.connection_uri are not UTF-8";
        let user = decoded(url.username()).map_err(encoding)?;
        let password = decoded(url.password().unwrap_or_default()).map_err(encoding)?;
        let host = url.host_str().filter(|h| !h.is_empty()).ok_or("courier.smtp.connection_uri has no host")?;
        Ok(Self {
            host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            port: url.port().unwrap_or(if is_wrapped { 465 } else { 25 }),
            is_wrapped,
            credentials: (!user.is_empty()).then_some((user, password)),
            skip_ssl_verify: is_on("skip_ssl_verify"),
            disable_starttls: is_on("disable_starttls"),
            server_name: option("server_name").filter(|name| !name.is_empty()),
        })
    }

    /// An address of the server's that is public. What was judged is what is connected to.
    async fn public_address(&self) -> Result<IpAddr, Failure> {
        let found = tokio::net::lookup_host((self.host.as_str(), self.port))
            .await
            .map_err(|error| Failure::passing(format!("the mail server's name cannot be resolved: {error}")))?;
        found.map(|address| address.ip()).find(|address| may_connect(*address, false)).ok_or_else(|| {
            Failure::passing("the mail server has a private address, which clients.smtp.disallow_private_ip_ranges rules out")
        })
    }

    fn tls(&self, smtp: &Smtp) -> Result<Tls, String> {
        if !self.is_wrapped && self.disable_starttls {
            return Ok(Tls::None);
        }
        let mut parameters = TlsParameters::builder(self.server_name.clone().unwrap_or_else(|| self.host.clone()))
            .dangerous_accept_invalid_certs(self.skip_ssl_verify)
            .dangerous_accept_invalid_hostnames(self.skip_ssl_verify);
        if !smtp.client_cert_path.is_empty() && !smtp.client_key_path.is_empty() {
            parameters = parameters.identify_with(identity(&smtp.client_cert_path, &smtp.client_key_path)?);
        }
        let parameters =
            parameters.build().map_err(|error| format!("TLS with the mail server cannot be set up: {}", chain(&error)))?;
        Ok(if self.is_wrapped { Tls::Wrapper(parameters) } else { Tls::Required(parameters) })
    }
}

/// The client certificate: the first one of its file, and its key.
fn identity(certificate: &str, key: &str) -> Result<Identity, String> {
    let read =
        |path: &str, name: &str| std::fs::read(path).map_err(|error| format!("courier.smtp.{name} cannot be read: {error}"));
    let certificate = read(certificate, "client_cert_path")?;
    // The mail library wants the certificate decoded, but the key as it is.
    let decoded =
        pem_block(&String::from_utf8_lossy(&certificate)).ok_or("courier.smtp.client_cert_path holds no certificate")?;
    Identity::from_pem(&decoded, &read(key, "client_key_path")?)
        .map_err(|_| "courier.smtp.client_key_path holds no private key".into())
}

/// The first certificate of a PEM file (RFC 7468).
fn pem_block(pem: &str) -> Option<Vec<u8>> {
    let (_, rest) = pem.split_once("-----BEGIN CERTIFICATE-----")?;
    let (body, _) = rest.split_once("-----END CERTIFICATE-----")?;
    STANDARD.decode(body.split_whitespace().collect::<String>()).ok()
}

/// A header of the configuration, if it can stand in a mail.
fn header(name: &str, value: &str) -> Option<HeaderValue> {
    let is_name = name.bytes().all(|b| b.is_ascii_graphic() && b != b':');
    let is_value = !value.contains(['\r', '\n', '\0']);
    let name = HeaderName::new_from_ascii(name.to_owned()).ok().filter(|_| is_name && is_value)?;
    Some(HeaderValue::new(name, value.to_owned()))
}

/// What an error of the mail library means.
///
/// Also a refusal that calls itself permanent (5xx, RFC 5321 section 4.2.1) is tried again: servers say so of full
/// mailboxes, of senders whom they do not know yet, and of their own faults, and a person waits for the message.
fn explain(error: &lettre::transport::smtp::Error) -> Failure {
    match error.status().map(u16::from) {
        Some(code) => Failure {
            permanent: false,
            answered: true,
            reason: format!("the mail server answered with {code}"),
            detail: Some(chain(error)),
            later: None,
        },
        None => Failure::passing(format!("the mail server cannot be used: {}", chain(error))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    #[test]
    fn addresses_of_mail_servers_are_understood() {
        let server = Server::parse("smtp://me%40example.org:p%2Fw@mail.example.org:587/?skip_ssl_verify=true&server_name=other")
            .expect("understood");
        assert_eq!((server.host.as_str(), server.port, server.is_wrapped), ("mail.example.org", 587, false));
        assert_eq!(server.credentials, Some(("me@example.org".to_owned(), "p/w".to_owned())));
        assert!(server.skip_ssl_verify && !server.disable_starttls);
        assert_eq!(server.server_name.as_deref(), Some("other"));
        let plain = Server::parse("smtp://127.0.0.1:1025/?disable_starttls=true").expect("understood");
        assert!(plain.disable_starttls && plain.credentials.is_none());
        assert_eq!(
            Server::parse("smtps://[::1]").map(|s| (s.host, s.port, s.is_wrapped)).ok(),
            Some(("::1".to_owned(), 465, true))
        );
        for bad in ["", "mail.example.org:25", "http://mail.example.org", "smtp://", "smtp://a:se cret@ x"] {
            let refusal = Server::parse(bad).err().expect(bad);
            assert!(!refusal.contains("cret"), "{refusal}");
        }
    }

    #[tokio::test]
    async fn private_mail_servers_can_be_ruled_out() {
        let server = |uri| Server::parse(uri).expect("understood");
        assert!(server("smtp://127.0.0.1").public_address().await.is_err());
        assert!(server("smtp://169.254.169.254").public_address().await.is_err());
        assert_eq!(server("smtp://8.8.8.8").public_address().await.ok(), Some(IpAddr::from([8, 8, 8, 8])));
    }

    #[test]
    fn headers_cannot_smuggle_others() {
        assert!(header("X-Tenant", "blü").is_some());
        for (name, value) in [("X-A", "b\r\nBcc: x@example.org"), ("X A", "b"), ("X:A", "b"), ("X\r\nA", "b"), ("", "b")] {
            assert!(header(name, value).is_none(), "{name:?}");
        }
    }

    #[tokio::test]
    async fn no_value_becomes_a_header_or_another_recipient() {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let named = |name: &str| Smtp {
            connection_uri: Some(Secret::new("smtp://127.0.0.1:25/?disable_starttls=true")),
            from_name: Some(name.to_owned()),
            ..crate::courier::render::tests::config(serde_json::json!({})).courier.smtp
        };
        let broken = named("Desk\r\nBcc: x@example.org");
        assert!(Mailer::new(&broken, Reach::Any, 1, Duration::from_secs(1)).await.is_err());
        let sender = named("Desk \"of\" <x@example.org>, Ünïcode");
        let mailer = Mailer::new(&sender, Reach::Any, 1, Duration::from_secs(1)).await.expect("a mailer");
        let words = Rendered {
            subject: "Hello\r\nBcc: victim@example.org\r\n\r\nwords".to_owned(),
            text: "a\n.\r\nb".to_owned(),
            html: Some("<p>\r\n.\r\n</p>".to_owned()),
        };
        let mail = |recipient| Mail { id: Uuid::nil(), recipient, words: &words, now: Timestamp::from_seconds(1_700_000_000) };
        for recipient in [
            "ada@example.org\r\nBcc: victim@example.org",
            "ada@example.org, victim@example.org",
            "ada@example.org>\r\nRCPT TO:<victim@example.org",
            "Ada <ada@example.org>",
            "ada@example.org\0",
            "",
        ] {
            let refused = mailer.message(&mail(recipient)).expect_err(recipient);
            assert!(refused.permanent && !refused.whole().contains("victim"), "{recipient:?}");
        }
        let built = mailer.message(&mail("ada@example.org")).expect("built");
        let to: Vec<String> = built.envelope().to().iter().map(ToString::to_string).collect();
        assert_eq!(to, ["ada@example.org"]);
        let text = String::from_utf8(built.formatted()).expect("text");
        let (head, _) = text.split_once("\r\n\r\n").expect("a head");
        let names: Vec<&str> = head.lines().filter(|l| !l.starts_with([' ', '\t'])).filter_map(|l| l.split(':').next()).collect();
        assert!(!names.iter().any(|name| name.eq_ignore_ascii_case("bcc") || name.eq_ignore_ascii_case("cc")), "{head}");
        for name in ["From", "To", "Subject", "Message-ID", "Date"] {
            assert_eq!(names.iter().filter(|n| n.eq_ignore_ascii_case(name)).count(), 1, "{name}: {head}");
        }
    }

    #[test]
    fn certificates_are_found_in_pem() {
        let pem = "words\n-----BEGIN CERTIFICATE-----\nAQID\nBAU=\n-----END CERTIFICATE-----\n-----BEGIN CERTIFICATE-----\n";
        assert_eq!(pem_block(pem), Some(vec![1, 2, 3, 4, 5]));
        assert_eq!(pem_block("-----BEGIN PRIVATE KEY-----"), None);
    }
}
