use portcullis_model::flow::FlowKind;
use portcullis_model::identity::Via;
use portcullis_store::codes::{self, Code, NewCode};
use uuid::Uuid;

use crate::support::*;

fn sample(flow_id: Uuid, hash: &[u8], created: i64) -> NewCode {
    NewCode {
        id: id(),
        purpose: FlowKind::Recovery,
        flow_id,
        identity_id: None,
        address: "a@example.org".into(),
        via: Via::Email,
        address_id: Some(id()),
        code_hash: hash.to_vec(),
        created_at: at(created),
        expires_at: at(created + 60),
        data: Some(vec![1, 0]),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_are_found_by_flow_and_by_hash() {
    everywhere(|store| async move {
        let person = stored_identity(&store).await;
        let flow = id();
        let mut old = sample(flow, b"hash", 0);
        old.identity_id = Some(person.id);
        let mut new = sample(flow, b"hash", 1);
        new.data = None;
        let other = NewCode { purpose: FlowKind::Login, ..sample(id(), b"hash", 5) };
        commit(&store, |c| [&old, &new, &other].into_iter().for_each(|code| codes::insert(c, code))).await.expect("inserted");
        let unused = |code: &NewCode| Code { code: code.clone(), used_at: None };
        assert_eq!(codes::list_by_flow(&store, flow).await, Ok(vec![unused(&new), unused(&old)]));
        assert_eq!(codes::find_by_hash(&store, FlowKind::Recovery, b"hash").await, Ok(Some(unused(&new))));
        assert_eq!(codes::find_by_hash(&store, FlowKind::Login, b"hash").await, Ok(Some(unused(&other))));
        assert_eq!(codes::find_by_hash(&store, FlowKind::Settings, b"hash").await, Ok(None));

        commit(&store, |c| codes::consume(c, old.id, at(8))).await.expect("used");
        commit(&store, |c| codes::drop_of_flow(c, flow)).await.expect("dropped");
        let listed = codes::list_by_flow(&store, flow).await.expect("read");
        assert_eq!(listed, vec![Code { code: old.clone(), used_at: Some(at(8)) }], "what was used stays known as used");
        assert!(is_conflict(&commit(&store, |c| codes::consume(c, new.id, at(10))).await));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_used_once_and_in_time() {
    everywhere(|store| async move {
        let code = sample(id(), b"h", 0);
        let late = sample(id(), b"l", 0);
        commit(&store, |c| {
            codes::insert(c, &code);
            codes::insert(c, &late);
        })
        .await
        .expect("inserted");
        let outcomes = at_once(64, |_| {
            let (store, id) = (store.clone(), code.id);
            async move { commit(&store, |c| codes::consume(c, id, at(10))).await }
        })
        .await;
        assert_eq!(outcomes.iter().filter(|o| o.is_ok()).count(), 1);
        assert_eq!(outcomes.iter().filter(|o| is_conflict(o)).count(), 63);
        assert!(is_conflict(&commit(&store, |c| codes::consume(c, late.id, at(60))).await));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_at_a_flow_never_pass_their_limit() {
    everywhere(|store| async move {
        let flow = id();
        let outcomes = at_once(64, |_| {
            let store = store.clone();
            async move { commit(&store, |c| codes::charge(c, flow, FlowKind::Login, 5)).await }
        })
        .await;
        assert_eq!(outcomes.iter().filter(|o| o.is_ok()).count(), 5);
        assert_eq!(outcomes.iter().filter(|o| is_conflict(o)).count(), 59);
        assert_eq!(codes::tries(&store, flow, FlowKind::Login).await, Ok(5));
        assert_eq!(codes::tries(&store, flow, FlowKind::Recovery).await, Ok(0));
        commit(&store, |c| codes::charge(c, flow, FlowKind::Recovery, 5)).await.expect("counted by itself");
        assert!(is_conflict(&commit(&store, |c| codes::charge(c, id(), FlowKind::Recovery, 0)).await));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_codes_of_an_identity_go_together() {
    everywhere(|store| async move {
        let (person, other) = (stored_identity(&store).await, stored_identity(&store).await);
        let of = |owner: Uuid, purpose| NewCode { identity_id: Some(owner), purpose, ..sample(id(), b"h", 0) };
        let used = of(person.id, FlowKind::Recovery);
        let open = [of(person.id, FlowKind::Recovery), of(person.id, FlowKind::Recovery)];
        let stay = [of(person.id, FlowKind::Login), of(other.id, FlowKind::Recovery)];
        commit(&store, |c| [&used].into_iter().chain(&open).chain(&stay).for_each(|code| codes::insert(c, code)))
            .await
            .expect("inserted");
        commit(&store, |c| {
            codes::consume(c, used.id, at(1));
            codes::drop_of_identity(c, person.id, FlowKind::Recovery);
        })
        .await
        .expect("dropped");
        let left = async |code: &NewCode| codes::list_by_flow(&store, code.flow_id).await.expect("read").len();
        assert_eq!(left(&used).await, 1, "what was used stays known as used");
        for (codes, expected) in [(&open, 0), (&stay, 1)] {
            for code in codes {
                assert_eq!(left(code).await, expected, "{code:?}");
            }
        }
    })
    .await;
}
