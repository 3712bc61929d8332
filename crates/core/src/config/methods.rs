//! `selfservice.methods`: the ways to prove or change something. Social sign-in has a file of its own.

use std::time::Duration;

use serde::Deserialize;

use super::clients::Headers;
use super::clients::HttpAuth;
use super::oidc::Oidc;
use super::value::{Secret, duration, non_empty, optional_duration};

/// `selfservice.methods`.
#[derive(Clone, Debug, Deserialize)]
pub struct Methods {
    /// Editing one's traits.
    pub profile: Switch,
    /// Passwords.
    pub password: Password,
    /// One-time codes.
    pub code: Code,
    /// One-time links.
    pub link: Link,
    /// Authenticator apps.
    pub totp: Totp,
    /// Backup codes.
    pub lookup_secret: Switch,
    /// Security keys.
    pub webauthn: WebAuthn,
    /// Passkeys.
    pub passkey: Passkey,
    /// Social sign-in.
    pub oidc: Oidc,
}

/// A method that can only be switched on and off.
#[derive(Clone, Debug, Deserialize)]
pub struct Switch {
    /// Whether it is used.
    pub enabled: bool,
}

/// `selfservice.methods.password`.
#[derive(Clone, Debug, Deserialize)]
pub struct Password {
    /// Whether passwords are used.
    pub enabled: bool,
    /// How.
    pub config: PasswordConfig,
}

/// `selfservice.methods.password.config`.
#[derive(Clone, Debug, Deserialize)]
pub struct PasswordConfig {
    /// The fewest characters of a password.
    pub min_password_length: usize,
    /// Whether passwords that resemble the identifier are refused.
    pub identifier_similarity_check_enabled: bool,
    /// Whether a service is asked for leaked passwords.
    pub haveibeenpwned_enabled: bool,
    /// The host of that service.
    pub haveibeenpwned_host: String,
    /// How many leaks are tolerated.
    pub max_breaches: u64,
    /// Whether passwords pass when the service fails.
    pub ignore_network_errors: bool,
    /// Asking another system about passwords that are not known yet.
    pub migrate_hook: MigrateHook,
}

/// `selfservice.methods.password.config.migrate_hook`.
#[derive(Clone, Debug, Deserialize)]
pub struct MigrateHook {
    /// Whether that is done.
    pub enabled: bool,
    /// How.
    pub config: MigrateHookConfig,
}

/// `selfservice.methods.password.config.migrate_hook.config`.
#[derive(Clone, Debug, Deserialize)]
pub struct MigrateHookConfig {
    /// What is called.
    #[serde(default)]
    pub url: Option<Secret>,
    /// The HTTP method: always `POST`.
    pub method: String,
    /// Headers that it is sent.
    #[serde(default)]
    pub headers: Headers,
    /// The URL of a Jsonnet template of the body; `None`: identifier and password as JSON.
    #[serde(default)]
    pub body: Option<String>,
    /// How the call proves itself.
    #[serde(default)]
    pub auth: Option<HttpAuth>,
    /// Whether the call is numbered in its headers.
    pub emit_analytics_event: bool,
}

/// `selfservice.methods.code`.
#[derive(Clone, Debug, Deserialize)]
pub struct Code {
    /// As written; see [`Code::is_enabled`].
    pub enabled: bool,
    /// Whether people sign in by code alone.
    pub passwordless_enabled: bool,
    /// Whether a code is a second factor. Never together with `passwordless_enabled`.
    pub mfa_enabled: bool,
    /// How.
    pub config: CodeConfig,
}

impl Code {
    /// Whether codes are used at all: signing in by code needs them.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.enabled || self.passwordless_enabled
    }
}

/// `selfservice.methods.code.config`.
#[derive(Clone, Debug, Deserialize)]
pub struct CodeConfig {
    /// How long a code is good.
    #[serde(deserialize_with = "duration")]
    pub lifespan: Duration,
    /// How many tries a flow has, 1 to 255.
    pub max_submissions: u32,
    /// Whether people without a code credential may sign in by code.
    pub missing_credential_fallback_enabled: bool,
}

