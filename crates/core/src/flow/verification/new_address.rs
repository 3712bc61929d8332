//! An address that is to be proved before it becomes somebody's: the whole change of traits waits for the proof.
//!
//! What waits is sealed in the parked submits, bound to the verification flow; a newer change drops an older one. It is
//! applied only if the session that asked still lives and the traits are those that the change was made from. Only then do
//! the hooks of the settings run that follow a change; those that decide are asked both times.

use portcullis_model::flow::{Flow, FlowKind};
use portcullis_model::identity::{IdentityWithCredentials, VerifiableAddress, Via};
use portcullis_model::session::Session;
use portcullis_model::{json, message};
use portcullis_store::{Changes, StoreError, identities, parked, sessions};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::app::Cx;
use crate::credential::mail_limit;
use crate::crypto::Purpose;
use crate::flow::engine::{self, After, FlowError, Pending};
use crate::identity;

/// A change of traits that waits.
#[derive(Serialize, Deserialize)]
struct Waiting {
    /// The session that asked.
    session_id: Uuid,
    /// The traits that it was made from.
    from: Value,
    /// The traits as they are to be.
    to: Value,
    /// How it was asked for. Version 0.1 wrote rows without it.
    asked: Option<Asked>,
}

/// The submit by which a change was asked for, for the hooks that follow it.
#[derive(Serialize, Deserialize)]
struct Asked {
    flow: Flow,
    method: String,
    transient_payload: Option<Value>,
}

/// A change whose address was proved.
pub(super) struct Proved {
    /// The account with it.
    who: IdentityWithCredentials,
    session: Session,
    asked: Option<Asked>,
}

impl Proved {
    /// The account as it is to be saved, when the hooks have agreed that may decide about it.
    ///
    /// # Errors
    /// If one of them refuses or fails.
    pub(super) async fn decided(
        &self,
        cx: &Cx,
        before: &IdentityWithCredentials,
        changes: &mut Changes,
    ) -> Result<IdentityWithCredentials, FlowError> {
        let mut new = self.who.clone();
        if let Some(mut after) = self.after(cx, before, &mut new, changes) {
            engine::run_deciding_again(cx, FlowKind::Settings, &mut after).await?;
        }
        Ok(new)
    }

    /// Runs the hooks that follow the change.
    ///
    /// # Errors
    /// If one of them fails.
    pub(super) async fn follow(
        &self,
        cx: &Cx,
        before: &IdentityWithCredentials,
        new: &mut IdentityWithCredentials,
        changes: &mut Changes,
    ) -> Result<Pending, FlowError> {
        let Some(mut after) = self.after(cx, before, new, changes) else { return Ok(Pending::default()) };
        engine::run_following(cx, FlowKind::Settings, &mut after).await?;
        Ok(after.pending)
    }

    fn after<'a>(
        &'a self,
        cx: &Cx,
        before: &'a IdentityWithCredentials,
        new: &'a mut IdentityWithCredentials,
        changes: &'a mut Changes,
    ) -> Option<After<'a>> {
        let asked = self.asked.as_ref()?;
        Some(After {
            flow: &asked.flow,
            form: None,
            method: &asked.method,
            who: new,
            before: Some(before),
            session: Some(&self.session),
            transient_payload: asked.transient_payload.as_ref(),
            changes,
            csrf_secret: cx.request.csrf_secret.clone(),
            pending: Pending::default(),
        })
    }
}

/// Holds a change back until the new address is proved, if it brings one. Nothing of it is saved then; the flow says where
/// to go on.
///
/// # Errors
/// 4050002 if it brings several addresses, 4000007 if the address is somebody else's, 4000001 if too many messages went to
/// it already.
pub async fn hold_back(cx: &Cx, after: &mut After<'_>) -> Result<(), FlowError> {
    let (Some(before), Some(session)) = (after.before, after.session) else { return Ok(()) };
    let new: Vec<(usize, VerifiableAddress)> = after
        .who
        .identity
        .verifiable_addresses
        .iter()
        .enumerate()
        .filter(|(_, a)| !before.identity.verifiable_addresses.iter().any(|b| b.value == a.value && b.via == a.via))
        .map(|(i, a)| (i, a.clone()))
        .collect();
    let (place, address) = match new.as_slice() {
        [] => return Ok(()),
        [one] => one.clone(),
        _ => return Err(FlowError::tell(message::settings::too_many_addresses())),
    };
    if is_taken(cx, after.who, &address).await.map_err(FlowError::Store)? {
        return Err(FlowError::tell(message::registration::account_exists()));
    }
    let waiting = Waiting {
        session_id: session.id,
        from: before.identity.traits.clone(),
        to: after.who.identity.traits.clone(),
        asked: Some(Asked {
            flow: after.flow.clone(),
            method: after.method.to_owned(),
            transient_payload: after.transient_payload.cloned(),
        }),
    };
    let is_sent = super::start(cx, after, place).await?;
    let Some(verification) = &after.pending.verification else { return Ok(()) };
    if !is_sent {
        return Err(FlowError::tell(mail_limit::too_many()));
    }
    let plain = serde_json::to_vec(&waiting).unwrap_or_default();
    let holder = holder(cx, after.who.identity.id);
    parked::drop_of_holder(after.changes, &holder);
    parked::put(
        after.changes,
        &parked::Parked {
            flow_id: verification.flow_id,
            identity_id: after.who.identity.id,
            holder_hash: holder,
            native: verification.native,
            sealed: cx.keys().seal(cx.rng(), Purpose::ParkedSubmit, verification.flow_id.as_bytes(), &plain),
            created_at: cx.now,
            expires_at: cx.now.plus(cx.config().flow(FlowKind::Verification).lifespan),
        },
    );
    after.pending.held_back = true;
    Ok(())
}

