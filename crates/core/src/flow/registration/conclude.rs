//! The end of a registration: the account, its session, its flow and its mails in one commit.

use std::sync::Arc;

use portcullis_model::flow::FlowKind;
use portcullis_model::message;
use portcullis_model::schema::IdentitySchema;
use portcullis_store::{Changes, Constraint, StoreError, sessions};
use serde_json::{Map, Value, json};

use super::super::callback;
use super::Submit;
use crate::app::Cx;
use crate::courier;
use crate::crypto::tokens::CsrfSecret;
use crate::flow::engine::{self, After, CookieChange, FlowError, Owed, Pending, Reply, return_to};
use crate::flow::verification;
use crate::identity::{self, view::Parts};
use crate::method::Registrant;
use crate::oauth2;
use crate::session;

/// Makes the account of whoever signs up.
pub(super) async fn conclude(
    submit: &mut Submit<'_>,
    schema: &Arc<IdentitySchema>,
    method: &str,
    registrant: Registrant,
) -> Result<Reply, FlowError> {
    let cx = submit.cx;
    let Registrant { mut who, proof, mut changes } = registrant;
    identity::conform(cx, &mut who, None, schema);
    // The session is made in any case; whether the client is given it is for the hook `session` to say.
    let (new, exchange) = match &submit.loaded.flow.exchange_code {
        Some(first) if submit.came_back => {
            let (new, second) = session::exchange::begin(cx, first, who.identity.id, vec![proof]);
            (new, Some(second))
        }
        _ => (session::new_session(cx, who.identity.id, vec![proof]), None),
    };
    let mut after_changes = Changes::new();
    let renewed = CsrfSecret::new(cx.rng());
    let form = form(submit, method).await?;
    let mut after = After {
        flow: &submit.loaded.flow,
        form,
        method,
        who: &mut who,
        before: None,
        session: Some(&new.session),
        changes: &mut after_changes,
        transient_payload: submit.transient_payload.as_ref(),
        csrf_secret: Some(renewed.clone()),
        pending: Pending::default(),
    };
    engine::run_deciding(cx, FlowKind::Registration, &mut after).await?;
    if cx.config().selfservice.flows.verification.enabled {
        let every = cx.config().feature_flags.legacy_continue_with_verification_ui;
        if every || engine::leads_to_verification(cx, FlowKind::Registration, method) {
            after.pending.login_challenge.clone_from(&submit.loaded.flow.login_challenge);
        }
        let addresses = after.who.identity.verifiable_addresses.iter().enumerate();
        let unverified: Vec<usize> = addresses.filter(|(_, a)| !a.verified).map(|(place, _)| place).collect();
        for address in unverified.into_iter().take(if every { usize::MAX } else { 1 }) {
            verification::start(cx, &mut after, address).await?;
        }
        after.pending.show_verification |= every;
    }
    engine::run_after(cx, FlowKind::Registration, &mut after).await?;
    let mut pending = after.pending;
    let owed = std::mem::take(&mut pending.owed);
    // A verification that the client is sent to answers the OAuth2 server when it has passed.
    let waits = pending.show_verification && pending.verification.is_some();
    let challenge = submit.loaded.flow.login_challenge.clone().filter(|_| !waits);
    let at_once = owed.is_empty() && challenge.is_none();
    identity::insert(&mut changes, &who);
    if at_once {
        sessions::insert(&mut changes, &new.session, &new.token_hash);
    }
    changes.merge(after_changes);
    let asked = submit.loaded.flow.clone();
    submit.loaded.flow.notes = Default::default();
    if let portcullis_model::flow::Detail::Registration { choosing_credential, .. } = &mut submit.loaded.flow.detail {
        *choosing_credential = false;
    }
    engine::update(cx, &mut changes, &submit.loaded);
    let saved = cx.store().commit(changes).await;
    if saved.is_err() {
        // The form comes back as it was, with everything that was typed.
        submit.loaded.flow = asked;
    }
    match saved {
        Ok(_) => {}
        Err(StoreError::Unique(Constraint::Identifier | Constraint::VerifiableAddress | Constraint::RecoveryAddress)) => {
            return Err(identity::taken(cx, &who).await);
        }
        Err(StoreError::Conflict { .. }) => {
            return Err(FlowError::tell(message::validation::generic("this form was sent twice at the same time")));
        }
        Err(error) => return Err(FlowError::Store(error)),
    }
    if pending.has_mail {
        courier::ring(&cx.app);
    }
    if pending.has_calls {
        engine::ring(cx);
    }
    let mut sent_on = None;
    if !at_once {
        match sign_in_after(cx, owed, challenge.as_deref(), &new).await {
            Ok(url) => sent_on = url,
            Err(error) => return Ok(not_signed_in(submit, error, &pending, renewed).await),
        }
    }
    if let Some(code) = exchange.filter(|_| pending.issue_session) {
        let return_to = submit.loaded.flow.return_to.as_deref();
        return Ok(Reply::see_other(callback::to_app(cx, return_to, "code", &code)));
    }
    Ok(answer(submit, method, &who, new, End { pending, sent_on }, renewed))
}

