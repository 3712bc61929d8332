//! `hashers` and `ciphers`: what passwords are hashed and stored tokens encrypted with.

use std::time::Duration;

use serde::Deserialize;

use super::Config;
use super::value::{byte_size, duration};
use crate::crypto::password::{Algorithm, Argon2Settings, HashSettings};

/// `hashers`.
#[derive(Clone, Debug, Deserialize)]
pub struct Hashers {
    /// What new hashes are made with; others are made anew at sign-in.
    pub algorithm: HashAlgorithm,
    /// Argon2id (RFC 9106).
    pub argon2: Argon2,
    /// Bcrypt; see [`super::Config::bcrypt_cost`].
    pub bcrypt: Bcrypt,
}

/// An algorithm for password hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HashAlgorithm {
    /// Argon2id.
    Argon2,
    /// Bcrypt.
    Bcrypt,
}

/// `hashers.argon2`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Argon2 {
    /// Memory of one hash, in bytes.
    #[serde(deserialize_with = "byte_size")]
    pub memory: u64,
    /// Passes over it.
    pub iterations: u32,
    /// Lanes as written; see [`Argon2::lanes`].
    #[serde(default)]
    pub parallelism: Option<u32>,
    /// Bytes of salt.
    pub salt_length: usize,
    /// Bytes of hash.
    pub key_length: usize,
    /// How long a hash should take, for calibration.
    #[serde(deserialize_with = "duration")]
    pub expected_duration: Duration,
    /// How far off it may be.
    #[serde(deserialize_with = "duration")]
    pub expected_deviation: Duration,
    /// Memory for all hashes at once, in bytes.
    #[serde(deserialize_with = "byte_size")]
    pub dedicated_memory: u64,
}

impl Config {
    /// How new passwords are hashed.
    #[must_use]
    pub fn hash_settings(&self) -> HashSettings {
        let hashers = &self.hashers;
        HashSettings {
            algorithm: match hashers.algorithm {
                HashAlgorithm::Argon2 => Algorithm::Argon2id,
                HashAlgorithm::Bcrypt => Algorithm::Bcrypt,
            },
            bcrypt_cost: self.bcrypt_cost(),
            argon2: Argon2Settings {
                memory_kib: u32::try_from(hashers.argon2.memory / 1024).unwrap_or(u32::MAX),
                iterations: hashers.argon2.iterations,
                parallelism: hashers.argon2.lanes(),
                salt_length: hashers.argon2.salt_length,
                key_length: hashers.argon2.key_length,
            },
        }
    }
}

impl Argon2 {
    /// The number of lanes: twice the number of processors if not configured, at most 255.
    #[must_use]
    pub fn lanes(&self) -> u32 {
        self.parallelism.unwrap_or_else(|| {
            let processors = std::thread::available_parallelism().map_or(1, usize::from);
            u32::try_from(processors.saturating_mul(2)).unwrap_or(255).min(255)
        })
    }
}

/// `hashers.bcrypt`.
#[derive(Clone, Debug, Deserialize)]
pub struct Bcrypt {
    /// Doublings of work, 4 to 31, as written.
    pub cost: u32,
}

/// `ciphers`.
#[derive(Clone, Debug, Deserialize)]
pub struct Ciphers {
    /// What stored provider tokens are encrypted with.
    pub algorithm: CipherAlgorithm,
}

/// A way to encrypt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum CipherAlgorithm {
    /// None: in the clear.
    #[serde(rename = "noop")]
    Noop,
    /// AES-256-GCM.
    #[serde(rename = "aes")]
    Aes,
    /// XChaCha20-Poly1305.
    #[serde(rename = "xchacha20-poly1305")]
    XChaCha20Poly1305,
}
