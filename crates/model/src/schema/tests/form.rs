//! Forms.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{person, schema_of};
use crate::schema::{nest, traits_from_form};

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Object(map) => 1 + map.values().map(depth).max().unwrap_or(0),
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

#[test]
fn words_become_what_the_schema_says() {
    let schema = schema_of(json!({
        "type": "object",
        "properties": {
            "word": { "type": "string" }, "whole": { "type": "integer" }, "ratio": { "type": "number" }, "yes": { "type": "boolean" },
            "tags": { "type": "array", "items": { "type": "string" } }, "marks": { "type": "array", "items": { "type": "integer" } },
            "either": { "type": ["integer", "null"] }, "either_text": { "type": ["string", "integer"] }, "any": {},
            "dotted.name": { "type": "integer" },
            "home": { "type": "object", "properties": { "geo": { "type": "object", "properties": { "lat": { "type": "number" } } } } }
        }
    }));
    let field = |name: &str, values: &[&str]| {
        let sent: Vec<(String, String)> = values.iter().map(|v| (format!("traits.{name}"), (*v).to_owned())).collect();
        traits_from_form(&schema, &sent)
    };
    for (name, values, traits) in [
        ("word", &["36"][..], json!({ "word": "36" })),
        ("word", &[""], json!({})),
        ("word", &["a", "b"], json!({ "word": "b" })),
        ("whole", &["36"], json!({ "whole": 36 })),
        ("whole", &["-7"], json!({ "whole": -7 })),
        ("whole", &["007"], json!({ "whole": 7 })),
        ("whole", &[" 5 "], json!({ "whole": 5 })),
        ("whole", &["36.5"], json!({ "whole": 36.5 })),
        ("whole", &["ten"], json!({ "whole": "ten" })),
        ("whole", &[""], json!({})),
        ("whole", &["18446744073709551615"], json!({ "whole": 18_446_744_073_709_551_615_u64 })),
        ("ratio", &["1e3"], json!({ "ratio": 1000.0 })),
        ("ratio", &["NaN"], json!({ "ratio": "NaN" })),
        ("ratio", &["inf"], json!({ "ratio": "inf" })),
        ("ratio", &["1e999"], json!({ "ratio": "1e999" })),
        ("ratio", &["-"], json!({ "ratio": "-" })),
        ("yes", &["true"], json!({ "yes": true })),
        ("yes", &["false", "true"], json!({ "yes": true })),
        ("yes", &["false"], json!({ "yes": false })),
        ("yes", &["on"], json!({ "yes": true })),
        ("yes", &["maybe"], json!({ "yes": "maybe" })),
        ("yes", &[""], json!({})),
        ("tags", &["a", "b"], json!({ "tags": ["a", "b"] })),
        ("tags", &["a"], json!({ "tags": ["a"] })),
        ("tags", &[""], json!({})),
        ("marks", &["1", "x", ""], json!({ "marks": [1, "x"] })),
        ("either", &["5"], json!({ "either": 5 })),
        ("either_text", &["5"], json!({ "either_text": "5" })),
        ("any", &["5"], json!({ "any": "5" })),
        ("dotted.name", &["5"], json!({ "dotted.name": 5 })),
        ("home.geo.lat", &["48.4"], json!({ "home": { "geo": { "lat": 48.4 } } })),
        ("unknown", &["5"], json!({ "unknown": "5" })),
        ("home.unknown", &["a", "b"], json!({ "home": { "unknown": ["a", "b"] } })),
        ("unknown", &[""], json!({})),
    ] {
        assert_eq!(field(name, values), traits, "{name} {values:?}");
    }
}

#[test]
fn a_whole_form_becomes_traits() {
    let sent = pairs(&[
        ("method", "profile"),
        ("csrf_token", "x"),
        ("traits.email", "a@b"),
        ("traits.name.first", "Ada"),
        ("traits.name.last", ""),
        ("traits.age", "36"),
        ("traits.newsletter", "false"),
        ("traits.newsletter", "true"),
    ]);
    let traits = traits_from_form(&person(), &sent);
    assert_eq!(traits, json!({ "email": "a@b", "name": { "first": "Ada" }, "age": 36, "newsletter": true }));
    assert_eq!(person().validate_traits(&traits), []);
}

#[test]
fn other_fields_nest_and_stay_texts() {
    for (sent, object) in [
        (pairs(&[("a.b", "1"), ("a.c.d", "2"), ("e", "")]), json!({ "a": { "b": "1", "c": { "d": "2" } }, "e": "" })),
        (pairs(&[("a", "x"), ("a", "y")]), json!({ "a": ["x", "y"] })),
        (pairs(&[("a", "false"), ("a", "true")]), json!({ "a": "true" })),
        (pairs(&[("a", "1"), ("a.b", "2")]), json!({ "a": "1", "a.b": "2" })),
        (pairs(&[("a.b", "2"), ("a", "1")]), json!({ "a": { "b": "2" } })),
        (pairs(&[("a..b", "1"), (".", "2"), ("", "3")]), json!({ "a..b": "1", ".": "2", "": "3" })),
        (pairs(&[("__proto__.x", "1")]), json!({ "__proto__": { "x": "1" } })),
        (pairs(&[]), json!({})),
    ] {
        assert_eq!(nest(&sent), object, "{sent:?}");
    }
}

#[test]
fn hostile_names_do_no_harm() {
    let deep = vec![
        (format!("traits{}", ".a".repeat(10_000)), "x".to_owned()),
        ("traits.".to_owned() + &".".repeat(10_000), "x".to_owned()),
    ];
    assert_eq!(traits_from_form(&person(), &deep), json!({}));
    assert_eq!(depth(&nest(&deep)), 1);
    let odd = pairs(&[
        ("traits.__proto__", "x"),
        ("traits.a..b", "x"),
        ("traits.", "x"),
        ("traits", "x"),
        ("traits.email.x", "x"),
        ("traits.email", "a@b"),
    ]);
    assert_eq!(traits_from_form(&person(), &odd), json!({ "__proto__": "x", "email": { "x": "x" } }));
    let many: Vec<_> = (0..50_000).map(|n| (format!("traits.x{n}"), "x".to_owned())).collect();
    assert!(traits_from_form(&person(), &many).as_object().is_some_and(|map| map.len() < many.len()));
}

proptest! {
    #[test]
    fn no_form_makes_it_panic(sent in proptest::collection::vec(("(traits\\.)?([a-z]{0,3}|email|name|age|\\.){0,20}", ".{0,6}"), 0..20)) {
        static PERSON: std::sync::LazyLock<crate::schema::IdentitySchema> = std::sync::LazyLock::new(person);
        let schema = &*PERSON;
        let traits = traits_from_form(schema, &sent);
        prop_assert!(traits.is_object());
        prop_assert!(depth(&nest(&sent)) <= 18);
        let _ = schema.validate_traits(&traits);
        let _ = schema.derive(&traits);
    }
}
