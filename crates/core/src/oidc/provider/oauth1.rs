//! X, which speaks OAuth 1.0a (RFC 5849): a request token before the trip, a signature on every request.

use std::fmt::Write as _;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{AUTHORIZATION, HeaderValue};
use serde_json::{Map, Value};
use url::{Url, form_urlencoded};

use super::{Departure, Handed, Landing, Ticket, nonce};
use crate::app::Cx;
use crate::config::oidc::Provider;
use crate::oidc::token::{accepts_json, json_of};
use crate::oidc::{Claims, OidcError, Tokens, ask};
use crate::outbound::{Method, Request, Response, Trust};

const REQUEST_TOKEN: &str = "https://api.twitter.com/oauth/request_token";
const AUTHENTICATE: &str = "https://api.twitter.com/oauth/authenticate";
const ACCESS_TOKEN: &str = "https://api.twitter.com/oauth/access_token";
const PROFILE: &str = "https://api.twitter.com/1.1/account/verify_credentials.json";

/// What is written as it is (section 3.6).
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Gets a request token and says where the person is sent with it. What comes back has no `state`: it stands in the address
/// that they come back to.
pub(super) async fn depart(cx: &Cx, provider: &Provider, departure: &Departure<'_>) -> Result<(String, Ticket), OidcError> {
    let endpoint = "the request token endpoint";
    let back = Url::parse_with_params(departure.redirect_uri, [("state", departure.state)])
        .map_err(|_| OidcError::Configuration("the callback is no URL"))?;
    let signed = Signed { token: None, verifier: None, callback: Some(back.as_str()) };
    let told = form_of(endpoint, &call(cx, provider, endpoint, Method::POST, REQUEST_TOKEN, &[], &signed).await?)?;
    let part = |name: &str| told.iter().find(|(k, _)| k == name).map(|(_, v)| v.clone()).filter(|v| !v.is_empty());
    let (Some(token), Some(secret)) = (part("oauth_token"), part("oauth_token_secret")) else {
        return Err(OidcError::upstream(endpoint, "it gives no token"));
    };
    let mut url = Url::parse(AUTHENTICATE).map_err(|_| OidcError::Configuration("its address is no URL"))?;
    url.query_pairs_mut().append_pair("oauth_token", &token);
    if departure.again {
        url.query_pairs_mut().append_pair("force_login", "true");
    }
    Ok((url.into(), Ticket { request_token: Some((token, secret)), ..Ticket::default() }))
}

/// Exchanges what came back for an access token, and asks who owns it.
pub(super) async fn land(cx: &Cx, provider: &Provider, landing: &Landing<'_>) -> Result<Handed, OidcError> {
    if landing.parameter("denied").is_some() {
        return Err(OidcError::Denied("access_denied".to_owned()));
    }
    let (token, secret) = landing.ticket.request_token.as_ref().ok_or_else(|| OidcError::refused("nobody was sent to it"))?;
    match landing.parameter("oauth_token") {
        Some(named) if named == token => {}
        _ => return Err(OidcError::refused("it names another request")),
    }
    let verifier = landing.parameter("oauth_verifier").ok_or_else(|| OidcError::refused("it sent no code"))?;
    let endpoint = "the token endpoint";
    let signed = Signed { token: Some((token, secret)), verifier: Some(verifier), callback: None };
    let told = form_of(endpoint, &call(cx, provider, endpoint, Method::POST, ACCESS_TOKEN, &[], &signed).await?)?;
    let part = |name: &str| told.iter().find(|(k, _)| k == name).map(|(_, v)| v.clone()).unwrap_or_default();
    let (access, access_secret) = (part("oauth_token"), part("oauth_token_secret"));
    if access.is_empty() {
        return Err(OidcError::upstream(endpoint, "it gives no access token"));
    }
    let asks_email = provider.scope.iter().any(|s| s == "email");
    let query: &[(&str, &str)] = if asks_email { &[("include_email", "true")] } else { &[] };
    let endpoint = "the profile endpoint";
    let signed = Signed { token: Some((&access, &access_secret)), verifier: None, callback: None };
    let profile = json_of(endpoint, &call(cx, provider, endpoint, Method::GET, PROFILE, query, &signed).await?)?;
    let raw = profile.as_object().cloned().unwrap_or_default();
    let claims = Claims::named(meaning(&profile), raw).ok_or(OidcError::NoSubject)?;
    Ok(Handed { claims, tokens: Tokens { access, ..Tokens::default() } })
}

