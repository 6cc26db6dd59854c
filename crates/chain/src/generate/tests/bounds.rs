//! Lengths, scores, tries and turns.

use super::*;
use crate::segment::Direction;
use crate::segment::sample::{END, Model};

fn sample(mode: Mode, order: usize, most: u32) -> Sample {
    Sample::new(order, most).segment(&cut_all(mode, &texts(&mut Rng::seeded(8), 200)))
}

#[test]
fn every_answer_is_within_its_bounds() {
    for mode in MODES {
        let sample = sample(mode, 2, 8);
        let mut asked = Asked::one(&sample, mode);
        for (least, most, bytes) in [(1, 3, 2000), (5, 7, 2000), (1, 200, 12), (30, 40, 100)] {
            for ask in [
                Ask::default(),
                seed("dog"),
                containing("cat"),
                ending("mat"),
            ] {
                let ask = Ask {
                    min_tokens: least,
                    max_tokens: most,
                    max_bytes: bytes,
                    novel: false,
                    ..ask
                };
                for text in asked.texts(&ask, 20) {
                    let tokens = cut(mode, &text).len() as u32;
                    assert!((least..=most).contains(&tokens), "{text:?} {ask:?}");
                    assert!(text.len() as u32 <= bytes, "{text:?} {ask:?}");
                }
            }
        }
    }
}

#[test]
fn bounds_that_exclude_each_other_are_given_up_after_the_tries() {
    let sample = sample(Mode::Words, 1, 8);
    let mut asked = Asked::one(&sample, Mode::Words);
    for (tries, said) in [(0, "0 tries"), (1, "1 try"), (7, "7 tries")] {
        let ask = Ask {
            min_tokens: 5,
            max_tokens: 4,
            max_tries: tries,
            ..Ask::default()
        };
        let why = asked.say(&ask).unwrap_err().to_string();
        assert!(why.contains(said), "{why}");
    }
}

#[test]
fn the_score_is_the_freedom_that_there_was() {
    let mut rng = Rng::seeded(9);
    for order in 1..=4 {
        let messages = cut_all(Mode::Words, &texts(&mut rng, 80));
        let sample = Sample::new(order, 8).segment(&messages);
        let model = Model::of(&messages, order, Direction::Forward);
        let mut asked = Asked::one(&sample, Mode::Words);
        let ask = Ask {
            novel: false,
            max_tries: 1,
            ..Ask::default()
        };
        for _ in 0..50 {
            let said = asked.say(&ask).unwrap();
            let mut tokens = vec![END.to_owned()];
            tokens.extend(cut(Mode::Words, &said.text));
            assert_eq!(said.score, freedom(&model, &tokens, 2), "{said:?}");
        }
    }
}

/// The freedom of each token from a place of a message on, which was drawn from what follows all
/// that stands before it, and of the end.
fn freedom(model: &Model, tokens: &[String], from: usize) -> u64 {
    let choices = (from..=tokens.len()).map(|place| model.after(&tokens[..place]).len() - 1);
    choices.sum::<usize>() as u64
}

#[test]
fn the_score_counts_what_is_drawn_before_given_words_and_after_them() {
    let mut rng = Rng::seeded(11);
    for order in 1..=4 {
        let messages = cut_all(Mode::Words, &texts(&mut rng, 60));
        let sample = Sample::new(order, 8).segment(&messages);
        let forward = Model::of(&messages, order, Direction::Forward);
        let backward = Model::of(&messages, order, Direction::Backward);
        let mut asked = Asked::one(&sample, Mode::Words);
        for (ask, word) in [(containing("cat"), "cat"), (ending("mat"), "mat")] {
            let ask = Ask {
                novel: false,
                max_tries: 1,
                ..ask
            };
            for said in (0..100).filter_map(|_| asked.say(&ask).ok()) {
                let mut tokens = cut(Mode::Words, &said.text);
                let given: Vec<_> = (0..tokens.len())
                    .filter(|&place| tokens[place] == word)
                    .collect();
                let after = match ask.ending {
                    Some(_) => 0,
                    None if given.len() > 1 => continue, // which of them was given?
                    None => freedom(&forward, &tokens[given[0]..], 1),
                };
                let place = *given.last().unwrap();
                let from = 1 + tokens.len() - place;
                tokens.push(END.to_owned());
                tokens.reverse();
                let before = freedom(&backward, &tokens, from);
                assert_eq!(said.score, before + after, "{said:?}, order {order}");
            }
        }
    }
}

#[test]
fn no_answer_has_less_than_the_least_score() {
    let sample = sample(Mode::Words, 2, 8);
    let mut asked = Asked::one(&sample, Mode::Words);
    for least in [0, 1, 20, 60] {
        for ask in [
            Ask::default(),
            seed("dog"),
            containing("cat"),
            ending("mat"),
        ] {
            let ask = Ask {
                min_score: least,
                ..ask
            };
            for _ in 0..10 {
                assert!(asked.say(&ask).unwrap().score >= least);
            }
        }
    }
    let ask = Ask {
        min_score: u64::MAX,
        max_tries: 20,
        ..Ask::default()
    };
    asked.say(&ask).unwrap_err();
}

