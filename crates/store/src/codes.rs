//! One-time codes and links: kept as keyed hashes, guessed at a limited number of times, used once.

use portcullis_model::flow::FlowKind;
use portcullis_model::identity::Via;
use portcullis_model::time::Timestamp;
use uuid::Uuid;

use crate::changes::{Changes, Expect};
use crate::dialect::Query;
use crate::failure::StoreError;
use crate::store::Store;
use crate::value::{Row, Value};

/// A code or link that is to be sent.
#[derive(Clone, PartialEq, Eq)]
pub struct NewCode {
    /// Its id.
    pub id: Uuid,
    /// The kind of flow that it is good for.
    pub purpose: FlowKind,
    /// The flow that asked for it.
    pub flow_id: Uuid,
    /// Whose it is, once there is an identity. It goes away with the identity.
    pub identity_id: Option<Uuid>,
    /// Where it is sent, in normal form.
    pub address: String,
    /// How it is sent.
    pub via: Via,
    /// The address record that it proves.
    pub address_id: Option<Uuid>,
    /// The keyed hash of the code or token.
    pub code_hash: Vec<u8>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Until when it is good.
    pub expires_at: Timestamp,
    /// What the method keeps with it, encrypted.
    pub data: Option<Vec<u8>>,
}

impl std::fmt::Debug for NewCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewCode")
            .field("id", &self.id)
            .field("purpose", &self.purpose)
            .field("flow_id", &self.flow_id)
            .finish_non_exhaustive()
    }
}

/// A code or link that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    /// What it is.
    pub code: NewCode,
    /// When it was used or revoked.
    pub used_at: Option<Timestamp>,
}

impl Code {
    /// Whether it can be used at `now`.
    #[must_use]
    pub fn is_usable(&self, now: Timestamp) -> bool {
        self.used_at.is_none() && now < self.code.expires_at
    }
}

macro_rules! code_columns {
    () => {
        "id, purpose, flow_id, identity_id, address, via, address_id, code_hash, created_at, expires_at, data, used_at"
    };
}

fn from_row(mut row: Row) -> Result<Code, StoreError> {
    Ok(Code {
        code: NewCode {
            id: row.uuid()?,
            purpose: row.word()?,
            flow_id: row.uuid()?,
            identity_id: row.opt_uuid()?,
            address: row.text()?,
            via: row.word()?,
            address_id: row.opt_uuid()?,
            code_hash: row.bytes()?,
            created_at: row.time()?,
            expires_at: row.time()?,
            data: row.opt_bytes()?,
        },
        used_at: row.opt_time()?,
    })
}

/// All codes of a flow, newest first, also used and expired ones.
///
/// # Errors
/// What the database says.
pub async fn list_by_flow(store: &Store, flow_id: Uuid) -> Result<Vec<Code>, StoreError> {
    let sql = concat!("SELECT ", code_columns!(), " FROM codes WHERE flow_id = $1 ORDER BY created_at DESC, id DESC");
    store.read_one(Query::new(sql, vec![flow_id.into()])).await?.into_iter().map(from_row).collect()
}

/// The newest code of a hash for a purpose; it may be used or expired.
///
/// # Errors
/// What the database says.
pub async fn find_by_hash(store: &Store, purpose: FlowKind, code_hash: &[u8]) -> Result<Option<Code>, StoreError> {
    let sql = concat!(
        "SELECT ",
        code_columns!(),
        " FROM codes WHERE code_hash = $1 AND purpose = $2 ORDER BY created_at DESC, id DESC LIMIT 1"
    );
    let rows = store.read_one(Query::new(sql, vec![code_hash.into(), Value::word(purpose.as_str())])).await?;
    rows.into_iter().next().map(from_row).transpose()
}

/// How often somebody guessed at a flow's codes for a purpose.
///
/// # Errors
/// What the database says.
pub async fn tries(store: &Store, flow_id: Uuid, purpose: FlowKind) -> Result<u64, StoreError> {
    let sql = "SELECT tries FROM code_tries WHERE flow_id = $1 AND purpose = $2";
    let rows = store.read_one(Query::new(sql, vec![flow_id.into(), Value::word(purpose.as_str())])).await?;
    rows.into_iter().next().map_or(Ok(0), |mut row| row.count())
}

/// Adds a code.
pub fn insert(c: &mut Changes, code: &NewCode) {
    c.push(
        "INSERT INTO codes (id, purpose, flow_id, identity_id, address, via, address_id, code_hash, created_at, expires_at, \
         data) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        vec![
            code.id.into(),
            Value::word(code.purpose.as_str()),
            code.flow_id.into(),
            code.identity_id.into(),
            code.address.as_str().into(),
            Value::word(code.via.as_str()),
            code.address_id.into(),
            code.code_hash.as_slice().into(),
            code.created_at.into(),
            code.expires_at.into(),
            code.data.clone().map_or(Value::Null, Value::Bytes),
        ],
        Expect::One,
    );
}

/// Counts a guess at a flow's codes. Guard: fewer than `limit` were counted; a `Conflict` means "exhausted".
pub fn charge(c: &mut Changes, flow_id: Uuid, purpose: FlowKind, limit: u32) {
    let args = vec![flow_id.into(), Value::word(purpose.as_str())];
    if limit == 0 {
        // Never matches: no flow has a negative number of guesses.
        c.push("UPDATE code_tries SET tries = 0 WHERE flow_id = $1 AND purpose = $2 AND tries < 0", args, Expect::One);
        return;
    }
    c.push(
        "INSERT INTO code_tries (flow_id, purpose, tries) VALUES ($1, $2, 1) ON CONFLICT (flow_id, purpose) \
         DO UPDATE SET tries = code_tries.tries + 1 WHERE code_tries.tries < $3",
        args.into_iter().chain([limit.into()]).collect(),
        Expect::One,
    );
}

/// Uses a code. Guard: it was not used or revoked, and is not past its end at `now`; so it is used once.
pub fn consume(c: &mut Changes, id: Uuid, now: Timestamp) {
    c.push(
        "UPDATE codes SET used_at = $1 WHERE id = $2 AND used_at IS NULL AND expires_at > $1",
        vec![now.into(), id.into()],
        Expect::One,
    );
}

/// Removes the codes of a flow that were not used: a new one takes their place, and they are as wrong as any other.
pub fn drop_of_flow(c: &mut Changes, flow_id: Uuid) {
    c.push("DELETE FROM codes WHERE flow_id = $1 AND used_at IS NULL", vec![flow_id.into()], Expect::Any);
}

/// Removes the codes of an identity for a purpose that were not used, whatever flow asked for them.
pub fn drop_of_identity(c: &mut Changes, identity_id: Uuid, purpose: FlowKind) {
    c.push(
        "DELETE FROM codes WHERE identity_id = $1 AND purpose = $2 AND used_at IS NULL",
        vec![identity_id.into(), Value::word(purpose.as_str())],
        Expect::Any,
    );
}
