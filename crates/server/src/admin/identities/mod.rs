//! Identities by the admin API.
//!
//! Every change is decided on a fresh read and guarded by the version that was read; when somebody else was faster, it is
//! decided anew. No hook runs for anything here, no mail is sent but, where configured, the notice of a change, and passwords
//! are taken as they are.

mod batch;
mod create;
mod credential;
mod list;
mod patch;
mod pointer;
pub mod record;
mod replace;
mod version;

pub use batch::batch;
pub use create::create;
pub use credential::delete_credential;
pub use list::list;
pub use patch::patch;
pub use replace::replace;

use std::sync::Arc;

use portcullis_core::app::Cx;
use portcullis_core::flow::engine::{Reply, TRIES, store_error};
use portcullis_core::identity::import::ImportError;
use portcullis_core::identity::{self, Taken, notice, view};
use portcullis_model::credential::CredentialType;
use portcullis_model::error::ApiError;
use portcullis_model::identity::IdentityWithCredentials;
use portcullis_model::schema::IdentitySchema;
use portcullis_store::{Changes, StoreError, identities};
use serde_json::Value;
use uuid::Uuid;

/// `GET /admin/identities/{id}`.
pub async fn get(cx: &Cx, id: &str) -> Reply {
    let found = match id_of(id) {
        Ok(id) => load(cx, id).await,
        Err(error) => Err(error),
    };
    found.and_then(|who| shown(cx, &who)).unwrap_or_else(Reply::error)
}

/// `GET /admin/identities/by/external/{id}`.
pub async fn get_by_external_id(cx: &Cx, external_id: &str) -> Reply {
    let found = match identities::get_by_external_id(cx.store(), external_id).await {
        Ok(Some(who)) => Ok(who),
        Ok(None) => Err(ApiError::not_found("There is no identity of this external id.")),
        Err(error) => Err(store_error(&error)),
    };
    found.and_then(|who| shown(cx, &who)).unwrap_or_else(Reply::error)
}

/// `DELETE /admin/identities/{id}`: the identity goes with its sessions and everything of it.
pub async fn delete(cx: &Cx, id: &str) -> Reply {
    let id = match id_of(id) {
        Ok(id) => id,
        Err(error) => return Reply::error(error),
    };
    let mut c = Changes::new();
    if version::is_demanded(cx) {
        let seen = match load(cx, id).await.and_then(|who| version::check(cx, &who.identity).map(|()| who)) {
            Ok(who) => who.identity,
            Err(error) => return Reply::error(error),
        };
        identities::delete_seen(&mut c, &seen);
    } else {
        identities::delete(&mut c, id);
    }
    match cx.store().commit(c).await {
        Ok(_) => Reply::no_content(),
        Err(StoreError::Conflict { .. }) if version::is_demanded(cx) => Reply::error(version::changed()),
        Err(StoreError::Conflict { .. }) => Reply::error(unknown()),
        Err(error) => Reply::error(store_error(&error)),
    }
}

fn shown(cx: &Cx, who: &IdentityWithCredentials) -> Result<Reply, ApiError> {
    let include = included(cx)?;
    Ok(version::tagged(Reply::json(200, view::admin(cx, who, &include)), who))
}

/// The types whose data a request asks for.
fn included(cx: &Cx) -> Result<Vec<CredentialType>, ApiError> {
    let words = cx.request.query.iter().filter(|(key, _)| key == "include_credential");
    words
        .map(|(_, word)| {
            let wrong = || ApiError::bad_request("include_credential must name one type of credential.");
            word.parse().map_err(|_| wrong())
        })
        .collect()
}

/// The id in a path. What is no id names no identity.
fn id_of(text: &str) -> Result<Uuid, ApiError> {
    // The forms with braces or without hyphens are no ids here.
    Uuid::try_parse(text).ok().filter(|_| text.len() == 36).ok_or_else(unknown)
}

fn unknown() -> ApiError {
    ApiError::not_found("There is no identity of this id.")
}

