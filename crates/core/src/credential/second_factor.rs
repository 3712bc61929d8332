//! What checking a second factor of somebody signed in takes, whichever it is.

use portcullis_model::credential::CredentialType;
use portcullis_model::error::ApiError;
use portcullis_model::flow::Flow;
use portcullis_model::identity::{Identity, IdentityWithCredentials};
use portcullis_model::session::Session;
use portcullis_store::{Changes, credentials, identities};
use serde_json::Value;

use crate::app::Cx;
use crate::flow::engine::FlowError;

/// Whose factor is checked: whoever is signed in, with their credentials as they are now.
///
/// # Errors
/// 401 without a session, or if the account is gone.
pub async fn whose(cx: &Cx, signed_in: Option<(&Session, &Identity)>) -> Result<IdentityWithCredentials, FlowError> {
    let nobody = || FlowError::api(ApiError::unauthorized("A second factor needs a first: sign in before."));
    let (_, identity) = signed_in.ok_or_else(nobody)?;
    identities::get_with_credentials(cx.store(), identity.id).await.map_err(FlowError::Store)?.ok_or_else(nobody)
}

/// Whether a sign-in form offers a factor: if it is set up, or was when the form first offered it. Whoever sees the field
/// and uses it is told what became of the factor.
pub fn offers(flow: &mut Flow, method: &str, is_set_up: bool) -> bool {
    if is_set_up {
        flow.methods.insert(method.to_owned(), Value::Bool(true));
    }
    flow.methods.contains_key(method)
}

/// Writes down that a one-time thing in a credential's data was used. Guards: the data is still what was read, and so are
/// all credentials; so it is used once, and nobody who read them before puts the old data back.
pub fn spend(cx: &Cx, changes: &mut Changes, who: &mut IdentityWithCredentials, kind: CredentialType, new: Value) {
    let id = who.identity.id;
    let seen = who.identity.credentials_version;
    if let Some(credential) = who.credentials.iter_mut().find(|c| c.kind == kind) {
        credentials::replace_config(changes, id, kind, &new, &credential.config, cx.now);
        identities::touch_credentials(changes, id, seen);
        credential.config = new;
        credential.updated_at = cx.now;
        who.identity.credentials_version = seen.saturating_add(1);
    }
}
