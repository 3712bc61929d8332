//! Forms made of nodes, and the pages' templates with them.

use serde_json::{Value, json};

use super::*;

fn input(group: &str, name: &str, kind: &str, more: Value) -> Value {
    let mut attributes = json!({"node_type": "input", "name": name, "type": kind, "disabled": false});
    let (mut messages, mut meta) = (json!([]), json!({}));
    if let Value::Object(more) = more {
        for (key, value) in more {
            match key.as_str() {
                "error" => messages = json!([{"id": 4_000_001, "text": value, "type": "error"}]),
                "label" => {
                    let id = if value == "Continue" { 1_040_003 } else { 1_070_002 };
                    meta = json!({"label": {"id": id, "text": value, "type": "info"}});
                }
                _ => attributes[key] = value,
            }
        }
    }
    json!({"type": "input", "group": group, "attributes": attributes, "messages": messages, "meta": meta})
}

fn csrf() -> Value {
    input("default", "csrf_token", "hidden", json!({"value": "token", "required": true}))
}

fn submit(group: &str, value: &str, label: &str) -> Value {
    input(group, "method", "submit", json!({"value": value, "label": label}))
}

fn laid_out(layout: Layout, nodes: Value) -> Body {
    with_messages(layout, nodes, json!([]))
}

fn with_messages(layout: Layout, nodes: Value, messages: Value) -> Body {
    let ui: Ui =
        serde_json::from_value(json!({"action": "http://localhost/self-service/x?flow=1", "nodes": nodes, "messages": messages}))
            .unwrap();
    let account = named(&ui).or_else(|| (layout == Layout::Each).then(|| "ada@example.org".to_owned()));
    let is_change = layout == Layout::Each;
    body(&ui, layout, &Facts { account, password_length: 8, is_change, only_way: Some("The only way") })
}

fn fields(form: &Form) -> Vec<&Field> {
    form.items.iter().filter_map(|i| if let Item::Field(f) = i { Some(f) } else { None }).collect()
}

fn labels(buttons: &[Button]) -> String {
    let labels: Vec<String> = buttons
        .iter()
        .map(|b| {
            let star = if b.class == "primary" { "*" } else { "" };
            let mark = b.mark.as_ref().map(|m| format!("({})", m.letter)).unwrap_or_default();
            format!("{star}{mark}{}", b.label)
        })
        .collect();
    labels.join(",")
}

/// Names of hidden fields, names of fields, and labels of buttons of each form, then what the other ways in it have, then
/// what leads back; the main button has a star, an ornament is in parentheses.
fn outline(body: &Body) -> Vec<String> {
    let names = |items: &[Item]| -> String {
        let names = items.iter().filter_map(|i| if let Item::Field(f) = i { Some(f.name.as_str()) } else { None });
        names.collect::<Vec<_>>().join(",")
    };
    let forms = body.sections.iter().flat_map(|s| &s.forms);
    forms
        .map(|form| {
            let hidden: Vec<&str> = form.hidden.iter().map(|h| h.name.as_str()).collect();
            let mut line = format!("{} | {} | {}", hidden.join(","), names(&form.items), labels(&form.buttons));
            for other in &form.others {
                line.push_str(&format!(" / {} | {}", names(&other.items), labels(&other.buttons)));
            }
            if let Some(back) = &form.back {
                line.push_str(&format!(" < {}", back.label));
            }
            line
        })
        .collect()
}

#[test]
fn signing_in_is_one_form_with_the_password_on_enter() {
    let body = laid_out(
        Layout::OneOf,
        json!([
            input("oidc", "provider", "submit", json!({"value": "acme", "label": "Sign in with Acme"})),
            csrf(),
            input("default", "identifier", "text", json!({"required": true, "label": "E-mail"})),
            submit("code", "code", "Send me a code"),
            input(
                "password",
                "password",
                "password",
                json!({"required": true, "autocomplete": "current-password", "label": "Password", "value": "leak"})
            ),
            submit("password", "password", "Sign in"),
        ]),
    );
    assert_eq!(
        outline(&body),
        ["csrf_token | identifier,password | *Sign in /  | ()Send me a code", "csrf_token |  | (A)Sign in with Acme"]
    );
    let form = &body.sections[0].forms[0];
    assert!(!form.buttons[0].skips_checks && form.others[0].buttons[0].skips_checks);
    assert!(body.sections.iter().all(|s| !s.after_or), "\"or\" stands once, before the code");
    let password = fields(form)[1].clone();
    assert_eq!(password.inputs[0].value, None, "a password is never sent back");
    assert_eq!((fields(form)[0].autofocus, password.autofocus), (true, false));
    assert_eq!(form.username, None, "the page asks for the name itself");
    assert!(!body.has_errors);
}

