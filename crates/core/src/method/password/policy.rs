//! Which passwords are good enough, and how it is told.

use portcullis_model::error::{ApiError, ErrorId};
use portcullis_model::message::{Message, validation};

use crate::app::Cx;
use crate::crypto::Secret;
use crate::crypto::password::policy::{self, BreachSettings, PolicySettings, PolicyViolation};
use crate::flow::engine::FlowError;

/// Checks a new password against the policy.
///
/// # Errors
/// The first rule that it breaks, at the node `password`; 502 `upstream_error` if the leak list cannot be asked and that is
/// not to be overlooked.
pub(super) async fn check(cx: &Cx, password: &str, identifiers: &[String]) -> Result<(), FlowError> {
    let configured = &cx.config().selfservice.methods.password.config;
    let settings = PolicySettings {
        min_length: configured.min_password_length,
        refuse_similar: configured.identifier_similarity_check_enabled,
        breaches: configured.haveibeenpwned_enabled.then(|| BreachSettings {
            host: configured.haveibeenpwned_host.clone(),
            max_breaches: configured.max_breaches,
            ignore_network_errors: configured.ignore_network_errors,
        }),
    };
    let hasher = cx.hash_settings().algorithm;
    match policy::check(&settings, hasher, &cx.snapshot.outbound, &Secret::from(password), identifiers).await {
        Ok(None) => Ok(()),
        Ok(Some(violation)) => Err(FlowError::tell_at("password", told(&violation))),
        Err(error) => {
            tracing::warn!(%error, "the list of leaked passwords cannot be asked");
            Err(FlowError::api(
                ApiError::new(502, "The list of leaked passwords cannot be asked at the moment.").id(ErrorId::UpstreamError),
            ))
        }
    }
}

fn told(violation: &PolicyViolation) -> Message {
    match *violation {
        PolicyViolation::TooShort { min_length, actual_length } => {
            validation::password_too_short(min_length as u64, actual_length as u64)
        }
        PolicyViolation::TooSimilar => validation::password_like_identifier(),
        PolicyViolation::TooLong { max_length, actual_length } => {
            validation::password_too_long(max_length as u64, actual_length as u64)
        }
        PolicyViolation::Breached { breaches } => validation::password_breached(breaches),
        PolicyViolation::ContainsNul => validation::password_refused("it contains a character that cannot be stored"),
    }
}
