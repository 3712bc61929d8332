//! Configuration: from files, flags and environment to typed sections, checked as a whole.
//!
//! The path of a field is the path of its key: `serve.public.port` is `config.serve.public.port`. A [`Config`] exists only
//! if everything in it was accepted by the schema (see [`document`]) and by the checks beyond it; all defaults are filled
//! in. It is never changed: [`Live`] swaps it for another one when files change.

mod access;
mod check;
pub mod clients;
mod complete;
pub mod cookies;
pub mod courier;
pub mod database;
mod environment;
pub mod feature_flags;
mod file;
pub mod first_run;
pub mod flows;
pub mod hashers;
pub mod identity;
mod key;
mod layers;
mod live;
mod load;
pub mod log;
pub mod methods;
pub mod oauth2_provider;
pub mod oidc;
mod schema;
pub mod secrets;
pub mod security;
pub mod selfservice;
pub mod serve;
pub mod session;
pub mod tracing;
pub mod value;
mod violation;
mod watch;

#[cfg(test)]
mod tests;

use serde::Deserialize;

pub use cookies::{CookieAttributes, SameSite};
pub use file::SIZE_LIMIT;
pub use flows::{FlowConfig, Hook};
pub use layers::Origin;
pub use live::{Live, ReloadError, Reloaded};
pub use load::{Flags, Loaded, Sources, dsn, from_value, load, section};
pub use schema::document;
pub use value::{BaseUrl, Secret};
pub use violation::{ConfigErrors, Violation};
pub use watch::{FileWatch, watch};

/// The whole configuration.
#[derive(Clone, Debug, Deserialize)]
pub struct Config {
    /// Where the database is; may hold a password.
    pub dsn: Secret,
    /// Development mode: cookies without Secure, cheap password hashes, plain HTTP.
    #[serde(default)]
    pub dev: bool,
    /// Whether the serving process sends messages.
    #[serde(rename = "watch-courier")]
    pub watch_courier: bool,
    /// Where `courier watch` shows its metrics; 0: nowhere.
    #[serde(rename = "expose-metrics-port")]
    pub expose_metrics_port: u16,
    /// The two ports.
    pub serve: serve::Serve,
    /// Flows and methods.
    pub selfservice: selfservice::SelfService,
    /// Identity schemas.
    pub identity: identity::Identity,
    /// Sessions.
    pub session: session::Session,
    /// The attributes of all cookies.
    pub cookies: cookies::Cookies,
    /// Keys.
    #[serde(default)]
    pub secrets: secrets::Secrets,
    /// Password hashes.
    pub hashers: hashers::Hashers,
    /// Encryption of what is stored.
    pub ciphers: hashers::Ciphers,
    /// Messages.
    pub courier: courier::Courier,
    /// The log.
    pub log: log::Log,
    /// Traces.
    #[serde(default)]
    pub tracing: tracing::Tracing,
    /// What strangers may learn.
    pub security: security::Security,
    /// Outgoing calls.
    pub clients: clients::Clients,
    /// New and old behaviour.
    pub feature_flags: feature_flags::FeatureFlags,
    /// The OAuth2 server whose logins are answered.
    pub oauth2_provider: oauth2_provider::OAuth2Provider,
    /// Cleaning up.
    pub database: database::Database,
    /// What `/health/config` answers: the configured text, else the fingerprint.
    #[serde(default)]
    pub revision: String,
    /// 64 hexadecimal digits that differ whenever anything in the effective configuration does. Secrets that were made up
    /// by the program do not count.
    #[serde(skip)]
    pub fingerprint: String,
}
