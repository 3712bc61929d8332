//! A change that somebody wants to make to their own account, as data: it can wait, sealed, for a fresh sign-in.

use portcullis_model::credential::{Credential, CredentialType};
use portcullis_model::flow::Notes;
use portcullis_model::identity::IdentityWithCredentials;
use portcullis_model::session::AuthenticationMethod;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::app::Cx;

/// When a change takes a fresh sign-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fresh {
    /// Always: it changes what the account is opened with.
    Always,
    /// If identifiers or addresses change.
    IfAddressesChange,
    /// Never.
    Never,
}

/// A credential's new data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SetCredential {
    /// Its type.
    pub kind: CredentialType,
    /// Its data: secrets are hashed or sealed already.
    pub config: Value,
    /// The version of the data's shape.
    pub version: i64,
    /// Its identifiers, where they do not come from the traits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identifiers: Option<Vec<String>>,
    /// Whether it was decided on the belief that there is no such credential: one that came meanwhile is not replaced.
    #[serde(default)]
    pub beside_none: bool,
}

/// A change to an account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// The method that asked for it.
    pub method: String,
    /// The traits as they are to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traits: Option<Value>,
    /// The traits as the form showed them when it was opened, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<Value>,
    /// Credentials as they are to be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<SetCredential>,
    /// Credentials that are to go.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remove: Vec<CredentialType>,
    /// What the person proved by setting it up; it raises the session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<AuthenticationMethod>,
    /// When it takes a fresh sign-in.
    pub fresh: Fresh,
    /// What the method is to remember in the flow, instead of any change to the account: the flow is shown again, and no
    /// hooks run. For what takes a fresh sign-in although it saves nothing, such as showing secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remember: Option<Value>,
    /// What is wrong with the submit, told in place of any change once the sign-in is fresh.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Box<Notes>>,
}

impl Change {
    /// A change of nothing yet.
    #[must_use]
    pub fn by(method: &str, fresh: Fresh) -> Self {
        Self {
            method: method.to_owned(),
            traits: None,
            seen: None,
            set: Vec::new(),
            remove: Vec::new(),
            proof: None,
            fresh,
            remember: None,
            refused: None,
        }
    }

    /// The types of credentials that it is about.
    pub fn credentials(&self) -> impl Iterator<Item = CredentialType> {
        self.set.iter().map(|set| set.kind).chain(self.remove.iter().copied())
    }

    /// A submit that is wrong, told when the sign-in is fresh.
    #[must_use]
    pub fn refused(method: &str, notes: Box<Notes>) -> Self {
        Self { refused: Some(notes), ..Self::by(method, Fresh::Always) }
    }

    /// Whether it would replace a credential that was not there when it was decided.
    #[must_use]
    pub fn is_overtaken(&self, who: &IdentityWithCredentials) -> bool {
        let holds = |kind| who.credential(kind).is_some_and(|c| c.config.as_object().is_some_and(|data| !data.is_empty()));
        self.set.iter().any(|set| set.beside_none && holds(set.kind))
    }

    /// The account with this change, its credentials sorted by type. Identifiers and addresses are not yet worked out.
    #[must_use]
    pub fn applied_to(&self, cx: &Cx, old: &IdentityWithCredentials) -> IdentityWithCredentials {
        let mut new = old.clone();
        if let Some(traits) = &self.traits {
            new.identity.traits = traits.clone();
        }
        for set in &self.set {
            match new.credentials.iter_mut().find(|c| c.kind == set.kind) {
                Some(credential) => {
                    credential.config = set.config.clone();
                    credential.version = set.version;
                    credential.updated_at = cx.now;
                    if let Some(identifiers) = &set.identifiers {
                        credential.identifiers.clone_from(identifiers);
                    }
                }
                None => new.credentials.push(Credential {
                    id: cx.new_id(),
                    kind: set.kind,
                    identifiers: set.identifiers.clone().unwrap_or_default(),
                    config: set.config.clone(),
                    version: set.version,
                    created_at: cx.now,
                    updated_at: cx.now,
                }),
            }
        }
        new.credentials.retain(|c| !self.remove.contains(&c.kind));
        new.credentials.sort_by_key(|c| c.kind);
        new
    }
}
