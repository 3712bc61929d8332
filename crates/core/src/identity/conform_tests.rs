use std::cell::Cell;

use portcullis_model::credential::CredentialType as Type;

use super::*;
use crate::identity::difference;
use crate::method::Usable;

struct Passwords;

impl CredentialKind for Passwords {
    fn kind(&self) -> Type {
        Type::Password
    }

    fn usable(&self, credential: &Credential) -> Usable {
        Usable { first: credential.config.get("hashed_password").is_some(), second: false }
    }
}

fn schema(id: &str, marks: &Value) -> IdentitySchema {
    let document = json!({
        "type": "object",
        "properties": {
            "traits": {
                "type": "object",
                "properties": {
                    "email": { "type": "string", "format": "email", "ory.sh/kratos": marks },
                    "other": { "type": "string", "format": "email", "ory.sh/kratos": {
                        "verification": { "via": "email" }, "recovery": { "via": "email" }
                    } }
                }
            }
        }
    });
    IdentitySchema::parse(id, &document).expect("a schema")
}

fn person() -> IdentitySchema {
    schema(
        "person",
        &json!({
            "credentials": { "password": { "identifier": true }, "code": { "identifier": true, "via": "email" } },
            "verification": { "via": "email" },
            "recovery": { "via": "email" }
        }),
    )
}

fn nameless() -> IdentitySchema {
    schema("nameless", &json!({ "recovery": { "via": "email" } }))
}

fn new(traits: Value) -> IdentityWithCredentials {
    IdentityWithCredentials {
        identity: Identity {
            id: Uuid::from_u128(1),
            schema_id: String::new(),
            traits,
            state: State::Active,
            state_changed_at: Timestamp::from_seconds(1),
            metadata_public: Value::Null,
            metadata_admin: Value::Null,
            external_id: None,
            organization_id: None,
            verifiable_addresses: Vec::new(),
            recovery_addresses: Vec::new(),
            factors: Factors::default(),
            credentials_version: 1,
            version: 1,
            created_at: Timestamp::from_seconds(1),
            updated_at: Timestamp::from_seconds(1),
        },
        credentials: Vec::new(),
    }
}

/// Conforms at a second, with ids that count up from a thousand times that.
fn conformed(
    second: i64,
    mut who: IdentityWithCredentials,
    old: Option<&IdentityWithCredentials>,
    schema: &IdentitySchema,
) -> IdentityWithCredentials {
    let next = Cell::new(u128::try_from(second).expect("positive") * 1000);
    let new_id = || {
        next.set(next.get() + 1);
        Uuid::from_u128(next.get())
    };
    let at = Moment { now: Timestamp::from_seconds(second), new_id: &new_id };
    conform_at(&at, &[&Passwords], &mut who, old, schema);
    who
}

fn kinds(who: &IdentityWithCredentials) -> Vec<(Type, Vec<&str>)> {
    who.credentials.iter().map(|c| (c.kind, c.identifiers.iter().map(String::as_str).collect())).collect()
}

fn verifiable_values(who: &IdentityWithCredentials) -> Vec<(&str, bool)> {
    who.identity.verifiable_addresses.iter().map(|a| (a.value.as_str(), a.verified)).collect()
}

#[test]
fn a_new_identity_has_what_its_traits_give() {
    let who = conformed(1, new(json!({ "email": " Ada@Example.ORG " })), None, &person());
    assert_eq!(who.identity.schema_id, "person");
    assert_eq!(kinds(&who), [(Type::Password, vec!["ada@example.org"]), (Type::Code, vec!["ada@example.org"])]);
    let code = who.credential(Type::Code).expect("a code credential");
    assert_eq!(code.config, json!({ "addresses": [{ "channel": "email", "address": "ada@example.org" }] }));
    assert_eq!(verifiable_values(&who), [("ada@example.org", false)]);
    assert_eq!(who.identity.recovery_addresses.len(), 1);
    assert_eq!(who.identity.traits["email"], " Ada@Example.ORG ");
    assert_eq!(who.identity.factors, Factors::default());
}

#[test]
fn conforming_twice_changes_nothing() {
    let who = conformed(1, new(json!({ "email": "a@x.org", "other": "b@x.org" })), None, &person());
    assert_eq!(conformed(2, who.clone(), None, &person()), who);
    assert_eq!(conformed(3, who.clone(), Some(&who), &person()), who);
}

#[test]
fn another_spelling_keeps_the_record_and_another_value_is_a_new_one() {
    let mut old = conformed(1, new(json!({ "email": "a@x.org", "other": "b@x.org" })), None, &person());
    for address in &mut old.identity.verifiable_addresses {
        address.verified = true;
        address.status = AddressStatus::Completed;
        address.verified_at = Some(Timestamp::from_seconds(1));
    }
    let mut next = old.clone();
    next.identity.traits = json!({ "email": "A@X.org", "other": "c@x.org" });
    let next = conformed(2, next, Some(&old), &person());
    let [kept, changed] = next.identity.verifiable_addresses.as_slice() else { panic!("two addresses") };
    assert_eq!(*kept, old.identity.verifiable_addresses[0]);
    assert_eq!((changed.value.as_str(), changed.verified, changed.status), ("c@x.org", false, AddressStatus::Pending));
    assert_ne!(changed.id, old.identity.verifiable_addresses[1].id);
    assert_eq!(next.identity.recovery_addresses[0], old.identity.recovery_addresses[0]);
    assert_ne!(next.identity.recovery_addresses[1].id, old.identity.recovery_addresses[1].id);
    // Back again: what was proved then does not count any more.
    let mut back = next.clone();
    back.identity.traits = old.identity.traits.clone();
    let back = conformed(3, back, Some(&next), &person());
    assert_eq!(verifiable_values(&back), [("a@x.org", true), ("b@x.org", false)]);
}

