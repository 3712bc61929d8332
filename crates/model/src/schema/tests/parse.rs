//! What is an identity schema, and what is none.

use serde_json::{Value, json};

use super::{person, schema_with};
use crate::schema::{IdentitySchema, SchemaError};

fn refusal(document: &Value) -> SchemaError {
    IdentitySchema::parse("x", document).expect_err("no schema")
}

fn with_trait(description: Value) -> Value {
    json!({ "properties": { "traits": { "type": "object", "properties": { "a": description } } } })
}

#[test]
fn a_schema_keeps_its_id_and_document() {
    let schema = person();
    assert_eq!(schema.id(), "person");
    assert_eq!(schema.document()["$id"], "https://example.org/person.schema.json");
}

#[test]
fn what_does_not_describe_traits_is_refused() {
    assert!(matches!(refusal(&json!([])), SchemaError::NotAnObject));
    assert!(matches!(refusal(&json!(true)), SchemaError::NotAnObject));
    for document in [
        json!({}),
        json!({ "properties": {} }),
        json!({ "properties": { "traits": {} } }),
        json!({ "properties": { "traits": { "type": "object" } } }),
        json!({ "properties": { "traits": true } }),
    ] {
        assert!(matches!(refusal(&document), SchemaError::NoTraits), "{document}");
    }
    assert!(IdentitySchema::parse("x", &json!({ "properties": { "traits": { "properties": {} } } })).is_ok());
    assert!(
        IdentitySchema::parse(
            "x",
            &json!({ "definitions": { "t": { "properties": {} } }, "properties": { "traits": { "$ref": "#/definitions/t" } } })
        )
        .is_ok()
    );
}

#[test]
fn faulty_json_schemas_are_refused() {
    for description in [
        json!({ "type": "strong" }),
        json!({ "minLength": "3" }),
        json!({ "pattern": "(" }),
        json!({ "required": "a" }),
        json!(7),
    ] {
        assert!(matches!(refusal(&with_trait(description.clone())), SchemaError::Invalid { .. }), "{description}");
    }
}

#[test]
fn references_lead_somewhere_and_nothing_is_fetched() {
    for reference in ["#/definitions/nobody", "#nobody", "http://127.0.0.1:1/x.json", "file:///etc/hostname", "other.json"] {
        let error = refusal(&with_trait(json!({ "$ref": reference })));
        assert!(matches!(error, SchemaError::Invalid { .. } | SchemaError::Reference(_)), "{error}");
    }
}

#[test]
fn any_kind_of_id_will_do() {
    for id in [
        "https://example.org/x.json",
        "https://example.org/x.json#",
        "person.schema.json",
        "a/b.json",
        "urn:example:person",
        "preset://person",
        "",
    ] {
        let document = json!({
            "$id": id,
            "definitions": { "word": { "type": "string" }, "odd %/~ name": { "type": "object", "properties": { "x": { "type": "string" } } } },
            "properties": { "traits": {
                "type": "object",
                "properties": { "a": { "$ref": "#/definitions/word" }, "b": { "$ref": "#/definitions/odd%20%25~1~0%20name" } },
                "anyOf": [{ "properties": { "a": { "$ref": "#/definitions/word" } } }]
            } }
        });
        let schema = IdentitySchema::parse("x", &document).unwrap_or_else(|e| panic!("{id}: {e}"));
        let names: Vec<_> = schema.leaves().iter().map(|l| l.name.as_str()).collect();
        assert_eq!(names, ["traits.a", "traits.b.x"], "{id}");
        let mut traits = json!({});
        schema.fill_absent_objects(&mut traits);
        assert_eq!(traits, json!({ "b": {} }), "{id}");
    }
}

#[test]
fn marks_are_read_strictly() {
    for marks in [
        json!(true),
        json!({ "verification": { "via": "pigeon" } }),
        json!({ "recovery": { "via": 1 } }),
        json!({ "credentials": { "password": { "identifier": "yes" } } }),
        json!({ "credentials": { "code": { "identifier": true, "via": "fax" } } }),
    ] {
        let error = refusal(&with_trait(json!({ "type": "string", "ory.sh/kratos": marks })));
        assert!(matches!(&error, SchemaError::Extension { node, .. } if node == "traits.a"), "{error}");
    }
    for (format, fine) in [
        ("email", true),
        ("tel", true),
        ("date", true),
        ("time", true),
        ("date-time", true),
        ("no-validate", true),
        ("uri", false),
    ] {
        let document =
            with_trait(json!({ "type": "string", "format": format, "ory.sh/kratos": { "verification": { "via": "email" } } }));
        assert_eq!(IdentitySchema::parse("x", &document).is_ok(), fine, "{format}");
    }
    schema_with(json!({ "a": { "type": "string", "ory.sh/kratos": { "credentials": { "future": { "x": 1 } }, "more": 1 } } }));
}

#[test]
fn schemas_that_never_end_are_refused() {
    let mut definitions = serde_json::Map::new();
    for level in 0..40 {
        let next = json!({ "$ref": format!("#/definitions/d{}", level + 1) });
        definitions.insert(format!("d{level}"), json!({ "type": "object", "properties": { "a": next, "b": next } }));
    }
    definitions.insert("d40".to_owned(), json!({ "type": "string" }));
    let doubling = json!({ "definitions": definitions, "properties": { "traits": { "$ref": "#/definitions/d0" } } });
    assert!(matches!(refusal(&doubling), SchemaError::TooBig));

    let mut deep = json!({ "type": "string" });
    for _ in 0..60 {
        deep = json!({ "type": "object", "properties": { "a": deep } });
    }
    assert!(matches!(refusal(&with_trait(deep)), SchemaError::TooBig));
}
