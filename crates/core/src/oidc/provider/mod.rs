//! The types of providers: where each sends people, how it is asked for tokens, and where it tells who they are.
//!
//! Most speak OpenID Connect and are found by their issuer's document (`openid`). The others speak OAuth 2.0 with a profile
//! of their own (`fixed` has their addresses, `profile` what their profiles mean); one speaks OAuth 1.0a (`oauth1`).

mod apple;
mod fixed;
mod oauth1;
mod openid;
mod profile;

use portcullis_model::clock::random_text;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use super::token::{Exchange, Proof};
use super::{Challenge, Claims, OidcError, Tokens};
use crate::app::Cx;
use crate::config::Secret;
use crate::config::oidc::{Pkce, Provider};

/// The type of a provider, by its word in the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Generic,
    Google,
    Microsoft,
    Apple,
    Netid,
    Line,
    LinkedinV2,
    FedcmTest,
    X,
    Fixed(fixed::Service),
}

impl Kind {
    fn of(provider: &Provider) -> Result<Self, OidcError> {
        Ok(match provider.kind.as_str() {
            "generic" => Self::Generic,
            "google" => Self::Google,
            "microsoft" => Self::Microsoft,
            "apple" => Self::Apple,
            "netid" => Self::Netid,
            "line" => Self::Line,
            "linkedin_v2" => Self::LinkedinV2,
            "fedcm-test" => Self::FedcmTest,
            "x" => Self::X,
            other => Self::Fixed(fixed::Service::of(other).ok_or(OidcError::Configuration("its type is not known"))?),
        })
    }
}

/// Somebody is to be sent to a provider.
pub struct Departure<'a> {
    /// Where they are to come back to.
    pub redirect_uri: &'a str,
    /// What comes back with them.
    pub state: &'a str,
    /// Whether they are to prove themselves anew there.
    pub again: bool,
    /// What the form wants to be passed on.
    pub upstream: &'a [(String, String)],
}

/// What is kept of a departure until the return.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Ticket {
    /// What redeems the code, where PKCE is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    verifier: Option<String>,
    /// What the ID token must repeat, where the provider was sent one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nonce: Option<String>,
    /// OAuth 1.0a: the request token and its secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    request_token: Option<(String, String)>,
}

/// Where somebody is sent, and what is kept for their return.
pub async fn depart(cx: &Cx, provider: &Provider, departure: &Departure<'_>) -> Result<(String, Ticket), OidcError> {
    let kind = Kind::of(provider)?;
    if kind == Kind::X {
        return oauth1::depart(cx, provider, departure).await;
    }
    let places = Places::of(cx, provider, kind).await?;
    let mut url = Url::parse(&places.authorization).map_err(|_| OidcError::Configuration("its address is no URL"))?;
    let challenge = uses_pkce(cx, provider, kind).await.then(|| Challenge::new(cx.rng()));
    let nonce = repeats_nonce(kind).then(|| nonce(cx));
    {
        let mut query = url.query_pairs_mut();
        query.append_pair("client_id", &provider.client_id);
        query.append_pair("redirect_uri", departure.redirect_uri).append_pair("response_type", "code");
        let scope = scope(provider, kind);
        if !scope.is_empty() {
            query.append_pair("scope", &scope);
        }
        query.append_pair("state", departure.state);
        if let Some(challenge) = &challenge {
            query.append_pair("code_challenge", &challenge.challenge).append_pair("code_challenge_method", "S256");
        }
        if let Some(nonce) = &nonce {
            query.append_pair("nonce", nonce);
        }
        if !provider.requested_claims.is_empty() {
            query.append_pair("claims", &Value::Object(provider.requested_claims.clone()).to_string());
        }
        let mut more: Vec<(String, String)> = Vec::new();
        let mut set = |name: &str, value: &str| {
            more.retain(|(known, _)| known != name);
            more.push((name.to_owned(), value.to_owned()));
        };
        if departure.again {
            set("prompt", "login");
        }
        for (name, value) in extras(provider, kind, departure.again) {
            set(name, value);
        }
        for (name, value) in departure.upstream {
            // What is to be proved anew cannot be talked out of it.
            if !(departure.again && name == "prompt") {
                set(name, value);
            }
        }
        query.extend_pairs(more);
    }
    Ok((url.into(), Ticket { verifier: challenge.map(|c| c.verifier), nonce, request_token: None }))
}

