//! One histogram with a counter for every bucket: 36 KiB, no bound to run into.

use crate::buckets::{BUCKETS, bounds, bucket_of};
use crate::totals::Totals;

/// The distribution of one quantity. Use it where there is one; a [`crate::Recorder`] holds many in less.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Histogram {
    counters: Box<[u64]>,
    pub(crate) totals: Totals,
}

impl Histogram {
    /// Bytes that its counters take.
    pub(crate) const BYTES: usize = BUCKETS * size_of::<u64>();

    /// An empty histogram.
    #[must_use]
    pub fn new() -> Self {
        Self {
            counters: vec![0; BUCKETS].into_boxed_slice(),
            totals: Totals::EMPTY,
        }
    }

    /// Record one value in nanoseconds.
    pub fn record(&mut self, ns: u64) {
        self.totals.add(&Totals::of(ns, 1));
        self.count_in(bucket_of(ns), 1);
    }

    /// Add everything that `other` holds: the same as having recorded it here.
    pub fn merge(&mut self, other: &Self) {
        self.totals.add(&other.totals);
        for (bucket, count) in other.buckets() {
            self.count_in(bucket, count);
        }
    }

    /// Forget every value.
    pub fn reset(&mut self) {
        self.counters.fill(0);
        self.totals = Totals::EMPTY;
    }

    /// Exact count, sum, minimum and maximum.
    #[must_use]
    pub const fn totals(&self) -> &Totals {
        &self.totals
    }

    /// The value in nanoseconds below or at which the share `q` of all values lies; see [`quantile`].
    #[must_use]
    pub fn quantile(&self, q: f64) -> u64 {
        quantile(self.buckets(), &self.totals, q)
    }

    /// The buckets that are not empty, in rising order, with their counts.
    pub fn buckets(&self) -> impl Iterator<Item = (usize, u64)> {
        self.counters
            .iter()
            .copied()
            .enumerate()
            .filter(|&(_, count)| count != 0)
    }

    /// Add to one counter, without touching the totals.
    pub(crate) fn count_in(&mut self, bucket: usize, count: u64) {
        let counter = &mut self.counters[bucket];
        *counter = counter.saturating_add(count);
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Self::new()
    }
}

/// The value of rank `ceil(q * count)` among all values in order (nearest rank; `q` is held within 0 and 1).
///
/// The minimum and the maximum are exact; between them it is the middle of the bucket that holds the value, so it is
/// off by at most half a bucket. 0 when there is no value.
pub(crate) fn quantile(
    buckets: impl Iterator<Item = (usize, u64)>,
    totals: &Totals,
    q: f64,
) -> u64 {
    let count = totals.count();
    let rank = ((q.clamp(0.0, 1.0) * count as f64).ceil() as u64).clamp(1, count.max(1));
    if rank == count {
        return totals.max();
    }
    if rank == 1 {
        return totals.min();
    }
    let mut seen = 0_u64;
    for (bucket, held) in buckets {
        seen = seen.saturating_add(held);
        if seen >= rank {
            let (low, high) = bounds(bucket);
            return (low + (high - low) / 2).clamp(totals.min(), totals.max());
        }
    }
    totals.max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_histogram_answers_zero() {
        let empty = Histogram::new();
        assert_eq!(
            (
                empty.totals().count(),
                empty.totals().min(),
                empty.totals().max(),
                empty.quantile(0.5)
            ),
            (0, 0, 0, 0)
        );
        assert!(empty.totals().mean().abs() < f64::EPSILON);
    }

    #[test]
    fn the_ends_are_exact() {
        let mut histogram = Histogram::new();
        for ns in [1_234_567, 89, 40_000_000_001] {
            histogram.record(ns);
        }
        assert_eq!(histogram.quantile(0.0), 89);
        assert_eq!(histogram.quantile(1.0), 40_000_000_001);
        assert_eq!(histogram.quantile(f64::NAN), 89);
        assert_eq!(histogram.totals().sum(), 40_001_234_657);
    }

    #[test]
    fn a_merge_is_as_if_recorded_here() {
        let (mut one, mut two, mut both) = (Histogram::new(), Histogram::new(), Histogram::new());
        for n in 0..2000_u64 {
            let ns = n * n * 977;
            if n % 3 == 0 {
                one.record(ns);
            } else {
                two.record(ns);
            }
            both.record(ns);
        }
        one.merge(&two);
        assert_eq!(one, both);
        one.reset();
        assert_eq!(one, Histogram::new());
    }
}
