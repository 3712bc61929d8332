//! Messages about the service itself.

use super::Message;

/// Any failure that has no message of its own.
#[must_use]
pub fn generic(reason: &str) -> Message {
    Message::error(5_000_001, reason).with("reason", reason)
}

/// There is no method to sign in or sign up with.
#[must_use]
pub fn no_methods() -> Message {
    Message::error(5_000_002, "There is no way to sign in or sign up here. Please ask those who run this service.")
}

/// The organization has no provider to sign in with.
#[must_use]
pub fn organization_without_provider() -> Message {
    Message::error(5_000_003, "Your organization has no way to sign in here. Please ask those who run this service.")
}
