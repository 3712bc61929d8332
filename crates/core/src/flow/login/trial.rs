//! Trials: a flow of signing in by which an administrator tries out a method of which much is configured. Its outcome is shown
//! to the browser that made it, and no account is read or changed.

use portcullis_model::error::{ApiError, ErrorId};
use portcullis_model::flow::{Detail, Flow, FlowKind, FlowState, FlowType};
use portcullis_model::session::Aal;
use portcullis_model::ui::{Group, InputType, Node, Ui};
use portcullis_store::{Changes, flows};

use crate::app::Cx;
use crate::crypto::secrets;
use crate::crypto::tokens::CsrfSecret;
use crate::flow::engine::{self, CookieChange, FlowError, Form, Loaded, Reply, Shown, csrf, store_error};
use crate::method::{Journey, LoginOutcome, Method, Trial, Tried};

/// Begins a trial of what a method knows by a name.
pub async fn begin(cx: &Cx, method: &str, name: &str) -> Reply {
    match try_begin(cx, method, name).await {
        Ok(reply) => reply,
        Err(error) => Reply::error(error),
    }
}

async fn try_begin(cx: &Cx, method: &str, name: &str) -> Result<Reply, ApiError> {
    let known = cx.app.methods.enabled(cx.config()).find(|m| m.id() == method).and_then(Method::trial);
    let trial = known.ok_or_else(|| ApiError::not_found("This method is not available here."))?;
    let detail = Detail::Login { requested_aal: Aal::Aal1, refresh: true, schema: None, identifier: None };
    let mut flow = engine::new_flow(cx, FlowType::Browser, FlowState::ChooseMethod, detail, None);
    // No browser has begun it: that which makes the trip is bound to it afterwards.
    flow.csrf = None;
    trial.begin(cx, &mut flow, name)?;
    engine::insert_new(cx, &flow).await?;
    let shown = of(cx, &flow).map(|(_, trial, tried)| shown(cx, &flow, trial, &tried));
    Ok(Reply::json(201, engine::body(&flow, shown.unwrap_or_else(|| Shown::plain(engine::ui_for(cx, &flow))))))
}

/// The trial that a flow is, with its method; `None` if it is for signing in.
pub(super) fn of<'a>(cx: &'a Cx, flow: &Flow) -> Option<(&'a dyn Method, &'a dyn Trial, Tried)> {
    // Most flows remember nothing of any method.
    if flow.methods.is_empty() {
        return None;
    }
    cx.app.methods.enabled(cx.config()).find_map(|method| {
        let trial = method.trial()?;
        Some((method, trial, trial.of(flow)?))
    })
}

/// The form of a trial.
pub(super) fn shown(cx: &Cx, flow: &Flow, trial: &dyn Trial, tried: &Tried) -> Shown {
    let mut ui = Ui::new(cx.public_url(&format!("/self-service/login?flow={}", flow.id)));
    let token = Node::input(Group::Default, "csrf_token", InputType::Hidden).required().value(tried.token.as_str().into());
    ui.nodes.push(token);
    trial.populate(cx, flow, &mut ui);
    engine::dress(flow, &mut ui);
    let mut shown = Shown::plain(ui);
    shown.beside.insert("test_context".into(), tried.context.clone());
    shown
}

/// Whether a client may see or remove a trial: before somebody came back anyone who knows its id, afterwards the browser that did.
pub(super) fn may_see(cx: &Cx, flow: &Flow, tried: &Tried) -> Result<(), ApiError> {
    if !tried.is_over || csrf::same_browser(cx, flow).is_ok() {
        return Ok(());
    }
    Err(ApiError::forbidden("This trial was made by another browser."))
}

/// Takes the submit of a trial: it leads to the other site.
pub(super) async fn submit(cx: &Cx, loaded: &mut Loaded, method: &dyn Method, tried: &Tried) -> Result<Reply, FlowError> {
    let unreadable = |_| FlowError::api(ApiError::bad_request("The body cannot be read."));
    let form = Form::read(&cx.request).map_err(unreadable)?;
    if !secrets::eq(form.text("csrf_token").unwrap_or_default(), &tried.token) {
        let error = ApiError::forbidden("A security check failed: the token is not this trial's.")
            .id(ErrorId::SecurityCsrfViolation)
            .detail("docs", "https://developer.mozilla.org/docs/Web/Security/Attacks/CSRF");
        return Err(FlowError::api(error));
    }
    let gone = || FlowError::api(ApiError::not_found("This method is not available here."));
    let login = method.login().ok_or_else(gone)?;
    if !method.handles(FlowKind::Login, &form) || tried.is_over {
        return Err(FlowError::api(ApiError::bad_request("This trial takes one submit of its own form.")));
    }
    match login.submit(cx, &mut loaded.flow, &form, None).await? {
        LoginOutcome::Left(reply) => {
            engine::save(cx, loaded).await.map_err(FlowError::api)?;
            Ok(*reply)
        }
        _ => Err(FlowError::api(ApiError::bad_request("This cannot be tried out."))),
    }
}

/// Somebody comes back: what came of it is kept for this browser.
pub(super) async fn come_back(cx: &Cx, mut loaded: Loaded, journey: &dyn Journey, trial: &dyn Trial) -> Result<Reply, ApiError> {
    journey.end(cx, &mut loaded.flow)?;
    if loaded.flow.is_expired(cx.now) {
        return Err(engine::gone(cx, &loaded.flow).id(ErrorId::SelfServiceFlowExpired));
    }
    if !engine::save_unchanged(cx, &loaded).await? {
        return Err(crate::flow::callback::used_up());
    }
    loaded.version += 1;
    trial.try_out(cx, &mut loaded.flow).await;
    let secret = CsrfSecret::new(cx.rng());
    loaded.flow.csrf = Some(csrf::binding_of(&secret));
    engine::save(cx, &loaded).await?;
    let page = engine::with_parameter(&cx.public_url("/session/test-oidc"), "flow", &loaded.flow.id.to_string());
    Ok(Reply::see_other(page).cookie(CookieChange::SetCsrf(secret)))
}

/// Removes a trial.
pub async fn remove(cx: &Cx) -> Reply {
    match try_remove(cx).await {
        Ok(()) => Reply::no_content(),
        Err(error) => Reply::error(error),
    }
}

async fn try_remove(cx: &Cx) -> Result<(), ApiError> {
    let id = cx.request.parameter("id").and_then(|id| uuid::Uuid::parse_str(id).ok());
    let id = id.ok_or_else(|| ApiError::bad_request("The parameter id is missing or is no flow id."))?;
    let none = || ApiError::not_found("There is no trial of this id.");
    let loaded = engine::load(cx, FlowKind::Login, id).await?.ok_or_else(none)?;
    let (_, _, tried) = of(cx, &loaded.flow).ok_or_else(none)?;
    may_see(cx, &loaded.flow, &tried)?;
    let mut changes = Changes::new();
    flows::delete(&mut changes, id);
    cx.store().commit(changes).await.map(drop).map_err(|e| store_error(&e))
}
