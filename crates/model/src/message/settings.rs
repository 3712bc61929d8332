//! Messages of changing one's own account.

use serde_json::Value;

use super::Message;
use crate::time::Timestamp;

/// What was changed is saved.
#[must_use]
pub fn saved() -> Message {
    Message::success(1_050_001, "Your changes are saved.")
}

/// Button that links a provider.
#[must_use]
pub fn link(provider: &str) -> Message {
    Message::info(1_050_002, format!("Link {provider}")).with("provider", provider)
}

/// Button that unlinks a provider.
#[must_use]
pub fn unlink(provider: &str) -> Message {
    Message::info(1_050_003, format!("Unlink {provider}")).with("provider", provider)
}

/// Button that removes the authenticator app.
#[must_use]
pub fn remove_totp() -> Message {
    Message::info(1_050_004, "Remove the authenticator app")
}

/// Label of the picture that an authenticator app scans.
#[must_use]
pub fn totp_qr() -> Message {
    Message::info(1_050_005, "Scan this with your authenticator app")
}

/// The secret of a new authenticator app, to type in by hand.
#[must_use]
pub fn totp_secret(secret: &str) -> Message {
    Message::info(1_050_006, secret).with("secret", secret)
}

/// Button that shows the backup codes.
#[must_use]
pub fn show_lookup_codes() -> Message {
    Message::info(1_050_007, "Show the backup codes")
}

/// Button that makes new backup codes.
#[must_use]
pub fn new_lookup_codes() -> Message {
    Message::info(1_050_008, "Make new backup codes")
}

/// One backup code.
#[must_use]
pub fn lookup_code(secret: &str) -> Message {
    Message::info(1_050_009, secret).with("secret", secret)
}

/// Label of the list of backup codes.
#[must_use]
pub fn lookup_codes_label() -> Message {
    Message::info(1_050_010, "These are your backup codes. Keep them in a safe place.")
}

/// Button that takes the new backup codes into use.
#[must_use]
pub fn confirm_lookup_codes() -> Message {
    Message::info(1_050_011, "I have kept the backup codes")
}

/// Button that adds a security key.
#[must_use]
pub fn add_security_key() -> Message {
    Message::info(1_050_012, "Add a security key")
}

/// Label of the field for a security key's name.
#[must_use]
pub fn security_key_name() -> Message {
    Message::info(1_050_013, "Name of the security key")
}

/// A backup code that was used.
#[must_use]
pub fn used_lookup_code(used_at: Timestamp) -> Message {
    Message::info(1_050_014, format!("Used at {used_at}")).with_time("used_at", used_at)
}

/// The list of backup codes; each is a [`lookup_code`] or a [`used_lookup_code`].
#[must_use]
pub fn lookup_codes(codes: &[Message]) -> Message {
    let text = codes.iter().map(|code| code.text.as_str()).collect::<Vec<_>>().join(", ");
    // A message is text, numbers and maps with text keys: it always has a JSON form.
    let secrets: Value = codes.iter().filter_map(|code| serde_json::to_value(code).ok()).collect();
    Message::info(1_050_015, text).with("secrets", secrets)
}

/// Button that removes the backup codes.
#[must_use]
pub fn remove_lookup_codes() -> Message {
    Message::info(1_050_016, "Remove the backup codes")
}

/// Label of the authenticator app's secret.
#[must_use]
pub fn totp_secret_label() -> Message {
    Message::info(1_050_017, "This is the secret for your authenticator app. Use it if you cannot scan the picture.")
}

/// Button that removes a security key.
#[must_use]
pub fn remove_security_key(name: &str, added_at: Timestamp) -> Message {
    Message::info(1_050_018, format!("Remove the security key \"{name}\""))
        .with("display_name", name)
        .with_time("added_at", added_at)
}

/// Button that adds a passkey.
#[must_use]
pub fn add_passkey() -> Message {
    Message::info(1_050_019, "Add a passkey")
}

/// Button that removes a passkey.
#[must_use]
pub fn remove_passkey(name: &str, added_at: Timestamp) -> Message {
    Message::info(1_050_020, format!("Remove the passkey \"{name}\"")).with("display_name", name).with_time("added_at", added_at)
}

/// Button that removes a key that is bound to a device.
#[must_use]
pub fn remove_device_key() -> Message {
    Message::info(1_050_021, "Remove the key of this device")
}

/// The challenge for a key that is bound to a device.
#[must_use]
pub fn device_nonce() -> Message {
    Message::info(1_050_022, "Challenge for the key of this device")
}

/// The account is run by an organization.
#[must_use]
pub fn managed_by_organization() -> Message {
    Message::info(1_050_023, "Your organization looks after this account.")
}

/// The new password is the old one.
#[must_use]
pub fn same_password() -> Message {
    Message::error(4_000_039, "The new password must differ from the old one.")
}

/// No method of changing the account fits what was sent.
#[must_use]
pub fn no_method() -> Message {
    Message::error(4_010_004, "Could not tell what you want to change. Did you fill in the form?")
}

/// The flow took too long; it is told in the flow that replaces it.
#[must_use]
pub fn expired(at: Timestamp) -> Message {
    Message::error(4_050_001, "The form was open for too long. Please try again.").with_time("expired_at", at)
}

/// More than one address was changed at once.
#[must_use]
pub fn too_many_addresses() -> Message {
    Message::error(4_050_002, "Please change one address at a time.")
}
