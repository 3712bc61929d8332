//! Writing down that a key was used, and telling what is wrong with one.

use portcullis_model::credential::CredentialType;
use portcullis_model::flow::Flow;
use portcullis_model::identity::IdentityWithCredentials;
use portcullis_model::message::{self, Message};
use portcullis_store::Changes;
use serde_json::Value;

use super::ceremony::{Asserted, Refused};
use super::key::find;
use crate::app::Cx;
use crate::credential::second_factor;
use crate::flow::engine::FlowError;
use crate::identity::notice;

/// What is told where an answer cannot be read.
#[must_use]
pub fn unreadable(why: Refused) -> Message {
    message::validation::generic(&why.to_string())
}

/// What is told where a key that signs in was not accepted: nobody learns why.
#[must_use]
pub fn not_accepted(why: Refused) -> FlowError {
    tracing::debug!(%why, "a key was not accepted");
    FlowError::tell(match why {
        Refused::Unreadable => unreadable(why),
        _ => message::login::wrong_security_key(),
    })
}

/// Writes down that a key of somebody was used. Guards: the key is still what was read, so of uses at the same time one
/// counts. A key that may have been copied is marked and its owner told; or it is refused, if that is configured.
///
/// # Errors
/// Message 4000043 for a key that may have been copied, where such are refused; or if the notice cannot be written.
pub async fn use_key(
    cx: &Cx,
    changes: &mut Changes,
    flow: &Flow,
    who: &mut IdentityWithCredentials,
    kind: CredentialType,
    id: &[u8],
    used: &Asserted,
) -> Result<(), FlowError> {
    let Some((config, is_copied)) = who.credential(kind).and_then(|credential| {
        let key = find(credential, id)?;
        let mut config = credential.config.clone();
        let list = config.get_mut("credentials")?.as_array_mut()?;
        let entry = list.iter_mut().find(|entry| entry.get("id") == Some(key.stored_id()))?;
        *entry = key.after(used);
        Some((config, key.is_set_back(used)))
    }) else {
        return Err(not_accepted(Refused::Unknown));
    };
    if is_copied && cx.config().security.refuse_copied_keys {
        return Err(not_accepted(Refused::Copied));
    }
    let before = who.clone();
    second_factor::spend(cx, changes, who, kind, config);
    if is_copied {
        tracing::warn!("a security key or passkey was used that may have been copied");
        let payload: Option<&Value> = None;
        let occasion = notice::Occasion { request_url: &flow.request_url, transient_payload: payload, told: &[] };
        notice::of_flow(cx, changes, &before, who, &occasion).await.map_err(FlowError::Store)?;
    }
    Ok(())
}
