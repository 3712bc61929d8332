//! Sessions. A session is found by the keyed hash of its token, together with its identity, in one indexed read.

use std::collections::HashSet;

use portcullis_model::identity::Identity;
use portcullis_model::session::Session;
use portcullis_model::time::Timestamp;
use uuid::Uuid;

use crate::changes::{Changes, Durability, Expect};
use crate::dialect::{LIST_MAX, Query, arg, list as in_list};
use crate::failure::StoreError;
use crate::identities::{self, identity_columns};
use crate::store::{Store, two};
use crate::value::{Row, Value, json_of};

/// The columns of a session in the order in which [`from_row`] reads them. A macro, since `concat!` takes literals only.
macro_rules! session_columns {
    () => {
        "s.id, s.identity_id, s.active, s.aal, s.methods, s.authenticated_at, s.issued_at, s.expires_at, s.devices, \
         s.created_at, s.updated_at"
    };
}

fn from_row(row: &mut Row) -> Result<Session, StoreError> {
    Ok(Session {
        id: row.uuid()?,
        identity_id: row.uuid()?,
        active: row.flag()?,
        aal: row.word()?,
        methods: row.json()?,
        authenticated_at: row.time()?,
        issued_at: row.time()?,
        expires_at: row.time()?,
        devices: row.json()?,
        created_at: row.time()?,
        updated_at: row.time()?,
    })
}

fn with_identity(mut row: Row) -> Result<(Session, Identity), StoreError> {
    Ok((from_row(&mut row)?, identities::from_row(&mut row)?))
}

/// The session of a token, by the token's keyed hash, and whose it is. It may be revoked or past its end.
///
/// # Errors
/// What the database says.
pub async fn by_token_hash(store: &Store, token_hash: &[u8]) -> Result<Option<(Session, Identity)>, StoreError> {
    let sql = concat!(
        "SELECT ",
        session_columns!(),
        ", ",
        identity_columns!(),
        " FROM sessions s JOIN identities i ON i.id = s.identity_id WHERE s.token_hash = $1"
    );
    let rows = store.read_one(Query::new(sql, vec![token_hash.into()])).await?;
    rows.into_iter().next().map(with_identity).transpose()
}

/// The session of an id, and whose it is. It may be revoked or past its end.
///
/// # Errors
/// What the database says.
pub async fn get(store: &Store, id: Uuid) -> Result<Option<(Session, Identity)>, StoreError> {
    let sql = concat!(
        "SELECT ",
        session_columns!(),
        ", ",
        identity_columns!(),
        " FROM sessions s JOIN identities i ON i.id = s.identity_id WHERE s.id = $1"
    );
    let rows = store.read_one(Query::new(sql, vec![id.into()])).await?;
    rows.into_iter().next().map(with_identity).transpose()
}

/// Which of these ids are those of sessions, whatever has become of them.
///
/// # Errors
/// What the database says.
pub async fn known(store: &Store, ids: &[Uuid]) -> Result<HashSet<Uuid>, StoreError> {
    let ids: Vec<Value> = ids.iter().copied().map(Value::Uuid).collect();
    let queries = ids.chunks(LIST_MAX).map(|part| {
        let mut args = Vec::new();
        let sql = format!("SELECT s.id FROM sessions s WHERE s.id IN ({})", in_list(&mut args, part));
        Query::new(sql, args)
    });
    let rows = store.read_long(queries.collect()).await?;
    rows.into_iter().flatten().map(|mut row| row.uuid()).collect()
}

/// A part of an identity's sessions, newest first, and the number of all that match. `active` asks for those that count
/// at `now`, or for the others (revoked, or past their end); `except` leaves one out.
///
/// # Errors
/// What the database says.
pub async fn list_by_identity(
    store: &Store,
    identity_id: Uuid,
    active: Option<bool>,
    now: Timestamp,
    except: Option<Uuid>,
    offset: u32,
    limit: u32,
) -> Result<(Vec<Session>, u64), StoreError> {
    let mut args = Vec::new();
    let mut condition = format!("s.identity_id = {}", arg(&mut args, identity_id));
    condition.push_str(&alive(active, now, &mut args));
    if let Some(except) = except {
        condition.push_str(&format!(" AND s.id <> {}", arg(&mut args, except)));
    }
    let count = Query::new(format!("SELECT COUNT(*) FROM sessions s WHERE {condition}"), args.clone());
    let page = format!(
        "SELECT {} FROM sessions s WHERE {condition} ORDER BY s.created_at DESC, s.id DESC LIMIT {} OFFSET {}",
        session_columns!(),
        arg(&mut args, limit),
        arg(&mut args, offset)
    );
    let (count, page) = two(store.read_long(vec![count, Query::new(page, args)]).await?);
    let count = count.into_iter().next().map_or(Ok(0), |mut row| row.count())?;
    let sessions = page.into_iter().map(|mut row| from_row(&mut row)).collect::<Result<_, _>>()?;
    Ok((sessions, count))
}