fn meaning(profile: &Value) -> Map<String, Value> {
    let pairs = [
        ("sub", "id_str"),
        ("name", "name"),
        ("preferred_username", "screen_name"),
        ("nickname", "screen_name"),
        ("picture", "profile_image_url_https"),
        ("website", "url"),
        ("email", "email"),
    ];
    let said = pairs.iter().filter_map(|(claim, name)| Some(((*claim).to_owned(), profile.get(name)?.clone())));
    said.chain([("iss".to_owned(), PROFILE.into())]).collect()
}

/// What a request is signed with besides the client's own secret.
struct Signed<'a> {
    token: Option<(&'a str, &'a str)>,
    verifier: Option<&'a str>,
    callback: Option<&'a str>,
}

async fn call(
    cx: &Cx,
    provider: &Provider,
    endpoint: &'static str,
    method: Method,
    address: &str,
    query: &[(&str, &str)],
    signed: &Signed<'_>,
) -> Result<Response, OidcError> {
    let bad = || OidcError::Configuration("its address is no URL");
    let url = if query.is_empty() { Url::parse(address) } else { Url::parse_with_params(address, query) }.map_err(|_| bad())?;
    let (nonce, time) = (nonce(cx), cx.now.seconds().to_string());
    let mut own: Vec<(&str, &str)> = vec![
        ("oauth_consumer_key", provider.client_id.as_str()),
        ("oauth_nonce", nonce.as_str()),
        ("oauth_signature_method", "HMAC-SHA1"),
        ("oauth_timestamp", time.as_str()),
        ("oauth_version", "1.0"),
    ];
    own.extend(signed.token.map(|(token, _)| ("oauth_token", token)));
    own.extend(signed.verifier.map(|verifier| ("oauth_verifier", verifier)));
    own.extend(signed.callback.map(|callback| ("oauth_callback", callback)));
    let all: Vec<(&str, &str)> = own.iter().chain(query).copied().collect();
    let token_secret = signed.token.map_or("", |(_, secret)| secret);
    let signature = signature(method.as_str(), address, &all, provider.client_secret.expose(), token_secret);
    let mut header = String::from("OAuth ");
    for (name, value) in own.iter().copied().chain([("oauth_signature", signature.as_str())]) {
        let _ = write!(header, "{name}=\"{}\", ", escaped(value));
    }
    let mut header = HeaderValue::from_str(header.trim_end_matches(", ")).map_err(|_| bad())?;
    header.set_sensitive(true);
    let mut request = Request::new(method, url, Trust::Operator);
    request.headers = accepts_json();
    request.headers.insert(AUTHORIZATION, header);
    ask(cx, endpoint, request).await
}

/// The signature of a request (section 3.4.2), HMAC-SHA1.
fn signature(method: &str, address: &str, parameters: &[(&str, &str)], client_secret: &str, token_secret: &str) -> String {
    let mut pairs: Vec<String> = parameters.iter().map(|(k, v)| format!("{}={}", escaped(k), escaped(v))).collect();
    pairs.sort_unstable();
    let base = format!("{method}&{}&{}", escaped(address), escaped(&pairs.join("&")));
    let key = format!("{}&{}", escaped(client_secret), escaped(token_secret));
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key.as_bytes());
    STANDARD.encode(hmac::sign(&key, base.as_bytes()))
}

fn escaped(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string()
}

fn form_of(endpoint: &'static str, answer: &Response) -> Result<Vec<(String, String)>, OidcError> {
    if !answer.is_success() {
        return Err(OidcError::upstream(endpoint, format!("it answers with status {}", answer.status)));
    }
    Ok(form_urlencoded::parse(&answer.body).into_owned().collect())
}

#[cfg(test)]
mod tests {
    use super::signature;

    #[test]
    fn the_example_of_the_service_holds() {
        // "Creating a signature" of the service's documentation.
        let parameters = [
            ("status", "Hello Ladies + Gentlemen, a signed OAuth request!"),
            ("include_entities", "true"),
            ("oauth_consumer_key", "xvz1evFS4wEEPTGEFPHBog"),
            ("oauth_nonce", "kYjzVBB8Y0ZFabxSWbWovY3uYSQ2pTgmZeNu2VS4cg"),
            ("oauth_signature_method", "HMAC-SHA1"),
            ("oauth_timestamp", "1318622958"),
            ("oauth_token", "370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb"),
            ("oauth_version", "1.0"),
        ];
        let signed = signature(
            "POST",
            "https://api.x.com/1.1/statuses/update.json",
            &parameters,
            "kAcSOqF21Fu85e7zjz7ZN2U4ZRhfV3WpwPAoE3Z7kBw",
            "LswwdoUaIvS8ltyTt5jkRh4J50vUPVVHtR2YPi5kE",
        );
        assert_eq!(signed, "Ls93hJiZbQ3akF3HF3x1Bz8/zU4=");
    }
}
