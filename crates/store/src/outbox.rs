//! The outbox: messages that are to be sent, written in the same commit as their reason.
//!
//! A worker claims messages for a while (a lease); what is neither sent nor given back by then is taken up again by any
//! worker. Invariant: at one time a message is one worker's, on both databases; a worker that lost its lease cannot
//! report any more. A crash can make a message be sent twice, never not at all.

use std::time::Duration;

use portcullis_model::time::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::changes::{Changes, Expect};
use crate::dialect::{Query, arg};
use crate::failure::StoreError;
use crate::lease::{self, given_back, lease};
use crate::store::{Store, two};
use crate::value::{Row, Value};

/// A message that is to be sent.
#[derive(Clone, PartialEq, Eq)]
pub struct NewMessage {
    /// Its id.
    pub id: Uuid,
    /// The channel that sends it, such as `email` or `sms`.
    pub channel: String,
    /// To whom.
    pub recipient: String,
    /// The type of its template, such as `recovery_code_valid`.
    pub template: String,
    /// What the template is filled with, encrypted.
    pub sealed_data: Vec<u8>,
    /// The rendered subject.
    pub subject: Option<String>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// Not to be sent before.
    pub send_after: Timestamp,
}

impl std::fmt::Debug for NewMessage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewMessage")
            .field("id", &self.id)
            .field("channel", &self.channel)
            .field("template", &self.template)
            .finish_non_exhaustive()
    }
}

/// How far a message has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MessageStatus {
    /// It waits.
    Queued,
    /// It was sent.
    Sent,
    /// A worker has it.
    Processing,
    /// It was given up.
    Abandoned,
}

impl MessageStatus {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Queued, Self::Sent, Self::Processing, Self::Abandoned];

    /// The API's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Processing => "processing",
            Self::Abandoned => "abandoned",
        }
    }
}

/// A message as the database keeps it.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// Its id.
    pub id: Uuid,
    /// The channel that sends it.
    pub channel: String,
    /// To whom.
    pub recipient: String,
    /// The type of its template.
    pub template: String,
    /// What the template is filled with, encrypted.
    pub sealed_data: Vec<u8>,
    /// The rendered subject.
    pub subject: Option<String>,
    /// How far it has come.
    pub status: MessageStatus,
    /// How often sending it was begun.
    pub send_count: u64,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Message")
            .field("id", &self.id)
            .field("channel", &self.channel)
            .field("template", &self.template)
            .field("status", &self.status)
            .field("send_count", &self.send_count)
            .finish_non_exhaustive()
    }
}

/// A message that a worker has until its lease ends. `send_count` counts this attempt already, so that a message whose
/// sending kills the worker does not begin for ever.
pub type ClaimedMessage = Message;

/// One attempt to send a message that came to an end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dispatch {
    /// Its id, derived from the message's and the attempt's number.
    pub id: Uuid,
    /// The message.
    pub message_id: Uuid,
    /// The attempt, counted from 1.
    pub attempt: u64,
    /// What went wrong; `None`: it was sent.
    pub error: Option<String>,
    /// When the attempt ended.
    pub created_at: Timestamp,
}

macro_rules! message_columns {
    () => {
        "id, channel, recipient, template, sealed_data, subject, status, send_count, created_at, updated_at"
    };
}

fn from_row(mut row: Row) -> Result<Message, StoreError> {
    Ok(Message {
        id: row.uuid()?,
        channel: row.text()?,
        recipient: row.text()?,
        template: row.text()?,
        sealed_data: row.bytes()?,
        subject: row.opt_text()?,
        status: row.word()?,
        send_count: row.count()?,
        created_at: row.time()?,
        updated_at: row.time()?,
    })
}

/// A message with the attempts to send it, newest first.
///
/// # Errors
/// What the database says.
pub async fn get(store: &Store, id: Uuid) -> Result<Option<(Message, Vec<Dispatch>)>, StoreError> {
    let message = concat!("SELECT ", message_columns!(), " FROM messages WHERE id = $1");
    let attempts = "SELECT attempt, error, created_at FROM message_dispatches WHERE message_id = $1 ORDER BY attempt DESC";
    let queries = [Query::new(message, vec![id.into()]), Query::new(attempts, vec![id.into()])];
    let (message, attempts) = two(store.read(&queries).await?);
    let Some(row) = message.into_iter().next() else { return Ok(None) };
    let dispatch = |mut row: Row| {
        let attempt = row.count()?;
        Ok(Dispatch { id: dispatch_id(id, attempt), message_id: id, attempt, error: row.opt_text()?, created_at: row.time()? })
    };
    Ok(Some((from_row(row)?, attempts.into_iter().map(dispatch).collect::<Result<_, StoreError>>()?)))
}

/// A page of messages, newest first. `after` is the last id of the page before; ids rise with time.
///
/// # Errors
/// What the database says.
pub async fn list(
    store: &Store,
    status: Option<MessageStatus>,
    recipient: Option<&str>,
    after: Option<Uuid>,
    limit: u32,
) -> Result<Vec<Message>, StoreError> {
    let mut args = Vec::new();
    let mut condition = "TRUE".to_owned();
    if let Some(status) = status {
        condition.push_str(&format!(" AND status = {}", arg(&mut args, status.as_str())));
    }
    if let Some(recipient) = recipient {
        condition.push_str(&format!(" AND recipient = {}", arg(&mut args, recipient)));
    }
    if let Some(after) = after {
        condition.push_str(&format!(" AND id < {}", arg(&mut args, after)));
    }
    let limit = arg(&mut args, limit);
    let sql = format!("SELECT {} FROM messages WHERE {condition} ORDER BY id DESC LIMIT {limit}", message_columns!());
    store.read_long(vec![Query::new(sql, args)]).await?.into_iter().flatten().map(from_row).collect()
}

