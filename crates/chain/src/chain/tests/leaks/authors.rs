//! What fewer than so many authors, or messages, had is not said; what as many had may be.

use super::*;
use crate::Support;

/// A guarded chain that three must have said something to.
fn of_three(directory: &Path, support: Support) -> Chain {
    let options = Options {
        support,
        ..Options::guarded()
    };
    let chain = guarded(directory, options);
    // So that there is something to say: each of these is said by four.
    let common = [
        "the fleet sails out today",
        "the fleet comes home today",
        "a fleet sails home again",
    ];
    let records: Vec<Record> = (0..12)
        .map(|number| record("", &format!("author{}", number / 3), "", common[number % 3]))
        .collect();
    chain.add(&records).unwrap();
    chain
}

/// Whether a word comes up in two hundred sentences.
fn is_said(chain: &Chain, word: &str) -> bool {
    let ask = Ask {
        novel: false,
        ..Ask::default()
    };
    let said = chain.generate(&ask, 200, Some(4)).unwrap();
    said.iter()
        .any(|one| one.text.split(' ').any(|other| other == word))
}

fn says(chain: &Chain, id: &str, author: &str, text: &str) {
    assert_eq!(
        chain.add(&[record(id, author, "", text)]).unwrap().learned,
        1
    );
}

fn forgets(chain: &Chain, id: &str) {
    assert_eq!(
        chain.forget(&Forget::Message(id.parse().unwrap())).unwrap(),
        1
    );
}

#[test]
fn a_word_is_said_from_the_third_author_on() {
    let directory = tempfile::tempdir().unwrap();
    let chain = of_three(directory.path(), Support::Authors);
    for author in ["author1", "author2"] {
        for number in 0..7 {
            says(
                &chain,
                &format!("{author}-{number}"),
                author,
                "the fleet sails quibbly",
            );
        }
    }
    chain.merge(Extent::Whole).unwrap();
    assert!(
        is_said(&chain, "sails") && !is_said(&chain, "quibbly"),
        "two authors, each seven times"
    );
    says(&chain, "third", "author3", "too the fleet sails quibbly");
    assert!(!is_said(&chain, "quibbly"), "a delta knows of no other");
    chain.merge(Extent::Due).unwrap();
    assert!(
        is_said(&chain, "quibbly") && !is_said(&chain, "too"),
        "three"
    );
    // One of them takes it back, and another says it.
    forgets(&chain, "third");
    assert!(!is_said(&chain, "quibbly"), "forgotten by one of three");
    says(&chain, "fifth", "author5", "the fleet sails quibbly");
    chain.merge(Extent::Due).unwrap();
    assert!(is_said(&chain, "quibbly"));
    // One of seven of the same author changes nothing, all seven do.
    for number in 0..7 {
        assert!(is_said(&chain, "quibbly"), "{number}");
        forgets(&chain, &format!("author1-{number}"));
    }
    assert!(!is_said(&chain, "quibbly"));
    drop(chain);
    let chain = guarded(directory.path(), Options::guarded());
    assert!(!is_said(&chain, "quibbly"));
    says(&chain, "ninth", "author9", "the fleet sails quibbly");
    chain.merge(Extent::Due).unwrap();
    assert!(is_said(&chain, "quibbly"));
}

#[test]
fn a_chain_that_may_say_nothing_says_why() {
    let directory = tempfile::tempdir().unwrap();
    let chain = guarded(directory.path(), Options::guarded());
    let why = |chain: &Chain| {
        chain
            .generate(&Ask::default(), 1, None)
            .unwrap_err()
            .to_string()
    };
    assert!(why(&chain).contains("nothing was learned yet"));
    says(&chain, "1", "author1", "the fleet sails");
    for _ in 0..2 {
        assert!(
            why(&chain).contains("known of 3 authors yet"),
            "{}",
            why(&chain)
        );
        chain.merge(Extent::Whole).unwrap();
    }
}

#[test]
fn whoever_is_not_known_may_be_one_of_the_others() {
    let directory = tempfile::tempdir().unwrap();
    let chain = of_three(directory.path(), Support::Authors);
    for (id, author) in [("1", "author1"), ("2", "author2"), ("3", ""), ("4", "")] {
        says(&chain, id, author, "the fleet sails quibbly");
    }
    chain.merge(Extent::Whole).unwrap();
    assert!(!is_said(&chain, "quibbly"), "two that are known");
    says(&chain, "5", "author3", "the fleet sails quibbly");
    chain.merge(Extent::Whole).unwrap();
    assert!(is_said(&chain, "quibbly"));
}

