//! How nodes come together in forms, and forms in sections.

use portcullis_model::ui::{Attributes, Group, InputType, Node};

use super::entry::{Entry, is_connection};
use super::{
    Body, Button, Facts, Form, Hidden, Item, Mark, Other, Section, Told, Ui, anchor, button, field, hidden, picture, reading,
};

/// Ways of doing one thing. Those that ask for nothing that the main form asks for stand apart, as long as the main form
/// can be sent without them; the others come in it, after what it is mainly for.
pub(super) fn alternatives(ui: &Ui, shared: &[Hidden], groups: Vec<(Group, Vec<&Node>)>, facts: &Facts) -> Vec<Section> {
    let stands_apart = |group: Group| is_connection(group) || matches!(group, Group::Totp | Group::LookupSecret);
    let (apart, mut main): (Vec<_>, Vec<_>) = groups.into_iter().partition(|(group, _)| stands_apart(*group));
    let mut apart = apart.into_iter().peekable();
    if !main.iter().any(|(_, nodes)| sends(nodes)) {
        main.extend(apart.next());
    }
    let main_group = main_group(&main);
    let mut first = main_form(ui, shared, &main, main_group, facts);
    // "With a password" says nothing where there is nothing else.
    if let ([button], [], true, Some(label)) =
        (first.buttons.as_mut_slice(), first.others.as_slice(), apart.peek().is_none(), facts.only_way)
        && button.group == Group::Password
    {
        button.label = label.to_owned();
    }
    let mut sections = Vec::new();
    // Buttons that need no fields follow each other; "or" stands once before them.
    let mut says_or = first.others.last().is_some_and(|other| other.items.is_empty());
    if !first.is_empty() {
        sections.push(Section { forms: vec![first], ..Section::new("main-form", main_group) });
    }
    for (group, nodes) in apart {
        let form = main_form(ui, shared, &[(group, nodes)], group, facts);
        let has_fields = !form.items.is_empty();
        let after_or = !sections.is_empty() && (has_fields || !says_or);
        says_or = !has_fields;
        sections.push(Section { after_or, forms: vec![form], ..Section::new(anchor(group), group) });
    }
    sections
}

fn sends(nodes: &[&Node]) -> bool {
    nodes.iter().any(|n| button::of(n).is_some())
}

/// What the main form is for: the password, else the first way that Enter can choose, else the first.
fn main_group(groups: &[(Group, Vec<&Node>)]) -> Group {
    let by_enter = |nodes: &[&Node]| nodes.iter().filter_map(|n| button::of(n)).any(|b| can_be_main(&b) && !b.is_lesser);
    let found = groups.iter().find(|(group, _)| *group == Group::Password);
    let found = found.or_else(|| groups.iter().find(|(_, nodes)| by_enter(nodes)));
    let found = found.or_else(|| groups.iter().find(|(_, nodes)| sends(nodes)));
    found.map_or(Group::Default, |(group, _)| *group)
}

fn main_form(ui: &Ui, shared: &[Hidden], groups: &[(Group, Vec<&Node>)], main: Group, facts: &Facts) -> Form {
    let mut form = Form::new(&ui.action, shared);
    for (group, nodes) in groups {
        // What is no way of its own belongs to all of them.
        let is_common = matches!(group, Group::Default | Group::Profile | Group::IdentifierFirst | Group::Captcha);
        if *group == main || is_common || !sends(nodes) {
            nodes.iter().for_each(|node| add(&mut form, node, facts));
            continue;
        }
        let mut own = Form::new(&ui.action, &[]);
        nodes.iter().for_each(|node| add(&mut own, node, facts));
        form.hidden.append(&mut own.hidden);
        form.username = form.username.or(own.username);
        let mut other = Other { items: own.items, messages: own.messages, buttons: own.buttons };
        for field in other.items.iter_mut().filter_map(|item| if let Item::Field(field) = item { Some(field) } else { None }) {
            // The main form can be sent without it, and the server asks for it where it is needed.
            field.required = false;
        }
        for button in &mut other.buttons {
            button.mark = Mark::of_way(*group);
        }
        form.others.push(other);
    }
    if let Some(at) = form.buttons.iter().position(|b| b.is_back) {
        form.back = Some(form.buttons.remove(at));
    }
    if is_connection(main) && !form.buttons.iter().any(|b| b.proceeds) {
        // Of several accounts elsewhere none is the one to take, and what is left empty its provider tells.
        for button in &mut form.buttons {
            button.mark = button.provider.as_deref().map(Mark::of_name);
        }
        form.fields_mut().for_each(|field| field.required = false);
    } else {
        rank(&mut form, main);
    }
    // Those that only take a press come first.
    form.others.sort_by_key(|other| !other.items.is_empty());
    form
}

