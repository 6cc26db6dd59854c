//! Forgetting more than is taken off one by one.

use std::fmt::Write as _;

use super::super::{Extent, Training};
use super::*;
use crate::chain::held::MOST_TAKEN_OFF;
use crate::storage::Forget;

const FORGOTTEN: usize = MOST_TAKEN_OFF * 2;
const KEPT: usize = 500;

/// One segment: two parts of it in channel `a`, the other messages in `b`.
fn of_two_channels(directory: &Path) -> Chain {
    let mut rows = String::new();
    for number in 0..FORGOTTEN + KEPT {
        let channel = if number < FORGOTTEN { "a" } else { "b" };
        let (one, two) = (number % 97, number % 89);
        writeln!(
            rows,
            r#"{{"id": "{number}", "text": "in {channel} {one} says {two} of {channel}", "author": "{}", "channel": "{channel}"}}"#,
            number % 2
        )
        .unwrap();
    }
    let mut chain = open(directory);
    chain.segment_places = 1 << 20;
    let mut source = source("rows", &rows, Format::Ndjson);
    let trained = chain
        .train("rows", &mut source, Training::default(), &mut |_| true)
        .unwrap();
    assert_eq!(trained.added.learned as usize, FORGOTTEN + KEPT);
    chain
}

fn channel(name: &str) -> Forget {
    Forget::Channel(name.to_owned())
}

fn said(chain: &Chain) -> Result<Vec<String>> {
    let said = chain.generate(&Ask::default(), 200, Some(7))?;
    Ok(said.into_iter().map(|one| one.text).collect())
}

fn says_nothing_of_a(chain: &Chain) {
    let stats = chain.stats().unwrap();
    assert_eq!((stats.messages, stats.forgotten), (KEPT as u64, 0));
    for text in said(chain).unwrap() {
        assert!(!text.contains(" a"), "{text}");
    }
}

#[test]
fn what_much_was_forgotten_of_is_written_anew_before_the_call_returns() {
    let directory = tempfile::tempdir().unwrap();
    let chain = of_two_channels(directory.path());
    let reader = Chain::open(directory.path(), &Opening::default()).unwrap();
    assert_eq!(chain.forget(&channel("a")).unwrap(), FORGOTTEN as u64);
    reader.refresh().unwrap();
    says_nothing_of_a(&chain);
    says_nothing_of_a(&reader);
}

#[test]
fn until_then_it_is_silent_and_says_why_and_takes_no_memory() {
    let directory = tempfile::tempdir().unwrap();
    let chain = of_two_channels(directory.path());
    let reader = Chain::open(directory.path(), &Opening::default()).unwrap();
    // As if it were killed before the merge.
    let count = chain
        .forget_now(chain.writer().unwrap(), &[channel("a")])
        .unwrap();
    assert_eq!(count, FORGOTTEN as u64);
    reader.refresh().unwrap();
    for chain in [&chain, &reader] {
        let why = said(chain).unwrap_err().to_string();
        assert!(why.contains("silent until it is merged"), "{why}");
        assert!(chain.memory_bytes() < 2 * FORGOTTEN, "a bit a message");
        assert_eq!(chain.stats().unwrap().messages, KEPT as u64);
    }
    drop(chain);
    let chain = open(directory.path());
    assert!(said(&chain).is_err() && chain.wants_merge());
    chain.merge(Extent::Due).unwrap();
    reader.refresh().unwrap();
    says_nothing_of_a(&chain);
    says_nothing_of_a(&reader);
}

#[test]
fn it_comes_to_the_same_in_several_calls() {
    let directory = tempfile::tempdir().unwrap();
    let chain = of_two_channels(directory.path());
    let authors = ["0", "1"].map(|author| Forget::Author(author.to_owned()));
    // The first call stays within the bound or passes it; the second one passes it.
    let half = (FORGOTTEN + KEPT) as u64 / 2;
    assert_eq!(chain.forget(&authors[0]).unwrap(), half);
    assert!(said(&chain).is_ok());
    assert_eq!(chain.forget(&authors[1]).unwrap(), half);
    assert_eq!(chain.stats().unwrap().messages, 0);
    assert!(matches!(said(&chain), Err(Error::NothingNew(_))));
}
