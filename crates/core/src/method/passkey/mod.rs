//! `passkey`: keys that sign in alone and know whom they belong to.
//!
//! A credential holds the passkeys of a person. Each was made for a user handle, a random text, and the handles are the
//! credential's identifiers: whoever proves a passkey tells one, and so needs no other name.

mod login;
mod registration;
mod settings;

use portcullis_model::credential::{Credential, CredentialType};
use portcullis_model::flow::{Flow, FlowKind};
use portcullis_model::ui::Group;
use serde_json::Value;

use super::{CredentialKind, LoginMethod, Method, RegistrationMethod, SettingsMethod, Usable};
use crate::app::Cx;
use crate::config::methods::PasskeyConfig;
use crate::credential::webauthn::{self, Creation, Pending, Site, Verification};
use crate::flow::engine::Form;

const ID: &str = "passkey";
const GROUP: Group = Group::Passkey;
const KIND: CredentialType = CredentialType::Passkey;

/// The field for a passkey that was made to sign up.
const REGISTER: &str = "passkey_register";

/// The field for a passkey that was added in settings.
const ADD: &str = "passkey_settings_register";

/// The button that removes a passkey.
const REMOVE: &str = "passkey_remove";

/// The field for a passkey that is used.
const LOGIN: &str = "passkey_login";

/// The field that brings what the script needs to make a passkey.
const CREATE_DATA: &str = "passkey_create_data";

/// How long a user handle is, in letters and digits; 64 bytes are the most that authenticators keep.
const HANDLE: usize = 64;

/// The method.
pub(super) struct Passkey;

impl Method for Passkey {
    fn id(&self) -> &'static str {
        ID
    }

    fn handles(&self, kind: FlowKind, form: &Form) -> bool {
        let fields: &[&str] = match kind {
            FlowKind::Settings => &[ADD, REMOVE],
            FlowKind::Registration => &[REGISTER],
            _ => &[LOGIN],
        };
        // Some front ends say `true` where a passkey is still to be made.
        let filled = fields.iter().any(|name| form.text(name).is_some_and(|text| !matches!(text, "" | "true")));
        match form.method() {
            Some(ID) => filled || kind == FlowKind::Login,
            None => filled,
            Some(_) => false,
        }
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

impl CredentialKind for Passkey {
    fn kind(&self) -> CredentialType {
        KIND
    }

    fn usable(&self, credential: &Credential) -> Usable {
        Usable { first: webauthn::keys(credential).next().is_some(), second: false }
    }

    fn first_factors(&self, credential: &Credential) -> usize {
        webauthn::keys(credential).count()
    }
}

fn config(cx: &Cx) -> &PasskeyConfig {
    &cx.config().selfservice.methods.passkey.config
}

/// Whom passkeys are bound to; `None` if that is not configured.
fn site(cx: &Cx) -> Option<Site> {
    config(cx).rp.as_ref().map(|rp| Site::of(cx.config(), rp))
}

/// Whether passkeys must make sure who uses them.
fn verification(cx: &Cx) -> Verification {
    match config(cx).authenticator_selection.user_verification.as_str() {
        "required" => Verification::Required,
        _ => Verification::Optional,
    }
}

/// What a new passkey must be like.
fn wish(cx: &Cx) -> Creation<'_> {
    let config = config(cx);
    let selection = &config.authenticator_selection;
    Creation {
        attachment: selection.attachment.as_deref(),
        resident_key: Some(&selection.resident_key),
        user_verification: &selection.user_verification,
        attestation: Some(&config.attestation.preference),
        timeout: config.timeouts.registration,
    }
}

/// The challenge for a new passkey, and the user handle that it is made for.
fn begin_creation(cx: &Cx, flow: &mut Flow) -> Pending {
    Pending::begin(cx, flow, ID, || Some(portcullis_model::clock::random_text(cx.rng(), HANDLE)))
}

/// A credential's data beside the keys.
fn stored_handle(handle: &str) -> Value {
    webauthn::to_stored(handle.as_bytes()).into()
}
