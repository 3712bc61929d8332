//! `selfservice.methods.oidc`: social sign-in and its providers.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::value::{Secret, non_empty};

/// `selfservice.methods.oidc`.
#[derive(Clone, Debug, Deserialize)]
pub struct Oidc {
    /// Whether social sign-in is used.
    pub enabled: bool,
    /// How.
    #[serde(default)]
    pub config: OidcConfig,
}

/// `selfservice.methods.oidc.config`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct OidcConfig {
    /// What callback addresses begin with, instead of the public base URL.
    pub base_redirect_uri: Option<String>,
    /// The providers. If two have the same id, the first one counts.
    pub providers: Vec<Provider>,
}

impl OidcConfig {
    /// The provider of that id.
    #[must_use]
    pub fn provider(&self, id: &str) -> Option<&Provider> {
        self.providers.iter().find(|p| p.id == id)
    }
}

/// `selfservice.methods.oidc.config.providers[]`.
#[derive(Clone, Debug, Deserialize)]
pub struct Provider {
    /// Its name in routes and identifiers.
    pub id: String,
    /// Its kind, such as `google` or `generic`.
    #[serde(rename = "provider")]
    pub kind: String,
    /// The text on the button.
    #[serde(default, deserialize_with = "non_empty")]
    pub label: Option<String>,
    /// Who we are to it.
    pub client_id: String,
    /// The secret that proves it; empty for Apple.
    #[serde(default)]
    pub client_secret: Secret,
    /// The issuer, for discovery.
    #[serde(default, deserialize_with = "non_empty")]
    pub issuer_url: Option<String>,
    /// Where browsers are sent, without discovery.
    #[serde(default, deserialize_with = "non_empty")]
    pub auth_url: Option<String>,
    /// Where codes are exchanged, without discovery.
    #[serde(default, deserialize_with = "non_empty")]
    pub token_url: Option<String>,
    /// The URL of the Jsonnet that turns claims into traits.
    pub mapper_url: String,
    /// The scopes asked for.
    #[serde(default)]
    pub scope: Vec<String>,
    /// The claims asked for, by `userinfo` and `id_token` (OpenID Connect Core 1.0, section 5.5).
    #[serde(default)]
    pub requested_claims: Map<String, Value>,
    /// Microsoft: the tenant.
    #[serde(default)]
    pub microsoft_tenant: Option<String>,
    /// Microsoft: what names a person: `userinfo`, `me` or `oid`.
    pub subject_source: String,
    /// Apple: the team.
    #[serde(default)]
    pub apple_team_id: Option<String>,
    /// Apple: the key's name.
    #[serde(default)]
    pub apple_private_key_id: Option<String>,
    /// Apple: the key, as PEM.
    #[serde(default)]
    pub apple_private_key: Option<Secret>,
    /// The organization whose people it is for: it is not offered to anybody else.
    #[serde(default, deserialize_with = "non_empty")]
    pub organization_id: Option<String>,
    /// Further client ids in ID tokens that apps send.
    #[serde(default)]
    pub additional_id_token_audiences: Vec<String>,
    /// Values of `acr` that count as two factors.
    #[serde(default)]
    pub aal2_acr_values: Vec<String>,
    /// Values of `amr` that count as two factors.
    #[serde(default)]
    pub aal2_amr_values: Vec<String>,
    /// Where claims come from.
    pub claims_source: ClaimsSource,
    /// When PKCE (RFC 7636) is used.
    pub pkce: Pkce,
    /// The provider's FedCM file.
    #[serde(default)]
    pub fedcm_config_url: Option<String>,
    /// netID: the origin for its token exchange.
    #[serde(default)]
    pub net_id_token_origin_header: Option<String>,
    /// How an account with the same address is joined.
    pub account_linking_mode: AccountLinking,
    /// Whether traits are made anew at every sign-in.
    pub update_identity_on_login: UpdateOnLogin,
}

/// Where a provider's claims come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaimsSource {
    /// The ID token.
    IdToken,
    /// The userinfo endpoint.
    Userinfo,
}

/// When PKCE (RFC 7636) is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pkce {
    /// When discovery tells that the provider knows it.
    Auto,
    /// Never.
    Never,
    /// Always.
    Force,
}

/// How a social account joins an account with the same address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountLinking {
    /// After one more proof with a credential of that account.
    ConfirmWithExistingCredential,
    /// At once.
    Automatic,
}

/// Whether traits are made anew at every social sign-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UpdateOnLogin {
    /// Never.
    Never,
    /// Always.
    Automatic,
}
