//! Identity schemas of tests.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// A change of configuration that makes a schema the only one, given the `properties` of the traits and which of them are
/// required.
pub(crate) fn schema(properties: Value, required: &[&str]) -> Value {
    let schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "properties": { "traits": { "type": "object", "required": required, "additionalProperties": false, "properties": properties } },
    });
    let url = format!("base64://{}", STANDARD.encode(schema.to_string()));
    json!({ "identity": { "default_schema_id": "default", "schemas": [{ "id": "default", "url": url }] } })
}
