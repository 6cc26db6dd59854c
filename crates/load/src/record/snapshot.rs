//! What a poll gives: plain structs that serialise to the JSON of reports.

use std::collections::BTreeMap;

use chaffinch_histogram::{Distribution, Label, Recorder, Totals};
use serde::Serialize;

use super::class::Category;
use super::counts::Counts;
use super::whole::Whole;

const SHARES: [f64; 5] = [0.5, 0.9, 0.95, 0.99, 0.999];

/// Latencies in milliseconds.
#[derive(Debug, Default, Clone, PartialEq, Serialize)]
pub struct Latencies {
    pub p50: f64,
    pub p90: f64,
    pub p95: f64,
    pub p99: f64,
    pub p999: f64,
    pub max: f64,
    pub mean: f64,
    /// Values that the percentiles are of: fewer than requests when latencies are sampled, and fewer than maximum and
    /// mean are of when percentiles were off for a while.
    pub count: u64,
}

impl Latencies {
    pub(crate) fn of_whole<const BITS: u32>(histogram: &Distribution<BITS>) -> Self {
        let totals = histogram.totals();
        Self::new(histogram.quantiles(SHARES), totals, totals.count())
    }

    /// Those of a label, if values of it were counted.
    pub(crate) fn of_label(recorder: &Recorder, label: Label) -> Option<Self> {
        let counted = recorder.counted(label);
        (counted > 0).then(|| {
            let quantiles = recorder.quantiles(label, SHARES);
            Self::new(quantiles, recorder.totals(label), counted)
        })
    }

    fn new(quantiles: [u64; 5], totals: &Totals, count: u64) -> Self {
        let ms = |ns: u64| ns as f64 / 1e6;
        let [p50, p90, p95, p99, p999] = quantiles.map(ms);
        Self {
            p50,
            p90,
            p95,
            p99,
            p999,
            max: ms(totals.max()),
            mean: totals.mean() / 1e6,
            count,
        }
    }
}

/// Corrected and uncorrected; nothing where there was no value.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Both {
    pub corrected: Option<Latencies>,
    pub uncorrected: Option<Latencies>,
}

/// What metrics count latencies under, in milliseconds.
pub const BOUNDS_MS: [f64; 18] = [
    0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1e3, 2.5e3, 5e3, 1e4,
    3e4, 6e4,
];

/// How many latencies lie at or under each bound. Those of a bucket lie where its end does: 0.1 % off at most.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Under {
    pub bounds_ms: [f64; BOUNDS_MS.len()],
    pub corrected: [u64; BOUNDS_MS.len()],
    pub uncorrected: [u64; BOUNDS_MS.len()],
}

impl Under {
    pub(crate) fn of<const BITS: u32>(
        corrected: &Distribution<BITS>,
        uncorrected: &Distribution<BITS>,
    ) -> Self {
        Self {
            bounds_ms: BOUNDS_MS,
            corrected: under(corrected),
            uncorrected: under(uncorrected),
        }
    }
}

fn under<const BITS: u32>(histogram: &Distribution<BITS>) -> [u64; BOUNDS_MS.len()] {
    let mut counts = [0; BOUNDS_MS.len()];
    let highest = histogram.totals().max();
    for bucket in histogram.spans() {
        let end = bucket.high.min(highest) as f64 / 1e6;
        let first = BOUNDS_MS.partition_point(|&bound| bound < end);
        if let Some(count) = counts.get_mut(first) {
            *count += bucket.count;
        }
    }
    let mut sum = 0;
    counts.map(|count| {
        sum += count;
        sum
    })
}

/// Bytes of answers and of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Bytes {
    #[serde(rename = "in")]
    pub received: u64,
    #[serde(rename = "out")]
    pub sent: u64,
}

