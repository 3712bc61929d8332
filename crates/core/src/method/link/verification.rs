//! Proving an address by the link that was sent to it.

use async_trait::async_trait;
use portcullis_model::flow::{Detail, Flow, FlowKind, FlowState};
use portcullis_model::identity::Via;
use portcullis_model::message::{self, Message, validation};
use portcullis_model::normal;
use portcullis_model::ui::{Group, Ui};
use portcullis_store::{Changes, codes};
use serde_json::Value;

use super::{ID, Link, ask_for_address};
use crate::app::Cx;
use crate::courier::template::{Circumstances, VerificationLink};
use crate::courier::{self, Template};
use crate::credential::code::For;
use crate::credential::link::{self, Followed};
use crate::flow::engine::{self, FlowError, Form};
use crate::method::{Recipient, VerificationMethod, VerificationOutcome};

#[async_trait]
impl VerificationMethod for Link {
    fn group(&self) -> Group {
        Group::Link
    }

    fn takes_answers(&self) -> bool {
        false
    }

    fn check_address(&self, _cx: &Cx, typed: &str) -> Option<Message> {
        (!normal::is_email(typed.trim())).then(|| validation::not_an_email(typed))
    }

    async fn send(
        &self,
        cx: &Cx,
        changes: &mut Changes,
        flow: &mut Flow,
        to: &Recipient<'_>,
        payload: Option<&Value>,
    ) -> Result<(), FlowError> {
        let (via, address) = (to.via, to.address);
        let (purpose, expires_at) = (FlowKind::Verification, link::expires_at(cx));
        let what = For { purpose, flow_id: flow.id, identity_id: to.identity_id(), address, via, expires_at };
        let url = link::issue(cx, changes, &what);
        let circumstances = Circumstances::new(&flow.request_url, payload);
        match to.who {
            Some(who) => {
                let mail = VerificationLink::new(cx, circumstances, &who.identity, url);
                courier::enqueue(cx, changes, &Template::VerificationValid(mail), via, address);
            }
            None => {
                let notify = cx.config().selfservice.flows.verification.notify_unknown_recipients && via == Via::Email;
                let mut nowhere = Changes::new();
                let changes = if notify { changes } else { &mut nowhere };
                courier::enqueue(cx, changes, &Template::VerificationInvalid(circumstances), via, address);
            }
        }
        flow.state = FlowState::SentEmail;
        flow.active = Some(ID.to_owned());
        flow.notes.clear_messages();
        flow.notes.tell(message::verification::link_sent());
        Ok(())
    }

    async fn populate(&self, cx: &Cx, flow: &mut Flow, ui: &mut Ui) -> Result<(), FlowError> {
        ui.nodes.push(engine::csrf_node(cx, flow));
        if let Detail::Verification { address, .. } = &flow.detail {
            ask_for_address(address.as_deref(), ui);
        }
        Ok(())
    }

    async fn submit(&self, _cx: &Cx, _flow: &mut Flow, _form: &Form) -> Result<VerificationOutcome, FlowError> {
        Err(FlowError::tell_at("email", validation::required("email")))
    }

    async fn follow(&self, cx: &Cx, flow: &Flow, token: &str) -> Result<VerificationOutcome, FlowError> {
        let wrong = message::verification::wrong_link();
        match link::follow(cx, FlowKind::Verification, flow.id, token).await.map_err(FlowError::Store)? {
            Followed::Right(found) => {
                let Some(identity_id) = found.identity_id else { return Ok(VerificationOutcome::Spent(wrong)) };
                let mut changes = Changes::new();
                codes::consume(&mut changes, found.id, cx.now);
                let (address, via) = (found.address, found.via);
                Ok(VerificationOutcome::Proved { identity_id, address, via, changes, told_if_used: wrong })
            }
            Followed::Wrong => Ok(VerificationOutcome::Spent(wrong)),
            Followed::Late(ended) => Ok(VerificationOutcome::Spent(message::verification::expired(ended))),
        }
    }
}
