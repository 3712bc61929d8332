//! An identity as one JSON value with everything that is known of it, as exports hold it, and back.
//!
//! It has the form in which the admin API creates identities, and besides the members of [`OWN`], which only the database
//! itself can take. Secrets are in it: hashes, authenticator secrets, backup codes, providers' tokens.

use portcullis_core::app::Cx;
use portcullis_core::identity::import::Unknown;
use portcullis_core::identity::sealed;
use portcullis_model::credential::{Credential, CredentialType};
use portcullis_model::error::ApiError;
use portcullis_model::identity::{IdentityWithCredentials, VerifiableAddress, Via};
use portcullis_model::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::super::body::Create;
use super::create::draft;

/// Ids and times of credentials and addresses, and what no import knows: so that a database that takes a record back is the
/// same to the letter.
const KEPT: &str = "kept";

/// The members that bodies of the admin API do not have.
pub const OWN: [&str; 5] = ["id", "created_at", "updated_at", "state_changed_at", KEPT];

/// Where an authenticator app's data says which step was used last.
const LAST_STEP: &str = "last_step";

/// The providers' tokens of a social link, which bodies of the admin API do not have either.
const TOKENS: [&str; 3] = ["initial_id_token", "initial_access_token", "initial_refresh_token"];

/// An identity as a record.
#[must_use]
pub fn record(cx: &Cx, who: &IdentityWithCredentials) -> Value {
    let identity = &who.identity;
    let mut credentials = Map::new();
    for credential in &who.credentials {
        let config = sealed::show(cx.keys(), identity.id, credential.kind, credential.config.clone());
        let config = importable(credential, config);
        if !config.is_null() {
            credentials.insert(credential.kind.as_str().to_owned(), json!({ "config": config }));
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
    put(KEPT, json!(Kept::of(who)), true);
    out
}

/// What [`KEPT`] holds.
#[derive(Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
struct Kept {
    credentials: Vec<KeptCredential>,
    verifiable_addresses: Vec<KeptAddress>,
    recovery_addresses: Vec<KeptAddress>,
}

#[derive(Deserialize, Serialize)]
struct KeptCredential {
    #[serde(rename = "type")]
    kind: CredentialType,
    id: Uuid,
    version: i64,
    created_at: Timestamp,
    updated_at: Timestamp,
    /// The last step of an authenticator app that was used: it must not be used again.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_step: Option<Value>,
    /// Of a type that no import knows: everything.
    #[serde(skip_serializing_if = "Option::is_none")]
    whole: Option<Whole>,
}

#[derive(Deserialize, Serialize)]
struct Whole {
    identifiers: Vec<String>,
    config: Value,
}

#[derive(Deserialize, Serialize)]
struct KeptAddress {
    via: Via,
    value: String,
    id: Uuid,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl Kept {
    fn of(who: &IdentityWithCredentials) -> Self {
        let credential = |c: &Credential| KeptCredential {
            kind: c.kind,
            id: c.id,
            version: c.version,
            created_at: c.created_at,
            updated_at: c.updated_at,
            last_step: c.config.get(LAST_STEP).cloned(),
            whole: (c.kind == CredentialType::Deviceauthn)
                .then(|| Whole { identifiers: c.identifiers.clone(), config: c.config.clone() }),
        };
        let identity = &who.identity;
        Self {
            credentials: who.credentials.iter().map(credential).collect(),
            verifiable_addresses: identity
                .verifiable_addresses
                .iter()
                .map(|a| KeptAddress {
                    via: a.via,
                    value: a.value.clone(),
                    id: a.id,
                    created_at: a.created_at,
                    updated_at: a.updated_at,
                })
                .collect(),
            recovery_addresses: identity
                .recovery_addresses
                .iter()
                .map(|a| KeptAddress {
                    via: a.via,
                    value: a.value.clone(),
                    id: a.id,
                    created_at: a.created_at,
                    updated_at: a.updated_at,
                })
                .collect(),
        }
    }

    /// Gives an identity its ids and times back, as far as it still has what they are of.
    fn apply_to(self, who: &mut IdentityWithCredentials) {
        for kept in self.credentials {
            if let (Some(whole), None) = (kept.whole, who.credential(kept.kind)) {
                who.credentials.push(Credential {
                    id: kept.id,
                    kind: kept.kind,
                    identifiers: whole.identifiers,
                    config: whole.config,
                    version: kept.version,
                    created_at: kept.created_at,
                    updated_at: kept.updated_at,
                });
                continue;
            }
            let Some(credential) = who.credentials.iter_mut().find(|c| c.kind == kept.kind) else { continue };
            (credential.id, credential.version) = (kept.id, kept.version);
            (credential.created_at, credential.updated_at) = (kept.created_at, kept.updated_at);
            if let (Some(step), Some(config)) = (kept.last_step, credential.config.as_object_mut()) {
                config.insert(LAST_STEP.to_owned(), step);
            }
        }
        who.credentials.sort_by_key(|c| c.kind);
        let find = |list: &[KeptAddress], via: Via, value: &str| {
            list.iter().find(|kept| kept.via == via && kept.value == value).map(|k| (k.id, k.created_at, k.updated_at))
        };
        for address in &mut who.identity.verifiable_addresses {
            if let Some(kept) = find(&self.verifiable_addresses, address.via, &address.value) {
                (address.id, address.created_at, address.updated_at) = kept;
            }
        }
        for address in &mut who.identity.recovery_addresses {
            if let Some(kept) = find(&self.recovery_addresses, address.via, &address.value) {
                (address.id, address.created_at, address.updated_at) = kept;
            }
        }
    }
}

fn address(address: &VerifiableAddress) -> Value {
    let mut out = json!({ "value": address.value, "via": address.via, "verified": address.verified, "status": address.status });
    if let Some(at) = address.verified_at {
        out["verified_at"] = json!(at);
    }
    out
}

/// A credential's data in the form of imports. Null: there is nothing beyond what the traits give, or no import knows it.
fn importable(credential: &Credential, config: Value) -> Value {
    let has = |name: &str| config.get(name).and_then(Value::as_array).is_some_and(|list| !list.is_empty());
    let text = |name: &str| config.get(name).and_then(Value::as_str).filter(|t| !t.is_empty());
    match credential.kind {
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
        _ => Value::Null,
    }
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
    let [id, created_at, updated_at, state_changed_at, kept] = own;
    let kept: Kept = match kept {
        None | Some(Value::Null) => Kept::default(),
        Some(kept) => serde_json::from_value(kept).map_err(|e| ApiError::bad_request(format!("{KEPT} cannot be used: {e}.")))?,
    };
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
    kept.apply_to(&mut who);
    Ok(who)
}
