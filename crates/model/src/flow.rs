//! A flow: one attempt to sign up, sign in, change settings, recover or verify, from the first request to the last.
//!
//! A flow keeps what cannot be worked out again: what was typed, what was told, how far it came. Its form is built anew
//! from that, the configuration and the identity each time it is shown.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::identity::Via;
use crate::message::Message;
use crate::session::Aal;
use crate::time::Timestamp;
use crate::ui::Group;

/// What a flow is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FlowKind {
    /// Signing in.
    Login,
    /// Signing up.
    Registration,
    /// Changing one's own account.
    Settings,
    /// Getting back into an account.
    Recovery,
    /// Proving an address.
    Verification,
}

impl FlowKind {
    /// All kinds.
    pub const ALL: [Self; 5] = [Self::Login, Self::Registration, Self::Settings, Self::Recovery, Self::Verification];

    /// The word in routes and configuration keys.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Registration => "registration",
            Self::Settings => "settings",
            Self::Recovery => "recovery",
            Self::Verification => "verification",
        }
    }
}

impl fmt::Display for FlowKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Who talks to a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FlowType {
    /// A browser, by pages or by scripts: cookies, anti-CSRF tokens, redirects.
    Browser,
    /// A native app: no cookies, always JSON.
    Api,
}

/// How far a flow has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FlowState {
    /// Login, registration, recovery, verification: a method is to be chosen.
    ChooseMethod,
    /// Settings: the form is shown.
    ShowForm,
    /// Settings: the last submit was applied.
    Success,
    /// A code or link was sent.
    SentEmail,
    /// Recovery with a choice of addresses: any address of the account is asked for.
    RecoveryAwaitingAddress,
    /// Recovery with a choice of addresses: one of the account's is to be chosen.
    RecoveryAwaitingAddressChoice,
    /// Recovery with a choice of addresses: the chosen one is to be typed in full.
    RecoveryConfirmingAddress,
    /// Recovery with a choice of addresses: a code was sent.
    RecoveryAwaitingCode,
    /// The challenge was met.
    PassedChallenge,
}

/// What a flow remembers about one node of its form.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct NodeNote {
    /// What was typed; `Null` if the field was left empty. Secrets never stand here.
    #[serde(skip_serializing_if = "Option::is_none", default, deserialize_with = "even_null")]
    pub value: Option<Value>,
    /// What is told at the node.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub messages: Vec<Message>,
    /// The group of the node to add if the form has none of this name.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub group: Option<Group>,
}

/// Reads a value that is there, also if it is null: a field that was left empty is not one that nobody filled in.
fn even_null<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// What a flow remembers about its form.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct Notes {
    /// Messages about the form as a whole.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub messages: Vec<Message>,
    /// Notes by node name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub nodes: BTreeMap<String, NodeNote>,
    /// The method whose submit the messages are about, where a form has parts of several. Not shown to front ends.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub about: Option<String>,
}

impl Notes {
    /// Adds a message about the form as a whole.
    pub fn tell(&mut self, message: Message) {
        self.messages.push(message);
    }

    /// Adds a message at a node.
    pub fn tell_at(&mut self, node: &str, message: Message) {
        self.nodes.entry(node.to_owned()).or_default().messages.push(message);
    }

    /// Remembers what was typed into a node.
    pub fn keep(&mut self, node: &str, value: Value) {
        self.nodes.entry(node.to_owned()).or_default().value = Some(value);
    }

    /// Forgets what was typed into a node.
    pub fn forget_typed(&mut self, node: &str) {
        if let Some(note) = self.nodes.get_mut(node) {
            note.value = None;
        }
    }

    /// Forgets what was told, and keeps what was typed.
    pub fn clear_messages(&mut self) {
        self.messages.clear();
        for note in self.nodes.values_mut() {
            note.messages.clear();
        }
        self.nodes.retain(|_, note| note.value.is_some());
    }

    /// Tells what `new` tells instead of what was told before; what was typed stays, and `new` adds to it.
    pub fn replace_messages(&mut self, new: Self) {
        self.clear_messages();
        self.messages = new.messages;
        for (name, note) in new.nodes {
            let here = self.nodes.entry(name).or_default();
            here.messages = note.messages;
            here.group = note.group.or(here.group);
            if note.value.is_some() {
                here.value = note.value;
            }
        }
    }

    /// Adds what another set of notes tells and keeps.
    pub fn add(&mut self, other: Self) {
        self.messages.extend(other.messages);
        for (name, note) in other.nodes {
            let here = self.nodes.entry(name).or_default();
            here.messages.extend(note.messages);
            here.value = note.value.or(here.value.take());
            here.group = note.group.or(here.group);
        }
    }

