//! From a flow's nodes to what the templates print: forms with fields, buttons, pictures and texts.
//!
//! This is a pure function of the flow's JSON, so it holds for every method without knowing any. Every form carries the
//! hidden nodes of the default group (the anti-CSRF token above all), and only fields and buttons that belong together
//! share a form: what Enter does in a field must never be another method's, or a removal.

mod button;
mod entry;
mod field;
mod layout;
mod mark;
#[cfg(test)]
mod tests;

pub(crate) use button::Button;
pub(crate) use entry::Entry;
pub(crate) use field::{Field, Told};
pub(crate) use mark::Mark;

use portcullis_model::message::{Message, MessageType};
use portcullis_model::ui::{Attributes, Group, ImageAttributes, InputAttributes, InputType, Node, TextAttributes};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::texts;

/// A text of which each part is a recovery code stands under this id.
const LIST_OF_CODES: u32 = 1_050_015;
/// A recovery code that was used already.
const USED_CODE: u32 = 1_050_014;
/// Secrets to be copied: for an authenticator app, and single codes.
const SECRETS: [u32; 2] = [1_050_006, 1_050_009];

/// The part of a flow's JSON that its form is made of.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Ui {
    /// Where the form goes.
    pub action: String,
    /// Its parts; null where there are none.
    #[serde(deserialize_with = "none_if_null")]
    pub nodes: Vec<Node>,
    /// Messages about the form as a whole.
    #[serde(default)]
    pub messages: Vec<Message>,
}

fn none_if_null<'de, D: Deserializer<'de>>(nodes: D) -> Result<Vec<Node>, D::Error> {
    Option::deserialize(nodes).map(Option::unwrap_or_default)
}

/// How the parts of a flow become forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// Ways of doing one thing: signing in, signing up, recovery, verification.
    OneOf,
    /// Things that are changed independently of each other: settings.
    Each,
}

/// What the flow does not say about its form.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    /// Whom the form is about, for password managers; `None` if the form asks.
    pub account: Option<String>,
    /// How long a new password must be.
    pub password_length: usize,
    /// Whether a new password takes the place of an old one.
    pub is_change: bool,
    /// The main button's words where a password is the only way.
    pub only_way: Option<&'static str>,
}

/// A message above a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Notice {
    /// Its style.
    pub class: &'static str,
    /// How it is read out: at once, or when there is time.
    pub role: &'static str,
    /// Its words.
    pub text: String,
    /// Whether the page begins there.
    pub autofocus: bool,
}

impl Notice {
    /// A sentence of the page's own.
    #[must_use]
    pub(super) fn plain(text: &str) -> Self {
        Self { class: "plain", role: "status", text: text.to_owned(), autofocus: false }
    }

    /// Says that something failed; the page begins there.
    #[must_use]
    pub(super) fn failed(text: &str) -> Self {
        Self { class: "error", role: "alert", autofocus: true, ..Self::plain(text) }
    }

    /// Says that something was done; the page begins there.
    #[must_use]
    pub(super) fn done(text: &str) -> Self {
        Self { class: "success", autofocus: true, ..Self::plain(text) }
    }
}

/// A field that is not shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hidden {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// The function of the server's script that is run when the page is there.
    pub onload: Option<String>,
}

/// A picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Image {
    /// Where it is; usually a data URL.
    pub src: String,
    /// What it shows.
    pub alt: String,
    /// In pixels; 0 if it is not known.
    pub width: u32,
    /// In pixels; 0 if it is not known.
    pub height: u32,
}

/// A text to read or copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Text {
    /// What it is.
    pub label: Option<String>,
    /// The text.
    pub text: String,
    /// Whether it is to be copied letter by letter.
    pub is_secret: bool,
    /// The codes, if it is a list of them.
    pub codes: Vec<Code>,
}

/// A recovery code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Code {
    /// The code, or when it was used.
    pub text: String,
    /// Whether it was used.
    pub used: bool,
}

/// A visible part of a form other than a button.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// Something to fill in.
    Field(Field),
    /// A picture.
    Image(Image),
    /// A text.
    Text(Text),
}

/// A script that a method brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Script {
    /// Where it is.
    pub src: String,
    /// Its digest (Subresource Integrity); empty for none.
    pub integrity: String,
}

