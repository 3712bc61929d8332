//! Calls that are owed: what is told to whom, sealed in a row of `hook_calls`.

use portcullis_model::flow::FlowKind;
use portcullis_model::json;
use portcullis_model::time::Timestamp;
use portcullis_store::Changes;
use portcullis_store::hook_calls::{self, Call, CallStatus, NewCall};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::NAME;
use super::config::Config;
use crate::app::Cx;
use crate::config::Config as Configuration;
use crate::crypto::{Keyring, Purpose};
use crate::flow::engine::After;

/// A call: the hook as it was configured, and what it is told.
#[derive(Serialize, Deserialize)]
pub(super) struct Job {
    /// Where the hook stands in the configuration, such as `login.after.password`.
    pub(super) place: String,
    flow: FlowKind,
    /// The method whose submit it follows; `None`: it stands before the flow.
    method: Option<String>,
    /// The hook's configuration.
    pub(super) config: Value,
    /// What its Jsonnet is given.
    pub(super) ctx: Value,
}

impl Job {
    pub(super) fn before(flow: FlowKind, config: &Value, ctx: Value) -> Self {
        Self { place: format!("{flow}.before"), flow, method: None, config: config.clone(), ctx }
    }

    pub(super) fn after(after: &After<'_>, config: &Value, ctx: Value) -> Self {
        let (flow, method) = (after.flow.kind(), after.method);
        Self { place: format!("{flow}.after.{method}"), flow, method: Some(method.to_owned()), config: config.clone(), ctx }
    }

    pub(super) fn to_value(&self) -> Value {
        // It is built of texts and JSON values: writing it cannot fail.
        serde_json::to_value(self).unwrap_or_default()
    }

    pub(super) fn of_value(value: &Value) -> Option<Self> {
        Self::deserialize(value).ok()
    }

    /// The job of a row; `None` if no key opens it.
    pub(super) fn open(keys: &Keyring, call: &Call) -> Option<Self> {
        let plain = keys.open(Purpose::Outbox, call.id.as_bytes(), &call.sealed_data)?;
        json::read_back(&plain).ok()
    }

    /// The hook as it is configured now, by its name in its place, so that a corrected address or key counts for what waits;
    /// else as it was.
    pub(super) fn hook(&self, configuration: &Configuration) -> Option<Config> {
        let was = Config::read(&self.config)?;
        let hooks = match &self.method {
            None => configuration.before_hooks(self.flow),
            Some(method) => configuration.after_hooks(self.flow, Some(method)),
        };
        let now = hooks.iter().filter(|hook| hook.name == NAME).filter_map(|hook| Config::read(&hook.config));
        let now = now.into_iter().find(|hook| !hook.id.is_empty() && hook.id == was.id);
        Some(now.unwrap_or(was))
    }
}

/// Writes down a call as owed, for a worker to make from `due` on; gives its id.
pub(super) fn owe(cx: &Cx, changes: &mut Changes, job: &Job, name: &str, identity_id: Option<Uuid>, due: Timestamp) -> Uuid {
    let id = cx.new_id();
    let plain = serde_json::to_vec(job).unwrap_or_default();
    let call = NewCall {
        id,
        place: job.place.clone(),
        name: name.to_owned(),
        identity_id,
        sealed_data: cx.keys().seal(cx.rng(), Purpose::Outbox, id.as_bytes(), &plain),
        created_at: cx.now,
        due_at: due,
    };
    hook_calls::owe(changes, &call);
    id
}

/// A call as administrators see it. What was to be told is not shown.
#[derive(Serialize)]
pub struct CallView<'a> {
    id: Uuid,
    place: &'a str,
    hook_id: &'a str,
    identity_id: Option<Uuid>,
    status: CallStatus,
    tries: u64,
    error: Option<&'a str>,
    next_try_at: Option<Timestamp>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// A call as administrators see it.
#[must_use]
pub fn view(call: &Call) -> CallView<'_> {
    CallView {
        id: call.id,
        place: &call.place,
        hook_id: &call.name,
        identity_id: call.identity_id,
        status: call.status,
        tries: call.send_count,
        error: call.error.as_deref(),
        next_try_at: call.due_at,
        created_at: call.created_at,
        updated_at: call.updated_at,
    }
}
