//! Recovery: people get back into their account by proving that an address of it is theirs, or by what an administrator
//! handed them.
//!
//! `begin`, `fetch` and `submit` follow the documented order of checks; [`choice`] is the variant in which people choose
//! among their addresses; [`conclude`] turns the proof into a session and a settings flow. Whether an address belongs to
//! somebody is never told.

pub mod by_admin;
mod choice;
mod conclude;

use portcullis_model::error::{ApiError, ErrorId};
use portcullis_model::flow::{Detail, Flow, FlowKind, FlowState, FlowType};
use portcullis_model::message::{self, Message};
use portcullis_model::normal;
use portcullis_store::identities::AddressPurpose;
use portcullis_store::{Changes, StoreError};
use serde_json::{Value, json};

use crate::app::Cx;
use crate::courier;
use crate::credential::{address, mail_limit};
use crate::crypto::tokens::CsrfSecret;
use crate::flow::engine::{
    self, CookieChange, Echo, Field, FlowError, Form, Replacement, Reply, Showing, Shown, Submission, answer_error, csrf,
    return_to,
};
use crate::method::{Method, Recipient, RecoveryMethod, RecoveryOutcome};
use crate::session;

/// Begins a recovery flow.
pub async fn begin(cx: &Cx, flow_type: FlowType) -> Reply {
    match try_begin(cx, flow_type).await {
        Ok(reply) => reply,
        Err(error) => answer_error(cx, error, engine::takes_json(cx, flow_type)).await,
    }
}

async fn try_begin(cx: &Cx, flow_type: FlowType) -> Result<Reply, ApiError> {
    if session::current(cx).await?.is_some() {
        let json = flow_type == FlowType::Api || cx.request.wants_json();
        return Ok(if json { Reply::error(already_signed_in()) } else { to_where_people_are_signed_in(cx) });
    }
    enabled(cx)?;
    let return_to = return_to::requested(cx)?;
    let mut flow = new_flow(cx, flow_type, return_to)?;
    if let Detail::Recovery { skip_settings, .. } = &mut flow.detail {
        *skip_settings = cx.request.parameter("skip_settings") == Some("true");
    }
    engine::begin_shown(cx, flow, &Recovering).await
}

/// Shows a recovery flow.
pub async fn fetch(cx: &Cx) -> Reply {
    match try_fetch(cx).await {
        Ok(reply) => reply,
        Err(error) => Reply::error(error),
    }
}

async fn try_fetch(cx: &Cx) -> Result<Reply, ApiError> {
    let found = engine::load_by_parameter(cx, FlowKind::Recovery, "id").await;
    let mut loaded = available(cx, found)?;
    if !is_by_admin(&loaded.flow) {
        csrf::same_browser(cx, &loaded.flow)?;
    }
    if loaded.flow.is_expired(cx.now) {
        let error = engine::gone(cx, &loaded.flow);
        return Err(if loaded.flow.is_native() { error.id(ErrorId::SelfServiceFlowExpired) } else { error });
    }
    let shown = Recovering.shown(cx, &mut loaded.flow).await.map_err(engine::plain)?;
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
    let id = engine::flow_id(cx)?;
    let found = engine::load(cx, FlowKind::Recovery, id).await?;
    let found = found.ok_or_else(|| ApiError::not_found("There is no recovery flow of this id."));
    let loaded = available(cx, found)?;
    let mut submit = Submission::new(cx, loaded, Recovering);
    if submit.loaded.flow.is_expired(cx.now) {
        let told = message::recovery::expired(submit.loaded.flow.expires_at);
        return replaced(&submit, told, Replacement::Expired).await;
    }
    let judged = judge(&mut submit).await;
    Ok(submit.answer(judged).await)
}

/// How recovery flows are shown.
struct Recovering;

/// A submit to a recovery flow.
type Submit<'a> = Submission<'a, Recovering>;

