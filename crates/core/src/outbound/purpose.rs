//! What requests go out for. Circuits and measures are kept apart by it.

use url::{Position, Url};

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Telling or asking a web hook.
    WebHook,
    /// Asking another system for a password that it knows.
    PasswordMigration,
    /// Asking the OAuth2 server beside us.
    OAuth2,
    /// Asking a provider of social sign-in.
    Oidc,
    /// Handing over a message to people.
    Courier,
    /// Asking whether a password has leaked.
    BreachedPasswords,
    /// Reading a document that the configuration names.
    Document,
}

impl Purpose {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::WebHook,
        Self::PasswordMigration,
        Self::OAuth2,
        Self::Oidc,
        Self::Courier,
        Self::BreachedPasswords,
        Self::Document,
    ];

    /// Its name in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WebHook => "web_hook",
            Self::PasswordMigration => "password_migration",
            Self::OAuth2 => "oauth2",
            Self::Oidc => "oidc",
            Self::Courier => "courier",
            Self::BreachedPasswords => "breached_passwords",
            Self::Document => "document",
        }
    }

    /// How many requests may wait for one origin. Web hooks can stand in every flow, the others only in some.
    pub(super) fn places(self) -> u32 {
        match self {
            Self::WebHook => 256,
            _ => 64,
        }
    }

    /// Who is asked, as far as silence goes. An operator's services often share a gateway, where one of them may be silent
    /// and the others not; elsewhere an origin is one service.
    pub(super) fn target(self, url: &Url) -> &str {
        match self {
            Self::WebHook | Self::PasswordMigration | Self::Courier | Self::Document => &url[..Position::AfterPath],
            Self::OAuth2 | Self::Oidc | Self::BreachedPasswords => origin(url),
        }
    }
}

/// Scheme, host and port.
pub(super) fn origin(url: &Url) -> &str {
    &url[..Position::BeforePath]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_addresses_or_origins_and_never_hold_queries() {
        let url = Url::parse("https://gate.example.org:8443/a/b?key=secret#c").expect("a URL");
        for (purpose, target) in [
            (Purpose::WebHook, "https://gate.example.org:8443/a/b"),
            (Purpose::Oidc, "https://gate.example.org:8443"),
            (Purpose::BreachedPasswords, "https://gate.example.org:8443"),
        ] {
            assert_eq!(purpose.target(&url), target);
        }
    }
}
