//! `hashers argon2 load-test`: how sign-ins fare when so many come.

use std::sync::mpsc::channel;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::json;

use super::super::Failure;
use super::super::output::{Listing, Style};
use super::{Parameters, duration, shown, size_text, timed};

/// Its arguments.
#[derive(clap::Args)]
pub(super) struct LoadTest {
    /// How many sign-ins come a minute
    #[arg(value_name = "REQ/MIN", value_parser = clap::value_parser!(u32).range(1..=600_000))]
    requests: u32,
    /// How long they come
    #[arg(long = "for", value_name = "DURATION", value_parser = duration, default_value = "1m")]
    length: Duration,
    #[command(flatten)]
    parameters: Parameters,
    /// How many are hashed at once; without: one for each processor
    #[arg(long, value_name = "THREADS", value_parser = clap::value_parser!(u16).range(1..=1024))]
    parallel: Option<u16>,
    #[command(flatten)]
    style: Style,
}

/// Lets sign-ins come at an even pace, has them hashed as a server would, and tells how long they waited.
pub(super) fn run(args: &LoadTest) -> Result<(), Failure> {
    let settings = args.parameters.settings()?;
    let threads = args.parallel.map_or_else(|| std::thread::available_parallelism().map_or(1, usize::from), usize::from);
    let pause = Duration::from_secs(60) / args.requests;
    let count = (args.length.as_secs_f64() / pause.as_secs_f64()).round().max(1.0);
    let (arrive, arrivals) = channel::<Instant>();
    let arrivals = Mutex::new(arrivals);
    let times: Mutex<Vec<Duration>> = Mutex::default();
    let failure: Mutex<Option<Failure>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let next = arrivals.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok(arrived) = next else { return };
                    match timed(settings, "a password to measure") {
                        Ok(_) => times.lock().unwrap_or_else(PoisonError::into_inner).push(arrived.elapsed()),
                        Err(error) => *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error),
                    }
                }
            });
        }
        let begun = Instant::now();
        let mut sent = 0_u32;
        while f64::from(sent) < count {
            std::thread::sleep((pause * sent).saturating_sub(begun.elapsed()));
            if arrive.send(Instant::now()).is_err() {
                break;
            }
            sent += 1;
        }
        drop(arrive);
    });
    if let Some(error) = failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    let mut times = times.into_inner().unwrap_or_else(PoisonError::into_inner);
    times.sort_unstable();
    let memory = u64::from(settings.memory_kib) * threads as u64;
    let rows = [
        ("requests", times.len().to_string()),
        ("fastest", shown(quantile(&times, 0))),
        ("median", shown(quantile(&times, 500))),
        ("95%", shown(quantile(&times, 950))),
        ("slowest", shown(quantile(&times, 1000))),
        ("mean", shown(mean(&times))),
        ("deviation", shown(deviation(&times))),
        ("memory", size_text(u32::try_from(memory).unwrap_or(u32::MAX))),
    ];
    args.style.print(&Listing {
        value: json!({
            "requests": times.len(),
            "fastest_ms": millis(quantile(&times, 0)),
            "median_ms": millis(quantile(&times, 500)),
            "p95_ms": millis(quantile(&times, 950)),
            "slowest_ms": millis(quantile(&times, 1000)),
            "mean_ms": millis(mean(&times)),
            "deviation_ms": millis(deviation(&times)),
            "memory_kib": memory,
        }),
        ids: rows.iter().map(|(key, value)| format!("{key}: {value}")).collect(),
        columns: &["statistic", "value"],
        rows: rows.into_iter().map(|(key, value)| vec![key.to_owned(), value]).collect(),
    })
}

fn millis(length: Duration) -> f64 {
    (length.as_secs_f64() * 10_000.0).round() / 10.0
}

/// The time within which so many of a thousand were done.
fn quantile(sorted: &[Duration], thousandths: usize) -> Duration {
    let last = sorted.len().saturating_sub(1);
    sorted.get((last * thousandths).div_ceil(1000)).copied().unwrap_or_default()
}

fn mean(times: &[Duration]) -> Duration {
    times.iter().sum::<Duration>().checked_div(u32::try_from(times.len()).unwrap_or(u32::MAX)).unwrap_or_default()
}

fn deviation(times: &[Duration]) -> Duration {
    let mean = mean(times).as_secs_f64();
    let squares: f64 = times.iter().map(|t| (t.as_secs_f64() - mean).powi(2)).sum();
    Duration::from_secs_f64((squares / times.len().max(1) as f64).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_of_few_and_many() {
        let ms = Duration::from_millis;
        let ten: Vec<Duration> = (1..=10).map(ms).collect();
        assert_eq!((quantile(&ten, 0), quantile(&ten, 500), quantile(&ten, 1000)), (ms(1), ms(6), ms(10)));
        assert_eq!((quantile(&[], 500), mean(&[]), deviation(&[])), (ms(0), ms(0), ms(0)));
        assert_eq!((mean(&[ms(2), ms(4)]), deviation(&[ms(2), ms(4)])), (ms(3), ms(1)));
    }
}
