//! Judging the answer to a ceremony: making a key (W3C Web Authentication, section 7.1) and using one (section 7.2).
//!
//! Both take the challenge that the flow gave out, and say no more than whether all checks passed. They change nothing:
//! that a challenge counts once and a counter never goes back is for whoever calls them to save.

use aws_lc_rs::digest::{SHA256, digest};

use super::algorithm::PublicKey;
use super::answer::{Answer, ClientData, Part};
use super::cbor::Malformed;
use super::data::{Attestation, AuthenticatorData, Flags};
use super::key::Key;
use super::options::Site;
use super::{from_base64, to_stored};
use crate::crypto::secrets;

/// Whether the authenticator must have made sure who uses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verification {
    /// It must.
    Required,
    /// That somebody touched it is enough.
    Optional,
}

/// Why an answer is not accepted. The texts are told at registration; at sign-in nobody is told which it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It lacks a part, or a part cannot be read.
    #[error("the answer of the key cannot be read")]
    Unreadable,
    /// It answers another ceremony.
    #[error("the key answered another question")]
    Ceremony,
    /// It answers another challenge, or an old one.
    #[error("the key answered an older question; reload the page and try again")]
    Challenge,
    /// It was made on another site's page, or inside one.
    #[error("the key was used on a page of another site")]
    Origin,
    /// It was made for another site.
    #[error("the key belongs to another site")]
    Site,
    /// Nobody touched the authenticator.
    #[error("the key was not touched")]
    NotPresent,
    /// The authenticator did not make sure who used it.
    #[error("the key did not check who you are; set up its PIN, finger or face first")]
    NotVerified,
    /// The flags about copies contradict themselves or what was known of the key.
    #[error("the key contradicts itself about being copied to other devices")]
    Backup,
    /// The key is none of those that may be used.
    #[error("the key is not known here")]
    Unknown,
    /// The key names another person.
    #[error("the key belongs to another account")]
    UserHandle,
    /// The signature is not the key's.
    #[error("the signature of the key is wrong")]
    Signature,
    /// The key signed fewer times than before: somebody may have a copy.
    #[error("the key may have been copied")]
    Copied,
}

impl From<Malformed> for Refused {
    fn from(_: Malformed) -> Self {
        Self::Unreadable
    }
}

impl Answer {
    /// Reads what a browser sent.
    ///
    /// # Errors
    /// [`Refused::Unreadable`] if it is too long, no JSON, or lacks a part.
    pub fn parse(text: &str) -> Result<Self, Refused> {
        Ok(Self::read(text)?)
    }
}

/// A key that was made.
#[derive(Clone, Debug)]
pub struct Made {
    pub(super) id: String,
    pub(super) public_key: String,
    pub(super) attestation: String,
    pub(super) aaguid: String,
    pub(super) sign_count: u32,
    pub(super) flags: Flags,
    pub(super) transports: Vec<String>,
}

/// A key that was used: what is to be written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asserted {
    /// The signature count that it reports.
    pub sign_count: u32,
    /// How it was used.
    pub flags: Flags,
}

/// Judges the making of a key. What the authenticator says of its make is not judged.
///
/// # Errors
/// The first check that fails.
pub fn made(site: &Site, verification: Verification, challenge: &[u8], answer: &Answer) -> Result<Made, Refused> {
    let Part::Attestation(attestation) = &answer.part else { return Err(Refused::Unreadable) };
    check_client(site, "webauthn.create", challenge, &answer.client_data)?;
    let attestation = Attestation::read(attestation)?;
    let data = AuthenticatorData::read(attestation.data)?;
    check_data(site, verification, &data)?;
    let key = data.new_key.ok_or(Refused::Unreadable)?;
    if key.id != answer.id {
        return Err(Refused::Unreadable);
    }
    Ok(Made {
        id: to_stored(key.id),
        public_key: to_stored(key.public_key),
        attestation: attestation.format.chars().take(32).collect(),
        aaguid: to_stored(key.aaguid),
        sign_count: data.sign_count,
        flags: data.flags,
        transports: answer.transports.clone(),
    })
}

/// Judges the use of a key. `user_handle`: the one that it was made for, if that is known.
///
/// # Errors
/// The first check that fails.
pub fn proved(
    site: &Site,
    verification: Verification,
    challenge: &[u8],
    key: Key<'_>,
    user_handle: Option<&[u8]>,
    answer: &Answer,
) -> Result<Asserted, Refused> {
    let Part::Assertion { data: signed, signature } = &answer.part else { return Err(Refused::Unreadable) };
    if key.id().is_none_or(|id| id != answer.id) {
        return Err(Refused::Unknown);
    }
    if let (Some(told), Some(known)) = (&answer.user_handle, user_handle)
        && told != known
    {
        return Err(Refused::UserHandle);
    }
    check_client(site, "webauthn.get", challenge, &answer.client_data)?;
    let data = AuthenticatorData::read(signed)?;
    check_data(site, verification, &data)?;
    if key.backup_eligible().is_some_and(|known| known != data.flags.backup_eligible()) {
        return Err(Refused::Backup);
    }
    let stored = key.public_key().ok_or(Refused::Unknown)?;
    let public_key = PublicKey::of(&stored).map_err(|_| Refused::Unknown)?;
    let message = [signed.as_slice(), digest(&SHA256, &answer.client_data).as_ref()].concat();
    if !public_key.verifies(&message, signature) {
        return Err(Refused::Signature);
    }
    Ok(Asserted { sign_count: data.sign_count, flags: data.flags })
}

fn check_client(site: &Site, ceremony: &str, challenge: &[u8], json: &[u8]) -> Result<(), Refused> {
    let client: ClientData = serde_json::from_slice(json).map_err(|_| Refused::Unreadable)?;
    if client.kind != ceremony {
        return Err(Refused::Ceremony);
    }
    let answered = from_base64(&client.challenge).unwrap_or_default();
    if challenge.is_empty() || !secrets::eq(answered, challenge) {
        return Err(Refused::Challenge);
    }
    // A page inside another site's page shows its owner nothing of where the key is used.
    if !site.has_origin(&client.origin) || client.cross_origin == Some(true) {
        return Err(Refused::Origin);
    }
    Ok(())
}

fn check_data(site: &Site, verification: Verification, data: &AuthenticatorData<'_>) -> Result<(), Refused> {
    if digest(&SHA256, site.id.as_bytes()).as_ref() != data.site {
        return Err(Refused::Site);
    }
    if !data.flags.user_present() {
        return Err(Refused::NotPresent);
    }
    if verification == Verification::Required && !data.flags.user_verified() {
        return Err(Refused::NotVerified);
    }
    if data.flags.backup_state() && !data.flags.backup_eligible() {
        return Err(Refused::Backup);
    }
    Ok(())
}
