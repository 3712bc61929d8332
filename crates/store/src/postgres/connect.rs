//! From a data source name to a pool of connections.

use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use tokio_postgres::config::SslMode;
use tokio_postgres::{Config, NoTls};

use super::tls;
use crate::dsn::{PostgresDsn, TlsMode};
use crate::failure::StoreError;

/// How long reaching the server may take, unless the name says otherwise (`connect_timeout`).
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A pool of connections.
pub(crate) fn pool(dsn: &PostgresDsn, max_connections: usize, wait: Duration) -> Result<Pool, StoreError> {
    // The driver's own error names the option but can quote its value.
    let mut config: Config =
        dsn.url.parse().map_err(|_| StoreError::Unsupported("data source name: the PostgreSQL URL cannot be read".into()))?;
    if config.get_application_name().is_none() {
        config.application_name("portcullis");
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT_TIMEOUT);
    }
    config.ssl_mode(match dsn.tls {
        TlsMode::Disable => SslMode::Disable,
        TlsMode::Prefer => SslMode::Prefer,
        TlsMode::Require | TlsMode::VerifyCa | TlsMode::VerifyFull => SslMode::Require,
    });
    let how = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let manager = match dsn.tls {
        TlsMode::Disable => Manager::from_config(config, NoTls, how),
        mode => Manager::from_config(config, tls::connector(mode, dsn.root_certificates.as_deref())?, how),
    };
    Pool::builder(manager)
        .max_size(dsn.max_connections.unwrap_or(max_connections).max(1))
        .wait_timeout(Some(wait))
        .create_timeout(Some(CONNECT_TIMEOUT))
        .runtime(Runtime::Tokio1)
        .build()
        .map_err(|e| StoreError::Unavailable(e.to_string()))
}
