//! Labels of fields and buttons that several flows share.

use super::Message;

/// Label of a password field.
#[must_use]
pub fn password() -> Message {
    Message::info(1_070_001, "Password")
}

/// Label of the field of a trait, from the title that the identity schema gives it. `name` is the field's name.
#[must_use]
pub fn trait_title(title: &str, name: &str) -> Message {
    Message::info(1_070_002, title).with("title", title).with("name", name)
}

/// Button that saves what was entered.
#[must_use]
pub fn save() -> Message {
    Message::info(1_070_003, "Save")
}

/// Label of the field for the name by which somebody signs in.
#[must_use]
pub fn identifier() -> Message {
    Message::info(1_070_004, "ID")
}

/// Button that sends the form.
#[must_use]
pub fn submit() -> Message {
    Message::info(1_070_005, "Submit")
}

/// Label of the field for a code that was sent.
#[must_use]
pub fn code() -> Message {
    Message::info(1_070_006, "Code")
}

/// Label of an e-mail field.
#[must_use]
pub fn email() -> Message {
    Message::info(1_070_007, "E-mail")
}

/// Button that sends a code again.
#[must_use]
pub fn resend() -> Message {
    Message::info(1_070_008, "Send the code again")
}

/// Button that leads to the next step.
#[must_use]
pub fn proceed() -> Message {
    Message::info(1_070_009, "Continue")
}

/// Label of the field for a recovery code.
#[must_use]
pub fn recovery_code() -> Message {
    Message::info(1_070_010, "Recovery code")
}

/// Label of the field for a verification code.
#[must_use]
pub fn verification_code() -> Message {
    Message::info(1_070_011, "Verification code")
}

/// Label of the field for a sign-up code.
#[must_use]
pub fn registration_code() -> Message {
    Message::info(1_070_012, "Sign-up code")
}

/// Label of the field for a sign-in code.
#[must_use]
pub fn login_code() -> Message {
    Message::info(1_070_013, "Sign-in code")
}

/// Button that signs in and joins a new credential to the account.
#[must_use]
pub fn login_and_link() -> Message {
    Message::info(1_070_014, "Sign in and add it to my account")
}

/// The place of a captcha.
#[must_use]
pub fn captcha() -> Message {
    Message::info(1_070_015, "Please show that you are human")
}

/// Label of the field for the address by which an account is recovered.
#[must_use]
pub fn recovery_address() -> Message {
    Message::info(1_070_016, "Recovery address")
}

/// Label of a phone number field.
#[must_use]
pub fn phone() -> Message {
    Message::info(1_070_017, "Phone number")
}

/// Label of a field that takes an e-mail address or a phone number.
#[must_use]
pub fn email_or_phone() -> Message {
    Message::info(1_070_018, "E-mail or phone number")
}
