//! An authenticator app as both sides know it: a secret and how codes follow from it and the time (RFC 6238 over RFC 4226).
//!
//! Apps learn it as an `otpauth` URL (the "Key URI Format" of authenticator apps); that URL is also what is kept.

use std::fmt;

use data_encoding::BASE32_NOPAD;
use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use portcullis_model::clock::Rng;
use portcullis_model::time::Timestamp;
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use subtle::ConstantTimeEq;
use url::Url;

/// The length of new secrets in bytes: as long as an HMAC-SHA-1 (RFC 4226, section 4, requirement 6).
const SECRET_LENGTH: usize = 20;

/// How many steps a clock may be off, either way.
const TOLERANCE: u64 = 1;

/// What stays as it is in a URL's parts, so that it reads well in apps that show it raw.
const PLAIN: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'@');

/// The hash that codes are made with. Most apps know SHA-1 only; the others come by import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Algorithm {
    Sha1,
    Sha256,
    Sha512,
}

/// An authenticator app.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Device {
    secret: Vec<u8>,
    algorithm: Algorithm,
    digits: u32,
    /// The length of a step in seconds.
    period: u64,
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Device").field("algorithm", &self.algorithm).field("digits", &self.digits).finish_non_exhaustive()
    }
}

/// A new secret, in base32 without padding: 32 letters and digits, as people type it into an app.
pub(super) fn new_secret(rng: &dyn Rng) -> String {
    let mut secret = [0; SECRET_LENGTH];
    rng.fill(&mut secret);
    BASE32_NOPAD.encode(&secret)
}

/// The URL by which an app learns a secret that [`new_secret`] made.
pub(super) fn url(secret: &str, issuer: &str, account: &str) -> String {
    let part = |text| utf8_percent_encode(text, &PLAIN);
    let (issuer, account) = (part(issuer), part(account));
    format!("otpauth://totp/{issuer}:{account}?algorithm=SHA1&digits=6&issuer={issuer}&period=30&secret={secret}")
}

impl Device {
    /// The app of an `otpauth` URL; `None` if it is none, or asks for something that RFC 6238 does not know.
    pub(super) fn of_url(url: &str) -> Option<Self> {
        let url = Url::parse(url).ok()?;
        if url.scheme() != "otpauth" || url.host_str() != Some("totp") {
            return None;
        }
        let parameter = |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        let number = |name, otherwise| parameter(name).map_or(Some(otherwise), |text| text.parse::<u32>().ok());
        let algorithm = match parameter("algorithm").map(|name| name.to_ascii_uppercase()).as_deref() {
            None | Some("SHA1") => Algorithm::Sha1,
            Some("SHA256") => Algorithm::Sha256,
            Some("SHA512") => Algorithm::Sha512,
            Some(_) => return None,
        };
        let digits = number("digits", 6).filter(|digits| (6..=8).contains(digits))?;
        let period = number("period", 30).filter(|period| *period > 0)?;
        let written: String = parameter("secret")?.chars().filter(|c| !c.is_whitespace() && *c != '=').collect();
        let secret = BASE32_NOPAD.decode(written.to_ascii_uppercase().as_bytes()).ok().filter(|secret| !secret.is_empty())?;
        Some(Self { secret, algorithm, digits, period: u64::from(period) })
    }

    /// The step that a moment lies in.
    fn step_at(&self, now: Timestamp) -> u64 {
        u64::try_from(now.seconds()).unwrap_or(0) / self.period
    }

    /// The code of a step, with leading zeros.
    fn code(&self, step: u64) -> String {
        let counter = step.to_be_bytes();
        let mac = match self.algorithm {
            Algorithm::Sha1 => mac::<Hmac<Sha1>>(&self.secret, &counter),
            Algorithm::Sha256 => mac::<Hmac<Sha256>>(&self.secret, &counter),
            Algorithm::Sha512 => mac::<Hmac<Sha512>>(&self.secret, &counter),
        };
        // Dynamic truncation, RFC 4226, section 5.3. The offset is at most 15, and every mac has 20 bytes or more.
        let offset = usize::from(mac.last().copied().unwrap_or(0) & 0x0f);
        let bytes: [u8; 4] = mac.get(offset..offset + 4).and_then(|four| four.try_into().ok()).unwrap_or_default();
        let number = u32::from_be_bytes(bytes) & 0x7fff_ffff;
        format!("{:0width$}", number % 10_u32.pow(self.digits), width = self.digits as usize)
    }

    /// The step whose code somebody typed: the present one or a neighbour, and after `last`. Spaces do not matter. Every
    /// candidate is compared in full, so that the time taken tells nothing.
    pub(super) fn step_of(&self, typed: &str, now: Timestamp, last: Option<u64>) -> Option<u64> {
        let typed: String = typed.chars().filter(|c| !c.is_whitespace()).collect();
        let present = self.step_at(now);
        let mut found = None;
        for step in present.saturating_sub(TOLERANCE)..=present.saturating_add(TOLERANCE) {
            let fits = bool::from(self.code(step).as_bytes().ct_eq(typed.as_bytes()));
            if fits && last.is_none_or(|last| step > last) {
                found = Some(step);
            }
        }
        found
    }
}

fn mac<M: Mac + KeyInit>(secret: &[u8], counter: &[u8]) -> Vec<u8> {
    // HMAC takes keys of any length, so there is always one.
    <M as KeyInit>::new_from_slice(secret)
        .map(|mac| mac.chain_update(counter).finalize().into_bytes().to_vec())
        .unwrap_or_default()
}

#[cfg(test)]
#[path = "device_tests.rs"]
mod tests;
