use portcullis_model::session::Aal;
use portcullis_store::{Constraint, Store, StoreError, sessions};
use uuid::Uuid;

use crate::support::*;

async fn stored(store: &Store, identity_id: Uuid, hash: u8, created: i64) -> portcullis_model::session::Session {
    let mut one = session(identity_id);
    one.created_at = at(created);
    commit(store, |c| sessions::insert(c, &one, &[hash; 32])).await.expect("inserted");
    one
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_found_with_its_identity() {
    everywhere(|store| async move {
        let person = stored_identity(&store).await;
        let one = stored(&store, person.id, 1, 0).await;
        let wanted = Some((one.clone(), person.clone()));
        assert_eq!(sessions::by_token_hash(&store, &[1; 32]).await, Ok(wanted.clone()));
        assert_eq!(sessions::get(&store, one.id).await, Ok(wanted));
        assert_eq!(sessions::by_token_hash(&store, &[2; 32]).await, Ok(None));
        assert_eq!(sessions::get(&store, id()).await, Ok(None));

        let twice = commit(&store, |c| sessions::insert(c, &session(person.id), &[1; 32])).await;
        assert_eq!(unique(twice), Some(Constraint::SessionToken));
        assert!(is_conflict(&commit(&store, |c| sessions::insert(c, &session(id()), &[3; 32])).await), "no owner");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_session_does_not_change_any_more() {
    everywhere(|store| async move {
        let person = stored_identity(&store).await;
        let mut one = stored(&store, person.id, 1, 0).await;
        one.aal = Aal::Aal2;
        one.expires_at = at(7200);
        one.devices.clear();
        commit(&store, |c| sessions::update(c, &one)).await.expect("updated");
        assert_eq!(sessions::get(&store, one.id).await.expect("read").expect("there").0, one);

        let foreign = commit(&store, |c| sessions::revoke(c, one.id, Some(id()), at(5))).await.expect("committed");
        assert_eq!(foreign.counts, [0]);
        let own = commit(&store, |c| sessions::revoke(c, one.id, Some(person.id), at(5))).await.expect("committed");
        assert_eq!(own.counts, [1]);
        let once = commit(&store, |c| sessions::revoke_once(c, one.id, at(6))).await;
        assert!(matches!(once, Err(StoreError::Conflict { what: "sessions" })), "{once:?}");
        let again = commit(&store, |c| sessions::revoke(c, one.id, None, at(6))).await.expect("committed");
        assert_eq!(again.counts, [0]);
        let found = sessions::get(&store, one.id).await.expect("read").expect("there").0;
        assert_eq!((found.active, found.updated_at), (false, at(5)));
        assert!(is_conflict(&commit(&store, |c| sessions::update(c, &one)).await));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_listed_newest_first() {
    everywhere(|store| async move {
        let (person, other) = (stored_identity(&store).await, stored_identity(&store).await);
        let mut ids = Vec::new();
        for n in 0..5 {
            ids.push(stored(&store, person.id, n, i64::from(n)).await.id);
        }
        let foreign = stored(&store, other.id, 99, 0).await.id;
        commit(&store, |c| sessions::revoke(c, ids[1], None, at(9))).await.expect("revoked");

        let listed = |active, now, except, offset, limit| {
            let store = store.clone();
            async move {
                let (page, count) =
                    sessions::list_by_identity(&store, person.id, active, now, except, offset, limit).await.expect("listed");
                (page.into_iter().map(|s| s.id).collect::<Vec<_>>(), count)
            }
        };
        assert_eq!(listed(None, at(9), None, 0, 10).await, (vec![ids[4], ids[3], ids[2], ids[1], ids[0]], 5));
        assert_eq!(listed(Some(true), at(9), Some(ids[4]), 1, 1).await, (vec![ids[2]], 3));
        assert_eq!(listed(Some(false), at(9), None, 0, 10).await, (vec![ids[1]], 1));
        assert_eq!(listed(Some(false), at(3600), None, 0, 2).await, (vec![ids[4], ids[3]], 5), "the end is past the end");

        let all = |active, after| {
            let store = store.clone();
            async move {
                let page = sessions::list_all(&store, active, at(9), after, 3).await.expect("listed");
                page.into_iter().map(|(s, _)| s.id).collect::<Vec<_>>()
            }
        };
        assert_eq!(all(None, None).await, [foreign, ids[4], ids[3]]);
        assert_eq!(all(None, Some(ids[3])).await, [ids[2], ids[1], ids[0]]);
        assert_eq!(all(Some(true), Some(ids[3])).await, [ids[2], ids[0]]);
        assert_eq!(all(Some(false), None).await, [ids[1]]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_sessions_end_at_once() {
    everywhere(|store| async move {
        let person = stored_identity(&store).await;
        let mut ids = Vec::new();
        for n in 0..6 {
            ids.push(stored(&store, person.id, n, 0).await.id);
        }
        let done = commit(&store, |c| sessions::revoke_many(c, &[ids[0], id(), ids[0]], at(1))).await.expect("committed");
        assert_eq!(done.counts, [1, 0, 0]);
        let done = commit(&store, |c| sessions::revoke_all(c, person.id, Some(ids[5]), at(2))).await.expect("committed");
        assert_eq!(done.counts, [4]);
        let done = commit(&store, |c| sessions::revoke_all(c, person.id, None, at(3))).await.expect("committed");
        assert_eq!(done.counts, [1]);
        let done = commit(&store, |c| sessions::delete_many(c, &[ids[0], id()])).await.expect("committed");
        assert_eq!(done.counts, [1, 0]);
        let done = commit(&store, |c| sessions::delete_all(c, person.id)).await.expect("committed");
        assert_eq!(done.counts, [5]);
    })
    .await;
}
