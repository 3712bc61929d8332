//! The end of a settings submit: a fresh sign-in where the change takes one, then hooks, then one commit.

use portcullis_model::error::{ApiError, ErrorId};
use portcullis_model::flow::{Flow, FlowKind, FlowState, Notes};
use portcullis_model::identity::{AddressStatus, IdentityWithCredentials};
use portcullis_model::message;
use portcullis_store::{Changes, Constraint, StoreError, parked, sessions};
use serde_json::{Value, json};

use super::super::verification;
use super::{Submit, load_who, outdated, shown, step_up_to_submit, stronger};
use crate::app::Cx;
use crate::courier;
use crate::flow::engine::{self, After, Change, CookieChange, FlowError, Fresh, Parked, Pending, Reply, Shown, return_to};
use crate::identity::{self, Difference};
use crate::session::{self, Current, aal};

/// Applies a change, or parks it until the person has signed in again. `waiting`: it was parked, and this is it.
pub(super) async fn conclude(submit: &mut Submit<'_>, change: Change, waiting: Option<Parked>) -> Result<Reply, FlowError> {
    match decide(submit, change, waiting).await {
        Ok(reply) => Ok(reply),
        Err((FlowError::Invalid(notes), Some(parked))) => use_up(submit, *notes, &parked).await,
        Err((error, _)) => Err(error),
    }
}

/// Tries until nobody interferes. An error comes with what waits, if it still does.
async fn decide(
    submit: &mut Submit<'_>,
    mut change: Change,
    mut waiting: Option<Parked>,
) -> Result<Reply, (FlowError, Option<Parked>)> {
    let decided_on = submit.who.clone();
    for _ in 0..engine::TRIES {
        match attempt(submit, &change, &decided_on, waiting.as_ref()).await {
            // Somebody changed the account or took the change meanwhile: look again, and decide again.
            Err(FlowError::Store(StoreError::Conflict { .. })) => {
                let taken = look_again(submit, waiting.is_some()).await.map_err(|error| (error, None))?;
                if waiting.is_some() {
                    let Some(parked) = taken else {
                        return submit.nothing_waits().await.map_err(|error| (error, None));
                    };
                    change = parked.change.clone();
                    waiting = Some(parked);
                }
            }
            Err(FlowError::Store(StoreError::Unique(
                Constraint::Identifier | Constraint::VerifiableAddress | Constraint::RecoveryAddress,
            ))) => return Err((FlowError::tell(message::registration::account_exists()), waiting)),
            Err(error) => return Err((error, waiting)),
            Ok(reply) => return Ok(reply),
        }
    }
    let told = "your account was changed at the same time; look at it and try again";
    Err((FlowError::tell(message::validation::generic(told)), waiting))
}

/// Reads the account and the flow anew, and what waits in the flow.
async fn look_again(submit: &mut Submit<'_>, waits: bool) -> Result<Option<Parked>, FlowError> {
    submit.who = load_who(submit.cx, &submit.current).await.map_err(FlowError::api)?;
    let loaded = engine::load(submit.cx, FlowKind::Settings, submit.loaded.flow.id).await.map_err(FlowError::api)?;
    let loaded = loaded.ok_or_else(|| FlowError::api(ApiError::not_found("There is no settings flow of this id.")))?;
    if !waits {
        // The form stays as this request filled it in.
        submit.loaded.version = loaded.version;
        return Ok(None);
    }
    submit.loaded = loaded;
    engine::unpark(submit.cx, &submit.loaded.flow, &submit.current.session).await.map_err(FlowError::api)
}

/// What waited is refused: it waits no longer, and the form comes back with what was typed and what is wrong.
async fn use_up(submit: &mut Submit<'_>, told: Notes, parked: &Parked) -> Result<Reply, FlowError> {
    let cx = submit.cx;
    let flow = &mut submit.loaded.flow;
    flow.state = FlowState::ShowForm;
    flow.notes.replace_messages(told);
    let shown = shown(cx, &submit.who, &mut submit.loaded.flow).await?;
    let mut changes = Changes::new();
    engine::take_parked(&mut changes, &submit.loaded.flow, parked);
    engine::update(cx, &mut changes, &submit.loaded);
    match cx.store().commit(changes).await {
        // Somebody else was told, or sent a newer form: theirs stands.
        Ok(_) | Err(StoreError::Conflict { .. }) => Ok(submit.reply(400, shown)),
        Err(error) => Err(FlowError::Store(error)),
    }
}

