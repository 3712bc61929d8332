//! Submits that cannot be taken now: the form expired, the session is over, or it lacks the second factor. Nothing typed is
//! lost: a change waits where it may, and else the form comes back filled. Passwords and codes are not kept.

use portcullis_model::flow::{Flow, FlowKind, FlowType};
use portcullis_model::identity::IdentityWithCredentials;
use portcullis_store::{Changes, identities};

use super::engine::{self, Change, CookieChange, FlowError, Form, Loaded, csrf};
use super::{load_who, method_of, owned};
use crate::app::Cx;
use crate::method::{Method, SettingsOutcome};
use crate::session::Current;

/// Parks a submit whose session lacks the second factor, as far as it is good: it is judged now, and told or applied when
/// the factor was proved. If anything else is amiss, nothing waits and nothing is told. Browsers may get a cookie.
pub(super) async fn park(cx: &Cx, current: Current, mut loaded: Loaded) -> Option<CookieChange> {
    let flow = &mut loaded.flow;
    if owned(flow, &current).is_err() || flow.is_expired(cx.now) || cx.request.body.is_empty() {
        return None;
    }
    let form = Form::read(&cx.request).ok()?;
    let may = match flow.flow_type {
        FlowType::Browser => csrf::same_browser(cx, flow).is_ok() && csrf::check_browser(cx, &form).is_ok(),
        FlowType::Api => csrf::check_native(cx).is_ok(),
    };
    let who = load_who(cx, &current).await.ok().filter(|_| may)?;
    let change = judge(cx, &who, flow, &form).await;
    let mut changes = Changes::new();
    let cookie = change.and_then(|change| engine::park(cx, &mut changes, flow, &change, &current.session, &who.identity));
    engine::update(cx, &mut changes, &loaded);
    match cx.store().commit(changes).await {
        Ok(_) => cookie,
        Err(error) => {
            tracing::debug!(%error, "a submit does not wait for the second factor");
            None
        }
    }
}

/// What is to wait: the change, or what is wrong with it.
async fn judge(cx: &Cx, who: &IdentityWithCredentials, flow: &mut Flow, form: &Form) -> Option<Change> {
    let method = method_of(cx, form).ok()?;
    let settings = method.settings()?;
    settings.keep(cx, who, form, &mut flow.notes);
    let judged = match settings.check_form(cx, who, form).await {
        Ok(()) => settings.submit(cx, who, flow, form).await,
        Err(error) => Err(error),
    };
    match judged {
        Ok(SettingsOutcome::Change(change)) => Some(*change),
        Err(FlowError::Invalid(notes)) => Some(Change::refused(method.id(), notes)),
        Ok(SettingsOutcome::ShowUi | SettingsOutcome::Answered(_)) | Err(FlowError::Api(_) | FlowError::Store(_)) => None,
    }
}

/// Puts what was typed into an expired form of one's own into the new one.
pub(super) async fn carry_over(cx: &Cx, old: &Flow, current: &Current, new: &mut Flow) {
    if let (Ok(()), Ok(form), Ok(who)) = (owned(old, current), Form::read(&cx.request), load_who(cx, current).await) {
        keep(cx, &who, &form, new);
    }
}

/// Keeps what was typed into a form whose session is over, so that it is there after the next sign-in. Only the browser
/// that opened the form may do so; if anything is amiss, nothing is kept and nothing is told.
pub(super) async fn keep_typed(cx: &Cx) {
    let (Ok(id), Ok(form)) = (engine::flow_id(cx), Form::read(&cx.request)) else { return };
    let Ok(Some(mut loaded)) = engine::load(cx, FlowKind::Settings, id).await else { return };
    let flow = &mut loaded.flow;
    let by_its_browser = !flow.is_native() && csrf::same_browser(cx, flow).is_ok() && csrf::check_browser(cx, &form).is_ok();
    let Some(owner) = flow.identity_id.filter(|_| by_its_browser && !flow.is_expired(cx.now)) else { return };
    if let Ok(Some(who)) = identities::get_with_credentials(cx.store(), owner).await {
        keep(cx, &who, &form, flow);
        if let Err(error) = engine::save(cx, &loaded).await {
            tracing::debug!(?error, "what was typed without a session is not kept");
        }
    }
}

/// Keeps what was typed for a method at the form's nodes. Methods leave secrets out.
fn keep(cx: &Cx, who: &IdentityWithCredentials, form: &Form, flow: &mut Flow) {
    if let Ok(Some(settings)) = method_of(cx, form).map(Method::settings) {
        settings.keep(cx, who, form, &mut flow.notes);
    }
}
