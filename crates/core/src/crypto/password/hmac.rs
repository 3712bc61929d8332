//! HMAC (RFC 2104) of the password under a stored key: `$hmac-sha256$base64(hex of the MAC)$base64(key)`.

use ::hmac::{Hmac, KeyInit, Mac};
use md4::Md4;
use md5::Md5;
use sha1::Sha1;
use sha2::{Sha224, Sha256, Sha384, Sha512};

use super::format::{FormatError, base64};
use crate::crypto::secrets;

const MAKE: &str = "HMAC";
/// The longest key that is read, in bytes.
const MAX_KEY_LENGTH: usize = 4096;

type Compute = fn(&[u8], &[u8]) -> Option<Vec<u8>>;

pub(super) struct Keyed {
    compute: Compute,
    key: Vec<u8>,
    mac: Vec<u8>,
}

impl Keyed {
    pub(super) fn parse(text: &str) -> Result<Self, FormatError> {
        let mut parts = text.split('$').skip(1);
        let (compute, length): (Compute, usize) = match parts.next() {
            Some("hmac-md4") => (compute::<Hmac<Md4>>, 16),
            Some("hmac-md5") => (compute::<Hmac<Md5>>, 16),
            Some("hmac-sha1") => (compute::<Hmac<Sha1>>, 20),
            Some("hmac-sha224") => (compute::<Hmac<Sha224>>, 28),
            Some("hmac-sha256") => (compute::<Hmac<Sha256>>, 32),
            Some("hmac-sha384") => (compute::<Hmac<Sha384>>, 48),
            Some("hmac-sha512") => (compute::<Hmac<Sha512>>, 64),
            _ => return Err(FormatError::UnknownMake),
        };
        let mut read = || {
            let mac = unhex(&base64(parts.next()?)?)?;
            let key = base64(parts.next()?)?;
            let good = parts.next().is_none() && mac.len() == length && key.len() <= MAX_KEY_LENGTH;
            good.then_some(Self { compute, key, mac })
        };
        read().ok_or(FormatError::Unreadable(MAKE))
    }

    pub(super) fn verify(&self, password: &[u8]) -> bool {
        (self.compute)(&self.key, password).is_some_and(|mac| secrets::eq(mac, &self.mac))
    }
}

fn compute<M: Mac + KeyInit>(key: &[u8], message: &[u8]) -> Option<Vec<u8>> {
    let mut mac = <M as KeyInit>::new_from_slice(key).ok()?;
    mac.update(message);
    Some(mac.finalize().into_bytes().to_vec())
}

fn unhex(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |b: &u8| char::from(*b).to_digit(16).and_then(|d| u8::try_from(d).ok());
    let pair = |pair: &[u8]| match pair {
        [high, low] => Some(digit(high)? << 4 | digit(low)?),
        _ => None,
    };
    text.chunks(2).map(pair).collect()
}
