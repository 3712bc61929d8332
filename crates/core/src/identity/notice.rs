//! Telling people of changes to their accounts: a message to every address that was proved to be theirs before the change,
//! the old ones included, so that whoever took over an account cannot keep its owner from hearing of it.
//!
//! Nothing goes to an address that nobody proved: it may be a stranger's. So who has no proved address is told nothing. The
//! messages are a part of the change's own commit: there is no change without its notice, and no notice without its change.

use portcullis_model::identity::{IdentityWithCredentials, VerifiableAddress, Via};
use portcullis_store::{Changes, StoreError};
use serde_json::Value;

use super::notice_changes::changes;
use super::view;
use crate::app::Cx;
use crate::courier::{self, Circumstances, SettingsChanged};

/// What a flow knows of a change.
pub struct Occasion<'a> {
    /// The URL that started the flow.
    pub request_url: &'a str,
    /// What the client sent along for templates.
    pub transient_payload: Option<&'a Value>,
    /// Who is told of the change by another message of the same commit.
    pub told: &'a [(Via, String)],
}

/// Adds the notices of a change that a person made to their own account, if that is configured. Says whether there are any.
///
/// # Errors
/// If the outbox cannot be read.
pub async fn of_flow(
    cx: &Cx,
    out: &mut Changes,
    before: &IdentityWithCredentials,
    now: &IdentityWithCredentials,
    occasion: &Occasion<'_>,
) -> Result<bool, StoreError> {
    if !cx.config().selfservice.flows.settings.change_notices.enabled {
        return Ok(false);
    }
    write(cx, out, before, now, occasion, Author::Owner).await
}

/// Adds the notices of a change that an administrator made, if that is configured. Says whether there are any.
///
/// # Errors
/// If the outbox cannot be read.
pub async fn by_administrator(
    cx: &Cx,
    out: &mut Changes,
    before: &IdentityWithCredentials,
    now: &IdentityWithCredentials,
) -> Result<bool, StoreError> {
    let notices = &cx.config().selfservice.flows.settings.change_notices;
    if !notices.enabled || !notices.by_administrators {
        return Ok(false);
    }
    // Links and names in the message are those that people know, not the administrator's.
    let request_url = cx.public_url("/");
    let occasion = Occasion { request_url: &request_url, transient_payload: None, told: &[] };
    write(cx, out, before, now, &occasion, Author::Administrator).await
}

/// Who made a change.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Author {
    Owner,
    Administrator,
}

async fn write(
    cx: &Cx,
    out: &mut Changes,
    before: &IdentityWithCredentials,
    now: &IdentityWithCredentials,
    occasion: &Occasion<'_>,
    author: Author,
) -> Result<bool, StoreError> {
    let changes = changes(before, now);
    if changes.is_empty() {
        return Ok(false);
    }
    let of_client = |fact: &str| if author == Author::Owner { fact.to_owned() } else { String::new() };
    let mut any = false;
    for address in recipients(cx, before, occasion.told) {
        let notice = SettingsChanged {
            changes: changes.clone(),
            changed_at: cx.now,
            client_ip: of_client(&cx.request.client_ip),
            user_agent: of_client(&cx.request.user_agent),
            location: of_client(&cx.request.location),
            by_administrator: author == Author::Administrator,
            recovery_url: recovery_url(cx, now, address),
            settings_url: settings_url(cx, now, address),
            identity: view::public(cx, &now.identity),
            circumstances: Circumstances::new(occasion.request_url, occasion.transient_payload),
        };
        courier::notify(cx, out, notice, address.via, &address.value).await?;
        any = true;
    }
    Ok(any)
}

/// The proved addresses that were the account's, those that are told anyway and those that no channel reaches left out.
fn recipients<'a>(
    cx: &Cx,
    before: &'a IdentityWithCredentials,
    told: &[(Via, String)],
) -> impl Iterator<Item = &'a VerifiableAddress> {
    let reaches_phones = cx.config().courier.channels.iter().any(|c| c.id == Via::Sms.as_str());
    before.identity.verifiable_addresses.iter().filter(move |a| {
        a.verified
            && (a.via == Via::Email || reaches_phones)
            && !told.iter().any(|(via, value)| (*via, value) == (a.via, &a.value))
    })
}

/// Where somebody who reads this at an address gets back into the account.
fn recovery_url(cx: &Cx, now: &IdentityWithCredentials, address: &VerifiableAddress) -> Option<String> {
    let is_of_use = now.identity.recovery_addresses.iter().any(|a| (a.via, &a.value) == (address.via, &address.value));
    (cx.config().selfservice.flows.recovery.enabled && is_of_use).then(|| cx.public_url("/self-service/recovery/browser"))
}

/// Where the owner of an address that still is the account's can look at it.
fn settings_url(cx: &Cx, now: &IdentityWithCredentials, address: &VerifiableAddress) -> Option<String> {
    let stays = now.identity.verifiable_addresses.iter().any(|a| (a.via, &a.value) == (address.via, &address.value));
    stays.then(|| cx.public_url("/self-service/settings/browser"))
}
