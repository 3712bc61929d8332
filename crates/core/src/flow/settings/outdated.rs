//! Forms that were overtaken: the account changed after the form was opened, by another form, an app or an operator.
//!
//! A form is sent whole, so it would change back what nobody touched in it. What was not typed keeps its new value; what
//! opens or finds the account (credentials, identifiers, addresses) is not guessed at: such a change is refused, and the
//! form shows what is there now.

use portcullis_model::credential::CredentialType;
use portcullis_model::flow::Flow;
use portcullis_model::identity::IdentityWithCredentials;
use portcullis_model::message;
use portcullis_model::schema::IdentitySchema;
use serde_json::{Map, Value};

use crate::flow::engine::{Change, FlowError};

/// Refuses a change of credentials which were changed since it was decided on: it would undo what somebody was told is
/// saved. What waits was ended by then, see [`ended`].
///
/// # Errors
/// Message 4000001.
pub(super) fn check_credentials(
    change: &Change,
    decided_on: &IdentityWithCredentials,
    now: &IdentityWithCredentials,
) -> Result<(), FlowError> {
    let data = |who: &IdentityWithCredentials, kind| who.credential(kind).map(|c| c.config.clone());
    let all = CredentialType::ALL.into_iter().filter(|_| change.takes_away());
    if change.credentials().chain(all).any(|kind| data(decided_on, kind) != data(now, kind)) {
        return Err(refused("the ways to sign in to this account were changed meanwhile; look at the form and send it again"));
    }
    Ok(())
}

/// What waited is over: it waited too long, or somebody changed the ways to sign in.
pub(super) fn ended() -> FlowError {
    refused("your change waited too long, or the ways to sign in were changed meanwhile; look at the form and send it again")
}

/// The change for the account as it is now: traits that were not typed, only sent back as they were shown, keep the value
/// that they were given meanwhile.
///
/// A change that would undo another one of addresses or identifiers is refused. The form shows then what is there now,
/// with what was typed; sent again, it is taken.
///
/// # Errors
/// Message 4000001.
pub(super) fn catch_up(
    schema: &IdentitySchema,
    flow: &mut Flow,
    change: &Change,
    who: &IdentityWithCredentials,
) -> Result<Change, FlowError> {
    let mut change = change.clone();
    let (Some(seen), Some(wanted)) = (&change.seen, &change.traits) else { return Ok(change) };
    let now = &who.identity.traits;
    if seen == now {
        return Ok(change);
    }
    let addresses = schema.derive(now);
    if schema.derive(seen) != addresses && schema.derive(wanted) != addresses {
        show_present(schema, flow, &change);
        return Err(refused("an address of this account was changed after this form was opened; look at it and send it again"));
    }
    let mut caught_up = wanted.clone();
    for leaf in schema.leaves() {
        let here = |traits| at(traits, &leaf.path);
        if here(seen) == here(wanted) && here(seen) != here(now) {
            put(&mut caught_up, &leaf.path, here(now).cloned());
        }
    }
    // The account fitted its schema before, and the form did; together they may not, if the schema ties traits together.
    if caught_up != *wanted && !schema.validate_traits(&caught_up).is_empty() {
        show_present(schema, flow, &change);
        return Err(refused("this account was changed after this form was opened; look at it and send it again"));
    }
    change.traits = Some(caught_up);
    Ok(change)
}

/// Has the form show the account as it is now, but for what was typed.
fn show_present(schema: &IdentitySchema, flow: &mut Flow, change: &Change) {
    let (Some(seen), Some(wanted)) = (&change.seen, &change.traits) else { return };
    flow.methods.remove(&change.method);
    for leaf in schema.leaves() {
        if at(seen, &leaf.path) == at(wanted, &leaf.path) {
            flow.notes.forget_typed(&leaf.name);
        }
    }
}

fn refused(why: &str) -> FlowError {
    FlowError::tell(message::validation::generic(why))
}

fn at<'v>(traits: &'v Value, path: &[String]) -> Option<&'v Value> {
    path.iter().try_fold(traits, |value, step| value.get(step))
}

