//! Which requests have their latency recorded by label when not all have.

use rand_core::{RngCore, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// Takes each request with the same chance, whatever came before: the requests between two that are taken are drawn
/// from the geometric distribution, so that one that is not taken costs a subtraction. "The first n of each hundred"
/// would follow whatever in the traffic has a period.
#[derive(Debug)]
pub(crate) struct Sampler {
    random: Xoshiro256PlusPlus,
    share: f64,
    /// 1 / ln(1 - share)
    scale: f64,
    skip: u64,
}

impl Sampler {
    /// Takes the share (0 to 1) of requests.
    pub(crate) fn new(share: f64, seed: u64) -> Self {
        let share = share.clamp(0.0, 1.0);
        let mut sampler = Self {
            random: Xoshiro256PlusPlus::seed_from_u64(seed),
            share,
            scale: (-share).ln_1p().recip(),
            skip: 0,
        };
        sampler.skip = sampler.draw();
        sampler
    }

    #[inline]
    pub(crate) fn takes(&mut self) -> bool {
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        if self.share < 1.0 {
            self.skip = self.draw();
        }
        true
    }

    fn draw(&mut self) -> u64 {
        if self.share >= 1.0 {
            return 0;
        }
        if self.share <= 0.0 {
            return u64::MAX;
        }
        // Above 0 and at most 1, so that the logarithm is finite.
        let uniform = ((self.random.next_u64() >> 11) + 1) as f64 / (1_u64 << 53) as f64;
        (uniform.ln() * self.scale) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_position_is_taken_as_often_as_any_other() {
        for share in [0.01, 0.2, 0.9] {
            let mut sampler = Sampler::new(share, 1);
            let mut taken = [0_u32; 100];
            let rounds = 20_000;
            for _ in 0..rounds {
                for position in &mut taken {
                    *position += u32::from(sampler.takes());
                }
            }
            let expected = share * f64::from(rounds);
            let spread = (expected * (1.0 - share)).sqrt();
            for (position, &count) in taken.iter().enumerate() {
                let off = (f64::from(count) - expected).abs() / spread;
                assert!(off < 5.0, "position {position}: {count} of {expected}");
            }
        }
    }

    #[test]
    fn all_and_none_are_exact() {
        let (mut all, mut none) = (Sampler::new(1.0, 1), Sampler::new(0.0, 1));
        assert!((0..1000).all(|_| all.takes()));
        assert!((0..1000).all(|_| !none.takes()));
    }
}
