//! Proving an address by the code that was sent to it.

use async_trait::async_trait;
use portcullis_model::flow::{Detail, Flow, FlowKind, FlowState};
use portcullis_model::identity::Via;
use portcullis_model::message::{self, validation};
use portcullis_model::ui::{Group, InputType, Node, Ui};
use portcullis_store::Changes;
use portcullis_store::codes;
use serde_json::Value;

use super::{Code, ID};
use crate::app::Cx;
use crate::courier::template::{Circumstances, VerificationCode, minutes};
use crate::courier::{self, Template};
use crate::credential::code::{self, For, Judged};
use crate::flow::engine::{FlowError, Form, with_parameter};
use crate::identity;
use crate::method::{Unproved, VerificationMethod, VerificationOutcome};

#[async_trait]
impl VerificationMethod for Code {
    async fn send(
        &self,
        cx: &Cx,
        changes: &mut Changes,
        flow: &mut Flow,
        to: &Unproved<'_>,
        payload: Option<&Value>,
    ) -> Result<(), FlowError> {
        codes::void_flow(changes, flow.id, cx.now);
        let what = For {
            purpose: FlowKind::Verification,
            flow_id: flow.id,
            identity_id: Some(to.who.identity.id),
            address: &to.address.value,
            via: to.address.via,
        };
        let secret = code::issue(cx, changes, &what);
        let link = cx.public_url(&format!("/self-service/verification?flow={}", flow.id));
        let template = Template::VerificationCodeValid(VerificationCode {
            verification_url: (to.address.via == Via::Email).then(|| with_parameter(&link, "code", &secret)),
            verification_code: secret,
            expires_in_minutes: minutes(cx.config().selfservice.methods.code.config.lifespan),
            identity: identity::view::public(cx, &to.who.identity),
            circumstances: Circumstances::new(&flow.request_url, payload),
        });
        courier::enqueue(cx, changes, &template, to.address.via, &to.address.value);
        sent(flow, to.address.via);
        Ok(())
    }

    async fn send_to_nobody(
        &self,
        cx: &Cx,
        changes: &mut Changes,
        flow: &mut Flow,
        via: Via,
        address: &str,
        payload: Option<&Value>,
    ) -> Result<(), FlowError> {
        codes::void_flow(changes, flow.id, cx.now);
        if cx.config().selfservice.flows.verification.notify_unknown_recipients && via == Via::Email {
            let template = Template::VerificationCodeInvalid(Circumstances::new(&flow.request_url, payload));
            courier::enqueue(cx, changes, &template, via, address);
        }
        sent(flow, via);
        Ok(())
    }

    async fn populate(&self, _cx: &Cx, flow: &mut Flow, ui: &mut Ui) -> Result<(), FlowError> {
        let address = match &flow.detail {
            Detail::Verification { address, .. } => address.clone(),
            _ => None,
        };
        match flow.state {
            FlowState::SentEmail => {
                ui.nodes.push(Node::input(Group::Code, "method", InputType::Hidden).value(ID.into()));
                ui.nodes.push(
                    Node::input(Group::Code, "code", InputType::Text)
                        .required()
                        .with_input(|i| {
                            i.autocomplete = Some("one-time-code".to_owned());
                        })
                        .label(message::label::verification_code()),
                );
                ui.nodes.push(Node::submit(Group::Code, ID, message::label::proceed()));
                if let Some(address) = address {
                    ui.nodes.push(
                        Node::input(Group::Code, "email", InputType::Submit)
                            .value(address.into())
                            .label(message::label::resend()),
                    );
                }
            }
            FlowState::PassedChallenge => {}
            _ => {
                ui.nodes.push(Node::input(Group::Code, "email", InputType::Email).required().label(message::label::email()));
                ui.nodes.push(Node::submit(Group::Code, ID, message::label::proceed()));
            }
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
                let Some(identity_id) = found.identity_id else {
                    return Err(FlowError::tell(message::verification::wrong_code()));
                };
                let mut changes = Changes::new();
                codes::consume(&mut changes, found.id, cx.now);
                Ok(VerificationOutcome::Proved { identity_id, address: found.address, via: found.via, changes })
            }
            Judged::Wrong => {
                flow.notes.clear_messages();
                flow.notes.tell(message::verification::wrong_code());
                Ok(VerificationOutcome::ShowUi)
            }
            Judged::Used | Judged::Exhausted => Ok(VerificationOutcome::Spent(validation::generic(
                "this code was used, or too many codes were tried; ask for a new one",
            ))),
        }
    }
}

/// The flow waits for the code, and says so.
fn sent(flow: &mut Flow, via: Via) {
    flow.state = FlowState::SentEmail;
    flow.active = Some(ID.to_owned());
    flow.notes.clear_messages();
    flow.notes.tell(match via {
        Via::Email => message::verification::code_sent(),
        Via::Sms => message::verification::code_sent_by_sms(),
    });
}
