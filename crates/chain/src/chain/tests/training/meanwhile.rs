//! What is done while a training goes on, and what it holds meanwhile.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::super::hooked::{Doing, Hooked, full};
use super::*;
use crate::storage::Forget;

#[test]
fn long_words_fill_a_segment_before_its_places_do() {
    let text: String = (0..400).fold(String::new(), |mut text, number| {
        let _ = writeln!(text, "{number} {number:0250} x{number:0248}");
        text
    });
    let written = |gathered_bytes: usize| {
        let directory = tempfile::tempdir().unwrap();
        let mut chain = open(directory.path());
        chain.segment_places = 1 << 20;
        chain.gathered_bytes = gathered_bytes;
        let mut source = lines(&text);
        assert_eq!(train(&chain, &mut source).unwrap().added.learned, 400);
        assert_eq!(texts(&chain).len(), 400);
        let state = chain.state(chain.writer().unwrap()).unwrap();
        state.manifest.next_file
    };
    let at_once = written(1 << 30);
    // 200 kB of text, in vectors of twice that at most.
    let in_parts = written(60_000);
    assert!(
        (5..20).contains(&(in_parts - at_once)),
        "{at_once} {in_parts}"
    );
}

#[test]
fn a_report_that_would_wait_for_its_own_training_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let chain = open(directory.path());
    let mut refused = Vec::new();
    let mut report = |_: Progress| {
        let other = chain.train("other", &mut lines("x\n"), Training::default(), &mut |_| {
            true
        });
        refused.push(other.unwrap_err().to_string());
        refused.push(chain.merge(Extent::Due).unwrap_err().to_string());
        refused.push(chain.verify().unwrap_err().to_string());
        true
    };
    chain
        .train(
            "chat",
            &mut ndjson(&chat(0, 10)),
            Training::default(),
            &mut report,
        )
        .unwrap();
    assert_eq!(refused.len(), 3);
    for sentence in refused {
        assert!(sentence.contains("afterwards"), "{sentence}");
    }
    chain.merge(Extent::Whole).unwrap();
    assert_eq!(texts(&chain).len(), 10);
}

/// What is done in the middle of a training of 9000 messages, of which 8192 were read.
fn in_the_middle(
    text: &str,
    what: &mut dyn FnMut(&Chain),
) -> (tempfile::TempDir, Chain, Result<Trained>) {
    let directory = tempfile::tempdir().unwrap();
    let mut chain = open(directory.path());
    chain.segment_places = 9000;
    let mut report = |progress: Progress| {
        if progress.records == 8192 {
            what(&chain);
        }
        true
    };
    let trained = chain.train("chat", &mut ndjson(text), Training::default(), &mut report);
    (directory, chain, trained)
}

#[test]
fn what_is_forgotten_during_a_training_stays_forgotten() {
    let mut forgotten = 0;
    let (directory, chain, trained) = in_the_middle(&chat(0, 9000), &mut |chain| {
        forgotten = chain.forget(&Forget::Author("author1".into())).unwrap();
    });
    assert_eq!(trained.unwrap().added.learned, 9000);
    assert!(
        (1000..=2048).contains(&forgotten),
        "{forgotten} of those that were in segments"
    );
    let found = messages(&chain);
    assert_eq!(found.len() as u64, 9000 - forgotten);
    drop(chain);
    assert_eq!(messages(&open(directory.path())), found);
}

#[test]
fn what_is_added_during_a_training_is_there_once_also_when_that_is_taken_back() {
    // One that was read already, and one that comes.
    let added = [
        record("m1", "other", "", "first by hand"),
        record("m8999", "other", "", "last by hand"),
    ];
    let bad = chat(0, 9000) + "{\"text\": 7}\n";
    for (text, whole) in [(chat(0, 9000), true), (bad, false)] {
        let (directory, chain, trained) = in_the_middle(&text, &mut |chain| {
            assert_eq!(chain.add(&added).unwrap().learned, 2);
        });
        assert_eq!(trained.is_ok(), whole);
        let found = messages(&chain);
        assert_eq!(found.len(), if whole { 9000 } else { 2 });
        for one in &added {
            assert_eq!(found[&one.text].id, one.id);
        }
        drop(chain);
        assert_eq!(messages(&open(directory.path())), found);
    }
}

