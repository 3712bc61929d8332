//! Proving an address by the link that was sent to it.

use async_trait::async_trait;
use portcullis_model::flow::{Detail, Flow, FlowKind, FlowState};
use portcullis_model::message::{self, Message, validation};
use portcullis_model::normal;
use portcullis_model::ui::{Group, InputType, Node, Ui};

use super::{Link, ask_for_address, button};
use crate::app::Cx;
use crate::credential::link::{self, Followed};
use crate::flow::engine::{self, FlowError, Form};
use crate::method::{VerificationMethod, VerificationOutcome};

#[async_trait]
impl VerificationMethod for Link {
    fn group(&self) -> Group {
        Group::Link
    }

    fn check_address(&self, _cx: &Cx, typed: &str) -> Option<Message> {
        (!normal::is_email(typed.trim())).then(|| validation::not_an_email(typed))
    }

    async fn populate(&self, cx: &Cx, flow: &mut Flow, ui: &mut Ui) -> Result<(), FlowError> {
        ui.nodes.push(engine::csrf_node(cx, flow));
        let Detail::Verification { address, .. } = &flow.detail else { return Ok(()) };
        // A flow that began on the way of another sent its link without being asked, and has told nothing yet: the link can
        // be sent again, or to another address.
        match address.as_deref().filter(|_| flow.state == FlowState::SentEmail && flow.notes.messages.is_empty()) {
            Some(address) => {
                ask_for_address(None, ui);
                let again = Node::input(Group::Code, "email", InputType::Submit).value(address.into());
                ui.nodes.extend([button(), again.label(message::label::resend())]);
            }
            None => ask_for_address(address.as_deref(), ui),
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
                let proved = VerificationOutcome::proved_by(cx, *found, wrong.clone());
                Ok(proved.unwrap_or(VerificationOutcome::Spent(wrong)))
            }
            Followed::Wrong => Ok(VerificationOutcome::Spent(wrong)),
            Followed::Late(ended) => Ok(VerificationOutcome::Spent(message::verification::expired(ended))),
        }
    }
}
