//! Deleting one credential of an identity.

use portcullis_core::app::Cx;
use portcullis_core::credential::webauthn;
use portcullis_core::flow::engine::Reply;
use portcullis_model::credential::{Credential, CredentialType};
use portcullis_model::error::ApiError;
use portcullis_model::identity::IdentityWithCredentials;
use serde_json::{Value, json};

use super::{change, id_of};

/// `DELETE /admin/identities/{id}/credentials/{type}`.
///
/// Second factors go; of security keys those that sign in alone stay. The last first factor stays.
pub async fn delete_credential(cx: &Cx, id: &str, kind: &str) -> Reply {
    match remove(cx, id, kind).await {
        Ok(()) => Reply::no_content(),
        Err(error) => Reply::error(error),
    }
}

async fn remove(cx: &Cx, id: &str, kind: &str) -> Result<(), ApiError> {
    let id = id_of(id)?;
    let identifier = cx.request.parameter("identifier");
    change(cx, id, |old| without(cx, old, kind.parse().ok(), identifier)).await?;
    Ok(())
}

/// The identity without the credential.
fn without(
    cx: &Cx,
    old: &IdentityWithCredentials,
    kind: Option<CredentialType>,
    identifier: Option<&str>,
) -> Result<IdentityWithCredentials, ApiError> {
    use CredentialType as Type;
    let absent = || ApiError::not_found("The identity has no credential of this type.");
    let kind = kind.ok_or_else(absent)?;
    if kind == Type::Deviceauthn && identifier.is_none() {
        return Err(ApiError::bad_request("The parameter identifier must say which of the device keys is meant."));
    }
    let credential = old.credential(kind).ok_or_else(absent)?;
    let mut new = old.clone();
    match kind {
        Type::Totp | Type::LookupSecret => new.credentials.retain(|c| c.kind != kind),
        Type::Webauthn => edit(&mut new, kind, |c| keep_keys(c, is_passwordless)),
        Type::Password => {
            keep_one_first_factor(cx, old, 1)?;
            edit(&mut new, kind, |c| c.config = json!({}));
        }
        Type::Oidc | Type::Saml => {
            keep_one_first_factor(cx, old, 1)?;
            let identifier = identifier.ok_or_else(|| {
                ApiError::bad_request("The parameter identifier must say which link is meant, as provider:subject.")
            })?;
            if !credential.identifiers.iter().any(|i| i == identifier) {
                return Err(ApiError::not_found("The identity has no such link."));
            }
            edit(&mut new, kind, |c| remove_link(c, identifier));
            new.credentials.retain(|c| c.kind != kind || !c.identifiers.is_empty());
        }
        Type::Deviceauthn => {
            let known = |i: &String| Some(i.as_str()) == identifier;
            if !credential.identifiers.iter().any(known) {
                return Err(ApiError::not_found("The identity has no such device key."));
            }
            edit(&mut new, kind, |c| c.identifiers.retain(|i| !known(i)));
            new.credentials.retain(|c| c.kind != kind || !c.identifiers.is_empty());
        }
        Type::Passkey => {
            keep_one_first_factor(cx, old, webauthn::keys(credential).count())?;
            new.credentials.retain(|c| c.kind != kind);
        }
        Type::Code | Type::LinkRecovery | Type::CodeRecovery => {
            return Err(ApiError::bad_request("Credentials of this type cannot be deleted."));
        }
    }
    Ok(new)
}

fn edit(who: &mut IdentityWithCredentials, kind: CredentialType, change: impl FnOnce(&mut Credential)) {
    if let Some(credential) = who.credentials.iter_mut().find(|c| c.kind == kind) {
        change(credential);
    }
}

fn is_passwordless(key: &Value) -> bool {
    key.get("is_passwordless").and_then(Value::as_bool).unwrap_or(false)
}

fn keep_keys(credential: &mut Credential, stays: impl Fn(&Value) -> bool) {
    if let Some(keys) = credential.config.get_mut("credentials").and_then(Value::as_array_mut) {
        keys.retain(stays);
        if keys.is_empty() {
            credential.config = json!({});
        }
    }
}

fn remove_link(credential: &mut Credential, identifier: &str) {
    credential.identifiers.retain(|i| i != identifier);
    if let Some(links) = credential.config.get_mut("providers").and_then(Value::as_array_mut) {
        links.retain(|link| {
            let part = |name| link.get(name).and_then(Value::as_str).unwrap_or_default();
            format!("{}:{}", part("provider"), part("subject")) != identifier
        });
    }
}

/// Refuses if nobody could sign in any more without so many of the first factors.
fn keep_one_first_factor(cx: &Cx, who: &IdentityWithCredentials, without: usize) -> Result<(), ApiError> {
    if cx.app.methods.first_factors(cx.config(), who) <= without {
        return Err(ApiError::bad_request("This is the identity's only way to sign in: it stays."));
    }
    Ok(())
}
