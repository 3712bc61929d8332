//! An identity: whose account it is, what is known about the person, and at which addresses they can be reached.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::credential::{Credential, CredentialType};
use crate::time::Timestamp;

/// Whether an identity may sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// May sign in; its sessions count.
    #[default]
    Active,
    /// May not sign in; its sessions are hidden while this lasts.
    Inactive,
}

impl State {
    /// The word that the API uses.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Inactive => "inactive",
        }
    }
}

/// The channel by which an address is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Via {
    /// Electronic mail.
    Email,
    /// Text message.
    Sms,
}

impl Via {
    /// The word that the API and identity schemas use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Sms => "sms",
        }
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How far the verification of an address has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum AddressStatus {
    /// Nobody was written to yet.
    #[default]
    Pending,
    /// A code or link was sent.
    Sent,
    /// Its owner proved it.
    Completed,
}

/// An address whose ownership can be proved. The value is in normal form (see [`crate::normal`]).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifiableAddress {
    /// The address record's id; a changed value is a new record.
    pub id: Uuid,
    /// The normalised address.
    pub value: String,
    /// Whether the person proved that it is theirs.
    pub verified: bool,
    /// The channel.
    pub via: Via,
    /// How far verification has come.
    pub status: AddressStatus,
    /// When it was verified.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub verified_at: Option<Timestamp>,
    /// When the record was made.
    pub created_at: Timestamp,
    /// When the record last changed.
    pub updated_at: Timestamp,
}

/// An address by which an account can be recovered. The value is in normal form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecoveryAddress {
    /// The address record's id; a changed value is a new record.
    pub id: Uuid,
    /// The normalised address.
    pub value: String,
    /// The channel.
    pub via: Via,
    /// When the record was made.
    pub created_at: Timestamp,
    /// When the record last changed.
    pub updated_at: Timestamp,
}

/// An account. Credentials are separate records, see [`Credential`]; [`IdentityWithCredentials`] holds both.
#[derive(Clone, Debug, PartialEq)]
pub struct Identity {
    /// Its id.
    pub id: Uuid,
    /// The plain id of the identity schema that its traits follow.
    pub schema_id: String,
    /// What the person is and chose: a JSON object that the schema accepts.
    pub traits: Value,
    /// Whether it may sign in.
    pub state: State,
    /// When `state` last changed.
    pub state_changed_at: Timestamp,
    /// Data about the person that sessions show, written by administrators; `Null` if none.
    pub metadata_public: Value,
    /// Data about the person that only the admin API shows; `Null` if none.
    pub metadata_admin: Value,
    /// An id of somebody else's choosing, unique byte for byte.
    pub external_id: Option<String>,
    /// Kept as given.
    pub organization_id: Option<Uuid>,
    /// Addresses whose ownership can be proved, in the schema's order.
    pub verifiable_addresses: Vec<VerifiableAddress>,
    /// Addresses for recovery, in the schema's order.
    pub recovery_addresses: Vec<RecoveryAddress>,
    /// What the identity can prove itself with, kept on its row so that assurance is known without reading credentials.
    pub factors: Factors,
    /// Rises by one with every change of credentials; guards "not the last one" decisions.
    pub credentials_version: i64,
    /// Rises by one with every change of the row; guards updates (optimistic locking).
    pub version: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// The types of credentials that hold a secret which can be proved now, split by what they are worth.
///
/// An entry means a *usable* credential (a password with a hash, a TOTP secret, ...). Recovery codes
/// count while there are any, also when all were used: an account does not lose its second step by using it.
/// `webauthn` stands in either list, depending on whether its keys are passwordless.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Factors {
    /// Types usable as a first factor (AAL1), sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub first: Vec<CredentialType>,
    /// Types usable as a second factor (AAL2), sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub second: Vec<CredentialType>,
}

/// An identity and all its credentials, as one consistent read gives them.
#[derive(Clone, Debug, PartialEq)]
pub struct IdentityWithCredentials {
    /// The identity.
    pub identity: Identity,
    /// Its credentials, at most one of each type, sorted by type.
    pub credentials: Vec<Credential>,
}

impl IdentityWithCredentials {
    /// The credential of a type, if the identity has one.
    #[must_use]
    pub fn credential(&self, kind: CredentialType) -> Option<&Credential> {
        self.credentials.iter().find(|c| c.kind == kind)
    }
}
