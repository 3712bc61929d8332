//! Services that speak OAuth 2.0 at addresses of their own: where those are, and what each wants differently.

use reqwest::header::{CONTENT_TYPE, HeaderValue};
use serde_json::json;
use url::Url;

use super::base_of;
use crate::app::Cx;
use crate::config::oidc::Provider;
use crate::oidc::token::{accepts_json, json_of};
use crate::oidc::{OidcError, Tokens, ask};
use crate::outbound::{Method, Request, Trust};

/// A service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    Amazon,
    Auth0,
    Dingtalk,
    Discord,
    Facebook,
    /// GitHub, by an OAuth app: the scopes that were granted are told.
    Github,
    /// GitHub, by a GitHub app: it has permissions instead of scopes.
    GithubApp,
    Gitlab,
    Lark,
    Linkedin,
    Patreon,
    Salesforce,
    Slack,
    Spotify,
    Uaepass,
    Vk,
    Yandex,
}

impl Service {
    pub(super) fn of(word: &str) -> Option<Self> {
        Some(match word {
            "amazon" => Self::Amazon,
            "auth0" => Self::Auth0,
            "dingtalk" => Self::Dingtalk,
            "discord" => Self::Discord,
            "facebook" => Self::Facebook,
            "github" => Self::Github,
            "github-app" => Self::GithubApp,
            "gitlab" => Self::Gitlab,
            "lark" => Self::Lark,
            "linkedin" => Self::Linkedin,
            "patreon" => Self::Patreon,
            "salesforce" => Self::Salesforce,
            "slack" => Self::Slack,
            "spotify" => Self::Spotify,
            "uaepass" => Self::Uaepass,
            "vk" => Self::Vk,
            "yandex" => Self::Yandex,
            _ => return None,
        })
    }

    /// Where a service stands that can stand anywhere; `None` for those that stand where they do.
    pub(super) fn base(self, provider: &Provider) -> Result<Option<String>, OidcError> {
        let configured = provider.issuer_url.as_deref();
        Ok(match self {
            Self::Gitlab => Some(base_of(configured, "https://gitlab.com")),
            Self::Salesforce => Some(base_of(configured, "https://login.salesforce.com")),
            Self::Uaepass => Some(base_of(configured, "https://id.uaepass.ae")),
            Self::Auth0 => Some(base_of(Some(configured.ok_or(OidcError::Configuration("it has no issuer_url"))?), "")),
            _ => None,
        })
    }

    /// The issuer whose document tells whether the service knows PKCE: only of those that can stand anywhere, where it is
    /// configured.
    pub(super) fn issuer(self, provider: &Provider) -> Option<&str> {
        match self {
            Self::Gitlab | Self::Salesforce | Self::Auth0 => provider.issuer_url.as_deref(),
            _ => None,
        }
    }

    /// What stands for the issuer in claims, where the profile names none.
    pub(super) fn name(self, provider: &Provider) -> Result<String, OidcError> {
        if let Some(base) = self.base(provider)? {
            return Ok(provider.issuer_url.clone().unwrap_or(base));
        }
        Ok(match self {
            Self::Discord => "https://discord.com/api/oauth2/".to_owned(),
            Self::Dingtalk => "https://api.dingtalk.com/v1.0/contact/users/me".to_owned(),
            Self::Facebook => "https://graph.facebook.com/me".to_owned(),
            Self::Lark => "https://passport.feishu.cn/suite/passport/oauth/userinfo".to_owned(),
            Self::Linkedin => "https://login.linkedin.com/".to_owned(),
            Self::Patreon => "https://www.patreon.com/".to_owned(),
            Self::Slack => "https://slack.com/oauth/".to_owned(),
            Self::Vk => "https://api.vk.com/method/users.get".to_owned(),
            Self::Yandex => "https://login.yandex.ru/info".to_owned(),
            _ => self.places(provider)?.1,
        })
    }