/// A page of all sessions with their identities, newest first. `after` is the last id of the page before; ids rise with
/// time, so it stays a place in the list even if that session is gone.
///
/// # Errors
/// What the database says.
pub async fn list_all(
    store: &Store,
    active: Option<bool>,
    now: Timestamp,
    after: Option<Uuid>,
    limit: u32,
) -> Result<Vec<(Session, Identity)>, StoreError> {
    let mut args = Vec::new();
    let mut condition = format!("TRUE{}", alive(active, now, &mut args));
    if let Some(after) = after {
        condition.push_str(&format!(" AND s.id < {}", arg(&mut args, after)));
    }
    let sql = format!(
        "SELECT {}, {} FROM sessions s JOIN identities i ON i.id = s.identity_id WHERE {condition} \
         ORDER BY s.id DESC LIMIT {}",
        session_columns!(),
        identity_columns!(),
        arg(&mut args, limit)
    );
    let rows = store.read_long(vec![Query::new(sql, args)]).await?;
    rows.into_iter().flatten().map(with_identity).collect()
}

fn alive(active: Option<bool>, now: Timestamp, args: &mut Vec<Value>) -> String {
    match active {
        None => String::new(),
        Some(true) => format!(" AND s.active = 1 AND s.expires_at > {}", arg(args, now)),
        Some(false) => format!(" AND (s.active = 0 OR s.expires_at <= {})", arg(args, now)),
    }
}

/// Adds a session under the keyed hash of its token. If its identity is gone, the commit is a `Conflict`.
pub fn insert(c: &mut Changes, session: &Session, token_hash: &[u8; 32]) {
    c.push(
        "INSERT INTO sessions (id, identity_id, token_hash, active, aal, methods, authenticated_at, issued_at, expires_at, \
         devices, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        vec![
            session.id.into(),
            session.identity_id.into(),
            token_hash.as_slice().into(),
            session.active.into(),
            Value::word(session.aal.as_str()),
            json_of(&session.methods),
            session.authenticated_at.into(),
            session.issued_at.into(),
            session.expires_at.into(),
            json_of(&session.devices),
            session.created_at.into(),
            session.updated_at.into(),
        ],
        Expect::One,
    );
}

/// Replaces a session's proofs, level, times and devices. Guard: it is there and not revoked.
pub fn update(c: &mut Changes, session: &Session) {
    c.push(
        "UPDATE sessions SET active = $1, aal = $2, methods = $3, authenticated_at = $4, expires_at = $5, devices = $6, \
         updated_at = $7 WHERE id = $8 AND active = 1",
        vec![
            session.active.into(),
            Value::word(session.aal.as_str()),
            json_of(&session.methods),
            session.authenticated_at.into(),
            session.expires_at.into(),
            json_of(&session.devices),
            session.updated_at.into(),
            session.id.into(),
        ],
        Expect::One,
    );
}

/// Its holder was seen at `now`. May be lost in a power cut; without effect on a session that was revoked or changed since.
pub fn seen(c: &mut Changes, id: Uuid, now: Timestamp) {
    c.durability(Durability::Relaxed).push(
        "UPDATE sessions SET updated_at = $1 WHERE id = $2 AND active = 1 AND updated_at < $1",
        vec![now.into(), id.into()],
        Expect::Any,
    );
}

/// Revokes a session, if it is not revoked and (where one is named) belongs to that identity. The count tells.
pub fn revoke(c: &mut Changes, id: Uuid, identity_id: Option<Uuid>, now: Timestamp) {
    match identity_id {
        Some(identity_id) => c.push(
            "UPDATE sessions SET active = 0, updated_at = $1 WHERE id = $2 AND active = 1 AND identity_id = $3",
            vec![now.into(), id.into(), identity_id.into()],
            Expect::Any,
        ),
        None => c.push(
            "UPDATE sessions SET active = 0, updated_at = $1 WHERE id = $2 AND active = 1",
            vec![now.into(), id.into()],
            Expect::Any,
        ),
    }
}

/// Revokes a session for one who holds its only right to be ended, such as a logout token. Guard: it is not revoked yet; so of
/// many at once one succeeds.
pub fn revoke_once(c: &mut Changes, id: Uuid, now: Timestamp) {
    c.push(
        "UPDATE sessions SET active = 0, updated_at = $1 WHERE id = $2 AND active = 1",
        vec![now.into(), id.into()],
        Expect::One,
    );
}

/// Revokes all sessions of an identity that still count at `now`, but for one. The count tells how many.
pub fn revoke_all(c: &mut Changes, identity_id: Uuid, except: Option<Uuid>, now: Timestamp) {
    c.push(
        "UPDATE sessions SET active = 0, updated_at = $1 WHERE identity_id = $2 AND active = 1 AND expires_at > $1 AND id <> $3",
        // No session has the nil id.
        vec![now.into(), identity_id.into(), except.unwrap_or(Uuid::nil()).into()],
        Expect::Any,
    );
}

/// Removes all sessions of an identity. The count tells how many.
pub fn delete_all(c: &mut Changes, identity_id: Uuid) {
    c.push("DELETE FROM sessions WHERE identity_id = $1", vec![identity_id.into()], Expect::Any);
}

/// Revokes sessions by their ids: one statement, and so one count, for each.
pub fn revoke_many(c: &mut Changes, ids: &[Uuid], now: Timestamp) {
    for id in ids {
        revoke(c, *id, None, now);
    }
}

/// Removes sessions by their ids: one statement, and so one count, for each.
pub fn delete_many(c: &mut Changes, ids: &[Uuid]) {
    for id in ids {
        c.push("DELETE FROM sessions WHERE id = $1", vec![(*id).into()], Expect::Any);
    }
}
