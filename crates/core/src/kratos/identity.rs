//! From an identity of that server to one of ours.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portcullis_model::credential::{Credential, CredentialType};
use portcullis_model::identity::{Factors, Identity, IdentityWithCredentials, State, Via};
use portcullis_model::normal;
use portcullis_model::session::Session;
use portcullis_store::kratos::OldIdentity;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::cipher::OldCipher;
use crate::app::Cx;
use crate::crypto::password::StoredHash;
use crate::identity::{conform, sealed};

/// The members of a social link that were encrypted.
const TOKENS: [&str; 3] = ["initial_id_token", "initial_access_token", "initial_refresh_token"];

/// An identity ready to be stored.
pub(super) struct Moved {
    pub(super) who: IdentityWithCredentials,
    /// Sessions that count, with the hashes of their tokens.
    pub(super) sessions: Vec<(Session, [u8; 32])>,
    /// All of their sessions there, whatever has become of them, and whether they were revoked.
    pub(super) all_sessions: Vec<(Uuid, bool)>,
    /// What of it did not come, or not as it was.
    pub(super) notes: Vec<String>,
}

/// Translates an identity with its sessions.
///
/// # Errors
/// Why it cannot come, in words that hold no values.
pub(super) fn translate(cx: &Cx, cipher: &OldCipher, old: OldIdentity) -> Result<Moved, String> {
    let schemas = &cx.snapshot.schemas;
    let schema = schemas.get(&old.schema_id).ok_or("its identity schema is not in the configuration")?;
    if !old.traits.is_object() {
        return Err("its traits are no JSON object".to_owned());
    }
    let mut notes = old.unreadable;
    if !schema.describe_problems(&old.traits).is_empty() {
        notes.push("the traits do not fit the identity schema; taken as they are".to_owned());
    }
    let id = old.id;
    let mut credentials: Vec<Credential> = Vec::with_capacity(old.credentials.len());
    for credential in old.credentials {
        if credentials.iter().any(|c| c.kind == credential.kind) {
            notes.push(format!("a second credential of the type {} was left out", credential.kind));
            continue;
        }
        credentials.push(translated(cx, cipher, id, credential, &mut notes));
    }
    credentials.sort_by_key(|c| c.kind);
    let before: Vec<(CredentialType, Vec<String>)> = credentials.iter().map(|c| (c.kind, c.identifiers.clone())).collect();
    let addresses: Vec<(Via, String)> = old
        .verifiable_addresses
        .iter()
        .map(|a| (a.via, a.value.as_str()))
        .chain(old.recovery_addresses.iter().map(|a| (a.via, a.value.as_str())))
        .map(|(via, value)| (via, normal::address(via, value)))
        .collect();

    let mut who = IdentityWithCredentials {
        identity: Identity {
            id,
            schema_id: old.schema_id,
            traits: old.traits,
            state: if old.state == State::Inactive.as_str() { State::Inactive } else { State::Active },
            state_changed_at: old.state_changed_at.unwrap_or(old.created_at),
            metadata_public: old.metadata_public,
            metadata_admin: old.metadata_admin,
            external_id: old.external_id,
            organization_id: old.organization_id,
            verifiable_addresses: old.verifiable_addresses,
            recovery_addresses: old.recovery_addresses,
            factors: Factors::default(),
            credentials_version: 1,
            version: 1,
            created_at: old.created_at,
            updated_at: old.updated_at,
        },
        credentials,
    };
    let known = ids(&who);
    conform(cx, &mut who, None, &schema);
    settle(&mut who, &known);

    for (kind, identifiers) in before {
        let kept = who.credential(kind).map(|c| c.identifiers.as_slice()).unwrap_or_default();
        let follows = matches!(kind, CredentialType::Password | CredentialType::Webauthn | CredentialType::Code);
        if follows && identifiers.iter().any(|old| !kept.contains(&normal::identifier(old))) {
            notes.push(format!("an identifier of the type {kind} does not follow from the traits any more and was left out"));
        }
    }
    let still = |via: Via, value: &String| {
        let identity = &who.identity;
        identity.verifiable_addresses.iter().any(|a| a.via == via && a.value == *value)
            || identity.recovery_addresses.iter().any(|a| a.via == via && a.value == *value)
    };
    if addresses.iter().any(|(via, value)| !still(*via, value)) {
        notes.push("an address does not follow from the traits any more and was left out".to_owned());
    }

    let all_sessions: Vec<(Uuid, bool)> = old.sessions.iter().map(|old| (old.session.id, !old.session.active)).collect();
    let sessions: Vec<_> = old
        .sessions
        .into_iter()
        .filter(|old| old.session.is_alive(cx.now) && !old.token.is_empty())
        .map(|old| (old.session, cx.keys().token_hash(&old.token)))
        .collect();
    Ok(Moved { who, sessions, all_sessions, notes })
}

