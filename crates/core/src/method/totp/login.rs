//! Signing in with an authenticator app, as second factor.

use async_trait::async_trait;
use portcullis_model::credential::CredentialType;
use portcullis_model::flow::{Flow, Notes};
use portcullis_model::identity::Identity;
use portcullis_model::message::{self, validation};
use portcullis_model::session::{Aal, AuthenticationMethod, Session};
use portcullis_model::ui::{Group, Node, Ui};
use portcullis_store::Changes;
use serde_json::Value;

use super::device::Device;
use super::{CODE, ID, Totp, config, is_linked, last_step, node};
use crate::app::Cx;
use crate::config::Config;
use crate::credential::guess::Guess;
use crate::credential::second_factor;
use crate::flow::engine::{Field, FlowError, Form, json_type};
use crate::identity::sealed;
use crate::method::{LoginMethod, LoginOutcome, LoginStage, Proved};

/// The fewest characters of a code.
const SHORTEST: usize = 6;

#[async_trait]
impl LoginMethod for Totp {
    fn serves(&self, _config: &Config, level: Aal) -> bool {
        level == Aal::Aal2
    }

    async fn populate(&self, _cx: &Cx, stage: LoginStage<'_>, flow: &mut Flow, ui: &mut Ui) -> Result<(), FlowError> {
        if let LoginStage::Second(who) = stage
            && second_factor::offers(flow, ID, who.credential(CredentialType::Totp).is_some_and(is_linked))
        {
            ui.nodes.push(node(message::login::totp_code()).value("".into()));
            ui.nodes.push(Node::submit(Group::Totp, ID, message::login::use_totp()));
        }
        Ok(())
    }

    fn check_form(&self, _cx: &Cx, form: &Form) -> Result<(), FlowError> {
        let told = match form.field(CODE) {
            Field::Other(value) => validation::wrong_type(&["string"], json_type(value)),
            Field::Absent => validation::required(CODE),
            Field::Text("") => validation::required(CODE),
            Field::Text(text) => match text.chars().count() {
                length if length < SHORTEST => validation::too_short(SHORTEST as u64, length as u64),
                _ => return Ok(()),
            },
        };
        let mut notes = Notes::default();
        notes.tell_at(CODE, told);
        notes.keep(CODE, Value::Null);
        Err(FlowError::Invalid(Box::new(notes)))
    }

    async fn submit(
        &self,
        cx: &Cx,
        flow: &mut Flow,
        form: &Form,
        signed_in: Option<(&Session, &Identity)>,
    ) -> Result<LoginOutcome, FlowError> {
        // From now on the field has no value at all.
        flow.notes.keep(CODE, Value::Null);
        let mut who = second_factor::whose(cx, signed_in).await?;
        let Some(credential) = who.credential(CredentialType::Totp).filter(|c| is_linked(c)) else {
            return Err(FlowError::tell(message::login::no_totp()));
        };
        let guess = Guess::at_second_factor(cx, ID, who.identity.id).await?;
        let sealed_url = credential.config.get("totp_url").cloned().unwrap_or_default();
        let device = sealed::read(cx.keys(), who.identity.id, &sealed_url).and_then(|url| Device::of_url(&url));
        if device.is_none() {
            tracing::error!("an authenticator app cannot be read: its key is gone, or its URL is of no known kind");
        }
        let typed = form.text(CODE).unwrap_or_default();
        let Some(step) = device.and_then(|device| device.step_of(typed, cx.now, last_step(credential))) else {
            return Err(guess.wrong(cx, message::login::wrong_totp()).await);
        };
        let mut changes = Changes::new();
        second_factor::spend(cx, &mut changes, &mut who, CredentialType::Totp, config(&sealed_url, step));
        guess.right(cx, &mut changes);
        let proof = AuthenticationMethod::new(ID, Aal::Aal2, cx.now);
        Ok(LoginOutcome::Proved(Box::new(Proved::new(who, proof, changes))))
    }
}
