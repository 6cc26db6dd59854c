//! One histogram with a counter for every bucket: no bound to run into.

use crate::buckets::{Bucket, index, octaves, span};
use crate::totals::Totals;

/// The distribution of one quantity in octaves of `2^BITS` buckets. Use it where there is one quantity; a
/// [`crate::Recorder`] holds many in less.
///
/// The memory of counters is taken where values fall: of an octave without values no page is touched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distribution<const BITS: u32> {
    counters: Box<[u64]>,
    pub(crate) totals: Totals,
}

/// Two digits: a bucket is at most 1/128 (0.78 %) of its lower bound wide. At most 41 KiB.
pub type Histogram = Distribution<7>;

/// Three digits: a bucket is at most 1/1024 (0.098 %) of its lower bound wide. At most 304 KiB.
pub type FineHistogram = Distribution<10>;

impl<const BITS: u32> Distribution<BITS> {
    /// Bytes that its counters take when all are touched.
    pub const BYTES: usize = (octaves(BITS) << BITS) * size_of::<u64>();

    /// An empty histogram.
    #[must_use]
    pub fn new() -> Self {
        Self {
            counters: vec![0; octaves(BITS) << BITS].into_boxed_slice(),
            totals: Totals::EMPTY,
        }
    }

    /// Record one value in nanoseconds.
    #[inline]
    pub fn record(&mut self, ns: u64) {
        self.totals.add(&Totals::of(ns, 1));
        self.count_in(index::<BITS>(ns), 1);
    }

    /// Record the same value `times` times.
    pub fn record_many(&mut self, ns: u64, times: u64) {
        if times > 0 {
            self.totals.add(&Totals::of(ns, times));
            self.count_in(index::<BITS>(ns), times);
        }
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
        self.counters[touched::<BITS>(&self.totals)].fill(0);
        self.totals = Totals::EMPTY;
    }

    /// Exact count, sum, minimum and maximum.
    #[must_use]
    pub const fn totals(&self) -> &Totals {
        &self.totals
    }

    /// The value in nanoseconds below or at which the share `q` of all values lies, by nearest rank. The minimum and
    /// the maximum are exact, all between is off by at most half a bucket. 0 when there is no value.
    #[must_use]
    pub fn quantile(&self, q: f64) -> u64 {
        let [value] = self.quantiles([q]);
        value
    }

    /// The same for several shares in one pass.
    #[must_use]
    pub fn quantiles<const N: usize>(&self, qs: [f64; N]) -> [u64; N] {
        quantiles(self.spans(), self.totals.count, &self.totals, qs)
    }

    /// The buckets that are not empty, in rising order, with their counts.
    pub fn buckets(&self) -> impl Iterator<Item = (usize, u64)> {
        let touched = touched::<BITS>(&self.totals);
        touched
            .clone()
            .zip(&self.counters[touched])
            .map(|(bucket, &count)| (bucket, count))
            .filter(|&(_, count)| count != 0)
    }

    /// The same with the values that each bucket holds.
    pub fn spans(&self) -> impl Iterator<Item = Bucket> {
        self.buckets().map(|(bucket, count)| {
            let (low, high) = span::<BITS>(bucket, 0);
            Bucket { low, high, count }
        })
    }

    /// Add to one counter, without touching the totals.
    #[inline]
    fn count_in(&mut self, bucket: usize, count: u64) {
        let counter = &mut self.counters[bucket];
        *counter = counter.saturating_add(count);
    }
}

impl<const BITS: u32> Default for Distribution<BITS> {
    fn default() -> Self {
        Self::new()
    }
}

/// The buckets between the smallest and the largest value.
fn touched<const BITS: u32>(totals: &Totals) -> std::ops::Range<usize> {
    if totals.count() == 0 {
        0..0
    } else {
        index::<BITS>(totals.min())..index::<BITS>(totals.max()) + 1
    }
}

/// The value of rank `ceil(q * counted)` among those counted in buckets (nearest rank; `q` is held within 0 and 1).
///
/// The minimum and the maximum are exact; between them it is the middle of the bucket that holds the value, so it is
/// off by at most half a bucket. 0 when none was counted.
pub(crate) fn quantiles<const N: usize>(
    buckets: impl Iterator<Item = Bucket>,
    counted: u64,
    totals: &Totals,
    qs: [f64; N],
) -> [u64; N] {
    if counted == 0 {
        return [0; N];
    }
    let ranks = qs.map(|q| ((q.clamp(0.0, 1.0) * counted as f64).ceil() as u64).clamp(1, counted));
    let mut values = ranks.map(|rank| {
        if rank == 1 && counted > 1 {
            totals.min()
        } else {
            totals.max()
        }
    });
    let mut seen = 0_u64;
    for Bucket { low, high, count } in buckets {
        let before = seen;
        seen = seen.saturating_add(count);
        for (value, &rank) in values.iter_mut().zip(&ranks) {
            if before < rank && rank <= seen && rank > 1 && rank < counted {
                *value = (low + (high - low) / 2).clamp(totals.min(), totals.max());
            }
        }
    }
    values
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
        let new = FineHistogram::new;
        let (mut one, mut two, mut both) = (new(), new(), new());
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
        assert_eq!(one, FineHistogram::new());
    }
}
