//! What there is to tell about the step from one state of an account to the next: which passwords, addresses and factors came
//! and went. A new type of credential takes one line in [`rule`].

use portcullis_model::credential::CredentialType;
use portcullis_model::identity::{Identity, IdentityWithCredentials, Via};
use serde_json::Value;

use super::{difference, masked};
use crate::courier::{Change, Told};

/// How the changes of a type of credential are told.
enum Rule {
    /// It is one thing: set, or gone.
    One(Change, Change),
    /// It is a list in its data, whose entries are told apart by some of their members: added, or gone.
    Each(&'static str, &'static [&'static str], Change, Change),
    /// It follows from something else that is told.
    Silent,
}

fn rule(kind: CredentialType) -> Rule {
    match kind {
        CredentialType::Password => Rule::One(Change::Password, Change::PasswordRemoved),
        CredentialType::Totp => Rule::One(Change::TotpAdded, Change::TotpRemoved),
        CredentialType::LookupSecret => Rule::One(Change::LookupSecretsSet, Change::LookupSecretsRemoved),
        CredentialType::Webauthn => Rule::Each("credentials", &["id"], Change::SecurityKeyAdded, Change::SecurityKeyRemoved),
        CredentialType::Passkey => Rule::Each("credentials", &["id"], Change::PasskeyAdded, Change::PasskeyRemoved),
        CredentialType::Oidc | CredentialType::Saml => {
            Rule::Each("providers", &["provider", "subject"], Change::SocialSignInAdded, Change::SocialSignInRemoved)
        }
        CredentialType::Deviceauthn => Rule::One(Change::OtherSet, Change::OtherRemoved),
        // Codes follow the addresses; the others are never kept.
        CredentialType::Code | CredentialType::LinkRecovery | CredentialType::CodeRecovery => Rule::Silent,
    }
}

/// What changed, in a fixed order: credentials, then addresses. Empty if there is nothing that the owner has to know of.
pub(super) fn changes(before: &IdentityWithCredentials, now: &IdentityWithCredentials) -> Vec<Told> {
    let mut told: Vec<Told> = Vec::new();
    let difference = difference(before, now);
    for kind in &difference.credentials {
        let config = |who| IdentityWithCredentials::credential(who, *kind).map_or(&Value::Null, |c| &c.config);
        let (was, is) = (config(before), config(now));
        match rule(*kind) {
            Rule::One(set, gone) => told.push(if super::conform::is_empty(is) { gone } else { set }.into()),
            Rule::Each(list, names, added, gone) => {
                let (was, is) = (keys(was, list, names), keys(is, list, names));
                told.extend(is.iter().filter(|key| !was.contains(key)).map(|_| Told::from(added)));
                told.extend(was.iter().filter(|key| !is.contains(key)).map(|_| Told::from(gone)));
                if suspicious(config(now)) > suspicious(config(before)) {
                    told.push(Change::SecurityKeySuspicious.into());
                }
            }
            Rule::Silent => {}
        }
    }
    let (was, is) = (addresses(&before.identity), addresses(&now.identity));
    let address = |change| move |(via, value): &(Via, &str)| Told { change, address: Some(masked(*via, value)) };
    told.extend(is.iter().filter(|a| !was.contains(a)).map(address(Change::AddressAdded)));
    told.extend(was.iter().filter(|a| !is.contains(a)).map(address(Change::AddressRemoved)));
    let identifiers = |who: &IdentityWithCredentials| {
        let mut list = who.credential(CredentialType::Password).map(|c| c.identifiers.clone()).unwrap_or_default();
        list.retain(|name| !addresses(&before.identity).iter().chain(&addresses(&now.identity)).any(|(_, a)| a == name));
        list.sort();
        list
    };
    // A first password brings its identifiers with it: that is told already.
    let had = before.credential(CredentialType::Password).is_some() && now.credential(CredentialType::Password).is_some();
    if had && identifiers(before) != identifiers(now) {
        told.push(Change::Identifier.into());
    }
    told
}

/// How many keys are marked as possibly copied.
fn suspicious(config: &Value) -> usize {
    let keys = config.get("credentials").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    keys.iter().filter(|key| key.pointer("/authenticator/clone_warning") == Some(&Value::Bool(true))).count()
}

/// All addresses, each once, in order.
fn addresses(who: &Identity) -> Vec<(Via, &str)> {
    let mut list: Vec<(Via, &str)> = Vec::new();
    let verifiable = who.verifiable_addresses.iter().map(|a| (a.via, a.value.as_str()));
    for address in verifiable.chain(who.recovery_addresses.iter().map(|a| (a.via, a.value.as_str()))) {
        if !list.contains(&address) {
            list.push(address);
        }
    }
    list
}

/// By what the entries of a list are told apart.
fn keys<'a>(config: &'a Value, list: &str, names: &[&str]) -> Vec<Vec<&'a Value>> {
    let entries = config.get(list).and_then(Value::as_array).into_iter().flatten();
    entries.map(|entry| names.iter().map(|name| entry.get(*name).unwrap_or(&Value::Null)).collect()).collect()
}

