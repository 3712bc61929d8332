//! `hashers argon2 calibrate`: parameters for this machine, by trying.

use std::time::Duration;

use portcullis_core::crypto::password::Argon2Settings;
use serde_json::json;

use super::super::Failure;
use super::super::output::{Listing, Style};
use super::{Shape, duration, kib, shown, size, size_text, timed};

/// The least memory that is tried, in KiB: the second recommendation of RFC 9106 is 64 MiB; less than 1 MiB protects nobody.
const LEAST_KIB: u32 = 1024;

/// The most passes that are tried.
const MOST_ITERATIONS: u32 = 64;

/// Its arguments.
#[derive(clap::Args)]
pub(super) struct Calibrate {
    /// How many sign-ins a minute there are at the busiest time
    #[arg(value_name = "REQ/MIN", value_parser = clap::value_parser!(u32).range(1..))]
    requests: u32,
    /// The memory to begin with; the most that fits without
    #[arg(long, value_name = "SIZE", value_parser = size)]
    start_memory: Option<u64>,
    /// The most memory of one hash
    #[arg(long, value_name = "SIZE", value_parser = size)]
    max_memory: Option<u64>,
    /// The step by which memory is changed
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "16MB")]
    adjust_memory_by: u64,
    /// The passes to begin with
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    start_iterations: u32,
    /// The most hashes at once
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..))]
    max_concurrent: u32,
    /// The memory for all hashes at once
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "1GB")]
    dedicated_memory: u64,
    /// How long a hash should take at least
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "500ms")]
    min_duration: Duration,
    /// How much longer it may take
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "500ms")]
    expected_deviation: Duration,
    /// How often each try is measured
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=100))]
    probe_runs: u32,
    #[command(flatten)]
    shape: Shape,
    #[command(flatten)]
    style: Style,
}

/// Tries until a hash takes as long as it should.
pub(super) fn run(args: &Calibrate) -> Result<(), Failure> {
    let configured = args.shape.configured()?;
    let at = |memory_kib, iterations| args.shape.settings(&configured, memory_kib, iterations);
    let bounds = args.bounds()?;
    let found = search(&bounds, |memory, iterations| {
        let took = measure(at(memory, iterations), args.probe_runs)?;
        eprintln!("{} and {iterations} passes: {}", size_text(memory), shown(took));
        Ok(took)
    })?;
    let settings = at(found.memory, found.iterations);
    if !found.fits {
        eprintln!("a hash takes longer than it should even with the least memory: expect sign-ins to wait");
    }
    let rows = [
        ("memory", size_text(settings.memory_kib)),
        ("iterations", settings.iterations.to_string()),
        ("parallelism", settings.parallelism.to_string()),
        ("salt_length", settings.salt_length.to_string()),
        ("key_length", settings.key_length.to_string()),
        ("expected_duration", format!("{}ms", found.took.as_millis())),
        ("expected_deviation", format!("{}ms", args.expected_deviation.as_millis())),
        ("dedicated_memory", size_text(kib(args.dedicated_memory))),
    ];
    args.style.print(&Listing {
        value: json!({
            "memory": size_text(settings.memory_kib),
            "iterations": settings.iterations,
            "parallelism": settings.parallelism,
            "salt_length": settings.salt_length,
            "key_length": settings.key_length,
            "expected_duration": format!("{}ms", found.took.as_millis()),
            "expected_deviation": format!("{}ms", args.expected_deviation.as_millis()),
            "dedicated_memory": size_text(kib(args.dedicated_memory)),
        }),
        ids: rows.iter().map(|(key, value)| format!("{key}: {value}")).collect(),
        columns: &["hashers.argon2", "value"],
        rows: rows.into_iter().map(|(key, value)| vec![key.to_owned(), value]).collect(),
    })
}

