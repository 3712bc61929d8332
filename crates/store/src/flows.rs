//! Flows. What a flow remembers is sealed by the caller; beside it stands what the database needs to find and to drop it.

use portcullis_model::flow::{FlowKind, FlowType};
use portcullis_model::time::Timestamp;
use uuid::Uuid;

use crate::changes::{Changes, Expect};
use crate::dialect::Query;
use crate::failure::StoreError;
use crate::store::Store;
use crate::value::{Value, word_of};

/// A flow as the database keeps it.
#[derive(Clone, PartialEq, Eq)]
pub struct FlowRow {
    /// Its id.
    pub id: Uuid,
    /// What it is for.
    pub kind: FlowKind,
    /// Who talks to it.
    pub flow_type: FlowType,
    /// Whose it is, once that is known. The flow goes away with the identity.
    pub identity_id: Option<Uuid>,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Rises by one with every change; guards updates.
    pub version: i64,
    /// All else, encrypted.
    pub sealed: Vec<u8>,
}

impl std::fmt::Debug for FlowRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FlowRow")
            .field("id", &self.id)
            .field("kind", &self.kind)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

/// The flow of an id. It may be past its end.
///
/// # Errors
/// What the database says.
pub async fn get(store: &Store, id: Uuid) -> Result<Option<FlowRow>, StoreError> {
    let sql = "SELECT id, kind, flow_type, identity_id, expires_at, version, sealed FROM flows WHERE id = $1";
    let rows = store.read_one(Query::new(sql, vec![id.into()])).await?;
    let Some(mut row) = rows.into_iter().next() else { return Ok(None) };
    Ok(Some(FlowRow {
        id: row.uuid()?,
        kind: row.word()?,
        flow_type: row.word()?,
        identity_id: row.opt_uuid()?,
        expires_at: row.time()?,
        version: row.int()?,
        sealed: row.bytes()?,
    }))
}

/// Adds a flow. By itself this may be lost in a power cut: a flow that was only begun can be begun again.
pub fn insert(c: &mut Changes, flow: &FlowRow) {
    c.push_relaxed(
        "INSERT INTO flows (id, kind, flow_type, identity_id, expires_at, version, sealed) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        vec![
            flow.id.into(),
            Value::word(flow.kind.as_str()),
            word_of(&flow.flow_type),
            flow.identity_id.into(),
            flow.expires_at.into(),
            flow.version.into(),
            Value::Bytes(flow.sealed.clone()),
        ],
        Expect::One,
    );
}

/// Replaces what a flow remembers, its owner and its end, and raises its version by one. Guard: the version is still the
/// one that was seen.
pub fn update(c: &mut Changes, flow: &FlowRow, seen_version: i64) {
    c.push(
        "UPDATE flows SET identity_id = $1, expires_at = $2, sealed = $3, version = version + 1 WHERE id = $4 AND version = $5",
        vec![
            flow.identity_id.into(),
            flow.expires_at.into(),
            Value::Bytes(flow.sealed.clone()),
            flow.id.into(),
            seen_version.into(),
        ],
        Expect::One,
    );
}

/// Removes a flow, if it is there.
pub fn delete(c: &mut Changes, id: Uuid) {
    c.push("DELETE FROM flows WHERE id = $1", vec![id.into()], Expect::Any);
}
