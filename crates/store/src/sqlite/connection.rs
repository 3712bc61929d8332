//! Opening connections, running statements on them, and what SQLite's errors mean.

use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, Error, ErrorCode, OpenFlags, Statement, ToSql, ffi};

use crate::dialect::Dialect;
use crate::failure::{Constraint, OWNER_GONE, StoreError};
use crate::value::{Row, Value};

/// Where a database is, and how it is to be treated.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) path: PathBuf,
    /// False for a private database: nothing of it has to reach the disk.
    pub(super) lasting: bool,
    pub(super) busy_timeout: Duration,
}

/// What a writing connection may keep in memory, in KiB.
pub(super) const WRITER_CACHE: i64 = 4096;
/// The same while large groups are written: enough for the pages that two thousand identities touch in no order.
pub(super) const BULK_CACHE: i64 = 32 << 10;
/// What a reading connection may keep in memory, in KiB. There is one connection for each core.
const READER_CACHE: i64 = 256;
/// The log is cut back to this size when it starts over, in bytes.
const LOG_KEPT: i64 = 8 << 20;

impl Place {
    /// Makes the file if it is missing. SQLite gives its log the rights of the file, so it is for this user only.
    ///
    /// A file that is there must not even be opened: closing it again would end all locks that this process has on it, the
    /// ones of SQLite too, and another program that opened the file would take itself for the only one and remove the log.
    fn make(&self) -> Result<(), StoreError> {
        match std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&self.path) {
            Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => {
                Err(StoreError::Unavailable(format!("the database file cannot be made: {e}")))
            }
            _ => Ok(()),
        }
    }

    /// A connection that writes: of the writer and the checkpointer.
    pub(super) fn open_writing(&self) -> Result<Connection, StoreError> {
        self.make()?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags).map_err(failure)?;
        connection.busy_timeout(self.busy_timeout).map_err(failure)?;
        // Decided when a file is made: it can give room back in small steps. It must come before the log is chosen.
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL").map_err(failure)?;
        let mode: String = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0)).map_err(failure)?;
        if !mode.eq_ignore_ascii_case("wal") {
            return Err(StoreError::Unsupported("a write-ahead log: is the database on a network file system?".into()));
        }
        let synchronous = if self.lasting { "FULL" } else { "OFF" };
        connection.pragma_update(None, "synchronous", synchronous).map_err(failure)?;
        connection.pragma_update(None, "wal_autocheckpoint", 0).map_err(failure)?;
        connection.pragma_update(None, "journal_size_limit", LOG_KEPT).map_err(failure)?;
        connection.pragma_update(None, "foreign_keys", true).map_err(failure)?;
        connection.pragma_update(None, "temp_store", "MEMORY").map_err(failure)?;
        connection.pragma_update(None, "cache_size", -WRITER_CACHE).map_err(failure)?;
        keep_plans(&connection)?;
        connection.set_prepared_statement_cache_capacity(128);
        Ok(connection)
    }

    /// A connection that only reads and maps up to `map` bytes of the file into memory.
    pub(super) fn open_reading(&self, map: i64) -> Result<Connection, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags).map_err(failure)?;
        connection.busy_timeout(self.busy_timeout).map_err(failure)?;
        connection.pragma_update(None, "query_only", true).map_err(failure)?;
        connection.pragma_update(None, "temp_store", "MEMORY").map_err(failure)?;
        connection.pragma_update(None, "cache_size", -READER_CACHE).map_err(failure)?;
        connection.pragma_update_and_check(None, "mmap_size", map, |_| Ok(())).map_err(failure)?;
        keep_plans(&connection)?;
        connection.set_prepared_statement_cache_capacity(48);
        Ok(connection)
    }
}

/// Makes plans independent of the values that are bound. Otherwise SQLite, which is built with statistics here, prepares a
/// cached statement anew for every value that might have mattered to the plan: several times the work of the read itself.
fn keep_plans(connection: &Connection) -> Result<(), StoreError> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(drop).map_err(failure)
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(value) => ValueRef::Integer(*value),
            Self::Text(value) => ValueRef::Text(value.as_bytes()),
            Self::Bytes(value) => ValueRef::Blob(value),
            Self::Uuid(value) => ValueRef::Blob(value.as_bytes()),
        }))
    }
}

