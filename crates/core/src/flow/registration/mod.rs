//! Registration: people make an account, in one step or in two (who they are first, then how they sign in).
//!
//! `begin`, `fetch` and `submit` follow the documented order of checks; [`conclude`] makes the account in one commit.

mod conclude;
mod two_steps;

use std::sync::Arc;

use portcullis_model::error::{ApiError, ErrorId};
use portcullis_model::flow::{Detail, Flow, FlowKind, FlowState, FlowType, Notes};
use portcullis_model::message;
use portcullis_model::schema::IdentitySchema;
use portcullis_model::ui::{Ui, order};
use portcullis_store::Changes;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::callback::{self, Traveller};
use super::engine::{self, FlowError, Form, Loaded, Reply, Shown, Unreadable, answer_error, csrf, return_to};
use super::login;
use crate::app::Cx;
use crate::config::flows::RegistrationStyle;
use crate::courier;
use crate::credential::mail_limit;
use crate::method::{Arranged, Journey, Method, RegistrationOutcome, RegistrationStage, Standing};
use crate::oauth2::{self, LoginRequest};
use crate::session::{self, Current};

/// Begins a registration flow.
pub async fn begin(cx: &Cx, flow_type: FlowType) -> Reply {
    match try_begin(cx, flow_type).await {
        Ok(reply) => reply,
        Err(error) => answer_error(cx, error, engine::takes_json(cx, flow_type)).await,
    }
}

async fn try_begin(cx: &Cx, flow_type: FlowType) -> Result<Reply, ApiError> {
    let json = flow_type == FlowType::Api || cx.request.wants_json();
    let current = session::current(cx).await?;
    let signed_in = current.is_some();
    if signed_in && flow_type == FlowType::Api {
        return Err(already_signed_in());
    }
    let return_to = return_to::requested(cx)?;
    let asked = oauth2::asked(cx).await?.filter(|_| flow_type == FlowType::Browser);
    let schema_id = engine::requested_schema(cx)?;
    enabled(cx)?;
    let organization = cx.request.parameter("organization").and_then(|text| Uuid::parse_str(text).ok());
    let detail = Detail::Registration { schema: schema_id, organization, choosing_credential: false };
    let mut flow = engine::new_flow(cx, flow_type, FlowState::ChooseMethod, detail, return_to);
    flow.login_challenge = asked.as_ref().map(|asked| asked.challenge.clone());
    let exchange_code = engine::exchange_code(cx, &mut flow);
    let mut shown = shown(cx, &mut flow).await.map_err(engine::plain)?;
    let mut changes = Changes::new();
    engine::run_before(cx, &flow, &shown, None, &mut changes).await.map_err(engine::plain)?;
    if let (Some(current), Some(asked)) = (&current, &asked) {
        return to_login(cx, json, asked, current).await;
    }
    if signed_in {
        return Ok(if json {
            Reply::error(already_signed_in())
        } else {
            Reply::see_other(return_to::or_global(cx, flow.return_to.as_deref()))
        });
    }
    if let Some(code) = exchange_code {
        shown.beside.insert("session_token_exchange_code".into(), code.into());
    }
    engine::insert(cx, &mut changes, &flow);
    engine::begin(cx, changes).await?;
    Ok(engine::begun(cx, &flow, shown))
}

/// Shows a registration flow.
pub async fn fetch(cx: &Cx) -> Reply {
    match try_fetch(cx).await {
        Ok(reply) => reply,
        Err(error) => Reply::error(error),
    }
}

async fn try_fetch(cx: &Cx) -> Result<Reply, ApiError> {
    enabled(cx)?;
    let mut loaded = engine::load_by_parameter(cx, FlowKind::Registration, "id").await?;
    csrf::same_browser(cx, &loaded.flow)?;
    if loaded.flow.is_expired(cx.now) {
        return Err(engine::gone(cx, &loaded.flow).id(ErrorId::SelfServiceFlowExpired));
    }
    let mut tries = 0;
    let shown = loop {
        let remembered = loaded.flow.methods.clone();
        let shown = shown(cx, &mut loaded.flow).await.map_err(engine::plain)?;
        tries += 1;
        if tries == engine::TRIES || engine::remembers(cx, &loaded, &remembered).await? {
            break shown;
        }
        loaded = engine::load_by_parameter(cx, FlowKind::Registration, "id").await?;
    };
    let asked = oauth2::of_flow(cx, &loaded.flow).await?;
    Ok(Reply::json(200, engine::body(&loaded.flow, shown.login_request(asked))))
}

