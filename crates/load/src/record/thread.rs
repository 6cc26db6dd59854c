//! What an engine thread records into.

use std::sync::Arc;

use chaffinch_histogram::{Label, Labels, OTHER};

use crate::Nanos;

use super::class::Class;
use super::counts::Timing;
use super::handover::Handover;
use super::sampling::Sampler;
use super::sheet::Sheet;
use super::whole::Phase;

/// Answers between two looks at how full the sheet is.
const LOOK_EVERY: u32 = 64;

/// One thread's records. Nothing here allocates, locks or hashes for a request whose label is known, but at a tick.
#[derive(Debug)]
pub struct ThreadRecord {
    names: Labels,
    sheet: Sheet,
    sampler: Sampler,
    handover: Arc<Handover>,
    thread: usize,
    /// From one tick to the next, and when that is.
    every: Nanos,
    due: Nanos,
    look_in: u32,
    nearly_full: bool,
}

impl ThreadRecord {
    pub(crate) fn new(
        names: Labels,
        sheet: Sheet,
        sampler: Sampler,
        handover: Arc<Handover>,
        thread: usize,
        every: Nanos,
    ) -> Self {
        Self {
            names,
            sheet,
            sampler,
            handover,
            thread,
            every,
            due: every,
            look_in: LOOK_EVERY,
            nearly_full: false,
        }
    }

    /// The label of a name, good for the whole run. When there are as many labels as were planned, a new name gets that
    /// of [`chaffinch_histogram::OTHER_NAME`], and how many did is counted.
    pub fn label(&mut self, name: &str) -> Label {
        let known = self.names.len();
        let Some(label) = self.names.intern(name) else {
            self.sheet.count_folded(name);
            return OTHER;
        };
        if self.names.len() > known {
            let name = self.names.name(label);
            self.sheet.add_label(name);
            self.sheet.new_names.push(name.into());
        }
        label
    }

    /// An answer came. Whether it is an error is said by [`ThreadRecord::error`].
    ///
    /// # Panics
    /// If the label is not one that this thread was given.
    #[inline]
    pub fn answered(&mut self, label: Label, timing: &Timing, status: u16) {
        let sampled = self.sampler.takes();
        self.sheet.answer(label, timing, status, sampled);
        self.look_at_times();
    }

    /// A request ended without an answer; `timing` says how far it got.
    ///
    /// # Panics
    /// As [`ThreadRecord::answered`].
    pub fn failed(&mut self, label: Label, class: Class, timing: &Timing) {
        let sampled = self.sampler.takes();
        self.sheet.failure(label, class, timing, sampled);
        self.look_at_times();
    }

    /// Something is wrong with an answer of this status that was counted.
    ///
    /// # Panics
    /// As [`ThreadRecord::answered`].
    pub fn error(&mut self, label: Label, class: Class, status: u16) {
        self.sheet.error(label, class, status);
    }

    /// A user went through a scenario. The label is the scenario's, not that of a step.
    ///
    /// # Panics
    /// As [`ThreadRecord::answered`].
    pub fn iteration(&mut self, label: Label, took: Nanos) {
        self.sheet.iteration(label, took);
    }

    /// A user had the answer already, and nothing was sent.
    ///
    /// # Panics
    /// As [`ThreadRecord::answered`].
    pub fn cached(&mut self, label: Label) {
        self.sheet.cached(label);
    }

    /// So many assertions of an answer held. One that did not is an error.
    ///
    /// # Panics
    /// As [`ThreadRecord::answered`].
    pub fn held(&mut self, label: Label, assertions: u16) {
        self.sheet.held(label, assertions.into());
    }

    /// A connection was made.
    pub fn connected(&mut self, took: Nanos) {
        self.sheet.whole.phase(Phase::Connect, took);
    }

    /// A TLS handshake was done.
    pub fn secured(&mut self, took: Nanos) {
        self.sheet.whole.phase(Phase::Tls, took);
    }

    /// When the next tick is due.
    #[must_use]
    pub fn due(&self) -> Nanos {
        self.due
    }

    /// Whether to tick now.
    #[must_use]
    pub fn is_due(&self, now: Nanos) -> bool {
        now >= self.due || self.wants_tick()
    }

    /// Whether to tick before it is due: the sheet is nearly full, or the collector asks for it.
    #[must_use]
    pub fn wants_tick(&self) -> bool {
        self.nearly_full || self.handover.is_asked(self.thread)
    }

    /// Hand over what was recorded and go on with an empty sheet. False when the collector has not given the last one
    /// back yet: then nothing changes, and the next tick takes it along.
    pub fn tick(&mut self, now: Nanos, in_flight: u32) -> bool {
        self.due = (now / self.every + 1) * self.every;
        let mut slots = self.handover.slots();
        let slot = &mut slots[self.thread];
        slot.in_flight = in_flight;
        let Some(mut sheet) = slot.empty.take() else {
            drop(slots);
            // Not again for each request that comes until the collector is done.
            self.nearly_full = false;
            return false;
        };
        drop(slots);
        for number in sheet.lines.len()..self.names.len() {
            sheet.add_label(self.names.name(Label(number as u32)));
        }
        let full = std::mem::replace(&mut self.sheet, sheet);
        self.handover.slots()[self.thread].full.push(full);
        self.handover.answered(self.thread);
        self.handover.notify();
        self.nearly_full = false;
        self.look_in = LOOK_EVERY;
        true
    }

    /// Hand over what was recorded, for good.
    pub fn finish(self) {
        let mut slots = self.handover.slots();
        let slot = &mut slots[self.thread];
        slot.in_flight = 0;
        slot.full.push(self.sheet);
        drop(slots);
        self.handover.notify();
    }

    #[inline]
    fn look_at_times(&mut self) {
        self.look_in -= 1;
        if self.look_in == 0 {
            self.look();
        }
    }

    #[cold]
    fn look(&mut self) {
        self.look_in = LOOK_EVERY;
        self.nearly_full = self.sheet.is_nearly_full();
    }
}
