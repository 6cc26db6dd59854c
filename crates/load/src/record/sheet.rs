//! A sheet: what was counted and measured, by label and as a whole. A thread writes one while the other is added to
//! that of the run.

use chaffinch_histogram::{Label, OTHER, Recorder, USUAL_NAME};

use crate::{Error, Nanos, Result};

use super::class::Class;
use super::counts::{Counts, Timing};
use super::outcomes;
use super::whole::{Phase, Whole};

#[derive(Debug)]
pub(crate) struct Line {
    /// The label's numbers in the two recorders: [`OTHER`] in one that had no room for it.
    pub(crate) corrected: Label,
    pub(crate) uncorrected: Label,
    pub(crate) counts: Counts,
}

#[derive(Debug)]
pub(crate) struct Sheet {
    pub(crate) lines: Vec<Line>,
    /// Latencies by label: of all requests, or of those that the sampling takes.
    pub(crate) corrected: Recorder,
    pub(crate) uncorrected: Recorder,
    pub(crate) whole: Whole,
    /// Names of labels that were added since the sheet was last cleared, in order.
    pub(crate) new_names: Vec<Box<str>>,
    /// Bytes that both recorders' counters had for themselves when the sheet was empty.
    room: usize,
    /// How the guard wants it.
    orders: Orders,
}

/// What a memory guard wants of every sheet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Orders {
    pub(crate) halvings: u8,
    pub(crate) counting: bool,
}

impl Orders {
    pub(crate) const NONE: Self = Self {
        halvings: 0,
        counting: true,
    };
}

impl Sheet {
    /// The most bytes of a sheet of that many labels whose two recorders take `recorder` bytes each.
    pub(crate) const fn bytes(labels: usize, recorder: usize) -> usize {
        let name = size_of::<Box<str>>() + USUAL_NAME;
        let line = size_of::<Line>() + outcomes::MOST_BYTES + name;
        2 * recorder + (labels + 1) * line + Whole::BYTES + size_of::<Self>()
    }

    pub(crate) fn new(labels: usize, recorder: usize) -> Result<Self> {
        let new =
            || Recorder::new(recorder, labels).map_err(|error| Error::input(error.to_string()));
        let mut sheet = Self {
            lines: Vec::with_capacity(labels + 1),
            corrected: new()?,
            uncorrected: new()?,
            whole: Whole::new(),
            new_names: Vec::new(),
            room: 0,
            orders: Orders::NONE,
        };
        sheet.room = sheet.free_bytes();
        sheet.lines.push(Line {
            corrected: OTHER,
            uncorrected: OTHER,
            counts: Counts::default(),
        });
        Ok(sheet)
    }

    /// Add the label of the next number. The caller holds the names and their bound.
    pub(crate) fn add_label(&mut self, name: &str) {
        self.lines.push(Line {
            corrected: self.corrected.label(name),
            uncorrected: self.uncorrected.label(name),
            counts: Counts::default(),
        });
    }

    /// Count a name for which there was no room.
    pub(crate) fn count_folded(&mut self, name: &str) {
        self.corrected.count_folded(name);
    }

    #[inline]
    pub(crate) fn answer(&mut self, label: Label, timing: &Timing, status: u16, sampled: bool) {
        self.whole.answer(timing, status);
        let line = &mut self.lines[label.0 as usize];
        line.counts.request(timing);
        line.counts.outcomes.status(status);
        if sampled {
            self.corrected.record(line.corrected, timing.corrected());
            self.uncorrected
                .record(line.uncorrected, timing.uncorrected());
        }
    }

    /// Latencies are those of answers and of requests that timed out: without these the slowest would be missing, and
    /// the others end early and would look fast.
    pub(crate) fn failure(&mut self, label: Label, class: Class, timing: &Timing, sampled: bool) {
        let line = &mut self.lines[label.0 as usize];
        line.counts.request(timing);
        self.whole.counts.request(timing);
        if class == Class::Timeout {
            self.whole.latency(timing);
            if sampled {
                self.corrected.record(line.corrected, timing.corrected());
                self.uncorrected
                    .record(line.uncorrected, timing.uncorrected());
            }
        }
        self.error(label, class, 0);
    }

    pub(crate) fn error(&mut self, label: Label, class: Class, status: u16) {
        self.lines[label.0 as usize].counts.error(class);
        self.whole.error(class, status);
    }

    pub(crate) fn cached(&mut self, label: Label) {
        self.lines[label.0 as usize].counts.cached += 1;
        self.whole.counts.cached += 1;
    }

    pub(crate) fn held(&mut self, label: Label, assertions: u64) {
        self.lines[label.0 as usize].counts.held += assertions;
        self.whole.counts.held += assertions;
    }

    pub(crate) fn iteration(&mut self, label: Label, took: Nanos) {
        self.lines[label.0 as usize].counts.iterations += 1;
        self.whole.counts.iterations += 1;
        self.whole.phase(Phase::Iteration, took);
    }

    /// Add another sheet, whose label `n` is this one's `labels[n]`.
    pub(crate) fn merge(&mut self, more: &Self, labels: &[Label]) {
        for (line, &label) in more.lines.iter().zip(labels) {
            let mine = &mut self.lines[label.0 as usize];
            mine.counts.merge(&line.counts);
            let (corrected, uncorrected) = (mine.corrected, mine.uncorrected);
            self.corrected
                .merge_label(corrected, &more.corrected, line.corrected);
            self.uncorrected
                .merge_label(uncorrected, &more.uncorrected, line.uncorrected);
        }
        self.corrected.merge_other(&more.corrected);
        self.uncorrected.merge_other(&more.uncorrected);
        self.whole.merge(&more.whole);
    }

    /// Forget what was recorded; labels stay. The memory of counters is given back to the system.
    pub(crate) fn clear(&mut self) {
        for line in &mut self.lines {
            line.counts.clear();
        }
        self.corrected.reset();
        self.uncorrected.reset();
        self.whole.clear();
        self.new_names = Vec::new();
    }

    pub(crate) fn obey(&mut self, orders: Orders) {
        if self.orders == orders {
            return;
        }
        self.orders = orders;
        for recorder in [&mut self.corrected, &mut self.uncorrected] {
            recorder.restore();
            for _ in 0..orders.halvings {
                recorder.halve();
            }
            if !orders.counting {
                recorder.drop_counters();
            }
        }
    }

    /// Whether so little room for counters is left that it should be emptied before resolution is lost.
    pub(crate) fn is_nearly_full(&self) -> bool {
        self.free_bytes() < self.room / 4
    }

    fn free_bytes(&self) -> usize {
        self.corrected
            .free_bytes()
            .min(self.uncorrected.free_bytes())
    }

    /// Bytes taken by what grows: the two recorders and the lines.
    pub(crate) fn memory_bytes(&self) -> usize {
        let line = |line: &Line| size_of::<Line>() + line.counts.outcomes.bytes();
        self.corrected.memory_bytes()
            + self.uncorrected.memory_bytes()
            + self.lines.iter().map(line).sum::<usize>()
            + Whole::BYTES
    }
}
