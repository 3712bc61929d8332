//! What is wrong with a configuration, in words: which key, what it holds, what would be right, and where it was said.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind as Kind;
use serde_json::{Map, Value};

use super::key::KeyPath;
use super::layers::Origin;
use super::lines::Lines;
use super::schema::Schema;

/// One thing that is wrong. Never holds a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The key path, such as `serve.public.port`; empty if a whole file is meant.
    pub key: String,
    /// What is wrong, such as `is 70000, but must be a port, from 1 to 65535`.
    pub problem: String,
    /// Who said so; `None` if nobody did.
    pub origin: Option<Origin>,
    /// The line of that file where the key stands, or the section around it; from 1.
    pub line: Option<usize>,
}

impl Violation {
    /// About a key.
    pub(super) fn of_key(key: impl fmt::Display, problem: impl Into<String>, origin: Option<&Origin>) -> Self {
        Self { key: key.to_string(), problem: problem.into(), origin: origin.cloned(), line: None }
    }

    /// About a whole file.
    pub(super) fn of_file(origin: Origin, problem: String) -> Self {
        Self { key: String::new(), problem, origin: Some(origin), line: None }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.origin, self.key.is_empty(), self.line) {
            (Some(origin), true, _) => write!(f, "{origin} {}", self.problem),
            (Some(origin), false, None) => write!(f, "{} {} ({origin})", self.key, self.problem),
            (Some(origin), false, Some(line)) => write!(f, "{} {} ({origin}, line {line})", self.key, self.problem),
            (None, ..) => write!(f, "{} {}", self.key, self.problem),
        }
    }
}

/// Everything that is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors(Vec<Violation>);

impl ConfigErrors {
    pub(super) fn new(mut violations: Vec<Violation>) -> Self {
        violations.sort_by(|a, b| (&a.key, &a.problem).cmp(&(&b.key, &b.problem)));
        violations.dedup();
        Self(violations)
    }

    /// Adds the lines of those that were said in a file. `lines` looks through a file.
    pub(super) fn locate(mut self, lines: impl Fn(&Path) -> Lines) -> Self {
        let mut known: BTreeMap<PathBuf, Lines> = BTreeMap::new();
        for violation in &mut self.0 {
            if let Some(Origin::File(path)) = &violation.origin
                && !violation.key.is_empty()
            {
                let lines = known.entry(path.clone()).or_insert_with(|| lines(path));
                violation.line = lines.of(&violation.key);
            }
        }
        self
    }

    /// The violations, by key path.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        &self.0
    }
}

