use std::collections::BTreeSet;
use std::time::Duration;

use portcullis_store::outbox::{self, MessageStatus, NewMessage};

use crate::support::*;

const LEASE: Duration = Duration::from_secs(30);

fn sample(recipient: &str, created: i64) -> NewMessage {
    NewMessage {
        id: id(),
        channel: "email".into(),
        recipient: recipient.into(),
        template: "recovery_code_valid".into(),
        sealed_data: vec![0, 1],
        subject: Some("Hello".into()),
        created_at: at(created),
        send_after: at(created),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_goes_from_queued_to_sent() {
    everywhere(|store| async move {
        let (worker, other) = (id(), id());
        let message = sample("a@example.org", 0);
        let later = NewMessage { send_after: at(100), ..sample("b@example.org", 0) };
        commit(&store, |c| {
            outbox::mail(c, &message);
            outbox::mail(c, &later);
        })
        .await
        .expect("queued");
        let (stored, attempts) = outbox::get(&store, message.id).await.expect("read").expect("there");
        assert_eq!((stored.status, stored.send_count, attempts.len()), (MessageStatus::Queued, 0, 0));
        assert_eq!((stored.sealed_data.as_slice(), stored.subject.as_deref()), ([0, 1].as_slice(), Some("Hello")));

        assert_eq!(outbox::claim(&store, worker, at(-1), LEASE, 10).await, Ok(vec![]));
        let claimed = outbox::claim(&store, worker, at(1), LEASE, 10).await.expect("claimed");
        assert_eq!(claimed.iter().map(|m| (m.id, m.send_count)).collect::<Vec<_>>(), [(message.id, 1)]);
        assert_eq!(claimed[0].status, MessageStatus::Processing);
        assert_eq!(outbox::claim(&store, other, at(2), LEASE, 10).await, Ok(vec![]));

        let failed = |c: &mut _| outbox::failed(c, message.id, worker, Some(at(20)), "no\0pe", at(3));
        commit(&store, failed).await.expect("given back");
        assert!(is_conflict(&commit(&store, failed).await), "it is not the worker's any more");
        assert_eq!(outbox::claim(&store, other, at(19), LEASE, 10).await, Ok(vec![]));
        let again = outbox::claim(&store, other, at(20), LEASE, 10).await.expect("claimed");
        assert_eq!((again.len(), again[0].send_count), (1, 2));
        assert!(is_conflict(&commit(&store, |c| outbox::sent(c, message.id, worker, at(21))).await));
        commit(&store, |c| outbox::sent(c, message.id, other, at(21))).await.expect("sent");

        let (stored, attempts) = outbox::get(&store, message.id).await.expect("read").expect("there");
        assert_eq!((stored.status, stored.send_count, stored.updated_at), (MessageStatus::Sent, 2, at(21)));
        let told: Vec<_> = attempts.iter().map(|a| (a.attempt, a.error.as_deref(), a.created_at)).collect();
        assert_eq!(told, [(2, None, at(21)), (1, Some("nope"), at(3))]);
        assert!(attempts.iter().all(|a| a.message_id == message.id && a.id != message.id));
        assert_eq!(outbox::claim(&store, other, at(90), LEASE, 10).await, Ok(vec![]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_untried_can_be_amended() {
    everywhere(|store| async move {
        let worker = id();
        let message = sample("a@example.org", 0);
        commit(&store, |c| outbox::mail(c, &message)).await.expect("queued");
        commit(&store, |c| outbox::amend(c, message.id, vec![7], at(1))).await.expect("amended");
        let claimed = outbox::claim(&store, worker, at(2), LEASE, 1).await.expect("claimed");
        assert_eq!((claimed[0].sealed_data.as_slice(), claimed[0].created_at), ([7].as_slice(), at(0)));
        let amend = |c: &mut _| outbox::amend(c, message.id, vec![8], at(3));
        assert!(is_conflict(&commit(&store, amend).await), "it is on its way");
        commit(&store, |c| outbox::failed(c, message.id, worker, Some(at(20)), "no", at(4))).await.expect("given back");
        assert!(is_conflict(&commit(&store, amend).await), "it may have arrived");
        let unknown = commit(&store, |c| outbox::amend(c, id(), vec![8], at(3))).await;
        assert!(is_conflict(&unknown), "there is none");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_ends_frees_the_message() {
    everywhere(|store| async move {
        let (crashed, worker) = (id(), id());
        let message = sample("a@example.org", 0);
        commit(&store, |c| outbox::mail(c, &message)).await.expect("queued");
        assert_eq!(outbox::claim(&store, crashed, at(0), LEASE, 1).await.expect("claimed").len(), 1);
        assert_eq!(outbox::claim(&store, worker, at(29), LEASE, 1).await, Ok(vec![]));
        assert_eq!(outbox::claim(&store, worker, at(30), LEASE, 1).await.expect("claimed").len(), 1);
        assert!(is_conflict(&commit(&store, |c| outbox::sent(c, message.id, crashed, at(31))).await), "too late");
        commit(&store, |c| outbox::failed(c, message.id, worker, None, "refused", at(31))).await.expect("given up");
        let (stored, _) = outbox::get(&store, message.id).await.expect("read").expect("there");
        assert_eq!(stored.status, MessageStatus::Abandoned);
        assert_eq!(outbox::claim(&store, worker, at(9999), LEASE, 1).await, Ok(vec![]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_workers_never_share_a_message() {
    everywhere(|store| async move {
        let messages: Vec<_> = (0..100).map(|n| sample("a@example.org", n)).collect();
        commit(&store, |c| messages.iter().for_each(|m| outbox::mail(c, m))).await.expect("queued");
        let claimed = at_once(8, |_| {
            let store = store.clone();
            async move {
                let worker = id();
                let mut mine = Vec::new();
                // Rows that another worker is just taking are passed over, so an empty answer may come early.
                for _ in 0..30 {
                    let some = outbox::claim(&store, worker, at(200), LEASE, 7).await.expect("claimed");
                    assert!(some.len() <= 7);
                    mine.extend(some.into_iter().map(|m| m.id));
                }
                mine
            }
        })
        .await;
        let all: Vec<_> = claimed.into_iter().flatten().collect();
        assert_eq!(all.len(), 100);
        assert_eq!(all.into_iter().collect::<BTreeSet<_>>(), messages.iter().map(|m| m.id).collect());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_listed_newest_first() {
    everywhere(|store| async move {
        let all = [sample("a@example.org", 0), sample("b@example.org", 1), sample("a@example.org", 2)];
        commit(&store, |c| all.iter().for_each(|m| outbox::mail(c, m))).await.expect("queued");
        outbox::claim(&store, id(), at(0), LEASE, 1).await.expect("claimed");
        let listed = |status, recipient: Option<&'static str>, after, limit| {
            let store = store.clone();
            async move {
                let page = outbox::list(&store, status, recipient, after, limit).await.expect("listed");
                page.into_iter().map(|m| m.id).collect::<Vec<_>>()
            }
        };
        let [a, b, c] = [all[0].id, all[1].id, all[2].id];
        assert_eq!(listed(None, None, None, 2).await, [c, b]);
        assert_eq!(listed(None, None, Some(b), 2).await, [a]);
        assert_eq!(listed(None, Some("a@example.org"), None, 9).await, [c, a]);
        assert_eq!(listed(None, Some("A@example.org"), None, 9).await, NOBODY);
        assert_eq!(listed(Some(MessageStatus::Processing), None, None, 9).await, [a]);
        assert_eq!(listed(Some(MessageStatus::Queued), Some("a@example.org"), None, 9).await, [c]);
    })
    .await;
}
