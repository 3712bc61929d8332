//! Configuration from environment variables.
//!
//! A variable's name is a key path in which `.`, `-` and `_` are all `_`; its case does not matter. Only names that fit
//! a path of the schema count: everything else in the environment is left alone.

use serde_json::Value;

use super::key::{KeyPath, Step};
use super::layers::{Layers, Origin};
use super::schema::Schema;
use super::value::parse_boolean;
use super::violation::Violation;

/// Keys whose names are everyday words for variables and that have no effect here: a build's `VERSION` is not meant for us.
const LEFT_ALONE: [&str; 3] = ["config", "help", "version"];

/// Lays the variables over what is there.
pub(super) fn lay(schema: &Schema, environment: &[(String, String)], layers: &mut Layers) -> Vec<Violation> {
    let mut found: Vec<(KeyPath, &Value, &str, &str)> = environment
        .iter()
        .filter_map(|(name, text)| {
            let mut path = Vec::new();
            let node = find(schema, &schema.document, &name.to_ascii_uppercase(), &mut path)?;
            Some((KeyPath(path), node, name.as_str(), text.as_str()))
        })
        .collect();
    // Shorter paths first, so that IDENTITY_SCHEMAS is there before IDENTITY_SCHEMAS_0_ID changes it; of two spellings of
    // one name the one in capitals comes last and wins.
    found.sort_by(|a, b| (a.0.0.len(), &a.0, b.2).cmp(&(b.0.0.len(), &b.0, a.2)));
    let mut violations = Vec::new();
    for (path, node, name, text) in found {
        let Some(value) = convert(schema, node, text) else { continue };
        let origin = Origin::Environment(name.to_owned());
        if let Err(problem) = layers.set(&path, value, &origin) {
            violations.push(Violation::of_key(&path, problem, Some(&origin)));
        }
    }
    violations
}

/// The node that a name (in capitals) leads to, and its path.
fn find<'a>(schema: &'a Schema, node: &'a Value, name: &str, path: &mut Vec<Step>) -> Option<&'a Value> {
    let resolved = schema.resolve(node);
    if let Some(items) = resolved.get("items") {
        let (digits, rest) = name.split_once('_').unwrap_or((name, ""));
        let whole = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        path.push(Step::Index(digits.parse().ok().filter(|_| whole)?));
        return if name.len() == digits.len() { Some(items) } else { find(schema, items, rest, path) };
    }
    for (key, child) in resolved.get("properties").and_then(Value::as_object)? {
        if path.is_empty() && LEFT_ALONE.contains(&key.as_str()) {
            continue;
        }
        let spelling = key.to_ascii_uppercase().replace('-', "_");
        let Some(rest) = name.strip_prefix(&spelling) else { continue };
        let depth = path.len();
        path.push(Step::Key(key.clone()));
        if rest.is_empty() {
            return Some(child);
        }
        if let Some(found) = rest.strip_prefix('_').and_then(|rest| find(schema, child, rest, path)) {
            return Some(found);
        }
        path.truncate(depth);
    }
    None
}

/// The value that a text stands for. What cannot be converted stays a text, which validation then refuses. `None`: the
/// text is empty where that means nothing.
fn convert(schema: &Schema, node: &Value, text: &str) -> Option<Value> {
    let types = schema.types(node);
    let parsed = |kind: fn(&Value) -> bool| serde_json::from_str::<Value>(text).ok().filter(kind);
    let converted = match types.as_slice() {
        ["boolean"] => parse_boolean(text).map(Value::Bool),
        ["integer"] => text.trim().parse::<i64>().ok().map(Value::from),
        ["number"] => text.trim().parse::<f64>().ok().map(Value::from),
        ["object"] => parsed(Value::is_object),
        ["array"] => parsed(Value::is_array).or_else(|| split(schema, node, text)),
        _ => return Some(Value::String(text.to_owned())),
    };
    match converted {
        None if text.trim().is_empty() => None,
        None => Some(Value::String(text.to_owned())),
        converted => converted,
    }
}

/// A list of scalars, comma by comma.
fn split(schema: &Schema, node: &Value, text: &str) -> Option<Value> {
    let items = schema.resolve(node).get("items")?;
    let scalar = schema.types(items).iter().all(|t| !matches!(*t, "object" | "array"));
    if !scalar || text.trim().is_empty() || text.trim_start().starts_with('[') {
        return None;
    }
    Some(text.split(',').filter_map(|part| convert(schema, items, part.trim())).collect())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::schema::schema;
    use super::*;

    fn path_of(name: &str) -> Option<String> {
        let mut path = Vec::new();
        find(schema(), &schema().document, name, &mut path).map(|_| KeyPath(path).to_string())
    }

    #[test]
    fn names_lead_to_keys() {
        for (name, path) in [
            ("DSN", Some("dsn")),
            ("DEV", Some("dev")),
            ("WATCH_COURIER", Some("watch-courier")),
            ("SELFSERVICE_FLOWS_LOGIN_UI_URL", Some("selfservice.flows.login.ui_url")),
            ("SELFSERVICE_METHODS_LOOKUP_SECRET_ENABLED", Some("selfservice.methods.lookup_secret.enabled")),
            ("IDENTITY_SCHEMAS", Some("identity.schemas")),
            ("IDENTITY_SCHEMAS_0_ID", Some("identity.schemas.0.id")),
            ("SECRETS_COOKIE_12", Some("secrets.cookie.12")),
            ("SELFSERVICE_FLOWS_LOGIN_AFTER_HOOKS", Some("selfservice.flows.login.after.hooks")),
            (
                "SELFSERVICE_METHODS_OIDC_CONFIG_PROVIDERS_1_CLIENT_SECRET",
                Some("selfservice.methods.oidc.config.providers.1.client_secret"),
            ),
            ("COURIER_SMTP_CONNECTION_URI", Some("courier.smtp.connection_uri")),
            ("VERSION", None),
            ("HELP", None),
            ("PATH", None),
            ("SELFSERVICE_NOTHING_OF_THE_KIND", None),
            ("DSN_X", None),
            ("IDENTITY_SCHEMAS_X_ID", None),
            ("IDENTITY_SCHEMAS_+1_ID", None),
            ("IDENTITY_SCHEMAS_99999999999999999999_ID", None),
            ("", None),
        ] {
            assert_eq!(path_of(name).as_deref(), path, "{name}");
        }
    }

    #[test]
    fn no_two_keys_have_the_same_name() {
        fn collect(schema: &Schema, node: &Value, path: &str, names: &mut BTreeMap<String, Vec<String>>) {
            for (key, child) in schema.resolve(node).get("properties").and_then(Value::as_object).into_iter().flatten() {
                let path = format!("{path}.{key}");
                names.entry(path.to_ascii_uppercase().replace(['.', '-'], "_")).or_default().push(path.clone());
                collect(schema, child, &path, names);
            }
        }
        let mut names = BTreeMap::new();
        collect(schema(), &schema().document, "", &mut names);
        assert!(names.len() > 200, "{}", names.len());
        for (name, paths) in &names {
            let (name, path) = (name.trim_start_matches('_'), paths[0].trim_start_matches('.'));
            let expected = (!LEFT_ALONE.contains(&path)).then_some(path);
            assert_eq!(path_of(name).as_deref(), expected, "every key has a variable");
        }
        let shared: Vec<_> = names.values().filter(|paths| paths.len() > 1).collect();
        assert!(shared.is_empty(), "{shared:?}");
    }
}