impl fmt::Display for ConfigErrors {
    /// One violation a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration is refused:")?;
        for violation in &self.0 {
            write!(f, "\n  {violation}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// Judges a value by the schema and puts every finding into words.
pub(super) fn judge(schema: &Schema, value: &Value, origin: impl Fn(&KeyPath) -> Option<Origin>) -> Vec<Violation> {
    let errors: Vec<ValidationError<'_>> = schema.validator.iter_errors(value).collect();
    let is_kind = |e: &&ValidationError<'_>| matches!(e.kind(), Kind::Type { .. });
    let misfits: Vec<&str> = errors.iter().filter(is_kind).map(|e| e.instance_path().as_str()).collect();
    // What is of the wrong kind is wrong in every other way too, which tells nothing.
    let telling = |e: &&ValidationError<'_>| is_kind(e) || !misfits.contains(&e.instance_path().as_str());
    errors.iter().filter(telling).flat_map(|e| explain(schema, e, &origin)).collect()
}

/// Puts one finding of the validator into words; several when it is about several keys.
fn explain(schema: &Schema, error: &ValidationError<'_>, origin: impl Fn(&KeyPath) -> Option<Origin>) -> Vec<Violation> {
    let path = KeyPath::from_pointer(error.instance_path().as_str());
    let (parent, _) = error.schema_path().as_str().rsplit_once('/').unwrap_or_default();
    let node = schema.document.pointer(parent).unwrap_or(&Value::Null);
    let tell = |path: &KeyPath, problem: String| Violation { key: path.to_string(), problem, origin: origin(path), line: None };
    match error.kind() {
        Kind::AdditionalProperties { unexpected } => {
            let known: Vec<&str> =
                node.get("properties").and_then(Value::as_object).into_iter().flat_map(Map::keys).map(String::as_str).collect();
            unexpected.iter().map(|key| tell(&path.key(key), format!("is not a known key{}", hint(key, &known)))).collect()
        }
        Kind::Required { property } => {
            let key = property.as_str().unwrap_or_default();
            vec![tell(&path.key(key), "is missing".to_owned())]
        }
        kind => {
            let (around, here) = schema.nodes_along(&path);
            let shown = describe(error.instance(), may_show(schema, &around, &here));
            let right = node.get("errorMessage").and_then(Value::as_str).map_or_else(|| expected(kind, node), str::to_owned);
            vec![tell(&path, format!("is {shown}, but must be {right}"))]
        }
    }
}

/// What may have been meant by an unknown key: a known one that differs in a few letters, else all of them if they are few.
fn hint(key: &str, known: &[&str]) -> String {
    const FEW: usize = 12;
    let nearest = known.iter().map(|name| (differences(key, name), *name)).min();
    match nearest {
        Some((distance, name)) if distance <= 1 + name.len() / 4 => format!("; was {name} meant?"),
        Some(_) if known.len() <= FEW => {
            let mut known = known.to_vec();
            known.sort_unstable();
            format!("; known here: {}", known.join(", "))
        }
        _ => String::new(),
    }
}

/// How many letters must be put in, taken out or changed to turn one word into the other (Levenshtein distance). Very
/// long words count as wholly different.
fn differences(a: &str, b: &str) -> usize {
    const LONG: usize = 64;
    if a.len().max(b.len()) > LONG {
        return LONG;
    }
    let mut row: Vec<usize> = (1..=b.len()).collect();
    for (n, x) in a.bytes().enumerate() {
        let (mut diagonal, mut left) = (n, n + 1);
        for (above, y) in row.iter_mut().zip(b.bytes()) {
            left = (diagonal + usize::from(x != y)).min(*above + 1).min(left + 1);
            diagonal = std::mem::replace(above, left);
        }
    }
    row.last().copied().unwrap_or(a.len())
}

/// Whether a text may be repeated: it is no secret, nor does it stand where something structured is wanted (that could
/// be anything).
fn may_show(schema: &Schema, around: &[&Value], here: &[&Value]) -> bool {
    let secret = around.iter().chain(here).any(|node| node.get("writeOnly") == Some(&Value::Bool(true)));
    let structured = here.iter().any(|node| schema.types(node).iter().any(|t| matches!(*t, "object" | "array")));
    !here.is_empty() && !secret && !structured
}

fn describe(value: &Value, show: bool) -> String {
    const LONGEST: usize = 60;
    match value {
        Value::String(text) if text.is_empty() => "empty".to_owned(),
        Value::String(text) if show && text.chars().count() <= LONGEST => format!("{text:?}"),
        Value::String(text) => format!("a text of {} characters", text.chars().count()),
        Value::Number(number) if show => number.to_string(),
        Value::Number(_) => "a number".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Null => "null".to_owned(),
        Value::Array(list) => format!("a list of {}", list.len()),
        Value::Object(_) => "a mapping".to_owned(),
    }
}

/// What would be right, as far as the schema's keywords tell.
fn expected(kind: &Kind, node: &Value) -> String {
    let number = |key: &str| node.get(key).map(Value::to_string);
    match kind {
        Kind::Type { .. } => type_words(node),
        Kind::Enum { options } => {
            let words: Vec<String> = options.as_array().into_iter().flatten().map(plain).collect();
            format!("one of {}", words.join(", "))
        }
        Kind::Constant { expected_value } => plain(expected_value),
        Kind::Minimum { .. } | Kind::Maximum { .. } => match (number("minimum"), number("maximum")) {
            (Some(low), Some(high)) => format!("from {low} to {high}"),
            (Some(low), None) => format!("{low} or more"),
            (None, Some(high)) => format!("{high} or less"),
            (None, None) => "another number".to_owned(),
        },
        Kind::MinLength { limit } => format!("a text of {limit} characters or more"),
        Kind::MaxLength { limit } => format!("a text of {limit} characters or less"),
        Kind::MinItems { limit } => format!("a list of {limit} or more"),
        Kind::UniqueItems => "a list without repetitions".to_owned(),
        Kind::Pattern { pattern } => format!("a text that fits {pattern}"),
        Kind::Format { format } => format!("a text of the form {format}"),
        _ => "something else".to_owned(),
    }
}

fn type_words(node: &Value) -> String {
    let word = |name: &str| match name {
        "string" => "a text",
        "boolean" => "true or false",
        "integer" => "a whole number",
        "number" => "a number",
        "array" => "a list",
        "object" => "a mapping",
        _ => "null",
    };
    let words: Vec<&str> = match node.get("type") {
        Some(Value::String(one)) => vec![word(one)],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).map(word).collect(),
        _ => vec!["of another kind"],
    };
    words.join(" or ")
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspelt_keys_are_recognised() {
        for (a, b, distance) in
            [("port", "port", 0), ("hots", "host", 2), ("", "host", 4), ("lifespam", "lifespan", 1), ("ui-url", "ui_url", 1)]
        {
            assert_eq!((differences(a, b), differences(b, a)), (distance, distance), "{a} {b}");
        }
        assert_eq!(hint("hots", &["port", "host"]), "; was host meant?");
        assert_eq!(hint("colour", &["port", "host"]), "; known here: host, port");
        assert_eq!(hint("x", &[]), "");
        assert_eq!(hint("colour", &["a-key"; 20]), "");
    }
}
