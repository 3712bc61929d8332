//! What happens while the disk is full. SQLite itself plays the full disk: the file may have no more pages.

use std::time::Duration;

use super::Sqlite;
use super::connection::failure;
use crate::changes::{Changes, Expect};
use crate::dialect::Query;
use crate::failure::StoreError;
use crate::value::Value;

async fn limit(store: &Sqlite, pages: i64) {
    let set = store.run(move |c| {
        let now: i64 = c.pragma_query_value(None, "page_count", |row| row.get(0)).map_err(failure)?;
        let most = if pages == 0 { now } else { pages };
        c.pragma_update_and_check(None, "max_page_count", most, |_| Ok(())).map_err(failure)
    });
    set.await.expect("a limit");
}

fn row(id: i64, bytes: usize) -> Changes {
    let mut c = Changes::new();
    c.push("INSERT INTO things (id, what) VALUES ($1, $2)", vec![Value::Int(id), Value::Bytes(vec![7; bytes])], Expect::One);
    c
}

fn ids(store: &Sqlite) -> Vec<i64> {
    let query = Query::new("SELECT id FROM things ORDER BY id", vec![]);
    let rows = store.read(&[query]).expect("reads go on").pop().unwrap_or_default();
    rows.into_iter().map(|mut row| row.int().expect("a number")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_without_room_is_refused_whole_and_nothing_is_lost() {
    let store = Sqlite::open(None, Duration::from_secs(5), true).expect("a database");
    let made = store.run(|c| c.execute_batch("CREATE TABLE things (id INTEGER PRIMARY KEY, what BLOB) STRICT").map_err(failure));
    made.await.expect("a table");
    assert!(store.commit(vec![row(1, 100)]).await.into_iter().all(|r| r.is_ok()));
    limit(&store, 0).await;

    // One that would fit is in the group of one that does not: both are told, and may come again.
    let answers = store.commit(vec![row(2, 10), row(3, 100_000)]).await;
    assert_eq!(answers.into_iter().map(Result::err).collect::<Vec<_>>(), [Some(StoreError::Full), Some(StoreError::Full)]);
    assert_eq!(ids(&store), [1]);
    assert!(store.full.load(std::sync::atomic::Ordering::Relaxed));

    // Whoever asks whether there is room finds out by writing; here a page that exists can be written.
    assert_eq!(store.has_room().await, Ok(()));
    assert!(!store.full.load(std::sync::atomic::Ordering::Relaxed));
    assert!(store.commit(vec![row(3, 100_000)]).await.into_iter().all(|r| r.err() == Some(StoreError::Full)));

    limit(&store, 1 << 30).await;
    assert!(store.commit(vec![row(2, 10), row(3, 100_000)]).await.into_iter().all(|r| r.is_ok()));
    assert_eq!(ids(&store), [1, 2, 3]);
    assert!(!store.full.load(std::sync::atomic::Ordering::Relaxed));
    store.close().await.expect("closed");
}
