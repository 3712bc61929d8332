//! Settings: people change everything about themselves.
//!
//! `begin`, `fetch` and `submit` follow the documented order of checks line by line; [`conclude`] turns a change that a
//! method asked for into one commit; [`later`] keeps what was sent too early.

mod conclude;
mod later;
mod outdated;

use portcullis_model::error::{ApiError, ErrorId};
use portcullis_model::flow::{Detail, Flow, FlowKind, FlowState, FlowType, Notes};
use portcullis_model::identity::{Identity, IdentityWithCredentials};
use portcullis_model::message;
use portcullis_model::session::Session;
use portcullis_model::ui::order;
use portcullis_store::{Changes, identities, parked};
use serde_json::Value;
use uuid::Uuid;

use super::callback::{self, Traveller};
use super::engine::{
    self, Carrier, Change, CookieChange, CsrfCookie, FlowError, Form, Loaded, Parked, Reply, Shown, Unreadable, answer_error,
    csrf, return_to, store_error,
};
use crate::app::Cx;
use crate::crypto::tokens::CsrfSecret;
use crate::identity;
use crate::method::{Journey, Method, SettingsOutcome, Standing};
use crate::session::{self, Current};

/// Begins a settings flow.
pub async fn begin(cx: &Cx, flow_type: FlowType) -> Reply {
    match try_begin(cx, flow_type).await {
        Ok(reply) => reply,
        Err(error) => answer_error(cx, error, engine::takes_json(cx, flow_type)).await,
    }
}

async fn try_begin(cx: &Cx, flow_type: FlowType) -> Result<Reply, ApiError> {
    let json = flow_type == FlowType::Api || cx.request.wants_json();
    let Some(current) = session::current(cx).await? else {
        return Ok(if json { Reply::error(session::inactive()) } else { Reply::see_other(login_start(cx)) });
    };
    if let Some(url) = step_up(cx, flow_type, &current) {
        return Ok(if json { Reply::error(session::aal::required(&url)) } else { Reply::see_other(url) });
    }
    let return_to = return_to::requested(cx)?;
    let mut flow = new_flow(cx, flow_type, return_to, &current);
    let who = load_who(cx, &current).await?;
    let shown = shown(cx, &who, &mut flow).await.map_err(engine::plain)?;
    let mut changes = Changes::new();
    engine::run_before(cx, &flow, &shown, Some(&current), &mut changes).await.map_err(engine::plain)?;
    engine::insert(cx, &mut changes, &flow);
    // A new flow drops what waits in this client's older ones.
    match (flow_type, &cx.request.parked_cookie) {
        (FlowType::Browser, Some(handle)) => parked::drop_of_holder(&mut changes, &engine::browser_holder(cx, handle)),
        (FlowType::Browser, None) => {}
        (FlowType::Api, _) => {
            parked::drop_of_holder(&mut changes, &engine::session_holder(cx, &current.session));
        }
    }
    engine::begin(cx, changes).await?;
    Ok(engine::begun(cx, &flow, shown))
}

/// Shows a settings flow.
pub async fn fetch(cx: &Cx) -> Reply {
    match try_fetch(cx).await {
        Ok(reply) => reply,
        Err(error) => Reply::error(error),
    }
}

async fn try_fetch(cx: &Cx) -> Result<Reply, ApiError> {
    let Some(current) = session::current(cx).await? else {
        return Ok(no_session(cx));
    };
    let mut loaded = engine::load_by_parameter(cx, FlowKind::Settings, "id").await?;
    owned(&loaded.flow, &current)?;
    if below_required(cx, &current.session, &current.identity) {
        let page = engine::page_of(cx, &loaded.flow);
        return Err(session::aal::required(&session::aal::step_up_url(cx, Some(&page))));
    }
    if loaded.flow.is_expired(cx.now) {
        return Err(engine::gone(cx, &loaded.flow));
    }
    let who = load_who(cx, &current).await?;
    let mut tries = 0;
    let shown = loop {
        let remembered = loaded.flow.methods.clone();
        let shown = shown(cx, &who, &mut loaded.flow).await.map_err(engine::plain)?;
        tries += 1;
        // A form may show something new, such as a secret since the old one was unlinked elsewhere.
        if tries == engine::TRIES || engine::remembers(cx, &loaded, &remembered).await? {
            break shown;
        }
        loaded = engine::load_by_parameter(cx, FlowKind::Settings, "id").await?;
    };
    let reply = Reply::json(200, engine::body(&loaded.flow, shown));
    Ok(if gets_cookie(cx, &loaded.flow) { reply.cookie(CookieChange::SetCsrf(CsrfSecret::new(cx.rng()))) } else { reply })
}

