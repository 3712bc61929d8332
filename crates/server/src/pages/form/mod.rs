//! From a flow's nodes to what the templates print: forms with fields, buttons, pictures and texts.
//!
//! This is a pure function of the flow's JSON, so it holds for every method without knowing any. Every form carries the
//! hidden nodes of the default group (the anti-CSRF token above all), and only fields and buttons that belong together
//! share a form: what Enter does in a field must never be another method's, or a removal.

mod button;
mod field;
#[cfg(test)]
mod tests;

pub(crate) use button::Button;
pub(crate) use field::Field;

use portcullis_model::message::{Message, MessageType};
use portcullis_model::ui::{Attributes, Group, ImageAttributes, InputAttributes, InputType, Node, TextAttributes};
use serde::Deserialize;
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
    /// Its parts.
    pub nodes: Vec<Node>,
    /// Messages about the form as a whole.
    #[serde(default)]
    pub messages: Vec<Message>,
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
}

impl Form {
    fn new(action: &str, hidden: &[Hidden]) -> Self {
        Self {
            action: action.to_owned(),
            class: "main",
            hidden: hidden.to_vec(),
            username: None,
            items: Vec::new(),
            buttons: Vec::new(),
        }
    }

    /// Whether some of it only works with a script.
    #[must_use]
    pub(super) fn needs_script(&self) -> bool {
        self.buttons.iter().any(|b| b.trigger.is_some())
    }

    fn is_empty(&self) -> bool {
        self.items.is_empty() && self.buttons.is_empty() && self.hidden.iter().all(|h| h.onload.is_none())
    }

    fn fields_mut(&mut self) -> impl Iterator<Item = &mut Field> {
        self.items.iter_mut().filter_map(|item| match item {
            Item::Field(field) => Some(field),
            Item::Image(_) | Item::Text(_) => None,
        })
    }
}

/// A part of a page: forms under one heading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Section {
    /// The heading's anchor.
    pub id: &'static str,
    /// The heading.
    pub heading: Option<&'static str>,
    /// Whether it is another way to do what the part before it does.
    pub after_or: bool,
    /// The forms.
    pub forms: Vec<Form>,
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
        Layout::Each => groups.iter().filter_map(|(group, nodes)| part(ui, &shared, *group, nodes, facts)).collect(),
        Layout::OneOf => alternatives(ui, &shared, groups, facts),
    };
    finish(&mut body, layout);
    body
}

