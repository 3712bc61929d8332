//! Measures in the text that Prometheus reads (text format 0.0.4).

use std::fmt::Write as _;

/// How often values were at most so large, for `N` limits.
#[derive(Clone, Debug)]
pub struct Histogram<const N: usize> {
    buckets: [u64; N],
    count: u64,
    sum: f64,
}

impl<const N: usize> Default for Histogram<N> {
    fn default() -> Self {
        Self { buckets: [0; N], count: 0, sum: 0.0 }
    }
}

impl<const N: usize> Histogram<N> {
    /// Adds a value. `limits` are the same, rising ones each time.
    pub fn add(&mut self, value: f64, limits: &[f64; N]) {
        self.count += 1;
        self.sum += value;
        for (bucket, limit) in self.buckets.iter_mut().zip(limits) {
            *bucket += u64::from(value <= *limit);
        }
    }

    /// Writes the series of these labels, written as `name="value"` with commas between.
    pub fn write(&self, out: &mut String, name: &str, labels: &str, limits: &[f64; N]) {
        for (limit, count) in limits.iter().zip(self.buckets) {
            let _ = writeln!(out, "{name}_bucket{{{labels},le=\"{limit}\"}} {count}");
        }
        let _ = writeln!(out, "{name}_bucket{{{labels},le=\"+Inf\"}} {}", self.count);
        let _ = writeln!(out, "{name}_sum{{{labels}}} {}\n{name}_count{{{labels}}} {}", self.sum, self.count);
    }
}

/// Writes what a measure is, before its series.
pub fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn histograms_are_written_cumulatively() {
        let (mut histogram, limits) = (Histogram::default(), [0.5, 1.0]);
        for value in [0.25, 0.5, 4.0] {
            histogram.add(value, &limits);
        }
        let mut out = String::new();
        head(&mut out, "x", "histogram", "What.");
        histogram.write(&mut out, "x", "a=\"b\"", &limits);
        let wanted = "# HELP x What.\n# TYPE x histogram\nx_bucket{a=\"b\",le=\"0.5\"} 2\nx_bucket{a=\"b\",le=\"1\"} 2\n\
                      x_bucket{a=\"b\",le=\"+Inf\"} 3\nx_sum{a=\"b\"} 4.75\nx_count{a=\"b\"} 3\n";
        assert_eq!(out, wanted);
    }
}
