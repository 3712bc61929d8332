//! Circuits: who does not answer is left alone for a while, and nobody is asked by too many at once.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use portcullis_model::time::Timestamp;

use super::OidcError;
use crate::app::Cx;
use crate::outbound::{OutboundError, Request, Response};

/// How long an endpoint of a provider has for its whole answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest answer that is read: 512 KiB. Key sets and profiles are far shorter.
const LONGEST: usize = 512 * 1024;

/// How many failures in a row open a circuit.
const FAILURES: u32 = 5;

/// How long it stays open. Then one request tries again.
const REST: Duration = Duration::from_secs(20);

/// How many requests may wait for one origin.
const AT_ONCE: u32 = 64;

/// How many origins are remembered. Origins come from the configuration and from issuers' documents, so they are few.
const ORIGINS: usize = 512;

#[derive(Default)]
pub(super) struct Circuits(Mutex<HashMap<String, Circuit>>);

#[derive(Clone, Copy, Default)]
struct Circuit {
    failures: u32,
    open_until: Option<Timestamp>,
    waiting: u32,
}

impl Circuits {
    fn with<T>(&self, origin: &str, change: impl FnOnce(&mut Circuit) -> T) -> T {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= ORIGINS && !all.contains_key(origin) {
            all.retain(|_, circuit| circuit.waiting > 0 || circuit.open_until.is_some());
        }
        change(all.entry(origin.to_owned()).or_default())
    }

    /// Lets a request through, or says why not.
    fn enter(&self, origin: &str, now: Timestamp) -> Result<(), &'static str> {
        self.with(origin, |circuit| {
            match circuit.open_until {
                Some(until) if now < until => return Err("it did not answer lately, and is left alone for a while"),
                // One request tries; the others are refused until it is back.
                Some(_) => circuit.open_until = Some(now.plus(REST)),
                None => {}
            }
            if circuit.waiting >= AT_ONCE {
                return Err("too many requests wait for it");
            }
            circuit.waiting += 1;
            Ok(())
        })
    }

    fn leave(&self, origin: &str, now: Timestamp, answered: bool) {
        self.with(origin, |circuit| {
            circuit.waiting = circuit.waiting.saturating_sub(1);
            if answered {
                (circuit.failures, circuit.open_until) = (0, None);
            } else {
                circuit.failures = circuit.failures.saturating_add(1);
                if circuit.failures >= FAILURES {
                    circuit.open_until = Some(now.plus(REST));
                }
            }
        });
    }
}

/// Leaves the circuit also if the request is given up half-way, which counts as no answer.
struct Inside<'a> {
    circuits: &'a Circuits,
    origin: String,
    now: Timestamp,
    answered: bool,
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.circuits.leave(&self.origin, self.now, self.answered);
    }
}

/// Asks an endpoint of a provider. Any status is an answer.
pub(super) async fn ask(cx: &Cx, endpoint: &'static str, mut request: Request) -> Result<Response, OidcError> {
    let origin = request.url.origin().ascii_serialization();
    let circuits = &cx.app.oidc.circuits;
    circuits.enter(&origin, cx.now).map_err(|why| OidcError::upstream(endpoint, why))?;
    let mut inside = Inside { circuits, origin, now: cx.now, answered: false };
    request.timeout = Some(PATIENCE);
    request.limit = LONGEST;
    let answer = cx.snapshot.outbound.send(request).await;
    // An overloaded server answers 5xx quickly: that is no reason to leave it alone.
    inside.answered = match &answer {
        Ok(_) => true,
        Err(OutboundError::TimedOut | OutboundError::Failed(_)) => false,
        Err(_) => true,
    };
    answer.map_err(|error| OidcError::upstream(endpoint, error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_fails_again_and_again_is_left_alone_for_a_while() {
        let circuits = Circuits::default();
        let start = Timestamp::from_seconds(1000);
        let fail = |now| circuits.enter("a", now).is_ok().then(|| circuits.leave("a", now, false)).is_some();
        for _ in 0..FAILURES {
            assert!(fail(start));
        }
        assert!(!fail(start), "the circuit is open");
        assert!(circuits.enter("b", start).is_ok(), "others are not touched");
        let later = start.plus(REST);
        assert!(circuits.enter("a", later).is_ok(), "one tries again");
        assert!(circuits.enter("a", later).is_err(), "and only one");
        circuits.leave("a", later, true);
        assert!(fail(later), "it answered: the circuit is closed");
        assert!(fail(later));
    }

    #[test]
    fn only_so_many_wait_at_once() {
        let (circuits, now) = (Circuits::default(), Timestamp::from_seconds(1000));
        for _ in 0..AT_ONCE {
            assert!(circuits.enter("a", now).is_ok());
        }
        assert!(circuits.enter("a", now).is_err());
        circuits.leave("a", now, true);
        assert!(circuits.enter("a", now).is_ok());
    }
}
