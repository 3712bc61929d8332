//! Verification: people prove that an address is theirs. It never ends in a session and never looks at one.
//!
//! Begun by itself or, by [`start`], on the way of other flows.

pub mod new_address;

use portcullis_model::error::{ApiError, ErrorId};
use portcullis_model::flow::{Detail, Flow, FlowKind, FlowState, FlowType};
use portcullis_model::identity::{AddressStatus, Via};
use portcullis_model::message::{self, Message};
use portcullis_model::normal;
use portcullis_model::ui::{Group, InputType, Node};
use portcullis_store::identities::{self, AddressPurpose};
use portcullis_store::{Changes, StoreError};
use serde_json::Value;
use uuid::Uuid;

use crate::app::Cx;
use crate::courier;
use crate::flow::engine::{
    self, After, FlowError, Form, Loaded, Reply, Shown, Unreadable, Verification, answer_error, csrf, return_to,
};
use crate::identity;
use crate::method::{Method, Unproved, VerificationMethod, VerificationOutcome};

/// Begins a verification of one of the account's addresses on the way of another flow: the challenge is sent, the address
/// counts as written to, and the client can be told where to go on.
///
/// # Errors
/// If the configured method cannot send.
pub async fn start(cx: &Cx, after: &mut After<'_>, address: usize) -> Result<(), FlowError> {
    let Some((method, verification)) = configured(cx) else { return Ok(()) };
    let Some(to) = after.who.identity.verifiable_addresses.get(address).cloned() else { return Ok(()) };
    let detail = Detail::Verification {
        method: method.id().to_owned(),
        address: Some(to.value.clone()),
        session_id: after.session.map(|s| s.id),
    };
    let mut flow = engine::new_flow(cx, after.flow.flow_type, FlowState::ChooseMethod, detail, after.flow.return_to.clone());
    // The URL of the flow on whose way it begins carries the way back.
    flow.request_url.clone_from(&after.flow.request_url);
    flow.identity_id = Some(after.who.identity.id);
    if !flow.is_native() {
        flow.csrf = after.csrf_secret.as_ref().map(csrf::binding_of);
    }
    let unproved = Unproved { who: after.who, address: &to };
    verification.send(cx, after.changes, &mut flow, &unproved, after.transient_payload).await?;
    engine::insert(cx, after.changes, &flow);
    if let Some(address) = after.who.identity.verifiable_addresses.get_mut(address) {
        address.status = AddressStatus::Sent;
        address.updated_at = cx.now;
    }
    after.pending.has_mail = true;
    if after.pending.verification.is_none() {
        after.pending.verification =
            Some(Verification { flow_id: flow.id, address: to.value, url: engine::page_of(cx, &flow), native: flow.is_native() });
    }
    Ok(())
}

/// Begins a verification flow.
pub async fn begin(cx: &Cx, flow_type: FlowType) -> Reply {
    match try_begin(cx, flow_type).await {
        Ok(reply) => reply,
        Err(error) => answer_error(cx, error, engine::takes_json(cx, flow_type)).await,
    }
}

async fn try_begin(cx: &Cx, flow_type: FlowType) -> Result<Reply, ApiError> {
    enabled(cx)?;
    let return_to = return_to::requested(cx)?;
    let mut flow = new_flow(cx, flow_type, return_to)?;
    engine::run_before(cx, &flow).await.map_err(engine::plain)?;
    let shown = shown(cx, &mut flow).await.map_err(engine::plain)?;
    engine::insert_new(cx, &flow).await?;
    Ok(engine::begun(cx, &flow, shown))
}

/// Shows a verification flow.
pub async fn fetch(cx: &Cx) -> Reply {
    match try_fetch(cx).await {
        Ok(reply) => reply,
        Err(error) => Reply::error(error),
    }
}

async fn try_fetch(cx: &Cx) -> Result<Reply, ApiError> {
    enabled(cx)?;
    let mut loaded = engine::load_by_parameter(cx, FlowKind::Verification, "id").await?;
    csrf::same_browser(cx, &loaded.flow)?;
    if loaded.flow.is_expired(cx.now) {
        return Err(engine::gone(cx, &loaded.flow).id(ErrorId::SelfServiceFlowExpired));
    }
    let shown = shown(cx, &mut loaded.flow).await.map_err(engine::plain)?;
    Ok(Reply::json(200, engine::body(&loaded.flow, shown)))
}

/// Takes a submit: an address to write to, or the proof.
pub async fn submit(cx: &Cx) -> Reply {
    let json = cx.request.takes_json();
    match try_submit(cx).await {
        Ok(reply) => reply,
        Err(error) => answer_error(cx, error, json).await,
    }
}