/// `selfservice.methods.link`.
#[derive(Clone, Debug, Deserialize)]
pub struct Link {
    /// Whether links are used.
    pub enabled: bool,
    /// How.
    pub config: LinkConfig,
}

/// `selfservice.methods.link.config`.
#[derive(Clone, Debug, Deserialize)]
pub struct LinkConfig {
    /// What links begin with, instead of the public base URL.
    #[serde(default, deserialize_with = "non_empty")]
    pub base_url: Option<String>,
    /// How long a link is good.
    #[serde(deserialize_with = "duration")]
    pub lifespan: Duration,
}

/// `selfservice.methods.totp`.
#[derive(Clone, Debug, Deserialize)]
pub struct Totp {
    /// Whether authenticator apps are used.
    pub enabled: bool,
    /// How.
    #[serde(default)]
    pub config: TotpConfig,
}

/// `selfservice.methods.totp.config`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct TotpConfig {
    /// The name that apps show; `None`: the public host.
    #[serde(deserialize_with = "non_empty")]
    pub issuer: Option<String>,
}

/// `selfservice.methods.webauthn`.
#[derive(Clone, Debug, Deserialize)]
pub struct WebAuthn {
    /// Whether security keys are used. If so, `config.rp` is there.
    pub enabled: bool,
    /// How.
    #[serde(default)]
    pub config: WebAuthnConfig,
}

/// `selfservice.methods.webauthn.config`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct WebAuthnConfig {
    /// Whether keys are a first factor instead of a second.
    pub passwordless: bool,
    /// Who keys are bound to.
    pub rp: Option<RelyingParty>,
}

/// `rp` of security keys and passkeys.
#[derive(Clone, Debug, Deserialize)]
pub struct RelyingParty {
    /// The domain that keys are bound to.
    pub id: String,
    /// The name that browsers show.
    pub display_name: String,
    /// Old: the one origin of pages. See [`RelyingParty::origins`].
    #[serde(default)]
    origin: Option<String>,
    #[serde(default)]
    origins: Vec<String>,
}

impl RelyingParty {
    /// The origins of pages as configured; empty: the scheme of the public base URL and the id.
    #[must_use]
    pub fn origins(&self) -> Vec<&str> {
        self.origins.iter().chain(&self.origin).map(String::as_str).collect()
    }
}

/// `selfservice.methods.passkey`.
#[derive(Clone, Debug, Deserialize)]
pub struct Passkey {
    /// Whether passkeys are used. If so, `config.rp` is there.
    pub enabled: bool,
    /// How.
    pub config: PasskeyConfig,
}

/// `selfservice.methods.passkey.config`.
#[derive(Clone, Debug, Deserialize)]
pub struct PasskeyConfig {
    /// Who passkeys are bound to.
    #[serde(default)]
    pub rp: Option<RelyingParty>,
    /// Which authenticators will do.
    pub authenticator_selection: AuthenticatorSelection,
    /// What authenticators tell of their make.
    pub attestation: Attestation,
    /// How long people have.
    #[serde(default)]
    pub timeouts: Timeouts,
}

/// `selfservice.methods.passkey.config.authenticator_selection`: the words of the Web Authentication API.
#[derive(Clone, Debug, Deserialize)]
pub struct AuthenticatorSelection {
    /// `platform` or `cross-platform`; `None`: any.
    #[serde(default)]
    pub attachment: Option<String>,
    /// `required`, `preferred` or `discouraged`.
    pub resident_key: String,
    /// `required`, `preferred` or `discouraged`.
    pub user_verification: String,
}

/// `selfservice.methods.passkey.config.attestation`.
#[derive(Clone, Debug, Deserialize)]
pub struct Attestation {
    /// `none`, `indirect`, `direct` or `enterprise`.
    pub preference: String,
}

/// `selfservice.methods.passkey.config.timeouts`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Timeouts {
    /// Time to make a passkey; `None`: five minutes.
    #[serde(deserialize_with = "optional_duration")]
    pub registration: Option<Duration>,
    /// Time to sign in with one; `None`: five minutes.
    #[serde(deserialize_with = "optional_duration")]
    pub login: Option<Duration>,
}
