//! Login: people prove who they are, once or again, with one factor or two.
//!
//! `begin`, `fetch` and `submit` follow the documented order of checks; [`conclude`] turns a proof into a session.

mod arrival;
mod conclude;
mod form;
mod identifier_first;
pub mod trial;

pub(super) use arrival::{come_back, instead_of_registration, to_join};
use form::shown;

use std::collections::BTreeMap;

use portcullis_model::error::{ApiError, ErrorId};
use portcullis_model::flow::{Detail, Flow, FlowKind, FlowState, FlowType};
use portcullis_model::identity::IdentityWithCredentials;
use portcullis_model::message;
use portcullis_model::session::Aal;
use portcullis_store::{Changes, StoreError, identities};
use serde_json::Value;
use url::form_urlencoded;

use super::callback;
use super::engine::{self, FlowError, Form, Loaded, Reply, Shown, Unreadable, answer_error, csrf, return_to, store_error};
use super::registration;
use crate::app::Cx;
use crate::courier;
use crate::credential::mail_limit;
use crate::method::{Journey, LoginOutcome, Method};
use crate::oauth2::{self, LoginRequest};
use crate::session::{self, Current};

/// Begins a login flow.
pub async fn begin(cx: &Cx, flow_type: FlowType) -> Reply {
    match try_begin(cx, flow_type).await {
        Ok(reply) => reply,
        Err(error) => answer_error(cx, error, engine::takes_json(cx, flow_type)).await,
    }
}

async fn try_begin(cx: &Cx, flow_type: FlowType) -> Result<Reply, ApiError> {
    let json = flow_type == FlowType::Api || cx.request.wants_json();
    let asked = if flow_type == FlowType::Browser { oauth2::asked(cx).await? } else { None };
    let return_to = match asked.as_ref().filter(|_| cx.config().oauth2_provider.override_return_to) {
        Some(asked) => {
            return_to::check(cx.config(), &asked.request_url)?;
            Some(asked.request_url.clone())
        }
        None => return_to::requested(cx)?,
    };
    let requested_aal = requested_aal(cx)?;
    let schema = match requested_aal {
        Aal::Aal2 => None,
        _ => engine::requested_schema(cx)?,
    };
    let current = session::current(cx).await?;
    let asks_again = asked.as_ref().is_some_and(|asked| !asked.skip);
    let refresh = current.is_some() && (asks_again || cx.request.parameter("refresh").is_some_and(is_true));
    match &current {
        None if requested_aal == Aal::Aal2 => return Err(aal1_required()),
        Some(current) if !refresh && requested_aal <= current.session.aal => {
            if let Some(asked) = &asked {
                return sent_on_at_once(cx, json, asked, current).await;
            }
            return Ok(if json {
                Reply::error(already_signed_in())
            } else {
                Reply::see_other(return_to::or_global(cx, return_to.as_deref()))
            });
        }
        _ => {}
    }
    let detail = Detail::Login { requested_aal, refresh, schema, identifier: None };
    let mut flow = engine::new_flow(cx, flow_type, FlowState::ChooseMethod, detail, return_to);
    if let Some(asked) = &asked {
        flow.request_url = url_of_login(cx, asked);
        flow.login_challenge = Some(asked.challenge.clone());
    }
    let exchange_code = engine::exchange_code(cx, &mut flow);
    explain(&mut flow, current.as_ref());
    arrival::carry(cx, current.as_ref(), &mut flow).await?;
    let who = who(cx, current.as_ref()).await?;
    let mut changes = Changes::new();
    begin_second(cx, who.as_ref(), current.as_ref(), &mut flow, &mut changes).await.map_err(engine::plain)?;
    let has_mail = !changes.is_empty();
    let mut shown = shown(cx, &mut flow, who.as_ref()).await.map_err(engine::plain)?.login_request(asked);
    engine::run_before(cx, &flow, &shown, None, &mut changes).await.map_err(engine::plain)?;
    if let Some(code) = exchange_code {
        shown.beside.insert("session_token_exchange_code".into(), code.into());
    }
    engine::insert(cx, &mut changes, &flow);
    engine::begin(cx, changes).await?;
    if has_mail {
        courier::ring(&cx.app);
    }
    Ok(engine::begun(cx, &flow, shown))
}

/// Answers the OAuth2 server at once for whoever is signed in, as far as they are signed in surely enough.
async fn sent_on_at_once(cx: &Cx, json: bool, asked: &LoginRequest, current: &Current) -> Result<Reply, ApiError> {
    let required = cx.config().session.whoami.required_aal;
    let url = if session::aal::satisfies(cx, required, &current.session, &current.identity) {
        oauth2::accept(cx, &asked.challenge, &current.session).await?
    } else {
        engine::with_parameter(&session::aal::step_up_url(cx, None), "login_challenge", &asked.challenge)
    };
    Ok(oauth2::sent_on(json, url))
}

