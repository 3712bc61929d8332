//! Guesses are charged before they are judged, or before anybody is told what they came to: a counter for each subject and
//! window of time that never passes its limit, however many guess at once.

use std::time::Duration;

use portcullis_model::time::Timestamp;

use crate::changes::{Changes, Expect};
use crate::dialect::Query;
use crate::failure::StoreError;
use crate::store::Store;

/// How often a subject was guessed at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guesses {
    /// Guesses in the window.
    pub tries: u64,
    /// When the window began.
    pub started_at: Timestamp,
    /// When it ends, and the next one may begin.
    pub ends_at: Timestamp,
}

/// The last window of a subject. It may be over.
///
/// # Errors
/// What the database says.
pub async fn get(store: &Store, subject: &str) -> Result<Option<Guesses>, StoreError> {
    let sql = "SELECT tries, started_at, ends_at FROM guesses WHERE subject = $1";
    let rows = store.read_one(Query::new(sql, vec![subject.into()])).await?;
    let Some(mut row) = rows.into_iter().next() else { return Ok(None) };
    Ok(Some(Guesses { tries: row.count()?, started_at: row.time()?, ends_at: row.time()? }))
}

/// Counts a guess. Guard: fewer than `limit` were counted in the window that the first of them began; so a commit that is a
/// `Conflict` means "exhausted until the window ends". By itself a guess may be lost in a power cut.
pub fn charge(c: &mut Changes, subject: &str, now: Timestamp, window: Duration, limit: u32) {
    if limit == 0 {
        // Never matches: no window has a negative number of guesses.
        c.push_relaxed("UPDATE guesses SET tries = 0 WHERE subject = $1 AND tries < 0", vec![subject.into()], Expect::One);
        return;
    }
    c.push_relaxed(
        "INSERT INTO guesses (subject, tries, started_at, ends_at) VALUES ($1, 1, $2, $3) ON CONFLICT (subject) DO UPDATE SET \
         tries = CASE WHEN guesses.ends_at <= excluded.started_at THEN 1 ELSE guesses.tries + 1 END, \
         ends_at = CASE WHEN guesses.ends_at <= excluded.started_at THEN excluded.ends_at ELSE guesses.ends_at END, \
         started_at = CASE WHEN guesses.ends_at <= excluded.started_at THEN excluded.started_at ELSE guesses.started_at END \
         WHERE guesses.ends_at <= excluded.started_at OR guesses.tries < $4",
        vec![subject.into(), now.into(), now.plus(window).into(), limit.into()],
        Expect::One,
    );
}

/// Forgets a subject's guesses, after one was right.
pub fn reset(c: &mut Changes, subject: &str) {
    c.push_relaxed("DELETE FROM guesses WHERE subject = $1", vec![subject.into()], Expect::Any);
}

/// Forgets a subject's guesses, after one was right that was not charged. Guard: fewer than `limit` were counted in the
/// window that lasts; so a commit that is a `Conflict` means "exhausted", and nobody may be told that it was right.
pub fn reset_below(c: &mut Changes, subject: &str, now: Timestamp, limit: u32) {
    c.push_relaxed(
        "DELETE FROM guesses WHERE subject = $1 AND (ends_at <= $2 OR tries < $3)",
        vec![subject.into(), now.into(), limit.into()],
        Expect::Any,
    );
    // What is still there is exhausted.
    c.push_relaxed("UPDATE guesses SET tries = tries WHERE subject = $1", vec![subject.into()], Expect::Nothing);
}