/// Sets the arguments of a statement.
pub(super) fn bind<'a>(statement: &mut Statement<'_>, args: impl IntoIterator<Item = &'a Value>) -> rusqlite::Result<()> {
    args.into_iter().enumerate().try_for_each(|(place, arg)| statement.raw_bind_parameter(place + 1, arg))
}

/// Runs a statement that gives rows.
pub(super) fn query(connection: &Connection, sql: &str, args: &[Value]) -> rusqlite::Result<Vec<Row>> {
    rows_of(&mut *connection.prepare_cached(sql)?, args)
}

/// The statements of a group of changes. Each is looked up once: its text is longer than most of what it writes, and reading
/// that again and again would be a good part of an import's work.
pub(super) struct Statements<'c> {
    connection: &'c Connection,
    dialect: &'c Dialect,
    /// By the place of the text. There are few, so they are looked through.
    ready: Vec<(&'static str, CachedStatement<'c>)>,
}

impl<'c> Statements<'c> {
    pub(super) fn new(connection: &'c Connection, dialect: &'c Dialect) -> Self {
        Self { connection, dialect, ready: Vec::new() }
    }

    fn of(&mut self, sql: &'static str) -> rusqlite::Result<&mut Statement<'c>> {
        let known = self.ready.iter().position(|(text, _)| std::ptr::eq(*text, sql));
        let place = match known {
            Some(place) => place,
            None => {
                self.ready.push((sql, self.connection.prepare_cached(&self.dialect.text(sql))?));
                self.ready.len() - 1
            }
        };
        Ok(&mut self.ready[place].1)
    }

    /// Runs one that gives no rows, and tells how many it touched.
    pub(super) fn execute(&mut self, sql: &'static str, args: &[Value]) -> rusqlite::Result<u64> {
        let statement = self.of(sql)?;
        bind(statement, args)?;
        Ok(u64::try_from(statement.raw_execute()?).unwrap_or(u64::MAX))
    }

    /// Runs one that gives rows.
    pub(super) fn query(&mut self, sql: &'static str, args: &[Value]) -> rusqlite::Result<Vec<Row>> {
        rows_of(self.of(sql)?, args)
    }
}

fn rows_of(statement: &mut Statement<'_>, args: &[Value]) -> rusqlite::Result<Vec<Row>> {
    bind(statement, args)?;
    let columns = statement.column_count();
    let mut rows = statement.raw_query();
    let mut out = Vec::new();
    while let Some(row) = rows.next()? {
        let mut values = Vec::with_capacity(columns);
        for column in 0..columns {
            values.push(match row.get_ref(column)? {
                ValueRef::Null => Value::Null,
                ValueRef::Integer(value) => Value::Int(value),
                ValueRef::Text(value) => text(column, value)?.into(),
                ValueRef::Blob(value) => Value::Bytes(value.to_vec()),
                ValueRef::Real(_) => return Err(Error::InvalidColumnType(column, String::new(), rusqlite::types::Type::Real)),
            });
        }
        out.push(Row::new(values));
    }
    Ok(out)
}

fn text(column: usize, bytes: &[u8]) -> rusqlite::Result<String> {
    std::str::from_utf8(bytes).map(str::to_owned).map_err(|e| Error::Utf8Error(column, e))
}

/// What an error means. SQLite's own texts name tables and columns but never values.
pub(crate) fn failure(error: Error) -> StoreError {
    let Error::SqliteFailure(code, message) = &error else {
        return StoreError::Corrupt(error.to_string());
    };
    let text = || message.clone().unwrap_or_else(|| code.to_string());
    match code.code {
        ErrorCode::ConstraintViolation => match code.extended_code {
            ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID => {
                let text = text();
                let columns = text.rsplit_once(": ").map_or(text.as_str(), |(_, columns)| columns);
                StoreError::Unique(Constraint::named(columns))
            }
            ffi::SQLITE_CONSTRAINT_FOREIGNKEY => OWNER_GONE,
            _ => StoreError::Corrupt(text()),
        },
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => StoreError::Busy,
        ErrorCode::DiskFull => StoreError::Full,
        // The index of the log could not grow, which is said in another way.
        ErrorCode::SystemIoFailure if code.extended_code == ffi::SQLITE_IOERR_SHMSIZE => StoreError::Full,
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::TypeMismatch | ErrorCode::TooBig => {
            StoreError::Corrupt(text())
        }
        _ => StoreError::Unavailable(text()),
    }
}