/// The URL of a request that begins a login for the OAuth2 server, as front ends are to understand it: with what the server
/// asks for, by the parameters' names in order.
fn url_of_login(cx: &Cx, asked: &LoginRequest) -> String {
    let overrides = cx.config().oauth2_provider.override_return_to;
    if asked.skip && !overrides {
        return cx.request.url.clone();
    }
    let mut query: BTreeMap<&str, &str> = BTreeMap::new();
    for (name, value) in &cx.request.query {
        query.entry(name).or_insert(value);
    }
    if !asked.skip {
        query.insert("refresh", "true");
    }
    if overrides {
        query.insert("return_to", &asked.request_url);
    }
    let front = cx.request.url.split('?').next().unwrap_or_default();
    format!("{front}?{}", form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish())
}

/// Shows a login flow.
pub async fn fetch(cx: &Cx) -> Reply {
    match try_fetch(cx).await {
        Ok(reply) => reply,
        Err(error) => Reply::error(error),
    }
}

async fn try_fetch(cx: &Cx) -> Result<Reply, ApiError> {
    let mut loaded = engine::load_by_parameter(cx, FlowKind::Login, "id").await?;
    let trying = trial::of(cx, &loaded.flow);
    match &trying {
        Some((_, _, tried)) => trial::may_see(cx, &loaded.flow, tried)?,
        None => csrf::same_browser(cx, &loaded.flow)?,
    }
    if loaded.flow.is_expired(cx.now) {
        return Err(engine::gone(cx, &loaded.flow).id(ErrorId::SelfServiceFlowExpired));
    }
    if let Some((_, trial, tried)) = trying {
        return Ok(Reply::json(200, engine::body(&loaded.flow, trial::shown(cx, &loaded.flow, trial, &tried))));
    }
    let who = who_it_is_about(cx, &loaded.flow).await?;
    let mut tries = 0;
    let shown = loop {
        let remembered = loaded.flow.methods.clone();
        let shown = shown(cx, &mut loaded.flow, who.as_ref()).await.map_err(engine::plain)?;
        tries += 1;
        if tries == engine::TRIES || engine::remembers(cx, &loaded, &remembered).await? {
            break shown;
        }
        loaded = engine::load_by_parameter(cx, FlowKind::Login, "id").await?;
    };
    let asked = oauth2::of_flow(cx, &loaded.flow).await?;
    Ok(Reply::json(200, engine::body(&loaded.flow, shown.login_request(asked))))
}

/// Takes a submit.
pub async fn submit(cx: &Cx) -> Reply {
    let json = cx.request.takes_json();
    match try_submit(cx).await {
        Ok(reply) => reply,
        Err(error) => answer_error(cx, error, json).await,
    }
}

async fn try_submit(cx: &Cx) -> Result<Reply, ApiError> {
    let id = engine::flow_id(cx)?;
    let mut loaded =
        engine::load(cx, FlowKind::Login, id).await?.ok_or_else(|| ApiError::not_found("There is no login flow of this id."))?;
    let json = engine::takes_json(cx, loaded.flow.flow_type);
    if let Some((method, _, tried)) = trial::of(cx, &loaded.flow)
        && !loaded.flow.is_expired(cx.now)
    {
        return trial::submit(cx, &mut loaded, method, &tried).await.map_err(engine::plain);
    }
    let current = match session::current(cx).await {
        Ok(current) => current,
        Err(error) => return Ok(answer_error(cx, error, json).await),
    };
    let who = match who(cx, current.as_ref()).await {
        Ok(who) => who,
        Err(error) => return Ok(answer_error(cx, error, json).await),
    };
    let (requested, refresh) = asked_for(&loaded.flow);
    let mut submit = Submit { cx, current, loaded, who, transient_payload: None, came_back: false };
    match &submit.current {
        Some(current) if !refresh && requested <= current.session.aal => {
            if !json {
                return Ok(Reply::see_other(return_to::or_global(cx, None)));
            }
            let told = message::validation::generic("somebody is signed in already");
            return Ok(submit.answer(Err(FlowError::tell(told))).await);
        }
        None if requested == Aal::Aal2 => return Ok(answer_error(cx, aal1_required(), json).await),
        _ => {}
    }
    if submit.loaded.flow.is_expired(cx.now) {
        return Ok(submit.replace_expired().await);
    }
    let judged = submit.judge().await;
    Ok(submit.answer(judged).await)
}