#[cfg(test)]
mod tests {
    use portcullis_model::credential::Credential;
    use portcullis_model::identity::{AddressStatus, VerifiableAddress};
    use portcullis_model::time::Timestamp;
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn who(credentials: &[(CredentialType, Value)], addresses: &[&str]) -> IdentityWithCredentials {
        let address = |value: &&str| VerifiableAddress {
            id: Uuid::nil(),
            value: (*value).to_owned(),
            verified: true,
            via: Via::Email,
            status: AddressStatus::Completed,
            verified_at: None,
            created_at: NOW,
            updated_at: NOW,
        };
        let identity = Identity {
            id: Uuid::nil(),
            schema_id: "default".into(),
            traits: json!({}),
            state: Default::default(),
            state_changed_at: NOW,
            metadata_public: Value::Null,
            metadata_admin: Value::Null,
            external_id: None,
            organization_id: None,
            verifiable_addresses: addresses.iter().map(address).collect(),
            recovery_addresses: Vec::new(),
            factors: Default::default(),
            credentials_version: 1,
            version: 1,
            created_at: NOW,
            updated_at: NOW,
        };
        let credential = |(kind, config): &(CredentialType, Value)| Credential {
            id: Uuid::nil(),
            kind: *kind,
            identifiers: config["names"].as_str().map(str::to_owned).into_iter().collect(),
            config: config.clone(),
            version: 1,
            created_at: NOW,
            updated_at: NOW,
        };
        IdentityWithCredentials { identity, credentials: credentials.iter().map(credential).collect() }
    }

    fn told(before: &IdentityWithCredentials, now: &IdentityWithCredentials) -> Vec<Change> {
        changes(before, now).iter().map(|t| t.change).collect()
    }

    #[test]
    fn every_type_of_credential_is_told() {
        use CredentialType::{Oidc, Passkey, Password, Totp, Webauthn};
        let hash = |n| json!({ "hashed_password": n });
        let keys =
            |ids: &[&str]| json!({ "credentials": ids.iter().map(|id| json!({ "id": id, "counter": 1 })).collect::<Vec<_>>() });
        let links = |of: &[(&str, &str)]| json!({ "providers": of.iter().map(|(p, s)| json!({ "provider": p, "subject": s })).collect::<Vec<_>>() });
        let cases: Vec<(CredentialType, Value, Value, Vec<Change>)> = vec![
            (Password, hash("a"), hash("a"), vec![]),
            (Password, hash("a"), hash("b"), vec![Change::Password]),
            (Password, Value::Null, hash("b"), vec![Change::Password]),
            (Password, hash("a"), Value::Null, vec![Change::PasswordRemoved]),
            (Totp, Value::Null, json!({ "totp_url": "x" }), vec![Change::TotpAdded]),
            (Totp, json!({ "totp_url": "x" }), Value::Null, vec![Change::TotpRemoved]),
            (
                CredentialType::LookupSecret,
                json!({ "recovery_codes": [1] }),
                json!({ "recovery_codes": [2] }),
                vec![Change::LookupSecretsSet],
            ),
            (CredentialType::LookupSecret, json!({ "recovery_codes": [1] }), Value::Null, vec![Change::LookupSecretsRemoved]),
            (Webauthn, Value::Null, keys(&["a"]), vec![Change::SecurityKeyAdded]),
            (Webauthn, keys(&["a", "b"]), keys(&["b", "c"]), vec![Change::SecurityKeyAdded, Change::SecurityKeyRemoved]),
            (Webauthn, keys(&["a"]), json!({ "credentials": [{ "id": "a", "counter": 2 }] }), vec![]),
            (Passkey, keys(&["a"]), keys(&["a", "b"]), vec![Change::PasskeyAdded]),
            (Passkey, keys(&["a"]), Value::Null, vec![Change::PasskeyRemoved]),
            (Oidc, links(&[("x", "1")]), links(&[("x", "1"), ("y", "1")]), vec![Change::SocialSignInAdded]),
            (Oidc, links(&[("x", "1")]), links(&[]), vec![Change::SocialSignInRemoved]),
            (CredentialType::Code, Value::Null, json!({ "addresses": [] }), vec![]),
        ];
        for (kind, was, is, expected) in cases {
            let person = |config: &Value| if config.is_null() { who(&[], &[]) } else { who(&[(kind, config.clone())], &[]) };
            assert_eq!(told(&person(&was), &person(&is)), expected, "{kind}: {was} to {is}");
        }
    }

    #[test]
    fn addresses_are_told_masked_and_names_by_themselves() {
        let (before, now) =
            (who(&[], &["ada@example.org", "old@example.org"]), who(&[], &["ada@example.org", "new@example.org"]));
        let texts: Vec<_> = changes(&before, &now).into_iter().map(|t| (t.change, t.address)).collect();
        assert_eq!(
            texts,
            [
                (Change::AddressAdded, Some("ne****@example.org".to_owned())),
                (Change::AddressRemoved, Some("ol****@example.org".to_owned())),
            ]
        );
        let named = |name: &str| who(&[(CredentialType::Password, json!({ "names": name, "hashed_password": "a" }))], &[]);
        let strip = |mut who: IdentityWithCredentials| {
            who.credentials[0].config = json!({ "hashed_password": "a" });
            who
        };
        assert_eq!(told(&strip(named("ada")), &strip(named("grace"))), [Change::Identifier]);
        assert_eq!(told(&strip(named("ada")), &strip(named("ada"))), []);
    }
}
