//! The answer of a browser to a ceremony: a `PublicKeyCredential` as JSON (W3C Web Authentication, Level 3, section 5.1.8).

use serde::Deserialize;

use super::cbor::Malformed;
use super::from_base64;

/// The longest answer that is looked at, in bytes. Attestation statements carry certificates; nothing is as long as this.
pub const MAX_ANSWER: usize = 128 * 1024;

/// An answer whose parts are there. None of them is judged.
#[derive(Clone)]
pub struct Answer {
    /// The id of the key.
    pub id: Vec<u8>,
    /// The user handle that the key was made for, if the authenticator tells.
    pub user_handle: Option<Vec<u8>>,
    pub(super) client_data: Vec<u8>,
    pub(super) part: Part,
    pub(super) transports: Vec<String>,
}

/// What belongs to one of the two ceremonies.
#[derive(Clone)]
pub(super) enum Part {
    /// Making a key.
    Attestation(Vec<u8>),
    /// Using one.
    Assertion { data: Vec<u8>, signature: Vec<u8> },
}

/// The transports that the API knows (section 5.8.4); others are left out.
const TRANSPORTS: [&str; 6] = ["usb", "nfc", "ble", "smart-card", "hybrid", "internal"];

#[derive(Deserialize)]
struct Raw {
    id: String,
    #[serde(rename = "rawId")]
    raw_id: String,
    #[serde(rename = "type")]
    kind: String,
    response: RawResponse,
}

#[derive(Deserialize)]
struct RawResponse {
    #[serde(rename = "clientDataJSON")]
    client_data: String,
    #[serde(rename = "attestationObject", default)]
    attestation: Option<String>,
    #[serde(rename = "authenticatorData", default)]
    data: Option<String>,
    #[serde(default)]
    signature: Option<String>,
    #[serde(rename = "userHandle", default)]
    user_handle: Option<String>,
    #[serde(default)]
    transports: Option<Vec<String>>,
}

impl Answer {
    /// Reads an answer.
    ///
    /// # Errors
    /// If it is too long, no JSON, or lacks a part.
    pub(super) fn read(text: &str) -> Result<Self, Malformed> {
        if text.len() > MAX_ANSWER {
            return Err(Malformed);
        }
        let raw: Raw = serde_json::from_str(text).map_err(|_| Malformed)?;
        let bytes = |text: &str| from_base64(text).ok_or(Malformed);
        let id = bytes(&raw.raw_id)?;
        if raw.kind != "public-key" || id.is_empty() || bytes(&raw.id)? != id {
            return Err(Malformed);
        }
        let response = raw.response;
        let part = match (response.attestation, response.data, response.signature) {
            (Some(attestation), ..) => Part::Attestation(bytes(&attestation)?),
            (None, Some(data), Some(signature)) => Part::Assertion { data: bytes(&data)?, signature: bytes(&signature)? },
            _ => return Err(Malformed),
        };
        let user_handle = match response.user_handle.as_deref() {
            None | Some("") => None,
            Some(text) => Some(bytes(text)?),
        };
        let known = |transport: &String| TRANSPORTS.contains(&transport.as_str());
        let mut transports: Vec<String> = response.transports.unwrap_or_default().into_iter().filter(known).collect();
        transports.truncate(TRANSPORTS.len());
        Ok(Self { id, user_handle, client_data: bytes(&response.client_data)?, part, transports })
    }
}

/// What the browser signs beside the authenticator's data (section 5.8.1).
#[derive(Deserialize)]
pub(super) struct ClientData {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) challenge: String,
    pub(super) origin: String,
    #[serde(rename = "crossOrigin", default)]
    pub(super) cross_origin: Option<bool>,
}
