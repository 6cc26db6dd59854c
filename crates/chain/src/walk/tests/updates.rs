//! What is learned or forgotten counts from the next step on.

use super::*;
use crate::segment::sample::random_messages;

#[test]
fn a_growing_delta_is_drawn_from_as_it_stands() {
    for order in 1..=4 {
        let mut rng = Rng::seeded(30);
        let mut list = |count| random_messages(&mut rng, count, 6, 6);
        let mut sample = Sample::new(order, 6).segment(&list(30)).delta(&[]);
        for count in [1, 10, 80] {
            sample.learn(1, &list(count));
            assert_exact(&sample);
        }
    }
}

#[test]
fn what_is_learned_again_after_it_was_forgotten_is_drawn_as_often() {
    for order in 1..=4 {
        let mut rng = Rng::seeded(31);
        let all = random_messages(&mut rng, 40, 5, 5);
        let mut sample = Sample::new(order, 6).segment(&all).delta(&all);
        for message in 0..30 {
            sample.forget(0, message);
            sample.forget(1, message);
        }
        sample.learn(1, &all[..20]);
        assert_exact(&sample);
        for message in 35..60 {
            sample.forget(1, message);
        }
        assert_exact(&sample);
        sample.learn(1, &all);
        assert_exact(&sample);
    }
}

#[test]
fn the_same_messages_are_the_same_wherever_they_are() {
    // In one segment, in two, in a delta or in between: one and the same distribution.
    let mut rng = Rng::seeded(32);
    let all = random_messages(&mut rng, 60, 6, 6);
    for order in 1..=4 {
        let model = Model::of(&all, order, Direction::Forward);
        for sample in [
            Sample::new(order, 6).segment(&all),
            Sample::new(order, 6)
                .segment(&all[..40])
                .segment(&all[40..]),
            Sample::new(order, 6).segment(&all[..40]).delta(&all[40..]),
            Sample::new(order, 6).delta(&all[..20]).delta(&all[20..]),
        ] {
            let mut stepper = Stepper::new(&[sample.speaker(Direction::Forward, 1)]);
            let mut rng = Rng::seeded(33);
            for context in contexts(&model) {
                let after = model.after(&context);
                assert_drawn(&after, 3000, || step(&mut stepper, &context, &mut rng));
                stand(&mut stepper, &context);
                // As many ways on as there are, when all of them are in one part.
                let choices = stepper.step(&mut rng).unwrap().unwrap().choices as usize;
                let parts = sample.parts(Direction::Forward).len();
                assert!(choices == after.len() || parts > 1 && choices <= after.len());
            }
        }
    }
}
