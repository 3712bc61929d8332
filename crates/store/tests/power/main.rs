//! What every commit promises when the power fails, on a disk that loses or tears whatever was not synced.
//!
//! Rounds of random load run on the real store over a disk in memory ([`disk`], through SQLite's own interface for file
//! systems, [`vfs`]). After some number of writes the power is cut, the store is opened again, and everything is compared
//! with a ledger ([`load`]). `PORTCULLIS_POWER_ROUNDS` and `PORTCULLIS_POWER_SEED` ask for more rounds, and other ones.

mod chance;
mod disk;
mod load;
mod vfs;

use disk::Syncs;
use load::Trial;

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// Runs rounds until one finds a fault, and gives what was found.
async fn faults(syncs: Syncs, seed: u64, rounds: u64) -> Vec<String> {
    let mut trial = Trial::new(syncs, seed);
    for round in 0..rounds {
        let found = trial.round().await;
        if !found.is_empty() {
            return found.into_iter().map(|fault| format!("seed {seed}, round {round}: {fault}")).collect();
        }
    }
    println!("{}", trial.summary(seed));
    Vec::new()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_answered_survives_power_cuts_and_nothing_is_half_there() {
    let seed = number("PORTCULLIS_POWER_SEED", 1);
    let rounds = number("PORTCULLIS_POWER_ROUNDS", 40);
    // A new disk now and then: the making of the database is cut short too.
    for disk in 0..rounds.div_ceil(20) {
        let found = faults(Syncs::Kept, seed.wrapping_mul(1_000_003) + disk, rounds.min(20)).await;
        assert!(found.is_empty(), "{found:#?}");
    }
}

/// The test above must be able to fail: on disks that do not sync, its faults are found. Each kind of sync that SQLite asks
/// for is needed; without any of them the disk does what `PRAGMA synchronous = OFF` makes of a good one.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn without_syncing_losses_are_found() {
    for syncs in [Syncs::Ignored, Syncs::IgnoredForLog, Syncs::IgnoredForFile] {
        let mut found = Vec::new();
        for seed in 1..=20 {
            found = faults(syncs, seed, 30).await;
            if !found.is_empty() {
                break;
            }
        }
        assert!(!found.is_empty(), "{syncs:?}: no loss was found");
        println!("{syncs:?}: {}", found.first().map_or("", String::as_str));
    }
}
