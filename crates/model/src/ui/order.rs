//! The order of nodes: by group, then by a list of names. Sorting is stable, so what no rule mentions stays in the order in
//! which it was added, and sorting twice changes nothing.

use super::{Attributes, Group, Node, Ui};
use crate::schema::IdentitySchema;

const SETTINGS_GROUPS: [Group; 9] = [
    Group::Default,
    Group::Profile,
    Group::Password,
    Group::Oidc,
    Group::Saml,
    Group::LookupSecret,
    Group::Webauthn,
    Group::Passkey,
    Group::Totp,
];

const REGISTRATION_GROUPS: [Group; 9] = [
    Group::Oidc,
    Group::Saml,
    Group::Default,
    Group::Webauthn,
    Group::Passkey,
    Group::Code,
    Group::Password,
    Group::Captcha,
    Group::Profile,
];

const LOGIN_GROUPS: [Group; 9] = [
    Group::Oidc,
    Group::Saml,
    Group::Default,
    Group::Webauthn,
    Group::Passkey,
    Group::Code,
    Group::Password,
    Group::Totp,
    Group::LookupSecret,
];

/// The list of recovery codes. Where it is shown, its group stands last: the rest of the form moves out of the way.
const RECOVERY_CODES: &str = "lookup_secret_codes";

/// The names of the fields and buttons that add and remove a security key, in the order in which people need them.
const SECURITY_KEY: [&str; 3] = ["webauthn_remove", "webauthn_register_displayname", "webauthn_register"];

/// What decides the order.
struct Order<'a> {
    /// Groups in order; those not listed come first, except in settings.
    groups: &'a [Group],
    unlisted_groups_first: bool,
    /// Names in order, within a group; those not listed come after them, and `method` last.
    names: Vec<&'a str>,
    /// Whether the default and the password group count as one where they are neighbours.
    password_beside_default: bool,
    /// Whether nodes of the same place are ordered by their values.
    by_value: bool,
}

impl Order<'_> {
    fn group(&self, group: Group) -> usize {
        let unlisted = if self.unlisted_groups_first { 0 } else { usize::MAX };
        self.groups.iter().position(|g| *g == group).map_or(unlisted, |place| place + 1)
    }

    /// An entry of the list is exact or else a prefix: `webauthn_register` also places `webauthn_register_trigger`.
    fn name(&self, node: &Node) -> usize {
        let name = node.name().unwrap_or_default();
        if name == "method" {
            return usize::MAX;
        }
        let exact = self.names.iter().position(|entry| *entry == name);
        exact.or_else(|| self.names.iter().position(|entry| name.starts_with(entry))).unwrap_or(self.names.len())
    }

    fn one_run(&self, a: Group, b: Group) -> bool {
        let close = |g: Group| matches!(g, Group::Default | Group::Password);
        a == b || (self.password_beside_default && close(a) && close(b))
    }

    fn sort(&self, nodes: &mut [Node]) {
        nodes.sort_by_key(|node| self.group(node.group));
        for run in nodes.chunk_by_mut(|a, b| self.one_run(a.group, b.group)) {
            run.sort_by_cached_key(|node| (self.name(node), if self.by_value { printed_value(node) } else { String::new() }));
        }
    }
}

/// The value by which nodes of the same place are ordered. A node without value sorts among texts as `<nil>` would.
fn printed_value(node: &Node) -> String {
    match &node.attributes {
        Attributes::Input(input) => match &input.value {
            Some(serde_json::Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => "<nil>".to_owned(),
        },
        super::Attributes::Image(image) => image.src.clone(),
        super::Attributes::Anchor(anchor) => anchor.href.clone(),
        super::Attributes::Script(script) => script.src.clone(),
        super::Attributes::Text(text) => text.id.clone(),
    }
}

/// Sorts the form of a settings flow. Within a group, nodes stay in the order in which they were added (traits in the
/// schema's), the token is first and `method` last. The group that shows recovery codes is the last one.
pub fn sort_settings(ui: &mut Ui) {
    let names = ["csrf_token"].into_iter().chain(SECURITY_KEY).collect();
    let order =
        Order { groups: &SETTINGS_GROUPS, unlisted_groups_first: false, names, password_beside_default: false, by_value: false };
    order.sort(&mut ui.nodes);
    if let Some(shows) = ui.node(RECOVERY_CODES).map(|codes| codes.group) {
        ui.nodes.sort_by_key(|node| node.group == shows);
    }
}

/// Sorts the form of a sign-up: the password follows the first trait, unless another method's nodes lie between them.
pub fn sort_registration(ui: &mut Ui, schema: &IdentitySchema) {
    let mut leaves = schema.leaves().iter().map(|leaf| leaf.name.as_str());
    let names = ["csrf_token"].into_iter().chain(leaves.next()).chain(["password"]).chain(leaves).chain(SECURITY_KEY).collect();
    let order =
        Order { groups: &REGISTRATION_GROUPS, unlisted_groups_first: true, names, password_beside_default: true, by_value: true };
    order.sort(&mut ui.nodes);
}

/// Sorts the form of a sign-in.
pub fn sort_login(ui: &mut Ui) {
    let names = vec!["csrf_token", "identifier", "password"];
    let order =
        Order { groups: &LOGIN_GROUPS, unlisted_groups_first: true, names, password_beside_default: true, by_value: true };
    order.sort(&mut ui.nodes);
}

/// Puts the providers that an account is linked to behind everything else: where it is known whose sign-in it is, what the
/// person knows or has comes first.
pub fn providers_last(ui: &mut Ui) {
    ui.nodes.sort_by_key(|node| node.group == Group::Oidc);
}

/// Sorts a form of recovery or verification: the token first, everything else as it was added.
pub fn sort_simple(ui: &mut Ui) {
    ui.nodes.sort_by_key(|node| node.name() != Some("csrf_token"));
}

#[cfg(test)]
mod tests;
