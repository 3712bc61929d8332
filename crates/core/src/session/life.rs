//! How long a session lasts, and when its holder was last seen.

use std::time::Duration;

use portcullis_model::session::Session;
use portcullis_model::time::Timestamp;
use portcullis_store::{Changes, sessions};

use crate::app::Cx;
use crate::config::Config;

/// How exactly the time is kept at which somebody was last seen: a session costs at most one write in this time.
const SEEN_TO: Duration = Duration::from_secs(10 * 60);

/// Writes down that a session's holder was just seen, unless that was done a moment ago. The request does not wait for it.
pub(super) fn note_seen(cx: &Cx, session: &Session) {
    if cx.now.since(session.updated_at) < SEEN_TO {
        return;
    }
    let mut changes = Changes::new();
    sessions::seen(&mut changes, session.id, cx.now);
    let store = cx.store().clone();
    tokio::spawn(async move {
        if let Err(error) = store.commit(changes).await {
            tracing::debug!(%error, "when a session was last seen is not kept");
        }
    });
}

/// The session as an extension makes it, or `None` if it stays as it is: it is over, or it is too early. It is early
/// enough when less than `session.earliest_possible_extend` is left; without that key, always.
#[must_use]
pub fn extended(config: &Config, now: Timestamp, session: &Session) -> Option<Session> {
    if !session.is_alive(now) {
        return None;
    }
    let left = session.expires_at.since(now);
    if config.session.earliest_possible_extend.is_some_and(|limit| left >= limit) {
        return None;
    }
    Some(Session { expires_at: now.plus(config.session.lifespan), ..session.clone() })
}
