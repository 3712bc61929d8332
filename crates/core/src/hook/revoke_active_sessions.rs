//! `revoke_active_sessions`: all other sessions of the identity end.

use async_trait::async_trait;
use portcullis_store::sessions;
use serde_json::Value;

use super::Hook;
use crate::app::Cx;
use crate::flow::engine::{After, FlowError};

pub(super) struct RevokeActiveSessions;

#[async_trait]
impl Hook for RevokeActiveSessions {
    fn name(&self) -> &'static str {
        "revoke_active_sessions"
    }

    async fn after(&self, cx: &Cx, _config: &Value, after: &mut After<'_>) -> Result<(), FlowError> {
        sessions::revoke_all(after.changes, after.who.identity.id, after.session.map(|s| s.id), cx.now);
        Ok(())
    }
}
