//! Several chains: who speaks, and from which context.

use super::*;
use crate::segment::sample::{messages, random_messages};

/// What a mix draws after a context: at each length, the longest first, those speak that know it.
fn mixed(
    samples: &[(&Sample, u32)],
    context: &[String],
    direction: Direction,
) -> BTreeMap<String, f64> {
    let models = samples.iter().map(|(sample, weight)| {
        let model = Model::of(&sample.live(), sample.order, direction);
        (model, f64::from(*weight))
    });
    let models: Vec<_> = models.collect();
    for length in (1..=context.len()).rev() {
        let mut all = BTreeMap::new();
        for (model, weight) in &models {
            let length = length.min(model.order);
            let after = model.contexts.get(&context[context.len() - length..]);
            let total: u64 = after.into_iter().flat_map(BTreeMap::values).sum();
            for (token, &count) in after.into_iter().flatten().filter(|_| *weight > 0.0) {
                *all.entry(token.clone()).or_default() += weight * count as f64 / total as f64;
            }
        }
        if !all.is_empty() {
            return all;
        }
    }
    BTreeMap::new()
}

fn assert_mixed(samples: &[(&Sample, u32)], contexts: &[Message]) {
    for direction in DIRECTIONS {
        let speakers: Vec<Speaker<'_>> = samples
            .iter()
            .map(|(sample, weight)| sample.speaker(direction, *weight))
            .collect();
        let mut stepper = Stepper::new(&speakers);
        let mut rng = Rng::seeded(9);
        for context in contexts {
            let expected = mixed(samples, context, direction);
            assert!(!expected.is_empty());
            assert_drawn(&expected, 5000, || step(&mut stepper, context, &mut rng));
        }
    }
}

#[test]
fn chains_speak_by_weight_whatever_their_size() {
    let mut rng = Rng::seeded(1);
    let large = random_messages(&mut rng, 200, 6, 6);
    let small = random_messages(&mut rng, 10, 6, 6);
    let contexts: Vec<Message> = ["", " w0", "w0", "w1 w0"].map(message).into();
    for (one, other) in [(1, 1), (2, 2), (4, 4), (1, 3), (4, 2)] {
        let one = Sample::new(one, 6).segment(&large).delta(&small);
        let other = Sample::new(other, 6).delta(&small);
        for weights in [(1, 1), (5, 1), (1, 1000), (u32::MAX, u32::MAX), (0, 3)] {
            if weights == (1, 1) || one.order == other.order {
                assert_mixed(&[(&one, weights.0), (&other, weights.1)], &contexts);
            }
        }
    }
}

#[test]
fn only_chains_that_can_go_on_speak() {
    let one = Sample::new(2, 6).segment(&messages(&["a b c", "d e"]));
    let other = Sample::new(2, 6).segment(&messages(&["x b y", "d f", "d g"]));
    let samples = [(&one, 1), (&other, 3)];
    let contexts: Vec<Message> = ["a b", "x b", "n b", "d"].map(message).into();
    assert_mixed(&samples, &contexts);
}

#[test]
fn nobody_speaks_for_a_chain_without_weight() {
    let one = Sample::new(1, 6).segment(&messages(&["a b"]));
    let other = Sample::new(1, 6).segment(&messages(&["c d"]));
    let silent = [
        one.speaker(Direction::Forward, 0),
        other.speaker(Direction::Forward, 0),
    ];
    let mut stepper = Stepper::new(&silent);
    stepper.begin();
    assert_eq!(stepper.alive(1).unwrap(), 0);
    assert_eq!(stepper.step(&mut Rng::seeded(1)).unwrap(), None);
    let half = [
        one.speaker(Direction::Forward, 0),
        other.speaker(Direction::Forward, 1),
    ];
    let mut stepper = Stepper::new(&half);
    let mut rng = Rng::seeded(1);
    for _ in 0..100 {
        assert_eq!(step(&mut stepper, &message(""), &mut rng), "c");
    }
    stand(&mut stepper, &message("a"));
    assert_eq!(stepper.step(&mut rng).unwrap(), None);
}
