//! The kinds of messages, by the words that the API and the configuration know them by.

use std::fmt;

/// A kind of message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A recovery link for somebody's address.
    RecoveryValid,
    /// A recovery link was asked for an address that nobody has.
    RecoveryInvalid,
    /// A recovery code for somebody's address.
    RecoveryCodeValid,
    /// A recovery code was asked for an address that nobody has.
    RecoveryCodeInvalid,
    /// A verification link for somebody's address.
    VerificationValid,
    /// A verification link was asked for an address that nobody has.
    VerificationInvalid,
    /// A verification code for somebody's address.
    VerificationCodeValid,
    /// A verification code was asked for an address that nobody has.
    VerificationCodeInvalid,
    /// A code to sign in with.
    LoginCodeValid,
    /// A code to sign up with.
    RegistrationCodeValid,
    /// Somebody's addresses changed; goes to those that they had before.
    VerifiableAddressChanged,
    /// A password, an address or a factor changed; goes to its owner.
    SettingsChanged,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 12] = [
        Self::RecoveryValid,
        Self::RecoveryInvalid,
        Self::RecoveryCodeValid,
        Self::RecoveryCodeInvalid,
        Self::VerificationValid,
        Self::VerificationInvalid,
        Self::VerificationCodeValid,
        Self::VerificationCodeInvalid,
        Self::LoginCodeValid,
        Self::RegistrationCodeValid,
        Self::VerifiableAddressChanged,
        Self::SettingsChanged,
    ];

    /// The word of the API (`template_type`), which is also what the outbox keeps.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RecoveryValid => "recovery_valid",
            Self::RecoveryInvalid => "recovery_invalid",
            Self::RecoveryCodeValid => "recovery_code_valid",
            Self::RecoveryCodeInvalid => "recovery_code_invalid",
            Self::VerificationValid => "verification_valid",
            Self::VerificationInvalid => "verification_invalid",
            Self::VerificationCodeValid => "verification_code_valid",
            Self::VerificationCodeInvalid => "verification_code_invalid",
            Self::LoginCodeValid => "login_code_valid",
            Self::RegistrationCodeValid => "registration_code_valid",
            Self::VerifiableAddressChanged => "verifiable_address_changed",
            Self::SettingsChanged => "settings_changed",
        }
    }

    /// The kind of a word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// The name in `courier.templates` and of the folder in `courier.template_override_path`.
    #[must_use]
    pub fn config_name(self) -> &'static str {
        let word = self.as_str();
        word.strip_suffix("_valid").or_else(|| word.strip_suffix("_invalid")).unwrap_or(word)
    }

    /// Whether it goes to an address that somebody owns. The configuration keeps the other templates under `invalid`.
    #[must_use]
    pub fn is_owned(self) -> bool {
        !self.as_str().ends_with("_invalid")
    }

    /// The folder of its templates below `courier.template_override_path`.
    pub(super) fn folder(self) -> String {
        let name = self.config_name();
        match self.as_str().strip_prefix(name) {
            Some(rest) if !rest.is_empty() => format!("{name}/{}", rest.trim_start_matches('_')),
            _ => name.to_owned(),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_again_and_split_as_the_configuration_wants() {
        for kind in Kind::ALL {
            assert_eq!(Kind::parse(kind.as_str()), Some(kind));
        }
        assert_eq!(Kind::parse("stub"), None);
        for (kind, name, owned, folder) in [
            (Kind::RecoveryCodeInvalid, "recovery_code", false, "recovery_code/invalid"),
            (Kind::RecoveryValid, "recovery", true, "recovery/valid"),
            (Kind::VerifiableAddressChanged, "verifiable_address_changed", true, "verifiable_address_changed"),
        ] {
            assert_eq!((kind.config_name(), kind.is_owned(), kind.folder().as_str()), (name, owned, folder));
        }
    }
}
