//! Opening what that server encrypted in its database: the tokens of social sign-in providers.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use chacha20poly1305::aead::Aead as _;
use chacha20poly1305::{Key, KeyInit as _, XChaCha20Poly1305, XNonce};
use data_encoding::HEXLOWER_PERMISSIVE;

use crate::config::Secret;

/// The bytes of a nonce of XChaCha20.
const X_NONCE: usize = 24;

/// The keys of `secrets.cipher`. Which of the ciphers made a text is found out by trying, since an operator may have changed
/// `ciphers.algorithm` while the server was in use; both tell for certain whether they did.
pub(super) struct OldCipher {
    keys: Vec<[u8; 32]>,
}

impl OldCipher {
    /// Only secrets of 32 bytes are keys.
    pub(super) fn new(secrets: &[Secret]) -> Self {
        Self { keys: secrets.iter().filter_map(|s| s.expose().as_bytes().try_into().ok()).collect() }
    }

    /// Decrypts a text: hexadecimal digits of nonce, ciphertext and tag, or, where no cipher was configured, of the text
    /// itself. `None` if none of the keys opens it.
    pub(super) fn open(&self, text: &str) -> Option<String> {
        if text.is_empty() {
            return Some(String::new());
        }
        let sealed = HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()?;
        let opened = self.keys.iter().find_map(|key| aes(key, &sealed).or_else(|| chacha(key, &sealed)));
        // What was encrypted under another key is no text, but for a chance of nearly nothing.
        String::from_utf8(opened.unwrap_or(sealed)).ok()
    }
}

/// AES-256-GCM with a nonce of 12 bytes in front and the tag at the end.
fn aes(key: &[u8; 32], sealed: &[u8]) -> Option<Vec<u8>> {
    let (nonce, text) = sealed.split_first_chunk::<NONCE_LEN>()?;
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).ok()?);
    let mut text = text.to_vec();
    let length = key.open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::empty(), &mut text).ok()?.len();
    text.truncate(length);
    Some(text)
}

/// XChaCha20-Poly1305 with a nonce of 24 bytes in front and the tag at the end.
fn chacha(key: &[u8; 32], sealed: &[u8]) -> Option<Vec<u8>> {
    let (nonce, text) = sealed.split_first_chunk::<X_NONCE>()?;
    XChaCha20Poly1305::new(&Key::from(*key)).decrypt(&XNonce::from(*nonce), text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cipher_is_opened_under_any_key_of_the_list() {
        let (old, new) = (*b"an-old-cipher-secret-of-32-chars", *b"a-newer-cipher-secret-of-32-char");
        let cipher = OldCipher::new(&[
            Secret::new("too short"),
            Secret::new(String::from_utf8(new.to_vec()).unwrap()),
            Secret::new(String::from_utf8(old.to_vec()).unwrap()),
        ]);
        let plain = b"a token of a provider";
        let by_chacha = |key: [u8; 32]| {
            let sealed = XChaCha20Poly1305::new(&Key::from(key)).encrypt(&XNonce::from([7; X_NONCE]), plain.as_slice()).unwrap();
            HEXLOWER_PERMISSIVE.encode(&[[7; X_NONCE].as_slice(), &sealed].concat())
        };
        let by_aes = |key: [u8; 32]| {
            let mut sealed = plain.to_vec();
            let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).unwrap());
            key.seal_in_place_append_tag(Nonce::assume_unique_for_key([9; NONCE_LEN]), Aad::empty(), &mut sealed).unwrap();
            HEXLOWER_PERMISSIVE.encode(&[[9; NONCE_LEN].as_slice(), &sealed].concat())
        };
        let lost = *b"a-cipher-secret-nobody-has-today";
        for (text, expected) in [
            (by_chacha(old), Some("a token of a provider")),
            (by_chacha(new), Some("a token of a provider")),
            (by_aes(old), Some("a token of a provider")),
            (by_aes(new).to_uppercase(), Some("a token of a provider")),
            (HEXLOWER_PERMISSIVE.encode(plain), Some("a token of a provider")),
            (String::new(), Some("")),
            (by_chacha(lost), None),
            (by_aes(lost), None),
            ("no digits".to_owned(), None),
            ("abc".to_owned(), None),
        ] {
            assert_eq!(cipher.open(&text).as_deref(), expected, "{text}");
        }
    }
}
