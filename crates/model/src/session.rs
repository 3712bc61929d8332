//! A session: someone signed in, how surely, from where, and until when.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::time::Timestamp;

/// An authenticator assurance level (NIST SP 800-63B).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum Aal {
    /// Nothing proved.
    Aal0,
    /// One factor.
    #[default]
    Aal1,
    /// Two different factors.
    Aal2,
}

impl Aal {
    /// The API's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Aal0 => "aal0",
            Self::Aal1 => "aal1",
            Self::Aal2 => "aal2",
        }
    }
}

impl fmt::Display for Aal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One proof that a session rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthenticationMethod {
    /// The method's word: a credential type, or `link_recovery`, `code_recovery`.
    pub method: String,
    /// The level that this proof alone counts for.
    pub aal: Aal,
    /// When it was given.
    pub completed_at: Timestamp,
    /// The social sign-in provider.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub provider: Option<String>,
    /// The provider's organization.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub organization: Option<String>,
    /// How the person proved themselves to the provider, as it says: the class (`acr`).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub upstream_acr: Option<String>,
    /// How the person proved themselves to the provider, as it says: the methods (`amr`).
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub upstream_amr: Vec<String>,
    /// A keyed hash of the address whose holder gave this proof, where one did: so that one mailbox is never two factors.
    /// It is never shown.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub mailbox: Option<String>,
}

impl AuthenticationMethod {
    /// A proof without provider.
    #[must_use]
    pub fn new(method: &str, aal: Aal, completed_at: Timestamp) -> Self {
        Self {
            method: method.to_owned(),
            aal,
            completed_at,
            provider: None,
            organization: None,
            upstream_acr: None,
            upstream_amr: Vec::new(),
            mailbox: None,
        }
    }

    /// With the address whose holder gave it, as a keyed hash.
    #[must_use]
    pub fn by_holder_of(self, mailbox: String) -> Self {
        Self { mailbox: Some(mailbox), ..self }
    }
}

/// Where a sign-in came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// The record's id.
    pub id: Uuid,
    /// The client's address, without port.
    pub ip_address: String,
    /// `User-Agent`, at most 512 bytes.
    pub user_agent: String,
    /// City and country as a proxy in front tells them; may be empty.
    pub location: String,
}

/// A session as the database keeps it. The token itself is never stored, only its keyed hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its id.
    pub id: Uuid,
    /// Whose it is.
    pub identity_id: Uuid,
    /// False once revoked.
    pub active: bool,
    /// The level that its proofs amount to.
    pub aal: Aal,
    /// The proofs, oldest first; repetitions stay.
    pub methods: Vec<AuthenticationMethod>,
    /// When somebody last proved themselves.
    pub authenticated_at: Timestamp,
    /// When it was made.
    pub issued_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// Where the sign-in came from; one per session.
    pub devices: Vec<Device>,
    /// When the row was made.
    pub created_at: Timestamp,
    /// When its holder was last seen, to a few minutes.
    pub updated_at: Timestamp,
}

impl Session {
    /// Whether it counts now, as far as the session itself can tell (the identity's state counts too).
    #[must_use]
    pub fn is_alive(&self, now: Timestamp) -> bool {
        self.active && now < self.expires_at
    }

    /// The level that a list of proofs amounts to: `aal2` takes one proof of each level. A provider that vouches for two
    /// factors vouches for both.
    #[must_use]
    pub fn level_of(methods: &[AuthenticationMethod]) -> Aal {
        let has = |aal| methods.iter().any(|m| m.aal == aal || (m.aal == Aal::Aal2 && m.provider.is_some()));
        match (has(Aal::Aal1), has(Aal::Aal2)) {
            (true, true) => Aal::Aal2,
            (true, false) | (false, true) => Aal::Aal1,
            (false, false) => Aal::Aal0,
        }
    }
}