/// Another way to do what a form is for, by fields and buttons of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Other {
    /// What is to be filled in for it.
    pub items: Vec<Item>,
    /// What is told about it.
    pub messages: Vec<Told>,
    /// How it is chosen.
    pub buttons: Vec<Button>,
}

/// A form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Form {
    /// Where it goes.
    pub action: String,
    /// Its style.
    pub class: &'static str,
    /// What goes along.
    pub hidden: Vec<Hidden>,
    /// The account's name beside a password, for password managers.
    pub username: Option<String>,
    /// What is to be filled in and read.
    pub items: Vec<Item>,
    /// How it is sent.
    pub buttons: Vec<Button>,
    /// What is told about a button.
    pub messages: Vec<Told>,
    /// Other ways, which may need what is filled in here.
    pub others: Vec<Other>,
    /// What leads back to the step before.
    pub back: Option<Button>,
}

impl Form {
    /// The anchor of a form that leads back: its button for that stands below all others.
    pub(super) const LEADS_BACK: &str = "leads-back";

    fn new(action: &str, hidden: &[Hidden]) -> Self {
        Self {
            action: action.to_owned(),
            class: "main",
            hidden: hidden.to_vec(),
            username: None,
            items: Vec::new(),
            buttons: Vec::new(),
            messages: Vec::new(),
            others: Vec::new(),
            back: None,
        }
    }

    /// Whether some of it only works with a script.
    #[must_use]
    pub(super) fn needs_script(&self) -> bool {
        self.all_buttons().any(|b| b.trigger.is_some())
    }

    fn is_empty(&self) -> bool {
        self.items.is_empty() && self.all_buttons().next().is_none() && self.hidden.iter().all(|h| h.onload.is_none())
    }

    fn all_buttons(&self) -> impl Iterator<Item = &Button> {
        self.buttons.iter().chain(self.others.iter().flat_map(|other| &other.buttons)).chain(&self.back)
    }

    /// What is to be filled in.
    pub(super) fn fields(&self) -> impl Iterator<Item = &Field> {
        self.items.iter().chain(self.others.iter().flat_map(|other| &other.items)).filter_map(|item| match item {
            Item::Field(field) => Some(field),
            Item::Image(_) | Item::Text(_) => None,
        })
    }

    fn fields_mut(&mut self) -> impl Iterator<Item = &mut Field> {
        let others = self.others.iter_mut().flat_map(|other| &mut other.items);
        self.items.iter_mut().chain(others).filter_map(|item| match item {
            Item::Field(field) => Some(field),
            Item::Image(_) | Item::Text(_) => None,
        })
    }
}

/// A part of a page: forms that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Section {
    /// Its anchor.
    pub id: &'static str,
    /// Whose nodes it is made of.
    pub group: Group,
    /// Whether it is another way to do what the part before it does.
    pub after_or: bool,
    /// Whether there is something that can be taken away.
    pub is_set_up: bool,
    /// What is told about it.
    pub notices: Vec<Notice>,
    /// What somebody has of it.
    pub entries: Vec<Entry>,
    /// The forms.
    pub forms: Vec<Form>,
}

impl Section {
    /// A part without anything in it.
    #[must_use]
    pub(super) fn new(id: &'static str, group: Group) -> Self {
        let (notices, entries, forms) = (Vec::new(), Vec::new(), Vec::new());
        Self { id, group, after_or: false, is_set_up: false, notices, entries, forms }
    }
}

/// A flow's form as the templates print it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct Body {
    /// Messages above everything.
    pub notices: Vec<Notice>,
    /// The parts.
    pub sections: Vec<Section>,
    /// Scripts that methods bring.
    pub scripts: Vec<Script>,
    /// Whether something on the page must be mended.
    pub has_errors: bool,
    /// Anchors and labels of the fields that must be mended, if they are several.
    pub to_mend: Vec<(String, String)>,
}

