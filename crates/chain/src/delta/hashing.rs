//! A hash of 64-bit keys that nobody can prepare collisions for.

use std::hash::{BuildHasher, RandomState};

/// One function of a pairwise independent family, drawn at random for each table: the upper half of
/// `a * key + b` modulo 2^128 (Dietzfelbinger 1996, "Universal hashing and k-wise independent
/// random variables via integer arithmetic without primes"), folded once, which is one-to-one and
/// so keeps the property.
///
/// Keys are numbers given out in order of first appearance, so a stranger who writes the messages
/// chooses which keys there are. Whatever the choice, made without knowing `a` and `b`, two keys
/// agree on any l bits of the hash with probability 2^-l. `a` and `b` never leave the process, no
/// order of iteration shows them, and each delta draws new ones.
#[derive(Clone, Copy, Debug)]
pub struct Hash {
    a: u128,
    b: u128,
}

impl Hash {
    /// Another function each time, from the randomness with which the process seeds its hash maps.
    #[must_use]
    pub fn random() -> Self {
        let random = RandomState::new();
        let wide = |index: u64| {
            u128::from(random.hash_one(index)) << 64 | u128::from(random.hash_one(index + 1))
        };
        Self {
            a: wide(0),
            b: wide(2),
        }
    }

    #[inline]
    #[must_use]
    pub fn of(&self, key: u64) -> u64 {
        let wide = self.a.wrapping_mul(u128::from(key)).wrapping_add(self.b);
        let upper = (wide >> 64) as u64;
        // Without this, keys in arithmetic progression would have hashes in one, too.
        upper ^ upper >> 32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    #[test]
    fn keys_in_a_pattern_do_not_gather() {
        // One after the other, same lower half, same upper half: what multiplication handles badly.
        let patterns: [fn(u64) -> u64; 4] = [
            |index| index,
            |index| index << 32,
            |index| index << 48,
            |index| index << 32 | index,
        ];
        let mut rng = Rng::seeded(1);
        let mut wide =
            || u128::from(rng.below_u64(u64::MAX)) << 64 | u128::from(rng.below_u64(u64::MAX));
        for _ in 0..10 {
            let hash = Hash {
                a: wide(),
                b: wide(),
            };
            for (pattern, shift) in patterns
                .iter()
                .flat_map(|pattern| [(pattern, 0), (pattern, 57)])
            {
                let mut buckets = [0_u32; 128];
                for index in 0..1 << 14 {
                    buckets[(hash.of(pattern(index)) >> shift & 127) as usize] += 1;
                }
                // 128 are expected; a multiplication that ignores the upper half puts all in one.
                assert!(buckets.iter().all(|&bucket| bucket < 512), "{buckets:?}");
            }
        }
    }

    #[test]
    fn no_two_tables_share_a_function() {
        assert_ne!(Hash::random().of(1), Hash::random().of(1));
    }
}
