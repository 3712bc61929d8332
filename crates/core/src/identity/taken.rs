//! What somebody is told who wants identifiers or addresses that belong to an account already.

use portcullis_model::credential::{Credential, CredentialType};
use portcullis_model::identity::IdentityWithCredentials;
use portcullis_model::message;
use portcullis_store::identities::{self, AddressPurpose};
use portcullis_store::{Constraint, StoreError};
use serde_json::Value;
use uuid::Uuid;

use crate::app::Cx;
use crate::flow::engine::FlowError;

/// What of an identity belongs to another one already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// An identifier of a credential.
    Identifier,
    /// An address to verify or to recover by.
    Address,
    /// The external id.
    ExternalId,
}

/// Whether a change failed because something is taken, and what.
#[must_use]
pub fn conflict(error: &StoreError) -> Option<Taken> {
    match error {
        StoreError::Unique(Constraint::Identifier) => Some(Taken::Identifier),
        StoreError::Unique(Constraint::VerifiableAddress | Constraint::RecoveryAddress) => Some(Taken::Address),
        StoreError::Unique(Constraint::ExternalId) => Some(Taken::ExternalId),
        _ => None,
    }
}

/// What somebody is told who signs up with what belongs to an account: that there is one, and, where the configuration
/// wants hints, by which identifier and how it signs in.
pub async fn taken(cx: &Cx, who: &IdentityWithCredentials) -> FlowError {
    if !cx.config().selfservice.flows.registration.login_hints {
        return FlowError::tell(message::registration::account_exists());
    }
    match account_of_taken(cx, who).await {
        Ok(Some(TakenBy { identifier, kinds, providers, .. })) => {
            let (kinds, providers) = (texts(&kinds), texts(&providers));
            FlowError::tell(message::registration::account_exists_with(&kinds, &providers, &identifier))
        }
        // Whoever had it has let go of it meanwhile: the person may just try again.
        Ok(None) => FlowError::tell(message::registration::account_exists()),
        Err(error) => FlowError::Store(error),
    }
}

/// An account to which an identifier or address belongs that somebody else wants.
pub struct TakenBy {
    /// The account.
    pub identity_id: Uuid,
    /// What belongs to it.
    pub identifier: String,
    /// The types of credentials that it can be signed in to with, sorted.
    pub kinds: Vec<String>,
    /// The providers that it is linked to.
    pub providers: Vec<String>,
}

/// Whose account what somebody wants to have belongs to; `None` if it is free.
///
/// # Errors
/// If the database fails.
pub async fn account_of_taken(cx: &Cx, who: &IdentityWithCredentials) -> Result<Option<TakenBy>, StoreError> {
    Ok(owner(cx, who).await?.map(|(owner, identifier)| {
        let mut kinds: Vec<String> =
            owner.credentials.iter().filter(|c| signs_in(c)).map(|c| c.kind.as_str().to_owned()).collect();
        kinds.sort_unstable();
        TakenBy { identity_id: owner.identity.id, identifier, kinds, providers: providers(&owner) }
    }))
}

/// Whose the first taken identifier or address is, and that identifier or address.
async fn owner(cx: &Cx, who: &IdentityWithCredentials) -> Result<Option<(IdentityWithCredentials, String)>, StoreError> {
    for credential in &who.credentials {
        for identifier in &credential.identifiers {
            if let Some(owner) = identities::find_by_identifier(cx.store(), &[credential.kind], identifier).await? {
                return Ok(Some((owner, identifier.clone())));
            }
        }
    }
    let verifiable = who.identity.verifiable_addresses.iter().map(|a| (AddressPurpose::Verifiable, a.via, &a.value));
    let recovery = who.identity.recovery_addresses.iter().map(|a| (AddressPurpose::Recovery, a.via, &a.value));
    for (purpose, via, value) in verifiable.chain(recovery) {
        if let Some(owner) = identities::find_by_address(cx.store(), purpose, via, value).await?
            && let Some(owner) = identities::get_with_credentials(cx.store(), owner.id).await?
        {
            return Ok(Some((owner, value.clone())));
        }
    }
    Ok(None)
}

fn texts(list: &[String]) -> Vec<&str> {
    list.iter().map(String::as_str).collect()
}

/// Whether a credential is one that somebody could sign in with at first, and holds what that takes.
fn signs_in(credential: &Credential) -> bool {
    let has = |name| credential.config.get(name).and_then(Value::as_array).is_some_and(|list| !list.is_empty());
    match credential.kind {
        CredentialType::Password => {
            let hash = credential.config.get("hashed_password").and_then(Value::as_str).unwrap_or_default();
            let asks = credential.config.get("use_password_migration_hook").and_then(Value::as_bool).unwrap_or(false);
            !hash.is_empty() || asks
        }
        CredentialType::Oidc | CredentialType::Saml => has("providers"),
        CredentialType::Webauthn | CredentialType::Passkey => has("credentials"),
        CredentialType::Code => true,
        _ => false,
    }
}

fn providers(who: &IdentityWithCredentials) -> Vec<String> {
    let links = who.credential(CredentialType::Oidc).and_then(|c| c.config.get("providers")?.as_array());
    let mut out: Vec<String> = Vec::new();
    for provider in links.into_iter().flatten().filter_map(|link| link.get("provider")?.as_str()) {
        if !out.iter().any(|known| known == provider) {
            out.push(provider.to_owned());
        }
    }
    out
}
