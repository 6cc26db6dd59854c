//! Which bucket a value falls into: octaves of 128 equal sub-buckets, as in a floating-point number with a mantissa
//! of seven bits.
//!
//! Octave 0 holds 0 to 127 ns exactly. Octave `k` from 1 holds `2^(k+6)` to `2^(k+7) - 1` ns in buckets of `2^(k-1)` ns.

/// Sub-buckets of an octave.
pub const SUB_BUCKETS: usize = 1 << SUB_BITS;
const SUB_BITS: u32 = 7;

/// Octaves from 0 ns to [`MAX_NS`].
pub const OCTAVES: usize = 36;

/// Buckets of a whole histogram.
pub const BUCKETS: usize = OCTAVES * SUB_BUCKETS;

/// The largest value with a bucket of its own size, 73 minutes. Larger values share the last bucket; their sum and
/// maximum stay exact.
pub const MAX_NS: u64 = (1 << 42) - 1;

/// The octave and the sub-bucket of a value.
#[inline]
pub(crate) const fn place(ns: u64) -> (usize, usize) {
    let value = if ns > MAX_NS { MAX_NS } else { ns };
    // Values below 128 get the leading bit of 127, so that octave 0 needs no branch of its own.
    let octave =
        (u64::BITS - SUB_BITS - (value | (SUB_BUCKETS as u64 - 1)).leading_zeros()) as usize;
    let sub = (value >> octave.saturating_sub(1)) as usize & (SUB_BUCKETS - 1);
    (octave, sub)
}

/// The index of a value's bucket, below [`BUCKETS`]. Indices rise with the values.
#[must_use]
pub const fn bucket_of(ns: u64) -> usize {
    let (octave, sub) = place(ns);
    octave * SUB_BUCKETS + sub
}

/// The smallest and the largest value of a bucket, in nanoseconds.
#[must_use]
pub const fn bounds(bucket: usize) -> (u64, u64) {
    let octave = bucket / SUB_BUCKETS;
    let sub = (bucket % SUB_BUCKETS) as u64;
    if octave == 0 {
        return (sub, sub);
    }
    let shift = octave - 1;
    let low = (SUB_BUCKETS as u64 + sub) << shift;
    (low, low + (1 << shift) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_cover_the_range_without_gap_or_overlap() {
        let mut next = 0;
        for bucket in 0..BUCKETS {
            let (low, high) = bounds(bucket);
            assert_eq!(low, next);
            assert_eq!(bucket_of(low), bucket);
            assert_eq!(bucket_of(high), bucket);
            next = high + 1;
        }
        assert_eq!(next, MAX_NS + 1);
    }

    #[test]
    fn no_bucket_is_wider_than_one_128th_of_its_lower_bound() {
        for bucket in SUB_BUCKETS..BUCKETS {
            let (low, high) = bounds(bucket);
            assert!(
                (high - low + 1) * 128 <= low,
                "bucket {bucket}: {low} to {high}"
            );
        }
    }

    #[test]
    fn what_is_longer_than_the_range_shares_the_last_bucket() {
        assert_eq!(bucket_of(MAX_NS + 1), BUCKETS - 1);
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
    }
}