/// What is known of a label.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LabelSnapshot {
    pub requests: u64,
    pub iterations: u64,
    /// Requests that were not sent because their user had the answer.
    pub cached: u64,
    /// Assertions that held; those that did not are among the errors.
    pub assertions_held: u64,
    pub errors: BTreeMap<&'static str, u64>,
    /// By status; `4xx` and its like are those beyond the eight that a label counts one by one.
    pub statuses: BTreeMap<String, u64>,
    pub bytes: Bytes,
    /// None where the label was folded: they are under that of all others.
    pub latency_ms: Both,
    /// Sub-buckets an octave: a percentile is off by at most half of one part in so many.
    pub resolution: usize,
}

/// Everything at one moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Snapshot {
    pub requests: u64,
    pub iterations: u64,
    /// Requests that were not sent because their user had the answer.
    pub cached: u64,
    /// Assertions that held; those that did not are among the errors.
    pub assertions_held: u64,
    pub errors: BTreeMap<&'static str, u64>,
    /// The same errors: by the status of an answer where that is one, by class elsewhere.
    pub categories: BTreeMap<&'static str, u64>,
    pub statuses: BTreeMap<String, u64>,
    pub bytes: Bytes,
    pub latency_ms: Both,
    pub latency_under: Under,
    pub phases_ms: BTreeMap<&'static str, Option<Latencies>>,
    pub in_flight: u32,
    pub labels: BTreeMap<String, LabelSnapshot>,
    /// Requests counted in `__other__` because the label set was full.
    pub folded: u64,
    /// Different names that were: an estimate, within a few percent.
    pub folded_labels: u64,
    pub histograms: HistogramsView,
}

/// The memory of records, and what it cost them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct HistogramsView {
    pub bytes: usize,
    pub cap_bytes: usize,
    /// Labels that have a number of their own.
    pub labels: usize,
    pub most_labels: usize,
    /// The lowest resolution of any label, in sub-buckets an octave.
    pub resolution: usize,
    pub halvings: u64,
    /// Latencies counted in `__other__` instead of under their own label.
    pub folded_records: u64,
    pub percentiles: bool,
    pub sampling: f64,
    pub intervals: usize,
    pub intervals_dropped: u64,
}

pub(crate) fn errors(counts: &Counts) -> BTreeMap<&'static str, u64> {
    let classes = counts.outcomes.classes();
    classes
        .map(|(class, count)| (class.name(), count))
        .collect()
}

pub(crate) fn statuses(counts: &Counts) -> BTreeMap<String, u64> {
    let name = |status: u16| match status {
        0 => "other".to_owned(),
        1..=9 => format!("{status}xx"),
        _ => status.to_string(),
    };
    let statuses = counts.outcomes.statuses();
    statuses
        .map(|(status, count)| (name(status), count))
        .collect()
}

pub(crate) fn categories(whole: &Whole) -> BTreeMap<&'static str, u64> {
    let counts = Category::ALL.map(Category::name).into_iter();
    let counts = counts.zip(whole.categories);
    counts.filter(|&(_, count)| count > 0).collect()
}

pub(crate) const fn bytes(counts: &Counts) -> Bytes {
    Bytes {
        received: counts.bytes_in,
        sent: counts.bytes_out,
    }
}

#[cfg(test)]
mod tests {
    use chaffinch_histogram::FineHistogram;

    use super::*;

    #[test]
    fn latencies_are_counted_under_each_bound_that_they_do_not_pass() {
        let mut histogram = FineHistogram::new();
        histogram.record(1);
        histogram.record_many(2_000_000, 3);
        histogram.record(59_000_000_000);
        histogram.record(61_000_000_000);
        let counts = under(&histogram);
        let at = |ms: f64| {
            counts[BOUNDS_MS
                .iter()
                .position(|&bound| bound >= ms)
                .expect("one")]
        };
        assert_eq!(
            (at(0.1), at(1.0), at(2.5), at(3e4), at(6e4)),
            (1, 1, 4, 4, 5)
        );
        assert!(counts.is_sorted());
    }

    #[test]
    fn the_highest_latency_counts_as_what_it_is() {
        let mut histogram = FineHistogram::new();
        histogram.record(5_000_000);
        assert_eq!(under(&histogram)[5], 1);
        assert_eq!(under(&FineHistogram::new()), [0; BOUNDS_MS.len()]);
    }
}
