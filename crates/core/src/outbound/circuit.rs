//! Circuits: who does not answer is left alone for a while, and nobody is asked by too many at once.
//!
//! Whoever asks takes a [`Visit`] first and says what came of it: any status is an answer. After [`FAILURES`] visits in a row
//! without one the circuit of this purpose and target is open for [`REST`]; then one visit tries, until somebody is heard
//! again. Clients that hang up early prove nothing: otherwise strangers could open circuits.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use portcullis_model::clock::Clock;
use portcullis_model::time::Timestamp;
use url::Url;

use super::purpose::{Purpose, origin};

/// How many visits in a row without an answer open a circuit.
const FAILURES: u32 = 5;

/// How long it stays open. Then one visit tries again.
const REST: Duration = Duration::from_secs(20);

/// From when on a visit that is given up half-way counts as one without an answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// When whoever found no place should come again.
const CROWDED: Duration = Duration::from_secs(2);

/// How many targets that do not answer are remembered.
const TARGETS: usize = 512;

/// Why a target is not asked at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeftAlone {
    /// It did not answer several times in a row.
    #[error("it did not answer lately, and is left alone for a while")]
    Resting {
        /// Whether it last kept somebody waiting to the end; otherwise there was no connection, or it broke.
        timed_out: bool,
        /// When asking is of use again.
        retry_in: Duration,
    },
    /// Too many wait for it.
    #[error("too many requests wait for it")]
    Crowded,
}

impl LeftAlone {
    /// Whether it is as if the target had not answered in time; otherwise, as if there were no connection.
    #[must_use]
    pub fn is_timeout(self) -> bool {
        match self {
            Self::Resting { timed_out, .. } => timed_out,
            Self::Crowded => true,
        }
    }

    /// When asking is of use again.
    #[must_use]
    pub fn retry_in(self) -> Duration {
        match self {
            Self::Resting { retry_in, .. } => retry_in,
            Self::Crowded => CROWDED,
        }
    }
}

/// All circuits of a process.
pub(super) struct Circuits {
    clock: Arc<dyn Clock>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    /// Those of targets that did not answer the last time.
    silent: HashMap<(Purpose, String), Circuit>,
    /// How many wait, by origin.
    waiting: HashMap<(Purpose, String), u32>,
}

#[derive(Clone, Copy, Default)]
struct Circuit {
    failures: u32,
    timed_out: bool,
    open_until: Option<Timestamp>,
}

impl Circuit {
    /// How long it stays open.
    fn open_for(&self, now: Timestamp) -> Option<Duration> {
        // A clock that is set back must not keep it open for longer.
        self.open_until.filter(|until| now < *until).map(|until| until.since(now)).filter(|left| *left <= REST)
    }
}

/// How much there is of one purpose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Standing {
    /// Open circuits.
    pub(super) open: u64,
    /// Requests that wait.
    pub(super) waiting: u64,
}

