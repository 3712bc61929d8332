//! Messages as administrators see them.

use portcullis_model::identity::Via;
use portcullis_store::outbox::{Dispatch, Message};
use serde_json::{Value, json};

use super::preview;
use crate::app::Snapshot;

/// What stands in the place of words that are not shown: they hold codes and links.
const REDACTED: &str = "<redacted-unless-dev-mode>";

/// A message as JSON, with its attempts if they were asked for. Its words are shown in development mode, and where
/// `log.leak_sensitive_values` lets secrets out anyway.
pub async fn view(snapshot: &Snapshot, message: &Message, attempts: Option<&[Dispatch]>) -> Value {
    let shows = snapshot.config.dev || snapshot.config.log.leak_sensitive_values;
    let (subject, body) = if shows {
        // What cannot be opened any more has no words.
        preview(snapshot, message).await.map(|words| (words.subject, words.text)).unwrap_or_default()
    } else {
        (REDACTED.to_owned(), REDACTED.to_owned())
    };
    let mut out = json!({
        "id": message.id,
        "status": message.status,
        "type": if message.channel == Via::Email.as_str() { "email" } else { "sms" },
        "recipient": message.recipient,
        "body": body,
        "subject": subject,
        "template_type": message.template,
        "channel": message.channel,
        "send_count": message.send_count,
        "created_at": message.created_at,
        "updated_at": message.updated_at,
    });
    if let (Some(attempts), Value::Object(out)) = (attempts, &mut out) {
        out.insert("dispatches".into(), attempts.iter().map(attempt).collect());
    }
    out
}

fn attempt(attempt: &Dispatch) -> Value {
    let error = attempt.error.as_ref().map(|reason| {
        json!({
            "code": 500,
            "status": "Internal Server Error",
            "message": "The message could not be sent.",
            "reason": reason,
        })
    });
    json!({
        "id": attempt.id,
        "message_id": attempt.message_id,
        "status": if error.is_some() { "failed" } else { "success" },
        "error": error,
        "created_at": attempt.created_at,
        "updated_at": attempt.created_at,
    })
}
