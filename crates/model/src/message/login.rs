//! Messages of signing in.

use serde_json::Value;

use super::Message;
use crate::time::Timestamp;

/// Label of the sign-in button.
#[must_use]
pub fn sign_in() -> Message {
    Message::info(1_010_001, "Sign in")
}

/// Label of a provider's button. `provider` is the name people know it by, `provider_id` its id in the configuration.
#[must_use]
pub fn sign_in_with(provider: &str, provider_id: &str) -> Message {
    Message::info(1_010_002, format!("Sign in with {provider}")).with("provider", provider).with("provider_id", provider_id)
}

/// Asks somebody who is signed in to prove themselves again.
#[must_use]
pub fn refresh() -> Message {
    Message::info(1_010_003, "Please sign in again to confirm that it is you.")
}

/// Asks for the second factor.
#[must_use]
pub fn second_factor() -> Message {
    Message::info(1_010_004, "Please complete the second step of signing in.")
}

/// Label of the button that checks the second factor.
#[must_use]
pub fn check_second_factor() -> Message {
    Message::info(1_010_005, "Verify")
}

/// Label of the field for a code of the authenticator app.
#[must_use]
pub fn totp_code() -> Message {
    Message::info(1_010_006, "Code from your authenticator app")
}

/// Label of the field for a backup code.
#[must_use]
pub fn lookup_code() -> Message {
    Message::info(1_010_007, "Backup code")
}

/// Button that chooses a security key.
#[must_use]
pub fn use_security_key() -> Message {
    Message::info(1_010_008, "Use a security key")
}

/// Button that chooses the authenticator app.
#[must_use]
pub fn use_totp() -> Message {
    Message::info(1_010_009, "Use an authenticator app")
}

/// Button that chooses a backup code.
#[must_use]
pub fn use_lookup() -> Message {
    Message::info(1_010_010, "Use a backup code")
}

/// Button that goes on with a security key.
#[must_use]
pub fn proceed_with_security_key() -> Message {
    Message::info(1_010_011, "Continue with a security key")
}

/// Hint to get the security key ready.
#[must_use]
pub fn prepare_security_key() -> Message {
    Message::info(1_010_012, "Get your security key ready, then press the button to continue.")
}

/// Button that leads from the identifier to the credentials.
#[must_use]
pub fn proceed() -> Message {
    Message::info(1_010_013, "Continue")
}

/// A sign-in code was sent.
#[must_use]
pub fn code_sent() -> Message {
    Message::info(1_010_014, "We sent you a code. If it does not arrive, check the address and try again.")
}

/// Button that sends a sign-in code.
#[must_use]
pub fn send_code() -> Message {
    Message::info(1_010_015, "Send me a sign-in code")
}

/// The account that signing in would join a new credential to.
#[derive(Clone, Debug)]
pub struct Linkable<'a> {
    /// The identifier that the account and the new credential share.
    pub duplicate_identifier: &'a str,
    /// The name people know the new credential's provider by.
    pub provider: &'a str,
    /// Where somebody goes who does not want to join.
    pub new_login_url: &'a str,
    /// The types of credentials that the account has.
    pub available_credential_types: &'a [&'a str],
    /// The providers that the account is linked to.
    pub available_providers: &'a [&'a str],
}

/// Asks to sign in, to join a new credential to the account that was found.
#[must_use]
pub fn sign_in_to_link(account: &Linkable<'_>) -> Message {
    let Linkable { duplicate_identifier, provider, new_login_url, available_credential_types, available_providers } = *account;
    Message::info(
        1_010_016,
        format!("There is already an account for {duplicate_identifier}. Sign in to it, and {provider} will be added as another way to sign in."),
    )
    .with("duplicateIdentifier", duplicate_identifier)
    .with("provider", provider)
    .with("newLoginUrl", new_login_url)
    .with("duplicate_identifier", duplicate_identifier)
    .with("new_login_url", new_login_url)
    .with("available_credential_types", Value::from(available_credential_types))
    .with("available_providers", Value::from(available_providers))
}

/// Button that signs in and joins.
#[must_use]
pub fn sign_in_and_link() -> Message {
    Message::info(1_010_017, "Sign in and link")
}

/// Button that signs in with a provider and joins.
#[must_use]
pub fn sign_in_with_and_link(provider: &str) -> Message {
    Message::info(1_010_018, format!("Sign in with {provider} and link")).with("provider", provider)
}

/// Button that sends a code as second factor.
#[must_use]
pub fn send_second_factor_code() -> Message {
    Message::info(1_010_019, "Send me a code")
}

/// Hint about the address that the second factor's code goes to.
#[must_use]
pub fn second_factor_address() -> Message {
    Message::info(1_010_020, "Enter the address of your account to get a code there.")
}

/// Button that signs in with a passkey.
#[must_use]
pub fn sign_in_with_passkey() -> Message {
    Message::info(1_010_021, "Sign in with a passkey")
}

/// Button that signs in with a password.
#[must_use]
pub fn sign_in_with_password() -> Message {
    Message::info(1_010_022, "Sign in with a password")
}

