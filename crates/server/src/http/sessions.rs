//! Sessions as their holders see them: who is signed in, their other sessions, and ending those.

use portcullis_core::app::Cx;
use portcullis_core::flow::engine::{Body, Carrier, CookieChange, Reply, store_error};
use portcullis_core::identity::view::Parts;
use portcullis_core::session::tokenizer::{self, TokenizeError, Tools};
use portcullis_core::session::{self, Current, aal, view};
use portcullis_model::error::ApiError;
use portcullis_store::{Changes, sessions};
use serde_json::{Value, json};
use uuid::Uuid;

use super::paging::{Numbered, Sizes, page_number};

/// For how many seconds others may remember that a request without credentials has no session.
const NOBODY_CACHE_SECONDS: u64 = 60;

/// How many sessions a page has.
pub(crate) const PAGE: Sizes = Sizes { default: 250, most: 1000 };

/// `/sessions/whoami`, any method: the session of the request, with its identity.
pub async fn whoami(cx: &Cx) -> Reply {
    match who(cx).await {
        Ok(reply) => reply,
        Err(error) => {
            let cacheable = error.status == 401 && cx.config().feature_flags.cacheable_sessions && brings_nothing(cx);
            let reply = Reply::error(error);
            if cacheable { reply.header("ory-session-cache-for", NOBODY_CACHE_SECONDS.to_string()) } else { reply }
        }
    }
}

async fn who(cx: &Cx) -> Result<Reply, ApiError> {
    let current = required(cx).await?;
    strong_enough(cx, &current)?;
    let (shown, identity) = (&current.session, &current.identity);
    let mut out = view::session(cx, shown).identity(cx, identity, Parts::PUBLIC);
    let token = match cx.request.parameter("tokenize_as") {
        Some(template) => Some(tokenize(cx, template, &out.to_value()).await?),
        None => None,
    };
    if let Some(token) = &token {
        out = out.tokenized(token);
    }
    let mut reply = Reply { status: 200, body: Body::written(&out), cookies: Vec::new(), headers: Vec::with_capacity(2) };
    reply = reply.header("x-kratos-authenticated-identity-id", identity.id.to_string());
    if cx.config().feature_flags.cacheable_sessions && token.is_none() {
        let left = shown.expires_at.since(cx.now);
        let most = cx.config().feature_flags.cacheable_sessions_max_age.unwrap_or(left);
        reply = reply.header("ory-session-cache-for", left.min(most).as_secs().to_string());
    }
    // The browser's copy is renewed when it would drop the session too early, and at no other time.
    if current.carrier == Carrier::Cookie && current.cookie_expires_at.is_some_and(|seen| seen < shown.expires_at) {
        let expires_at = shown.expires_at;
        reply = reply.cookie(CookieChange::SetSession { token: current.token, expires_at });
    }
    Ok(reply)
}

/// `GET /sessions`: the other sessions of the same person that count, newest first.
pub async fn list_mine(cx: &Cx) -> Reply {
    let page = async {
        let current = required(cx).await?;
        strong_enough(cx, &current)?;
        let identity = &current.identity;
        let mut page = numbered(cx, "/sessions");
        let (mine, except) = (identity.id, Some(current.session.id));
        let (found, total) = sessions::list_by_identity(cx.store(), mine, Some(true), cx.now, except, page.offset(), page.size)
            .await
            .map_err(|e| store_error(&e))?;
        page.total = total;
        let shown = found.iter().map(|s| view::session(cx, s).identity(cx, identity, Parts::PUBLIC_BRIEF).to_value()).collect();
        Ok(page.links(Reply::json(200, Value::Array(shown)), &cx.request))
    };
    page.await.unwrap_or_else(Reply::error)
}

/// `DELETE /sessions`: ends the other sessions of the same person.
pub async fn revoke_others(cx: &Cx) -> Reply {
    let ended = async {
        let current = required(cx).await?;
        let mut c = Changes::new();
        sessions::revoke_all(&mut c, current.identity.id, Some(current.session.id), cx.now);
        let done = cx.store().commit(c).await.map_err(|e| store_error(&e))?;
        Ok(Reply::json(200, json!({ "count": done.counts.iter().sum::<u64>() })))
    };
    ended.await.unwrap_or_else(Reply::error)
}

