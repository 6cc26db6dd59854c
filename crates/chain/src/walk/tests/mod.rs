//! Steps over parts draw as one list of all live messages would.

mod forgetting;
mod mixes;
mod parts;
mod updates;

use std::collections::BTreeMap;

use super::{Speaker, Stepper};
use crate::rng::Rng;
use crate::rng::chi_squared::assert_drawn;
use crate::segment::Direction;
use crate::segment::sample::{END, Message, Model, Sample, message};

const DIRECTIONS: [Direction; 2] = [Direction::Forward, Direction::Backward];

fn stand(stepper: &mut Stepper<'_>, context: &[String]) {
    stepper.clear();
    for token in context {
        match token.as_str() {
            END => stepper.begin(),
            token => stepper.follow(token.as_bytes()),
        }
    }
}

/// The token that one step from a context gives.
fn step(stepper: &mut Stepper<'_>, context: &[String], rng: &mut Rng) -> String {
    stand(stepper, context);
    drawn(stepper, rng)
}

/// The token that one step gives from where the walk stands.
fn drawn(stepper: &mut Stepper<'_>, rng: &mut Rng) -> String {
    let step = stepper.step(rng).unwrap().expect("something follows");
    match step.token {
        0 => END.to_owned(),
        token => String::from_utf8(stepper.text(step.cursor, token).to_vec()).unwrap(),
    }
}

/// The contexts that say most of a sampler: those left most often, of each length.
fn contexts(model: &Model) -> Vec<Message> {
    let mut contexts: Vec<_> = model.contexts.iter().collect();
    contexts.sort_by_key(|(context, after)| {
        let left: u64 = after.values().sum();
        (std::cmp::Reverse(left), (*context).clone())
    });
    let of_length = |length| {
        let same = contexts.iter().filter(move |one| one.0.len() == length);
        same.take(2).map(|(context, _)| (*context).clone())
    };
    (1..=model.order).flat_map(of_length).collect()
}

/// From every one of these contexts, in both directions, the sample draws as its live messages say.
fn assert_exact(sample: &Sample) {
    for direction in DIRECTIONS {
        let model = Model::of(&sample.live(), sample.order, direction);
        let mut stepper = Stepper::new(&[sample.speaker(direction, 1)]);
        let mut rng = Rng::seeded(7);
        for context in contexts(&model) {
            let draw = || step(&mut stepper, &context, &mut rng);
            assert_drawn(&model.after(&context), 3000, draw);
        }
    }
}
