//! `show_verification_ui`: a verification flow that was begun on the way is where the client goes on.

use async_trait::async_trait;
use serde_json::Value;

use super::Hook;
use crate::app::Cx;
use crate::flow::engine::{After, FlowError};

pub(super) struct ShowVerificationUi;

#[async_trait]
impl Hook for ShowVerificationUi {
    fn name(&self) -> &'static str {
        "show_verification_ui"
    }

    fn leads_to_verification(&self) -> bool {
        true
    }

    async fn after(&self, _cx: &Cx, _config: &Value, after: &mut After<'_>) -> Result<(), FlowError> {
        after.pending.show_verification = true;
        Ok(())
    }
}