impl Showing for Recovering {
    async fn shown(&self, cx: &Cx, flow: &mut Flow) -> Result<Shown, FlowError> {
        let mut ui = engine::ui_for(cx, flow);
        if is_by_admin(flow) {
            ui.nodes.clear();
        }
        if let Some((_, recovery)) = of_id(cx, carrier(flow)) {
            recovery.populate(cx, flow, &mut ui).await?;
        }
        engine::dress(flow, &mut ui);
        Ok(Shown::plain(ui))
    }
}

async fn judge(submit: &mut Submit<'_>) -> Result<Reply, FlowError> {
    let cx = submit.cx;
    let id = carrier(&submit.loaded.flow).to_owned();
    let (method, recovery) = of_id(cx, &id).ok_or_else(no_method)?;
    if cx.request.method == "HEAD" {
        // Whoever only looks at a link, such as a mail scanner, uses nothing up.
        return Ok(Reply::see_other(engine::page_of(cx, &submit.loaded.flow)));
    }
    if cx.request.method == "GET" {
        let token = cx.request.parameter("token").ok_or_else(no_method)?;
        let outcome = recovery.follow(cx, &submit.loaded.flow, token).await?;
        return decide(submit, method.id(), outcome).await;
    }
    let form = submit.read_form()?;
    if is_choosing(&submit.loaded.flow) {
        return choice::judge(submit, &form, (method, recovery)).await;
    }
    let email = email_of(&form)?;
    let is_answer = email.is_none() && recovery.takes_answers() && submit.loaded.flow.state != FlowState::ChooseMethod;
    if form.method().map_or(!is_answer, |named| named != method.id()) {
        return Err(no_method());
    }
    if email.is_none() && !is_answer {
        return Err(FlowError::tell_at("email", message::validation::required("email")));
    }
    if let Some(refused) = refuse_foreign(submit, &form).await? {
        return Ok(refused);
    }
    let Some(email) = email.filter(|_| !is_answer) else {
        let outcome = recovery.submit(cx, &mut submit.loaded.flow, &form).await?;
        return decide(submit, method.id(), outcome).await;
    };
    if let Some(refused) = refuse_signed_in(submit).await? {
        return Ok(refused);
    }
    if submit.loaded.flow.state == FlowState::PassedChallenge {
        return replaced(submit, message::recovery::already_done(), Replacement::Spent).await.map_err(FlowError::api);
    }
    send(submit, recovery, email).await
}

/// The address of a form, if it has one.
fn email_of(form: &Form) -> Result<Option<&str>, FlowError> {
    let malformed = |value: &str| FlowError::tell_at("email", message::validation::not_an_email(value));
    match form.field("email") {
        Field::Absent | Field::Text("") => Ok(None),
        Field::Text(typed) if normal::is_email(typed.trim()) => Ok(Some(typed)),
        Field::Text(typed) => Err(malformed(typed)),
        Field::Other(value) => Err(malformed(&value.to_string())),
    }
}

/// Acts on what a method judged.
async fn decide(submit: &mut Submit<'_>, method: &str, outcome: RecoveryOutcome) -> Result<Reply, FlowError> {
    match outcome {
        RecoveryOutcome::Proved(recovered) => conclude::conclude(submit, method, *recovered).await,
        RecoveryOutcome::ShowUi => submit.show(200, Echo::Payload).await,
        RecoveryOutcome::Spent(told) => replaced(submit, told, Replacement::Spent).await.map_err(FlowError::api),
    }
}

