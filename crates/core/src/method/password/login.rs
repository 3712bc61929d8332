//! Signing in with a password.

use async_trait::async_trait;
use portcullis_model::credential::CredentialType;
use portcullis_model::flow::{Flow, Notes};
use portcullis_model::identity::{Identity, IdentityWithCredentials};
use portcullis_model::message::{self, validation};
use portcullis_model::normal;
use portcullis_model::session::{Aal, AuthenticationMethod, Session};
use portcullis_model::ui::{Group, Node, Ui};
use portcullis_store::{Changes, credentials, identities};

use super::{ID, Password, config, hash_of, migrate, node};
use crate::app::Cx;
use crate::config::Config;
use crate::credential::guess::Guess;
use crate::credential::identifier;
use crate::crypto::Secret;
use crate::flow::engine::{Field, FlowError, Form, json_type};
use crate::method::{LoginMethod, LoginOutcome, LoginStage, Proved};

#[async_trait]
impl LoginMethod for Password {
    fn serves(&self, _config: &Config, level: Aal) -> bool {
        level == Aal::Aal1
    }

    async fn populate(&self, cx: &Cx, stage: LoginStage<'_>, flow: &mut Flow, ui: &mut Ui) -> Result<(), FlowError> {
        let has_password = |who: &IdentityWithCredentials| {
            let held = who.credential(CredentialType::Password);
            held.is_some_and(|c| hash_of(c).is_some() || migrate::is_elsewhere(c))
        };
        let label = match stage {
            LoginStage::First => {
                identifier::ask(cx, flow, ui);
                message::login::sign_in_with_password()
            }
            LoginStage::Identified { who, .. } => {
                if who.is_some_and(|who| !has_password(who)) {
                    return Ok(());
                }
                message::login::sign_in_with_password()
            }
            LoginStage::Refresh(who) => {
                if !has_password(who) {
                    return Ok(());
                }
                let known = who.credential(CredentialType::Password).and_then(|c| c.identifiers.first());
                identifier::known(known.map_or("", String::as_str), ui);
                message::login::sign_in()
            }
            LoginStage::Second(_) => return Ok(()),
        };
        ui.nodes.push(node("current-password"));
        ui.nodes.push(Node::submit(Group::Password, ID, label));
        Ok(())
    }

    fn check_form(&self, _cx: &Cx, form: &Form) -> Result<(), FlowError> {
        let mut notes = Notes::default();
        let mut check = |name: &str, fields: &[&str]| {
            let sent = fields.iter().map(|f| form.field(f)).find(|f| *f != Field::Absent).unwrap_or(Field::Absent);
            match sent {
                Field::Text(text) if !text.is_empty() => {}
                Field::Other(value) => notes.tell_at(name, validation::wrong_type(&["string"], json_type(value))),
                Field::Text(_) | Field::Absent => notes.tell_at(name, validation::required(name)),
            }
        };
        check("identifier", &["identifier", "password_identifier"]);
        check("password", &["password"]);
        if notes.has_messages() { Err(FlowError::Invalid(Box::new(notes))) } else { Ok(()) }
    }

    async fn submit(
        &self,
        cx: &Cx,
        flow: &mut Flow,
        form: &Form,
        _signed_in: Option<(&Session, &Identity)>,
    ) -> Result<LoginOutcome, FlowError> {
        let typed = form.text("identifier").or_else(|| form.text("password_identifier")).unwrap_or_default();
        let password = form.text("password").unwrap_or_default();
        let settings = cx.hash_settings();
        let client = cx.hashing_client();
        let wrong = message::login::wrong_credentials();

        let found = identities::find_by_identifier(cx.store(), &[CredentialType::Password], &normal::identifier(typed))
            .await
            .map_err(FlowError::Store)?;
        let guess = Guess::at_password(cx, flow.id, found.as_ref().map(|who| who.identity.id), typed).await?;
        let proof = AuthenticationMethod::new(ID, Aal::Aal1, cx.now);
        let credential = found.as_ref().and_then(|who| who.credential(CredentialType::Password));
        if let (Some(who), Some(credential)) = (&found, credential)
            && migrate::is_elsewhere(credential)
        {
            if !migrate::is_right(cx, flow, who, typed, password).await? {
                return Err(guess.wrong(cx, wrong).await);
            }
            let mut changes = Changes::new();
            let who = migrate::keep(cx, &mut changes, who, password).await?;
            guess.right(cx, &mut changes);
            return Ok(LoginOutcome::Proved(Box::new(Proved::new(who, proof, changes))));
        }
        let hash = credential.and_then(hash_of);
        let (Some(who), Some(hash)) = (&found, hash) else {
            // Unknown people wait as long as known ones.
            cx.app.passwords.dummy(&settings, client).await.map_err(FlowError::hashing)?;
            return Err(guess.wrong(cx, wrong).await);
        };
        let verified = cx
            .app
            .passwords
            .verify(&settings, hash.to_owned(), Secret::from(password), client)
            .await
            .map_err(FlowError::hashing)?;
        if !verified.ok {
            return Err(guess.wrong(cx, wrong).await);
        }
        let mut best_effort = Changes::new();
        if verified.needs_rehash
            && let Some(old) = who.credential(CredentialType::Password)
            && let Ok(hash) = cx.app.passwords.hash(&settings, Secret::from(password), client).await
        {
            let mut new = old.config.clone();
            if let (Some(new), serde_json::Value::Object(fresh)) = (new.as_object_mut(), config(&hash)) {
                new.extend(fresh);
            }
            credentials::replace_config(&mut best_effort, who.identity.id, CredentialType::Password, &new, &old.config, cx.now);
        }
        let who = who.clone();
        let mut changes = Changes::new();
        guess.right(cx, &mut changes);
        Ok(LoginOutcome::Proved(Box::new(Proved { best_effort, ..Proved::new(who, proof, changes) })))
    }
}
