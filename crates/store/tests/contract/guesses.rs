use std::time::Duration;

use portcullis_store::guesses;

use crate::support::*;

const WINDOW: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn however_many_guess_at_once_the_limit_holds() {
    everywhere(|store| async move {
        let outcomes = at_once(64, |_| {
            let store = store.clone();
            async move { commit(&store, |c| guesses::charge(c, "password:x", at(0), WINDOW, 10)).await }
        })
        .await;
        assert_eq!(outcomes.iter().filter(|o| o.is_ok()).count(), 10);
        assert_eq!(outcomes.iter().filter(|o| is_conflict(o)).count(), 54);
        let counted = guesses::get(&store, "password:x").await.expect("read").expect("there");
        assert_eq!((counted.tries, counted.started_at, counted.ends_at), (10, at(0), at(60)));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_ends_and_a_right_guess_forgets() {
    everywhere(|store| async move {
        let charge = |subject: &'static str, seconds, limit| {
            let store = store.clone();
            async move { commit(&store, |c| guesses::charge(c, subject, at(seconds), WINDOW, limit)).await.is_ok() }
        };
        assert!(charge("a", 0, 2).await);
        assert!(charge("a", 30, 2).await);
        assert!(!charge("a", 59, 2).await, "the window begins with the first guess");
        assert!(charge("a", 60, 2).await);
        assert_eq!(guesses::get(&store, "a").await.expect("read").expect("there").ends_at, at(120));
        assert!(charge("b", 60, 1).await, "others count for themselves");
        assert!(!charge("c", 0, 0).await);
        assert!(charge("a", 61, 2).await);
        assert!(!charge("a", 61, 2).await);
        commit(&store, |c| guesses::reset(c, "a")).await.expect("reset");
        assert_eq!(guesses::get(&store, "a").await, Ok(None));
        assert!(charge("a", 61, 2).await);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_guess_counts_only_below_the_limit() {
    everywhere(|store| async move {
        let right = |seconds, limit| commit(&store, move |c| guesses::reset_below(c, "a", at(seconds), limit));
        assert!(right(0, 2).await.is_ok(), "nobody guessed");
        for seconds in [0, 1] {
            commit(&store, |c| guesses::charge(c, "a", at(seconds), WINDOW, 2)).await.expect("charged");
        }
        assert!(right(1, 3).await.is_ok(), "the limit is another now");
        assert_eq!(guesses::get(&store, "a").await, Ok(None));
        for seconds in [2, 3] {
            commit(&store, |c| guesses::charge(c, "a", at(seconds), WINDOW, 2)).await.expect("charged");
        }
        assert!(is_conflict(&right(3, 2).await));
        assert_eq!(guesses::get(&store, "a").await.expect("read").expect("there").tries, 2);
        assert!(right(62, 2).await.is_ok(), "the window is over");
        assert_eq!(guesses::get(&store, "a").await, Ok(None));
    })
    .await;
}
