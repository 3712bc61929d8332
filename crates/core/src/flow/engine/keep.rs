//! Keeping flows: sealed under the flow keys, guarded by a version.

use std::collections::BTreeMap;

use portcullis_model::error::ApiError;
use portcullis_model::flow::{Flow, FlowKind};
use portcullis_model::json;
use portcullis_store::{Changes, flows};
use serde_json::Value;
use uuid::Uuid;

use super::fault::store_error;
use crate::app::Cx;
use crate::crypto::Purpose;

/// A flow as it was read, with the version that guards its next change.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The flow.
    pub flow: Flow,
    /// The version that was seen.
    pub version: i64,
}

/// The flow id of a submit.
///
/// # Errors
/// 400 if it is missing or no UUID.
pub fn flow_id(cx: &Cx) -> Result<Uuid, ApiError> {
    cx.request
        .parameter("flow")
        .and_then(|id| Uuid::parse_str(id).ok())
        .ok_or_else(|| ApiError::bad_request("The parameter flow is missing or is no flow id."))
}

/// Reads a flow of a kind. `None` if there is none of this id and kind, or if it was sealed under keys that are gone.
///
/// # Errors
/// If the database fails.
pub async fn load(cx: &Cx, kind: FlowKind, id: Uuid) -> Result<Option<Loaded>, ApiError> {
    let row = flows::get(cx.store(), id).await.map_err(|e| store_error(&e))?;
    Ok(row.filter(|row| row.kind == kind).and_then(|row| {
        let plain = cx.keys().open(Purpose::FlowDetail, id.as_bytes(), &row.sealed)?;
        let flow = json::read_back(&plain).ok()?;
        Some(Loaded { flow, version: row.version })
    }))
}

/// Reads the flow that a query parameter names.
///
/// # Errors
/// 404 for an id that is unknown, malformed or missing.
pub async fn load_by_parameter(cx: &Cx, kind: FlowKind, parameter: &str) -> Result<Loaded, ApiError> {
    let found = match cx.request.parameter(parameter).and_then(|id| Uuid::parse_str(id).ok()) {
        Some(id) => load(cx, kind, id).await?,
        None => None,
    };
    found.ok_or_else(|| ApiError::not_found(format!("There is no {kind} flow of this id.")))
}

/// Puts a new flow into a set of changes.
pub fn insert(cx: &Cx, changes: &mut Changes, flow: &Flow) {
    flows::insert(changes, &row(cx, flow, 1));
}

/// Puts a changed flow into a set of changes; it fails if the flow changed since it was read.
pub fn update(cx: &Cx, changes: &mut Changes, loaded: &Loaded) {
    flows::update(changes, &row(cx, &loaded.flow, loaded.version + 1), loaded.version);
}

/// Stores a new flow by itself, as [`begin`] does.
///
/// # Errors
/// If the database fails.
pub async fn insert_new(cx: &Cx, flow: &Flow) -> Result<(), ApiError> {
    let mut changes = Changes::new();
    insert(cx, &mut changes, flow);
    begin(cx, changes).await
}

/// Commits what the beginning of a flow brings. It may be lost in a power cut: nothing of a person's hangs on it yet. A HEAD
/// request is answered like GET but leaves nothing behind (RFC 9110, section 9.2.1).
///
/// # Errors
/// If the database fails.
pub async fn begin(cx: &Cx, mut changes: Changes) -> Result<(), ApiError> {
    if cx.request.method == "HEAD" {
        return Ok(());
    }
    changes.durability(portcullis_store::Durability::Relaxed);
    cx.store().commit(changes).await.map(drop).map_err(|e| store_error(&e))
}

/// Stores a changed flow by itself, such as one with messages. If it changed meanwhile, the other change stands: both
/// answers were given, and the flow shows the later one that was saved.
///
/// # Errors
/// If the database fails.
pub async fn save(cx: &Cx, loaded: &Loaded) -> Result<(), ApiError> {
    save_unchanged(cx, loaded).await.map(drop)
}

/// As [`save`], and says whether it was saved: not if the flow changed meanwhile.
///
/// # Errors
/// If the database fails.
pub async fn save_unchanged(cx: &Cx, loaded: &Loaded) -> Result<bool, ApiError> {
    let mut changes = Changes::new();
    changes.durability(portcullis_store::Durability::Relaxed);
    update(cx, &mut changes, loaded);
    match cx.store().commit(changes).await {
        Ok(_) => Ok(true),
        Err(portcullis_store::StoreError::Conflict { .. }) => Ok(false),
        Err(error) => Err(store_error(&error)),
    }
}

/// Saves what methods remember of a form that was built just now, if it is more than they did before: a challenge that is
/// shown, a secret. `false` if somebody else was faster: then the flow is to be read and its form built again.
///
/// # Errors
/// If the database fails.
pub async fn remembers(cx: &Cx, loaded: &Loaded, before: &BTreeMap<String, Value>) -> Result<bool, ApiError> {
    Ok(loaded.flow.methods == *before || save_unchanged(cx, loaded).await?)
}

fn row(cx: &Cx, flow: &Flow, version: i64) -> flows::FlowRow {
    // A flow is built of strings, numbers and JSON values: writing it as JSON cannot fail.
    let plain = serde_json::to_vec(flow).unwrap_or_default();
    flows::FlowRow {
        id: flow.id,
        kind: flow.kind(),
        flow_type: flow.flow_type,
        identity_id: flow.identity_id,
        expires_at: flow.expires_at,
        version,
        sealed: cx.keys().seal(cx.rng(), Purpose::FlowDetail, flow.id.as_bytes(), &plain),
    }
}
