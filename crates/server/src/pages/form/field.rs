//! Fields of a form.

use portcullis_model::message::{Message, MessageType};
use portcullis_model::ui::{InputAttributes, InputType, Node};
use serde_json::Value;

use super::{Facts, word};
use crate::pages::texts;

/// Something to fill in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    /// Its anchor: what its label and messages refer to.
    pub id: String,
    /// Its name in the form.
    pub name: String,
    /// The HTML type of its inputs.
    pub kind: &'static str,
    /// Its label.
    pub label: String,
    /// What helps to fill it in.
    pub hint: Option<String>,
    /// One input; more for a list, the last one empty.
    pub inputs: Vec<Input>,
    /// What can be chosen; empty for what is typed.
    pub options: Vec<Choice>,
    /// Further attributes of its inputs.
    pub extra: Vec<(&'static str, String)>,
    /// Whether a checkbox is ticked.
    pub is_checked: bool,
    /// Whether it must be filled.
    pub required: bool,
    /// Whether it is marked as one that may stay empty.
    pub is_optional: bool,
    /// Whether it cannot be changed.
    pub disabled: bool,
    /// Whether typing begins here.
    pub autofocus: bool,
    /// Whether the messages above the form describe it, too.
    pub hears_notices: bool,
    /// Whether what it holds was refused.
    pub is_invalid: bool,
    /// What is told about it.
    pub messages: Vec<Told>,
}

/// An input of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Input {
    /// Its anchor.
    pub id: String,
    /// What it holds. A password is never sent back.
    pub value: Option<String>,
    /// Its label, where the field's label belongs to another input.
    pub aria_label: Option<String>,
}

/// One of the values that a field may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    /// The value.
    pub value: String,
    /// Its words.
    pub text: String,
    /// Whether it is chosen.
    pub selected: bool,
}

/// A message at a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    /// Its style.
    pub class: &'static str,
    /// Its words.
    pub text: String,
}

impl Told {
    /// A message as it is printed.
    pub(super) fn new(message: &Message) -> Self {
        let class = match message.kind {
            MessageType::Error => "error",
            MessageType::Success => "success",
            MessageType::Info => "plain",
        };
        Self { class, text: texts::sentence(&message.text) }
    }

    /// Whether it says that something is wrong.
    #[must_use]
    pub(crate) fn is_error(&self) -> bool {
        self.class == "error"
    }
}

impl Field {
    /// The anchors of what describes it, for `aria-describedby`; `None` if nothing does.
    #[must_use]
    pub(crate) fn described_by(&self) -> Option<String> {
        let hint = self.hint.as_ref().map(|_| format!("{}-hint", self.id));
        let messages = (!self.messages.is_empty()).then(|| format!("{}-messages", self.id));
        let notices = self.hears_notices.then(|| "notices".to_owned());
        let all: Vec<String> = notices.into_iter().chain(hint).chain(messages).collect();
        (!all.is_empty()).then(|| all.join(" "))
    }

    /// Gives it another anchor.
    pub(super) fn rename(&mut self, id: String) {
        for (n, input) in self.inputs.iter_mut().enumerate() {
            input.id = numbered(&id, n);
        }
        self.id = id;
    }
}

/// The field that an input is.
pub(super) fn of(node: &Node, input: &InputAttributes, facts: &Facts) -> Field {
    let id = format!("{}-{}", super::anchor(node.group), simple(&input.name));
    let label = match node.meta.label.as_ref() {
        // Beside the heading "Password" the bare word would leave open which one is asked for.
        _ if facts.is_change && is_new_password(input) => texts::NEW_PASSWORD.to_owned(),
        Some(label) => label.text.clone(),
        None => spoken(&input.name),
    };
    let is_trait = input.name.starts_with("traits");
    let is_checkbox = input.kind == InputType::Checkbox;
    let mut field = Field {
        kind: kind(input.kind),
        hint: hint(input, facts),
        inputs: Vec::new(),
        options: choices(input),
        extra: extra(input),
        is_checked: is_checkbox && input.value.as_ref().is_some_and(is_yes),
        // A required checkbox must be there, and its hidden companion always is; a browser would insist on a tick.
        required: input.required && !is_checkbox,
        is_optional: is_trait && !input.required && !is_checkbox && !input.disabled,
        disabled: input.disabled,
        autofocus: false,
        hears_notices: false,
        is_invalid: node.messages.iter().any(|m| m.kind == MessageType::Error),
        messages: node.messages.iter().map(Told::new).collect(),
        id: String::new(),
        name: input.name.clone(),
        label,
    };
    if field.options.is_empty() && !is_checkbox {
        field.inputs = inputs(input, &field.label);
    }
    field.rename(id);
    field
}

