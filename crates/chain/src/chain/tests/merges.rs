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
