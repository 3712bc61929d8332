//! What happens before a flow begins and after a submit was found good: hooks, in their configured order.

use portcullis_model::flow::{Flow, FlowKind};
use portcullis_model::identity::{IdentityWithCredentials, Via};
use portcullis_model::session::Session;
use portcullis_store::Changes;
use serde_json::Value;
use uuid::Uuid;

use super::fault::FlowError;
use super::reply::Reply;
use crate::app::Cx;
use crate::crypto::tokens::CsrfSecret;
use crate::identity::notice;

/// What a submit amounts to, for hooks to look at and to add to. Nothing of it is saved yet: what hooks add to `changes`
/// is saved together with everything else or not at all.
pub struct After<'a> {
    /// The flow.
    pub flow: &'a Flow,
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

/// Runs the hooks of a flow's start.
///
/// # Errors
/// If one of them refuses or fails: then the flow does not begin.
pub async fn run_before(cx: &Cx, flow: &Flow) -> Result<(), FlowError> {
    for hook in cx.config().before_hooks(flow.kind()) {
        if let Some(known) = cx.app.hooks.get(&hook.name) {
            known.before(cx, &hook.config, flow).await?;
        }
    }
    Ok(())
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

/// Runs the other hooks of a good submit; then the person is told of what it changes about the account.
///
/// # Errors
/// If one of them fails: then nothing is saved.
pub async fn run_after(cx: &Cx, kind: FlowKind, after: &mut After<'_>) -> Result<(), FlowError> {
    for hook in cx.config().after_hooks(kind, Some(after.method)) {
        if let Some(known) = cx.app.hooks.get(&hook.name) {
            known.after(cx, &hook.config, after).await?;
        }
    }
    if after.pending.show_verification
        && let Some(verification) = &after.pending.verification
    {
        let all = std::iter::once(verification).chain(&after.pending.further_verifications);
        after.pending.continue_with.extend(all.map(Verification::continue_with).collect::<Vec<_>>());
    }
    tell_of_change(cx, after).await
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
