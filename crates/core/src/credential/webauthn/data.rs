//! Authenticator data (W3C Web Authentication, section 6.1) and attestation objects (section 6.5).

use super::algorithm::PublicKey;
use super::cbor::{Item, Malformed, Reader};

/// The longest credential id (section 4, "Credential ID").
const MAX_ID: usize = 1023;

/// What an authenticator says about how it was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags(u8);

impl Flags {
    /// Somebody touched it.
    #[must_use]
    pub fn user_present(self) -> bool {
        self.0 & 0x01 != 0
    }

    /// It made sure who that is: a PIN, a finger, a face.
    #[must_use]
    pub fn user_verified(self) -> bool {
        self.0 & 0x04 != 0
    }

    /// The key may be copied to other devices of its owner.
    #[must_use]
    pub fn backup_eligible(self) -> bool {
        self.0 & 0x08 != 0
    }

    /// The key is copied to other devices now.
    #[must_use]
    pub fn backup_state(self) -> bool {
        self.0 & 0x10 != 0
    }

    fn has_key(self) -> bool {
        self.0 & 0x40 != 0
    }

    fn has_extensions(self) -> bool {
        self.0 & 0x80 != 0
    }
}

/// A new key.
#[derive(Clone, Debug)]
pub(super) struct NewKey<'a> {
    /// The make of the authenticator.
    pub(super) aaguid: &'a [u8; 16],
    /// The key's id.
    pub(super) id: &'a [u8],
    /// The public key, as it was sent.
    pub(super) public_key: &'a [u8],
}

/// Authenticator data.
#[derive(Clone, Debug)]
pub(super) struct AuthenticatorData<'a> {
    /// SHA-256 of the site's id.
    pub(super) site: &'a [u8; 32],
    /// How it was used.
    pub(super) flags: Flags,
    /// How often the key signed; 0 if the authenticator does not count.
    pub(super) sign_count: u32,
    /// A new key, at registration.
    pub(super) new_key: Option<NewKey<'a>>,
}

impl<'a> AuthenticatorData<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let (site, rest) = bytes.split_first_chunk::<32>().ok_or(Malformed)?;
        let ([flags], rest) = rest.split_first_chunk::<1>().ok_or(Malformed)?;
        let (count, mut rest) = rest.split_first_chunk::<4>().ok_or(Malformed)?;
        let flags = Flags(*flags);
        let mut new_key = None;
        if flags.has_key() {
            let (aaguid, after) = rest.split_first_chunk::<16>().ok_or(Malformed)?;
            let (length, after) = after.split_first_chunk::<2>().ok_or(Malformed)?;
            let length = usize::from(u16::from_be_bytes(*length));
            let (id, after) = after.split_at_checked(length).filter(|_| (1..=MAX_ID).contains(&length)).ok_or(Malformed)?;
            let mut reader = Reader::new(after);
            PublicKey::read(&mut reader)?;
            let public_key = after.get(..after.len() - reader.rest().len()).ok_or(Malformed)?;
            rest = reader.rest();
            new_key = Some(NewKey { aaguid, id, public_key });
        }
        if flags.has_extensions() {
            let mut reader = Reader::new(rest);
            reader.skip()?;
            rest = reader.rest();
        }
        if !rest.is_empty() {
            return Err(Malformed);
        }
        Ok(Self { site, flags, sign_count: u32::from_be_bytes(*count), new_key })
    }
}

/// An attestation object: authenticator data, and the make of the statement about it, which nobody judges.
#[derive(Clone, Debug)]
pub(super) struct Attestation<'a> {
    /// The statement's format, `none` if there is no statement.
    pub(super) format: &'a str,
    /// The authenticator data.
    pub(super) data: &'a [u8],
}

impl<'a> Attestation<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let (mut format, mut data) = (None, None);
        for _ in 0..reader.map()? {
            let Item::Text(name) = reader.item()? else { return Err(Malformed) };
            match name {
                "fmt" => match reader.item()? {
                    Item::Text(text) => format = Some(text),
                    _ => return Err(Malformed),
                },
                "authData" => match reader.item()? {
                    Item::Bytes(bytes) => data = Some(bytes),
                    _ => return Err(Malformed),
                },
                _ => reader.skip()?,
            }
        }
        match (format, data) {
            (Some(format), Some(data)) if reader.rest().is_empty() => Ok(Self { format, data }),
            _ => Err(Malformed),
        }
    }
}
