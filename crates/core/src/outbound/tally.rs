//! What became of requests that went out, by purpose, for metrics. No address is among it, so the series are few.

use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::circuit::Circuits;
use super::client::{OutboundError, Response};
use super::purpose::Purpose;
use crate::measure::{Histogram, head};

const SECONDS: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// What a request ended with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// A status below 400.
    Answered,
    /// A status of the 400s.
    ClientError,
    /// A status of the 500s or above.
    ServerError,
    /// No answer within the time limit.
    TimedOut,
    /// No connection, or one that broke.
    Unreachable,
    /// An address that may not be reached, or an answer that cannot be taken.
    Unusable,
    /// It was not sent.
    LeftAlone,
}

const OUTCOMES: [(Outcome, &str); 7] = [
    (Outcome::Answered, "answered"),
    (Outcome::ClientError, "client_error"),
    (Outcome::ServerError, "server_error"),
    (Outcome::TimedOut, "timed_out"),
    (Outcome::Unreachable, "unreachable"),
    (Outcome::Unusable, "unusable"),
    (Outcome::LeftAlone, "left_alone"),
];

impl Outcome {
    pub(super) fn of(answer: &Result<Response, OutboundError>) -> Self {
        match answer {
            Ok(answer) if answer.status < 400 => Self::Answered,
            Ok(answer) if answer.status < 500 => Self::ClientError,
            Ok(_) => Self::ServerError,
            Err(OutboundError::TimedOut) => Self::TimedOut,
            Err(OutboundError::Failed(_)) => Self::Unreachable,
            Err(OutboundError::LeftAlone(_)) => Self::LeftAlone,
            Err(_) => Self::Unusable,
        }
    }
}

#[derive(Default)]
struct Series {
    outcomes: [u64; OUTCOMES.len()],
    seconds: Histogram<12>,
}

/// The counts since the process began.
#[derive(Default)]
pub(super) struct Tally(Mutex<[Series; Purpose::ALL.len()]>);

impl Tally {
    /// Counts a request; `took` is `None` if it was not sent.
    pub(super) fn add(&self, purpose: Purpose, outcome: Outcome, took: Option<Duration>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((series, _)) = all.iter_mut().zip(Purpose::ALL).find(|(_, of)| *of == purpose) else { return };
        let counts = series.outcomes.iter_mut().zip(OUTCOMES);
        counts.filter(|(_, (of, _))| *of == outcome).for_each(|(count, _)| *count += 1);
        if let Some(took) = took {
            series.seconds.add(took.as_secs_f64(), &SECONDS);
        }
    }

    /// The counts as Prometheus reads them, with how circuits stand.
    pub(super) fn render(&self, circuits: &Circuits) -> String {
        let standing = Purpose::ALL.map(|purpose| (purpose.as_str(), circuits.standing(purpose)));
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut out = String::new();
        let name = "outbound_requests_total";
        head(&mut out, name, "counter", "How many requests were sent to other services, by purpose and outcome.");
        for (series, purpose) in all.iter().zip(Purpose::ALL) {
            for (count, (_, outcome)) in series.outcomes.iter().zip(OUTCOMES) {
                let _ = writeln!(out, "{name}{{outcome=\"{outcome}\",purpose=\"{}\"}} {count}", purpose.as_str());
            }
        }
        let name = "outbound_requests_duration_seconds";
        head(&mut out, name, "histogram", "How long requests to other services took.");
        for (series, purpose) in all.iter().zip(Purpose::ALL) {
            series.seconds.write(&mut out, name, &format!("purpose=\"{}\"", purpose.as_str()), &SECONDS);
        }
        drop(all);
        let name = "outbound_requests_waiting";
        head(&mut out, name, "gauge", "How many requests to other services wait for an answer.");
        for (purpose, standing) in standing {
            let _ = writeln!(out, "{name}{{purpose=\"{purpose}\"}} {}", standing.waiting);
        }
        let name = "outbound_circuits_open";
        head(&mut out, name, "gauge", "How many services are left alone because they did not answer.");
        for (purpose, standing) in standing {
            let _ = writeln!(out, "{name}{{purpose=\"{purpose}\"}} {}", standing.open);
        }
        out
    }
}