/// The answer to a submit that the browser which began the flow did not send. Nobody's browser began an administrator's.
async fn refuse_foreign(submit: &Submit<'_>, form: &Form) -> Result<Option<Reply>, FlowError> {
    let cx = submit.cx;
    if is_by_admin(&submit.loaded.flow) {
        return Ok(None);
    }
    let error = match submit.check_csrf(form) {
        Ok(()) => return Ok(None),
        Err(FlowError::Api(error)) => error,
        Err(other) => return Err(other),
    };
    let reply = answer_error(cx, *error, submit.takes_json()).await;
    let is_link = of_id(cx, carrier(&submit.loaded.flow)).is_none_or(|(_, recovery)| !recovery.takes_answers());
    let from_elsewhere = cx.request.header("sec-fetch-site") == Some("cross-site");
    if is_link || from_elsewhere {
        return Ok(Some(reply));
    }
    // A browser that lost its secret gets one, so that it can begin again at once; one that has one keeps it, and its forms
    // stay good.
    let secret = cx.request.csrf_secret.clone().unwrap_or_else(|| CsrfSecret::new(cx.rng()));
    Ok(Some(reply.cookie(CookieChange::SetCsrf(secret))))
}

/// Whoever is signed in has nothing to recover.
async fn refuse_signed_in(submit: &Submit<'_>) -> Result<Option<Reply>, FlowError> {
    let cx = submit.cx;
    if session::current(cx).await.map_err(FlowError::api)?.is_none() {
        return Ok(None);
    }
    Ok(Some(if submit.takes_json() { Reply::error(already_signed_in()) } else { to_where_people_are_signed_in(cx) }))
}

/// Writes to an address, as it was typed. Whether anybody owns it is not told.
async fn send(submit: &mut Submit<'_>, recovery: &dyn RecoveryMethod, typed: &str) -> Result<Reply, FlowError> {
    let cx = submit.cx;
    // An administrator's flow takes answers even where nobody may begin one.
    enabled(cx).map_err(FlowError::api)?;
    let via = address::via_of(typed);
    let value = normal::address(via, typed);
    let mut detail = submit.loaded.flow.detail.clone();
    if let Detail::Recovery { address, .. } = &mut detail {
        *address = Some(typed.to_owned());
    }
    for _ in 0..engine::TRIES {
        let mut changes = Changes::new();
        let mut flow = submit.loaded.flow.clone();
        flow.notes = Default::default();
        flow.detail.clone_from(&detail);
        mail_limit::charge(cx, &mut changes, via, &value).await?;
        let who = address::owner(cx, AddressPurpose::Recovery, via, &value).await?;
        let to = Recipient { who: who.as_ref(), via, address: &value };
        recovery.send(cx, &mut changes, &mut flow, &to, submit.transient_payload.as_ref());
        match submit.commit(changes, flow).await.map_err(mail_limit::or_too_many) {
            Ok(()) => {
                courier::ring(&cx.app);
                return submit.show_saved(200, Echo::Payload).await;
            }
            Err(failed) => submit.decide_again(failed).await?,
        }
    }
    Err(FlowError::Store(StoreError::Busy))
}

/// A new flow with a message takes the place of this one. Whoever followed a link gets a browser's flow and its page.
async fn replaced(submit: &Submit<'_>, told: Message, why: Replacement) -> Result<Reply, ApiError> {
    let cx = submit.cx;
    if enabled(cx).is_err() {
        // An administrator's flow, which nobody may follow up with one of their own.
        return Err(ApiError::new(410, "This recovery is over, and none can be begun here. Ask for another code or link."));
    }
    let old = &submit.loaded.flow;
    let followed = cx.request.method == "GET";
    let flow_type = if followed { FlowType::Browser } else { old.flow_type };
    let mut new = new_flow(cx, flow_type, old.return_to.clone())?;
    if why == Replacement::Expired {
        new.request_url.clone_from(&old.request_url);
    }
    if let (Detail::Recovery { skip_settings: new, .. }, Detail::Recovery { skip_settings: old, .. }) =
        (&mut new.detail, &old.detail)
    {
        *new = *old;
    }
    new.notes.tell(told);
    // A browser that has no secret could not fetch the new flow.
    let renewed =
        (why == Replacement::Spent || (flow_type == FlowType::Browser && new.csrf.is_none())).then(|| CsrfSecret::new(cx.rng()));
    if let (FlowType::Browser, Some(secret)) = (flow_type, &renewed) {
        new.csrf = Some(csrf::binding_of(secret));
    }
    engine::insert_new(cx, &new).await?;
    let json = submit.takes_json() && !followed;
    let transitions = cx.config().feature_flags.use_continue_with_transitions;
    let mut reply = match why {
        Replacement::Expired if transitions && old.is_native() && !followed => {
            Reply::error(engine::expired(cx, old, &new).detail("continue_with", show_recovery_ui(&new)))
        }
        Replacement::Spent if transitions && json => Reply::error(
            ApiError::bad_request("This recovery is over. Go on with the one that is named.")
                .detail("continue_with", show_recovery_ui(&new)),
        ),
        _ => engine::see_instead(cx, &new, json),
    };
    reply.cookies.extend(renewed.map(CookieChange::SetCsrf));
    Ok(reply)
}