/// Whether a fetch gives the anti-CSRF cookie. Native clients get none, since their submits are refused with it; only where
/// that is not looked at, on a developer's machine, whoever was recovered is given it, as clients know it.
fn gets_cookie(cx: &Cx, flow: &Flow) -> bool {
    let was_recovered = || flow.request_url.starts_with(&cx.public_url("/self-service/recovery"));
    cx.app.relax_native_check && flow.is_native() && was_recovered() && !matches!(cx.request.csrf_cookie, CsrfCookie::Secret(_))
}

/// The method whose submit a flow's messages are about, for a page that shows them where they belong. `None` if nothing was
/// submitted, or the flow is not there.
pub async fn about(cx: &Cx, flow: Uuid) -> Option<String> {
    engine::load(cx, FlowKind::Settings, flow).await.ok()??.flow.notes.about
}

/// Whether a change waits in a flow for the sign-in of whoever asks, by the flow's id.
pub async fn waits(cx: &Cx, flow: Uuid) -> bool {
    let (Ok(Some(current)), Ok(Some(loaded))) = (session::current(cx).await, engine::load(cx, FlowKind::Settings, flow).await)
    else {
        return false;
    };
    matches!(engine::unpark(cx, &loaded.flow, &current.session).await, Ok(Some(_)))
}

/// Takes a submit, or finishes one that waits.
pub async fn submit(cx: &Cx) -> Reply {
    let json = cx.request.takes_json();
    match try_submit(cx).await {
        Ok(reply) => reply,
        Err(error) => answer_error(cx, error, json).await,
    }
}

async fn try_submit(cx: &Cx) -> Result<Reply, ApiError> {
    let Some(current) = session::current(cx).await? else {
        later::keep_typed(cx).await;
        return Ok(no_session(cx));
    };
    let id = engine::flow_id(cx)?;
    let loaded = engine::load(cx, FlowKind::Settings, id)
        .await?
        .ok_or_else(|| ApiError::not_found("There is no settings flow of this id."))?;
    let json = engine::takes_json(cx, loaded.flow.flow_type);
    let failed = |error| answer_error(cx, error, json);
    if let Some(mut reply) = step_up_to_submit(cx, &current.session, &current.identity, &loaded.flow) {
        reply.cookies.extend(later::park(cx, current, loaded).await);
        return Ok(reply);
    }
    if loaded.flow.is_expired(cx.now) {
        let told = message::settings::expired(loaded.flow.expires_at);
        let mut new = new_flow(cx, loaded.flow.flow_type, None, &current);
        later::carry_over(cx, &loaded.flow, &current, &mut new).await;
        return Ok(engine::replaced(cx, &loaded.flow, new, told).await);
    }
    if let Err(error) = owned(&loaded.flow, &current) {
        return Ok(failed(error).await);
    }
    let who = match load_who(cx, &current).await {
        Ok(who) => who,
        Err(error) => return Ok(failed(error).await),
    };
    let mut submit = Submit { cx, current, loaded, who, transient_payload: None, came_back: false };
    let judged = submit.judge().await;
    Ok(submit.answer(judged).await)
}

