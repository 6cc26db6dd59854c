//! A segment's states against a list of all contexts.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::rng::Rng;
use crate::segment::Direction;
use crate::segment::build::Support;
use crate::segment::sample::{END, Message, Model, Sample, numbers, random_messages};
use crate::segment::states::NONE;
use crate::segment::states::State;
use crate::walk::Part;

const DIRECTIONS: [Direction; 2] = [Direction::Forward, Direction::Backward];

/// By message: who said it; 0 for nobody knows who.
fn speakers(rng: &mut Rng, messages: usize) -> Vec<u32> {
    (0..messages).map(|_| rng.below(4)).collect()
}

/// What is left of a model when transitions need so many speakers; and how many were left out,
/// those that only such a one leads to not counted.
fn supported(model: &mut Model, least: u32, speakers: &[u32]) -> u64 {
    let mut left_out = 0;
    let enough = |context: &[String], token: &str| {
        let key = (context.to_vec(), token.to_owned());
        let Some(messages) = model.speakers.get(&key) else {
            return false;
        };
        let mut of: Vec<u32> = messages.iter().map(|&one| speakers[one]).collect();
        of.retain(|&speaker| speaker != 0);
        of.sort_unstable();
        of.dedup();
        of.len() >= least as usize
    };
    for (context, counts) in &mut model.contexts {
        let (token, shorter) = context.split_last().unwrap();
        let reached = shorter.is_empty() || enough(shorter, token);
        counts.retain(|token, _| {
            let enough = enough(context, token);
            left_out += u64::from(reached && !enough);
            enough
        });
    }
    model.contexts.retain(|_, counts| !counts.is_empty());
    left_out
}

/// Every context's state is reached, says what followed it and leads on to the right states.
fn assert_same(part: &Part<'_>, words: &[u32], model: &Model) {
    let state_of = |context: &[String]| part.state(&numbers(part, context)).unwrap();
    for (context, counts) in &model.contexts {
        let reference = state_of(context);
        assert_ne!(reference, NONE, "{context:?}");
        let state = State::at(words, reference).unwrap();
        let mut held = BTreeMap::new();
        for one in state.successors() {
            let token = String::from_utf8(part.text(one.token).to_vec()).unwrap();
            let mut longer = context.clone();
            longer.push(token.clone());
            let skipped = longer.len().saturating_sub(model.order);
            let next = if token == END {
                NONE
            } else {
                state_of(&longer[skipped..])
            };
            assert_eq!(one.next, next, "{context:?} {token:?}");
            held.insert(token, u64::from(one.count));
        }
        assert_eq!(&held, counts, "{context:?}");
    }
}

fn assert_segment(messages: &[Message], order: usize, support: Option<&(u32, Vec<u32>)>) {
    let plan = support.map(|(least, speakers)| Support {
        least: *least,
        speakers: speakers.clone(),
    });
    let sample = Sample::new(order, 6).supported_segment(messages, plan);
    for direction in DIRECTIONS {
        let mut model = Model::of(messages, order, direction);
        let left_out = support.map_or(0, |(least, speakers)| {
            supported(&mut model, *least, speakers)
        });
        let part = sample.parts(direction)[0];
        let segment = sample.segment_at(0);
        assert_same(&part, segment.words(direction), &model);
        if direction == Direction::Forward {
            let about = segment.about();
            assert_eq!(about.states, model.contexts.len() as u64);
            let transitions = model.contexts.values().map(BTreeMap::len);
            assert_eq!(about.transitions, transitions.sum::<usize>() as u64);
            assert_eq!(about.unsupported, left_out);
        }
        let unknown = [u32::MAX, 1 << 28];
        assert_eq!(part.state(&unknown[..1]).unwrap(), NONE);
        assert_eq!(part.state(&[0, u32::MAX]).unwrap(), NONE);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn every_context_is_there_with_what_followed_it(
        seed: u64,
        count in 0..40_usize,
        tokens in 1..12_u32,
        longest in 1..9_u32,
        order in 1..5_usize,
    ) {
        let messages = random_messages(&mut Rng::seeded(seed), count, tokens, longest);
        assert_segment(&messages, order, None);
    }

    #[test]
    fn transitions_of_too_few_speakers_are_absent_and_counted(
        seed: u64, count in 1..40_usize, tokens in 1..8_u32, order in 1..5_usize, least in 1..5_u32,
    ) {
        let mut rng = Rng::seeded(seed);
        let messages = random_messages(&mut rng, count, tokens, 6);
        let speakers = speakers(&mut rng, messages.len());
        assert_segment(&messages, order, Some(&(least, speakers)));
    }
}

#[test]
fn a_model_that_differs_is_noticed() {
    let messages = random_messages(&mut Rng::seeded(1), 30, 5, 6);
    let sample = Sample::new(2, 6).segment(&messages);
    let other = Model::of(&messages[1..], 2, Direction::Forward);
    let part = sample.parts(Direction::Forward)[0];
    let words = sample.segment_at(0).words(Direction::Forward);
    let compared = std::panic::catch_unwind(|| assert_same(&part, words, &other));
    assert!(compared.is_err());
}

#[test]
fn pieces_of_many_tokens_fit_together() {
    // More places than one piece has, some tokens with more than a piece of their own.
    let messages = random_messages(&mut Rng::seeded(2), 2000, 100, 9);
    assert_segment(&messages, 2, None);
}
