use portcullis_model::credential::CredentialType;
use portcullis_model::identity::{Identity, State, Via};
use portcullis_store::identities::{self, AddressPurpose, IdentityFilter, Page};
use portcullis_store::{Constraint, Store, StoreError, credentials, sessions};
use serde_json::json;
use uuid::Uuid;

use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn an_identity_comes_back_as_it_went() {
    everywhere(|store| async move {
        let mut given = identity();
        given.metadata_public = json!({"deep": {"list": [1e-7, -3, 18_446_744_073_709_551_615_u64, "\u{0}ü"]}});
        given.state = State::Inactive;
        given.external_id = Some("Ext-ß".into());
        given.organization_id = Some(id());
        given.verifiable_addresses = vec![verifiable("a@example.org"), verifiable("b@example.org")];
        given.recovery_addresses = vec![recovery("a@example.org")];
        commit(&store, |c| identities::insert(c, &given)).await.expect("inserted");

        let found = identities::get(&store, given.id).await.expect("read").expect("there");
        assert_eq!(found, given);
        assert_eq!(found.traits.to_string(), given.traits.to_string(), "the order of keys stays");
        let full = identities::get_with_credentials(&store, given.id).await.expect("read").expect("there");
        assert_eq!((full.identity, full.credentials.len()), (given.clone(), 0));
        let by_name = identities::get_by_external_id(&store, "Ext-ß").await.expect("read").expect("there");
        assert_eq!(by_name.identity.id, given.id);
        for (purpose, value, there) in [
            (AddressPurpose::Verifiable, "b@example.org", true),
            (AddressPurpose::Recovery, "a@example.org", true),
            (AddressPurpose::Recovery, "b@example.org", false),
            (AddressPurpose::Verifiable, "B@example.org", false),
            (AddressPurpose::Verifiable, "a@example.org\0", false),
        ] {
            let found = identities::find_by_address(&store, purpose, Via::Email, value).await.expect("read");
            assert_eq!(found.is_some(), there, "{purpose:?} {value}");
        }
        assert_eq!(identities::find_by_address(&store, AddressPurpose::Verifiable, Via::Sms, "a@example.org").await, Ok(None));
        assert_eq!(identities::get(&store, id()).await, Ok(None));
        assert_eq!(identities::get_by_external_id(&store, "ext-ß").await, Ok(None));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn taken_names_are_told_apart() {
    everywhere(|store| async move {
        let mut first = identity();
        first.external_id = Some("x".into());
        first.verifiable_addresses = vec![verifiable("v@example.org")];
        first.recovery_addresses = vec![recovery("r@example.org")];
        commit(&store, |c| identities::insert(c, &first)).await.expect("inserted");

        type Change = fn(&mut Identity);
        let cases: [(Change, Constraint); 3] = [
            (|i| i.external_id = Some("x".into()), Constraint::ExternalId),
            (|i| i.verifiable_addresses = vec![verifiable("v@example.org")], Constraint::VerifiableAddress),
            (|i| i.recovery_addresses = vec![recovery("r@example.org")], Constraint::RecoveryAddress),
        ];
        for (change, constraint) in cases {
            let mut other = identity();
            change(&mut other);
            let outcome = commit(&store, |c| identities::insert(c, &other)).await;
            assert_eq!(unique(outcome), Some(constraint));
            assert_eq!(identities::get(&store, other.id).await, Ok(None), "nothing is left behind");
        }
        // No external id is not a taken one, and an address may stand twice in one's own list.
        let mut other = identity();
        other.verifiable_addresses = vec![verifiable("w@example.org"), verifiable("w@example.org")];
        commit(&store, |c| identities::insert(c, &other)).await.expect("inserted");
        stored_identity(&store).await;
        assert!(matches!(unique(commit(&store, |c| identities::insert(c, &other)).await), Some(Constraint::Other(_))));

        let mut bad = identity();
        bad.external_id = Some("a\0b".into());
        let outcome = commit(&store, |c| identities::insert(c, &bad)).await;
        assert!(matches!(outcome, Err(StoreError::Unsupported(_))), "{outcome:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_is_guarded_and_rewrites_addresses() {
    everywhere(|store| async move {
        let mut one = identity();
        one.verifiable_addresses = vec![verifiable("a@example.org"), verifiable("b@example.org")];
        commit(&store, |c| identities::insert(c, &one)).await.expect("inserted");

        let seen = one.clone();
        one.traits = json!({"new": true});
        one.verifiable_addresses.remove(0);
        one.recovery_addresses = vec![recovery("c@example.org")];
        one.updated_at = at(9);
        one.credentials_version = 77;
        commit(&store, |c| identities::update(c, &seen, &one)).await.expect("updated");
        let found = identities::get(&store, one.id).await.expect("read").expect("there");
        assert_eq!(found, Identity { version: 2, credentials_version: 1, ..one.clone() });

        let stale = commit(&store, |c| identities::update(c, &seen, &one)).await;
        assert_eq!(stale.err(), Some(StoreError::Conflict { what: "identities" }));
        let addresses = |value: &'static str| {
            let store = store.clone();
            async move { identities::find_by_address(&store, AddressPurpose::Verifiable, Via::Email, value).await.expect("read") }
        };
        assert!(addresses("a@example.org").await.is_none());
        assert!(addresses("b@example.org").await.is_some());

        // The address that was let go can be somebody else's.
        let mut other = identity();
        other.verifiable_addresses = vec![verifiable("a@example.org")];
        commit(&store, |c| identities::insert(c, &other)).await.expect("inserted");
        one.verifiable_addresses = vec![verifiable("a@example.org")];
        let taken = commit(&store, |c| identities::update(c, &found, &one)).await;
        assert_eq!(unique(taken), Some(Constraint::VerifiableAddress));
        assert!(addresses("b@example.org").await.is_some(), "the failed update changed nothing");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_writes_only_the_addresses_that_differ() {
    everywhere(|store| async move {
        let mut one = identity();
        one.verifiable_addresses = vec![verifiable("a@example.org"), verifiable("b@example.org")];
        one.recovery_addresses = vec![recovery("a@example.org")];
        commit(&store, |c| identities::insert(c, &one)).await.expect("inserted");
        let mut seen = one.clone();
        type Change = fn(&mut Identity);
        let cases: [(Change, &[u64]); 4] = [
            (|i| i.traits = json!({"new": true}), &[1]),
            // What is known of an address stands on the identity's row; its order there does not matter here.
            (|i| i.verifiable_addresses[0].verified = true, &[1]),
            (|i| i.verifiable_addresses.reverse(), &[1]),
            // The same address under another id goes and comes.
            (|i| i.recovery_addresses[0].id = id(), &[1, 1, 1]),
        ];
        for (change, counts) in cases {
            let mut next = seen.clone();
            change(&mut next);
            let done = commit(&store, |c| identities::update(c, &seen, &next)).await.expect("updated");
            assert_eq!(done.counts, counts);
            seen = identities::get(&store, one.id).await.expect("read").expect("there");
            assert_eq!(seen, Identity { version: next.version + 1, ..next });
            for (purpose, value) in [
                (AddressPurpose::Verifiable, "a@example.org"),
                (AddressPurpose::Verifiable, "b@example.org"),
                (AddressPurpose::Recovery, "a@example.org"),
            ] {
                let found = identities::find_by_address(&store, purpose, Via::Email, value).await.expect("read");
                assert_eq!(found.as_ref(), Some(&seen), "{purpose:?} {value}");
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_takes_everything_along() {
    everywhere(|store| async move {
        let mut one = identity();
        one.external_id = Some("x".into());
        one.verifiable_addresses = vec![verifiable("a@example.org"), verifiable("\"b\"\\ü@example.org")];
        one.recovery_addresses = vec![recovery("a@example.org"), recovery("{c}@example.org")];
        let add = |c: &mut portcullis_store::Changes, one: &Identity| {
            identities::insert(c, one);
            credentials::insert(c, one.id, &credential(CredentialType::Password, &["a@example.org", "o'neil \"x\" \\ü"]));
            credentials::insert(c, one.id, &credential(CredentialType::Code, &["a@example.org"]));
            credentials::insert(c, one.id, &credential(CredentialType::Totp, &[]));
        };
        let neighbour = with_password(&store, "b@example.org").await;
        let delete = |one: &Identity, seen: bool| {
            let (store, one) = (store.clone(), one.clone());
            async move {
                commit(&store, |c| if seen { identities::delete_seen(c, &one) } else { identities::delete(c, one.id) }).await
            }
        };
        for seen in [false, true, false] {
            one.id = id();
            let session = session(one.id);
            commit(&store, |c| {
                add(c, &one);
                sessions::insert(c, &session, &[1; 32]);
            })
            .await
            .expect("all names are free");
            if seen {
                assert!(is_conflict(&delete(&Identity { version: 2, ..one.clone() }, true).await));
                assert!(is_conflict(&delete(&Identity { credentials_version: 2, ..one.clone() }, true).await));
                assert!(identities::get(&store, one.id).await.expect("read").is_some());
            }
            delete(&one, seen).await.expect("deleted");
            assert!(is_conflict(&delete(&one, seen).await));
            assert_eq!(sessions::by_token_hash(&store, &[1; 32]).await, Ok(None));
            assert_eq!(credentials::list(&store, one.id).await, Ok(vec![]));
        }
        let found = identities::find_by_identifier(&store, &[CredentialType::Password], "b@example.org").await.expect("read");
        assert_eq!(found.map(|found| found.identity), Some(neighbour));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_decisions_about_the_same_credentials_one_holds() {
    everywhere(|store| async move {
        let one = with_password(&store, "a").await;
        let outcomes = at_once(16, |_| {
            let (store, id) = (store.clone(), one.id);
            async move { commit(&store, |c| identities::touch_credentials(c, id, 1)).await }
        })
        .await;
        assert_eq!(outcomes.iter().filter(|o| o.is_ok()).count(), 1);
        assert!(outcomes.iter().filter(|o| o.is_err()).all(is_conflict));
        let after = identities::get(&store, one.id).await.expect("read").expect("there");
        assert_eq!((after.credentials_version, after.version), (2, 1));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identifier_finds_by_the_first_type_that_has_it() {
    everywhere(|store| async move {
        let password = with_password(&store, "same").await;
        let code = stored_identity(&store).await;
        commit(&store, |c| credentials::insert(c, code.id, &credential(CredentialType::Code, &["same"]))).await.expect("put");
        let find = |kinds: &'static [CredentialType], identifier: &'static str| {
            let store = store.clone();
            async move {
                let found = identities::find_by_identifier(&store, kinds, identifier).await.expect("read");
                found.map(|f| (f.identity.id, f.credentials.len()))
            }
        };
        use CredentialType::{Code, Oidc, Password, Webauthn};
        assert_eq!(find(&[Password, Code], "same").await, Some((password.id, 1)));
        assert_eq!(find(&[Code, Password], "same").await, Some((code.id, 1)));
        assert_eq!(find(&[Oidc, Webauthn, Code], "same").await, Some((code.id, 1)));
        assert_eq!(find(&[Password], "Same").await, None);
        assert_eq!(find(&[Oidc], "same").await, None);
        assert_eq!(find(&[], "same").await, None);
    })
    .await;
}

async fn listed(store: &Store, filter: &IdentityFilter, after: Option<Uuid>, limit: u32) -> Vec<Uuid> {
    let page = identities::list(store, filter, Page { after, limit }, false).await.expect("listed");
    page.into_iter().map(|i| i.identity.id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_filtered_and_paged() {
    everywhere(|store| async move {
        let organization = id();
        let mut all = Vec::new();
        for n in 0..7 {
            let mut one = identity();
            one.organization_id = (n % 2 == 0).then_some(organization);
            commit(&store, |c| {
                identities::insert(c, &one);
                let password = credential(CredentialType::Password, &[&format!("person{n}@example.org"), &format!("%{n}_")]);
                credentials::insert(c, one.id, &password);
                credentials::insert(c, one.id, &credential(CredentialType::Oidc, &[&format!("Google:{n}")]));
                credentials::insert(c, one.id, &credential(CredentialType::Passkey, &[&format!("person-key{n}")]));
            })
            .await
            .expect("inserted");
            all.push(one.id);
        }
        let everybody = IdentityFilter::All;
        assert_eq!(listed(&store, &everybody, None, 3).await, all[..3]);
        assert_eq!(listed(&store, &everybody, Some(all[2]), 3).await, all[3..6]);
        assert_eq!(listed(&store, &everybody, Some(all[6]), 3).await, NOBODY);
        assert_eq!(identities::count(&store, &everybody).await, Ok(7));

        let offset = identities::list_offset(&store, &everybody, 5, 10, true).await.expect("listed");
        assert_eq!(offset.iter().map(|i| i.identity.id).collect::<Vec<_>>(), all[5..]);
        let kinds: Vec<_> = offset[0].credentials.iter().map(|c| c.kind).collect();
        assert_eq!(kinds, [CredentialType::Password, CredentialType::Oidc, CredentialType::Passkey]);

        let ids = IdentityFilter::Ids(vec![all[4], id(), all[1], all[4]]);
        assert_eq!(listed(&store, &ids, None, 10).await, [all[1], all[4]]);
        assert_eq!(listed(&store, &ids, Some(all[1]), 10).await, [all[4]]);
        assert_eq!(listed(&store, &IdentityFilter::Ids(vec![]), None, 10).await, NOBODY);
        let of = IdentityFilter::Organization(organization);
        assert_eq!(listed(&store, &of, Some(all[0]), 10).await, [all[2], all[4], all[6]]);
        assert_eq!(identities::count(&store, &of).await, Ok(4));

        let named = |normal: &str, exact: &str| IdentityFilter::Identifier { normal: normal.into(), exact: exact.into() };
        assert_eq!(listed(&store, &named("person3@example.org", " Person3@example.org"), None, 10).await, [all[3]]);
        assert_eq!(listed(&store, &named("google:3", "Google:3"), None, 10).await, [all[3]]);
        assert_eq!(listed(&store, &named("google:3", "google:3"), None, 10).await, NOBODY);
        assert_eq!(listed(&store, &named("person-key3", "person-key3"), None, 10).await, NOBODY, "passkeys are not searched");
        assert_eq!(listed(&store, &named("a\0", "a\0"), None, 10).await, NOBODY);
        assert_eq!(identities::count(&store, &named("a\0", "a\0")).await, Ok(0));

        let prefix = |text: &str| IdentityFilter::IdentifierPrefix(text.into());
        assert_eq!(listed(&store, &prefix("person"), None, 10).await, all);
        assert_eq!(listed(&store, &prefix("person3"), None, 10).await, [all[3]]);
        assert_eq!(listed(&store, &prefix("%"), None, 3).await, all[..3], "signs are letters");
        assert_eq!(listed(&store, &prefix("_"), None, 3).await, NOBODY);
        assert_eq!(listed(&store, &prefix(""), None, 10).await, all);
        assert_eq!(identities::count(&store, &prefix("person-")).await, Ok(0));
    })
    .await;
}
