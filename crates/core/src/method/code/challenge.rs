//! Codes that are sent to an address in recovery and verification.

use portcullis_model::flow::{Detail, Flow, FlowKind, FlowState};
use portcullis_model::identity::{Identity, Via};
use portcullis_model::message;
use portcullis_store::{Changes, codes};
use serde_json::Value;

use super::{Code, ID};
use crate::app::Cx;
use crate::courier::Template;
use crate::courier::template::{Circumstances, RecoveryCode, VerificationCode};
use crate::credential::address;
use crate::credential::code::{self, For};
use crate::flow::engine::with_parameter;
use crate::method::{Challenge, Recipient};

impl Challenge for Code {
    fn takes_answers(&self) -> bool {
        true
    }

    fn send(&self, cx: &Cx, changes: &mut Changes, flow: &mut Flow, to: &Recipient<'_>, payload: Option<&Value>) {
        codes::drop_of_flow(changes, flow.id);
        let (purpose, via, expires_at) = (flow.kind(), to.via, code::expires_at(cx));
        let what = For { purpose, flow_id: flow.id, identity_id: to.identity_id(), address: to.address, via, expires_at };
        let secret = code::issue(cx, changes, &what);
        let about = Circumstances::new(&flow.request_url, payload);
        let strangers = about.clone();
        let link = cx.public_url(&format!("/self-service/verification?flow={}", flow.id));
        let to_owner = |who: &Identity| match purpose {
            FlowKind::Recovery => Template::RecoveryCodeValid(RecoveryCode::new(cx, about, who, secret)),
            _ => {
                let url = with_parameter(&link, "code", &secret);
                let mut mail = VerificationCode::new(cx, about, who, secret, url);
                // A text message has no room for a link.
                mail.verification_url = mail.verification_url.filter(|_| via == Via::Email);
                Template::VerificationCodeValid(mail)
            }
        };
        let to_stranger = || match purpose {
            FlowKind::Recovery => Template::RecoveryCodeInvalid(strangers),
            _ => Template::VerificationCodeInvalid(strangers),
        };
        to.write(cx, changes, purpose, to_owner, to_stranger);
        flow.state = FlowState::SentEmail;
        flow.active = Some(ID.to_owned());
        flow.notes.clear_messages();
        let told = match (&flow.detail, via) {
            (Detail::Recovery { choosing: true, .. }, _) => {
                flow.state = FlowState::RecoveryAwaitingCode;
                message::recovery::code_sent_to(&address::masked(to.address))
            }
            (Detail::Recovery { .. }, _) => message::recovery::code_sent(),
            (_, Via::Email) => message::verification::code_sent(),
            (_, Via::Sms) => message::verification::code_sent_by_sms(),
        };
        flow.notes.tell(told);
    }
}
