//! Signing up with a password.

use async_trait::async_trait;
use portcullis_model::credential::{Credential, CredentialType};
use portcullis_model::flow::{Flow, Notes};
use portcullis_model::message::{self, validation};
use portcullis_model::schema::IdentitySchema;
use portcullis_model::session::{Aal, AuthenticationMethod};
use portcullis_model::ui::{Group, Node, Ui};
use portcullis_store::Changes;
use serde_json::Value;

use super::{ID, Password, config, node, policy};
use crate::app::Cx;
use crate::crypto::Secret;
use crate::flow::engine::{Field, FlowError, Form, json_type};
use crate::identity;
use crate::method::{Registrant, RegistrationMethod, RegistrationOutcome, RegistrationStage};

#[async_trait]
impl RegistrationMethod for Password {
    async fn populate(
        &self,
        _cx: &Cx,
        _stage: RegistrationStage,
        _schema: &IdentitySchema,
        _flow: &mut Flow,
        ui: &mut Ui,
    ) -> Result<(), FlowError> {
        ui.nodes.push(node("new-password"));
        ui.nodes.push(Node::submit(Group::Password, ID, message::registration::sign_up()));
        Ok(())
    }

    fn check_form(&self, _cx: &Cx, form: &Form, notes: &mut Notes) {
        match form.field("password") {
            // An empty one is told after the traits were found good.
            Field::Text(_) => {}
            Field::Absent => notes.tell_at("password", validation::required("password")),
            Field::Other(value) => notes.tell_at("password", validation::wrong_type(&["string"], json_type(value))),
        }
    }

    async fn submit(
        &self,
        cx: &Cx,
        schema: &IdentitySchema,
        _flow: &mut Flow,
        form: &Form,
        traits: Value,
    ) -> Result<RegistrationOutcome, FlowError> {
        let password = form.text("password").filter(|p| !p.is_empty());
        let password = password.ok_or_else(|| FlowError::tell_at("password", validation::required("password")))?;
        let identifiers = schema.derive(&traits).password;
        if identifiers.is_empty() {
            return Err(FlowError::tell(message::registration::no_identifier()));
        }
        policy::check(cx, password, &identifiers).await?;
        let hash = cx.app.passwords.hash(&cx.hash_settings(), Secret::from(password), cx.hashing_client()).await;
        let hash = hash.map_err(FlowError::hashing)?;
        let mut who = identity::blank(cx, schema.id(), traits);
        who.credentials.push(Credential {
            id: cx.new_id(),
            kind: CredentialType::Password,
            identifiers,
            config: config(&hash),
            version: 1,
            created_at: cx.now,
            updated_at: cx.now,
        });
        let proof = AuthenticationMethod::new(ID, Aal::Aal1, cx.now);
        Ok(RegistrationOutcome::Registrant(Box::new(Registrant { who, proof, changes: Changes::new() })))
    }
}
