//! When a message that could not be sent is tried again.
//!
//! What was tried has so many tries; what was not, since the service that it is for is left alone, only waits. That has an
//! end, too: after [`PATIENCE`] a service that is left alone has failed.

use std::time::Duration;

use portcullis_model::clock::Rng;

const FIRST: Duration = Duration::from_secs(2);
const FACTOR: u32 = 4;
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// How long things wait for a service that is left alone.
const PATIENCE: Duration = Duration::from_secs(24 * 60 * 60);

/// The pause after a failed attempt, counted from 1: 2 s, 8 s, 32 s, ... at most 15 minutes, each up to a fifth shorter or
/// longer, so that messages which failed together do not come back together.
///
/// With the default of five retries a mail server may be away for ten minutes before a message is given up.
pub(crate) fn pause(attempt: u64, rng: &dyn Rng) -> Duration {
    let exponent = u32::try_from(attempt.saturating_sub(1)).unwrap_or(u32::MAX);
    let pause = FACTOR.checked_pow(exponent).and_then(|factor| FIRST.checked_mul(factor)).unwrap_or(LONGEST).min(LONGEST);
    pause.mul_f64(0.8 + 0.4 * share(rng))
}

/// How long something that is so old waits without having been tried, if its service can be tried again in `retry_in`; `None`:
/// it counts as a try. Old things look less often: a service that is gone may leave many of them.
pub(crate) fn postponed(age: Duration, retry_in: Duration, rng: &dyn Rng) -> Option<Duration> {
    let pause = retry_in.max(age / 8).min(LONGEST);
    (age < PATIENCE).then(|| pause.mul_f64(1.0 + 0.25 * share(rng)))
}

fn share(rng: &dyn Rng) -> f64 {
    let mut random = [0; 4];
    rng.fill(&mut random);
    f64::from(u32::from_le_bytes(random)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::random::SeededRng;

    #[test]
    fn pauses_grow_to_a_limit_and_differ() {
        let rng = SeededRng::new(1);
        for (attempt, seconds) in
            [(0, 2.0), (1, 2.0), (2, 8.0), (3, 32.0), (4, 128.0), (5, 512.0), (6, 900.0), (50, 900.0), (u64::MAX, 900.0)]
        {
            let pauses: Vec<f64> = (0..50).map(|_| pause(attempt, &rng).as_secs_f64()).collect();
            assert!(pauses.iter().all(|p| (seconds * 0.8..=seconds * 1.2).contains(p)), "{attempt}: {pauses:?}");
            assert!(pauses.iter().any(|p| *p < seconds) && pauses.iter().any(|p| *p > seconds), "{attempt}");
        }
    }

    #[test]
    fn what_was_not_tried_waits_longer_the_older_it_is_and_not_for_ever() {
        let rng = SeededRng::new(1);
        for (age, retry_in, wanted) in
            [(0, 20, Some(20.0)), (60, 2, Some(7.5)), (3600, 20, Some(450.0)), (80_000, 20, Some(900.0))]
        {
            let pause = postponed(Duration::from_secs(age), Duration::from_secs(retry_in), &rng).map(|p| p.as_secs_f64());
            assert!(pause.zip(wanted).is_some_and(|(p, w): (f64, f64)| (w..=w * 1.25).contains(&p)), "{age}: {pause:?}");
        }
        assert_eq!(postponed(PATIENCE, Duration::from_secs(20), &rng), None);
    }
}