/// Queues a message.
pub fn mail(c: &mut Changes, message: &NewMessage) {
    c.push(
        "INSERT INTO messages (id, channel, recipient, template, sealed_data, subject, status, send_count, due_at, created_at, \
         updated_at) VALUES ($1, $2, $3, $4, $5, $6, 'queued', 0, $7, $8, $8)",
        vec![
            message.id.into(),
            message.channel.as_str().into(),
            message.recipient.as_str().into(),
            message.template.as_str().into(),
            Value::Bytes(message.sealed_data.clone()),
            message.subject.as_deref().into(),
            message.send_after.into(),
            message.created_at.into(),
        ],
        Expect::One,
    );
}

/// Replaces what a message says that waits and was never tried. Guard: it still does.
pub fn amend(c: &mut Changes, id: Uuid, sealed_data: Vec<u8>, now: Timestamp) {
    c.push(
        "UPDATE messages SET sealed_data = $1, updated_at = $2 WHERE id = $3 AND status = 'queued' AND send_count = 0",
        vec![Value::Bytes(sealed_data), now.into(), id.into()],
        Expect::One,
    );
}

/// Takes up to `limit` messages that are due, oldest first, for a worker until `now` plus `lease`: those that wait, and those
/// whose worker's lease is over.
///
/// # Errors
/// What the database says.
pub async fn claim(
    store: &Store,
    worker: Uuid,
    now: Timestamp,
    lease: Duration,
    limit: u32,
) -> Result<Vec<ClaimedMessage>, StoreError> {
    let rows = lease::claim(store, &lease!("messages", message_columns!()), worker, now, lease, limit).await?;
    let mut claimed = rows.map(from_row).collect::<Result<Vec<_>, _>>()?;
    claimed.sort_by_key(|m| (m.created_at, m.id));
    Ok(claimed)
}

/// A message was sent. Guard: the worker still has it.
pub fn sent(c: &mut Changes, id: Uuid, worker: Uuid, now: Timestamp) {
    c.push(
        "UPDATE messages SET status = 'sent', due_at = NULL, worker = NULL, updated_at = $1 \
         WHERE id = $2 AND worker = $3 AND status = 'processing'",
        vec![now.into(), id.into(), worker.into()],
        Expect::One,
    );
    dispatched(c, id, None, now);
}

/// A message could not be sent: it waits until `next_try`, or (`None`) is given up. Guard: the worker still has it.
pub fn failed(c: &mut Changes, id: Uuid, worker: Uuid, next_try: Option<Timestamp>, error: &str, now: Timestamp) {
    let status = if next_try.is_some() { MessageStatus::Queued } else { MessageStatus::Abandoned };
    c.push(
        "UPDATE messages SET status = $1, due_at = $2, worker = NULL, updated_at = $3 \
         WHERE id = $4 AND worker = $5 AND status = 'processing'",
        vec![Value::word(status.as_str()), next_try.into(), now.into(), id.into(), worker.into()],
        Expect::One,
    );
    // What a mail server says may hold anything.
    dispatched(c, id, Some(error.replace('\0', "")), now);
}

/// A worker did not even try a message: it waits until `due`, with as many tries as before. Guard: the worker still has it.
pub fn postponed(c: &mut Changes, id: Uuid, worker: Uuid, due: Timestamp) {
    lease::give_back(c, given_back!("messages"), id, worker, due);
}

fn dispatched(c: &mut Changes, id: Uuid, error: Option<String>, now: Timestamp) {
    c.push(
        "INSERT INTO message_dispatches (message_id, attempt, status, error, created_at) \
         SELECT id, send_count, $1, $2, $3 FROM messages WHERE id = $4",
        vec![if error.is_some() { "failed" } else { "success" }.into(), error.into(), now.into(), id.into()],
        Expect::One,
    );
}

/// The id of an attempt: the message's id with the attempt's number worked into its random end, as a version 8 (custom)
/// UUID (RFC 9562, section 5.8). So attempts need no ids of their own.
fn dispatch_id(message_id: Uuid, attempt: u64) -> Uuid {
    let bytes = (message_id.as_u128() ^ u128::from(attempt & 0xffff_ffff)).to_be_bytes();
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_attempt_has_its_own_id() {
        let message = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001);
        let ids: std::collections::BTreeSet<_> = (1..100).map(|attempt| dispatch_id(message, attempt)).collect();
        assert_eq!(ids.len(), 99);
        assert!(ids.iter().all(|id| id.get_version_num() == 8 && *id != message));
        assert_eq!(dispatch_id(message, 7), dispatch_id(message, 7));
    }

    #[test]
    fn statuses_have_their_words() {
        for status in MessageStatus::ALL {
            assert_eq!(serde_json::to_value(status).ok(), Some(status.as_str().into()));
        }
    }
}
