//! The last intervals of a run in a ring of stated size.

use std::collections::{BTreeMap, VecDeque};

use crate::Nanos;

use super::class::Class;
use super::snapshot::{Both, Latencies};
use super::whole::Whole;

/// What happened between two closings.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Interval {
    pub start: Nanos,
    pub end: Nanos,
    pub requests: u64,
    /// By [`Class`], in its order.
    pub errors: [u64; Class::COUNT],
    /// 1xx to 5xx.
    pub statuses: [u64; 5],
    pub bytes_in: u64,
    pub bytes_out: u64,
    pub iterations: u64,
    pub corrected: Latencies,
    pub uncorrected: Latencies,
    pub in_flight: u32,
}

impl Interval {
    pub(crate) fn new(start: Nanos, end: Nanos, in_flight: u32, whole: &Whole) -> Self {
        let counts = &whole.counts;
        let (mut errors, mut statuses) = ([0; Class::COUNT], [0; 5]);
        for (class, count) in counts.outcomes.classes() {
            errors[class.index()] += count;
        }
        for (status, count) in counts.outcomes.statuses() {
            if let Some(family) = statuses.get_mut((status / 100).wrapping_sub(1) as usize) {
                *family += count;
            }
        }
        Self {
            start,
            end,
            requests: counts.requests,
            errors,
            statuses,
            bytes_in: counts.bytes_in,
            bytes_out: counts.bytes_out,
            iterations: counts.iterations,
            corrected: Latencies::of_whole(&whole.corrected),
            uncorrected: Latencies::of_whole(&whole.uncorrected),
            in_flight,
        }
    }

    /// Requests that failed, by the name of their class.
    #[must_use]
    pub fn failures(&self) -> BTreeMap<&'static str, u64> {
        let classes = Class::ALL.into_iter().map(Class::name).zip(self.errors);
        classes.filter(|&(_, count)| count > 0).collect()
    }

    /// None where nothing was answered.
    #[must_use]
    pub fn latencies(&self) -> Both {
        let some = |latencies: &Latencies| (latencies.count > 0).then(|| latencies.clone());
        Both {
            corrected: some(&self.corrected),
            uncorrected: some(&self.uncorrected),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Intervals {
    ring: VecDeque<Interval>,
    most: usize,
    dropped: u64,
}

impl Intervals {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            ring: resident(most),
            most,
            dropped: 0,
        }
    }

    /// Keep an interval; the oldest goes when the ring is full, all go when it was dropped.
    pub(crate) fn push(&mut self, interval: Interval) {
        if self.ring.len() == self.most {
            self.dropped += 1;
            if self.ring.pop_front().is_none() {
                return;
            }
        }
        self.ring.push_back(interval);
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Interval> {
        self.ring.iter()
    }

    /// Give the memory back and keep no interval until [`Intervals::restore`].
    pub(crate) fn drop_ring(&mut self) {
        self.dropped += self.ring.len() as u64;
        self.ring = VecDeque::new();
        self.most = 0;
    }

    pub(crate) fn restore(&mut self, most: usize) {
        if self.most == 0 {
            self.ring = resident(most);
            self.most = most;
        }
    }

    /// Intervals that were not kept.
    pub(crate) const fn dropped(&self) -> u64 {
        self.dropped
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.ring.capacity() * size_of::<Interval>()
    }
}

/// An empty ring whose memory is there from the beginning: a run that grows until its ring is full looks like a leak.
fn resident(most: usize) -> VecDeque<Interval> {
    let mut ring = VecDeque::with_capacity(most);
    ring.resize_with(most, Interval::default);
    ring.clear();
    ring
}
