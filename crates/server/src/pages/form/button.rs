//! Buttons of a form.

use portcullis_model::ui::{Group, InputType, Node};
use serde_json::Value;

use super::entry::is_connection;
use super::{Mark, word};

/// The label of a sign-up's button that goes on with a provider.
const PROCEED: u32 = 1_040_003;

/// A button.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Button {
    /// Its name in the form; empty if it sends nothing of its own.
    pub name: String,
    /// What it sends.
    pub value: String,
    /// The name of the provider that it leads to.
    pub provider: Option<String>,
    /// Whether it goes on with what was begun elsewhere.
    pub proceeds: bool,
    /// Its words.
    pub label: String,
    /// What those hear who do not see what stands around it; `None`: its words.
    pub spoken: Option<String>,
    /// What stands before its words.
    pub mark: Option<Mark>,
    /// Its style.
    pub class: &'static str,
    /// The function of the server's script that it runs instead of sending the form.
    pub trigger: Option<String>,
    /// Whether it sends the form though required fields are empty: they are not what it is about.
    pub skips_checks: bool,
    /// Whether it cannot be pressed.
    pub disabled: bool,
    /// Which method it belongs to.
    pub group: Group,
    /// Whether it takes something away.
    pub is_removal: bool,
    /// Whether it leads back.
    pub is_back: bool,
    /// Whether it is never what a form is for, such as asking for another code.
    pub is_lesser: bool,
}

impl Button {
    /// Makes it the one that Enter presses.
    pub(super) fn make_main(&mut self) {
        self.class = "primary";
        self.skips_checks = false;
    }
}

/// The button that a node is; `None` if it is something else.
pub(super) fn of(node: &Node) -> Option<Button> {
    let input = node.as_input()?;
    let trigger = match input.kind {
        InputType::Submit => None,
        // A script is all that such a button is for; older nodes name it in another way that no page may run.
        InputType::Button => Some(input.onclick_trigger.clone().unwrap_or_default()),
        _ => return None,
    };
    let value = input.value.as_ref().map(word).unwrap_or_default();
    let label = node.meta.label.as_ref().map_or_else(|| value.clone(), |l| l.text.clone());
    let provider = node
        .meta
        .label
        .as_ref()
        .and_then(|l| l.context.get("provider"))
        .and_then(Value::as_str)
        .map_or_else(|| value.clone(), str::to_owned);
    let takes_away = |name: &str| ["_remove", "_unlink", "_disable"].iter().any(|end| name.ends_with(end)) || name == "unlink";
    let is_removal = takes_away(&input.name);
    let is_back = input.name == "screen";
    // A button with the name of a field sends that field with a value of its own: another code to the same address.
    let is_lesser = matches!(input.name.as_str(), "email" | "phone" | "resend" | "recovery_confirm_address");
    Some(Button {
        name: input.name.clone(),
        value,
        provider: Some(provider).filter(|name| is_connection(node.group) && !name.is_empty()),
        proceeds: node.meta.label.as_ref().is_some_and(|l| l.id == PROCEED),
        label,
        spoken: None,
        mark: None,
        class: if is_removal { "danger" } else { "secondary" },
        trigger,
        skips_checks: true,
        disabled: input.disabled,
        group: node.group,
        is_removal,
        is_back,
        is_lesser,
    })
}
