//! Mistakes in traits, and where they are told.

use serde_json::{Value, json};

use super::{person, schema_of, schema_with};
use crate::schema::IdentitySchema;

/// Node, message id and context of every problem; prose left out.
fn told(schema: &IdentitySchema, traits: &Value) -> Vec<(String, u32, Value)> {
    let problems = schema.validate_traits(traits);
    problems
        .into_iter()
        .map(|p| {
            let mut context = p.message.context;
            context.shift_remove("reason");
            (p.node, p.message.id, Value::Object(context))
        })
        .collect()
}

fn expect(schema: &IdentitySchema, traits: &Value, expected: &[(&str, u32, Value)]) {
    let expected: Vec<_> = expected.iter().map(|(node, id, context)| ((*node).to_owned(), *id, context.clone())).collect();
    assert_eq!(told(schema, traits), expected, "{traits}");
}

#[test]
fn every_keyword_has_its_message() {
    let schema = schema_with(json!({
        "zeta": { "type": "string" },
        "short": { "type": "string", "minLength": 3, "maxLength": 5 },
        "zip": { "type": "string", "pattern": "^[0-9]{5}$" },
        "colour": { "type": "string", "enum": ["red", "green"] },
        "terms": { "type": "boolean", "const": true },
        "birthday": { "type": "string", "format": "date" },
        "seen": { "type": "string", "format": "date-time" },
        "site": { "type": "string", "format": "uri" },
        "phone": { "type": "string", "format": "tel" },
        "email": { "type": "string", "format": "email" },
        "loose": { "type": "string", "format": "no-validate" },
        "age": { "type": "integer", "minimum": 18, "maximum": 120 },
        "ratio": { "type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1 },
        "step": { "type": "number", "multipleOf": 5 },
        "height": { "type": "number", "multipleOf": 0.01 },
        "tags": { "type": "array", "items": { "type": "string" }, "minItems": 1, "maxItems": 3, "uniqueItems": true },
        "either": { "type": ["string", "null"] },
        "none": false
    }));
    for (name, value, id, context) in [
        ("short", json!("ab"), 4_000_003, json!({ "min_length": 3, "actual_length": 2 })),
        ("short", json!(""), 4_000_003, json!({ "min_length": 3, "actual_length": 0 })),
        ("short", json!("ääääää"), 4_000_017, json!({ "max_length": 5, "actual_length": 6 })),
        ("zip", json!("1234"), 4_000_004, json!({ "pattern": "^[0-9]{5}$" })),
        ("zeta", json!(7), 4_000_026, json!({ "allowed_types": ["string"], "actual_type": "number" })),
        ("zeta", json!(null), 4_000_026, json!({ "allowed_types": ["string"], "actual_type": "null" })),
        ("colour", json!("mauve"), 4_000_001, json!({})),
        ("colour", json!(7), 4_000_026, json!({ "allowed_types": ["string"], "actual_type": "number" })),
        ("terms", json!(false), 4_000_029, json!({ "expected": "true" })),
        ("terms", json!("true"), 4_000_026, json!({ "allowed_types": ["boolean"], "actual_type": "string" })),
        ("birthday", json!("1815-13-10"), 4_000_001, json!({})),
        ("birthday", json!(5), 4_000_026, json!({ "allowed_types": ["string"], "actual_type": "number" })),
        ("seen", json!("yesterday"), 4_000_001, json!({})),
        ("site", json!("example"), 4_000_001, json!({})),
        ("site", json!("/x"), 4_000_001, json!({})),
        ("site", json!("no url"), 4_000_001, json!({})),
        ("phone", json!("12"), 4_000_041, json!({ "value": "12" })),
        ("phone", json!("01761234567"), 4_000_041, json!({ "value": "01761234567" })),
        ("email", json!("nonsense"), 4_000_040, json!({ "value": "nonsense" })),
        ("email", json!(""), 4_000_040, json!({ "value": "" })),
        ("age", json!(17), 4_000_018, json!({ "minimum": 18, "actual": 17 })),
        ("age", json!(121), 4_000_020, json!({ "maximum": 120, "actual": 121 })),
        ("age", json!(20.5), 4_000_026, json!({ "allowed_types": ["integer"], "actual_type": "number" })),
        ("age", json!("20"), 4_000_026, json!({ "allowed_types": ["integer"], "actual_type": "string" })),
        ("ratio", json!(0), 4_000_019, json!({ "minimum": 0, "actual": 0 })),
        ("ratio", json!(1), 4_000_021, json!({ "maximum": 1, "actual": 1 })),
        ("step", json!(7), 4_000_022, json!({ "base": 5, "actual": 7 })),
        ("step", json!(true), 4_000_026, json!({ "allowed_types": ["number"], "actual_type": "boolean" })),
        ("height", json!(1.005), 4_000_022, json!({ "base": 0.01, "actual": 1.005 })),
        ("tags", json!([]), 4_000_024, json!({ "min_items": 1, "actual_items": 0 })),
        ("tags", json!(["a", "b", "c", "d"]), 4_000_023, json!({ "max_items": 3, "actual_items": 4 })),
        ("tags", json!(["a", "b", "a"]), 4_000_025, json!({ "index_a": 0, "index_b": 2 })),
        ("tags", json!(7), 4_000_026, json!({ "allowed_types": ["array"], "actual_type": "number" })),
        ("tags", json!([7]), 4_000_026, json!({ "allowed_types": ["string"], "actual_type": "number" })),
        ("either", json!(7), 4_000_026, json!({ "allowed_types": ["null", "string"], "actual_type": "number" })),
    ] {
        expect(&schema, &json!({ name: value }), &[(&format!("traits.{name}"), id, context)]);
    }
    for fine in [
        json!({ "age": 20.0 }),
        json!({ "age": 36, "ratio": 0.5, "step": 10, "height": 1.65 }),
        json!({ "short": "äöü", "loose": "", "either": null, "phone": "+49 151 12345678" }),
        json!({ "seen": "2020-01-02T03:04:05Z", "birthday": "1815-12-10", "site": "https://example.org/x" }),
    ] {
        expect(&schema, &fine, &[]);
    }
    expect(&schema, &json!({ "none": 1 }), &[("traits", 4_000_001, json!({}))]);
}

#[test]
fn mistakes_are_told_together_in_the_order_of_the_schema() {
    let wrong_type = |allowed: &str, actual: &str| json!({ "allowed_types": [allowed], "actual_type": actual });
    let required = json!({ "property": "email" });
    for (traits, expected) in [
        (json!({}), vec![("traits.email", 4_000_002, required.clone())]),
        (json!(null), vec![("traits.email", 4_000_002, required.clone())]),
        (json!("x"), vec![("traits", 4_000_026, wrong_type("object", "string"))]),
        (json!([]), vec![("traits", 4_000_026, wrong_type("object", "array"))]),
        (json!({ "shoe": 42 }), vec![("traits.email", 4_000_002, required), ("traits", 4_000_001, json!({}))]),
        // Not an address, and too short: two causes, told in this order.
        (
            json!({ "email": "" }),
            vec![
                ("traits.email", 4_000_040, json!({ "value": "" })),
                ("traits.email", 4_000_003, json!({ "min_length": 3, "actual_length": 0 })),
            ],
        ),
        (
            json!({ "newsletter": "no", "age": 1, "email": "x" }),
            vec![
                ("traits.email", 4_000_040, json!({ "value": "x" })),
                ("traits.email", 4_000_003, json!({ "min_length": 3, "actual_length": 1 })),
                ("traits.age", 4_000_018, json!({ "minimum": 18, "actual": 1 })),
                ("traits.newsletter", 4_000_026, wrong_type("boolean", "string")),
            ],
        ),
        (json!({ "email": "a@b", "name": "x" }), vec![("traits.name", 4_000_026, wrong_type("object", "string"))]),
        (json!({ "email": "a@b", "name": { "middle": "x" } }), vec![]),
    ] {
        expect(&person(), &traits, &expected);
    }
}

#[test]
fn an_unknown_field_is_named_at_the_object_that_holds_it() {
    let schema = schema_with(json!({
        "home": { "type": "object", "properties": { "town": { "type": "string" } }, "additionalProperties": false }
    }));
    let [problem] = schema.validate_traits(&json!({ "home": { "house": 1 } })).try_into().expect("one problem");
    assert_eq!((problem.node.as_str(), problem.unknown_field), ("traits.home", true));
    assert!(problem.message.text.contains("house"), "{}", problem.message.text);
    let names: serde_json::Map<String, Value> = (0..1000).map(|n| (format!("{n}-{}", "x".repeat(500)), json!(1))).collect();
    let [problem] = schema.validate_traits(&Value::Object(names)).try_into().expect("one problem");
    assert!(problem.message.text.len() < 1000, "{}", problem.message.text.len());
    assert!(problem.message.text.contains("990 more"));
}

#[test]
fn a_missing_object_is_told_at_the_fields_inside_it() {
    let schema = schema_of(json!({
        "type": "object",
        "properties": {
            "name": { "type": "object", "properties": { "last": { "type": "string" }, "first": { "type": "string" } }, "required": ["last"] },
            "optional": { "type": "object", "properties": { "x": { "type": "string" } }, "required": ["x"] },
            "some": { "type": "object", "properties": { "x": { "type": "string" } }, "minProperties": 1 },
            "a": { "type": "object", "properties": { "b": { "type": "object", "properties": { "c": {} }, "required": ["c"] } }, "required": ["b"] }
        },
        "required": ["name", "some", "a"]
    }));
    let missing = |name: &str| json!({ "property": name });
    expect(
        &schema,
        &json!({}),
        &[
            ("traits.name.last", 4_000_002, missing("last")),
            ("traits.some", 4_000_002, missing("some")),
            ("traits.a.b.c", 4_000_002, missing("c")),
        ],
    );
    expect(
        &schema,
        &json!({ "name": {}, "some": { "x": "" }, "a": { "b": { "c": 1 } }, "optional": {} }),
        &[("traits.name.last", 4_000_002, missing("last")), ("traits.optional.x", 4_000_002, missing("x"))],
    );
}

#[test]
fn mistakes_in_lists_hang_on_the_list_once() {
    let schema = schema_with(json!({
        "rows": { "type": "array", "items": { "type": "object", "properties": { "7": { "type": "string" } }, "required": ["7"] } },
        "7": { "type": "string" }
    }));
    let row = |value: Value| json!({ "7": value });
    let wrong = json!({ "allowed_types": ["string"], "actual_type": "number" });
    expect(&schema, &json!({ "rows": [row(json!(1)), row(json!(2))] }), &[("traits.rows", 4_000_026, wrong.clone())]);
    expect(&schema, &json!({ "rows": [{}, {}] }), &[("traits.rows", 4_000_002, json!({ "property": "7" }))]);
    expect(&schema, &json!({ "7": 1 }), &[("traits.7", 4_000_026, wrong)]);
}

#[test]
fn what_is_written_to_must_be_an_address_even_without_a_format() {
    let marked = |via: &str| json!({ "verification": { "via": via }, "recovery": { "via": via } });
    let schema = schema_with(json!({
        "loose": { "type": "string", "format": "no-validate", "ory.sh/kratos": marked("email") },
        "other": { "type": "string", "ory.sh/kratos": marked("email") },
        "mobile": { "type": "string", "ory.sh/kratos": marked("sms") },
        "both": { "type": "string", "format": "email", "ory.sh/kratos": marked("email") },
        "list": { "type": "array", "items": { "type": "string", "ory.sh/kratos": marked("email") } }
    }));
    expect(
        &schema,
        &json!({ "loose": "x", "other": "no address", "mobile": "12", "both": "x", "list": ["a@b", "y"] }),
        &[
            ("traits.other", 4_000_040, json!({ "value": "no address" })),
            ("traits.mobile", 4_000_041, json!({ "value": "12" })),
            ("traits.both", 4_000_040, json!({ "value": "x" })),
            ("traits.list", 4_000_040, json!({ "value": "y" })),
        ],
    );
}

#[test]
fn alternatives_say_what_is_missing() {
    let schema = schema_of(json!({
        "type": "object",
        "properties": { "email": { "type": "string" }, "phone": { "type": "string" } },
        "anyOf": [{ "required": ["email"] }, { "required": ["phone"] }]
    }));
    assert_eq!(schema.describe_problems(&json!({})), ["traits: Please fill in at least one of: email, phone."]);
    assert_eq!(schema.describe_problems(&json!({ "phone": "x" })), Vec::<String>::new());
}

#[test]
fn patterns_with_look_around_end() {
    let schema = schema_with(json!({ "a": { "type": "string", "pattern": "^(?=(a+)+$)(a+)+b$" } }));
    let started = "a".repeat(2_000);
    assert!(!schema.validate_traits(&json!({ "a": started })).is_empty());
}