#[test]
fn a_password_that_is_the_only_way_needs_no_naming() {
    let password = json!([
        csrf(),
        input("default", "identifier", "text", json!({})),
        submit("password", "password", "Sign in with a password")
    ]);
    assert_eq!(outline(&laid_out(Layout::OneOf, password.clone())), ["csrf_token | identifier | *The only way"]);
    let mut more = password;
    more.as_array_mut().unwrap().push(input("oidc", "provider", "submit", json!({"value": "acme", "label": "Acme"})));
    assert_eq!(outline(&laid_out(Layout::OneOf, more))[0], "csrf_token | identifier | *Sign in with a password");
}

#[test]
fn whoever_lands_in_a_refused_form_hears_why() {
    let nodes = json!([csrf(), input("default", "identifier", "text", json!({})), submit("password", "password", "Sign in")]);
    for (kind, expected) in [("error", Some("notices")), ("info", None)] {
        let body = with_messages(Layout::OneOf, nodes.clone(), json!([{"id": 1, "text": "No.", "type": kind}]));
        assert_eq!(fields(&body.sections[0].forms[0])[0].described_by().as_deref(), expected);
    }
}

#[test]
fn several_wrong_fields_are_listed_and_a_single_one_is_not() {
    for (second, expected) in [(json!({"error": "no", "label": "B"}), vec!["general-a", "general-b"]), (json!({}), vec![])] {
        let nodes = json!([
            input("default", "a", "text", json!({"error": "no", "label": "A"})),
            input("default", "b", "text", second),
            submit("password", "password", "Go")
        ]);
        let body = laid_out(Layout::OneOf, nodes);
        let ids: Vec<&str> = body.to_mend.iter().map(|(id, _)| id.as_str()).collect();
        assert_eq!(ids, expected);
        assert!(body.has_errors);
    }
}

#[test]
fn what_is_told_at_a_button_is_shown() {
    let body =
        laid_out(Layout::Each, json!([input("totp", "totp_unlink", "submit", json!({"label": "Remove", "error": "No."}))]));
    let form = &body.sections[0].forms[0];
    assert!(form.messages[0].is_error() && form.messages[0].text == "No.");
    assert!(body.has_errors);
}

#[test]
fn a_key_that_wants_a_name_does_not_stand_among_what_a_password_needs() {
    let trigger = json!({"value": "", "label": "Sign up with a key", "onclickTrigger": "oryWebAuthnRegistration"});
    let nodes = json!([
        csrf(),
        input("default", "traits.email", "email", json!({"required": true})),
        input("webauthn", "webauthn_register_displayname", "text", json!({"required": true})),
        input("webauthn", "webauthn_register", "hidden", json!({"value": ""})),
        input("webauthn", "webauthn_register_trigger", "button", trigger),
        submit("code", "code", "Send me a code"),
        input("password", "password", "password", json!({"required": true, "autocomplete": "new-password"})),
        submit("password", "password", "Sign up"),
        input("oidc", "provider", "submit", json!({"value": "acme", "label": "Sign up with Acme"})),
        input("oidc", "provider", "submit", json!({"value": "zoo", "label": "Sign up with Zoo"})),
    ]);
    let body = laid_out(Layout::OneOf, nodes);
    assert_eq!(
        outline(&body),
        [
            "csrf_token,webauthn_register | traits.email,password | *Sign up /  | ()Send me a code / webauthn_register_displayname | ()Sign up with a key",
            "csrf_token |  | (A)Sign up with Acme,(Z)Sign up with Zoo"
        ]
    );
    let form = &body.sections[0].forms[0];
    assert!(form.fields().all(|f| f.required != (f.name == "webauthn_register_displayname")), "a password needs no key's name");
    assert!(form.needs_script());
    assert_eq!(form.fields().filter(|f| f.autofocus).count(), 1);
}

