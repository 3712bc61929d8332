//! From one state of an identity to the next: what differs, and the changes of the database that bring it about.
//!
//! Only what differs is written. Every write is guarded by the version that was read, so two changes that were decided on
//! the same state cannot both happen: the later one meets a conflict and is decided again.

use portcullis_model::credential::{Credential, CredentialType};
use portcullis_model::flow::FlowKind;
use portcullis_model::identity::{IdentityWithCredentials, RecoveryAddress, VerifiableAddress};
use portcullis_store::{Changes, codes, credentials, identities, parked};
use serde_json::Value;

use super::conform::is_empty;

/// What differs between two states of an identity.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Difference {
    /// Its traits.
    pub traits: bool,
    /// The identifiers of any credential.
    pub identifiers_changed: bool,
    /// Verifiable addresses that are new, in the schema's order.
    pub addresses_added: Vec<VerifiableAddress>,
    /// Verifiable addresses that are gone.
    pub addresses_removed: Vec<VerifiableAddress>,
    /// Recovery addresses that are new.
    pub recovery_added: Vec<RecoveryAddress>,
    /// Recovery addresses that are gone.
    pub recovery_removed: Vec<RecoveryAddress>,
    /// The types of credentials whose data is new, changed or gone. Codes are not among them: they follow the addresses.
    pub credentials: Vec<CredentialType>,
}

impl Difference {
    /// Whether it changes by what the account is found: identifiers, addresses to verify, addresses to recover by.
    #[must_use]
    pub fn changes_addresses(&self) -> bool {
        self.identifiers_changed
            || !self.addresses_added.is_empty()
            || !self.addresses_removed.is_empty()
            || !self.recovery_added.is_empty()
            || !self.recovery_removed.is_empty()
    }
}

/// What differs between two states of an identity.
#[must_use]
pub fn difference(old: &IdentityWithCredentials, new: &IdentityWithCredentials) -> Difference {
    let (was, is) = (&old.identity, &new.identity);
    let mut kinds: Vec<CredentialType> = old.credentials.iter().chain(&new.credentials).map(|c| c.kind).collect();
    kinds.sort();
    kinds.dedup();
    let identifiers = |who: &IdentityWithCredentials, kind| {
        let mut list = who.credential(kind).map(|c| c.identifiers.clone()).unwrap_or_default();
        list.sort();
        list
    };
    let nothing = Value::Null;
    let data = |who, kind| {
        let config = IdentityWithCredentials::credential(who, kind).map_or(&nothing, |c| &c.config).clone();
        if is_empty(&config) { Value::Null } else { config }
    };
    Difference {
        traits: was.traits != is.traits,
        identifiers_changed: kinds.iter().any(|kind| identifiers(old, *kind) != identifiers(new, *kind)),
        addresses_added: missing(&is.verifiable_addresses, &was.verifiable_addresses, |a| (a.via, &a.value)),
        addresses_removed: missing(&was.verifiable_addresses, &is.verifiable_addresses, |a| (a.via, &a.value)),
        recovery_added: missing(&is.recovery_addresses, &was.recovery_addresses, |a| (a.via, &a.value)),
        recovery_removed: missing(&was.recovery_addresses, &is.recovery_addresses, |a| (a.via, &a.value)),
        credentials: kinds
            .into_iter()
            .filter(|kind| *kind != CredentialType::Code && data(old, *kind) != data(new, *kind))
            .collect(),
    }
}

/// The members of one list whose key the other list lacks.
fn missing<'a, T: Clone, K: PartialEq>(list: &'a [T], other: &'a [T], key: impl Fn(&'a T) -> K) -> Vec<T> {
    list.iter().filter(|a| !other.iter().any(|b| key(a) == key(b))).cloned().collect()
}

/// Adds what stores a new identity with its credentials.
pub fn insert(c: &mut Changes, who: &IdentityWithCredentials) {
    identities::insert(c, &who.identity);
    for credential in &who.credentials {
        credentials::insert(c, who.identity.id, credential);
    }
}

/// Adds what makes `new` of the stored `old`: only what differs, guarded by `old`'s versions. Says what differs for people.
///
/// A change of nothing adds nothing.
pub fn update(c: &mut Changes, old: &IdentityWithCredentials, new: &IdentityWithCredentials) -> Difference {
    let id = old.identity.id;
    let gone: Vec<&Credential> = old.credentials.iter().filter(|o| new.credential(o.kind).is_none()).collect();
    let changed: Vec<&Credential> = new.credentials.iter().filter(|n| old.credential(n.kind) != Some(n)).collect();
    let credentials_change = !gone.is_empty() || !changed.is_empty();
    if new.identity != old.identity {
        identities::update(c, &old.identity, &new.identity);
    }
    if credentials_change {
        identities::touch_credentials(c, id, old.identity.credentials_version);
        if !gone.is_empty() || changed.iter().any(|c| old.credential(c.kind).is_some()) {
            // What waits for a fresh sign-in may be a stranger's, whom this very change is to keep out. A way to sign in
            // that is merely added keeps nobody out, and the level that it brings is asked for anyway.
            parked::end_of_identity(c, id);
        }
        // Those that go first: what they free may be taken by another.
        for credential in gone {
            credentials::delete(c, id, credential);
        }
        for credential in changed {
            match old.credential(credential.kind) {
                Some(seen) => credentials::replace(c, id, seen, credential),
                None => credentials::insert(c, id, credential),
            }
        }
    }
    let difference = difference(old, new);
    if difference.credentials.contains(&CredentialType::Password) || !difference.recovery_removed.is_empty() {
        // Whoever sets another password or takes an address away shuts out everybody who has a recovery code or link. Using
        // one at the same moment is guarded by its row, so only one of both happens first.
        codes::drop_of_identity(c, id, FlowKind::Recovery);
    }
    difference
}