/// Where somebody who is signed in goes on whom the OAuth2 server sent to sign up: back to it, or to a login that answers it.
async fn to_login(cx: &Cx, json: bool, asked: &LoginRequest, current: &Current) -> Result<Reply, ApiError> {
    let required = cx.config().session.whoami.required_aal;
    if asked.skip && session::aal::satisfies(cx, required, &current.session, &current.identity) {
        let url = oauth2::accept(cx, &asked.challenge, &current.session).await?;
        return Ok(oauth2::sent_on(json, url));
    }
    let login = cx.public_url("/self-service/login/browser");
    let url = engine::with_parameter(&login, "login_challenge", &asked.challenge);
    Ok(if json { oauth2::sent_on(json, url) } else { Reply::redirect(302, url) })
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
    let signed_in = session::current(cx).await?.is_some();
    let loaded = engine::load(cx, FlowKind::Registration, id).await?;
    if signed_in {
        let json = cx.request.takes_json() || loaded.as_ref().is_some_and(|l| l.flow.is_native());
        return Ok(if json { Reply::error(already_signed_in()) } else { Reply::redirect(302, return_to::or_global(cx, None)) });
    }
    let loaded = loaded.ok_or_else(|| ApiError::not_found("There is no registration flow of this id."))?;
    let mut submit = Submit { cx, loaded, transient_payload: None, came_back: false };
    if submit.loaded.flow.is_expired(cx.now) {
        return Ok(submit.replace_expired().await);
    }
    let judged = submit.judge().await;
    Ok(submit.answer(judged).await)
}

/// Goes on with the flow of somebody who comes back from another site.
pub(super) async fn come_back(cx: &Cx, mut loaded: Loaded, (method, journey): Traveller<'_>) -> Result<Reply, ApiError> {
    // The browser that brings something to a native app may be signed in as anybody.
    let is_signed_in = !loaded.flow.is_native() && session::current(cx).await?.is_some();
    let standing = journey.end(cx, &mut loaded.flow)?;
    if is_signed_in {
        return Ok(Reply::see_other(return_to::or_global(cx, loaded.flow.return_to.as_deref())));
    }
    if standing == Standing::HasEnded {
        return Err(callback::used_up());
    }
    let transient_payload = journey.transient_payload(&loaded.flow);
    let mut submit = Submit { cx, loaded, transient_payload, came_back: true };
    if submit.loaded.flow.is_expired(cx.now) {
        return Ok(submit.replace_expired().await);
    }
    if !engine::save_unchanged(cx, &submit.loaded).await? {
        return Err(callback::used_up());
    }
    submit.loaded.version += 1;
    let judged = submit.go_on(method, journey).await;
    Ok(submit.answer(judged).await)
}

/// Signs up whoever wanted to sign in and has no account: a flow of signing up takes the place of that of signing in. Where
/// nobody can sign up, they may still have an account to join.
///
/// # Errors
/// What the flow of signing in tells.
pub(super) async fn instead_of_login(
    cx: &Cx,
    old: &Flow,
    method: &dyn Method,
    transient_payload: Option<Value>,
    came_back: bool,
) -> Result<Reply, FlowError> {
    let registration = method.registration().ok_or_else(no_method)?;
    let schema_id = match &old.detail {
        Detail::Login { schema, .. } => schema.clone(),
        _ => None,
    };
    let detail = Detail::Registration { schema: schema_id, organization: None, choosing_credential: false };
    let mut flow = engine::in_place_of(cx, old, method.id(), detail);
    let schema = schema_of(cx, &flow).map_err(FlowError::api)?;
    let judged = registration.resume(cx, &schema, &mut flow).await;
    if let Ok(RegistrationOutcome::Join(told)) = judged {
        return login::to_join(cx, &flow, method, *told, came_back).await;
    }
    if enabled(cx).is_err() {
        return Err(FlowError::tell(message::validation::generic(
            "no account belongs to this, and sign-up is switched off here",
        )));
    }
    engine::insert_new(cx, &flow).await.map_err(FlowError::api)?;
    let mut submit = Submit { cx, loaded: Loaded { flow, version: 1 }, transient_payload, came_back };
    let judged = match judged {
        Ok(RegistrationOutcome::Registrant(registrant)) => {
            conclude::conclude(&mut submit, &schema, method.id(), *registrant).await
        }
        Ok(_) => Err(FlowError::tell(message::validation::generic("an account was made meanwhile; try again"))),
        Err(error) => Err(error),
    };
    Ok(submit.answer(judged).await)
}

