//! What can go wrong, in the words that callers decide by. Texts in here name tables and codes, never stored values.

use std::fmt;

/// A unique rule of the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Constraint {
    /// A credential's identifier is another credential's, within one type.
    Identifier,
    /// A verifiable address belongs to another identity.
    VerifiableAddress,
    /// A recovery address belongs to another identity.
    RecoveryAddress,
    /// An external id belongs to another identity.
    ExternalId,
    /// A session token's hash exists already.
    SessionToken,
    /// Another rule, by the name that the database gave.
    Other(String),
}

impl Constraint {
    /// From what the database calls it: the name of a constraint or index (PostgreSQL), or its columns (SQLite, such as
    /// `sessions.token_hash` or `a.x, a.y`).
    pub(crate) fn named(name: &str) -> Self {
        match name {
            "credential_identifiers_pkey" => Self::Identifier,
            "verifiable_addresses_pkey" => Self::VerifiableAddress,
            "recovery_addresses_pkey" => Self::RecoveryAddress,
            "identities_external_id" | "identities.external_id" => Self::ExternalId,
            "sessions_token_hash" | "sessions.token_hash" => Self::SessionToken,
            _ if name.starts_with("credential_identifiers.") => Self::Identifier,
            _ if name.starts_with("verifiable_addresses.via") => Self::VerifiableAddress,
            _ if name.starts_with("recovery_addresses.via") => Self::RecoveryAddress,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Identifier => "credential identifier",
            Self::VerifiableAddress => "verifiable address",
            Self::RecoveryAddress => "recovery address",
            Self::ExternalId => "external id",
            Self::SessionToken => "session token",
            Self::Other(name) => name,
        })
    }
}

/// Why a read or a commit did not happen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// A guard did not hold: what was read before is not true any more. Nothing was changed.
    #[error("the guard on {what} did not hold")]
    Conflict {
        /// The table that the guard is about.
        what: &'static str,
    },
    /// A value is taken. Nothing was changed.
    #[error("a unique value is taken: {0}")]
    Unique(Constraint),
    /// The disk is full.
    #[error("the disk of the database is full")]
    Full,
    /// The database is held by others for too long, or too many wait for it.
    #[error("the database is busy")]
    Busy,
    /// The database cannot be reached or opened, or is not ready to be used. If that happened while a commit was being
    /// sent, the text says that its outcome is not known.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// A stored value, or the file itself, is not what was written.
    #[error("the database holds what it should not: {0}")]
    Corrupt(String),
    /// The database or the value is of a kind that cannot be served.
    #[error("not supported: {0}")]
    Unsupported(String),
}

impl StoreError {
    /// Whether deciding again on fresh data can help: a guard that failed, or a unique value that is taken.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict { .. } | Self::Unique(_))
    }

    /// Whether trouble of the database itself is the reason, which hits every change of a group alike.
    pub(crate) fn is_trouble(&self) -> bool {
        matches!(self, Self::Full | Self::Busy | Self::Unavailable(_))
    }
}

/// The reason given when a row that a new row belongs to is gone.
pub(crate) const OWNER_GONE: StoreError = StoreError::Conflict { what: "the row that a new row belongs to" };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_databases_name_the_same_rules() {
        for (postgres, sqlite, rule) in [
            (
                "credential_identifiers_pkey",
                "credential_identifiers.identifier, credential_identifiers.kind",
                Constraint::Identifier,
            ),
            ("verifiable_addresses_pkey", "verifiable_addresses.via, verifiable_addresses.value", Constraint::VerifiableAddress),
            ("recovery_addresses_pkey", "recovery_addresses.via, recovery_addresses.value", Constraint::RecoveryAddress),
            ("identities_external_id", "identities.external_id", Constraint::ExternalId),
            ("sessions_token_hash", "sessions.token_hash", Constraint::SessionToken),
        ] {
            assert_eq!(Constraint::named(postgres), rule);
            assert_eq!(Constraint::named(sqlite), rule);
        }
        assert_eq!(Constraint::named("flows_pkey"), Constraint::Other("flows_pkey".into()));
    }
}
