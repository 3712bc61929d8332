//! Identities: reading them by every name they have, and changing them.
//!
//! An identity's row carries all that a session check needs. The unique rows of addresses beside it are written together
//! with it, here and nowhere else, so that row and unique rows never differ.

mod list;

use portcullis_model::credential::CredentialType;
use portcullis_model::identity::{Identity, IdentityWithCredentials, Via};
use uuid::Uuid;

pub use list::{IdentityFilter, Page, count, is_empty, list, list_offset};

use crate::changes::{Changes, Expect};
use crate::credentials;
use crate::dialect::{Query, arg};
use crate::failure::StoreError;
use crate::store::{Store, two};
use crate::value::{Row, Value, json_of};

/// The columns of an identity in the order in which [`from_row`] reads them. A macro, since `concat!` takes literals only.
macro_rules! identity_columns {
    () => {
        "i.id, i.schema_id, i.traits, i.state, i.state_changed_at, i.metadata_public, i.metadata_admin, i.external_id, \
         i.organization_id, i.verifiable_addresses, i.recovery_addresses, i.factors, i.credentials_version, i.version, \
         i.created_at, i.updated_at"
    };
}
pub(crate) use identity_columns;

pub(crate) fn from_row(row: &mut Row) -> Result<Identity, StoreError> {
    Ok(Identity {
        id: row.uuid()?,
        schema_id: row.text()?,
        traits: row.json()?,
        state: row.word()?,
        state_changed_at: row.time()?,
        metadata_public: row.json()?,
        metadata_admin: row.json()?,
        external_id: row.opt_text()?,
        organization_id: row.opt_uuid()?,
        verifiable_addresses: row.json()?,
        recovery_addresses: row.json()?,
        factors: row.json()?,
        credentials_version: row.int()?,
        version: row.int()?,
        created_at: row.time()?,
        updated_at: row.time()?,
    })
}

/// Which addresses are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressPurpose {
    /// Those whose ownership can be proved.
    Verifiable,
    /// Those by which an account can be recovered.
    Recovery,
}

/// The identity of an id.
///
/// # Errors
/// What the database says.
pub async fn get(store: &Store, id: Uuid) -> Result<Option<Identity>, StoreError> {
    let sql = concat!("SELECT ", identity_columns!(), " FROM identities i WHERE i.id = $1");
    let rows = store.read_one(Query::new(sql, vec![id.into()])).await?;
    rows.into_iter().next().map(|mut row| from_row(&mut row)).transpose()
}

/// The identity of an id with its credentials, on one snapshot.
///
/// # Errors
/// What the database says.
pub async fn get_with_credentials(store: &Store, id: Uuid) -> Result<Option<IdentityWithCredentials>, StoreError> {
    load(store, "$1", vec![id.into()]).await
}

/// The identity that has an identifier in one of these types of credentials; if several have, the first type decides.
/// The identifier is in normal form (social ones: as they are).
///
/// # Errors
/// What the database says.
pub async fn find_by_identifier(
    store: &Store,
    kinds: &[CredentialType],
    identifier: &str,
) -> Result<Option<IdentityWithCredentials>, StoreError> {
    let mut args = vec![identifier.into()];
    let choices: Vec<String> = kinds
        .iter()
        .map(|kind| {
            let place = arg(&mut args, kind.as_str());
            format!("(SELECT n.identity_id FROM credential_identifiers n WHERE n.kind = {place} AND n.identifier = $1)")
        })
        .collect();
    match choices.as_slice() {
        [] => Ok(None),
        [only] => load(store, only, args).await,
        several => load(store, &format!("COALESCE({})", several.join(", ")), args).await,
    }
}

/// The identity that an address belongs to. The address is in normal form.
///
/// # Errors
/// What the database says.
pub async fn find_by_address(
    store: &Store,
    purpose: AddressPurpose,
    via: Via,
    value: &str,
) -> Result<Option<Identity>, StoreError> {
    let sql = match purpose {
        AddressPurpose::Verifiable => concat!(
            "SELECT ",
            identity_columns!(),
            " FROM verifiable_addresses a JOIN identities i ON i.id = a.identity_id WHERE a.via = $1 AND a.value = $2"
        ),
        AddressPurpose::Recovery => concat!(
            "SELECT ",
            identity_columns!(),
            " FROM recovery_addresses a JOIN identities i ON i.id = a.identity_id WHERE a.via = $1 AND a.value = $2"
        ),
    };
    let rows = store.read_one(Query::new(sql, vec![Value::word(via.as_str()), value.into()])).await?;
    rows.into_iter().next().map(|mut row| from_row(&mut row)).transpose()
}

