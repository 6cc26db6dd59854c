//! Even choices from random bits.

use rand_core::RngCore;

/// A number in `0..bound`, even to within `bound / 2^64`; 0 for an empty range.
pub(super) fn below(bound: u64, rng: &mut dyn RngCore) -> u64 {
    ((u128::from(rng.next_u64()) * u128::from(bound)) >> 64) as u64
}

/// A number in `least..=most`, which takes no random bits when they are one.
pub(super) fn between(least: u64, most: u64, rng: &mut dyn RngCore) -> u64 {
    if most <= least {
        least
    } else {
        least + below((most - least).saturating_add(1), rng)
    }
}

/// A number in `0.0..1.0`.
pub(super) fn unit(rng: &mut dyn RngCore) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}
