//! Values that go into statements and come out of rows, in the few kinds that both databases have.
//!
//! A flag is the integer 0 or 1, a point in time an integer of microseconds, JSON is text so that the order of its keys
//! stays. A [`Row`] is read from left to right, and a column that is not what the reader expects is
//! [`StoreError::Corrupt`]; no value is ever shown in an error or in `Debug`.

use std::borrow::Cow;
use std::fmt;
use std::vec;

use portcullis_model::json;
use portcullis_model::time::Timestamp;
use serde::de::{DeserializeOwned, IntoDeserializer, value::Error as WordError};
use uuid::Uuid;

use crate::failure::StoreError;

/// A value of a statement or a row.
#[derive(Clone, PartialEq)]
pub enum Value {
    /// No value.
    Null,
    /// A whole number, a flag, or a point in time.
    Int(i64),
    /// Text.
    Text(Cow<'static, str>),
    /// Bytes.
    Bytes(Vec<u8>),
    /// An id.
    Uuid(Uuid),
}

impl Value {
    /// JSON as text; `null` becomes no value.
    pub(crate) fn json(value: &serde_json::Value) -> Self {
        if value.is_null() { Self::Null } else { json_of(value) }
    }

    /// One of the words that the program knows, without a copy of it.
    pub(crate) fn word(word: &'static str) -> Self {
        Self::Text(Cow::Borrowed(word))
    }

    /// Its size in bytes, roughly.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Null => 1,
            Self::Int(_) => 8,
            Self::Text(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
            Self::Uuid(_) => 16,
        }
    }

    /// Whether it is text with a NUL character, which PostgreSQL cannot hold.
    pub(crate) fn has_nul(&self) -> bool {
        matches!(self, Self::Text(text) if text.as_bytes().contains(&0))
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Null => "no value",
            Self::Int(_) => "an integer",
            Self::Text(_) => "text",
            Self::Bytes(_) => "bytes",
            Self::Uuid(_) => "an id",
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind())
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::Int(i64::from(value))
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Int(i64::from(value))
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        value.to_owned().into()
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(Cow::Owned(value))
    }
}

impl From<&[u8]> for Value {
    fn from(value: &[u8]) -> Self {
        Self::Bytes(value.to_vec())
    }
}

impl From<Uuid> for Value {
    fn from(value: Uuid) -> Self {
        Self::Uuid(value)
    }
}

impl From<Timestamp> for Value {
    fn from(value: Timestamp) -> Self {
        Self::Int(value.micros())
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A row, read column by column from left to right.
#[derive(Clone)]
pub struct Row {
    columns: vec::IntoIter<Value>,
}

impl Row {
    pub(crate) fn new(columns: Vec<Value>) -> Self {
        Self { columns: columns.into_iter() }
    }

    fn next(&mut self) -> Value {
        self.columns.next().unwrap_or(Value::Null)
    }

    /// The next column, an integer.
    pub(crate) fn int(&mut self) -> Result<i64, StoreError> {
        match self.next() {
            Value::Int(value) => Ok(value),
            other => Err(unexpected("an integer", &other)),
        }
    }

    /// The next column, a number that is not negative.
    pub(crate) fn count(&mut self) -> Result<u64, StoreError> {
        u64::try_from(self.int()?).map_err(|_| StoreError::Corrupt("a number is negative".into()))
    }

    /// The next column, a flag.
    pub(crate) fn flag(&mut self) -> Result<bool, StoreError> {
        Ok(self.int()? != 0)
    }

    /// The next column, a point in time.
    pub(crate) fn time(&mut self) -> Result<Timestamp, StoreError> {
        self.int().map(Timestamp::from_micros)
    }

    /// The next column, a point in time or none.
    pub(crate) fn opt_time(&mut self) -> Result<Option<Timestamp>, StoreError> {
        match self.next() {
            Value::Null => Ok(None),
            Value::Int(value) => Ok(Some(Timestamp::from_micros(value))),
            other => Err(unexpected("a time", &other)),
        }
    }

    /// The next column, text.
    pub(crate) fn text(&mut self) -> Result<String, StoreError> {
        match self.next() {
            Value::Text(value) => Ok(value.into_owned()),
            other => Err(unexpected("text", &other)),
        }
    }

    /// The next column, text or none.
    pub(crate) fn opt_text(&mut self) -> Result<Option<String>, StoreError> {
        match self.next() {
            Value::Null => Ok(None),
            Value::Text(value) => Ok(Some(value.into_owned())),
            other => Err(unexpected("text", &other)),
        }
    }

    /// The next column, bytes.
    pub(crate) fn bytes(&mut self) -> Result<Vec<u8>, StoreError> {
        match self.next() {
            Value::Bytes(value) => Ok(value),
            other => Err(unexpected("bytes", &other)),
        }
    }

    /// The next column, bytes or none.
    pub(crate) fn opt_bytes(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        match self.next() {
            Value::Null => Ok(None),
            Value::Bytes(value) => Ok(Some(value)),
            other => Err(unexpected("bytes", &other)),
        }
    }

    /// The next column, an id.
    pub(crate) fn uuid(&mut self) -> Result<Uuid, StoreError> {
        self.opt_uuid()?.ok_or_else(|| unexpected("an id", &Value::Null))
    }

    /// The next column, an id or none. SQLite keeps ids as 16 bytes.
    pub(crate) fn opt_uuid(&mut self) -> Result<Option<Uuid>, StoreError> {
        match self.next() {
            Value::Null => Ok(None),
            Value::Uuid(value) => Ok(Some(value)),
            Value::Bytes(value) => {
                Uuid::from_slice(&value).map(Some).map_err(|_| StoreError::Corrupt("an id has not 16 bytes".into()))
            }
            other => Err(unexpected("an id", &other)),
        }
    }

    /// The next column, JSON; no value is the default (for a JSON value: `null`).
    pub(crate) fn json<T: DeserializeOwned + Default>(&mut self) -> Result<T, StoreError> {
        match self.next() {
            Value::Null => Ok(T::default()),
            // Read under the same bounds as what came in, so that everything that was taken can be read back.
            Value::Text(text) => json::read(text.as_bytes()).map_err(|error| match error {
                json::JsonError::TooDeep => StoreError::Corrupt("stored JSON nests too deep".into()),
                // The error's own text can quote the data; its place and class cannot.
                json::JsonError::Syntax(e) => {
                    StoreError::Corrupt(format!("stored JSON is unreadable at column {} ({:?})", e.column(), e.classify()))
                }
            }),
            other => Err(unexpected("JSON text", &other)),
        }
    }

    /// The next column, one of the words of an enumeration.
    pub(crate) fn word<T: DeserializeOwned>(&mut self) -> Result<T, StoreError> {
        let word = self.text()?;
        let source: serde::de::value::StrDeserializer<'_, WordError> = word.as_str().into_deserializer();
        T::deserialize(source).map_err(|_| StoreError::Corrupt(format!("no word of {}", std::any::type_name::<T>())))
    }
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.columns.as_slice()).finish()
    }
}

