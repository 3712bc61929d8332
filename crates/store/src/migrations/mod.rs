//! The tables, as a list of steps that go up and down.
//!
//! A migration is written once for both databases, with words in braces for the types that differ. Each runs in a
//! transaction of its own, under a lock, and is recorded in `schema_migrations` by it. Invariant: a release only adds
//! (expand); what the release before still reads is dropped one release later (contract), so that two releases can
//! share a database while one replaces the other.

use crate::dialect::{Kind, Query};
use crate::failure::StoreError;
use crate::store::Store;
use crate::value::Value;

/// A migration, and whether the database has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationStatus {
    /// Its place in the order.
    pub version: i64,
    /// What it is about.
    pub name: String,
    /// Whether the database has it.
    pub applied: bool,
}

struct Migration {
    version: i64,
    name: &'static str,
    up: &'static str,
    down: &'static str,
}

/// All migrations, oldest first.
const ALL: [Migration; 4] = [
    Migration {
        version: 1,
        name: "identities",
        up: include_str!("0001_identities.up.sql"),
        down: include_str!("0001_identities.down.sql"),
    },
    Migration {
        version: 2,
        name: "sessions_and_flows",
        up: include_str!("0002_sessions_and_flows.up.sql"),
        down: include_str!("0002_sessions_and_flows.down.sql"),
    },
    Migration { version: 3, name: "outbox", up: include_str!("0003_outbox.up.sql"), down: include_str!("0003_outbox.down.sql") },
    Migration {
        version: 4,
        name: "hook_calls",
        up: include_str!("0004_hook_calls.up.sql"),
        down: include_str!("0004_hook_calls.down.sql"),
    },
];

/// One migration in one direction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) version: i64,
    name: &'static str,
    pub(crate) up: bool,
    pub(crate) script: &'static str,
}

impl Step {
    /// Makes the table that records migrations.
    pub(crate) const TABLE: &'static str =
        "CREATE TABLE IF NOT EXISTS schema_migrations (version {int} NOT NULL PRIMARY KEY, name TEXT NOT NULL) {strict}";
    /// Gives a row if a version is applied.
    pub(crate) const APPLIED: &'static str = "SELECT version FROM schema_migrations WHERE version = $1";

    fn up(of: &Migration) -> Self {
        Self { version: of.version, name: of.name, up: true, script: of.up }
    }

    fn down(of: &Migration) -> Self {
        Self { version: of.version, name: of.name, up: false, script: of.down }
    }

    /// The statement that records it.
    pub(crate) fn record(&self) -> &'static str {
        if self.up {
            "INSERT INTO schema_migrations (version, name) VALUES ($1, $2)"
        } else {
            "DELETE FROM schema_migrations WHERE version = $1 AND name = $2"
        }
    }

    pub(crate) fn record_args(&self) -> Vec<Value> {
        vec![self.version.into(), self.name.into()]
    }
}

/// Applies what the database has not; gives the number of migrations applied.
pub(crate) async fn migrate(store: &Store) -> Result<usize, StoreError> {
    if !exists(store, "schema_migrations").await? && exists(store, "identities").await? {
        return Err(StoreError::Unsupported("this database holds the tables of another program: give Portcullis its own".into()));
    }
    let mut done = 0;
    for migration in &ALL {
        if store.take_step(&Step::up(migration)).await? {
            tracing::info!(version = migration.version, name = migration.name, "migration applied");
            done += 1;
        }
    }
    Ok(done)
}

/// Takes the latest `steps` migrations back, with the data that they made room for; gives the number taken back.
pub(crate) async fn rollback(store: &Store, steps: usize) -> Result<usize, StoreError> {
    let applied = applied(store).await?;
    let mut done = 0;
    for migration in ALL.iter().rev().filter(|m| applied.contains(&m.version)).take(steps) {
        if store.take_step(&Step::down(migration)).await? {
            tracing::info!(version = migration.version, name = migration.name, "migration taken back");
            done += 1;
        }
    }
    Ok(done)
}

/// All migrations, oldest first.
pub(crate) async fn status(store: &Store) -> Result<Vec<MigrationStatus>, StoreError> {
    let applied = applied(store).await?;
    let one = |m: &Migration| MigrationStatus { version: m.version, name: m.name.into(), applied: applied.contains(&m.version) };
    Ok(ALL.iter().map(one).collect())
}

async fn applied(store: &Store) -> Result<Vec<i64>, StoreError> {
    if !exists(store, "schema_migrations").await? {
        return Ok(Vec::new());
    }
    let rows = store.read_one(Query::new("SELECT version FROM schema_migrations ORDER BY version", vec![])).await?;
    rows.into_iter().map(|mut row| row.int()).collect()
}

async fn exists(store: &Store, table: &str) -> Result<bool, StoreError> {
    let sql = match store.kind() {
        Kind::Sqlite => "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = $1",
        Kind::Postgres => "SELECT 1 WHERE to_regclass($1) IS NOT NULL",
    };
    Ok(!store.read_one(Query::new(sql, vec![table.into()])).await?.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_rise_by_one_and_go_both_ways() {
        for (place, migration) in ALL.iter().enumerate() {
            assert_eq!(migration.version, place as i64 + 1);
            assert!(!migration.up.trim().is_empty() && !migration.down.trim().is_empty());
        }
    }

    #[test]
    fn every_word_in_braces_is_known() {
        for migration in &ALL {
            for kind in [Kind::Sqlite, Kind::Postgres] {
                let text = kind.translate(migration.up);
                assert!(!text.contains(['{', '}']), "{}", migration.name);
            }
        }
    }
}