async fn try_submit(cx: &Cx) -> Result<Reply, ApiError> {
    enabled(cx)?;
    let id = engine::flow_id(cx)?;
    let loaded = engine::load(cx, FlowKind::Verification, id)
        .await?
        .ok_or_else(|| ApiError::not_found("There is no verification flow of this id."))?;
    let mut submit = Submit { cx, loaded };
    if submit.loaded.flow.is_expired(cx.now) {
        let told = message::verification::expired(submit.loaded.flow.expires_at);
        return submit.replaced(told, Replacement::Expired).await;
    }
    let judged = submit.judge().await;
    submit.answer(judged).await
}

/// Why a new flow takes the place of the submitted one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Replacement {
    /// Its time was over.
    Expired,
    /// Its proof was used, its tries are spent, or it is finished.
    Spent,
}

/// A submit that got past the checks of the flow.
struct Submit<'a> {
    cx: &'a Cx,
    loaded: Loaded,
}

impl Submit<'_> {
    async fn judge(&mut self) -> Result<Reply, FlowError> {
        let cx = self.cx;
        let unreadable = |why: &dyn std::fmt::Display| FlowError::tell(message::validation::generic(&why.to_string()));
        if cx.request.method == "GET" {
            return self.fill_in_code().await;
        }
        let form = Form::read(&cx.request).map_err(|e: Unreadable| unreadable(&e))?;
        let payload = engine::transient_payload(&form)?;
        let carrier = carrier(&self.loaded.flow);
        let (_, verification) = of_id(cx, &carrier).ok_or_else(no_method)?;
        if form.method().is_some_and(|m| m != carrier) {
            return Err(no_method());
        }
        let email = form.text("email").filter(|e| !e.trim().is_empty());
        if form.text("code").is_some_and(|c| !c.is_empty()) || (email.is_none() && self.loaded.flow.state == FlowState::SentEmail)
        {
            if self.loaded.flow.state == FlowState::PassedChallenge {
                return self.replaced(message::verification::already_done(), Replacement::Spent).await.map_err(FlowError::api);
            }
            return match verification.submit(cx, &mut self.loaded.flow, &form).await? {
                VerificationOutcome::Proved { identity_id, address, via, changes } => {
                    self.prove(identity_id, &address, via, changes).await
                }
                VerificationOutcome::ShowUi => self.show(200, Some(payload)).await,
                VerificationOutcome::Spent(told) => self.replaced(told, Replacement::Spent).await.map_err(FlowError::api),
            };
        }
        self.check_csrf(&form)?;
        if self.loaded.flow.state == FlowState::PassedChallenge {
            return self.replaced(message::verification::already_done(), Replacement::Spent).await.map_err(FlowError::api);
        }
        let Some(email) = email else {
            return Err(FlowError::tell_at("email", message::validation::required("email")));
        };
        self.send(verification, email, &payload).await
    }

    /// The link in a mail of the code method: it fills in the code and proves nothing by itself, so that no mail scanner
    /// verifies an address.
    async fn fill_in_code(&mut self) -> Result<Reply, FlowError> {
        let cx = self.cx;
        let Some(code) = cx.request.parameter("code") else {
            return Err(FlowError::tell(message::validation::generic("nothing was submitted")));
        };
        self.loaded.flow.notes.keep("code", code.into());
        engine::save(cx, &self.loaded).await.map_err(FlowError::api)?;
        Ok(Reply::see_other(engine::page_of(cx, &self.loaded.flow)))
    }

    fn check_csrf(&self, form: &Form) -> Result<(), FlowError> {
        match self.loaded.flow.flow_type {
            FlowType::Browser => csrf::check_browser(self.cx, form).map_err(FlowError::api),
            FlowType::Api => csrf::check_native(self.cx).map_err(|why| FlowError::tell(message::validation::generic(why))),
        }
    }

    /// Writes to an address. Whether anybody owns it is not told.
    async fn send(&mut self, method: &dyn VerificationMethod, typed: &str, payload: &Value) -> Result<Reply, FlowError> {
        let cx = self.cx;
        let via = if typed.contains('@') { Via::Email } else { Via::Sms };
        let value = normal::address(via, typed);
        for _ in 0..engine::TRIES {
            let mut changes = Changes::new();
            let mut flow = self.loaded.flow.clone();
            flow.notes = Default::default();
            if let Detail::Verification { address, .. } = &mut flow.detail {
                *address = Some(typed.to_owned());
            }
            let found = identities::find_by_address(cx.store(), AddressPurpose::Verifiable, via, &value).await;
            let who = match found.map_err(FlowError::Store)? {
                Some(identity) => identities::get_with_credentials(cx.store(), identity.id).await.map_err(FlowError::Store)?,
                None => None,
            };
            let known = who.as_ref().and_then(|w| Some((w, w.identity.verifiable_addresses.iter().find(|a| a.value == value)?)));
            match known {
                Some((who, address)) => {
                    flow.identity_id = Some(who.identity.id);
                    let unproved = Unproved { who, address };
                    method.send(cx, &mut changes, &mut flow, &unproved, Some(payload)).await?;
                    let mut new = who.clone();
                    for address in new.identity.verifiable_addresses.iter_mut().filter(|a| a.value == value && !a.verified) {
                        address.status = AddressStatus::Sent;
                        address.updated_at = cx.now;
                    }
                    identity::update(&mut changes, who, &new);
                }
                None => method.send_to_nobody(cx, &mut changes, &mut flow, via, &value, Some(payload)).await?,
            }
            let loaded = Loaded { flow, version: self.loaded.version };
            engine::update(cx, &mut changes, &loaded);
            match cx.store().commit(changes).await {
                Ok(_) => {
                    courier::ring(&cx.app);
                    self.loaded = Loaded { version: loaded.version + 1, ..loaded };
                    return self.show_saved(200, Some(payload.clone())).await;
                }
                Err(StoreError::Conflict { .. }) => self.read_again().await?,
                Err(error) => return Err(FlowError::Store(error)),
            }
        }
        Err(FlowError::Store(StoreError::Busy))
    }

    /// The address was proved: it counts as verified, the flow has passed.
    async fn prove(&mut self, identity_id: Uuid, address: &str, via: Via, guards: Changes) -> Result<Reply, FlowError> {
        let cx = self.cx;
        for _ in 0..engine::TRIES {
            let mut changes = Changes::new();
            changes.merge(guards.clone());
            let Some(who) = identities::get_with_credentials(cx.store(), identity_id).await.map_err(FlowError::Store)? else {
                return Err(FlowError::tell(message::verification::wrong_code()));
            };
            let changed = new_address::take(cx, &mut changes, self.loaded.flow.id, &who).await?;
            let mut new = changed.unwrap_or_else(|| who.clone());
            for found in new.identity.verifiable_addresses.iter_mut().filter(|a| a.value == address && a.via == via) {
                found.verified = true;
                found.status = AddressStatus::Completed;
                found.verified_at = Some(cx.now);
                found.updated_at = cx.now;
            }
            let mut flow = self.loaded.flow.clone();
            flow.state = FlowState::PassedChallenge;
            flow.notes = Default::default();
            flow.notes.tell(match via {
                Via::Email => message::verification::verified(),
                Via::Sms => message::verification::phone_verified(),
            });
            let method = carrier(&flow);
            let before = who.clone();
            let mut after = After {
                flow: &flow,
                method: &method,
                who: &mut new,
                before: Some(&before),
                session: None,
                transient_payload: None,
                changes: &mut changes,
                csrf_secret: cx.request.csrf_secret.clone(),
                pending: Default::default(),
            };
            engine::run_after(cx, FlowKind::Verification, &mut after).await?;
            identity::update(&mut changes, &before, &new);
            let loaded = Loaded { flow, version: self.loaded.version };
            engine::update(cx, &mut changes, &loaded);
            match cx.store().commit(changes).await {
                Ok(_) => {
                    self.loaded = Loaded { version: loaded.version + 1, ..loaded };
                    return self.show_saved(200, None).await;
                }
                Err(StoreError::Conflict { .. }) => self.read_again().await?,
                Err(StoreError::Unique(_)) => return Err(FlowError::tell(message::registration::account_exists())),
                Err(error) => return Err(FlowError::Store(error)),
            }
        }
        // Whoever was first has used the code.
        let told = message::verification::already_done();
        self.replaced(told, Replacement::Spent).await.map_err(FlowError::api)
    }

    async fn read_again(&mut self) -> Result<(), FlowError> {
        let read = engine::load(self.cx, FlowKind::Verification, self.loaded.flow.id).await.map_err(FlowError::api)?;
        self.loaded = read.ok_or_else(no_method)?;
        Ok(())
    }

    /// Saves the flow and shows it.
    async fn show(&mut self, status: u16, payload: Option<Value>) -> Result<Reply, FlowError> {
        engine::save(self.cx, &self.loaded).await.map_err(FlowError::api)?;
        self.show_saved(status, payload).await
    }

    async fn show_saved(&mut self, status: u16, payload: Option<Value>) -> Result<Reply, FlowError> {
        let cx = self.cx;
        if !engine::takes_json(cx, self.loaded.flow.flow_type) {
            return Ok(Reply::see_other(engine::page_of(cx, &self.loaded.flow)));
        }
        let mut shown = shown(cx, &mut self.loaded.flow).await?;
        // Only the answer to a wrong code repeats what was sent along.
        if let (Some(payload), true) =
            (payload, self.loaded.flow.notes.all_messages().any(|m| m.id == message::verification::wrong_code().id))
        {
            shown.beside.insert("transient_payload".into(), payload);
        }
        Ok(Reply::json(status, engine::body(&self.loaded.flow, shown)))
    }

    /// A new flow with a message takes the place of this one.
    async fn replaced(&self, told: Message, why: Replacement) -> Result<Reply, ApiError> {
        let cx = self.cx;
        let old = &self.loaded.flow;
        let mut new = new_flow(cx, old.flow_type, old.return_to.clone())?;
        new.request_url.clone_from(&old.request_url);
        new.csrf.clone_from(&old.csrf);
        new.notes.tell(told);
        engine::insert_new(cx, &new).await?;
        if !engine::takes_json(cx, old.flow_type) {
            return Ok(Reply::see_other(engine::page_of(cx, &new)));
        }
        Ok(match why {
            Replacement::Expired => Reply::see_other(cx.public_url(&format!("/self-service/verification/flows?id={}", new.id))),
            Replacement::Spent => Reply::error(
                ApiError::new(410, "This flow is over. Use the one that is named.")
                    .id(ErrorId::SelfServiceFlowReplaced)
                    .beside("use_flow_id", new.id.to_string()),
            ),
        })
    }

    async fn answer(mut self, judged: Result<Reply, FlowError>) -> Result<Reply, ApiError> {
        let cx = self.cx;
        let json = engine::takes_json(cx, self.loaded.flow.flow_type);
        let error = match judged {
            Ok(reply) => return Ok(reply),
            Err(FlowError::Invalid(notes)) => {
                self.loaded.flow.notes.replace_messages(*notes);
                match self.show(400, None).await {
                    Ok(reply) => return Ok(reply),
                    Err(error) => engine::plain(error),
                }
            }
            Err(other) => engine::plain(other),
        };
        Ok(answer_error(cx, error, json).await)
    }
}

