//! What a stored password hash is made of: one variant for each make, told apart by how the text begins.

use ::argon2::Algorithm as Argon2Algorithm;
use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::argon2::Argon2Hash;
use super::bcrypt::Bcrypt;
use super::crypt::Crypt;
use super::hmac::Keyed;
use super::pbkdf2::Pbkdf2;
use super::salted::Salted;
use super::scrypt::{Firescrypt, Scrypt};
use super::{Algorithm, HashSettings, MAX_LENGTH};

/// Why a text is no password hash that can be stored. Never says what is in the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// It begins like none of the known makes.
    #[error("the make of the password hash is not known")]
    UnknownMake,
    /// It begins like a known make but does not go on like it.
    #[error("the password hash looks like {0} but cannot be read")]
    Unreadable(&'static str),
    /// Checking it would take too much time or memory.
    #[error("the parameters of the password hash are beyond the bounds for {0}")]
    TooCostly(&'static str),
}

/// A password hash as an identity has it, ready to be compared.
pub struct StoredHash(Make);

enum Make {
    Bcrypt(Bcrypt),
    Argon2(Argon2Hash),
    Pbkdf2(Pbkdf2),
    Scrypt(Scrypt),
    Firescrypt(Firescrypt),
    Crypt(Crypt),
    Salted(Salted),
    Keyed(Keyed),
}

/// The longest text that is read, in bytes: more than the longest parts of any make together.
const MAX_TEXT: usize = 16 << 10;

type Parser = fn(&str) -> Result<Make, FormatError>;

/// How each make begins. No entry is a beginning of another.
const MAKES: &[(&str, Parser)] = &[
    ("$2a$", |t| Bcrypt::parse(t).map(Make::Bcrypt)),
    ("$2b$", |t| Bcrypt::parse(t).map(Make::Bcrypt)),
    ("$2y$", |t| Bcrypt::parse(t).map(Make::Bcrypt)),
    ("$argon2id$", |t| Argon2Hash::parse(Argon2Algorithm::Argon2id, t).map(Make::Argon2)),
    ("$argon2i$", |t| Argon2Hash::parse(Argon2Algorithm::Argon2i, t).map(Make::Argon2)),
    ("$pbkdf2-", |t| Pbkdf2::parse(t).map(Make::Pbkdf2)),
    ("$scrypt$", |t| Scrypt::parse(t).map(Make::Scrypt)),
    ("$firescrypt$", |t| Firescrypt::parse(t).map(Make::Firescrypt)),
    ("$md5-crypt$", |t| Crypt::parse(t).map(Make::Crypt)),
    ("$sha256-crypt$", |t| Crypt::parse(t).map(Make::Crypt)),
    ("$sha512-crypt$", |t| Crypt::parse(t).map(Make::Crypt)),
    ("$1$", |t| Crypt::parse(t).map(Make::Crypt)),
    ("$5$", |t| Crypt::parse(t).map(Make::Crypt)),
    ("$6$", |t| Crypt::parse(t).map(Make::Crypt)),
    ("$apr1$", |t| Crypt::parse(t).map(Make::Crypt)),
    ("{SSHA}", |t| Salted::parse_ldap(t).map(Make::Salted)),
    ("{SSHA256}", |t| Salted::parse_ldap(t).map(Make::Salted)),
    ("{SSHA512}", |t| Salted::parse_ldap(t).map(Make::Salted)),
    ("$sha1$", |t| Salted::parse(t).map(Make::Salted)),
    ("$sha256$", |t| Salted::parse(t).map(Make::Salted)),
    ("$sha512$", |t| Salted::parse(t).map(Make::Salted)),
    ("$md5$", |t| Salted::parse(t).map(Make::Salted)),
    ("$hmac-", |t| Keyed::parse(t).map(Make::Keyed)),
];

impl StoredHash {
    /// Reads a hash that is in the database already. It is held to the bounds of [`import`](Self::import), but for the two
    /// makes that the product makes itself: those may have been made under dearer settings, of today or of before.
    ///
    /// # Errors
    /// If the text is of no known make, cannot be read as the make it begins like, or would keep a thread busy for ever or
    /// take all memory: nobody can be sure who wrote it.
    pub fn parse(text: &str, settings: &HashSettings) -> Result<Self, FormatError> {
        let hash = Self::read(text)?;
        match &hash.0 {
            Make::Bcrypt(h) if !h.is_affordable(settings) => Err(FormatError::TooCostly("bcrypt")),
            Make::Argon2(h) if !h.is_affordable(&settings.argon2) => Err(FormatError::TooCostly("argon2")),
            _ => Ok(hash),
        }
    }

    /// Reads a hash that somebody wants to store, and refuses those that are too costly to check.
    ///
    /// # Errors
    /// As [`parse`](Self::parse), and if a parameter is out of bounds.
    pub fn import(text: &str) -> Result<Self, FormatError> {
        let hash = Self::read(text)?;
        match &hash.0 {
            Make::Bcrypt(h) if !h.within_import_bounds() => Err(FormatError::TooCostly("bcrypt")),
            Make::Argon2(h) if !h.within_import_bounds() => Err(FormatError::TooCostly("argon2")),
            _ => Ok(hash),
        }
    }

    fn read(text: &str) -> Result<Self, FormatError> {
        let (start, parse) = MAKES.iter().find(|(start, _)| text.starts_with(start)).ok_or(FormatError::UnknownMake)?;
        if text.len() > MAX_TEXT {
            return Err(FormatError::Unreadable(start.trim_matches(['$', '{', '}', '-'])));
        }
        parse(text).map(Self)
    }

    /// Whether the password fits. Takes long: [`Pool::verify`](super::Pool::verify) is for servers.
    #[must_use]
    pub fn verify(&self, password: &[u8]) -> bool {
        if password.len() > MAX_LENGTH {
            return false;
        }
        match &self.0 {
            Make::Bcrypt(h) => h.verify(password),
            Make::Argon2(h) => h.verify(password),
            Make::Pbkdf2(h) => h.verify(password),
            Make::Scrypt(h) => h.verify(password),
            Make::Firescrypt(h) => h.verify(password),
            Make::Crypt(h) => h.verify(password),
            Make::Salted(h) => h.verify(password),
            Make::Keyed(h) => h.verify(password),
        }
    }

    /// Whether the configured hasher makes such hashes. The cost does not count: a hash of another cost is kept.
    #[must_use]
    pub fn is_of(&self, settings: &HashSettings) -> bool {
        match (&self.0, settings.algorithm) {
            (Make::Bcrypt(_), Algorithm::Bcrypt) => true,
            (Make::Argon2(hash), Algorithm::Argon2id) => hash.is_argon2id(),
            _ => false,
        }
    }
}

/// Standard base64, padded or not: writers of hashes differ.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent).with_decode_allow_trailing_bits(true),
);

pub(super) fn base64(text: &str) -> Option<Vec<u8>> {
    LENIENT.decode(text).ok()
}

pub(super) fn bare_base64(bytes: &[u8]) -> String {
    STANDARD_NO_PAD.encode(bytes)
}

/// Reads `a=1,b=2` into the numbers of `names`, each of which must be there once, and no other.
pub(super) fn parameters<const N: usize>(text: &str, names: [&str; N]) -> Option<[u32; N]> {
    let mut found = [None; N];
    for part in text.split(',') {
        let (name, number) = part.split_once('=')?;
        let place = names.iter().position(|n| *n == name).and_then(|i| found.get_mut(i))?;
        let digits = number.bytes().all(|b| b.is_ascii_digit());
        if place.replace(number.parse().ok().filter(|_| digits)?).is_some() {
            return None;
        }
    }
    let mut out = [0; N];
    for (to, from) in out.iter_mut().zip(found) {
        *to = from?;
    }
    Some(out)
}
