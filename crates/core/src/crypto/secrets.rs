//! The keys that everything at rest and in cookies is sealed, hashed and derived with.
//!
//! Operators write lists of secrets; from each one key per [`Purpose`] is derived (HKDF-SHA256, RFC 5869), so that no two
//! uses share a key. The first secret of a list seals, all open: a list is rotated by putting a new secret in front.
//! What is sealed is bound to its purpose and to the row that holds it, so a value copied to another row does not open.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{Key as AeadKey, KeyInit as _, XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use hmac::{Hmac, Mac as _};
use portcullis_model::clock::Rng;
use serde::{Deserialize, Deserializer};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use uuid::Uuid;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A text that must not be shown: a password, a client secret. It is overwritten when dropped, and `Debug` hides it.
#[derive(Clone, Default, Zeroize, ZeroizeOnDrop)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself. Whoever asks answers for where it goes.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        eq(&self.0, &other.0)
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}

/// Whether two secrets are equal, in time that depends on their lengths only.
#[must_use]
pub fn eq(a: impl AsRef<[u8]>, b: impl AsRef<[u8]>) -> bool {
    a.as_ref().ct_eq(b.as_ref()).into()
}

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The session cookie.
    SessionCookie,
    /// Values bound to the anti-CSRF cookie.
    Csrf,
    /// What a flow keeps to itself, such as a WebAuthn challenge.
    FlowDetail,
    /// A settings submit that waits for a fresh sign-in.
    ParkedSubmit,
    /// The hash that a session token is found by.
    TokenHash,
    /// The hash that a one-time code, link or recovery code is found by.
    CodeHash,
    /// The logout token derived from a session token.
    LogoutToken,
    /// Credentials' own secrets: TOTP keys, recovery codes, tokens of social sign-in providers.
    Cipher,
    /// What waits in the outbox: recipients, codes and links of messages.
    Outbox,
    /// Page tokens of lists.
    Pagination,
}

/// Which of the operator's lists a purpose draws from.
#[derive(Clone, Copy)]
enum Source {
    Default,
    Cookie,
    Cipher,
    Pagination,
}

impl Purpose {
    /// All purposes, in the order of the discriminants: a keyring keeps its keys by this index.
    const ALL: [Self; 10] = [
        Self::SessionCookie,
        Self::Csrf,
        Self::FlowDetail,
        Self::ParkedSubmit,
        Self::TokenHash,
        Self::CodeHash,
        Self::LogoutToken,
        Self::Cipher,
        Self::Outbox,
        Self::Pagination,
    ];

    /// The label that goes into derivation. Changing one makes everything sealed under it unreadable.
    fn label(self) -> &'static [u8] {
        match self {
            Self::SessionCookie => b"session cookie",
            Self::Csrf => b"csrf",
            Self::FlowDetail => b"flow detail",
            Self::ParkedSubmit => b"parked submit",
            Self::TokenHash => b"token hash",
            Self::CodeHash => b"code hash",
            Self::LogoutToken => b"logout token",
            Self::Cipher => b"cipher",
            Self::Outbox => b"outbox",
            Self::Pagination => b"pagination",
        }
    }

    fn source(self) -> Source {
        match self {
            Self::SessionCookie | Self::Csrf => Source::Cookie,
            Self::Cipher => Source::Cipher,
            Self::Pagination => Source::Pagination,
            Self::FlowDetail | Self::ParkedSubmit | Self::TokenHash | Self::CodeHash | Self::LogoutToken | Self::Outbox => {
                Source::Default
            }
        }
    }
}

/// A key and the byte that stands in front of what it sealed, derived from the key so that it survives a rotation.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
struct Key {
    id: u8,
    bytes: [u8; 32],
}

/// The keys of every purpose, newest first.
pub struct Keyring {
    keys: [Vec<Key>; Purpose::ALL.len()],
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keyring")
    }
}

const NONCE_LENGTH: usize = 24;
const TAG_LENGTH: usize = 16;