/// What a provider's authorization endpoint is sent besides what all are sent.
fn extras(provider: &Provider, kind: Kind, again: bool) -> Vec<(&'static str, &'static str)> {
    match kind {
        Kind::Google if provider.scope.iter().any(|s| s == "offline_access") => vec![("access_type", "offline")],
        // Apple shows names and addresses to forms only.
        Kind::Apple if provider.scope.iter().any(|s| s == "name" || s == "email") => vec![("response_mode", "form_post")],
        Kind::Fixed(service) => service.extras(again),
        _ => Vec::new(),
    }
}

/// The scopes as they are asked for.
fn scope(provider: &Provider, kind: Kind) -> String {
    let mut scope: Vec<&str> = provider.scope.iter().map(String::as_str).collect();
    match kind {
        Kind::Google => scope.retain(|s| *s != "offline_access"),
        Kind::Fixed(service) => return service.scope(&scope),
        _ => {}
    }
    if !scope.contains(&"openid") {
        scope.push("openid");
    }
    scope.join(" ")
}

async fn uses_pkce(cx: &Cx, provider: &Provider, kind: Kind) -> bool {
    match provider.pkce {
        Pkce::Never => false,
        Pkce::Auto if !knows_pkce(kind) => {
            openid::document_of(cx, provider, kind).await.is_ok_and(|document| document.knows_pkce())
        }
        Pkce::Auto | Pkce::Force => true,
    }
}

fn knows_pkce(kind: Kind) -> bool {
    matches!(kind, Kind::Fixed(service) if service.knows_pkce())
}

/// Whether PKCE is used with a provider whatever it announces: by configuration, or for its type.
#[must_use]
pub fn is_pkce_forced(provider: &Provider) -> bool {
    match provider.pkce {
        Pkce::Never => false,
        Pkce::Auto => Kind::of(provider).is_ok_and(knows_pkce),
        Pkce::Force => true,
    }
}

/// Whether a provider is sent a nonce, which binds its ID token to the trip (OpenID Connect Core 1.0, section 3.1.2.1): those
/// of a known service that is known to repeat it. What a `generic` one is sent is part of the contract, and has none; its
/// tokens are bound by PKCE, and by having been redeemed with a code and a state of this trip.
fn repeats_nonce(kind: Kind) -> bool {
    matches!(kind, Kind::Google | Kind::Microsoft | Kind::Apple | Kind::Line | Kind::Netid)
}

/// The endpoints of a provider.
struct Places {
    authorization: String,
    token: String,
    /// Whether the client's secret goes into the body.
    in_body: bool,
}

impl Places {
    async fn of(cx: &Cx, provider: &Provider, kind: Kind) -> Result<Self, OidcError> {
        match kind {
            Kind::Fixed(service) => {
                let (authorization, token) = service.places(provider)?;
                Ok(Self { authorization, token, in_body: service.wants_secret_in_body() })
            }
            _ => {
                let document = openid::document_of(cx, provider, kind).await?;
                let token = document.token_endpoint.clone();
                Ok(Self {
                    authorization: document.authorization_endpoint.clone(),
                    token: token.ok_or_else(|| OidcError::Discovery("it has no token endpoint".to_owned()))?,
                    in_body: matches!(kind, Kind::Apple | Kind::Line) || document.wants_secret_in_body(),
                })
            }
        }
    }
}

/// Somebody came back.
pub struct Landing<'a> {
    /// What the provider sent along, decoded.
    pub query: &'a [(String, String)],
    /// The address that it was told.
    pub redirect_uri: &'a str,
    /// What was kept of the departure.
    pub ticket: &'a Ticket,
}

impl<'a> Landing<'a> {
    fn parameter(&self, name: &str) -> Option<&'a str> {
        self.query.iter().find(|(k, _)| k == name).map(|(_, v)| v.as_str()).filter(|v| !v.is_empty())
    }
}

/// Who somebody is, and the tokens that came with it.
#[derive(Clone)]
pub struct Handed {
    /// Who.
    pub claims: Claims,
    /// The tokens.
    pub tokens: Tokens,
}

