//! When a message that could not be sent is tried again.

use std::time::Duration;

use portcullis_model::clock::Rng;

const FIRST: Duration = Duration::from_secs(2);
const FACTOR: u32 = 4;
const LONGEST: Duration = Duration::from_secs(15 * 60);

/// The pause after a failed attempt, counted from 1: 2 s, 8 s, 32 s, ... at most 15 minutes, each up to a fifth shorter or
/// longer, so that messages which failed together do not come back together.
///
/// With the default of five retries a mail server may be away for ten minutes before a message is given up.
pub(crate) fn pause(attempt: u64, rng: &dyn Rng) -> Duration {
    let exponent = u32::try_from(attempt.saturating_sub(1)).unwrap_or(u32::MAX);
    let pause = FACTOR.checked_pow(exponent).and_then(|factor| FIRST.checked_mul(factor)).unwrap_or(LONGEST).min(LONGEST);
    let mut random = [0; 4];
    rng.fill(&mut random);
    let share = f64::from(u32::from_le_bytes(random)) / f64::from(u32::MAX);
    pause.mul_f64(0.8 + 0.4 * share)
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
}
