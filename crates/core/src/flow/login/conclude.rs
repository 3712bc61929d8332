//! The end of a login: a proof becomes a session.

use portcullis_model::error::{ApiError, ErrorId};
use portcullis_model::flow::{FlowKind, FlowState};
use portcullis_model::identity::{IdentityWithCredentials, State};
use portcullis_model::message;
use portcullis_model::session::{AuthenticationMethod, Session};
use portcullis_store::{Changes, sessions};
use serde_json::{Value, json};

use super::super::callback;
use super::Submit;
use crate::config::session::RequiredAal;
use crate::courier;
use crate::crypto::tokens::CsrfSecret;
use crate::flow::engine::{self, After, CookieChange, FlowError, Pending, Reply, return_to};
use crate::method::Proved;
use crate::oauth2;
use crate::session;

/// Makes or raises the session of whoever proved themselves.
pub(super) async fn conclude(submit: &mut Submit<'_>, method: &str, proved: Proved) -> Result<Reply, FlowError> {
    let cx = submit.cx;
    let Proved { mut who, proof, changes: mut guards, best_effort, shown } = proved;
    let before = who.clone();
    submit.loaded.flow.active = Some(method.to_owned());
    submit.loaded.flow.notes.forget_typed("identifier");
    if who.identity.state == State::Inactive {
        return Err(FlowError::tell(message::login::account_disabled()));
    }
    let mut changes = Changes::new();
    changes.merge(std::mem::take(&mut guards));

    let (proofs, waits) = settle(submit, &mut who, proof)?;

    // Whoever is signed in as the same person keeps their session; another person gets one of their own.
    let same = submit.current.clone().filter(|c| c.identity.id == who.identity.id);
    let raised = same.is_some();
    let mut session_changes = Changes::new();
    let mut exchange = None;
    let (session, token) = match same {
        Some(current) => {
            let mut session = current.session;
            for proof in proofs {
                session::add_proof(cx, &mut session, proof);
            }
            sessions::update(&mut session_changes, &session);
            (session, current.token)
        }
        None => {
            let new = match &submit.loaded.flow.exchange_code {
                Some(first) if submit.came_back => {
                    let (new, second) = session::exchange::begin(cx, first, who.identity.id, proofs);
                    exchange = Some(second);
                    new
                }
                _ => session::new_session(cx, who.identity.id, proofs),
            };
            sessions::insert(&mut session_changes, &new.session, &new.token_hash);
            (new.session, new.token)
        }
    };

    if waits {
        for login in cx.app.methods.enabled(cx.config()).filter_map(|m| m.login()) {
            login.wait(&mut submit.loaded.flow, session.id);
        }
    }
    let renewed = (!raised).then(|| CsrfSecret::new(cx.rng()));
    let form = form(submit, method).await?;
    let mut after = After {
        flow: &submit.loaded.flow,
        form,
        method,
        who: &mut who,
        before: Some(&before),
        session: Some(&session),
        changes: &mut changes,
        transient_payload: submit.transient_payload.as_ref(),
        csrf_secret: renewed.clone().or_else(|| cx.request.csrf_secret.clone()),
        pending: Pending::default(),
    };
    engine::run_deciding(cx, FlowKind::Login, &mut after).await?;
    engine::run_after(cx, FlowKind::Login, &mut after).await?;
    let pending = after.pending;
    crate::identity::update(&mut changes, &before, &who);
    if pending.instead.is_none() {
        changes.merge(session_changes);
        if submit.loaded.flow.state != FlowState::PassedChallenge {
            submit.loaded.flow.state = FlowState::ChooseMethod;
        }
        submit.loaded.flow.notes.clear_messages();
        engine::update(cx, &mut changes, &submit.loaded);
    }
    let wants_more = cx.config().session.whoami.required_aal == RequiredAal::HighestAvailable
        && session.aal < session::aal::available(cx, &who.identity);
    let challenge = submit.loaded.flow.login_challenge.clone();
    // Nobody is signed in whom the OAuth2 server refuses.
    let sent_on = match challenge.as_deref().filter(|_| !wants_more && pending.instead.is_none()) {
        Some(challenge) => Some(oauth2::accept(cx, challenge, &session).await.map_err(FlowError::api)?),
        None => None,
    };
    cx.store().commit(changes).await.map_err(FlowError::Store)?;
    if pending.has_mail {
        courier::ring(&cx.app);
    }
    if pending.has_calls {
        engine::ring(cx);
    }
    if let Some(instead) = pending.instead {
        // The sign-in is refused: what hooks wrote down (a code to be sent) was saved, the session was not.
        return Ok(*instead);
    }
    if !best_effort.is_empty()
        && let Err(error) = cx.store().commit(best_effort).await
    {
        tracing::debug!(%error, "a credential was not brought up to date");
    }

    let flow = &submit.loaded.flow;
    if let Some(code) = exchange {
        return Ok(Reply::see_other(callback::to_app(cx, flow.return_to.as_deref(), "code", &code)));
    }
    if flow.is_native() {
        let identity = (!wants_more).then_some((&who.identity, shown));
        let continue_with = if pending.continue_with.is_empty() { Value::Null } else { json!(pending.continue_with) };
        return Ok(Reply::json(
            200,
            json!({
                "session_token": token.expose(),
                "session": session::view(cx, &session, identity),
                "continue_with": continue_with,
            }),
        ));
    }
    let mut reply = if let Some(url) = sent_on {
        oauth2::sent_on(cx.request.takes_json(), url)
    } else if wants_more {
        let mut url = session::aal::step_up_url(cx, flow.return_to.as_deref());
        if let Some(challenge) = &challenge {
            url = engine::with_parameter(&url, "login_challenge", challenge);
        }
        if waits {
            url = engine::with_parameter(&url, "after", &flow.id.to_string());
        }
        if cx.request.takes_json() {
            Reply::error(
                ApiError::new(422, "A second factor is needed. Send the browser to the address that is named.")
                    .id(ErrorId::BrowserLocationChangeRequired)
                    .beside("redirect_browser_to", url),
            )
        } else {
            Reply::see_other(url)
        }
    } else {
        let destination = return_to::destination(cx, FlowKind::Login, method, flow.return_to.as_deref());
        let verification = pending.show_verification.then_some(pending.verification).flatten().map(|v| v.url);
        if cx.request.takes_json() {
            let mut continue_with = vec![json!({ "action": "redirect_browser_to", "redirect_browser_to": destination })];
            continue_with.extend(pending.continue_with);
            Reply::json(
                200,
                json!({ "session": session::view(cx, &session, Some((&who.identity, shown))), "continue_with": continue_with }),
            )
        } else {
            Reply::see_other(verification.unwrap_or(destination))
        }
    };
    reply = reply.cookie(CookieChange::SetSession { token, expires_at: session.expires_at });
    if let Some(secret) = renewed {
        reply = reply.cookie(CookieChange::SetCsrf(secret));
    }
    Ok(reply)
}

