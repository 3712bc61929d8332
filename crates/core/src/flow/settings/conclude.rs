//! The end of a settings submit: a fresh sign-in where the change takes one, then hooks, then one commit.

use portcullis_model::error::{ApiError, ErrorId};
use portcullis_model::flow::{FlowKind, FlowState};
use portcullis_model::identity::AddressStatus;
use portcullis_model::message;
use portcullis_store::{Changes, Constraint, StoreError, parked, sessions};
use serde_json::json;

use super::super::verification;
use super::{Submit, load_who, nothing_waits, outdated, shown};
use crate::app::Cx;
use crate::courier;
use crate::flow::engine::{self, After, Change, CookieChange, FlowError, Fresh, Parked, Pending, Reply, return_to};
use crate::identity::{self, Difference};
use crate::session::{self, Current};

/// Applies a change, or parks it until the person has signed in again. `waiting`: it was parked, and this is it.
pub(super) async fn conclude(
    submit: &mut Submit<'_>,
    mut change: Change,
    mut waiting: Option<Parked>,
) -> Result<Reply, FlowError> {
    for _ in 0..engine::TRIES {
        match attempt(submit, &change, waiting.as_ref()).await {
            // Somebody changed the account or took the change meanwhile: look again, and decide again.
            Err(FlowError::Store(StoreError::Conflict { .. })) => {
                submit.who = load_who(submit.cx, &submit.current).await.map_err(FlowError::api)?;
                let loaded = engine::load(submit.cx, FlowKind::Settings, submit.loaded.flow.id).await.map_err(FlowError::api)?;
                let loaded =
                    loaded.ok_or_else(|| FlowError::api(ApiError::not_found("There is no settings flow of this id.")))?;
                submit.loaded.version = loaded.version;
                if waiting.is_some() {
                    let still = engine::unpark(submit.cx, &loaded.flow, &submit.current.session).await.map_err(FlowError::api)?;
                    submit.loaded = loaded;
                    let parked = still.ok_or_else(nothing_waits)?;
                    change = parked.change.clone();
                    waiting = Some(parked);
                }
            }
            Err(FlowError::Store(StoreError::Unique(
                Constraint::Identifier | Constraint::VerifiableAddress | Constraint::RecoveryAddress,
            ))) => return Err(FlowError::tell(message::registration::account_exists())),
            other => return other,
        }
    }
    let told = "your account was changed at the same time; look at it and try again";
    Err(FlowError::tell(message::validation::generic(told)))
}

async fn attempt(submit: &mut Submit<'_>, change: &Change, waiting: Option<&Parked>) -> Result<Reply, FlowError> {
    let cx = submit.cx;
    let schema = engine::schema_of(cx, &submit.who)?;
    outdated::check(&schema, &mut submit.loaded.flow, change, &submit.who)?;
    let mut new = change.applied_to(cx, &submit.who);
    identity::conform(cx, &mut new, Some(&submit.who), &schema);
    let difference = identity::difference(&submit.who, &new);
    if takes_fresh_sign_in(change, &difference) && !is_fresh(cx, &submit.current, waiting) {
        return ask_to_sign_in(submit, change, waiting.is_some()).await;
    }
    let mut changes = Changes::new();
    match waiting {
        Some(parked) => engine::take_parked(&mut changes, &submit.loaded.flow, parked),
        // The newest submit counts: an older one that still waits must not come about later.
        None => parked::drop_of_flow(&mut changes, submit.loaded.flow.id),
    }
    let mut session = submit.current.session.clone();
    if let Some(proof) = &change.proof {
        session::add_proof(cx, &mut session, proof.clone());
        sessions::update(&mut changes, &session);
    }
    let before = submit.who.clone();
    let mut after = After {
        flow: &submit.loaded.flow,
        method: &change.method,
        who: &mut new,
        before: Some(&before),
        session: Some(&session),
        changes: &mut changes,
        transient_payload: submit.transient_payload.as_ref(),
        csrf_secret: cx.request.csrf_secret.clone(),
        pending: Pending::default(),
    };
    engine::run_deciding(cx, FlowKind::Settings, &mut after).await?;
    if after.pending.held_back {
        let pending = after.pending;
        return hold_back(submit, changes, pending).await;
    }
    if cx.config().selfservice.flows.verification.enabled {
        verify_pending(cx, &mut after).await?;
    }
    engine::run_after(cx, FlowKind::Settings, &mut after).await?;
    let pending = after.pending;
    identity::update(&mut changes, &before, &new);

    let asked = submit.loaded.flow.clone();
    submit.loaded.flow.state = FlowState::Success;
    submit.loaded.flow.methods.clear();
    submit.loaded.flow.notes = Default::default();
    submit.loaded.flow.notes.about = Some(change.method.clone());
    submit.loaded.flow.notes.tell(message::settings::saved());
    engine::update(cx, &mut changes, &submit.loaded);
    if let Err(error) = cx.store().commit(changes).await {
        // The form comes back as it was, with everything that was typed.
        submit.loaded.flow = asked;
        return Err(FlowError::Store(error));
    }
    if pending.has_mail {
        courier::ring(&cx.app);
    }
    submit.who = new;
    submit.current.session = session;
    success(submit, &change.method, pending).await
}

