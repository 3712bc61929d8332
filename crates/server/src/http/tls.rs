//! TLS for a port: certificate and key from files or from the configuration itself; TLS 1.2 and up, HTTP/1.1 and HTTP/2.
//!
//! Files are looked at again when a client connects, at most once a second, so a renewed certificate is served without a
//! restart and an idle server does nothing. A renewed pair that cannot be used leaves the old one in place.

use std::fmt;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portcullis_core::config::serve::{Pem, Tls};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_rustls::TlsAcceptor;

/// How often files may be looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Why certificate and key cannot be used. The key's text is in no message.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("the TLS {what} {path} cannot be read: {source}")]
    Read {
        /// `certificate` or `key`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The text in the configuration is not base64.
    #[error("the TLS {0} in the configuration is not base64")]
    Base64(&'static str),
    /// There is no certificate or key in the text.
    #[error("the TLS {0} is not in PEM format")]
    Pem(&'static str),
    /// Certificate and key are no pair, or of an unknown kind.
    #[error("the TLS certificate and key cannot be used together: {0}")]
    Pair(rustls::Error),
    /// The library refuses the protocol versions; cannot happen with its own list.
    #[error("TLS cannot be set up: {0}")]
    Setup(rustls::Error),
}

/// Where certificate and key come from, and what came of them.
struct Pair {
    cert: Pem,
    key: Pem,
    state: Mutex<State>,
}

struct State {
    current: Arc<CertifiedKey>,
    stamps: [Option<Stamp>; 2],
    looked: Instant,
}

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pair").field("cert", &self.cert.path).field("key", &self.key.path).finish_non_exhaustive()
    }
}

impl Pair {
    fn new(cert: &Pem, key: &Pem) -> Result<Self, TlsError> {
        // The stamps first: a file that changes while it is read is read again.
        let stamps = [stamp(cert), stamp(key)];
        let current = Arc::new(load(cert, key)?);
        Ok(Self { cert: cert.clone(), key: key.clone(), state: Mutex::new(State { current, stamps, looked: Instant::now() }) })
    }

    fn current(&self) -> Arc<CertifiedKey> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.looked.elapsed() >= LOOK {
            state.looked = Instant::now();
            let stamps = [stamp(&self.cert), stamp(&self.key)];
            if stamps != state.stamps {
                state.stamps = stamps;
                match load(&self.cert, &self.key) {
                    Ok(renewed) => {
                        state.current = Arc::new(renewed);
                        tracing::info!("another TLS certificate is in force");
                    }
                    Err(error) => tracing::error!(%error, "the TLS certificate was changed, but the old one stays"),
                }
            }
        }
        Arc::clone(&state.current)
    }
}

impl ResolvesServerCert for Pair {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }
}

/// What accepts TLS connections for a port; `None` where plain HTTP is spoken.
///
/// # Errors
/// If certificate and key are configured but cannot be used.
pub fn acceptor(settings: &Tls) -> Result<Option<TlsAcceptor>, TlsError> {
    let Some((cert, key)) = settings.pair() else { return Ok(None) };
    let pair = Arc::new(Pair::new(cert, key)?);
    let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(TlsError::Setup)?;
    let mut config = builder.with_no_client_auth().with_cert_resolver(pair);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Some(TlsAcceptor::from(Arc::new(config))))
}

fn load(cert: &Pem, key: &Pem) -> Result<CertifiedKey, TlsError> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&text(cert, "certificate")?)
        .collect::<Result<_, _>>()
        .map_err(|_| TlsError::Pem("certificate"))?;
    if chain.is_empty() {
        return Err(TlsError::Pem("certificate"));
    }
    let key = PrivateKeyDer::from_pem_slice(&text(key, "key")?).map_err(|_| TlsError::Pem("key"))?;
    CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider()).map_err(TlsError::Pair)
}

/// The PEM text. The text in the configuration counts before a file.
fn text(pem: &Pem, what: &'static str) -> Result<Vec<u8>, TlsError> {
    if let Some(text) = &pem.base64 {
        return STANDARD.decode(text.expose().trim()).map_err(|_| TlsError::Base64(what));
    }
    let path = PathBuf::from(pem.path.clone().unwrap_or_default());
    std::fs::read(&path).map_err(|source| TlsError::Read { what, path, source })
}

/// What tells one state of a file from another, also if it was replaced by an older one: time, length and number.
type Stamp = (SystemTime, u64, u64);

/// The state of the file; `None` for a text in the configuration and for a file that is not there.
fn stamp(pem: &Pem) -> Option<Stamp> {
    if pem.base64.is_some() {
        return None;
    }
    let file = std::fs::metadata(pem.path.as_ref()?).ok()?;
    Some((file.modified().ok()?, file.len(), file.ino()))
}
