//! Mappers: Jsonnet by operators that turns a provider's claims into traits, metadata and verified addresses.

use std::time::Duration;

use portcullis_model::identity::Via;
use portcullis_model::normal;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::Claims;
use crate::app::Cx;
use crate::jsonnet::{Input, JsonnetError};
use crate::outbound::SourceError;

/// How long a mapper that came over HTTP is used before it is asked for again.
const MAX_AGE: Duration = Duration::from_secs(60 * 60);

/// The most addresses that a mapper may call verified.
const MOST_ADDRESSES: usize = 64;

/// What a mapper made of claims.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Mapped {
    /// The traits.
    pub traits: Map<String, Value>,
    /// The public metadata, where it gives some.
    pub metadata_public: Option<Value>,
    /// The metadata for administrators, where it gives some.
    pub metadata_admin: Option<Value>,
    /// Addresses that the provider vouches for, in normal form.
    pub verified_addresses: Vec<(Via, String)>,
}

/// Why a mapper is of no use.
#[derive(Debug, thiserror::Error)]
pub enum MapperError {
    /// It cannot be read.
    #[error("the mapper cannot be read: {0}")]
    Source(#[source] SourceError),
    /// It is no text.
    #[error("the mapper is not UTF-8")]
    Text,
    /// It fails.
    #[error("{0}")]
    Jsonnet(#[source] JsonnetError),
    /// It gives no object with an object `identity`.
    #[error("the mapper gives no object with an object named identity")]
    Output,
    /// It gives no traits, or something else in their place.
    #[error("the mapper gives no object identity.traits")]
    Traits,
    /// It gives metadata that is no object.
    #[error("the mapper gives metadata that is no object: {0}")]
    Metadata(&'static str),
    /// It gives verified addresses that are no list of `via` and `value`.
    #[error("the mapper gives verified_addresses that are no list of via and value")]
    Addresses,
}

/// What a mapper is given of the account: empty at sign-up.
#[must_use]
pub fn input_of(account: Option<(&Value, &Value, &Value)>) -> Value {
    let object = |value: &Value| if value.is_object() { value.clone() } else { json!({}) };
    match account {
        Some((traits, public, admin)) => {
            json!({ "traits": object(traits), "metadata_public": object(public), "metadata_admin": object(admin) })
        }
        None => json!({ "traits": {}, "metadata_public": {}, "metadata_admin": {} }),
    }
}

/// Runs a mapper in a worker with limits, on claims and on what is stored of the account: its traits, public metadata and
/// metadata for administrators. Gives what came out as it is.
///
/// # Errors
/// If the mapper cannot be read or fails.
pub async fn run(cx: &Cx, url: &str, claims: &Claims, account: Option<(&Value, &Value, &Value)>) -> Result<Value, MapperError> {
    let source = cx.snapshot.outbound.load_cached(url, MAX_AGE).await.map_err(MapperError::Source)?;
    let snippet = std::str::from_utf8(&source).map_err(|_| MapperError::Text)?;
    let (claims, identity) = (claims.for_mapper(), input_of(account));
    let variables = [("claims", &claims), ("identity", &identity)];
    cx.app.jsonnet.evaluate(snippet, Input { variables: &variables, ctx: None }).await.map_err(MapperError::Jsonnet)
}

/// As [`run`], read.
///
/// # Errors
/// Also if what comes out is not of the right kind.
pub async fn map(cx: &Cx, url: &str, claims: &Claims, account: Option<(&Value, &Value, &Value)>) -> Result<Mapped, MapperError> {
    read(&run(cx, url, claims, account).await?)
}

/// Reads what a mapper gave.
///
/// # Errors
/// If it is not of the right kind.
pub fn read(output: &Value) -> Result<Mapped, MapperError> {
    let identity = output.get("identity").and_then(Value::as_object).ok_or(MapperError::Output)?;
    let traits = identity.get("traits").and_then(Value::as_object).ok_or(MapperError::Traits)?;
    let metadata = |name: &'static str| match identity.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value @ Value::Object(_)) => Ok(Some(value.clone())),
        Some(_) => Err(MapperError::Metadata(name)),
    };
    Ok(Mapped {
        traits: traits.clone(),
        metadata_public: metadata("metadata_public")?,
        metadata_admin: metadata("metadata_admin")?,
        verified_addresses: addresses(identity.get("verified_addresses"))?,
    })
}

fn addresses(given: Option<&Value>) -> Result<Vec<(Via, String)>, MapperError> {
    let list = match given {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(list)) if list.len() <= MOST_ADDRESSES => list,
        Some(_) => return Err(MapperError::Addresses),
    };
    let one = |entry: &Value| {
        let via = entry.get("via").and_then(|via| Via::deserialize(via).ok())?;
        let value = entry.get("value").and_then(Value::as_str)?;
        Some((via, normal::address(via, value.trim())))
    };
    list.iter().map(|entry| one(entry).ok_or(MapperError::Addresses)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_of_the_right_kind_or_refused() {
        let good = read(&json!({ "identity": {
            "traits": { "email": "a@b.example" }, "metadata_public": { "a": 1 },
            "verified_addresses": [{ "via": "email", "value": " A@B.example " }],
        } }));
        let good = good.expect("good");
        assert_eq!(good.verified_addresses, [(Via::Email, "a@b.example".to_owned())]);
        assert_eq!((good.metadata_public, good.metadata_admin), (Some(json!({ "a": 1 })), None));
        for (bad, why) in [
            (json!({}), "no object with an object named identity"),
            (json!({ "identity": {} }), "traits"),
            (json!({ "identity": { "traits": "text" } }), "traits"),
            (json!({ "identity": { "traits": {}, "metadata_public": "text" } }), "metadata_public"),
            (json!({ "identity": { "traits": {}, "metadata_admin": [] } }), "metadata_admin"),
            (json!({ "identity": { "traits": {}, "verified_addresses": "text" } }), "verified_addresses"),
            (
                json!({ "identity": { "traits": {}, "verified_addresses": [{ "via": "post", "value": "x" }] } }),
                "verified_addresses",
            ),
            (json!({ "identity": { "traits": {}, "verified_addresses": [{ "via": "email" }] } }), "verified_addresses"),
        ] {
            let error = read(&bad).expect_err("bad").to_string();
            assert!(error.contains(why), "{bad}: {error}");
        }
    }
}
