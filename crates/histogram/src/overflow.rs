//! What [`crate::OTHER`] holds: everything that found no room, at the resolution at which it came.

use crate::buckets::{Bucket, OCTAVES, SUB_BITS, SUB_BUCKETS, span};
use crate::histogram::Histogram;
use crate::totals::Totals;

/// A histogram whose octaves can be coarser each: a coarse bucket is counted in the first of those that it spans.
#[derive(Debug)]
pub(crate) struct Overflow {
    pub(crate) totals: Totals,
    counters: Box<[u64]>,
    drops: [u8; OCTAVES],
}

impl Overflow {
    pub(crate) const BYTES: usize = Histogram::BYTES;

    pub(crate) fn new() -> Self {
        Self {
            totals: Totals::EMPTY,
            counters: vec![0; OCTAVES * SUB_BUCKETS].into_boxed_slice(),
            drops: [0; OCTAVES],
        }
    }

    /// Add to one counter of an octave, which is as coarse as `drop` from now on.
    pub(crate) fn count_in(&mut self, octave: usize, sub: usize, drop: u8, count: u64) {
        self.coarsen(octave, drop);
        let coarse = sub >> self.drops[octave] << self.drops[octave];
        let counter = &mut self.counters[octave * SUB_BUCKETS + coarse];
        *counter = counter.saturating_add(count);
    }

    fn coarsen(&mut self, octave: usize, drop: u8) {
        if self.drops[octave] >= drop {
            return;
        }
        self.drops[octave] = drop;
        let start = octave * SUB_BUCKETS;
        for group in self.counters[start..start + SUB_BUCKETS].chunks_exact_mut(1 << drop) {
            let sum = group.iter().copied().fold(0, u64::saturating_add);
            group.fill(0);
            group[0] = sum;
        }
    }

    /// How often the resolution of each octave was halved.
    pub(crate) const fn drops(&self) -> &[u8; OCTAVES] {
        &self.drops
    }

    pub(crate) fn buckets(&self) -> impl Iterator<Item = (usize, u64)> {
        let counters = self.counters.iter().copied().enumerate();
        counters.filter(|&(_, count)| count != 0)
    }

    pub(crate) fn spans(&self) -> impl Iterator<Item = Bucket> {
        self.buckets().map(|(bucket, count)| {
            let (low, high) = span::<SUB_BITS>(bucket, self.drops[bucket / SUB_BUCKETS]);
            Bucket { low, high, count }
        })
    }

    pub(crate) fn forget_counters(&mut self) {
        self.counters.fill(0);
        self.drops = [0; OCTAVES];
    }

    pub(crate) fn reset(&mut self) {
        if self.totals.count() > 0 {
            self.forget_counters();
        }
        self.totals = Totals::EMPTY;
    }
}
