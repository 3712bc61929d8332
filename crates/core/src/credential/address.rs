//! Addresses that people type to be written to: which channel one is meant for, whose it is, and how much of it is shown
//! to somebody who has not proved that it is theirs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portcullis_model::identity::{IdentityWithCredentials, Via};
use portcullis_model::normal;
use portcullis_store::identities::{self, AddressPurpose};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::app::Cx;
use crate::flow::engine::FlowError;

/// The channel of an address as it was typed: what has no `@` is a phone number.
#[must_use]
pub fn via_of(typed: &str) -> Via {
    if typed.contains('@') { Via::Email } else { Via::Sms }
}

/// Whose an address (in normal form) is. An address that nobody owns takes the same two reads as one that somebody does.
///
/// # Errors
/// If the database fails.
pub async fn owner(
    cx: &Cx,
    purpose: AddressPurpose,
    via: Via,
    address: &str,
) -> Result<Option<IdentityWithCredentials>, FlowError> {
    let found = identities::find_by_address(cx.store(), purpose, via, address).await.map_err(FlowError::Store)?;
    // No identity has the nil id.
    let id = found.map_or(Uuid::nil(), |identity| identity.id);
    identities::get_with_credentials(cx.store(), id).await.map_err(FlowError::Store)
}

/// One of an account's recovery addresses, to be chosen.
pub struct Choice {
    /// The channel.
    pub via: Via,
    /// The address, in normal form.
    pub address: String,
}

impl Choice {
    /// What a form sends for it: it tells nothing to whoever does not know the address.
    #[must_use]
    pub fn handle(&self) -> String {
        STANDARD.encode(Sha256::digest(self.address.as_bytes()))
    }
}

/// The recovery addresses among which somebody chooses who came with one of them, sorted. There is no choice, and the list
/// is empty, if nobody owns that address or it is the only one of its account.
///
/// # Errors
/// If the database fails.
pub async fn choices(cx: &Cx, came_with: &str) -> Result<Vec<Choice>, FlowError> {
    let via = via_of(came_with);
    let Some(who) = owner(cx, AddressPurpose::Recovery, via, &normal::address(via, came_with)).await? else {
        return Ok(Vec::new());
    };
    let addresses = who.identity.recovery_addresses;
    if addresses.len() < 2 {
        return Ok(Vec::new());
    }
    let mut choices: Vec<Choice> = addresses.into_iter().map(|a| Choice { via: a.via, address: a.value }).collect();
    choices.sort_by(|a, b| a.address.cmp(&b.address));
    Ok(choices)
}

/// An address of which only some letters are shown. One so short that little would be hidden stays as it is.
#[must_use]
pub fn masked(address: &str) -> String {
    let first = |text: &str, n: usize| text.chars().take(n).collect::<String>();
    match address.split_once('@') {
        Some((local, _)) if local.chars().count() < 2 => address.to_owned(),
        Some((local, host)) => format!("{}****@{host}", first(local, 2)),
        None => {
            let letters = address.chars().count();
            if letters < 6 {
                return address.to_owned();
            }
            let last: String = address.chars().skip(letters - 2).collect();
            format!("{}****{last}", first(address, 3))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{masked, via_of};
    use portcullis_model::identity::Via;

    #[test]
    fn only_some_letters_are_shown() {
        for (address, shown) in [
            ("ada@example.org", "ad****@example.org"),
            ("ad@example.org", "ad****@example.org"),
            ("a@example.org", "a@example.org"),
            ("@example.org", "@example.org"),
            ("äöü@example.org", "äö****@example.org"),
            ("+4915112345642", "+49****42"),
            ("+12345", "+12****45"),
            ("+1234", "+1234"),
            ("", ""),
        ] {
            assert_eq!(masked(address), shown);
        }
    }

    #[test]
    fn what_has_no_at_sign_is_a_phone_number() {
        assert_eq!((via_of("a@b"), via_of("+49 151"), via_of("nobody")), (Via::Email, Via::Sms, Via::Sms));
    }
}