fn show_recovery_ui(flow: &Flow) -> Value {
    json!([{ "action": "show_recovery_ui", "flow": { "id": flow.id } }])
}

fn new_flow(cx: &Cx, flow_type: FlowType, return_to: Option<String>) -> Result<Flow, ApiError> {
    let used = cx.config().selfservice.flows.recovery.challenge.as_str();
    let (method, recovery) =
        of_id(cx, used).ok_or_else(|| ApiError::bad_request("The method that recovery uses is switched off."))?;
    // A choice of addresses is a choice of where answers to challenges come from; links are followed instead.
    let choosing = cx.config().feature_flags.choose_recovery_address && recovery.takes_answers();
    let state = if choosing { FlowState::RecoveryAwaitingAddress } else { FlowState::ChooseMethod };
    let mut flow = engine::new_flow(cx, flow_type, state, detail(method.id(), choosing), return_to);
    flow.active = Some(method.id().to_owned());
    Ok(flow)
}

fn detail(method: &str, choosing: bool) -> Detail {
    Detail::Recovery {
        method: method.to_owned(),
        address: None,
        choosing,
        came_with: None,
        chosen: None,
        skip_settings: false,
        by_admin: false,
    }
}

fn of_id<'a>(cx: &'a Cx, id: &str) -> Option<(&'a dyn Method, &'a dyn RecoveryMethod)> {
    let method = cx.app.methods.enabled(cx.config()).find(|m| m.id() == id)?;
    Some((method, method.recovery()?))
}

/// The id of the method that carries a flow.
fn carrier(flow: &Flow) -> &str {
    match &flow.detail {
        Detail::Recovery { method, .. } => method,
        _ => "",
    }
}

fn is_by_admin(flow: &Flow) -> bool {
    matches!(&flow.detail, Detail::Recovery { by_admin: true, .. })
}

fn is_choosing(flow: &Flow) -> bool {
    matches!(&flow.detail, Detail::Recovery { choosing: true, .. })
}

/// A flow that was found, if it may be used: where recovery is switched off only administrators' flows are there.
fn available(cx: &Cx, found: Result<engine::Loaded, ApiError>) -> Result<engine::Loaded, ApiError> {
    match found {
        Ok(loaded) if is_by_admin(&loaded.flow) => Ok(loaded),
        other => enabled(cx).and(other),
    }
}

fn enabled(cx: &Cx) -> Result<(), ApiError> {
    if cx.config().selfservice.flows.recovery.enabled {
        return Ok(());
    }
    Err(ApiError::bad_request("Recovery is switched off here."))
}

fn already_signed_in() -> ApiError {
    ApiError::bad_request("Somebody is signed in already, and has nothing to recover.").id(ErrorId::SessionAlreadyAvailable)
}

fn to_where_people_are_signed_in(cx: &Cx) -> Reply {
    Reply::redirect(302, return_to::or_global(cx, cx.request.parameter("return_to")))
}

fn no_method() -> FlowError {
    FlowError::tell(message::recovery::no_method())
}
