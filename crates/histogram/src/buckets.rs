//! Which bucket a value falls into: octaves of equal sub-buckets, as in a floating-point number with a mantissa of as
//! many bits.
//!
//! With 128 sub-buckets (7 bits) octave 0 holds 0 to 127 ns exactly, and octave `k` from 1 holds `2^(k+6)` to
//! `2^(k+7) - 1` ns in buckets of `2^(k-1)` ns.

/// Bits of a sub-bucket within a [`crate::Recorder`] at full resolution and a [`crate::Histogram`].
pub(crate) const SUB_BITS: u32 = 7;

/// Sub-buckets of an octave.
pub const SUB_BUCKETS: usize = 1 << SUB_BITS;

/// Octaves from 0 ns to [`MAX_NS`].
pub const OCTAVES: usize = octaves(SUB_BITS);

/// Buckets of a whole histogram.
pub const BUCKETS: usize = OCTAVES * SUB_BUCKETS;

const MAX_BITS: u32 = 47;

/// The largest value with a bucket of its own size, 39 hours: what a request waits for that was due at the beginning of
/// a day of overload. Larger values share the last bucket; their sum and maximum stay exact.
pub const MAX_NS: u64 = (1 << MAX_BITS) - 1;

/// How many octaves of `2^bits` sub-buckets there are up to [`MAX_NS`].
pub(crate) const fn octaves(bits: u32) -> usize {
    (MAX_BITS - bits + 1) as usize
}

/// Some values that are told apart from others, and how many there were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    /// The smallest value of the bucket in nanoseconds.
    pub low: u64,
    /// The largest one.
    pub high: u64,
    pub count: u64,
}

/// The octave and the sub-bucket of a value.
#[inline]
pub(crate) const fn place<const BITS: u32>(ns: u64) -> (usize, usize) {
    let value = if ns > MAX_NS { MAX_NS } else { ns };
    let mask = (1 << BITS) - 1;
    // Values below the first octave's end get the leading bit of its last, so that octave 0 needs no branch of its own.
    let octave = (u64::BITS - BITS - (value | mask).leading_zeros()) as usize;
    let sub = (value >> octave.saturating_sub(1)) & mask;
    (octave, sub as usize)
}

/// The index of a value's bucket of full resolution, below [`BUCKETS`]. Indices rise with the values.
#[must_use]
pub const fn bucket_of(ns: u64) -> usize {
    index::<SUB_BITS>(ns)
}

/// The smallest and the largest value of a bucket of full resolution, in nanoseconds.
#[must_use]
pub const fn bounds(bucket: usize) -> (u64, u64) {
    span::<SUB_BITS>(bucket, 0)
}

#[inline]
pub(crate) const fn index<const BITS: u32>(ns: u64) -> usize {
    let (octave, sub) = place::<BITS>(ns);
    (octave << BITS) + sub
}

/// The bounds of `2^drop` buckets from this one on, which are those of one at a resolution halved so often.
pub(crate) const fn span<const BITS: u32>(bucket: usize, drop: u8) -> (u64, u64) {
    let octave = bucket >> BITS;
    let sub = bucket as u64 & ((1 << BITS) - 1);
    let (shift, low) = if octave == 0 {
        (0, sub)
    } else {
        (octave - 1, ((1 << BITS) + sub) << (octave - 1))
    };
    (low, low + (1 << (shift + drop as usize)) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers<const BITS: u32>() {
        let mut next = 0;
        for bucket in 0..octaves(BITS) << BITS {
            let (low, high) = span::<BITS>(bucket, 0);
            assert_eq!(low, next);
            assert_eq!(index::<BITS>(low), bucket);
            assert_eq!(index::<BITS>(high), bucket);
            if bucket >= 1 << BITS {
                assert!((high - low + 1) << BITS <= low, "{bucket}: {low} to {high}");
            }
            next = high + 1;
        }
        assert_eq!(next, MAX_NS + 1);
    }

    #[test]
    fn buckets_cover_the_range_without_gap_or_overlap_and_are_narrow() {
        covers::<7>();
        covers::<10>();
    }

    #[test]
    fn a_coarse_bucket_is_its_finer_ones_together() {
        for bucket in (0..BUCKETS).step_by(8) {
            let (low, high) = span::<SUB_BITS>(bucket, 3);
            assert_eq!((low, high), (bounds(bucket).0, bounds(bucket + 7).1));
        }
    }

    #[test]
    fn what_is_longer_than_the_range_shares_the_last_bucket() {
        assert_eq!(bucket_of(MAX_NS + 1), BUCKETS - 1);
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
    }
}
