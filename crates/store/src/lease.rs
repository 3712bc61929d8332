//! Rows that workers take up when they are due: messages, and calls of hooks.
//!
//! A worker claims rows for a while (a lease); what is neither done nor given back by then is taken up again by any worker.
//! Invariant: at one time a row is one worker's, on both databases. The tables have the columns `id`, `status`
//! (`processing` while somebody has the row), `worker`, `due_at`, `send_count` and `updated_at`.

use std::time::Duration;

use portcullis_model::time::Timestamp;
use uuid::Uuid;

use crate::changes::{Changes, Durability, Expect};
use crate::dialect::Query;
use crate::failure::StoreError;
use crate::store::Store;
use crate::value::Row;

/// What claiming rows of one table takes.
pub(crate) struct Lease {
    /// Asks whether anything is due.
    pub(crate) due: &'static str,
    /// Takes what is due.
    pub(crate) claim: &'static str,
}

/// The [`Lease`] of a table that gives these columns.
macro_rules! lease {
    ($table:literal, $columns:expr) => {
        $crate::lease::Lease {
            due: concat!("SELECT 1 FROM ", $table, " WHERE due_at <= $1 LIMIT 1"),
            claim: concat!(
                "WITH due AS MATERIALIZED (SELECT id FROM ",
                $table,
                " WHERE due_at <= $3 ORDER BY due_at, id LIMIT $4 {skip_locked}) UPDATE ",
                $table,
                " SET status = 'processing', worker = $1, due_at = $2, send_count = send_count + 1, updated_at = $3 \
                 WHERE id IN (SELECT id FROM due) RETURNING ",
                $columns
            ),
        }
    };
}
pub(crate) use lease;

/// What giving a row of a table back takes, as if it had not been claimed.
macro_rules! given_back {
    ($table:literal) => {
        concat!(
            "UPDATE ",
            $table,
            " SET status = 'queued', worker = NULL, due_at = $1, send_count = send_count - 1 \
             WHERE id = $2 AND worker = $3 AND status = 'processing'"
        )
    };
}
pub(crate) use given_back;

/// Takes up to `limit` rows that are due, oldest first, for a worker until `now` plus `lease`: those that wait, and those
/// whose worker's lease is over. The rows come in any order.
pub(crate) async fn claim(
    store: &Store,
    of: &Lease,
    worker: Uuid,
    now: Timestamp,
    lease: Duration,
    limit: u32,
) -> Result<impl Iterator<Item = Row>, StoreError> {
    // Most often nothing is due, and asking is much cheaper than a write.
    let mut rows = Vec::new();
    if !store.read_one(Query::new(of.due, vec![now.into()])).await?.is_empty() {
        let mut c = Changes::new();
        c.durability(Durability::Relaxed).push_returning(
            of.claim,
            vec![worker.into(), now.plus(lease).into(), now.into(), limit.into()],
            Expect::Any,
        );
        rows = store.commit(c).await?.rows;
    }
    Ok(rows.into_iter().flatten())
}

/// A worker gives a row back that it did nothing with; it is due again at `due`. Guard: the worker still has it.
pub(crate) fn give_back(c: &mut Changes, sql: &'static str, id: Uuid, worker: Uuid, due: Timestamp) {
    c.push(sql, vec![due.into(), id.into(), worker.into()], Expect::One);
}
