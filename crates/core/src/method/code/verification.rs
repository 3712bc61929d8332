//! Proving an address by the code that was sent to it.

use async_trait::async_trait;
use portcullis_model::flow::{Detail, Flow, FlowKind, FlowState};
use portcullis_model::identity::Via;
use portcullis_model::message::{self, Message, validation};
use portcullis_model::ui::{Group, InputType, Node, Ui};

use super::{Code, ID, spent};
use crate::app::Cx;
use crate::credential::code::{self, Judged};
use crate::flow::engine::{self, FlowError, Form};
use crate::method::{VerificationMethod, VerificationOutcome};

#[async_trait]
impl VerificationMethod for Code {
    fn group(&self) -> Group {
        Group::Code
    }

    fn check_address(&self, _cx: &Cx, _typed: &str) -> Option<Message> {
        // What is no address of mail counts as a phone number that nobody has.
        None
    }

    async fn populate(&self, cx: &Cx, flow: &mut Flow, ui: &mut Ui) -> Result<(), FlowError> {
        let address = match &flow.detail {
            Detail::Verification { address, .. } => address.clone(),
            _ => None,
        };
        // Apps have no use for the token.
        let token = (!flow.is_native()).then(|| engine::csrf_node(cx, flow));
        if flow.state == FlowState::SentEmail {
            ui.nodes.push(Node::input(Group::Code, "method", InputType::Hidden).value(ID.into()));
            ui.nodes.push(
                Node::input(Group::Code, "code", InputType::Text)
                    .required()
                    .autocomplete("one-time-code")
                    .label(message::label::verification_code()),
            );
            ui.nodes.push(Node::submit(Group::Code, ID, message::label::proceed()));
            ui.nodes.extend(token);
            if let Some(address) = address {
                ui.nodes.push(
                    Node::input(Group::Code, "email", InputType::Submit).value(address.into()).label(message::label::resend()),
                );
            }
        } else {
            let texts_are_sent = cx.config().courier.channels.iter().any(|c| c.id == Via::Sms.as_str());
            let (kind, label) = if texts_are_sent {
                (InputType::Text, message::label::email_or_phone())
            } else {
                (InputType::Email, message::label::email())
            };
            ui.nodes.push(Node::input(Group::Code, "email", kind).required().label(label));
            ui.nodes.push(Node::submit(Group::Code, ID, message::label::proceed()));
            ui.nodes.extend(token);
        }
        Ok(())
    }

    async fn submit(&self, cx: &Cx, flow: &mut Flow, form: &Form) -> Result<VerificationOutcome, FlowError> {
        let typed = form.text("code").unwrap_or_default();
        if typed.is_empty() {
            return Err(FlowError::tell_at("code", validation::required("code")));
        }
        match code::judge(cx, FlowKind::Verification, flow.id, typed).await.map_err(FlowError::Store)? {
            Judged::Right(found) => {
                let proved = VerificationOutcome::proved_by(cx, *found, message::verification::already_done());
                proved.ok_or_else(|| FlowError::tell(message::verification::wrong_code()))
            }
            Judged::Wrong => {
                flow.notes.clear_messages();
                flow.notes.tell(message::verification::wrong_code());
                Ok(VerificationOutcome::ShowUi)
            }
            Judged::Used | Judged::Exhausted => Ok(VerificationOutcome::Spent(spent())),
        }
    }

    async fn follow(&self, _cx: &Cx, _flow: &Flow, _token: &str) -> Result<VerificationOutcome, FlowError> {
        Ok(VerificationOutcome::Spent(message::verification::wrong_link()))
    }
}
