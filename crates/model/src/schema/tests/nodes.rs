//! Leaves and their nodes.

use serde_json::{Value, json};

use super::{person, schema_of, schema_with};
use crate::schema::{LeafKind, Scalar, trait_nodes};
use crate::ui::Group;

/// The attributes of every node, without the parts that are the same for all.
fn attributes(nodes: &[crate::ui::Node]) -> Vec<Value> {
    nodes
        .iter()
        .map(|node| {
            let mut out = serde_json::to_value(&node.attributes).unwrap();
            let map = out.as_object_mut().unwrap();
            map.remove("disabled");
            map.remove("node_type");
            out
        })
        .collect()
}

#[test]
fn every_kind_of_trait_has_its_node() {
    let schema = schema_with(json!({
        "zeta": { "type": "string", "title": "First" },
        "email": { "type": "string", "format": "email" },
        "phone": { "type": "string", "format": "tel" },
        "site": { "type": "string", "format": "uri" },
        "born": { "type": "string", "format": "date" },
        "seen": { "type": "string", "format": "date-time" },
        "loose": { "type": "string", "format": "no-validate" },
        "zip": { "type": "string", "pattern": "^[0-9]{5}$", "minLength": 2, "default": "1", "readOnly": true },
        "grade": { "type": "integer", "enum": [1, 2] },
        "ratio": { "type": "number" },
        "terms": { "type": "boolean", "const": true },
        "tags": { "type": "array", "items": { "type": "string" } },
        "sole": { "type": ["string"] },
        "rows": { "type": "array", "items": { "type": "object", "properties": { "a": { "type": "string" } } } },
        "mixed": { "type": "array", "items": { "type": ["string", "number"] } },
        "bare": { "type": "array" },
        "anything": {},
        "either": { "type": ["string", "null"] },
        "empty": { "type": "object" },
        "home": { "type": "object", "properties": { "town": { "type": "string" } }, "required": ["town"] }
    }));
    let nodes =
        trait_nodes(&schema, Group::Default, &json!({ "grade": 2, "tags": ["a"], "zeta": null, "home": { "town": "Ulm" } }));
    assert_eq!(
        attributes(&nodes),
        [
            json!({ "name": "traits.zeta", "type": "text" }),
            json!({ "name": "traits.email", "type": "email", "autocomplete": "email" }),
            json!({ "name": "traits.phone", "type": "tel", "autocomplete": "tel" }),
            json!({ "name": "traits.site", "type": "url", "autocomplete": "url" }),
            json!({ "name": "traits.born", "type": "date" }),
            json!({ "name": "traits.seen", "type": "datetime-local" }),
            json!({ "name": "traits.loose", "type": "text" }),
            json!({ "name": "traits.zip", "type": "text", "pattern": "^[0-9]{5}$" }),
            json!({ "name": "traits.grade", "type": "number", "value": 2, "options": [{ "value": 1 }, { "value": 2 }] }),
            json!({ "name": "traits.ratio", "type": "number" }),
            json!({ "name": "traits.terms", "type": "checkbox" }),
            json!({ "name": "traits.tags", "type": "text", "value": ["a"] }),
            json!({ "name": "traits.sole", "type": "text" }),
            json!({ "name": "traits.home.town", "type": "text", "value": "Ulm", "required": true }),
        ]
    );
    assert_eq!(
        serde_json::to_value(&nodes[0].meta).unwrap()["label"]["context"],
        json!({ "title": "First", "name": "traits.zeta" })
    );
    assert_eq!(serde_json::to_value(&nodes[1].meta).unwrap(), json!({}));
    assert_eq!(nodes[0].group, Group::Default);
}

#[test]
fn an_enum_offers_at_most_500_values() {
    let values: Vec<u32> = (0..900).collect();
    let schema = schema_with(json!({ "n": { "type": "integer", "enum": values } }));
    let nodes = trait_nodes(&schema, Group::Profile, &json!({}));
    assert_eq!(nodes[0].as_input().map(|i| i.options.len()), Some(500));
}

