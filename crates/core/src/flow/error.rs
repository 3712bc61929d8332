//! Error containers: errors of pages, kept for the page that shows them.

use portcullis_model::error::ApiError;
use portcullis_store::errors;
use serde_json::{Value, json};
use uuid::Uuid;

use super::engine::{Reply, store_error};
use crate::app::Cx;

/// The id that gives a made-up error, for people who build an error page.
const SAMPLE: &str = "stub:500";

/// Shows a stored error. Anyone who knows its id may see it, any number of times.
pub async fn fetch(cx: &Cx) -> Reply {
    // `error` is the older name of `id` and comes first.
    let id = cx.request.parameter("error").or_else(|| cx.request.parameter("id")).unwrap_or_default();
    if id == SAMPLE {
        let sample = ApiError::internal().object();
        return show(&errors::StoredError { id: cx.new_id(), body: sample, created_at: cx.now, updated_at: cx.now });
    }
    let found = match Uuid::parse_str(id) {
        Ok(id) => errors::get(cx.store(), id).await,
        Err(_) => Ok(None),
    };
    match found {
        Ok(Some(stored)) => show(&stored),
        Ok(None) => Reply::error(ApiError::not_found("There is no error of this id.")),
        Err(error) => Reply::error(store_error(&error)),
    }
}

fn show(stored: &errors::StoredError) -> Reply {
    let body: Value = json!({
        "id": stored.id,
        "error": stored.body,
        "created_at": stored.created_at,
        "updated_at": stored.updated_at,
    });
    Reply::json(200, body)
}
