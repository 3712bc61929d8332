//! Messages that waited to be sent there: they come only if that is asked for, and each of them once.

use std::time::Duration;

use portcullis_model::time::Timestamp;
use portcullis_store::kratos::{OldMessage, Source};
use portcullis_store::{Changes, Store, StoreError, outbox};
use uuid::Uuid;

use super::mover::{MoveError, PART, Report};
use crate::app::{App, Cx};
use crate::courier::{self, Kind};
use crate::flow::engine::Request;
use crate::jobs;

/// Takes over everything that waits. In a rehearsal, `standing` is the database that would be written.
pub(super) async fn messages(
    app: &std::sync::Arc<App>,
    source: &Source,
    standing: Option<&Store>,
    report: &mut Report,
) -> Result<(), MoveError> {
    let mut place = None;
    loop {
        let part = source.messages(place.as_deref(), PART).await.map_err(MoveError::Source)?;
        let cx = Cx::new(app, Request::default());
        for message in part.messages {
            match message {
                Err(unreadable) => report.message(&unreadable.id, &unreadable.reason),
                Ok(message) => one(&cx, standing, message, report).await.map_err(MoveError::Target)?,
            }
        }
        place = match part.next {
            Some(next) => Some(next),
            None => break,
        };
    }
    courier::ring(app);
    Ok(())
}

async fn one(cx: &Cx, standing: Option<&Store>, message: OldMessage, report: &mut Report) -> Result<(), StoreError> {
    let id = id_of(&message);
    let shown = message.id.to_string();
    if let Some(why) = unfit(&message, cx.now) {
        report.message(&shown, why);
        return Ok(());
    }
    if outbox::get(standing.unwrap_or_else(|| cx.store()), id).await?.is_some() {
        report.messages_already_here += 1;
        return Ok(());
    }
    let mut changes = Changes::new();
    if !courier::take_over(cx, &mut changes, id, message).await {
        report.message(&shown, "its template cannot be filled with what is known of it");
        return Ok(());
    }
    match cx.store().commit(changes).await {
        Ok(_) => report.messages += 1,
        // Somebody else moves in at the same moment.
        Err(StoreError::Unique(_)) => report.messages_already_here += 1,
        Err(error) => return Err(error),
    }
    Ok(())
}

/// Why a message cannot come.
fn unfit(message: &OldMessage, now: Timestamp) -> Option<&'static str> {
    // What was sent is forgotten after a while. What is older than that must not come, lest it is sent a second time.
    let kept = jobs::MESSAGES_KEPT.saturating_sub(Duration::from_secs(24 * 60 * 60));
    if Kind::parse(&message.template).is_none() {
        Some("its template is not known here")
    } else if message.recipient.is_empty() {
        Some("it has no recipient")
    } else if !message.data.is_object() {
        Some("what it says cannot be read")
    } else if message.created_at <= now.minus(kept) {
        Some("it is too old: nobody waits for it any more")
    } else {
        None
    }
}

/// An id that follows from the message, so that it comes once, and from its time, as the ids of all messages do.
fn id_of(message: &OldMessage) -> Uuid {
    let millis = u64::try_from(message.created_at.micros() / 1000).unwrap_or(0);
    let digest = super::identity::digest(message.id, "message", "");
    let mut random = [0; 10];
    random.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}
