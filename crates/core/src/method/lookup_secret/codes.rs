//! The codes themselves: made, kept, read, found.

use std::collections::BTreeSet;

use portcullis_model::clock::{Rng, random_lower_case};
use portcullis_model::credential::Credential;
use portcullis_model::message::{self, Message};
use portcullis_model::time::Timestamp;
use serde_json::{Value, json};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::app::Cx;
use crate::crypto::Keyring;
use crate::identity::sealed;

/// How many codes are made at once.
const COUNT: usize = 12;

/// The letters and digits of a code: 41 bits, of which an account's few guesses reach none.
const LENGTH: usize = 8;

/// The member of the credential's data that holds the codes.
const MEMBER: &str = "recovery_codes";

/// A code as it was kept.
pub(super) struct Code {
    /// The code in clear; empty if the key to it is gone.
    text: String,
    /// When it was used; `Some(None)` if that cannot be read.
    used_at: Option<Option<Timestamp>>,
}

/// New codes, all different.
pub(super) fn make(rng: &dyn Rng) -> Vec<String> {
    let mut seen = BTreeSet::new();
    std::iter::repeat_with(|| random_lower_case(rng, LENGTH)).filter(|code| seen.insert(code.clone())).take(COUNT).collect()
}

/// The data of a credential with new codes.
pub(super) fn config(cx: &Cx, identity: Uuid, codes: &[String]) -> Value {
    let entry = |code: &String| json!({ "code": sealed::seal(cx.keys(), cx.rng(), identity, code), "used_at": null });
    json!({ MEMBER: codes.iter().map(entry).collect::<Vec<_>>() })
}

fn entries(config: &Value) -> &[Value] {
    config.get(MEMBER).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Whether there are codes, used ones counted.
pub(super) fn are_set_up(credential: &Credential) -> bool {
    !entries(&credential.config).is_empty()
}

/// The codes of a credential, in their order.
pub(super) fn read(keys: &Keyring, identity: Uuid, credential: &Credential) -> Vec<Code> {
    let code = |entry: &Value| Code {
        text: entry.get("code").and_then(|code| sealed::read(keys, identity, code)).unwrap_or_default(),
        used_at: entry.get("used_at").filter(|at| !at.is_null()).map(|at| at.as_str().and_then(|t| Timestamp::parse(t).ok())),
    };
    entries(&credential.config).iter().map(code).collect()
}

/// What a typed code is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// The one at this place, not used yet.
    Fresh(usize),
    /// One that was used.
    Used,
    /// None.
    Unknown,
}

/// Looks for a code, to the letter. Every code is compared, so that the time taken tells nothing.
pub(super) fn find(codes: &[Code], typed: &str) -> Found {
    let mut found = Found::Unknown;
    for (place, code) in codes.iter().enumerate() {
        let fits = bool::from(code.text.as_bytes().ct_eq(typed.as_bytes())) && !typed.is_empty();
        if fits && !matches!(found, Found::Fresh(_)) {
            found = if code.used_at.is_none() { Found::Fresh(place) } else { Found::Used };
        }
    }
    found
}

/// The credential's data with the code at a place marked as used.
pub(super) fn used(config: &Value, place: usize, now: Timestamp) -> Value {
    let mut config = config.clone();
    let entry = config.get_mut(MEMBER).and_then(|codes| codes.get_mut(place)).and_then(Value::as_object_mut);
    if let Some(entry) = entry {
        entry.insert("used_at".to_owned(), now.to_string().into());
    }
    config
}

/// The codes as a form shows them: of used ones only when that was.
pub(super) fn shown(codes: &[Code]) -> Message {
    let message = |code: &Code| match code.used_at {
        None => message::settings::lookup_code(&code.text),
        Some(at) => message::settings::used_lookup_code(at.unwrap_or(Timestamp::from_seconds(0))),
    };
    message::settings::lookup_codes(&codes.iter().map(message).collect::<Vec<_>>())
}

/// New codes as a form shows them.
pub(super) fn shown_new(codes: &[String]) -> Message {
    message::settings::lookup_codes(&codes.iter().map(|code| message::settings::lookup_code(code)).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::random::SeededRng;

    fn code(text: &str, used: bool) -> Code {
        Code { text: text.to_owned(), used_at: used.then_some(None) }
    }

    #[test]
    fn codes_are_twelve_different_ones_of_eight_letters_and_digits() {
        let codes = make(&SeededRng::new(3));
        assert_eq!(codes.iter().collect::<BTreeSet<_>>().len(), COUNT);
        for code in &codes {
            assert!(code.len() == LENGTH && code.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()), "{code}");
        }
    }

    #[test]
    fn a_code_is_found_to_the_letter() {
        let codes =
            [code("aaaa1111", false), code("bbbb2222", true), code("", false), code("cccc3333", true), code("cccc3333", false)];
        for (typed, expected) in [
            ("aaaa1111", Found::Fresh(0)),
            ("AAAA1111", Found::Unknown),
            ("aaaa111", Found::Unknown),
            ("aaaa11111", Found::Unknown),
            ("bbbb2222", Found::Used),
            // Two that are equal can only come by import; one of them is still good.
            ("cccc3333", Found::Fresh(4)),
            // The key to one is gone: nothing opens it.
            ("", Found::Unknown),
        ] {
            assert_eq!(find(&codes, typed), expected, "{typed}");
        }
    }

    #[test]
    fn a_used_code_is_marked_and_the_others_stay() {
        let before = json!({ MEMBER: [{ "code": "a", "used_at": null }, { "code": "b" }] });
        let now = Timestamp::from_seconds(1_800_000_000);
        let after = used(&before, 1, now);
        assert_eq!(after, json!({ MEMBER: [{ "code": "a", "used_at": null }, { "code": "b", "used_at": now.to_string() }] }));
        assert_eq!(used(&before, 7, now), before);
    }
}