/// A credential with its data as we keep it.
fn translated(cx: &Cx, cipher: &OldCipher, id: Uuid, mut credential: Credential, notes: &mut Vec<String>) -> Credential {
    let mut config = match credential.config.take() {
        Value::Object(config) => config,
        _ => Map::new(),
    };
    match credential.kind {
        CredentialType::Password => password(&mut config, notes),
        CredentialType::Oidc | CredentialType::Saml => links(&mut config, cipher, notes),
        CredentialType::Totp | CredentialType::LookupSecret => credential.identifiers = vec![id.to_string()],
        CredentialType::Webauthn => keys(&mut config, id),
        // Codes go where the traits say.
        CredentialType::Code => config.clear(),
        _ => {}
    }
    credential.config = sealed::keep(cx.keys(), cx.rng(), id, credential.kind, Value::Object(config));
    credential.version = 1;
    credential
}

/// A hash that could not be checked at a sign-in is left out: the person sets another password by recovery.
fn password(config: &mut Map<String, Value>, notes: &mut Vec<String>) {
    let hash = config.get("hashed_password").and_then(Value::as_str).unwrap_or_default();
    if hash.is_empty() {
        return;
    }
    if let Err(error) = StoredHash::import(hash) {
        notes.push(format!("{error}: the password was left out"));
        config.shift_remove("hashed_password");
    }
}

/// Providers' tokens are decrypted, and encrypted again with what seals all of ours.
fn links(config: &mut Map<String, Value>, cipher: &OldCipher, notes: &mut Vec<String>) {
    let mut lost = false;
    for link in config.get_mut("providers").and_then(Value::as_array_mut).into_iter().flatten() {
        for name in TOKENS {
            let Some(token) = link.get_mut(name) else { continue };
            let opened = token.as_str().and_then(|text| cipher.open(text));
            lost |= opened.is_none();
            *token = json!(opened.unwrap_or_default());
        }
    }
    if lost {
        notes.push("a provider's token could not be decrypted with secrets.cipher and was left out".to_owned());
    }
}

/// Early releases left out the user handle, which was the identity's id, and whether a key is passwordless.
fn keys(config: &mut Map<String, Value>, id: Uuid) {
    let handle = config.entry("user_handle").or_insert(Value::Null);
    if handle.as_str().unwrap_or_default().is_empty() {
        *handle = STANDARD.encode(id.as_bytes()).into();
    }
    for key in config.get_mut("credentials").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(key) = key.as_object_mut() {
            key.entry("is_passwordless").or_insert(Value::Bool(false));
        }
    }
}

/// The ids of everything that an identity has.
fn ids(who: &IdentityWithCredentials) -> Vec<Uuid> {
    let identity = &who.identity;
    let credentials = who.credentials.iter().map(|c| c.id);
    let verifiable = identity.verifiable_addresses.iter().map(|a| a.id);
    credentials.chain(verifiable).chain(identity.recovery_addresses.iter().map(|a| a.id)).collect()
}

/// What the traits give beyond what the other server had gets ids and times that follow from the identity, so that a move
/// that is repeated makes the same database.
fn settle(who: &mut IdentityWithCredentials, known: &[Uuid]) {
    let (owner, made, changed) = (who.identity.id, who.identity.created_at, who.identity.updated_at);
    for credential in who.credentials.iter_mut().filter(|c| !known.contains(&c.id)) {
        credential.id = derived(owner, credential.kind.as_str(), "");
        (credential.created_at, credential.updated_at) = (made, changed);
    }
    for address in who.identity.verifiable_addresses.iter_mut().filter(|a| !known.contains(&a.id)) {
        address.id = derived(owner, "verifiable", &address.value);
        (address.created_at, address.updated_at) = (made, changed);
    }
    for address in who.identity.recovery_addresses.iter_mut().filter(|a| !known.contains(&a.id)) {
        address.id = derived(owner, "recovery", &address.value);
        (address.created_at, address.updated_at) = (made, changed);
    }
}

/// An id made of what it names (version 8, RFC 9562).
fn derived(owner: Uuid, kind: &str, value: &str) -> Uuid {
    let mut bytes = [0; 16];
    for (to, from) in bytes.iter_mut().zip(digest(owner, kind, value)) {
        *to = from;
    }
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

/// A digest of what an id is made of.
pub(super) fn digest(owner: Uuid, kind: &str, value: &str) -> [u8; 32] {
    Sha256::new().chain_update(owner).chain_update(kind).chain_update([0]).chain_update(value).finalize().into()
}
