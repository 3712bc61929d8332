//! Rows of what somebody has several of: security keys, passkeys, accounts elsewhere that are or can be connected.

use portcullis_model::time::Timestamp;
use portcullis_model::ui::{Attributes, Group, Node};
use serde_json::Value;

use super::{Button, Form, Mark};
use crate::pages::device::When;
use crate::pages::texts;

/// What a passkey is called that nobody has named.
const NO_NAME: &str = "unnamed";

/// Whether a group is about accounts elsewhere.
pub(super) fn is_connection(group: Group) -> bool {
    matches!(group, Group::Oidc | Group::Saml)
}

/// One of several things that can be taken away or added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// What it is called.
    pub name: String,
    /// What stands before it.
    pub mark: Option<Mark>,
    /// Whether somebody has it; otherwise it is on offer.
    pub is_there: bool,
    /// Since when it is there, if that is known.
    pub since: Option<When>,
    /// What takes it away, or adds it; `None` for what must stay.
    pub form: Option<Form>,
    /// Whether it must stay, being the only way in.
    pub is_kept: bool,
}

impl Entry {
    /// The row of a button that removes or adds something whose name its label brings; `None` for another button.
    pub(super) fn of(node: &Node, mut button: Button, mut form: Form) -> Option<Self> {
        let Attributes::Input(input) = &node.attributes else { return None };
        let label = node.meta.label.as_ref()?;
        let named = |key: &str| label.context.get(key).and_then(Value::as_str).filter(|name| !name.is_empty());
        let name = match named("display_name").or_else(|| named("provider"))? {
            NO_NAME if node.group == Group::Passkey => texts::SOME_PASSKEY.to_owned(),
            name => name.to_owned(),
        };
        let since = label.context.get("added_at_unix").and_then(Value::as_i64).map(|s| When::new(Timestamp::from_seconds(s)));
        // The row says what; those who do not see it hear the whole label.
        let short = match input.name.as_str() {
            "link" => texts::CONNECT,
            "unlink" => texts::DISCONNECT,
            _ => texts::REMOVE,
        };
        button.spoken = Some(format!("{short}: {name}"));
        button.label = short.to_owned();
        let (is_kept, is_there) = (button.disabled, button.is_removal);
        if is_there && is_connection(node.group) {
            // Red is for what cannot be had back.
            button.class = "secondary";
        }
        let mark = is_connection(node.group).then(|| Mark::of_name(&name));
        form.buttons.push(button);
        Some(Self { name, mark, is_there, since, form: Some(form), is_kept })
    }

    /// The row of an account elsewhere that is connected and must stay.
    pub(in crate::pages) fn kept(name: &str) -> Self {
        let mark = Some(Mark::of_name(name));
        Self { name: name.to_owned(), mark, is_there: true, since: None, form: None, is_kept: true }
    }
}
