//! The schemas API: identity schemas as their sources say now.

use futures_util::future::try_join_all;
use portcullis_core::app::Cx;
use portcullis_core::flow::engine::Reply;
use portcullis_core::identity::SchemasError;
use portcullis_model::error::{ApiError, ErrorId};
use serde_json::{Value, json};

use super::paging::{Numbered, Sizes, page_number};

/// `GET /schemas/{id}`: one schema, by its id or by its id in base64url.
pub async fn get(cx: &Cx, id: &str) -> Reply {
    match cx.snapshot.schemas.read_again(id, &cx.snapshot.outbound).await {
        Ok(Some(schema)) => Reply::json(200, schema),
        Ok(None) => Reply::error(ApiError::not_found("There is no identity schema of this id.")),
        Err(error) => Reply::error(lost(&error)),
    }
}

/// `GET /schemas`: all schemas in configured order, by pages.
pub async fn list(cx: &Cx) -> Reply {
    let schemas = &cx.snapshot.schemas;
    let ids: Vec<&str> = schemas.ids().collect();
    let page = Numbered {
        path: "/schemas",
        first: 0,
        page: page_number(&cx.request, &["page_token", "page"], 0),
        size: Sizes { default: 250, most: 500 }.of_numbered(&cx.request, &["page_size", "per_page"]),
        size_name: "per_page",
        total: ids.len() as u64,
    };
    let offset = page.offset() as usize;
    let shown = ids.iter().skip(offset).take(page.size as usize).map(|id| async move {
        let schema = schemas.read_again(id, &cx.snapshot.outbound).await?;
        Ok::<Value, SchemasError>(json!({ "id": id, "schema": schema }))
    });
    match try_join_all(shown).await {
        Ok(list) => page.links(Reply::json(200, Value::Array(list)), &cx.request),
        Err(error) => Reply::error(lost(&error)),
    }
}

/// The source of a schema is gone: a fault of the configuration, not of the request.
fn lost(error: &SchemasError) -> ApiError {
    tracing::error!(%error, "an identity schema cannot be read again");
    ApiError::new(500, "An identity schema cannot be read at the moment. Identities are not affected.")
        .id(ErrorId::InvalidConfiguration)
}
