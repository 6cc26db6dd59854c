//! When a merge is wanted, and what it makes.

use super::super::Extent;
use super::*;
use crate::storage::Forget;

fn numbered(from: usize, to: usize) -> Vec<Record> {
    let author = |number: usize| ["ann", "bob"][number % 2];
    let one = |number| {
        record(
            &format!("m{number}"),
            author(number),
            "",
            &format!("a cat said {number}"),
        )
    };
    (from..to).map(one).collect()
}

#[test]
fn a_merge_is_wanted_for_what_is_in_memory_and_in_the_log() {
    let directory = tempfile::tempdir().unwrap();
    let mut chain = open(directory.path());
    assert!(!chain.wants_merge());
    chain.add(&numbered(0, 20)).unwrap();
    assert!(!chain.wants_merge());
    chain.log_bytes = 200;
    assert!(chain.wants_merge(), "the log is read at each opening");
    chain.merge(Extent::Due).unwrap();
    assert!(!chain.wants_merge());
    chain.log_bytes = u64::MAX;
    chain.delta_bytes = chain.memory_bytes();
    assert!(!chain.wants_merge());
    chain.forget(&Forget::Author("ann".to_owned())).unwrap();
    assert!(chain.wants_merge(), "what was forgotten takes memory too");
    chain.merge(Extent::Due).unwrap();
    assert!(!chain.wants_merge());
    chain.add(&numbered(20, 30)).unwrap();
    assert!(chain.wants_merge(), "and so does the delta");
}

#[test]
fn segments_keep_to_their_bounds() {
    let directory = tempfile::tempdir().unwrap();
    let mut chain = open(directory.path());
    for from in [0, 10, 20, 30] {
        chain.segment_places = 60;
        chain.add(&numbered(from, from + 10)).unwrap();
        chain.merge(Extent::Due).unwrap();
    }
    let found = messages(&chain);
    let segments = |chain: &Chain| chain.live().segments.len();
    assert_eq!(segments(&chain), 4, "two do not fit in sixty places");
    chain.segment_places = u64::MAX;
    let entry = chain.live().segments[0].entry.clone();
    chain.gathered_bytes = 2 * entry.messages_bytes as usize + 400;
    chain.merge(Extent::Whole).unwrap();
    assert_eq!(segments(&chain), 2, "two fit in these bytes, three do not");
    chain.gathered_bytes = usize::MAX;
    chain.merge(Extent::Whole).unwrap();
    assert_eq!((segments(&chain), messages(&chain)), (1, found));
}

#[test]
fn what_was_made_under_a_larger_bound_becomes_several_segments() {
    let directory = tempfile::tempdir().unwrap();
    let mut chain = open(directory.path());
    chain.segment_places = u64::MAX;
    chain.add(&numbered(0, 40)).unwrap();
    chain.merge(Extent::Due).unwrap();
    assert_eq!(chain.live().segments.len(), 1);
    chain
        .forget(&Forget::Message("m7".parse().unwrap()))
        .unwrap();
    let found = messages(&chain);
    chain.segment_places = 60;
    let merged = chain.merge(Extent::Due).unwrap();
    assert_eq!((merged.messages, merged.dropped), (39, 1));
    // Of messages of five places the last one may begin within the bound.
    let sizes = |chain: &Chain| -> Vec<u64> {
        let live = chain.live();
        let of = |entry: &crate::storage::SegmentEntry| entry.tokens + entry.messages;
        live.segments.iter().map(|held| of(&held.entry)).collect()
    };
    assert!(sizes(&chain).len() >= 3, "{:?}", sizes(&chain));
    assert!(sizes(&chain).iter().all(|&places| places < 65));
    assert_eq!(messages(&chain), found);
    drop(chain);
    let chain = open(directory.path());
    assert_eq!(messages(&chain), found);
}

#[test]
fn what_a_segment_may_take_bounds_its_places_and_the_delta() {
    let directory = tempfile::tempdir().unwrap();
    let chain = open(directory.path()).with_segment_memory(1 << 20);
    let mut learned = 0;
    while !chain.wants_merge() {
        chain.add(&numbered(learned, learned + 50)).unwrap();
        learned += 50;
    }
    assert!(
        chain.unmerged_bytes() < 1 << 19,
        "a quarter, or little more"
    );
    chain.add(&numbered(learned, 15_000)).unwrap();
    chain.merge(Extent::Whole).unwrap();
    chain
        .forget(&Forget::Message("m7".parse().unwrap()))
        .unwrap();
    chain.merge(Extent::Whole).unwrap();
    let (count, places) = {
        let live = chain.live();
        let places = live.segments.iter();
        let places = places.map(|held| held.entry.tokens + held.entry.messages);
        (live.segments.len(), places.max())
    };
    assert_eq!(count, 2);
    assert!(places < Some((1 << 20) / 20 + 5), "{places:?}");
}
