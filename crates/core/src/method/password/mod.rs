//! `password`: something the person knows.

mod login;
mod migrate;
mod policy;
mod registration;
mod settings;

use portcullis_model::credential::{Credential, CredentialType};
use portcullis_model::message;
use portcullis_model::ui::{Group, InputType, Node};
use serde_json::{Value, json};

use super::{CredentialKind, LoginMethod, Method, RegistrationMethod, SettingsMethod, Usable};

const ID: &str = "password";

/// The method.
pub(super) struct Password;

impl Method for Password {
    fn id(&self) -> &'static str {
        ID
    }

    fn login(&self) -> Option<&dyn LoginMethod> {
        Some(self)
    }

    fn registration(&self) -> Option<&dyn RegistrationMethod> {
        Some(self)
    }

    fn settings(&self) -> Option<&dyn SettingsMethod> {
        Some(self)
    }

    fn credential(&self) -> Option<&dyn CredentialKind> {
        Some(self)
    }
}

impl CredentialKind for Password {
    fn kind(&self) -> CredentialType {
        CredentialType::Password
    }

    fn usable(&self, credential: &Credential) -> Usable {
        // One that another system knows is a password all the same.
        Usable { first: hash_of(credential).is_some() || migrate::is_elsewhere(credential), second: false }
    }
}

/// The hash that a credential holds, if it holds one.
fn hash_of(credential: &Credential) -> Option<&str> {
    credential.config.get("hashed_password").and_then(Value::as_str).filter(|h| !h.is_empty())
}

/// The data of a credential with a hash.
fn config(hash: &str) -> Value {
    json!({ "hashed_password": hash })
}

/// The field for a password.
fn node(autocomplete: &str) -> Node {
    Node::input(Group::Password, "password", InputType::Password)
        .required()
        .autocomplete(autocomplete)
        .label(message::label::password())
}
