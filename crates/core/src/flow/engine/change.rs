//! A change that somebody wants to make to their own account, as data: it can wait, sealed, for a fresh sign-in.

use portcullis_model::credential::{Credential, CredentialType};
use portcullis_model::flow::Notes;
use portcullis_model::identity::IdentityWithCredentials;
use portcullis_model::session::AuthenticationMethod;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

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

/// A list in a credential's data, such as that of several keys, with one entry more or less. Whatever else became of the
/// list meanwhile stays.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EditList {
    /// The credential's type.
    pub kind: CredentialType,
    /// The member of its data that is the list; entries are told apart by their `id`.
    pub list: String,
    /// What becomes of it.
    pub edit: Edit,
}

/// What becomes of a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Edit {
    /// An entry comes behind the others.
    Add {
        /// The entry.
        entry: Value,
        /// Members that the data gets beside the list, unless it has them.
        beside: Value,
        /// Identifiers that the credential gets.
        identifiers: Vec<String>,
    },
    /// An entry goes, and the credential's data with the last one.
    Remove {
        /// Its id.
        id: Value,
    },
}

impl EditList {
    fn entries<'a>(&self, who: &'a IdentityWithCredentials) -> &'a [Value] {
        let list = who.credential(self.kind).and_then(|c| c.config.get(&self.list));
        list.and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// Whether the entry to be added is there already, or the one to be removed is gone.
    fn is_overtaken(&self, who: &IdentityWithCredentials) -> bool {
        let holds = |id: Option<&Value>| self.entries(who).iter().any(|entry| entry.get("id") == id);
        match &self.edit {
            Edit::Add { entry, .. } => holds(entry.get("id")),
            Edit::Remove { id } => !holds(Some(id)),
        }
    }

    fn apply_to(&self, cx: &Cx, who: &mut IdentityWithCredentials) {
        let mut entries = self.entries(who).to_vec();
        let credential = credential_of(cx, who, self.kind);
        credential.updated_at = cx.now;
        let mut data = credential.config.as_object().cloned().unwrap_or_default();
        match &self.edit {
            Edit::Add { entry, beside, identifiers } => {
                entries.push(entry.clone());
                for (name, value) in beside.as_object().into_iter().flatten() {
                    data.entry(name.clone()).or_insert_with(|| value.clone());
                }
                let new = identifiers.iter().filter(|i| !credential.identifiers.contains(i)).cloned().collect::<Vec<_>>();
                credential.identifiers.extend(new);
                credential.version = credential.version.max(1);
            }
            Edit::Remove { id } => entries.retain(|entry| entry.get("id") != Some(id)),
        }
        if entries.is_empty() {
            who.credentials.retain(|c| c.kind != self.kind);
            return;
        }
        data.insert(self.list.clone(), Value::Array(entries));
        credential.config = Value::Object(data);
    }
}

/// The credential of a type, made if there is none.
fn credential_of<'a>(cx: &Cx, who: &'a mut IdentityWithCredentials, kind: CredentialType) -> &'a mut Credential {
    let at = who.credentials.iter().position(|c| c.kind == kind).unwrap_or_else(|| {
        who.credentials.push(Credential {
            id: cx.new_id(),
            kind,
            identifiers: Vec::new(),
            config: Value::Object(Map::new()),
            version: 0,
            created_at: cx.now,
            updated_at: cx.now,
        });
        who.credentials.len() - 1
    });
    &mut who.credentials[at]
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
    /// Lists in credentials that get or lose an entry.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub edits: Vec<EditList>,
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
    /// What the method goes on with elsewhere once the sign-in is fresh, instead of any change to the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proceeds: Option<Value>,
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
            edits: Vec::new(),
            remove: Vec::new(),
            proof: None,
            fresh,
            remember: None,
            proceeds: None,
            refused: None,
        }
    }

    /// The types of credentials that it is about.
    pub fn credentials(&self) -> impl Iterator<Item = CredentialType> {
        self.set.iter().map(|set| set.kind).chain(self.remove.iter().copied())
    }

    /// Whether it takes an entry away: that the account can still be opened was decided looking at all its credentials.
    #[must_use]
    pub fn takes_away(&self) -> bool {
        self.edits.iter().any(|edit| matches!(edit.edit, Edit::Remove { .. }))
    }

    /// A submit that is wrong, told when the sign-in is fresh.
    #[must_use]
    pub fn refused(method: &str, notes: Box<Notes>) -> Self {
        Self { refused: Some(notes), ..Self::by(method, Fresh::Always) }
    }

    /// Whether it would replace a credential that was not there when it was decided, add what is there already, or remove
    /// what is gone.
    #[must_use]
    pub fn is_overtaken(&self, who: &IdentityWithCredentials) -> bool {
        let holds = |kind| who.credential(kind).is_some_and(|c| c.config.as_object().is_some_and(|data| !data.is_empty()));
        self.set.iter().any(|set| set.beside_none && holds(set.kind)) || self.edits.iter().any(|edit| edit.is_overtaken(who))
    }

    /// The account with this change, its credentials sorted by type. Identifiers and addresses are not yet worked out.
    #[must_use]
    pub fn applied_to(&self, cx: &Cx, old: &IdentityWithCredentials) -> IdentityWithCredentials {
        let mut new = old.clone();
        if let Some(traits) = &self.traits {
            new.identity.traits = traits.clone();
        }
        for set in &self.set {
            let credential = credential_of(cx, &mut new, set.kind);
            credential.config = set.config.clone();
            credential.version = set.version;
            credential.updated_at = cx.now;
            if let Some(identifiers) = &set.identifiers {
                credential.identifiers.clone_from(identifiers);
            }
        }
        for edit in &self.edits {
            edit.apply_to(cx, &mut new);
        }
        new.credentials.retain(|c| !self.remove.contains(&c.kind));
        new.credentials.sort_by_key(|c| c.kind);
        new
    }
}
