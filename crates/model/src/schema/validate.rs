//! Checks traits against the schema and says what is wrong, in words and in places that a form can show.
//!
//! All mistakes are told at once, each cause once, in the schema's order. Numbers are judged by value and lengths in
//! characters. A mistake inside a list hangs on the list's node: lists have one node.

use std::collections::HashMap;

use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind};
use serde_json::{Map, Value, json};

use super::IdentitySchema;
use super::leaf::{Leaf, LeafKind, Scalar};
use super::shape::{Shape, child_node};
use crate::identity::Via;
use crate::message::{Message, validation};
use crate::normal;

/// The most mistakes that are looked at, and the most that are told. A list of a million bad entries is one cause.
const MAX_ERRORS: usize = 500;
const MAX_PROBLEMS: usize = 100;

/// The most names or values that one text lists, and the most characters of each.
const MAX_LISTED: usize = 10;
const MAX_LISTED_CHARS: usize = 64;

/// A mistake in the traits.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// The node that it hangs on, such as `traits.name.first`. It may have no node in the form: an object
    /// (`traits.name`), the traits as a whole (`traits`).
    pub node: String,
    /// Whether the mistake is a field that the schema does not allow; `node` is then the object that holds it.
    pub unknown_field: bool,
    /// What is wrong.
    pub message: Message,
}

/// A problem with its place among others at the same node.
struct Found {
    rank: u8,
    problem: Problem,
}

/// Where an error stands in the traits.
struct Spot {
    /// The way from the traits to the value.
    path: Vec<String>,
    /// The node of the value, or of the first list on the way to it.
    node: String,
    /// Whether there is a list on the way.
    in_list: bool,
}

impl IdentitySchema {
    /// Everything that is wrong with the traits; nothing if they are fine. `null` counts as `{}`.
    #[must_use]
    pub fn validate_traits(&self, traits: &Value) -> Vec<Problem> {
        let nothing = Value::Object(Map::new());
        let traits = if traits.is_null() { &nothing } else { traits };
        if !traits.is_object() {
            let message = validation::wrong_type(&["object"], json_type(traits));
            return vec![Problem { node: "traits".to_owned(), unknown_field: false, message }];
        }
        let document = json!({ "traits": traits });
        let mut found = Vec::new();
        let errors: Vec<ValidationError<'_>> = self.validator.iter_errors(&document).take(MAX_ERRORS).collect();
        let mistyped: Vec<&str> = errors
            .iter()
            .filter(|e| matches!(e.kind(), ValidationErrorKind::Type { .. }))
            .map(|e| e.instance_path().as_str())
            .collect();
        for error in &errors {
            // A value of the wrong type is none of the right values either; that goes without saying.
            let follows = matches!(error.kind(), ValidationErrorKind::Enum { .. } | ValidationErrorKind::Constant { .. });
            if !(follows && mistyped.contains(&error.instance_path().as_str())) {
                self.tell(error, &document, &mut found);
            }
        }
        self.check_addresses(traits, &mut found);
        self.in_order(found)
    }

    /// The whole numbers that are written as fractions, such as 20.0, as mistakes of type: a sign-up refuses them, as
    /// clients of the API know it. [`Self::validate_traits`] judges by value and lets them pass.
    #[must_use]
    pub fn whole_numbers_as_fractions(&self, traits: &Value) -> Vec<Problem> {
        let is_fraction = |value: &Value| value.as_f64().is_some_and(|n| value.is_f64() && n.fract() == 0.0);
        let wrong = self.leaves.iter().filter(|leaf| {
            let value = leaf.path.iter().try_fold(traits, |value, step| value.get(step));
            match (&leaf.kind, value) {
                (LeafKind::One(Scalar::Integer), Some(value)) => is_fraction(value),
                (LeafKind::List(Scalar::Integer), Some(Value::Array(items))) => items.iter().any(is_fraction),
                _ => false,
            }
        });
        let problem = |leaf: &Leaf| Problem {
            node: leaf.name.clone(),
            unknown_field: false,
            message: validation::wrong_type(&["integer"], "number"),
        };
        wrong.map(problem).collect()
    }

