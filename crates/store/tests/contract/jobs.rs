use std::time::Duration;

use portcullis_model::flow::{FlowKind, FlowType};
use portcullis_model::identity::Via;
use portcullis_store::jobs::{self, Retention, Swept};
use portcullis_store::{Changes, codes, errors, flows, guesses, outbox, parked, sessions};

use crate::support::*;

fn fill(c: &mut Changes, identity_id: uuid::Uuid, n: u8, end: i64) {
    let flow_id = id();
    flows::insert(
        c,
        &flows::FlowRow {
            id: flow_id,
            kind: FlowKind::Login,
            flow_type: FlowType::Browser,
            identity_id: None,
            expires_at: at(end),
            version: 1,
            sealed: vec![],
        },
    );
    let mut session = session(identity_id);
    session.expires_at = at(end);
    sessions::insert(c, &session, &[n; 32]);
    let body = serde_json::json!({});
    errors::insert(c, &errors::StoredError { id: id(), body, created_at: at(end), updated_at: at(end) });
    codes::insert(
        c,
        &codes::NewCode {
            id: id(),
            purpose: FlowKind::Login,
            flow_id,
            identity_id: None,
            address: "a".into(),
            via: Via::Sms,
            address_id: None,
            code_hash: vec![n],
            created_at: at(0),
            expires_at: at(end),
            data: None,
        },
    );
    codes::charge(c, flow_id, FlowKind::Login, 5);
    parked::put(
        c,
        &parked::Parked {
            flow_id,
            identity_id,
            holder_hash: vec![n],
            native: false,
            sealed: vec![],
            created_at: at(0),
            expires_at: at(end),
        },
    );
    guesses::charge(c, &format!("subject{n}"), at(end - 60), Duration::from_secs(60), 5);
    outbox::mail(
        c,
        &outbox::NewMessage {
            id: id(),
            channel: "email".into(),
            recipient: "a".into(),
            template: "t".into(),
            sealed_data: vec![],
            subject: None,
            created_at: at(end),
            send_after: at(end),
        },
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_past_its_time_goes_and_the_rest_stays() {
    everywhere(|store| async move {
        let person = stored_identity(&store).await;
        commit(&store, |c| {
            for n in 0..40 {
                fill(c, person.id, n, 100);
            }
            fill(c, person.id, 200, 10_000);
        })
        .await
        .expect("filled");
        // One of the old messages still waits.
        let worker = id();
        let claimed = outbox::claim(&store, worker, at(100), Duration::from_secs(1), 39).await.expect("claimed");
        commit(&store, |c| claimed.iter().for_each(|m| outbox::sent(c, m.id, worker, at(100)))).await.expect("sent");

        let day = Some(Duration::from_secs(86_400));
        let mut keep =
            Retention { flows: day, sessions: day, errors: day, codes: day, parked: day, messages: day, hook_calls: day };
        let swept = jobs::sweep(&store, at(100), &keep, 1000).await.expect("swept");
        assert_eq!(swept, Swept { guesses: 40, ..Swept::default() }, "windows that are over count for nothing");

        let none = Some(Duration::ZERO);
        keep =
            Retention { flows: none, sessions: None, errors: none, codes: none, parked: none, messages: none, hook_calls: none };
        let swept = jobs::sweep(&store, at(100), &keep, 16).await.expect("swept");
        let wanted =
            Swept { flows: 40, sessions: 0, errors: 40, codes: 40, parked: 40, messages: 39, hook_calls: 0, guesses: 40 };
        assert_eq!(swept, wanted, "also the counters of flows without codes");
        keep.sessions = none;
        let swept = jobs::sweep(&store, at(100), &keep, 16).await.expect("swept");
        assert_eq!(swept, Swept { sessions: 40, ..Swept::default() });

        let swept = jobs::sweep(&store, at(10_000), &keep, 16).await.expect("swept");
        assert_eq!(
            swept,
            Swept { flows: 1, sessions: 1, errors: 1, codes: 1, parked: 1, messages: 0, hook_calls: 0, guesses: 2 }
        );
    })
    .await;
}

/// A flow of this many bytes.
fn flow(size: usize, end: i64) -> flows::FlowRow {
    flows::FlowRow {
        id: id(),
        kind: FlowKind::Login,
        flow_type: FlowType::Api,
        identity_id: None,
        expires_at: at(end),
        version: 1,
        sealed: vec![7; size],
    }
}

const FLOWS_ONLY: Retention = Retention {
    flows: Some(Duration::ZERO),
    sessions: None,
    errors: None,
    codes: None,
    parked: None,
    messages: None,
    hook_calls: None,
};

#[tokio::test(flavor = "multi_thread")]
async fn room_that_is_free_is_given_back_and_nothing_is_lost_by_it() {
    everywhere(|store| async move {
        store.give_back().await.expect("nothing to give");
        let stays = flow(5000, 10_000);
        commit(&store, |c| (0..200).for_each(|_| flows::insert(c, &flow(50_000, 10)))).await.expect("filled");
        commit(&store, |c| flows::insert(c, &stays)).await.expect("filled");
        assert_eq!(jobs::sweep(&store, at(100), &FLOWS_ONLY, 1000).await.expect("swept").flows, 200);
        store.give_back().await.expect("given back");
        assert_eq!(flows::get(&store, stays.id).await, Ok(Some(stays)));
        commit(&store, |c| (0..100).for_each(|_| flows::insert(c, &flow(5000, 10)))).await.expect("there is room");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_gets_shorter_when_room_is_given_back() {
    let folder = Folder::new();
    let store = open(&folder.dsn()).await;
    store.migrate().await.expect("migrated");
    commit(&store, |c| (0..200).for_each(|_| flows::insert(c, &flow(50_000, 10)))).await.expect("filled");
    jobs::sweep(&store, at(100), &FLOWS_ONLY, 1000).await.expect("swept");
    store.give_back().await.expect("given back");
    store.close().await.expect("closed");
    let size = std::fs::metadata(folder.0.join("db.sqlite")).expect("a file").len();
    assert!(size < 2 << 20, "{size} bytes are left of ten millions");
}