/// The form of a verification flow.
async fn shown(cx: &Cx, flow: &mut Flow) -> Result<Shown, FlowError> {
    let mut ui = engine::ui_for(cx, flow);
    let carrier = carrier(flow);
    if flow.state == FlowState::PassedChallenge {
        let destination = return_to::destination(cx, FlowKind::Verification, &carrier, flow.return_to.as_deref());
        ui.method = "GET";
        ui.action.clone_from(&destination);
        ui.nodes.push(Node::anchor(Group::Code, "continue", &destination, message::label::proceed()));
    } else if let Some((_, verification)) = of_id(cx, &carrier) {
        // The token stands behind the method's form and before the button that sends again; apps need none then.
        let token = ui.nodes.remove(0);
        verification.populate(cx, flow, &mut ui).await?;
        if !(flow.is_native() && flow.state == FlowState::SentEmail) {
            let again =
                ui.nodes.iter().position(|n| n.as_input().is_some_and(|i| i.name == "email" && i.kind == InputType::Submit));
            ui.nodes.insert(again.unwrap_or(ui.nodes.len()), token);
        }
    }
    engine::dress(flow, &mut ui);
    Ok(Shown::plain(ui))
}

fn new_flow(cx: &Cx, flow_type: FlowType, return_to: Option<String>) -> Result<Flow, ApiError> {
    let (method, _) =
        configured(cx).ok_or_else(|| ApiError::bad_request("The method that verification uses is switched off."))?;
    let detail = Detail::Verification { method: method.id().to_owned(), address: None, session_id: None };
    let mut flow = engine::new_flow(cx, flow_type, FlowState::ChooseMethod, detail, return_to);
    flow.active = Some(method.id().to_owned());
    Ok(flow)
}

/// The method that verification uses, if it is switched on.
fn configured(cx: &Cx) -> Option<(&dyn Method, &dyn VerificationMethod)> {
    of_id(cx, cx.config().selfservice.flows.verification.challenge.as_str())
}

fn of_id<'a>(cx: &'a Cx, id: &str) -> Option<(&'a dyn Method, &'a dyn VerificationMethod)> {
    let method = cx.app.methods.enabled(cx.config()).find(|m| m.id() == id)?;
    Some((method, method.verification()?))
}

/// The id of the method that carries a flow.
fn carrier(flow: &Flow) -> String {
    match &flow.detail {
        Detail::Verification { method, .. } => method.clone(),
        _ => String::new(),
    }
}

fn enabled(cx: &Cx) -> Result<(), ApiError> {
    if cx.config().selfservice.flows.verification.enabled {
        return Ok(());
    }
    Err(ApiError::bad_request("Verification is switched off here."))
}

fn no_method() -> FlowError {
    FlowError::tell(message::verification::no_method())
}
