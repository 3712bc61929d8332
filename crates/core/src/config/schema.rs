//! The contract of the configuration: a JSON Schema (draft 7) put together from the files of the folder `schema`.
//!
//! It is data for four readers: validation, defaults, names of environment variables, and editors (see [`document`]).
//! Three of its annotations steer what is told of a bad value: `errorMessage` says what would be right, `writeOnly`
//! marks secrets, `default` is filled in even beside a `$ref`.

use std::sync::LazyLock;

use jsonschema::{Draft, Validator};
use serde_json::{Map, Value};
use url::Url;

use portcullis_model::time::parse_duration;

use super::key::{KeyPath, Step};
use super::value::{BaseUrl, parse_boolean, parse_byte_size};

const ROOT: &str = include_str!("schema/root.json");
const PARTS: [&str; 7] = [
    include_str!("schema/common.json"),
    include_str!("schema/serve.json"),
    include_str!("schema/selfservice.json"),
    include_str!("schema/hooks.json"),
    include_str!("schema/methods.json"),
    include_str!("schema/courier.json"),
    include_str!("schema/tracing.json"),
];

/// The schema and its compiled form.
pub(super) struct Schema {
    /// The whole document.
    pub(super) document: Value,
    /// Judges values.
    pub(super) validator: Validator,
}

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    // Built into the program and compiled by the tests: nothing that a running program meets can make this fail.
    Schema::assemble().expect("the built-in configuration schema is sound")
});

/// The JSON Schema (draft 7) of the configuration, for editors and for generated documentation.
#[must_use]
pub fn document() -> &'static Value {
    &schema().document
}

pub(super) fn schema() -> &'static Schema {
    &SCHEMA
}

impl Schema {
    fn assemble() -> Result<Self, String> {
        let mut document: Map<String, Value> = serde_json::from_str(ROOT).map_err(|e| format!("root.json: {e}"))?;
        let mut definitions = Map::new();
        for (n, part) in PARTS.iter().enumerate() {
            let part: Map<String, Value> = serde_json::from_str(part).map_err(|e| format!("part {n}: {e}"))?;
            definitions.extend(part);
        }
        document.insert("definitions".to_owned(), Value::Object(definitions));
        let document = Value::Object(document);
        let validator = jsonschema::options()
            .with_draft(Draft::Draft7)
            .should_validate_formats(true)
            .should_ignore_unknown_formats(false)
            .with_format("length-of-time", |text: &str| parse_duration(text).is_some())
            .with_format("byte-size", |text: &str| parse_byte_size(text).is_some())
            .with_format("loose-boolean", |text: &str| text.is_empty() || parse_boolean(text).is_some())
            .with_format("base-url", |text: &str| BaseUrl::parse(text).is_some())
            .with_format("cors-origin", is_cors_origin)
            .with_format("template-or-path", |text: &str| !text.contains("://") || is_template(text))
            // Looser than RFC 3986, as what people write always was: blanks in file names, for example.
            .with_format("uri", |text: &str| Url::parse(text).is_ok())
            .with_format("uri-reference", is_reference)
            .with_format("uuid", |text: &str| uuid::Uuid::try_parse(text).is_ok())
            .build(&document)
            .map_err(|e| e.to_string())?;
        Ok(Self { document, validator })
    }

    /// The node that a reference leads to; the node itself if it is none.
    pub(super) fn resolve<'a>(&'a self, node: &'a Value) -> &'a Value {
        let mut node = node;
        // References lead to definitions, which are at most a few steps deep.
        for _ in 0..8 {
            let Some(name) = node.get("$ref").and_then(Value::as_str).and_then(|r| r.strip_prefix("#/definitions/")) else {
                break;
            };
            match self.document.get("definitions").and_then(|d| d.get(name)) {
                Some(target) => node = target,
                None => break,
            }
        }
        node
    }

