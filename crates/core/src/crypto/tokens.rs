//! Session tokens, the session cookie's content and the anti-CSRF token.
//!
//! The anti-CSRF cookie holds a random secret; a form holds the same secret under a pad, so that a page's bytes never
//! repeat a cookie's (BREACH). The pad follows from secret and flow: a flow shows one token however often it is fetched,
//! two flows show different ones, and any token of the same secret is good for all of them.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::Mac as _;
use portcullis_model::clock::{Rng, random_text};
use portcullis_model::time::Timestamp;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::secrets::{self, Keyring, Purpose, Secret};

/// A new session token: `ory_st_` and 32 letters and digits (190 bits).
#[must_use]
pub fn session_token(rng: &dyn Rng) -> Secret {
    Secret::new(format!("ory_st_{}", random_text(rng, 32)))
}

/// What the session cookie says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionCookie {
    /// The session's token.
    pub token: Secret,
    /// When the cookie's holder thinks the session ends; tells whether the cookie must be issued anew.
    pub expires_at: Timestamp,
}

impl SessionCookie {
    /// The cookie's value; another one each time.
    #[must_use]
    pub fn seal(&self, keys: &Keyring, rng: &dyn Rng) -> String {
        let mut plain = self.expires_at.micros().to_be_bytes().to_vec();
        plain.extend_from_slice(self.token.expose().as_bytes());
        let sealed = keys.seal_text(rng, Purpose::SessionCookie, b"", &plain);
        plain.zeroize();
        sealed
    }

    /// Reads a cookie's value. `None` if none of the keys made it.
    #[must_use]
    pub fn open(keys: &Keyring, value: &str) -> Option<Self> {
        let plain = keys.open_text(Purpose::SessionCookie, b"", value)?;
        let (expires_at, token) = plain.split_first_chunk::<8>()?;
        let token = Secret::from(std::str::from_utf8(token).ok()?);
        Some(Self { token, expires_at: Timestamp::from_micros(i64::from_be_bytes(*expires_at)) })
    }
}

const CSRF_LENGTH: usize = 32;

/// The random secret of the anti-CSRF cookie.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct CsrfSecret([u8; CSRF_LENGTH]);

impl fmt::Debug for CsrfSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[csrf secret]")
    }
}

impl CsrfSecret {
    /// A new secret, for a browser without one and for every sign-in and sign-out.
    #[must_use]
    pub fn new(rng: &dyn Rng) -> Self {
        let mut bytes = [0; CSRF_LENGTH];
        rng.fill(&mut bytes);
        Self(bytes)
    }

    /// Reads a cookie's value. `None` for anything but 32 bytes of base64.
    #[must_use]
    pub fn from_cookie(value: &str) -> Option<Self> {
        STANDARD.decode(value).ok()?.try_into().ok().map(Self)
    }

    /// The cookie's value: base64 with padding.
    #[must_use]
    pub fn cookie_value(&self) -> String {
        STANDARD.encode(self.0)
    }

    /// The token for a flow's form: base64 of a pad and of the secret under it.
    #[must_use]
    pub fn form_token(&self, flow_id: Uuid) -> String {
        self.padded(b"pad", flow_id)
    }

    /// The token for the form that comes with the answer to a success: as good as [`Self::form_token`], and another one, so
    /// that a submit tells from which of the two forms it comes.
    #[must_use]
    pub fn form_token_after(&self, flow_id: Uuid) -> String {
        self.padded(b"pad after a success", flow_id)
    }

    fn padded(&self, what_for: &[u8], flow_id: Uuid) -> String {
        let mut mac = secrets::hmac(&self.0);
        mac.update(what_for);
        mac.update(flow_id.as_bytes());
        let pad: [u8; CSRF_LENGTH] = mac.finalize().into_bytes().into();
        let mut out = pad.to_vec();
        out.extend(pad.iter().zip(&self.0).map(|(pad, secret)| pad ^ secret));
        STANDARD.encode(out)
    }

