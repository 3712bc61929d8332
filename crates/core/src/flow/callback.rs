//! Coming back from another site: the flow that somebody left from goes on.
//!
//! Which flow that is, and whether they may go on with it, is for the method to say; the flow does the rest as it does with a
//! submit.

use portcullis_model::error::ApiError;
use portcullis_model::flow::FlowKind;

use super::engine::{self, Reply, answer_error};
use super::{login, registration, settings};
use crate::app::Cx;
use crate::method::{Journey, Method};

/// A method with its journey.
pub(super) type Traveller<'a> = (&'a dyn Method, &'a dyn Journey);

/// Somebody comes back by the route of a method. `place` is the last segment of the route, where it has one.
pub async fn come_back(cx: &Cx, method: &str, place: Option<&str>) -> Reply {
    let found = cx.app.methods.enabled(cx.config()).find(|m| m.id() == method);
    let Some(traveller) = found.and_then(|method| Some((method, method.journey()?))) else {
        return Reply::error(ApiError::not_found("This method is not available here."));
    };
    match try_come_back(cx, traveller, place).await {
        Ok(reply) => reply,
        Err(error) => answer_error(cx, error, cx.request.wants_json()).await,
    }
}

async fn try_come_back(cx: &Cx, traveller: Traveller<'_>, place: Option<&str>) -> Result<Reply, ApiError> {
    let origin = traveller.1.origin(cx, place)?;
    let gone = || ApiError::bad_request("There is nothing to go on with: the form is not there any more.");
    let loaded = engine::load(cx, origin.kind, origin.flow_id).await?.ok_or_else(gone)?;
    match origin.kind {
        FlowKind::Login => login::come_back(cx, loaded, traveller).await,
        FlowKind::Registration => registration::come_back(cx, loaded, traveller).await,
        FlowKind::Settings => settings::come_back(cx, loaded, traveller).await,
        FlowKind::Recovery | FlowKind::Verification => Err(gone()),
    }
}

/// The error for whoever comes back again, or at the same time as somebody else.
pub(super) fn used_up() -> ApiError {
    ApiError::bad_request("This trip has ended already. Begin again.")
}

/// Where the browser goes on that brings something to a native app: the address that the app named, with a parameter.
pub(super) fn to_app(cx: &Cx, return_to: Option<&str>, name: &str, value: &str) -> String {
    engine::with_parameter(&engine::return_to::or_global(cx, return_to), name, value)
}
