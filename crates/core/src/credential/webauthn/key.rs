//! Keys as a credential's data holds them: a list `credentials`, each an object with the members that administrators see
//! and import. Members that nobody here knows stay.

use portcullis_model::credential::Credential;
use portcullis_model::time::Timestamp;
use serde_json::{Value, json};

use super::ceremony::{Asserted, Made};
use super::from_base64;

/// One key.
#[derive(Clone, Copy, Debug)]
pub struct Key<'a>(&'a Value);

/// The keys of a credential, in the order in which they were added.
pub fn keys(credential: &Credential) -> impl Iterator<Item = Key<'_>> {
    credential.config.get("credentials").and_then(Value::as_array).into_iter().flatten().map(Key)
}

/// The key of an id.
#[must_use]
pub fn find<'a>(credential: &'a Credential, id: &[u8]) -> Option<Key<'a>> {
    keys(credential).find(|key| key.id().as_deref() == Some(id))
}

impl<'a> Key<'a> {
    fn text(self, name: &str) -> Option<&'a str> {
        self.0.get(name).and_then(Value::as_str)
    }

    fn within(self, object: &str, name: &str) -> Option<&'a Value> {
        self.0.get(object)?.get(name)
    }

    /// The id as it is stored.
    #[must_use]
    pub fn stored_id(self) -> &'a Value {
        self.0.get("id").unwrap_or(&Value::Null)
    }

    /// The id.
    #[must_use]
    pub fn id(self) -> Option<Vec<u8>> {
        from_base64(self.text("id")?)
    }

    /// The public key, a COSE key.
    pub(super) fn public_key(self) -> Option<Vec<u8>> {
        from_base64(self.text("public_key")?)
    }

    /// The name that its owner gave it; may be empty.
    #[must_use]
    pub fn name(self) -> &'a str {
        self.text("display_name").unwrap_or_default()
    }

    /// When it was added.
    #[must_use]
    pub fn added_at(self) -> Timestamp {
        self.text("added_at").and_then(|text| Timestamp::parse(text).ok()).unwrap_or(Timestamp::from_micros(0))
    }

    /// Whether it signs in alone.
    #[must_use]
    pub fn is_passwordless(self) -> bool {
        self.0.get("is_passwordless").and_then(Value::as_bool).unwrap_or(false)
    }

    /// How browsers reach it, in the API's words.
    #[must_use]
    pub fn transports(self) -> Vec<&'a str> {
        self.0.get("transport").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// Whether it may be copied to other devices; `None` if that was not written down.
    pub(super) fn backup_eligible(self) -> Option<bool> {
        self.within("flags", "backup_eligible").and_then(Value::as_bool)
    }

    fn sign_count(self) -> u64 {
        self.within("authenticator", "sign_count").and_then(Value::as_u64).unwrap_or(0)
    }

    /// Whether it is marked as possibly copied.
    #[must_use]
    pub fn is_suspicious(self) -> bool {
        self.within("authenticator", "clone_warning").and_then(Value::as_bool).unwrap_or(false)
    }

    /// Whether it signed fewer times than before, or as many: then there may be a copy. Zeros do not count (W3C Web
    /// Authentication, section 6.1.1).
    #[must_use]
    pub fn is_set_back(self, used: &Asserted) -> bool {
        let (before, now) = (self.sign_count(), u64::from(used.sign_count));
        (before, now) != (0, 0) && now <= before
    }

    /// The key after it was used: the count never goes back, and a mark stays.
    #[must_use]
    pub fn after(self, used: &Asserted) -> Value {
        let mut key = self.0.clone();
        let suspicious = self.is_suspicious() || self.is_set_back(used);
        let members = [
            ("authenticator", "sign_count", json!(self.sign_count().max(u64::from(used.sign_count)))),
            ("authenticator", "clone_warning", json!(suspicious)),
            ("flags", "user_present", json!(used.flags.user_present())),
            ("flags", "user_verified", json!(used.flags.user_verified())),
            ("flags", "backup_eligible", json!(used.flags.backup_eligible())),
            ("flags", "backup_state", json!(used.flags.backup_state())),
        ];
        for (object, name, value) in members {
            if let Value::Object(key) = &mut key {
                let object = key.entry(object).or_insert_with(|| json!({}));
                if let Value::Object(object) = object {
                    object.insert(name.to_owned(), value);
                }
            }
        }
        key
    }
}

/// A new key as it is stored.
#[must_use]
pub fn entry(made: &Made, name: &str, is_passwordless: bool, now: Timestamp) -> Value {
    let flags = made.flags;
    let mut entry = json!({
        "id": made.id,
        "public_key": made.public_key,
        "attestation_type": made.attestation,
        "flags": {
            "user_present": flags.user_present(),
            "user_verified": flags.user_verified(),
            "backup_eligible": flags.backup_eligible(),
            "backup_state": flags.backup_state(),
        },
        "authenticator": { "aaguid": made.aaguid, "sign_count": made.sign_count, "clone_warning": false },
        "display_name": name,
        "added_at": now.to_string(),
        "is_passwordless": is_passwordless,
    });
    if let (Value::Object(members), false) = (&mut entry, made.transports.is_empty()) {
        members.insert("transport".to_owned(), json!(made.transports));
    }
    entry
}