#[test]
fn without_a_password_the_main_way_is_one_that_enter_can_choose() {
    let key = json!({"value": "", "label": "Use a passkey", "onclickTrigger": "oryPasskeyLogin"});
    let mut nodes =
        vec![csrf(), input("default", "identifier", "text", json!({})), input("passkey", "passkey_login_trigger", "button", key)];
    assert_eq!(outline(&laid_out(Layout::OneOf, json!(nodes))), ["csrf_token | identifier | Use a passkey"]);
    nodes.push(submit("code", "code", "Send me a code"));
    assert_eq!(
        outline(&laid_out(Layout::OneOf, json!(nodes))),
        ["csrf_token | identifier | *Send me a code /  | ()Use a passkey"]
    );
}

#[test]
fn what_a_provider_left_open_is_asked_in_its_form() {
    let nodes = json!([
        csrf(),
        input("oidc", "traits.email", "email", json!({"required": true})),
        input("oidc", "provider", "submit", json!({"value": "acme", "label": "Continue"})),
    ]);
    let body = laid_out(Layout::OneOf, nodes);
    assert_eq!(outline(&body), ["csrf_token | traits.email | *Continue"]);
    assert!(body.sections[0].forms[0].fields().all(|f| f.required));
}

#[test]
fn second_factors_stand_apart_and_the_first_of_them_is_the_main_form() {
    let body = laid_out(
        Layout::OneOf,
        json!([
            csrf(),
            input("totp", "totp_code", "text", json!({"required": true})),
            submit("totp", "totp", "Use the app"),
            input("lookup_secret", "lookup_secret", "text", json!({"required": true})),
            submit("lookup_secret", "lookup_secret", "Use a code"),
        ]),
    );
    assert_eq!(outline(&body), ["csrf_token | totp_code | *Use the app", "csrf_token | lookup_secret | *Use a code"]);
    let code = fields(&body.sections[0].forms[0])[0].clone();
    assert!(code.extra.contains(&("autocomplete", "one-time-code".to_owned())));
    assert!(code.extra.contains(&("inputmode", "numeric".to_owned())));
}

#[test]
fn the_second_step_of_signing_up_keeps_traits_hidden_and_leads_back() {
    let body = laid_out(
        Layout::OneOf,
        json!([
            csrf(),
            input("default", "traits.email", "hidden", json!({"value": "a@example.org", "label": "E-mail", "error": "is taken"})),
            input("password", "password", "password", json!({"required": true, "autocomplete": "new-password"})),
            submit("password", "password", "Sign up"),
            input("profile", "screen", "submit", json!({"value": "previous", "label": "Back"})),
        ]),
    );
    assert_eq!(outline(&body), ["csrf_token,traits.email | password | *The only way < Back"]);
    let form = &body.sections[0].forms[0];
    assert!(form.back.as_ref().unwrap().skips_checks, "no password is needed to go back");
    assert_eq!(body.notices, [Notice { class: "error", role: "alert", text: "E-mail: Is taken.".to_owned(), autofocus: false }]);
    assert!(body.has_errors);
    assert_eq!(fields(form)[0].hint.as_deref(), Some("At least 8 characters."));
    assert_eq!(form.username.as_deref(), Some("a@example.org"), "for password managers");
}

#[test]
fn traits_stay_with_a_provider_that_is_the_only_way() {
    let body = laid_out(
        Layout::OneOf,
        json!([
            csrf(),
            input("default", "traits.email", "email", json!({"required": true})),
            input("oidc", "provider", "submit", json!({"value": "acme", "label": "Sign up with Acme"})),
        ]),
    );
    assert_eq!(outline(&body), ["csrf_token | traits.email | (A)Sign up with Acme"]);
    let form = &body.sections[0].forms[0];
    assert!(form.buttons[0].skips_checks && form.fields().all(|f| !f.required), "the provider may tell it");
}

#[test]
fn asking_for_another_code_is_not_what_enter_does() {
    let body = laid_out(
        Layout::OneOf,
        json!([
            csrf(),
            input("code", "method", "hidden", json!({"value": "code"})),
            input("code", "email", "submit", json!({"value": "a@example.org", "label": "Send the code again"})),
            input("code", "code", "text", json!({"required": true, "label": "Code"})),
            submit("code", "code", "Submit"),
        ]),
    );
    assert_eq!(outline(&body), ["csrf_token,method | code | *Submit,Send the code again"]);
    let names: Vec<&str> = body.sections[0].forms[0].buttons.iter().map(|b| b.name.as_str()).collect();
    assert_eq!(names, ["", "email"], "the method goes along once");
}