/// Whom a form is about that does not ask: the name or the first trait that it carries along unseen.
#[must_use]
pub(super) fn named(ui: &Ui) -> Option<String> {
    let hidden = ui.nodes.iter().filter_map(Node::as_input).filter(|input| input.kind == InputType::Hidden);
    let mut names = hidden.filter(|input| input.name == "identifier" || input.name.starts_with("traits"));
    names.find_map(|input| input.value.as_ref().map(word).filter(|name| !name.is_empty()))
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

/// One part of the settings. Removals get forms of their own, so that Enter in a field cannot remove anything.
fn part(ui: &Ui, shared: &[Hidden], group: Group, nodes: &[&Node], facts: &Facts) -> Option<Section> {
    let mut main = Form::new(&ui.action, shared);
    let mut removals = Vec::new();
    for node in nodes {
        match button::of(node) {
            Some(button) if button.is_removal => {
                let mut form = Form::new(&ui.action, shared);
                form.buttons.push(button);
                removals.push(form);
            }
            Some(button) => main.buttons.push(button),
            None => add(&mut main, node, facts),
        }
    }
    rank(&mut main, group);
    let mut forms: Vec<Form> = std::iter::once(main).filter(|form| !form.is_empty()).collect();
    forms.extend(removals);
    if forms.is_empty() {
        return None;
    }
    Some(Section { id: anchor(group), heading: texts::section(group), after_or: false, forms })
}

/// Ways of doing one thing. Those that ask for nothing that the main form asks for stand apart, as long as the main form
/// can be sent without them.
fn alternatives(ui: &Ui, shared: &[Hidden], groups: Vec<(Group, Vec<&Node>)>, facts: &Facts) -> Vec<Section> {
    let stands_apart = |group: Group| matches!(group, Group::Oidc | Group::Saml | Group::Totp | Group::LookupSecret);
    let sends = |nodes: &[&Node]| nodes.iter().any(|n| button::of(n).is_some());
    let (apart, mut main): (Vec<_>, Vec<_>) = groups.into_iter().partition(|(group, _)| stands_apart(*group));
    let mut apart = apart.into_iter().peekable();
    if !main.iter().any(|(_, nodes)| sends(nodes)) {
        main.extend(apart.next());
    }
    let main_group = if main.iter().any(|(group, _)| *group == Group::Password) {
        Group::Password
    } else {
        main.iter().find(|(_, nodes)| sends(nodes)).map_or(Group::Default, |(group, _)| *group)
    };
    let form_of = |parts: &[(Group, Vec<&Node>)], group| {
        let mut form = Form::new(&ui.action, shared);
        for node in parts.iter().flat_map(|(_, nodes)| nodes) {
            match button::of(node) {
                Some(button) => form.buttons.push(button),
                None => add(&mut form, node, facts),
            }
        }
        rank(&mut form, group);
        form
    };
    let first = form_of(&main, main_group);
    let mut sections = Vec::new();
    if !first.is_empty() {
        sections.push(Section { id: "main-form", heading: None, after_or: false, forms: vec![first] });
    }
    for (group, nodes) in apart {
        let form = form_of(&[(group, nodes)], group);
        let after_or = !sections.is_empty();
        sections.push(Section { id: anchor(group), heading: None, after_or, forms: vec![form] });
    }
    sections
}

/// Adds what is not a button.
fn add(form: &mut Form, node: &Node, facts: &Facts) {
    match &node.attributes {
        Attributes::Input(input) if input.kind == InputType::Hidden => form.hidden.push(hidden(input)),
        Attributes::Input(input) => {
            if input.kind == InputType::Password {
                form.username.clone_from(&facts.account);
            }
            form.items.push(Item::Field(field::of(node, input, facts)));
        }
        Attributes::Image(image) => form.items.push(Item::Image(picture(node, image))),
        Attributes::Text(text) => form.items.push(Item::Text(reading(node, text))),
        Attributes::Anchor(_) | Attributes::Script(_) => {}
    }
}

/// Makes one button of a form the main one: the first that sends the fields of `group`. It stands first, so that Enter
/// presses it; the others do not ask for fields that are not theirs.
fn rank(form: &mut Form, group: Group) {
    let fits = |b: &Button| b.trigger.is_none() && !b.disabled && !b.is_back && !b.is_removal;
    let main = form.buttons.iter().position(|b| fits(b) && b.group == group && !b.is_lesser);
    let main = main.or_else(|| form.buttons.iter().position(|b| fits(b) && !b.is_lesser));
    if let Some(main) = main {
        let mut button = form.buttons.remove(main);
        button.make_main();
        form.buttons.insert(0, button);
    }
    // What goes along unseen need not be sent a second time: a repeated field would be a list.
    for button in &mut form.buttons {
        if form.hidden.iter().any(|h| h.name == button.name && h.value == button.value) {
            button.name.clear();
        }
    }
}

/// Anchors that repeat get a number, errors are looked for, and the place where typing begins is chosen.
fn finish(body: &mut Body, layout: Layout) {
    let mut seen = std::collections::HashMap::<String, usize>::new();
    let all = body.sections.iter_mut().flat_map(|s| &mut s.forms);
    let mut fields: Vec<&mut Field> = all.flat_map(Form::fields_mut).collect();
    for field in &mut fields {
        let count = seen.entry(field.id.clone()).or_default();
        *count += 1;
        if *count > 1 {
            field.rename(format!("{}-{count}", field.id));
        }
    }
    let first_invalid = fields.iter().position(|f| f.is_invalid && !f.disabled);
    let is_empty = |f: &Field| f.inputs.iter().all(|i| i.value.as_deref().unwrap_or_default().is_empty()) && !f.is_checked;
    let first = fields.iter().position(|f| !f.disabled && is_empty(f)).filter(|_| layout == Layout::OneOf);
    if let Some(field) = first_invalid.or(first).and_then(|n| fields.get_mut(n)) {
        field.autofocus = true;
    }
    body.has_errors = first_invalid.is_some() || body.notices.iter().any(|n| n.class == "error");
}

/// A message above the form. `about`: the label of the hidden field that it belongs to.
fn notice(message: &Message, about: Option<&str>) -> Notice {
    let (class, role) = match message.kind {
        MessageType::Error => ("error", "alert"),
        MessageType::Success => ("success", "status"),
        MessageType::Info => ("plain", "status"),
    };
    let text = about.map_or_else(|| message.text.clone(), |label| texts::about(label, &message.text));
    Notice { class, role, text }
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
