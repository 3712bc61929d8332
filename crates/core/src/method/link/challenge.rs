//! Links that are sent to an address in recovery and verification.

use portcullis_model::flow::{Flow, FlowKind, FlowState};
use portcullis_model::identity::Identity;
use portcullis_model::message;
use portcullis_store::Changes;
use serde_json::Value;

use super::{ID, Link};
use crate::app::Cx;
use crate::courier::Template;
use crate::courier::template::{Circumstances, RecoveryLink, VerificationLink};
use crate::credential::code::For;
use crate::credential::link;
use crate::method::{Challenge, Recipient};

impl Challenge for Link {
    fn takes_answers(&self) -> bool {
        false
    }

    fn send(&self, cx: &Cx, changes: &mut Changes, flow: &mut Flow, to: &Recipient<'_>, payload: Option<&Value>) {
        let (purpose, via, expires_at) = (flow.kind(), to.via, link::expires_at(cx));
        let what = For { purpose, flow_id: flow.id, identity_id: to.identity_id(), address: to.address, via, expires_at };
        let url = link::issue(cx, changes, &what);
        let about = Circumstances::new(&flow.request_url, payload);
        let strangers = about.clone();
        let to_owner = |who: &Identity| match purpose {
            FlowKind::Recovery => Template::RecoveryValid(RecoveryLink::new(cx, about, who, url)),
            _ => Template::VerificationValid(VerificationLink::new(cx, about, who, url)),
        };
        let to_stranger = || match purpose {
            FlowKind::Recovery => Template::RecoveryInvalid(strangers),
            _ => Template::VerificationInvalid(strangers),
        };
        to.write(cx, changes, purpose, to_owner, to_stranger);
        flow.state = FlowState::SentEmail;
        flow.active = Some(ID.to_owned());
        flow.notes.clear_messages();
        flow.notes.tell(match purpose {
            FlowKind::Recovery => message::recovery::link_sent(),
            _ => message::verification::link_sent(),
        });
    }
}
