//! What is counted exactly, whatever is sampled or folded: of a label, of a thread, of a run.

use crate::Nanos;

use super::class::Class;
use super::outcomes::Outcomes;

/// When a request went through its stations, and how many bytes went.
#[derive(Debug, Clone, Copy, Default)]
pub struct Timing {
    /// When the model wanted it to begin.
    pub intended: Nanos,
    /// When its first byte was sent.
    pub sent: Nanos,
    /// When the first byte of the answer came.
    pub first_byte: Nanos,
    /// When the last byte of the answer came.
    pub ended: Nanos,
    pub sent_bytes: u32,
    pub received: u64,
}

impl Timing {
    /// How long it took from when it should have begun.
    #[must_use]
    pub const fn corrected(&self) -> Nanos {
        self.ended.saturating_sub(self.intended)
    }

    /// How long it took from when it was sent.
    #[must_use]
    pub const fn uncorrected(&self) -> Nanos {
        self.ended.saturating_sub(self.sent)
    }
}

/// Counts of a label, or of everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Answers, and requests that failed without one.
    pub(crate) requests: u64,
    pub(crate) errors: u64,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
    /// Passes of a user through a scenario.
    pub(crate) iterations: u64,
    /// Requests that were not sent because their user had the answer.
    pub(crate) cached: u64,
    /// Assertions that held; those that did not are errors.
    pub(crate) held: u64,
    pub(crate) outcomes: Outcomes,
}

impl Counts {
    #[inline]
    pub(crate) fn request(&mut self, timing: &Timing) {
        self.requests += 1;
        self.bytes_in += timing.received;
        self.bytes_out += u64::from(timing.sent_bytes);
    }

    pub(crate) fn error(&mut self, class: Class) {
        self.errors += 1;
        self.outcomes.class(class);
    }

    fn add(&mut self, more: &Self) {
        self.requests += more.requests;
        self.errors += more.errors;
        self.bytes_in += more.bytes_in;
        self.bytes_out += more.bytes_out;
        self.iterations += more.iterations;
        self.cached += more.cached;
        self.held += more.held;
    }

    /// Add those of a label.
    pub(crate) fn merge(&mut self, more: &Self) {
        self.add(more);
        self.outcomes.merge(&more.outcomes);
    }

    /// Add those of everything, with every status.
    pub(crate) fn merge_exactly(&mut self, more: &Self) {
        self.add(more);
        self.outcomes.merge_exactly(&more.outcomes);
    }

    /// Forget the counts and keep the memory.
    pub(crate) fn clear(&mut self) {
        let mut outcomes = std::mem::take(&mut self.outcomes);
        outcomes.clear();
        *self = Self {
            outcomes,
            ..Self::default()
        };
    }
}
