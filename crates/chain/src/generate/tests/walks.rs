//! How often what is said.

use std::collections::BTreeMap;

use super::*;
use crate::rng::chi_squared::assert_drawn;
use crate::segment::Direction;
use crate::segment::sample::{Model, random_messages};

/// Longer messages are as good as never made of these.
const LONGEST: usize = 12;

/// What is said with these words, whether it is new or not, one try each.
fn plain(ask: Ask) -> Ask {
    Ask {
        novel: false,
        max_tries: 1,
        max_tokens: LONGEST as u32,
        ..ask
    }
}

fn sample(order: usize) -> Sample {
    let mut rng = Rng::seeded(20);
    let mut list = |count| random_messages(&mut rng, count, 3, 3);
    let (first, second) = (list(12), list(6));
    let mut sample = Sample::new(order, 6).segment(&first).delta(&second);
    sample.forget(0, 3);
    sample.forget(1, 1);
    sample
}

/// Draws until something is said.
fn draw(asked: &mut Asked<'_>, ask: &Ask) -> Message {
    let said = (0..1000).find_map(|_| asked.say(ask).ok());
    cut(Mode::Words, &said.expect("something is said").text)
}

#[test]
fn whole_messages_are_as_likely_as_their_transitions_make_them() {
    for order in 1..=4 {
        let sample = sample(order);
        let model = Model::of(&sample.live(), order, Direction::Forward);
        let mut asked = Asked::one(&sample, Mode::Words);
        let all = model.all_messages(LONGEST);
        assert_drawn(&all, 6000, || draw(&mut asked, &plain(Ask::default())));
    }
}

#[test]
fn messages_with_an_end_are_as_likely_as_backward_transitions_make_them() {
    for order in 1..=4 {
        let sample = sample(order);
        let model = Model::of(&sample.live(), order, Direction::Backward);
        let mut asked = Asked::one(&sample, Mode::Words);
        let all = model.all_messages(LONGEST).into_iter();
        let ended: BTreeMap<Message, f64> = all
            .filter(|(message, _)| message.len() > 1 && message[0] == "w0")
            .map(|(mut message, likely)| {
                message.reverse();
                (message, likely)
            })
            .collect();
        assert_drawn(&ended, 4000, || draw(&mut asked, &plain(ending("w0"))));
    }
}

#[test]
fn messages_with_a_beginning_are_as_likely_as_among_all() {
    for order in 1..=4 {
        let sample = sample(order);
        let model = Model::of(&sample.live(), order, Direction::Forward);
        let mut asked = Asked::one(&sample, Mode::Words);
        let mut begun = model.all_messages(LONGEST);
        begun.retain(|message, _| message.len() > 1 && message[0] == "w0");
        assert_drawn(&begun, 4000, || draw(&mut asked, &plain(beginning("w0"))));
    }
}

#[test]
fn the_same_seed_says_the_same() {
    for mode in MODES {
        let texts = texts(&mut Rng::seeded(21), 100);
        let sample = Sample::new(2, 4).segment(&cut_all(mode, &texts[..60]));
        let sample = sample.delta(&cut_all(mode, &texts[60..]));
        for ask in [
            Ask::default(),
            seed("dog"),
            containing("cat"),
            ending("mat"),
        ] {
            let say = || Asked::one(&sample, mode).texts(&ask, 10);
            let said = say();
            assert_eq!(said, say());
            assert!(!said.is_empty());
        }
    }
}
