//! How identities are shown in JSON: to the person, and to administrators.
//!
//! Members that are absent and members that are null differ for clients, so each view says exactly which it has. Nothing
//! here shows a secret that the caller did not ask for by its type.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis_model::credential::CredentialType;
use portcullis_model::identity::{Identity, IdentityWithCredentials, RecoveryAddress, State, VerifiableAddress};
use portcullis_model::time::Timestamp;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::sealed;
use crate::app::Cx;

/// Which members an identity is shown with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    /// `metadata_admin`, also when it is null.
    pub metadata_admin: bool,
    /// The addresses, where there are any.
    pub addresses: bool,
}

impl Parts {
    /// What the person sees.
    pub const PUBLIC: Self = Self { metadata_admin: false, addresses: true };
    /// What the person sees in lists of sessions.
    pub const PUBLIC_BRIEF: Self = Self { metadata_admin: false, addresses: false };
    /// What administrators see.
    pub const ADMIN: Self = Self { metadata_admin: true, addresses: true };
    /// What administrators see in lists of sessions.
    pub const ADMIN_BRIEF: Self = Self { metadata_admin: true, addresses: false };
}

/// An identity as JSON. It borrows everything, so that it is written in one pass.
#[derive(Serialize)]
pub struct IdentityView<'a> {
    id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    credentials: Option<BTreeMap<&'static str, CredentialView<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<&'a str>,
    schema_id: &'a str,
    schema_url: String,
    state: State,
    state_changed_at: Timestamp,
    traits: &'a Value,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    verifiable_addresses: &'a [VerifiableAddress],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    recovery_addresses: &'a [RecoveryAddress],
    metadata_public: &'a Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata_admin: Option<&'a Value>,
    created_at: Timestamp,
    updated_at: Timestamp,
    organization_id: Option<Uuid>,
}

/// A credential as JSON.
#[derive(Serialize)]
struct CredentialView<'a> {
    #[serde(rename = "type")]
    kind: CredentialType,
    identifiers: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    config: Option<Value>,
    version: i64,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// The address of an identity's schema.
#[must_use]
pub fn schema_url(cx: &Cx, schema_id: &str) -> String {
    cx.public_url(&format!("/schemas/{}", URL_SAFE_NO_PAD.encode(schema_id)))
}

/// An identity without credentials, ready to be written.
#[must_use]
pub fn identity<'a>(cx: &Cx, identity: &'a Identity, parts: Parts) -> IdentityView<'a> {
    let addresses = parts.addresses;
    IdentityView {
        id: identity.id,
        credentials: None,
        external_id: identity.external_id.as_deref(),
        schema_id: &identity.schema_id,
        schema_url: schema_url(cx, &identity.schema_id),
        state: identity.state,
        state_changed_at: identity.state_changed_at,
        traits: &identity.traits,
        verifiable_addresses: if addresses { &identity.verifiable_addresses } else { &[] },
        recovery_addresses: if addresses { &identity.recovery_addresses } else { &[] },
        metadata_public: &identity.metadata_public,
        metadata_admin: parts.metadata_admin.then_some(&identity.metadata_admin),
        created_at: identity.created_at,
        updated_at: identity.updated_at,
        organization_id: identity.organization_id,
    }
}

/// An identity as the person sees it: without credentials and without `metadata_admin`.
#[must_use]
pub fn public(cx: &Cx, who: &Identity) -> Value {
    to_value(&identity(cx, who, Parts::PUBLIC))
}

/// An identity as administrators see it, with its credentials. The types in `include` show their data, secrets in clear;
/// an identity without credentials has no such member.
#[must_use]
pub fn admin(cx: &Cx, who: &IdentityWithCredentials, include: &[CredentialType]) -> Value {
    to_value(&with_credentials(cx, who, include, Parts::ADMIN))
}

/// As [`admin`], with the members that `parts` names.
#[must_use]
pub fn with_credentials<'a>(
    cx: &Cx,
    who: &'a IdentityWithCredentials,
    include: &[CredentialType],
    parts: Parts,
) -> IdentityView<'a> {
    let shown: BTreeMap<_, _> = who
        .credentials
        .iter()
        .map(|c| {
            let config = include.contains(&c.kind).then(|| sealed::show(cx.keys(), who.identity.id, c.kind, c.config.clone()));
            let view = CredentialView {
                kind: c.kind,
                identifiers: &c.identifiers,
                config,
                version: c.version,
                created_at: c.created_at,
                updated_at: c.updated_at,
            };
            (c.kind.as_str(), view)
        })
        .collect();
    let mut view = identity(cx, &who.identity, parts);
    view.credentials = (!shown.is_empty()).then_some(shown);
    view
}

/// A view as a JSON value. Views have text keys only and no fallible parts, so nothing can go wrong.
pub(crate) fn to_value(view: &impl Serialize) -> Value {
    serde_json::to_value(view).unwrap_or_default()
}

impl IdentityView<'_> {
    /// As a JSON value.
    #[must_use]
    pub fn to_value(&self) -> Value {
        to_value(self)
    }
}
