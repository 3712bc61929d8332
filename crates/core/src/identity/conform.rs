//! What follows from an identity's traits: identifiers, addresses, factors and times.
//!
//! After [`conform`] an identity is as its schema and traits say, whatever it was before: this is the only place that
//! derives anything from traits, so a sign-up, a change of settings, an import and a patch cannot differ.

use portcullis_model::credential::{Credential, CredentialType};
use portcullis_model::identity::{
    AddressStatus, Factors, Identity, IdentityWithCredentials, RecoveryAddress, State, VerifiableAddress, Via,
};
use portcullis_model::normal;
use portcullis_model::schema::{Derived, IdentitySchema};
use portcullis_model::time::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::app::Cx;
use crate::method::CredentialKind;

/// The version of the shape of credentials' data that is written now.
pub(super) const CREDENTIAL_VERSION: i64 = 1;

/// An identity with nothing but traits, not yet conformed and not yet stored.
#[must_use]
pub fn blank(cx: &Cx, schema_id: &str, traits: Value) -> IdentityWithCredentials {
    IdentityWithCredentials {
        identity: Identity {
            id: cx.new_id(),
            schema_id: schema_id.to_owned(),
            traits,
            state: State::Active,
            state_changed_at: cx.now,
            metadata_public: Value::Null,
            metadata_admin: Value::Null,
            external_id: None,
            organization_id: None,
            verifiable_addresses: Vec::new(),
            recovery_addresses: Vec::new(),
            factors: Factors::default(),
            credentials_version: 1,
            version: 1,
            created_at: cx.now,
            updated_at: cx.now,
        },
        credentials: Vec::new(),
    }
}

/// Works out from the traits what follows from them: the identifiers of each type of credential that the schema names,
/// the addresses, the usable factors, and the times of change. `old` is the identity as it is stored, if it is.
///
/// - A credential exists as soon as the traits give it an identifier, also without a secret. Types that the schema does
///   not name lose their identifiers, and go if they then hold nothing.
/// - An address whose normal form is already in `new` keeps its record and what is known of it; others are new records,
///   pending and unverified. Addresses that the traits do not give are left out. The order is the schema's.
pub fn conform(cx: &Cx, new: &mut IdentityWithCredentials, old: Option<&IdentityWithCredentials>, schema: &IdentitySchema) {
    let kinds: Vec<&dyn CredentialKind> = cx.app.methods.credentials().collect();
    conform_at(&Moment { now: cx.now, new_id: &|| cx.new_id() }, &kinds, new, old, schema);
}

/// When, and how new records are named.
struct Moment<'a> {
    now: Timestamp,
    new_id: &'a dyn Fn() -> Uuid,
}

fn conform_at(
    at: &Moment<'_>,
    kinds: &[&dyn CredentialKind],
    new: &mut IdentityWithCredentials,
    old: Option<&IdentityWithCredentials>,
    schema: &IdentitySchema,
) {
    let derived = schema.derive(&new.identity.traits);
    schema.id().clone_into(&mut new.identity.schema_id);
    identifiers(at, new, &derived);
    new.identity.verifiable_addresses = verifiable(at, &new.identity.verifiable_addresses, old, &derived.verifiable);
    new.identity.recovery_addresses = recovery(at, &new.identity.recovery_addresses, old, &derived.recovery);
    new.identity.factors = factors(kinds, &new.credentials);
    times(at, new, old);
}

fn identifiers(at: &Moment<'_>, new: &mut IdentityWithCredentials, derived: &Derived) {
    set_identifiers(at, new, CredentialType::Password, derived.password.clone());
    set_identifiers(at, new, CredentialType::Webauthn, derived.webauthn.clone());
    // Codes go where the traits say: the type holds no data of its own.
    let mut codes: Vec<String> = Vec::new();
    for (_, address) in &derived.code {
        if !codes.contains(address) {
            codes.push(address.clone());
        }
    }
    if codes.is_empty() {
        new.credentials.retain(|c| c.kind != CredentialType::Code);
    } else {
        let addresses: Vec<Value> =
            derived.code.iter().map(|(via, address)| json!({ "channel": via.as_str(), "address": address })).collect();
        set_identifiers(at, new, CredentialType::Code, codes);
        if let Some(code) = new.credentials.iter_mut().find(|c| c.kind == CredentialType::Code) {
            code.config = json!({ "addresses": addresses });
        }
    }
    new.credentials.sort_by_key(|c| c.kind);
}

