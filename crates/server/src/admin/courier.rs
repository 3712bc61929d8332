//! Messages by the admin API: what was sent to whom, what waits, and what went wrong.

use portcullis_core::app::Cx;
use portcullis_core::courier;
use portcullis_core::flow::engine::{Reply, store_error};
use portcullis_model::error::ApiError;
use portcullis_store::Changes;
use portcullis_store::outbox::{self, Dispatch, Message, MessageStatus};
use serde_json::Value;
use uuid::Uuid;

use crate::http::paging::{self, Sizes};

const PATH: &str = "/admin/courier/messages";
const SIZES: Sizes = Sizes { default: 10, most: 1000 };

/// `GET /admin/courier/messages`: newest first, of one status or recipient if they are named. Their attempts are not shown.
pub async fn list(cx: &Cx) -> Reply {
    page(cx).await.unwrap_or_else(Reply::error)
}

async fn page(cx: &Cx) -> Result<Reply, ApiError> {
    let request = &cx.request;
    let status = request.parameter("status").map(status).transpose()?;
    let size = SIZES.of_keyset(request, "page_size")?;
    let after = paging::after(cx, PATH)?;
    let found = outbox::list(cx.store(), status, request.parameter("recipient"), after, size.saturating_add(1)).await;
    let mut found = found.map_err(|e| store_error(&e))?;
    let next = paging::cut(cx, PATH, &mut found, size, |message| message.id);
    let mut shown = Vec::with_capacity(found.len());
    for message in &found {
        shown.push(courier::view(&cx.snapshot, message, None).await);
    }
    let reply = Reply::json(200, Value::Array(shown));
    Ok(paging::keyset_links(reply, PATH, request, size, None, next.as_deref()))
}

/// `GET /admin/courier/messages/{id}`: with its attempts, newest first.
pub async fn get(cx: &Cx, id: &str) -> Reply {
    one(cx, id).await.unwrap_or_else(Reply::error)
}

async fn one(cx: &Cx, id: &str) -> Result<Reply, ApiError> {
    let (message, attempts) = found(cx, id).await?;
    Ok(Reply::json(200, courier::view(&cx.snapshot, &message, Some(&attempts)).await))
}

async fn found(cx: &Cx, id: &str) -> Result<(Message, Vec<Dispatch>), ApiError> {
    let id = Uuid::parse_str(id).map_err(|_| ApiError::bad_request("This is no UUID."))?;
    let found = outbox::get(cx.store(), id).await.map_err(|e| store_error(&e))?;
    found.ok_or_else(|| ApiError::not_found("There is no message of this id."))
}

/// `POST /admin/courier/messages/{id}/resend`: a message that was sent or given up is sent once more, as a new message. 201
/// with that one; 409 if the old one still waits.
pub async fn resend(cx: &Cx, id: &str) -> Reply {
    again(cx, id).await.unwrap_or_else(Reply::error)
}

async fn again(cx: &Cx, id: &str) -> Result<Reply, ApiError> {
    let (message, _) = found(cx, id).await?;
    if matches!(message.status, MessageStatus::Queued | MessageStatus::Processing) {
        return Err(ApiError::conflict("This message waits to be sent already."));
    }
    let mut changes = Changes::new();
    let id = courier::send_again(cx, &mut changes, &message)
        .ok_or_else(|| ApiError::conflict("No key of secrets.default opens this message any more."))?;
    cx.store().commit(changes).await.map_err(|e| store_error(&e))?;
    courier::ring(&cx.app);
    let (new, attempts) = found(cx, &id.to_string()).await?;
    Ok(Reply::json(201, courier::view(&cx.snapshot, &new, Some(&attempts)).await))
}

fn status(word: &str) -> Result<MessageStatus, ApiError> {
    let known = MessageStatus::ALL.into_iter().find(|status| status.as_str() == word);
    known.ok_or_else(|| ApiError::bad_request("status is one of queued, sent, processing and abandoned."))
}