impl Keyring {
    /// Derives all keys. A purpose without a list of its own takes `default`; where that is empty too, `fallback`, the
    /// installation's own random secret. Secrets further down that chain still open what they sealed before an operator
    /// wrote a better list.
    #[must_use]
    pub fn new(default: &[String], cookie: &[String], cipher: &[String], pagination: &[String], fallback: [u8; 32]) -> Self {
        let keys = Purpose::ALL.map(|purpose| {
            let own = match purpose.source() {
                Source::Default => &[],
                Source::Cookie => cookie,
                Source::Cipher => cipher,
                Source::Pagination => pagination,
            };
            let written = own.iter().chain(default).map(String::as_bytes);
            let mut keys: Vec<Key> = Vec::new();
            for secret in written.chain([fallback.as_slice()]) {
                let key = derive(secret, purpose);
                if !keys.iter().any(|k| k.bytes == key.bytes) {
                    keys.push(key);
                }
            }
            keys
        });
        Self { keys }
    }

    /// The keys of a purpose, newest first; never empty.
    fn keys(&self, purpose: Purpose) -> &[Key] {
        // The discriminants are 0 to ALL.len() - 1.
        self.keys.get(purpose as usize).map_or(&[], Vec::as_slice)
    }

    /// Encrypts for storage (XChaCha20-Poly1305): key id, nonce, ciphertext. `row_id` names the row or cookie that will
    /// hold it and must be given again to [`open`](Self::open).
    pub fn seal(&self, rng: &dyn Rng, purpose: Purpose, row_id: &[u8], plain: &[u8]) -> Vec<u8> {
        let mut nonce = [0; NONCE_LENGTH];
        rng.fill(&mut nonce);
        let Some(key) = self.keys(purpose).first() else { return Vec::new() };
        let sealed = cipher(key).encrypt(&XNonce::from(nonce), Payload { msg: plain, aad: &associated(purpose, row_id) });
        // Encryption fails for texts beyond 256 GiB only; an empty answer never opens.
        let sealed = sealed.unwrap_or_default();
        let mut out = Vec::with_capacity(1 + NONCE_LENGTH + sealed.len());
        out.push(key.id);
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&sealed);
        out
    }

    /// Decrypts what [`seal`](Self::seal) made for the same purpose and row under any key of the ring. `None` if it was
    /// made for something else, changed, or sealed by a secret that has been taken away.
    #[must_use]
    pub fn open(&self, purpose: Purpose, row_id: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (id, rest) = sealed.split_first()?;
        let (nonce, text) = rest.split_first_chunk::<NONCE_LENGTH>()?;
        if text.len() < TAG_LENGTH {
            return None;
        }
        let aad = associated(purpose, row_id);
        self.keys(purpose)
            .iter()
            .filter(|key| key.id == *id)
            .find_map(|key| cipher(key).decrypt(&XNonce::from(*nonce), Payload { msg: text, aad: &aad }).ok())
    }

    /// [`seal`](Self::seal), as a text for cookies and URLs (base64url without padding).
    pub fn seal_text(&self, rng: &dyn Rng, purpose: Purpose, row_id: &[u8], plain: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode(self.seal(rng, purpose, row_id, plain))
    }

    /// [`open`](Self::open) for what [`seal_text`](Self::seal_text) made.
    #[must_use]
    pub fn open_text(&self, purpose: Purpose, row_id: &[u8], text: &str) -> Option<Vec<u8>> {
        self.open(purpose, row_id, &URL_SAFE_NO_PAD.decode(text).ok()?)
    }

    /// The hash to store for a session token.
    #[must_use]
    pub fn token_hash(&self, token: &str) -> [u8; 32] {
        self.token_hashes(token).next().unwrap_or_default()
    }

    /// The hashes that a session token may be stored under, newest key first.
    pub fn token_hashes(&self, token: &str) -> impl Iterator<Item = [u8; 32]> {
        self.keys(Purpose::TokenHash).iter().map(move |key| mac(key, &[token.as_bytes()]))
    }

    /// The hash to store for a one-time code, link token or recovery code. `scope` is the flow or identity it belongs to,
    /// so that equal codes of two flows have different hashes.
    #[must_use]
    pub fn code_hash(&self, scope: Uuid, code: &str) -> [u8; 32] {
        self.code_hashes(scope, code).next().unwrap_or_default()
    }

    /// The hashes that a code may be stored under, newest key first.
    pub fn code_hashes(&self, scope: Uuid, code: &str) -> impl Iterator<Item = [u8; 32]> {
        self.keys(Purpose::CodeHash).iter().map(move |key| mac(key, &[scope.as_bytes(), code.as_bytes()]))
    }

    /// The logout token of a session: `ory_lo_` and 32 letters and digits, always the same for a session token.
    #[must_use]
    pub fn logout_token(&self, session_token: &str) -> String {
        self.keys(Purpose::LogoutToken).first().map(|key| logout_token(key, session_token)).unwrap_or_default()
    }

    /// Whether `given` is the logout token of a session, under any key: a token handed out before a rotation still works.
    #[must_use]
    pub fn is_logout_token(&self, session_token: &str, given: &str) -> bool {
        self.keys(Purpose::LogoutToken).iter().fold(false, |found, key| eq(logout_token(key, session_token), given) | found)
    }
}