#[test]
fn each_part_of_the_settings_is_a_form_and_each_removal_its_own() {
    let body = laid_out(
        Layout::Each,
        json!([
            csrf(),
            input("profile", "traits.email", "email", json!({"required": true, "value": "a@example.org"})),
            submit("profile", "profile", "Save"),
            input("password", "password", "password", json!({"required": true, "autocomplete": "new-password"})),
            submit("password", "password", "Save"),
            input("webauthn", "webauthn_remove", "submit", json!({"value": "0a", "label": "Remove key"})),
            input("webauthn", "webauthn_register_displayname", "text", json!({"label": "Name"})),
            input("webauthn", "webauthn_register", "hidden", json!({"value": ""})),
            input(
                "webauthn",
                "webauthn_register_trigger",
                "button",
                json!({"value": "", "label": "Add key", "onclickTrigger": "oryWebAuthnRegistration"})
            ),
        ]),
    );
    assert_eq!(
        outline(&body),
        [
            "csrf_token | traits.email | *Save",
            "csrf_token | password | *Save",
            "csrf_token,webauthn_register | webauthn_register_displayname | Add key",
            "csrf_token |  | Remove key",
        ]
    );
    let groups: Vec<_> = body.sections.iter().map(|s| (s.group, s.is_set_up)).collect();
    assert_eq!(groups, [(Group::Profile, false), (Group::Password, false), (Group::Webauthn, true)]);
    assert_eq!(fields(&body.sections[1].forms[0])[0].label, "New password");
    let usernames: Vec<_> = body.sections.iter().map(|s| s.forms[0].username.as_deref()).collect();
    assert_eq!(usernames, [None, Some("ada@example.org"), None]);
    assert!(body.sections[2].forms[0].needs_script());
    assert_eq!(body.sections[2].forms[1].buttons[0].class, "danger");
    assert!(body.sections.iter().flat_map(|s| &s.forms).flat_map(fields).all(|f| !f.autofocus));
}

#[test]
fn fields_follow_their_nodes() {
    let body = laid_out(
        Layout::Each,
        json!([
            input("profile", "traits.a", "checkbox", json!({"value": true, "required": true, "label": "Newsletter"})),
            input(
                "profile",
                "traits.b",
                "text",
                json!({"options": [{"value": "red"}, {"value": 5}], "value": "red", "required": true})
            ),
            input("profile", "traits.c", "text", json!({"options": [{"value": "x"}]})),
            input("profile", "traits.tags", "text", json!({"value": ["one", "two"], "label": "Tags"})),
            input("profile", "traits.size", "number", json!({"value": 5, "pattern": "^[0-9]+$", "maxlength": 3})),
            input("profile", "traits.when", "datetime-local", json!({"value": "2026-01-31T14:30:00Z"})),
            input("profile", "traits.first_name", "text", json!({"error": "too short", "disabled": true})),
            input("profile", "traits.d", "text", json!({"error": "wrong"})),
            submit("profile", "profile", "Save"),
        ]),
    );
    let form = &body.sections[0].forms[0];
    let all = fields(form);
    assert!(all[0].is_checked && !all[0].required && !all[0].is_optional && all[0].inputs.is_empty());
    let choices =
        |f: &Field| f.options.iter().map(|o| format!("{}{}", o.value, if o.selected { "*" } else { "" })).collect::<Vec<_>>();
    assert_eq!(choices(all[1]), ["red*", "5"]);
    assert_eq!(choices(all[2]), ["*", "x"]);
    let inputs: Vec<_> = all[3].inputs.iter().map(|i| (i.id.as_str(), i.value.as_deref(), i.aria_label.as_deref())).collect();
    assert_eq!(
        inputs,
        [
            ("profile-traits-tags", Some("one"), None),
            ("profile-traits-tags-2", Some("two"), Some("Tags 2")),
            ("profile-traits-tags-3", None, Some("Tags 3")),
        ]
    );
    assert!(all[4].extra.contains(&("pattern", ".*(?:^[0-9]+$).*".to_owned())));
    assert!(all[4].extra.contains(&("step", "any".to_owned())) && all[4].extra.contains(&("maxlength", "3".to_owned())));
    assert_eq!((all[5].kind, all[5].hint.is_some()), ("text", true));
    assert_eq!((all[6].label.as_str(), all[6].is_optional, all[6].autofocus), ("First name", false, false));
    assert_eq!(all[6].described_by().as_deref(), Some("profile-traits-first-name-messages"));
    assert!(all[7].is_invalid && all[7].autofocus, "typing begins where something must be mended");
    assert!(all[3].is_optional && body.has_errors);
}

