//! Counts and measures of requests, for Prometheus (text format 0.0.4).
//!
//! One series for each route, method and status; a request of unknown path counts under one common name. So the number of
//! series is bounded whatever clients ask for, and a request costs one lookup under a lock that is held for nanoseconds.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::{Method, StatusCode};
use portcullis_core::measure::{Histogram, head};
use portcullis_store::hook_calls::Counts;

use super::ports::Port;
use crate::build;

const SECONDS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
const BYTES: [f64; 8] = [100.0, 1_000.0, 10_000.0, 100_000.0, 1_000_000.0, 2_000_000.0, 5_000_000.0, 10_000_000.0];

/// What a series is about: route pattern, method, status.
type Key = (&'static str, &'static str, u16);

#[derive(Clone, Default)]
struct Series {
    count: u64,
    seconds: Histogram<11>,
    request_bytes: Histogram<8>,
    response_bytes: Histogram<8>,
}

/// What one request was.
pub struct Observation<'r> {
    /// The route's pattern; `None` for an unknown path.
    pub endpoint: Option<&'static str>,
    /// The method.
    pub method: &'r Method,
    /// The answer's status.
    pub status: StatusCode,
    /// How long it took.
    pub took: Duration,
    /// The size of its body in bytes.
    pub request_bytes: u64,
    /// The size of the answer's body in bytes.
    pub response_bytes: u64,
}

/// The measures of a server.
#[derive(Default)]
pub struct Metrics {
    series: Mutex<BTreeMap<Key, Series>>,
    public_connections: AtomicI64,
    admin_connections: AtomicI64,
}

/// An open connection, counted until this is dropped.
pub struct Counted<'m>(&'m AtomicI64);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Metrics {
    /// Counts a connection as long as the answer is kept.
    pub fn connection(&self, port: Port) -> Counted<'_> {
        let open = match port {
            Port::Public => &self.public_connections,
            Port::Admin => &self.admin_connections,
        };
        open.fetch_add(1, Ordering::Relaxed);
        Counted(open)
    }

    /// Counts a request.
    pub fn observe(&self, seen: &Observation<'_>) {
        let key = (seen.endpoint.unwrap_or("unknown"), name_of(seen.method), seen.status.as_u16());
        let mut all = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        let series = all.entry(key).or_default();
        series.count += 1;
        series.seconds.add(seen.took.as_secs_f64(), &SECONDS);
        #[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^52")]
        {
            series.request_bytes.add(seen.request_bytes as f64, &BYTES);
            series.response_bytes.add(seen.response_bytes as f64, &BYTES);
        }
    }

    /// All measures as text.
    #[must_use]
    pub fn render(&self) -> String {
        // A copy, so that requests do not wait for the text.
        let all = self.series.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut out = String::with_capacity(all.len() * 8192);
        for (name, help) in [
            ("http_requests_total", "How many requests were answered."),
            ("http_requests_statuses_total", "How many requests were answered, by status."),
        ] {
            head(&mut out, name, "counter", help);
            for (key, series) in &all {
                let _ = writeln!(out, "{name}{{{}}} {}", labels(key), series.count);
            }
        }
        for (name, help) in [
            ("http_requests_duration_seconds", "How long requests took."),
            ("http_response_time_seconds", "How long answers took to make."),
        ] {
            histogram(&mut out, name, help, &all, &SECONDS, |series| &series.seconds);
        }
        histogram(&mut out, "http_requests_size_bytes", "How large bodies of requests were.", &all, &BYTES, |series| {
            &series.request_bytes
        });
        histogram(&mut out, "http_response_size_bytes", "How large bodies of answers were.", &all, &BYTES, |series| {
            &series.response_bytes
        });
        head(&mut out, "portcullis_connections", "gauge", "How many connections are open.");
        for (port, open) in [("public", &self.public_connections), ("admin", &self.admin_connections)] {
            let _ = writeln!(out, "portcullis_connections{{port=\"{port}\"}} {}", open.load(Ordering::Relaxed));
        }
        out
    }
}

/// How many calls of web hooks wait, and how many were given up.
#[must_use]
pub fn hook_calls(counts: Counts) -> String {
    let mut out = String::new();
    head(&mut out, "hook_calls", "gauge", "How many calls of web hooks are owed, and how many were given up.");
    for (status, count) in [("owed", counts.owed), ("abandoned", counts.abandoned)] {
        let _ = writeln!(out, "hook_calls{{status=\"{status}\"}} {count}");
    }
    out
}

fn histogram<const N: usize>(
    out: &mut String,
    name: &str,
    help: &str,
    all: &BTreeMap<Key, Series>,
    limits: &[f64; N],
    of: impl Fn(&Series) -> &Histogram<N>,
) {
    head(out, name, "histogram", help);
    for (key, series) in all {
        of(series).write(out, name, &labels(key), limits);
    }
}

fn labels((endpoint, method, code): &Key) -> String {
    format!(
        "app=\"portcullis\",buildTime=\"{}\",code=\"{code}\",endpoint=\"{endpoint}\",hash=\"{}\",method=\"{method}\",version=\"{}\"",
        build::TIME,
        build::COMMIT,
        build::VERSION
    )
}

/// A method's name; made-up ones share one, so that clients cannot add series.
fn name_of(method: &Method) -> &'static str {
    const KNOWN: [Method; 9] = [
        Method::GET,
        Method::POST,
        Method::HEAD,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::OPTIONS,
        Method::CONNECT,
        Method::TRACE,
    ];
    const NAMES: [&str; 9] = ["GET", "POST", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"];
    KNOWN.iter().zip(NAMES).find(|(known, _)| *known == method).map_or("OTHER", |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_route_method_and_status() {
        let metrics = Metrics::default();
        for millis in [3, 30, 30_000] {
            let took = Duration::from_millis(millis);
            let seen = Observation {
                endpoint: Some("/x"),
                method: &Method::GET,
                status: StatusCode::OK,
                took,
                request_bytes: 0,
                response_bytes: 150,
            };
            metrics.observe(&seen);
        }
        let brew = Method::from_bytes(b"BREW").unwrap();
        let seen = Observation {
            endpoint: None,
            method: &brew,
            status: StatusCode::NOT_FOUND,
            took: Duration::ZERO,
            request_bytes: 1,
            response_bytes: 1,
        };
        metrics.observe(&seen);
        let open = metrics.connection(Port::Public);
        assert!(metrics.render().contains("portcullis_connections{port=\"public\"} 1\n"));
        drop(open);
        let text = metrics.render();
        assert!(text.contains("portcullis_connections{port=\"public\"} 0\n"));
        let line = |start: &str, parts: &[&str]| {
            text.lines().find(|l| l.starts_with(start) && parts.iter().all(|p| l.contains(p))).map(str::to_owned)
        };
        assert!(line("http_requests_total{", &["endpoint=\"/x\"", "code=\"200\"", "method=\"GET\""]).unwrap().ends_with("} 3"));
        assert!(line("http_requests_total{", &["endpoint=\"unknown\"", "method=\"OTHER\""]).unwrap().ends_with("} 1"));
        for (limit, count) in [("0.005", 1), ("0.05", 2), ("10", 2), ("+Inf", 3)] {
            let found = line("http_requests_duration_seconds_bucket{", &["endpoint=\"/x\"", &format!("le=\"{limit}\"")]).unwrap();
            assert!(found.ends_with(&format!("}} {count}")), "{found}");
        }
        assert_eq!(text.matches("# TYPE http_").count(), 6);
    }
}
