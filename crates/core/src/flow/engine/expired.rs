//! Flows past their time: fetched, they say where to begin anew; submitted, a new one takes their place.

use portcullis_model::error::{ApiError, ErrorId};
use portcullis_model::flow::{Flow, FlowType};
use portcullis_model::message::Message;

use super::fault::answer_error;
use super::reply::Reply;
use super::{insert_new, show, takes_json};
use crate::app::Cx;

/// The error for fetching an expired flow: 410 with the route that begins a new one.
#[must_use]
pub fn gone(cx: &Cx, flow: &Flow) -> ApiError {
    let error = ApiError::new(410, "This flow has expired. Begin a new one.");
    let start = cx.public_url(&format!("/self-service/{}", flow.kind()));
    match flow.flow_type {
        FlowType::Api => error.detail("api", format!("{start}/api")),
        FlowType::Browser => {
            let return_to = flow.return_to.clone().unwrap_or_default();
            let mut redirect_to = format!("{start}/browser");
            if !return_to.is_empty() {
                redirect_to = show::with_parameter(&redirect_to, "return_to", &return_to);
            }
            error.detail("redirect_to", redirect_to).detail("return_to", return_to)
        }
    }
}

/// Puts a new flow in the place of an expired one that was submitted: what the old one was begun for lives on, and the
/// person is told. `new` is a fresh flow with its detail worked out.
pub async fn replaced(cx: &Cx, old: &Flow, mut new: Flow, told: Message) -> Reply {
    new.request_url.clone_from(&old.request_url);
    new.return_to.clone_from(&old.return_to);
    new.identity_id = old.identity_id;
    new.login_challenge.clone_from(&old.login_challenge);
    new.notes.tell(told);
    let json = takes_json(cx, old.flow_type);
    if let Err(error) = insert_new(cx, &new).await {
        return answer_error(cx, error, json).await;
    }
    if !json {
        return Reply::see_other(show::page_of(cx, &new));
    }
    Reply::error(expired(cx, old, &new))
}

/// The error that names the flow which takes the place of an expired one.
#[must_use]
pub fn expired(cx: &Cx, old: &Flow, new: &Flow) -> ApiError {
    let since = i64::try_from(cx.now.since(old.expires_at).as_nanos()).unwrap_or(i64::MAX);
    ApiError::new(410, "This flow has expired. Use the one that is named.")
        .id(ErrorId::SelfServiceFlowExpired)
        .beside("expired_at", old.expires_at.to_string())
        .beside("since", since)
        .beside("use_flow_id", new.id.to_string())
}