impl Circuits {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, kept: Mutex::default() }
    }

    fn with<T>(&self, look: impl FnOnce(&mut Kept) -> T) -> T {
        look(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Lets a visit begin, or says why not. It ends when it is dropped.
    pub(super) fn enter(&self, purpose: Purpose, url: &Url) -> Result<Visit<'_>, LeftAlone> {
        let target = (purpose, purpose.target(url).to_owned());
        let place = (purpose, origin(url).to_owned());
        let now = self.clock.now();
        let is_trial = self.with(|kept| {
            let circuit = kept.silent.get_mut(&target);
            if let Some((circuit, left)) = circuit.as_deref().and_then(|c| Some((c, c.open_for(now)?))) {
                return Err(LeftAlone::Resting { timed_out: circuit.timed_out, retry_in: left });
            }
            let waiting = kept.waiting.entry(place.clone()).or_default();
            if *waiting >= purpose.places() {
                return Err(LeftAlone::Crowded);
            }
            *waiting += 1;
            // One visit tries; the others are refused until it is back.
            let is_trial = circuit.filter(|circuit| circuit.open_until.is_some());
            Ok(is_trial.map(|circuit| circuit.open_until = Some(now.plus(REST))).is_some())
        })?;
        Ok(Visit { circuits: self, target, place, since: now, is_trial, outcome: None })
    }

    fn leave(&self, visit: &Visit<'_>) {
        let now = self.clock.now();
        let gave_up = || (now.since(visit.since) >= PATIENCE).then_some(Outcome::Silent { timed_out: true });
        let outcome = visit.outcome.or_else(gave_up);
        self.with(|kept| {
            if let Some(waiting) = kept.waiting.get_mut(&visit.place) {
                *waiting = waiting.saturating_sub(1);
                if *waiting == 0 {
                    kept.waiting.remove(&visit.place);
                }
            }
            match outcome {
                Some(Outcome::Heard) => drop(kept.silent.remove(&visit.target)),
                Some(Outcome::Silent { timed_out }) => {
                    if kept.silent.len() >= TARGETS && !kept.silent.contains_key(&visit.target) {
                        kept.silent.retain(|_, circuit| circuit.open_for(now).is_some());
                    }
                    if kept.silent.len() < TARGETS || kept.silent.contains_key(&visit.target) {
                        let circuit = kept.silent.entry(visit.target.clone()).or_default();
                        circuit.timed_out = timed_out;
                        circuit.failures = circuit.failures.saturating_add(1);
                        if circuit.failures >= FAILURES {
                            circuit.open_until = Some(now.plus(REST));
                        }
                    }
                }
                None if visit.is_trial => {
                    // It was not tried after all: the next one does.
                    if let Some(circuit) = kept.silent.get_mut(&visit.target) {
                        circuit.open_until = Some(now);
                    }
                }
                None => {}
            }
        });
    }

    /// How much there is of a purpose now.
    pub(super) fn standing(&self, purpose: Purpose) -> Standing {
        let now = self.clock.now();
        self.with(|kept| {
            let open = kept.silent.iter().filter(|((of, _), circuit)| *of == purpose && circuit.open_for(now).is_some()).count();
            let waiting = kept.waiting.iter().filter(|((of, _), _)| *of == purpose).map(|(_, n)| u64::from(*n)).sum();
            Standing { open: u64::try_from(open).unwrap_or(u64::MAX), waiting }
        })
    }
}

#[derive(Clone, Copy)]
enum Outcome {
    Heard,
    Silent { timed_out: bool },
}

/// Somebody asks a target: once, or several times if it does not answer.
pub(super) struct Visit<'c> {
    circuits: &'c Circuits,
    target: (Purpose, String),
    place: (Purpose, String),
    since: Timestamp,
    is_trial: bool,
    outcome: Option<Outcome>,
}