async fn attempt(
    submit: &mut Submit<'_>,
    change: &Change,
    decided_on: &IdentityWithCredentials,
    waiting: Option<&Parked>,
) -> Result<Reply, FlowError> {
    let cx = submit.cx;
    // The account may have got a second factor since the session was looked at.
    if let Some(reply) = step_up_to_submit(cx, &submit.current.session, &submit.who.identity, &submit.loaded.flow) {
        return Ok(reply);
    }
    match waiting {
        Some(parked) if parked.is_over => return Err(outdated::ended()),
        Some(_) => {}
        None => outdated::check_credentials(change, decided_on, &submit.who)?,
    }
    if waiting.is_some_and(|parked| submit.current.session.aal < parked.aal) {
        return Ok(stronger(cx, &submit.loaded.flow));
    }
    if let Some(with) = &change.proceeds {
        return proceed(submit, change, with, waiting).await;
    }
    if change.remember.is_some() || change.refused.is_some() {
        return without_change(submit, change, waiting).await;
    }
    if change.is_overtaken(&submit.who) {
        let told = "this was changed meanwhile; look at the form again";
        return Err(FlowError::tell(message::validation::generic(told)));
    }
    let schema = engine::schema_of(cx, &submit.who)?;
    let present = outdated::catch_up(&schema, &mut submit.loaded.flow, change, &submit.who)?;
    let mut new = present.applied_to(cx, &submit.who);
    identity::conform(cx, &mut new, Some(&submit.who), &schema);
    let difference = identity::difference(&submit.who, &new);
    if takes_fresh_sign_in(change, &difference) && !is_fresh(submit, waiting) {
        return ask_to_sign_in(submit, change, waiting.is_some()).await;
    }
    let mut changes = Changes::new();
    take_or_drop(&mut changes, submit, waiting);
    let mut session = submit.current.session.clone();
    if let Some(proof) = &change.proof {
        session::add_proof(cx, &mut session, proof.clone());
        sessions::update(&mut changes, &session);
    }
    let before = submit.who.clone();
    let form = form(submit, &change.method).await?;
    let mut after = After {
        flow: &submit.loaded.flow,
        form,
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
    let mut pending = after.pending;
    let owed = std::mem::take(&mut pending.owed);
    identity::update(&mut changes, &before, &new);

    let asked = submit.loaded.flow.clone();
    let flow = &mut submit.loaded.flow;
    flow.state = FlowState::Success;
    flow.notes = Default::default();
    flow.notes.about = Some(change.method.clone());
    flow.notes.tell(message::settings::saved());
    forget(cx, flow, &change.method);
    // What the form of the changed account makes methods remember, such as a secret that it shows, is saved with it.
    let committed = match shown(cx, &new, flow).await {
        Ok(mut shown) => {
            engine::csrf::mark_after(cx, flow, &mut shown.ui);
            engine::update(cx, &mut changes, &submit.loaded);
            cx.store().commit(changes).await.map(|_| shown).map_err(FlowError::Store)
        }
        Err(error) => Err(error),
    };
    let shown = committed.inspect_err(|_| {
        // The form comes back as it was, with everything that was typed.
        submit.loaded.flow = asked;
    })?;
    if pending.has_mail {
        courier::ring(&cx.app);
    }
    if pending.has_calls {
        engine::ring(cx);
    }
    submit.who = new;
    submit.current.session = session;
    engine::settle_alone(cx, owed).await?;
    Ok(success(submit, &change.method, pending, shown))
}

/// The flow as hooks see it, where one wants to.
async fn form(submit: &Submit<'_>, method: &str) -> Result<Option<Value>, FlowError> {
    let cx = submit.cx;
    if !engine::form_for_hooks(cx, FlowKind::Settings, method) {
        return Ok(None);
    }
    let mut flow = submit.loaded.flow.clone();
    let shown = shown(cx, &submit.who, &mut flow).await?;
    Ok(Some(engine::body(&flow, shown)))
}

/// What methods remember in a flow after a change by one of them was saved.
fn forget(cx: &Cx, flow: &mut Flow, method: &str) {
    let memories = std::mem::take(&mut flow.methods).into_iter().filter(|(id, _)| id != method);
    flow.methods = memories
        .filter_map(|(id, memory)| {
            let settings = cx.app.methods.iter().find(|m| m.id() == id)?.settings()?;
            Some((id, settings.outlives(memory)?))
        })
        .collect();
}

/// The end of a submit that changes nothing: the method remembers something in the flow, or tells what was wrong.
async fn without_change(submit: &mut Submit<'_>, change: &Change, waiting: Option<&Parked>) -> Result<Reply, FlowError> {
    let cx = submit.cx;
    if change.fresh == Fresh::Always && !is_fresh(submit, waiting) {
        return ask_to_sign_in(submit, change, waiting.is_some()).await;
    }
    let mut changes = Changes::new();
    take_or_drop(&mut changes, submit, waiting);
    if let Some(notes) = &change.refused {
        if waiting.is_none() {
            cx.store().commit(changes).await.map_err(FlowError::Store)?;
        }
        return Err(FlowError::Invalid(notes.clone()));
    }
    let flow = &mut submit.loaded.flow;
    flow.state = FlowState::ShowForm;
    flow.notes.clear_messages();
    if let Some(memory) = &change.remember {
        flow.methods.insert(change.method.clone(), memory.clone());
    }
    let mut shown = shown(cx, &submit.who, flow).await?;
    engine::update(cx, &mut changes, &submit.loaded);
    cx.store().commit(changes).await.map_err(FlowError::Store)?;
    let flow = &submit.loaded.flow;
    if !engine::takes_json(cx, flow.flow_type) {
        return Ok(Reply::see_other(engine::page_of(cx, flow)));
    }
    shown.beside.insert("transient_payload".into(), submit.transient_payload.clone().unwrap_or_else(|| json!({})));
    Ok(Reply::json(200, engine::body(flow, shown)))
}

/// The method goes on elsewhere: the flow remembers what it takes to come back.
async fn proceed(submit: &mut Submit<'_>, change: &Change, with: &Value, waiting: Option<&Parked>) -> Result<Reply, FlowError> {
    let cx = submit.cx;
    if change.fresh == Fresh::Always && !is_fresh(submit, waiting) {
        return ask_to_sign_in(submit, change, waiting.is_some()).await;
    }
    let method = cx.app.methods.enabled(cx.config()).find(|m| m.id() == change.method).and_then(|m| m.settings());
    let gone = || FlowError::api(ApiError::not_found("This method is not available here."));
    let settings = method.ok_or_else(gone)?;
    let mut changes = Changes::new();
    take_or_drop(&mut changes, submit, waiting);
    let flow = &mut submit.loaded.flow;
    flow.state = FlowState::ShowForm;
    flow.notes.clear_messages();
    let reply = settings.proceed(cx, &submit.who, flow, with).await?;
    engine::update(cx, &mut changes, &submit.loaded);
    cx.store().commit(changes).await.map_err(FlowError::Store)?;
    Ok(reply)
}

fn take_or_drop(changes: &mut Changes, submit: &Submit<'_>, waiting: Option<&Parked>) {
    match waiting {
        Some(parked) => engine::take_parked(changes, &submit.loaded.flow, parked),
        // The newest submit counts: an older one that still waits must not come about later.
        None => parked::drop_of_flow(changes, submit.loaded.flow.id),
    }
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

/// Whether the last sign-in is fresh enough: as strong as the session, and young enough or given for this very change, which
/// waited for it. The latter counts also where people are to be asked always.
pub(super) fn is_fresh(submit: &Submit<'_>, waiting: Option<&Parked>) -> bool {
    let (cx, session) = (submit.cx, &submit.current.session);
    let age = cx.config().selfservice.flows.settings.privileged_session_max_age;
    let signed_in = aal::proved_at(session, aal::to_refresh(cx, session, &submit.who.identity));
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
    let level = aal::to_refresh(cx, &submit.current.session, &submit.who.identity);
    let url = aal::refresh_url(cx, level, &back);
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
fn success(submit: &Submit<'_>, method: &str, pending: Pending, mut shown: Shown) -> Reply {
    let cx = submit.cx;
    if let Some(reply) = pending.instead {
        return *reply;
    }
    let flow = &submit.loaded.flow;
    let mut continue_with = pending.continue_with;
    if flow.is_native() {
        if !continue_with.is_empty() {
            shown.beside.insert("continue_with".into(), json!(continue_with));
        }
        return Reply::json(200, engine::body(flow, shown));
    }
    let Current { token, session, .. } = &submit.current;
    let page = engine::page_of(cx, flow);
    let destination = return_to::destination_or(cx, FlowKind::Settings, method, flow.return_to.as_deref(), &page);
    let reply = if cx.request.takes_json() {
        continue_with.push(json!({ "action": "redirect_browser_to", "redirect_browser_to": destination }));
        shown.beside.insert("continue_with".into(), json!(continue_with));
        Reply::json(200, engine::body(flow, shown))
    } else {
        Reply::see_other(destination)
    };
    let reply = reply.cookie(CookieChange::SetSession { token: token.clone(), expires_at: session.expires_at });
    match engine::prolong_parking(cx).filter(|_| !submit.came_back) {
        Some(cookie) => reply.cookie(cookie),
        None => reply,
    }
}
