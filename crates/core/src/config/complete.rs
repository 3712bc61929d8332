//! Filling in the schema's defaults, and evening out what parsers leave uneven.

use serde_json::{Map, Value};

use super::key::{KeyPath, Step};
use super::schema::Schema;

/// Fills in every default that the schema names, also in the entries of lists, and makes sections that hold defaults.
/// Whole numbers written with a fraction of zero become whole numbers. Returns the paths of keys that no open object of
/// the schema knows: legal, but likely misspelt.
pub(super) fn complete(schema: &Schema, root: &mut Map<String, Value>) -> Vec<KeyPath> {
    let mut value = Value::Object(std::mem::take(root));
    let mut strangers = Vec::new();
    walk(schema, &schema.document, &mut value, &KeyPath::default(), &mut strangers);
    if let Value::Object(completed) = value {
        *root = completed;
    }
    strangers
}

fn walk(schema: &Schema, node: &Value, value: &mut Value, path: &KeyPath, strangers: &mut Vec<KeyPath>) {
    let node = schema.resolve(node);
    match value {
        Value::Object(map) => {
            let properties = node.get("properties").and_then(Value::as_object);
            let others = ["patternProperties", "additionalProperties"].map(|key| node.get(key));
            for (key, value) in map.iter_mut() {
                let path = path.key(key);
                match (properties.and_then(|p| p.get(key)), others) {
                    (Some(child), _) => walk(schema, child, value, &path, strangers),
                    (None, [Some(Value::Object(patterns)), _]) => {
                        if let Some(child) = patterns.values().next() {
                            walk(schema, child, value, &path, strangers);
                        }
                    }
                    (None, [None, None]) if properties.is_some() && node.get("allOf").is_none() => strangers.push(path),
                    (None, _) => {}
                }
            }
            for (key, child) in properties.into_iter().flatten() {
                if !map.contains_key(key)
                    && let Some(default) = default(schema, child)
                {
                    map.insert(key.clone(), default);
                }
            }
        }
        Value::Array(list) => {
            if let Some(items) = node.get("items") {
                for (n, entry) in list.iter_mut().enumerate() {
                    walk(schema, items, entry, &path.with(Step::Index(n)), strangers);
                }
            }
        }
        Value::Number(number) if node.get("type").and_then(Value::as_str) == Some("integer") => {
            if let Some(whole) = number.as_f64().filter(|_| number.is_f64()).and_then(whole) {
                *value = whole.into();
            }
        }
        _ => {}
    }
}

/// What stands for a value that nobody gave: its default, or a section of the defaults below it.
fn default(schema: &Schema, node: &Value) -> Option<Value> {
    if let Some(default) = node.get("default") {
        return Some(default.clone());
    }
    let node = schema.resolve(node);
    if let Some(default) = node.get("default") {
        return Some(default.clone());
    }
    let properties = node.get("properties").and_then(Value::as_object)?;
    let section: Map<String, Value> =
        properties.iter().filter_map(|(key, child)| Some((key.clone(), default(schema, child)?))).collect();
    (!section.is_empty()).then_some(Value::Object(section))
}

/// A number without fraction, within what a double holds exactly.
fn whole(number: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and within the exact range")]
    (number.fract() == 0.0 && number.abs() <= EXACT).then_some(number as i64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::schema::schema;
    use super::*;

    #[test]
    fn defaults_reach_list_entries_and_named_entries() {
        let mut root = json!({
            "identity": {"schemas": [{"id": "a", "url": "file:///a", "typo": 1}]},
            "session": {"whoami": {"tokenizer": {"templates": {"jwt": {"jwks_url": "file:///k"}}}}},
            "serve": {"public": {"port": 5000.0}},
            "security": {"acount_enumeration": {}},
        });
        let map = root.as_object_mut().expect("a mapping");
        let strangers: Vec<String> = complete(schema(), map).iter().map(ToString::to_string).collect();
        assert_eq!(strangers, ["identity.schemas.0.typo", "security.acount_enumeration"]);
        for (pointer, value) in [
            ("/identity/schemas/0/selfservice_selectable", json!(false)),
            ("/identity/default_schema_id", json!("default")),
            ("/session/whoami/tokenizer/templates/jwt/ttl", json!("1m")),
            ("/session/whoami/tokenizer/templates/jwt/subject_source", json!("id")),
            ("/serve/public/port", json!(5000)),
            ("/serve/admin/port", json!(4434)),
            ("/hashers/bcrypt/cost", json!(12)),
            ("/courier/smtp/local_name", json!("localhost")),
        ] {
            assert_eq!(root.pointer(pointer), Some(&value), "{pointer}");
        }
        assert_eq!(root.pointer("/selfservice/flows/login/ui_url"), None);
    }
}
