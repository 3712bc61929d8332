//! `/admin/recovery`: codes and links that administrators hand over to people who cannot get into their account.

use std::time::Duration;

use portcullis_core::app::Cx;
use portcullis_core::flow::engine::{self, FlowError, Reply, return_to};
use portcullis_core::flow::recovery::by_admin::{self, HandedOver, Wish};
use portcullis_model::error::ApiError;
use portcullis_model::flow::FlowType;
use portcullis_model::identity::Identity;
use portcullis_model::time::parse_duration;
use portcullis_store::{StoreError, identities};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::body;

/// The methods whose challenges can be handed over.
const CODE: &str = "code";
const LINK: &str = "link";

/// What is asked for.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Ask {
    /// Whose account is to be recovered.
    identity_id: Option<Uuid>,
    /// How long flow and challenge are good; absent or empty: the method's lifespan.
    expires_in: Option<String>,
    /// Who is to talk to the flow: `browser` or `api`.
    flow_type: Option<String>,
}

/// Makes a code, and the flow that takes it.
pub async fn code(cx: &Cx) -> Reply {
    match try_code(cx).await {
        Ok(made) => Reply::json(
            201,
            json!({
                "recovery_link": made.issued.link,
                "recovery_code": made.issued.code,
                "expires_at": made.flow.expires_at,
            }),
        ),
        Err(error) => Reply::error(error),
    }
}

async fn try_code(cx: &Cx) -> Result<HandedOver, ApiError> {
    available(cx, CODE)?;
    let ask: Ask = body::read(&cx.request)?;
    let flow_type = match ask.flow_type.as_deref() {
        None | Some("" | "browser") => FlowType::Browser,
        Some("api") => FlowType::Api,
        Some(_) => return Err(ApiError::bad_request("The flow type must be browser or api.")),
    };
    let lifespan = lifespan(&ask, cx.config().selfservice.methods.code.config.lifespan)?;
    let who = find(cx, &ask).await?.ok_or_else(|| ApiError::not_found("There is no identity of this id."))?;
    hand_over(cx, CODE, &who, Wish { flow_type, lifespan, return_to: None }).await
}

/// Makes a link, and the flow that it belongs to.
pub async fn link(cx: &Cx) -> Reply {
    match try_link(cx).await {
        Ok(made) => Reply::json(200, json!({ "recovery_link": made.issued.link, "expires_at": made.flow.expires_at })),
        Err(error) => Reply::error(error),
    }
}

async fn try_link(cx: &Cx) -> Result<HandedOver, ApiError> {
    available(cx, LINK)?;
    let return_to = return_to::requested(cx)?;
    let ask: Ask = body::read(&cx.request)?;
    let lifespan = lifespan(&ask, cx.config().selfservice.methods.link.config.lifespan)?;
    // This route has always called an unknown identity a bad request.
    let who = find(cx, &ask).await?.ok_or_else(|| ApiError::bad_request("There is no identity of this id."))?;
    hand_over(cx, LINK, &who, Wish { flow_type: FlowType::Browser, lifespan, return_to }).await
}

fn available(cx: &Cx, method: &str) -> Result<(), ApiError> {
    if by_admin::is_available(cx, method) { Ok(()) } else { Err(switched_off()) }
}

fn switched_off() -> ApiError {
    ApiError::not_found("This method of recovery is switched off.")
}

fn lifespan(ask: &Ask, usual: Duration) -> Result<Duration, ApiError> {
    let Some(written) = ask.expires_in.as_deref().filter(|text| !text.is_empty()) else { return Ok(usual) };
    let bad = || ApiError::bad_request("expires_in must be a duration that is longer than nothing, such as 1h30m.");
    parse_duration(written).filter(|duration| !duration.is_zero()).ok_or_else(bad)
}

async fn find(cx: &Cx, ask: &Ask) -> Result<Option<Identity>, ApiError> {
    let Some(id) = ask.identity_id else { return Ok(None) };
    identities::get(cx.store(), id).await.map_err(|e| engine::store_error(&e))
}

async fn hand_over(cx: &Cx, method: &str, who: &Identity, wish: Wish) -> Result<HandedOver, ApiError> {
    match by_admin::hand_over(cx, method, who, wish).await {
        Ok(Some(made)) => Ok(made),
        Ok(None) => Err(switched_off()),
        // The identity went away between being found and being written about.
        Err(FlowError::Store(StoreError::Conflict { .. })) => Err(ApiError::not_found("There is no identity of this id.")),
        Err(error) => Err(engine::plain(error)),
    }
}