/// Goes on with the flow of somebody who comes back from another site.
pub(super) async fn come_back(cx: &Cx, mut loaded: Loaded, (method, journey): Traveller<'_>) -> Result<Reply, ApiError> {
    let Some(current) = session::current(cx).await? else { return Ok(no_session(cx)) };
    owned(&loaded.flow, &current)?;
    let standing = journey.end(cx, &mut loaded.flow)?;
    if standing == Standing::HasEnded {
        return Ok(Reply::see_other(engine::page_of(cx, &loaded.flow)));
    }
    if let Some(reply) = step_up_to_submit(cx, &current.session, &current.identity, &loaded.flow) {
        return Ok(reply);
    }
    if loaded.flow.is_expired(cx.now) {
        let told = message::settings::expired(loaded.flow.expires_at);
        let new = new_flow(cx, loaded.flow.flow_type, None, &current);
        return Ok(engine::replaced(cx, &loaded.flow, new, told).await);
    }
    if !engine::save_unchanged(cx, &loaded).await? {
        return Err(callback::used_up());
    }
    loaded.version += 1;
    let who = load_who(cx, &current).await?;
    let transient_payload = journey.transient_payload(&loaded.flow);
    let mut submit = Submit { cx, current, loaded, who, transient_payload, came_back: true };
    let judged = submit.go_on(method, journey).await;
    Ok(submit.answer(judged).await)
}

/// A submit that got past the checks of session, flow and owner.
struct Submit<'a> {
    cx: &'a Cx,
    current: Current,
    loaded: Loaded,
    who: IdentityWithCredentials,
    /// What the client sent along for hooks and mails; kept nowhere.
    transient_payload: Option<Value>,
    /// Whether this is no submit, but somebody who comes back from another site.
    came_back: bool,
}

