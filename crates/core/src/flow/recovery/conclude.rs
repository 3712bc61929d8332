//! The end of recovery: the proof becomes a session, and a settings flow in which people set up a new way to sign in.
//!
//! One commit uses the proof up, ends all other codes and links of the account, marks the address as verified, and makes
//! session and settings flow: so of any number of submits with the same proof exactly one is signed in.

use portcullis_model::error::{ApiError, ErrorId};
use portcullis_model::flow::{Detail, FlowKind, FlowState, FlowType};
use portcullis_model::identity::{AddressStatus, IdentityWithCredentials, State};
use portcullis_model::message;
use portcullis_store::{Changes, StoreError, codes, identities, sessions};
use serde_json::{Value, json};

use super::{Showing as _, Submit, replaced};
use crate::courier;
use crate::crypto::tokens::CsrfSecret;
use crate::flow::engine::{self, After, CookieChange, FlowError, Pending, Replacement, Reply, csrf, return_to};
use crate::flow::settings;
use crate::identity;
use crate::method::Recovered;
use crate::session::{self, NewSession};

/// Signs in whoever proved that an account is theirs.
pub(super) async fn conclude(submit: &mut Submit<'_>, method: &str, recovered: Recovered) -> Result<Reply, FlowError> {
    for _ in 0..engine::TRIES {
        match attempt(submit, method, &recovered).await {
            // Somebody else used the proof.
            Err(FlowError::Store(StoreError::Conflict { what: "codes" })) => break,
            // The account or the flow changed meanwhile: look again, and decide again.
            Err(FlowError::Store(StoreError::Conflict { .. })) => submit.read_again().await?,
            other => return other,
        }
    }
    replaced(submit, recovered.told_if_used, Replacement::Spent).await.map_err(FlowError::api)
}

async fn attempt(submit: &mut Submit<'_>, method: &str, recovered: &Recovered) -> Result<Reply, FlowError> {
    let cx = submit.cx;
    let spent = |told| replaced(submit, told, Replacement::Spent);
    let found = identities::get_with_credentials(cx.store(), recovered.identity_id).await.map_err(FlowError::Store)?;
    let Some(before) = found.filter(|who| still_recovers(who, recovered)) else {
        return spent(recovered.told_if_used.clone()).await.map_err(FlowError::api);
    };
    let mut changes = Changes::new();
    changes.merge(recovered.changes.clone());
    if before.identity.state == State::Inactive {
        // The proof is used up all the same.
        cx.store().commit(changes).await.map_err(FlowError::Store)?;
        return spent(message::login::account_disabled()).await.map_err(FlowError::api);
    }
    codes::drop_of_identity(&mut changes, before.identity.id, FlowKind::Recovery);

    // A link is followed in a browser, whoever asked for it.
    let in_browser = !submit.loaded.flow.is_native() || cx.request.method == "GET";
    let renewed = CsrfSecret::new(cx.rng());
    let mut flow = submit.loaded.flow.clone();
    flow.state = FlowState::PassedChallenge;
    flow.notes = Default::default();
    if !flow.is_native() {
        flow.csrf = Some(csrf::binding_of(&renewed));
    }
    let mut who = before.clone();
    verify(cx.now, &mut who, recovered);
    let new = session::new_session(cx, who.identity.id, vec![recovered.proof.clone()]);
    let form = submit.form_for_hooks(&flow, method).await?;
    let mut after = After {
        flow: &flow,
        form,
        method,
        who: &mut who,
        before: Some(&before),
        session: Some(&new.session),
        transient_payload: submit.transient_payload.as_ref(),
        changes: &mut changes,
        csrf_secret: Some(renewed.clone()),
        pending: Pending::default(),
    };
    engine::run_deciding(cx, FlowKind::Recovery, &mut after).await?;
    engine::run_after(cx, FlowKind::Recovery, &mut after).await?;
    let mut pending = after.pending;
    let owed = std::mem::take(&mut pending.owed);
    identity::update(&mut changes, &before, &who);
    if let Some(instead) = pending.instead {
        submit.commit(changes, flow).await.map_err(FlowError::Store)?;
        return Ok(*instead);
    }
    if !owed.is_empty() {
        // The account is recovered; who has it is signed in when hooks were told.
        submit.commit(std::mem::take(&mut changes), flow.clone()).await.map_err(FlowError::Store)?;
        changes = engine::settle(cx, owed).await?;
    }
    sessions::insert(&mut changes, &new.session, &new.token_hash);
    let wish = return_to::destination_or(cx, FlowKind::Recovery, method, flow.return_to.as_deref(), "");
    let skips = matches!(&flow.detail, Detail::Recovery { skip_settings: true, .. });
    let settings = if skips {
        None
    } else {
        let flow_type = if in_browser { FlowType::Browser } else { FlowType::Api };
        let return_to = Some(wish).filter(|wish| !wish.is_empty());
        let until = new.session.authenticated_at.plus(cx.config().selfservice.flows.settings.privileged_session_max_age);
        let told = message::recovery::recovered(until);
        let mut started = settings::after_recovery(cx, flow_type, &who, return_to, told, &mut changes).await?;
        if in_browser {
            started.csrf = Some(csrf::binding_of(&renewed));
        }
        engine::insert(cx, &mut changes, &started);
        Some(engine::page_of(cx, &started)).map(|url| (started.id, url))
    };
    submit.commit(changes, flow).await.map_err(FlowError::Store)?;
    if pending.has_mail {
        courier::ring(&cx.app);
    }
    if pending.has_calls {
        engine::ring(cx);
    }
    let end = End { method, new, renewed, settings, in_browser, continue_with: pending.continue_with };
    answer(submit, end).await
}

