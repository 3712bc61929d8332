//! How a session begins, and what a further proof does to it.

use std::fmt;

use portcullis_model::session::{AuthenticationMethod, Device, Session};
use uuid::Uuid;

use crate::app::Cx;
use crate::crypto::Secret;
use crate::crypto::tokens::session_token;

/// How many bytes of `User-Agent` are kept.
const MAX_USER_AGENT: usize = 512;

/// A session that begins, not yet stored. This is the only time that its token is known.
pub struct NewSession {
    /// The session.
    pub session: Session,
    /// Its token, for the client.
    pub token: Secret,
    /// The hash that the store finds it by.
    pub token_hash: [u8; 32],
}

impl fmt::Debug for NewSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewSession").field("session", &self.session).finish_non_exhaustive()
    }
}

/// A session that begins now from this request's device, resting on these proofs, for the configured lifespan.
#[must_use]
pub fn new_session(cx: &Cx, identity_id: Uuid, methods: Vec<AuthenticationMethod>) -> NewSession {
    session_of(cx, session_token(cx.rng()), identity_id, methods)
}

/// As [`new_session`], with a token that was made elsewhere.
pub(super) fn session_of(cx: &Cx, token: Secret, identity_id: Uuid, methods: Vec<AuthenticationMethod>) -> NewSession {
    let session = Session {
        id: cx.new_id(),
        identity_id,
        active: true,
        aal: Session::level_of(&methods),
        methods,
        authenticated_at: cx.now,
        issued_at: cx.now,
        expires_at: cx.now.plus(cx.config().session.lifespan),
        devices: vec![device(cx)],
        created_at: cx.now,
        updated_at: cx.now,
    };
    let token_hash = cx.keys().token_hash(token.expose());
    NewSession { session, token, token_hash }
}

/// What a fresh proof does to a session that goes on: the proof is appended, the level worked out anew, and the times of
/// the last proof and of the end move on. Id, token and device stay.
pub fn add_proof(cx: &Cx, session: &mut Session, proof: AuthenticationMethod) {
    // What a provider said again takes the place of what it said before.
    session.methods.retain(|m| proof.provider.is_none() || m.method != proof.method || m.provider != proof.provider);
    session.methods.push(proof);
    session.aal = Session::level_of(&session.methods);
    session.authenticated_at = cx.now;
    session.expires_at = cx.now.plus(cx.config().session.lifespan);
    session.updated_at = cx.now;
}

fn device(cx: &Cx) -> Device {
    let agent = &cx.request.user_agent;
    let end = agent.floor_char_boundary(MAX_USER_AGENT);
    Device {
        id: cx.new_id(),
        ip_address: cx.request.client_ip.clone(),
        user_agent: agent.get(..end).unwrap_or_default().to_owned(),
        location: cx.request.location.clone(),
    }
}