    /// The same for people who run the service: a sentence per mistake, with its place.
    #[must_use]
    pub fn describe_problems(&self, traits: &Value) -> Vec<String> {
        self.validate_traits(traits).into_iter().map(|p| format!("{}: {}", p.node, p.message.text)).collect()
    }

    fn in_order(&self, found: Vec<Found>) -> Vec<Problem> {
        let place = |node: &str| {
            let below = format!("{node}.");
            let here = self.leaves.iter().position(|leaf| leaf.name == node || leaf.name.starts_with(&below));
            if node == "traits" { usize::MAX } else { here.unwrap_or(usize::MAX - 1) }
        };
        let mut ordered: Vec<(usize, Found)> = found.into_iter().map(|f| (place(&f.problem.node), f)).collect();
        ordered.sort_by(|(a, x), (b, y)| {
            (a, &x.problem.node, x.rank, x.problem.message.id).cmp(&(b, &y.problem.node, y.rank, y.problem.message.id))
        });
        let mut out: Vec<Problem> = Vec::new();
        for (_, found) in ordered {
            if out.len() < MAX_PROBLEMS && !out.contains(&found.problem) {
                out.push(found.problem);
            }
        }
        out
    }

    fn tell(&self, error: &ValidationError<'_>, document: &Value, found: &mut Vec<Found>) {
        let spot = spot(error.instance_path().as_str(), document);
        let mut add = |node: String, unknown_field: bool, message: Message| {
            found.push(Found { rank: rank(error.kind()), problem: Problem { node, unknown_field, message } });
        };
        match error.kind() {
            ValidationErrorKind::Required { property: Value::String(property) } if spot.in_list => {
                add(spot.node, false, validation::required(property));
            }
            ValidationErrorKind::Required { property: Value::String(property) } => {
                let node = child_node(&spot.node, property);
                let missing = self.shape_at(&spot.path).and_then(|s| s.property(property)).filter(|s| s.is_object());
                let inside = missing.map(|shape| required_inside(shape, &node)).unwrap_or_default();
                if inside.is_empty() {
                    add(node, false, validation::required(property));
                }
                for (node, property) in inside {
                    add(node, false, validation::required(&property));
                }
            }
            ValidationErrorKind::AdditionalProperties { unexpected }
            | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
                add(spot.node, true, validation::generic(&unknown_fields(unexpected)));
            }
            ValidationErrorKind::FalseSchema => {
                let name = spot.path.last().cloned().unwrap_or_default();
                let holder = spot.node.rsplit_once('.').map_or("traits", |(holder, _)| holder).to_owned();
                let node = if spot.in_list { spot.node } else { holder };
                add(node, true, validation::generic(&unknown_fields(&[name])));
            }
            kind => add(spot.node, false, message(kind, error.instance())),
        }
    }

    fn shape_at(&self, path: &[String]) -> Option<&Shape> {
        path.iter().try_fold(&self.shape, |shape, step| shape.property(step))
    }

    /// What is written to must be an address, even where the schema names no format. A trait whose format is
    /// `no-validate`, or no format of an address, is taken as it is.
    fn check_addresses(&self, traits: &Value, found: &mut Vec<Found>) {
        self.shape.visit("traits", traits, &mut |shape, value, node| {
            let Value::String(text) = value else { return };
            let format = shape.first(|s| s.format.as_deref());
            if !matches!(format, None | Some("email" | "tel")) {
                return;
            }
            for via in shape.marks.channels() {
                let message = match via {
                    Via::Email if !normal::is_email(text) => validation::not_an_email(text),
                    Via::Sms if normal::phone(text).is_none() => validation::not_a_phone_number(text),
                    _ => continue,
                };
                if !found.iter().any(|f| f.problem.node == node && f.problem.message == message) {
                    let problem = Problem { node: node.to_owned(), unknown_field: false, message };
                    found.push(Found { rank: FORMAT_RANK, problem });
                }
            }
        });
    }
}

