//! What a flow remembers of a ceremony between its form and the answer. The flow is sealed in the database.

use portcullis_model::flow::Flow;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{from_base64, to_url};
use crate::app::Cx;

/// How long a challenge is, in bytes (W3C Web Authentication, section 13.4.3: 16 at least).
const CHALLENGE: usize = 32;

/// A challenge that was given out, and what belongs to it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Pending {
    challenge: String,
    /// Whom a new key is for: the user handle as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_handle: Option<String>,
    /// Who says to be signing in, if the challenge is for them alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identifier: Option<String>,
}

impl Pending {
    /// The challenge that a flow's form holds.
    #[must_use]
    pub fn of(flow: &Flow, method: &str) -> Option<Self> {
        Self::deserialize(flow.methods.get(method)?).ok()
    }

    /// The challenge that a flow's form holds, made now if there is none. `user_handle`: whom a new key would be for.
    pub fn begin(cx: &Cx, flow: &mut Flow, method: &str, user_handle: impl FnOnce() -> Option<String>) -> Self {
        Self::of(flow, method).unwrap_or_else(|| {
            let mut challenge = [0; CHALLENGE];
            cx.rng().fill(&mut challenge);
            let pending = Self { challenge: to_url(&challenge), user_handle: user_handle(), identifier: None };
            pending.keep(flow, method);
            pending
        })
    }

    /// Has the flow remember it.
    pub fn keep(&self, flow: &mut Flow, method: &str) {
        flow.methods.insert(method.to_owned(), serde_json::to_value(self).unwrap_or(Value::Null));
    }

    /// The challenge.
    #[must_use]
    pub fn challenge(&self) -> Vec<u8> {
        from_base64(&self.challenge).unwrap_or_default()
    }
}
