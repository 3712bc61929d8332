//! The field that asks for an identifier.

use portcullis_model::credential::CredentialType;
use portcullis_model::flow::{Detail, Flow};
use portcullis_model::identity::IdentityWithCredentials;
use portcullis_model::message::{self, Message};
use portcullis_model::ui::{Group, InputType, Node, Ui};

use crate::app::Cx;
use crate::flow::engine;

/// The label of the identifier field: the title of the only trait that is an identifier, or a general word.
#[must_use]
pub fn label(cx: &Cx, flow: &Flow) -> Message {
    let asked = match &flow.detail {
        Detail::Login { schema, .. } => schema.as_deref(),
        _ => None,
    };
    engine::schema_or_default(cx, asked).map_or_else(|_| message::label::identifier(), |schema| schema.identifier_label())
}

/// Adds the field for an identifier, unless another method did.
pub fn ask(cx: &Cx, flow: &Flow, ui: &mut Ui) {
    if ui.node("identifier").is_none() {
        ui.nodes
            .push(Node::input(Group::Default, "identifier", InputType::Text).required().value("".into()).label(label(cx, flow)));
    }
}

/// As [`ask`], and browsers may offer passkeys in it.
pub fn ask_for_keys(cx: &Cx, flow: &Flow, ui: &mut Ui) {
    ask(cx, flow, ui);
    if let Some(input) = ui.node_mut("identifier").and_then(Node::as_input_mut) {
        input.autocomplete = Some("username webauthn".to_owned());
    }
}

/// A name that somebody is known by; empty if they have none.
#[must_use]
pub fn of(who: &IdentityWithCredentials) -> &str {
    let named = [CredentialType::Password, CredentialType::Webauthn, CredentialType::Code];
    named.iter().find_map(|kind| who.credential(*kind)?.identifiers.first()).map_or("", String::as_str)
}

/// Adds the identifier of somebody who is known already, hidden.
pub fn known(identifier: &str, ui: &mut Ui) {
    if ui.node("identifier").is_none() {
        ui.nodes.push(Node::input(Group::Default, "identifier", InputType::Hidden).value(identifier.into()));
    }
}