#[test]
fn what_was_trained_again_while_its_segment_was_away_is_there_once_after_a_merge() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chain");
    let text = chat(0, 12).replace("{\"author\"", "{\"id\": \"x\", \"author\"");
    let mut ids = 0;
    let text: String = text
        .split_inclusive("\"x\"")
        .fold(String::new(), |text, piece| {
            ids += 1;
            text + &piece.replace("\"x\"", &format!("{}", ids * 7))
        });
    let chain = open(&path);
    train(&chain, &mut ndjson(&text)).unwrap();
    let expected = messages(&chain);
    assert_eq!(expected.len(), 12);
    drop(chain);
    let segments: Vec<String> = files(&path)
        .into_iter()
        .filter(|name| name.ends_with(".segment"))
        .collect();
    for name in &segments {
        fs::rename(path.join(name), directory.path().join(name)).unwrap();
    }
    let chain = open(&path);
    assert_eq!(chain.stats().unwrap().messages, 0);
    let trained = chain.train(
        "again",
        &mut ndjson(&text),
        Training::default(),
        &mut |_| true,
    );
    assert_eq!(trained.unwrap().added.learned, 12);
    drop(chain);
    for name in &segments {
        fs::rename(directory.path().join(name), path.join(name)).unwrap();
    }
    let mut chain = open(&path);
    assert_eq!(chain.stats().unwrap().messages, 24, "until they are merged");
    chain.segment_places = 1 << 20;
    chain.merge(Extent::Whole).unwrap();
    assert_eq!(messages(&chain), expected);
    assert_eq!(
        chain
            .forget(&Forget::Message("m1".parse().unwrap()))
            .unwrap(),
        1
    );
    assert_eq!(messages(&chain).len(), 11);
}

/// What is done at each report of a training of 20,000 messages.
fn at_each_report(chain: &Chain, text: &str, what: &mut dyn FnMut(u64)) -> Result<Trained> {
    chain.train(
        "chat",
        &mut ndjson(text),
        Training::default(),
        &mut |progress| {
            what(progress.records);
            true
        },
    )
}

#[test]
fn what_is_added_during_a_training_is_merged_when_it_is_much() {
    for text in [chat(0, 20_000), chat(0, 20_000) + "{\"text\": 7}\n"] {
        let directory = tempfile::tempdir().unwrap();
        let mut chain = open(directory.path());
        chain.segment_places = 1 << 20;
        chain.delta_bytes = 100_000;
        let (mut worst, mut learned) = (0, 0_u64);
        let trained = at_each_report(&chain, &text, &mut |records| {
            worst = worst.max(chain.memory_bytes());
            // Some are known, one is in what was just read, and one comes.
            let third = records - records % 3;
            let known = [1, third - 2, third + 4]
                .into_iter()
                .filter(|number| *number < 20_000);
            let known = known.map(|number| {
                record(
                    &format!("m{number}"),
                    "other",
                    "",
                    &format!("by hand {number}"),
                )
            });
            let new = (0..1000).map(|_| {
                learned += 1;
                record("", "other", "", &format!("more by hand {learned}"))
            });
            let new: Vec<Record> = new.chain(known).collect();
            chain.add(&new).unwrap();
        });
        // What is added between two reports is merged before the next.
        let at_most = chain.delta_bytes;
        assert!(worst <= at_most, "{worst} bytes of at most {at_most}");
        assert_eq!(trained.is_ok(), !text.contains("\"text\": 7"));
        let found = messages(&chain);
        let by_hand = found.values().filter(|one| one.author == "other").count();
        let ids: std::collections::BTreeSet<&String> = found.values().map(|one| &one.id).collect();
        assert_eq!(ids.len(), found.len(), "each id once");
        if trained.is_ok() {
            assert_eq!(found.len() as u64, 20_000 + learned);
        } else {
            assert_eq!(
                found.len(),
                by_hand,
                "what the training learned is taken back"
            );
        }
        drop(chain);
        assert_eq!(messages(&open(directory.path())), found);
    }
}