    /// The authorization endpoint and the token endpoint.
    pub(super) fn places(self, provider: &Provider) -> Result<(String, String), OidcError> {
        if let Some(base) = self.base(provider)? {
            let (authorization, token) = match self {
                Self::Auth0 => ("/authorize", "/oauth/token"),
                Self::Salesforce => ("/services/oauth2/authorize", "/services/oauth2/token"),
                Self::Uaepass => ("/idshub/authorize", "/idshub/token"),
                _ => ("/oauth/authorize", "/oauth/token"),
            };
            return Ok((format!("{base}{authorization}"), format!("{base}{token}")));
        }
        let (authorization, token) = match self {
            Self::Amazon => ("https://www.amazon.com/ap/oa", "https://api.amazon.com/auth/o2/token"),
            Self::Dingtalk => ("https://login.dingtalk.com/oauth2/auth", "https://api.dingtalk.com/v1.0/oauth2/userAccessToken"),
            Self::Discord => ("https://discord.com/oauth2/authorize", "https://discord.com/api/oauth2/token"),
            Self::Facebook => ("https://facebook.com/dialog/oauth", "https://graph.facebook.com/oauth/access_token"),
            Self::Lark => (
                "https://passport.feishu.cn/suite/passport/oauth/authorize",
                "https://passport.feishu.cn/suite/passport/oauth/token",
            ),
            Self::Linkedin => {
                ("https://www.linkedin.com/oauth/v2/authorization", "https://www.linkedin.com/oauth/v2/accessToken")
            }
            Self::Patreon => ("https://www.patreon.com/oauth2/authorize", "https://www.patreon.com/api/oauth2/token"),
            Self::Slack => ("https://slack.com/oauth/authorize", "https://slack.com/api/oauth.access"),
            Self::Spotify => ("https://accounts.spotify.com/authorize", "https://accounts.spotify.com/api/token"),
            Self::Vk => ("https://oauth.vk.com/authorize", "https://oauth.vk.com/access_token"),
            Self::Yandex => ("https://oauth.yandex.com/authorize", "https://oauth.yandex.com/token"),
            // Those that can stand anywhere were answered above.
            Self::Github | Self::GithubApp | Self::Auth0 | Self::Gitlab | Self::Salesforce | Self::Uaepass => {
                ("https://github.com/login/oauth/authorize", "https://github.com/login/oauth/access_token")
            }
        };
        Ok((authorization.to_owned(), token.to_owned()))
    }

    /// The scopes as the authorization endpoint takes them.
    pub(super) fn scope(self, asked: &[&str]) -> String {
        match self {
            Self::Slack => asked.join(","),
            Self::Facebook if !asked.contains(&"openid") => [asked, &["openid"]].concat().join(" "),
            // It refuses requests with any other.
            Self::Amazon => {
                let known = asked.iter().filter(|s| matches!(**s, "profile" | "profile:user_id" | "postal_code"));
                known.copied().collect::<Vec<_>>().join(" ")
            }
            _ => asked.join(" "),
        }
    }

    /// Whether the answer tells which scopes were granted, and all that were asked for must be among them.
    pub(super) fn tells_scopes(self) -> bool {
        matches!(self, Self::Discord | Self::Github | Self::Slack | Self::Spotify)
    }

    pub(super) fn extras(self, again: bool) -> Vec<(&'static str, &'static str)> {
        match self {
            // It would ask for consent each time.
            Self::Discord | Self::Patreon => vec![("prompt", if again { "consent" } else { "none" })],
            Self::Dingtalk => vec![("prompt", "consent")],
            // Its own word for proving oneself anew.
            Self::Facebook if again => vec![("auth_type", "reauthenticate")],
            Self::Uaepass => vec![("acr_values", "urn:safelayer:tws:policies:authentication:level:low")],
            _ => Vec::new(),
        }
    }

    /// Whether PKCE is used although no document announces it.
    pub(super) fn knows_pkce(self) -> bool {
        self == Self::Uaepass
    }

    /// Whether the client's secret goes into the body, because HTTP Basic is not known there.
    pub(super) fn wants_secret_in_body(self) -> bool {
        matches!(
            self,
            Self::Github
                | Self::GithubApp
                | Self::Facebook
                | Self::Lark
                | Self::Linkedin
                | Self::Patreon
                | Self::Salesforce
                | Self::Slack
                | Self::Vk
        )
    }

    /// Whether its token endpoint is not that of the standard.
    pub(super) fn has_own_exchange(self) -> bool {
        self == Self::Dingtalk
    }

    /// Redeems a code in a way of its own.
    pub(super) async fn exchange(self, cx: &Cx, provider: &Provider, endpoint: &str, code: &str) -> Result<Tokens, OidcError> {
        const ENDPOINT: &str = "the token endpoint";
        let url = Url::parse(endpoint).map_err(|_| OidcError::upstream(ENDPOINT, "its address is no URL"))?;
        let mut request = Request::new(Method::POST, url, Trust::Operator);
        request.headers = accepts_json();
        request.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let body = json!({
            "clientId": provider.client_id, "clientSecret": provider.client_secret.expose(), "code": code,
            "grantType": "authorization_code",
        });
        request.body = body.to_string().into();
        let told = json_of(ENDPOINT, &ask(cx, ENDPOINT, request).await?)?;
        let text = |name: &str| told.get(name).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
        let tokens = Tokens { access: text("accessToken"), refresh: text("refreshToken"), ..Tokens::default() };
        if tokens.access.is_empty() {
            return Err(OidcError::upstream(ENDPOINT, "it gives no access token"));
        }
        Ok(tokens)
    }
}