impl Submit<'_> {
    /// A flow that has done its work begins again with the submit of the form that came with its success: `request_url` says
    /// so, as clients know it, and goes on to lead where the flow leads.
    fn begin_again(&mut self, form: &Form) {
        let flow = &mut self.loaded.flow;
        if csrf::comes_after(self.cx, flow, form) {
            flow.request_url = match &flow.return_to {
                Some(return_to) => engine::with_parameter(&self.cx.request.url, "return_to", return_to),
                None => self.cx.request.url.clone(),
            };
        }
    }

    /// Reads the form, finds its method, and has it judged.
    async fn judge(&mut self) -> Result<Reply, FlowError> {
        let cx = self.cx;
        if cx.request.method == "GET" || cx.request.body.is_empty() {
            return match self.waiting().await? {
                Some(waiting) => conclude::conclude(self, waiting.change.clone(), Some(waiting)).await,
                None => self.nothing_waits().await,
            };
        }
        let form = Form::read(&cx.request).map_err(|e: Unreadable| unreadable(&e))?;
        // Client libraries have no empty body: they send an empty object.
        if form.is_blank()
            && let Some(waiting) = self.waiting().await?
        {
            return conclude::conclude(self, waiting.change.clone(), Some(waiting)).await;
        }
        self.begin_again(&form);
        let method = method_of(cx, &form)?;
        let settings = method.settings().ok_or_else(no_method)?;
        settings.keep(cx, &self.who, &form, &mut self.loaded.flow.notes);
        self.loaded.flow.notes.about = Some(method.id().to_owned());
        self.transient_payload = Some(engine::transient_payload(&form)?);
        settings.check_form(cx, &self.who, &form).await?;
        match self.loaded.flow.flow_type {
            FlowType::Browser => csrf::check_browser(cx, &form).map_err(FlowError::api)?,
            FlowType::Api => csrf::check_native(cx).map_err(|why| unreadable(&why))?,
        }
        let outcome = match settings.submit(cx, &self.who, &mut self.loaded.flow, &form).await {
            Err(FlowError::Invalid(notes)) if settings.asks_first() && !conclude::is_fresh(self, None) => {
                SettingsOutcome::Change(Box::new(Change::refused(method.id(), notes)))
            }
            outcome => outcome?,
        };
        match outcome {
            SettingsOutcome::Change(change) => conclude::conclude(self, *change, None).await,
            SettingsOutcome::Answered(reply) => Ok(*reply),
            SettingsOutcome::ShowUi => {
                self.loaded.flow.state = FlowState::ShowForm;
                self.show(200).await
            }
        }
    }

    /// Learns what somebody came back with, and has it judged.
    async fn go_on(&mut self, method: &dyn Method, journey: &dyn Journey) -> Result<Reply, FlowError> {
        let cx = self.cx;
        let settings = method.settings().ok_or_else(no_method)?;
        self.loaded.flow.notes.about = Some(method.id().to_owned());
        journey.arrive(cx, &mut self.loaded.flow).await?;
        let change = settings.resume(cx, &self.who, &mut self.loaded.flow).await?;
        conclude::conclude(self, change, None).await
    }

    /// The change that waits in this flow, if this client may have it. What an app parked is for apps: a page that lures
    /// its owner here must not bring it about, so it takes what any submit of an app takes.
    async fn waiting(&self) -> Result<Option<Parked>, FlowError> {
        let cx = self.cx;
        if self.loaded.flow.is_native() {
            csrf::check_native(cx).map_err(|why| unreadable(&why))?;
            if self.current.carrier == Carrier::Cookie {
                return Ok(None);
            }
        }
        engine::unpark(cx, &self.loaded.flow, &self.current.session).await.map_err(FlowError::api)
    }

    /// The answer to whoever comes back for a change that does not wait, such as a page that is loaded again. The flow
    /// stays as it is: nothing was submitted to it.
    async fn nothing_waits(&mut self) -> Result<Reply, FlowError> {
        let mut notes = Notes::default();
        notes.tell(message::validation::generic("nothing was submitted, and nothing waits to be finished"));
        self.loaded.flow.state = FlowState::ShowForm;
        self.loaded.flow.notes.replace_messages(notes);
        let shown = shown(self.cx, &self.who, &mut self.loaded.flow).await?;
        Ok(self.reply(400, shown))
    }

    /// Saves the flow and shows it: with a status to scripts and apps, as its page to browsers.
    async fn show(&mut self, status: u16) -> Result<Reply, FlowError> {
        let shown = shown(self.cx, &self.who, &mut self.loaded.flow).await?;
        engine::save(self.cx, &self.loaded).await.map_err(FlowError::api)?;
        Ok(self.reply(status, shown))
    }

    /// The flow as it is shown: with a status to scripts and apps, as its page to browsers.
    fn reply(&self, status: u16, shown: Shown) -> Reply {
        let flow = &self.loaded.flow;
        if engine::takes_json(self.cx, flow.flow_type) {
            Reply::json(status, engine::body(flow, shown))
        } else {
            Reply::see_other(engine::page_of(self.cx, flow))
        }
    }

    /// Turns what came of it into an answer.
    async fn answer(mut self, judged: Result<Reply, FlowError>) -> Reply {
        let cx = self.cx;
        let json = engine::takes_json(cx, self.loaded.flow.flow_type);
        let error = match judged {
            Ok(reply) => return reply,
            Err(FlowError::Invalid(notes)) => {
                let flow = &mut self.loaded.flow;
                flow.state = FlowState::ShowForm;
                flow.notes.replace_messages(*notes);
                match self.show(400).await {
                    Ok(reply) => return reply,
                    Err(error) => engine::plain(error),
                }
            }
            Err(other) => engine::plain(other),
        };
        answer_error(cx, error, json).await
    }
}

/// The method that a form is meant for.
fn method_of<'a>(cx: &'a Cx, form: &Form) -> Result<&'a dyn Method, FlowError> {
    let meant = cx.app.methods.iter().find(|m| m.settings().is_some() && m.handles(FlowKind::Settings, form));
    let method = meant.ok_or_else(no_method)?;
    if !method.enabled(cx.config()) {
        return Err(FlowError::api(ApiError::not_found("This method is not available here.")));
    }
    Ok(method)
}

/// The form of a settings flow.
async fn shown(cx: &Cx, who: &IdentityWithCredentials, flow: &mut Flow) -> Result<Shown, FlowError> {
    let mut ui = engine::ui_for(cx, flow);
    for method in cx.app.methods.enabled(cx.config()) {
        if let Some(settings) = method.settings() {
            settings.populate(cx, who, flow, &mut ui).await?;
        }
    }
    engine::dress(flow, &mut ui);
    order::sort_settings(&mut ui);
    let mut shown = Shown::plain(ui);
    shown.beside.insert("identity".into(), identity::view::public(cx, &who.identity));
    Ok(shown)
}

