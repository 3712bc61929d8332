//! One pass of a digest over password and salt: LDAP's `{SSHA}` and the patterns of `$sha256$pf=…`.
//!
//! Such hashes are weak and are replaced at the first sign-in that fits.

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

use super::format::{FormatError, base64};
use crate::crypto::secrets;

const LDAP: &str = "salted SHA";
const PATTERN: &str = "a digest with a pattern";
/// The longest pattern and salt that are read, in bytes.
const MAX_PART: usize = 1024;

#[derive(Clone, Copy)]
enum Kind {
    Md5,
    Sha1,
    Sha256,
    Sha512,
}

impl Kind {
    fn length(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    fn digest(self, text: &[u8]) -> Vec<u8> {
        match self {
            Self::Md5 => Md5::digest(text).to_vec(),
            Self::Sha1 => Sha1::digest(text).to_vec(),
            Self::Sha256 => Sha256::digest(text).to_vec(),
            Self::Sha512 => Sha512::digest(text).to_vec(),
        }
    }
}

enum Piece {
    Text(Vec<u8>),
    Salt,
    Password,
}

pub(super) struct Salted {
    kind: Kind,
    pattern: Vec<Piece>,
    salt: Vec<u8>,
    hash: Vec<u8>,
}

impl Salted {
    /// `{SSHA256}` and base64 of the digest of password and salt, followed by the salt.
    pub(super) fn parse_ldap(text: &str) -> Result<Self, FormatError> {
        let (name, body) = text.split_once('}').ok_or(FormatError::UnknownMake)?;
        let kind = match name {
            "{SSHA" => Kind::Sha1,
            "{SSHA256" => Kind::Sha256,
            "{SSHA512" => Kind::Sha512,
            _ => return Err(FormatError::UnknownMake),
        };
        let read = || {
            let mut hash = base64(body)?;
            let salt = (hash.len() >= kind.length()).then(|| hash.split_off(kind.length()))?;
            (salt.len() <= MAX_PART).then_some(Self { kind, pattern: vec![Piece::Password, Piece::Salt], salt, hash })
        };
        read().ok_or(FormatError::Unreadable(LDAP))
    }

    /// `$sha256$pf=pattern$salt$hash`, and `$md5$hash` without salt.
    pub(super) fn parse(text: &str) -> Result<Self, FormatError> {
        let mut parts = text.split('$').skip(1);
        let kind = match parts.next() {
            Some("md5") => Kind::Md5,
            Some("sha1") => Kind::Sha1,
            Some("sha256") => Kind::Sha256,
            Some("sha512") => Kind::Sha512,
            _ => return Err(FormatError::UnknownMake),
        };
        let parts: Vec<&str> = parts.collect();
        let read = || {
            let (pattern, salt, hash) = match (kind, parts.as_slice()) {
                (Kind::Md5, [hash]) => (vec![Piece::Password], Vec::new(), base64(hash)?),
                (_, [pattern, salt, hash]) => {
                    (read_pattern(&base64(pattern.strip_prefix("pf=")?)?)?, base64(salt)?, base64(hash)?)
                }
                _ => return None,
            };
            let good = hash.len() == kind.length() && salt.len() <= MAX_PART;
            good.then_some(Self { kind, pattern, salt, hash })
        };
        read().ok_or(FormatError::Unreadable(PATTERN))
    }

    pub(super) fn verify(&self, password: &[u8]) -> bool {
        let mut text = Vec::new();
        for piece in &self.pattern {
            text.extend_from_slice(match piece {
                Piece::Text(text) => text,
                Piece::Salt => &self.salt,
                Piece::Password => password,
            });
        }
        secrets::eq(self.kind.digest(&text), &self.hash)
    }
}

/// Splits a pattern at its placeholders. `None` where the password is not in it: every password would fit.
fn read_pattern(pattern: &[u8]) -> Option<Vec<Piece>> {
    if pattern.len() > MAX_PART {
        return None;
    }
    let mut pieces = Vec::new();
    let mut rest = pattern;
    let mut text = Vec::new();
    let mut has_password = false;
    while let Some((first, after)) = rest.split_first() {
        let (piece, next) = if let Some(next) = rest.strip_prefix(b"{SALT}") {
            (Piece::Salt, next)
        } else if let Some(next) = rest.strip_prefix(b"{PASSWORD}") {
            has_password = true;
            (Piece::Password, next)
        } else {
            text.push(*first);
            rest = after;
            continue;
        };
        if !text.is_empty() {
            pieces.push(Piece::Text(std::mem::take(&mut text)));
        }
        pieces.push(piece);
        rest = next;
    }
    if !text.is_empty() {
        pieces.push(Piece::Text(text));
    }
    has_password.then_some(pieces)
}