/// Lays out a flow's form.
#[must_use]
pub(super) fn body(ui: &Ui, layout: Layout, facts: &Facts) -> Body {
    let mut body = Body { notices: ui.messages.iter().map(|m| notice(m, None)).collect(), ..Body::default() };
    let mut shared = Vec::new();
    let mut shown: Vec<&Node> = Vec::new();
    for node in &ui.nodes {
        match &node.attributes {
            Attributes::Script(script) => {
                body.scripts.push(Script { src: script.src.clone(), integrity: script.integrity.clone() });
            }
            Attributes::Input(input) if input.kind == InputType::Hidden => {
                let label = node.meta.label.as_ref().map(|l| l.text.as_str());
                body.notices.extend(node.messages.iter().map(|m| notice(m, label)));
                if node.group == Group::Default {
                    shared.push(hidden(input));
                } else {
                    shown.push(node);
                }
            }
            _ => shown.push(node),
        }
    }
    let groups = by_group(&shown);
    body.sections = match layout {
        Layout::Each => groups.iter().filter_map(|(group, nodes)| layout::part(ui, &shared, *group, nodes, facts)).collect(),
        Layout::OneOf => layout::alternatives(ui, &shared, groups, facts),
    };
    layout::finish(&mut body, layout == Layout::OneOf);
    body
}

/// Whom a form is about that does not ask: the name or the first trait that it carries along unseen.
#[must_use]
pub(super) fn named(ui: &Ui) -> Option<String> {
    let hidden = ui.nodes.iter().filter_map(Node::as_input).filter(|input| input.kind == InputType::Hidden);
    let mut names = hidden.filter(|input| input.name == "identifier" || input.name.starts_with("traits"));
    names.find_map(|input| input.value.as_ref().map(word).filter(|name| !name.is_empty()))
}

/// Where the form leads that is done with, if it says so.
#[must_use]
pub(super) fn onwards(ui: &Ui) -> Option<&str> {
    ui.nodes.iter().find_map(|node| match &node.attributes {
        Attributes::Anchor(anchor) if anchor.id == "continue" => Some(anchor.href.as_str()),
        _ => None,
    })
}

/// The nodes of each group, in the order in which the groups first come.
fn by_group<'n>(nodes: &[&'n Node]) -> Vec<(Group, Vec<&'n Node>)> {
    let mut groups: Vec<(Group, Vec<&Node>)> = Vec::new();
    for node in nodes {
        match groups.iter_mut().find(|(group, _)| *group == node.group) {
            Some((_, known)) => known.push(node),
            None => groups.push((node.group, vec![node])),
        }
    }
    groups
}

/// A message above the form. `about`: the label of the hidden field that it belongs to.
fn notice(message: &Message, about: Option<&str>) -> Notice {
    let (class, role) = match message.kind {
        MessageType::Error => ("error", "alert"),
        MessageType::Success => ("success", "status"),
        MessageType::Info => ("plain", "status"),
    };
    let text = texts::sentence(&message.text);
    let text = about.map_or_else(|| text.clone(), |label| texts::about(label, &text));
    Notice { class, role, text, autofocus: false }
}

fn hidden(input: &InputAttributes) -> Hidden {
    let value = input.value.as_ref().map(word).unwrap_or_default();
    Hidden { name: input.name.clone(), value, onload: input.onload_trigger.clone() }
}

fn picture(node: &Node, image: &ImageAttributes) -> Image {
    let alt = node.meta.label.as_ref().map(|l| l.text.clone()).unwrap_or_default();
    Image { src: image.src.clone(), alt, width: image.width, height: image.height }
}

fn reading(node: &Node, attributes: &TextAttributes) -> Text {
    let message = &attributes.text;
    let listed = message.context.get("secrets").and_then(Value::as_array).filter(|_| message.id == LIST_OF_CODES);
    let codes = listed.into_iter().flatten().filter_map(|code| {
        let id = code.get("id").and_then(Value::as_u64);
        Some(Code { text: code.get("text")?.as_str()?.to_owned(), used: id == Some(u64::from(USED_CODE)) })
    });
    Text {
        label: node.meta.label.as_ref().map(|l| l.text.clone()),
        text: message.text.clone(),
        is_secret: SECRETS.contains(&message.id),
        codes: codes.collect(),
    }
}

/// A value as it stands in an attribute.
fn word(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn anchor(group: Group) -> &'static str {
    match group {
        Group::Default => "general",
        Group::Profile => "profile",
        Group::Password => "password",
        Group::Code => "code",
        Group::Link => "link",
        Group::Oidc => "oidc",
        Group::Saml => "saml",
        Group::Totp => "totp",
        Group::LookupSecret => "lookup-secret",
        Group::Webauthn => "webauthn",
        Group::Passkey => "passkey",
        Group::IdentifierFirst => "identifier-first",
        Group::Captcha => "captcha",
        Group::Oauth2Consent => "oauth2-consent",
    }
}
