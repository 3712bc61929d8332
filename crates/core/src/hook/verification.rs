//! `verification`: whoever signs in with an unverified address is sent a code for it.

use async_trait::async_trait;
use serde_json::Value;

use super::Hook;
use crate::app::Cx;
use crate::flow::engine::{After, FlowError};
use crate::flow::verification;

pub(super) struct Verification;

#[async_trait]
impl Hook for Verification {
    fn name(&self) -> &'static str {
        "verification"
    }

    async fn after(&self, cx: &Cx, _config: &Value, after: &mut After<'_>) -> Result<(), FlowError> {
        let unverified = after.who.identity.verifiable_addresses.iter().position(|a| !a.verified);
        if let (Some(address), None) = (unverified, &after.pending.verification) {
            verification::start(cx, after, address).await?;
        }
        Ok(())
    }
}
