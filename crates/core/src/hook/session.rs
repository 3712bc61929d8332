//! `session`: whoever signs up is signed in.

use async_trait::async_trait;
use serde_json::Value;

use super::Hook;
use crate::app::Cx;
use crate::flow::engine::{After, FlowError};

pub(super) struct Session;

#[async_trait]
impl Hook for Session {
    fn name(&self) -> &'static str {
        "session"
    }

    async fn after(&self, _cx: &Cx, _config: &Value, after: &mut After<'_>) -> Result<(), FlowError> {
        after.pending.issue_session = true;
        Ok(())
    }
}
