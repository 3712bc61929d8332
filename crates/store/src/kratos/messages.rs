//! Messages that wait to be sent there.

use portcullis_model::json;
use portcullis_model::time::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::driver::RawRow;
use super::rows::Texts;
use super::{Source, Unreadable};
use crate::failure::StoreError;

/// The columns of a message, in the order in which they are read.
const COLUMNS: [&str; 7] = ["id", "type", "channel", "recipient", "template_type", "template_data", "created_at"];

/// A message as that database has it.
#[derive(Clone)]
pub struct OldMessage {
    /// Its id.
    pub id: Uuid,
    /// The channel that sends it, such as `email` or `sms`.
    pub channel: String,
    /// To whom.
    pub recipient: String,
    /// The type of its template, such as `recovery_code_valid`.
    pub template: String,
    /// What the template is filled with; holds codes and links. Null if there is nothing that could be read.
    pub data: Value,
    /// When it was asked for.
    pub created_at: Timestamp,
}

impl std::fmt::Debug for OldMessage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OldMessage").field("id", &self.id).field("template", &self.template).finish_non_exhaustive()
    }
}

/// A part of the messages that wait, sorted by id.
#[derive(Debug, Default)]
pub struct MessagePart {
    /// Those that could be read, or why not.
    pub messages: Vec<Result<OldMessage, Unreadable>>,
    /// Where the next part begins; `None` if this is the last.
    pub next: Option<String>,
}

impl Source {
    /// The next messages after a place that wait to be sent or are being sent. `limit` is the most that are read.
    ///
    /// # Errors
    /// What the database says.
    pub async fn messages(&self, after: Option<&str>, limit: u32) -> Result<MessagePart, StoreError> {
        if !self.columns.has("courier_messages", "status") {
            return Ok(MessagePart::default());
        }
        let beyond = super::beyond(after);
        let query = format!(
            "SELECT {} FROM courier_messages t WHERE t.nid = '{}' AND t.status IN {}{beyond} ORDER BY t.id LIMIT {limit}",
            self.columns.list("courier_messages", &COLUMNS),
            self.network,
            super::WAITING,
        );
        let rows = self.driver.read(&[query]).await?.into_iter().next().unwrap_or_default();
        let is_whole = rows.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
        let next = rows.last().and_then(|row| row.first()?.clone()).filter(|_| is_whole);
        Ok(MessagePart { messages: rows.into_iter().map(message).collect(), next })
    }
}

fn message(row: RawRow) -> Result<OldMessage, Unreadable> {
    let shown = row.first().cloned().flatten().unwrap_or_default();
    let read = || {
        let mut row = Texts::new(row);
        let id = row.id()?;
        // 1: a mail, 2: a text message. Releases that know further channels name them.
        let kind = row.text();
        let channel = row.next().filter(|name| !name.is_empty());
        let channel = channel.unwrap_or_else(|| if kind == "2" { "sms" } else { "email" }.to_owned());
        let (recipient, template) = (row.text(), row.text());
        let data = row.next().and_then(|text| data(&text)).unwrap_or_default();
        Ok(OldMessage { id, channel, recipient, template, data, created_at: row.time("created_at")? })
    };
    read().map_err(|reason: String| Unreadable { id: shown, reason })
}

/// JSON, as text or as PostgreSQL writes bytes: `\x` and hexadecimal digits.
fn data(text: &str) -> Option<Value> {
    let bytes = match text.strip_prefix("\\x") {
        None => text.as_bytes().to_vec(),
        Some(digits) => digits.as_bytes().chunks(2).map(byte).collect::<Option<_>>()?,
    };
    json::read(&bytes).ok()
}

fn byte(pair: &[u8]) -> Option<u8> {
    let digit = |b: &u8| char::from(*b).to_digit(16);
    match pair {
        [high, low] => u8::try_from(digit(high)? << 4 | digit(low)?).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn data_is_read_as_either_database_gives_it() {
        let value = Some(json!({ "to": "ä" }));
        assert_eq!(data(r#"{"to": "ä"}"#), value);
        assert_eq!(data("\\x7b22746f223a22c3a4227d"), value);
        for bad in ["", "\\x7b2", "\\xzz", "{"] {
            assert_eq!(data(bad), None, "{bad}");
        }
    }
}
