//! `webauthn`: security keys, each with a name.
//!
//! They are a second factor; where `methods.webauthn.config.passwordless` is set they sign in alone instead. What a key is
//! good for is decided when it is added and stays, so after the configuration has changed, keys of the other kind rest.
//! Apps have no security keys.

mod login;
mod registration;
mod settings;

use portcullis_model::credential::{Credential, CredentialType};
use portcullis_model::flow::FlowKind;
use portcullis_model::session::Aal;
use portcullis_model::ui::Group;

use super::{CredentialKind, LoginMethod, Method, RegistrationMethod, SettingsMethod, Usable};
use crate::app::Cx;
use crate::config::Config;
use crate::credential::webauthn::{self, Key, Site};
use crate::flow::engine::Form;

const ID: &str = "webauthn";
const GROUP: Group = Group::Webauthn;
const KIND: CredentialType = CredentialType::Webauthn;

/// The field for a new key.
const REGISTER: &str = "webauthn_register";

/// The field for its name.
const NAME: &str = "webauthn_register_displayname";

/// The button that removes a key.
const REMOVE: &str = "webauthn_remove";

/// The field for a key that is used.
const LOGIN: &str = "webauthn_login";

/// Keys need not check who uses them: there is another factor, or the person chose one that does.
const USER_VERIFICATION: &str = "discouraged";

/// The method.
pub(super) struct WebAuthn;

impl Method for WebAuthn {
    fn id(&self) -> &'static str {
        ID
    }

    fn handles(&self, kind: FlowKind, form: &Form) -> bool {
        let fields: &[&str] = match kind {
            FlowKind::Settings => &[REGISTER, REMOVE],
            FlowKind::Registration => &[REGISTER],
            _ => &[LOGIN],
        };
        let filled = fields.iter().any(|name| form.text(name).is_some_and(|text| !text.is_empty()));
        match form.method() {
            // In settings the method alone asks for nothing.
            Some(ID) => filled || kind != FlowKind::Settings,
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

impl CredentialKind for WebAuthn {
    fn kind(&self) -> CredentialType {
        KIND
    }

    fn usable(&self, credential: &Credential) -> Usable {
        Usable {
            first: webauthn::keys(credential).any(Key::is_passwordless),
            second: webauthn::keys(credential).any(|key| !key.is_passwordless()),
        }
    }

    fn first_factors(&self, credential: &Credential) -> usize {
        webauthn::keys(credential).filter(|key| key.is_passwordless()).count()
    }
}

fn is_passwordless(config: &Config) -> bool {
    config.selfservice.methods.webauthn.config.passwordless
}

/// The level that keys prove under a configuration.
fn level(config: &Config) -> Aal {
    if is_passwordless(config) { Aal::Aal1 } else { Aal::Aal2 }
}

/// Whom keys are bound to; `None` if that is not configured.
fn site(cx: &Cx) -> Option<Site> {
    cx.config().selfservice.methods.webauthn.config.rp.as_ref().map(|rp| Site::of(cx.config(), rp))
}

/// The keys of a credential that count under the configuration.
fn live_keys<'a>(cx: &Cx, credential: Option<&'a Credential>) -> impl Iterator<Item = Key<'a>> {
    let passwordless = is_passwordless(cx.config());
    credential.into_iter().flat_map(webauthn::keys).filter(move |key| key.is_passwordless() == passwordless)
}
