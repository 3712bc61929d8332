//! What surrounds every page: title, style sheet, the site's name, and the headers that keep others out.

use askama::Template;
use http::header::{HeaderName, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS};
use portcullis_core::app::Cx;
use portcullis_core::config::Config;
use portcullis_model::error::ApiError;
use portcullis_model::flow::FlowKind;
use url::Url;

use super::{assets, is_built_in, texts};
use crate::http::reply::{self, Response};

const CONTENT_SECURITY_POLICY: HeaderName = HeaderName::from_static("content-security-policy");
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// What surrounds a page.
pub(super) struct Frame {
    /// The title of the window.
    pub title: String,
    /// The site's name: its host, by which people know where they are.
    pub site: String,
    /// The start page, where there is one.
    pub home: Option<String>,
    /// Who is signed in, on pages that say so.
    pub account: Option<Account>,
    /// Where the style sheet is.
    pub style: String,
    /// Where the script is.
    pub script: String,
    /// Where the icon is.
    pub icon: String,
}

impl Frame {
    /// The frame of a page with this heading.
    #[must_use]
    pub(super) fn new(cx: &Cx, heading: &str, has_errors: bool) -> Self {
        let base = cx.config().public_base_url();
        let host = base.host_str().unwrap_or_default();
        let site = base.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let prefix = if has_errors { texts::ERROR_PREFIX } else { "" };
        Self {
            title: format!("{prefix}{heading} – {site}"),
            site,
            home: home(cx),
            account: None,
            style: assets::STYLE.address(cx),
            script: assets::SCRIPT.address(cx),
            icon: assets::ICON.address(cx),
        }
    }

    /// The frame of the development mailbox, which loads everything from the admin port.
    #[must_use]
    pub(super) fn of_mailbox(cx: &Cx, heading: &str, mailbox: String) -> Self {
        Self {
            title: format!("{heading} – {}", texts::MAILBOX_SITE),
            site: texts::MAILBOX_SITE.to_owned(),
            home: Some(mailbox),
            account: None,
            style: assets::MAILBOX_STYLE.address(cx),
            script: assets::MAILBOX_SCRIPT.address(cx),
            icon: assets::MAILBOX_ICON.address(cx),
        }
    }

    /// With the name of who is signed in.
    #[must_use]
    pub(super) fn account(mut self, account: Account) -> Self {
        self.account = Some(account);
        self
    }
}

/// Who is signed in.
pub(super) struct Account {
    /// What to call them.
    pub name: String,
    /// Where their session ends.
    pub sign_out: Option<String>,
}

/// The start page, where there is one.
#[must_use]
pub(super) fn home(cx: &Cx) -> Option<String> {
    is_built_in(cx.config(), FlowKind::Login).then(|| cx.public_url("/"))
}

/// A link that looks like a button.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Action {
    /// Its style.
    pub class: &'static str,
    /// Where it leads.
    pub href: String,
    /// Its words.
    pub text: &'static str,
}

/// A link below a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link {
    /// What leads up to it.
    pub before: Option<&'static str>,
    /// Where it leads.
    pub href: String,
    /// Its words.
    pub text: &'static str,
}

/// A page as an answer. A template that cannot be printed is an internal error.
pub(super) fn answer(cx: &Cx, status: u16, page: &impl Template) -> Response {
    let html = match page.render() {
        Ok(html) => html,
        Err(error) => {
            tracing::error!(%error, "a page could not be printed");
            return reply::error(&ApiError::internal());
        }
    };
    let mut response = reply::content(status, "text/html; charset=utf-8", html);
    let headers = response.headers_mut();
    if let Ok(policy) = HeaderValue::try_from(policy(cx.config())) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(OPENER_POLICY, HeaderValue::from_static("same-origin"));
    response
}

/// The content security policy: everything from here, nothing inline, no frames.
///
/// Browsers apply `form-action` to the redirects that follow a form, too, so it names the places to which the operator
/// lets a flow lead, and nothing else.
fn policy(config: &Config) -> String {
    let mut policy = String::from(
        "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'",
    );
    for target in form_targets(config) {
        policy.push(' ');
        policy.push_str(&target);
    }
    policy
}

/// Where a form may end besides here: return addresses, pages of the operator's own, and social sign-in.
fn form_targets(config: &Config) -> Vec<String> {
    let selfservice = &config.selfservice;
    let flows = FlowKind::ALL.map(|kind| config.flow(kind));
    let of_flows = flows.iter().flat_map(|flow| {
        let after = &flow.after;
        let methods = after.methods.values().filter_map(|m| m.default_browser_return_url.as_ref());
        flow.ui_url.iter().chain(&after.default_browser_return_url).chain(methods)
    });
    let oidc = Some(&selfservice.methods.oidc).filter(|oidc| oidc.enabled);
    let providers = oidc.into_iter().flat_map(|o| &o.config.providers).flat_map(|p| p.issuer_url.iter().chain(&p.auth_url));
    let addresses = std::iter::once(&selfservice.default_browser_return_url)
        .chain(&selfservice.allowed_return_urls)
        .chain(&selfservice.flows.error.ui_url)
        .chain(of_flows)
        .chain(providers);
    let own = source(config.public_base_url().as_str());
    let mut out: Vec<String> = own.into_iter().collect();
    for target in addresses.filter_map(|address| source(address)) {
        if !out.contains(&target) {
            out.push(target);
        }
    }
    // Where a provider's own sign-in page is, only its discovery document knows.
    if oidc.is_some_and(|o| !o.config.providers.is_empty()) {
        out.push("https:".to_owned());
    }
    out
}

/// An address as a source of a content security policy: its origin, or its scheme alone if it has no host. `None` for what
/// is no absolute address, or could say more in the policy than it should.
fn source(address: &str) -> Option<String> {
    let url = Url::parse(address).ok()?;
    let source = match (url.scheme(), url.host_str()) {
        ("http" | "https", Some(host)) => {
            let port = url.port().map(|p| format!(":{p}")).unwrap_or_default();
            format!("{}://{host}{port}", url.scheme())
        }
        ("http" | "https" | "javascript" | "data" | "blob", _) => return None,
        (scheme, _) => format!("{scheme}:"),
    };
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"+-.:/*[]_".contains(&b);
    source.bytes().all(is_plain).then_some(source)
}

#[cfg(test)]
mod tests {
    use super::source;

    #[test]
    fn addresses_become_sources_of_a_policy() {
        for (address, expected) in [
            ("https://app.example.org/welcome?x=1", Some("https://app.example.org")),
            ("http://localhost:3000", Some("http://localhost:3000")),
            ("https://*.example.org/", Some("https://*.example.org")),
            ("https://[::1]:8443/a", Some("https://[::1]:8443")),
            ("app://open", Some("app:")),
            ("com.example.app:/callback", Some("com.example.app:")),
            ("javascript:alert(1)", None),
            ("data:text/html,x", None),
            ("/welcome", None),
            ("https://a;script-src *", None),
            ("", None),
        ] {
            assert_eq!(source(address).as_deref(), expected, "{address}");
        }
    }
}
