//! Messages of proving an address.

use super::Message;
use crate::time::Timestamp;

/// A link was sent.
#[must_use]
pub fn link_sent() -> Message {
    Message::info(
        1_080_001,
        "We sent a verification link to the address you entered. If it does not arrive, check the address and try again.",
    )
}

/// An e-mail address is verified.
#[must_use]
pub fn verified() -> Message {
    Message::success(1_080_002, "Your e-mail address is verified.")
}

/// A code was sent by mail.
#[must_use]
pub fn code_sent() -> Message {
    Message::info(
        1_080_003,
        "We sent a verification code to the address you entered. If it does not arrive, check the address and try again.",
    )
}

/// A code was sent by text message.
#[must_use]
pub fn code_sent_by_sms() -> Message {
    Message::info(
        1_080_004,
        "We sent a verification code to the phone number you entered. If it does not arrive, check the number and try again.",
    )
}

/// A phone number is verified.
#[must_use]
pub fn phone_verified() -> Message {
    Message::success(1_080_005, "Your phone number is verified.")
}

/// No method of verification fits what was sent.
#[must_use]
pub fn no_method() -> Message {
    Message::error(4_010_006, "Could not tell how you want to verify your address. Did you fill in the form?")
}

/// The verification link is wrong or was used.
#[must_use]
pub fn wrong_link() -> Message {
    Message::error(4_070_001, "The verification link is not right or was used before. Please start again.")
}

/// The flow has succeeded already.
#[must_use]
pub fn already_done() -> Message {
    Message::error(4_070_002, "This verification was completed already. Please start again.")
}

/// The flow cannot go on.
#[must_use]
pub fn failed() -> Message {
    Message::error(4_070_003, "This verification cannot go on. Please start again.")
}

/// The token of a verification link is missing.
#[must_use]
pub fn token_missing() -> Message {
    Message::error(4_070_004, "The verification link is not complete. Please use the whole link.")
}

/// The flow took too long; it is told in the flow that replaces it.
#[must_use]
pub fn expired(at: Timestamp) -> Message {
    Message::error(4_070_005, "Verifying the address took too long. Please try again.").with_time("expired_at", at)
}

/// The verification code is wrong or was used.
#[must_use]
pub fn wrong_code() -> Message {
    Message::error(4_070_006, "The verification code is not right or was used before. Please try again.")
}
