//! Identifiers, addresses and names out of traits.

use serde_json::{Value, json};

use super::{person, schema_of, schema_with};
use crate::credential::CredentialType;
use crate::identity::Via;
use crate::message::label;
use crate::schema::Derived;

fn mark(marks: Value) -> Value {
    json!({ "type": "string", "ory.sh/kratos": marks })
}

fn texts(values: &[&str]) -> Vec<String> {
    values.iter().map(|v| (*v).to_owned()).collect()
}

#[test]
fn one_trait_can_be_everything() {
    let derived = person().derive(&json!({ "email": " Ada@Example.org", "name": { "first": "Ada" } }));
    let address = vec![(Via::Email, "ada@example.org".to_owned())];
    assert_eq!(
        derived,
        Derived {
            password: texts(&["ada@example.org"]),
            webauthn: texts(&["ada@example.org"]),
            code: address.clone(),
            passkey_display_name: Some(" Ada@Example.org".to_owned()),
            totp_account_name: Some(" Ada@Example.org".to_owned()),
            verifiable: address.clone(),
            recovery: address,
        }
    );
    assert_eq!(derived.identifiers(CredentialType::Code), ["ada@example.org"]);
    assert_eq!(derived.identifiers(CredentialType::Totp), Vec::<&str>::new());
    assert_eq!(person().derive(&json!({ "email": "" })), Derived::default());
    assert_eq!(person().derive(&json!({})), Derived::default());
    assert_eq!(person().derive(&json!("x")), Derived::default());
}

#[test]
fn identifiers_come_in_the_order_of_the_schema_and_once() {
    let identifier = json!({ "credentials": { "password": { "identifier": true } } });
    let schema = schema_of(json!({
        "type": "object",
        "properties": {
            "second": mark(identifier.clone()),
            "first": mark(identifier.clone()),
            "again": mark(identifier.clone()),
            "number": { "type": "integer", "ory.sh/kratos": identifier },
            "list": { "type": "array", "items": mark(identifier.clone()) },
            "rows": { "type": "array", "items": { "type": "object", "properties": { "mail": mark(identifier.clone()) } } },
            "deep": { "type": "object", "properties": { "name": mark(identifier.clone()) } }
        },
        "allOf": [{ "properties": { "late": mark(identifier.clone()) } }],
        "if": { "properties": { "kind": { "const": "firm" } }, "required": ["kind"] },
        "then": { "properties": { "vat": mark(identifier.clone()) } },
        "else": { "properties": { "nick": mark(identifier.clone()) } },
        "additionalProperties": mark(identifier)
    }));
    let traits = json!({
        "first": "F", "second": "S", "again": "f ", "number": 42, "list": ["L1", "l2", "L1"], "rows": [{ "mail": "R" }, {}, 3],
        "deep": { "name": "D" }, "late": "late", "kind": "firm", "vat": "V", "nick": "N"
    });
    let person = schema.derive(&json!({ "nick": "N", "vat": "V" })).password;
    assert!(person.contains(&"n".to_owned()));
    assert_eq!(schema.derive(&traits).password, texts(&["s", "f", "42", "l1", "l2", "r", "d", "late", "v", "firm", "n"]));
}

#[test]
fn only_branches_that_apply_count() {
    let schema = schema_of(json!({
        "type": "object",
        "properties": { "kind": { "type": "string" }, "name": { "type": "string" } },
        "oneOf": [
            { "properties": { "kind": { "const": "user" }, "name": mark(json!({ "credentials": { "password": { "identifier": true } } })) } },
            { "properties": { "kind": { "const": "guest" } } }
        ],
        "dependencies": { "ref": { "properties": { "ref": mark(json!({ "credentials": { "webauthn": { "identifier": true } } })) } } }
    }));
    assert_eq!(schema.derive(&json!({ "kind": "user", "name": "A" })).password, texts(&["a"]));
    assert_eq!(schema.derive(&json!({ "kind": "guest", "name": "A" })).password, texts(&[]));
    assert_eq!(schema.derive(&json!({ "kind": "guest", "ref": "R" })).webauthn, texts(&["r"]));
}

#[test]
fn phone_numbers_are_addresses_in_e164() {
    let schema = schema_with(json!({
        "phone": { "type": "string", "format": "tel", "ory.sh/kratos": {
            "credentials": { "password": { "identifier": true }, "code": { "identifier": true } },
            "verification": { "via": "sms" }, "recovery": { "via": "sms" } } },
        "fax": { "type": "string", "format": "tel" },
        "name": mark(json!({ "credentials": { "password": { "identifier": true } } }))
    }));
    let mut traits = json!({ "phone": "+49 (151) 123456-78", "fax": "+49 151 12345679", "name": "+49 151 12345670" });
    let derived = schema.derive(&traits);
    let number = vec![(Via::Sms, "+4915112345678".to_owned())];
    assert_eq!(derived.password, texts(&["+4915112345678", "+4915112345670"]));
    assert_eq!((&derived.code, &derived.verifiable, &derived.recovery), (&number, &number, &number));
    schema.normalise_phone_traits(&mut traits);
    assert_eq!(traits, json!({ "phone": "+4915112345678", "fax": "+49 151 12345679", "name": "+49 151 12345670" }));
    let mut odd = json!({ "phone": 7, "fax": null });
    schema.normalise_phone_traits(&mut odd);
    assert_eq!(odd, json!({ "phone": 7, "fax": null }));
}

#[test]
fn the_schema_names_its_types_and_labels() {
    use CredentialType::{Code, Password, Webauthn};
    assert_eq!(person().identifier_types(), [Password, Webauthn, Code]);
    assert_eq!(person().identifier_label(), label::trait_title("E-Mail", "traits.email"));
    assert_eq!(person().passkey_name_fields(), ["traits.email"]);

    let identifier = json!({ "credentials": { "password": { "identifier": true } } });
    let two = schema_with(json!({
        "b": { "type": "string", "title": "B", "ory.sh/kratos": identifier },
        "a": { "type": "string", "title": "A", "ory.sh/kratos": { "credentials": { "passkey": { "display_name": true } } } }
    }));
    assert_eq!(two.identifier_types(), [Password]);
    assert_eq!(two.identifier_label(), label::identifier());
    assert_eq!(two.passkey_name_fields(), ["traits.a"]);

    let untitled = schema_with(json!({ "a": mark(identifier) }));
    assert_eq!(untitled.identifier_label(), label::identifier());
    let none = schema_with(json!({ "a": { "type": "string", "title": "A" } }));
    assert_eq!(none.identifier_label(), label::identifier());
    assert_eq!(none.identifier_types(), []);
}
