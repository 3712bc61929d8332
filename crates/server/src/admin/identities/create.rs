//! Creating identities: one by one, and the shared part of batches.

use portcullis_core::app::Cx;
use portcullis_core::flow::engine::Reply;
use portcullis_core::identity::import::{self, Import, Prepared, Unknown};
use portcullis_core::identity::{self, blank};
use portcullis_model::credential::CredentialType;
use portcullis_model::error::ApiError;
use portcullis_model::identity::{IdentityWithCredentials, State, VerifiableAddress};
use portcullis_store::Changes;
use serde_json::Value;
use uuid::Uuid;

use super::super::body::{self, Create};
use super::{external_id, not_imported, schema, unsaved, valid, version, written};

/// An identity to be made, as far as its body alone can be judged.
pub(super) struct Draft {
    /// The id; a new one if there is none.
    id: Option<Uuid>,
    schema_id: Option<String>,
    traits: Option<Value>,
    state: State,
    addresses: Vec<VerifiableAddress>,
    metadata_public: Value,
    metadata_admin: Option<Value>,
    external_id: Option<String>,
    organization_id: Option<Uuid>,
    import: Import,
}

/// A draft whose passwords are hashed.
pub(super) struct Ready {
    draft: Draft,
    credentials: Prepared,
}

/// Judges a body by itself: state, region, addresses, credentials.
pub(super) fn draft(cx: &Cx, body: Create, unknown: Unknown) -> Result<Draft, ApiError> {
    body::region(body.region.as_deref())?;
    let state = body::state(body.state.as_deref())?.unwrap_or_default();
    let addresses = body.verifiable_addresses.unwrap_or_default();
    Ok(Draft {
        id: None,
        schema_id: body.schema_id.filter(|id| !id.is_empty()),
        traits: body.traits,
        state,
        addresses: addresses.into_iter().map(|a| body::Address::from(a).known(cx.now)).collect::<Result<_, _>>()?,
        metadata_public: body.metadata_public.unwrap_or_default(),
        metadata_admin: body.metadata_admin,
        external_id: external_id(body.external_id)?,
        organization_id: body.organization_id,
        import: import::read(body.credentials.as_ref(), unknown).map_err(|e| not_imported(&e))?,
    })
}

impl Draft {
    /// With an id that it had before.
    pub(super) fn with_id(self, id: Option<Uuid>) -> Self {
        Self { id, ..self }
    }

    /// Whether making it takes hashing a password.
    pub(super) fn has_clear_password(&self) -> bool {
        self.import.has_clear_password()
    }

    /// Hashes its password.
    pub(super) async fn prepare(mut self, cx: &Cx) -> Result<Ready, ApiError> {
        let import = std::mem::take(&mut self.import);
        let credentials = import.prepare(cx).await.map_err(|e| not_imported(&e))?;
        Ok(Ready { draft: self, credentials })
    }
}

impl Ready {
    /// Judges it by its schema, and makes the identity, not yet stored.
    pub(super) fn build(self, cx: &Cx) -> Result<IdentityWithCredentials, ApiError> {
        let Self { draft, credentials } = self;
        let schema = match &draft.schema_id {
            Some(id) => schema(cx, id)?,
            None => cx.snapshot.schemas.default_schema(),
        };
        let traits = body::traits(draft.traits)?;
        valid(&schema, &traits)?;
        let mut who = blank(cx, schema.id(), traits);
        let identity = &mut who.identity;
        identity.id = draft.id.unwrap_or(identity.id);
        identity.state = draft.state;
        identity.verifiable_addresses = draft.addresses;
        identity.metadata_public = draft.metadata_public;
        identity.metadata_admin = draft.metadata_admin.unwrap_or_default();
        identity.external_id = draft.external_id;
        identity.organization_id = draft.organization_id;
        credentials.apply_to(cx, &mut who);
        identity::conform(cx, &mut who, None, &schema);
        Ok(who)
    }
}

/// `POST /admin/identities`.
pub async fn create(cx: &Cx) -> Reply {
    make(cx).await.unwrap_or_else(Reply::error)
}

async fn make(cx: &Cx) -> Result<Reply, ApiError> {
    let draft = draft(cx, body::read(&cx.request)?, Unknown::Refused)?;
    let metadata_admin = draft.metadata_admin.is_some();
    // Judged before the password is hashed would be cheaper, but a client that can come here may do anything anyway.
    let mut who = draft.prepare(cx).await?.build(cx)?;
    let mut c = Changes::new();
    identity::insert(&mut c, &who);
    cx.store().commit(c).await.map_err(|e| unsaved(&e))?;
    let base = cx.config().admin_base_url().as_str().trim_end_matches('/').to_owned();
    let location = format!("{base}/identities/{}", who.identity.id);
    // Clients know what was just made with version 0, except for codes, and with the true version from the next read on.
    who.credentials.iter_mut().filter(|c| c.kind != CredentialType::Code).for_each(|c| c.version = 0);
    Ok(version::tagged(Reply::json(201, written(cx, &who, metadata_admin)), &who).header("location", location))
}
