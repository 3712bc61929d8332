//! Creating many identities with one request.

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use portcullis_core::app::Cx;
use portcullis_core::flow::engine::Reply;
use portcullis_core::identity;
use portcullis_core::identity::import::Unknown;
use portcullis_model::error::ApiError;
use portcullis_store::Changes;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::body::{self, Create};
use super::create::{Ready, draft};
use super::unsaved;

/// How many identities a batch may have.
const MOST: usize = 1000;
/// How many of them may have passwords in clear, which have to be hashed.
const MOST_CLEAR_PASSWORDS: usize = 200;
/// How many passwords of a batch wait for hashing at a time, so that a batch leaves room in the queue for sign-ins.
const HASHES_AT_ONCE: usize = 2;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Batch {
    #[serde(default)]
    identities: Option<Vec<Patch>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Patch {
    create: Create,
    patch_id: Option<Uuid>,
}

/// `PATCH /admin/identities`: makes each identity or says why not, in the order of the request.
///
/// What is wrong with a body by itself stops everything before anything is made; bad traits and conflicts fail alone.
pub async fn batch(cx: &Cx) -> Reply {
    run(cx).await.unwrap_or_else(Reply::error)
}

async fn run(cx: &Cx) -> Result<Reply, ApiError> {
    let batch: Batch = body::read(&cx.request)?;
    let patches = batch.identities.unwrap_or_default();
    if patches.len() > MOST {
        return Err(ApiError::bad_request(format!("A batch has at most {MOST} identities.")));
    }
    let ids: Vec<Option<Uuid>> = patches.iter().map(|p| p.patch_id).collect();
    let drafts = patches.into_iter().map(|p| draft(cx, p.create, Unknown::Refused)).collect::<Result<Vec<_>, _>>()?;
    if drafts.iter().filter(|d| d.has_clear_password()).count() > MOST_CLEAR_PASSWORDS {
        return Err(ApiError::bad_request(format!("A batch has at most {MOST_CLEAR_PASSWORDS} passwords in clear.")));
    }
    let ready: Vec<Ready> = stream::iter(drafts).map(|draft| draft.prepare(cx)).buffered(HASHES_AT_ONCE).try_collect().await?;

    // Each is the id of an identity to be, or why there will be none.
    let mut outcomes = Vec::with_capacity(ready.len());
    let mut all = Vec::with_capacity(ready.len());
    for ready in ready {
        outcomes.push(ready.build(cx).map(|who| {
            let mut c = Changes::new();
            identity::insert(&mut c, &who);
            all.push(c);
            who.identity.id
        }));
    }
    let mut saved = cx.store().commit_each(all).await.into_iter();
    for outcome in outcomes.iter_mut().filter(|o| o.is_ok()) {
        if let Some(Err(error)) = saved.next() {
            *outcome = Err(unsaved(&error));
        }
    }
    if let [Err(error)] = outcomes.as_slice()
        && error.status == 409
    {
        return Err(error.clone());
    }
    let entries: Vec<Value> = outcomes.iter().zip(ids).map(|(outcome, id)| entry(outcome, id)).collect();
    Ok(Reply::json(200, json!({ "identities": entries })))
}

fn entry(outcome: &Result<Uuid, ApiError>, patch_id: Option<Uuid>) -> Value {
    let mut out = match outcome {
        Ok(id) => json!({ "action": "create", "identity": id }),
        Err(error) => json!({ "action": "error", "error": error.object() }),
    };
    if let Some(id) = patch_id {
        out["patch_id"] = json!(id);
    }
    out
}
