//! `POST /admin/test-login-flows`: trying out a social sign-in provider.

use portcullis_core::app::Cx;
use portcullis_core::flow::engine::Reply;
use portcullis_core::flow::login::trial;
use portcullis_model::error::ApiError;
use serde::Deserialize;

use super::body;

/// The longest name of a provider, in bytes.
const LONGEST: usize = 255;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Ask {
    /// The provider's id.
    provider_id: String,
}

/// Begins a trial.
pub async fn begin(cx: &Cx) -> Reply {
    match body::read::<Ask>(&cx.request) {
        Ok(ask) if ask.provider_id.is_empty() || ask.provider_id.len() > LONGEST => {
            Reply::error(ApiError::bad_request("provider_id must name a provider."))
        }
        Ok(ask) => trial::begin(cx, "oidc", &ask.provider_id).await,
        Err(error) => Reply::error(error),
    }
}
