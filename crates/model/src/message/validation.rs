//! Messages about single values: traits, passwords, fields of forms.
//!
//! Numbers stand in the context as they stand in the schema or were sent; lengths are in characters unless said otherwise.

use serde_json::Value;

use super::Message;

/// Any mistake that has no message of its own.
#[must_use]
pub fn generic(reason: &str) -> Message {
    Message::error(4_000_001, reason).with("reason", reason)
}

/// A required property is missing. `property` is its last name, without the path.
#[must_use]
pub fn required(property: &str) -> Message {
    Message::error(4_000_002, format!("Please fill in {property}.")).with("property", property)
}

/// A text is too short.
#[must_use]
pub fn too_short(min_length: u64, actual_length: u64) -> Message {
    Message::error(4_000_003, format!("Must have at least {min_length} characters, but has {actual_length}."))
        .with("min_length", min_length)
        .with("actual_length", actual_length)
}

/// A text does not match a regular expression.
#[must_use]
pub fn pattern(pattern: &str) -> Message {
    Message::error(4_000_004, format!("Does not match the pattern \"{pattern}\".")).with("pattern", pattern)
}

/// The password is refused for a reason that has no message of its own.
#[must_use]
pub fn password_refused(reason: &str) -> Message {
    Message::error(4_000_005, format!("The password cannot be used: {reason}")).with("reason", reason)
}

/// A text is too long.
#[must_use]
pub fn too_long(max_length: u64, actual_length: u64) -> Message {
    Message::error(4_000_017, format!("Must have at most {max_length} characters, but has {actual_length}."))
        .with("max_length", max_length)
        .with("actual_length", actual_length)
}

/// A number is below the least that is allowed.
#[must_use]
pub fn below_minimum(minimum: &Value, actual: &Value) -> Message {
    Message::error(4_000_018, format!("Must be {minimum} or more, but is {actual}."))
        .with("minimum", minimum.clone())
        .with("actual", actual.clone())
}

/// A number must be above a limit.
#[must_use]
pub fn not_above(minimum: &Value, actual: &Value) -> Message {
    Message::error(4_000_019, format!("Must be more than {minimum}, but is {actual}."))
        .with("minimum", minimum.clone())
        .with("actual", actual.clone())
}

/// A number is above the greatest that is allowed.
#[must_use]
pub fn above_maximum(maximum: &Value, actual: &Value) -> Message {
    Message::error(4_000_020, format!("Must be {maximum} or less, but is {actual}."))
        .with("maximum", maximum.clone())
        .with("actual", actual.clone())
}

/// A number must be below a limit.
#[must_use]
pub fn not_below(maximum: &Value, actual: &Value) -> Message {
    Message::error(4_000_021, format!("Must be less than {maximum}, but is {actual}."))
        .with("maximum", maximum.clone())
        .with("actual", actual.clone())
}

/// A number is no multiple of another.
#[must_use]
pub fn not_multiple_of(base: &Value, actual: &Value) -> Message {
    Message::error(4_000_022, format!("Must be a multiple of {base}, but is {actual}."))
        .with("base", base.clone())
        .with("actual", actual.clone())
}

/// A list is too long.
#[must_use]
pub fn too_many_items(max_items: u64, actual_items: u64) -> Message {
    Message::error(4_000_023, format!("Must have at most {max_items} entries, but has {actual_items}."))
        .with("max_items", max_items)
        .with("actual_items", actual_items)
}

/// A list is too short.
#[must_use]
pub fn too_few_items(min_items: u64, actual_items: u64) -> Message {
    Message::error(4_000_024, format!("Must have at least {min_items} entries, but has {actual_items}."))
        .with("min_items", min_items)
        .with("actual_items", actual_items)
}

/// Two entries of a list are equal; the places count from zero.
#[must_use]
pub fn repeated_items(index_a: usize, index_b: usize) -> Message {
    let place = |index: usize| index.saturating_add(1);
    Message::error(4_000_025, format!("Entries {} and {} must not be equal.", place(index_a), place(index_b)))
        .with("index_a", index_a)
        .with("index_b", index_b)
}

/// A value has the wrong JSON type.
#[must_use]
pub fn wrong_type(allowed_types: &[&str], actual_type: &str) -> Message {
    Message::error(4_000_026, format!("Must be of type {}, but is of type {actual_type}.", allowed_types.join(" or ")))
        .with("allowed_types", Value::from(allowed_types))
        .with("actual_type", actual_type)
}

/// A value must equal another, which is told as JSON text.
#[must_use]
pub fn must_equal(expected: &str) -> Message {
    Message::error(4_000_029, format!("Must be {expected}.")).with("expected", expected)
}

/// A value must equal another, which is not told.
#[must_use]
pub fn must_equal_a_constant() -> Message {
    Message::error(4_000_030, "Does not have the value that is expected here.")
}

/// The password is too like an identifier.
#[must_use]
pub fn password_like_identifier() -> Message {
    Message::error(4_000_031, "The password is too much like the name you sign in with. Please choose another.")
}

/// The password is too short.
#[must_use]
pub fn password_too_short(min_length: u64, actual_length: u64) -> Message {
    Message::error(4_000_032, format!("The password must have at least {min_length} characters, but has {actual_length}."))
        .with("min_length", min_length)
        .with("actual_length", actual_length)
}

/// The password is longer than its hash can take; both lengths are in bytes.
#[must_use]
pub fn password_too_long(max_length: u64, actual_length: u64) -> Message {
    Message::error(4_000_033, format!("The password may take up at most {max_length} bytes, but takes up {actual_length}."))
        .with("max_length", max_length)
        .with("actual_length", actual_length)
}

/// The password stands in lists of stolen ones, that many times.
#[must_use]
pub fn password_breached(breaches: u64) -> Message {
    Message::error(4_000_034, "This password is known from data breaches and must not be used. Please choose another.")
        .with("breaches", breaches)
}

/// A text is no e-mail address.
#[must_use]
pub fn not_an_email(value: &str) -> Message {
    Message::error(4_000_040, "Please enter a valid e-mail address.").with("value", value)
}

/// A text is no phone number.
#[must_use]
pub fn not_a_phone_number(value: &str) -> Message {
    Message::error(4_000_041, "Please enter a valid phone number that begins with + and the code of its country.")
        .with("value", value)
}
