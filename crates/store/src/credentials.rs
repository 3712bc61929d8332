//! Credentials: one row for each type that an identity has, and a unique row for each identifier.
//!
//! Invariant: whoever changes a credential also raises the identity's version of credentials
//! ([`crate::identities::touch_credentials`]) in the same [`Changes`]; [`replace_config`] alone does not need it.

use std::collections::{BTreeSet, HashMap};

use portcullis_model::credential::{Credential, CredentialType};
use portcullis_model::time::Timestamp;
use uuid::Uuid;

use crate::changes::{Changes, Expect};
use crate::dialect::Query;
use crate::failure::StoreError;
use crate::store::Store;
use crate::value::{Row, Value, json_of};

/// The columns of a credential in the order in which [`sorted`] reads them.
pub(crate) const COLUMNS: &str = "c.identity_id, c.id, c.kind, c.identifiers, c.config, c.version, c.created_at, c.updated_at";

/// Credentials by their identity, each list sorted by type.
pub(crate) fn sorted(rows: Vec<Row>) -> Result<HashMap<Uuid, Vec<Credential>>, StoreError> {
    let mut out: HashMap<Uuid, Vec<Credential>> = HashMap::new();
    for mut row in rows {
        let identity_id = row.uuid()?;
        let credential = Credential {
            id: row.uuid()?,
            kind: row.word()?,
            identifiers: row.json()?,
            config: row.json()?,
            version: row.int()?,
            created_at: row.time()?,
            updated_at: row.time()?,
        };
        out.entry(identity_id).or_default().push(credential);
    }
    for list in out.values_mut() {
        list.sort_by_key(|c| c.kind);
    }
    Ok(out)
}

/// The credentials of an identity, sorted by type.
///
/// # Errors
/// What the database says.
pub async fn list(store: &Store, identity_id: Uuid) -> Result<Vec<Credential>, StoreError> {
    let sql = "SELECT c.identity_id, c.id, c.kind, c.identifiers, c.config, c.version, c.created_at, c.updated_at \
               FROM credentials c WHERE c.identity_id = $1";
    let rows = store.read_one(Query::new(sql, vec![identity_id.into()])).await?;
    Ok(sorted(rows)?.remove(&identity_id).unwrap_or_default())
}

/// Adds a credential to an identity that has none of its type, such as a new one, with its identifiers. An identifier that
/// another identity has in this type is a `Unique` error of the commit.
pub fn insert(c: &mut Changes, identity_id: Uuid, credential: &Credential) {
    c.push(
        "INSERT INTO credentials (identity_id, kind, id, identifiers, config, version, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        columns(identity_id, credential),
        Expect::One,
    );
    insert_identifiers(c, identity_id, credential);
}

/// Adds a credential, or replaces the one of its type, with its identifiers. An identifier that another identity has in
/// this type is a `Unique` error of the commit.
pub fn put(c: &mut Changes, identity_id: Uuid, credential: &Credential) {
    c.push(
        "INSERT INTO credentials (identity_id, kind, id, identifiers, config, version, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (identity_id, kind) DO UPDATE SET id = excluded.id, \
         identifiers = excluded.identifiers, config = excluded.config, version = excluded.version, \
         created_at = excluded.created_at, updated_at = excluded.updated_at",
        columns(identity_id, credential),
        Expect::One,
    );
    c.push(
        "DELETE FROM credential_identifiers WHERE identity_id = $1 AND kind = $2",
        vec![identity_id.into(), credential.kind.as_str().into()],
        Expect::Any,
    );
    insert_identifiers(c, identity_id, credential);
}

/// The columns that a new row has, in the order of the statements above.
fn columns(identity_id: Uuid, credential: &Credential) -> Vec<Value> {
    vec![
        identity_id.into(),
        credential.kind.as_str().into(),
        credential.id.into(),
        json_of(&credential.identifiers),
        Value::Text(credential.config.to_string()),
        credential.version.into(),
        credential.created_at.into(),
        credential.updated_at.into(),
    ]
}

/// The unique rows of a credential's identifiers. One that stands twice in the list gets one row.
fn insert_identifiers(c: &mut Changes, identity_id: Uuid, credential: &Credential) {
    for identifier in credential.identifiers.iter().collect::<BTreeSet<_>>() {
        c.push(
            "INSERT INTO credential_identifiers (kind, identifier, identity_id) VALUES ($1, $2, $3)",
            vec![credential.kind.as_str().into(), identifier.as_str().into(), identity_id.into()],
            Expect::One,
        );
    }
}

/// Removes a credential with its identifiers. Guard: it is there.
pub fn delete(c: &mut Changes, identity_id: Uuid, kind: CredentialType) {
    c.push(
        "DELETE FROM credentials WHERE identity_id = $1 AND kind = $2",
        vec![identity_id.into(), kind.as_str().into()],
        Expect::One,
    );
}

/// Replaces a credential's data. Guard: it is still exactly what was read. For changes that are worth nothing if
/// somebody else was faster, such as a stronger hash of the same password.
pub fn replace_config(
    c: &mut Changes,
    identity_id: Uuid,
    kind: CredentialType,
    new_config: &serde_json::Value,
    old_config: &serde_json::Value,
    now: Timestamp,
) {
    c.push(
        "UPDATE credentials SET config = $1, updated_at = $2 WHERE identity_id = $3 AND kind = $4 AND config = $5",
        vec![
            Value::Text(new_config.to_string()),
            now.into(),
            identity_id.into(),
            kind.as_str().into(),
            Value::Text(old_config.to_string()),
        ],
        Expect::One,
    );
}
