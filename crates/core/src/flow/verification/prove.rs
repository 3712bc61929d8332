//! The end of verification: the address counts as verified, and the flow has passed.

use portcullis_model::flow::{Detail, FlowKind, FlowState, FlowType};
use portcullis_model::identity::{AddressStatus, Via};
use portcullis_model::message::{self, Message};
use portcullis_store::{Changes, StoreError, identities, sessions};
use uuid::Uuid;

use super::{Submit, carrier, new_address, replaced};
use crate::courier;
use crate::crypto::tokens::CsrfSecret;
use crate::flow::engine::{self, After, CookieChange, Echo, FlowError, Pending, Replacement, Reply, Showing as _, csrf};
use crate::identity;
use crate::oauth2;
use crate::session;

/// An address that somebody proved.
pub(super) struct Proof {
    /// Whose it is.
    pub(super) identity_id: Uuid,
    /// The address, in normal form.
    pub(super) address: String,
    /// The channel.
    pub(super) via: Via,
    /// The used code or link.
    pub(super) guards: Changes,
    /// What somebody is told who comes second with it.
    pub(super) told_if_used: Message,
}

/// Marks a proved address as verified.
pub(super) async fn prove(submit: &mut Submit<'_>, proof: Proof) -> Result<Reply, FlowError> {
    let cx = submit.cx;
    // Only whoever began the verification is signed in by it elsewhere.
    let began_it = csrf::same_browser(cx, &submit.loaded.flow).is_ok();
    for _ in 0..engine::TRIES {
        let mut changes = Changes::new();
        changes.merge(proof.guards.clone());
        let found = identities::get_with_credentials(cx.store(), proof.identity_id).await.map_err(FlowError::Store)?;
        let Some(who) = found else { break };
        let held = new_address::take(cx, &mut changes, submit.loaded.flow.id, &who).await?;
        let mut new = match &held {
            Some(held) => held.decided(cx, &who, &mut changes).await?,
            None => who.clone(),
        };
        let mut theirs = new.identity.verifiable_addresses.iter_mut().filter(|a| a.value == proof.address && a.via == proof.via);
        // An address that was taken away meanwhile is nobody's to prove.
        let Some(address) = theirs.next() else { break };
        address.verified = true;
        address.status = AddressStatus::Completed;
        address.verified_at = Some(cx.now);
        address.updated_at = cx.now;

        let mut flow = submit.loaded.flow.clone();
        flow.state = FlowState::PassedChallenge;
        flow.notes = Default::default();
        flow.notes.tell(match proof.via {
            Via::Email => message::verification::verified(),
            Via::Sms => message::verification::phone_verified(),
        });
        // Whoever brings the proof may see what came of it, also in another browser than the one that began.
        let browser = flow.flow_type == FlowType::Browser;
        let fresh = (browser && cx.request.csrf_secret.is_none()).then(|| CsrfSecret::new(cx.rng()));
        let secret = fresh.clone().or_else(|| cx.request.csrf_secret.clone());
        if browser {
            flow.csrf = secret.as_ref().map(csrf::binding_of);
        }
        let pending = match &held {
            Some(held) => held.follow(cx, &who, &mut new, &mut changes).await?,
            None => Pending::default(),
        };
        let form = submit.form_for_hooks(&flow, carrier(&flow)).await?;
        let mut after = After {
            flow: &flow,
            form,
            method: carrier(&flow),
            who: &mut new,
            before: Some(&who),
            session: None,
            transient_payload: submit.transient_payload.as_ref(),
            changes: &mut changes,
            csrf_secret: secret,
            pending,
        };
        engine::run_after(cx, FlowKind::Verification, &mut after).await?;
        let Pending { has_mail, has_calls, owed, .. } = after.pending;
        identity::update(&mut changes, &who, &new);
        match submit.commit(changes, flow).await {
            Ok(()) => {
                if has_mail {
                    courier::ring(&cx.app);
                }
                if has_calls {
                    engine::ring(cx);
                }
                engine::settle_alone(cx, owed).await?;
                let prolonged = if began_it { answer_oauth2(submit).await } else { None };
                let mut reply = passed(submit, fresh).await?;
                reply.cookies.extend(prolonged);
                return Ok(reply);
            }
            Err(StoreError::Conflict { what: "codes" }) => break,
            Err(StoreError::Conflict { .. }) => submit.read_again().await?,
            Err(error) => return Err(FlowError::Store(error)),
        }
    }
    replaced(submit, proof.told_if_used, Replacement::Spent).await.map_err(FlowError::api)
}

/// Tells the OAuth2 server of the sign-in that waited for this verification; the flow then leads there. The address is
/// verified whatever comes of it: people can begin again at the application. The session's cookie goes on, if this browser
/// has it.
async fn answer_oauth2(submit: &mut Submit<'_>) -> Option<CookieChange> {
    let cx = submit.cx;
    let flow = &submit.loaded.flow;
    let Detail::Verification { session_id: Some(session_id), .. } = &flow.detail else { return None };
    let challenge = flow.login_challenge.as_deref()?;
    let stored = sessions::get(cx.store(), *session_id).await.ok()??;
    let session = Some(stored.0).filter(|session| session.is_alive(cx.now))?;
    match oauth2::accept(cx, challenge, &session).await {
        Ok(url) => submit.loaded.flow.leads_to = Some(url),
        Err(error) => {
            tracing::error!(%error, "a sign-up that was verified does not lead back to the OAuth2 server");
            return None;
        }
    }
    if let Err(error) = engine::save(cx, &submit.loaded).await {
        tracing::error!(%error, "where a verification leads was not saved");
    }
    let current = session::current(cx).await.ok()??;
    (current.session.id == session.id).then(|| CookieChange::SetSession { token: current.token, expires_at: session.expires_at })
}

/// The answer to a proof: the flow, or the way back to its page. `fresh`: the browser had no anti-CSRF secret.
async fn passed(submit: &mut Submit<'_>, fresh: Option<CsrfSecret>) -> Result<Reply, FlowError> {
    // A link is followed in a browser, whoever asked for it; scripts say what they want.
    let followed = submit.cx.request.method == "GET";
    let page = followed && !submit.cx.request.takes_json();
    let mut reply = if page {
        Reply::see_other(engine::page_of(submit.cx, &submit.loaded.flow))
    } else if let (Some(secret), true) = (&fresh, submit.takes_json()) {
        let flow = &mut submit.loaded.flow;
        let shown = submit.showing.shown(&submit.cx.renewed(secret.clone()), flow).await?;
        Reply::json(200, engine::body(flow, shown))
    } else {
        let echo = if submit.loaded.flow.leads_to.is_some() { Echo::Payload } else { Echo::Nothing };
        submit.show_saved(200, echo).await?
    };
    reply.cookies.extend(fresh.map(CookieChange::SetCsrf));
    Ok(reply)
}
