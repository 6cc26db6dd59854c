//! Given words: where they stand in what is said, in every token mode.

use super::*;

const TEXTS: [&str; 6] = [
    "The cat sat on the mat",
    "the dog (big one) sat down",
    "a dog ran to the house",
    "my cat ran on and sat",
    "WHY is the big dog here",
    "日本 is a house (the big one)",
];

fn all_said(ask: &Ask, mode: Mode) -> Vec<String> {
    let sample = Sample::new(2, 6).segment(&cut_all(mode, &TEXTS[..4]));
    let sample = sample.delta(&cut_all(mode, &TEXTS[4..]));
    let ask = Ask {
        novel: false,
        ..ask.clone()
    };
    let said = Asked::one(&sample, mode).texts(&ask, 60);
    assert!(!said.is_empty(), "{ask:?} in {mode}");
    said
}

#[test]
fn a_seed_is_where_the_message_begins_wherever_it_was_said() {
    for mode in MODES {
        for words in [
            "cat", "sat", "dog", "the big", "on the", "(big", "is a", "日本",
        ] {
            for text in all_said(&seed(words), mode) {
                assert!(text.starts_with(words), "{text:?} in {mode}");
                assert!(text.len() > words.len(), "{text:?} in {mode}");
            }
        }
    }
}

#[test]
fn a_beginning_goes_on_as_messages_that_begin_so() {
    for mode in MODES {
        for words in ["The", "the", "my", "my cat", "日本", "the dog"] {
            for text in all_said(&beginning(words), mode) {
                assert!(text.starts_with(words), "{text:?} in {mode}");
            }
        }
        // Nobody began so, and of the dog only "the" begins.
        let followed = all_said(&beginning("the"), Mode::Words);
        assert!(followed.iter().all(|text| text.starts_with("the dog")));
    }
}

#[test]
fn words_in_the_middle_are_there() {
    for mode in MODES {
        for words in ["cat", "sat on", "dog", "the", "is", "house"] {
            let said = all_said(&containing(words), mode);
            assert!(said.iter().all(|text| text.contains(words)), "{said:?}");
            // Something stands on both sides, some of the time.
            let inner = |text: &String| !text.starts_with(words) && !text.ends_with(words);
            assert!(said.iter().any(inner), "{said:?}");
        }
    }
}

#[test]
fn words_at_the_end_are_there() {
    for mode in MODES {
        for words in ["mat", "sat", "down", "the house", "one)", "the big one)"] {
            let said = all_said(&ending(words), mode);
            assert!(said.iter().all(|text| text.ends_with(words)), "{said:?}");
        }
    }
}

#[test]
fn words_can_be_asked_for_in_several_places_at_once() {
    for mode in MODES {
        let ask = Ask {
            containing: Some("sat".into()),
            ending: Some("mat".into()),
            ..beginning("The")
        };
        let said = all_said(&ask, mode);
        assert!(said.iter().all(|text| {
            text.starts_with("The") && text.contains("sat") && text.ends_with("mat")
        }));
        let ask = Ask {
            containing: Some("the".into()),
            ..ending("house")
        };
        let said = all_said(&ask, mode);
        assert!(
            said.iter()
                .all(|text| text.contains("the") && text.ends_with("house"))
        );
    }
}

#[test]
fn words_are_found_in_the_writing_that_is_known() {
    for mode in MODES {
        for (words, known) in [
            ("CAT", "cat"),
            ("why", "WHY"),
            ("My", "my"),
            ("cAt SAT", "cat sat"),
        ] {
            let said = all_said(&seed(words), mode);
            assert!(
                said.iter().all(|text| text.starts_with(known)),
                "{words} {mode}"
            );
        }
    }
    // As it is written comes first.
    let said = all_said(&beginning("The"), Mode::Words);
    assert!(said.iter().all(|text| text.starts_with("The cat")));
}

#[test]
fn a_word_goes_on_as_after_a_space_and_as_after_a_bracket() {
    // In word segments these are two tokens; both are known, the one twice as often.
    let texts = ["x big dog", "y big dog", "x (big cat)", "z big", "z (big"];
    let sample = Sample::new(1, 6).segment(&cut_all(Mode::Segments, &texts));
    let mut asked = Asked::one(&sample, Mode::Segments);
    let ask = Ask {
        novel: false,
        max_tries: 1,
        ..seed("big")
    };
    let mut count = [0_u32, 0];
    for _ in 0..4000 {
        match asked.say(&ask) {
            Ok(said) if said.text.starts_with("big dog") => count[0] += 1,
            Ok(said) if said.text.starts_with("big cat") => count[1] += 1,
            Ok(said) => panic!("{said:?}"),
            Err(_) => {} // "big" alone, in two of five
        }
    }
    // 1600 and 800 of 4000, give or take five standard deviations.
    assert!(
        count[0].abs_diff(1600) < 155 && count[1].abs_diff(800) < 127,
        "{count:?}"
    );
}

#[test]
fn unknown_words_are_named_and_nothing_is_tried() {
    for mode in MODES {
        let sample = Sample::new(2, 6).segment(&cut_all(mode, &TEXTS));
        let mut asked = Asked::one(&sample, mode);
        for words in ["Ωμέγα", "   ", ""] {
            for ask in [
                seed(words),
                beginning(words),
                containing(words),
                ending(words),
            ] {
                let why = asked.say(&ask).unwrap_err();
                let named = format!("cannot say anything new about {words:?}: nothing is known");
                assert!(matches!(why, Error::NothingNew(_)));
                assert!(why.to_string().starts_with(&named), "{why}");
            }
        }
    }
}

#[test]
fn without_backward_states_words_in_the_middle_are_refused_with_the_remedy() {
    let sample = Sample::new(2, 6).segment(&cut_all(Mode::Words, &TEXTS));
    let forward_only = || Voice {
        backward: None,
        ..sample.voice(1)
    };
    let mut asked = Asked::of(vec![sample.voice(1), forward_only()], Mode::Words);
    for ask in [containing("cat"), ending("mat")] {
        let why = asked.say(&ask).unwrap_err();
        assert!(matches!(why, Error::Input(_)));
        assert!(
            why.to_string().contains("merging it with --backward"),
            "{why}"
        );
    }
    // From a start they are looked for in what comes out.
    let ask = Ask {
        novel: false,
        containing: Some("cat sat".into()),
        ..ending("mat")
    };
    let ask = Ask {
        start: Start::Seed("The".into()),
        ..ask
    };
    assert_eq!(asked.say(&ask).unwrap().text, "The cat sat on the mat");
}