impl Visit<'_> {
    /// The target answered.
    pub(super) fn heard(&mut self) {
        self.outcome = Some(Outcome::Heard);
    }

    /// It did not, this time.
    pub(super) fn silent(&mut self, timed_out: bool) {
        if !matches!(self.outcome, Some(Outcome::Heard)) {
            self.outcome = Some(Outcome::Silent { timed_out });
        }
    }
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        self.circuits.leave(self);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::random::FixedClock;

    const HOOK: Purpose = Purpose::WebHook;

    fn circuits() -> (Circuits, Arc<FixedClock>) {
        let clock = Arc::new(FixedClock::new(Timestamp::from_seconds(1000)));
        (Circuits::new(clock.clone()), clock)
    }

    fn url(text: &str) -> Url {
        Url::parse(text).expect("a URL")
    }

    /// A visit without an answer; whether it could begin.
    fn fails(circuits: &Circuits, target: &str) -> bool {
        circuits.enter(HOOK, &url(target)).map(|mut visit| visit.silent(false)).is_ok()
    }

    #[test]
    fn who_fails_again_and_again_is_left_alone_for_a_while() {
        let (circuits, clock) = circuits();
        let (a, b) = ("http://x/a?query", "http://x/b");
        for _ in 0..FAILURES {
            assert!(fails(&circuits, a));
        }
        let refused = circuits.enter(HOOK, &url("http://x/a")).err().expect("the circuit is open");
        assert_eq!(refused, LeftAlone::Resting { timed_out: false, retry_in: REST });
        assert_eq!(circuits.standing(HOOK), Standing { open: 1, waiting: 0 });
        for (purpose, other) in [(HOOK, b), (Purpose::Oidc, a), (HOOK, "http://y/a")] {
            assert!(circuits.enter(purpose, &url(other)).is_ok(), "others are not touched: {other}");
        }
        clock.advance(REST);
        let mut trial = circuits.enter(HOOK, &url(a)).expect("one tries again");
        assert!(circuits.enter(HOOK, &url(a)).is_err(), "and only one");
        trial.heard();
        drop(trial);
        for _ in 1..FAILURES {
            assert!(fails(&circuits, a), "it answered: the circuit is closed");
        }
        circuits.enter(HOOK, &url(a)).expect("still closed").heard();
        assert!(fails(&circuits, a), "an answer in between counts");
    }

    #[test]
    fn a_trial_that_fails_or_is_given_up_leaves_it_open_or_to_the_next() {
        let (circuits, clock) = circuits();
        let a = "http://x/a";
        (0..FAILURES).for_each(|_| assert!(fails(&circuits, a)));
        clock.advance(REST);
        assert!(fails(&circuits, a) && !fails(&circuits, a));
        clock.advance(REST);
        drop(circuits.enter(HOOK, &url(a)).expect("a trial"));
        assert!(fails(&circuits, a), "the one before tried nothing");
        clock.advance(REST);
        let mut both = circuits.enter(HOOK, &url(a)).expect("a trial");
        both.heard();
        both.silent(true);
        drop(both);
        assert!(fails(&circuits, a) && fails(&circuits, a), "it was heard once");
    }

    #[test]
    fn who_hangs_up_early_proves_nothing_and_late_does() {
        let (circuits, clock) = circuits();
        let a = url("http://x/a");
        for _ in 0..3 * FAILURES {
            assert!(circuits.enter(HOOK, &a).is_ok());
        }
        for _ in 0..FAILURES {
            let visit = circuits.enter(HOOK, &a);
            assert!(visit.is_ok());
            clock.advance(PATIENCE);
        }
        assert!(matches!(circuits.enter(HOOK, &a), Err(LeftAlone::Resting { timed_out: true, .. })));
    }

    #[test]
    fn only_so_many_wait_at_once_for_an_origin() {
        let (circuits, _) = circuits();
        let visits: Vec<_> = (0..HOOK.places()).map(|n| circuits.enter(HOOK, &url(&format!("http://x/{n}")))).collect();
        assert!(visits.iter().all(Result::is_ok));
        assert_eq!(circuits.enter(HOOK, &url("http://x/more")).err(), Some(LeftAlone::Crowded));
        assert!(circuits.enter(HOOK, &url("http://y/more")).is_ok());
        assert_eq!(circuits.standing(HOOK).waiting, u64::from(HOOK.places()));
        drop(visits);
        assert!(circuits.enter(HOOK, &url("http://x/more")).is_ok());
        assert_eq!(circuits.standing(HOOK), Standing::default());
    }

    #[test]
    fn not_more_targets_are_remembered_than_fit() {
        let (circuits, clock) = circuits();
        for n in 0..2 * TARGETS {
            assert!(fails(&circuits, &format!("http://x/{n}")));
        }
        assert!(circuits.with(|kept| kept.silent.len()) <= TARGETS);
        clock.advance(REST);
        (0..FAILURES).for_each(|_| assert!(fails(&circuits, "http://x/new")));
        assert!(!fails(&circuits, "http://x/new"));
    }
}