fn unexpected(wanted: &str, found: &Value) -> StoreError {
    StoreError::Corrupt(format!("expected {wanted}, found {}", found.kind()))
}

/// The word that serde writes for a variant without data.
pub(crate) fn word_of<T: serde::Serialize>(value: &T) -> Value {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word.into(),
        // Only variants without data are given here; `Null` meets a NOT NULL column and is refused there.
        _ => Value::Null,
    }
}

/// Serialises what cannot fail to serialise: JSON, and structs and lists of texts, numbers and enums.
pub(crate) fn json_of<T: serde::Serialize>(value: &T) -> Value {
    serde_json::to_string(value).map_or(Value::Null, Value::from)
}

#[cfg(test)]
mod tests {
    use portcullis_model::flow::FlowType;
    use portcullis_model::identity::State;

    use super::*;

    #[test]
    fn a_row_is_read_from_left_to_right_and_never_panics() {
        let mut row =
            Row::new(vec![Value::Int(1), Value::Text("{\"b\":1,\"a\":2}".into()), Value::Bytes(vec![0; 16]), Value::Null]);
        assert_eq!(row.flag(), Ok(true));
        let json: serde_json::Value = row.json().expect("json");
        assert_eq!(json.to_string(), "{\"b\":1,\"a\":2}");
        assert_eq!(row.uuid(), Ok(Uuid::nil()));
        assert_eq!(row.opt_text(), Ok(None));
        assert!(matches!(row.int(), Err(StoreError::Corrupt(_))), "past the end");
        assert!(matches!(Row::new(vec![Value::Bytes(vec![1])]).uuid(), Err(StoreError::Corrupt(_))));
    }

    #[test]
    fn words_go_there_and_back() {
        assert_eq!(word_of(&FlowType::Api), Value::Text("api".into()));
        assert_eq!(Row::new(vec![word_of(&State::Inactive)]).word::<State>(), Ok(State::Inactive));
        assert!(Row::new(vec!["dead".into()]).word::<State>().is_err());
    }

    #[test]
    fn nothing_shows_values() {
        let secret = Value::from("s3cret");
        assert!(!format!("{secret:?}{:?}", Row::new(vec![secret.clone()])).contains("s3cret"));
        let broken = Row::new(vec![Value::Text("{\"s3cret\" 1}".into())]).json::<serde_json::Value>();
        assert!(!format!("{broken:?}").contains("s3cret"));
    }
}
