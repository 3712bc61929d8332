//! Logout: a session ends.

use portcullis_model::error::ApiError;
use portcullis_store::{Changes, StoreError, parked, sessions};
use serde_json::json;

use super::engine::{self, Carrier, CookieChange, Field, Form, MediaType, Reply, answer_error, return_to, store_error};
use crate::app::Cx;
use crate::crypto::tokens::CsrfSecret;
use crate::session;

/// Gives the address that ends the session of this browser, as JSON. Errors of pages go to the error page.
pub async fn begin(cx: &Cx) -> Reply {
    match try_begin(cx).await {
        Ok(reply) => reply,
        Err(error) => answer_error(cx, error, cx.request.takes_json()).await,
    }
}

async fn try_begin(cx: &Cx) -> Result<Reply, ApiError> {
    let current = session::current(cx).await?.ok_or_else(session::inactive)?;
    let token = cx.keys().logout_token(current.token.expose());
    let mut url = engine::with_parameter(&cx.public_url("/self-service/logout"), "token", &token);
    if let Some(return_to) = return_to::requested(cx)? {
        url = engine::with_parameter(&url, "return_to", &return_to);
    }
    Ok(Reply::json(200, json!({ "logout_token": token, "logout_url": url })))
}

/// Ends the session of this browser.
pub async fn finish_browser(cx: &Cx) -> Reply {
    let json = cx.request.takes_json();
    match try_finish_browser(cx).await {
        Ok(reply) => reply,
        Err(error) => answer_error(cx, error, json).await,
    }
}

async fn try_finish_browser(cx: &Cx) -> Result<Reply, ApiError> {
    let token = cx.request.parameter("token").ok_or_else(|| ApiError::bad_request("The parameter token is missing."))?;
    // Asked before anything ends, so that a refused address leaves the session alone.
    let wish = return_to::requested(cx)?;
    let current = session::current(cx).await?.ok_or_else(session::inactive)?;
    if !cx.keys().is_logout_token(current.token.expose(), token) {
        return Err(ApiError::forbidden("The logout token does not belong to the session of this browser."));
    }
    let mut changes = Changes::new();
    sessions::revoke_once(&mut changes, current.session.id, cx.now);
    if let Some(handle) = &cx.request.parked_cookie {
        parked::drop_of_holder(&mut changes, &engine::browser_holder(cx, handle));
    }
    cx.store().commit(changes).await.map_err(|e| match e {
        // The same token at the same moment: it is good for one.
        StoreError::Conflict { what: "sessions" } => session::inactive(),
        e => store_error(&e),
    })?;
    let mut reply =
        if cx.request.takes_json() { Reply::no_content() } else { Reply::see_other(destination(cx, wish.as_deref())) };
    if cx.config().selfservice.flows.logout.clear_browser_data && cx.request.is_https {
        reply = reply.header("clear-site-data", r#""cookies", "storage", "cache""#);
    }
    if current.carrier == Carrier::Cookie {
        reply = reply.cookie(CookieChange::RemoveSession);
    }
    Ok(reply.cookie(CookieChange::SetCsrf(CsrfSecret::new(cx.rng()))))
}

/// Ends the session of a native client by its token. It succeeds also when the session has ended already.
pub async fn finish_native(cx: &Cx) -> Reply {
    match try_finish_native(cx).await {
        Ok(reply) => reply,
        Err(error) => Reply::error(error),
    }
}

async fn try_finish_native(cx: &Cx) -> Result<Reply, ApiError> {
    let unreadable = |why: &dyn std::fmt::Display| ApiError::bad_request(format!("The body cannot be read: {why}."));
    if cx.request.media_type != MediaType::Json {
        return Err(unreadable(&"it must be application/json"));
    }
    let form = Form::read(&cx.request).map_err(|why| unreadable(&why))?;
    let unknown = || ApiError::forbidden("This session token is not known.");
    let token = match form.field("session_token") {
        Field::Text(token) if !token.is_empty() => token,
        Field::Text(_) | Field::Absent => return Err(unknown()),
        Field::Other(_) => return Err(unreadable(&"session_token must be a string")),
    };
    let (session, _) = session::by_token(cx, token).await?.ok_or_else(unknown)?;
    let mut changes = Changes::new();
    sessions::revoke(&mut changes, session.id, None, cx.now);
    parked::drop_of_holder(&mut changes, &engine::session_holder(cx, &session));
    cx.store().commit(changes).await.map_err(|e| store_error(&e))?;
    Ok(Reply::no_content())
}

/// Where a browser goes after logout.
fn destination(cx: &Cx, wish: Option<&str>) -> String {
    match wish {
        None => cx.config().logout_return_url().to_owned(),
        wish => return_to::or_global(cx, wish),
    }
}
