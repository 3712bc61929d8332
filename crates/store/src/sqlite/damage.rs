//! Looking for damage in a database file.
//!
//! This reads the whole file, so servers do not do it at their start: SQLite notices damage where it meets it, and what it
//! notices is [`StoreError::Corrupt`].

use std::path::Path;

use rusqlite::Connection;

use super::backup;
use super::connection::failure;
use crate::dsn::Dsn;
use crate::failure::StoreError;

/// The most findings that are told.
const MOST: u32 = 100;

/// How closely a file is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Every page, but not whether indexes agree with their tables.
    Quick,
    /// Indexes, and whether rows belong to rows that exist, too.
    Full,
}

/// Looks for damage in the SQLite file of a data source name: what was found, in SQLite's words, which name tables and
/// pages but no values. Nothing found: it is sound. Servers may go on using it. Blocks while all of it is read.
///
/// # Errors
/// If there is no such file, it is no database at all, or the database is of another kind (`Unsupported`).
pub fn check(dsn: &str, depth: Depth) -> Result<Vec<String>, StoreError> {
    match Dsn::parse(dsn)? {
        Dsn::File(path) => check_file(&path, depth),
        Dsn::Memory => Err(StoreError::Unsupported("looking at a database in memory from outside its process".into())),
        Dsn::Postgres(_) => Err(StoreError::Unsupported("looking for damage in PostgreSQL: use pg_amcheck".into())),
    }
}

pub(super) fn check_file(path: &Path, depth: Depth) -> Result<Vec<String>, StoreError> {
    let connection = backup::open(path)?;
    let pragma = match depth {
        Depth::Quick => "quick_check",
        Depth::Full => "integrity_check",
    };
    let mut found = texts(&connection, &format!("PRAGMA {pragma}({MOST})"))?;
    found.retain(|text| text != "ok");
    if depth == Depth::Full && found.is_empty() {
        let orphans = texts(&connection, "PRAGMA foreign_key_check")?;
        found.extend(orphans.into_iter().map(|table| format!("a row of {table} belongs to a row that does not exist")));
        found.dedup();
    }
    Ok(found)
}

/// The first column of what a statement gives.
fn texts(connection: &Connection, sql: &str) -> Result<Vec<String>, StoreError> {
    let mut statement = connection.prepare(sql).map_err(failure)?;
    let rows = statement.query_map([], |row| row.get(0)).map_err(failure)?;
    rows.collect::<Result<_, _>>().map_err(failure)
}
