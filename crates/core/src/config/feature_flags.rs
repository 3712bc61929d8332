//! `feature_flags`: behaviour that is new, or on its way out.

use std::time::Duration;

use serde::Deserialize;

use super::value::optional_duration;

/// `feature_flags`.
#[derive(Clone, Debug, Deserialize)]
pub struct FeatureFlags {
    /// Whether whoami tells how long its answer may be cached.
    pub cacheable_sessions: bool,
    /// The longest that it tells; `None`: as long as the session lasts.
    #[serde(default, deserialize_with = "optional_duration")]
    pub cacheable_sessions_max_age: Option<Duration>,
    /// Whether flows lead to each other by `continue_with` instead of errors.
    pub use_continue_with_transitions: bool,
    /// Whether recovery asks which address to use.
    pub choose_recovery_address: bool,
    /// Whether proving oneself again by code offers the addresses.
    pub refresh_login_choose_address: bool,
    /// Whether extending a session answers without the session.
    pub faster_session_extend: bool,
    /// The group of the trait fields in a sign-up with password: `password` or `default`.
    pub password_profile_registration_node_group: String,
    /// Whether trait fields of a social sign-up are in group `oidc`.
    pub legacy_oidc_registration_node_group: bool,
    /// Whether `continue_with` always leads to verification.
    pub legacy_continue_with_verification_ui: bool,
    /// Whether an unverified address is an error in the form.
    pub legacy_require_verified_login_error: bool,
    /// Whether wildcards may cover public suffixes.
    pub legacy_allow_insecure_origins: bool,
}
