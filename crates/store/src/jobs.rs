//! The janitor: removes what is past its time, in batches that keep nobody waiting for long.

use std::time::{Duration, Instant};

use portcullis_model::time::Timestamp;

use crate::changes::{Changes, Durability, Expect};
use crate::failure::StoreError;
use crate::store::Store;
use crate::value::Value;

/// How long things are kept after their time; `None`: for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Flows, after their end.
    pub flows: Option<Duration>,
    /// Sessions, after their end (revoked ones too).
    pub sessions: Option<Duration>,
    /// Error containers, after they were stored.
    pub errors: Option<Duration>,
    /// Codes and links, after their end.
    pub codes: Option<Duration>,
    /// Parked submits, after their end.
    pub parked: Option<Duration>,
    /// Messages that were sent or given up, after they were asked for.
    pub messages: Option<Duration>,
    /// Calls of hooks that were given up, after they came to be owed.
    pub hook_calls: Option<Duration>,
}

/// What a sweep removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Flows.
    pub flows: u64,
    /// Sessions.
    pub sessions: u64,
    /// Error containers.
    pub errors: u64,
    /// Codes and links.
    pub codes: u64,
    /// Parked submits.
    pub parked: u64,
    /// Messages.
    pub messages: u64,
    /// Calls of hooks.
    pub hook_calls: u64,
    /// Counters of guesses whose window is over, and of flows without codes.
    pub guesses: u64,
}

/// The longest that a batch should hold the database.
const BATCH_TIME: Duration = Duration::from_millis(20);
/// The fewest rows of a batch.
const BATCH_MIN: u32 = 16;

/// Removes everything that is past its time at `now`, at most `batch` rows at once; a batch that takes longer than 20 ms
/// makes the next one smaller, and one that is much faster lets it grow again. Several sweeps may run at once.
///
/// # Errors
/// What the database says. What was removed before stays removed.
pub async fn sweep(store: &Store, now: Timestamp, keep: &Retention, batch: u32) -> Result<Swept, StoreError> {
    let most = batch.max(BATCH_MIN);
    let mut broom = Broom { store, batch: most, most };
    let before = |kept: Option<Duration>| kept.map(|kept| now.minus(kept));
    let mut swept = Swept::default();
    if let Some(before) = before(keep.parked) {
        let sql = "DELETE FROM parked WHERE flow_id IN \
                   (SELECT flow_id FROM parked WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2 {skip_locked})";
        swept.parked = broom.sweep(sql, before).await?;
    }
    if let Some(before) = before(keep.codes) {
        let sql = "DELETE FROM codes WHERE id IN \
                   (SELECT id FROM codes WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2 {skip_locked})";
        swept.codes = broom.sweep(sql, before).await?;
    }
    if let Some(before) = before(keep.flows) {
        let sql = "DELETE FROM flows WHERE id IN \
                   (SELECT id FROM flows WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2 {skip_locked})";
        swept.flows = broom.sweep(sql, before).await?;
    }
    if let Some(before) = before(keep.sessions) {
        let sql = "DELETE FROM sessions WHERE id IN \
                   (SELECT id FROM sessions WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2 {skip_locked})";
        swept.sessions = broom.sweep(sql, before).await?;
    }
    if let Some(before) = before(keep.errors) {
        let sql = "DELETE FROM errors WHERE id IN \
                   (SELECT id FROM errors WHERE created_at <= $1 ORDER BY created_at LIMIT $2 {skip_locked})";
        swept.errors = broom.sweep(sql, before).await?;
    }
    if let Some(before) = before(keep.messages) {
        let sql = "DELETE FROM messages WHERE id IN (SELECT id FROM messages WHERE created_at <= $1 \
                   AND status IN ('sent', 'abandoned') ORDER BY created_at LIMIT $2 {skip_locked})";
        swept.messages = broom.sweep(sql, before).await?;
    }
    if let Some(before) = before(keep.hook_calls) {
        let sql = "DELETE FROM hook_calls WHERE id IN (SELECT id FROM hook_calls WHERE created_at <= $1 \
                   AND status = 'abandoned' ORDER BY created_at LIMIT $2 {skip_locked})";
        swept.hook_calls = broom.sweep(sql, before).await?;
    }
    let windows = "DELETE FROM guesses WHERE subject IN \
                   (SELECT subject FROM guesses WHERE ends_at <= $1 ORDER BY ends_at LIMIT $2 {skip_locked})";
    // A flow without codes has nothing to guess at. `$1` only keeps the shape of the others.
    let flows = "DELETE FROM code_tries WHERE flow_id IN (SELECT t.flow_id FROM code_tries t WHERE CAST($1 AS BIGINT) > 0 AND NOT EXISTS \
                 (SELECT 1 FROM codes c WHERE c.flow_id = t.flow_id) LIMIT $2)";
    swept.guesses = broom.sweep(windows, now).await? + broom.sweep(flows, now).await?;
    Ok(swept)
}

struct Broom<'a> {
    store: &'a Store,
    batch: u32,
    /// The most rows of a batch.
    most: u32,
}

/// The size of the next batch. Without growing, a moment in which the database was busy would make a sweep slow to its end.
fn next(batch: u32, most: u32, took: Duration) -> u32 {
    if took > BATCH_TIME {
        (batch / 2).max(BATCH_MIN)
    } else if took < BATCH_TIME / 4 {
        batch.saturating_mul(2).min(most)
    } else {
        batch
    }
}

impl Broom<'_> {
    async fn sweep(&mut self, sql: &'static str, before: Timestamp) -> Result<u64, StoreError> {
        let mut total = 0;
        loop {
            let mut c = Changes::new();
            c.durability(Durability::Relaxed).push(sql, vec![Value::from(before), self.batch.into()], Expect::Any);
            let begun = Instant::now();
            let removed = self.store.commit(c).await?.counts.into_iter().sum::<u64>();
            total += removed;
            if removed < u64::from(self.batch) {
                return Ok(total);
            }
            self.batch = next(self.batch, self.most, begun.elapsed());
            tokio::task::yield_now().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_follow_the_time_that_they_take() {
        for (batch, took, wanted) in [
            (500, 21, 250),
            (500, 20, 500),
            (500, 4, 500),
            (250, 4, 500),
            (300, 4, 500),
            (250, 6, 250),
            (20, 900, 16),
            (16, 0, 32),
        ] {
            assert_eq!(next(batch, 500, Duration::from_millis(took)), wanted, "{batch} rows in {took} ms");
        }
    }
}
