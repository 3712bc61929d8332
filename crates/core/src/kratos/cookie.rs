//! The session cookie of that server, as browsers still have it after the move.
//!
//! It is a cookie of Gorilla's securecookie: signed (HMAC-SHA256) and encrypted (AES-256 in counter mode) under
//! `secrets.cookie`. Whoever shows a good one is given one of ours with the answer, so that each is read about once. How
//! long the session lasts is in the database, so the cookie's own age does not matter.

use aes::Aes256;
use aes::cipher::{KeyIvInit as _, StreamCipher as _};
use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hmac::{Hmac, KeyInit as _, Mac as _};
use portcullis_model::time::Timestamp;
use sha2::{Digest as _, Sha256};

use super::gob;
use crate::config::Secret;
use crate::crypto;

/// When a browser with an old cookie is taken to forget it: it ended already, so it is renewed at the next chance.
pub const OUTDATED: Timestamp = Timestamp::from_micros(0);

/// The longest value that is looked at, in bytes. Browsers keep no cookie beyond 4 KiB.
const LIMIT: usize = 4096;

/// Base64 for URLs, with or without padding.
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&URL_SAFE, GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent));

/// The entry of the cookie that holds the session's token.
const TOKEN: &str = "session_token";

/// The session token in an old cookie. `name` is the cookie's name, which is signed with it. `None` if none of the secrets
/// made it.
#[must_use]
pub fn token(secrets: &[Secret], name: &str, value: &str) -> Option<crypto::Secret> {
    if value.len() > LIMIT {
        return None;
    }
    let signed = BASE64.decode(value).ok()?;
    // date|value|signature, of which only the last may hold the separator.
    let mut parts = signed.splitn(3, |byte| *byte == b'|');
    let (date, sealed, signature) = (parts.next()?, parts.next()?, parts.next()?);
    let secret = secrets.iter().find(|secret| {
        Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).is_ok_and(|mut mac| {
            for part in [name.as_bytes(), b"|", date, b"|", sealed] {
                mac.update(part);
            }
            mac.verify_slice(signature).is_ok()
        })
    })?;
    let sealed = BASE64.decode(sealed).ok()?;
    let (nonce, text) = sealed.split_first_chunk::<16>()?;
    let mut text = text.to_vec();
    let key: [u8; 32] = Sha256::digest(secret.expose().as_bytes()).into();
    ctr::Ctr128BE::<Aes256>::new(&key.into(), &(*nonce).into()).apply_keystream(&mut text);
    let (_, token) = gob::texts(&text)?.into_iter().find(|(key, _)| key == TOKEN)?;
    (!token.is_empty()).then(|| crypto::Secret::new(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "ory_kratos_session";

    /// Made by Gorilla's sessions 1.4.0: secret, cookie.
    const MADE: [(&str, &str); 3] = [
        (
            "old-cookie-secret-of-the-tests-1",
            "MTc5NTQxMjYyNXxEcXZ6SUlMVWVVQkp1ZFNDNnVvd1Y0OFVzR05LTnpRdjIzSXNXN2dleGNhSnF6ZnlyVzdnMUdNMjd5ZGdlbXRGNVRJcXhSTkhnanZFQTE5UVE1RXNON01zSERxSjA2QTRoV3dxZFdjRU5HZW1rN0Vmb0pyZG5HbHhHTnE2Tmh0cE9vZFM1TW1vazJad3Z0N2tQXy1YT1oxOTFqMkVwc2ZyeDQxWlNsd3BUNG11MGFrQm5RTGJDYXNsWXpDYTVPN3pLMEdrTUd3WDRidThaQWdOd3R6aHlMN08teUFwX3hudzM2TzR5VWl3VTBPRVRYek1CU0NFQTdWa004TUpadDNnVzU5Q0tDRXliS3FtbG11QU9nYUx8v_1YAnyY8C-SfesT2I0-tKbIDzOPmj1Pw63H4vqbqxw=",
        ),
        (
            "old-cookie-secret-of-the-tests-2",
            "MTc5NTQxMjYyNnxZeHlpSHZfb1llREt6RU10MjlZcnZLMjdNbDNpdVdrR1JSSVBMWTlrd0pFR0JtY0paUEFYbDhNRHJwYVcwNkFqcTFaOXB1eXlYakx4ZWxOTGRWb21jMGV1YU5VQmx1NWRPLWxxZ2x2UUpKUTNpY0NJR0pYWjRoTFhHTExELUdpNktwQVdzSlgxeURmZV94bWNWZVJ4SUs5ZldHNGdlb2h0azdDQ1FYS2pPSzNzSTFhaThtaGE2YlVlQkZGU0dxV1hJNkFhaXdCUjV3RjBZb2VVX0hTbkdPTl9mUEMzLXdhRFVYbXF0UTAtdWgzdTZfTU55bHA0Qk01dGJlMlg0LVFsaWJBcGZ4aklVckxPU2xITnprcHN8Z0Af75A87H3zatEd33uKi26sV6_m4HIiSVYoZ2zvC-s=",
        ),
        (
            "old-cookie-secret-of-the-tests-3",
            "MTc5NTQxMjYyNnx3SmhXdVNUWDdDV3ROYUp0M3RNMzhKcDBzWkhwUGNxRnczS3owSTY2YXNQMFp3eWlDZFNULTlpSTRqYVpWdTlhTEJGVW1rejFtcGZfaWh0R2l4V2NVTzQxQ3FTX0xWdXdNOVdJWHFzd0wwWnhGbk15RlE3SE9aWFBMTVJiMEpSbEQybnl3SlVPbGtMZnpzRG9FcklSaDJPWmFacENaZzNTNTI2cDlvc1JLZjF1Um4zekRZX1NoelVSNXJKSmwyZV9YVjIwNTdVQjFCQlVvek5iS04wMFJLSzZoZG9vUXE0WGtMZlFHZGdJODJrX0lVdFhNODJlV25EdDhJekxoZERVdDVWaU1YeGk5aXRQLWcySVJJcnJ8KTdAzYDECJgh_Awwp5CSFroxleD8hDS1DdB14yrWAzM=",
        ),
    ];

    #[test]
    fn cookies_of_the_other_server_are_read_under_any_secret_of_the_list() {
        let all: Vec<Secret> = MADE.iter().map(|(secret, _)| Secret::new(*secret)).collect();
        for (secret, cookie) in MADE {
            let read = |secrets: &[Secret]| token(secrets, NAME, cookie).map(|t| t.expose().to_owned());
            assert_eq!(read(&all).as_deref(), Some("ory_st_AbCdEfGhIjKlMnOpQrStUvWxYz012345"));
            assert_eq!(read(&[Secret::new(secret)]).as_deref(), Some("ory_st_AbCdEfGhIjKlMnOpQrStUvWxYz012345"));
            assert_eq!(read(&[Secret::new("another-secret-of-the-tests")]), None);
        }
    }

    #[test]
    fn whatever_was_changed_is_refused() {
        let (secret, cookie) = MADE[0];
        let secrets = [Secret::new(secret)];
        assert!(token(&secrets, "another_name", cookie).is_none());
        for cut in [0, 1, 20, cookie.len() / 2, cookie.len() - 2] {
            assert!(token(&secrets, NAME, &cookie[..cut]).is_none(), "{cut}");
        }
        for place in 0..cookie.len() - 3 {
            let other = if cookie.as_bytes()[place] == b'A' { 'B' } else { 'A' };
            let mut changed = cookie.to_owned();
            changed.replace_range(place..=place, &other.to_string());
            assert!(token(&secrets, NAME, &changed).is_none(), "{place}");
        }
        for value in ["", "|", "fHx8", &"A".repeat(5000)] {
            assert!(token(&secrets, NAME, value).is_none());
        }
    }
}
