//! The run's side: what threads hand over is added up here, by whoever asks how the run goes.

use std::sync::Arc;
use std::time::Duration;

use chaffinch_histogram::{Label, Labels, OTHER, OTHER_NAME, Recorder};

use crate::{Nanos, Result};

use super::budget::Budget;
use super::counts::Counts;
use super::handover::Handover;
use super::intervals::{Interval, Intervals};
use super::sampling::Sampler;
use super::sheet::{Line, Orders, Sheet};
use super::snapshot::{self, Both, HistogramsView, LabelSnapshot, Latencies, Snapshot, Under};
use super::thread::ThreadRecord;
use super::whole::Whole;

/// The totals of a run, its last intervals, and what a memory guard can do about them.
#[derive(Debug)]
pub struct Collector {
    budget: Budget,
    handover: Arc<Handover>,
    names: Labels,
    totals: Sheet,
    /// For each thread: the run's labels for the thread's.
    labels: Vec<Vec<Label>>,
    /// Bytes of each thread's sheet when it was last handed over.
    sheet_bytes: Vec<usize>,
    running: Whole,
    running_since: Nanos,
    intervals: Intervals,
    orders: Orders,
    sampling: f64,
    in_flight: u32,
    halvings: u64,
}

impl Collector {
    /// The run's side and one for each thread. The share of requests that `sampling` takes (0 to 1) has its latency
    /// recorded by label; all others count as well. With 0 there are no percentiles by label, and no memory goes to them. Threads hand
    /// over each `every` nanoseconds.
    ///
    /// # Errors
    /// The system does not give the memory.
    pub fn new(
        budget: Budget,
        sampling: f64,
        every: Nanos,
        seed: u64,
    ) -> Result<(Self, Vec<ThreadRecord>)> {
        let handover = Arc::new(Handover::new(budget.threads));
        let sheet = |recorder| Sheet::new(budget.labels, recorder);
        let mut recordings = Vec::new();
        for thread in 0..budget.threads {
            handover.slots()[thread].empty = Some(sheet(budget.thread_recorder)?);
            recordings.push(ThreadRecord::new(
                budget.names(),
                sheet(budget.thread_recorder)?,
                Sampler::new(sampling, seed.wrapping_add(thread as u64)),
                Arc::clone(&handover),
                thread,
                every.max(1),
            ));
        }
        let collector = Self {
            handover,
            names: budget.names(),
            totals: sheet(budget.run_recorder)?,
            labels: vec![vec![OTHER]; budget.threads],
            sheet_bytes: vec![0; budget.threads],
            running: Whole::new(),
            running_since: 0,
            intervals: Intervals::new(budget.intervals),
            orders: Orders::NONE,
            sampling: sampling.clamp(0.0, 1.0),
            in_flight: 0,
            halvings: 0,
            budget,
        };
        Ok((collector, recordings))
    }

    /// Wait for so long until a thread hands something over. Whether one did.
    #[must_use]
    pub fn wait(&self, timeout: Duration) -> bool {
        self.handover.wait(timeout)
    }

    /// Add up what was handed over and give the sheets back. Whether there was something.
    pub fn collect(&mut self) -> bool {
        let mut any = false;
        for thread in 0..self.budget.threads {
            loop {
                let mut slots = self.handover.slots();
                if slots[thread].full.is_empty() {
                    break;
                }
                let sheet = slots[thread].full.remove(0);
                drop(slots);
                let sheet = self.add(thread, sheet);
                self.handover.slots()[thread].empty.get_or_insert(sheet);
                any = true;
            }
        }
        self.in_flight = self
            .handover
            .slots()
            .iter()
            .map(|slot| slot.in_flight)
            .sum();
        any
    }

    fn add(&mut self, thread: usize, mut sheet: Sheet) -> Sheet {
        for name in &sheet.new_names {
            let label = intern(&mut self.names, &mut self.totals, name);
            self.labels[thread].push(label);
        }
        self.totals.merge(&sheet, &self.labels[thread]);
        self.running.merge(&sheet.whole);
        self.halvings += sheet.corrected.halvings() + sheet.uncorrected.halvings();
        self.sheet_bytes[thread] = sheet.memory_bytes();
        sheet.clear();
        sheet.obey(self.orders);
        sheet
    }

    /// End the running interval, keep it in the ring and begin the next. What threads have not handed over yet counts
    /// in the next.
    pub fn close_interval(&mut self, now: Nanos) -> Interval {
        let interval = Interval::new(self.running_since, now, self.in_flight, &self.running);
        self.running.clear();
        self.running_since = now;
        self.intervals.push(interval.clone());
        interval
    }

    /// The intervals that are kept, the oldest first.
    #[must_use = "it only looks"]
    pub fn intervals(&self) -> impl DoubleEndedIterator<Item = &Interval> {
        self.intervals.iter()
    }

