//! `link`: one-time links sent to an address.

mod challenge;
mod recovery;
mod verification;

use portcullis_model::message;
use portcullis_model::ui::{Group, InputType, Node, Ui};

use super::{Method, RecoveryMethod, VerificationMethod};

const ID: &str = "link";

/// The method.
pub(super) struct Link;

impl Method for Link {
    fn id(&self) -> &'static str {
        ID
    }

    fn recovery(&self) -> Option<&dyn RecoveryMethod> {
        Some(self)
    }

    fn verification(&self) -> Option<&dyn VerificationMethod> {
        Some(self)
    }
}

/// The button that sends the form.
fn button() -> Node {
    Node::submit(Group::Link, ID, message::label::proceed())
}

/// Adds the field for an address, with the one that was written to, and its button.
fn ask_for_address(address: Option<&str>, ui: &mut Ui) {
    let mut email = Node::input(Group::Link, "email", InputType::Email).required().label(message::label::email());
    email.set_value(address.map(Into::into));
    ui.nodes.extend([email, button()]);
}
