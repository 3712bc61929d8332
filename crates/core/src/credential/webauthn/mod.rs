//! Web Authentication (W3C, "Web Authentication: An API for accessing Public Key Credentials", Level 2): what security keys
//! and passkeys have in common, without flows and forms of their own.
//!
//! A ceremony has two halves. [`options`] says what a browser asks its authenticator for; [`ceremony`] judges the answer
//! against the challenge that this flow gave out. What comes from outside is read by [`answer`], [`data`] and [`cbor`] with
//! bounds on everything, and every algorithm that is offered is verified in [`algorithm`].

mod algorithm;
mod answer;
mod cbor;
mod ceremony;
mod data;
mod key;
mod nodes;
mod options;
mod pending;
mod script;
mod used;

#[cfg(test)]
mod tests;

pub use answer::{Answer, MAX_ANSWER};
pub use ceremony::{Asserted, Refused, Verification, made, proved};
pub use key::{Key, entry, find, keys};
pub use nodes::{Trigger, hidden, onclick, removal, script as script_node, trigger};
pub use options::{Creation, Site, User, creation, request};
pub use pending::Pending;
pub use script::{SCRIPT, SCRIPT_PATH, integrity};
pub use used::{not_accepted, unreadable, use_key};

use base64::alphabet::{STANDARD as STANDARD_ALPHABET, URL_SAFE};
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD, URL_SAFE_NO_PAD};
use base64::engine::{DecodePaddingMode, Engine as _};

/// Takes what it is given, with padding or without.
const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent).with_decode_allow_trailing_bits(true);
const URL_LENIENT: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, LENIENT);
const STANDARD_LENIENT: GeneralPurpose = GeneralPurpose::new(&STANDARD_ALPHABET, LENIENT);

/// Bytes as the browser's API has them: base64url without padding.
#[must_use]
pub fn to_url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Bytes as a credential's data has them: base64 with padding.
#[must_use]
pub fn to_stored(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Reads either alphabet, with padding or without.
#[must_use]
pub fn from_base64(text: &str) -> Option<Vec<u8>> {
    let standard = text.contains(['+', '/']);
    if standard { STANDARD_LENIENT.decode(text) } else { URL_LENIENT.decode(text) }.ok()
}
