//! Texts and their numbers: while they are read, and in a file.

use std::collections::HashMap;

use proptest::prelude::*;
use xxhash_rust::xxh3::xxh3_64;

use crate::segment::index::{self, enter, unfilled};
use crate::segment::vocabulary::{Interner, Vocabulary, hash};

fn interned(texts: &[String]) -> Interner {
    let mut interner = Interner::default();
    for text in texts {
        interner.intern(text, u32::MAX).unwrap();
    }
    interner
}

fn vocabulary<'i>(interner: &'i Interner, index: &'i [u32]) -> Vocabulary<'i> {
    Vocabulary {
        bytes: interner.bytes(),
        ends: interner.ends(),
        index,
    }
}

/// Numbered texts whose hash, without a seed, has the same lower twelve bits.
fn chosen_by_a_stranger(count: usize) -> Vec<String> {
    let texts = (0_u32..).map(|number| format!("t{number}"));
    let chosen = texts.filter(|text| xxh3_64(text.as_bytes()).is_multiple_of(4096));
    chosen.take(count).collect()
}

/// How many slots are looked at to find each text, together.
fn looked_at(index: &[u32], texts: &[String]) -> usize {
    let count = |text: &String| {
        let looked = std::cell::Cell::new(0);
        let is = |number: u32| {
            looked.set(looked.get() + 1);
            texts[number as usize - 1] == *text
        };
        assert!(index::find(index, text.as_bytes(), is).is_some());
        looked.get()
    };
    texts.iter().map(count).sum()
}

#[test]
fn texts_chosen_for_their_hash_fall_on_many_slots() {
    let texts = chosen_by_a_stranger(400);
    let index = index::build(texts.iter().map(String::as_str));
    assert!(looked_at(&index, &texts) < 1600);
    // Without a seed they would fall on a few: this is what the seed is for.
    let mut unseeded = unfilled(texts.len(), 0);
    for (text, number) in texts.iter().zip(1..) {
        enter(&mut unseeded, hash(text.as_bytes()), number);
    }
    assert!(looked_at(&unseeded, &texts) > 40_000);
}

#[test]
fn no_two_files_have_the_same_seed() {
    let texts = || ["a", "b"].into_iter();
    assert_ne!(index::build(texts())[..2], index::build(texts())[..2]);
}

#[test]
fn most_numbers_are_the_most() {
    let mut interner = Interner::default();
    assert_eq!(interner.intern("a", 2), Some(1));
    assert_eq!(interner.intern("b", 2), Some(2));
    assert_eq!(interner.intern("c", 2), None);
    assert_eq!(interner.find("c"), None);
    assert_eq!(interner.intern("b", 2), Some(2));
    assert_eq!((interner.len(), interner.text_bytes()), (3, 2));
}

#[test]
fn the_empty_text_is_number_0_and_always_there() {
    let mut interner = Interner::default();
    assert!(interner.is_empty());
    assert_eq!(interner.intern("", 0), Some(0));
    assert_eq!(interner.find(""), Some(0));
    assert_eq!(interner.get(0), "");
}

#[test]
fn what_is_appended_has_a_number_and_a_text() {
    let mut other = Interner::default();
    let [one, two] = ["one", "two"].map(|text| other.intern(text, u32::MAX).unwrap());
    let mut interner = Interner::with_capacity(2, 10);
    interner.append(&other, two);
    interner.append(&other, one);
    assert_eq!((interner.get(1), interner.get(2)), ("two", "one"));
    assert_eq!(interner.hash_of(1), other.hash_of(two));
    assert_eq!(interner.texts().collect::<Vec<_>>(), [b"two", b"one"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn every_text_has_one_number_wherever_it_is_looked_for(
        texts in prop::collection::vec("[abc]{0,4}", 0..300),
        others in prop::collection::vec("[abcd]{0,5}", 20),
    ) {
        let interner = interned(&texts);
        let mut numbers = HashMap::from([(String::new(), 0)]);
        for text in &texts {
            let next = numbers.len() as u32;
            numbers.entry(text.clone()).or_insert(next);
        }
        let index = index::build(interner.texts());
        prop_assert_eq!(index.len(), unfilled(interner.len() - 1, 0).len());
        let vocabulary = vocabulary(&interner, &index);
        for text in texts.iter().chain(&others).filter(|text| !text.is_empty()) {
            let number = numbers.get(text).copied();
            prop_assert_eq!(interner.find(text), number);
            prop_assert_eq!(vocabulary.find(text), number);
            if let Some(number) = number {
                prop_assert_eq!(interner.get(number), text);
                prop_assert_eq!(vocabulary.get(number), text);
                prop_assert_eq!(interner.hash_of(number), hash(text.as_bytes()));
            }
        }
        prop_assert_eq!((interner.len(), vocabulary.len()), (numbers.len(), numbers.len()));
    }

    #[test]
    fn any_words_are_an_index(
        index in prop::collection::vec(prop_oneof![Just(0), 0..9_u32, any::<u32>()], 0..20),
        ends in prop::collection::vec(prop_oneof![0..9_u32, any::<u32>()], 0..9),
        token in "[ab]{0,3}",
    ) {
        let bytes = b"abaabba\xff\xfe";
        let vocabulary = Vocabulary { bytes, ends: &ends, index: &index };
        let found = vocabulary.find(&token);
        prop_assert!(found.is_none_or(|number| vocabulary.get(number) == token));
    }
}
