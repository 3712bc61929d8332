//! Proving an address by the code that was sent to it.

use async_trait::async_trait;
use portcullis_model::flow::{Detail, Flow, FlowKind, FlowState};
use portcullis_model::identity::{Identity, Via};
use portcullis_model::message::{self, Message, validation};
use portcullis_model::ui::{Group, InputType, Node, Ui};
use portcullis_store::Changes;
use portcullis_store::codes;
use serde_json::Value;

use super::{Code, ID, spent};
use crate::app::Cx;
use crate::courier::Template;
use crate::courier::template::{Circumstances, VerificationCode};
use crate::credential::code::{self, For, Judged};
use crate::flow::engine::{self, FlowError, Form, with_parameter};
use crate::method::{Recipient, VerificationMethod, VerificationOutcome};

#[async_trait]
impl VerificationMethod for Code {
    fn group(&self) -> Group {
        Group::Code
    }

    fn takes_answers(&self) -> bool {
        true
    }

    fn check_address(&self, _cx: &Cx, _typed: &str) -> Option<Message> {
        // What is no address of mail counts as a phone number that nobody has.
        None
    }

    async fn send(
        &self,
        cx: &Cx,
        changes: &mut Changes,
        flow: &mut Flow,
        to: &Recipient<'_>,
        payload: Option<&Value>,
    ) -> Result<(), FlowError> {
        codes::drop_of_flow(changes, flow.id);
        let (via, address) = (to.via, to.address);
        let (purpose, expires_at) = (FlowKind::Verification, code::expires_at(cx));
        let what = For { purpose, flow_id: flow.id, identity_id: to.identity_id(), address, via, expires_at };
        let secret = code::issue(cx, changes, &what);
        let circumstances = Circumstances::new(&flow.request_url, payload);
        let tells_strangers = cx.config().selfservice.flows.verification.notify_unknown_recipients;
        let stranger = circumstances.clone();
        let link = cx.public_url(&format!("/self-service/verification?flow={}", flow.id));
        let owned = |who: &Identity| {
            let url = with_parameter(&link, "code", &secret);
            let mut mail = VerificationCode::new(cx, circumstances, who, secret, url);
            // A text message has no room for a link.
            mail.verification_url = mail.verification_url.filter(|_| via == Via::Email);
            Template::VerificationCodeValid(mail)
        };
        to.write(cx, changes, tells_strangers, owned, || Template::VerificationCodeInvalid(stranger));
        flow.state = FlowState::SentEmail;
        flow.active = Some(ID.to_owned());
        flow.notes.clear_messages();
        flow.notes.tell(match via {
            Via::Email => message::verification::code_sent(),
            Via::Sms => message::verification::code_sent_by_sms(),
        });
        Ok(())
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