/// The change waits for the proof of its new address: what a hook wrote down is saved, the change is not.
async fn hold_back(submit: &mut Submit<'_>, mut changes: Changes, pending: Pending) -> Result<Reply, FlowError> {
    let cx = submit.cx;
    submit.loaded.flow.state = FlowState::ShowForm;
    submit.loaded.flow.notes.clear_messages();
    engine::update(cx, &mut changes, &submit.loaded);
    cx.store().commit(changes).await.map_err(FlowError::Store)?;
    courier::ring(&cx.app);
    let flow = &mut submit.loaded.flow;
    let Some(verification) = pending.verification else {
        return Ok(Reply::see_other(engine::page_of(cx, flow)));
    };
    if !engine::takes_json(cx, flow.flow_type) {
        return Ok(Reply::see_other(verification.url));
    }
    let mut shown = shown(cx, &submit.who, flow).await?;
    shown.beside.insert("continue_with".into(), json!([verification.continue_with()]));
    Ok(Reply::json(200, engine::body(flow, shown)))
}

/// Writes to every address that nobody was written to yet.
async fn verify_pending(cx: &Cx, after: &mut After<'_>) -> Result<(), FlowError> {
    let pending: Vec<usize> = after
        .who
        .identity
        .verifiable_addresses
        .iter()
        .enumerate()
        .filter(|(_, a)| !a.verified && a.status == AddressStatus::Pending)
        .map(|(i, _)| i)
        .collect();
    for address in pending {
        verification::start(cx, after, address).await?;
    }
    if cx.config().feature_flags.legacy_continue_with_verification_ui {
        after.pending.show_verification = true;
    }
    Ok(())
}

fn takes_fresh_sign_in(change: &Change, difference: &Difference) -> bool {
    match change.fresh {
        Fresh::Always => true,
        Fresh::IfAddressesChange => difference.changes_addresses(),
        Fresh::Never => false,
    }
}

/// Whether the last sign-in is fresh enough: young enough, or given for this very change, which waited for it. The latter
/// counts also where people are to be asked always.
fn is_fresh(cx: &Cx, current: &Current, waiting: Option<&Parked>) -> bool {
    let age = cx.config().selfservice.flows.settings.privileged_session_max_age;
    let signed_in = current.session.authenticated_at;
    cx.now < signed_in.plus(age) || waiting.is_some_and(|parked| signed_in > parked.since)
}

/// Parks the change and sends the person to sign in again. A change that waits already stays where it is.
async fn ask_to_sign_in(submit: &mut Submit<'_>, change: &Change, waits: bool) -> Result<Reply, FlowError> {
    let cx = submit.cx;
    let flow = &mut submit.loaded.flow;
    flow.state = FlowState::ShowForm;
    flow.notes.clear_messages();
    let mut changes = Changes::new();
    let cookie = if waits { None } else { engine::park(cx, &mut changes, flow, change, &submit.current.session) };
    engine::update(cx, &mut changes, &submit.loaded);
    cx.store().commit(changes).await.map_err(FlowError::Store)?;
    let flow = &submit.loaded.flow;
    let back = cx.public_url(&format!("/self-service/settings?flow={}", flow.id));
    let url = engine::with_parameter(&cx.public_url("/self-service/login/browser?refresh=true"), "return_to", &back);
    let mut reply = if engine::takes_json(cx, flow.flow_type) {
        Reply::error(
            ApiError::forbidden("This change takes a fresh sign-in. Sign in again, then it goes through.")
                .id(ErrorId::SessionRefreshRequired)
                .beside("redirect_browser_to", url),
        )
    } else {
        Reply::see_other(url)
    };
    reply.cookies.extend(cookie);
    Ok(reply)
}

/// The answer to a change that was saved.
async fn success(submit: &mut Submit<'_>, method: &str, pending: Pending) -> Result<Reply, FlowError> {
    let cx = submit.cx;
    if let Some(reply) = pending.instead {
        return Ok(*reply);
    }
    let flow = &mut submit.loaded.flow;
    let mut continue_with = pending.continue_with;
    if flow.is_native() {
        let mut shown = shown(cx, &submit.who, flow).await?;
        if !continue_with.is_empty() {
            shown.beside.insert("continue_with".into(), json!(continue_with));
        }
        return Ok(Reply::json(200, engine::body(flow, shown)));
    }
    let cookie = CookieChange::SetSession { token: submit.current.token.clone(), expires_at: submit.current.session.expires_at };
    let page = engine::page_of(cx, flow);
    let destination = return_to::destination_or(cx, FlowKind::Settings, method, flow.return_to.as_deref(), &page);
    if !cx.request.takes_json() {
        return Ok(Reply::see_other(destination).cookie(cookie));
    }
    continue_with.push(json!({ "action": "redirect_browser_to", "redirect_browser_to": destination }));
    let mut shown = shown(cx, &submit.who, flow).await?;
    shown.beside.insert("continue_with".into(), json!(continue_with));
    Ok(Reply::json(200, engine::body(flow, shown)).cookie(cookie))
}
