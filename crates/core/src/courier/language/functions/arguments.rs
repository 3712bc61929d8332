//! Reading the arguments of template functions, as leniently as Go's `fmt` and Sprig's casts do.

use std::collections::HashMap;

use gtmpl_ng::{FuncError, NumberKind, Value};

pub(super) type Answer = Result<Value, FuncError>;

/// A refusal. The words say nothing of values.
pub(super) fn refuse(reason: &str) -> FuncError {
    FuncError::Generic(format!("wrong argument: {reason}"))
}

pub(super) fn value(args: &[Value], at: usize) -> Result<&Value, FuncError> {
    args.get(at).ok_or_else(|| refuse("one is missing"))
}

/// An argument as text; an absent value is the empty text.
pub(super) fn text(args: &[Value], at: usize) -> Result<String, FuncError> {
    Ok(as_text(value(args, at)?))
}

pub(super) fn as_text(value: &Value) -> String {
    if is_nil(value) { String::new() } else { value.to_string() }
}

/// An argument as a whole number; what is none is 0, as Sprig casts it.
pub(super) fn integer(args: &[Value], at: usize) -> Result<i64, FuncError> {
    Ok(as_integer(value(args, at)?))
}

pub(super) fn as_integer(value: &Value) -> i64 {
    match value {
        Value::Number(n) => match n.kind() {
            NumberKind::Signed(n) => n,
            NumberKind::Unsigned(n) => i64::try_from(n).unwrap_or(i64::MAX),
            NumberKind::Float(f) => f as i64,
        },
        Value::Bool(b) => i64::from(*b),
        Value::String(s) => s.trim().parse().unwrap_or(0),
        _ => 0,
    }
}

pub(super) fn as_float(value: &Value) -> f64 {
    match value {
        Value::Number(n) => match n.kind() {
            NumberKind::Signed(n) => n as f64,
            NumberKind::Unsigned(n) => n as f64,
            NumberKind::Float(f) => f,
        },
        Value::Bool(b) => f64::from(u8::from(*b)),
        Value::String(s) => s.trim().parse().unwrap_or(0.0),
        _ => 0.0,
    }
}

/// A count or position; negative ones are `None`.
pub(super) fn count(args: &[Value], at: usize) -> Result<Option<usize>, FuncError> {
    Ok(usize::try_from(integer(args, at)?).ok())
}

pub(super) fn items(value: &Value) -> Result<&[Value], FuncError> {
    match value {
        Value::Array(items) => Ok(items),
        Value::Nil | Value::NoValue => Ok(&[]),
        _ => Err(refuse("a list is needed")),
    }
}

pub(super) fn entries(value: &Value) -> Result<&HashMap<String, Value>, FuncError> {
    match value {
        Value::Map(entries) | Value::Object(entries) => Ok(entries),
        _ => Err(refuse("a map is needed")),
    }
}

pub(super) fn is_nil(value: &Value) -> bool {
    matches!(value, Value::Nil | Value::NoValue)
}

/// Whether a value counts as not given: nothing, zero, false, or empty.
pub(super) fn is_empty(value: &Value) -> bool {
    match value {
        Value::NoValue | Value::Nil => true,
        Value::Bool(b) => !b,
        Value::String(s) => s.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Map(entries) | Value::Object(entries) => entries.is_empty(),
        Value::Number(_) => as_float(value) == 0.0,
        Value::Function(_) => false,
    }
}

pub(super) fn texts<I: IntoIterator<Item = S>, S: Into<String>>(items: I) -> Value {
    Value::Array(items.into_iter().map(|s| Value::String(s.into())).collect())
}

/// Refuses to make more than a template may, before it is made.
pub(super) fn within_limit(length: usize) -> Result<(), FuncError> {
    match gtmpl_ng::limits::active().function_output {
        Some(limit) if length > limit => Err(refuse("more would come of it than is allowed")),
        _ => Ok(()),
    }
}
