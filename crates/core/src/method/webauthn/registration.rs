//! Signing up with a security key and nothing else.

use async_trait::async_trait;
use portcullis_model::credential::Credential;
use portcullis_model::flow::{Flow, Notes};
use portcullis_model::message::{self, validation};
use portcullis_model::schema::IdentitySchema;
use portcullis_model::session::{Aal, AuthenticationMethod};
use portcullis_model::ui::{InputType, Node, Ui};
use portcullis_store::Changes;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{GROUP, ID, KIND, NAME, REGISTER, USER_VERIFICATION, WebAuthn, is_passwordless, site};
use crate::app::Cx;
use crate::config::Config;
use crate::credential::webauthn::{self, Answer, Creation, Pending, Trigger, User, Verification};
use crate::flow::engine::{Field, FlowError, Form, json_type};
use crate::identity;
use crate::method::{Registrant, RegistrationMethod, RegistrationOutcome, RegistrationStage};

#[async_trait]
impl RegistrationMethod for WebAuthn {
    fn serves(&self, config: &Config) -> bool {
        is_passwordless(config)
    }

    async fn populate(
        &self,
        cx: &Cx,
        _stage: RegistrationStage,
        _schema: &IdentitySchema,
        flow: &mut Flow,
        ui: &mut Ui,
    ) -> Result<(), FlowError> {
        let Some(site) = site(cx).filter(|_| !flow.is_native()) else { return Ok(()) };
        // The account has its id before it is there: keys are made for it.
        let pending = Pending::begin(cx, flow, ID, || Some(cx.new_id().to_string()));
        let id = future_id(&pending).unwrap_or_default();
        let user = User { handle: id.as_bytes(), name: &site.name };
        let wish = Creation { user_verification: USER_VERIFICATION, ..Creation::default() };
        let options = webauthn::creation(&site, &wish, &pending.challenge(), &user, std::iter::empty());
        let label = message::settings::security_key_name();
        ui.nodes.push(Node::input(GROUP, NAME, InputType::Text).value("".into()).label(label));
        ui.nodes.push(webauthn::hidden(GROUP, REGISTER).value("".into()));
        let label = message::registration::sign_up_with_security_key();
        let button = webauthn::trigger(flow, GROUP, "webauthn_register_trigger", Trigger::AddKey, label);
        ui.nodes.push(webauthn::onclick(button, Trigger::AddKey, &options));
        webauthn::script_node(cx, flow, ui);
        Ok(())
    }

    fn check_form(&self, _cx: &Cx, form: &Form, notes: &mut Notes) {
        match form.field(REGISTER) {
            Field::Text(text) if !text.is_empty() => {}
            Field::Other(value) => notes.tell_at(REGISTER, validation::wrong_type(&["string"], json_type(value))),
            Field::Text(_) | Field::Absent => notes.tell_at(REGISTER, validation::required(REGISTER)),
        }
    }

    async fn submit(
        &self,
        cx: &Cx,
        schema: &IdentitySchema,
        flow: &mut Flow,
        form: &Form,
        traits: Value,
    ) -> Result<RegistrationOutcome, FlowError> {
        let (Some(site), false) = (site(cx), flow.is_native()) else {
            return Err(FlowError::tell(message::registration::no_method()));
        };
        let name = form.text(NAME).unwrap_or_default();
        flow.notes.keep(NAME, name.into());
        let refused = |why| FlowError::tell(webauthn::unreadable(why));
        let answer = Answer::parse(form.text(REGISTER).unwrap_or_default()).map_err(refused)?;
        let pending = Pending::of(flow, ID).ok_or_else(|| refused(webauthn::Refused::Challenge))?;
        let id = future_id(&pending).ok_or_else(|| refused(webauthn::Refused::Challenge))?;
        let made = webauthn::made(&site, Verification::Optional, &pending.challenge(), &answer).map_err(refused)?;
        let identifiers = schema.derive(&traits).webauthn;
        if identifiers.is_empty() {
            return Err(FlowError::tell(message::registration::no_identifier()));
        }
        let mut who = identity::blank(cx, schema.id(), traits);
        who.identity.id = id;
        who.credentials.push(Credential {
            id: cx.new_id(),
            kind: KIND,
            identifiers,
            config: json!({
                "credentials": [webauthn::entry(&made, name, true, cx.now)],
                "user_handle": webauthn::to_stored(id.as_bytes()),
            }),
            version: 1,
            created_at: cx.now,
            updated_at: cx.now,
        });
        let proof = AuthenticationMethod::new(ID, Aal::Aal1, cx.now);
        Ok(RegistrationOutcome::Registrant(Box::new(Registrant { who, proof, changes: Changes::new() })))
    }
}

/// The id that the account will have.
fn future_id(pending: &Pending) -> Option<Uuid> {
    pending.user_handle.as_deref()?.parse().ok()
}
