use std::time::Duration;

use portcullis_store::hook_calls::{self, CallStatus, NewCall};
use portcullis_store::jobs::{self, Retention, Swept};

use crate::support::*;

const LEASE: Duration = Duration::from_secs(30);

fn sample(created: i64) -> NewCall {
    NewCall {
        id: id(),
        place: "login.after.password".into(),
        name: "crm".into(),
        identity_id: Some(id()),
        sealed_data: vec![0, 1],
        created_at: at(created),
        due_at: at(created),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_tried_keeps_its_tries_and_calls_are_counted() {
    everywhere(|store| async move {
        let (worker, other, call, dead) = (id(), id(), sample(0), sample(1));
        commit(&store, |c| [&call, &dead].into_iter().for_each(|call| hook_calls::owe(c, call))).await.expect("owed");
        hook_calls::claim(&store, worker, at(2), LEASE, 10).await.expect("claimed");
        commit(&store, |c| hook_calls::failed(c, dead.id, worker, None, "no", at(3))).await.expect("given up");
        assert_eq!(hook_calls::counts(&store).await, Ok(hook_calls::Counts { owed: 1, abandoned: 1 }));
        let postponed = |by| move |c: &mut _| hook_calls::postponed(c, call.id, by, at(20));
        assert!(is_conflict(&commit(&store, postponed(other)).await), "it is another worker's");
        commit(&store, postponed(worker)).await.expect("given back");
        let stored = hook_calls::get(&store, call.id).await.expect("read").expect("there");
        assert_eq!((stored.status, stored.send_count, stored.due_at), (CallStatus::Queued, 0, Some(at(20))));
        assert_eq!(hook_calls::claim(&store, other, at(19), LEASE, 10).await, Ok(vec![]));
        assert_eq!(hook_calls::claim(&store, other, at(20), LEASE, 10).await.expect("claimed")[0].send_count, 1);
        assert_eq!(hook_calls::counts(&store).await, Ok(hook_calls::Counts { owed: 1, abandoned: 1 }));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_owed_until_it_was_made() {
    everywhere(|store| async move {
        let (worker, other) = (id(), id());
        let (call, later) = (sample(0), NewCall { due_at: at(100), identity_id: None, name: String::new(), ..sample(0) });
        commit(&store, |c| {
            hook_calls::owe(c, &call);
            hook_calls::owe(c, &later);
        })
        .await
        .expect("owed");
        let stored = hook_calls::get(&store, call.id).await.expect("read").expect("there");
        assert_eq!((stored.status, stored.send_count, stored.due_at), (CallStatus::Queued, 0, Some(at(0))));
        assert_eq!((&stored.place, &stored.name, stored.identity_id), (&call.place, &call.name, call.identity_id));
        assert_eq!((stored.sealed_data, stored.error), (vec![0, 1], None));

        let claimed = hook_calls::claim(&store, worker, at(1), LEASE, 10).await.expect("claimed");
        assert_eq!(
            claimed.iter().map(|c| (c.id, c.send_count, c.status)).collect::<Vec<_>>(),
            [(call.id, 1, CallStatus::Processing)]
        );
        assert_eq!(hook_calls::claim(&store, other, at(2), LEASE, 10).await, Ok(vec![]));
        assert!(is_conflict(&commit(&store, |c| hook_calls::made(c, call.id, other)).await), "it is another worker's");

        let failed = |c: &mut _| hook_calls::failed(c, call.id, worker, Some(at(20)), "no\0pe", at(3));
        commit(&store, failed).await.expect("given back");
        assert!(is_conflict(&commit(&store, failed).await), "it is not the worker's any more");
        let stored = hook_calls::get(&store, call.id).await.expect("read").expect("there");
        assert_eq!((stored.error.as_deref(), stored.due_at, stored.updated_at), (Some("nope"), Some(at(20)), at(3)));
        assert_eq!(hook_calls::claim(&store, other, at(19), LEASE, 10).await, Ok(vec![]));
        assert_eq!(hook_calls::claim(&store, other, at(20), LEASE, 10).await.expect("claimed").len(), 1);
        assert_eq!(hook_calls::claim(&store, worker, at(49), LEASE, 10).await, Ok(vec![]));
        let again = hook_calls::claim(&store, worker, at(50), LEASE, 10).await.expect("the lease is over");
        assert_eq!(again[0].send_count, 3);
        assert!(is_conflict(&commit(&store, |c| hook_calls::made(c, call.id, other)).await), "its lease was over");
        commit(&store, |c| hook_calls::made(c, call.id, worker)).await.expect("made");
        assert_eq!(hook_calls::get(&store, call.id).await, Ok(None));
        assert_eq!(hook_calls::claim(&store, worker, at(100), LEASE, 10).await.expect("claimed").len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_given_up_can_be_asked_for_again_or_forgotten() {
    everywhere(|store| async move {
        let worker = id();
        let calls: Vec<_> = (0..3).map(sample).collect();
        commit(&store, |c| calls.iter().for_each(|call| hook_calls::owe(c, call))).await.expect("owed");
        hook_calls::claim(&store, worker, at(5), LEASE, 10).await.expect("claimed");
        let give_up = |c: &mut _| calls.iter().for_each(|call| hook_calls::failed(c, call.id, worker, None, "no", at(6)));
        commit(&store, give_up).await.expect("given up");
        assert_eq!(hook_calls::claim(&store, worker, at(1_000), LEASE, 10).await, Ok(vec![]));
        let dead = hook_calls::list(&store, Some(CallStatus::Abandoned), None, 10).await.expect("listed");
        assert_eq!(dead.len(), 3);
        let page = hook_calls::list(&store, None, Some(dead[0].id), 1).await.expect("listed");
        assert_eq!(page.iter().map(|c| c.id).collect::<Vec<_>>(), [dead[1].id]);
        assert_eq!(hook_calls::list(&store, Some(CallStatus::Queued), None, 10).await, Ok(vec![]));

        let again = |c: &mut _| hook_calls::again(c, calls[0].id, at(10));
        commit(&store, again).await.expect("again");
        assert!(is_conflict(&commit(&store, again).await), "it waits already");
        assert!(is_conflict(&commit(&store, |c| hook_calls::forget(c, calls[0].id)).await), "it is owed");
        commit(&store, |c| hook_calls::forget(c, calls[1].id)).await.expect("forgotten");
        commit(&store, |c| hook_calls::all_again(c, at(11))).await.expect("all again");
        let claimed = hook_calls::claim(&store, worker, at(11), LEASE, 10).await.expect("claimed");
        assert_eq!(claimed.iter().map(|c| (c.id, c.send_count)).collect::<Vec<_>>(), [(calls[0].id, 1), (calls[2].id, 1)]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_wrote_a_call_down_may_settle_it_before_a_worker_has_it() {
    everywhere(|store| async move {
        let [made, failed, taken, lost] = [0, 1, 2, 3].map(sample);
        commit(&store, |c| [&made, &failed].into_iter().for_each(|call| hook_calls::owe(c, call))).await.expect("owed");
        commit(&store, |c| {
            hook_calls::settled(c, made.id);
            hook_calls::give_up(c, failed.id, "no", at(4));
        })
        .await
        .expect("settled");
        assert_eq!(hook_calls::get(&store, made.id).await, Ok(None));
        let stored = hook_calls::get(&store, failed.id).await.expect("read").expect("there");
        assert_eq!((stored.status, stored.due_at, stored.error.as_deref()), (CallStatus::Abandoned, None, Some("no")));

        commit(&store, |c| [&taken, &lost].into_iter().for_each(|call| hook_calls::owe(c, call))).await.expect("owed");
        let worker = id();
        assert_eq!(hook_calls::claim(&store, worker, at(5), LEASE, 10).await.expect("claimed").len(), 2);
        commit(&store, |c| {
            hook_calls::settled(c, taken.id);
            hook_calls::give_up(c, lost.id, "no", at(6));
        })
        .await
        .expect("too late is no fault");
        for call in [taken, lost] {
            let stored = hook_calls::get(&store, call.id).await.expect("read").expect("there");
            assert_eq!(stored.status, CallStatus::Processing, "the worker has it");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_workers_one_has_a_call() {
    everywhere(|store| async move {
        let calls: Vec<_> = (0..20).map(|_| sample(0)).collect();
        commit(&store, |c| calls.iter().for_each(|call| hook_calls::owe(c, call))).await.expect("owed");
        let claims = (0..8).map(|_| {
            let store = store.clone();
            tokio::spawn(async move { hook_calls::claim(&store, id(), at(1), LEASE, 5).await.expect("claimed") })
        });
        let mut seen = std::collections::BTreeSet::new();
        for claim in claims.collect::<Vec<_>>() {
            for call in claim.await.expect("ends") {
                assert!(seen.insert(call.id), "two workers have {}", call.id);
            }
        }
        assert_eq!(seen.len(), 20);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_go_when_their_time_is_over_and_what_is_owed_stays() {
    everywhere(|store| async move {
        let (dead, owed, young) = (sample(0), sample(0), sample(100));
        commit(&store, |c| {
            for call in [&dead, &owed, &young] {
                hook_calls::owe(c, call);
            }
            for call in [&dead, &young] {
                hook_calls::give_up(c, call.id, "no", at(100));
            }
        })
        .await
        .expect("owed");
        let keep = Retention {
            flows: None,
            sessions: None,
            errors: None,
            codes: None,
            parked: None,
            messages: None,
            hook_calls: Some(Duration::from_secs(10)),
        };
        let swept = jobs::sweep(&store, at(100), &keep, 16).await.expect("swept");
        assert_eq!(swept, Swept { hook_calls: 1, ..Swept::default() });
        assert_eq!(hook_calls::list(&store, None, None, 10).await.expect("listed").len(), 2);
    })
    .await;
}