async fn load(cx: &Cx, id: Uuid) -> Result<IdentityWithCredentials, ApiError> {
    identities::get_with_credentials(cx.store(), id).await.map_err(|e| store_error(&e))?.ok_or_else(unknown)
}

/// Changes an identity: reads it, decides, and writes what differs; decides anew if it changed meanwhile, unless the client
/// said which version it means. The decision need not conform the result.
async fn change(
    cx: &Cx,
    id: Uuid,
    decide: impl Fn(&IdentityWithCredentials) -> Result<IdentityWithCredentials, ApiError>,
) -> Result<IdentityWithCredentials, ApiError> {
    let mut failure = None;
    for _ in 0..TRIES {
        let old = load(cx, id).await?;
        version::check(cx, &old.identity)?;
        let mut new = decide(&old)?;
        let schema = schema(cx, &new.identity.schema_id)?;
        identity::conform(cx, &mut new, Some(&old), &schema);
        let mut c = Changes::new();
        identity::update(&mut c, &old, &new);
        if c.is_empty() {
            return Ok(new);
        }
        notice::by_administrator(cx, &mut c, &old, &new).await.map_err(|e| store_error(&e))?;
        match cx.store().commit(c).await {
            Ok(_) => {
                let identity_version = new.identity.version + i64::from(new.identity != old.identity);
                new.identity.credentials_version += i64::from(new.credentials != old.credentials);
                new.identity.version = identity_version;
                return Ok(new);
            }
            Err(error @ StoreError::Conflict { .. }) => failure = Some(error),
            Err(error) => return Err(unsaved(&error)),
        }
    }
    Err(failure.map_or_else(ApiError::internal, |error| unsaved(&error)))
}

/// Why an identity could not be saved.
pub(crate) fn unsaved(error: &StoreError) -> ApiError {
    match identity::conflict(error) {
        Some(Taken::Identifier) => ApiError::conflict("Another identity has one of these identifiers already."),
        Some(Taken::Address) => ApiError::conflict("Another identity has one of these addresses already."),
        Some(Taken::ExternalId) => ApiError::conflict("Another identity has this external id already."),
        None => store_error(error),
    }
}

/// The schema of an id, by which a client may mean its base64url form.
fn schema(cx: &Cx, id: &str) -> Result<Arc<IdentitySchema>, ApiError> {
    cx.snapshot
        .schemas
        .resolve(id)
        .ok_or_else(|| ApiError::bad_request(format!("There is no identity schema with the id {id:?}.")))
}

/// Checks traits by their schema. All that is wrong is told in one text.
fn valid(schema: &IdentitySchema, traits: &Value) -> Result<(), ApiError> {
    let problems = schema.describe_problems(traits);
    if problems.is_empty() {
        Ok(())
    } else {
        Err(ApiError::bad_request(format!("The traits do not fit the identity schema: {}", problems.join(" "))))
    }
}

/// Why credentials could not be imported, as the client is told.
fn not_imported(error: &ImportError) -> ApiError {
    match error {
        ImportError::Busy => ApiError::new(503, "The server is busy. Try again in a moment.").retry_after(1),
        other => ApiError::bad_request(format!("{other}.")),
    }
}

/// An external id as it is kept: an empty one is none. NUL characters are refused: not every database can hold them.
fn external_id(given: Option<String>) -> Result<Option<String>, ApiError> {
    match given.filter(|id| !id.is_empty()) {
        Some(id) if id.contains('\0') => Err(ApiError::bad_request("An external id has no NUL characters.")),
        id => Ok(id),
    }
}

/// An identity as answers to a create or replace show it: `metadata_admin` only if it was given.
fn written(cx: &Cx, who: &IdentityWithCredentials, metadata_admin: bool) -> Value {
    let parts = view::Parts { metadata_admin, ..view::Parts::ADMIN };
    view::with_credentials(cx, who, &[], parts).to_value()
}
