//! argon2id and argon2i (RFC 9106, version 19) in the PHC text form.

use ::argon2::{Algorithm, Argon2, Params, Version};
use portcullis_model::clock::Rng;

use super::format::{FormatError, bare_base64, base64, parameters};
use super::{Argon2Settings, HashError};
use crate::crypto::secrets;

const MAKE: &str = "argon2";
const MAX_IMPORT_MEMORY_KIB: u32 = 1_048_576;
const MAX_IMPORT_ITERATIONS: u32 = 10;
const MAX_IMPORT_PARALLELISM: u32 = 16;
/// The longest hash and salt that are read, in bytes.
const MAX_PART: usize = 1024;

pub(super) struct Argon2Hash {
    algorithm: Algorithm,
    params: Params,
    salt: Vec<u8>,
    hash: Vec<u8>,
}

pub(super) fn hash(settings: &Argon2Settings, rng: &dyn Rng, password: &[u8]) -> Result<String, HashError> {
    let Argon2Settings { memory_kib, iterations, parallelism, salt_length, key_length } = *settings;
    // The least memory that the algorithm can work in is 8 KiB a lane.
    let memory_kib = memory_kib.max(parallelism.saturating_mul(8));
    let unusable = |_| HashError::Settings(MAKE);
    if salt_length > MAX_PART || key_length > MAX_PART {
        return Err(HashError::Settings(MAKE));
    }
    let params = Params::new(memory_kib, iterations, parallelism, Some(key_length)).map_err(unusable)?;
    let mut salt = vec![0; salt_length];
    rng.fill(&mut salt);
    let mut out = vec![0; key_length];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password_into(password, &salt, &mut out).map_err(unusable)?;
    Ok(format!("$argon2id$v=19$m={memory_kib},t={iterations},p={parallelism}${}${}", bare_base64(&salt), bare_base64(&out)))
}

impl Argon2Hash {
    /// `algorithm` is what the text's first part says.
    pub(super) fn parse(algorithm: Algorithm, text: &str) -> Result<Self, FormatError> {
        let read = || {
            let mut parts = text.split('$').skip(2);
            let (version, costs, salt, hash) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
            let [memory, iterations, parallelism] = parameters(costs, ["m", "t", "p"])?;
            let (salt, hash) = (base64(salt)?, base64(hash)?);
            let params = Params::new(memory, iterations, parallelism, Some(hash.len())).ok()?;
            let lengths = (::argon2::MIN_SALT_LEN..=MAX_PART).contains(&salt.len()) && hash.len() <= MAX_PART;
            (version == "v=19" && parts.next().is_none() && lengths).then_some(Self { algorithm, params, salt, hash })
        };
        read().ok_or(FormatError::Unreadable(MAKE))
    }

    pub(super) fn is_argon2id(&self) -> bool {
        self.algorithm == Algorithm::Argon2id
    }

    pub(super) fn within_import_bounds(&self) -> bool {
        self.params.m_cost() <= MAX_IMPORT_MEMORY_KIB
            && self.params.t_cost() <= MAX_IMPORT_ITERATIONS
            && self.params.p_cost() <= MAX_IMPORT_PARALLELISM
    }

    /// Whether checking it ends in good time and fits into memory: it takes no more of either than what can be imported, or
    /// than what is configured. Lanes cost nothing more, since one thread computes all of them.
    pub(super) fn is_affordable(&self, settings: &Argon2Settings) -> bool {
        let (memory, passes) = (self.params.m_cost(), self.params.t_cost());
        let work = |memory: u32, passes: u32| u64::from(memory) * u64::from(passes);
        let most = work(MAX_IMPORT_MEMORY_KIB, MAX_IMPORT_ITERATIONS).max(work(settings.memory_kib, settings.iterations));
        memory <= MAX_IMPORT_MEMORY_KIB.max(settings.memory_kib) && work(memory, passes) <= most
    }

    pub(super) fn verify(&self, password: &[u8]) -> bool {
        let mut out = vec![0; self.hash.len()];
        let argon2 = Argon2::new(self.algorithm, Version::V0x13, self.params.clone());
        argon2.hash_password_into(password, &self.salt, &mut out).is_ok() && secrets::eq(out, &self.hash)
    }
}
