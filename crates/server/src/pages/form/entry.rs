//! Rows of what somebody has several of: security keys, passkeys, connected accounts.

use portcullis_model::time::Timestamp;
use portcullis_model::ui::{Attributes, Node};
use serde_json::Value;

use super::{Button, Form};
use crate::pages::device::When;
use crate::pages::texts;

/// One of several things that can be taken away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// What it is called.
    pub name: String,
    /// Since when it is there, if that is known.
    pub since: Option<When>,
    /// What takes it away.
    pub form: Form,
    /// Whether it must stay, being the only way in.
    pub is_kept: bool,
}

impl Entry {
    /// The row of a button that removes something whose name its label brings; `None` for another button.
    pub(super) fn of(node: &Node, mut button: Button, mut form: Form) -> Option<Self> {
        let Attributes::Input(input) = &node.attributes else { return None };
        let label = node.meta.label.as_ref()?;
        let named = |key: &str| label.context.get(key).and_then(Value::as_str).filter(|name| !name.is_empty());
        let name = named("display_name").or_else(|| named("provider"))?.to_owned();
        let since = label.context.get("added_at_unix").and_then(Value::as_i64).map(|s| When::new(Timestamp::from_seconds(s)));
        // The row says what; those who do not see it hear the whole label.
        let short = if input.name == "unlink" { texts::DISCONNECT } else { texts::REMOVE };
        button.spoken = Some(format!("{short}: {name}"));
        button.label = short.to_owned();
        let is_kept = button.disabled;
        form.buttons.push(button);
        Some(Self { name, since, form, is_kept })
    }
}