/// The inputs: one for each entry of a list and an empty one, else a single one.
fn inputs(input: &InputAttributes, label: &str) -> Vec<Input> {
    let bare = |value: Option<String>| Input { id: String::new(), value, aria_label: None };
    match &input.value {
        _ if input.kind == InputType::Password => vec![bare(None)],
        Some(Value::Array(entries)) => {
            let entries = entries.iter().map(|e| bare(Some(word(e)))).chain([bare(None)]);
            let numbered =
                |(n, input): (usize, Input)| Input { aria_label: (n > 0).then(|| texts::numbered(label, n + 1)), ..input };
            entries.enumerate().map(numbered).collect()
        }
        Some(value) => vec![bare(Some(word(value)))],
        None => vec![bare(None)],
    }
}

fn choices(input: &InputAttributes) -> Vec<Choice> {
    if input.options.is_empty() {
        return Vec::new();
    }
    let chosen = input.value.as_ref().map(word).filter(|w| !w.is_empty());
    let known = |value: &str| input.options.iter().any(|o| word(&o.value) == value);
    let mut out = Vec::with_capacity(input.options.len() + 1);
    // Nothing is chosen for anybody: a required choice must be made, another one can be taken back.
    if !input.required || chosen.as_deref().is_none_or(|c| !known(c)) {
        out.push(Choice { value: String::new(), text: texts::NO_CHOICE.to_owned(), selected: chosen.is_none() });
    }
    for option in &input.options {
        let value = word(&option.value);
        out.push(Choice { selected: chosen.as_ref() == Some(&value), text: value.clone(), value });
    }
    out
}

/// Attributes that only some fields have.
fn extra(input: &InputAttributes) -> Vec<(&'static str, String)> {
    let mut out = Vec::new();
    let is_code = matches!(input.name.as_str(), "code" | "totp_code");
    let hint = match (&input.autocomplete, input.name.as_str()) {
        (Some(hint), _) => Some(hint.as_str()),
        (None, "identifier") => Some("username"),
        (None, _) if is_code => Some("one-time-code"),
        (None, _) => None,
    };
    if let Some(hint) = hint.filter(|h| !h.is_empty()) {
        out.push(("autocomplete", hint.to_owned()));
    }
    if let Some(pattern) = input.pattern.as_ref().filter(|p| !p.is_empty()) {
        // The schema's pattern may match anywhere; that of HTML must match the whole.
        out.push(("pattern", format!(".*(?:{pattern}).*")));
    }
    if let Some(length) = input.maxlength {
        out.push(("maxlength", length.to_string()));
    }
    match input.kind {
        // Fractions are the schema's business.
        InputType::Number => out.push(("step", "any".to_owned())),
        _ if is_code => out.push(("inputmode", "numeric".to_owned())),
        _ => {}
    }
    let is_exact = is_code || matches!(input.name.as_str(), "identifier" | "lookup_secret");
    if is_exact || matches!(input.kind, InputType::Email | InputType::Password | InputType::Url) {
        out.push(("autocapitalize", "none".to_owned()));
        out.push(("spellcheck", "false".to_owned()));
    }
    out
}

fn hint(input: &InputAttributes, facts: &Facts) -> Option<String> {
    match (input.kind, input.autocomplete.as_deref()) {
        (InputType::Password, Some("new-password")) if facts.password_length > 0 => {
            Some(texts::password_hint(facts.password_length))
        }
        (InputType::DatetimeLocal, _) => Some(texts::DATE_TIME_HINT.to_owned()),
        _ => None,
    }
}

fn is_new_password(input: &InputAttributes) -> bool {
    input.kind == InputType::Password && input.autocomplete.as_deref() == Some("new-password") && input.name == "password"
}

fn kind(kind: InputType) -> &'static str {
    match kind {
        InputType::Password => "password",
        InputType::Number => "number",
        InputType::Checkbox => "checkbox",
        InputType::Email => "email",
        InputType::Tel => "tel",
        InputType::Date => "date",
        InputType::Url => "url",
        // A browser's own field for date and time leaves the offset out, without which it is no point in time.
        InputType::DatetimeLocal | InputType::Text => "text",
        InputType::Hidden | InputType::Submit | InputType::Button => "hidden",
    }
}

fn is_yes(value: &Value) -> bool {
    match value {
        Value::Bool(yes) => *yes,
        Value::String(word) => word == "true",
        _ => false,
    }
}

/// A name as an anchor: letters, digits and hyphens.
fn simple(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect()
}

/// A label for a field that has none: the last part of its name, as words.
fn spoken(name: &str) -> String {
    let last = name.rsplit('.').find(|part| !part.is_empty()).unwrap_or(name);
    let words = last.replace(['_', '-'], " ");
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn numbered(id: &str, n: usize) -> String {
    if n == 0 { id.to_owned() } else { format!("{id}-{}", n + 1) }
}
