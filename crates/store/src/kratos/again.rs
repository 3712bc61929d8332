//! What a move that is repeated has to know of our own database, and writes to it.
//!
//! An identity that came and was not changed here since has both its versions at the beginning of a turn. Taking it over
//! anew begins the next turn; every change of our own counts on within it. So a version never stands for two states.

use std::collections::HashMap;

use portcullis_model::identity::Identity;
use portcullis_model::time::Timestamp;
use uuid::Uuid;

use crate::changes::{Changes, Expect};
use crate::dialect::{LIST_MAX, Query, list as in_list};
use crate::failure::StoreError;
use crate::store::Store;
use crate::value::Value;

/// The length of a turn: more changes than anybody makes between two moves.
const TURN: i64 = 1 << 32;

/// Whether an identity is as it came: nobody changed it or its credentials here since it was made or taken over.
#[must_use]
pub fn is_as_it_came(identity: &Identity) -> bool {
    identity.version.rem_euclid(TURN) == 1 && identity.credentials_version.rem_euclid(TURN) == 1
}

/// Writes what takes an identity over anew, and begins the next turn. Guard: neither the identity nor its credentials changed
/// since they were read.
pub fn take_anew(c: &mut Changes, seen: &Identity, write: impl FnOnce(&mut Changes)) {
    c.push(
        "UPDATE identities SET updated_at = updated_at WHERE id = $1 AND version = $2 AND credentials_version = $3",
        vec![seen.id.into(), seen.version.into(), seen.credentials_version.into()],
        Expect::One,
    );
    write(c);
    c.push(
        "UPDATE identities SET version = $2, credentials_version = $3 WHERE id = $1",
        vec![seen.id.into(), seen.version.saturating_add(TURN).into(), seen.credentials_version.saturating_add(TURN).into()],
        Expect::One,
    );
}

/// A session here that was not revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its id.
    pub id: Uuid,
    /// Until when it lasts.
    pub expires_at: Timestamp,
    /// When its holder last signed in.
    pub authenticated_at: Timestamp,
}

/// The sessions of identities that are not revoked, by identity.
///
/// # Errors
/// What the database says.
pub async fn sessions(store: &Store, identities: &[Uuid]) -> Result<HashMap<Uuid, Vec<Standing>>, StoreError> {
    let ids: Vec<Value> = identities.iter().copied().map(Value::Uuid).collect();
    let queries = ids.chunks(LIST_MAX).map(|part| {
        let mut args = Vec::new();
        let sql = format!(
            "SELECT s.identity_id, s.id, s.expires_at, s.authenticated_at FROM sessions s WHERE s.active = 1 AND s.identity_id IN ({})",
            in_list(&mut args, part)
        );
        Query::new(sql, args)
    });
    let mut out: HashMap<Uuid, Vec<Standing>> = HashMap::new();
    for mut row in store.read_long(queries.collect()).await?.into_iter().flatten() {
        let owner = row.uuid()?;
        let session = Standing { id: row.uuid()?, expires_at: row.time()?, authenticated_at: row.time()? };
        out.entry(owner).or_default().push(session);
    }
    Ok(out)
}
