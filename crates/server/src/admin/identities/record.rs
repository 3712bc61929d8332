//! An identity as one JSON value with everything that is known of it, as exports hold it, and back.
//!
//! It has the form in which the admin API creates identities, and besides the members of [`OWN`], which only the database
//! itself can take. Secrets are in it: hashes, authenticator secrets, backup codes, providers' tokens.

use portcullis_core::app::Cx;
use portcullis_core::identity::import::Unknown;
use portcullis_core::identity::sealed;
use portcullis_model::credential::{Credential, CredentialType};
use portcullis_model::error::ApiError;
use portcullis_model::identity::{IdentityWithCredentials, VerifiableAddress};
use portcullis_model::time::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::super::body::Create;
use super::create::draft;

/// The members that bodies of the admin API do not have.
pub const OWN: [&str; 4] = ["id", "created_at", "updated_at", "state_changed_at"];

/// The providers' tokens of a social link, which bodies of the admin API do not have either.
const TOKENS: [&str; 3] = ["initial_id_token", "initial_access_token", "initial_refresh_token"];

/// An identity as a record. Tells the types of credentials of which nothing could be written down, too: those that no import
/// knows.
#[must_use]
pub fn record(cx: &Cx, who: &IdentityWithCredentials) -> (Value, Vec<CredentialType>) {
    let identity = &who.identity;
    let mut left = Vec::new();
    let mut credentials = Map::new();
    for credential in &who.credentials {
        let config = sealed::show(cx.keys(), identity.id, credential.kind, credential.config.clone());
        match importable(credential, config) {
            Some(Value::Null) => {}
            Some(config) => {
                credentials.insert(credential.kind.as_str().to_owned(), json!({ "config": config }));
            }
            None => left.push(credential.kind),
        }
    }
    let mut out = json!({
        "id": identity.id,
        "schema_id": identity.schema_id,
        "state": identity.state,
        "traits": identity.traits,
    });
    let mut put = |name: &str, value: Value, is_there: bool| {
        if is_there {
            out[name] = value;
        }
    };
    put("metadata_public", identity.metadata_public.clone(), !identity.metadata_public.is_null());
    put("metadata_admin", identity.metadata_admin.clone(), !identity.metadata_admin.is_null());
    put("external_id", json!(identity.external_id), identity.external_id.is_some());
    put("organization_id", json!(identity.organization_id), identity.organization_id.is_some());
    let addresses: Vec<Value> = identity.verifiable_addresses.iter().map(address).collect();
    put("verifiable_addresses", Value::Array(addresses), !identity.verifiable_addresses.is_empty());
    put("credentials", Value::Object(credentials.clone()), !credentials.is_empty());
    put("created_at", json!(identity.created_at), true);
    put("updated_at", json!(identity.updated_at), true);
    put("state_changed_at", json!(identity.state_changed_at), true);
    (out, left)
}

fn address(address: &VerifiableAddress) -> Value {
    let mut out = json!({ "value": address.value, "via": address.via, "verified": address.verified, "status": address.status });
    if let Some(at) = address.verified_at {
        out["verified_at"] = json!(at);
    }
    out
}

/// A credential's data in the form of imports. Null: there is nothing beyond what the traits give. `None`: no import knows
/// this type.
fn importable(credential: &Credential, config: Value) -> Option<Value> {
    let has = |name: &str| config.get(name).and_then(Value::as_array).is_some_and(|list| !list.is_empty());
    let text = |name: &str| config.get(name).and_then(Value::as_str).filter(|t| !t.is_empty());
    Some(match credential.kind {
        CredentialType::Password => match text("hashed_password") {
            Some(hash) => json!({ "hashed_password": hash }),
            None if config.get("use_password_migration_hook") == Some(&Value::Bool(true)) => {
                json!({ "use_password_migration_hook": true })
            }
            None => Value::Null,
        },
        CredentialType::Oidc | CredentialType::Saml if has("providers") => json!({ "providers": links(&config) }),
        CredentialType::Totp => text("totp_url").map_or(Value::Null, |url| json!({ "totp_url": url })),
        CredentialType::LookupSecret if has("recovery_codes") => json!({ "codes": codes(&config) }),
        CredentialType::Webauthn | CredentialType::Passkey if has("credentials") => {
            let mut out = json!({ "credentials": config["credentials"] });
            if let Some(handle) = text("user_handle") {
                out["user_handle"] = handle.into();
            }
            out
        }
        CredentialType::Deviceauthn => return None,
        _ => Value::Null,
    })
}

