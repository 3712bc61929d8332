//! Passwords that another system knows (`migrate_hook`): it is asked at the first sign-in, and what it says yes to is hashed
//! and kept here from then on.

use portcullis_model::credential::{Credential, CredentialType};
use portcullis_model::error::{ApiError, ErrorId};
use portcullis_model::flow::Flow;
use portcullis_model::identity::IdentityWithCredentials;
use portcullis_store::Changes;
use serde_json::{Value, json};

use super::config;
use crate::app::Cx;
use crate::crypto::Secret;
use crate::flow::engine::{self, FlowError};
use crate::hook;
use crate::identity;
use crate::outbound::{Call, Caller, Occasion, Purpose, Service, ServiceBody, ServiceError};

/// How often the other system is asked while somebody waits.
const TRIES: u32 = 3;

/// Whether another system is to be asked about a credential.
pub(super) fn is_elsewhere(credential: &Credential) -> bool {
    let asks = credential.config.get("use_password_migration_hook").and_then(Value::as_bool).unwrap_or(false);
    asks && super::hash_of(credential).is_none()
}

/// Whether the other system knows this password for this identifier.
///
/// # Errors
/// 502 if it cannot be asked, or answers with anything but yes and no; 500 if there is none.
pub(super) async fn is_right(
    cx: &Cx,
    flow: &Flow,
    who: &IdentityWithCredentials,
    typed: &str,
    password: &str,
) -> Result<bool, FlowError> {
    let hook = &cx.config().selfservice.methods.password.config.migrate_hook;
    let asked = &hook.config;
    let Some(url) = asked.url.as_ref().filter(|_| hook.enabled) else {
        tracing::error!("an account's password is elsewhere, but selfservice.methods.password.config.migrate_hook is not set");
        let told = "This password is known to another system, which is not configured.";
        return Err(FlowError::api(ApiError::new(500, told).id(ErrorId::InvalidConfiguration)));
    };
    let plain = json!({ "identifier": typed, "password": password });
    let mut ctx = hook::context_of_request(cx, flow);
    ctx.insert("identity".into(), identity::view::public(cx, &who.identity));
    ctx.insert("identifier".into(), typed.into());
    ctx.insert("password".into(), password.into());
    let ctx = Value::Object(ctx);
    let service = Service {
        purpose: Purpose::PasswordMigration,
        call: Call { url: url.expose(), method: &asked.method, headers: &asked.headers, auth: asked.auth.as_ref() },
        body: match &asked.body {
            Some(source) => ServiceBody::Jsonnet(source),
            None => ServiceBody::Json(&plain),
        },
        numbered: asked.emit_analytics_event,
    };
    let occasion = Occasion { id: cx.new_id(), ctx: &ctx, tries: TRIES };
    match Caller::new(&cx.app, &cx.snapshot).call(&service, &occasion).await {
        Ok(Some(answer)) if answer.status == 200 => {
            let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            Ok(said.get("status").and_then(Value::as_str) == Some("password_match"))
        }
        Ok(Some(answer)) if answer.status == 403 => Ok(false),
        Ok(Some(answer)) => Err(failed(&format!("it answered with status {}", answer.status))),
        // The template wants nobody to be asked.
        Ok(None) => Ok(false),
        // What Jsonnet says may repeat the password, so it goes nowhere.
        Err(error @ ServiceError::Jsonnet(_)) => {
            tracing::error!(%error, "the migration hook of passwords was not called");
            Err(FlowError::api(ApiError::internal()))
        }
        Err(error) => Err(failed(&error.to_string())),
    }
}

fn failed(reason: &str) -> FlowError {
    tracing::error!(reason, "the migration hook of passwords gave no answer");
    let told = "The system that knows this password cannot be asked at the moment.";
    FlowError::api(ApiError::new(502, told))
}

/// The account with its password kept here.
pub(super) async fn keep(
    cx: &Cx,
    changes: &mut Changes,
    who: &IdentityWithCredentials,
    password: &str,
) -> Result<IdentityWithCredentials, FlowError> {
    let hashed = cx.app.passwords.hash(&cx.hash_settings(), Secret::from(password), cx.hashing_client()).await;
    let hash = hashed.map_err(FlowError::hashing)?;
    let mut new = who.clone();
    for credential in new.credentials.iter_mut().filter(|c| c.kind == CredentialType::Password) {
        credential.config = config(&hash);
        credential.updated_at = cx.now;
    }
    let schema = engine::schema_of(cx, who)?;
    identity::conform(cx, &mut new, Some(who), &schema);
    identity::update(changes, who, &new);
    // What the sign-in itself may change is guarded by what is stored from now on.
    if new.identity != who.identity {
        new.identity.version += 1;
    }
    new.identity.credentials_version += 1;
    Ok(new)
}