fn set_identifiers(at: &Moment<'_>, new: &mut IdentityWithCredentials, kind: CredentialType, identifiers: Vec<String>) {
    match new.credentials.iter_mut().find(|c| c.kind == kind) {
        Some(credential) => credential.identifiers = identifiers,
        None if identifiers.is_empty() => {}
        None => new.credentials.push(Credential {
            id: (at.new_id)(),
            kind,
            identifiers,
            config: Value::Object(Map::new()),
            version: CREDENTIAL_VERSION,
            created_at: at.now,
            updated_at: at.now,
        }),
    }
    new.credentials.retain(|c| c.kind != kind || !c.identifiers.is_empty() || !is_empty(&c.config));
}

/// Whether a credential's data is nothing.
pub(super) fn is_empty(config: &Value) -> bool {
    match config {
        Value::Null => true,
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}

fn verifiable(
    at: &Moment<'_>,
    given: &[VerifiableAddress],
    old: Option<&IdentityWithCredentials>,
    wanted: &[(Via, String)],
) -> Vec<VerifiableAddress> {
    wanted
        .iter()
        .map(|(via, value)| {
            let same = |a: &&VerifiableAddress| a.via == *via && normal::address(a.via, &a.value) == *value;
            let stored = old.and_then(|o| o.identity.verifiable_addresses.iter().find(same));
            let mut address = match given.iter().find(same) {
                Some(given) => VerifiableAddress { value: value.clone(), ..given.clone() },
                None => VerifiableAddress {
                    id: Uuid::nil(),
                    value: value.clone(),
                    verified: false,
                    via: *via,
                    status: AddressStatus::Pending,
                    verified_at: None,
                    created_at: at.now,
                    updated_at: at.now,
                },
            };
            if address.id.is_nil() {
                address.id = stored.map_or_else(|| (at.new_id)(), |s| s.id);
            }
            match stored {
                Some(stored) => {
                    address.created_at = stored.created_at;
                    address.updated_at = stored.updated_at;
                    if address != *stored {
                        address.updated_at = at.now;
                    }
                }
                None if old.is_some() => {
                    address.created_at = at.now;
                    address.updated_at = at.now;
                }
                None => {}
            }
            address
        })
        .collect()
}

fn recovery(
    at: &Moment<'_>,
    given: &[RecoveryAddress],
    old: Option<&IdentityWithCredentials>,
    wanted: &[(Via, String)],
) -> Vec<RecoveryAddress> {
    wanted
        .iter()
        .map(|(via, value)| {
            let same = |a: &&RecoveryAddress| a.via == *via && normal::address(a.via, &a.value) == *value;
            let stored = old.and_then(|o| o.identity.recovery_addresses.iter().find(same));
            match (stored, given.iter().find(same)) {
                (Some(stored), _) => stored.clone(),
                (None, Some(given)) if !given.id.is_nil() => RecoveryAddress { value: value.clone(), ..given.clone() },
                _ => {
                    RecoveryAddress { id: (at.new_id)(), value: value.clone(), via: *via, created_at: at.now, updated_at: at.now }
                }
            }
        })
        .collect()
}

/// What an identity can prove itself with, by its credentials. Methods that are switched off count too: whether one may
/// be used now is asked when it matters, so that a change of the configuration holds for everybody at once.
fn factors(kinds: &[&dyn CredentialKind], credentials: &[Credential]) -> Factors {
    let mut factors = Factors::default();
    for kind in kinds {
        for credential in credentials.iter().filter(|c| c.kind == kind.kind()) {
            let usable = kind.usable(credential);
            if usable.first && !factors.first.contains(&credential.kind) {
                factors.first.push(credential.kind);
            }
            if usable.second && !factors.second.contains(&credential.kind) {
                factors.second.push(credential.kind);
            }
        }
    }
    factors.first.sort();
    factors.second.sort();
    factors
}

fn times(at: &Moment<'_>, new: &mut IdentityWithCredentials, old: Option<&IdentityWithCredentials>) {
    let Some(old) = old else { return };
    for credential in &mut new.credentials {
        if let Some(stored) = old.credential(credential.kind) {
            credential.id = stored.id;
            credential.created_at = stored.created_at;
            credential.updated_at = stored.updated_at;
            if *credential != *stored {
                credential.updated_at = at.now;
            }
        }
    }
    let identity = &mut new.identity;
    identity.id = old.identity.id;
    identity.created_at = old.identity.created_at;
    identity.version = old.identity.version;
    identity.credentials_version = old.identity.credentials_version;
    identity.state_changed_at = if identity.state == old.identity.state { old.identity.state_changed_at } else { at.now };
    identity.updated_at = old.identity.updated_at;
    if *identity != old.identity || new.credentials != old.credentials {
        new.identity.updated_at = at.now;
    }
}

#[cfg(test)]
#[path = "conform_tests.rs"]
mod tests;
