//! What challenges that are sent to an address share, whatever they consist of: who is written to, and what a found code or
//! link proves.
//!
//! An address that nobody owns takes the same work as one that somebody does; what would be sent to it is thrown away,
//! unless its holder is to be told that there is no account.

use portcullis_model::flow::{Flow, FlowKind};
use portcullis_model::identity::{Identity, Via};
use portcullis_model::message::Message;
use portcullis_model::session::{Aal, AuthenticationMethod};
use portcullis_store::Changes;
use portcullis_store::codes::{self, NewCode};
use serde_json::Value;

use super::{Recipient, Recovered, RecoveryOutcome, VerificationOutcome};
use crate::app::Cx;
use crate::courier::{self, Template};
use crate::credential::address;

/// What a method can send to an address, for recovery and verification alike.
pub trait Challenge: Send + Sync {
    /// Whether a submit without an address, after a challenge was sent, is an answer to it.
    fn takes_answers(&self) -> bool;

    /// Sends the challenge to an address, in the place of the flow's older ones. The flow tells that it did, whether anybody
    /// owns the address or not. `payload` goes into the mail.
    fn send(&self, cx: &Cx, changes: &mut Changes, flow: &mut Flow, to: &Recipient<'_>, payload: Option<&Value>);
}

impl Recipient<'_> {
    /// Puts the message with a challenge among the changes. Where nobody owns the address it is the other one, which only
    /// mails are for, and only where the configuration wants strangers to be told.
    pub(super) fn write(
        &self,
        cx: &Cx,
        changes: &mut Changes,
        purpose: FlowKind,
        to_owner: impl FnOnce(&Identity) -> Template,
        to_stranger: impl FnOnce() -> Template,
    ) {
        let flows = &cx.config().selfservice.flows;
        let tells_strangers = match purpose {
            FlowKind::Recovery => flows.recovery.notify_unknown_recipients,
            _ => flows.verification.notify_unknown_recipients,
        };
        let template = self.who.map_or_else(to_stranger, |who| to_owner(&who.identity));
        let is_sent = self.who.is_some() || (tells_strangers && self.via == Via::Email);
        let mut nowhere = Changes::new();
        courier::enqueue(cx, if is_sent { changes } else { &mut nowhere }, &template, self.via, self.address);
    }
}

impl RecoveryOutcome {
    /// What somebody proved by a code or link that was found, which is used up by that. `method` is the session's; `used` is
    /// told to whoever comes second, and to whoever brings one that is nobody's.
    pub(super) fn proved_by(cx: &Cx, method: &str, found: NewCode, used: Message) -> Self {
        let Some(identity_id) = found.identity_id else { return Self::Spent(used) };
        let mut changes = Changes::new();
        codes::consume(&mut changes, found.id, cx.now);
        let mut proof = AuthenticationMethod::new(method, Aal::Aal1, cx.now);
        let address = Some((found.via, found.address)).filter(|(_, address)| !address.is_empty());
        if let Some((via, address)) = &address {
            proof = proof.by_holder_of(address::mailbox(cx, *via, address));
        }
        Self::Proved(Box::new(Recovered { identity_id, address, proof, changes, told_if_used: used }))
    }
}

impl VerificationOutcome {
    /// What somebody proved by a code or link that was found, which is used up by that. `used` is told to whoever comes
    /// second. `None`: it is nobody's.
    pub(super) fn proved_by(cx: &Cx, found: NewCode, used: Message) -> Option<Self> {
        let mut changes = Changes::new();
        codes::consume(&mut changes, found.id, cx.now);
        let (identity_id, address, via) = (found.identity_id?, found.address, found.via);
        Some(Self::Proved { identity_id, address, via, changes, told_if_used: used })
    }
}
