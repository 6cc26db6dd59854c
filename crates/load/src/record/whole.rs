//! The latencies of everything together, in three digits, and its phases, in two. Never sampled, never folded.

use chaffinch_histogram::{FineHistogram, Histogram};

use crate::Nanos;

use super::class::{Category, Class};
use super::counts::{Counts, Timing};
use super::outcomes;

/// A part of the way of a request, or a whole iteration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    Connect,
    Tls,
    /// From the first byte sent to the first byte of the answer.
    FirstByte,
    /// A user's pass through a scenario, think times included.
    Iteration,
}

impl Phase {
    pub const COUNT: usize = 4;

    pub const ALL: [Self; Self::COUNT] =
        [Self::Connect, Self::Tls, Self::FirstByte, Self::Iteration];

    /// Its name in reports and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::FirstByte => "first_byte",
            Self::Iteration => "iteration",
        }
    }
}

#[derive(Debug)]
pub(crate) struct Whole {
    pub(crate) corrected: FineHistogram,
    pub(crate) uncorrected: FineHistogram,
    phases: [Histogram; Phase::COUNT],
    pub(crate) counts: Counts,
    /// Errors by [`Category`], in its order.
    pub(crate) categories: [u64; Category::COUNT],
}

impl Whole {
    /// The most bytes that it takes: all buckets touched, every status seen.
    pub(crate) const BYTES: usize = 2 * FineHistogram::BYTES
        + Phase::COUNT * Histogram::BYTES
        + outcomes::MOST_BYTES_EXACT
        + size_of::<Self>();

    pub(crate) fn new() -> Self {
        Self {
            corrected: FineHistogram::new(),
            uncorrected: FineHistogram::new(),
            phases: Default::default(),
            counts: Counts::default(),
            categories: [0; Category::COUNT],
        }
    }

    #[inline]
    pub(crate) fn answer(&mut self, timing: &Timing, status: u16) {
        self.counts.request(timing);
        self.counts.outcomes.status_exactly(status);
        self.latency(timing);
        self.phase(
            Phase::FirstByte,
            timing.first_byte.saturating_sub(timing.sent),
        );
    }

    #[inline]
    pub(crate) fn latency(&mut self, timing: &Timing) {
        self.corrected.record(timing.corrected());
        self.uncorrected.record(timing.uncorrected());
    }

    pub(crate) fn error(&mut self, class: Class, status: u16) {
        self.counts.error(class);
        self.categories[Category::of(class, status) as usize] += 1;
    }

    #[inline]
    pub(crate) fn phase(&mut self, phase: Phase, took: Nanos) {
        self.phases[phase as usize].record(took);
    }

    pub(crate) fn phases(&self) -> impl Iterator<Item = (Phase, &Histogram)> {
        Phase::ALL.into_iter().zip(&self.phases)
    }

    pub(crate) fn merge(&mut self, more: &Self) {
        self.corrected.merge(&more.corrected);
        self.uncorrected.merge(&more.uncorrected);
        for (phase, more) in self.phases.iter_mut().zip(&more.phases) {
            phase.merge(more);
        }
        self.counts.merge_exactly(&more.counts);
        for (count, more) in self.categories.iter_mut().zip(more.categories) {
            *count += more;
        }
    }

    pub(crate) fn clear(&mut self) {
        self.corrected.reset();
        self.uncorrected.reset();
        for phase in &mut self.phases {
            phase.reset();
        }
        self.counts.clear();
        self.categories = [0; Category::COUNT];
    }
}
