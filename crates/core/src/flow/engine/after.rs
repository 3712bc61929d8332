//! What happens before a flow begins and after a submit was found good: hooks, in their configured order.

use portcullis_model::error::ApiError;
use portcullis_model::flow::{Flow, FlowKind};
use portcullis_model::identity::{IdentityWithCredentials, Via};
use portcullis_model::session::Session;
use portcullis_store::{Changes, hook_calls};
use serde_json::Value;
use uuid::Uuid;

use super::fault::{FlowError, plain};
use super::reply::Reply;
use super::show::{Shown, body};
use crate::app::Cx;
use crate::config::flows::Hook as Configured;
use crate::crypto::tokens::CsrfSecret;
use crate::identity::notice;
use crate::session::Current;

/// A flow that begins, for hooks to look at. Nothing of it is saved yet.
pub struct Before<'a> {
    /// The flow.
    pub flow: &'a Flow,
    /// The flow as the client will be shown it.
    pub form: Value,
    /// Whose session it is, where a flow is for people who are signed in.
    pub session: Option<&'a Current>,
    /// What will be saved.
    pub changes: &'a mut Changes,
}

/// What a submit amounts to, for hooks to look at and to add to. Nothing of it is saved yet: what hooks add to `changes`
/// is saved together with everything else or not at all.
pub struct After<'a> {
    /// The flow.
    pub flow: &'a Flow,
    /// The flow as the client would be shown it, where a hook wants to see that (see [`form_for_hooks`]).
    pub form: Option<Value>,
    /// The method that was used.
    pub method: &'a str,
    /// The identity as it will be saved.
    pub who: &'a mut IdentityWithCredentials,
    /// The identity as it was; `None` at sign-up.
    pub before: Option<&'a IdentityWithCredentials>,
    /// The session that the client has or gets.
    pub session: Option<&'a Session>,
    /// What the client sent along for hooks and mails.
    pub transient_payload: Option<&'a Value>,
    /// What will be saved.
    pub changes: &'a mut Changes,
    /// The anti-CSRF secret that the browser has after this answer: flows begun on the way are bound to it.
    pub csrf_secret: Option<CsrfSecret>,
    /// What comes of it for the client.
    pub pending: Pending,
}

/// What hooks want for the client.
#[derive(Default)]
pub struct Pending {
    /// Where the client goes on, in order.
    pub continue_with: Vec<Value>,
    /// Whether the client is given the session (registration).
    pub issue_session: bool,
    /// The verification flow that was begun, with the address of its page for browsers.
    pub verification: Option<Verification>,
    /// Those that were begun after it, where every address gets one.
    pub further_verifications: Vec<Verification>,
    /// Whether the client is sent to that flow.
    pub show_verification: bool,
    /// Whether mails wait in the changes.
    pub has_mail: bool,
    /// Addresses that hooks wrote to about the change: they are not told of it twice.
    pub told: Vec<(Via, String)>,
    /// Whether the change waits for something and is not saved: only what hooks wrote down is.
    pub held_back: bool,
    /// An answer that takes the place of success; the changes are saved all the same, the session is not.
    pub instead: Option<Box<Reply>>,
    /// What hooks do when the changes are saved, before the client is answered: [`settle`].
    pub owed: Vec<Owed>,
    /// The OAuth2 server's login that waits until the verification has passed.
    pub login_challenge: Option<String>,
    /// Whether calls that nobody waits for are in the changes.
    pub has_calls: bool,
}

/// Something that a hook does between the commit that it is about and the answer. It is written down in that commit, so that
/// it is done all the same if the process ends in between.
pub struct Owed {
    /// The hook's name.
    pub hook: &'static str,
    /// The id under which it is written down (`hook_calls`).
    pub id: Uuid,
    /// What the hook needs for it.
    pub work: Value,
}

/// A verification flow that was begun on the way.
#[derive(Clone, Debug)]
pub struct Verification {
    /// Its id.
    pub flow_id: Uuid,
    /// The address that was written to.
    pub address: String,
    /// Its page, with the flow.
    pub url: String,
    /// Whether it is a native app's, which has no use for the page.
    pub native: bool,
}

impl Verification {
    /// The `continue_with` item that names it.
    #[must_use]
    pub fn continue_with(&self) -> Value {
        let mut flow = serde_json::json!({ "id": self.flow_id, "verifiable_address": self.address });
        if let (false, Value::Object(map)) = (self.native, &mut flow) {
            map.insert("url".into(), self.url.clone().into());
        }
        serde_json::json!({ "action": "show_verification_ui", "flow": flow })
    }
}

/// Runs the hooks of a flow's start. `shown` is its form.
///
/// # Errors
/// If one of them refuses or fails: then the flow does not begin.
pub async fn run_before(
    cx: &Cx,
    flow: &Flow,
    shown: &Shown,
    session: Option<&Current>,
    changes: &mut Changes,
) -> Result<(), FlowError> {
    let hooks = cx.config().before_hooks(flow.kind());
    if hooks.is_empty() {
        return Ok(());
    }
    let mut before = Before { flow, form: body(flow, shown.clone()), session, changes };
    for hook in hooks {
        if let Some(known) = cx.app.hooks.get(&hook.name) {
            known.before(cx, &hook.config, &mut before).await?;
        }
    }
    Ok(())
}

/// Whether a hook of a good submit wants to see the flow as the client would be shown it.
#[must_use]
pub fn form_for_hooks(cx: &Cx, kind: FlowKind, method: &str) -> bool {
    let sees = |hook: &Configured| cx.app.hooks.get(&hook.name).is_some_and(|known| known.sees_form());
    cx.config().after_hooks(kind, Some(method)).iter().any(sees)
}