/// A submit that got past the checks of flow and session.
struct Submit<'a> {
    cx: &'a Cx,
    loaded: Loaded,
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
        if let Detail::Registration { choosing_credential, .. } = &mut detail {
            *choosing_credential = false;
        }
        let new = engine::new_flow(cx, old.flow_type, FlowState::ChooseMethod, detail, None);
        engine::replaced(cx, old, new, message::registration::expired(old.expires_at)).await
    }

    async fn judge(&mut self) -> Result<Reply, FlowError> {
        let cx = self.cx;
        let unreadable = |why: &dyn std::fmt::Display| FlowError::tell(message::validation::generic(&why.to_string()));
        enabled(cx).map_err(FlowError::api)?;
        let form = match Form::of_link(cx, FlowKind::Registration) {
            Some(form) => form,
            None => Form::read(&cx.request).map_err(|e: Unreadable| unreadable(&e))?,
        };
        let schema = schema_of(cx, &self.loaded.flow).map_err(FlowError::api)?;
        if style(cx) == RegistrationStyle::ProfileFirst
            && let Some(step) = two_steps::Step::of(&form)
        {
            return two_steps::take(self, &schema, &form, step).await;
        }
        let method = method_of(cx, &form)?;
        let registration = method.registration().ok_or_else(no_method)?;
        let mut notes = Notes::default();
        registration.check_form(cx, &form, &mut notes);
        let traits = if registration.judges_traits() {
            self.transient_payload = Some(engine::transient_payload(&form)?);
            form.traits(&schema).unwrap_or(Value::Null)
        } else {
            self.take_traits(&schema, &form, notes)?
        };
        if !registration.guards_itself(&form) {
            self.check_csrf(&form)?;
        }
        let asked = self.loaded.flow.clone();
        let outcome = registration.submit(cx, &schema, &mut self.loaded.flow, &form, traits).await?;
        self.act(&schema, method, outcome, asked).await
    }

    /// Learns what somebody came back with, and has it judged.
    async fn go_on(&mut self, method: &dyn Method, journey: &dyn Journey) -> Result<Reply, FlowError> {
        let cx = self.cx;
        enabled(cx).map_err(FlowError::api)?;
        let registration = method.registration().ok_or_else(no_method)?;
        let schema = schema_of(cx, &self.loaded.flow).map_err(FlowError::api)?;
        journey.arrive(cx, &mut self.loaded.flow).await?;
        let asked = self.loaded.flow.clone();
        let outcome = registration.resume(cx, &schema, &mut self.loaded.flow).await?;
        self.act(&schema, method, outcome, asked).await
    }

    /// Does what came of a submit. `asked`: the flow before.
    async fn act(
        &mut self,
        schema: &Arc<IdentitySchema>,
        method: &dyn Method,
        outcome: RegistrationOutcome,
        asked: Flow,
    ) -> Result<Reply, FlowError> {
        let cx = self.cx;
        match outcome {
            RegistrationOutcome::Registrant(registrant) => conclude::conclude(self, schema, method.id(), *registrant).await,
            RegistrationOutcome::Answered(reply) => Ok(*reply),
            RegistrationOutcome::Left(reply) => self.leave(*reply).await,
            RegistrationOutcome::SignIn => {
                let payload = self.transient_payload.clone();
                login::instead_of_registration(cx, &self.loaded.flow, method, payload, self.came_back).await
            }
            RegistrationOutcome::Join(told) => login::to_join(cx, &self.loaded.flow, method, *told, self.came_back).await,
            RegistrationOutcome::Challenged(changes) => {
                let answer = self.challenge(*changes).await;
                if answer.is_err() {
                    // Nothing was sent: the flow is as it was.
                    self.loaded.flow = asked;
                }
                answer
            }
            RegistrationOutcome::ShowUi => self.show(400, 303, true).await,
        }
    }

    /// Reads the traits, keeps what was typed, and tells all faults at once: those of `notes`, of the payload and of the
    /// traits.
    fn take_traits(&mut self, schema: &IdentitySchema, form: &Form, mut notes: Notes) -> Result<Value, FlowError> {
        let traits = form.traits(schema).unwrap_or_else(|| Value::Object(Map::new()));
        engine::keep_typed(schema, &traits, &mut self.loaded.flow.notes);
        // A field that was made empty is empty; what it held before must not come back with the next step.
        for leaf in schema.leaves().iter().filter(|leaf| form.is_emptied(&leaf.name)) {
            self.loaded.flow.notes.forget_typed(&leaf.name);
        }
        match engine::transient_payload(form) {
            Ok(payload) => self.transient_payload = Some(payload),
            Err(FlowError::Invalid(fault)) => notes.add(*fault),
            Err(other) => return Err(other),
        }
        engine::judged_traits(self.cx, schema, traits, notes)
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

    fn check_csrf(&self, form: &Form) -> Result<(), FlowError> {
        match self.loaded.flow.flow_type {
            FlowType::Browser => csrf::check_browser(self.cx, form).map_err(FlowError::api),
            FlowType::Api => csrf::check_native(self.cx).map_err(|why| FlowError::tell(message::validation::generic(why))),
        }
    }

    /// Sends a method's challenge and shows the flow, which waits for the answer.
    async fn challenge(&mut self, mut changes: Changes) -> Result<Reply, FlowError> {
        let cx = self.cx;
        let shown = shown(cx, &mut self.loaded.flow).await?;
        engine::update(cx, &mut changes, &self.loaded);
        cx.store().commit(changes).await.map_err(mail_limit::or_too_many)?;
        self.loaded.version += 1;
        courier::ring(&cx.app);
        Ok(self.present(shown, 400, 303, true))
    }

    /// Saves the flow and shows it. `taken`: the submit was a step, not refused.
    async fn show(&mut self, status: u16, redirect: u16, taken: bool) -> Result<Reply, FlowError> {
        // What methods remember of the form is saved with it.
        let shown = shown(self.cx, &mut self.loaded.flow).await?;
        engine::save(self.cx, &self.loaded).await.map_err(FlowError::api)?;
        Ok(self.present(shown, status, redirect, taken))
    }

    fn present(&self, mut shown: Shown, status: u16, redirect: u16, taken: bool) -> Reply {
        let (cx, flow) = (self.cx, &self.loaded.flow);
        if !self.takes_json() {
            let page = match flow.is_native() {
                true => callback::to_app(cx, flow.return_to.as_deref(), "flow", &flow.id.to_string()),
                false => engine::page_of(cx, flow),
            };
            return Reply::redirect(redirect, page);
        }
        if taken {
            let payload = self.transient_payload.clone().unwrap_or_else(|| serde_json::json!({}));
            shown.beside.insert("transient_payload".into(), payload);
        }
        Reply::json(status, engine::body(flow, shown))
    }

    async fn answer(mut self, judged: Result<Reply, FlowError>) -> Reply {
        let cx = self.cx;
        let json = self.takes_json();
        let error = match judged {
            Ok(reply) => return reply,
            Err(FlowError::Invalid(notes)) => {
                self.loaded.flow.notes.replace_messages(*notes);
                match self.show(400, 302, false).await {
                    Ok(reply) => return reply,
                    Err(error) => engine::plain(error),
                }
            }
            Err(other) => engine::plain(other),
        };
        answer_error(cx, error, json).await
    }
}

