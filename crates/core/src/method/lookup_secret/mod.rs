//! `lookup_secret`: backup codes, for the day when the other second factor is lost.
//!
//! The credential holds twelve codes, each sealed, and when each was used: it works once. Used ones stay, and an account
//! whose codes are all used still has a second step.

mod codes;
mod login;
mod settings;

use portcullis_model::credential::{Credential, CredentialType};
use portcullis_model::flow::FlowKind;

use super::{CredentialKind, LoginMethod, Method, SettingsMethod, Usable};
use crate::flow::engine::Form;

const ID: &str = "lookup_secret";

/// The field for a code at sign-in.
const CODE: &str = "lookup_secret";

/// The method.
pub(super) struct LookupSecret;

impl Method for LookupSecret {
    fn id(&self) -> &'static str {
        ID
    }

    fn handles(&self, kind: FlowKind, form: &Form) -> bool {
        match kind {
            // In settings only a button says what is to be done.
            FlowKind::Settings => settings::Action::of(form).is_some(),
            _ => form.method() == Some(ID),
        }
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

impl CredentialKind for LookupSecret {
    fn kind(&self) -> CredentialType {
        CredentialType::LookupSecret
    }

    fn usable(&self, credential: &Credential) -> Usable {
        Usable { first: false, second: codes::are_set_up(credential) }
    }
}