fn derive(secret: &[u8], purpose: Purpose) -> Key {
    let hkdf = Hkdf::<Sha256>::new(Some(b"portcullis"), secret);
    let mut material = [0; 33];
    // 33 bytes are far below HKDF's limit of 255 blocks, the only way in which expanding fails.
    let _ = hkdf.expand(purpose.label(), &mut material);
    let mut key = Key { id: 0, bytes: [0; 32] };
    if let Some((id, bytes)) = material.split_first() {
        key.id = *id;
        key.bytes.copy_from_slice(bytes);
    }
    material.zeroize();
    key
}

fn cipher(key: &Key) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(&AeadKey::from(key.bytes))
}

fn associated(purpose: Purpose, row_id: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(purpose.label().len() + 1 + row_id.len());
    out.extend_from_slice(purpose.label());
    out.push(0);
    out.extend_from_slice(row_id);
    out
}

/// HMAC-SHA256 over parts of which all but the last have a fixed length.
fn mac(key: &Key, parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = hmac(&key.bytes);
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// HMAC-SHA256 under a 32-byte key.
pub(super) fn hmac(key: &[u8; 32]) -> Hmac<Sha256> {
    // A block is longer than the key, so the key is only padded.
    let mut block = [0; 64];
    for (to, from) in block.iter_mut().zip(key) {
        *to = *from;
    }
    let out = Hmac::<Sha256>::new(&block.into());
    block.zeroize();
    out
}

fn logout_token(key: &Key, session_token: &str) -> String {
    /// Bytes at and above the largest multiple of 62 are dropped, so that no letter is favoured.
    const LIMIT: u8 = 248;
    const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let letters = (0u8..=u8::MAX)
        .flat_map(|counter| mac(key, &[&[counter], session_token.as_bytes()]))
        .filter(|byte| *byte < LIMIT)
        .filter_map(|byte| ALPHABET.get(usize::from(byte % 62)))
        .map(|letter| char::from(*letter));
    let mut out = String::from("ory_lo_");
    out.extend(letters.take(32));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::random::SeededRng;

    fn ring(default: &[&str], cookie: &[&str], cipher: &[&str]) -> Keyring {
        let list = |l: &[&str]| l.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
        Keyring::new(&list(default), &list(cookie), &list(cipher), &[], [7; 32])
    }

    #[test]
    fn what_is_sealed_opens_for_its_purpose_and_row_only() {
        let (ring, rng) = (ring(&["a-default-secret"], &[], &[]), SeededRng::new(1));
        for purpose in Purpose::ALL {
            let sealed = ring.seal(&rng, purpose, b"row", b"plain");
            assert_eq!(ring.open(purpose, b"row", &sealed).as_deref(), Some(b"plain".as_slice()));
            assert_eq!(ring.open(purpose, b"other", &sealed), None);
            for other in Purpose::ALL.into_iter().filter(|o| *o != purpose) {
                assert_eq!(ring.open(other, b"row", &sealed), None, "{purpose:?} opened as {other:?}");
            }
            for cut in [0, 1, 24, 25, 40, sealed.len() - 1] {
                assert_eq!(ring.open(purpose, b"row", &sealed[..cut]), None);
            }
            let mut changed = sealed.clone();
            *changed.last_mut().expect("not empty") ^= 1;
            assert_eq!(ring.open(purpose, b"row", &changed), None);
        }
    }

    #[test]
    fn an_index_belongs_to_each_purpose() {
        for (index, purpose) in Purpose::ALL.into_iter().enumerate() {
            assert_eq!(purpose as usize, index);
        }
    }

    #[test]
    fn equal_texts_are_sealed_differently() {
        let (ring, rng) = (ring(&["a-default-secret"], &[], &[]), SeededRng::new(1));
        let seal = || ring.seal(&rng, Purpose::Cipher, b"", b"plain");
        assert_ne!(seal(), seal());
    }

    #[test]
    fn rotation_seals_with_the_first_and_opens_with_all() {
        let rng = SeededRng::new(2);
        let before = ring(&[], &[], &["old-old-old-old-old-old-old-old!"]);
        let between = ring(&[], &[], &["new-new-new-new-new-new-new-new!", "old-old-old-old-old-old-old-old!"]);
        let after = ring(&[], &[], &["new-new-new-new-new-new-new-new!"]);
        let old = before.seal(&rng, Purpose::Cipher, b"", b"x");
        let new = between.seal(&rng, Purpose::Cipher, b"", b"x");
        assert!(between.open(Purpose::Cipher, b"", &old).is_some());
        assert!(after.open(Purpose::Cipher, b"", &new).is_some());
        assert!(after.open(Purpose::Cipher, b"", &old).is_none());
    }

    #[test]
    fn lists_fall_back_to_default_and_then_to_the_installations_own() {
        let rng = SeededRng::new(3);
        let (none, default, cookie) =
            (ring(&[], &[], &[]), ring(&["the-default-1234"], &[], &[]), ring(&["the-default-1234"], &["the-cookie-12345"], &[]));
        let sealed = |by: &Keyring| by.seal(&rng, Purpose::SessionCookie, b"", b"x");
        let opens = |ring: &Keyring, sealed: &[u8]| ring.open(Purpose::SessionCookie, b"", sealed).is_some();
        assert!(opens(&default, &sealed(&none)) && opens(&cookie, &sealed(&default)) && opens(&cookie, &sealed(&none)));
        assert!(!opens(&none, &sealed(&default)) && !opens(&default, &sealed(&cookie)));
        assert_eq!(none.token_hashes("t").count(), 1);
        assert_eq!(default.token_hashes("t").count(), 2);
        assert_eq!(cookie.token_hash("t"), default.token_hash("t"), "cookie secrets are not for tokens");
    }

    #[test]
    fn hashes_depend_on_scope_text_and_purpose() {
        let ring = ring(&["a-default-secret"], &[], &[]);
        let (a, b) = (Uuid::from_u128(1), Uuid::from_u128(2));
        assert_eq!(ring.code_hash(a, "123456"), ring.code_hash(a, "123456"));
        assert_ne!(ring.code_hash(a, "123456"), ring.code_hash(b, "123456"));
        assert_ne!(ring.code_hash(a, "123456"), ring.code_hash(a, "123457"));
        assert_ne!(ring.token_hash("123456"), ring.code_hash(Uuid::nil(), "123456"));
    }

    #[test]
    fn a_session_has_one_logout_token_and_rotation_does_not_break_it() {
        let (old, new) = (ring(&["old-default-secret"], &[], &[]), ring(&["new-default-secret", "old-default-secret"], &[], &[]));
        let token = old.logout_token("ory_st_abc");
        assert_eq!(token, old.logout_token("ory_st_abc"));
        assert_ne!(token, old.logout_token("ory_st_abd"));
        assert!(token.strip_prefix("ory_lo_").is_some_and(|t| t.len() == 32 && t.chars().all(|c| c.is_ascii_alphanumeric())));
        assert!(new.is_logout_token("ory_st_abc", &token) && !new.is_logout_token("ory_st_abd", &token));
        assert_ne!(new.logout_token("ory_st_abc"), token);
    }

    /// RFC 4231, test case 1 padded to a full key, against the general constructor.
    #[test]
    fn the_mac_is_hmac_sha256() {
        let mut general = Hmac::<Sha256>::new_from_slice(&[0x0b; 32]).expect("any length fits");
        let mut own = hmac(&[0x0b; 32]);
        general.update(b"Hi There");
        own.update(b"Hi There");
        assert_eq!(general.finalize().into_bytes(), own.finalize().into_bytes());
    }

    #[test]
    fn secrets_do_not_show() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "[secret]");
        assert!(!format!("{:?}", ring(&["a-default-secret"], &[], &[])).contains("default"));
    }
}
