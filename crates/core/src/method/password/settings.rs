//! Changing the password.

use async_trait::async_trait;
use portcullis_model::credential::CredentialType;
use portcullis_model::flow::{Flow, Notes};
use portcullis_model::identity::IdentityWithCredentials;
use portcullis_model::message::{self, validation};
use portcullis_model::ui::{Group, Node, Ui};

use super::{ID, Password, config, hash_of, node, policy};
use crate::app::Cx;
use crate::crypto::Secret;
use crate::flow::engine::{self, Change, Field, FlowError, Form, Fresh, SetCredential, json_type};
use crate::method::{SettingsMethod, SettingsOutcome};

#[async_trait]
impl SettingsMethod for Password {
    async fn populate(&self, _cx: &Cx, _who: &IdentityWithCredentials, _flow: &mut Flow, ui: &mut Ui) -> Result<(), FlowError> {
        ui.nodes.push(node("new-password"));
        ui.nodes.push(Node::submit(Group::Password, ID, message::label::save()));
        Ok(())
    }

    async fn check_form(&self, _cx: &Cx, _who: &IdentityWithCredentials, form: &Form) -> Result<(), FlowError> {
        match form.field("password") {
            Field::Text(text) if !text.is_empty() => Ok(()),
            Field::Other(value) => Err(FlowError::tell_at("password", validation::wrong_type(&["string"], json_type(value)))),
            Field::Text(_) | Field::Absent => Err(FlowError::tell_at("password", validation::required("password"))),
        }
    }

    async fn submit(
        &self,
        cx: &Cx,
        who: &IdentityWithCredentials,
        _flow: &mut Flow,
        form: &Form,
    ) -> Result<SettingsOutcome, FlowError> {
        let password = form.text("password").unwrap_or_default();
        let identifiers = engine::schema_of(cx, who)?.derive(&who.identity.traits).password;
        policy::check(cx, password, &identifiers).await?;
        let client = cx.hashing_client();
        let mut change = Change::by(ID, Fresh::Always);
        if let Some(hash) = who.credential(CredentialType::Password).and_then(hash_of) {
            let old = cx.app.passwords.verify(&cx.hash_settings(), hash.to_owned(), Secret::from(password), client).await;
            if old.map_err(FlowError::hashing)?.ok {
                // Told at once, this would tell whoever found a browser open which password is the right one. The work is
                // the same either way, so that the time that it takes does not tell either.
                let mut notes = Notes::default();
                notes.tell_at("password", message::settings::same_password());
                change.refused = Some(Box::new(notes));
            }
        }
        let hash = cx.app.passwords.hash(&cx.hash_settings(), Secret::from(password), client).await;
        change.set.push(SetCredential {
            kind: CredentialType::Password,
            config: config(&hash.map_err(FlowError::hashing)?),
            version: 1,
            identifiers: None,
            beside_none: false,
        });
        Ok(SettingsOutcome::Change(Box::new(change)))
    }
}
