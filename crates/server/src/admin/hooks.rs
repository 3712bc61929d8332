//! Calls of web hooks that are owed, by the admin API: what waits, what was given up and why, and having it called again.
//! Routes of our own; what was to be told is not shown.

use portcullis_core::app::Cx;
use portcullis_core::flow::engine::{Body, Reply, store_error};
use portcullis_core::hook;
use portcullis_model::error::ApiError;
use portcullis_store::hook_calls::{self, Call, CallStatus};
use portcullis_store::{Changes, StoreError};
use uuid::Uuid;

use crate::http::paging::{self, Sizes};

const PATH: &str = "/admin/hooks/calls";
const SIZES: Sizes = Sizes { default: 100, most: 1000 };

/// `GET /admin/hooks/calls`: newest first, of one status if it is named.
pub async fn list(cx: &Cx) -> Reply {
    page(cx).await.unwrap_or_else(Reply::error)
}

async fn page(cx: &Cx) -> Result<Reply, ApiError> {
    let request = &cx.request;
    let status = request.parameter("status").map(status).transpose()?;
    let size = SIZES.of_keyset(request, "page_size")?;
    let after = paging::after(cx, PATH)?;
    let found = hook_calls::list(cx.store(), status, after, size.saturating_add(1)).await;
    let mut found = found.map_err(|e| store_error(&e))?;
    let next = paging::cut(cx, PATH, &mut found, size, |call| call.id);
    let shown: Vec<_> = found.iter().map(hook::view).collect();
    let reply = Reply { status: 200, body: Body::written(&shown), ..Reply::no_content() };
    Ok(paging::keyset_links(reply, PATH, request, size, None, next.as_deref()))
}

/// `GET /admin/hooks/calls/{id}`.
pub async fn get(cx: &Cx, id: &str) -> Reply {
    match find(cx, id).await {
        Ok(call) => show(&call),
        Err(error) => Reply::error(error),
    }
}

/// `POST /admin/hooks/calls/{id}/replay`: a call that was given up is made again, with all its tries.
pub async fn replay(cx: &Cx, id: &str) -> Reply {
    let change = |changes: &mut Changes, call: &Call| hook_calls::again(changes, call.id, cx.now);
    match end(cx, id, change).await {
        Ok(id) => {
            hook::ring(&cx.app);
            get(cx, &id.to_string()).await
        }
        Err(error) => Reply::error(error),
    }
}

/// `DELETE /admin/hooks/calls/{id}`: a call that was given up is forgotten.
pub async fn forget(cx: &Cx, id: &str) -> Reply {
    match end(cx, id, |changes, call| hook_calls::forget(changes, call.id)).await {
        Ok(_) => Reply::no_content(),
        Err(error) => Reply::error(error),
    }
}

/// `POST /admin/hooks/replay`: all calls that were given up are made again.
pub async fn replay_all(cx: &Cx) -> Reply {
    let mut changes = Changes::new();
    hook_calls::all_again(&mut changes, cx.now);
    match cx.store().commit(changes).await {
        Ok(_) => {
            hook::ring(&cx.app);
            Reply::no_content()
        }
        Err(error) => Reply::error(store_error(&error)),
    }
}

/// Changes a call that was given up.
async fn end(cx: &Cx, id: &str, change: impl Fn(&mut Changes, &Call)) -> Result<Uuid, ApiError> {
    let call = find(cx, id).await?;
    let mut changes = Changes::new();
    change(&mut changes, &call);
    match cx.store().commit(changes).await {
        Ok(_) => Ok(call.id),
        Err(StoreError::Conflict { .. }) => Err(ApiError::conflict("This call is still owed: it was not given up.")),
        Err(error) => Err(store_error(&error)),
    }
}

async fn find(cx: &Cx, id: &str) -> Result<Call, ApiError> {
    let id = Uuid::parse_str(id).map_err(|_| ApiError::bad_request("This is no UUID."))?;
    let found = hook_calls::get(cx.store(), id).await.map_err(|e| store_error(&e))?;
    found.ok_or_else(|| ApiError::not_found("No call of this id is owed: it was made, or there was none."))
}

fn show(call: &Call) -> Reply {
    Reply { status: 200, body: Body::written(&hook::view(call)), ..Reply::no_content() }
}

fn status(word: &str) -> Result<CallStatus, ApiError> {
    let known = CallStatus::ALL.into_iter().find(|status| status.as_str() == word);
    known.ok_or_else(|| ApiError::bad_request("status is one of queued, processing and abandoned."))
}
