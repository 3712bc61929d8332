//! Parked submits: what somebody sent to a flow and what waits until they proved themselves again.
//!
//! A parked submit is bound to who parked it (the hash of a cookie, or of a session) and is taken once.

use portcullis_model::time::Timestamp;
use uuid::Uuid;

use crate::changes::{Changes, Expect};
use crate::dialect::Query;
use crate::failure::StoreError;
use crate::store::Store;
use crate::value::Value;

/// A parked submit.
#[derive(Clone, PartialEq, Eq)]
pub struct Parked {
    /// The flow that it was sent to; a flow has at most one.
    pub flow_id: Uuid,
    /// Who sent it. It goes away with the identity.
    pub identity_id: Uuid,
    /// The hash of the cookie, or of the session, that parked it.
    pub holder_hash: Vec<u8>,
    /// Whether a native app sent it.
    pub native: bool,
    /// What was sent, encrypted.
    pub sealed: Vec<u8>,
    /// When it was parked.
    pub created_at: Timestamp,
    /// Until when it may be taken.
    pub expires_at: Timestamp,
}

impl std::fmt::Debug for Parked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parked").field("flow_id", &self.flow_id).field("native", &self.native).finish_non_exhaustive()
    }
}

/// The parked submit of a flow. It may be past its time.
///
/// # Errors
/// What the database says.
pub async fn get(store: &Store, flow_id: Uuid) -> Result<Option<Parked>, StoreError> {
    let sql = "SELECT flow_id, identity_id, holder_hash, native, sealed, created_at, expires_at FROM parked WHERE flow_id = $1";
    let rows = store.read_one(Query::new(sql, vec![flow_id.into()])).await?;
    let Some(mut row) = rows.into_iter().next() else { return Ok(None) };
    Ok(Some(Parked {
        flow_id: row.uuid()?,
        identity_id: row.uuid()?,
        holder_hash: row.bytes()?,
        native: row.flag()?,
        sealed: row.bytes()?,
        created_at: row.time()?,
        expires_at: row.time()?,
    }))
}

/// Parks a submit, in place of the flow's earlier one.
pub fn put(c: &mut Changes, parked: &Parked) {
    c.push(
        "INSERT INTO parked (flow_id, identity_id, holder_hash, native, sealed, created_at, expires_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (flow_id) DO UPDATE SET identity_id = excluded.identity_id, \
         holder_hash = excluded.holder_hash, native = excluded.native, sealed = excluded.sealed, \
         created_at = excluded.created_at, expires_at = excluded.expires_at",
        vec![
            parked.flow_id.into(),
            parked.identity_id.into(),
            parked.holder_hash.as_slice().into(),
            parked.native.into(),
            Value::Bytes(parked.sealed.clone()),
            parked.created_at.into(),
            parked.expires_at.into(),
        ],
        Expect::One,
    );
}

/// Takes a parked submit away. Guard: it is there, and it is this holder's; so it is taken once.
pub fn take(c: &mut Changes, flow_id: Uuid, holder_hash: &[u8]) {
    c.push("DELETE FROM parked WHERE flow_id = $1 AND holder_hash = $2", vec![flow_id.into(), holder_hash.into()], Expect::One);
}

/// Drops the parked submit of a flow, if there is one.
pub fn drop_of_flow(c: &mut Changes, flow_id: Uuid) {
    c.push("DELETE FROM parked WHERE flow_id = $1", vec![flow_id.into()], Expect::Any);
}

/// Ends what waits in settings flows of an identity, so that it is past its time from now on. It is not dropped: whoever
/// comes back for it is to be told. What waits for the proof of an address is left alone.
pub fn end_of_identity(c: &mut Changes, identity_id: Uuid) {
    c.push(
        "UPDATE parked SET expires_at = created_at WHERE identity_id = $1 \
         AND EXISTS (SELECT 1 FROM flows f WHERE f.id = parked.flow_id AND f.kind = 'settings')",
        vec![identity_id.into()],
        Expect::Any,
    );
}

/// Drops all parked submits of a cookie or session.
pub fn drop_of_holder(c: &mut Changes, holder_hash: &[u8]) {
    c.push("DELETE FROM parked WHERE holder_hash = $1", vec![holder_hash.into()], Expect::Any);
}
