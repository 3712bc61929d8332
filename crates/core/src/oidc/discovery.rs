//! Issuers' documents (OpenID Connect Discovery 1.0): where an issuer's endpoints are and what it can do.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{ACCEPT, HeaderValue};
use serde::Deserialize;
use url::Url;
use uuid::Uuid;

use super::{OidcError, ask};
use crate::app::Cx;
use crate::outbound::{Method, Request, Trust};

/// How long a document is used before it is asked for again...
const FRESH: Duration = Duration::from_secs(60 * 60);

/// ...and how long if it cannot be had then.
const STALE: Duration = Duration::from_secs(24 * 60 * 60);

/// An issuer's document, as far as it is needed. What is longer than it may be was cut by the limit on answers.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Document {
    pub(super) issuer: String,
    pub(super) authorization_endpoint: String,
    #[serde(default)]
    pub(super) token_endpoint: Option<String>,
    #[serde(default)]
    pub(super) jwks_uri: Option<String>,
    #[serde(default)]
    pub(super) userinfo_endpoint: Option<String>,
    #[serde(default)]
    code_challenge_methods_supported: Vec<String>,
    #[serde(default)]
    pub(super) id_token_signing_alg_values_supported: Vec<String>,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Vec<String>,
    /// RFC 9207: answers name their issuer.
    #[serde(default)]
    pub(super) authorization_response_iss_parameter_supported: bool,
}

impl Document {
    /// Whether it announces PKCE by SHA-256.
    pub(super) fn knows_pkce(&self) -> bool {
        self.code_challenge_methods_supported.iter().any(|m| m == "S256")
    }

    /// Whether it takes the client's secret in the body only.
    pub(super) fn wants_secret_in_body(&self) -> bool {
        let known = &self.token_endpoint_auth_methods_supported;
        !known.is_empty() && known.iter().any(|m| m == "client_secret_post") && !known.iter().any(|m| m == "client_secret_basic")
    }
}

/// The document of an issuer: the remembered one, or a new one.
pub(super) async fn document(cx: &Cx, issuer: &str) -> Result<Arc<Document>, OidcError> {
    let known = cx.app.oidc.documents.get(issuer);
    if let Some((since, document)) = &known
        && cx.now.since(*since) < FRESH
    {
        return Ok(Arc::clone(document));
    }
    match fetch(cx, issuer).await {
        Ok(document) => {
            let document = Arc::new(document);
            cx.app.oidc.documents.insert(issuer.to_owned(), (cx.now, Arc::clone(&document)));
            Ok(document)
        }
        Err(error) => match known {
            Some((since, document)) if cx.now.since(since) < STALE => {
                tracing::warn!(%error, "an issuer's document cannot be renewed; the old one is used");
                Ok(document)
            }
            _ => Err(error),
        },
    }
}

async fn fetch(cx: &Cx, issuer: &str) -> Result<Document, OidcError> {
    let told = |why: &str| OidcError::Discovery(why.to_owned());
    let address = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let url = Url::parse(&address).map_err(|_| told("the issuer is no URL"))?;
    let mut request = Request::new(Method::GET, url, Trust::Operator);
    request.headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    let answer = match ask(cx, "the issuer's document", request).await {
        Ok(answer) => answer,
        Err(OidcError::Upstream { reason, .. }) => return Err(OidcError::Discovery(reason)),
        Err(other) => return Err(other),
    };
    if !answer.is_success() {
        return Err(OidcError::Discovery(format!("the answer has status {}", answer.status)));
    }
    let document: Document = serde_json::from_slice(&answer.body).map_err(|_| told("it is no such document"))?;
    // Discovery 1.0, section 4.3.
    if document.issuer != issuer && !is_tenants(&document.issuer, issuer) {
        return Err(told("it names another issuer"));
    }
    for endpoint in [Some(&document.authorization_endpoint), document.token_endpoint.as_ref(), document.jwks_uri.as_ref()] {
        if endpoint.is_some_and(|e| !is_http(e)) {
            return Err(told("an endpoint is no http or https URL"));
        }
    }
    Ok(document)
}

fn is_http(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

/// Whether both are Microsoft's, of the same version. Its tenants are configured by id, by domain, or by a word for several of
/// them; the document names the tenant by its id, or has a placeholder if it is for several.
fn is_tenants(document: &str, issuer: &str) -> bool {
    fn parts(text: &str) -> Option<(&str, &str)> {
        text.strip_prefix("https://login.microsoftonline.com/")?.split_once('/')
    }
    match (parts(document), parts(issuer)) {
        (Some((named, version)), Some((configured, wanted))) => {
            let is_one = Uuid::try_parse(named).is_ok() && Uuid::try_parse(configured).is_err();
            version == wanted && !configured.is_empty() && (is_one || named == "{tenantid}")
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{is_http, is_tenants};

    #[test]
    fn only_the_tenant_may_differ() {
        const SEVERAL: &str = "https://login.microsoftonline.com/{tenantid}/v2.0";
        const ONE: &str = "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0";
        for (document, issuer, fits) in [
            (SEVERAL, "https://login.microsoftonline.com/common/v2.0", true),
            (ONE, "https://login.microsoftonline.com/consumers/v2.0", true),
            (ONE, "https://login.microsoftonline.com/contoso.onmicrosoft.com/v2.0", true),
            (ONE, "https://login.microsoftonline.com/11111111-6c67-4c5b-b112-36a304b66dad/v2.0", false),
            (SEVERAL, "https://login.microsoftonline.com//v2.0", false),
            (SEVERAL, "https://login.microsoftonline.com/common/v1.0", false),
            (SEVERAL, "https://evil.example/common/v2.0", false),
            ("https://evil.example/{tenantid}/v2.0", "https://evil.example/common/v2.0", false),
            ("https://login.microsoftonline.com/evil/v2.0", "https://login.microsoftonline.com/common/v2.0", false),
        ] {
            assert_eq!(is_tenants(document, issuer), fits, "{document} {issuer}");
        }
    }

    #[test]
    fn endpoints_are_web_addresses() {
        assert!(is_http("https://a.example/x") && !is_http("javascript:alert(1)") && !is_http("/x") && !is_http("file:///etc"));
    }
}
