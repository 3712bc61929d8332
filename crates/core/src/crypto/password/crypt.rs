//! The hashes of crypt(3): MD5 (`$1$`, Apache's `$apr1$`) and SHA-2 (`$5$`, `$6$`; Drepper, "Unix crypt using SHA-256 and
//! SHA-512"), also under the names `$md5-crypt$`, `$sha256-crypt$` and `$sha512-crypt$`.

use md5::{Digest as _, Md5};
use sha_crypt::{PasswordHashRef, PasswordVerifier as _, ShaCrypt};

use super::format::FormatError;
use crate::crypto::secrets;

const MAKE: &str = "crypt";
const MIN_SHA_ROUNDS: u32 = 1_000;
/// crypt(3) goes to 999,999,999, which is hours.
const MAX_SHA_ROUNDS: u32 = 5_000_000;
const ALPHABET: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

pub(super) enum Crypt {
    Md5 {
        magic: &'static str,
        salt: String,
        hash: String,
    },
    /// The text as crypt(3) writes it.
    Sha(String),
}

impl Crypt {
    pub(super) fn parse(text: &str) -> Result<Self, FormatError> {
        let parts: Vec<&str> = text.split('$').skip(1).collect();
        match parts.as_slice() {
            ["md5-crypt" | "1", salt, hash] => md5_hash("$1$", salt, hash),
            ["apr1", salt, hash] => md5_hash("$apr1$", salt, hash),
            ["sha256-crypt" | "5", rest @ ..] => sha_hash('5', 43, rest),
            ["sha512-crypt" | "6", rest @ ..] => sha_hash('6', 86, rest),
            _ => Err(FormatError::Unreadable(MAKE)),
        }
    }

    pub(super) fn verify(&self, password: &[u8]) -> bool {
        match self {
            Self::Md5 { magic, salt, hash } => secrets::eq(md5_crypt(magic, salt.as_bytes(), password), hash),
            Self::Sha(text) => {
                PasswordHashRef::new(text).is_ok_and(|hash| ShaCrypt::default().verify_password(password, hash).is_ok())
            }
        }
    }
}

fn is_crypt_base64(text: &str) -> bool {
    text.bytes().all(|b| ALPHABET.contains(&b))
}

fn md5_hash(magic: &'static str, salt: &str, hash: &str) -> Result<Crypt, FormatError> {
    if salt.len() > 8 || hash.len() != 22 || !is_crypt_base64(hash) {
        return Err(FormatError::Unreadable(MAKE));
    }
    Ok(Crypt::Md5 { magic, salt: salt.to_owned(), hash: hash.to_owned() })
}

fn sha_hash(id: char, length: usize, parts: &[&str]) -> Result<Crypt, FormatError> {
    let (rounds, salt, hash) = match parts {
        [salt, hash] => (None, salt, hash),
        [rounds, salt, hash] => {
            let digits = rounds.strip_prefix("rounds=").filter(|d| d.bytes().all(|b| b.is_ascii_digit()));
            let number: u32 = digits.and_then(|d| d.parse().ok()).ok_or(FormatError::Unreadable(MAKE))?;
            if !(MIN_SHA_ROUNDS..=MAX_SHA_ROUNDS).contains(&number) {
                return Err(FormatError::TooCostly(MAKE));
            }
            (Some(number), salt, hash)
        }
        _ => return Err(FormatError::Unreadable(MAKE)),
    };
    let rounds = rounds.map(|r| format!("rounds={r}$")).unwrap_or_default();
    let text = format!("${id}${rounds}{salt}${hash}");
    let good = salt.len() <= 16 && hash.len() == length && is_crypt_base64(hash) && PasswordHashRef::new(&text).is_ok();
    if good { Ok(Crypt::Sha(text)) } else { Err(FormatError::Unreadable(MAKE)) }
}

/// Poul-Henning Kamp's MD5 crypt, as FreeBSD and Apache describe it.
fn md5_crypt(magic: &str, salt: &[u8], password: &[u8]) -> String {
    let inner = Md5::new().chain_update(password).chain_update(salt).chain_update(password).finalize();
    let mut outer = Md5::new().chain_update(password).chain_update(magic).chain_update(salt);
    for part in password.chunks(16) {
        outer.update(inner.get(..part.len()).unwrap_or(&inner));
    }
    let mut bits = password.len();
    while bits > 0 {
        // An accident of the first program that everybody has to repeat.
        outer.update(if bits & 1 == 1 { &[0] } else { password.get(..1).unwrap_or_default() });
        bits >>= 1;
    }
    let mut last: [u8; 16] = outer.finalize().into();
    for round in 0..1000 {
        let mut md5 = Md5::new();
        md5.update(if round & 1 == 1 { password } else { &last });
        if round % 3 != 0 {
            md5.update(salt);
        }
        if round % 7 != 0 {
            md5.update(password);
        }
        md5.update(if round & 1 == 1 { &last } else { password });
        last = md5.finalize().into();
    }
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = last.map(u32::from);
    let mut out = String::with_capacity(22);
    for (high, middle, low) in [(a, g, m), (b, h, n), (c, i, o), (d, j, p), (e, k, f)] {
        letters(&mut out, high << 16 | middle << 8 | low, 4);
    }
    letters(&mut out, l, 2);
    out
}

/// Six bits a letter, lowest first.
fn letters(out: &mut String, bits: u32, count: u32) {
    for place in 0..count {
        let index = (bits >> (6 * place)) & 63;
        out.extend(usize::try_from(index).ok().and_then(|i| ALPHABET.get(i)).map(|b| char::from(*b)));
    }
}
