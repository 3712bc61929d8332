//! Forms in the order in which people see them.

use serde_json::json;

use super::*;
use crate::message::label;
use crate::ui::InputType;

fn schema() -> IdentitySchema {
    let text = json!({ "type": "string" });
    let traits = json!({ "type": "object", "properties": {
        "email": text, "email2": text, "name": { "type": "object", "properties": { "first": text } } } });
    IdentitySchema::parse("x", &json!({ "properties": { "traits": traits } })).expect("a schema")
}

fn field(group: Group, name: &str) -> Node {
    Node::input(group, name, InputType::Text)
}

fn button(group: Group, name: &str, value: &str) -> Node {
    Node::input(group, name, InputType::Submit).value(value.into()).label(label::submit())
}

fn names(ui: &Ui) -> Vec<String> {
    ui.nodes
        .iter()
        .map(|n| match n.as_input().and_then(|i| i.value.as_ref()).and_then(serde_json::Value::as_str) {
            Some(value) => format!("{}={value}", n.name().unwrap_or_default()),
            None => n.name().unwrap_or_default().to_owned(),
        })
        .collect()
}

fn form(nodes: Vec<Node>) -> Ui {
    Ui { nodes, ..Ui::new(String::new()) }
}

/// Sorted from this order, from the reverse, and again: always the same.
fn check(nodes: Vec<Node>, sort: impl Fn(&mut Ui), expected: &[&str], reversible: bool) {
    let mut ui = form(nodes.clone());
    sort(&mut ui);
    assert_eq!(names(&ui), expected);
    let once = ui.clone();
    sort(&mut ui);
    assert_eq!(ui, once);
    if reversible {
        let mut back = form(nodes.into_iter().rev().collect());
        sort(&mut back);
        assert_eq!(names(&back), expected);
    }
}

#[test]
fn the_password_follows_the_first_trait() {
    let nodes = vec![
        button(Group::Password, "method", "password"),
        field(Group::Password, "password"),
        field(Group::Default, "traits.name.first"),
        field(Group::Default, "traits.email2"),
        field(Group::Default, "traits.email"),
        field(Group::Default, "traits"),
        field(Group::Default, "csrf_token"),
        button(Group::Profile, "screen", "previous"),
        button(Group::Oidc, "provider", "b"),
        button(Group::Oidc, "provider", "a"),
    ];
    check(
        nodes,
        |ui| sort_registration(ui, &schema()),
        &[
            "provider=a",
            "provider=b",
            "csrf_token",
            "traits.email",
            "password",
            "traits.email2",
            "traits.name.first",
            "traits",
            "method=password",
            "screen=previous",
        ],
        true,
    );
}

#[test]
fn another_method_parts_the_password_from_the_traits() {
    let nodes = vec![
        field(Group::Default, "csrf_token"),
        field(Group::Password, "password"),
        field(Group::Default, "traits.email"),
        button(Group::Password, "method", "password"),
        button(Group::Code, "method", "code"),
        field(Group::Webauthn, "webauthn_register_trigger").value("{}".into()),
        field(Group::Webauthn, "webauthn_register").value("".into()),
        field(Group::Webauthn, "webauthn_register_displayname"),
        field(Group::Webauthn, "webauthn_script"),
    ];
    check(
        nodes,
        |ui| sort_registration(ui, &schema()),
        &[
            "csrf_token",
            "traits.email",
            "webauthn_register_displayname",
            "webauthn_register=",
            "webauthn_register_trigger={}",
            "webauthn_script",
            "method=code",
            "password",
            "method=password",
        ],
        true,
    );
}

#[test]
fn sign_in_has_the_identifier_before_the_password() {
    let nodes = vec![
        field(Group::LookupSecret, "lookup_secret"),
        button(Group::Password, "method", "password"),
        field(Group::Password, "password"),
        field(Group::Code, "code"),
        button(Group::Code, "method", "code"),
        button(Group::Code, "resend", "code"),
        field(Group::Totp, "totp_code"),
        field(Group::Default, "identifier"),
        field(Group::Default, "csrf_token"),
        field(Group::IdentifierFirst, "identifier"),
        button(Group::Oidc, "provider", "a"),
    ];
    check(
        nodes,
        sort_login,
        &[
            "identifier",
            "provider=a",
            "csrf_token",
            "identifier",
            "code",
            "resend=code",
            "method=code",
            "password",
            "method=password",
            "totp_code",
            "lookup_secret",
        ],
        true,
    );
}

#[test]
fn settings_go_by_group_and_else_as_added() {
    let nodes = vec![
        field(Group::Totp, "totp_qr"),
        field(Group::Totp, "totp_code"),
        button(Group::Totp, "method", "totp"),
        field(Group::LookupSecret, "lookup_secret_reveal"),
        button(Group::Oidc, "unlink", "b"),
        button(Group::Oidc, "link", "a"),
        button(Group::Password, "method", "password"),
        field(Group::Password, "password"),
        button(Group::Profile, "method", "profile"),
        field(Group::Profile, "traits.z"),
        field(Group::Profile, "traits.a"),
        field(Group::Webauthn, "webauthn_register"),
        button(Group::Webauthn, "webauthn_remove", "2"),
        button(Group::Webauthn, "webauthn_remove", "1"),
        field(Group::Default, "csrf_token"),
    ];
    check(
        nodes,
        sort_settings,
        &[
            "csrf_token",
            "traits.z",
            "traits.a",
            "method=profile",
            "password",
            "method=password",
            "unlink=b",
            "link=a",
            "lookup_secret_reveal",
            "webauthn_remove=2",
            "webauthn_remove=1",
            "webauthn_register",
            "totp_qr",
            "totp_code",
            "method=totp",
        ],
        false,
    );
}

#[test]
fn a_group_that_shows_recovery_codes_stands_last() {
    let nodes = vec![
        field(Group::LookupSecret, "lookup_secret_codes"),
        field(Group::LookupSecret, "lookup_secret_confirm"),
        field(Group::Totp, "totp_qr"),
        button(Group::Totp, "method", "totp"),
        field(Group::Default, "csrf_token"),
    ];
    let order = ["csrf_token", "totp_qr", "method=totp", "lookup_secret_codes", "lookup_secret_confirm"];
    check(nodes, sort_settings, &order, false);
}

#[test]
fn simple_forms_put_the_token_first() {
    let nodes = vec![field(Group::Code, "email"), button(Group::Code, "method", "code"), field(Group::Default, "csrf_token")];
    check(nodes, sort_simple, &["csrf_token", "email", "method=code"], false);
}
