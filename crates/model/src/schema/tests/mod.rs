//! Schemas as operators write them, and what becomes of traits under them.

mod derive;
mod form;
mod nodes;
mod parse;
mod validation;

use serde_json::{Value, json};

use super::IdentitySchema;

/// A schema whose traits are described by `traits`.
pub(super) fn schema_of(traits: Value) -> IdentitySchema {
    let document =
        json!({ "$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "properties": { "traits": traits } });
    IdentitySchema::parse("test", &document).expect("a schema")
}

/// A schema with the given properties of the traits, in this order.
pub(super) fn schema_with(properties: Value) -> IdentitySchema {
    schema_of(json!({ "type": "object", "properties": properties, "additionalProperties": false }))
}

/// A person with an address by which they sign in, a name, and more.
pub(super) fn person() -> IdentitySchema {
    let document = json!({
        "$id": "https://example.org/person.schema.json",
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "properties": { "traits": {
            "type": "object",
            "properties": {
                "email": { "type": "string", "format": "email", "title": "E-Mail", "minLength": 3, "ory.sh/kratos": {
                    "credentials": {
                        "password": { "identifier": true }, "webauthn": { "identifier": true },
                        "passkey": { "display_name": true }, "totp": { "account_name": true },
                        "code": { "identifier": true, "via": "email" }
                    },
                    "verification": { "via": "email" }, "recovery": { "via": "email" }
                } },
                "name": { "type": "object", "properties": {
                    "first": { "type": "string", "title": "First Name", "maxLength": 40 },
                    "last": { "type": "string", "title": "Last Name" }
                } },
                "age": { "type": "integer", "title": "Age", "minimum": 18 },
                "newsletter": { "type": "boolean", "title": "Newsletter" },
                "website": { "type": "string", "format": "uri", "title": "Website" }
            },
            "required": ["email"],
            "additionalProperties": false
        } }
    });
    IdentitySchema::parse("person", &document).expect("a schema")
}
