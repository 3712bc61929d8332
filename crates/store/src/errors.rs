//! Error containers: errors of page requests, kept for the page that shows them.

use portcullis_model::time::Timestamp;
use uuid::Uuid;

use crate::changes::{Changes, Expect};
use crate::dialect::Query;
use crate::failure::StoreError;
use crate::store::Store;
use crate::value::json_of;

/// A stored error.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredError {
    /// Its id; whoever knows it may read the error.
    pub id: Uuid,
    /// The error object.
    pub body: serde_json::Value,
    /// When it was stored.
    pub created_at: Timestamp,
    /// The same.
    pub updated_at: Timestamp,
}

/// The error of an id.
///
/// # Errors
/// What the database says.
pub async fn get(store: &Store, id: Uuid) -> Result<Option<StoredError>, StoreError> {
    let sql = "SELECT id, body, created_at, updated_at FROM errors WHERE id = $1";
    let rows = store.read_one(Query::new(sql, vec![id.into()])).await?;
    let Some(mut row) = rows.into_iter().next() else { return Ok(None) };
    Ok(Some(StoredError { id: row.uuid()?, body: row.json()?, created_at: row.time()?, updated_at: row.time()? }))
}

/// Adds an error. By itself this may be lost in a power cut.
pub fn insert(c: &mut Changes, error: &StoredError) {
    c.push_relaxed(
        "INSERT INTO errors (id, body, created_at, updated_at) VALUES ($1, $2, $3, $4)",
        vec![error.id.into(), json_of(&error.body), error.created_at.into(), error.updated_at.into()],
        Expect::One,
    );
}
