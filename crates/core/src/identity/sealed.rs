//! Secrets inside credentials' data that must be readable again: authenticator keys, recovery codes, providers' tokens.
//!
//! At rest such a text is an object `{"sealed": "..."}`, encrypted for its identity; administrators see and write it in
//! clear. Which members of which type are secret stands in one table here.

use portcullis_model::clock::Rng;
use portcullis_model::credential::CredentialType;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::crypto::{Keyring, Purpose};

/// The secret members of a type's data, as paths; `*` stands for every entry of a list.
fn secret_members(kind: CredentialType) -> &'static [&'static [&'static str]] {
    match kind {
        CredentialType::Totp => &[&["totp_url"]],
        CredentialType::LookupSecret => &[&["recovery_codes", "*", "code"]],
        CredentialType::Oidc | CredentialType::Saml => &[
            &["providers", "*", "initial_id_token"],
            &["providers", "*", "initial_access_token"],
            &["providers", "*", "initial_refresh_token"],
        ],
        _ => &[],
    }
}

/// The members that only the method itself needs: nobody else is shown them.
fn own_members(kind: CredentialType) -> &'static [&'static str] {
    match kind {
        CredentialType::Totp => &["last_step"],
        _ => &[],
    }
}

/// Encrypts a text for an identity.
#[must_use]
pub fn seal(keys: &Keyring, rng: &dyn Rng, identity: Uuid, text: &str) -> Value {
    json!({ "sealed": keys.seal_text(rng, Purpose::Cipher, identity.as_bytes(), text.as_bytes()) })
}

/// Reads a text that [`seal`] encrypted for the same identity. `None` if it is none, or the key is gone.
#[must_use]
pub fn open(keys: &Keyring, identity: Uuid, value: &Value) -> Option<String> {
    let sealed = value.get("sealed")?.as_str()?;
    String::from_utf8(keys.open_text(Purpose::Cipher, identity.as_bytes(), sealed)?).ok()
}

/// Reads a secret member as it is kept: encrypted, or in clear if an older import left it so.
#[must_use]
pub fn read(keys: &Keyring, identity: Uuid, value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        other => open(keys, identity, other),
    }
}

/// A credential's data as it is kept: its secret members encrypted. Empty texts and what is encrypted already stay.
#[must_use]
pub fn keep(keys: &Keyring, rng: &dyn Rng, identity: Uuid, kind: CredentialType, mut config: Value) -> Value {
    for path in secret_members(kind) {
        visit(&mut config, path, &mut |value| {
            if let Some(text) = value.as_str().filter(|t| !t.is_empty()) {
                *value = seal(keys, rng, identity, text);
            }
        });
    }
    config
}

/// A credential's data as administrators see it: its secret members in clear, empty where the key is gone, and without
/// what only the method itself needs.
#[must_use]
pub fn show(keys: &Keyring, identity: Uuid, kind: CredentialType, mut config: Value) -> Value {
    for name in own_members(kind) {
        if let Some(members) = config.as_object_mut() {
            members.shift_remove(*name);
        }
    }
    for path in secret_members(kind) {
        visit(&mut config, path, &mut |value| {
            if value.is_object() {
                *value = Value::String(open(keys, identity, value).unwrap_or_default());
            }
        });
    }
    config
}

fn visit(value: &mut Value, path: &[&str], at: &mut dyn FnMut(&mut Value)) {
    match path.split_first() {
        None => at(value),
        Some((&"*", rest)) => {
            for entry in value.as_array_mut().into_iter().flatten() {
                visit(entry, rest, at);
            }
        }
        Some((name, rest)) => {
            if let Some(member) = value.get_mut(*name) {
                visit(member, rest, at);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::random::SeededRng;

    #[test]
    fn secrets_are_kept_sealed_and_shown_in_clear_without_what_is_the_methods_own() {
        let keys =
            Keyring::new(&["a-secret-of-tests".to_owned()], &[], &["a-cipher-secret-of-32-characters".to_owned()], &[], [0; 32]);
        let (rng, id) = (SeededRng::new(1), Uuid::from_u128(7));
        let clear = json!({ "totp_url": "otpauth://totp/x?secret=ABC", "last_step": 5 });
        let kept = keep(&keys, &rng, id, CredentialType::Totp, clear.clone());
        assert!(kept["totp_url"]["sealed"].is_string() && kept["last_step"] == 5, "{kept}");
        assert_eq!(read(&keys, id, &kept["totp_url"]).as_deref(), clear["totp_url"].as_str());
        assert_eq!(read(&keys, id, &clear["totp_url"]).as_deref(), clear["totp_url"].as_str());
        assert_eq!(read(&keys, Uuid::from_u128(8), &kept["totp_url"]), None, "it is bound to its identity");
        let shown = json!({ "totp_url": clear["totp_url"] });
        assert_eq!(show(&keys, id, CredentialType::Totp, kept.clone()), shown);
        assert_eq!(show(&keys, Uuid::from_u128(8), CredentialType::Totp, kept), json!({ "totp_url": "" }));
    }
}