    /// The words for the kinds of value that a node takes.
    pub(super) fn types<'a>(&'a self, node: &'a Value) -> Vec<&'a str> {
        match self.resolve(node).get("type") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// Every node that speaks of the value at a path or of a value around it, referring nodes and their targets alike.
    /// The nodes of the value itself come last.
    pub(super) fn nodes_along<'a>(&'a self, path: &KeyPath) -> (Vec<&'a Value>, Vec<&'a Value>) {
        let mut around = Vec::new();
        let mut here = self.spread(&self.document);
        for step in &path.0 {
            let next: Vec<&Value> =
                here.iter().flat_map(|node| children(node, step)).flat_map(|node| self.spread(node)).collect();
            around.append(&mut here);
            here = next;
        }
        (around, here)
    }

    /// A node with all nodes that speak of the same value.
    fn spread<'a>(&'a self, node: &'a Value) -> Vec<&'a Value> {
        let mut found = vec![node];
        let mut next = 0;
        while let Some(node) = found.get(next).copied() {
            next += 1;
            if node.get("$ref").is_some() {
                found.push(self.resolve(node));
            }
            for key in ["allOf", "anyOf", "oneOf"] {
                found.extend(node.get(key).and_then(Value::as_array).into_iter().flatten());
            }
            found.extend(["then", "else"].iter().filter_map(|key| node.get(key)));
        }
        found
    }
}

/// The nodes for one step down.
fn children<'a>(node: &'a Value, step: &Step) -> Vec<&'a Value> {
    let key = match step {
        Step::Index(index) => {
            let mut nodes: Vec<&Value> = node.get("items").into_iter().collect();
            nodes.extend(child_of_mapping(node, &index.to_string()));
            return nodes;
        }
        Step::Key(key) => key,
    };
    child_of_mapping(node, key)
}

fn child_of_mapping<'a>(node: &'a Value, key: &str) -> Vec<&'a Value> {
    if let Some(child) = node.get("properties").and_then(|p| p.get(key)) {
        return vec![child];
    }
    let patterns = node.get("patternProperties").and_then(Value::as_object).into_iter().flat_map(Map::values);
    patterns.chain(node.get("additionalProperties").filter(|a| a.is_object())).collect()
}

fn is_reference(text: &str) -> bool {
    match Url::parse(text) {
        Err(url::ParseError::RelativeUrlWithoutBase) => {
            Url::parse("http://localhost/").is_ok_and(|base| base.join(text).is_ok()) && !text.chars().any(char::is_control)
        }
        parsed => parsed.is_ok(),
    }
}

fn is_template(text: &str) -> bool {
    ["http://", "https://", "file://", "base64://"].iter().any(|scheme| text.starts_with(scheme))
}

fn is_cors_origin(text: &str) -> bool {
    text == "*" || text.matches('*').count() < 2 && Url::parse(&text.replace('*', "wildcard")).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_compiles_and_its_references_lead_somewhere() {
        let schema = Schema::assemble().expect("sound");
        let definitions = schema.document.get("definitions").and_then(Value::as_object).expect("definitions");
        let mut used = std::collections::BTreeSet::new();
        let mut waiting = vec![&schema.document];
        while let Some(node) = waiting.pop() {
            match node {
                Value::Object(map) => {
                    if let Some(Value::String(reference)) = map.get("$ref") {
                        let name = reference.strip_prefix("#/definitions/").expect("a local reference");
                        assert!(definitions.contains_key(name), "{reference}");
                        used.insert(name);
                    }
                    waiting.extend(map.values());
                }
                Value::Array(list) => waiting.extend(list),
                _ => {}
            }
        }
        let unused: Vec<_> = definitions.keys().filter(|k| !used.contains(k.as_str())).collect();
        assert!(unused.is_empty(), "never referred to: {unused:?}");
    }

    #[test]
    fn formats_take_what_people_write() {
        for good in ["https://*.example.org", "*", "https://app-*.example.net:8080", "http://localhost:3000"] {
            assert!(is_cors_origin(good), "{good}");
        }
        for bad in ["https://*.*.example.org", "example.org", ""] {
            assert!(!is_cors_origin(bad), "{bad}");
        }
        for good in
            ["/", "/welcome", "?a=b", "https://example.org/x y", "exp://192.168.1.2:8081", "app://open", "//example.org/x", ""]
        {
            assert!(is_reference(good), "{good}");
        }
        assert!(!is_reference("http://example.org:99999/"));
    }
}
