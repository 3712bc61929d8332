//! Password hashes: made by bcrypt or argon2id as configured, checked in every make that can be imported.
//!
//! A password is its UTF-8 bytes, neither normalised nor trimmed. Makes are a file each, behind [`StoredHash`]; what a
//! hash costs is known and bounded before it is computed. Servers hash through a [`Pool`] only, never on the threads
//! that answer requests.

mod argon2;
mod bcrypt;
mod crypt;
mod format;
mod hmac;
mod pbkdf2;
pub mod policy;
mod pool;
mod salted;
mod scrypt;
#[cfg(test)]
mod tests;

pub use format::{FormatError, StoredHash};
pub use pool::{Client, Limits, Pool, PoolError, Verified};

use portcullis_model::clock::Rng;

use super::secrets::Secret;

/// The longest password that is hashed or checked, in bytes. Some makes take time that grows with the password.
pub const MAX_LENGTH: usize = 4096;

/// The longest password that bcrypt tells apart, in bytes.
pub const MAX_BCRYPT_LENGTH: usize = 72;

/// How new hashes are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Algorithm {
    /// bcrypt (Provos and Mazières, 1999), written `$2a$`.
    #[default]
    Bcrypt,
    /// argon2id (RFC 9106).
    Argon2id,
}

/// The configured hasher (`hashers`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashSettings {
    /// `hashers.algorithm`.
    pub algorithm: Algorithm,
    /// `hashers.bcrypt.cost`: the binary logarithm of the rounds, 4 to 31.
    pub bcrypt_cost: u32,
    /// `hashers.argon2`.
    pub argon2: Argon2Settings,
}

impl Default for HashSettings {
    fn default() -> Self {
        Self { algorithm: Algorithm::default(), bcrypt_cost: 12, argon2: Argon2Settings::default() }
    }
}

/// Parameters of argon2id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Argon2Settings {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub iterations: u32,
    /// Lanes, 1 to 255.
    pub parallelism: u32,
    /// Salt, in bytes.
    pub salt_length: usize,
    /// Hash, in bytes.
    pub key_length: usize,
}

impl Default for Argon2Settings {
    fn default() -> Self {
        Self { memory_kib: 131_072, iterations: 1, parallelism: 2, salt_length: 16, key_length: 32 }
    }
}

/// Why a password has no hash.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// It is longer than the algorithm can tell apart: cutting it off would let other passwords in.
    #[error("the password has {actual} bytes, at most {max} are possible")]
    TooLong {
        /// The limit, in bytes.
        max: usize,
        /// The password's length, in bytes.
        actual: usize,
    },
    /// bcrypt ends a password at NUL: what follows would not count.
    #[error("the password contains a NUL character, which bcrypt cannot hash")]
    ContainsNul,
    /// The configured parameters are none that the algorithm takes.
    #[error("the configured parameters of {0} cannot be used")]
    Settings(&'static str),
}

/// Hashes a password with the configured algorithm and a fresh salt. Takes long: [`Pool::hash`] is for servers.
///
/// # Errors
/// If the password is too long or unusable for the algorithm, or the parameters are.
pub fn hash(settings: &HashSettings, rng: &dyn Rng, password: &Secret) -> Result<String, HashError> {
    let password = password.expose().as_bytes();
    if password.len() > MAX_LENGTH {
        return Err(HashError::TooLong { max: MAX_LENGTH, actual: password.len() });
    }
    match settings.algorithm {
        Algorithm::Bcrypt => bcrypt::hash(settings.bcrypt_cost, rng, password),
        Algorithm::Argon2id => argon2::hash(&settings.argon2, rng, password),
    }
}
