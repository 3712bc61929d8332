//! `secrets`: the keys that sign and encrypt. The first of a list is used for new things, all of them for old ones.

use serde::Deserialize;

use super::value::Secret;

/// `secrets`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Secrets {
    /// Stand in for missing ones.
    pub default: Vec<Secret>,
    /// As written; see [`Secrets::cookie_keys`].
    pub cookie: Vec<Secret>,
    /// As written; see [`Secrets::pagination_keys`].
    pub pagination: Vec<Secret>,
    /// Data in the database; 32 bytes each.
    pub cipher: Vec<Secret>,
}

impl Secrets {
    /// The keys of cookies, the default ones if there are no others.
    #[must_use]
    pub fn cookie_keys(&self) -> &[Secret] {
        if self.cookie.is_empty() { &self.default } else { &self.cookie }
    }

    /// The keys of page tokens; without any, the default ones, and without those, the keys of cookies.
    #[must_use]
    pub fn pagination_keys(&self) -> &[Secret] {
        [&self.pagination, &self.default].into_iter().find(|keys| !keys.is_empty()).unwrap_or(&self.cookie)
    }

    /// The keys of encrypted data in the database; may be empty when `ciphers.algorithm` is `noop`.
    #[must_use]
    pub fn cipher_keys(&self) -> &[Secret] {
        &self.cipher
    }
}