fn method_of<'a>(cx: &'a Cx, form: &Form) -> Result<&'a dyn Method, FlowError> {
    let serves = |m: &dyn Method| m.registration().is_some_and(|r| r.serves(cx.config()) || !m.enabled(cx.config()));
    let meant = cx.app.methods.iter().find(|m| serves(*m) && m.handles(FlowKind::Registration, form));
    let method = meant.ok_or_else(no_method)?;
    if !method.enabled(cx.config()) {
        return Err(FlowError::api(ApiError::not_found("This method is not available here.")));
    }
    Ok(method)
}

/// The form of a registration flow.
async fn shown(cx: &Cx, flow: &mut Flow) -> Result<Shown, FlowError> {
    let schema = schema_of(cx, flow).map_err(FlowError::api)?;
    let mut ui = engine::ui_for(cx, flow);
    if offers_nothing(flow) {
        ui.nodes.clear();
        return Ok(Shown::plain(ui));
    }
    ui.nodes.extend(portcullis_model::schema::trait_nodes(&schema, engine::trait_group(cx), &Value::Null));
    if let Some(arranged) = populate_waiting(cx, flow, &mut ui).await? {
        two_steps::decorate_waiting(style(cx), &mut ui);
        engine::dress(flow, &mut ui);
        if arranged == Arranged::ToSort {
            order::sort_registration(&mut ui, &schema);
        }
        return Ok(Shown::plain(ui));
    }
    let mut all = cx.app.methods.enabled(cx.config()).filter_map(|m| m.registration());
    if all.any(|registration| registration.populate_alone(cx, flow, &mut ui)) {
        engine::dress_what_is_there(flow, &mut ui);
        order::sort_registration(&mut ui, &schema);
        return Ok(Shown::plain(ui));
    }
    let stage = match (style(cx), choosing_credential(flow)) {
        (RegistrationStyle::Unified, _) => RegistrationStage::Unified,
        (RegistrationStyle::ProfileFirst, false) => RegistrationStage::Profile,
        (RegistrationStyle::ProfileFirst, true) => RegistrationStage::Credential,
    };
    if stage == RegistrationStage::Profile {
        for registration in cx.app.methods.enabled(cx.config()).filter_map(|m| m.registration()) {
            registration.populate_first(cx, flow, &mut ui);
        }
    } else {
        for method in cx.app.methods.enabled(cx.config()) {
            if let Some(registration) = method.registration().filter(|r| r.serves(cx.config())) {
                registration.populate(cx, stage, &schema, flow, &mut ui).await?;
            }
        }
    }
    engine::dress(flow, &mut ui);
    two_steps::decorate(stage, &mut ui);
    order::sort_registration(&mut ui, &schema);
    Ok(Shown::plain(ui))
}

