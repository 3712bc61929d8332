//! Replacing an identity.

use portcullis_core::app::Cx;
use portcullis_core::flow::engine::Reply;
use portcullis_core::identity::import::{self, Unknown};
use portcullis_model::error::ApiError;

use super::super::body::{self, Replace};
use super::{change, external_id, id_of, load, not_imported, schema, valid, version, written};

/// `PUT /admin/identities/{id}`: traits, metadata and external id are what the body says, none if it says nothing.
/// Schema, state and credentials that it does not name stay.
pub async fn replace(cx: &Cx, id: &str) -> Reply {
    put(cx, id).await.unwrap_or_else(Reply::error)
}

async fn put(cx: &Cx, id: &str) -> Result<Reply, ApiError> {
    let body: Replace = body::read_as_json(&cx.request)?;
    let id = id_of(id)?;
    version::check(cx, &load(cx, id).await?.identity)?;
    body::region(body.region.as_deref())?;
    let state = body::state(body.state.as_deref())?;
    let import = import::read(body.credentials.as_ref(), Unknown::Ignored).map_err(|e| not_imported(&e))?;
    // Hashing takes long: it is done before the identity is read for the change, not between reading and writing it.
    let credentials = import.prepare(cx).await.map_err(|e| not_imported(&e))?;
    let traits = body::traits(body.traits)?;
    let who = change(cx, id, |old| {
        let mut new = old.clone();
        if let Some(named) = body.schema_id.as_deref().filter(|id| !id.is_empty()) {
            schema(cx, named)?.id().clone_into(&mut new.identity.schema_id);
        }
        valid(&*schema(cx, &new.identity.schema_id)?, &traits)?;
        let identity = &mut new.identity;
        identity.traits = traits.clone();
        identity.metadata_public = body.metadata_public.clone().unwrap_or_default();
        identity.metadata_admin = body.metadata_admin.clone().unwrap_or_default();
        identity.external_id = external_id(body.external_id.clone())?;
        identity.state = state.unwrap_or(identity.state);
        credentials.apply_to(cx, &mut new);
        Ok(new)
    })
    .await?;
    Ok(version::tagged(Reply::json(200, written(cx, &who, body.metadata_admin.is_some())), &who))
}
