use std::os::unix::fs::PermissionsExt;

use portcullis_model::credential::{Credential, CredentialType};
use portcullis_model::identity::Identity;
use portcullis_store::{
    Changes, Constraint, Durability, OpenOptions, Store, StoreError, credentials, guesses, identities, sessions,
};

use uuid::Uuid;

use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn all_or_nothing() {
    everywhere(|store| async move {
        let (one, two) = (identity(), identity());
        let outcome = commit(&store, |c| {
            identities::insert(c, &one);
            identities::insert(c, &two);
            identities::delete(c, id());
        })
        .await;
        assert_eq!(outcome.err(), Some(StoreError::Conflict { what: "identities" }));
        assert_eq!(identities::get(&store, one.id).await, Ok(None));
        assert_eq!(commit(&store, |_| {}).await.expect("nothing to do").counts, [0_u64; 0]);
        let done = commit(&store, |c| {
            identities::insert(c, &one);
            sessions::revoke_all(c, one.id, None, at(0));
        })
        .await
        .expect("committed");
        assert_eq!(done.counts, [1, 0]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_batch_each_stands_for_itself() {
    // Batches of nothing but new rows are written in another way than others.
    let also: [fn(&mut Changes, Uuid); 2] = [|_, _| {}, |c, id| sessions::revoke_all(c, id, None, at(0))];
    for also in also {
        each_stands_for_itself(also).await;
    }
}

async fn each_stands_for_itself(also: fn(&mut Changes, Uuid)) {
    everywhere(|store| async move {
        with_password(&store, "taken").await;
        let people: Vec<_> = (0..250).map(|_| identity()).collect();
        let all: Vec<Changes> = people
            .iter()
            .enumerate()
            .map(|(n, person)| {
                let mut c = Changes::new();
                let name = match n {
                    3 => "taken".to_owned(),
                    10 | 11 | 240 => "twice".to_owned(),
                    20 => "n\0l".to_owned(),
                    _ => format!("own{n}"),
                };
                if n != 30 {
                    identities::insert(&mut c, person);
                    credentials::insert(&mut c, person.id, &credential(CredentialType::Password, &[&name]));
                    also(&mut c, person.id);
                }
                c
            })
            .collect();
        let answers = store.commit_each(all).await;
        assert_eq!(answers.len(), 250);
        let mut twice = 0;
        for (n, (person, answer)) in people.iter().zip(answers).enumerate() {
            let there = identities::get(&store, person.id).await.expect("read").is_some();
            assert_eq!(there, answer.is_ok() && n != 30, "{n}");
            match n {
                3 => assert_eq!(unique(answer), Some(Constraint::Identifier)),
                10 | 11 | 240 => match answer {
                    Ok(_) => twice += 1,
                    other => assert_eq!(unique(other), Some(Constraint::Identifier)),
                },
                20 => assert!(matches!(answer, Err(StoreError::Unsupported(_)))),
                _ => assert!(answer.is_ok(), "{n}: {answer:?}"),
            }
        }
        assert_eq!(twice, 1);
        assert!(store.commit_each(vec![]).await.is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_batch_is_written_whole() {
    everywhere(|store| async move {
        let people: Vec<_> =
            (0..237).map(|n| (identity(), credential(CredentialType::Password, &[&format!("own{n}")]))).collect();
        let added = |(person, theirs): &(Identity, Credential)| {
            let mut c = Changes::new();
            identities::insert(&mut c, person);
            credentials::insert(&mut c, person.id, theirs);
            c
        };
        for answer in store.commit_each(people.iter().map(added).collect()).await {
            assert_eq!(answer.expect("committed").counts, [1, 1, 1]);
        }
        for (n, (person, theirs)) in people.iter().enumerate() {
            let found =
                identities::find_by_identifier(&store, &[CredentialType::Password], &format!("own{n}")).await.expect("read");
            let found = found.unwrap_or_else(|| panic!("{n} is lost"));
            assert_eq!((&found.identity, found.credentials.as_slice()), (person, std::slice::from_ref(theirs)), "{n}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_is_read_by_everyone() {
    everywhere(|store| async move {
        let outcomes = at_once(64, |n| {
            let store = store.clone();
            async move {
                let mut person = identity();
                let durability = if n % 2 == 0 { Durability::Relaxed } else { Durability::Full };
                commit(&store, |c| {
                    c.durability(durability);
                    identities::insert(c, &person);
                })
                .await
                .expect("inserted");
                for version in 1..4 {
                    commit(&store, |c| identities::update(c, &person, &person)).await.expect("updated");
                    person = identities::get(&store, person.id).await.expect("read").expect("there");
                    assert_eq!(person.version, version + 1);
                }
            }
        })
        .await;
        assert_eq!(outcomes.len(), 64);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_in_a_crowd_hit_only_their_own() {
    everywhere(|store| async move {
        let outcomes = at_once(64, |n| {
            let store = store.clone();
            async move {
                let person = identity();
                let outcome = commit(&store, |c| {
                    identities::insert(c, &person);
                    if n % 3 == 0 {
                        identities::delete(c, id());
                    }
                })
                .await;
                let there = identities::get(&store, person.id).await.expect("read").is_some();
                (n, outcome, there)
            }
        })
        .await;
        for (n, outcome, there) in outcomes {
            assert_eq!((outcome.is_ok(), there), (n % 3 != 0, n % 3 != 0));
            assert!(outcome.is_ok() || is_conflict(&outcome));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_goes_away_leaves_nothing_open() {
    everywhere(|store| async move {
        let person = stored_identity(&store).await;
        let tasks: Vec<_> = (0..40)
            .map(|n| {
                let (store, id) = (store.clone(), person.id);
                let task = tokio::spawn(async move {
                    let _ = commit(&store, |c| guesses::charge(c, "x", at(0), std::time::Duration::from_secs(9), 1000)).await;
                    let _ = identities::get_with_credentials(&store, id).await;
                });
                (n, task)
            })
            .collect();
        for (n, task) in tasks {
            tokio::time::sleep(std::time::Duration::from_micros(n * 20)).await;
            task.abort();
        }
        // Were a transaction left open, its row's lock would make this wait for ever.
        let next = commit(&store, |c| guesses::charge(c, "x", at(0), std::time::Duration::from_secs(9), 1000));
        tokio::time::timeout(std::time::Duration::from_secs(5), next).await.expect("in time").expect("counted");
        assert!(identities::get_with_credentials(&store, person.id).await.expect("read").is_some());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_closing_nothing_works_and_nothing_is_lost() {
    let folder = Folder::new();
    let store = open(&folder.dsn()).await;
    store.migrate().await.expect("migrated");
    let person = stored_identity(&store).await;
    let path = folder.0.join("db.sqlite");
    let mode = |path: &std::path::Path| std::fs::metadata(path).expect("metadata").permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600, "others must not read it");
    assert_eq!(mode(&folder.0.join("db.sqlite-wal")), 0o600);
    store.close().await.expect("closed");
    store.close().await.expect("closed twice");
    assert!(!folder.0.join("db.sqlite-wal").exists(), "all is in the file");
    assert!(matches!(identities::get(&store, person.id).await, Err(StoreError::Unavailable(_))));
    assert!(matches!(commit(&store, |c| identities::delete(c, person.id)).await, Err(StoreError::Unavailable(_))));

    let again = open(&folder.dsn()).await;
    assert_eq!(again.ready().await, Ok(()));
    assert_eq!(identities::get(&again, person.id).await, Ok(Some(person)));
    again.close().await.expect("closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_only_dropped_keeps_what_it_answered() {
    let folder = Folder::new();
    let store = open(&folder.dsn()).await;
    store.migrate().await.expect("migrated");
    let person = stored_identity(&store).await;
    drop(store);
    let again = open(&folder.dsn()).await;
    assert_eq!(identities::get(&again, person.id).await, Ok(Some(person)));
    again.close().await.expect("closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_does_not_grow_for_ever() {
    let folder = Folder::new();
    let store = open(&folder.dsn()).await;
    store.migrate().await.expect("migrated");
    let mut person = identity();
    person.traits = serde_json::json!({ "text": "x".repeat(200_000) });
    commit(&store, |c| identities::insert(c, &person)).await.expect("inserted");
    let mut longest = 0;
    for version in 1..400 {
        person.version = version;
        commit(&store, |c| {
            c.durability(Durability::Relaxed);
            identities::update(c, &person, &person);
        })
        .await
        .expect("updated");
        longest = longest.max(store.stats().wal_pages.unwrap_or(0));
    }
    // 400 times 50 pages were written.
    assert!(longest < 15_000, "{longest}");
    assert_eq!(store.stats().waiting, 0);
    store.close().await.expect("closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_cannot_be_served_are_refused_at_once() {
    for (dsn, wanted) in [
        ("mysql://root:s3cret@localhost/x", "not supported"),
        ("nonsense", "not supported"),
        ("postgres://u:s3cret@127.0.0.1:1/x?connect_timeout=1", "not available"),
        ("postgres://u:s3cret@127.0.0.1:port/x", "not supported"),
        ("sqlite:///nowhere/at/all/db.sqlite", "not available"),
    ] {
        let error = Store::open(dsn, OpenOptions::default()).await.expect_err(dsn).to_string();
        assert!(error.contains(wanted) && !error.contains("s3cret"), "{dsn}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tables_of_another_program_are_left_alone() {
    let folder = Folder::new();
    let path = folder.0.join("db.sqlite");
    let other = rusqlite::Connection::open(&path).expect("opened");
    other.execute_batch("CREATE TABLE identities (id TEXT); CREATE TABLE schema_migration (version TEXT)").expect("made");
    drop(other);
    let store = open(&folder.dsn()).await;
    assert!(matches!(store.migrate().await, Err(StoreError::Unsupported(_))));
    store.close().await.expect("closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_held_by_another_program_is_busy_for_everyone_waiting() {
    let folder = Folder::new();
    let options = OpenOptions { busy_timeout: std::time::Duration::from_millis(50), ..OpenOptions::default() };
    let store = Store::open(&folder.dsn(), options).await.expect("opened");
    store.migrate().await.expect("migrated");
    let other = rusqlite::Connection::open(folder.0.join("db.sqlite")).expect("opened");
    other.execute_batch("BEGIN IMMEDIATE").expect("held");
    let outcomes = at_once(5, |_| {
        let store = store.clone();
        async move { commit(&store, |c| identities::insert(c, &identity())).await }
    })
    .await;
    assert!(outcomes.into_iter().all(|o| o.err() == Some(StoreError::Busy)));
    assert_eq!(identities::get(&store, id()).await, Ok(None), "reading goes on");
    other.execute_batch("COMMIT").expect("let go");
    stored_identity(&store).await;
    store.close().await.expect("closed");
}

/// Without its lock a program that opens the file beside the server, and closes it again, takes itself for the last one
/// and removes the log under the server. The locks of a process on a file end when it closes *any* descriptor of that file.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn an_open_file_stays_locked_against_other_programs() {
    use std::os::unix::fs::MetadataExt;
    let folder = Folder::new();
    let inode = || std::fs::metadata(folder.0.join("db.sqlite")).expect("metadata").ino();
    let locked = || {
        let (own, end) = (format!(" {} ", std::process::id()), format!(":{} ", inode()));
        let all = std::fs::read_to_string("/proc/locks").expect("locks are listed");
        all.lines().any(|lock| lock.contains(&own) && lock.contains(&end))
    };
    let store = open(&folder.dsn()).await;
    store.migrate().await.expect("migrated");
    stored_identity(&store).await;
    assert!(locked(), "a new file");
    store.close().await.expect("closed");
    assert!(!locked(), "nobody has it open");

    let store = open(&folder.dsn()).await;
    let person = stored_identity(&store).await;
    assert!(locked(), "a file that was there before");
    let second = open(&folder.dsn()).await;
    assert_eq!(identities::get(&second, person.id).await, Ok(Some(person)));
    assert!(locked(), "opened twice in one process");
    second.close().await.expect("closed");
    assert!(locked(), "still open once");
    store.close().await.expect("closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_connections_are_replaced_and_nothing_happens_twice() {
    on_postgres(|store, name| async move {
        store.migrate().await.expect("migrated");
        let person = stored_identity(&store).await;
        let end_all = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '{name}'");
        on_server(&end_all).await;
        assert_eq!(identities::get(&store, person.id).await, Ok(Some(person.clone())), "idle connections were lost");

        let window = std::time::Duration::from_secs(60);
        let chargers = tokio::spawn({
            let store = store.clone();
            async move {
                at_once(32, move |_| {
                    let store = store.clone();
                    async move {
                        let (mut done, mut unknown) = (0, 0);
                        for _ in 0..20 {
                            match commit(&store, |c| guesses::charge(c, "x", at(0), window, 1_000_000)).await {
                                Ok(_) => done += 1,
                                Err(StoreError::Unavailable(_)) => unknown += 1,
                                Err(other) => panic!("{other}"),
                            }
                        }
                        (done, unknown)
                    }
                })
                .await
            }
        });
        for _ in 0..10 {
            tokio::time::sleep(std::time::Duration::from_millis(15)).await;
            on_server(&end_all).await;
        }
        let outcomes = chargers.await.expect("the tasks end");
        let done: u64 = outcomes.iter().map(|(done, _)| done).sum();
        let unknown: u64 = outcomes.iter().map(|(_, unknown)| unknown).sum();
        let counted = guesses::get(&store, "x").await.expect("read").expect("there").tries;
        assert!((done..=done + unknown).contains(&counted), "{done} done, {unknown} unknown, {counted} counted");
        assert!(unknown < 320, "{unknown}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_database_leaves_no_statistics_that_mislead_a_grown_one() {
    let folder = Folder::new();
    let store = Store::open(&folder.dsn(), OpenOptions::default()).await.expect("opened");
    store.migrate().await.expect("migrated");
    commit(&store, |c| identities::insert(c, &identity())).await.expect("committed");
    store.close().await.expect("closed");
    let connection = rusqlite::Connection::open(folder.0.join("db.sqlite")).expect("opened");
    let statistics = "SELECT COUNT(*) FROM sqlite_master WHERE name LIKE 'sqlite_stat%'";
    assert_eq!(connection.query_row(statistics, [], |row| row.get::<_, i64>(0)).expect("counted"), 0);
    let mut plan = connection
        .prepare("EXPLAIN QUERY PLAN SELECT * FROM sessions s JOIN identities i ON i.id = s.identity_id WHERE s.token_hash = ?1")
        .expect("planned");
    let steps: Vec<String> =
        plan.query_map([vec![1_u8]], |row| row.get(3)).expect("asked").collect::<Result<_, _>>().expect("read");
    assert!(steps.iter().all(|step| step.starts_with("SEARCH")), "{steps:?}");
}
