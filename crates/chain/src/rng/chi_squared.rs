//! Whether draws have the distribution they should have: Pearson's chi-squared test.

use std::collections::BTreeMap;
use std::fmt::Debug;

/// Quantile of the normal distribution beyond which one in a million lies: a right sampler fails
/// for one seed in a million, and seeds are fixed.
const QUANTILE: f64 = 4.753;

/// Outcomes expected less often than this are counted as one.
const LEAST_EXPECTED: f64 = 5.0;

/// An error that says what is wrong when draws are not of these weights, which need not add up
/// to 1.
pub fn check<K: Ord + Debug>(
    weights: &BTreeMap<K, f64>,
    drawn: &BTreeMap<K, u64>,
) -> Result<(), String> {
    let impossible = |key: &&K| weights.get(key).is_none_or(|&weight| weight <= 0.0);
    if let Some(key) = drawn.keys().find(impossible) {
        return Err(format!("{key:?} cannot be drawn"));
    }
    let scale = drawn.values().sum::<u64>() as f64 / weights.values().sum::<f64>();
    let (mut statistic, mut cells) = (0.0, 0);
    let mut add = |drawn: f64, expected: f64| {
        statistic += (drawn - expected).powi(2) / expected;
        cells += 1;
    };
    let mut rare = (0.0, 0.0);
    for (key, weight) in weights {
        let drawn = drawn.get(key).copied().unwrap_or(0) as f64;
        let expected = weight * scale;
        if expected < LEAST_EXPECTED {
            rare = (rare.0 + drawn, rare.1 + expected);
        } else {
            add(drawn, expected);
        }
    }
    if rare.1 >= LEAST_EXPECTED {
        add(rare.0, rare.1);
    } else if rare.0 > 30.0 {
        return Err(format!("{} rare ones instead of {:.1}", rare.0, rare.1));
    }
    let most = critical(cells - 1);
    if statistic > most {
        return Err(format!("chi-squared {statistic:.1} > {most:.1}: {drawn:?}"));
    }
    Ok(())
}

/// Asserts that `draw` draws with these weights, and that so many draws would tell others apart.
#[track_caller]
pub fn assert_drawn<K: Ord + Clone + Debug>(
    weights: &BTreeMap<K, f64>,
    times: usize,
    mut draw: impl FnMut() -> K,
) {
    let mut drawn = BTreeMap::new();
    for _ in 0..times {
        *drawn.entry(draw()).or_insert(0) += 1;
    }
    if let Err(why) = check(weights, &drawn) {
        panic!("{why}, expected {weights:?}");
    }
    let refused = |wrong: &BTreeMap<K, f64>| check(wrong, &drawn).is_err();
    assert!(
        weights.len() == 1 || bent(weights).iter().any(refused),
        "{times} draws do not tell {weights:?} from others"
    );
}

/// Wrong weights, twice: every other outcome a third more likely, and those between less by a
/// third; and the most likely one half as likely.
fn bent<K: Ord + Clone>(weights: &BTreeMap<K, f64>) -> [BTreeMap<K, f64>; 2] {
    let most = weights.values().copied().fold(0.0, f64::max);
    let numbered = || weights.iter().zip(0..);
    let odd = |place: u32| if place % 2 == 1 { 4.0 } else { 2.0 } / 3.0;
    let often = |weight: f64| if weight < most { 1.0 } else { 0.5 };
    [
        numbered()
            .map(|((key, weight), place)| (key.clone(), weight * odd(place)))
            .collect(),
        numbered()
            .map(|((key, &weight), _)| (key.clone(), weight * often(weight)))
            .collect(),
    ]
}

/// What the statistic exceeds once in a million (Wilson and Hilferty 1931).
fn critical(freedom: u32) -> f64 {
    if freedom == 0 {
        return 1e-6;
    }
    let freedom = f64::from(freedom);
    let part = 2.0 / (9.0 * freedom);
    freedom * (1.0 - part + QUANTILE * part.sqrt()).powi(3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    fn weights(all: &[f64]) -> BTreeMap<usize, f64> {
        all.iter().copied().enumerate().collect()
    }

    #[test]
    fn the_bound_is_that_of_the_tables() {
        // One in a million, from the incomplete gamma function. With few degrees of freedom the
        // approximation is above it.
        for (freedom, exact) in [(1, 23.93), (10, 46.86), (100, 182.1)] {
            let ratio: f64 = critical(freedom) / exact;
            assert!((0.97..1.16).contains(&ratio), "{freedom}: {ratio}");
        }
    }

    #[test]
    fn right_draws_pass_and_wrong_ones_do_not() {
        let mut rng = Rng::seeded(1);
        let mut drawn = BTreeMap::new();
        for _ in 0..10_000 {
            *drawn.entry(rng.below(4) as usize).or_insert(0) += 1;
        }
        check(&weights(&[1.0, 1.0, 1.0, 1.0]), &drawn).unwrap();
        check(&weights(&[1.0, 1.0, 1.0, 1.3]), &drawn).unwrap_err();
        check(&weights(&[1.0, 1.0, 1.0, 1.0, 0.1]), &drawn).unwrap_err();
        check(&weights(&[1.0, 1.0, 1.0]), &drawn).unwrap_err();
    }
}
