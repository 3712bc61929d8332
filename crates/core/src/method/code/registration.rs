//! Signing up by a code: every address of the traits that codes may go to gets one of its own, and whichever is brought
//! proves its address.

use async_trait::async_trait;
use portcullis_model::flow::{Flow, FlowKind, FlowState, Notes};
use portcullis_model::identity::{AddressStatus, VerifiableAddress, Via};
use portcullis_model::message::{self, validation};
use portcullis_model::schema::IdentitySchema;
use portcullis_model::session::{Aal, AuthenticationMethod};
use portcullis_model::ui::{Group, Node, Ui};
use portcullis_store::{Changes, codes};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Code, ID, asks_again, check_resend, exhausted, waiting_nodes};
use crate::app::Cx;
use crate::config::Config;
use crate::courier::template::{Circumstances, RegistrationCode};
use crate::courier::{self, Template};
use crate::credential::code::{self, For, Judged};
use crate::credential::{address, mail_limit};
use crate::flow::engine::{self, FlowError, Form};
use crate::identity;
use crate::method::{Arranged, Registrant, RegistrationMethod, RegistrationOutcome, RegistrationStage};

#[async_trait]
impl RegistrationMethod for Code {
    fn serves(&self, config: &Config) -> bool {
        config.selfservice.methods.code.passwordless_enabled
    }

    async fn populate(
        &self,
        _cx: &Cx,
        _stage: RegistrationStage,
        _schema: &IdentitySchema,
        _flow: &mut Flow,
        ui: &mut Ui,
    ) -> Result<(), FlowError> {
        ui.nodes.push(Node::submit(Group::Code, ID, message::registration::send_code()));
        Ok(())
    }

    async fn populate_waiting(&self, _cx: &Cx, flow: &Flow, ui: &mut Ui) -> Result<Option<Arranged>, FlowError> {
        ui.nodes.extend(waiting_nodes(message::label::registration_code()));
        let sent = flow.notes.all_messages().any(|m| m.id == message::registration::code_sent().id);
        Ok(Some(if sent { Arranged::Already } else { Arranged::ToSort }))
    }

    fn check_form(&self, _cx: &Cx, form: &Form, notes: &mut Notes) {
        check_resend(form, notes);
    }

    async fn submit(
        &self,
        cx: &Cx,
        schema: &IdentitySchema,
        flow: &mut Flow,
        form: &Form,
        traits: Value,
    ) -> Result<RegistrationOutcome, FlowError> {
        if flow.state == FlowState::PassedChallenge {
            return Err(FlowError::tell(message::registration::no_method()));
        }
        if flow.state != FlowState::SentEmail || asks_again(form) {
            return send(cx, schema, flow, form, traits).await;
        }
        let code = form.text("code").filter(|code| !code.is_empty());
        let code = code.ok_or_else(|| FlowError::tell_at("code", validation::required("code")))?;
        let asked_for = flow.methods.get(ID).and_then(|kept| kept.get("traits")).cloned().unwrap_or_default();
        if traits != asked_for {
            // The form goes on with the traits that the code is good for.
            engine::keep_all_typed(schema, &asked_for, &mut flow.notes);
            return Err(FlowError::tell(message::registration::traits_changed()));
        }
        let wrong = || FlowError::tell(message::registration::wrong_code());
        let found = match code::judge(cx, FlowKind::Registration, flow.id, code).await.map_err(FlowError::Store)? {
            Judged::Right(found) => found,
            Judged::Wrong | Judged::Used => return Err(wrong()),
            Judged::Exhausted => return Err(FlowError::tell(exhausted())),
        };
        flow.state = FlowState::PassedChallenge;
        let mut changes = Changes::new();
        codes::consume(&mut changes, found.id, cx.now);
        let mut who = identity::blank(cx, schema.id(), traits);
        let mailbox = address::mailbox(cx, found.via, &found.address);
        who.identity.verifiable_addresses.push(verified(cx, found.via, found.address));
        let proof = AuthenticationMethod::new(ID, Aal::Aal1, cx.now).by_holder_of(mailbox);
        Ok(RegistrationOutcome::Registrant(Box::new(Registrant { who, proof, changes })))
    }
}

/// Sends each address a code. Whether one of them belongs to an account already is told only to its holder.
async fn send(
    cx: &Cx,
    schema: &IdentitySchema,
    flow: &mut Flow,
    form: &Form,
    traits: Value,
) -> Result<RegistrationOutcome, FlowError> {
    let mut reach: Vec<(Via, String)> = Vec::new();
    for one in schema.derive(&traits).code {
        if !reach.contains(&one) {
            reach.push(one);
        }
    }
    if reach.is_empty() {
        return Err(FlowError::tell(message::registration::no_identifier()));
    }
    let payload = engine::transient_payload(form)?;
    let mut changes = Changes::new();
    codes::drop_of_flow(&mut changes, flow.id);
    for (via, address) in &reach {
        mail_limit::charge(cx, &mut changes, *via, address).await?;
        let (purpose, expires_at) = (FlowKind::Registration, code::expires_at(cx));
        let what = For { purpose, flow_id: flow.id, identity_id: None, address, via: *via, expires_at };
        let secret = code::issue(cx, &mut changes, &what);
        let mail = RegistrationCode::new(cx, Circumstances::new(&flow.request_url, Some(&payload)), &traits, secret);
        courier::enqueue(cx, &mut changes, &Template::RegistrationCodeValid(mail), *via, address);
    }
    flow.methods.insert(ID.to_owned(), json!({ "traits": traits }));
    flow.state = FlowState::SentEmail;
    flow.active = Some(ID.to_owned());
    flow.notes.clear_messages();
    flow.notes.tell(message::registration::code_sent());
    Ok(RegistrationOutcome::Challenged(Box::new(changes)))
}

/// The address that was proved before there is an account to have it. Its record gets its id with the account's others.
fn verified(cx: &Cx, via: Via, value: String) -> VerifiableAddress {
    VerifiableAddress {
        id: Uuid::nil(),
        value,
        verified: true,
        via,
        status: AddressStatus::Completed,
        verified_at: Some(cx.now),
        created_at: cx.now,
        updated_at: cx.now,
    }
}
