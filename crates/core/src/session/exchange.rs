//! Sessions that a browser begins for a native app: it holds one half of what the token is made of, the browser brings it the
//! other one.
//!
//! The token follows from both halves, so nothing that opens the session is stored anywhere, and asking twice gives the same.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis_model::clock::random_text;
use portcullis_model::error::ApiError;
use portcullis_model::identity::{Identity, State};
use portcullis_model::session::{AuthenticationMethod, Session};
use uuid::Uuid;

use super::{NewSession, issue};
use crate::app::Cx;
use crate::crypto::Secret;

/// How long after the sign-in the halves give the session.
const LONGEST: Duration = Duration::from_secs(60 * 60);

/// A session that begins now, and the second half of what its token is made of. `first`: the hash of the first half, as the
/// flow keeps it.
#[must_use]
pub fn begin(cx: &Cx, first: &str, identity_id: Uuid, proofs: Vec<AuthenticationMethod>) -> (NewSession, String) {
    let second = random_text(cx.rng(), 64);
    let token = token(&cx.keys().token_hash(&joined(first, &second)));
    (issue::session_of(cx, token, identity_id, proofs), second)
}

/// The session that two halves stand for, and its token. `None` if they stand for none, or for one that is over.
///
/// # Errors
/// If the database fails.
pub async fn redeem(cx: &Cx, first: &str, second: &str) -> Result<Option<(Session, Identity, Secret)>, ApiError> {
    // After a rotation of secrets older halves are known under the older keys.
    let firsts: Vec<String> = cx.keys().token_hashes(first).map(|hash| hex(&hash)).collect();
    for first in firsts {
        let tokens: Vec<Secret> = cx.keys().token_hashes(&joined(&first, second)).map(|hash| token(&hash)).collect();
        for token in tokens {
            if let Some((session, identity)) = super::by_token(cx, token.expose()).await?
                && session.is_alive(cx.now)
                && identity.state == State::Active
                && cx.now < session.issued_at.plus(LONGEST)
            {
                return Ok(Some((session, identity, token)));
            }
        }
    }
    Ok(None)
}

fn joined(first: &str, second: &str) -> String {
    format!("exchange {first} {second}")
}

fn token(hash: &[u8]) -> Secret {
    Secret::new(format!("ory_st_{}", URL_SAFE_NO_PAD.encode(hash)))
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}
