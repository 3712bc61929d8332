//! The only place with SQL. Reads are functions that run at once; changes are values that are committed together.
//!
//! A caller reads, decides, collects everything that it wants to change in one [`Changes`], and hands it to
//! [`Store::commit`], which does all of it or nothing. A failed guard is [`StoreError::Conflict`], a taken unique value is
//! [`StoreError::Unique`] with the name of the [`Constraint`]: both mean "read again and decide again".
//!
//! Invariants: no other code runs inside a transaction, no read snapshot is open across an `.await`, and every rule that
//! must hold under concurrency (a counter, a one-time thing, a unique name) is a guard in a statement, on both databases.

mod changes;
pub mod codes;
pub mod credentials;
mod dialect;
mod dsn;
pub mod errors;
mod failure;
pub mod flows;
pub mod guesses;
pub mod hook_calls;
pub mod identities;
pub mod jobs;
pub mod kratos;
mod lease;
pub mod migrations;
pub mod outbox;
pub mod parked;
mod postgres;
pub mod sessions;
mod sqlite;
mod store;
mod value;

pub use changes::{Changes, Committed, Durability, Expect};
pub use failure::{Constraint, StoreError};
pub use migrations::MigrationStatus;
pub use sqlite::backup::{BackupError, backup};
pub use sqlite::damage::{Depth, check};
pub use store::{OpenOptions, Stats, Store};
pub use value::{Row, Value};
