//! Calls of web hooks that are owed, written in the same commit as their reason.
//!
//! Workers claim them as they claim messages (see the module `lease`). A call that was made is removed; one that was given
//! up stays as a dead letter until somebody asks for it again or its time is over. A crash can make a call be made twice,
//! never not at all.

use std::time::Duration;

use portcullis_model::time::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::changes::{Changes, Expect};
use crate::dialect::{Query, arg};
use crate::failure::StoreError;
use crate::lease::{self, given_back, lease};
use crate::store::Store;
use crate::value::{Row, Value};

/// A call that is owed.
#[derive(Clone, PartialEq, Eq)]
pub struct NewCall {
    /// Its id.
    pub id: Uuid,
    /// Where the hook stands in the configuration, such as `registration.after.password`.
    pub place: String,
    /// The hook's configured name; may be empty.
    pub name: String,
    /// Whom it is about, if that is known.
    pub identity_id: Option<Uuid>,
    /// What is told to whom, encrypted.
    pub sealed_data: Vec<u8>,
    /// When it came to be owed.
    pub created_at: Timestamp,
    /// Not to be made by a worker before.
    pub due_at: Timestamp,
}

impl std::fmt::Debug for NewCall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewCall").field("id", &self.id).field("place", &self.place).finish_non_exhaustive()
    }
}

/// How far a call has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CallStatus {
    /// It waits.
    Queued,
    /// A worker has it.
    Processing,
    /// It was given up.
    Abandoned,
}

impl CallStatus {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Queued, Self::Processing, Self::Abandoned];

    /// The API's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Processing => "processing",
            Self::Abandoned => "abandoned",
        }
    }
}

/// A call as the database keeps it.
#[derive(Clone, PartialEq, Eq)]
pub struct Call {
    /// Its id.
    pub id: Uuid,
    /// Where the hook stands in the configuration.
    pub place: String,
    /// The hook's configured name; may be empty.
    pub name: String,
    /// Whom it is about, if that is known.
    pub identity_id: Option<Uuid>,
    /// What is told to whom, encrypted.
    pub sealed_data: Vec<u8>,
    /// How far it has come.
    pub status: CallStatus,
    /// How often a worker began it, since somebody last asked for it.
    pub send_count: u64,
    /// What went wrong last.
    pub error: Option<String>,
    /// When it is to be made, or when its worker's lease ends.
    pub due_at: Option<Timestamp>,
    /// When it came to be owed.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl std::fmt::Debug for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Call")
            .field("id", &self.id)
            .field("place", &self.place)
            .field("status", &self.status)
            .field("send_count", &self.send_count)
            .finish_non_exhaustive()
    }
}

macro_rules! columns {
    () => {
        "id, place, name, identity_id, sealed_data, status, send_count, error, due_at, created_at, updated_at"
    };
}

fn from_row(mut row: Row) -> Result<Call, StoreError> {
    Ok(Call {
        id: row.uuid()?,
        place: row.text()?,
        name: row.text()?,
        identity_id: row.opt_uuid()?,
        sealed_data: row.bytes()?,
        status: row.word()?,
        send_count: row.count()?,
        error: row.opt_text()?,
        due_at: row.opt_time()?,
        created_at: row.time()?,
        updated_at: row.time()?,
    })
}

/// A call that is owed or was given up.
///
/// # Errors
/// What the database says.
pub async fn get(store: &Store, id: Uuid) -> Result<Option<Call>, StoreError> {
    let sql = concat!("SELECT ", columns!(), " FROM hook_calls WHERE id = $1");
    store.read_one(Query::new(sql, vec![id.into()])).await?.into_iter().next().map(from_row).transpose()
}

/// A page of calls, newest first. `after` is the last id of the page before; ids rise with time.
///
/// # Errors
/// What the database says.
pub async fn list(store: &Store, status: Option<CallStatus>, after: Option<Uuid>, limit: u32) -> Result<Vec<Call>, StoreError> {
    let mut args = Vec::new();
    let mut condition = "TRUE".to_owned();
    if let Some(status) = status {
        condition.push_str(&format!(" AND status = {}", arg(&mut args, status.as_str())));
    }
    if let Some(after) = after {
        condition.push_str(&format!(" AND id < {}", arg(&mut args, after)));
    }
    let limit = arg(&mut args, limit);
    let sql = format!("SELECT {} FROM hook_calls WHERE {condition} ORDER BY id DESC LIMIT {limit}", columns!());
    store.read_long(vec![Query::new(sql, args)]).await?.into_iter().flatten().map(from_row).collect()
}

/// How many calls there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Those that are owed, with those that a worker has.
    pub owed: u64,
    /// Those that were given up.
    pub abandoned: u64,
}