#[test]
fn forgotten_successors_are_no_freedom() {
    let texts = ["a b", "a b", "a b", "a c", "a d", "a e"];
    let messages = cut_all(Mode::Words, &texts);
    let score = |sample: &Sample| {
        let ask = Ask {
            novel: false,
            ..Ask::default()
        };
        Asked::one(sample, Mode::Words).say(&ask).unwrap().score
    };
    for mut sample in [
        Sample::new(1, 8).segment(&messages),
        Sample::new(1, 8).delta(&messages),
    ] {
        assert_eq!(score(&sample), 3);
        sample.forget(0, 3);
        assert_eq!(score(&sample), 2);
        sample.forget(0, 4);
        sample.forget(0, 5);
        assert_eq!(score(&sample), 0);
    }
}

#[test]
fn later_tries_use_shorter_contexts() {
    // With the whole context there is nothing but the two sources.
    let sample = Sample::new(3, 0).segment(&cut_all(Mode::Words, &["a b c d", "x b c y"]));
    let mut asked = Asked::one(&sample, Mode::Words);
    for max_tries in [2, 3, 4, 10, 100] {
        let ask = Ask {
            max_tries,
            ..Ask::default()
        };
        for _ in 0..50 {
            let Ok(said) = asked.say(&ask) else { continue };
            assert!(["a b c y", "x b c d"].contains(&said.text.as_str()));
            assert!(
                said.tries > max_tries / 2 && said.tries <= max_tries,
                "{said:?}"
            );
        }
    }
    let ask = Ask {
        max_tries: 100,
        ..Ask::default()
    };
    asked.say(&ask).unwrap();
}

#[test]
fn tries_in_turns_are_the_same_as_all_at_once() {
    let mut rng = Rng::seeded(10);
    for mode in MODES {
        let messages = cut_all(mode, &texts(&mut rng, 30));
        let sample = Sample::new(2, 3).segment(&messages);
        for ask in [
            Ask::default(),
            seed("dog"),
            containing("cat"),
            ending("mat"),
        ] {
            let ask = Ask {
                max_tries: 50,
                min_tokens: 6,
                ..ask
            };
            let mut at_once = Asked::one(&sample, mode);
            let mut in_turns = Asked::one(&sample, mode);
            for turn in [1, 3, 7, 50, 60] {
                let starts = (0..ask.max_tries).step_by(turn as usize);
                let said = starts
                    .map(|start| in_turns.within(&ask, start..start + turn))
                    .find(|said| !matches!(said, Ok(None)));
                let (said, whole) = (said.unwrap(), at_once.say(&ask));
                match (said, whole) {
                    (Ok(Some(said)), Ok(whole)) => assert_eq!(said, whole),
                    (Err(said), Err(whole)) => assert_eq!(said.to_string(), whole.to_string()),
                    differing => panic!("{differing:?}"),
                }
            }
        }
    }
}

#[test]
fn what_is_asked_for_in_turns_of_tokens_is_the_same_as_at_once() {
    let mut rng = Rng::seeded(11);
    let messages = cut_all(Mode::Words, &texts(&mut rng, 30));
    let sample = Sample::new(2, 3).segment(&messages);
    for ask in [
        Ask::default(),
        seed("dog"),
        containing("cat"),
        ending("mat"),
    ] {
        let ask = Ask {
            max_tries: 50,
            min_tokens: 6,
            ..ask
        };
        let mut at_once = Asked::one(&sample, Mode::Words);
        let mut in_turns = Asked::one(&sample, Mode::Words);
        for bound in [1, 5, 20, 100] {
            let (mut tried, mut turns) = (0, 0);
            let said = loop {
                in_turns.generator.bound(bound);
                let said = in_turns.within(&ask, tried..ask.max_tries);
                turns += 1;
                match said {
                    Ok(None) => {
                        assert!(in_turns.generator.is_spent());
                        assert!(in_turns.generator.tried() > tried, "a try a turn");
                        tried = in_turns.generator.tried();
                    }
                    said => break said.map(Option::unwrap),
                }
            };
            assert!(
                bound > 1 || turns == in_turns.generator.tried(),
                "not more either"
            );
            match (said, at_once.say(&ask)) {
                (Ok(said), Ok(whole)) => assert_eq!(said, whole),
                (Err(said), Err(whole)) => assert_eq!(said.to_string(), whole.to_string()),
                differing => panic!("{differing:?}"),
            }
        }
    }
}

#[test]
fn a_chain_that_learned_nothing_says_so() {
    let empty = Sample::new(2, 6).segment(&[]).delta(&[]);
    let none = Sample::new(2, 6);
    for sample in [&empty, &none] {
        let why = Asked::one(sample, Mode::Words).say(&Ask::default());
        let why = why.unwrap_err().to_string();
        assert!(why.contains("nothing was learned yet"), "{why}");
    }
}
