//! Making, showing and removing backup codes.
//!
//! New codes belong to the flow that shows them until they are confirmed: only then do they take the place of the old ones.

use async_trait::async_trait;
use portcullis_model::credential::CredentialType;
use portcullis_model::flow::Flow;
use portcullis_model::identity::IdentityWithCredentials;
use portcullis_model::message::{self, Message, validation};
use portcullis_model::session::{Aal, AuthenticationMethod};
use portcullis_model::ui::{Group, InputType, Node, Ui};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{ID, LookupSecret, codes};
use crate::app::Cx;
use crate::flow::engine::{Change, FlowError, Form, Fresh, SetCredential};
use crate::method::{SettingsMethod, SettingsOutcome};

/// What the form is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Make new codes and show them.
    Regenerate,
    /// Take the new codes into use.
    Confirm,
    /// Show the codes.
    Reveal,
    /// Remove them.
    Disable,
}

impl Action {
    const ALL: [Self; 4] = [Self::Regenerate, Self::Confirm, Self::Reveal, Self::Disable];

    /// The button that was pressed.
    pub(super) fn of(form: &Form) -> Option<Self> {
        Self::ALL.into_iter().find(|action| form.is_true(action.name()))
    }

    fn name(self) -> &'static str {
        match self {
            Self::Regenerate => "lookup_secret_regenerate",
            Self::Confirm => "lookup_secret_confirm",
            Self::Reveal => "lookup_secret_reveal",
            Self::Disable => "lookup_secret_disable",
        }
    }

    fn button(self) -> Node {
        let label = match self {
            Self::Regenerate => message::settings::new_lookup_codes(),
            Self::Confirm => message::settings::confirm_lookup_codes(),
            Self::Reveal => message::settings::show_lookup_codes(),
            Self::Disable => message::settings::remove_lookup_codes(),
        };
        Node::input(Group::LookupSecret, self.name(), InputType::Submit).value("true".into()).label(label)
    }
}

/// What a flow remembers.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Memory {
    /// New codes, shown and not confirmed.
    Pending(Vec<String>),
    /// The codes are shown.
    Revealed,
}

impl Memory {
    fn of(flow: &Flow) -> Option<Self> {
        Self::read(flow.methods.get(ID)?)
    }

    fn read(value: &Value) -> Option<Self> {
        Self::deserialize(value).ok()
    }

    fn write(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

#[async_trait]
impl SettingsMethod for LookupSecret {
    async fn populate(&self, cx: &Cx, who: &IdentityWithCredentials, flow: &mut Flow, ui: &mut Ui) -> Result<(), FlowError> {
        let list = |codes: Message| {
            Node::text(Group::LookupSecret, "lookup_secret_codes", codes, message::settings::lookup_codes_label())
        };
        let credential = who.credential(CredentialType::LookupSecret).filter(|c| codes::are_set_up(c));
        let nodes = match (Memory::of(flow), credential) {
            (Some(Memory::Pending(codes)), _) => vec![list(codes::shown_new(&codes)), Action::Confirm.button()],
            (Some(Memory::Revealed), Some(credential)) => {
                let codes = codes::read(cx.keys(), who.identity.id, credential);
                vec![list(codes::shown(&codes)), Action::Disable.button(), Action::Regenerate.button()]
            }
            (None, Some(_)) => vec![Action::Reveal.button(), Action::Disable.button()],
            (Some(Memory::Revealed) | None, None) => vec![Action::Regenerate.button()],
        };
        ui.nodes.extend(nodes);
        Ok(())
    }

    fn asks_first(&self) -> bool {
        true
    }

    /// New codes stay until they are confirmed: they may be on paper already. What was revealed is hidden again.
    fn outlives(&self, memory: Value) -> Option<Value> {
        matches!(Memory::read(&memory), Some(Memory::Pending(_))).then_some(memory)
    }

    async fn check_form(&self, _cx: &Cx, _who: &IdentityWithCredentials, _form: &Form) -> Result<(), FlowError> {
        Ok(())
    }

    async fn submit(
        &self,
        cx: &Cx,
        who: &IdentityWithCredentials,
        flow: &mut Flow,
        form: &Form,
    ) -> Result<SettingsOutcome, FlowError> {
        let refuse = |why: &str| FlowError::tell(validation::generic(why));
        let are_set_up = who.credential(CredentialType::LookupSecret).is_some_and(codes::are_set_up);
        let action = Action::of(form).ok_or_else(|| FlowError::tell(message::settings::no_method()))?;
        let mut change = Change::by(ID, Fresh::Always);
        match action {
            Action::Regenerate => change.remember = Some(Memory::Pending(codes::make(cx.rng())).write()),
            Action::Reveal | Action::Disable if !are_set_up => return Err(refuse("there are no backup codes")),
            Action::Reveal => change.remember = Some(Memory::Revealed.write()),
            Action::Disable => change.remove.push(CredentialType::LookupSecret),
            Action::Confirm => {
                let Some(Memory::Pending(codes)) = Memory::of(flow) else {
                    return Err(refuse("there are no new backup codes to confirm; make some first"));
                };
                change.set.push(SetCredential {
                    kind: CredentialType::LookupSecret,
                    config: codes::config(cx, who.identity.id, &codes),
                    version: 0,
                    identifiers: Some(vec![who.identity.id.to_string()]),
                    beside_none: false,
                });
                change.proof = Some(AuthenticationMethod::new(ID, Aal::Aal2, cx.now));
            }
        }
        Ok(SettingsOutcome::Change(Box::new(change)))
    }
}
