//! Messages of getting back into an account.

use super::Message;
use crate::time::Timestamp;

/// The account is recovered; its settings may be changed without another sign-in until the time given.
#[must_use]
pub fn recovered(privileged_until: Timestamp) -> Message {
    Message::success(
        1_060_001,
        format!("You are back in your account. Please change your password or set up another way to sign in before {privileged_until}."),
    )
    .with("privilegedSessionExpiresAt", privileged_until.to_string())
    .with_time("privileged_session_expires_at", privileged_until)
}

/// A link was sent, if the account exists.
#[must_use]
pub fn link_sent() -> Message {
    Message::info(
        1_060_002,
        "If there is an account with this address, we sent a recovery link there. If it does not arrive, check the address or try the one you signed up with.",
    )
}

/// A code was sent, if the account exists.
#[must_use]
pub fn code_sent() -> Message {
    Message::info(
        1_060_003,
        "If there is an account with this address, we sent a recovery code there. If it does not arrive, check the address or try the one you signed up with.",
    )
}

/// A code was sent to an address of which only some letters are shown.
#[must_use]
pub fn code_sent_to(masked_address: &str) -> Message {
    Message::info(1_060_004, format!("We sent a recovery code to {masked_address}. If it does not arrive, try another address."))
        .with("masked_address", masked_address)
}

/// Asks for the whole of a chosen address.
#[must_use]
pub fn enter_whole_address() -> Message {
    Message::info(1_060_005, "Please enter the whole address, to show that you know it.")
}

/// Asks to choose one of the account's addresses.
#[must_use]
pub fn choose_address() -> Message {
    Message::info(1_060_006, "How do you want to recover your account?")
}

/// Label of the button that chooses an address: the address itself, of which only some letters are shown.
#[must_use]
pub fn address_choice(masked_address: &str) -> Message {
    Message::info(1_070_000, masked_address)
}

/// Button that leads a step back.
#[must_use]
pub fn back() -> Message {
    Message::info(1_060_007, "Back")
}

/// No method of recovery fits what was sent.
#[must_use]
pub fn no_method() -> Message {
    Message::error(4_010_005, "Could not tell how you want to recover your account. Did you fill in the form?")
}

/// The flow has succeeded already.
#[must_use]
pub fn already_done() -> Message {
    Message::error(4_060_001, "This recovery was completed already. Please start again.")
}

/// The flow cannot go on.
#[must_use]
pub fn failed() -> Message {
    Message::error(4_060_002, "This recovery cannot go on. Please start again.")
}

/// The token of a recovery link is missing.
#[must_use]
pub fn token_missing() -> Message {
    Message::error(4_060_003, "The recovery link is not complete. Please use the whole link.")
}

/// The recovery link is wrong or was used.
#[must_use]
pub fn wrong_link() -> Message {
    Message::error(4_060_004, "The recovery link is not right or was used before. Please start again.")
}

/// The flow took too long; it is told in the flow that replaces it.
#[must_use]
pub fn expired(at: Timestamp) -> Message {
    Message::error(4_060_005, "Recovering the account took too long. Please try again.").with_time("expired_at", at)
}

/// The recovery code is wrong or was used.
#[must_use]
pub fn wrong_code() -> Message {
    Message::error(4_060_006, "The recovery code is not right or was used before. Please try again.")
}
