//! Messages of signing up.

use serde_json::Value;

use super::Message;
use crate::time::Timestamp;

/// Label of the sign-up button.
#[must_use]
pub fn sign_up() -> Message {
    Message::info(1_040_001, "Sign up")
}

/// Label of a provider's button. `provider` is the name people know it by, `provider_id` its id in the configuration.
#[must_use]
pub fn sign_up_with(provider: &str, provider_id: &str) -> Message {
    Message::info(1_040_002, format!("Sign up with {provider}")).with("provider", provider).with("provider_id", provider_id)
}

/// Button that leads to the next step.
#[must_use]
pub fn proceed() -> Message {
    Message::info(1_040_003, "Continue")
}

/// Button that signs up with a security key.
#[must_use]
pub fn sign_up_with_security_key() -> Message {
    Message::info(1_040_004, "Sign up with a security key")
}

/// A sign-up code was sent.
#[must_use]
pub fn code_sent() -> Message {
    Message::info(1_040_005, "We sent a code to the address you entered. If it does not arrive, check the address and try again.")
}

/// Button that sends a sign-up code.
#[must_use]
pub fn send_code() -> Message {
    Message::info(1_040_006, "Send me a sign-up code")
}

/// Button that signs up with a passkey.
#[must_use]
pub fn sign_up_with_passkey() -> Message {
    Message::info(1_040_007, "Sign up with a passkey")
}

/// Button that leads back to the traits.
#[must_use]
pub fn back() -> Message {
    Message::info(1_040_008, "Back")
}

/// Title above the choice of a credential.
#[must_use]
pub fn choose_credential() -> Message {
    Message::info(1_040_009, "Choose how you want to sign in")
}

/// Somebody has the identifier or address already.
#[must_use]
pub fn account_exists() -> Message {
    Message::error(4_000_007, "There is already an account with these details (e-mail address, phone number, user name, ...).")
}

/// The traits yield no identifier.
#[must_use]
pub fn no_identifier() -> Message {
    Message::error(
        4_000_009,
        "Could not find anything to sign in with, such as an e-mail address or a user name. Did you fill in every field?",
    )
}

/// There is an account already, which the provider is to be linked to in its settings.
#[must_use]
pub fn account_exists_link_in_settings() -> Message {
    Message::error(
        4_000_027,
        "There is already an account with these details. Sign in to it first, then link the provider in its settings.",
    )
}

/// There is an account already; tells by which methods it signs in.
#[must_use]
pub fn account_exists_with(credential_types: &[&str], providers: &[&str], identifier_hint: &str) -> Message {
    let text = if credential_types.is_empty() {
        "There is already an account with these details.".to_owned()
    } else {
        format!("You have an account already. You can sign in to it by: {}.", credential_types.join(", "))
    };
    Message::error(4_000_028, text)
        .with("available_credential_types", Value::from(credential_types))
        .with("available_oidc_providers", Value::from(providers))
        .with("credential_identifier_hint", identifier_hint)
}

/// The traits differ from those that the code was sent for.
#[must_use]
pub fn traits_changed() -> Message {
    Message::error(4_000_036, "The details differ from those that the code was sent for. Please go back and ask for a new code.")
}

/// The captcha was not solved.
#[must_use]
pub fn captcha_failed() -> Message {
    Message::error(4_000_038, "The check that you are human failed. Please try again.")
}

/// No method of signing up fits what was sent.
#[must_use]
pub fn no_method() -> Message {
    Message::error(4_010_003, "Could not tell how you want to sign up. Did you fill in the form?")
}

/// The flow took too long; it is told in the flow that replaces it.
#[must_use]
pub fn expired(at: Timestamp) -> Message {
    Message::error(4_040_001, "Signing up took too long. Please try again.").with_time("expired_at", at)
}

/// The flow has succeeded already.
#[must_use]
pub fn already_done() -> Message {
    Message::error(4_040_002, "This sign-up was completed already. Please sign in.")
}

/// The sign-up code is wrong or was used.
#[must_use]
pub fn wrong_code() -> Message {
    Message::error(4_040_003, "The sign-up code is not right or was used before. Please try again.")
}
