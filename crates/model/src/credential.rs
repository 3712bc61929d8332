//! Credentials: what an identity proves itself with.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::time::Timestamp;

/// The type of a credential: the API's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CredentialType {
    /// A password hash.
    Password,
    /// Links to social sign-in providers.
    Oidc,
    /// Links to SAML providers (kept, never used to sign in).
    Saml,
    /// An authenticator app.
    Totp,
    /// Recovery codes.
    LookupSecret,
    /// Security keys.
    Webauthn,
    /// One-time codes sent to an address.
    Code,
    /// Passkeys.
    Passkey,
    /// Device-bound keys (kept, never used to sign in).
    Deviceauthn,
    /// Recovery by link: never a stored credential, but a method of a session.
    LinkRecovery,
    /// Recovery by code: never a stored credential, but a method of a session.
    CodeRecovery,
}

impl CredentialType {
    /// All types, in the order in which the API documents them.
    pub const ALL: [Self; 11] = [
        Self::Password,
        Self::Oidc,
        Self::Saml,
        Self::Totp,
        Self::LookupSecret,
        Self::Webauthn,
        Self::Code,
        Self::Passkey,
        Self::Deviceauthn,
        Self::LinkRecovery,
        Self::CodeRecovery,
    ];

    /// The API's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Oidc => "oidc",
            Self::Saml => "saml",
            Self::Totp => "totp",
            Self::LookupSecret => "lookup_secret",
            Self::Webauthn => "webauthn",
            Self::Code => "code",
            Self::Passkey => "passkey",
            Self::Deviceauthn => "deviceauthn",
            Self::LinkRecovery => "link_recovery",
            Self::CodeRecovery => "code_recovery",
        }
    }
}

impl fmt::Display for CredentialType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that names no type of credential.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no type of credential")]
pub struct UnknownCredentialType(pub String);

impl FromStr for CredentialType {
    type Err = UnknownCredentialType;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|t| t.as_str() == word).ok_or_else(|| UnknownCredentialType(word.to_owned()))
    }
}

/// A credential. `config` is the type's own data with its secrets hashed or sealed already: what the database keeps.
#[derive(Clone, Debug, PartialEq)]
pub struct Credential {
    /// Its id.
    pub id: Uuid,
    /// Its type; an identity has at most one credential of each.
    pub kind: CredentialType,
    /// The normalised names that find the identity by this credential; unique within a type.
    pub identifiers: Vec<String>,
    /// The type's own data, a JSON object; empty when the identity has the identifier but no secret.
    pub config: Value,
    /// The version of `config`'s shape.
    pub version: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}
