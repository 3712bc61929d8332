//! Messages to people: the ids, types and contexts are the contract, the English is ours.
//!
//! Every message is made by a function of this module, never by hand elsewhere, so that an id and its context cannot part.
//! The functions are grouped by where a person meets the message, not by the first digits of its id.

pub mod label;
pub mod login;
pub mod recovery;
pub mod registration;
pub mod settings;
pub mod system;
#[cfg(test)]
mod tests;
pub mod validation;
pub mod verification;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::time::Timestamp;

/// How a message is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MessageType {
    /// For information; labels too.
    Info,
    /// Something is wrong.
    Error,
    /// Something went well.
    Success,
}

/// A message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// By which front ends translate it.
    pub id: u32,
    /// In English.
    pub text: String,
    /// How it is meant.
    #[serde(rename = "type")]
    pub kind: MessageType,
    /// What the text speaks of, for translations.
    #[serde(skip_serializing_if = "Map::is_empty", default)]
    pub context: Map<String, Value>,
}

impl Message {
    fn info(id: u32, text: impl Into<String>) -> Self {
        Self { id, text: text.into(), kind: MessageType::Info, context: Map::new() }
    }

    fn error(id: u32, text: impl Into<String>) -> Self {
        Self { id, text: text.into(), kind: MessageType::Error, context: Map::new() }
    }

    fn success(id: u32, text: impl Into<String>) -> Self {
        Self { id, text: text.into(), kind: MessageType::Success, context: Map::new() }
    }

    fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.context.insert(key.to_owned(), value.into());
        self
    }

    /// A point in time under two keys: RFC 3339 text, and seconds under the key with `_unix`.
    fn with_time(self, key: &str, when: Timestamp) -> Self {
        self.with(key, when.to_string()).with(&format!("{key}_unix"), when.seconds())
    }
}
