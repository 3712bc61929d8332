//! Sessions: who is signed in, how a session begins and goes on, which level it must have, and how it is shown.
//!
//! A session counts while it is active, not expired, and its identity active. Its token is known to its holder only: the
//! store finds it by a keyed hash.

pub mod aal;
pub mod exchange;
mod issue;
pub mod life;
pub mod tokenizer;
pub mod view;

pub use issue::{NewSession, add_proof, new_session};
pub use view::view;

use portcullis_model::error::{ApiError, ErrorId};
use portcullis_model::identity::{Identity, State};
use portcullis_model::session::Session;
use portcullis_model::time::Timestamp;
use portcullis_store::sessions;

use crate::app::Cx;
use crate::crypto::Secret;
use crate::flow::engine::{Carrier, store_error};

/// The session that a request was made with.
#[derive(Clone)]
pub struct Current {
    /// The session. It counts now.
    pub session: Session,
    /// Whose it is.
    pub identity: Identity,
    /// Its token, as the client sent it.
    pub token: Secret,
    /// By which way the token came.
    pub carrier: Carrier,
    /// Until when the client's cookie says that the session lasts; `None` if the token came in a header.
    pub cookie_expires_at: Option<Timestamp>,
}

impl Current {
    /// The token that ends this session at logout; always the same for a session.
    #[must_use]
    pub fn logout_token(&self, cx: &Cx) -> String {
        cx.keys().logout_token(self.token.expose())
    }
}

/// The session that a request was made with, if it counts now: one indexed read. Now and then it is written down that its
/// holder was seen; nobody waits for that.
///
/// # Errors
/// If the database fails.
pub async fn current(cx: &Cx) -> Result<Option<Current>, ApiError> {
    let Some(presented) = &cx.request.session else { return Ok(None) };
    let Some((session, identity)) = by_token(cx, presented.token.expose()).await? else { return Ok(None) };
    if !session.is_alive(cx.now) || identity.state != State::Active {
        return Ok(None);
    }
    life::note_seen(cx, &session);
    Ok(Some(Current {
        session,
        identity,
        token: presented.token.clone(),
        carrier: presented.carrier,
        cookie_expires_at: presented.cookie_expires_at,
    }))
}

/// The session of a token, whether it counts or not.
///
/// # Errors
/// If the database fails.
pub async fn by_token(cx: &Cx, token: &str) -> Result<Option<(Session, Identity)>, ApiError> {
    if token.is_empty() {
        return Ok(None);
    }
    // After a rotation of secrets older sessions are found under the older keys.
    for hash in cx.keys().token_hashes(token) {
        if let Some(found) = sessions::by_token_hash(cx.store(), &hash).await.map_err(|e| store_error(&e))? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// What a client is told that has no session where one is needed, on routes that name the error.
#[must_use]
pub fn inactive() -> ApiError {
    ApiError::unauthorized("No active session was found in this request.").id(ErrorId::SessionInactive)
}