/// Does what hooks owe to the account that is saved, and tells the OAuth2 server of it; then the account gets its session.
/// Gives the address to which the OAuth2 server wants the browser to be sent.
async fn sign_in_after(
    cx: &Cx,
    owed: Vec<Owed>,
    challenge: Option<&str>,
    new: &session::NewSession,
) -> Result<Option<String>, FlowError> {
    let mut changes = engine::settle(cx, owed).await?;
    let sent_on = match challenge {
        Some(challenge) => match oauth2::accept(cx, challenge, &new.session).await {
            Ok(url) => Some(url),
            Err(error) => {
                // Hooks were told; only the session is not there.
                cx.store().commit(changes).await.map_err(FlowError::Store)?;
                return Err(FlowError::api(error));
            }
        },
        None => None,
    };
    sessions::insert(&mut changes, &new.session, &new.token_hash);
    cx.store().commit(changes).await.map_err(FlowError::Store)?;
    Ok(sent_on)
}

/// What comes of a sign-up for the client.
struct End {
    pending: Pending,
    /// Where the OAuth2 server wants the browser to be sent.
    sent_on: Option<String>,
}

/// The answer to a sign-up that is saved, but that a hook failed to follow: nobody is signed in.
async fn not_signed_in(submit: &Submit<'_>, error: FlowError, pending: &Pending, renewed: CsrfSecret) -> Reply {
    let (cx, flow) = (submit.cx, &submit.loaded.flow);
    let reply = engine::answer_error(cx, engine::plain(error), engine::takes_json(cx, flow.flow_type)).await;
    // The verification that has begun is bound to the new secret.
    if flow.is_native() || pending.verification.is_none() { reply } else { reply.cookie(CookieChange::SetCsrf(renewed)) }
}

/// The flow as hooks see it, where one wants to.
async fn form(submit: &Submit<'_>, method: &str) -> Result<Option<Value>, FlowError> {
    let cx = submit.cx;
    if !engine::form_for_hooks(cx, FlowKind::Registration, method) {
        return Ok(None);
    }
    let mut flow = submit.loaded.flow.clone();
    let shown = super::shown(cx, &mut flow).await?;
    Ok(Some(engine::body(&flow, shown)))
}

fn answer(
    submit: &Submit<'_>,
    method: &str,
    who: &portcullis_model::identity::IdentityWithCredentials,
    new: session::NewSession,
    end: End,
    renewed: CsrfSecret,
) -> Reply {
    let cx = submit.cx;
    let flow = &submit.loaded.flow;
    let End { pending, sent_on } = end;
    let destination = || return_to::destination(cx, FlowKind::Registration, method, flow.return_to.as_deref());
    let destination = sent_on.unwrap_or_else(destination);
    let json = submit.takes_json();
    let shows = pending.show_verification.then_some(pending.verification.as_ref()).flatten();
    let mut reply = if json {
        let mut body = Map::new();
        body.insert("identity".into(), identity::view::public(cx, &who.identity));
        let mut continue_with: Vec<Value> = Vec::new();
        if !flow.is_native() {
            continue_with.push(json!({ "action": "redirect_browser_to", "redirect_browser_to": destination }));
        }
        continue_with.extend(pending.continue_with.iter().cloned());
        if pending.issue_session {
            body.insert("session".into(), session::view(cx, &new.session, Some((&who.identity, Parts::PUBLIC))));
            if flow.is_native() {
                body.insert("session_token".into(), new.token.expose().into());
                continue_with.push(json!({ "action": "set_ory_session_token", "ory_session_token": new.token.expose() }));
            }
        }
        body.insert("continue_with".into(), if continue_with.is_empty() { Value::Null } else { json!(continue_with) });
        Reply::json(200, Value::Object(body))
    } else {
        Reply::see_other(shows.map(|v| v.url.clone()).unwrap_or(destination))
    };
    if !flow.is_native() {
        if pending.issue_session {
            reply = reply.cookie(CookieChange::SetSession { token: new.token, expires_at: new.session.expires_at });
        }
        if pending.issue_session || pending.verification.is_some() {
            reply = reply.cookie(CookieChange::SetCsrf(renewed));
        }
    }
    reply
}
