//! What the edge needs of a configuration, worked out once for each: cookies, mount, base URLs, cross-origin rules.
//!
//! A view belongs to one snapshot and never changes; a reload gives a new one.

use std::sync::Arc;

use portcullis_core::app::Snapshot;
use portcullis_core::config::Config;

use super::cookies::Shape;
use super::cors::{self, Cors};
use super::path::Mount;
use super::ports::Port;

/// What the edge needs of one configuration.
pub struct View {
    /// The configuration that it was made from, with all that belongs to it.
    pub snapshot: Arc<Snapshot>,
    /// The anti-CSRF cookie.
    pub csrf: Shape,
    /// The session cookie.
    pub session: Shape,
    /// The cookie that refers to a parked submit.
    pub parked: Shape,
    /// The path of the public base URL.
    pub public_mount: Mount,
    /// The admin port is mounted nowhere.
    admin_mount: Mount,
    /// The public base URL without slash at the end.
    pub public_base: String,
    /// Host, and port if it is not the scheme's own, of the public base URL.
    pub public_host: String,
    /// The port that the public base URL's scheme means when none is written.
    pub public_scheme_port: &'static str,
    /// The admin base URL without slash at the end.
    pub admin_base: String,
    /// The rules for other origins, where they may call at all.
    pub cors: Option<Cors>,
    /// Whether health checks are left out of the public port's log.
    pub quiet_public_health: bool,
    /// Whether health checks are left out of the admin port's log.
    pub quiet_admin_health: bool,
}

impl View {
    /// The view of a snapshot.
    #[must_use]
    pub fn new(snapshot: Arc<Snapshot>) -> Self {
        let config = &snapshot.config;
        let (public, admin) = (&config.serve.public, &config.serve.admin);
        let base = public.base_url.url();
        let host = base.host_str().unwrap_or_default();
        Self {
            csrf: Shape::new(&config.csrf_cookie()),
            session: Shape::new(&config.session_cookie()),
            parked: Shape::new(&config.continuity_cookie()),
            public_mount: Mount::of(base),
            admin_mount: Mount::default(),
            public_base: trimmed(public.base_url.as_str()),
            public_host: base.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")),
            public_scheme_port: if base.scheme() == "https" { ":443" } else { ":80" },
            admin_base: trimmed(admin.base_url.as_str()),
            cors: cross_origin(config),
            quiet_public_health: public.request_log.disable_for_health,
            quiet_admin_health: admin.request_log.disable_for_health,
            snapshot,
        }
    }

    /// Where the routes of a port stand besides their plain paths. The admin port's have those only: its base URL says where
    /// clients are sent, and whoever puts a prefix there takes it off again.
    #[must_use]
    pub fn mount(&self, port: Port) -> &Mount {
        match port {
            Port::Public => &self.public_mount,
            Port::Admin => &self.admin_mount,
        }
    }

    /// Whether this host, with or without the port that the scheme means anyway, is that of the public base URL.
    #[must_use]
    pub fn is_public_host(&self, host: &str) -> bool {
        host.strip_suffix(self.public_scheme_port).unwrap_or(host).eq_ignore_ascii_case(&self.public_host)
    }
}

fn trimmed(base: &str) -> String {
    base.trim_end_matches('/').to_owned()
}

fn cross_origin(config: &Config) -> Option<Cors> {
    let cors = &config.serve.public.cors;
    cors.enabled.then(|| {
        Cors::new(&cors::Settings {
            origins: &cors.allowed_origins,
            methods: &cors.allowed_methods,
            headers: &cors.allowed_headers,
            exposed: &cors.exposed_headers,
            credentials: cors.allow_credentials,
            max_age: u64::from(cors.max_age),
            passthrough: cors.options_passthrough,
            debug: cors.debug,
            insecure_wildcards: config.feature_flags.legacy_allow_insecure_origins,
        })
    })
}