    /// Everything, with every label that has a request or an iteration, and that of all others when latencies of labels
    /// were folded into it.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let mut snapshot = self.summary();
        let has_folded = self.totals.corrected.totals(OTHER).count() > 0
            || self.totals.uncorrected.totals(OTHER).count() > 0;
        let lines = (0..).map(Label).zip(&self.totals.lines);
        snapshot.labels = lines
            .filter(|&(label, line)| {
                line.counts != Counts::default() || label == OTHER && has_folded
            })
            .map(|(label, line)| {
                (
                    self.names.name(label).to_owned(),
                    self.label_snapshot(label, line),
                )
            })
            .collect();
        snapshot
    }

    /// Everything but labels, which takes as long whatever their number.
    #[must_use]
    pub fn summary(&self) -> Snapshot {
        let Whole {
            corrected,
            uncorrected,
            counts,
            ..
        } = &self.totals.whole;
        let some = |latencies: Latencies| (latencies.count > 0).then_some(latencies);
        let phases = self.totals.whole.phases();
        Snapshot {
            requests: counts.requests,
            iterations: counts.iterations,
            cached: counts.cached,
            assertions_held: counts.held,
            errors: snapshot::errors(counts),
            categories: snapshot::categories(&self.totals.whole),
            statuses: snapshot::statuses(counts),
            bytes: snapshot::bytes(counts),
            latency_ms: Both {
                corrected: some(Latencies::of_whole(corrected)),
                uncorrected: some(Latencies::of_whole(uncorrected)),
            },
            latency_under: Under::of(corrected, uncorrected),
            phases_ms: phases
                .map(|(phase, histogram)| (phase.name(), some(Latencies::of_whole(histogram))))
                .collect(),
            in_flight: self.in_flight,
            labels: std::collections::BTreeMap::new(),
            folded: self.totals.lines[0].counts.requests,
            folded_labels: self.totals.corrected.folded_labels(),
            histograms: self.histograms(),
        }
    }

    fn label_snapshot(&self, label: Label, line: &Line) -> LabelSnapshot {
        let Sheet {
            corrected,
            uncorrected,
            ..
        } = &self.totals;
        // What a label that was folded has in a recorder is that of all others.
        let own = |recorder: &Recorder, number: Label| {
            let is_its_own = label == OTHER || recorder.has_own(number);
            is_its_own.then(|| Latencies::of_label(recorder, number))?
        };
        LabelSnapshot {
            requests: line.counts.requests,
            iterations: line.counts.iterations,
            cached: line.counts.cached,
            assertions_held: line.counts.held,
            errors: snapshot::errors(&line.counts),
            statuses: snapshot::statuses(&line.counts),
            bytes: snapshot::bytes(&line.counts),
            latency_ms: Both {
                corrected: own(corrected, line.corrected),
                uncorrected: own(uncorrected, line.uncorrected),
            },
            resolution: corrected.resolution_of(line.corrected),
        }
    }

    fn histograms(&self) -> HistogramsView {
        let Sheet {
            corrected,
            uncorrected,
            ..
        } = &self.totals;
        HistogramsView {
            bytes: self.memory_bytes(),
            cap_bytes: self.budget.bytes,
            labels: self.names.len() - 1,
            most_labels: self.budget.labels,
            resolution: corrected.resolution().min(uncorrected.resolution()),
            halvings: self.halvings + corrected.halvings() + uncorrected.halvings(),
            folded_records: corrected.folded_records(),
            percentiles: self.orders.counting && self.sampling > 0.0,
            sampling: self.sampling,
            intervals: self.intervals.iter().count(),
            intervals_dropped: self.intervals.dropped(),
        }
    }

    /// Bytes of all records: the run's now, the threads' when they were last handed over, with their empty twins.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.totals.memory_bytes()
            + self.sheet_bytes.iter().sum::<usize>()
            + self.budget.threads * Whole::BYTES
            + Whole::BYTES
            + self.intervals.memory_bytes()
    }
}

/// What a memory guard does, in this order, and how it is undone. Threads' sheets follow when they are next given back,
/// for which they are asked to tick at once.
impl Collector {
    /// Give up the ring of intervals; those that come are counted and not kept.
    pub fn drop_intervals(&mut self) {
        self.intervals.drop_ring();
    }

    /// Halve the resolution of labels. False when it is at its lowest.
    pub fn halve(&mut self) -> bool {
        let halved = self.totals.corrected.halve() | self.totals.uncorrected.halve();
        if halved {
            self.orders.halvings += 1;
            self.handover.ask_all();
        }
        halved
    }

    /// Fold the share (0 to 1) of labels with the fewest latencies into the label of all others. Their counts stay.
    pub fn fold_cold(&mut self, share: f64) -> usize {
        let folded = self.totals.corrected.fold_coldest(share);
        self.totals.uncorrected.fold_coldest(share);
        folded
    }

    /// Give up the counters of latencies by label. Counts, means and maxima stay, and so does what is measured of
    /// everything together.
    pub fn percentiles_off(&mut self) {
        self.orders.counting = false;
        self.totals.corrected.drop_counters();
        self.totals.uncorrected.drop_counters();
        self.handover.ask_all();
    }

    /// Undo all of it for what comes. What is gone stays gone.
    pub fn restore(&mut self) {
        self.orders = Orders::NONE;
        self.intervals.restore(self.budget.intervals);
        self.totals.corrected.restore();
        self.totals.uncorrected.restore();
        self.handover.ask_all();
    }
}

/// The run's label of a name that a thread has.
fn intern(names: &mut Labels, totals: &mut Sheet, name: &str) -> Label {
    let known = names.len();
    let label = names.intern(name).unwrap_or_else(|| {
        totals.count_folded(name);
        OTHER
    });
    if names.len() > known {
        totals.add_label(name);
    }
    debug_assert!(label == OTHER || name != OTHER_NAME);
    label
}