/// The identity that somebody else knows by this id, byte for byte.
///
/// # Errors
/// What the database says.
pub async fn get_by_external_id(store: &Store, external_id: &str) -> Result<Option<IdentityWithCredentials>, StoreError> {
    load(store, "(SELECT e.id FROM identities e WHERE e.external_id = $1)", vec![external_id.into()]).await
}

/// An identity with its credentials, by an expression that gives its id.
async fn load(store: &Store, id: &str, args: Vec<Value>) -> Result<Option<IdentityWithCredentials>, StoreError> {
    let identity = format!("SELECT {} FROM identities i WHERE i.id = {id}", identity_columns!());
    let theirs = format!("SELECT {} FROM credentials c WHERE c.identity_id = {id}", credentials::COLUMNS);
    let queries = [Query::new(identity, args.clone()), Query::new(theirs, args)];
    let (identity, theirs) = two(store.read(&queries).await?);
    let Some(mut row) = identity.into_iter().next() else { return Ok(None) };
    let identity = from_row(&mut row)?;
    let credentials = credentials::sorted(theirs)?.remove(&identity.id).unwrap_or_default();
    Ok(Some(IdentityWithCredentials { identity, credentials }))
}

/// Adds an identity with its addresses. A taken address or external id is a `Unique` error of the commit.
pub fn insert(c: &mut Changes, identity: &Identity) {
    c.push(
        "INSERT INTO identities (id, schema_id, traits, state, state_changed_at, metadata_public, metadata_admin, external_id, \
         organization_id, verifiable_addresses, recovery_addresses, factors, updated_at, credentials_version, version, \
         created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
        {
            let mut args = changeable(identity);
            args.extend([identity.credentials_version.into(), identity.version.into(), identity.created_at.into()]);
            args
        },
        Expect::One,
    );
    for ([insert, _], rows) in [(VERIFIABLE, verifiable_rows(identity)), (RECOVERY, recovery_rows(identity))] {
        for row in rows {
            c.push(insert, row.values(identity.id), Expect::One);
        }
    }
}

/// Replaces an identity's row, and of its addresses those that differ; raises its version by one. Guard: the version is still
/// the one that was seen. `credentials_version` and `created_at` are left as they are (see [`touch_credentials`]).
pub fn update(c: &mut Changes, seen: &Identity, identity: &Identity) {
    let mut args = changeable(identity);
    args.push(seen.version.into());
    c.push(
        "UPDATE identities SET schema_id = $2, traits = $3, state = $4, state_changed_at = $5, metadata_public = $6, \
         metadata_admin = $7, external_id = $8, organization_id = $9, verifiable_addresses = $10, recovery_addresses = $11, \
         factors = $12, updated_at = $13, version = version + 1 WHERE id = $1 AND version = $14",
        args,
        Expect::One,
    );
    for ([insert, delete], before, after) in
        [(VERIFIABLE, verifiable_rows(seen), verifiable_rows(identity)), (RECOVERY, recovery_rows(seen), recovery_rows(identity))]
    {
        // A row that stays under another id goes and comes.
        for row in before.iter().filter(|row| !after.contains(row)) {
            c.push(delete, row.key(identity.id), Expect::One);
        }
        for row in after.iter().filter(|row| !before.contains(row)) {
            c.push(insert, row.values(identity.id), Expect::One);
        }
    }
}

/// Removes an identity with everything of it. Guard: it is there.
pub fn delete(c: &mut Changes, id: Uuid) {
    // Whoever changes an identity or its credentials changes this row first: from here on nobody adds a name.
    c.push("UPDATE identities SET version = version + 1 WHERE id = $1", vec![id.into()], Expect::One);
    remove(c, id);
}

/// As [`delete`], if neither the identity nor its credentials changed since they were read. Guard: they are still the same.
pub fn delete_seen(c: &mut Changes, seen: &Identity) {
    c.push(
        "UPDATE identities SET version = version + 1 WHERE id = $1 AND version = $2 AND credentials_version = $3",
        vec![seen.id.into(), seen.version.into(), seen.credentials_version.into()],
        Expect::One,
    );
    remove(c, seen.id);
}

