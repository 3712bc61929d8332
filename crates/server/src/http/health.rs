//! Whether the server lives and can work, which version it is, and which configuration is in force.

use portcullis_core::app::Cx;
use serde_json::json;

use super::edge::Edge;
use super::reply::{self, Response};
use crate::build;

/// `GET /health/alive`: the process answers.
#[must_use]
pub fn alive() -> Response {
    reply::content(200, "application/json; charset=utf-8", &b"{\"status\":\"ok\"}"[..])
}

/// `GET /health/ready`: the database answers and has all migrations.
pub async fn ready(cx: &Cx) -> Response {
    match cx.store().ready().await {
        Ok(()) => alive(),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            reply::json(503, &json!({ "errors": { "database": "the database does not answer or lacks migrations" } }))
        }
    }
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

/// `GET /metrics/prometheus`.
#[must_use]
pub fn metrics(edge: &Edge, cx: &Cx) -> Response {
    let text = edge.metrics().render() + &cx.app.courier_counts.render();
    reply::content(200, "text/plain; version=0.0.4; charset=utf-8", text)
}