/// Whether a hook of a good submit sends the client to the verification that begins on the way.
#[must_use]
pub fn leads_to_verification(cx: &Cx, kind: FlowKind, method: &str) -> bool {
    let leads = |hook: &Configured| cx.app.hooks.get(&hook.name).is_some_and(|known| known.leads_to_verification());
    cx.config().after_hooks(kind, Some(method)).iter().any(leads)
}

/// Runs the hooks of a good submit that may decide about it.
///
/// # Errors
/// If one of them refuses or fails: then nothing is saved.
pub async fn run_deciding(cx: &Cx, kind: FlowKind, after: &mut After<'_>) -> Result<(), FlowError> {
    for hook in cx.config().after_hooks(kind, Some(after.method)) {
        if let Some(known) = cx.app.hooks.get(&hook.name) {
            known.decide(cx, &hook.config, after).await?;
            if after.pending.held_back {
                break;
            }
        }
    }
    Ok(())
}

/// Runs the hooks of a good submit that may decide about it, now that what held it back was proved. What they said before
/// that was said of another moment.
///
/// # Errors
/// If one of them refuses or fails: then nothing is saved.
pub async fn run_deciding_again(cx: &Cx, kind: FlowKind, after: &mut After<'_>) -> Result<(), FlowError> {
    for hook in cx.config().after_hooks(kind, Some(after.method)) {
        if let Some(known) = cx.app.hooks.get(&hook.name).filter(|known| !known.holds_back()) {
            known.decide(cx, &hook.config, after).await?;
        }
    }
    Ok(())
}

/// Runs the other hooks of a good submit; then the person is told of what it changes about the account.
///
/// # Errors
/// If one of them fails: then nothing is saved.
pub async fn run_after(cx: &Cx, kind: FlowKind, after: &mut After<'_>) -> Result<(), FlowError> {
    run_following(cx, kind, after).await?;
    if after.pending.show_verification
        && let Some(verification) = &after.pending.verification
    {
        let all = std::iter::once(verification).chain(&after.pending.further_verifications);
        after.pending.continue_with.extend(all.map(Verification::continue_with).collect::<Vec<_>>());
    }
    tell_of_change(cx, after).await
}

/// Runs the hooks that do not decide, where another flow ends the submit and tells the person.
///
/// # Errors
/// If one of them fails: then nothing is saved.
pub async fn run_following(cx: &Cx, kind: FlowKind, after: &mut After<'_>) -> Result<(), FlowError> {
    for hook in cx.config().after_hooks(kind, Some(after.method)) {
        if let Some(known) = cx.app.hooks.get(&hook.name) {
            known.after(cx, &hook.config, after).await?;
            if after.pending.instead.is_some() {
                break;
            }
        }
    }
    Ok(())
}

/// Does what hooks owe, now that the changes are saved. The first that fails is the last: what it and the others owed stays
/// written down as given up, for administrators. Gives what is to be committed next.
///
/// # Errors
/// What the client is told, although the changes are saved.
pub async fn settle(cx: &Cx, owed: Vec<Owed>) -> Result<Changes, FlowError> {
    let mut done = Changes::new();
    let mut owed = owed.into_iter();
    while let Some(next) = owed.next() {
        let Some(hook) = cx.app.hooks.get(next.hook) else { continue };
        let Err(error) = hook.fulfil(cx, &next).await else {
            hook_calls::settled(&mut done, next.id);
            continue;
        };
        match &error {
            // It was told, and has refused.
            FlowError::Invalid(_) => hook_calls::settled(&mut done, next.id),
            _ => hook_calls::give_up(&mut done, next.id, "the call failed, and the client was told so", cx.now),
        }
        for other in owed {
            hook_calls::give_up(&mut done, other.id, "a hook before it failed", cx.now);
        }
        if let Err(failure) = cx.store().commit(done).await {
            // Then they are made once more, later.
            tracing::error!(error = %failure, "what came of hooks cannot be written down");
        }
        return Err(match error {
            FlowError::Invalid(notes) => FlowError::Invalid(notes),
            other => FlowError::api(but_saved(plain(other))),
        });
    }
    Ok(done)
}

/// As [`settle`], where nothing else is to be committed.
///
/// # Errors
/// As [`settle`].
pub async fn settle_alone(cx: &Cx, owed: Vec<Owed>) -> Result<(), FlowError> {
    if owed.is_empty() {
        return Ok(());
    }
    let done = settle(cx, owed).await?;
    if let Err(error) = cx.store().commit(done).await {
        tracing::error!(%error, "what came of hooks cannot be written down");
    }
    Ok(())
}

/// Tells the worker of this process that calls wait. To be called after the commit.
pub fn ring(cx: &Cx) {
    crate::hook::ring(&cx.app);
}

/// An error that comes too late to undo what was asked for.
fn but_saved(mut error: ApiError) -> ApiError {
    error.reason = format!("What you asked for was saved, but what had to follow it failed. {}", error.reason);
    error
}

/// Tells the person of what changes. It happens after all hooks, since they may have changed more, or told it themselves.
async fn tell_of_change(cx: &Cx, after: &mut After<'_>) -> Result<(), FlowError> {
    let Some(before) = after.before else { return Ok(()) };
    let occasion = notice::Occasion {
        request_url: &after.flow.request_url,
        transient_payload: after.transient_payload,
        told: &after.pending.told,
    };
    let written = notice::of_flow(cx, after.changes, before, after.who, &occasion).await;
    after.pending.has_mail |= written.map_err(FlowError::Store)?;
    Ok(())
}
