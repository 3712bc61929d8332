//! Credentials: one row for each type that an identity has, and a unique row for each identifier.
//!
//! Invariant: whoever changes a credential also raises the identity's version of credentials
//! ([`crate::identities::touch_credentials`]) in the same [`Changes`], and does so first; [`replace_config`] alone does not
//! need it. The version is the guard of what was seen of a credential here.

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
    for identifier in identifiers(credential) {
        insert_identifier(c, identity_id, credential.kind, identifier);
    }
}

/// Replaces the credential of a type, and of its identifiers those that differ. Guard: it is there. An identifier that another
/// identity has in this type is a `Unique` error of the commit.
pub fn replace(c: &mut Changes, identity_id: Uuid, seen: &Credential, credential: &Credential) {
    c.push(
        "UPDATE credentials SET id = $3, identifiers = $4, config = $5, version = $6, created_at = $7, updated_at = $8 \
         WHERE identity_id = $1 AND kind = $2",
        columns(identity_id, credential),
        Expect::One,
    );
    let (before, after) = (identifiers(seen), identifiers(credential));
    for gone in before.difference(&after) {
        delete_identifier(c, identity_id, credential.kind, gone);
    }
    for new in after.difference(&before) {
        insert_identifier(c, identity_id, credential.kind, new);
    }
}

/// Removes a credential with its identifiers. Guard: it is there.
pub fn delete(c: &mut Changes, identity_id: Uuid, seen: &Credential) {
    for identifier in identifiers(seen) {
        delete_identifier(c, identity_id, seen.kind, identifier);
    }
    c.push(
        "DELETE FROM credentials WHERE identity_id = $1 AND kind = $2",
        vec![identity_id.into(), Value::word(seen.kind.as_str())],
        Expect::One,
    );
}

/// The columns of a row, in the order of the statements above.
fn columns(identity_id: Uuid, credential: &Credential) -> Vec<Value> {
    vec![
        identity_id.into(),
        Value::word(credential.kind.as_str()),
        credential.id.into(),
        json_of(&credential.identifiers),
        json_of(&credential.config),
        credential.version.into(),
        credential.created_at.into(),
        credential.updated_at.into(),
    ]
}

/// A credential's identifiers. One that stands twice in the list has one row.
fn identifiers(credential: &Credential) -> BTreeSet<&str> {
    credential.identifiers.iter().map(String::as_str).collect()
}

fn insert_identifier(c: &mut Changes, identity_id: Uuid, kind: CredentialType, identifier: &str) {
    c.push(
        "INSERT INTO credential_identifiers (kind, identifier, identity_id) VALUES ($1, $2, $3)",
        vec![Value::word(kind.as_str()), identifier.into(), identity_id.into()],
        Expect::One,
    );
}

fn delete_identifier(c: &mut Changes, identity_id: Uuid, kind: CredentialType, identifier: &str) {
    c.push(
        "DELETE FROM credential_identifiers WHERE kind = $1 AND identifier = $2 AND identity_id = $3",
        vec![Value::word(kind.as_str()), identifier.into(), identity_id.into()],
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
        vec![json_of(new_config), now.into(), identity_id.into(), Value::word(kind.as_str()), json_of(old_config)],
        Expect::One,
    );
}
