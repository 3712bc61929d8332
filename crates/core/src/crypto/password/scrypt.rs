//! scrypt (RFC 7914), and Firebase's make of it, in which the derived key encrypts a project's signer key.

use aes::Aes256;
use ctr::cipher::{KeyIvInit as _, StreamCipher as _};

use super::format::{FormatError, base64, parameters};
use crate::crypto::secrets;

const MAX_LOG_N: u8 = 17;
const MAX_R: u32 = 8;
const MAX_P: u32 = 10;
/// The longest salt, hash and signer key that are read, in bytes.
const MAX_PART: usize = 1024;

pub(super) struct Scrypt {
    params: ::scrypt::Params,
    salt: Vec<u8>,
    hash: Vec<u8>,
}

fn params(make: &'static str, log_n: u32, r: u32, p: u32) -> Result<::scrypt::Params, FormatError> {
    let costly = FormatError::TooCostly(make);
    let log_n = u8::try_from(log_n).ok().filter(|n| *n <= MAX_LOG_N).ok_or(costly.clone())?;
    if !(1..=MAX_R).contains(&r) || !(1..=MAX_P).contains(&p) {
        return Err(costly);
    }
    ::scrypt::Params::new(log_n, r, p).map_err(|_| FormatError::Unreadable(make))
}

fn is_bounded(parts: &[&[u8]]) -> bool {
    parts.iter().all(|part| part.len() <= MAX_PART)
}

impl Scrypt {
    pub(super) fn parse(text: &str) -> Result<Self, FormatError> {
        const MAKE: &str = "scrypt";
        let read = || {
            let mut parts = text.split('$').skip(2);
            // `ln` is N itself in this make.
            let [n, r, p] = parameters(parts.next()?, ["ln", "r", "p"])?;
            let (salt, hash) = (base64(parts.next()?)?, base64(parts.next()?)?);
            let good = parts.next().is_none() && n.is_power_of_two() && !hash.is_empty() && is_bounded(&[&salt, &hash]);
            good.then_some((n.trailing_zeros(), r, p, salt, hash))
        };
        let (log_n, r, p, salt, hash) = read().ok_or(FormatError::Unreadable(MAKE))?;
        Ok(Self { params: params(MAKE, log_n, r, p)?, salt, hash })
    }

    pub(super) fn verify(&self, password: &[u8]) -> bool {
        let mut out = vec![0; self.hash.len()];
        ::scrypt::scrypt(password, &self.salt, &self.params, &mut out).is_ok() && secrets::eq(out, &self.hash)
    }
}

pub(super) struct Firescrypt {
    params: ::scrypt::Params,
    /// Salt and separator.
    salt: Vec<u8>,
    signer_key: Vec<u8>,
    hash: Vec<u8>,
}

impl Firescrypt {
    pub(super) fn parse(text: &str) -> Result<Self, FormatError> {
        const MAKE: &str = "firescrypt";
        let read = || {
            let mut parts = text.split('$').skip(2);
            let [log_n, r, p] = parameters(parts.next()?, ["ln", "r", "p"])?;
            let mut next = || parts.next().and_then(base64);
            let (mut salt, hash, separator, signer_key) = (next()?, next()?, next()?, next()?);
            salt.extend(separator);
            let good = parts.next().is_none()
                && !signer_key.is_empty()
                && hash.len() == signer_key.len()
                && is_bounded(&[&salt, &signer_key]);
            good.then_some((log_n, r, p, salt, signer_key, hash))
        };
        let (log_n, r, p, salt, signer_key, hash) = read().ok_or(FormatError::Unreadable(MAKE))?;
        Ok(Self { params: params(MAKE, log_n, r, p)?, salt, signer_key, hash })
    }

    pub(super) fn verify(&self, password: &[u8]) -> bool {
        let mut key = [0; 32];
        if ::scrypt::scrypt(password, &self.salt, &self.params, &mut key).is_err() {
            return false;
        }
        let mut out = self.signer_key.clone();
        ctr::Ctr128BE::<Aes256>::new(&key.into(), &[0; 16].into()).apply_keystream(&mut out);
        secrets::eq(out, &self.hash)
    }
}
