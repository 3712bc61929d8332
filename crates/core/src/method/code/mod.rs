//! `code`: one-time codes sent to an address, by which people sign in, sign up, prove a second factor, recover and verify.

mod challenge;
mod login;
mod recovery;
mod registration;
mod verification;

use portcullis_model::credential::{Credential, CredentialType};
use portcullis_model::flow::Notes;
use portcullis_model::identity::Via;
use portcullis_model::message::{self, Message, validation};
use portcullis_model::ui::{Group, InputType, Node};
use serde_json::Value;

use super::{CredentialKind, LoginMethod, Method, RecoveryMethod, RegistrationMethod, Usable, VerificationMethod};
use crate::flow::engine::{Field, Form};
use portcullis_model::flow::FlowKind;

const ID: &str = "code";

/// The field by which an address is chosen.
const ADDRESS: &str = "address";

/// The method.
pub(super) struct Code;

impl Method for Code {
    fn id(&self) -> &'static str {
        ID
    }

    fn handles(&self, kind: FlowKind, form: &Form) -> bool {
        // The button of an address says all that there is to say.
        let by_address = kind == FlowKind::Login && form.method().is_none() && form.text(ADDRESS).is_some();
        by_address || form.method() == Some(ID)
    }

    fn login(&self) -> Option<&dyn LoginMethod> {
        Some(self)
    }

    fn registration(&self) -> Option<&dyn RegistrationMethod> {
        Some(self)
    }

    fn recovery(&self) -> Option<&dyn RecoveryMethod> {
        Some(self)
    }

    fn verification(&self) -> Option<&dyn VerificationMethod> {
        Some(self)
    }

    fn credential(&self) -> Option<&dyn CredentialKind> {
        Some(self)
    }
}

impl CredentialKind for Code {
    fn kind(&self) -> CredentialType {
        CredentialType::Code
    }

    fn usable(&self, credential: &Credential) -> Usable {
        // Which of both it is good for is for the configuration to say.
        let has_address = !addresses(credential).is_empty();
        Usable { first: has_address, second: has_address }
    }
}

/// The addresses that codes are sent to, in normal form.
fn addresses(credential: &Credential) -> Vec<(Via, String)> {
    let list = credential.config.get("addresses").and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .filter_map(|entry| {
            let via = match entry.get("channel")?.as_str()? {
                "email" => Via::Email,
                "sms" => Via::Sms,
                _ => return None,
            };
            Some((via, entry.get("address")?.as_str()?.to_owned()))
        })
        .collect()
}

/// Whether a form asks for another code.
fn asks_again(form: &Form) -> bool {
    form.text("resend") == Some(ID)
}

/// The word of the button that sends again is the method's, or nothing.
fn check_resend(form: &Form, notes: &mut Notes) {
    if !matches!(form.field("resend"), Field::Absent | Field::Text("" | ID)) {
        notes.tell_at("resend", validation::generic("this must be the word code, or be left out"));
        if let Some(note) = notes.nodes.get_mut("resend") {
            note.group = Some(Group::Default);
        }
    }
}

/// The nodes of a form that waits for a code, in the order in which they are shown when it was just sent.
fn waiting_nodes(label: Message) -> [Node; 4] {
    [
        Node::input(Group::Code, "method", InputType::Hidden).value(ID.into()),
        Node::input(Group::Code, "code", InputType::Text).required().autocomplete("one-time-code").label(label),
        Node::submit(Group::Code, ID, message::label::proceed()),
        Node::input(Group::Code, "resend", InputType::Submit).value(ID.into()).label(message::label::resend()),
    ]
}

/// What somebody is told whose code is good for nothing any more.
fn spent() -> Message {
    validation::generic("this code was used, or too many codes were tried; ask for a new one")
}

/// What somebody is told whose flow has no tries left.
fn exhausted() -> Message {
    validation::generic("too many codes were tried; begin again")
}