/// A submit that got past the checks of flow and session.
struct Submit<'a> {
    cx: &'a Cx,
    current: Option<Current>,
    loaded: Loaded,
    /// Whoever is signed in, with their credentials.
    who: Option<IdentityWithCredentials>,
    /// What the client sent along for hooks and mails; kept nowhere.
    transient_payload: Option<Value>,
    /// Whether this is no submit, but somebody who comes back from another site.
    came_back: bool,
}

impl Submit<'_> {
    async fn replace_expired(self) -> Reply {
        let cx = self.cx;
        let old = &self.loaded.flow;
        let mut detail = old.detail.clone();
        if let Detail::Login { identifier, .. } = &mut detail {
            *identifier = None;
        }
        let mut new = engine::new_flow(cx, old.flow_type, FlowState::ChooseMethod, detail, None);
        explain(&mut new, self.current.as_ref());
        engine::replaced(cx, old, new, message::login::expired(old.expires_at)).await
    }

    async fn judge(&mut self) -> Result<Reply, FlowError> {
        let cx = self.cx;
        let unreadable = |why: &dyn std::fmt::Display| FlowError::tell(message::validation::generic(&why.to_string()));
        let form = match Form::of_link(cx, FlowKind::Login) {
            Some(form) => form,
            None => Form::read(&cx.request).map_err(|e: Unreadable| unreadable(&e))?,
        };
        if form.is_empty() {
            return Err(unreadable(&"nothing was submitted"));
        }
        if identifier_first::handles(cx, &self.loaded.flow, &form) {
            self.check_csrf(&form)?;
            self.transient_payload = Some(engine::transient_payload(&form)?);
            identifier_first::submit(cx, &mut self.loaded.flow, &form).await?;
            return self.show(400, true).await;
        }
        let method = method_of(cx, &self.loaded.flow, &form)?;
        let login = method.login().ok_or_else(no_method)?;
        keep_identifier(&form, &mut self.loaded.flow);
        self.transient_payload = Some(engine::transient_payload(&form)?);
        login.check_form(cx, &form)?;
        if !login.guards_itself(&form) {
            self.check_csrf(&form)?;
        }
        self.act(method, Some(&form)).await
    }

    /// Learns what somebody came back with, and has it judged.
    async fn go_on(&mut self, method: &dyn Method, journey: &dyn Journey) -> Result<Reply, FlowError> {
        journey.arrive(self.cx, &mut self.loaded.flow).await?;
        self.act(method, None).await
    }

    /// Has a method judge a form, or without one what it remembers, and does what comes of it.
    async fn act(&mut self, method: &dyn Method, form: Option<&Form>) -> Result<Reply, FlowError> {
        let cx = self.cx;
        let login = method.login().ok_or_else(no_method)?;
        for _ in 0..engine::TRIES {
            let asked = self.loaded.flow.clone();
            let signed_in = self.current.as_ref().map(|c| (&c.session, &c.identity));
            let outcome = match form {
                Some(form) => login.submit(cx, &mut self.loaded.flow, form, signed_in).await?,
                None => login.resume(cx, &mut self.loaded.flow, signed_in).await?,
            };
            let proved = match outcome {
                LoginOutcome::Proved(proved) => *proved,
                LoginOutcome::Answered(reply) => return Ok(*reply),
                LoginOutcome::Left(reply) => return self.leave(*reply).await,
                LoginOutcome::SignUp => {
                    let payload = self.transient_payload.clone();
                    return registration::instead_of_login(cx, &self.loaded.flow, method, payload, self.came_back).await;
                }
                LoginOutcome::ShowUi => return self.show(400, true).await,
                LoginOutcome::ShowPage => return self.show_page().await,
                LoginOutcome::Challenged(changes) => match self.challenge(*changes).await {
                    Ok(reply) => return Ok(reply),
                    Err(FlowError::Store(StoreError::Conflict { .. })) => {
                        self.read_again().await?;
                        continue;
                    }
                    // Nothing was sent: the flow is as it was.
                    Err(error) => {
                        self.loaded.flow = asked;
                        return Err(error);
                    }
                },
            };
            match conclude::conclude(self, method.id(), proved).await {
                // Somebody used the same thing or changed the account meanwhile: look again, and judge again.
                Err(FlowError::Store(StoreError::Conflict { .. })) => {
                    self.read_again().await?;
                    // What somebody came back with is asked for once.
                    if let (None, Some(memory)) = (form, asked.methods.get(method.id())) {
                        self.loaded.flow.methods.insert(method.id().to_owned(), memory.clone());
                    }
                }
                other => return other,
            }
        }
        Err(FlowError::tell(message::validation::generic("this was used at the same time; try again")))
    }

    /// The person leaves for another site: the flow waits for their return.
    async fn leave(&mut self, reply: Reply) -> Result<Reply, FlowError> {
        if engine::save_unchanged(self.cx, &self.loaded).await.map_err(FlowError::api)? {
            return Ok(reply);
        }
        Err(FlowError::tell(message::validation::generic("this form was sent twice at the same time; try again")))
    }

    /// Whether the answer is JSON. Who comes back is a browser, also if the flow is a native app's.
    fn takes_json(&self) -> bool {
        if self.came_back { self.cx.request.wants_json() } else { engine::takes_json(self.cx, self.loaded.flow.flow_type) }
    }

    /// Reads the session and the flow anew.
    async fn read_again(&mut self) -> Result<(), FlowError> {
        let cx = self.cx;
        if self.current.is_some() {
            self.current = session::current(cx).await.map_err(FlowError::api)?;
        }
        if let Some(loaded) = engine::load(cx, FlowKind::Login, self.loaded.flow.id).await.map_err(FlowError::api)? {
            self.loaded = loaded;
        }
        Ok(())
    }

    fn check_csrf(&self, form: &Form) -> Result<(), FlowError> {
        match self.loaded.flow.flow_type {
            FlowType::Browser => csrf::check_browser(self.cx, form).map_err(FlowError::api),
            FlowType::Api => csrf::check_native(self.cx).map_err(|why| FlowError::tell(message::validation::generic(why))),
        }
    }

    /// Sends a method's challenge and shows the flow, which waits for the answer.
    async fn challenge(&mut self, mut changes: Changes) -> Result<Reply, FlowError> {
        let cx = self.cx;
        let shown = shown(cx, &mut self.loaded.flow, self.who.as_ref()).await?;
        engine::update(cx, &mut changes, &self.loaded);
        cx.store().commit(changes).await.map_err(mail_limit::or_too_many)?;
        self.loaded.version += 1;
        courier::ring(&cx.app);
        Ok(self.present(shown, 400, true).await)
    }

    /// Saves the flow and shows it. `taken`: the submit was read whole and answered by a step, not refused.
    async fn show(&mut self, status: u16, taken: bool) -> Result<Reply, FlowError> {
        let cx = self.cx;
        let shown = shown(cx, &mut self.loaded.flow, self.who.as_ref()).await?;
        engine::save(cx, &self.loaded).await.map_err(FlowError::api)?;
        Ok(self.present(shown, status, taken).await)
    }

    /// Saves the flow and sends the person to its page.
    async fn show_page(&mut self) -> Result<Reply, FlowError> {
        let cx = self.cx;
        let page = engine::page_of(cx, &self.loaded.flow);
        // What methods remember of the form is saved with it.
        shown(cx, &mut self.loaded.flow, self.who.as_ref()).await?;
        engine::save(cx, &self.loaded).await.map_err(FlowError::api)?;
        Ok(if engine::takes_json(cx, self.loaded.flow.flow_type) {
            Reply::error(
                ApiError::new(422, "The form has changed. Send the browser to its page, which is named.")
                    .id(ErrorId::BrowserLocationChangeRequired)
                    .beside("redirect_browser_to", page),
            )
        } else {
            Reply::see_other(page)
        })
    }

    async fn present(&self, mut shown: Shown, status: u16, taken: bool) -> Reply {
        let (cx, flow) = (self.cx, &self.loaded.flow);
        if !self.takes_json() {
            return Reply::see_other(match flow.is_native() {
                true => callback::to_app(cx, flow.return_to.as_deref(), "flow", &flow.id.to_string()),
                false => engine::page_of(cx, flow),
            });
        }
        if taken {
            let payload = self.transient_payload.clone().unwrap_or_else(|| serde_json::json!({}));
            shown.beside.insert("transient_payload".into(), payload);
        }
        // What is wrong with the form is worth more than what the form is for.
        shown = shown.login_request(oauth2::of_flow(cx, flow).await.unwrap_or_default());
        Reply::json(status, engine::body(flow, shown))
    }

    async fn answer(mut self, judged: Result<Reply, FlowError>) -> Reply {
        let cx = self.cx;
        let json = self.takes_json();
        let error = match judged {
            Ok(reply) => return reply,
            Err(FlowError::Invalid(notes)) => {
                self.loaded.flow.notes.replace_messages(*notes);
                match self.show(400, false).await {
                    Ok(reply) => return reply,
                    Err(error) => engine::plain(error),
                }
            }
            Err(other) => engine::plain(other),
        };
        answer_error(cx, error, json).await
    }
}

