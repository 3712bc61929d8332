//! Recovery by an administrator: a code or link that is handed over instead of being sent.
//!
//! It needs no address and verifies none. It works whether people may begin recovery themselves or not.

use std::time::Duration;

use portcullis_model::flow::{Detail, Flow, FlowState, FlowType};
use portcullis_model::identity::Identity;
use portcullis_store::Changes;

use super::{detail, of_id};
use crate::app::Cx;
use crate::flow::engine::{self, FlowError};
use crate::method::Issued;

/// What is asked for.
pub struct Wish {
    /// Who is to talk to the flow.
    pub flow_type: FlowType,
    /// How long flow and challenge are good.
    pub lifespan: Duration,
    /// Where recovery leads, checked.
    pub return_to: Option<String>,
}

/// What an administrator hands over, and the flow that takes it.
pub struct HandedOver {
    /// The flow.
    pub flow: Flow,
    /// The challenge.
    pub issued: Issued,
}

/// Whether a method of this id can be used for it.
#[must_use]
pub fn is_available(cx: &Cx, method: &str) -> bool {
    of_id(cx, method).is_some()
}

/// Makes a challenge for an identity. `None` if the method is not available.
///
/// # Errors
/// If the database fails, or the identity has gone meanwhile (a `Conflict`).
pub async fn hand_over(cx: &Cx, method: &str, who: &Identity, wish: Wish) -> Result<Option<HandedOver>, FlowError> {
    let Some((method, recovery)) = of_id(cx, method) else { return Ok(None) };
    let mut detail = detail(method.id(), false);
    if let Detail::Recovery { by_admin, .. } = &mut detail {
        *by_admin = true;
    }
    let mut flow = engine::new_flow(cx, wish.flow_type, FlowState::ChooseMethod, detail, wish.return_to);
    flow.active = Some(method.id().to_owned());
    flow.identity_id = Some(who.id);
    flow.csrf = None;
    flow.expires_at = cx.now.plus(wish.lifespan);
    let mut changes = Changes::new();
    let issued = recovery.issue(cx, &mut changes, &mut flow, who.id);
    engine::insert(cx, &mut changes, &flow);
    cx.store().commit(changes).await.map_err(FlowError::Store)?;
    Ok(Some(HandedOver { flow, issued }))
}
