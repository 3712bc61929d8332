//! Whether the server lives and can work, which version it is, and which configuration is in force.

use portcullis_core::app::Cx;
use portcullis_core::config::Standing;
use portcullis_store::{StoreError, hook_calls};
use serde_json::{Map, json};

use super::edge::Edge;
use super::metrics;
use super::reply::{self, Response};
use crate::build;

/// `GET /health/alive`: the process answers.
#[must_use]
pub fn alive() -> Response {
    reply::content(200, "application/json; charset=utf-8", &b"{\"status\":\"ok\"}"[..])
}

/// `GET /health/ready` on the public port: the database answers, has all migrations, and has room.
pub async fn ready(cx: &Cx) -> Response {
    match cx.store().ready().await {
        Ok(()) => alive(),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            let told = match error {
                StoreError::Full => "the disk of the database is full: nothing can be saved",
                StoreError::Corrupt(_) => "the database is damaged",
                _ => "the database does not answer or lacks migrations",
            };
            reply::json(503, &json!({ "errors": { "database": told } }))
        }
    }
}

/// `GET /health/ready` on the admin port: as [`ready`], and besides, without being less ready for it, whether the files of
/// the configuration are in force.
pub async fn ready_for_operators(cx: &Cx) -> Response {
    let response = ready(cx).await;
    let Standing { refused, waiting } = cx.app.live.standing();
    if !response.status().is_success() || refused.is_none() && waiting.is_empty() {
        return response;
    }
    let mut warnings = Map::new();
    if let Some(reason) = refused {
        warnings.insert("configuration".to_owned(), format!("an older one is in force: {reason}").into());
    }
    if !waiting.is_empty() {
        warnings.insert("restart".to_owned(), format!("changes wait for a restart: {}", waiting.join(", ")).into());
    }
    reply::json(200, &json!({ "status": "ok", "warnings": warnings }))
}

/// `GET /version`.
#[must_use]
pub fn version() -> Response {
    reply::json(200, &json!({ "version": build::VERSION }))
}

/// `GET /health/config`: the configured revision, else a hash of the effective configuration.
#[must_use]
pub fn config(cx: &Cx) -> Response {
    reply::content(200, "text/plain", cx.config().revision.clone())
}

/// `GET /metrics/prometheus`. A database that does not answer leaves out what is asked of it.
pub async fn metrics(edge: &Edge, cx: &Cx) -> Response {
    let mut text = edge.metrics().render() + &cx.app.courier_counts.render() + &cx.snapshot.outbound.render_measures();
    match hook_calls::counts(cx.store()).await {
        Ok(counts) => text += &metrics::hook_calls(counts),
        Err(error) => tracing::warn!(%error, "calls of web hooks were not counted"),
    }
    reply::content(200, "text/plain; version=0.0.4; charset=utf-8", text)
}