#[test]
fn forgetting_in_a_guarded_chain_does_not_wait_for_a_training() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options {
        min_authors: 1,
        ..Options::guarded()
    };
    let mut chain = open_with(Arc::new(RealDisk), directory.path(), Some(options)).unwrap();
    chain.segment_places = 1 << 20;
    let old = [
        record("old", "ann", "", "an older message of hers"),
        record("kept", "bob", "", "an older message of his"),
    ];
    chain.add(&old).unwrap();
    chain.merge(Extent::Whole).unwrap();
    let holds_forgotten = || {
        let live = chain.live();
        live.segments.iter().any(|held| !held.dead.is_empty())
    };
    let mut after = Vec::new();
    // The guard replaces long numbers.
    let text = (0..20_000_u32).fold(String::new(), |mut text, number| {
        let digits = number.to_string().into_bytes();
        let word: String = digits
            .iter()
            .map(|digit| char::from(digit + b'a' - b'0'))
            .collect();
        let author = number % 4;
        let _ = writeln!(
            text,
            r#"{{"author": "author{author}", "text": "the cat sat on {word}"}}"#
        );
        text
    });
    let trained = at_each_report(&chain, &text, &mut |records| match records {
        4096 => {
            let forget = || chain.forget(&Forget::Author("ann".into()));
            let count = std::thread::scope(|scope| scope.spawn(forget).join().unwrap());
            assert_eq!(
                count.unwrap(),
                1,
                "while the training waits for this report"
            );
            assert!(holds_forgotten());
        }
        8192 => {
            after.push(holds_forgotten());
            // Also from within it, and of what it has learned itself.
            chain.forget(&Forget::Author("author1".into())).unwrap();
            assert!(holds_forgotten());
        }
        12_288 => after.push(holds_forgotten()),
        // After its last segment.
        20_000 => drop(chain.forget(&Forget::Author("author2".into())).unwrap()),
        _ => {}
    });
    assert_eq!(trained.unwrap().added.learned, 20_000);
    assert_eq!(after, [false, false], "merged between two segments");
    assert!(!holds_forgotten(), "and at the end");
    let found = messages(&chain);
    assert!(!found.contains_key("an older message of hers"));
    assert!(found.contains_key("an older message of his"));
    drop(chain);
    assert_eq!(messages(&open(directory.path())), found);
}

#[test]
fn what_is_added_while_a_training_merges_is_there_once() {
    for fails in [false, true] {
        let disk = Hooked::default();
        let directory = tempfile::tempdir().unwrap();
        let shared = Arc::new(OnceLock::new());
        let inside = Arc::clone(&shared);
        let (created, next) = (AtomicU64::new(0), AtomicU64::new(1));
        let learned = Arc::new(AtomicU64::new(0));
        let (by_hand, refused) = (Arc::clone(&learned), AtomicBool::new(false));
        disk.set(move |doing, path| {
            let is_segment = path.extension().is_some_and(|its| its == "segment");
            if doing != Doing::Create || !is_segment {
                return Ok(());
            }
            let chain: &Chain = inside.get().unwrap();
            if created.fetch_add(1, Ordering::SeqCst) % 2 == 1 {
                // In a segment of the training that the merge is about to write anew, or to leave.
                for _ in 0..2 {
                    let number = next.fetch_add(3, Ordering::SeqCst);
                    let text = format!("by hand {number}");
                    let one = record(&format!("m{number}"), "other", "", &text);
                    // At its end the training's are known.
                    by_hand.fetch_add(chain.add(&[one]).unwrap().learned, Ordering::SeqCst);
                }
                if fails && !refused.swap(true, Ordering::SeqCst) {
                    return full();
                }
            }
            Ok(())
        });
        let mut chain = disk.open(directory.path());
        chain.segment_places = 1 << 20;
        chain.delta_bytes = 1;
        let chain = shared.get_or_init(|| chain);
        let trained = at_each_report(chain, &chat(0, 20_000), &mut |records| {
            // None is there twice.
            messages(chain);
            let text = format!("at record {records}");
            chain.add(&[Record::of(&text)]).unwrap();
        });
        assert_eq!(trained.unwrap().added.learned, 20_000);
        disk.clear();
        let found = messages(chain);
        let by_hand = learned.load(Ordering::SeqCst);
        assert!(by_hand >= if fails { 2 } else { 4 }, "{by_hand}");
        assert_eq!(found.len(), 20_000 + 5);
        let those = found.values().filter(|one| one.author == "other");
        assert_eq!(those.count() as u64, by_hand);
        let reader = Chain::open(directory.path(), &Opening::default()).unwrap();
        assert_eq!(messages(&reader), found);
    }
}
