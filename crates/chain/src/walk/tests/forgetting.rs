//! What was forgotten is never drawn, and the rest as often as before.

use super::*;
use crate::segment::sample::{messages, random_messages};

fn sample(order: usize) -> Sample {
    let mut rng = Rng::seeded(11);
    let mut list = |count| random_messages(&mut rng, count, 6, 6);
    let (first, second, third) = (list(60), list(60), list(60));
    let parts = Sample::new(order, 6).segment(&first).segment(&second);
    parts.delta(&third)
}

#[test]
fn a_few_forgotten_messages_are_out_of_every_part() {
    for order in 1..=4 {
        let mut sample = sample(order);
        for part in 0..3 {
            for message in (0..60).step_by(7) {
                sample.forget(part, message);
            }
        }
        assert_exact(&sample);
    }
}

#[test]
fn what_little_is_left_is_drawn_exactly() {
    for order in 1..=4 {
        let mut sample = sample(order);
        for part in 0..3 {
            for message in (0..60).filter(|message| message % 8 != part) {
                sample.forget(part, message);
            }
        }
        assert!(sample.live().len() < 25);
        assert_exact(&sample);
    }
}

#[test]
fn three_survivors_of_hundreds_are_found() {
    // So few that draws give up and the live successors are listed.
    let mut texts = vec!["a b".to_owned(); 200];
    texts.extend((0..130).map(|n| format!("a c{}", n % 90)));
    texts.extend(["a d".to_owned(), "a e".to_owned(), "a e".to_owned()]);
    let all: Vec<Message> = texts.iter().map(|text| message(text)).collect();
    for mut sample in [
        Sample::new(2, 6).segment(&all),
        Sample::new(2, 6).delta(&all),
    ] {
        for message in 0..330 {
            sample.forget(0, message);
        }
        assert_exact(&sample);
        let mut stepper = Stepper::new(&[sample.speaker(Direction::Forward, 1)]);
        stand(&mut stepper, &message("a"));
        // Three are alive: no more than three can be chosen from.
        let step = stepper.step(&mut Rng::seeded(1)).unwrap().unwrap();
        assert_eq!(step.choices, 3);
    }
}

#[test]
fn a_state_without_live_messages_is_as_one_that_never_was() {
    let mut sample = Sample::new(2, 6)
        .segment(&messages(&["a b c", "a b c", "x b d"]))
        .delta(&messages(&["y b e", "a b f"]));
    sample.forget(0, 0);
    sample.forget(0, 1);
    sample.forget(1, 1);
    let mut stepper = Stepper::new(&[sample.speaker(Direction::Forward, 1)]);
    let mut rng = Rng::seeded(1);
    let expected = BTreeMap::from([("d".to_owned(), 1.0), ("e".to_owned(), 1.0)]);
    assert_drawn(&expected, 2000, || {
        step(&mut stepper, &message("a b"), &mut rng)
    });
    for (part, message) in [(0, 2), (1, 0)] {
        sample.forget(part, message);
    }
    let mut stepper = Stepper::new(&[sample.speaker(Direction::Forward, 1)]);
    stepper.begin();
    assert_eq!(stepper.step(&mut rng).unwrap(), None);
}

#[test]
fn a_delta_that_learns_and_forgets_by_turns_draws_what_is_left() {
    // States that are left often, by few tokens and by many.
    let texts = |from: usize| {
        let few = (from..from + 300).map(|number| format!("a b{}", number % 5));
        let many = (from..from + 100).map(|number| format!("c d{}", number % 80));
        few.chain(many)
            .map(|text| message(&text))
            .collect::<Vec<_>>()
    };
    let mut sample = Sample::new(2, 6).delta(&texts(0));
    for number in (0..300).filter(|number| number % 5 < 2 || number % 7 == 0) {
        sample.forget(0, number);
    }
    assert_exact(&sample);
    sample.learn(0, &texts(0));
    assert_exact(&sample);
    for number in (0..800).filter(|number| number % 3 > 0) {
        sample.forget(0, number);
    }
    assert_exact(&sample);
}

#[test]
fn one_message_that_was_forgotten_does_not_slow_down_a_delta() {
    let texts: Vec<Message> = (0..100_000)
        .map(|number| message(&format!("!roll {}", number % 20)))
        .collect();
    let mut sample = Sample::new(2, 6).delta(&texts);
    sample.forget(0, 3);
    let mut stepper = Stepper::new(&[sample.speaker(Direction::Forward, 1)]);
    let mut rng = Rng::seeded(1);
    let started = std::time::Instant::now();
    for _ in 0..1000 {
        stepper.begin();
        for _ in 0..3 {
            stepper.step(&mut rng).unwrap().unwrap();
        }
    }
    // Milliseconds; minutes if a step read the list of all that followed "!roll".
    assert!(started.elapsed().as_secs() < 2, "{:?}", started.elapsed());
}
