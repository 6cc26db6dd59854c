//! What is exact about a distribution whatever its buckets: count, sum, minimum, maximum.

/// Exact totals of recorded values, in nanoseconds. All zero when nothing was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    pub(crate) sum: u128,
    pub(crate) count: u64,
    pub(crate) min: u64,
    pub(crate) max: u64,
}

impl Totals {
    /// No values. The minimum stands at the top of its range so that `add` needs no branch.
    pub(crate) const EMPTY: Self = Self {
        sum: 0,
        count: 0,
        min: u64::MAX,
        max: 0,
    };

    /// `times` values of `ns`.
    pub(crate) const fn of(ns: u64, times: u64) -> Self {
        Self {
            sum: ns as u128 * times as u128,
            count: times,
            min: ns,
            max: ns,
        }
    }

    #[inline]
    pub(crate) fn add(&mut self, more: &Self) {
        self.sum = self.sum.saturating_add(more.sum);
        self.count = self.count.saturating_add(more.count);
        self.min = self.min.min(more.min);
        self.max = self.max.max(more.max);
    }

    /// How many values were recorded.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The sum of all values in nanoseconds.
    #[must_use]
    pub const fn sum(&self) -> u128 {
        self.sum
    }

    /// The smallest value in nanoseconds, 0 when there is none.
    #[must_use]
    pub const fn min(&self) -> u64 {
        if self.count == 0 { 0 } else { self.min }
    }

    /// The largest value in nanoseconds, 0 when there is none.
    #[must_use]
    pub const fn max(&self) -> u64 {
        self.max
    }

    /// The mean in nanoseconds, 0 when there is no value.
    #[must_use]
    pub fn mean(&self) -> f64 {
        if self.count == 0 {
            0.0
        } else {
            self.sum as f64 / self.count as f64
        }
    }
}
