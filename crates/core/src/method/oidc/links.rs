//! The credential: which providers know the person, and by which subject.

use portcullis_model::credential::{Credential, CredentialType};
use portcullis_model::identity::IdentityWithCredentials;
use portcullis_model::session::{Aal, AuthenticationMethod};
use serde_json::{Value, json};
use uuid::Uuid;

use super::ID;
use super::memory::Arrived;
use crate::app::Cx;
use crate::config::oidc::Provider;
use crate::identity::sealed;

/// A link to a provider.
pub(super) struct Link<'a> {
    pub(super) provider: &'a str,
    pub(super) is_organizations: bool,
}

fn entries(credential: &Credential) -> &[Value] {
    credential.config.get("providers").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text<'v>(entry: &'v Value, name: &str) -> &'v str {
    entry.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// What a link adds to the identifiers of a credential.
fn identifier(entry: &Value) -> String {
    format!("{}:{}", text(entry, "provider"), text(entry, "subject"))
}

/// The links of a credential.
pub(super) fn of_credential(credential: &Credential) -> impl Iterator<Item = Link<'_>> {
    entries(credential)
        .iter()
        .filter(|entry| !text(entry, "provider").is_empty())
        .map(|entry| Link { provider: text(entry, "provider"), is_organizations: !text(entry, "organization").is_empty() })
}

/// The links of an account.
pub(super) fn of(who: &IdentityWithCredentials) -> impl Iterator<Item = Link<'_>> {
    who.credential(CredentialType::Oidc).into_iter().flat_map(of_credential)
}

/// Whether an account is linked to a provider.
pub(super) fn has(who: &IdentityWithCredentials, provider: &str) -> bool {
    of(who).any(|link| link.provider == provider)
}

/// The data and identifiers of a credential.
pub(super) struct Data {
    pub(super) config: Value,
    pub(super) identifiers: Vec<String>,
}

/// A credential's data with one more link, whose tokens are encrypted for the account.
pub(super) fn with(cx: &Cx, identity_id: Uuid, old: Option<&Credential>, provider: &Provider, arrived: &Arrived) -> Data {
    let mut link = json!({
        "provider": arrived.provider,
        "subject": arrived.claims.subject(),
        "initial_access_token": arrived.access_token,
        "initial_id_token": arrived.id_token,
        "initial_refresh_token": arrived.refresh_token,
    });
    if let (Some(organization), Some(link)) = (&provider.organization_id, link.as_object_mut()) {
        link.insert("organization".to_owned(), organization.as_str().into());
    }
    // An imported link that only announced this one has done its service.
    let announces =
        |entry: &Value| text(entry, "provider") == arrived.provider && entry.get("use_auto_link") == Some(&Value::Bool(true));
    let (done, mut links): (Vec<Value>, Vec<Value>) =
        old.map(|old| entries(old).to_vec()).unwrap_or_default().into_iter().partition(announces);
    links.push(link);
    let mut identifiers = old.map(|old| old.identifiers.clone()).unwrap_or_default();
    identifiers.retain(|known| !done.iter().any(|entry| *known == identifier(entry)));
    identifiers.push(arrived.identifier());
    let config = sealed::keep(cx.keys(), cx.rng(), identity_id, CredentialType::Oidc, json!({ "providers": links }));
    Data { config, identifiers }
}

/// A credential's data without the links to a provider; `None` if nothing is left.
pub(super) fn without(old: &Credential, provider: &str) -> Option<Data> {
    let stays = |entry: &&Value| text(entry, "provider") != provider;
    let links: Vec<Value> = entries(old).iter().filter(stays).cloned().collect();
    let identifiers = links.iter().map(identifier).collect();
    (!links.is_empty()).then(|| Data { config: json!({ "providers": links }), identifiers })
}

/// Links an account.
pub(super) fn add(cx: &Cx, who: &mut IdentityWithCredentials, provider: &Provider, arrived: &Arrived) {
    let Data { config, identifiers } = with(cx, who.identity.id, who.credential(CredentialType::Oidc), provider, arrived);
    match who.credentials.iter_mut().find(|c| c.kind == CredentialType::Oidc) {
        Some(credential) => {
            credential.config = config;
            credential.identifiers = identifiers;
            credential.updated_at = cx.now;
        }
        None => who.credentials.push(Credential {
            id: cx.new_id(),
            kind: CredentialType::Oidc,
            identifiers,
            config,
            version: 1,
            created_at: cx.now,
            updated_at: cx.now,
        }),
    }
    who.credentials.sort_by_key(|c| c.kind);
}

/// What a session says of a sign-in by a provider. What the provider says of how the person proved themselves there counts
/// as a second factor where the operator says so.
pub(super) fn proof(cx: &Cx, provider: &Provider, arrived: &Arrived) -> AuthenticationMethod {
    let (acr, amr) = (arrived.claims.acr(), arrived.claims.amr());
    let is_strong = acr.is_some_and(|acr| provider.aal2_acr_values.iter().any(|v| v == acr))
        || amr.iter().any(|amr| provider.aal2_amr_values.iter().any(|v| v == amr));
    AuthenticationMethod {
        provider: Some(arrived.provider.clone()),
        organization: provider.organization_id.clone(),
        upstream_acr: acr.map(str::to_owned),
        upstream_amr: amr.into_iter().map(str::to_owned).collect(),
        ..AuthenticationMethod::new(ID, if is_strong { Aal::Aal2 } else { Aal::Aal1 }, cx.now)
    }
}