/// The flow as hooks see it, where one wants to.
async fn form(submit: &Submit<'_>, method: &str) -> Result<Option<Value>, FlowError> {
    let cx = submit.cx;
    if !engine::form_for_hooks(cx, FlowKind::Login, method) {
        return Ok(None);
    }
    let mut flow = submit.loaded.flow.clone();
    let shown = super::shown(cx, &mut flow, submit.who.as_ref()).await?;
    Ok(Some(engine::body(&flow, shown)))
}

/// Brings into the account what waits for it in the flow. Gives all proofs, that of the person first, and whether something
/// goes on waiting since the account takes one more proof.
///
/// # Errors
/// If it waits for somebody else.
fn settle(
    submit: &mut Submit<'_>,
    who: &mut IdentityWithCredentials,
    proof: AuthenticationMethod,
) -> Result<(Vec<AuthenticationMethod>, bool), FlowError> {
    let cx = submit.cx;
    let mut methods = cx.app.methods.enabled(cx.config()).filter_map(|m| m.login());
    let is_joining = methods.any(|login| login.is_joining(&submit.loaded.flow));
    let own = submit.current.iter().filter(|c| c.identity.id == who.identity.id).flat_map(|c| &c.session.methods);
    let all: Vec<AuthenticationMethod> = own.chain([&proof]).cloned().collect();
    let lacks_factor = cx.config().session.whoami.required_aal == RequiredAal::HighestAvailable
        && Session::level_of(&all) < session::aal::available(cx, &who.identity);
    if is_joining && lacks_factor {
        return Ok((vec![proof], true));
    }
    let mut proofs = vec![proof];
    for login in cx.app.methods.enabled(cx.config()).filter_map(|m| m.login()) {
        proofs.extend(login.settle(cx, &mut submit.loaded.flow, who)?);
    }
    Ok((proofs, false))
}