fn links(config: &Value) -> Vec<Value> {
    let all = config.get("providers").and_then(Value::as_array);
    let link = |link: &Value| {
        let mut out = link.clone();
        if let Some(members) = out.as_object_mut() {
            members.retain(|name, value| !TOKENS.contains(&name.as_str()) || value.as_str().is_some_and(|t| !t.is_empty()));
        }
        out
    };
    all.into_iter().flatten().map(link).collect()
}

fn codes(config: &Value) -> Vec<Value> {
    let all = config.get("recovery_codes").and_then(Value::as_array);
    let code = |code: &Value| match code.get("used_at").filter(|at| !at.is_null()) {
        Some(used_at) => json!({ "code": code["code"], "used_at": used_at }),
        None => json!({ "code": code["code"] }),
    };
    all.into_iter().flatten().map(code).collect()
}

/// Takes out of a record what the admin API does not take. Tells whether there was anything.
pub fn without_own(record: &mut Value) -> bool {
    let Some(members) = record.as_object_mut() else { return false };
    let mut found = false;
    for name in OWN {
        found |= members.shift_remove(name).is_some();
    }
    for kind in ["oidc", "saml"] {
        let links = members.get_mut("credentials").and_then(|c| c.get_mut(kind)?.get_mut("config")?.get_mut("providers"));
        for link in links.and_then(Value::as_array_mut).into_iter().flatten().filter_map(Value::as_object_mut) {
            for token in TOKENS {
                found |= link.shift_remove(token).is_some();
            }
        }
    }
    found
}

/// The identity of a record, not yet stored. A body of the admin API is a record too: it gets a new id.
///
/// # Errors
/// What is wrong with it; 503 if too many passwords are being hashed.
pub async fn identity(cx: &Cx, mut record: Value) -> Result<IdentityWithCredentials, ApiError> {
    let own = record.as_object_mut().map(|members| OWN.map(|name| members.shift_remove(name))).unwrap_or_default();
    let [id, created_at, updated_at, state_changed_at] = own;
    let id = match id {
        None | Some(Value::Null) => None,
        Some(id) => {
            let id = id.as_str().and_then(|text| Uuid::try_parse(text).ok());
            Some(id.ok_or_else(|| ApiError::bad_request("The id of an identity must be a UUID."))?)
        }
    };
    let time = |value: Option<Value>| match value {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            let time = value.as_str().and_then(|text| Timestamp::parse(text).ok());
            time.map(Some).ok_or_else(|| ApiError::bad_request("A time must be written as in RFC 3339."))
        }
    };
    let (created_at, updated_at, state_changed_at) = (time(created_at)?, time(updated_at)?, time(state_changed_at)?);
    let body: Create = serde_json::from_value(record).map_err(|e| ApiError::bad_request(format!("It cannot be used: {e}.")))?;
    let mut who = draft(cx, body, Unknown::OwnExport)?.with_id(id).prepare(cx).await?.build(cx)?;
    let identity = &mut who.identity;
    identity.created_at = created_at.unwrap_or(identity.created_at);
    identity.updated_at = updated_at.unwrap_or(identity.updated_at);
    identity.state_changed_at = state_changed_at.unwrap_or(identity.state_changed_at);
    Ok(who)
}