#[test]
fn what_is_said_of_addresses_counts_only_for_those_of_the_traits() {
    let mut who = new(json!({ "email": "a@x.org" }));
    for (value, verified) in [("A@x.org", true), ("stranger@x.org", true)] {
        who.identity.verifiable_addresses.push(VerifiableAddress {
            id: Uuid::nil(),
            value: value.to_owned(),
            verified,
            via: Via::Email,
            status: AddressStatus::Completed,
            verified_at: Some(Timestamp::from_seconds(1)),
            created_at: Timestamp::from_seconds(1),
            updated_at: Timestamp::from_seconds(1),
        });
    }
    let who = conformed(1, who, None, &person());
    assert_eq!(verifiable_values(&who), [("a@x.org", true)]);
    assert!(!who.identity.verifiable_addresses[0].id.is_nil());
    // Left out of a later document, it is known again, by its old id, but nothing is known of it.
    let mut next = who.clone();
    next.identity.verifiable_addresses.clear();
    let next = conformed(2, next, Some(&who), &person());
    assert_eq!(verifiable_values(&next), [("a@x.org", false)]);
    assert_eq!(next.identity.verifiable_addresses[0].id, who.identity.verifiable_addresses[0].id);
    assert_eq!(next.identity.verifiable_addresses[0].updated_at, Timestamp::from_seconds(2));
}

#[test]
fn types_that_the_schema_does_not_name_lose_their_identifiers() {
    let mut old = conformed(1, new(json!({ "email": "a@x.org" })), None, &person());
    let without_secret = conformed(2, old.clone(), Some(&old), &nameless());
    assert_eq!(kinds(&without_secret), []);
    old.credentials[0].config = json!({ "hashed_password": "x" });
    let with_secret = conformed(2, old.clone(), Some(&old), &nameless());
    assert_eq!(kinds(&with_secret), [(Type::Password, vec![])]);
    assert_eq!(with_secret.identity.schema_id, "nameless");
    assert_eq!(verifiable_values(&with_secret), []);
    assert_eq!(with_secret.identity.recovery_addresses.len(), 1);
}

#[test]
fn only_what_holds_a_secret_is_a_factor() {
    let mut who = conformed(1, new(json!({ "email": "a@x.org" })), None, &person());
    assert_eq!(who.identity.factors.first, []);
    who.credentials[0].config = json!({ "hashed_password": "x" });
    let who = conformed(2, who, None, &person());
    assert_eq!(who.identity.factors.first, [Type::Password]);
}

#[test]
fn times_tell_what_changed() {
    let old = conformed(1, new(json!({ "email": "a@x.org" })), None, &person());
    let mut next = old.clone();
    next.identity.state = State::Inactive;
    next.credentials[0].config = json!({ "hashed_password": "x" });
    let next = conformed(5, next, Some(&old), &person());
    let (then, now) = (Timestamp::from_seconds(1), Timestamp::from_seconds(5));
    assert_eq!((next.identity.created_at, next.identity.updated_at, next.identity.state_changed_at), (then, now, now));
    assert_eq!((next.credentials[0].created_at, next.credentials[0].updated_at), (then, now));
    assert_eq!((next.credentials[1].created_at, next.credentials[1].updated_at), (then, then));
}

#[test]
fn differences() {
    let old = conformed(1, new(json!({ "email": "a@x.org", "other": "b@x.org" })), None, &person());
    assert_eq!(difference(&old, &old), Default::default());

    let mut next = old.clone();
    next.identity.traits = json!({ "email": "A@x.org", "other": "b@x.org" });
    let spelling = difference(&old, &conformed(2, next, Some(&old), &person()));
    assert!(spelling.traits && !spelling.changes_addresses() && spelling.credentials.is_empty());

    let mut next = old.clone();
    next.identity.traits = json!({ "email": "a@x.org" });
    let removed = difference(&old, &conformed(2, next, Some(&old), &person()));
    assert!(removed.changes_addresses() && !removed.identifiers_changed);
    assert_eq!(removed.addresses_removed.len(), 1);
    assert_eq!((removed.addresses_added.len(), removed.recovery_removed.len()), (0, 1));

    let mut next = old.clone();
    next.identity.traits = json!({ "email": "z@x.org", "other": "b@x.org" });
    let moved = difference(&old, &conformed(2, next, Some(&old), &person()));
    assert!(moved.identifiers_changed && moved.credentials.is_empty());
    assert_eq!(moved.addresses_added[0].value, "z@x.org");

    let mut next = old.clone();
    next.credentials[0].config = json!({ "hashed_password": "x" });
    let password = difference(&old, &conformed(2, next, Some(&old), &person()));
    assert_eq!(password.credentials, [Type::Password]);
    assert!(!password.changes_addresses() && !password.traits);
}

#[test]
fn only_what_differs_is_written() {
    use portcullis_store::Changes;

    let old = conformed(1, new(json!({ "email": "a@x.org" })), None, &person());
    let mut c = Changes::new();
    crate::identity::update(&mut c, &old, &old);
    assert!(c.is_empty());
    let mut next = old.clone();
    next.identity.metadata_public = json!({ "plan": 1 });
    let next = conformed(2, next, Some(&old), &person());
    crate::identity::update(&mut c, &old, &next);
    assert!(!c.is_empty());
    assert_eq!(difference(&old, &next), Default::default());
}
