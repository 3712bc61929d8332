//! Changing single members of an identity by JSON Patch.

use portcullis_core::app::Cx;
use portcullis_core::crypto::password::StoredHash;
use portcullis_core::flow::engine::Reply;
use portcullis_core::identity::{sealed, view};
use portcullis_model::credential::{Credential, CredentialType};
use portcullis_model::error::ApiError;
use portcullis_model::identity::IdentityWithCredentials;
use portcullis_model::time::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::super::body::{self, Address, AnyRecoveryAddress};
use super::pointer::{self, Kind, Operation};
use super::{change, external_id, id_of, load, schema, valid, version};

/// `PATCH /admin/identities/{id}`: the operations are applied to the identity as it is then, all or none.
pub async fn patch(cx: &Cx, id: &str) -> Reply {
    run(cx, id).await.unwrap_or_else(Reply::error)
}

async fn run(cx: &Cx, id: &str) -> Result<Reply, ApiError> {
    let id = id_of(id)?;
    let before = load(cx, id).await?.identity.schema_id;
    let operations = pointer::read(body::json(&cx.request)?).map_err(ApiError::bad_request)?;
    operations.iter().try_for_each(allowed)?;
    let who = change(cx, id, |old| {
        if operations.is_empty() {
            return Ok(old.clone());
        }
        let mut document = view::admin(cx, old, &CredentialType::ALL);
        for operation in operations.iter().filter(|o| !is_region(o)) {
            pointer::apply(&mut document, operation).map_err(ApiError::bad_request)?;
        }
        decode(cx, old, document)
    })
    .await?;
    let mut shown = view::admin(cx, &who, &[]);
    // Clients know the answer to a change of schema with the old schema's address; the next read has the new one.
    shown["schema_url"] = view::schema_url(cx, &before).into();
    Ok(version::tagged(Reply::json(200, shown), &who))
}

/// Refuses paths that lead to what must not be changed here, in any letter case.
fn allowed(operation: &Operation) -> Result<(), ApiError> {
    let path: Vec<String> = operation.path.iter().map(|part| part.to_lowercase()).collect();
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    if matches!(path[..], ["id" | "statechangedat", ..] | ["credentials"] | ["credentials", "oidc" | "saml", ..]) {
        return Err(ApiError::bad_request(format!("/{} cannot be changed by a patch.", operation.path.join("/"))));
    }
    if is_region(operation) {
        if operation.kind == Kind::Remove || operation.path.len() > 1 {
            return Err(ApiError::bad_request("The region can be added or replaced as a whole only."));
        }
        let word = operation.value.as_str().ok_or_else(|| ApiError::bad_request("The region must be a text."))?;
        body::region(Some(word).filter(|w| !w.is_empty()).or(Some("none")))?;
    }
    Ok(())
}

fn is_region(operation: &Operation) -> bool {
    operation.path.first().is_some_and(|part| part == "region")
}

/// The identity that a patched document describes. Members that identities do not have are passed over, and so are those
/// that follow from others.
fn decode(cx: &Cx, old: &IdentityWithCredentials, document: Value) -> Result<IdentityWithCredentials, ApiError> {
    let Value::Object(mut members) = document else { return Err(wrong("the identity", "an object")) };
    let mut new = old.clone();
    let identity = &mut new.identity;
    for name in ["created_at", "updated_at", "state_changed_at"] {
        // They cannot be chosen, but nonsense is told.
        member::<Timestamp>(&mut members, name, "a time")?;
    }
    identity.state = body::state(member::<String>(&mut members, "state", "a text")?.as_deref())?.unwrap_or(identity.state);
    if let Some(named) = member::<String>(&mut members, "schema_id", "a text")?.filter(|id| !id.is_empty()) {
        schema(cx, &named)?.id().clone_into(&mut identity.schema_id);
    }
    identity.traits = body::traits(members.remove("traits"))?;
    identity.metadata_public = members.remove("metadata_public").unwrap_or_default();
    identity.metadata_admin = members.remove("metadata_admin").unwrap_or_default();
    identity.external_id = external_id(member(&mut members, "external_id", "a text")?)?;
    identity.organization_id = member::<Uuid>(&mut members, "organization_id", "a UUID")?;
    let addresses: Vec<Address> = member(&mut members, "verifiable_addresses", "a list of addresses")?.unwrap_or_default();
    identity.verifiable_addresses = addresses.into_iter().map(|a| a.known(cx.now)).collect::<Result<_, _>>()?;
    let addresses: Vec<AnyRecoveryAddress> =
        member(&mut members, "recovery_addresses", "a list of addresses")?.unwrap_or_default();
    identity.recovery_addresses = addresses.into_iter().map(|a| a.known(cx.now)).collect();
    let credentials: Map<String, Value> = member(&mut members, "credentials", "an object")?.unwrap_or_default();
    new.credentials = credentials.into_iter().map(|(kind, value)| credential(cx, old, &kind, value)).collect::<Result<_, _>>()?;
    new.credentials.sort_by_key(|c| c.kind);
    valid(&*schema(cx, &new.identity.schema_id)?, &new.identity.traits)?;
    Ok(new)
}