/// The method of the flow's level that a form is meant for.
fn method_of<'a>(cx: &'a Cx, flow: &Flow, form: &Form) -> Result<&'a dyn Method, FlowError> {
    let (level, _) = asked_for(flow);
    let serves = |m: &&dyn Method| m.login().is_some_and(|login| login.serves(cx.config(), level));
    let meant = cx.app.methods.iter().filter(serves).find(|m| m.handles(FlowKind::Login, form));
    let method = meant.ok_or_else(no_method)?;
    if !method.enabled(cx.config()) {
        return Err(FlowError::api(ApiError::not_found("This method is not available here.")));
    }
    Ok(method)
}

/// Lets the methods of second factors do what they do when a flow begins.
async fn begin_second(
    cx: &Cx,
    who: Option<&IdentityWithCredentials>,
    current: Option<&Current>,
    flow: &mut Flow,
    changes: &mut Changes,
) -> Result<(), FlowError> {
    let ((Aal::Aal2, _), Some(who), Some(current)) = (asked_for(flow), who, current) else { return Ok(()) };
    for method in cx.app.methods.enabled(cx.config()) {
        if let Some(login) = method.login().filter(|login| login.serves(cx.config(), Aal::Aal2)) {
            login.begin_second(cx, who, &current.session, flow, changes).await?;
        }
    }
    Ok(())
}

