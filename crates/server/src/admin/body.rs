//! Bodies of the admin API: how they are decoded, and the members that they may have.

use portcullis_core::flow::engine::{MediaType, Request};
use portcullis_model::error::ApiError;
use portcullis_model::identity::RecoveryAddress;
use portcullis_model::identity::{AddressStatus, State, VerifiableAddress, Via};
use portcullis_model::json;
use portcullis_model::normal;
use portcullis_model::time::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use uuid::Uuid;

/// The regions that a body may name. They are checked and then forgotten: there is one place where data lives.
const REGIONS: [&str; 8] = ["eu-central", "asia-northeast", "us-east", "us-west", "eu", "asia", "us", "global"];

/// The body as JSON, whatever its content type says.
///
/// # Errors
/// 400.
pub fn json(request: &Request) -> Result<Value, ApiError> {
    json::parse(&request.body).map_err(|e| ApiError::bad_request(format!("The body cannot be read: {e}.")))
}

/// The body as JSON of a known shape, whatever its content type says.
///
/// # Errors
/// 400.
pub fn read<T: DeserializeOwned>(request: &Request) -> Result<T, ApiError> {
    let value = json(request)?;
    // Lists would pass for structs, member by member.
    if !value.is_object() {
        return Err(ApiError::bad_request("The body must be a JSON object."));
    }
    serde_json::from_value(value).map_err(|e| ApiError::bad_request(format!("The body cannot be used: {e}.")))
}

/// As [`read`], if the content type is JSON.
///
/// # Errors
/// 400.
pub fn read_as_json<T: DeserializeOwned>(request: &Request) -> Result<T, ApiError> {
    if request.media_type != MediaType::Json {
        return Err(ApiError::bad_request("The body must come with the content type application/json."));
    }
    read(request)
}

/// Tells null from absent: `Some(Null)` where serde would say `None`.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// What creates an identity.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Create {
    /// The schema; empty or absent: the default one.
    pub schema_id: Option<String>,
    /// The traits; absent: none.
    #[serde(deserialize_with = "given")]
    pub traits: Option<Value>,
    /// Credentials to import.
    pub credentials: Option<Value>,
    /// What is known of addresses that the traits give.
    pub verifiable_addresses: Option<Vec<StrictAddress>>,
    /// Looked at and passed over: recovery addresses have nothing that could be said of them.
    pub recovery_addresses: Option<Vec<StrictRecoveryAddress>>,
    /// Public metadata.
    pub metadata_public: Option<Value>,
    /// Metadata for administrators.
    #[serde(deserialize_with = "given")]
    pub metadata_admin: Option<Value>,
    /// `active` or `inactive`; empty or absent: active.
    pub state: Option<String>,
    /// The external id; empty: none.
    pub external_id: Option<String>,
    /// Kept as given.
    pub organization_id: Option<Uuid>,
    /// Checked only.
    pub region: Option<String>,
}

/// What replaces an identity.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Replace {
    /// The schema; empty or absent: the present one.
    pub schema_id: Option<String>,
    /// The traits; absent: none.
    #[serde(deserialize_with = "given")]
    pub traits: Option<Value>,
    /// Credentials to import; absent: none.
    pub credentials: Option<Value>,
    /// Public metadata; absent: none.
    pub metadata_public: Option<Value>,
    /// Metadata for administrators; absent: none.
    #[serde(deserialize_with = "given")]
    pub metadata_admin: Option<Value>,
    /// `active` or `inactive`; empty or absent: as it is.
    pub state: Option<String>,
    /// The external id; absent or empty: none.
    pub external_id: Option<String>,
    /// Checked only.
    pub region: Option<String>,
}

/// An address to verify, where unknown members are refused.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StrictAddress {
    value: String,
    via: Option<Via>,
    verified: Option<bool>,
    status: Option<String>,
    verified_at: Option<Timestamp>,
    #[serde(rename = "id")]
    _id: Option<Uuid>,
    #[serde(rename = "created_at")]
    _created_at: Option<Timestamp>,
    #[serde(rename = "updated_at")]
    _updated_at: Option<Timestamp>,
}

/// An address to verify, where unknown members are passed over.
#[derive(Deserialize)]
pub struct Address {
    value: String,
    via: Option<Via>,
    verified: Option<bool>,
    status: Option<String>,
    verified_at: Option<Timestamp>,
}

impl From<StrictAddress> for Address {
    fn from(given: StrictAddress) -> Self {
        let StrictAddress { value, via, verified, status, verified_at, .. } = given;
        Self { value, via, verified, status, verified_at }
    }
}