/// How many calls there are now. Both numbers come from indexes, without what is told.
///
/// # Errors
/// What the database says.
pub async fn counts(store: &Store) -> Result<Counts, StoreError> {
    let sql = "SELECT (SELECT COUNT(*) FROM hook_calls WHERE due_at IS NOT NULL), (SELECT COUNT(*) FROM hook_calls)";
    let found = store.read_long(vec![Query::new(sql, Vec::new())]).await?;
    let Some(mut row) = found.into_iter().flatten().next() else { return Ok(Counts::default()) };
    let (owed, all) = (row.count()?, row.count()?);
    Ok(Counts { owed, abandoned: all.saturating_sub(owed) })
}

/// Writes down that a call is owed.
pub fn owe(c: &mut Changes, call: &NewCall) {
    c.push(
        "INSERT INTO hook_calls (id, place, name, identity_id, sealed_data, status, send_count, due_at, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, 'queued', 0, $6, $7, $7)",
        vec![
            call.id.into(),
            call.place.as_str().into(),
            call.name.as_str().into(),
            call.identity_id.into(),
            Value::Bytes(call.sealed_data.clone()),
            call.due_at.into(),
            call.created_at.into(),
        ],
        Expect::One,
    );
}

/// Takes up to `limit` calls that are due, oldest first, for a worker until `now` plus `lease`.
///
/// # Errors
/// What the database says.
pub async fn claim(store: &Store, worker: Uuid, now: Timestamp, lease: Duration, limit: u32) -> Result<Vec<Call>, StoreError> {
    let rows = lease::claim(store, &lease!("hook_calls", columns!()), worker, now, lease, limit).await?;
    let mut claimed = rows.map(from_row).collect::<Result<Vec<_>, _>>()?;
    claimed.sort_by_key(|call| (call.created_at, call.id));
    Ok(claimed)
}

/// A worker made a call. Guard: it still has it.
pub fn made(c: &mut Changes, id: Uuid, worker: Uuid) {
    c.push(
        "DELETE FROM hook_calls WHERE id = $1 AND worker = $2 AND status = 'processing'",
        vec![id.into(), worker.into()],
        Expect::One,
    );
}

/// A worker could not make a call: it waits until `next_try`, or (`None`) is given up. Guard: the worker still has it.
pub fn failed(c: &mut Changes, id: Uuid, worker: Uuid, next_try: Option<Timestamp>, error: &str, now: Timestamp) {
    let status = if next_try.is_some() { CallStatus::Queued } else { CallStatus::Abandoned };
    c.push(
        "UPDATE hook_calls SET status = $1, due_at = $2, worker = NULL, error = $3, updated_at = $4 \
         WHERE id = $5 AND worker = $6 AND status = 'processing'",
        vec![Value::word(status.as_str()), next_try.into(), error.replace('\0', "").into(), now.into(), id.into(), worker.into()],
        Expect::One,
    );
}

/// A worker did not even try a call: it waits until `due`, with as many tries as before. Guard: the worker still has it.
pub fn postponed(c: &mut Changes, id: Uuid, worker: Uuid, due: Timestamp) {
    lease::give_back(c, given_back!("hook_calls"), id, worker, due);
}

/// Whoever wrote down a call made it, before any worker took it up. If one did meanwhile, it makes it again.
pub fn settled(c: &mut Changes, id: Uuid) {
    c.push("DELETE FROM hook_calls WHERE id = $1 AND status = 'queued' AND send_count = 0", vec![id.into()], Expect::Any);
}

/// Whoever wrote down a call could not make it, and told so: it is given up, unless a worker took it up meanwhile.
pub fn give_up(c: &mut Changes, id: Uuid, error: &str, now: Timestamp) {
    c.push(
        "UPDATE hook_calls SET status = 'abandoned', due_at = NULL, error = $1, updated_at = $2 \
         WHERE id = $3 AND status = 'queued' AND send_count = 0",
        vec![error.replace('\0', "").into(), now.into(), id.into()],
        Expect::Any,
    );
}

/// A call that was given up is owed again, from now on and as if it were new. Guard: it was given up.
pub fn again(c: &mut Changes, id: Uuid, now: Timestamp) {
    c.push(
        "UPDATE hook_calls SET status = 'queued', due_at = $1, send_count = 0, updated_at = $1 \
         WHERE id = $2 AND status = 'abandoned'",
        vec![now.into(), id.into()],
        Expect::One,
    );
}

/// All calls that were given up are owed again.
pub fn all_again(c: &mut Changes, now: Timestamp) {
    c.push(
        "UPDATE hook_calls SET status = 'queued', due_at = $1, send_count = 0, updated_at = $1 WHERE status = 'abandoned'",
        vec![now.into()],
        Expect::Any,
    );
}

/// Forgets a call that was given up. Guard: it was.
pub fn forget(c: &mut Changes, id: Uuid) {
    c.push("DELETE FROM hook_calls WHERE id = $1 AND status = 'abandoned'", vec![id.into()], Expect::One);
}
