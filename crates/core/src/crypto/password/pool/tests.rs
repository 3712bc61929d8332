use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;

use tokio::task::JoinSet;

use super::super::{Algorithm, Argon2Settings};
use super::*;
use crate::crypto::random::SeededRng;

const SECRET: &str = "Staple&Battery 42";

fn cheap(algorithm: Algorithm) -> HashSettings {
    let argon2 = Argon2Settings { memory_kib: 64, iterations: 1, parallelism: 1, salt_length: 16, key_length: 32 };
    HashSettings { algorithm, bcrypt_cost: 4, argon2 }
}

fn pool(limits: Limits) -> Arc<Pool> {
    Arc::new(Pool::new(limits, Arc::new(SeededRng::new(1))).expect("threads can be started"))
}

fn person(last: u8) -> Client {
    Client::Address(IpAddr::from([192, 0, 2, last]))
}

#[tokio::test]
async fn the_pool_hashes_and_checks() {
    let pool = pool(Limits::default());
    let bcrypt = cheap(Algorithm::Bcrypt);
    let made = pool.hash(&bcrypt, Secret::from(SECRET), person(1)).await.expect("it is hashed");
    let check = |settings: HashSettings, hash: &str, password: &str| {
        let (pool, hash, password) = (&pool, hash.to_owned(), Secret::from(password));
        async move { pool.verify(&settings, hash, password, person(1)).await.expect("it is checked") }
    };
    assert_eq!(check(bcrypt, &made, SECRET).await, Verified { ok: true, needs_rehash: false });
    assert_eq!(check(bcrypt, &made, "wrong").await, Verified { ok: false, needs_rehash: false });
    assert_eq!(check(cheap(Algorithm::Argon2id), &made, SECRET).await, Verified { ok: true, needs_rehash: true });
    assert_eq!(
        check(bcrypt, "$md5-crypt$pebble01$HlbUbtp9hufIiLu8nXJDs0", SECRET).await,
        Verified { ok: true, needs_rehash: true }
    );
    assert_eq!(check(bcrypt, "rubbish", SECRET).await, Verified { ok: false, needs_rehash: false });
    assert_eq!(pool.dummy(&bcrypt, Client::Operator).await, Ok(()));
    let long = pool.hash(&bcrypt, Secret::new("x".repeat(73)), person(1)).await;
    assert_eq!(long, Err(PoolError::Hash(HashError::TooLong { max: 72, actual: 73 })));
    settled(&pool).await;
}

/// Keeps the only thread of a pool busy until what is given back is dropped.
async fn hold(pool: &Arc<Pool>) -> mpsc::Sender<()> {
    let (started, begun) = oneshot::channel();
    let (release, held) = mpsc::channel::<()>();
    let pool = Arc::clone(pool);
    tokio::spawn(async move {
        let work = move || {
            let _ = started.send(());
            let _ = held.recv();
        };
        pool.run(Client::Operator, work).await
    });
    begun.await.expect("the thread starts the job");
    release
}

/// Lets a thread finish its bookkeeping, which comes after the answer.
async fn settled(pool: &Pool) {
    while pool.load() > 0 {
        tokio::task::yield_now().await;
    }
}

/// Asks for `count` hashes, and gives back how many were refused at once.
async fn refused(pool: &Arc<Pool>, waiting: &mut JoinSet<Result<(), PoolError>>, count: usize, client: Client) -> usize {
    for _ in 0..count {
        let pool = Arc::clone(pool);
        waiting.spawn(async move { pool.dummy(&cheap(Algorithm::Bcrypt), client).await });
    }
    // The test's runtime has one thread: the spawned tasks run up to their wait.
    tokio::task::yield_now().await;
    let mut refused = 0;
    while let Some(Ok(outcome)) = waiting.try_join_next() {
        refused += usize::from(matches!(outcome, Err(PoolError::Busy { .. })));
    }
    refused
}

