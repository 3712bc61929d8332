use portcullis_model::flow::{FlowKind, FlowType};
use portcullis_store::flows::{self, FlowRow};
use portcullis_store::identities;
use portcullis_store::parked::{self, Parked};
use uuid::Uuid;

use crate::support::*;

fn sample(identity_id: Uuid, holder: &[u8]) -> Parked {
    Parked {
        flow_id: id(),
        identity_id,
        holder_hash: holder.to_vec(),
        native: true,
        sealed: vec![1, 2, 3],
        created_at: at(0),
        expires_at: at(60),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parked_submit_is_taken_once_and_by_its_holder() {
    everywhere(|store| async move {
        let person = stored_identity(&store).await;
        let mut one = sample(person.id, b"cookie");
        commit(&store, |c| parked::put(c, &one)).await.expect("put");
        one.sealed = vec![9];
        commit(&store, |c| parked::put(c, &one)).await.expect("put again");
        assert_eq!(parked::get(&store, one.flow_id).await, Ok(Some(one.clone())));
        assert!(is_conflict(&commit(&store, |c| parked::take(c, one.flow_id, b"other")).await));
        let outcomes = at_once(16, |_| {
            let (store, flow) = (store.clone(), one.flow_id);
            async move { commit(&store, |c| parked::take(c, flow, b"cookie")).await.is_ok() }
        })
        .await;
        assert_eq!(outcomes.into_iter().filter(|taken| *taken).count(), 1);
        assert_eq!(parked::get(&store, one.flow_id).await, Ok(None));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parked_submits_are_dropped_by_flow_and_holder() {
    everywhere(|store| async move {
        let (a, b) = (stored_identity(&store).await, stored_identity(&store).await);
        let all = [sample(a.id, b"1"), sample(a.id, b"2"), sample(b.id, b"2"), sample(b.id, b"3"), sample(b.id, b"4")];
        commit(&store, |c| all.iter().for_each(|p| parked::put(c, p))).await.expect("put");
        let done = commit(&store, |c| {
            parked::drop_of_flow(c, all[0].flow_id);
            parked::drop_of_holder(c, b"2");
        })
        .await
        .expect("dropped");
        assert_eq!(done.counts, [1, 2]);
        assert_eq!(parked::get(&store, all[3].flow_id).await, Ok(Some(all[3].clone())));
        commit(&store, |c| identities::delete(c, b.id)).await.expect("deleted");
        assert_eq!(parked::get(&store, all[3].flow_id).await, Ok(None));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_in_settings_is_ended_by_identity_and_stays_to_be_told_of() {
    everywhere(|store| async move {
        let (a, b) = (stored_identity(&store).await, stored_identity(&store).await);
        let all = [sample(a.id, b"1"), sample(a.id, b"2"), sample(b.id, b"3")];
        let flow = |parked: &Parked, kind| FlowRow {
            id: parked.flow_id,
            kind,
            flow_type: FlowType::Api,
            identity_id: Some(parked.identity_id),
            expires_at: at(600),
            version: 1,
            sealed: vec![1],
        };
        commit(&store, |c| {
            all.iter().for_each(|p| parked::put(c, p));
            flows::insert(c, &flow(&all[0], FlowKind::Settings));
            flows::insert(c, &flow(&all[1], FlowKind::Verification));
            flows::insert(c, &flow(&all[2], FlowKind::Settings));
        })
        .await
        .expect("put");
        commit(&store, |c| parked::end_of_identity(c, a.id)).await.expect("ended");
        let ends = async |n: usize| parked::get(&store, all[n].flow_id).await.expect("read").map(|p| p.expires_at);
        assert_eq!([ends(0).await, ends(1).await, ends(2).await], [Some(at(0)), Some(at(60)), Some(at(60))]);
    })
    .await;
}
