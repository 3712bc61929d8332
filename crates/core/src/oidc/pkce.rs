//! Proof Key for Code Exchange (RFC 7636), method S256: a code is of use only to who began the trip.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis_model::clock::{Rng, random_text};
use sha2::{Digest as _, Sha256};

/// The length of a verifier: 64 letters and digits, of 43 to 128 that are allowed.
const LENGTH: usize = 64;

/// A verifier, which is kept, and its challenge, which is sent ahead.
#[derive(Clone, PartialEq, Eq)]
pub struct Challenge {
    /// What redeems the code.
    pub verifier: String,
    /// Its SHA-256, as base64url.
    pub challenge: String,
}

impl Challenge {
    /// A new one.
    #[must_use]
    pub fn new(rng: &dyn Rng) -> Self {
        let verifier = random_text(rng, LENGTH);
        Self { challenge: challenge_of(&verifier), verifier }
    }
}

/// The challenge of a verifier (section 4.2).
#[must_use]
pub fn challenge_of(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::challenge_of;

    #[test]
    fn the_example_of_the_standard_holds() {
        // RFC 7636, appendix B.
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert_eq!(challenge_of(verifier), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }
}