/// Learns who came back: redeems the code, verifies the token, asks for the profile.
///
/// # Errors
/// If the provider said no, does not answer, or its answer proves nothing.
pub async fn land(cx: &Cx, provider: &Provider, landing: &Landing<'_>) -> Result<Handed, OidcError> {
    let kind = Kind::of(provider)?;
    if let Some(error) = landing.parameter("error") {
        return Err(OidcError::Denied(told(error, landing.parameter("error_description"))));
    }
    if kind == Kind::X {
        return oauth1::land(cx, provider, landing).await;
    }
    let code = landing.parameter("code").or_else(|| landing.parameter("authCode"));
    let code = code.ok_or_else(|| OidcError::refused("it sent no code"))?;
    openid::check_issuer(cx, provider, kind, landing.parameter("iss")).await?;
    let places = Places::of(cx, provider, kind).await?;
    let tokens = match kind {
        Kind::Fixed(service) if service.has_own_exchange() => service.exchange(cx, provider, &places.token, code).await?,
        _ => {
            let made;
            let secret: &Secret = match kind {
                Kind::Apple => {
                    made = apple::client_secret(cx, provider)?;
                    &made
                }
                _ => &provider.client_secret,
            };
            let more: &[(&str, &str)] = match kind {
                // Without this its tokens are signed by a shared secret.
                Kind::Line => &[("id_token_key_type", "JWK")],
                _ => &[],
            };
            let exchange = Exchange {
                endpoint: &places.token,
                client_id: &provider.client_id,
                proof: if places.in_body { Proof::Body(secret) } else { Proof::Basic(secret) },
                code,
                redirect_uri: landing.redirect_uri,
                verifier: landing.ticket.verifier.as_deref(),
                more,
            };
            exchange.run(cx).await?
        }
    };
    let claims = match kind {
        Kind::Fixed(service) => profile::claims(cx, provider, service, &tokens).await?,
        _ => openid::claims(cx, provider, kind, &tokens, landing).await?,
    };
    Ok(Handed { claims, tokens })
}

/// Why an ID token that an app handed in is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdTokenError {
    /// Its provider's tokens are not taken from apps.
    #[error("tokens of this provider are not taken from apps")]
    NotTaken,
    /// The nonce is missing or another one.
    #[error("the nonce of the token is not the one that was sent beside it")]
    Nonce,
    /// The token is not good.
    #[error(transparent)]
    Token(#[from] OidcError),
}

/// Judges an ID token that an app got by itself.
///
/// # Errors
/// If it is none of the provider's, not for us, or not the one that the app asked for.
pub async fn accept_id_token(cx: &Cx, provider: &Provider, token: &str, nonce: Option<&str>) -> Result<Handed, IdTokenError> {
    let kind = Kind::of(provider)?;
    let exchanged;
    let token = match (kind, &provider.net_id_token_origin_header) {
        // What its dialogue in the browser gives is no ID token yet.
        (Kind::Netid, Some(origin)) if !origin.is_empty() => {
            exchanged = openid::exchange_of_netid(cx, provider, origin, token).await?;
            exchanged.as_str()
        }
        _ => token,
    };
    let claims = match kind {
        Kind::Google | Kind::Apple | Kind::Netid => openid::verified(cx, provider, kind, token, Extra::Allowed).await?,
        Kind::FedcmTest if cx.config().dev => openid::read_test_token(token)?,
        _ => return Err(IdTokenError::NotTaken),
    };
    let claims = Claims::of(claims).ok_or(OidcError::NoSubject)?;
    let may_lack_nonce = match kind {
        Kind::Google => true,
        Kind::Apple => !claims.is_nonce_supported(),
        _ => false,
    };
    match (claims.nonce(), nonce.filter(|n| !n.is_empty())) {
        (Some(theirs), Some(ours)) if crate::crypto::secrets::eq(theirs, ours) => {}
        (None, Some(_)) if may_lack_nonce => {}
        _ => return Err(IdTokenError::Nonce),
    }
    Ok(Handed { claims, tokens: Tokens::default() })
}

/// Whether a token may also be for the further client ids of an operator's apps.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extra {
    Allowed,
    Not,
}

/// An error of an authorization endpoint (RFC 6749, section 4.1.2.1), short and printable: it is shown to people.
fn told(error: &str, description: Option<&str>) -> String {
    let clean = |text: &str| text.chars().filter(|c| !c.is_control()).take(200).collect::<String>();
    match description {
        Some(description) => format!("{}: {}", clean(error), clean(description)),
        None => clean(error),
    }
}

/// A new nonce for a request.
fn nonce(cx: &Cx) -> String {
    random_text(cx.rng(), 32)
}

/// A configured address without slash at the end.
fn base_of(address: Option<&str>, usual: &str) -> String {
    address.unwrap_or(usual).trim_end_matches('/').to_owned()
}