/// The form of the method whose challenge waits for an answer, or has got it; `None` if none does.
async fn populate_waiting(cx: &Cx, flow: &Flow, ui: &mut Ui) -> Result<Option<Arranged>, FlowError> {
    if !matches!(flow.state, FlowState::SentEmail | FlowState::PassedChallenge) {
        return Ok(None);
    }
    let active = cx.app.methods.enabled(cx.config()).find(|m| Some(m.id()) == flow.active.as_deref());
    match active.and_then(|m| m.registration()) {
        Some(registration) => registration.populate_waiting(cx, flow, ui).await,
        None => Ok(None),
    }
}

/// Whether a flow is for the people of an organization, and nobody chose a method by themselves: methods here are not made
/// for organizations, so the form has none of them, as clients know it.
fn offers_nothing(flow: &Flow) -> bool {
    matches!(flow.detail, Detail::Registration { organization: Some(_), .. }) && flow.notes == Notes::default()
}

fn style(cx: &Cx) -> RegistrationStyle {
    cx.config().selfservice.flows.registration.style()
}

fn choosing_credential(flow: &Flow) -> bool {
    matches!(&flow.detail, Detail::Registration { choosing_credential: true, .. })
}

/// The schema that a flow is for: the one that was asked for, else the default one.
fn schema_of(cx: &Cx, flow: &Flow) -> Result<Arc<IdentitySchema>, ApiError> {
    let asked = match &flow.detail {
        Detail::Registration { schema, .. } => schema.as_deref(),
        _ => None,
    };
    engine::schema_or_default(cx, asked)
}

fn enabled(cx: &Cx) -> Result<(), ApiError> {
    if cx.config().selfservice.flows.registration.enabled {
        return Ok(());
    }
    Err(ApiError::bad_request("Sign-up is switched off here.").id(ErrorId::SelfServiceFlowDisabled))
}

fn already_signed_in() -> ApiError {
    ApiError::bad_request("Somebody is signed in already, and can sign up only after signing out.")
        .id(ErrorId::SessionAlreadyAvailable)
}

fn no_method() -> FlowError {
    FlowError::tell(message::registration::no_method())
}