/// The properties that an absent object would have to have, with the nodes they belong to.
fn required_inside(shape: &Shape, node: &str) -> Vec<(String, String)> {
    let mut out = Vec::new();
    for name in shape.required() {
        let node = child_node(node, name);
        let deeper = shape.property(name).filter(|s| s.is_object()).map(|s| required_inside(s, &node)).unwrap_or_default();
        if deeper.is_empty() {
            out.push((node, name.to_owned()));
        }
        out.extend(deeper);
    }
    out
}

/// Reads a JSON pointer into the document `{"traits": ...}`.
fn spot(pointer: &str, document: &Value) -> Spot {
    let mut out = Spot { path: Vec::new(), node: "traits".to_owned(), in_list: false };
    let mut value = document.get("traits");
    for step in pointer.split('/').skip(2) {
        let step = step.replace("~1", "/").replace("~0", "~");
        let inner = match value {
            Some(Value::Array(items)) => {
                out.in_list = true;
                step.parse::<usize>().ok().and_then(|index| items.get(index))
            }
            Some(other) => other.get(&step),
            None => None,
        };
        if !out.in_list {
            out.node = child_node(&out.node, &step);
        }
        out.path.push(step);
        value = inner;
    }
    out
}

const FORMAT_RANK: u8 = 3;

/// The order of messages at one node: what is missing, what it is, what it says, how much of it there is.
fn rank(kind: &ValidationErrorKind) -> u8 {
    match kind {
        ValidationErrorKind::Required { .. } => 0,
        ValidationErrorKind::Type { .. } => 1,
        ValidationErrorKind::Constant { .. } | ValidationErrorKind::Enum { .. } => 2,
        ValidationErrorKind::Format { .. } => FORMAT_RANK,
        ValidationErrorKind::AdditionalProperties { .. } | ValidationErrorKind::UnevaluatedProperties { .. } => 5,
        _ => 4,
    }
}

fn json_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// A number as people write it: whole ones without a fraction.
fn number(value: f64) -> Value {
    #[expect(clippy::cast_possible_truncation, reason = "whole numbers below 2^53 fit exactly")]
    if value.fract() == 0.0 && value.abs() < 9_007_199_254_740_992.0 { Value::from(value as i64) } else { Value::from(value) }
}

fn listed<'a>(items: impl ExactSizeIterator<Item = &'a str>) -> String {
    let left = items.len().saturating_sub(MAX_LISTED);
    let shown: Vec<String> = items.take(MAX_LISTED).map(|item| item.chars().take(MAX_LISTED_CHARS).collect()).collect();
    let rest = if left > 0 { format!(" and {left} more") } else { String::new() };
    format!("{}{rest}", shown.join(", "))
}

fn unknown_fields(names: &[String]) -> String {
    match names {
        [only] => format!("The field {} is not known here.", listed([only.as_str()].into_iter())),
        _ => format!("The fields {} are not known here.", listed(names.iter().map(String::as_str))),
    }
}

fn characters(value: &Value) -> u64 {
    value.as_str().map_or(0, |text| text.chars().count() as u64)
}

fn entries(value: &Value) -> u64 {
    value.as_array().map_or(0, |items| items.len() as u64)
}

fn message(kind: &ValidationErrorKind, value: &Value) -> Message {
    use ValidationErrorKind as Kind;
    let text = value.as_str().unwrap_or_default();
    match kind {
        Kind::Type { kind: TypeKind::Single(allowed) } => validation::wrong_type(&[allowed.as_str()], json_type(value)),
        Kind::Type { kind: TypeKind::Multiple(allowed) } => {
            let allowed: Vec<&str> = allowed.iter().map(|t| t.as_str()).collect();
            validation::wrong_type(&allowed, json_type(value))
        }
        Kind::Constant { expected_value } => validation::must_equal(&expected_value.to_string()),
        Kind::MinLength { limit } => validation::too_short(*limit, characters(value)),
        Kind::MaxLength { limit } => validation::too_long(*limit, characters(value)),
        Kind::Pattern { pattern } => validation::pattern(pattern),
        Kind::Minimum { limit } => validation::below_minimum(limit, value),
        Kind::ExclusiveMinimum { limit } => validation::not_above(limit, value),
        Kind::Maximum { limit } => validation::above_maximum(limit, value),
        Kind::ExclusiveMaximum { limit } => validation::not_below(limit, value),
        Kind::MultipleOf { multiple_of } => validation::not_multiple_of(&number(*multiple_of), value),
        Kind::MaxItems { limit } => validation::too_many_items(*limit, entries(value)),
        Kind::MinItems { limit } => validation::too_few_items(*limit, entries(value)),
        Kind::AdditionalItems { limit } => validation::too_many_items(*limit as u64, entries(value)),
        Kind::UniqueItems => match repeated(value) {
            Some((a, b)) => validation::repeated_items(a, b),
            None => validation::generic("Entries must not be equal."),
        },
        Kind::Format { format } if format == "email" || format == "idn-email" => validation::not_an_email(text),
        Kind::Format { format } if format == "tel" => validation::not_a_phone_number(text),
        _ => validation::generic(&reason(kind)),
    }
}