#[test]
fn leaves_stand_in_references_and_branches_too() {
    let document = json!({
        "$id": "https://example.org/a.json",
        "type": "object",
        "definitions": {
            "town": { "type": "string", "title": "Town" },
            "named": { "$id": "#named", "type": "string" },
            "my type": { "type": "boolean" },
            "tree": { "type": "object", "properties": { "label": { "type": "string" }, "child": { "$ref": "#/definitions/tree" } } }
        },
        "properties": { "traits": {
            "type": "object",
            "allOf": [{ "properties": { "early": { "type": "string" }, "late": { "format": "email", "title": "Late" } }, "required": ["late"] }],
            "properties": {
                "town": { "$ref": "#/definitions/town", "title": "not heeded in draft 7" },
                "named": { "$ref": "#named" },
                "spaced": { "$ref": "#/definitions/my%20type" },
                "far": { "$ref": "b.json#/definitions/x" },
                "late": { "type": "string" },
                "tree": { "$ref": "#/definitions/tree" },
                "split": { "allOf": [{ "type": "integer" }, { "title": "Split" }] }
            },
            "if": { "properties": { "late": { "const": "x" } } },
            "then": { "properties": { "vat": { "type": "string" } }, "required": ["vat"] },
            "else": { "properties": { "nick": { "type": "string" } } }
        } }
    });
    let other =
        json!({ "definitions": { "x": { "type": "array", "items": { "$ref": "#/definitions/y" } }, "y": { "type": "number" } } });
    let schema = crate::schema::IdentitySchema::parse_with("a", &document, &[("https://example.org/b.json".to_owned(), other)])
        .expect("a schema");
    let leaves: Vec<_> = schema.leaves().iter().map(|l| (l.name.as_str(), l.title.as_deref(), l.required)).collect();
    assert_eq!(
        leaves,
        [
            ("traits.early", None, false),
            ("traits.late", Some("Late"), true),
            ("traits.town", Some("Town"), false),
            ("traits.named", None, false),
            ("traits.spaced", None, false),
            ("traits.far", None, false),
            ("traits.tree.label", None, false),
            ("traits.split", Some("Split"), false),
            ("traits.vat", None, false),
            ("traits.nick", None, false),
        ]
    );
    let kind = |name: &str| schema.leaves().iter().find(|l| l.name == name).map(|l| l.kind.clone());
    assert_eq!(kind("traits.far"), Some(LeafKind::List(Scalar::Number)));
    assert_eq!(kind("traits.split"), Some(LeafKind::One(Scalar::Integer)));
    assert_eq!(kind("traits.late"), Some(LeafKind::One(Scalar::String)));
    assert_eq!(schema.leaves()[1].format.as_deref(), Some("email"));
}

#[test]
fn a_schema_inside_a_schema_has_its_own_address() {
    let document = json!({
        "$id": "https://example.org/a/root.json",
        "definitions": {
            "inner": {
                "$id": "sub/inner.json",
                "definitions": { "word": { "type": "string", "title": "Word" } },
                "type": "object",
                "properties": { "word": { "$ref": "#/definitions/word" }, "again": { "$ref": "inner.json#/definitions/word" } }
            }
        },
        "properties": { "traits": { "type": "object", "properties": {
            "one": { "$ref": "sub/inner.json" },
            "two": { "$ref": "https://example.org/a/sub/inner.json#/definitions/word" }
        } } }
    });
    let schema = crate::schema::IdentitySchema::parse("a", &document).expect("a schema");
    let leaves: Vec<_> = schema.leaves().iter().map(|l| (l.name.as_str(), l.title.as_deref())).collect();
    assert_eq!(leaves, [("traits.one.word", Some("Word")), ("traits.one.again", Some("Word")), ("traits.two", Some("Word"))]);
    assert_eq!(schema.validate_traits(&json!({ "one": { "word": 1 } })).len(), 1);
}

#[test]
fn a_reference_of_a_later_draft_has_company() {
    let document = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$defs": { "town": { "type": "string", "title": "Town" } },
        "properties": { "traits": { "type": "object", "properties": { "town": { "$ref": "#/$defs/town", "title": "Home town" } } } }
    });
    let schema = crate::schema::IdentitySchema::parse("a", &document).expect("a schema");
    assert_eq!(schema.leaves()[0].title.as_deref(), Some("Home town"));
    assert_eq!(schema.leaves()[0].kind, LeafKind::One(Scalar::String));
}

#[test]
fn absent_objects_are_filled_only_where_that_is_valid() {
    let schema = schema_of(json!({
        "type": "object",
        "properties": {
            "name": { "type": "object", "properties": { "first": { "type": "string" } } },
            "deep": { "type": "object", "properties": { "inner": { "type": "object", "properties": { "x": { "type": "string" } } } } },
            "strict": { "type": "object", "properties": { "must": { "type": "string" } }, "required": ["must"] },
            "half": { "type": "object", "properties": {
                "strict": { "type": "object", "properties": { "must": { "type": "string" } }, "required": ["must"] } } },
            "some": { "type": "object", "properties": { "x": { "type": "string" } }, "minProperties": 1 },
            "rows": { "type": "array", "items": { "type": "object", "properties": { "x": { "type": "string" } } } },
            "maybe": { "type": ["object", "null"], "properties": { "x": { "type": "string" } } },
            "open": { "type": "object" }
        }
    }));
    for (sent, filled) in [
        (json!({}), json!({ "name": {}, "deep": { "inner": {} }, "half": {}, "open": {} })),
        (
            json!({ "deep": {}, "name": { "first": "A" }, "rows": [{}], "half": { "strict": {} } }),
            json!({ "deep": { "inner": {} }, "name": { "first": "A" }, "rows": [{}], "half": { "strict": {} }, "open": {} }),
        ),
        (json!({ "name": "text", "deep": null }), json!({ "name": "text", "deep": null, "half": {}, "open": {} })),
        (json!([1]), json!([1])),
        (json!("x"), json!("x")),
    ] {
        let mut traits = sent.clone();
        schema.fill_absent_objects(&mut traits);
        assert_eq!(traits, filled, "{sent}");
    }
    let mut traits = json!({ "email": "a@b" });
    person().fill_absent_objects(&mut traits);
    assert_eq!(traits, json!({ "email": "a@b", "name": {} }));
}
