//! `notify_previous_addresses`: when addresses change, the old ones are told.

use async_trait::async_trait;
use serde_json::Value;

use super::Hook;
use crate::app::Cx;
use crate::courier::template::{AddressChanged, Circumstances};
use crate::courier::{self, Template};
use crate::flow::engine::{After, FlowError};
use crate::identity;

pub(super) struct NotifyPreviousAddresses;

#[async_trait]
impl Hook for NotifyPreviousAddresses {
    fn name(&self) -> &'static str {
        "notify_previous_addresses"
    }

    async fn after(&self, cx: &Cx, config: &Value, after: &mut After<'_>) -> Result<(), FlowError> {
        let Some(before) = after.before else { return Ok(()) };
        let now = &after.who.identity.verifiable_addresses;
        let old = &before.identity.verifiable_addresses;
        let stays = |value: &str| now.iter().any(|a| a.value == value);
        if now.len() == old.len() && old.iter().all(|a| stays(&a.value)) {
            return Ok(());
        }
        let recipients = config.get("recipients").and_then(Value::as_str).unwrap_or("removed");
        for address in old {
            let told = match recipients {
                "all" => true,
                "all_verified" => address.verified,
                _ => !stays(&address.value),
            };
            if told {
                let template = Template::VerifiableAddressChanged(AddressChanged {
                    identity: identity::view::public(cx, &after.who.identity),
                    circumstances: Circumstances::new(&after.flow.request_url, after.transient_payload),
                });
                courier::enqueue(cx, after.changes, &template, address.via, &address.value);
                after.pending.told.push((address.via, address.value.clone()));
                after.pending.has_mail = true;
            }
        }
        Ok(())
    }
}
