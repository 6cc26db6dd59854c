//! Nothing that is said is a copy: every answer is looked for in every source message.

use super::*;
use crate::segment::sample::is_copy;

/// Whether an answer is a copy wherever the given words are in it.
fn copied(said: &[String], ask: &Ask, mode: Mode, most: usize, sources: &[Message]) -> bool {
    let within = |words: &String| places(said, &cut(mode, words));
    let given = match ask {
        Ask {
            start: Start::Seed(words) | Start::Beginning(words),
            ..
        } => {
            let mut places = within(words);
            places.retain(|place| place.start == 0);
            places
        }
        Ask {
            ending: Some(words),
            ..
        } => {
            let mut places = within(words);
            places.retain(|place| place.end == said.len());
            places
        }
        Ask {
            containing: Some(words),
            ..
        } => within(words),
        _ => vec![Range::default()],
    };
    assert!(
        !given.is_empty(),
        "{said:?} does not hold what {ask:?} gave"
    );
    given
        .iter()
        .all(|given| is_copy(said, given, most, sources))
}

/// Every way to ask with words of the sources, one or two of them, or with none.
fn asks(rng: &mut Rng, texts: &[String]) -> Vec<Ask> {
    let mut words = |from: fn(usize, usize) -> usize| {
        let text = &texts[rng.below(texts.len() as u32) as usize];
        let words: Vec<&str> = text.split(' ').collect();
        let count = (1 + rng.below(2) as usize).min(words.len());
        let start = from(words.len() - count, rng.below(100) as usize);
        words[start..start + count].join(" ")
    };
    let mut asks = vec![Ask::default()];
    for _ in 0..3 {
        asks.push(seed(&words(|last, any| any % (last + 1))));
        asks.push(beginning(&words(|_, _| 0)));
        asks.push(containing(&words(|last, any| any % (last + 1))));
        asks.push(ending(&words(|last, _| last)));
        let both = ending(&words(|last, _| last));
        let start = Start::Beginning(words(|_, _| 0));
        asks.push(Ask { start, ..both });
    }
    for ask in &mut asks {
        ask.max_tries = 100;
    }
    asks
}

fn assert_new(sample: &Sample, mode: Mode, asks: &[Ask], sources: &[Message]) -> usize {
    let mut asked = Asked::one(sample, mode);
    let mut said = 0;
    for ask in asks {
        for text in asked.texts(ask, 8) {
            let tokens = cut(mode, &text);
            let most = sample.max_copied_tokens as usize;
            assert!(
                !copied(&tokens, ask, mode, most, sources),
                "{text:?} was said before: {ask:?}, order {}, {most}, {mode}",
                sample.order
            );
            said += 1;
        }
    }
    said
}

#[test]
fn nothing_is_copied_whatever_is_asked() {
    let mut rng = Rng::seeded(1);
    for mode in MODES {
        let mut said = 0;
        for (order, most) in [
            (1, 0),
            (1, 1),
            (1, 3),
            (2, 2),
            (2, 4),
            (3, 0),
            (3, 9),
            (4, 6),
        ] {
            let (old, new) = (texts(&mut rng, 50), texts(&mut rng, 20));
            let (old_messages, new_messages) = (cut_all(mode, &old), cut_all(mode, &new));
            let sample = Sample::new(order, most).segment(&old_messages);
            let sample = sample.delta(&new_messages);
            let sources = [old_messages, new_messages].concat();
            let asks = asks(&mut rng, &[old, new].concat());
            said += assert_new(&sample, mode, &asks, &sources);
        }
        assert!(said > 200, "{said} in {mode}");
    }
}

#[test]
fn a_copy_is_said_when_it_does_not_matter() {
    // What makes sure that the other tests would notice.
    let mut rng = Rng::seeded(2);
    for mode in MODES {
        let texts = texts(&mut rng, 50);
        let sources = cut_all(mode, &texts);
        let sample = Sample::new(2, 2).segment(&sources);
        let mut asked = Asked::one(&sample, mode);
        for mut ask in asks(&mut rng, &texts) {
            ask.novel = false;
            let said = asked.texts(&ask, 20);
            let copied = |text: &String| copied(&cut(mode, text), &ask, mode, 2, &sources);
            assert!(said.is_empty() || said.iter().any(copied), "{ask:?}");
        }
    }
}

#[test]
fn what_was_forgotten_counts_as_said() {
    let mut rng = Rng::seeded(4);
    let texts = texts(&mut rng, 60);
    let sources = cut_all(Mode::Words, &texts);
    let sample = Sample::new(1, 3).segment(&sources[..40]);
    let mut sample = sample.delta(&sources[40..]);
    for message in 0..20 {
        sample.forget(0, message);
        sample.forget(1, message / 2);
    }
    let asks = asks(&mut rng, &texts);
    assert!(assert_new(&sample, Mode::Words, &asks, &sources) > 30);
}

