//! Where a flow leads: whether a `return_to` is allowed, and where to go when none was asked for.

use portcullis_model::error::{ApiError, ErrorId};
use portcullis_model::flow::FlowKind;
use url::Url;

use crate::app::Cx;
use crate::config::Config;

/// The `return_to` of the request that begins a flow, checked; `None` if it was not asked for.
///
/// # Errors
/// 400 `self_service_flow_return_to_forbidden` if it is not allowed, 400 without id if it is no URL.
pub fn requested(cx: &Cx) -> Result<Option<String>, ApiError> {
    match cx.request.parameter("return_to") {
        None => Ok(None),
        Some(wish) => {
            check(cx.config(), wish)?;
            Ok(Some(wish.to_owned()))
        }
    }
}

/// Checks a `return_to` and makes it absolute.
///
/// # Errors
/// As [`requested`].
pub fn check(config: &Config, wish: &str) -> Result<Url, ApiError> {
    let url = absolute(config, wish)?;
    // A relative wish has the host and port of the default page, as that is written.
    let written =
        if Url::parse(wish).is_ok() || wish.starts_with("//") { wish } else { &config.selfservice.default_browser_return_url };
    let listed = config.selfservice.allowed_return_urls.iter().filter_map(|entry| Some((entry, Url::parse(entry).ok()?)));
    let is_listed = |(entry, allowed): (&String, Url)| {
        is_same_place(config, entry, &allowed, written, &url) && url.path().starts_with(allowed.path())
    };
    if listed.into_iter().any(is_listed) || is_own_page(config, written, &url) {
        return Ok(url);
    }
    Err(ApiError::bad_request("The requested return_to address is not allowed.").id(ErrorId::SelfServiceFlowReturnToForbidden))
}

/// The end of a flow: its `return_to`, or the configured default for the method, the flow, the server.
#[must_use]
pub fn destination(cx: &Cx, kind: FlowKind, method: &str, return_to: Option<&str>) -> String {
    let fallback = &cx.config().selfservice.default_browser_return_url;
    destination_or(cx, kind, method, return_to, fallback)
}

/// As [`destination`], for flows that end somewhere else than at the server's default.
#[must_use]
pub fn destination_or(cx: &Cx, kind: FlowKind, method: &str, return_to: Option<&str>, fallback: &str) -> String {
    match return_to.and_then(|wish| check(cx.config(), wish).ok()) {
        Some(url) => spelled(return_to.unwrap_or_default(), &url),
        None => configured(cx.config(), kind, method).unwrap_or(fallback).to_owned(),
    }
}

/// Where a flow ends after a method, if that is configured for the method or the flow.
fn configured<'a>(config: &'a Config, kind: FlowKind, method: &str) -> Option<&'a str> {
    let after = &config.flow(kind).after;
    let own = after.methods.get(method).and_then(|m| m.default_browser_return_url.as_deref());
    own.or(after.default_browser_return_url.as_deref())
}

/// Where somebody goes who has nothing to do in a flow: `return_to` if allowed, else the global default.
#[must_use]
pub fn or_global(cx: &Cx, return_to: Option<&str>) -> String {
    match return_to.and_then(|wish| check(cx.config(), wish).ok()) {
        Some(url) => spelled(return_to.unwrap_or_default(), &url),
        None => cx.config().selfservice.default_browser_return_url.clone(),
    }
}

/// An absolute wish stays as it was typed; a relative one is sent in full.
fn spelled(wish: &str, url: &Url) -> String {
    if Url::parse(wish).is_ok() { wish.to_owned() } else { url.to_string() }
}

/// Fills what is missing from the global default, then parses. Dot segments are gone afterwards, so that they cannot be
/// used to leave an allowed path.
fn absolute(config: &Config, wish: &str) -> Result<Url, ApiError> {
    let bad = || ApiError::bad_request("The requested return_to is no valid address.");
    if wish.chars().any(|c| c.is_control() || c == '\\') || has_bad_escape(wish) {
        return Err(bad());
    }
    match Url::parse(wish) {
        Ok(url) => Ok(url),
        Err(url::ParseError::RelativeUrlWithoutBase) => {
            let base = Url::parse(&config.selfservice.default_browser_return_url)
                .or_else(|_| config.public_base_url().join(&config.selfservice.default_browser_return_url))
                .map_err(|_| bad())?;
            if wish.starts_with(['/', '?', '#']) {
                base.join(wish).map_err(|_| bad())
            } else {
                // "relative" would silently land beside the default page: refused.
                Err(ApiError::bad_request("The requested return_to address is not allowed.")
                    .id(ErrorId::SelfServiceFlowReturnToForbidden))
            }
        }
        Err(_) => Err(bad()),
    }
}

/// Whether a percent sign before the query is not followed by two hexadecimal digits: no such URL means anything.
fn has_bad_escape(wish: &str) -> bool {
    let front = wish.split(['?', '#']).next().unwrap_or_default();
    let bytes = front.as_bytes();
    bytes.iter().enumerate().any(|(i, b)| {
        *b == b'%'
            && !(bytes.get(i + 1).is_some_and(u8::is_ascii_hexdigit) && bytes.get(i + 2).is_some_and(u8::is_ascii_hexdigit))
    })
}

/// The server's own self-service addresses and built-in pages are always allowed: `/self-service` below the base URL, the page
/// of each flow that has no other, and what is below those, by whole segments.
fn is_own_page(config: &Config, wish: &str, url: &Url) -> bool {
    let built_in = FlowKind::ALL.into_iter().filter(|kind| config.flow(*kind).ui_url.is_none()).map(|kind| format!("/{kind}"));
    std::iter::once("/self-service".to_owned()).chain(built_in).any(|path| {
        let own = config.serve.public.base_url.join(&path);
        let is_below = url.path().strip_prefix(own.path()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        is_below && is_same_place(config, own.as_str(), &own, wish, url)
    })
}

/// Whether an entry of the list names the place of a URL: same scheme, same host and port as written. The path is for the
/// caller to compare. For entries of the list that is a plain prefix: that `/welcome` admits `/welcomed` is part of the
/// contract. Dot segments are resolved before, so that no address climbs out of an allowed path.
fn is_same_place(config: &Config, entry: &str, allowed: &Url, wish: &str, url: &Url) -> bool {
    allowed.scheme() == url.scheme()
        && written_port(entry) == written_port(wish)
        && host_fits(config, allowed.host_str().unwrap_or(""), url.host_str().unwrap_or(""))
}

/// The port as written: an explicit default port is not the same as none.
fn written_port(text: &str) -> Option<&str> {
    let authority =
        text.split_once("://").map(|(_, rest)| rest).or_else(|| text.strip_prefix("//"))?.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?;
    let after = host.rsplit(']').next()?;
    after.rsplit_once(':').map(|(_, port)| port)
}

fn host_fits(config: &Config, entry: &str, host: &str) -> bool {
    match entry.strip_prefix("*.") {
        None => entry.eq_ignore_ascii_case(host),
        Some(domain) => {
            let registrable = config.feature_flags.legacy_allow_insecure_origins || psl::domain_str(domain).is_some();
            registrable
                && host.len() > domain.len() + 1
                && host.to_ascii_lowercase().ends_with(&format!(".{}", domain.to_ascii_lowercase()))
        }
    }
}
