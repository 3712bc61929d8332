//! The anti-CSRF check of a submit: the token in the body against the secret in the cookie.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis_model::error::{ApiError, ErrorId};
use portcullis_model::flow::{Flow, FlowType};
use portcullis_model::ui::Ui;
use subtle::ConstantTimeEq;

use super::form::Form;
use super::request::CsrfCookie;
use crate::app::Cx;
use crate::crypto::tokens::CsrfSecret;

/// Cookies that proxy networks add by themselves; a native client that brings only these counts as one without cookies.
const PROXY_COOKIES: [&str; 3] = ["__cf", "_cf", "cf_"];

/// What binds a browser flow to the browser that begins it: the hash of its anti-CSRF secret.
#[must_use]
pub fn binding(cx: &Cx) -> Option<String> {
    cx.request.csrf_secret.as_ref().map(binding_of)
}

/// What binds a flow to the browser of a secret.
#[must_use]
pub fn binding_of(secret: &CsrfSecret) -> String {
    URL_SAFE_NO_PAD.encode(secret.binding())
}

/// Checks that a browser flow is asked for by the browser that began it.
///
/// # Errors
/// 403 `security_csrf_violation` for another browser.
pub fn same_browser(cx: &Cx, flow: &Flow) -> Result<(), ApiError> {
    if flow.flow_type == FlowType::Api {
        return Ok(());
    }
    let CsrfCookie::Secret(secret) = &cx.request.csrf_cookie else {
        return Err(violation(cx, Proof::Cookie));
    };
    let ours = binding_of(secret);
    match &flow.csrf {
        Some(theirs) if bool::from(ours.as_bytes().ct_eq(theirs.as_bytes())) => Ok(()),
        _ => Err(violation(cx, Proof::Cookie)),
    }
}

/// Checks a submit to a browser flow: the body's token must fit the cookie. A token made for any flow of the browser does.
///
/// # Errors
/// 403 `security_csrf_violation`.
pub fn check_browser(cx: &Cx, form: &Form) -> Result<(), ApiError> {
    let token = form.text("csrf_token").unwrap_or_default();
    match &cx.request.csrf_cookie {
        CsrfCookie::Secret(secret) if secret.verify(token) => Ok(()),
        _ if token.is_empty() && form.is_html() => Err(violation(cx, Proof::FormWithoutToken)),
        _ => Err(violation(cx, Proof::Token)),
    }
}

/// Marks the form that comes with the answer to a success, so that [`comes_after`] tells its submit from one of the form
/// that was there before. Native clients have no tokens.
pub fn mark_after(cx: &Cx, flow: &Flow, ui: &mut Ui) {
    if let (FlowType::Browser, Some(secret), Some(node)) = (flow.flow_type, &cx.request.csrf_secret, ui.node_mut("csrf_token")) {
        node.set_value(Some(secret.form_token_after(flow.id).into()));
    }
}

/// Whether a form came with the answer to a success of its flow.
#[must_use]
pub fn comes_after(cx: &Cx, flow: &Flow, form: &Form) -> bool {
    let token = form.text("csrf_token").unwrap_or_default();
    let marked = cx.request.csrf_secret.as_ref().map(|secret| secret.form_token_after(flow.id));
    marked.is_some_and(|marked| marked.as_bytes().ct_eq(token.as_bytes()).into())
}

/// Checks a submit to a native flow: no browser may send it on somebody's behalf, so neither an `Origin` nor a cookie may
/// come with it.
///
/// # Errors
/// The reason for message 4000001.
pub fn check_native(cx: &Cx) -> Result<(), &'static str> {
    if cx.app.relax_native_check {
        return Ok(());
    }
    if cx.request.header("origin").is_some() {
        return Err("a request to a native flow must not carry the header Origin; browsers use a browser flow");
    }
    let foreign = |name: &String| !PROXY_COOKIES.iter().any(|p| name.to_ascii_lowercase().starts_with(p));
    if cx.request.cookie_names.iter().any(foreign) {
        return Err("a request to a native flow must not carry cookies; browsers use a browser flow");
    }
    Ok(())
}

/// What was brought as a proof that a request is the browser's own.
#[derive(Clone, Copy)]
enum Proof {
    /// The cookie alone, to fetch a flow.
    Cookie,
    /// An HTML form that has no token at all.
    FormWithoutToken,
    /// A token, which does not fit, or a JSON body without one.
    Token,
}

/// The error for a proof that fails, with what helps a developer find out why.
fn violation(cx: &Cx, proof: Proof) -> ApiError {
    let ajax = matches!(cx.request.header("sec-fetch-mode"), Some("cors" | "same-origin"));
    let cause = match (&cx.request.csrf_cookie, proof) {
        (CsrfCookie::NoCookies, _) => Some("The request brought no cookies at all."),
        (CsrfCookie::Missing, _) => Some("The request brought cookies, but not the anti-CSRF cookie."),
        (CsrfCookie::Secret(_), Proof::Cookie | Proof::FormWithoutToken) => None,
        (CsrfCookie::Secret(_), Proof::Token) => Some("The anti-CSRF cookie and the token do not belong together."),
    };
    let hint = if ajax {
        "Send AJAX requests with credentials, so that cookies go along, and to the host that set them."
    } else {
        "Open the form in the browser that sends it, keep its cookies, and send the value of its csrf_token field."
    };
    let mut error = ApiError::forbidden("A security check failed: this form was not opened by the browser that sent it.")
        .id(ErrorId::SecurityCsrfViolation)
        .detail("docs", "https://developer.mozilla.org/docs/Web/Security/Attacks/CSRF")
        .detail("hint", hint);
    if let Some(cause) = cause {
        error = error.detail("reject_reason", cause);
    }
    error
}
