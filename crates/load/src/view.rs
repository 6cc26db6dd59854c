//! What whoever asks is told of a run: names and units are those of reports.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::Nanos;
use crate::engine::{Effort, State, busy_share};
use crate::record::{Both, HistogramsView, Interval, LabelSnapshot, Latencies, Snapshot, Under};

/// Everything at one moment.
#[derive(Debug, Clone, Serialize)]
pub struct View {
    pub state: &'static str,
    pub elapsed_s: f64,
    pub requests: u64,
    pub passed: u64,
    pub failed: u64,
    pub errors: BTreeMap<&'static str, u64>,
    /// The same in the six categories that other tools know.
    pub categories: BTreeMap<&'static str, u64>,
    pub statuses: BTreeMap<String, u64>,
    pub bytes_in: u64,
    pub bytes_out: u64,
    /// Iterations begun.
    pub iterations: u64,
    /// Steps answered from a user's cache, without a request.
    pub cached: u64,
    pub assertions_held: u64,
    pub in_flight: u32,
    /// Arrivals that were due; none in a closed model.
    pub asked: Option<u64>,
    pub unsent: u64,
    pub unanswered: u64,
    pub latency_ms: Both,
    pub latency_under: Under,
    pub phases_ms: BTreeMap<&'static str, Option<Latencies>>,
    pub labels: BTreeMap<String, Label>,
    pub folded: Folded,
    pub histograms: HistogramsView,
    pub generator: Generator,
    pub intervals: Vec<IntervalView>,
    /// Versions of the scenarios that are held, by number: the one that iterations begin in last, before it those that
    /// users are in the middle of. 0 is what the run began with.
    pub versions: Vec<u64>,
}

/// One label.
#[derive(Debug, Clone, Serialize)]
pub struct Label {
    pub requests: u64,
    pub failed: u64,
    pub iterations: u64,
    pub cached: u64,
    pub assertions_held: u64,
    pub errors: BTreeMap<&'static str, u64>,
    pub statuses: BTreeMap<String, u64>,
    pub bytes_in: u64,
    pub bytes_out: u64,
    pub latency_ms: Both,
}

/// What had no label of its own.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Folded {
    /// Different names: an estimate, within a few percent.
    pub labels: u64,
    /// Their requests.
    pub requests: u64,
    /// Latencies that lost their label later, for want of memory.
    pub records: u64,
}

/// Whether the figures are the target's or the generator's.
#[derive(Debug, Clone, Serialize)]
pub struct Generator {
    pub saturated: bool,
    pub why: Vec<String>,
    /// Of a processor, by thread.
    pub cpu_share: Vec<f64>,
    pub cpu_s: f64,
    pub late: u64,
    /// In the mean, of those that were late.
    pub late_ms: f64,
    pub starved: u64,
    pub bound: u64,
    pub again: u64,
    pub unasked: u64,
}

/// One interval.
#[derive(Debug, Clone, Serialize)]
pub struct IntervalView {
    pub n: u64,
    pub at_s: f64,
    pub seconds: f64,
    /// Arrivals that fell due; none in a closed model.
    pub asked: Option<u64>,
    pub requests: u64,
    pub failed: u64,
    pub errors: BTreeMap<&'static str, u64>,
    /// 1xx to 5xx.
    pub statuses: [u64; 5],
    pub in_flight: u32,
    pub bytes_in: u64,
    pub bytes_out: u64,
    pub latency_ms: Both,
}

impl View {
    pub(crate) fn new(
        (state, elapsed): (State, Nanos),
        asked: Option<u64>,
        snapshot: Snapshot,
        efforts: &[Effort],
        generator: Generator,
        intervals: Vec<IntervalView>,
        versions: Vec<u64>,
    ) -> Self {
        let sum = |of: fn(&Effort) -> u64| efforts.iter().map(of).sum::<u64>();
        let failed = snapshot.errors.values().sum::<u64>();
        Self {
            state: state.name(),
            elapsed_s: seconds(elapsed),
            requests: snapshot.requests,
            passed: snapshot.requests.saturating_sub(failed),
            failed,
            errors: snapshot.errors,
            categories: snapshot.categories,
            statuses: snapshot.statuses,
            bytes_in: snapshot.bytes.received,
            bytes_out: snapshot.bytes.sent,
            iterations: sum(|one| one.begun),
            cached: snapshot.cached,
            assertions_held: snapshot.assertions_held,
            in_flight: snapshot.in_flight,
            asked,
            unsent: sum(|one| one.unsent),
            unanswered: sum(|one| one.unanswered),
            latency_ms: snapshot.latency_ms,
            latency_under: snapshot.latency_under,
            phases_ms: snapshot.phases_ms,
            labels: snapshot
                .labels
                .into_iter()
                .map(|(name, label)| (name, Label::of(label)))
                .collect(),
            folded: Folded {
                labels: snapshot.folded_labels,
                requests: snapshot.folded,
                records: snapshot.histograms.folded_records,
            },
            histograms: snapshot.histograms,
            generator,
            intervals,
            versions,
        }
    }
}

impl Label {
    fn of(label: LabelSnapshot) -> Self {
        Self {
            requests: label.requests,
            failed: label.errors.values().sum(),
            iterations: label.iterations,
            cached: label.cached,
            assertions_held: label.assertions_held,
            errors: label.errors,
            statuses: label.statuses,
            bytes_in: label.bytes.received,
            bytes_out: label.bytes.sent,
            latency_ms: label.latency_ms,
        }
    }
}

impl Generator {
    pub(crate) fn of(
        saturated: bool,
        why: Vec<String>,
        efforts: &[Effort],
        elapsed: Nanos,
    ) -> Self {
        let sum = |of: fn(&Effort) -> u64| efforts.iter().map(of).sum::<u64>();
        let late = sum(|one| one.late);
        Self {
            saturated,
            why,
            cpu_share: efforts.iter().map(|one| busy_share(one, elapsed)).collect(),
            cpu_s: seconds(sum(|one| one.cpu)),
            late,
            late_ms: sum(|one| one.late_by) as f64 / 1e6 / late.max(1) as f64,
            starved: sum(|one| one.starved),
            bound: sum(|one| one.bound),
            again: sum(|one| one.again),
            unasked: sum(|one| one.unasked),
        }
    }
}

impl IntervalView {
    pub(crate) fn of(number: u64, interval: &Interval, asked: Option<u64>) -> Self {
        let errors = interval.failures();
        Self {
            n: number,
            at_s: seconds(interval.start),
            seconds: seconds(interval.end.saturating_sub(interval.start)),
            asked,
            requests: interval.requests,
            failed: errors.values().sum(),
            errors,
            statuses: interval.statuses,
            in_flight: interval.in_flight,
            bytes_in: interval.bytes_in,
            bytes_out: interval.bytes_out,
            latency_ms: interval.latencies(),
        }
    }
}

fn seconds(nanos: Nanos) -> f64 {
    nanos as f64 / 1e9
}
