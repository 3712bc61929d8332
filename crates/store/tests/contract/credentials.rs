use portcullis_model::credential::CredentialType;
use portcullis_store::{Constraint, credentials, identities};
use serde_json::json;

use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_is_replaced_with_its_identifiers() {
    everywhere(|store| async move {
        let one = stored_identity(&store).await;
        let first = credential(CredentialType::Password, &["a", "b", "a"]);
        commit(&store, |c| credentials::insert(c, one.id, &first)).await.expect("added");
        assert_eq!(credentials::list(&store, one.id).await, Ok(vec![first.clone()]));
        let mut second = credential(CredentialType::Password, &["b", "c"]);
        second.config = json!({});
        commit(&store, |c| credentials::replace(c, one.id, &first, &second)).await.expect("replaced");
        let full = identities::get_with_credentials(&store, one.id).await.expect("read").expect("there");
        assert_eq!(full.credential(CredentialType::Password), Some(&second));

        let other = stored_identity(&store).await;
        let outcome = commit(&store, |c| credentials::insert(c, other.id, &credential(CredentialType::Password, &["c"]))).await;
        assert_eq!(unique(outcome), Some(Constraint::Identifier));
        // Another type, and a name that was let go, are free.
        let theirs = credential(CredentialType::Password, &["a"]);
        commit(&store, |c| {
            credentials::insert(c, other.id, &credential(CredentialType::Code, &["c"]));
            credentials::insert(c, other.id, &theirs);
        })
        .await
        .expect("added");
        let taken = commit(&store, |c| credentials::replace(c, other.id, &theirs, &credential(CredentialType::Password, &["b"])));
        assert_eq!(unique(taken.await), Some(Constraint::Identifier));

        commit(&store, |c| credentials::delete(c, one.id, &second)).await.expect("deleted");
        for again in [
            commit(&store, |c| credentials::delete(c, one.id, &second)).await,
            commit(&store, |c| credentials::replace(c, one.id, &second, &first)).await,
        ] {
            assert!(is_conflict(&again), "{again:?}");
        }
        let more = credential(CredentialType::Password, &["a", "b", "c"]);
        commit(&store, |c| credentials::replace(c, other.id, &theirs, &more)).await.expect("all names are free");
        for orphan in [&["d"][..], &[]] {
            let outcome = commit(&store, |c| credentials::insert(c, id(), &credential(CredentialType::Totp, orphan))).await;
            assert!(is_conflict(&outcome), "no owner: {outcome:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn data_is_replaced_only_if_it_is_what_was_read() {
    everywhere(|store| async move {
        let one = with_password(&store, "a").await;
        let old = json!({"hashed_password": "$argon2id$1"});
        let outcomes = at_once(8, |n| {
            let (store, id, old) = (store.clone(), one.id, old.clone());
            async move {
                let new = json!({ "hashed_password": n.to_string() });
                commit(&store, |c| credentials::replace_config(c, id, CredentialType::Password, &new, &old, at(9))).await
            }
        })
        .await;
        let winner = outcomes.iter().position(Result::is_ok).expect("one wins");
        assert_eq!(outcomes.iter().filter(|o| is_conflict(o)).count(), 7);
        let after = credentials::list(&store, one.id).await.expect("read");
        assert_eq!((&after[0].config, after[0].updated_at), (&json!({"hashed_password": winner.to_string()}), at(9)));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_sign_ups_with_one_identifier_one_succeeds() {
    everywhere(|store| async move {
        let outcomes = at_once(64, |n| {
            let store = store.clone();
            async move {
                let person = identity();
                let outcome = commit(&store, |c| {
                    identities::insert(c, &person);
                    let names = [format!("own{n}"), "shared".to_owned()];
                    credentials::insert(c, person.id, &credential(CredentialType::Password, &[&names[0], &names[1]]));
                })
                .await;
                (person.id, outcome)
            }
        })
        .await;
        let mut winners = 0;
        for (id, outcome) in outcomes {
            let there = identities::get(&store, id).await.expect("read").is_some();
            assert_eq!(there, outcome.is_ok());
            match outcome {
                Ok(_) => winners += 1,
                other => assert_eq!(unique(other), Some(Constraint::Identifier)),
            }
        }
        assert_eq!(winners, 1);
    })
    .await;
}
