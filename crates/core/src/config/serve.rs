//! `serve`: the two ports.

use serde::Deserialize;

use super::value::{BaseUrl, Secret};

/// `serve`.
#[derive(Clone, Debug, Deserialize)]
pub struct Serve {
    /// The port for browsers and apps.
    pub public: Listener,
    /// The port for operators and back ends.
    pub admin: Listener,
}

/// `serve.public`, `serve.admin`.
#[derive(Clone, Debug, Deserialize)]
pub struct Listener {
    /// How others reach the port. When not configured: `https` (`http` in development mode without TLS), host and port.
    pub base_url: BaseUrl,
    /// The interface to listen on, or `unix:/path`.
    pub host: String,
    /// The port to listen on.
    pub port: u16,
    /// Attributes of the socket file, when `host` names one.
    pub socket: Socket,
    /// Certificate and key; plain HTTP without both.
    #[serde(default)]
    pub tls: Tls,
    /// What is logged of requests.
    pub request_log: RequestLog,
    /// Calls from pages of other origins; the public port's only.
    #[serde(default)]
    pub cors: Cors,
}

impl Listener {
    /// The path of the socket file, if it listens on one.
    #[must_use]
    pub fn socket_path(&self) -> Option<&str> {
        self.host.strip_prefix("unix:")
    }

    /// Whether only this machine can reach it: a loopback address, `localhost`, or a socket file.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.socket_path().is_some() || is_loopback_host(&self.host)
    }
}

/// Whether a host's name or address means this machine alone.
pub(crate) fn is_loopback_host(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || host.to_ascii_lowercase().ends_with(".localhost")
        || bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// `serve.*.socket`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Socket {
    /// The owner's name or number; empty: as it comes.
    pub owner: String,
    /// The group's name or number; empty: as it comes.
    pub group: String,
    /// The mode bits, such as 0o755.
    pub mode: u32,
}

/// `serve.*.tls`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Tls {
    /// The certificate chain.
    pub cert: Option<Pem>,
    /// Its private key.
    pub key: Option<Pem>,
}

impl Tls {
    /// Certificate chain and key, if both are given.
    #[must_use]
    pub fn pair(&self) -> Option<(&Pem, &Pem)> {
        let given = |pem: &&Pem| pem.path.is_some() || pem.base64.is_some();
        self.cert.as_ref().filter(given).zip(self.key.as_ref().filter(given))
    }
}

/// Where PEM text comes from. If both are given, the base64 text counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Pem {
    /// A file.
    pub path: Option<String>,
    /// The text itself, in base64.
    pub base64: Option<Secret>,
}

/// `serve.*.request_log`.
#[derive(Clone, Debug, Deserialize)]
pub struct RequestLog {
    /// Whether health checks are left out.
    pub disable_for_health: bool,
}

/// `serve.public.cors`.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Cors {
    /// Whether pages of other origins may call.
    pub enabled: bool,
    /// The origins let in, one `*` each; empty: all.
    pub allowed_origins: Vec<String>,
    /// The methods let in.
    pub allowed_methods: Vec<String>,
    /// The request headers let in.
    pub allowed_headers: Vec<String>,
    /// The answer headers that pages may read.
    pub exposed_headers: Vec<String>,
    /// Whether cookies may come along.
    pub allow_credentials: bool,
    /// Whether preflights reach the routes.
    pub options_passthrough: bool,
    /// How many seconds a preflight may be cached; 0: not told.
    pub max_age: u32,
    /// Whether decisions are logged.
    pub debug: bool,
}
