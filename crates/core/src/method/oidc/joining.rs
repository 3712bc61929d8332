//! Joining: somebody whose address belongs to an account signs in to it, and the provider becomes one more way to do so.

use portcullis_model::flow::{Flow, FlowKind};
use portcullis_model::identity::IdentityWithCredentials;
use portcullis_model::message::login::Linkable;
use portcullis_model::message::{self, Message};
use portcullis_model::ui::{Group, InputType, Ui};

use super::memory::{Arrived, Joining, Memory};
use super::name_of;
use crate::app::Cx;
use crate::config::oidc::Provider;
use crate::flow::engine::{self, FlowError};
use crate::identity;

/// If what somebody is to become belongs to an account: the flow remembers that the two may be joined, and the message says
/// so. `None` if it is free.
pub(super) async fn begin(
    cx: &Cx,
    flow: &mut Flow,
    from: &Provider,
    arrived: &Arrived,
    who: &IdentityWithCredentials,
) -> Result<Option<Message>, FlowError> {
    let Some(account) = identity::account_of_taken(cx, who).await.map_err(FlowError::Store)? else { return Ok(None) };
    let may_tell = cx.config().selfservice.flows.registration.login_hints;
    let hints = may_tell.then(|| (account.kinds.clone(), account.providers.clone()));
    let (kinds, providers): (Vec<&str>, Vec<&str>) = match &hints {
        Some((kinds, providers)) => (kinds.iter().map(String::as_str).collect(), providers.iter().map(String::as_str).collect()),
        None => (Vec::new(), Vec::new()),
    };
    let told = message::login::sign_in_to_link(&Linkable {
        duplicate_identifier: &account.identifier,
        provider: name_of(from, &from.kind),
        new_login_url: &engine::page(cx, FlowKind::Login),
        available_credential_types: &kinds,
        available_providers: &providers,
    });
    let mut memory = Memory::of(flow);
    memory.joining = Some(Joining {
        arrived: arrived.clone(),
        identity_id: account.identity_id,
        identifier: account.identifier,
        hints,
        waits_for: None,
    });
    memory.arrived = None;
    memory.update = None;
    memory.trip = None;
    memory.alone = None;
    memory.keep(flow);
    Ok(Some(told))
}

/// Whether a provider may prove whose account it is: not the one that is to be joined, and where that may be told, only those
/// that the account is linked to.
pub(super) fn offers(joining: &Joining, provider: &str) -> bool {
    joining.arrived.provider != provider
        && joining.hints.as_ref().is_none_or(|(_, providers)| providers.iter().any(|p| p == provider))
}

/// Makes a sign-in form one that joins: the identifier is known, buttons say what they do, and where it may be told, what the
/// account does not have is left out.
pub(super) fn adjust(joining: &Joining, ui: &mut Ui) {
    if let Some((kinds, _)) = &joining.hints {
        let has = |kind: &str| kinds.iter().any(|k| k == kind);
        ui.nodes.retain(|node| match node.group {
            Group::Password => has("password"),
            Group::Code => has("code"),
            Group::Webauthn => has("webauthn"),
            Group::Passkey => has("passkey"),
            _ => true,
        });
    }
    if let Some(node) = ui.node_mut("identifier") {
        node.set_value(Some(joining.identifier.as_str().into()));
        if let Some(input) = node.as_input_mut() {
            input.kind = InputType::Hidden;
        }
    }
    let plain = message::login::sign_in();
    for node in &mut ui.nodes {
        if node.meta.label.as_ref().is_some_and(|label| label.id == plain.id) {
            node.meta.label = Some(message::login::sign_in_and_link());
        }
    }
}