#[test]
fn silent_deltas_are_not_copied_and_do_not_speak() {
    let old = cut_all(Mode::Words, &["a b", "b c", "x a", "c d e"]);
    let spoken = Sample::new(1, 0).segment(&old);
    let silent = Sample::new(1, 0).delta(&cut_all(Mode::Words, &["a b c", "never said"]));
    let mut voice = spoken.voice(1);
    voice.forward.silent = silent.parts(crate::segment::Direction::Forward);
    let mut asked = Asked::of(vec![voice], Mode::Words);
    let mut said = asked.texts(&Ask::default(), 200);
    said.sort();
    said.dedup();
    // All that can be walked but what was said, "a b c" among it.
    let new = [
        "a",
        "a b c d e",
        "b",
        "b c d e",
        "c",
        "x a b",
        "x a b c",
        "x a b c d e",
    ];
    assert_eq!(said, new);
}

#[test]
fn each_chain_of_a_mix_watches_for_its_own_runs() {
    let mut rng = Rng::seeded(5);
    let (one_texts, other_texts) = (texts(&mut rng, 40), texts(&mut rng, 40));
    for mode in MODES {
        let (one, other) = (cut_all(mode, &one_texts), cut_all(mode, &other_texts));
        let one_sample = Sample::new(2, 2).segment(&one);
        let other_sample = Sample::new(1, 5).segment(&other[..30]).delta(&other[30..]);
        let voices = vec![one_sample.voice(1), other_sample.voice(2)];
        let mut asked = Asked::of(voices, mode);
        let all = [one_texts.clone(), other_texts.clone()].concat();
        let mut said = 0;
        for ask in asks(&mut rng, &all) {
            for text in asked.texts(&ask, 8) {
                let tokens = cut(mode, &text);
                assert!(!copied(&tokens, &ask, mode, 2, &one), "{text:?}");
                assert!(!copied(&tokens, &ask, mode, 5, &other), "{text:?}");
                said += 1;
            }
        }
        assert!(said > 10, "{said} in {mode}");
    }
}

#[test]
fn other_tokens_with_the_text_of_a_source_are_a_copy() {
    // A number with a point is one segment, and can be walked in three.
    let mode = Mode::Segments;
    assert_eq!([cut(mode, "3.5").len(), cut(mode, "3.").len()], [1, 2]);
    let sources = ["3.5 km", "3.", "x.5 km"];
    for sample in [
        Sample::new(1, 0).segment(&cut_all(mode, &sources)),
        Sample::new(1, 9).delta(&cut_all(mode, &sources)),
    ] {
        let said = |novel| {
            let ask = Ask {
                novel,
                ..beginning("3")
            };
            Asked::one(&sample, mode).texts(&ask, 200)
        };
        let is_source = |text: &String| sources.contains(&text.as_str());
        assert!(said(false).contains(&"3.5 km".to_owned()));
        assert!(!said(true).iter().any(is_source));
    }
}

#[test]
fn given_words_may_be_a_copy_but_not_extend_it() {
    let sources = ["a b c d e", "y d h", "k a z", "k b q"];
    let sample = Sample::new(1, 2).segment(&cut_all(Mode::Words, &sources));
    let mut asked = Asked::one(&sample, Mode::Words);
    for (ask, new) in [
        (seed("b c d"), &["b c d h"][..]),
        (beginning("a b c d"), &["a b c d h"]),
        (containing("a b c d"), &["a b c d h", "k a b c d h"]),
        (ending("b c d e"), &["k b c d e"]),
    ] {
        let said = asked.texts(&ask, 20);
        assert_eq!(said.len(), 20, "{ask:?}");
        assert!(
            said.iter().all(|text| new.contains(&text.as_str())),
            "{said:?}"
        );
    }
}

#[test]
fn only_given_words_are_nothing_new() {
    let sample = Sample::new(2, 6).segment(&cut_all(Mode::Words, &["a b", "a b", "c a b"]));
    let mut asked = Asked::one(&sample, Mode::Words);
    for ask in [
        seed("a b"),
        beginning("a b"),
        ending("c a b"),
        containing("c a b"),
    ] {
        let ask = Ask {
            novel: false,
            ..ask
        };
        let why = asked.say(&ask).unwrap_err().to_string();
        assert!(why.starts_with("cannot say anything new about"), "{why}");
    }
}
