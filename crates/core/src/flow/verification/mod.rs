//! Verification: people prove that an address is theirs. It never ends in a session and never looks at one.
//!
//! Begun by itself or, by [`start()`], on the way of other flows. Whether anybody owns an address is never told.

pub mod new_address;
mod prove;
mod start;

pub use start::start;

use portcullis_model::error::{ApiError, ErrorId};
use portcullis_model::flow::{Detail, Flow, FlowKind, FlowState, FlowType, Notes};
use portcullis_model::identity::AddressStatus;
use portcullis_model::message::{self, Message};
use portcullis_model::normal;
use portcullis_model::ui::{Group, Node};
use portcullis_store::identities::AddressPurpose;
use portcullis_store::{Changes, StoreError};

use self::prove::Proof;
use crate::app::Cx;
use crate::courier;
use crate::credential::{address, mail_limit};
use crate::crypto::tokens::CsrfSecret;
use crate::flow::engine::{
    self, CookieChange, Echo, Field, FlowError, Form, Replacement, Reply, Showing, Shown, Submission, answer_error, csrf,
    return_to,
};
use crate::identity;
use crate::method::{Method, Recipient, VerificationMethod, VerificationOutcome};

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
    let flow = new_flow(cx, flow_type, return_to)?;
    engine::begin_shown(cx, flow, &Verifying).await
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
        return Err(engine::gone(cx, &loaded.flow));
    }
    let shown = Verifying.shown(cx, &mut loaded.flow).await.map_err(engine::plain)?;
    Ok(Reply::json(200, engine::body(&loaded.flow, shown)))
}

/// Takes a submit: an address to write to, the proof, or a link that was followed.
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
    let mut submit = Submission::new(cx, loaded, Verifying);
    if submit.loaded.flow.is_expired(cx.now) {
        let told = message::verification::expired(submit.loaded.flow.expires_at);
        return replaced(&submit, told, Replacement::Expired).await;
    }
    let judged = judge(&mut submit).await;
    Ok(submit.answer(judged).await)
}

/// How verification flows are shown.
struct Verifying;

/// A submit to a verification flow.
type Submit<'a> = Submission<'a, Verifying>;

impl Showing for Verifying {
    async fn shown(&self, cx: &Cx, flow: &mut Flow) -> Result<Shown, FlowError> {
        let mut ui = engine::ui_for(cx, flow);
        let carrier = carrier(flow).to_owned();
        if flow.state == FlowState::PassedChallenge {
            let destination = return_to::destination(cx, FlowKind::Verification, &carrier, flow.return_to.as_deref());
            ui.method = "GET";
            ui.action.clone_from(&destination);
            let group = of_id(cx, &carrier).map_or(Group::Default, |(_, verification)| verification.group());
            let onwards = flow.leads_to.as_ref().unwrap_or(&destination);
            ui.nodes.push(Node::anchor(group, "continue", onwards, message::label::proceed()));
        } else if let Some((_, verification)) = of_id(cx, &carrier) {
            // The method says where the token stands among its nodes.
            ui.nodes.clear();
            verification.populate(cx, flow, &mut ui).await?;
        }
        engine::dress(flow, &mut ui);
        Ok(Shown::plain(ui))
    }
}

async fn judge(submit: &mut Submit<'_>) -> Result<Reply, FlowError> {
    let cx = submit.cx;
    let id = carrier(&submit.loaded.flow).to_owned();
    let (method, verification) = of_id(cx, &id).ok_or_else(no_method)?;
    if cx.request.method == "HEAD" {
        // Whoever only looks at a link, such as a mail scanner, uses nothing up.
        return Ok(Reply::see_other(engine::page_of(cx, &submit.loaded.flow)));
    }
    if cx.request.method == "GET" {
        return match (cx.request.parameter("token"), cx.request.parameter("code")) {
            (Some(token), _) => {
                let outcome = verification.follow(cx, &submit.loaded.flow, token).await?;
                decide(submit, outcome).await
            }
            (None, Some(code)) => fill_in_code(submit, code).await,
            (None, None) => Err(FlowError::tell(message::validation::generic("nothing was submitted"))),
        };
    }
    let form = submit.read_form()?;
    let typed = match form.field("email") {
        Field::Text(typed) if !typed.trim().is_empty() => Some(typed.to_owned()),
        Field::Other(value) => Some(value.to_string()),
        Field::Absent | Field::Text(_) => None,
    };
    let waits = submit.loaded.flow.state == FlowState::SentEmail;
    let is_answer =
        verification.takes_answers() && (form.text("code").is_some_and(|code| !code.is_empty()) || (typed.is_none() && waits));
    // The button that sends a link again says no method either.
    let needs_none = is_answer || (waits && !verification.takes_answers());
    check_method(cx, &form, method, needs_none)?;
    if is_answer {
        if submit.loaded.flow.state == FlowState::PassedChallenge {
            return finished(submit).await;
        }
        let outcome = verification.submit(cx, &mut submit.loaded.flow, &form).await?;
        return decide(submit, outcome).await;
    }
    let Some(typed) = typed else {
        let mut notes = Notes::default();
        notes.tell_at("email", message::validation::required("email"));
        notes.keep("email", "".into());
        return Err(FlowError::Invalid(Box::new(notes)));
    };
    if let Some(fault) = verification.check_address(cx, &typed) {
        return Err(FlowError::tell_at("email", fault));
    }
    // A finished flow has nothing to guard: whoever asks is sent to a new one.
    if submit.loaded.flow.state == FlowState::PassedChallenge {
        return finished(submit).await;
    }
    submit.check_csrf(&form)?;
    send(submit, verification, &typed).await
}

