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
    /// Indexes, whether rows belong to rows that exist, and whether the tables of names hold what stands with their owners, too.
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
        found.extend(names(&connection)?);
    }
    Ok(found)
}

/// The tables of names: table, columns; where its owners are, the column with their lists, and what its members call for.
const NAMES: [[&str; 5]; 3] = [
    ["credential_identifiers", "kind, identifier, identity_id", "credentials", "identifiers", "o.kind, m.value, o.identity_id"],
    ["verifiable_addresses", "via, value, identity_id", "identities", "verifiable_addresses", ADDRESS],
    ["recovery_addresses", "via, value, identity_id", "identities", "recovery_addresses", ADDRESS],
];
const ADDRESS: &str = "m.value ->> 'via', m.value ->> 'value', o.id";

/// Where the tables of names differ from their owners' rows.
fn names(connection: &Connection) -> Result<Vec<String>, StoreError> {
    let mut found = Vec::new();
    for [table, columns, owners, list, members] in NAMES {
        if texts(connection, &format!("SELECT name FROM sqlite_master WHERE type = 'table' AND name = '{table}'"))?.is_empty() {
            continue;
        }
        let rows = format!("SELECT {columns} FROM {table}");
        // A list that is no JSON any more calls for nothing.
        let wanted =
            format!("SELECT {members} FROM {owners} o, json_each(CASE WHEN json_valid(o.{list}) THEN o.{list} ELSE '[]' END) m");
        for (one, other, what) in
            [(&rows, &wanted, "a row that its owner does not call for"), (&wanted, &rows, "no row for what its owner calls for")]
        {
            let count: i64 = connection
                .query_row(&format!("SELECT count(*) FROM ({one} EXCEPT {other})"), [], |row| row.get(0))
                .map_err(failure)?;
            if count > 0 {
                found.push(format!("{table} has {what}: {count} times"));
            }
        }
    }
    Ok(found)
}

/// The first column of what a statement gives.
fn texts(connection: &Connection, sql: &str) -> Result<Vec<String>, StoreError> {
    let mut statement = connection.prepare(sql).map_err(failure)?;
    let rows = statement.query_map([], |row| row.get(0)).map_err(failure)?;
    rows.collect::<Result<_, _>>().map_err(failure)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Kind;

    #[test]
    fn tables_of_names_are_held_against_their_owners() {
        let connection = Connection::open_in_memory().expect("a database");
        assert_eq!(names(&connection), Ok(vec![]), "there are no tables yet");
        let tables = include_str!("../migrations/0001_identities.up.sql");
        connection.execute_batch(&Kind::Sqlite.translate(tables)).expect("tables");
        connection
            .execute_batch(
                r#"
                INSERT INTO identities VALUES (x'01', 'default', '{}', 'active', 0, NULL, NULL, NULL, NULL,
                    '[{"via":"email","value":"a"},{"via":"sms","value":"a"},{"via":"email","value":"a"}]',
                    '[{"via":"email","value":"a"}]', '{}', 1, 1, 0, 0);
                INSERT INTO credentials VALUES (x'01', 'password', x'02', '["a","b"]', '{}', 1, 0, 0);
                INSERT INTO credentials VALUES (x'01', 'totp', x'03', '[]', '{}', 1, 0, 0);
                INSERT INTO credential_identifiers VALUES ('password', 'a', x'01'), ('password', 'b', x'01');
                INSERT INTO verifiable_addresses VALUES ('email', 'a', x'04', x'01'), ('sms', 'a', x'05', x'01');
                INSERT INTO recovery_addresses VALUES ('email', 'a', x'06', x'01');
                "#,
            )
            .expect("a person");
        assert_eq!(names(&connection), Ok(vec![]));
        let surplus = |table| format!("{table} has a row that its owner does not call for: 1 times");
        let lacking = |table| format!("{table} has no row for what its owner calls for: 1 times");
        for (harm, told) in [
            ("DELETE FROM credential_identifiers WHERE identifier = 'a'", vec![lacking("credential_identifiers")]),
            ("UPDATE credential_identifiers SET kind = 'code' WHERE identifier = 'b'", {
                vec![surplus("credential_identifiers"), lacking("credential_identifiers")]
            }),
            ("INSERT INTO credential_identifiers VALUES ('oidc', 'x', x'09')", vec![surplus("credential_identifiers")]),
            ("UPDATE verifiable_addresses SET identity_id = x'07' WHERE via = 'sms'", {
                vec![surplus("verifiable_addresses"), lacking("verifiable_addresses")]
            }),
            ("DELETE FROM recovery_addresses", vec![lacking("recovery_addresses")]),
            ("UPDATE identities SET recovery_addresses = '['", vec![surplus("recovery_addresses")]),
        ] {
            connection.execute_batch(&format!("SAVEPOINT harm; {harm}")).expect(harm);
            assert_eq!(names(&connection), Ok(told), "{harm}");
            connection.execute_batch("ROLLBACK TO harm; RELEASE harm").expect("undone");
        }
    }
}