#[tokio::test]
async fn one_client_cannot_fill_the_queue_and_the_queue_is_bounded() {
    let pool = pool(Limits { threads: 1, queue: 6, share: 3, wait: Duration::from_secs(60) });
    let (release, mut waiting) = (hold(&pool).await, JoinSet::new());
    assert_eq!(refused(&pool, &mut waiting, 10, person(1)).await, 7);
    assert_eq!(refused(&pool, &mut waiting, 1, person(2)).await, 0, "others still get in");
    assert_eq!(refused(&pool, &mut waiting, 10, person(3)).await, 8);
    assert_eq!(pool.load(), 7);
    drop(release);
    let answers = waiting.join_all().await;
    assert!(answers.len() == 6 && answers.iter().all(Result::is_ok), "who got in gets an answer");
    settled(&pool).await;
}

#[tokio::test]
async fn a_long_expected_wait_refuses_newcomers() {
    let pool = pool(Limits { threads: 1, queue: 100, share: 100, wait: Duration::ZERO });
    pool.dummy(&cheap(Algorithm::Bcrypt), person(1)).await.expect("an idle pool takes the first");
    settled(&pool).await;
    let (release, mut waiting) = (hold(&pool).await, JoinSet::new());
    assert_eq!(refused(&pool, &mut waiting, 5, person(1)).await, 5);
    drop(release);
}

#[tokio::test]
async fn clients_are_served_in_turn() {
    let shared =
        Shared { state: Mutex::default(), wake: Condvar::new(), limits: Limits { queue: 10, share: 10, ..Limits::default() } };
    let order = Arc::new(Mutex::new(Vec::new()));
    for (client, name) in [(1, "a1"), (1, "a2"), (1, "a3"), (2, "b1"), (3, "c1"), (2, "b2")] {
        let order = Arc::clone(&order);
        shared.enqueue(client, Box::new(move || order.lock().expect("not poisoned").push(name))).expect("there is room");
    }
    while let Some(job) = shared.lock().next() {
        job();
    }
    assert_eq!(*order.lock().expect("not poisoned"), ["a1", "b1", "c1", "a2", "b2", "a3"]);
}

#[tokio::test]
async fn a_panic_or_an_end_is_told_and_a_panic_costs_no_thread() {
    let pool = pool(Limits { threads: 1, ..Limits::default() });
    let answer: Result<(), _> = pool.run(person(1), || panic!("on purpose")).await;
    assert_eq!(answer, Err(PoolError::Stopped));
    assert_eq!(pool.run(person(1), || 7).await, Ok(7));
    let shared = Arc::clone(&pool.shared);
    drop(pool);
    assert_eq!(shared.enqueue(1, Box::new(|| {})), Err(PoolError::Stopped));
}

#[tokio::test]
async fn what_nobody_waits_for_is_not_computed() {
    let pool = pool(Limits { threads: 1, ..Limits::default() });
    let computed = Arc::new(AtomicBool::new(false));
    let release = hold(&pool).await;
    let flag = Arc::clone(&computed);
    let mut given_up = Box::pin(pool.run(person(1), move || flag.store(true, Ordering::SeqCst)));
    assert!(futures_util::poll!(&mut given_up).is_pending());
    drop(given_up);
    drop(release);
    assert_eq!(pool.run(person(1), || ()).await, Ok(()));
    assert!(!computed.load(Ordering::SeqCst));
}

#[test]
fn addresses_of_one_household_are_one_client() {
    let key = |text: &str| Client::Address(text.parse().expect("an address")).key();
    assert_eq!(key("2001:db8:1:2::1"), key("2001:db8:1:2:ffff::9"));
    assert_ne!(key("2001:db8:1:2::1"), key("2001:db8:1:3::1"));
    assert_eq!(key("192.0.2.1"), key("::ffff:192.0.2.1"));
    assert_ne!(key("192.0.2.1"), key("192.0.2.2"));
    assert_ne!(Client::Operator.key(), key("192.0.2.1"));
}
