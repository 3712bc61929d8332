//! What a flow remembers of social sign-in between requests. It is sealed with the flow.

use std::fmt;

use portcullis_model::flow::Flow;
use portcullis_model::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::ID;
use super::trial::Trying;
use crate::oidc::{Claims, Handed, Mapped, Ticket};

/// What a flow remembers.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Memory {
    /// The newest trip.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) trip: Option<Trip>,
    /// Who came back, until the flow has made something of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) arrived: Option<Arrived>,
    /// What a sign-in brings into the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) update: Option<Mapped>,
    /// What waits to be joined to an account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) joining: Option<Joining>,
    /// Sign-up: the provider by which somebody came back who could not be signed up, and whether it told who they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) alone: Option<Alone>,
    /// The flow only tries a provider out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) trying: Option<Trying>,
}

impl Memory {
    /// What a flow remembers.
    pub(super) fn of(flow: &Flow) -> Self {
        flow.methods.get(ID).and_then(|kept| Self::deserialize(kept).ok()).unwrap_or_default()
    }

    /// Has a flow remember it.
    pub(super) fn keep(&self, flow: &mut Flow) {
        // Texts, numbers and JSON values: writing them as JSON cannot fail.
        flow.methods.insert(ID.to_owned(), serde_json::to_value(self).unwrap_or_default());
    }
}

/// A trip to a provider.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Trip {
    /// What its state names, so that only the newest trip counts.
    pub(super) id: String,
    pub(super) provider: String,
    /// The hash of the browser's cookie; a native flow has none, and is bound by its exchange code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) holder: Option<String>,
    pub(super) redirect_uri: String,
    pub(super) ticket: Ticket,
    /// The traits that were sent along, typed by the schema but not validated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) traits: Option<Value>,
    /// What was sent along for hooks and mails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) transient_payload: Option<Value>,
    pub(super) began_at: Timestamp,
    #[serde(default)]
    pub(super) has_ended: bool,
}

/// Who came back from a provider.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Arrived {
    pub(super) provider: String,
    pub(super) claims: Claims,
    pub(super) access_token: String,
    pub(super) refresh_token: String,
    pub(super) id_token: String,
}

impl fmt::Debug for Arrived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arrived").field("provider", &self.provider).finish_non_exhaustive()
    }
}

impl Arrived {
    pub(super) fn of(provider: &str, handed: Handed) -> Self {
        let Handed { claims, tokens } = handed;
        let (access_token, refresh_token, id_token) = (tokens.access, tokens.refresh, tokens.id);
        Self { provider: provider.to_owned(), claims, access_token, refresh_token, id_token }
    }

    /// The identifier of a credential: provider and subject.
    pub(super) fn identifier(&self) -> String {
        format!("{}:{}", self.provider, self.claims.subject())
    }
}

/// Somebody whose address belongs to an account waits for a proof that it is theirs.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Joining {
    pub(super) arrived: Arrived,
    /// The account.
    pub(super) identity_id: Uuid,
    /// What the account and the person have in common.
    pub(super) identifier: String,
    /// The types of credentials and the providers that the account has, where that may be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) hints: Option<(Vec<String>, Vec<String>)>,
    /// The session of whoever gave the first of two proofs that the account takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) waits_for: Option<Uuid>,
}

/// Sign-up that goes on with one provider alone.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Alone {
    pub(super) provider: String,
    pub(super) is_known: bool,
}