/// What to say about a mistake that has no message of its own. What was typed is not repeated.
fn reason(kind: &ValidationErrorKind) -> String {
    use ValidationErrorKind as Kind;
    match kind {
        Kind::Enum { options } => {
            let options: Vec<String> = options.as_array().into_iter().flatten().map(plain).collect();
            format!("Must be one of: {}.", listed(options.iter().map(String::as_str)))
        }
        Kind::Format { format } => match format.as_str() {
            "date" => "Must be a date, such as 2006-01-31.".to_owned(),
            "time" => "Must be a time, such as 15:04:05Z.".to_owned(),
            "date-time" => "Must be a date and time, such as 2006-01-31T15:04:05Z.".to_owned(),
            "uri" => "Must be a web address, such as https://example.org.".to_owned(),
            other => format!("Must be of the format {other}."),
        },
        Kind::AnyOf { context } | Kind::OneOfNotValid { context } => match alternatives(context) {
            Some(names) => format!("Please fill in at least one of: {}.", listed(names.iter().map(String::as_str))),
            None => "Fits none of the forms that are allowed here.".to_owned(),
        },
        Kind::OneOfMultipleValid { .. } => "Fits more than one of the forms of which only one is allowed here.".to_owned(),
        Kind::MinProperties { limit } => format!("Must have at least {limit} fields."),
        Kind::MaxProperties { limit } => format!("Must have at most {limit} fields."),
        Kind::Contains => "Lacks an entry that is needed.".to_owned(),
        Kind::PropertyNames { .. } => "Has a field whose name is not allowed.".to_owned(),
        Kind::UnevaluatedItems { .. } => "Has entries that are not allowed.".to_owned(),
        Kind::BacktrackLimitExceeded { .. } | Kind::RegexEngineFailure { .. } => {
            "Could not be compared with its pattern.".to_owned()
        }
        Kind::Custom { message, .. } => message.clone(),
        _ => "Is not allowed here.".to_owned(),
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The names of properties of which one is missing, if that is all that the branches ask for.
fn alternatives(branches: &[Vec<ValidationError<'static>>]) -> Option<Vec<String>> {
    let mut out = Vec::new();
    for error in branches.iter().flatten() {
        match error.kind() {
            ValidationErrorKind::Required { property: Value::String(name) } => out.push(name.clone()),
            _ => return None,
        }
    }
    (!out.is_empty()).then_some(out)
}

/// The places of the first two equal entries of a list.
fn repeated(value: &Value) -> Option<(usize, usize)> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    for (index, item) in value.as_array()?.iter().enumerate() {
        if let Some(first) = seen.insert(by_value(item).to_string(), index) {
            return Some((first, index));
        }
    }
    None
}

/// A value in which equal numbers, and objects with the same members, look the same.
fn by_value(value: &Value) -> Value {
    match value {
        Value::Number(n) if n.is_f64() => n.as_f64().map_or(Value::Null, number),
        Value::Array(items) => items.iter().map(by_value).collect(),
        Value::Object(map) => {
            let mut members: Vec<_> = map.iter().map(|(key, inner)| (key.clone(), by_value(inner))).collect();
            members.sort_by(|(a, _), (b, _)| a.cmp(b));
            Value::Object(members.into_iter().collect())
        }
        other => other.clone(),
    }
}
