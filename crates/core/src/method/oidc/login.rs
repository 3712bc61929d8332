//! Signing in by a provider.

use async_trait::async_trait;
use portcullis_model::credential::CredentialType;
use portcullis_model::error::{ApiError, ErrorId};
use portcullis_model::flow::{Detail, Flow, Notes};
use portcullis_model::identity::{Identity, IdentityWithCredentials};
use portcullis_model::message::{self, validation};
use portcullis_model::session::{Aal, AuthenticationMethod, Session};
use portcullis_model::ui::Ui;
use portcullis_store::{Changes, identities};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::memory::{Arrived, Memory};
use super::trip::{self, Luggage, leave};
use super::{ID, Oidc, button, joining, links, name_of, person, provider, providers, told, told_of_mapper};
use crate::app::Cx;
use crate::config::Config;
use crate::config::oidc::{Provider, UpdateOnLogin};
use crate::flow::engine::{self, FlowError, Form};
use crate::identity;
use crate::method::{LoginMethod, LoginOutcome, LoginStage, Proved};
use crate::oidc::{Handed, IdTokenError, Mapped, accept_id_token, map};

#[async_trait]
impl LoginMethod for Oidc {
    fn serves(&self, _config: &Config, level: Aal) -> bool {
        level == Aal::Aal1
    }

    fn guards_itself(&self, form: &Form) -> bool {
        form.text("id_token").is_none_or(str::is_empty)
    }

    async fn populate(&self, cx: &Cx, stage: LoginStage<'_>, flow: &mut Flow, ui: &mut Ui) -> Result<(), FlowError> {
        let linked = match stage {
            LoginStage::First => None,
            LoginStage::Identified { who, .. } => who,
            LoginStage::Refresh(who) => Some(who),
            LoginStage::Second(_) => return Ok(()),
        };
        offer(cx, flow, linked, ui);
        Ok(())
    }

    fn populate_unidentified(&self, cx: &Cx, flow: &mut Flow, ui: &mut Ui) {
        offer(cx, flow, None, ui);
    }

    async fn submit(
        &self,
        cx: &Cx,
        flow: &mut Flow,
        form: &Form,
        signed_in: Option<(&Session, &Identity)>,
    ) -> Result<LoginOutcome, FlowError> {
        let to = provider(cx, form.text("provider").unwrap_or_default())?;
        if let Some(token) = form.text("id_token").filter(|t| !t.is_empty()) {
            take_id_token(cx, flow, to, token, form.text("id_token_nonce")).await?;
            return self.resume(cx, flow, signed_in).await;
        }
        let luggage = Luggage {
            traits: form.value("traits").cloned(),
            transient_payload: Some(engine::transient_payload(form)?),
            again: matches!(flow.detail, Detail::Login { refresh: true, .. }),
            upstream: trip::upstream(form),
        };
        let reply = leave(cx, flow, to, luggage).await?;
        flow.active = Some(ID.to_owned());
        flow.notes.clear_messages();
        Ok(LoginOutcome::Left(Box::new(reply)))
    }

    async fn resume(
        &self,
        cx: &Cx,
        flow: &mut Flow,
        signed_in: Option<(&Session, &Identity)>,
    ) -> Result<LoginOutcome, FlowError> {
        let mut memory = Memory::of(flow);
        let arrived = memory.arrived.clone().ok_or_else(nobody)?;
        let from = provider(cx, &arrived.provider)?;
        let Some(who) = owner(cx, &arrived).await? else {
            return match (&memory.joining, signed_in) {
                (Some(_), _) => Err(FlowError::tell(message::login::other_account())),
                // Somebody who is signed in proves that it is still them: that makes no new account.
                (None, Some(_)) => Err(another_person()),
                (None, None) if matches!(flow.detail, Detail::Login { refresh: true, .. }) => Err(another_person()),
                (None, None) => Ok(LoginOutcome::SignUp),
            };
        };
        if signed_in.is_some_and(|(_, identity)| identity.id != who.identity.id) {
            return Err(another_person());
        }
        if from.update_identity_on_login == UpdateOnLogin::Automatic {
            memory.update = update(cx, from, &arrived, &who).await?;
            memory.keep(flow);
        }
        let proof = links::proof(cx, from, &arrived);
        Ok(LoginOutcome::Proved(Box::new(Proved::new(who, proof, Changes::new()))))
    }

    fn settle(
        &self,
        cx: &Cx,
        flow: &mut Flow,
        who: &mut IdentityWithCredentials,
    ) -> Result<Vec<AuthenticationMethod>, FlowError> {
        let mut memory = Memory::of(flow);
        let mut proofs = Vec::new();
        if let Some(joining) = &memory.joining {
            if joining.identity_id != who.identity.id {
                return Err(FlowError::tell(message::login::other_account()));
            }
            let from = provider(cx, &joining.arrived.provider)?;
            links::add(cx, who, from, &joining.arrived);
            proofs.push(links::proof(cx, from, &joining.arrived));
        }
        let before = who.clone();
        if let Some(update) = &memory.update {
            who.identity.traits = Value::Object(update.traits.clone());
            person::describe(who, update);
            person::vouch(cx, who, update);
        }
        if memory.update.is_some() || memory.joining.is_some() {
            let schema = engine::schema_of(cx, who)?;
            identity::conform(cx, who, Some(&before), &schema);
        }
        if flow.methods.contains_key(ID) {
            memory.arrived = None;
            memory.update = None;
            memory.joining = None;
            memory.keep(flow);
        }
        Ok(proofs)
    }

