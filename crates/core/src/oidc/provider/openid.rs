//! Providers that speak OpenID Connect (Core 1.0): a document, an ID token, an endpoint for the profile.

use std::borrow::Cow;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::header::{HeaderValue, ORIGIN};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{Extra, Kind, Landing, apple};
use crate::app::Cx;
use crate::config::oidc::{ClaimsSource, Provider};
use crate::crypto::secrets;
use crate::oidc::ask;
use crate::oidc::discovery::{Document, document};
use crate::oidc::keys::{Expected, verify};
use crate::oidc::token::{form_request, get, json_of};
use crate::oidc::{Claims, OidcError, Tokens};

const USERINFO: &str = "the userinfo endpoint";

/// The issuer of a provider, as its document is found.
fn issuer(provider: &Provider, kind: Kind) -> Option<Cow<'_, str>> {
    match kind {
        Kind::Google => Some("https://accounts.google.com".into()),
        Kind::Apple => Some("https://appleid.apple.com".into()),
        Kind::Netid => Some("https://broker.netid.de/".into()),
        Kind::Line => Some("https://access.line.me".into()),
        Kind::LinkedinV2 => Some("https://www.linkedin.com/oauth".into()),
        Kind::Microsoft => {
            let tenant = provider.microsoft_tenant.as_deref()?;
            Some(format!("https://login.microsoftonline.com/{tenant}/v2.0").into())
        }
        Kind::Generic | Kind::FedcmTest => provider.issuer_url.as_deref().map(Cow::Borrowed),
        Kind::Fixed(service) => service.issuer(provider).map(Cow::Borrowed),
        Kind::X => None,
    }
}

/// The document of a provider's issuer.
pub(super) async fn document_of(cx: &Cx, provider: &Provider, kind: Kind) -> Result<Arc<Document>, OidcError> {
    let issuer = issuer(provider, kind).ok_or(OidcError::Configuration("it has no issuer_url"))?;
    document(cx, &issuer).await
}

/// An answer that names its issuer is that issuer's (RFC 9207): no provider can pass off another one's code as its own.
pub(super) async fn check_issuer(cx: &Cx, provider: &Provider, kind: Kind, named: Option<&str>) -> Result<(), OidcError> {
    if matches!(kind, Kind::X | Kind::Fixed(_)) {
        return Ok(());
    }
    let document = document_of(cx, provider, kind).await?;
    match named {
        Some(named) if named != document.issuer && !document.issuer.contains("{tenantid}") => {
            Err(OidcError::refused("it comes from another issuer"))
        }
        None if document.authorization_response_iss_parameter_supported => Err(OidcError::refused("it does not name its issuer")),
        _ => Ok(()),
    }
}

/// The claims of a provider's ID token, verified.
pub(super) async fn verified(
    cx: &Cx,
    provider: &Provider,
    kind: Kind,
    token: &str,
    extra: Extra,
) -> Result<Map<String, Value>, OidcError> {
    let document = document_of(cx, provider, kind).await?;
    let keys = document.jwks_uri.as_deref();
    let right = |claims: &Map<String, Value>| {
        let named = claims.get("iss").and_then(Value::as_str).unwrap_or_default();
        match kind {
            // Google's older tokens name it without scheme.
            Kind::Google => named == document.issuer || named == "accounts.google.com",
            Kind::Microsoft => is_microsoft_issuer(claims, named, &document.issuer),
            _ => named == document.issuer,
        }
    };
    let mut audiences = vec![provider.client_id.as_str()];
    if extra == Extra::Allowed {
        audiences.extend(provider.additional_id_token_audiences.iter().map(String::as_str));
    }
    let expected = Expected {
        jwks_uri: keys.ok_or_else(|| OidcError::Discovery("it has no jwks_uri".to_owned()))?,
        algorithms: &document.id_token_signing_alg_values_supported,
        issuer: &right,
        audiences: &audiences,
    };
    verify(cx, token, &expected).await
}

/// Microsoft's tokens name the tenant of the person: the issuer is that tenant's, of those that the document stands for.
fn is_microsoft_issuer(claims: &Map<String, Value>, named: &str, document: &str) -> bool {
    let tenant = claims.get("tid").and_then(Value::as_str).unwrap_or_default();
    let is_tenant = Uuid::try_parse(tenant).is_ok();
    is_tenant && named == document.replace("{tenantid}", tenant)
}

/// Who came back, by the ID token or, as configured, by the userinfo endpoint.
pub(super) async fn claims(
    cx: &Cx,
    provider: &Provider,
    kind: Kind,
    tokens: &Tokens,
    landing: &Landing<'_>,
) -> Result<Claims, OidcError> {
    if tokens.id.is_empty() {
        return Err(OidcError::refused("it sent no ID token"));
    }
    let mut said = verified(cx, provider, kind, &tokens.id, Extra::Not).await?;
    if let Some(nonce) = &landing.ticket.nonce
        && !said.get("nonce").and_then(Value::as_str).is_some_and(|theirs| secrets::eq(theirs, nonce))
    {
        return Err(OidcError::Token("its nonce is not this trip's".to_owned()));
    }
    let subject = Claims::of(said.clone()).ok_or(OidcError::NoSubject)?.subject().to_owned();
    let asks = matches!(kind, Kind::LinkedinV2 | Kind::Netid) || provider.claims_source == ClaimsSource::Userinfo;
    if asks {
        said = userinfo(cx, provider, kind, tokens, &said, &subject).await?;
    }
    if kind == Kind::Apple {
        apple::add_names(&mut said, landing.query);
    }
    let claims = Claims::of(said).ok_or(OidcError::NoSubject)?;
    if kind == Kind::Microsoft {
        return with_source(cx, provider, claims, tokens).await;
    }
    Ok(claims)
}

