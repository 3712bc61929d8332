use portcullis_store::{StoreError, identities};

use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn migrations_go_up_down_and_up_again() {
    everywhere_empty(|store| async move {
        let applied = |store: portcullis_store::Store| async move {
            store.migration_status().await.expect("status").into_iter().filter(|m| m.applied).count()
        };
        let all = store.migration_status().await.expect("status").len();
        assert!(all > 0);
        assert_eq!(applied(store.clone()).await, 0);
        assert!(matches!(store.ready().await, Err(StoreError::Unavailable(_))));
        assert!(matches!(identities::get(&store, id()).await, Err(StoreError::Unavailable(_))), "no tables yet");

        assert_eq!(store.migrate().await, Ok(all));
        assert_eq!(store.migrate().await, Ok(0));
        assert_eq!(store.ready().await, Ok(()));
        stored_identity(&store).await;

        assert_eq!(store.rollback(1).await, Ok(1));
        assert_eq!(applied(store.clone()).await, all - 1);
        assert!(store.ready().await.is_err());
        assert_eq!(store.rollback(100).await, Ok(all - 1));
        assert_eq!(store.rollback(1).await, Ok(0));
        assert_eq!(store.migrate().await, Ok(all));
        stored_identity(&store).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_processes_may_migrate_at_once() {
    everywhere_empty(|store| async move {
        let outcomes = at_once(4, |_| {
            let store = store.clone();
            async move { store.migrate().await }
        })
        .await;
        let all = store.migration_status().await.expect("status").len();
        assert_eq!(outcomes.into_iter().map(|o| o.expect("migrated")).sum::<usize>(), all);
        assert_eq!(store.ready().await, Ok(()));
    })
    .await;
}
