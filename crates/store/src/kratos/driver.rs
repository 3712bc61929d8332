//! Connections that only read, of both databases. Everything comes back as text.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use deadpool_postgres::Pool;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use tokio_postgres::{IsolationLevel, SimpleQueryMessage};

use crate::dsn::Dsn;
use crate::failure::StoreError;
use crate::{postgres, sqlite};

/// A row: a text or nothing for each column.
pub(super) type RawRow = Vec<Option<String>>;

/// How long to wait for a file that others hold, or for a connection.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) enum Driver {
    Sqlite(Arc<Mutex<Connection>>),
    Postgres(Pool),
}

impl std::fmt::Debug for Driver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Sqlite(_) => "SQLite",
            Self::Postgres(_) => "PostgreSQL",
        })
    }
}

impl Driver {
    pub(super) async fn open(dsn: &str) -> Result<Self, StoreError> {
        match Dsn::parse(dsn)? {
            Dsn::Memory => Err(StoreError::Unsupported("a database in the memory of another process".into())),
            Dsn::File(path) => {
                let opened = tokio::task::spawn_blocking(move || open_file(&path)).await;
                let connection = opened.map_err(|_| StoreError::Unavailable("opening was broken off".into()))??;
                Ok(Self::Sqlite(Arc::new(Mutex::new(connection))))
            }
            Dsn::Postgres(dsn) => {
                let pool = postgres::pool(&dsn, 1, PATIENCE)?;
                let driver = Self::Postgres(pool);
                driver.read(&["SELECT '1'".to_owned()]).await?;
                Ok(driver)
            }
        }
    }

    /// The names of a table's columns; none if there is no such table.
    pub(super) async fn columns(&self, table: &str) -> Result<Vec<String>, StoreError> {
        let query = match self {
            Self::Sqlite(_) => format!("SELECT name FROM pragma_table_info('{table}')"),
            Self::Postgres(_) => format!(
                "SELECT CAST(attname AS TEXT) FROM pg_attribute WHERE attrelid = to_regclass('{table}') AND attnum > 0 \
                 AND NOT attisdropped"
            ),
        };
        Ok(self.read(&[query]).await?.into_iter().flatten().flatten().flatten().collect())
    }

    /// Runs queries whose columns are texts, on one snapshot.
    pub(super) async fn read(&self, queries: &[String]) -> Result<Vec<Vec<RawRow>>, StoreError> {
        match self {
            Self::Sqlite(connection) => {
                let (connection, queries) = (Arc::clone(connection), queries.to_vec());
                let read = tokio::task::spawn_blocking(move || {
                    let mut connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
                    read_file(&mut connection, &queries)
                });
                read.await.map_err(|_| StoreError::Unavailable("a read was broken off".into()))?
            }
            Self::Postgres(pool) => {
                let mut client = pool.get().await.map_err(|e| StoreError::Unavailable(e.to_string()))?;
                let transaction = client
                    .build_transaction()
                    .isolation_level(IsolationLevel::RepeatableRead)
                    .read_only(true)
                    .start()
                    .await
                    .map_err(|e| postgres::failure(&e))?;
                let mut out = Vec::with_capacity(queries.len());
                for query in queries {
                    let messages = transaction.simple_query(query).await.map_err(|e| postgres::failure(&e))?;
                    let rows = messages.into_iter().filter_map(|message| match message {
                        SimpleQueryMessage::Row(row) => {
                            Some((0..row.len()).map(|column| row.get(column).map(str::to_owned)).collect())
                        }
                        _ => None,
                    });
                    out.push(rows.collect());
                }
                transaction.commit().await.map_err(|e| postgres::failure(&e))?;
                Ok(out)
            }
        }
    }
}

fn open_file(path: &Path) -> Result<Connection, StoreError> {
    if !path.exists() {
        return Err(StoreError::Unavailable(format!("there is no file {}", path.display())));
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(sqlite::failure)?;
    connection.busy_timeout(PATIENCE).map_err(sqlite::failure)?;
    connection.pragma_update(None, "query_only", true).map_err(sqlite::failure)?;
    connection.pragma_update(None, "temp_store", "MEMORY").map_err(sqlite::failure)?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(connection)
}

fn read_file(connection: &mut Connection, queries: &[String]) -> Result<Vec<Vec<RawRow>>, StoreError> {
    let transaction = connection.transaction().map_err(sqlite::failure)?;
    let mut out = Vec::with_capacity(queries.len());
    for query in queries {
        let mut statement = transaction.prepare(query).map_err(sqlite::failure)?;
        let columns = statement.column_count();
        let mut rows = statement.raw_query();
        let mut found = Vec::new();
        while let Some(row) = rows.next().map_err(sqlite::failure)? {
            let value = |column| {
                Ok(match row.get_ref(column).map_err(sqlite::failure)? {
                    ValueRef::Null => None,
                    ValueRef::Integer(number) => Some(number.to_string()),
                    ValueRef::Real(number) => Some(number.to_string()),
                    ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
                })
            };
            found.push((0..columns).map(value).collect::<Result<RawRow, StoreError>>()?);
        }
        out.push(found);
    }
    Ok(out)
}
