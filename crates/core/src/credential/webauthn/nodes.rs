//! The nodes that both kinds of keys have on their forms.

use portcullis_model::flow::Flow;
use portcullis_model::message::Message;
use portcullis_model::ui::{Attributes, Group, InputType, Meta, Node, ScriptAttributes, Ui};
use serde_json::Value;

use super::key::Key;
use super::script::{SCRIPT_PATH, integrity};
use super::to_url;
use crate::app::Cx;

/// The function of the script that a node calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// Makes a security key.
    AddKey,
    /// Uses a security key.
    UseKey,
    /// Signs up with a passkey.
    SignUp,
    /// Adds a passkey in settings.
    AddPasskey,
    /// Signs in with a passkey.
    UsePasskey,
    /// Offers passkeys in the field for the identifier.
    Autofill,
}

impl Trigger {
    /// Its name in the script.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::AddKey => "oryWebAuthnRegistration",
            Self::UseKey => "oryWebAuthnLogin",
            Self::SignUp => "oryPasskeyRegistration",
            Self::AddPasskey => "oryPasskeySettingsRegistration",
            Self::UsePasskey => "oryPasskeyLogin",
            Self::Autofill => "oryPasskeyLoginAutocompleteInit",
        }
    }
}

/// The script that makes and uses keys, once on a form. Apps have no use for it.
pub fn script(cx: &Cx, flow: &Flow, ui: &mut Ui) {
    const ID: &str = "webauthn_script";
    let there = ui.nodes.iter().any(|n| matches!(&n.attributes, Attributes::Script(s) if s.id == ID));
    if there || flow.is_native() {
        return;
    }
    let mut nonce = [0; 16];
    cx.rng().fill(&mut nonce);
    ui.nodes.push(Node {
        kind: "script".to_owned(),
        group: Group::Webauthn,
        attributes: Attributes::Script(ScriptAttributes {
            id: ID.to_owned(),
            src: cx.public_url(SCRIPT_PATH),
            is_async: true,
            referrerpolicy: "no-referrer".to_owned(),
            crossorigin: "anonymous".to_owned(),
            integrity: integrity().to_owned(),
            kind: "text/javascript".to_owned(),
            nonce: to_url(&nonce),
        }),
        messages: Vec::new(),
        meta: Meta::default(),
    });
}

/// A button that calls a function of the script. Older front ends run `onclick`; apps do not.
#[must_use]
pub fn trigger(flow: &Flow, group: Group, name: &str, calls: Trigger, label: Message) -> Node {
    let is_native = flow.is_native();
    Node::input(group, name, InputType::Button).label(label).with_input(|input| {
        input.onclick = (!is_native).then(|| format!("window.{}()", calls.name()));
        input.onclick_trigger = Some(calls.name().to_owned());
    })
}

/// Has the button's function called with the options, for older front ends.
#[must_use]
pub fn onclick(node: Node, calls: Trigger, options: &Value) -> Node {
    let text = options.to_string();
    node.value(text.clone().into()).with_input(|input| input.onclick = Some(format!("window.{}({text})", calls.name())))
}

/// A hidden field.
#[must_use]
pub fn hidden(group: Group, name: &str) -> Node {
    Node::input(group, name, InputType::Hidden)
}

/// The button that removes a key.
#[must_use]
pub fn removal(group: Group, name: &str, key: Key<'_>, disabled: bool, label: Message) -> Node {
    let id = data_encoding::HEXLOWER.encode(&key.id().unwrap_or_default());
    Node::input(group, name, InputType::Submit).value(id.into()).label(label).with_input(|input| input.disabled = disabled)
}
