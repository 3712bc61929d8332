//! Deleting one credential of an identity.

use portcullis_core::app::Cx;
use portcullis_core::config::Config;
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
    change(cx, id, |old| without(cx.config(), old, kind.parse().ok(), identifier)).await?;
    Ok(())
}

/// The identity without the credential.
fn without(
    config: &Config,
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
            keep_one_first_factor(config, old)?;
            edit(&mut new, kind, |c| c.config = json!({}));
        }
        Type::Oidc | Type::Saml => {
            keep_one_first_factor(config, old)?;
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
        Type::Code | Type::Passkey | Type::LinkRecovery | Type::CodeRecovery => {
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

/// Refuses if fewer than two first factors are there to begin with.
fn keep_one_first_factor(config: &Config, who: &IdentityWithCredentials) -> Result<(), ApiError> {
    if first_factors(config, who) < 2 {
        return Err(ApiError::bad_request("This is the identity's only way to sign in: it stays."));
    }
    Ok(())
}

/// How many ways there are to sign in: a password with a hash, each social link without organization, each passwordless
/// key, each passkey, and codes where they sign people in.
fn first_factors(config: &Config, who: &IdentityWithCredentials) -> usize {
    who.credentials
        .iter()
        .map(|credential| {
            let entries = |name| credential.config.get(name).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            let flag = |name| credential.config.get(name).and_then(Value::as_bool).unwrap_or(false);
            match credential.kind {
                CredentialType::Password => {
                    let hash = credential.config.get("hashed_password").and_then(Value::as_str).unwrap_or_default();
                    usize::from(!hash.is_empty() || flag("use_password_migration_hook"))
                }
                CredentialType::Oidc | CredentialType::Saml => {
                    entries("providers").iter().filter(|l| l.get("organization").is_none_or(Value::is_null)).count()
                }
                CredentialType::Webauthn => entries("credentials").iter().filter(|key| is_passwordless(key)).count(),
                CredentialType::Passkey => entries("credentials").len(),
                CredentialType::Code => {
                    usize::from(config.selfservice.methods.code.passwordless_enabled && !credential.identifiers.is_empty())
                }
                _ => 0,
            }
        })
        .sum()
}