/// One part of the settings. Removals get forms of their own, so that Enter in a field cannot remove anything; those of one
/// thing among several are rows of a list.
pub(super) fn part(ui: &Ui, shared: &[Hidden], group: Group, nodes: &[&Node], facts: &Facts) -> Option<Section> {
    let mut main = Form::new(&ui.action, shared);
    let mut section = Section::new(anchor(group), group);
    let mut removals = Vec::new();
    for node in nodes {
        match button::of(node) {
            Some(button) if button.is_removal || is_connection(group) => {
                let mut form = Form::new(&ui.action, shared);
                form.messages = told(node);
                section.is_set_up |= button.is_removal;
                match Entry::of(node, button.clone(), form.clone()) {
                    Some(entry) => section.entries.push(entry),
                    None => {
                        form.buttons.push(button);
                        removals.push(form);
                    }
                }
            }
            _ => add(&mut main, node, facts),
        }
    }
    rank(&mut main, group);
    section.entries.sort_by_key(|entry| !entry.is_there);
    section.forms.extend(std::iter::once(main).filter(|form| !form.is_empty()));
    section.forms.extend(removals);
    (!section.forms.is_empty() || !section.entries.is_empty()).then_some(section)
}

/// What is told at a button, which has no place for it.
fn told(node: &Node) -> Vec<Told> {
    node.messages.iter().map(Told::new).collect()
}

fn add(form: &mut Form, node: &Node, facts: &Facts) {
    if let Some(button) = button::of(node) {
        form.messages.extend(told(node));
        form.buttons.push(button);
        return;
    }
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
    let main = form.buttons.iter().position(|b| can_be_main(b) && b.group == group && !b.is_lesser);
    let main = main.or_else(|| form.buttons.iter().position(|b| can_be_main(b) && !b.is_lesser));
    if let Some(main) = main {
        let mut button = form.buttons.remove(main);
        button.make_main();
        form.buttons.insert(0, button);
    }
    // What goes along unseen need not be sent a second time: a repeated field would be a list.
    let others = form.others.iter_mut().flat_map(|other| &mut other.buttons);
    for button in form.buttons.iter_mut().chain(others) {
        if form.hidden.iter().any(|h| h.name == button.name && h.value == button.value) {
            button.name.clear();
        }
    }
}

/// Whether Enter may press a button.
fn can_be_main(b: &Button) -> bool {
    b.trigger.is_none() && !b.disabled && !b.is_back && !b.is_removal
}

/// Anchors that repeat get a number, errors are looked for, and the place where typing begins is chosen.
pub(super) fn finish(body: &mut Body, typing_begins: bool) {
    let mut seen = std::collections::HashMap::<String, usize>::new();
    let all = body.sections.iter_mut().flat_map(|s| &mut s.forms);
    let mut fields: Vec<&mut field::Field> = all.flat_map(Form::fields_mut).collect();
    for field in &mut fields {
        let count = seen.entry(field.id.clone()).or_default();
        *count += 1;
        if *count > 1 {
            field.rename(format!("{}-{count}", field.id));
        }
    }
    let invalid: Vec<usize> = fields.iter().enumerate().filter(|(_, f)| f.is_invalid && !f.disabled).map(|(n, _)| n).collect();
    let is_refused = body.notices.iter().any(|n| n.class == "error");
    let is_empty = |f: &field::Field| f.inputs.iter().all(|i| i.value.as_deref().unwrap_or_default().is_empty()) && !f.is_checked;
    let first = fields.iter().position(|f| !f.disabled && is_empty(f)).filter(|_| typing_begins);
    if let Some(field) = invalid.first().copied().or(first).and_then(|n| fields.get_mut(n)) {
        field.autofocus = true;
        // Whoever lands in the field hears first why the form came back.
        field.hears_notices = is_refused && typing_begins;
    }
    if invalid.len() > 1 {
        body.to_mend = invalid.iter().filter_map(|n| fields.get(*n)).map(|f| (f.id.clone(), f.label.clone())).collect();
    }
    body.has_errors = !invalid.is_empty() || is_refused;
    let forms = body.sections.iter().flat_map(|s| s.forms.iter().chain(s.entries.iter().filter_map(|e| e.form.as_ref())));
    let messages = forms.flat_map(|f| f.messages.iter().chain(f.others.iter().flat_map(|other| &other.messages)));
    body.has_errors |= messages.into_iter().any(|m| m.class == "error");
}