#[test]
fn the_same_name_twice_gets_two_anchors() {
    let body = laid_out(
        Layout::OneOf,
        json!([
            input("default", "a.b", "text", json!({})),
            input("default", "a_b", "text", json!({})),
            submit("password", "p", "Go")
        ]),
    );
    let ids: Vec<&str> = fields(&body.sections[0].forms[0]).iter().map(|f| f.id.as_str()).collect();
    assert_eq!(ids, ["default-a-b", "default-a-b-2"].map(|id| id.replace("default", "general")));
}

#[test]
fn codes_secrets_and_pictures_are_shown() {
    let text = |id: u32, text: &str, context: Value| {
        json!({"type": "text", "group": "lookup_secret", "messages": [], "meta": {"label": {"id": 1, "text": "Codes", "type": "info"}},
               "attributes": {"node_type": "text", "id": "x", "text": {"id": id, "text": text, "type": "info", "context": context}}})
    };
    let codes = json!({"secrets": [{"id": 1_050_009, "text": "abcd", "type": "info"}, {"id": 1_050_014, "text": "Used at noon", "type": "info"}]});
    let image = json!({"type": "img", "group": "lookup_secret", "messages": [], "meta": {},
                       "attributes": {"node_type": "img", "id": "qr", "src": "data:image/png;base64,AA==", "width": 256, "height": 256}});
    let body = laid_out(Layout::Each, json!([text(1_050_015, "abcd", codes), text(1_050_006, "SECRET", json!({})), image]));
    let items = &body.sections[0].forms[0].items;
    let [Item::Text(list), Item::Text(secret), Item::Image(image)] = items.as_slice() else { panic!("{items:?}") };
    assert_eq!(
        list.codes.iter().map(|c| (c.text.as_str(), c.used)).collect::<Vec<_>>(),
        [("abcd", false), ("Used at noon", true)]
    );
    assert!(secret.is_secret && secret.codes.is_empty());
    assert_eq!((image.width, image.alt.as_str()), (256, ""));
}

#[test]
fn messages_of_the_form_stand_above_it() {
    let told = json!([{"id": 1, "text": "Saved.", "type": "success"}, {"id": 2, "text": "No.", "type": "error"}]);
    let body = with_messages(Layout::OneOf, json!([csrf()]), told);
    let told: Vec<_> = body.notices.iter().map(|n| (n.class, n.role, n.text.as_str())).collect();
    assert_eq!(told, [("success", "status", "Saved."), ("error", "alert", "No.")]);
    assert!(body.has_errors && body.sections.is_empty(), "nothing to fill in is no form");
}

#[test]
fn a_form_is_printed_with_labels_and_without_holes() {
    #[derive(askama::Template)]
    #[template(path = "form.html")]
    struct Printed<'a> {
        form: &'a Form,
    }
    let evil = "\"><script>alert(1)</script>";
    let body = laid_out(
        Layout::OneOf,
        json!([
            csrf(),
            input(
                "default",
                "traits.email",
                "email",
                json!({"required": true, "autocomplete": "email", "label": evil, "value": evil, "error": evil})
            ),
            input("default", "traits.ok", "checkbox", json!({"label": "Ok"})),
            input("default", "traits.pick", "text", json!({"options": [{"value": evil}], "value": evil})),
            submit("password", evil, evil),
        ]),
    );
    let html = askama::Template::render(&Printed { form: &body.sections[0].forms[0] }).unwrap();
    assert!(!html.contains("<script>"), "{html}");
    for part in [
        r#"<form method="post" action="http://localhost/self-service/x?flow=1""#,
        r#"<input type="hidden" name="csrf_token" value="token">"#,
        r#"<label for="general-traits-email">"#,
        r#"type="email" id="general-traits-email" name="traits.email""#,
        r#"autocomplete="email""#,
        r#"required autofocus aria-describedby="general-traits-email-messages" aria-invalid="true""#,
        r#"<div id="general-traits-email-messages" role="alert">"#,
        r#"<input type="hidden" name="traits.ok" value="false">"#,
        r#"<input type="checkbox" id="general-traits-ok" name="traits.ok" value="true">"#,
        r#"<button class="primary" name="method""#,
    ] {
        assert!(html.contains(part), "{part} in {html}");
    }
    assert!(!html.contains(" on") || !html.contains(" onclick"), "nothing inline");
}
