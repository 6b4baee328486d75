//! Counters, in the text format of Prometheus (exposition format 0.0.4).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Upper bounds of the histogram, in milliseconds.
const BOUNDS: [u64; 10] = [5, 25, 100, 250, 1_000, 5_000, 15_000, 60_000, 300_000, 900_000];

/// What has been counted.
#[derive(Debug, Default)]
pub(super) struct Metrics(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    /// By route and outcome.
    requests: BTreeMap<(&'static str, &'static str), u64>,
    /// Per bound, and one for what is longer.
    buckets: [u64; BOUNDS.len() + 1],
    scan_seconds: f64,
    scanned_bytes: u64,
}

/// A value that goes up and down: name, help, value.
pub(super) type Gauge = (&'static str, &'static str, u64);

impl Metrics {
    /// A request has ended.
    pub(super) fn request(&self, route: &'static str, outcome: &'static str) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.requests.entry((route, outcome)).or_default();
        *count = count.saturating_add(1);
    }

    /// A file has been scanned.
    pub(super) fn scan(&self, took: Duration, bytes: u64) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = BOUNDS.iter().position(|bound| took <= Duration::from_millis(*bound)).unwrap_or(BOUNDS.len());
        if let Some(bucket) = counts.buckets.get_mut(place) {
            *bucket = bucket.saturating_add(1);
        }
        counts.scan_seconds += took.as_secs_f64();
        counts.scanned_bytes = counts.scanned_bytes.saturating_add(bytes);
    }

    /// All of it, and `gauges`. Labels are our own words, never a client's.
    pub(super) fn text(&self, gauges: &[Gauge], info: &[(&str, &str)]) -> String {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut out = String::new();
        let head = |out: &mut String, name: &str, kind: &str, help: &str| {
            let _ = writeln!(out, "# HELP weighin_gate_{name} {help}\n# TYPE weighin_gate_{name} {kind}");
        };
        head(&mut out, "requests_total", "counter", "Requests that have ended, by route and outcome.");
        for ((route, outcome), count) in &counts.requests {
            let _ = writeln!(out, "weighin_gate_requests_total{{route=\"{route}\",outcome=\"{outcome}\"}} {count}");
        }
        head(&mut out, "scan_seconds", "histogram", "Time that a thread spent on one file.");
        let mut below = 0_u64;
        let labels = BOUNDS.iter().map(|bound| Duration::from_millis(*bound).as_secs_f64().to_string());
        for (label, bucket) in labels.chain(["+Inf".to_owned()]).zip(counts.buckets) {
            below = below.saturating_add(bucket);
            let _ = writeln!(out, "weighin_gate_scan_seconds_bucket{{le=\"{label}\"}} {below}");
        }
        let _ = writeln!(out, "weighin_gate_scan_seconds_sum {}", counts.scan_seconds);
        let _ = writeln!(out, "weighin_gate_scan_seconds_count {below}");
        head(&mut out, "scanned_bytes_total", "counter", "Bytes of the files that were scanned.");
        let _ = writeln!(out, "weighin_gate_scanned_bytes_total {}", counts.scanned_bytes);
        for (name, help, value) in gauges {
            head(&mut out, name, "gauge", help);
            let _ = writeln!(out, "weighin_gate_{name} {value}");
        }
        head(&mut out, "info", "gauge", "What judges.");
        let info: Vec<String> = info.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
        let _ = writeln!(out, "weighin_gate_info{{{}}} 1", info.join(","));
        out
    }
}