/// The change that waits in a verification flow, if one does and may be applied now. It is taken out in the same commit.
///
/// # Errors
/// If the database fails.
pub(super) async fn take(
    cx: &Cx,
    changes: &mut Changes,
    flow_id: Uuid,
    who: &IdentityWithCredentials,
) -> Result<Option<Proved>, FlowError> {
    let Some((proved, holder_hash)) = changed(cx, flow_id, who).await? else { return Ok(None) };
    parked::take(changes, flow_id, &holder_hash);
    Ok(Some(proved))
}

/// Whose an address (in normal form) is going to be once it is proved: the account as the change that waits in a flow makes
/// it, if it brings that address.
///
/// # Errors
/// If the database fails.
pub(super) async fn owner_to_be(
    cx: &Cx,
    flow: &Flow,
    via: Via,
    address: &str,
) -> Result<Option<IdentityWithCredentials>, FlowError> {
    let Some(id) = flow.identity_id else { return Ok(None) };
    let Some(who) = identities::get_with_credentials(cx.store(), id).await.map_err(FlowError::Store)? else { return Ok(None) };
    let new = changed(cx, flow.id, &who).await?.map(|(proved, _)| proved.who);
    Ok(new.filter(|new| new.identity.verifiable_addresses.iter().any(|a| a.via == via && a.value == address && !a.verified)))
}

/// The change that waits in a flow, if one does and may be applied now, and its holder.
async fn changed(cx: &Cx, flow_id: Uuid, who: &IdentityWithCredentials) -> Result<Option<(Proved, Vec<u8>)>, FlowError> {
    let Some(row) = parked::get(cx.store(), flow_id).await.map_err(FlowError::Store)? else { return Ok(None) };
    let opened = cx.keys().open(Purpose::ParkedSubmit, flow_id.as_bytes(), &row.sealed);
    let Some(waiting) = opened.and_then(|plain| json::read_back::<Waiting>(&plain).ok()) else { return Ok(None) };
    let session = sessions::get(cx.store(), waiting.session_id).await.map_err(FlowError::Store)?;
    let session = session.map(|(session, _)| session).filter(|s| s.is_alive(cx.now) && s.identity_id == who.identity.id);
    let Some(session) = session else { return Ok(None) };
    if row.identity_id != who.identity.id || cx.now >= row.expires_at || who.identity.traits != waiting.from {
        return Ok(None);
    }
    let schema = engine::schema_of(cx, who)?;
    let mut new = who.clone();
    new.identity.traits = waiting.to;
    identity::conform(cx, &mut new, Some(who), &schema);
    Ok(Some((Proved { who: new, session, asked: waiting.asked }, row.holder_hash)))
}

/// Whether another identity has an address, or an identifier that comes with it.
async fn is_taken(cx: &Cx, who: &IdentityWithCredentials, address: &VerifiableAddress) -> Result<bool, StoreError> {
    let id = who.identity.id;
    let purpose = identities::AddressPurpose::Verifiable;
    let by_address = identities::find_by_address(cx.store(), purpose, address.via, &address.value).await?;
    if by_address.is_some_and(|found| found.id != id) {
        return Ok(true);
    }
    for credential in &who.credentials {
        for identifier in &credential.identifiers {
            let found = identities::find_by_identifier(cx.store(), &[credential.kind], identifier).await?;
            if found.is_some_and(|found| found.identity.id != id) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// One change waits for each identity: all of them have the same holder.
fn holder(cx: &Cx, identity_id: Uuid) -> Vec<u8> {
    cx.keys().token_hash(&format!("verify_new_address {identity_id}")).to_vec()
}