/// Button that sends the code to one address. `channel` is `email` or `sms`.
#[must_use]
pub fn send_code_to(address: &str, channel: &str) -> Message {
    Message::info(1_010_023, format!("Send the code to {address}")).with("address", address).with("channel", channel)
}

/// Button that signs in with a key that is bound to the device.
#[must_use]
pub fn sign_in_with_device() -> Message {
    Message::info(1_010_024, "Sign in with this device")
}

/// A code was sent to somebody who is signed in already.
#[must_use]
pub fn code_sent_to_signed_in() -> Message {
    Message::info(1_010_025, "We sent a code to your address. Enter it to confirm that it is you.")
}

/// The identifier is unknown or the password is wrong; which of the two is not told.
#[must_use]
pub fn wrong_credentials() -> Message {
    Message::error(
        4_000_006,
        "The sign-in details are not right. Check for spelling mistakes in your password, user name, e-mail address or phone number.",
    )
}

/// No address of the account is verified yet.
#[must_use]
pub fn address_not_verified() -> Message {
    Message::error(4_000_010, "Your account is not active yet. Did you forget to verify your e-mail address?")
}

/// The code of the authenticator app is wrong.
#[must_use]
pub fn wrong_totp() -> Message {
    Message::error(4_000_008, "The code is not right. Enter the one that your authenticator app shows now.")
}

/// The account has no authenticator app.
#[must_use]
pub fn no_totp() -> Message {
    Message::error(4_000_011, "Your account has no authenticator app set up.")
}

/// The backup code was used before.
#[must_use]
pub fn lookup_code_used() -> Message {
    Message::error(4_000_012, "This backup code was used before. Each one works once; take another.")
}

/// The account has no security key.
#[must_use]
pub fn no_security_key() -> Message {
    Message::error(4_000_013, "Your account has no security key set up.")
}

/// The account has no backup codes.
#[must_use]
pub fn no_lookup_codes() -> Message {
    Message::error(4_000_014, "Your account has no backup codes set up.")
}

/// No account has this security key or passkey.
#[must_use]
pub fn unknown_security_key() -> Message {
    Message::error(4_000_015, "No account was found for this security key or passkey.")
}

/// The backup code is wrong.
#[must_use]
pub fn wrong_lookup_code() -> Message {
    Message::error(4_000_016, "The backup code is not right.")
}

/// No account signs in by codes sent to this address.
#[must_use]
pub fn no_code_account() -> Message {
    Message::error(4_000_035, "No account with this address signs in by code. Did you mean another address?")
}

/// No account has this identifier.
#[must_use]
pub fn unknown_identifier() -> Message {
    Message::error(4_000_037, "No account was found, or it has no way to sign in here.")
}

/// The account has no key that is bound to this device.
#[must_use]
pub fn no_device_key() -> Message {
    Message::error(4_000_042, "Your account has no key on this device.")
}

/// The answer of a security key or passkey is wrong.
#[must_use]
pub fn wrong_security_key() -> Message {
    Message::error(4_000_043, "The security key or passkey was not accepted. Please try again, or use another one.")
}

/// The answer of a key that is bound to the device is wrong.
#[must_use]
pub fn wrong_device_key() -> Message {
    Message::error(4_000_044, "The key of this device was not accepted. Please try again.")
}

/// What vouched for the key of the device no longer holds.
#[must_use]
pub fn device_attestation_lapsed() -> Message {
    Message::error(4_000_045, "The key of this device can no longer be trusted.")
}

/// The key of the device must be set up anew.
#[must_use]
pub fn device_enrolment_needed() -> Message {
    Message::error(4_000_046, "Please set up the key of this device again.")
}

/// The flow took too long; it is told in the flow that replaces it.
#[must_use]
pub fn expired(at: Timestamp) -> Message {
    Message::error(4_010_001, "Signing in took too long. Please try again.").with_time("expired_at", at)
}

/// No method of signing in fits what was sent.
#[must_use]
pub fn no_method() -> Message {
    Message::error(4_010_002, "Could not tell how you want to sign in. Did you fill in the form?")
}

/// The flow has succeeded already.
#[must_use]
pub fn already_done() -> Message {
    Message::error(4_010_007, "This sign-in was completed already. Please start again.")
}

/// The sign-in code is wrong or was used.
#[must_use]
pub fn wrong_code() -> Message {
    Message::error(4_010_008, "The sign-in code is not right or was used before. Please try again.")
}

/// Somebody signed in to another account than the one to join.
#[must_use]
pub fn other_account() -> Message {
    Message::error(4_010_009, "You signed in to another account than the one to link. Please start again with the right one.")
}

/// The address is not one of the account's.
#[must_use]
pub fn unknown_address() -> Message {
    Message::error(4_010_010, "Your account does not have this address. Please choose another.")
}

/// The account is disabled.
#[must_use]
pub fn account_disabled() -> Message {
    Message::error(4_010_011, "This account is disabled. Please ask those who run this service.")
}
