//! Getting back into an account by a code.

use async_trait::async_trait;
use portcullis_model::flow::{Detail, Flow, FlowKind, FlowState};
use portcullis_model::identity::Via;
use portcullis_model::message;
use portcullis_model::ui::{Group, InputType, Node, Ui};
use portcullis_store::Changes;
use uuid::Uuid;

use super::{Code, ID, spent};
use crate::app::Cx;
use crate::credential::address;
use crate::credential::code::{self, DIGITS, For, Judged};
use crate::flow::engine::{self, FlowError, Form};
use crate::method::{Issued, RecoveryMethod, RecoveryOutcome};

/// The method of a session that a recovery code began.
const PROOF: &str = "code_recovery";

#[async_trait]
impl RecoveryMethod for Code {
    async fn populate(&self, cx: &Cx, flow: &mut Flow, ui: &mut Ui) -> Result<(), FlowError> {
        let Detail::Recovery { address, choosing, came_with, chosen, by_admin, .. } = &flow.detail else { return Ok(()) };
        let (address, came_with) = (address.as_deref().unwrap_or_default(), came_with.as_deref().unwrap_or_default());
        let hidden_method = || hidden("method", ID);
        let proceed = || Node::submit(Group::Code, ID, message::label::proceed());
        let hidden_address = || hidden("recovery_address", came_with);
        let back = || input("screen", InputType::Submit).value("previous".into()).label(message::recovery::back());
        let again = |name: &str| input(name, InputType::Submit).value(address.into()).label(message::label::resend());
        match flow.state {
            FlowState::RecoveryAwaitingAddress => {
                let label = message::label::recovery_address();
                ui.nodes.extend([input("recovery_address", InputType::Text).required().label(label), proceed()]);
            }
            FlowState::RecoveryAwaitingAddressChoice => {
                for choice in address::choices(cx, came_with).await? {
                    let label = message::recovery::address_choice(&address::masked(&choice.address));
                    let button = input("recovery_select_address", InputType::Submit);
                    ui.nodes.push(button.value(choice.handle().into()).label(label));
                }
                ui.nodes.extend([hidden_method(), hidden_address()]);
            }
            FlowState::RecoveryConfirmingAddress => {
                let (kind, label) = match chosen {
                    Some(Via::Sms) => (InputType::Tel, message::label::phone()),
                    Some(Via::Email) | None => (InputType::Email, message::label::email()),
                };
                let whole = input("recovery_confirm_address", kind).required().value("".into()).label(label);
                ui.nodes.extend([whole, hidden_address(), proceed(), hidden_method(), back()]);
            }
            FlowState::SentEmail | FlowState::RecoveryAwaitingCode | FlowState::PassedChallenge => {
                ui.nodes.push(code_node());
                if *by_admin {
                    ui.nodes.push(proceed());
                } else if *choosing {
                    let address = again("recovery_confirm_address");
                    ui.nodes.extend([proceed(), hidden_method(), address, hidden_address(), back()]);
                } else {
                    ui.nodes.extend([hidden_method(), proceed(), again("email")]);
                }
            }
            FlowState::ChooseMethod | FlowState::ShowForm | FlowState::Success => {
                let email = input("email", InputType::Email).required().label(message::label::email());
                ui.nodes.extend([email, proceed()]);
            }
        }
        Ok(())
    }

    async fn submit(&self, cx: &Cx, flow: &mut Flow, form: &Form) -> Result<RecoveryOutcome, FlowError> {
        let typed = form.text("code").unwrap_or_default();
        match code::judge(cx, FlowKind::Recovery, flow.id, typed).await.map_err(FlowError::Store)? {
            Judged::Right(found) => Ok(RecoveryOutcome::proved_by(cx, PROOF, *found, spent())),
            Judged::Wrong => {
                flow.notes.clear_messages();
                flow.notes.tell(message::recovery::wrong_code());
                Ok(RecoveryOutcome::ShowUi)
            }
            Judged::Used | Judged::Exhausted => Ok(RecoveryOutcome::Spent(spent())),
        }
    }

    async fn follow(&self, _cx: &Cx, _flow: &Flow, _token: &str) -> Result<RecoveryOutcome, FlowError> {
        Ok(RecoveryOutcome::Spent(message::recovery::wrong_link()))
    }

    fn issue(&self, cx: &Cx, changes: &mut Changes, flow: &mut Flow, identity_id: Uuid) -> Issued {
        let what = For {
            purpose: FlowKind::Recovery,
            flow_id: flow.id,
            identity_id: Some(identity_id),
            address: "",
            via: Via::Email,
            expires_at: flow.expires_at,
        };
        let code = code::issue(cx, changes, &what);
        flow.state = FlowState::SentEmail;
        Issued { code: Some(code), link: engine::page_of(cx, flow) }
    }
}

fn input(name: &str, kind: InputType) -> Node {
    Node::input(Group::Code, name, kind)
}

fn hidden(name: &str, value: &str) -> Node {
    input(name, InputType::Hidden).value(value.into())
}

fn code_node() -> Node {
    input("code", InputType::Text)
        .required()
        .autocomplete("one-time-code")
        .with_input(|i| {
            i.pattern = Some("[0-9]+".to_owned());
            i.maxlength = u32::try_from(DIGITS).ok();
        })
        .label(message::label::recovery_code())
}
