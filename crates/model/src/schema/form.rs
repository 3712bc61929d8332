//! Turns the fields of a form into JSON: names with dots nest, and the words of traits become what the schema says.
//!
//! Names come from outside. Whatever they are, the result is as deep as [`MAX_DEPTH`] at most, and nothing panics.

use jsonschema::JsonType;
use serde_json::map::Entry;
use serde_json::{Map, Number, Value};

use super::IdentitySchema;
use super::leaf::{Leaf, LeafKind, Scalar};

/// How deep names may nest.
const MAX_DEPTH: usize = 16;

/// How many fields of a form are looked at.
const MAX_FIELDS: usize = 5_000;

/// The fields of a form with their values, in the order in which they first came.
struct Fields<'a>(Vec<(&'a str, Vec<&'a str>)>);

impl<'a> Fields<'a> {
    fn of(pairs: &'a [(String, String)]) -> Self {
        let mut places: std::collections::HashMap<&str, usize> = std::collections::HashMap::new();
        let mut out: Vec<(&str, Vec<&str>)> = Vec::new();
        for (name, value) in pairs.iter().take(MAX_FIELDS) {
            let place = *places.entry(name).or_insert(out.len());
            match out.get_mut(place) {
                Some((_, values)) => values.push(value),
                None => out.push((name, vec![value])),
            }
        }
        Self(out)
    }
}

/// The fields of a form as one object. Dots in names nest; a repeated field is a list, or its last value if all are `true`
/// or `false` (a checkbox with a hidden companion). Values stay texts. A name that cannot nest (empty between dots, too
/// deep, or at odds with another field) is a key as it stands, or is left out if that is taken.
#[must_use]
pub fn nest(pairs: &[(String, String)]) -> Value {
    let mut out = Map::new();
    for (name, values) in Fields::of(pairs).0 {
        let value = untyped(&values);
        let path: Vec<&str> = name.split('.').take(MAX_DEPTH + 1).collect();
        let nests = path.len() <= MAX_DEPTH && path.iter().all(|step| !step.is_empty());
        if !nests || !insert(&mut out, &path, value.clone()) {
            out.entry(name).or_insert(value);
        }
    }
    Value::Object(out)
}

/// The traits that a form holds, by the schema: the fields `traits.…`, converted. What the schema does not know stays a
/// text, so that the check can name it. An empty field was not sent. A word that is no number stays a word, so that the
/// check tells it.
#[must_use]
pub fn traits_from_form(schema: &IdentitySchema, pairs: &[(String, String)]) -> Value {
    let mut out = Map::new();
    for (name, values) in Fields::of(pairs).0 {
        let Some(rest) = name.strip_prefix("traits.") else { continue };
        let known = schema.leaves.iter().chain(&schema.hidden).find(|leaf| leaf.name == name);
        if let Some(leaf) = known {
            if let Some(value) = typed(leaf, &values) {
                let path: Vec<&str> = leaf.path.iter().map(String::as_str).collect();
                insert(&mut out, &path, value);
            }
            continue;
        }
        let path: Vec<&str> = rest.split('.').take(MAX_DEPTH + 1).collect();
        let nests = path.len() <= MAX_DEPTH && path.iter().all(|step| !step.is_empty());
        if let (true, Some(sent)) = (nests, not_empty(&values)) {
            insert(&mut out, &path, untyped(&sent));
        }
    }
    Value::Object(out)
}

/// Puts a value at the end of a path of objects; `false` if something else is in the way.
fn insert(map: &mut Map<String, Value>, path: &[&str], value: Value) -> bool {
    match path {
        [] => false,
        [last] => match map.entry(*last) {
            Entry::Vacant(place) => {
                place.insert(value);
                true
            }
            Entry::Occupied(_) => false,
        },
        [first, rest @ ..] => match map.entry(*first).or_insert_with(|| Value::Object(Map::new())) {
            Value::Object(inner) => insert(inner, rest, value),
            _ => false,
        },
    }
}

fn not_empty<'a>(values: &[&'a str]) -> Option<Vec<&'a str>> {
    let sent: Vec<&str> = values.iter().copied().filter(|v| !v.is_empty()).collect();
    (!sent.is_empty()).then_some(sent)
}

fn untyped(values: &[&str]) -> Value {
    match values {
        [only] => Value::from(*only),
        [.., last] if values.iter().all(|v| matches!(*v, "true" | "false")) => Value::from(*last),
        _ => values.iter().map(|v| Value::from(*v)).collect(),
    }
}

/// The value of a known trait; `None` if it was not sent.
fn typed(leaf: &Leaf, values: &[&str]) -> Option<Value> {
    match &leaf.kind {
        LeafKind::One(scalar) => {
            let last = values.last().filter(|v| !v.is_empty())?;
            Some(convert(*scalar, last))
        }
        LeafKind::List(scalar) => Some(not_empty(values)?.into_iter().map(|v| convert(*scalar, v)).collect()),
        LeafKind::OtherList => Some(not_empty(values)?.into_iter().map(Value::from).collect()),
        LeafKind::Other(types) => {
            let sent = not_empty(values)?;
            Some(if let [only] = sent.as_slice() { convert_to_any(types, only) } else { untyped(&sent) })
        }
    }
}

fn convert(scalar: Scalar, word: &str) -> Value {
    let converted = match scalar {
        Scalar::String => None,
        // In a form there is no other way to write a whole number than by its value.
        Scalar::Integer => number(word).map(as_whole),
        Scalar::Number => number(word),
        Scalar::Boolean => boolean(word),
    };
    converted.unwrap_or_else(|| Value::from(word))
}

/// A text stays one wherever a text is allowed; else the word becomes the first of the allowed types that it can be.
fn convert_to_any(types: &[JsonType], word: &str) -> Value {
    let allows = |kind: JsonType| types.contains(&kind);
    let converted = if types.is_empty() || allows(JsonType::String) {
        None
    } else if allows(JsonType::Number) || allows(JsonType::Integer) {
        number(word).or_else(|| allows(JsonType::Boolean).then(|| boolean(word)).flatten())
    } else if allows(JsonType::Boolean) {
        boolean(word)
    } else {
        None
    };
    converted.unwrap_or_else(|| Value::from(word))
}

/// `on` is what browsers send for a checkbox without a value.
fn boolean(word: &str) -> Option<Value> {
    match word.to_ascii_lowercase().as_str() {
        "true" | "on" | "1" => Some(Value::Bool(true)),
        "false" | "off" | "0" => Some(Value::Bool(false)),
        _ => None,
    }
}

/// 20.0 as 20, as long as it is exact.
fn as_whole(number: Value) -> Value {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match number.as_f64() {
        #[expect(clippy::cast_possible_truncation, reason = "the range is looked at")]
        Some(n) if number.is_f64() && n.fract() == 0.0 && n.abs() <= EXACT => Value::from(n as i64),
        _ => number,
    }
}

fn number(word: &str) -> Option<Value> {
    let word = word.trim();
    // Keeps out the words that Rust reads as numbers and nobody else does: `inf`, `nan`.
    if !word.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b)) {
        return None;
    }
    let whole = word.parse::<i64>().map(Number::from).or_else(|_| word.parse::<u64>().map(Number::from));
    whole.ok().or_else(|| word.parse::<f64>().ok().and_then(Number::from_f64)).map(Value::Number)
}