    fn is_joining(&self, flow: &Flow) -> bool {
        Memory::of(flow).joining.is_some()
    }

    fn wait(&self, flow: &mut Flow, session_id: Uuid) {
        let mut memory = Memory::of(flow);
        if let Some(joining) = &mut memory.joining {
            joining.waits_for = Some(session_id);
            memory.keep(flow);
        }
    }

    fn carry(&self, from: &Flow, session_id: Uuid, to: &mut Flow) {
        let joining = Memory::of(from).joining.filter(|joining| joining.waits_for == Some(session_id));
        if joining.is_some() {
            Memory { joining, ..Memory::default() }.keep(to);
        }
    }

    fn adjust(&self, _cx: &Cx, flow: &Flow, ui: &mut Ui) {
        if let Some(joining) = Memory::of(flow).joining {
            joining::adjust(&joining, ui);
        }
    }
}

/// Adds a button for every provider that may be used; `linked`: for those that this account is linked to.
fn offer(cx: &Cx, flow: &Flow, linked: Option<&IdentityWithCredentials>, ui: &mut Ui) {
    let joining = Memory::of(flow).joining;
    for provider in providers(cx) {
        if linked.is_some_and(|who| !links::has(who, &provider.id)) {
            continue;
        }
        let name = name_of(provider, &provider.id);
        let label = match &joining {
            Some(joining) if !joining::offers(joining, &provider.id) => continue,
            Some(_) => message::login::sign_in_with_and_link(name),
            None => message::login::sign_in_with(name, &provider.id),
        };
        ui.nodes.push(button("provider", provider, label));
    }
}

/// Whose account somebody who came back has.
pub(super) async fn owner(cx: &Cx, arrived: &Arrived) -> Result<Option<IdentityWithCredentials>, FlowError> {
    identities::find_by_identifier(cx.store(), &[CredentialType::Oidc], &arrived.identifier()).await.map_err(FlowError::Store)
}

/// Judges an ID token that an app hands in; the flow remembers who it is.
pub(super) async fn take_id_token(
    cx: &Cx,
    flow: &mut Flow,
    from: &Provider,
    token: &str,
    nonce: Option<&str>,
) -> Result<(), FlowError> {
    let refused = |error: &IdTokenError| {
        tracing::warn!(provider = %from.id, %error, "an ID token is refused");
    };
    let upstream = |reason: &str| FlowError::api(ApiError::new(502, reason).id(ErrorId::UpstreamError));
    let handed: Handed = accept_id_token(cx, from, token, nonce).await.map_err(|error| {
        refused(&error);
        match &error {
            IdTokenError::NotTaken => upstream("Tokens of this provider are not taken from apps."),
            IdTokenError::Nonce => upstream("The nonce of the token is not the one that was sent beside it."),
            IdTokenError::Token(crate::oidc::OidcError::Token(_) | crate::oidc::OidcError::NoSubject) => {
                FlowError::api(ApiError::forbidden("The ID token was not accepted."))
            }
            IdTokenError::Token(other) => told(from, other),
        }
    })?;
    let mut memory = Memory::of(flow);
    // A token that was handed in is good for one request; it is not kept.
    memory.arrived = Some(Arrived::of(&from.id, handed));
    memory.update = None;
    memory.trip = None;
    memory.keep(flow);
    flow.active = Some(ID.to_owned());
    Ok(())
}

/// What a sign-in brings into an account: the mapper's traits laid on those that are stored. `None` if nothing changes.
async fn update(cx: &Cx, from: &Provider, arrived: &Arrived, who: &IdentityWithCredentials) -> Result<Option<Mapped>, FlowError> {
    let identity = &who.identity;
    let stored = (&identity.traits, &identity.metadata_public, &identity.metadata_admin);
    let mapped = map(cx, &from.mapper_url, &arrived.claims, Some(stored)).await.map_err(|e| told_of_mapper(from, &e))?;
    let mut traits = identity.traits.as_object().cloned().unwrap_or_else(Map::new);
    person::lay(&mut traits, &mapped.traits);
    let schema = engine::schema_of(cx, who)?;
    let traits = engine::judged_traits(cx, &schema, Value::Object(traits), Notes::default())?;
    let Value::Object(traits) = traits else { return Ok(None) };
    Ok(Some(Mapped { traits, ..mapped }))
}

fn nobody() -> FlowError {
    FlowError::tell(validation::generic("nobody came back from a provider"))
}

fn another_person() -> FlowError {
    let told = "this is not the account that is signed in; use a provider that it is linked to, or sign out first";
    FlowError::tell(validation::generic(told))
}
