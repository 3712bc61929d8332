//! What PostgreSQL's errors mean. The server's details quote values, so they are left out; codes and names stay.

use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use crate::failure::{Constraint, OWNER_GONE, StoreError};

/// An error, and what is to be done about it.
#[derive(Debug)]
pub(super) struct Trouble {
    pub(super) error: StoreError,
    /// Whether trying again can help and cannot do anything twice.
    pub(super) again: bool,
    /// Whether a transaction may still be open.
    pub(super) open: bool,
    /// Whether the prepared statements are older than the tables.
    pub(super) stale_plan: bool,
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self { error, again: false, open: false, stale_plan: false }
    }
}

impl Trouble {
    /// It came up inside a transaction.
    pub(super) fn inside(mut self) -> Self {
        self.open = true;
        self
    }

    /// It came up while `COMMIT` was under way: unless the server itself said no, nobody knows what happened.
    pub(super) fn while_committing(mut self) -> Self {
        if matches!(self.error, StoreError::Unavailable(_)) {
            self.again = false;
            self.error = StoreError::Unavailable("the connection was lost during a commit; its outcome is not known".into());
        }
        self.inside()
    }
}

/// What an error means, as long as nothing was committed.
pub(super) fn trouble(error: &Error) -> Trouble {
    let Some(answer) = error.as_db_error() else {
        let (store_error, again) = match Fault::of(error) {
            Fault::Lost => (StoreError::Unavailable(error.to_string()), true),
            Fault::Unreached => (StoreError::Unavailable(with_source(error)), false),
            Fault::Ours => (StoreError::Corrupt(error.to_string()), false),
        };
        return Trouble { error: store_error, again, open: true, stale_plan: false };
    };
    let code = answer.code();
    let coded = |what: &str| format!("{what} ({})", code.code());
    let (store_error, again) = match code {
        &SqlState::UNIQUE_VIOLATION => (StoreError::Unique(Constraint::named(answer.constraint().unwrap_or_default())), false),
        &SqlState::FOREIGN_KEY_VIOLATION => (OWNER_GONE, false),
        &SqlState::T_R_SERIALIZATION_FAILURE | &SqlState::T_R_DEADLOCK_DETECTED => (StoreError::Busy, true),
        &SqlState::DISK_FULL => (StoreError::Full, false),
        &SqlState::TOO_MANY_CONNECTIONS
        | &SqlState::OUT_OF_MEMORY
        | &SqlState::LOCK_NOT_AVAILABLE
        | &SqlState::QUERY_CANCELED => (StoreError::Busy, false),
        &SqlState::FEATURE_NOT_SUPPORTED if answer.message().contains("cached plan") => {
            return Trouble { error: StoreError::Busy, again: true, open: true, stale_plan: true };
        }
        &SqlState::READ_ONLY_SQL_TRANSACTION => (StoreError::Unavailable("the server only reads".into()), false),
        &SqlState::ADMIN_SHUTDOWN | &SqlState::CRASH_SHUTDOWN | &SqlState::CANNOT_CONNECT_NOW => {
            (StoreError::Unavailable(coded("the server is stopping or starting")), true)
        }
        &SqlState::UNDEFINED_TABLE | &SqlState::UNDEFINED_COLUMN => {
            (StoreError::Unavailable(coded("tables are missing: were the migrations run?")), false)
        }
        _ if code.code().starts_with("28") || code.code().starts_with("3D") => {
            (StoreError::Unavailable(coded("the server refuses the user, the password or the database")), false)
        }
        _ if code.code().starts_with("08") => (StoreError::Unavailable(coded("the connection failed")), true),
        _ => {
            let place = answer.constraint().or(answer.column()).or(answer.table()).unwrap_or("a statement");
            (StoreError::Corrupt(coded(&format!("the server refused {place}"))), false)
        }
    };
    Trouble { error: store_error, again, open: true, stale_plan: false }
}

/// Kinds of errors that do not come from the server.
enum Fault {
    /// The connection broke.
    Lost,
    /// There never was a connection.
    Unreached,
    /// A mistake of this crate, or an answer that makes no sense.
    Ours,
}

impl Fault {
    /// The driver keeps its kinds of errors to itself; its texts for them are fixed.
    fn of(error: &Error) -> Self {
        let text = error.to_string();
        let begins = |words: &[&str]| words.iter().any(|w| text.starts_with(w));
        if error.is_closed() || begins(&["error communicating with the server"]) {
            Self::Lost
        } else if begins(&["error connecting", "error performing TLS", "authentication error", "invalid con", "timeout waiting"])
        {
            Self::Unreached
        } else {
            Self::Ours
        }
    }
}

/// Why the server was not reached: the text below the driver's own.
fn with_source(error: &Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