/// Whether the account may still be recovered by this proof: its address may have been taken away meanwhile.
fn still_recovers(who: &IdentityWithCredentials, recovered: &Recovered) -> bool {
    recovered
        .address
        .as_ref()
        .is_none_or(|(via, value)| who.identity.recovery_addresses.iter().any(|a| a.via == *via && a.value == *value))
}

/// The address that the challenge went to is verified by it; others are not.
fn verify(now: portcullis_model::time::Timestamp, who: &mut IdentityWithCredentials, recovered: &Recovered) {
    let Some((via, value)) = &recovered.address else { return };
    for address in who.identity.verifiable_addresses.iter_mut().filter(|a| a.via == *via && a.value == *value && !a.verified) {
        address.verified = true;
        address.status = AddressStatus::Completed;
        address.verified_at = Some(now);
        address.updated_at = now;
    }
}

/// What recovery came to.
struct End<'a> {
    method: &'a str,
    new: NewSession,
    renewed: CsrfSecret,
    /// The settings flow's id and page.
    settings: Option<(uuid::Uuid, String)>,
    in_browser: bool,
    continue_with: Vec<Value>,
}

async fn answer(submit: &mut Submit<'_>, end: End<'_>) -> Result<Reply, FlowError> {
    let cx = submit.cx;
    let json = submit.takes_json() && cx.request.method != "GET";
    let transitions = cx.config().feature_flags.use_continue_with_transitions;
    let flow = &mut submit.loaded.flow;
    let mut reply = match (json, &end.settings) {
        (false, Some((_, url))) => Reply::see_other(url.clone()),
        (false, None) => Reply::see_other(return_to::destination(cx, FlowKind::Recovery, end.method, flow.return_to.as_deref())),
        (true, Some((_, url))) if !transitions => Reply::error(
            ApiError::new(422, "The account is recovered. Send the browser to the address that is named.")
                .id(ErrorId::BrowserLocationChangeRequired)
                .beside("redirect_browser_to", url.clone()),
        ),
        (true, settings) => {
            let mut continue_with = Vec::new();
            if !end.in_browser {
                let token = end.new.token.expose();
                continue_with.push(json!({ "action": "set_ory_session_token", "ory_session_token": token }));
            }
            if let Some((id, url)) = settings {
                continue_with.push(json!({ "action": "show_settings_ui", "flow": { "id": id, "url": url } }));
            }
            continue_with.extend(end.continue_with);
            let shown = if flow.is_native() {
                submit.showing.shown(cx, flow).await?
            } else {
                submit.showing.shown(&cx.renewed(end.renewed.clone()), flow).await?
            };
            let mut shown = shown;
            if !continue_with.is_empty() {
                shown.beside.insert("continue_with".into(), json!(continue_with));
            }
            let payload = submit.transient_payload.clone().unwrap_or_else(|| json!({}));
            shown.beside.insert("transient_payload".into(), payload);
            Reply::json(200, engine::body(flow, shown))
        }
    };
    if end.in_browser {
        let NewSession { session, token, .. } = end.new;
        reply = reply
            .cookie(CookieChange::SetCsrf(end.renewed))
            .cookie(CookieChange::SetSession { token, expires_at: session.expires_at });
    }
    Ok(reply)
}
