//! Who comes to a flow of signing in from elsewhere: back from another site, out of a flow of signing up, or with something that
//! waits to be joined to the account.

use portcullis_model::error::ApiError;
use portcullis_model::flow::{Detail, Flow, FlowKind};
use portcullis_model::message;
use portcullis_model::session::Aal;
use serde_json::Value;

use super::super::callback::{self, Traveller};
use super::{Submit, asked_for, conclude, no_method, trial, who};
use crate::app::Cx;
use crate::flow::engine::{self, FlowError, Loaded, Reply, return_to};
use crate::method::{LoginOutcome, Method, Standing};
use crate::session::{self, Current};

/// Goes on with the flow of somebody who comes back from another site.
pub(in crate::flow) async fn come_back(cx: &Cx, mut loaded: Loaded, (method, journey): Traveller<'_>) -> Result<Reply, ApiError> {
    if let Some((_, trial, _)) = trial::of(cx, &loaded.flow) {
        return trial::come_back(cx, loaded, journey, trial).await;
    }
    // The browser that brings something to a native app may be signed in as anybody.
    let current = if loaded.flow.is_native() { None } else { session::current(cx).await? };
    let (_, refresh) = asked_for(&loaded.flow);
    let standing = journey.end(cx, &mut loaded.flow)?;
    if current.is_some() && (!refresh || standing == Standing::HasEnded) {
        return Ok(Reply::see_other(return_to::or_global(cx, loaded.flow.return_to.as_deref())));
    }
    if standing == Standing::HasEnded {
        return Err(callback::used_up());
    }
    let who = who(cx, current.as_ref()).await?;
    let transient_payload = journey.transient_payload(&loaded.flow);
    let mut submit = Submit { cx, current, loaded, who, transient_payload, came_back: true };
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

/// Signs in whoever wanted to sign up and has an account: a flow of signing in takes the place of that of signing up.
pub(in crate::flow) async fn instead_of_registration(
    cx: &Cx,
    old: &Flow,
    method: &dyn Method,
    transient_payload: Option<Value>,
    came_back: bool,
) -> Result<Reply, FlowError> {
    let login = method.login().ok_or_else(no_method)?;
    let flow = in_place_of(cx, old, method);
    engine::insert_new(cx, &flow).await.map_err(FlowError::api)?;
    let loaded = Loaded { flow, version: 1 };
    let mut submit = Submit { cx, current: None, loaded, who: None, transient_payload, came_back };
    let judged = match login.resume(cx, &mut submit.loaded.flow, None).await {
        Ok(LoginOutcome::Proved(proved)) => conclude::conclude(&mut submit, method.id(), *proved).await,
        Ok(_) => Err(FlowError::tell(message::validation::generic("the account has changed meanwhile; try again"))),
        Err(error) => Err(error),
    };
    Ok(submit.answer(judged).await)
}

/// A flow of signing in to an account to which something of `method` may be joined then, in place of another flow: saved, with
/// what that says.
pub(in crate::flow) async fn to_join(
    cx: &Cx,
    old: &Flow,
    method: &dyn Method,
    told: message::Message,
    came_back: bool,
) -> Result<Reply, FlowError> {
    let mut flow = in_place_of(cx, old, method);
    flow.notes.tell(told);
    engine::insert_new(cx, &flow).await.map_err(FlowError::api)?;
    let json = if came_back { cx.request.wants_json() } else { engine::takes_json(cx, flow.flow_type) };
    if json {
        return Ok(engine::see_instead(cx, &flow, true));
    }
    let page = match flow.is_native() {
        true => callback::to_app(cx, flow.return_to.as_deref(), "flow", &flow.id.to_string()),
        false => engine::page_of(cx, &flow),
    };
    Ok(Reply::see_other(engine::with_parameter(&page, "no_org_ui", "true")))
}

/// A flow of signing in that takes the place of another one, with what a method remembers of that. The browser stays the same.
fn in_place_of(cx: &Cx, old: &Flow, method: &dyn Method) -> Flow {
    let schema = match &old.detail {
        Detail::Registration { schema, .. } | Detail::Login { schema, .. } => schema.clone(),
        _ => None,
    };
    let detail = Detail::Login { requested_aal: Aal::Aal1, refresh: false, schema, identifier: None };
    engine::in_place_of(cx, old, method.id(), detail)
}

/// Takes what waits for the second factor of whoever is signed in out of the flow of their first one.
pub(super) async fn carry(cx: &Cx, current: Option<&Current>, flow: &mut Flow) -> Result<(), ApiError> {
    let after = cx.request.parameter("after").and_then(|id| uuid::Uuid::parse_str(id).ok());
    let ((Aal::Aal2, _), Some(current), Some(after)) = (asked_for(flow), current, after) else { return Ok(()) };
    if let Some(before) = engine::load(cx, FlowKind::Login, after).await? {
        for login in cx.app.methods.enabled(cx.config()).filter_map(|m| m.login()) {
            login.carry(&before.flow, current.session.id, flow);
        }
    }
    Ok(())
}