/// Tells why somebody signed in is asked.
fn explain(flow: &mut Flow, current: Option<&Current>) {
    let (level, refresh) = asked_for(flow);
    if refresh {
        flow.notes.tell(message::login::refresh());
    }
    if level == Aal::Aal2 && (!refresh || current.is_some_and(|c| c.session.aal < Aal::Aal2)) {
        flow.notes.tell(message::login::second_factor());
    }
}

/// The level that a flow is for, and whether somebody signed in proves themselves again.
fn asked_for(flow: &Flow) -> (Aal, bool) {
    match &flow.detail {
        Detail::Login { requested_aal, refresh, .. } => (*requested_aal, *refresh),
        _ => (Aal::Aal1, false),
    }
}

/// What was typed as an identifier comes back with a refused form.
fn keep_identifier(form: &Form, flow: &mut Flow) {
    let typed = form.text("identifier").or_else(|| form.text("password_identifier"));
    let fixed = matches!(
        &flow.detail,
        Detail::Login { identifier: Some(_), .. }
            | Detail::Login { refresh: true, .. }
            | Detail::Login { requested_aal: Aal::Aal2, .. }
    ) || flow.state != FlowState::ChooseMethod;
    if !fixed {
        flow.notes.keep("identifier", typed.unwrap_or_default().into());
    }
}

/// The account of whoever is signed in, with its credentials.
async fn who(cx: &Cx, current: Option<&Current>) -> Result<Option<IdentityWithCredentials>, ApiError> {
    match current {
        None => Ok(None),
        Some(current) => identities::get_with_credentials(cx.store(), current.identity.id).await.map_err(|e| store_error(&e)),
    }
}

/// Whoever is signed in, where the form depends on it.
async fn who_it_is_about(cx: &Cx, flow: &Flow) -> Result<Option<IdentityWithCredentials>, ApiError> {
    match asked_for(flow) {
        (Aal::Aal1, false) => Ok(None),
        _ => {
            let current = session::current(cx).await?;
            who(cx, current.as_ref()).await
        }
    }
}

fn requested_aal(cx: &Cx) -> Result<Aal, ApiError> {
    match cx.request.parameter("aal").map(str::to_ascii_lowercase).as_deref() {
        None | Some("aal1") => Ok(Aal::Aal1),
        Some("aal2") => Ok(Aal::Aal2),
        Some(_) => Err(ApiError::bad_request("The parameter aal must be aal1 or aal2.")),
    }
}

/// The words that count as true in a query.
fn is_true(word: &str) -> bool {
    matches!(word, "1" | "t" | "T" | "true" | "TRUE" | "True")
}

fn aal1_required() -> ApiError {
    ApiError::unauthorized("A second factor needs a first: sign in before.").id(ErrorId::SessionAal1Required)
}

fn already_signed_in() -> ApiError {
    ApiError::bad_request("Somebody is signed in already. To have them sign in again, add the parameter refresh=true.")
        .id(ErrorId::SessionAlreadyAvailable)
}

fn no_method() -> FlowError {
    FlowError::tell(message::login::no_method())
}