fn new_flow(cx: &Cx, flow_type: FlowType, return_to: Option<String>, current: &Current) -> Flow {
    let mut flow = engine::new_flow(cx, flow_type, FlowState::ShowForm, Detail::Settings, return_to);
    flow.identity_id = Some(current.identity.id);
    flow
}

/// A settings flow for whoever has just been recovered, not stored yet. It tells so, and leads to `return_to`.
///
/// # Errors
/// If something that the form must ask fails.
pub(super) async fn after_recovery(
    cx: &Cx,
    flow_type: FlowType,
    who: &IdentityWithCredentials,
    return_to: Option<String>,
    told: message::Message,
    changes: &mut Changes,
) -> Result<Flow, FlowError> {
    let mut flow = engine::new_flow(cx, flow_type, FlowState::ShowForm, Detail::Settings, return_to);
    flow.identity_id = Some(who.identity.id);
    if let Some(return_to) = &flow.return_to {
        flow.request_url = engine::with_parameter(&flow.request_url, "return_to", return_to);
    }
    flow.notes.tell(told);
    // Methods remember what the form showed when it was opened.
    let shown = shown(cx, who, &mut flow).await?;
    engine::run_before(cx, &flow, &shown, None, changes).await?;
    Ok(flow)
}

/// Reads the account anew, with its credentials.
async fn load_who(cx: &Cx, current: &Current) -> Result<IdentityWithCredentials, ApiError> {
    identities::get_with_credentials(cx.store(), current.identity.id)
        .await
        .map_err(|e| store_error(&e))?
        .ok_or_else(session::inactive)
}

fn below_required(cx: &Cx, session: &Session, identity: &Identity) -> bool {
    !session::aal::satisfies(cx, cx.config().selfservice.flows.settings.required_aal, session, identity)
}

/// The answer to a submit of somebody whose session is too weak: the way up, and back to this submit. `None` if it is
/// strong enough.
fn step_up_to_submit(cx: &Cx, session: &Session, identity: &Identity, flow: &Flow) -> Option<Reply> {
    if !below_required(cx, session, identity) {
        return None;
    }
    Some(stronger(cx, flow))
}

/// The way up for a session that is too weak for a submit, and from there back to it.
fn stronger(cx: &Cx, flow: &Flow) -> Reply {
    let url = session::aal::step_up_url(cx, (!flow.is_native()).then_some(cx.request.url.as_str()));
    if engine::takes_json(cx, flow.flow_type) { Reply::error(session::aal::required(&url)) } else { Reply::see_other(url) }
}

/// Where somebody must go whose session is too weak to begin; `None` if it is strong enough.
fn step_up(cx: &Cx, flow_type: FlowType, current: &Current) -> Option<String> {
    if !below_required(cx, &current.session, &current.identity) {
        return None;
    }
    let back = flow_type == FlowType::Browser && cx.request.parameter("return_to").is_some();
    Some(session::aal::step_up_url(cx, back.then_some(cx.request.url.as_str())))
}

fn owned(flow: &Flow, current: &Current) -> Result<(), ApiError> {
    if flow.identity_id == Some(current.identity.id) {
        return Ok(());
    }
    Err(ApiError::forbidden("This flow belongs to somebody else.").id(ErrorId::SecurityIdentityMismatch))
}

/// Login, which keeps the `return_to` that settings was asked for; login judges it.
fn login_start(cx: &Cx) -> String {
    let start = cx.public_url("/self-service/login/browser");
    match cx.request.parameter("return_to") {
        Some(return_to) => engine::with_parameter(&start, "return_to", return_to),
        None => start,
    }
}

/// The answer to a fetch or submit without a session.
fn no_session(cx: &Cx) -> Reply {
    if cx.request.takes_json() {
        Reply::error(session::inactive())
    } else {
        Reply::redirect(302, engine::page(cx, FlowKind::Login))
    }
}

/// Why a body is not taken.
fn unreadable(why: &dyn std::fmt::Display) -> FlowError {
    FlowError::tell(message::validation::generic(&why.to_string()))
}

fn no_method() -> FlowError {
    FlowError::tell(message::settings::no_method())
}
