//! `require_verified_address`: nobody signs in before one of their addresses is verified. They are sent a code instead.

use async_trait::async_trait;
use portcullis_model::error::{ApiError, ErrorId};
use portcullis_model::message;
use serde_json::{Value, json};

use super::Hook;
use crate::app::Cx;
use crate::flow::engine::{After, FlowError, Reply, Verification, takes_json};
use crate::flow::verification;

pub(super) struct RequireVerifiedAddress;

#[async_trait]
impl Hook for RequireVerifiedAddress {
    fn name(&self) -> &'static str {
        "require_verified_address"
    }

    async fn after(&self, cx: &Cx, _config: &Value, after: &mut After<'_>) -> Result<(), FlowError> {
        let addresses = &after.who.identity.verifiable_addresses;
        if addresses.is_empty() || addresses.iter().any(|a| a.verified) {
            return Ok(());
        }
        if cx.config().feature_flags.legacy_require_verified_login_error {
            return Err(FlowError::tell(message::login::address_not_verified()));
        }
        // Nobody is signed in, so the browser keeps its anti-CSRF secret.
        after.csrf_secret = cx.request.csrf_secret.clone();
        verification::start(cx, after, 0).await?;
        let Some(started) = &after.pending.verification else { return Ok(()) };
        let reply = if takes_json(cx, after.flow.flow_type) {
            // The error names the page for native apps, too.
            let verification = Verification { native: false, ..started.clone() };
            let mut error = ApiError::forbidden("Verify your address before you sign in: a code was sent to it.")
                .id(ErrorId::SessionVerifiedAddressRequired)
                .detail("continue_with", json!([verification.continue_with()]));
            error.inner_code = Some(400);
            Reply::error(error)
        } else {
            Reply::see_other(started.url.clone())
        };
        after.pending.instead = Some(Box::new(reply));
        Ok(())
    }
}