/// `DELETE /sessions/{id}`: ends another session of the same person. Strangers' sessions are left alone without a word.
pub async fn revoke_one(cx: &Cx, id: &str) -> Reply {
    let ended = async {
        let current = required(cx).await?;
        let id = Uuid::parse_str(id).map_err(|_| ApiError::bad_request("This is no session id."))?;
        if id == current.session.id {
            return Err(ApiError::bad_request("The session of this request is ended by a logout."));
        }
        let mut c = Changes::new();
        sessions::revoke(&mut c, id, Some(current.identity.id), cx.now);
        cx.store().commit(c).await.map_err(|e| store_error(&e))?;
        Ok(revoked())
    };
    ended.await.unwrap_or_else(Reply::error)
}

/// The answer to the end of a session. That it names a media type, though it has no body, is what clients know.
pub(crate) fn revoked() -> Reply {
    Reply::no_content().header("content-type", "application/json")
}

/// A page of somebody's sessions, whose number is not known yet; pages count from 1.
pub(crate) fn numbered<'a>(cx: &Cx, path: &'a str) -> Numbered<'a> {
    Numbered {
        path,
        first: 1,
        page: page_number(&cx.request, &["page"], 1),
        size: PAGE.of_numbered(&cx.request, &["per_page", "page_size"]),
        size_name: "per_page",
        total: 0,
    }
}

async fn required(cx: &Cx) -> Result<Current, ApiError> {
    session::current(cx).await?.ok_or_else(|| ApiError::unauthorized("No active session was found in this request."))
}

fn strong_enough(cx: &Cx, current: &Current) -> Result<(), ApiError> {
    let demanded = cx.config().session.whoami.required_aal;
    if aal::satisfies(cx, demanded, &current.session, &current.identity) {
        Ok(())
    } else {
        Err(aal::required(&aal::step_up_url(cx, None)))
    }
}

/// Whether a request brings nothing that could be a session's credential.
fn brings_nothing(cx: &Cx) -> bool {
    let request = &cx.request;
    let cookie = &cx.config().session_cookie().name;
    request.session.is_none()
        && !request.cookie_names.iter().any(|name| name == cookie)
        && request.header("authorization").is_none()
        && request.header("x-session-token").is_none()
}

/// A token by a configured template, made of the session as it is shown.
async fn tokenize(cx: &Cx, template: &str, session: &Value) -> Result<String, ApiError> {
    let Some(template) = cx.config().session.whoami.tokenizer.templates.get(template) else {
        return Err(ApiError::bad_request("There is no token template of this name."));
    };
    let tools = Tools { rng: cx.rng(), jsonnet: &cx.app.jsonnet, outbound: &cx.snapshot.outbound };
    let issuer = cx.config().public_base_url().as_str();
    tokenizer::tokenize(template, session, issuer, cx.now, &tools).await.map_err(|error| match error {
        TokenizeError::NoExternalId => {
            ApiError::bad_request("The identity has no external id, which tokens of this template are made for.")
        }
        other => {
            tracing::error!(error = %other, "a session cannot be turned into a token");
            ApiError::internal()
        }
    })
}

/// `GET /sessions/token-exchange`: a native app gets the session that a browser began for it. Both codes are needed; the
/// second one comes from a finished social sign-in.
pub async fn exchange(cx: &Cx) -> Reply {
    match (cx.request.parameter("init_code"), cx.request.parameter("return_to_code")) {
        (Some(first), Some(second)) => match session::exchange::redeem(cx, first, second).await {
            Ok(Some((session, identity, token))) => {
                let shown = view::session(cx, &session).identity(cx, &identity, Parts::PUBLIC).no_devices();
                Reply::json(200, json!({ "session_token": token.expose(), "session": shown.to_value() }))
            }
            Ok(None) => Reply::error(ApiError::not_found("No session belongs to these codes.")),
            Err(error) => Reply::error(error),
        },
        _ => Reply::error(ApiError::bad_request("Both parameters are needed: init_code and return_to_code.")),
    }
}
