//! `verify_new_address`: a new address is proved before the change that brings it is saved.

use async_trait::async_trait;
use serde_json::Value;

use super::Hook;
use crate::app::Cx;
use crate::flow::engine::{After, FlowError};
use crate::flow::verification::new_address;

pub(super) struct VerifyNewAddress;

#[async_trait]
impl Hook for VerifyNewAddress {
    fn name(&self) -> &'static str {
        "verify_new_address"
    }

    fn holds_back(&self) -> bool {
        true
    }

    async fn decide(&self, cx: &Cx, _config: &Value, after: &mut After<'_>) -> Result<(), FlowError> {
        new_address::hold_back(cx, after).await
    }
}
