//! One-time links: a long random token that is sent to an address, good once and for a while, in its own flow only.
//!
//! Only a keyed hash is kept, scoped to the flow. A flow has one link: a new one makes the older ones worthless.

use portcullis_model::clock::random_text;
use portcullis_model::flow::FlowKind;
use portcullis_model::time::Timestamp;
use portcullis_store::codes::{self, NewCode};
use portcullis_store::{Changes, StoreError};
use uuid::Uuid;

use super::code::For;
use crate::app::Cx;
use crate::flow::engine::with_parameter;

/// The letters of a token: 190 bits, which nobody guesses.
const LENGTH: usize = 32;

/// When a link that is made now ends.
#[must_use]
pub fn expires_at(cx: &Cx) -> Timestamp {
    cx.now.plus(cx.config().selfservice.methods.link.config.lifespan)
}

/// Makes a link in the place of the flow's older ones and puts the hash of its token among the changes. The link itself
/// goes into a mail or to an administrator, and nowhere else.
pub fn issue(cx: &Cx, changes: &mut Changes, what: &For<'_>) -> String {
    let token = random_text(cx.rng(), LENGTH);
    codes::drop_of_flow(changes, what.flow_id);
    codes::insert(changes, &what.row(cx, &token));
    let submit = cx.public_url(&format!("/self-service/{}?flow={}", what.purpose, what.flow_id));
    with_parameter(&submit, "token", &token)
}

/// What following a link came to.
pub enum Followed {
    /// It is good. Put [`codes::consume`] among the changes that act on it.
    Right(Box<NewCode>),
    /// It is no link of this flow, or was used.
    Wrong,
    /// It came too late, and is used up by that.
    Late(Timestamp),
}

/// Judges the token of a link to a flow.
///
/// # Errors
/// If the database fails.
pub async fn follow(cx: &Cx, purpose: FlowKind, flow_id: Uuid, token: &str) -> Result<Followed, StoreError> {
    // The hash is under a key that nobody knows, so that finding it by an index tells nothing about others.
    for hash in cx.keys().code_hashes(flow_id, token) {
        let Some(found) = codes::find_by_hash(cx.store(), purpose, &hash).await? else { continue };
        return Ok(if found.used_at.is_some() || found.code.flow_id != flow_id || found.code.identity_id.is_none() {
            Followed::Wrong
        } else if cx.now >= found.code.expires_at {
            Followed::Late(found.code.expires_at)
        } else {
            Followed::Right(Box::new(found.code))
        });
    }
    Ok(Followed::Wrong)
}
