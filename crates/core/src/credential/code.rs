//! One-time codes: six digits sent to an address, good once, for a while, for a few tries.
//!
//! Only a keyed hash is kept. A try is charged before it is judged, so that no number of concurrent guesses gets more than
//! the configured tries. A flow has the codes of its last mailing only: asking again makes the older ones worthless.

use portcullis_model::clock::random_digits;
use portcullis_model::flow::FlowKind;
use portcullis_model::identity::Via;
use portcullis_model::time::Timestamp;
use portcullis_store::codes::{self, NewCode};
use portcullis_store::{Changes, StoreError};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::app::Cx;

/// The number of digits: a million possibilities, of which `max_submissions` can be tried.
pub const DIGITS: usize = 6;

/// What a code or link is for.
#[derive(Clone, Copy)]
pub struct For<'a> {
    /// The kind of flow.
    pub purpose: FlowKind,
    /// The flow: it is good in no other.
    pub flow_id: Uuid,
    /// The identity that it stands for. Without one it is good for nothing but sign-up: so unknown addresses cost the same
    /// work as known ones.
    pub identity_id: Option<Uuid>,
    /// The address that it is sent to, in normal form; empty if it is handed over by an administrator.
    pub address: &'a str,
    /// The channel.
    pub via: Via,
    /// Until when it is good.
    pub expires_at: Timestamp,
}

impl For<'_> {
    /// The row that keeps it, under the hash of its secret.
    pub(super) fn row(&self, cx: &Cx, secret: &str) -> NewCode {
        NewCode {
            id: cx.new_id(),
            purpose: self.purpose,
            flow_id: self.flow_id,
            identity_id: self.identity_id,
            address: self.address.to_owned(),
            via: self.via,
            address_id: None,
            code_hash: cx.keys().code_hash(self.flow_id, secret).to_vec(),
            created_at: cx.now,
            expires_at: self.expires_at,
            data: None,
        }
    }
}

/// When a code that is made now ends.
#[must_use]
pub fn expires_at(cx: &Cx) -> Timestamp {
    cx.now.plus(cx.config().selfservice.methods.code.config.lifespan)
}

/// Makes a code and puts its hash among the changes. The code itself goes into a mail and nowhere else. Older codes of the
/// flow are for the caller to drop ([`codes::drop_of_flow`]), once for all addresses of a mailing.
pub fn issue(cx: &Cx, changes: &mut Changes, what: &For<'_>) -> String {
    let code = random_digits(cx.rng(), DIGITS);
    codes::insert(changes, &what.row(cx, &code));
    code
}

/// What a try came to.
pub enum Judged {
    /// It is the code, not used before and in time. Put [`codes::consume`] among the changes that act on it.
    Right(Box<NewCode>),
    /// It is no code of this flow, or one that is too old.
    Wrong,
    /// It was used before.
    Used,
    /// The flow's tries are spent.
    Exhausted,
}

/// Charges a try to a flow, then judges it.
///
/// # Errors
/// If the database fails.
pub async fn judge(cx: &Cx, purpose: FlowKind, flow_id: Uuid, typed: &str) -> Result<Judged, StoreError> {
    let mut charge = Changes::new();
    codes::charge(&mut charge, flow_id, purpose, cx.config().selfservice.methods.code.config.max_submissions);
    match cx.store().commit(charge).await {
        Ok(_) => {}
        Err(StoreError::Conflict { .. }) => return Ok(Judged::Exhausted),
        Err(error) => return Err(error),
    }
    let typed: String = typed.chars().filter(|c| !c.is_whitespace()).collect();
    let hashes: Vec<[u8; 32]> = cx.keys().code_hashes(flow_id, &typed).collect();
    let mut found = None;
    for code in codes::list_by_flow(cx.store(), flow_id).await? {
        // Every code is compared, so that the time taken tells nothing.
        let fits = hashes.iter().any(|h| bool::from(h.as_slice().ct_eq(code.code.code_hash.as_slice())));
        let is_somebodys = code.code.identity_id.is_some() || purpose == FlowKind::Registration;
        if fits && is_somebodys && code.code.purpose == purpose {
            found = Some(code);
        }
    }
    Ok(match found {
        None => Judged::Wrong,
        Some(code) if code.used_at.is_some() => Judged::Used,
        Some(code) if !code.is_usable(cx.now) => Judged::Wrong,
        Some(code) => Judged::Right(Box::new(code.code)),
    })
}
