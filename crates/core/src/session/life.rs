//! How long a session lasts: extending it.

use portcullis_model::session::Session;
use portcullis_model::time::Timestamp;

use crate::config::Config;

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
    Some(Session { expires_at: now.plus(config.session.lifespan), updated_at: now, ..session.clone() })
}
