//! JSON and the template engine's values, in both directions.

use std::collections::HashMap;

use gtmpl_ng::{Context, NumberKind, Value};
use serde_json::{Map, Number};

use super::Variables;

/// Variables that not every message has. They are there for each template and empty where a message lacks them, so that
/// `{{ if .OAuth2LoginRequest }}` is no error.
const OPTIONAL: &[&str] = &[
    "Identity",
    "OAuth2LoginRequest",
    "RequestURL",
    "RequestURLDomain",
    "TransientPayload",
    "VerificationURL",
    "ExpiresInMinutes",
    "RecoveryURL",
    "SettingsURL",
    "Location",
];

/// The variables that templates see, made from a message's data: `recovery_url` becomes `.RecoveryURL`.
///
/// A name that stands neither in the data nor among the optional ones is an error in the template; a missing part of a
/// map, such as `.Identity.traits.nickname`, is not: it is empty, as in Go.
pub(crate) fn variables(data: &Map<String, serde_json::Value>) -> Variables {
    let mut fields: HashMap<String, Value> = OPTIONAL.iter().map(|name| ((*name).to_owned(), Value::Nil)).collect();
    fields.extend(data.iter().map(|(name, value)| (variable_name(name), from_json(value))));
    Variables(Context::from(Value::Object(fields)))
}

/// The name of a variable in templates: each word capitalised, `url` and `oauth2` as Go programmers write them.
fn variable_name(name: &str) -> String {
    name.split('_')
        .map(|word| match word {
            "url" | "ip" => word.to_uppercase(),
            "oauth2" => "OAuth2".to_owned(),
            _ => {
                let mut letters = word.chars();
                letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
            }
        })
        .collect()
}

/// A JSON value as templates see it.
pub(super) fn from_json(value: &serde_json::Value) -> Value {
    match value {
        serde_json::Value::Null => Value::Nil,
        serde_json::Value::Bool(b) => Value::Bool(*b),
        serde_json::Value::Number(n) => number(n),
        serde_json::Value::String(s) => Value::String(s.clone()),
        serde_json::Value::Array(items) => Value::Array(items.iter().map(from_json).collect()),
        serde_json::Value::Object(entries) => Value::Map(entries.iter().map(|(k, v)| (k.clone(), from_json(v))).collect()),
    }
}

fn number(n: &Number) -> Value {
    n.as_i64().map(Value::from).or_else(|| n.as_u64().map(Value::from)).unwrap_or_else(|| n.as_f64().unwrap_or(0.0).into())
}

/// A template's value as JSON. Keys are sorted, as Go writes them; functions and absent values become null.
pub(super) fn to_json(value: &Value) -> serde_json::Value {
    match value {
        Value::NoValue | Value::Nil | Value::Function(_) => serde_json::Value::Null,
        Value::Bool(b) => (*b).into(),
        Value::String(s) => s.clone().into(),
        Value::Number(n) => match n.kind() {
            NumberKind::Unsigned(n) => n.into(),
            NumberKind::Signed(n) => n.into(),
            NumberKind::Float(n) => n.into(),
        },
        Value::Array(items) => items.iter().map(to_json).collect(),
        Value::Object(entries) | Value::Map(entries) => {
            let mut sorted: Vec<_> = entries.iter().collect();
            sorted.sort_by_key(|(key, _)| *key);
            serde_json::Value::Object(sorted.into_iter().map(|(k, v)| (k.clone(), to_json(v))).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_becomes_variables_by_the_names_that_templates_know() {
        for (data, variable) in [
            ("to", "To"),
            ("recovery_url", "RecoveryURL"),
            ("verification_code", "VerificationCode"),
            ("request_url_domain", "RequestURLDomain"),
            ("oauth2_login_request", "OAuth2LoginRequest"),
            ("expires_in_minutes", "ExpiresInMinutes"),
            ("transient_payload", "TransientPayload"),
        ] {
            assert_eq!(variable_name(data), variable);
        }
    }

    #[test]
    fn json_survives_the_way_there_and_back() {
        let value = serde_json::json!({"a": [1, -2, 3.5, "x", null, true], "b": {"c": 18_446_744_073_709_551_615u64}});
        assert_eq!(to_json(&from_json(&value)), value);
    }
}