impl Calibrate {
    fn bounds(&self) -> Result<Bounds, Failure> {
        let most = self.min_duration.saturating_add(self.expected_deviation);
        // By Little's law: so many are being hashed at the same time.
        let at_once = (f64::from(self.requests) / 60.0 * most.as_secs_f64()).ceil().max(1.0);
        let concurrent = (1..self.max_concurrent).find(|n| f64::from(*n) >= at_once).unwrap_or(self.max_concurrent);
        let share = self.dedicated_memory / u64::from(concurrent);
        let most_memory = kib(share.min(self.max_memory.unwrap_or(u64::MAX)));
        if most_memory < LEAST_KIB {
            return Err(Failure::Said(format!(
                "{} for {concurrent} hashes at once leaves less than 1MB for each: give more memory or allow fewer at once",
                size_text(kib(self.dedicated_memory))
            )));
        }
        Ok(Bounds {
            start: kib(self.start_memory.unwrap_or(u64::MAX)).clamp(LEAST_KIB, most_memory),
            most_memory,
            step: kib(self.adjust_memory_by).max(LEAST_KIB),
            iterations: self.start_iterations,
            least: self.min_duration,
            most,
        })
    }
}

/// What a search keeps to. Memory is in KiB.
struct Bounds {
    start: u32,
    most_memory: u32,
    step: u32,
    iterations: u32,
    least: Duration,
    most: Duration,
}

#[derive(Debug, PartialEq, Eq)]
struct Found {
    memory: u32,
    iterations: u32,
    took: Duration,
    /// Whether it is no longer than allowed.
    fits: bool,
}

/// Takes memory away while a hash takes too long, and passes too; else adds memory, then passes, until it takes long
/// enough. Memory comes first: it is what costs those most who guess with special machines.
fn search(bounds: &Bounds, mut measure: impl FnMut(u32, u32) -> Result<Duration, Failure>) -> Result<Found, Failure> {
    let Bounds { most_memory, step, least, most, .. } = *bounds;
    let (mut memory, mut iterations) = (bounds.start, bounds.iterations);
    let mut took = measure(memory, iterations)?;
    while took > most && (memory > LEAST_KIB || iterations > 1) {
        if memory > LEAST_KIB {
            memory = memory.saturating_sub(step).max(LEAST_KIB);
        } else {
            iterations -= 1;
        }
        took = measure(memory, iterations)?;
    }
    while took < least && (memory < most_memory || iterations < MOST_ITERATIONS) {
        let (more_memory, more_iterations) = if memory < most_memory {
            (memory.saturating_add(step).min(most_memory), iterations)
        } else {
            (memory, iterations + 1)
        };
        let longer = measure(more_memory, more_iterations)?;
        if longer > most {
            // One step is too long, none too short: too short by less than a step is the better of the two.
            break;
        }
        (memory, iterations, took) = (more_memory, more_iterations, longer);
    }
    Ok(Found { memory, iterations, took, fits: took <= most })
}

/// The median of several hashes.
fn measure(settings: Argon2Settings, runs: u32) -> Result<Duration, Failure> {
    let mut all =
        (0..runs).map(|_| timed(settings, "a password to measure").map(|(took, _)| took)).collect::<Result<Vec<_>, _>>()?;
    all.sort_unstable();
    Ok(all.get(all.len() / 2).copied().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine on which a MiB takes a millisecond a pass.
    fn on_a_machine(bounds: &Bounds) -> Found {
        let took = |memory: u32, iterations: u32| Ok(Duration::from_millis(u64::from(memory / 1024 * iterations)));
        match search(bounds, took) {
            Ok(found) => found,
            Err(error) => panic!("{error}"),
        }
    }

    fn bounds(start: u32, most_memory: u32, least: u64, most: u64) -> Bounds {
        Bounds {
            start: start << 10,
            most_memory: most_memory << 10,
            step: 16 << 10,
            iterations: 1,
            least: Duration::from_millis(least),
            most: Duration::from_millis(most),
        }
    }

    #[test]
    fn memory_first_then_passes() {
        for (start, most_memory, least, most, memory, iterations, took) in [
            (1024, 1024, 500, 1000, 992, 1, 992),
            (64, 1024, 500, 1000, 512, 1, 512),
            (64, 128, 500, 1000, 128, 4, 512),
            (600, 1024, 500, 1000, 600, 1, 600),
            (64, 1024, 100, 103, 96, 1, 96),
        ] {
            let found = on_a_machine(&bounds(start, most_memory, least, most));
            let expected = Found { memory: memory << 10, iterations, took: Duration::from_millis(took), fits: true };
            assert_eq!(found, expected, "{start} {most_memory}");
        }
        let slow = Bounds { least: Duration::ZERO, most: Duration::ZERO, ..bounds(64, 64, 0, 0) };
        let found = on_a_machine(&slow);
        assert_eq!((found.memory, found.iterations, found.fits), (LEAST_KIB, 1, false));
    }
}
