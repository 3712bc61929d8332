//! bcrypt in its three equal spellings `$2a$`, `$2b$`, `$2y$`.
//!
//! The algorithm stops at 72 bytes, and a NUL lets passwords repeat into each other; passwords with either neither get a
//! hash nor fit one.

use base64::Engine as _;
use base64::alphabet::BCRYPT;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use portcullis_model::clock::Rng;
use zeroize::Zeroize as _;

use super::format::FormatError;
use super::{HashError, HashSettings, MAX_BCRYPT_LENGTH};
use crate::crypto::secrets;

const MAKE: &str = "bcrypt";
const SALT_LENGTH: usize = 16;
/// The 24th byte of the output was never part of the text.
const HASH_LENGTH: usize = 23;
const MAX_IMPORT_COST: u32 = 15;
/// What a stored hash may cost, whatever is configured now: some ten seconds.
const MAX_STORED_COST: u32 = 17;

/// bcrypt's own base64. Writers differ in the unused bits of the last letter.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &BCRYPT,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true),
);

pub(super) struct Bcrypt {
    cost: u32,
    salt: [u8; SALT_LENGTH],
    hash: [u8; HASH_LENGTH],
}

pub(super) fn hash(cost: u32, rng: &dyn Rng, password: &[u8]) -> Result<String, HashError> {
    if !(4..=31).contains(&cost) {
        return Err(HashError::Settings(MAKE));
    }
    if password.len() > MAX_BCRYPT_LENGTH {
        return Err(HashError::TooLong { max: MAX_BCRYPT_LENGTH, actual: password.len() });
    }
    if password.contains(&0) {
        return Err(HashError::ContainsNul);
    }
    let mut salt = [0; SALT_LENGTH];
    rng.fill(&mut salt);
    let hash = compute(cost, salt, password);
    Ok(format!("$2a${cost:02}${}{}", BASE64.encode(salt), BASE64.encode(hash)))
}

impl Bcrypt {
    pub(super) fn parse(text: &str) -> Result<Self, FormatError> {
        // $2a$05$, 22 letters of salt, 31 of hash.
        let read = || {
            let cost = text.get(4..6).filter(|c| c.bytes().all(|b| b.is_ascii_digit()))?.parse().ok()?;
            let salt = BASE64.decode(text.get(7..29)?).ok()?.try_into().ok()?;
            let hash = BASE64.decode(text.get(29..)?).ok()?.try_into().ok()?;
            (text.get(6..7) == Some("$") && (4..=31).contains(&cost)).then_some(Self { cost, salt, hash })
        };
        read().ok_or(FormatError::Unreadable(MAKE))
    }

    pub(super) fn within_import_bounds(&self) -> bool {
        self.cost <= MAX_IMPORT_COST
    }

    /// Whether checking it ends in good time: the cost is a usual one, or no more than the configured one.
    pub(super) fn is_affordable(&self, settings: &HashSettings) -> bool {
        self.cost <= MAX_STORED_COST.max(settings.bcrypt_cost)
    }

    pub(super) fn verify(&self, password: &[u8]) -> bool {
        password.len() <= MAX_BCRYPT_LENGTH
            && !password.contains(&0)
            && secrets::eq(compute(self.cost, self.salt, password), self.hash)
    }
}

/// For passwords of at most 72 bytes and costs of at most 31.
fn compute(cost: u32, salt: [u8; SALT_LENGTH], password: &[u8]) -> [u8; HASH_LENGTH] {
    let mut key = [0; MAX_BCRYPT_LENGTH];
    for (to, from) in key.iter_mut().zip(password) {
        *to = *from;
    }
    // The terminating NUL is part of the key as far as there is room for it.
    let used = key.get(..(password.len() + 1).min(MAX_BCRYPT_LENGTH)).unwrap_or(&key);
    let full = ::bcrypt::bcrypt(cost, salt, used);
    key.zeroize();
    let mut hash = [0; HASH_LENGTH];
    hash.copy_from_slice(&full[..HASH_LENGTH]);
    hash
}