#[test]
fn a_word_is_said_from_the_third_message_on_if_those_count() {
    let directory = tempfile::tempdir().unwrap();
    let chain = of_three(directory.path(), Support::Messages);
    // Twice in one message is once.
    says(
        &chain,
        "1",
        "author1",
        "the fleet sails quibbly sails quibbly sails quibbly",
    );
    says(&chain, "2", "author1", "the fleet sails quibbly");
    chain.merge(Extent::Whole).unwrap();
    assert!(!is_said(&chain, "quibbly"));
    says(&chain, "3", "author1", "the fleet sails quibbly");
    chain.merge(Extent::Whole).unwrap();
    assert!(is_said(&chain, "quibbly"));
    forgets(&chain, "2");
    assert!(!is_said(&chain, "quibbly"));
}

#[test]
fn authors_in_several_segments_are_not_counted_together_until_they_are_merged() {
    let directory = tempfile::tempdir().unwrap();
    let mut chain = of_three(directory.path(), Support::Authors);
    chain.merge(Extent::Whole).unwrap();
    // Each in a segment of its own, since none may be larger.
    chain.segment_places = 1;
    for author in ["author6", "author7"] {
        let line =
            serde_json::json!({"author": author, "text": "the fleet sails quibbly"}).to_string();
        let mut file = source(author, &line, Format::Ndjson);
        chain
            .train(author, &mut file, Training::default(), &mut |_| true)
            .unwrap();
        assert!(!is_said(&chain, "quibbly"), "{author}");
    }
    assert!(chain.stats().unwrap().segments >= 3);
    chain.segment_places = 1 << 20;
    chain.merge(Extent::Whole).unwrap();
    assert!(!is_said(&chain, "quibbly"), "two authors");
    says(&chain, "8", "author8", "the fleet sails quibbly");
    chain.merge(Extent::Whole).unwrap();
    assert!(is_said(&chain, "quibbly"), "three");
}

fn is_mute(chain: &Chain) -> bool {
    let ask = Ask {
        novel: false,
        ..Ask::default()
    };
    matches!(chain.generate(&ask, 1, None), Err(Error::NothingNew(why)) if why.contains("merge"))
}

/// Three say a word, and it is said.
fn all_three_say(chain: &Chain) {
    for author in ["author1", "author2", "author3"] {
        says(chain, author, author, "the fleet sails quibbly");
    }
    chain.merge(Extent::Whole).unwrap();
    assert!(is_said(chain, "quibbly"));
}

#[test]
fn nothing_is_said_on_the_word_of_one_who_took_it_back_before_it_was_merged() {
    let directory = tempfile::tempdir().unwrap();
    let chain = of_three(directory.path(), Support::Authors);
    all_three_say(&chain);
    let reader = Chain::open(directory.path(), &Opening::default()).unwrap();
    // As if it were killed before the merge.
    let what = Forget::Message("author2".parse().unwrap());
    assert_eq!(
        chain
            .forget_now(chain.writer().unwrap(), std::slice::from_ref(&what))
            .unwrap(),
        1
    );
    reader.refresh().unwrap();
    assert!(is_mute(&chain) && is_mute(&reader) && chain.wants_merge());
    drop(chain);
    let chain = guarded(directory.path(), Options::guarded());
    assert!(is_mute(&chain) && chain.wants_merge());
    // Whoever got no answer asks again: then it is merged.
    assert_eq!(chain.forget(&what).unwrap(), 0);
    reader.refresh().unwrap();
    for chain in [&chain, &reader] {
        assert!(is_said(chain, "sails") && !is_said(chain, "quibbly"));
    }
    assert!(!chain.wants_merge());
}

#[test]
fn without_a_guard_too_nothing_is_said_that_too_few_authors_had() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options {
        min_authors: 3,
        ..Options::default()
    };
    let mut chain = open_with(Arc::new(RealDisk), directory.path(), Some(options)).unwrap();
    chain.segment_places = 10 << 20;
    let common = ["the fleet sails out today", "the fleet sails home today"];
    for author in ["author1", "author2", "author3"] {
        let records = common.map(|text| record("", author, "", text));
        chain.add(&records).unwrap();
    }
    assert!(is_mute(&chain), "who else says it is not known yet");
    chain.merge(Extent::Due).unwrap();
    says(&chain, "one", "author1", "the fleet sails quickly");
    assert!(is_said(&chain, "home") && !is_said(&chain, "quickly"));
    chain.merge(Extent::Due).unwrap();
    assert!(is_said(&chain, "home") && !is_said(&chain, "quickly"));
    all_three_say(&chain);
    let what = Forget::Message("author2".parse().unwrap());
    assert_eq!(
        chain
            .forget_now(chain.writer().unwrap(), std::slice::from_ref(&what))
            .unwrap(),
        1
    );
    assert!(is_mute(&chain) && chain.wants_merge());
    assert_eq!(chain.forget(&what).unwrap(), 0);
    assert!(is_said(&chain, "home") && !is_said(&chain, "quibbly"));
    assert!(!chain.wants_merge());
}