/// Puts a value where a path leads, or takes away what is there. Objects on the way are made; anything else on the way
/// stays as it is.
fn put(traits: &mut Value, path: &[String], value: Option<Value>) {
    let Some((last, way)) = path.split_last() else { return };
    let mut here = traits;
    for step in way {
        let Value::Object(map) = here else { return };
        here = map.entry(step.clone()).or_insert_with(|| Value::Object(Map::new()));
    }
    let Value::Object(map) = here else { return };
    match value {
        Some(value) => map.insert(last.clone(), value),
        None => map.remove(last),
    };
}

#[cfg(test)]
mod tests {
    use portcullis_model::credential::{Credential, CredentialType};
    use portcullis_model::identity::{Factors, Identity, State};
    use portcullis_model::time::Timestamp;
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::flow::engine::{Fresh, SetCredential};

    /// Somebody with credentials of these types and data.
    fn with(credentials: &[(CredentialType, &str)]) -> IdentityWithCredentials {
        let at = Timestamp::from_seconds(0);
        let credential = |(kind, data): &(CredentialType, &str)| Credential {
            id: Uuid::nil(),
            kind: *kind,
            identifiers: vec![],
            config: json!({ "data": data }),
            version: 1,
            created_at: at,
            updated_at: at,
        };
        IdentityWithCredentials {
            identity: Identity {
                id: Uuid::nil(),
                schema_id: String::new(),
                traits: json!({}),
                state: State::Active,
                state_changed_at: at,
                metadata_public: Value::Null,
                metadata_admin: Value::Null,
                external_id: None,
                organization_id: None,
                verifiable_addresses: vec![],
                recovery_addresses: vec![],
                factors: Factors::default(),
                credentials_version: 1,
                version: 1,
                created_at: at,
                updated_at: at,
            },
            credentials: credentials.iter().map(credential).collect(),
        }
    }

    #[test]
    fn credentials_that_changed_since_the_decision_are_not_overwritten() {
        use CredentialType::{Password, Totp};
        let set = |kind| {
            let mut change = Change::by("x", Fresh::Always);
            change.set.push(SetCredential { kind, config: json!({}), version: 1, identifiers: None, beside_none: false });
            change
        };
        let remove = |kind| {
            let mut change = Change::by("x", Fresh::Always);
            change.remove.push(kind);
            change
        };
        let traits = || Change { traits: Some(json!({})), ..Change::by("x", Fresh::Always) };
        for (case, change, before, now, fine) in [
            ("nothing happened", set(Password), vec![(Password, "a")], vec![(Password, "a")], true),
            ("another password", set(Password), vec![(Password, "a")], vec![(Password, "b")], false),
            ("a first password at the same time", set(Password), vec![], vec![(Password, "b")], false),
            ("it was removed", set(Password), vec![(Password, "a")], vec![], false),
            ("another kind", set(Password), vec![(Password, "a")], vec![(Password, "a"), (Totp, "t")], true),
            ("removing what is another one now", remove(Totp), vec![(Totp, "t")], vec![(Totp, "u")], false),
            ("traits alone", traits(), vec![(Password, "a")], vec![(Password, "b")], true),
        ] {
            assert_eq!(check_credentials(&change, &with(&before), &with(&now)).is_ok(), fine, "{case}");
        }
    }

    fn path(text: &str) -> Vec<String> {
        text.split('.').map(str::to_owned).collect()
    }

    #[test]
    fn values_are_put_and_taken_away_where_a_path_leads() {
        for (mut traits, at, value, expected) in [
            (json!({}), "a", Some(json!(1)), json!({ "a": 1 })),
            (json!({ "a": 1 }), "a", None, json!({})),
            (json!({}), "a.b", Some(json!(1)), json!({ "a": { "b": 1 } })),
            (json!({ "a": { "c": 2 } }), "a.b", Some(json!(1)), json!({ "a": { "b": 1, "c": 2 } })),
            (json!({ "a": { "b": 1, "c": 2 } }), "a.b", None, json!({ "a": { "c": 2 } })),
            (json!({ "a": "text" }), "a.b", Some(json!(1)), json!({ "a": "text" })),
            (json!([1]), "a", Some(json!(1)), json!([1])),
        ] {
            put(&mut traits, &path(at), value);
            assert_eq!(traits, expected, "{at}");
        }
    }
}
