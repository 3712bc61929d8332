//! `totp`: an authenticator app.
//!
//! The credential holds the app's `otpauth` URL, sealed, and the last step whose code was taken: a code counts once, and
//! none from before it counts again. One app can be linked at a time.

mod device;
mod login;
mod picture;
mod settings;

use portcullis_model::credential::{Credential, CredentialType};
use portcullis_model::flow::FlowKind;
use portcullis_model::message::Message;
use portcullis_model::ui::{Group, InputType, Node};
use serde_json::{Value, json};

use super::{CredentialKind, LoginMethod, Method, SettingsMethod, Usable};
use crate::flow::engine::Form;

const ID: &str = "totp";

/// The field for a code.
const CODE: &str = "totp_code";

/// The button that unlinks the app.
const UNLINK: &str = "totp_unlink";

/// The method.
pub(super) struct Totp;

impl Method for Totp {
    fn id(&self) -> &'static str {
        ID
    }

    fn handles(&self, kind: FlowKind, form: &Form) -> bool {
        form.method() == Some(ID) || kind == FlowKind::Settings && form.is_true(UNLINK)
    }

    fn login(&self) -> Option<&dyn LoginMethod> {
        Some(self)
    }

    fn settings(&self) -> Option<&dyn SettingsMethod> {
        Some(self)
    }

    fn credential(&self) -> Option<&dyn CredentialKind> {
        Some(self)
    }
}

impl CredentialKind for Totp {
    fn kind(&self) -> CredentialType {
        CredentialType::Totp
    }

    fn usable(&self, credential: &Credential) -> Usable {
        Usable { first: false, second: is_linked(credential) }
    }
}

/// Whether a credential holds an app: its URL is there, whether it can be read or not.
fn is_linked(credential: &Credential) -> bool {
    match credential.config.get("totp_url") {
        Some(Value::String(url)) => !url.is_empty(),
        Some(Value::Object(sealed)) => !sealed.is_empty(),
        _ => false,
    }
}

/// The data of a credential: the sealed URL, and the step of the last code that was taken.
fn config(sealed_url: &Value, last_step: u64) -> Value {
    json!({ "totp_url": sealed_url, "last_step": last_step })
}

/// The last step whose code was taken; none for an app that came by import and was not used yet.
fn last_step(credential: &Credential) -> Option<u64> {
    credential.config.get("last_step").and_then(Value::as_u64)
}

/// The field for a code.
fn node(label: Message) -> Node {
    Node::input(Group::Totp, CODE, InputType::Text).required().label(label)
}