/// A member of a known shape, taken out; null and absent are none.
fn member<T: DeserializeOwned>(members: &mut Map<String, Value>, name: &str, shape: &str) -> Result<Option<T>, ApiError> {
    match members.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => serde_json::from_value(value).map(Some).map_err(|_| wrong(name, shape)),
    }
}

fn wrong(name: &str, shape: &str) -> ApiError {
    ApiError::bad_request(format!("After the patch, {name} would not be {shape}."))
}

/// A credential as the patched document describes it. What is as it was stays as it was stored; other data is taken as it
/// stands, with its secrets encrypted.
fn credential(cx: &Cx, old: &IdentityWithCredentials, name: &str, value: Value) -> Result<Credential, ApiError> {
    let kind: CredentialType = name.parse().map_err(|_| wrong(&format!("credentials.{name}"), "of a known type"))?;
    let Value::Object(mut members) = value else { return Err(wrong(&format!("credentials.{name}"), "an object")) };
    let named: Option<String> = member(&mut members, "type", "a text")?;
    if named.as_deref() != Some(kind.as_str()) {
        return Err(wrong(&format!("credentials.{name}.type"), name));
    }
    let identifiers: Vec<String> = member(&mut members, "identifiers", "a list of texts")?.unwrap_or_default();
    let config: Map<String, Value> = member(&mut members, "config", "an object")?.unwrap_or_default();
    let config = Value::Object(config);
    let id = old.identity.id;
    if let Some(stored) = old.credential(kind)
        && sealed::show(cx.keys(), id, kind, stored.config.clone()) == config
    {
        return Ok(Credential { identifiers, ..stored.clone() });
    }
    if kind == CredentialType::Password
        && let Some(hash) = config.get("hashed_password").and_then(Value::as_str).filter(|h| !h.is_empty())
    {
        StoredHash::import(hash).map_err(|_| wrong("credentials.password.config.hashed_password", "a known hash"))?;
    }
    let stored = old.credential(kind);
    Ok(Credential {
        id: stored.map_or_else(|| cx.new_id(), |s| s.id),
        kind,
        identifiers,
        config: sealed::keep(cx.keys(), cx.rng(), id, kind, config),
        version: stored.map_or(1, |s| s.version),
        created_at: stored.map_or(cx.now, |s| s.created_at),
        updated_at: cx.now,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(path: &str, op: &str, value: Value) -> bool {
        let patch = json!([{ "op": op, "path": path, "value": value }]);
        pointer::read(patch).unwrap().iter().all(|o| allowed(o).is_ok())
    }

    #[test]
    fn some_paths_are_denied() {
        for path in
            ["/id", "/ID", "/stateChangedAt", "/statechangedat", "/credentials", "/Credentials/OIDC/config", "/credentials/saml"]
        {
            assert!(!check(path, "add", json!({})), "{path}");
        }
        for path in ["/traits/id", "/credentials/password/config", "/idx", "/metadata_admin/credentials"] {
            assert!(check(path, "add", json!({})), "{path}");
        }
    }

    #[test]
    fn regions_are_checked() {
        assert!(check("/region", "add", json!("eu")));
        assert!(!check("/region", "replace", json!("atlantis")));
        assert!(!check("/region", "remove", json!(null)));
        assert!(!check("/region", "add", json!("")));
        assert!(!check("/region/x", "add", json!("eu")));
    }
}
