//! How many messages the courier of this process handled, for metrics.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

/// What an attempt to send a message can end with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was sent.
    Sent,
    /// It failed and will be tried again.
    Failed,
    /// It failed and was given up.
    Abandoned,
}

/// The ways by which messages leave, as metrics name them.
const CHANNELS: [&str; 2] = ["email", "sms"];
const OUTCOMES: [(Outcome, &str); 3] = [(Outcome::Sent, "sent"), (Outcome::Failed, "failed"), (Outcome::Abandoned, "abandoned")];

/// The counts since the process began.
#[derive(Debug, Default)]
pub struct Counts([[AtomicU64; OUTCOMES.len()]; CHANNELS.len()]);

impl Counts {
    /// Counts an attempt.
    pub(super) fn add(&self, channel: &str, outcome: Outcome) {
        let outcome = OUTCOMES.iter().position(|(o, _)| *o == outcome);
        // What is not mail goes to a phone.
        let row = if channel == CHANNELS[0] { &self.0[0] } else { &self.0[1] };
        if let Some(count) = outcome.and_then(|o| row.get(o)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The counts as Prometheus reads them (text format 0.0.4).
    #[must_use]
    pub fn render(&self) -> String {
        let mut out = String::from(
            "# HELP courier_attempts_total How many attempts to send a message ended, by channel and outcome.\n\
             # TYPE courier_attempts_total counter\n",
        );
        for (row, channel) in self.0.iter().zip(CHANNELS) {
            for (count, (_, outcome)) in row.iter().zip(OUTCOMES) {
                let count = count.load(Ordering::Relaxed);
                let _ = writeln!(out, "courier_attempts_total{{channel=\"{channel}\",outcome=\"{outcome}\"}} {count}");
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_are_counted_by_channel_and_outcome() {
        let counts = Counts::default();
        for (channel, outcome) in [("email", Outcome::Sent), ("email", Outcome::Sent), ("sms", Outcome::Abandoned)] {
            counts.add(channel, outcome);
        }
        let text = counts.render();
        for line in [
            "courier_attempts_total{channel=\"email\",outcome=\"sent\"} 2\n",
            "courier_attempts_total{channel=\"email\",outcome=\"failed\"} 0\n",
            "courier_attempts_total{channel=\"sms\",outcome=\"abandoned\"} 1\n",
        ] {
            assert!(text.contains(line), "{text}");
        }
    }
}