/// Whether the form is for the method that carries the flow. An answer to its challenge need not name it.
fn check_method(cx: &Cx, form: &Form, method: &dyn Method, needs_none: bool) -> Result<(), FlowError> {
    match form.method() {
        None if needs_none => Ok(()),
        Some(named) if named == method.id() => Ok(()),
        Some(named) if !cx.app.methods.iter().any(|m| m.id() == named && m.verification().is_some()) => {
            Err(FlowError::tell_at("method", message::validation::generic("there is no such method of verification")))
        }
        _ => Err(no_method()),
    }
}

/// Acts on what a method judged.
async fn decide(submit: &mut Submit<'_>, outcome: VerificationOutcome) -> Result<Reply, FlowError> {
    match outcome {
        VerificationOutcome::Proved { identity_id, address, via, changes, told_if_used } => {
            prove::prove(submit, Proof { identity_id, address, via, guards: changes, told_if_used }).await
        }
        VerificationOutcome::ShowUi => submit.show(200, Echo::Payload).await,
        VerificationOutcome::Spent(told) => replaced(submit, told, Replacement::Spent).await.map_err(FlowError::api),
    }
}

async fn finished(submit: &Submit<'_>) -> Result<Reply, FlowError> {
    replaced(submit, message::verification::already_done(), Replacement::Spent).await.map_err(FlowError::api)
}

/// The link in a mail of the code method: it fills in the code and proves nothing by itself, so that no mail scanner
/// verifies an address. Whoever opens it may see the flow.
async fn fill_in_code(submit: &mut Submit<'_>, code: &str) -> Result<Reply, FlowError> {
    let cx = submit.cx;
    let secret = cx.request.csrf_secret.clone().unwrap_or_else(|| CsrfSecret::new(cx.rng()));
    let flow = &mut submit.loaded.flow;
    if flow.state == FlowState::SentEmail {
        flow.notes.keep("code", code.into());
    }
    if !flow.is_native() {
        flow.csrf = Some(csrf::binding_of(&secret));
    }
    engine::save(cx, &submit.loaded).await.map_err(FlowError::api)?;
    Ok(Reply::see_other(engine::page_of(cx, &submit.loaded.flow)).cookie(CookieChange::SetCsrf(secret)))
}

/// Writes to an address, as it was typed. Whether anybody owns it is not told.
async fn send(submit: &mut Submit<'_>, verification: &dyn VerificationMethod, typed: &str) -> Result<Reply, FlowError> {
    let cx = submit.cx;
    let via = address::via_of(typed);
    let value = normal::address(via, typed);
    for _ in 0..engine::TRIES {
        let mut changes = Changes::new();
        let mut flow = submit.loaded.flow.clone();
        flow.notes = Default::default();
        if let Detail::Verification { address, .. } = &mut flow.detail {
            *address = Some(typed.to_owned());
        }
        mail_limit::charge(cx, &mut changes, via, &value).await?;
        let to_be = new_address::owner_to_be(cx, &flow, via, &value).await?;
        let who = address::owner(cx, AddressPurpose::Verifiable, via, &value).await?;
        let to = Recipient { who: who.as_ref().or(to_be.as_ref()), via, address: &value };
        verification.send(cx, &mut changes, &mut flow, &to, submit.transient_payload.as_ref());
        if let Some(who) = &who {
            let mut new = who.clone();
            let pending = |a: &&mut portcullis_model::identity::VerifiableAddress| {
                a.value == value && a.via == via && a.status == AddressStatus::Pending
            };
            for address in new.identity.verifiable_addresses.iter_mut().filter(pending) {
                address.status = AddressStatus::Sent;
                address.updated_at = cx.now;
            }
            identity::update(&mut changes, who, &new);
        }
        match submit.commit(changes, flow).await.map_err(mail_limit::or_too_many) {
            Ok(()) => {
                courier::ring(&cx.app);
                return submit.show_saved(200, Echo::Nothing).await;
            }
            Err(failed) => submit.decide_again(failed).await?,
        }
    }
    Err(FlowError::Store(StoreError::Busy))
}

/// A new flow with a message takes the place of this one, bound to the browser that submitted.
async fn replaced(submit: &Submit<'_>, told: Message, why: Replacement) -> Result<Reply, ApiError> {
    let cx = submit.cx;
    let old = &submit.loaded.flow;
    // A link is followed in a browser, whoever asked for it.
    let followed = cx.request.method == "GET";
    let flow_type = if followed { FlowType::Browser } else { old.flow_type };
    let mut new = new_flow(cx, flow_type, old.return_to.clone())?;
    if why == Replacement::Expired {
        new.request_url.clone_from(&old.request_url);
    }
    let renewed = CsrfSecret::new(cx.rng());
    if flow_type == FlowType::Browser {
        new.csrf = Some(csrf::binding_of(&renewed));
    }
    new.notes.tell(told);
    engine::insert_new(cx, &new).await?;
    let json = if followed { cx.request.takes_json() } else { submit.takes_json() };
    let reply = if json && why == Replacement::Spent {
        Reply::error(
            ApiError::new(410, "This flow is over. Use the one that is named.")
                .id(ErrorId::SelfServiceFlowReplaced)
                .beside("use_flow_id", new.id.to_string()),
        )
    } else {
        engine::see_instead(cx, &new, json)
    };
    Ok(reply.cookie(CookieChange::SetCsrf(renewed)))
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
fn carrier(flow: &Flow) -> &str {
    match &flow.detail {
        Detail::Verification { method, .. } => method,
        _ => "",
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
