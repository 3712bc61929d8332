//! From a provider's claims to an account: what its mapper makes of them, laid beside what was typed.

use portcullis_model::identity::{AddressStatus, IdentityWithCredentials, VerifiableAddress};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::app::Cx;
use crate::oidc::Mapped;

/// Lays `over` on `base`, key by key and deeply; what is no object replaces what was there.
pub(super) fn lay(base: &mut Map<String, Value>, over: &Map<String, Value>) {
    for (name, value) in over {
        match (base.get_mut(name), value) {
            (Some(Value::Object(base)), Value::Object(over)) => lay(base, over),
            _ => {
                base.insert(name.clone(), value.clone());
            }
        }
    }
}

/// Marks the addresses that a provider vouches for as verified. Those that the traits do not give are left out later.
pub(super) fn vouch(cx: &Cx, who: &mut IdentityWithCredentials, mapped: &Mapped) {
    for (via, value) in &mapped.verified_addresses {
        let known = who.identity.verifiable_addresses.iter_mut().find(|a| a.via == *via && a.value == *value);
        match known {
            // What is known of an address stays.
            Some(_) => {}
            None => who.identity.verifiable_addresses.push(VerifiableAddress {
                id: Uuid::nil(),
                value: value.clone(),
                verified: true,
                via: *via,
                status: AddressStatus::Completed,
                verified_at: Some(cx.now),
                created_at: cx.now,
                updated_at: cx.now,
            }),
        }
    }
}

/// Puts the metadata that a mapper gives into an account; what it does not give stays.
pub(super) fn describe(who: &mut IdentityWithCredentials, mapped: &Mapped) {
    if let Some(public) = &mapped.metadata_public {
        who.identity.metadata_public = public.clone();
    }
    if let Some(admin) = &mapped.metadata_admin {
        who.identity.metadata_admin = admin.clone();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_typed_wins_key_by_key() {
        for (base, over, expected) in [
            (json!({ "a": 1 }), json!({}), json!({ "a": 1 })),
            (json!({ "n": { "f": "Ada", "l": "B" } }), json!({ "n": { "f": "Own" } }), json!({ "n": { "f": "Own", "l": "B" } })),
            (json!({ "n": { "f": 1 } }), json!({ "n": "text" }), json!({ "n": "text" })),
            (json!({ "n": [1, 2] }), json!({ "n": [3] }), json!({ "n": [3] })),
        ] {
            let mut laid = base.as_object().cloned().unwrap_or_default();
            lay(&mut laid, over.as_object().unwrap_or(&Map::new()));
            assert_eq!(Value::Object(laid), expected, "{base} {over}");
        }
    }
}