impl Address {
    /// The address as the identity is to hold it, in normal form, without an id yet. Whether it was verified decides over
    /// when; a verified one without status is completed, one without time is verified now.
    ///
    /// # Errors
    /// 400 if the status is none.
    pub fn known(self, now: Timestamp) -> Result<VerifiableAddress, ApiError> {
        let via = self.via.unwrap_or(Via::Email);
        let verified = self.verified.unwrap_or(false);
        let status = match self.status.as_deref() {
            None | Some("") if verified => AddressStatus::Completed,
            None | Some("" | "pending") => AddressStatus::Pending,
            Some("sent") => AddressStatus::Sent,
            Some("completed") => AddressStatus::Completed,
            Some(_) => {
                return Err(ApiError::bad_request("The status of an address is pending, sent or completed."));
            }
        };
        Ok(VerifiableAddress {
            id: Uuid::nil(),
            value: normal::address(via, &self.value),
            verified,
            via,
            status,
            verified_at: verified.then(|| self.verified_at.unwrap_or(now)),
            created_at: now,
            updated_at: now,
        })
    }
}

/// A recovery address, where unknown members are refused.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StrictRecoveryAddress {
    #[serde(rename = "value")]
    _value: String,
    #[serde(rename = "via")]
    _via: Option<Via>,
    #[serde(rename = "id")]
    _id: Option<Uuid>,
    #[serde(rename = "created_at")]
    _created_at: Option<Timestamp>,
    #[serde(rename = "updated_at")]
    _updated_at: Option<Timestamp>,
    #[serde(rename = "break_glass_for_organization")]
    _organization: Option<Uuid>,
}

/// A recovery address, where unknown members are passed over.
#[derive(Deserialize)]
pub struct AnyRecoveryAddress {
    value: String,
    via: Option<Via>,
}

impl AnyRecoveryAddress {
    /// The address in normal form, without an id yet.
    pub fn known(self, now: Timestamp) -> RecoveryAddress {
        let via = self.via.unwrap_or(Via::Email);
        let value = normal::address(via, &self.value);
        RecoveryAddress { id: Uuid::nil(), value, via, created_at: now, updated_at: now }
    }
}

/// A state that a body names; `None` if it names none.
///
/// # Errors
/// 400 for another word.
pub fn state(word: Option<&str>) -> Result<Option<State>, ApiError> {
    match word {
        None | Some("") => Ok(None),
        Some("active") => Ok(Some(State::Active)),
        Some("inactive") => Ok(Some(State::Inactive)),
        Some(_) => Err(ApiError::bad_request("The state of an identity is active or inactive.")),
    }
}

/// Checks a region.
///
/// # Errors
/// 400 if there is no such region.
pub fn region(word: Option<&str>) -> Result<(), ApiError> {
    match word {
        None | Some("") => Ok(()),
        Some(word) if REGIONS.contains(&word) => Ok(()),
        Some(_) => Err(ApiError::bad_request(format!("The region is one of {}.", REGIONS.join(", ")))),
    }
}

/// Traits must be an object; absent ones are an empty one.
///
/// # Errors
/// 400.
pub fn traits(given: Option<Value>) -> Result<Value, ApiError> {
    match given {
        None => Ok(Value::Object(Map::new())),
        Some(object @ Value::Object(_)) => Ok(object),
        Some(_) => Err(ApiError::bad_request("Traits must be a JSON object.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(text: &str) -> Result<VerifiableAddress, ApiError> {
        serde_json::from_str::<Address>(text).unwrap().known(Timestamp::from_seconds(7))
    }

    #[test]
    fn what_is_said_of_an_address_is_made_consistent() {
        let at = |text: &str| Timestamp::parse(text).ok();
        let now = Some(Timestamp::from_seconds(7));
        for (text, verified, status, verified_at) in [
            (r#"{"value": "A@b.c"}"#, false, AddressStatus::Pending, None),
            (r#"{"value": "a@b.c", "verified": false, "status": "sent"}"#, false, AddressStatus::Sent, None),
            (r#"{"value": "a@b.c", "verified": true}"#, true, AddressStatus::Completed, now),
            (r#"{"value": "a@b.c", "verified": true, "status": "pending"}"#, true, AddressStatus::Pending, now),
            (
                r#"{"value": "a@b.c", "verified": true, "verified_at": "2020-02-03T04:05:06Z"}"#,
                true,
                AddressStatus::Completed,
                at("2020-02-03T04:05:06Z"),
            ),
            (
                r#"{"value": "a@b.c", "verified": false, "verified_at": "2020-02-03T04:05:06Z"}"#,
                false,
                AddressStatus::Pending,
                None,
            ),
        ] {
            let address = known(text).unwrap();
            assert_eq!(
                (address.verified, address.status, address.verified_at, address.value.as_str()),
                (verified, status, verified_at, "a@b.c"),
                "{text}"
            );
        }
        assert!(known(r#"{"value": "a@b.c", "status": "lost"}"#).is_err());
    }

    #[test]
    fn absent_and_null_are_told_apart() {
        let absent: Create = serde_json::from_str("{}").unwrap();
        assert!(absent.traits.is_none() && absent.metadata_admin.is_none());
        let null: Create = serde_json::from_str(r#"{"traits": null, "metadata_admin": null}"#).unwrap();
        assert_eq!(null.traits, Some(Value::Null));
        assert_eq!(null.metadata_admin, Some(Value::Null));
        assert!(serde_json::from_str::<Create>(r#"{"nickname": 1}"#).is_err());
        assert!(serde_json::from_str::<Replace>(r#"{"nickname": 1}"#).is_ok());
    }
}
