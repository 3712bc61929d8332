//! Data source names: which database, and where. A name can hold a password, so it is never shown in errors.

use std::path::PathBuf;

use crate::failure::StoreError;

/// A database.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Dsn {
    /// A private database that goes away with the process.
    Memory,
    /// A SQLite file.
    File(PathBuf),
    /// A PostgreSQL server.
    Postgres(PostgresDsn),
}

/// How to reach a PostgreSQL server.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct PostgresDsn {
    /// The URL without the options that are not for the server's driver.
    pub(crate) url: String,
    /// `sslmode`.
    pub(crate) tls: TlsMode,
    /// `sslrootcert`: a PEM file of certificate authorities, instead of the system's.
    pub(crate) root_certificates: Option<PathBuf>,
    /// `max_conns`.
    pub(crate) max_connections: Option<usize>,
}

/// `sslmode` with the meaning that libpq gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TlsMode {
    /// Never.
    Disable,
    /// If the server offers it, without looking at its certificate.
    Prefer,
    /// Always, without looking at its certificate.
    Require,
    /// Always, with a certificate from a known authority.
    VerifyCa,
    /// Always, with a certificate from a known authority for this very name.
    VerifyFull,
}

/// The options that the server's driver reads. All others (the pool's of other products, for instance) are left out.
const DRIVER_OPTIONS: [&str; 17] = [
    "user",
    "password",
    "dbname",
    "host",
    "hostaddr",
    "port",
    "options",
    "application_name",
    "connect_timeout",
    "tcp_user_timeout",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_retries",
    "target_session_attrs",
    "channel_binding",
    "load_balance_hosts",
];

impl Dsn {
    /// Reads a name: `memory`, `sqlite://PATH?...`, `sqlite:PATH`, `postgres://...`, `postgresql://...`.
    pub(crate) fn parse(text: &str) -> Result<Self, StoreError> {
        if text == "memory" {
            return Ok(Self::Memory);
        }
        let (scheme, rest) = text.split_once(':').ok_or_else(|| unsupported("no scheme"))?;
        match scheme {
            "sqlite" | "sqlite3" => sqlite(rest),
            "postgres" | "postgresql" => postgres(scheme, rest).map(Self::Postgres),
            other => Err(unsupported(&format!("scheme {other:?}"))),
        }
    }
}

fn unsupported(what: &str) -> StoreError {
    StoreError::Unsupported(format!(
        "data source name with {what}: use \"memory\", \"sqlite://PATH\" or \"postgres://USER:PASSWORD@HOST/DATABASE\""
    ))
}

fn sqlite(rest: &str) -> Result<Dsn, StoreError> {
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let path = path.strip_prefix("file:").unwrap_or(path);
    if path == ":memory:" || query.split('&').any(|option| option == "mode=memory") {
        return Ok(Dsn::Memory);
    }
    if path.is_empty() || path.contains('\0') {
        return Err(unsupported("no path"));
    }
    Ok(Dsn::File(PathBuf::from(path)))
}

fn postgres(scheme: &str, rest: &str) -> Result<PostgresDsn, StoreError> {
    let (base, query) = rest.split_once('?').unwrap_or((rest, ""));
    let mut out =
        PostgresDsn { url: format!("{scheme}:{base}"), tls: TlsMode::Prefer, root_certificates: None, max_connections: None };
    let mut separator = '?';
    for option in query.split('&').filter(|o| !o.is_empty()) {
        let (key, value) = option.split_once('=').unwrap_or((option, ""));
        match key {
            "sslmode" => out.tls = tls_mode(value)?,
            "sslrootcert" => out.root_certificates = Some(PathBuf::from(percent_decoded(value))),
            "max_conns" => out.max_connections = value.parse().ok().filter(|n| *n > 0),
            _ if DRIVER_OPTIONS.contains(&key) => {
                out.url.push(separator);
                out.url.push_str(option);
                separator = '&';
            }
            _ => {}
        }
    }
    Ok(out)
}

fn tls_mode(word: &str) -> Result<TlsMode, StoreError> {
    Ok(match word {
        "disable" => TlsMode::Disable,
        "allow" | "prefer" => TlsMode::Prefer,
        "require" => TlsMode::Require,
        "verify-ca" => TlsMode::VerifyCa,
        "verify-full" => TlsMode::VerifyFull,
        other => return Err(StoreError::Unsupported(format!("sslmode {other:?}"))),
    })
}

fn percent_decoded(text: &str) -> String {
    let as_pair = format!("v={}", text.replace('+', "%2B"));
    url::form_urlencoded::parse(as_pair.as_bytes()).next().map_or_else(String::new, |(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str) -> Option<Dsn> {
        Some(Dsn::File(path.into()))
    }

    #[test]
    fn names_of_files() {
        for (text, wanted) in [
            ("memory", Some(Dsn::Memory)),
            ("sqlite://:memory:?_fk=true", Some(Dsn::Memory)),
            ("sqlite://file::memory:?cache=shared", Some(Dsn::Memory)),
            ("sqlite:///var/lib/db.sqlite?_fk=true&max_conns=1", file("/var/lib/db.sqlite")),
            ("sqlite://db.sqlite", file("db.sqlite")),
            ("sqlite:/tmp/db.sqlite", file("/tmp/db.sqlite")),
            ("sqlite://", None),
            ("mysql://root@localhost/x", None),
            ("cockroach://root@localhost/x", None),
            ("/tmp/db.sqlite", None),
            ("", None),
        ] {
            assert!(Dsn::parse(text).ok() == wanted, "{text}");
        }
    }

    #[test]
    fn names_of_servers() {
        let Ok(Dsn::Postgres(dsn)) = Dsn::parse(
            "postgres://u:p%40w@h:5/d?max_conn_lifetime=1h&sslmode=verify-full&connect_timeout=3&max_conns=20&sslrootcert=/a%20b.pem&options=-cx",
        ) else {
            panic!("not read");
        };
        assert_eq!(dsn.url, "postgres://u:p%40w@h:5/d?connect_timeout=3&options=-cx");
        assert_eq!((dsn.tls, dsn.max_connections), (TlsMode::VerifyFull, Some(20)));
        assert_eq!(dsn.root_certificates, Some("/a b.pem".into()));
        assert!(Dsn::parse("postgres://h/d?sslmode=sometimes").is_err());
    }

    #[test]
    fn errors_do_not_show_the_name() {
        let error = Dsn::parse("mysql://root:s3cret@localhost/x").err().map(|e| e.to_string()).unwrap_or_default();
        assert!(error.contains("mysql") && !error.contains("s3cret"), "{error}");
    }
}
