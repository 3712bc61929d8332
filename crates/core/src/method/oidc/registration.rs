//! Signing up by a provider.

use async_trait::async_trait;
use portcullis_model::flow::{Flow, Notes};
use portcullis_model::message::{self, validation};
use portcullis_model::schema::IdentitySchema;
use portcullis_model::ui::{Group, Node, Ui};
use portcullis_store::Changes;
use serde_json::Value;

use super::login::{owner, take_id_token};
use super::memory::{Alone, Memory};
use super::trip::{self, Luggage, leave};
use super::{ID, Oidc, button, joining, links, name_of, person, provider, providers, told_of_mapper};
use crate::app::Cx;
use crate::flow::engine::{self, FlowError, Form};
use crate::identity;
use crate::method::{Registrant, RegistrationMethod, RegistrationOutcome, RegistrationStage};
use crate::oidc::map;

#[async_trait]
impl RegistrationMethod for Oidc {
    fn guards_itself(&self, form: &Form) -> bool {
        form.text("id_token").is_none_or(str::is_empty)
    }

    fn judges_traits(&self) -> bool {
        true
    }

    async fn populate(
        &self,
        cx: &Cx,
        _stage: RegistrationStage,
        _schema: &IdentitySchema,
        _flow: &mut Flow,
        ui: &mut Ui,
    ) -> Result<(), FlowError> {
        offer(cx, ui);
        Ok(())
    }

    fn populate_first(&self, cx: &Cx, _flow: &Flow, ui: &mut Ui) {
        offer(cx, ui);
    }

    fn populate_alone(&self, cx: &Cx, flow: &Flow, ui: &mut Ui) -> bool {
        let Some(alone) = Memory::of(flow).alone else { return false };
        let Ok(provider) = provider(cx, &alone.provider) else { return false };
        let is_trait = |node: &Node| node.name().is_some_and(|name| name.starts_with("traits"));
        if !alone.is_known {
            ui.nodes.retain(|node| !is_trait(node));
        }
        if cx.config().feature_flags.legacy_oidc_registration_node_group {
            for node in ui.nodes.iter_mut().filter(|node| is_trait(node)) {
                node.group = Group::Oidc;
            }
        }
        ui.nodes.push(button("provider", provider, message::registration::proceed()));
        true
    }

    fn check_form(&self, _cx: &Cx, _form: &Form, _notes: &mut Notes) {}

    async fn submit(
        &self,
        cx: &Cx,
        schema: &IdentitySchema,
        flow: &mut Flow,
        form: &Form,
        traits: Value,
    ) -> Result<RegistrationOutcome, FlowError> {
        let to = provider(cx, form.text("provider").unwrap_or_default())?;
        let traits = Some(traits).filter(|t| !t.is_null());
        if let Some(token) = form.text("id_token").filter(|t| !t.is_empty()) {
            take_id_token(cx, flow, to, token, form.text("id_token_nonce")).await?;
            let typed = traits.unwrap_or(Value::Null);
            return sign_up(cx, schema, flow, &typed).await;
        }
        let luggage = Luggage {
            traits,
            transient_payload: Some(engine::transient_payload(form)?),
            again: false,
            upstream: trip::upstream(form),
        };
        let reply = leave(cx, flow, to, luggage).await?;
        flow.notes.clear_messages();
        Ok(RegistrationOutcome::Left(Box::new(reply)))
    }

    async fn resume(&self, cx: &Cx, schema: &IdentitySchema, flow: &mut Flow) -> Result<RegistrationOutcome, FlowError> {
        let typed = Memory::of(flow).trip.and_then(|trip| trip.traits).unwrap_or(Value::Null);
        sign_up(cx, schema, flow, &typed).await
    }
}

/// Adds a button for every provider.
fn offer(cx: &Cx, ui: &mut Ui) {
    for provider in providers(cx) {
        let label = message::registration::sign_up_with(name_of(provider, &provider.id), &provider.id);
        ui.nodes.push(button("provider", provider, label));
    }
}

/// Makes an account of whoever came back, or finds the one that they have.
async fn sign_up(cx: &Cx, schema: &IdentitySchema, flow: &mut Flow, typed: &Value) -> Result<RegistrationOutcome, FlowError> {
    let mut memory = Memory::of(flow);
    let arrived = memory.arrived.clone();
    let arrived = arrived.ok_or_else(|| FlowError::tell(validation::generic("nobody came back from a provider")))?;
    let from = provider(cx, &arrived.provider)?;
    if owner(cx, &arrived).await?.is_some() {
        return Ok(RegistrationOutcome::SignIn);
    }
    let mapped = map(cx, &from.mapper_url, &arrived.claims, None).await.map_err(|error| told_of_mapper(from, &error))?;
    flow.active = Some(ID.to_owned());
    memory.alone = Some(Alone { provider: from.id.clone(), is_known: true });
    // Submitting the form again repeats the trip: what this one brought is not needed any more.
    memory.arrived = None;
    memory.keep(flow);
    let mut traits = mapped.traits.clone();
    if let Value::Object(typed) = typed {
        person::lay(&mut traits, typed);
    }
    let traits = Value::Object(traits);
    engine::keep_typed(schema, &traits, &mut flow.notes);
    let traits = engine::judged_traits(cx, schema, traits, Notes::default())?;
    let mut who = identity::blank(cx, schema.id(), traits);
    links::add(cx, &mut who, from, &arrived);
    person::describe(&mut who, &mapped);
    person::vouch(cx, &mut who, &mapped);
    if let Some(told) = joining::begin(cx, flow, from, &arrived, &conformed(cx, &who, schema)).await? {
        return Ok(RegistrationOutcome::Join(Box::new(told)));
    }
    let proof = links::proof(cx, from, &arrived);
    Ok(RegistrationOutcome::Registrant(Box::new(Registrant { who, proof, changes: Changes::new() })))
}

/// The account with everything that follows from its traits: by that it is found out whether any of it is taken.
fn conformed(
    cx: &Cx,
    who: &portcullis_model::identity::IdentityWithCredentials,
    schema: &IdentitySchema,
) -> portcullis_model::identity::IdentityWithCredentials {
    let mut who = who.clone();
    identity::conform(cx, &mut who, None, schema);
    who
}
