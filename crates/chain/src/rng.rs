//! Random numbers: repeatable from a seed, and without bias.

#[cfg(test)]
pub mod chi_squared;

use rand_core::{RngCore, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// xoshiro256++ (Blackman and Vigna 2018): the same seed gives the same numbers on every machine
/// and in every version.
#[derive(Clone, Debug)]
pub struct Rng(Xoshiro256PlusPlus);

impl Rng {
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    /// Uniform in `0..bound`, exactly (Lemire 2019, "Fast random integer generation in an
    /// interval"); 0 when `bound` is 0.
    #[inline]
    pub fn below(&mut self, bound: u32) -> u32 {
        let mut product = self.0.next_u64().wrapping_shr(32) * u64::from(bound);
        if (product as u32) < bound {
            let floor = bound.wrapping_neg().checked_rem(bound).unwrap_or(0);
            while (product as u32) < floor {
                product = self.0.next_u64().wrapping_shr(32) * u64::from(bound);
            }
        }
        (product >> 32) as u32
    }

    /// Uniform in `0..bound` for bounds beyond 32 bits, by the same method.
    #[inline]
    pub fn below_u64(&mut self, bound: u64) -> u64 {
        if let Ok(small) = u32::try_from(bound) {
            return u64::from(self.below(small));
        }
        let mut product = u128::from(self.0.next_u64()) * u128::from(bound);
        if (product as u64) < bound {
            let floor = bound.wrapping_neg() % bound;
            while (product as u64) < floor {
                product = u128::from(self.0.next_u64()) * u128::from(bound);
            }
        }
        (product >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_numbers() {
        let draw = |seed| {
            let mut rng = Rng::seeded(seed);
            [
                rng.below(1000),
                rng.below(1000),
                rng.below(1000),
                rng.below(1000),
            ]
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }

    #[test]
    fn the_numbers_of_a_seed_never_change() {
        // Whoever keeps a seed keeps what it says. From the reference code of xoshiro256++, seeded
        // by SplitMix64: the upper half of each number, multiplied.
        let mut rng = Rng::seeded(42);
        let drawn: Vec<u32> = (0..6).map(|_| rng.below(1_000_000)).collect();
        assert_eq!(
            drawn,
            [814_305, 318_821, 983_894, 701_135, 793_504, 588_098]
        );
        let drawn: Vec<u64> = (0..4).map(|_| rng.below_u64(1 << 40)).collect();
        assert_eq!(
            drawn,
            [
                137_826_467_618,
                665_339_168_526,
                228_387_445_488,
                1_026_226_008_601
            ]
        );
    }

    #[test]
    fn a_bound_that_does_not_divide_is_hit_evenly() {
        // With three quarters of the range as bound, a remainder gives the low third twice its
        // share, and a product every third number.
        let mut rng = Rng::seeded(1);
        let bound = 3 << 30;
        let small: Vec<u32> = (0..30_000).map(|_| rng.below(bound)).collect();
        let bound = 3 << 62;
        let large: Vec<u64> = (0..30_000).map(|_| rng.below_u64(bound)).collect();
        for third in [
            small.iter().filter(|&&drawn| drawn < 1 << 30).count(),
            small
                .iter()
                .filter(|&&drawn| drawn.is_multiple_of(3))
                .count(),
            large.iter().filter(|&&drawn| drawn < 1 << 62).count(),
            large
                .iter()
                .filter(|&&drawn| drawn.is_multiple_of(3))
                .count(),
        ] {
            assert!((9_600..10_400).contains(&third), "{third}");
        }
    }

    #[test]
    fn zero_and_one_have_one_answer() {
        let mut rng = Rng::seeded(1);
        assert_eq!(rng.below(0), 0);
        assert_eq!(rng.below(1), 0);
        assert_eq!(rng.below_u64(1), 0);
    }
}