    /// Everything that is told: about the form, then at nodes.
    pub fn all_messages(&self) -> impl Iterator<Item = &Message> {
        self.messages.iter().chain(self.nodes.values().flat_map(|n| &n.messages))
    }

    /// Whether anything is told, at a node or about the form.
    #[must_use]
    pub fn has_messages(&self) -> bool {
        !self.messages.is_empty() || self.nodes.values().any(|n| !n.messages.is_empty())
    }
}

/// What belongs to one kind of flow only.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Detail {
    /// Signing in.
    Login {
        /// The level that was asked for.
        requested_aal: Aal,
        /// Whether somebody signed in is to prove themselves again.
        refresh: bool,
        /// The identity schema that labels the form; `None`: the default one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        schema: Option<String>,
        /// The identifier that an identifier-first flow was told, as typed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        identifier: Option<String>,
    },
    /// Signing up.
    Registration {
        /// The identity schema that was asked for; `None`: the default one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        schema: Option<String>,
        /// The organization that was asked for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        organization: Option<Uuid>,
        /// Whether the traits were accepted and a credential is to be chosen (two-step sign-up).
        #[serde(default)]
        choosing_credential: bool,
    },
    /// Changing one's own account.
    Settings,
    /// Getting back into an account.
    Recovery {
        /// The method that carries the flow: `code` or `link`.
        method: String,
        /// The address that a code or link was sent to, as typed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<String>,
        /// Whether people choose among their account's addresses. Decided when the flow is made.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        choosing: bool,
        /// The address that somebody came with, as typed, where they choose among several.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        came_with: Option<String>,
        /// The channel of the address that was chosen and is to be typed in full. The address itself is not kept, so that no
        /// form can show it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        chosen: Option<Via>,
        /// Whether recovery ends without a settings flow.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        skip_settings: bool,
        /// Whether an administrator made it: no browser began it, so none is asked for.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        by_admin: bool,
    },
    /// Proving an address.
    Verification {
        /// The method that carries the flow: `code` or `link`.
        method: String,
        /// The address that a code or link was sent to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<String>,
        /// The session that began it after a sign-up or change, to go on with.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session_id: Option<Uuid>,
    },
}

impl Detail {
    /// The kind of flow that it belongs to.
    #[must_use]
    pub fn kind(&self) -> FlowKind {
        match self {
            Self::Login { .. } => FlowKind::Login,
            Self::Registration { .. } => FlowKind::Registration,
            Self::Settings => FlowKind::Settings,
            Self::Recovery { .. } => FlowKind::Recovery,
            Self::Verification { .. } => FlowKind::Verification,
        }
    }
}

/// A flow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Flow {
    /// Its id. For native login flows it is all that is needed to fetch them, so it is not to be guessed.
    pub id: Uuid,
    /// Who talks to it.
    #[serde(rename = "type")]
    pub flow_type: FlowType,
    /// How far it has come.
    pub state: FlowState,
    /// The method that was last used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<String>,
    /// When it began.
    pub issued_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// The URL by which it was begun.
    pub request_url: String,
    /// Where it leads, if that was asked for: checked, and as it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub return_to: Option<String>,
    /// Whose it is; settings flows always have an owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity_id: Option<Uuid>,
    /// The hash of the anti-CSRF secret of the browser that began it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub csrf: Option<String>,
    /// What was typed and told.
    #[serde(default)]
    pub notes: Notes,
    /// What each method keeps between requests (challenges, secrets to be confirmed), by method id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub methods: BTreeMap<String, Value>,
    /// The first half of a native social sign-in's exchange codes, as a keyed hash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchange_code: Option<String>,
    /// The OAuth2 server's request that this flow answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login_challenge: Option<String>,
    /// Where the browser goes on when it has passed, whatever `return_to` says: to the OAuth2 server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leads_to: Option<String>,
    /// What belongs to its kind only.
    pub detail: Detail,
}

impl Flow {
    /// What it is for.
    #[must_use]
    pub fn kind(&self) -> FlowKind {
        self.detail.kind()
    }

    /// Whether it can no longer be submitted.
    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        now >= self.expires_at
    }

    /// Whether a native app talks to it.
    #[must_use]
    pub fn is_native(&self) -> bool {
        self.flow_type == FlowType::Api
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_was_left_empty_is_remembered_as_such() {
        let mut notes = Notes::default();
        notes.keep("traits.name", Value::Null);
        notes.keep("traits.email", "ada@example.org".into());
        notes.tell_at(
            "code",
            Message { id: 1, text: String::new(), kind: crate::message::MessageType::Info, context: Default::default() },
        );
        let kept: Notes = serde_json::from_value(serde_json::to_value(&notes).unwrap()).unwrap();
        assert_eq!(kept, notes);
        assert_eq!(kept.nodes["traits.name"].value, Some(Value::Null));
        assert_eq!(kept.nodes["code"].value, None);
    }
}