async fn userinfo(
    cx: &Cx,
    provider: &Provider,
    kind: Kind,
    tokens: &Tokens,
    token: &Map<String, Value>,
    subject: &str,
) -> Result<Map<String, Value>, OidcError> {
    let document = document_of(cx, provider, kind).await?;
    let address = document.userinfo_endpoint.as_deref();
    let address = address.ok_or_else(|| OidcError::Discovery("it has no userinfo endpoint".to_owned()))?;
    let Value::Object(mut said) = get(cx, USERINFO, address, Some(&tokens.access)).await? else {
        return Err(OidcError::upstream(USERINFO, "its answer is no object"));
    };
    // Core 1.0, section 5.3.4: nobody else's profile may be taken for this person's.
    match said.get("sub").and_then(Value::as_str) {
        Some(same) if same == subject => {}
        None if kind == Kind::Netid => {
            said.insert("sub".to_owned(), subject.into());
        }
        _ => return Err(OidcError::refused("the profile is somebody else's")),
    }
    for name in ["iss", "acr", "amr"] {
        if let (None, Some(value)) = (said.get(name), token.get(name)) {
            said.insert(name.to_owned(), value.clone());
        }
    }
    Ok(said)
}

/// netID: the ID token for what its dialogue in the browser gave. `origin`: where that dialogue was shown.
pub(super) async fn exchange_of_netid(cx: &Cx, provider: &Provider, origin: &str, given: &str) -> Result<String, OidcError> {
    let endpoint = "the token endpoint";
    let document = document_of(cx, provider, Kind::Netid).await?;
    let address = document.token_endpoint.as_deref();
    let address = address.ok_or_else(|| OidcError::Discovery("it has no token endpoint".to_owned()))?;
    let mut request = form_request(endpoint, address, &[("grant_type", "netid_fedcm"), ("fedcm_token", given)])?;
    let origin = HeaderValue::from_str(origin);
    request.headers.insert(ORIGIN, origin.map_err(|_| OidcError::Configuration("its net_id_token_origin_header is no header"))?);
    let answer = ask(cx, endpoint, request).await?;
    if (400..500).contains(&answer.status) {
        return Err(OidcError::Token("its issuer does not know it".to_owned()));
    }
    let told = json_of(endpoint, &answer)?;
    let token = told.get("id_token").and_then(Value::as_str).map(str::to_owned);
    token.ok_or_else(|| OidcError::upstream(endpoint, "it gives no ID token"))
}

/// Microsoft: what names a person, as `subject_source` says.
async fn with_source(cx: &Cx, provider: &Provider, claims: Claims, tokens: &Tokens) -> Result<Claims, OidcError> {
    match provider.subject_source.as_str() {
        "me" => {
            let me = get(cx, "Microsoft Graph", "https://graph.microsoft.com/v1.0/me", Some(&tokens.access)).await?;
            let id = me.get("id").and_then(Value::as_str).filter(|id| !id.is_empty()).ok_or(OidcError::NoSubject)?;
            Ok(claims.with_subject(id))
        }
        "oid" => {
            let oid = claims.raw().get("oid").and_then(Value::as_str).filter(|oid| !oid.is_empty());
            let oid = oid.ok_or(OidcError::NoSubject)?.to_owned();
            Ok(claims.with_subject(&oid))
        }
        _ => Ok(claims),
    }
}

/// The key of the test provider, known to everybody.
const TEST_KEY: &[u8] = b"xxxxxxx";

/// The claims of a token of `fedcm-test`, which is signed with a key that everybody knows: for development only.
pub(super) fn read_test_token(token: &str) -> Result<Map<String, Value>, OidcError> {
    let broken = || OidcError::Token("it is no token of the test provider".to_owned());
    let (message, signature) = token.rsplit_once('.').ok_or_else(broken)?;
    let (_, body) = message.split_once('.').ok_or_else(broken)?;
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| broken());
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, TEST_KEY);
    aws_lc_rs::hmac::verify(&key, message.as_bytes(), &decode(signature)?).map_err(|_| broken())?;
    let mut claims: Map<String, Value> = serde_json::from_slice(&decode(body)?).map_err(|_| broken())?;
    claims.insert("iss".to_owned(), "https://fedcm-test.invalid".into());
    Ok(claims)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_tenants_token_names_that_tenant() {
        let template = "https://login.microsoftonline.com/{tenantid}/v2.0";
        let tenant = "9188040d-6c67-4c5b-b112-36a304b66dad";
        let own = format!("https://login.microsoftonline.com/{tenant}/v2.0");
        for (claims, named, document, right) in [
            (json!({ "tid": tenant }), own.as_str(), template, true),
            (json!({ "tid": tenant }), own.as_str(), own.as_str(), true),
            (json!({ "tid": "../evil" }), "https://login.microsoftonline.com/../evil/v2.0", template, false),
            (json!({}), own.as_str(), template, false),
            (json!({ "tid": tenant }), "https://evil.example/v2.0", template, false),
        ] {
            let claims = claims.as_object().cloned().unwrap_or_default();
            assert_eq!(is_microsoft_issuer(&claims, named, document), right, "{named}");
        }
    }
}
