//! PBKDF2 (RFC 8018) in the PHC text form.
//!
//! Under the names `sha224` and `sha384` imports have always meant digests of SHA-3; hashes of the true SHA-2 digests
//! under these names are checked second.

use ::pbkdf2::{pbkdf2, pbkdf2_hmac};
use hmac::SimpleHmac;
use hmac::digest::block_api::BlockSizeUser;
use sha1::Sha1;
use sha2::{Sha224, Sha256, Sha384, Sha512};
use sha3::{Sha3_224, Sha3_384};

use super::format::{FormatError, base64, parameters};
use crate::crypto::secrets;

const MAKE: &str = "pbkdf2";
const MAX_ROUNDS: u32 = 10_000_000;
/// Blocks of the digest's length are computed one after the other.
const MAX_HASH_LENGTH: usize = 128;
const MAX_SALT_LENGTH: usize = 1024;

#[derive(Clone, Copy)]
enum Digest {
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

type Derive = fn(password: &[u8], salt: &[u8], rounds: u32, out: &mut [u8]);

pub(super) struct Pbkdf2 {
    digest: Digest,
    rounds: u32,
    salt: Vec<u8>,
    hash: Vec<u8>,
}

impl Pbkdf2 {
    pub(super) fn parse(text: &str) -> Result<Self, FormatError> {
        let mut parts = text.split('$').skip(1);
        let digest = match parts.next() {
            Some("pbkdf2-sha1") => Digest::Sha1,
            Some("pbkdf2-sha224") => Digest::Sha224,
            Some("pbkdf2-sha256") => Digest::Sha256,
            Some("pbkdf2-sha384") => Digest::Sha384,
            Some("pbkdf2-sha512") => Digest::Sha512,
            _ => return Err(FormatError::UnknownMake),
        };
        let mut read = || {
            // `l` is the length that was asked for; what counts is the hash that is there.
            let [rounds, _length] = parameters(parts.next()?, ["i", "l"])?;
            let (salt, hash) = (base64(parts.next()?)?, base64(parts.next()?)?);
            (parts.next().is_none() && !hash.is_empty()).then_some(Self { digest, rounds, salt, hash })
        };
        let hash = read().ok_or(FormatError::Unreadable(MAKE))?;
        let affordable =
            (1..=MAX_ROUNDS).contains(&hash.rounds) && hash.hash.len() <= MAX_HASH_LENGTH && hash.salt.len() <= MAX_SALT_LENGTH;
        if affordable { Ok(hash) } else { Err(FormatError::TooCostly(MAKE)) }
    }

    pub(super) fn verify(&self, password: &[u8]) -> bool {
        let fits = |derive: Derive| {
            let mut out = vec![0; self.hash.len()];
            derive(password, &self.salt, self.rounds, &mut out);
            secrets::eq(out, &self.hash)
        };
        match self.digest {
            Digest::Sha1 => fits(pbkdf2_hmac::<Sha1>),
            Digest::Sha224 => fits(with_sha3::<Sha3_224>) || fits(pbkdf2_hmac::<Sha224>),
            Digest::Sha256 => fits(pbkdf2_hmac::<Sha256>),
            Digest::Sha384 => fits(with_sha3::<Sha3_384>) || fits(pbkdf2_hmac::<Sha384>),
            Digest::Sha512 => fits(pbkdf2_hmac::<Sha512>),
        }
    }
}

/// The general HMAC: digests of SHA-3 have no inner state that could be kept between rounds.
fn with_sha3<D: sha3::Digest + BlockSizeUser + Clone>(password: &[u8], salt: &[u8], rounds: u32, out: &mut [u8]) {
    // HMAC takes keys of any length, the only thing that could fail.
    let _ = pbkdf2::<SimpleHmac<D>>(password, salt, rounds, out);
}
