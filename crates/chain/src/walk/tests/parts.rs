//! One part and several, every order, both directions, known contexts and unknown ones.

use super::*;
use crate::segment::sample::{messages, random_messages};

/// Three lists that share most tokens, met in different orders.
fn three() -> [Vec<Message>; 3] {
    let mut rng = Rng::seeded(3);
    let mut list = |count| random_messages(&mut rng, count, 6, 6);
    let (first, mut second, mut third) = (list(80), list(40), list(20));
    second.reverse();
    third.sort();
    [first, second, third]
}

#[test]
fn one_part_is_drawn_from_exactly() {
    let [first, ..] = three();
    for order in 1..=4 {
        assert_exact(&Sample::new(order, 6).segment(&first));
        assert_exact(&Sample::new(order, 6).delta(&first));
    }
}

#[test]
fn parts_together_are_drawn_from_as_one() {
    let [first, second, third] = three();
    for order in 1..=4 {
        assert_exact(&Sample::new(order, 6).segment(&first).delta(&third));
        let all = Sample::new(order, 6).segment(&first).segment(&second);
        assert_exact(&all.delta(&third));
    }
}

#[test]
fn wide_states_of_several_parts_are_drawn_from_exactly() {
    // One context with hundreds of successors: an alias table, a raw list and a delta's list.
    let wide = |count: u32, step: u32| -> Vec<Message> {
        let text = |n: u32| format!("x t{}", n * step % 97);
        let repeated = (0..count).chain((0..count / 2).map(|n| n % 5));
        repeated.map(|n| message(&text(n))).collect()
    };
    let sample = Sample::new(1, 6)
        .segment(&wide(400, 1))
        .segment(&wide(60, 5));
    let sample = sample.delta(&wide(90, 7));
    let model = Model::of(&sample.live(), 1, Direction::Forward);
    let mut stepper = Stepper::new(&[sample.speaker(Direction::Forward, 1)]);
    let mut rng = Rng::seeded(1);
    let context = message("x");
    assert!(model.after(&context).len() > 64);
    assert_drawn(&model.after(&context), 20_000, || {
        step(&mut stepper, &context, &mut rng)
    });
}

#[test]
fn an_unknown_context_is_shortened_until_a_part_knows_it() {
    let sample = Sample::new(3, 6)
        .segment(&messages(&["a b c", "a b d", "x b e"]))
        .delta(&messages(&["b f", "y b a"]));
    let mut stepper = Stepper::new(&[sample.speaker(Direction::Forward, 1)]);
    let mut rng = Rng::seeded(1);
    let mut assert_after = |context: &str, expected: &[&str]| {
        let expected = expected.iter().map(|token| ((*token).to_owned(), 1.0));
        let context: Vec<String> = message(context);
        let expected: BTreeMap<_, _> = expected.collect();
        assert_drawn(&expected, 2000, || step(&mut stepper, &context, &mut rng));
    };
    assert_after("a b", &["c", "d"]);
    // Only one part knows this.
    assert_after("y b", &["a"]);
    assert_after("never b", &["a", "c", "d", "e", "f"]);
    assert_after("c y b", &["a"]);
    assert_after("never heard b", &["a", "c", "d", "e", "f"]);
    stand(&mut stepper, &message("a never"));
    assert_eq!(stepper.step(&mut rng).unwrap(), None);
    assert_eq!(stepper.alive(4).unwrap(), 0);
}

#[test]
fn a_limit_shortens_the_context() {
    let texts = ["a b c", "x b d", "x b d", "y b e"];
    let sample = Sample::new(2, 6).segment(&messages(&texts[..2]));
    let sample = sample.delta(&messages(&texts[2..]));
    let mut stepper = Stepper::new(&[sample.speaker(Direction::Forward, 1)]);
    let mut rng = Rng::seeded(1);
    stepper.limit(1);
    let expected = [("c", 1.0), ("d", 2.0), ("e", 1.0)];
    let expected: BTreeMap<_, _> = expected.map(|(k, v)| (k.to_owned(), v)).into();
    assert_drawn(&expected, 2000, || {
        step(&mut stepper, &message("a b"), &mut rng)
    });
    stepper.limit(100);
    let context = message("a b");
    assert_eq!(step(&mut stepper, &context, &mut rng), "c");
}

#[test]
fn a_whole_walk_keeps_to_the_longest_context() {
    // After each drawn token the walk stands where the last tokens put it, whichever part spoke.
    let [first, second, third] = three();
    for order in 1..=4 {
        let sample = Sample::new(order, 6).segment(&first).segment(&second);
        let sample = sample.delta(&third);
        let model = Model::of(&sample.live(), order, Direction::Forward);
        let mut stepper = Stepper::new(&[sample.speaker(Direction::Forward, 1)]);
        let mut rng = Rng::seeded(5);
        for _ in 0..300 {
            let mut walked = vec![END.to_owned()];
            stepper.begin();
            while walked.len() < 40 {
                let step = stepper.step(&mut rng).unwrap().unwrap();
                let text = String::from_utf8(stepper.text(step.cursor, step.token).into());
                let token = text.unwrap();
                let after = model.after(&walked);
                assert!(after.contains_key(&token), "{walked:?} {token:?}");
                if token == END {
                    break;
                }
                walked.push(token);
            }
        }
    }
}

#[test]
fn after_a_drawn_token_every_part_is_heard_again() {
    // Two tokens from contexts of which the ends are known, to one token, to two and so on.
    let [first, second, third] = three();
    for order in 1..=4 {
        let sample = Sample::new(order, 6).segment(&first).segment(&second);
        let sample = sample.delta(&third);
        let model = Model::of(&sample.live(), order, Direction::Forward);
        let mut stepper = Stepper::new(&[sample.speaker(Direction::Forward, 1)]);
        let mut rng = Rng::seeded(6);
        for context in ["? ? ? w0", "? ? w1 w0", "? w2 w1 w0", " w0"].map(message) {
            let mut pairs = BTreeMap::new();
            let after = model.after(&context);
            let total: f64 = after.values().sum();
            for (token, count) in after.iter().filter(|(token, _)| *token != END) {
                let mut longer = context.clone();
                longer.push(token.clone());
                let next = model.after(&longer);
                let all: f64 = next.values().sum();
                for (then, times) in next {
                    pairs.insert((token.clone(), then), count / total * times / all);
                }
            }
            assert_drawn(&pairs, 5000, || {
                loop {
                    let token = step(&mut stepper, &context, &mut rng);
                    if token != END {
                        return (token, drawn(&mut stepper, &mut rng));
                    }
                }
            });
        }
    }
}

#[test]
fn a_stepper_that_stands_nowhere_has_nowhere_to_go() {
    let sample = Sample::new(2, 6).segment(&messages(&["a b"]));
    let mut stepper = Stepper::new(&[sample.speaker(Direction::Forward, 1)]);
    stepper.begin();
    assert_eq!(stepper.alive(1).unwrap(), 1);
    stepper.clear();
    assert_eq!(stepper.alive(1).unwrap(), 0);
    assert_eq!(stepper.step(&mut Rng::seeded(1)).unwrap(), None);
    assert_eq!(Stepper::new(&[]).step(&mut Rng::seeded(1)).unwrap(), None);
}