    /// Whether a form's token belongs to this secret, whatever its pad.
    #[must_use]
    pub fn verify(&self, token: &str) -> bool {
        let Ok(bytes) = STANDARD.decode(token) else { return false };
        let Some((pad, covered)) = bytes.split_at_checked(CSRF_LENGTH) else { return false };
        let bare: Vec<u8> = pad.iter().zip(covered).map(|(pad, covered)| pad ^ covered).collect();
        covered.len() == CSRF_LENGTH && secrets::eq(bare, self.0)
    }

    /// What a flow stores to be bound to the browser that started it. The secret has 256 random bits, so a plain hash
    /// tells nothing about it.
    #[must_use]
    pub fn binding(&self) -> [u8; 32] {
        Sha256::new().chain_update(b"portcullis csrf binding").chain_update(self.0).finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::random::SeededRng;

    fn keys() -> Keyring {
        Keyring::new(&["a-default-secret".to_owned()], &[], &[], &[], [0; 32])
    }

    #[test]
    fn session_tokens_have_the_known_form() {
        let rng = SeededRng::new(1);
        let token = session_token(&rng);
        assert!(
            token.expose().strip_prefix("ory_st_").is_some_and(|t| t.len() == 32 && t.chars().all(|c| c.is_ascii_alphanumeric()))
        );
        assert_ne!(token, session_token(&rng));
    }

    #[test]
    fn the_session_cookie_goes_round_and_cannot_be_made_up() {
        let (keys, rng) = (keys(), SeededRng::new(1));
        let cookie = SessionCookie { token: session_token(&rng), expires_at: Timestamp::from_micros(1_700_000_000_000_001) };
        let value = cookie.seal(&keys, &rng);
        assert_eq!(SessionCookie::open(&keys, &value), Some(cookie.clone()));
        assert_ne!(cookie.seal(&keys, &rng), value);
        let other = Keyring::new(&["another-secret-1".to_owned()], &[], &[], &[], [1; 32]);
        for (keys, value) in [(&other, value.as_str()), (&keys, ""), (&keys, "AAAA"), (&keys, "no base64!"), (&keys, &value[1..])]
        {
            assert_eq!(SessionCookie::open(keys, value), None, "{value}");
        }
    }

    #[test]
    fn one_flow_shows_one_token_and_all_tokens_fit_the_secret() {
        let rng = SeededRng::new(1);
        let (secret, other) = (CsrfSecret::new(&rng), CsrfSecret::new(&rng));
        let (a, b) = (Uuid::from_u128(1), Uuid::from_u128(2));
        assert_eq!(secret.form_token(a), secret.form_token(a));
        assert_ne!(secret.form_token(a), secret.form_token(b));
        assert_eq!(secret.form_token(a).len(), 88);
        assert_ne!(secret.form_token(a), secret.form_token_after(a));
        assert!(secret.verify(&secret.form_token_after(a)) && !other.verify(&secret.form_token_after(a)));
        assert!(secret.verify(&secret.form_token(a)) && secret.verify(&secret.form_token(b)));
        assert!(!secret.verify(&other.form_token(a)) && !other.verify(&secret.form_token(a)));
        let unpadded = STANDARD.encode([[0; 32], secret.0].concat());
        assert!(secret.verify(&unpadded), "any pad is good");
        for bad in [
            "",
            "AAAA",
            "not base64",
            &secret.cookie_value(),
            &secret.form_token(a)[..84],
            &STANDARD.encode([0; 64]),
            &STANDARD.encode([0; 65]),
        ] {
            assert!(!secret.verify(bad), "{bad}");
        }
    }

    #[test]
    fn the_cookie_goes_round_and_binds() {
        let rng = SeededRng::new(1);
        let (secret, other) = (CsrfSecret::new(&rng), CsrfSecret::new(&rng));
        assert_eq!(CsrfSecret::from_cookie(&secret.cookie_value()), Some(secret.clone()));
        assert_eq!(secret.cookie_value().len(), 44);
        for bad in ["", "AAAA", "%", &secret.form_token(Uuid::nil())] {
            assert_eq!(CsrfSecret::from_cookie(bad), None, "{bad}");
        }
        assert_eq!(secret.binding(), secret.clone().binding());
        assert_ne!(secret.binding(), other.binding());
    }
}
