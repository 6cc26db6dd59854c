//! How the bytes that a plan gives to percentiles are shared, and the least that do.
//!
//! ```text
//! sheet      2 recorders, each: tables, names and at least 128 bytes of counters a label
//!            a line a label: its counts, up to 32 statuses and classes, its name on its way to the collector
//!            the whole: 2 histograms of 304 KiB, 4 of 41 KiB, every status
//! thread     2 sheets, a table of names
//! run        1 sheet, a table of names, the whole of the running interval, the ring of intervals
//! total      threads x thread + run
//! ```
//!
//! What is left goes to the counters in equal parts: one for each sheet of a thread, two for that of the run, where
//! counters grow wider.

use chaffinch_histogram::{Labels, Recorder, USUAL_NAME};

use crate::{Error, Result};

use super::intervals::Interval;
use super::sheet::Sheet;
use super::whole::Whole;

/// Counters for which a label has room at least, in bytes: one octave at full resolution, eight at the lowest.
const LEAST_COUNTERS: usize = 128;

/// Bytes of a name for which the tables of names have room, on average.
const NAME_ROOM: usize = 2 * USUAL_NAME;

/// Who gets how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    pub bytes: usize,
    pub labels: usize,
    pub threads: usize,
    pub intervals: usize,
    /// The cap of each of the two recorders of a thread's sheet, and of those of the run's.
    pub(crate) thread_recorder: usize,
    pub(crate) run_recorder: usize,
}

impl Budget {
    /// The shares of `bytes` for that many labels, threads and kept intervals.
    ///
    /// # Errors
    /// It is less than [`Budget::least_bytes`]; the sentence says how that adds up.
    pub fn new(bytes: usize, labels: usize, threads: usize, intervals: usize) -> Result<Self> {
        let least = Self::least_bytes(labels, threads, intervals);
        let recorder = least_recorder(labels);
        let sheet = Sheet::bytes(labels, recorder);
        let Some(rest) = bytes.checked_sub(least) else {
            return Err(Error::input(format!(
                "percentiles.bytes is {bytes}, but {labels} labels on {threads} threads need at least {least}: {sheets} \
                 sheets of {sheet} bytes, {tables} tables of names of {names}, {interval} for the running interval and \
                 {intervals} intervals of {each}; ask for fewer labels, threads or intervals, or give more bytes",
                sheets = 2 * threads + 1,
                tables = threads + 1,
                names = name_bytes(labels),
                interval = Whole::BYTES,
                each = size_of::<Interval>(),
            )));
        };
        let part = rest / (2 * threads + 2);
        Ok(Self {
            bytes,
            labels,
            threads,
            intervals,
            thread_recorder: recorder + part / 2,
            run_recorder: recorder + part,
        })
    }

    /// The fewest bytes that do.
    #[must_use]
    pub const fn least_bytes(labels: usize, threads: usize, intervals: usize) -> usize {
        (2 * threads + 1) * Sheet::bytes(labels, least_recorder(labels))
            + (threads + 1) * name_bytes(labels)
            + Whole::BYTES
            + intervals * size_of::<Interval>()
    }

    pub(crate) fn names(&self) -> Labels {
        Labels::new(self.labels + 1, self.labels * NAME_ROOM)
    }
}

const fn least_recorder(labels: usize) -> usize {
    Recorder::least_bytes(labels) + labels * (Recorder::label_bytes(USUAL_NAME) + LEAST_COUNTERS)
}

const fn name_bytes(labels: usize) -> usize {
    Labels::most_bytes(labels + 1, labels * NAME_ROOM)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shared_adds_up() {
        for (labels, threads, intervals) in
            [(1, 1, 0), (1000, 1, 600), (1000, 4, 600), (10_000, 2, 60)]
        {
            let least = Budget::least_bytes(labels, threads, intervals);
            for bytes in [least, least + 100, 2 * least, least + (64 << 20)] {
                let budget = Budget::new(bytes, labels, threads, intervals).expect("enough");
                let sum = 2 * threads * Sheet::bytes(labels, budget.thread_recorder)
                    + Sheet::bytes(labels, budget.run_recorder)
                    + (threads + 1) * name_bytes(labels)
                    + Whole::BYTES
                    + intervals * size_of::<Interval>();
                assert!(
                    sum <= bytes && bytes - sum < 64 * threads + 64,
                    "{sum} of {bytes}"
                );
            }
            let error = Budget::new(least - 1, labels, threads, intervals).unwrap_err();
            assert!(
                error.to_string().contains(&format!("at least {least}")),
                "{error}"
            );
        }
    }

    #[test]
    fn the_default_of_a_plan_is_enough_for_its_labels() {
        assert!(Budget::least_bytes(1000, 1, 600) <= 16 << 20);
        assert!(Budget::least_bytes(10_000, 1, 600) <= 64 << 20);
    }
}
