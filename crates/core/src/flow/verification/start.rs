//! Verification that begins on the way of another flow: after a sign-up, a sign-in, or a change of addresses.

use portcullis_model::flow::{Detail, FlowState};
use portcullis_model::identity::AddressStatus;
use url::Url;

use super::configured;
use crate::app::Cx;
use crate::credential::mail_limit;
use crate::flow::engine::{self, After, FlowError, Verification, csrf, return_to};
use crate::method::Recipient;

/// The parameter of the first flow's URL that names where its verification leads.
const AFTERWARDS: &str = "after_verification_return_to";

/// Begins a verification of one of the account's addresses on the way of another flow: the challenge is sent, the address
/// counts as written to, and the client can be told where to go on. An address to which too many messages went already gets
/// no further one: the flow says so, and the challenge can be asked for there later. Gives whether it was sent.
///
/// # Errors
/// If the configured method cannot send.
pub async fn start(cx: &Cx, after: &mut After<'_>, address: usize) -> Result<bool, FlowError> {
    let Some((method, verification)) = configured(cx) else { return Ok(false) };
    let Some(to) = after.who.identity.verifiable_addresses.get(address).cloned() else { return Ok(false) };
    let detail = Detail::Verification {
        method: method.id().to_owned(),
        address: Some(to.value.clone()),
        session_id: after.session.map(|s| s.id),
    };
    let return_to = afterwards(cx, &after.flow.request_url).or_else(|| after.flow.return_to.clone());
    let mut flow = engine::new_flow(cx, after.flow.flow_type, FlowState::ChooseMethod, detail, return_to);
    // The URL of the flow on whose way it begins carries the way back.
    flow.request_url.clone_from(&after.flow.request_url);
    flow.identity_id = Some(after.who.identity.id);
    flow.login_challenge.clone_from(&after.pending.login_challenge);
    if !flow.is_native() {
        flow.csrf = after.csrf_secret.as_ref().map(csrf::binding_of);
    }
    let is_sent = mail_limit::charge_if_allowed(cx, after.changes, to.via, &to.value).await?;
    if is_sent {
        let recipient = Recipient { who: Some(after.who), via: to.via, address: &to.value };
        verification.send(cx, after.changes, &mut flow, &recipient, after.transient_payload);
        if !verification.takes_answers() {
            // Nobody asked for it, and nothing is to be typed in: the form says nothing.
            flow.notes.clear_messages();
        }
        if let Some(address) = after.who.identity.verifiable_addresses.get_mut(address) {
            address.status = AddressStatus::Sent;
            address.updated_at = cx.now;
        }
        after.pending.has_mail = true;
    } else {
        flow.notes.tell(mail_limit::too_many());
    }
    engine::insert(cx, after.changes, &flow);
    let begun = Verification { flow_id: flow.id, address: to.value, url: engine::page_of(cx, &flow), native: flow.is_native() };
    match after.pending.verification {
        None => after.pending.verification = Some(begun),
        Some(_) => after.pending.further_verifications.push(begun),
    }
    Ok(is_sent)
}

/// Where the URL of the first flow wants its verification to lead, if that is allowed.
fn afterwards(cx: &Cx, request_url: &str) -> Option<String> {
    let url = Url::parse(request_url).ok()?;
    let (_, wish) = url.query_pairs().find(|(name, _)| name == AFTERWARDS)?;
    return_to::check(cx.config(), &wish).is_ok().then(|| wish.into_owned())
}
