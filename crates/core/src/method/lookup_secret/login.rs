//! Signing in with a backup code, as second factor.

use async_trait::async_trait;
use portcullis_model::credential::CredentialType;
use portcullis_model::flow::{Flow, Notes};
use portcullis_model::identity::Identity;
use portcullis_model::message::{self, validation};
use portcullis_model::session::{Aal, AuthenticationMethod, Session};
use portcullis_model::ui::{Group, InputType, Node, Ui};
use portcullis_store::Changes;
use serde_json::Value;

use super::codes::{self, Found};
use super::{CODE, ID, LookupSecret};
use crate::app::Cx;
use crate::config::Config;
use crate::credential::guess::Guess;
use crate::credential::second_factor;
use crate::flow::engine::{Field, FlowError, Form, json_type};
use crate::method::{LoginMethod, LoginOutcome, LoginStage, Proved};

#[async_trait]
impl LoginMethod for LookupSecret {
    fn serves(&self, _config: &Config, level: Aal) -> bool {
        level == Aal::Aal2
    }

    async fn populate(&self, _cx: &Cx, stage: LoginStage<'_>, flow: &mut Flow, ui: &mut Ui) -> Result<(), FlowError> {
        if let LoginStage::Second(who) = stage
            && second_factor::offers(flow, ID, who.credential(CredentialType::LookupSecret).is_some_and(codes::are_set_up))
        {
            let field = Node::input(Group::LookupSecret, CODE, InputType::Text).required().value("".into());
            ui.nodes.push(field.label(message::login::lookup_code()));
            ui.nodes.push(Node::submit(Group::LookupSecret, ID, message::login::use_lookup()));
        }
        Ok(())
    }

    fn check_form(&self, _cx: &Cx, form: &Form) -> Result<(), FlowError> {
        let told = match form.field(CODE) {
            Field::Text(text) if !text.is_empty() => return Ok(()),
            Field::Other(value) => validation::wrong_type(&["string"], json_type(value)),
            Field::Text(_) | Field::Absent => validation::required(CODE),
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
        let Some(credential) = who.credential(CredentialType::LookupSecret).filter(|c| codes::are_set_up(c)) else {
            return Err(FlowError::tell(message::login::no_lookup_codes()));
        };
        let guess = Guess::at_second_factor(cx, ID, who.identity.id).await?;
        let typed = form.text(CODE).unwrap_or_default();
        let place = match codes::find(&codes::read(cx.keys(), who.identity.id, credential), typed) {
            Found::Fresh(place) => place,
            Found::Used => return Err(guess.wrong(cx, message::login::lookup_code_used()).await),
            Found::Unknown => return Err(guess.wrong(cx, message::login::wrong_lookup_code()).await),
        };
        let new = codes::used(&credential.config, place, cx.now);
        let mut changes = Changes::new();
        second_factor::spend(cx, &mut changes, &mut who, CredentialType::LookupSecret, new);
        guess.right(cx, &mut changes);
        let proof = AuthenticationMethod::new(ID, Aal::Aal2, cx.now);
        Ok(LoginOutcome::Proved(Box::new(Proved::new(who, proof, changes))))
    }
}
