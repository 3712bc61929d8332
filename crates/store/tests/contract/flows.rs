use portcullis_model::flow::{FlowKind, FlowType};
use portcullis_store::flows::{self, FlowRow};
use portcullis_store::identities;

use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_flow_is_changed_by_one_at_a_time() {
    everywhere(|store| async move {
        let person = stored_identity(&store).await;
        let mut flow = FlowRow {
            id: id(),
            kind: FlowKind::Registration,
            flow_type: FlowType::Api,
            identity_id: None,
            expires_at: at(60),
            version: 1,
            sealed: vec![0, 255, 1],
        };
        commit(&store, |c| flows::insert(c, &flow)).await.expect("inserted");
        assert_eq!(flows::get(&store, flow.id).await, Ok(Some(flow.clone())));

        flow.identity_id = Some(person.id);
        flow.sealed = vec![7];
        let outcomes = at_once(8, |_| {
            let (store, flow) = (store.clone(), flow.clone());
            async move { commit(&store, |c| flows::update(c, &flow, 1)).await }
        })
        .await;
        assert_eq!(outcomes.iter().filter(|o| o.is_ok()).count(), 1);
        assert_eq!(outcomes.iter().filter(|o| is_conflict(o)).count(), 7);
        flow.version = 2;
        assert_eq!(flows::get(&store, flow.id).await, Ok(Some(flow.clone())));

        commit(&store, |c| identities::delete(c, person.id)).await.expect("deleted");
        assert_eq!(flows::get(&store, flow.id).await, Ok(None), "it goes with its owner");
        flow.identity_id = None;
        commit(&store, |c| flows::insert(c, &flow)).await.expect("inserted");
        assert_eq!(commit(&store, |c| flows::delete(c, flow.id)).await.expect("deleted").counts, [1]);
        assert_eq!(commit(&store, |c| flows::delete(c, flow.id)).await.expect("committed").counts, [0]);
    })
    .await;
}
