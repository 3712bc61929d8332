//! Signing up with a passkey and nothing else.

use async_trait::async_trait;
use portcullis_model::credential::Credential;
use portcullis_model::flow::{Flow, Notes};
use portcullis_model::message;
use portcullis_model::schema::IdentitySchema;
use portcullis_model::session::{Aal, AuthenticationMethod};
use portcullis_model::ui::Ui;
use portcullis_store::Changes;
use serde_json::{Value, json};

use super::{CREATE_DATA, GROUP, ID, KIND, Passkey, REGISTER, begin_creation, site, stored_handle, verification, wish};
use crate::app::Cx;
use crate::credential::webauthn::{self, Answer, Pending, Refused, Trigger, User};
use crate::flow::engine::{FlowError, Form};
use crate::identity;
use crate::method::{Registrant, RegistrationMethod, RegistrationOutcome, RegistrationStage};

#[async_trait]
impl RegistrationMethod for Passkey {
    async fn populate(
        &self,
        cx: &Cx,
        _stage: RegistrationStage,
        schema: &IdentitySchema,
        flow: &mut Flow,
        ui: &mut Ui,
    ) -> Result<(), FlowError> {
        let Some(site) = site(cx) else { return Ok(()) };
        let pending = begin_creation(cx, flow);
        let handle = pending.user_handle.as_deref().unwrap_or_default();
        // The script puts what was typed into these fields in the place of the name.
        let user = User { handle: handle.as_bytes(), name: &site.name };
        let options = webauthn::creation(&site, &wish(cx), &pending.challenge(), &user, std::iter::empty());
        let names = schema.passkey_name_fields();
        let data = json!({
            "credentialOptions": options,
            "displayNameFieldName": names.first().map_or("", String::as_str),
            "displayNameFieldNames": names,
        });
        webauthn::script_node(cx, flow, ui);
        let label = message::registration::sign_up_with_passkey();
        ui.nodes.push(webauthn::trigger(flow, GROUP, "passkey_register_trigger", Trigger::SignUp, label));
        ui.nodes.push(webauthn::hidden(GROUP, REGISTER));
        ui.nodes.push(webauthn::hidden(GROUP, CREATE_DATA).value(data.to_string().into()));
        Ok(())
    }

    /// A form without a passkey is not for this method at all.
    fn check_form(&self, _cx: &Cx, _form: &Form, _notes: &mut Notes) {}

    async fn submit(
        &self,
        cx: &Cx,
        schema: &IdentitySchema,
        flow: &mut Flow,
        form: &Form,
        traits: Value,
    ) -> Result<RegistrationOutcome, FlowError> {
        let refused = |why| FlowError::tell(webauthn::unreadable(why));
        let answer = Answer::parse(form.text(REGISTER).unwrap_or_default()).map_err(refused)?;
        let pending = Pending::of(flow, ID).ok_or_else(|| refused(Refused::Challenge))?;
        let handle = pending.user_handle.clone().ok_or_else(|| refused(Refused::Challenge))?;
        let site = site(cx).ok_or_else(|| refused(Refused::Site))?;
        let made = webauthn::made(&site, verification(cx), &pending.challenge(), &answer).map_err(refused)?;
        let mut who = identity::blank(cx, schema.id(), traits);
        who.credentials.push(Credential {
            id: cx.new_id(),
            kind: KIND,
            config: json!({
                "credentials": [webauthn::entry(&made, "", true, cx.now)],
                "user_handle": stored_handle(&handle),
            }),
            identifiers: vec![handle],
            version: 1,
            created_at: cx.now,
            updated_at: cx.now,
        });
        let proof = AuthenticationMethod::new(ID, Aal::Aal1, cx.now);
        Ok(RegistrationOutcome::Registrant(Box::new(Registrant { who, proof, changes: Changes::new() })))
    }
}