/// Removes an identity's names by the rows on which they stand, then the identity; all else refers to it and goes with it.
fn remove(c: &mut Changes, id: Uuid) {
    for sql in [
        "DELETE FROM credential_identifiers WHERE identity_id = $1 AND (identifier, kind) IN (SELECT m.value, o.kind \
         FROM credentials o, {text_members}(o.identifiers{json}) m WHERE o.identity_id = $1)",
        "DELETE FROM verifiable_addresses WHERE identity_id = $1 AND (via, value) IN (SELECT m.value ->> 'via', \
         m.value ->> 'value' FROM identities o, {members}(o.verifiable_addresses{json}) m WHERE o.id = $1)",
        "DELETE FROM recovery_addresses WHERE identity_id = $1 AND (via, value) IN (SELECT m.value ->> 'via', \
         m.value ->> 'value' FROM identities o, {members}(o.recovery_addresses{json}) m WHERE o.id = $1)",
    ] {
        c.push(sql, vec![id.into()], Expect::Any);
    }
    c.push("DELETE FROM identities WHERE id = $1", vec![id.into()], Expect::One);
}

/// Raises the version of an identity's credentials by one; goes with every change of them. Guard: it is still the one that
/// was seen, so that of two decisions about the same credentials only one holds.
pub fn touch_credentials(c: &mut Changes, identity_id: Uuid, seen_credentials_version: i64) {
    c.push(
        "UPDATE identities SET credentials_version = credentials_version + 1 WHERE id = $1 AND credentials_version = $2",
        vec![identity_id.into(), seen_credentials_version.into()],
        Expect::One,
    );
}

/// The columns that an update writes, from `id` to `updated_at`.
fn changeable(identity: &Identity) -> Vec<Value> {
    vec![
        identity.id.into(),
        identity.schema_id.as_str().into(),
        json_of(&identity.traits),
        Value::word(identity.state.as_str()),
        identity.state_changed_at.into(),
        Value::json(&identity.metadata_public),
        Value::json(&identity.metadata_admin),
        identity.external_id.as_deref().into(),
        identity.organization_id.into(),
        json_of(&identity.verifiable_addresses),
        json_of(&identity.recovery_addresses),
        json_of(&identity.factors),
        identity.updated_at.into(),
    ]
}

/// What adds the unique row of an address, and what takes it away.
type AddressTable = [&'static str; 2];

const VERIFIABLE: AddressTable = [
    "INSERT INTO verifiable_addresses (via, value, id, identity_id) VALUES ($1, $2, $3, $4)",
    "DELETE FROM verifiable_addresses WHERE via = $1 AND value = $2 AND identity_id = $3",
];
const RECOVERY: AddressTable = [
    "INSERT INTO recovery_addresses (via, value, id, identity_id) VALUES ($1, $2, $3, $4)",
    "DELETE FROM recovery_addresses WHERE via = $1 AND value = $2 AND identity_id = $3",
];

/// The unique row of an address.
#[derive(Clone, Copy, PartialEq, Eq)]
struct AddressRow<'a> {
    via: Via,
    value: &'a str,
    id: Uuid,
}

impl AddressRow<'_> {
    fn values(&self, identity_id: Uuid) -> Vec<Value> {
        vec![Value::word(self.via.as_str()), self.value.into(), self.id.into(), identity_id.into()]
    }

    fn key(&self, identity_id: Uuid) -> Vec<Value> {
        vec![Value::word(self.via.as_str()), self.value.into(), identity_id.into()]
    }
}

fn verifiable_rows(identity: &Identity) -> Vec<AddressRow<'_>> {
    rows(identity.verifiable_addresses.iter().map(|a| AddressRow { via: a.via, value: &a.value, id: a.id }))
}

fn recovery_rows(identity: &Identity) -> Vec<AddressRow<'_>> {
    rows(identity.recovery_addresses.iter().map(|a| AddressRow { via: a.via, value: &a.value, id: a.id }))
}

/// An address that stands twice in a list gets one row.
fn rows<'a>(addresses: impl Iterator<Item = AddressRow<'a>>) -> Vec<AddressRow<'a>> {
    let mut rows: Vec<AddressRow<'a>> = Vec::new();
    for address in addresses {
        if !rows.iter().any(|row| row.via == address.via && row.value == address.value) {
            rows.push(address);
        }
    }
    rows
}
