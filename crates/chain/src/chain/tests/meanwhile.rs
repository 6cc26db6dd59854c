//! What happens in between: during a merge, while a write is under way, after one that failed.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use super::super::{Extent, Training};
use super::hooked::{Doing, Hooked, full};
use super::*;
use crate::storage::Forget;

pub(super) fn is_a(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|its| its == extension)
}

/// A chain in which five messages, of authors a and b, are in the log.
pub(super) fn begun(disk: &Hooked) -> (tempfile::TempDir, Chain) {
    let directory = tempfile::tempdir().unwrap();
    let chain = disk.open(directory.path());
    let author = |number: usize| ["a", "b"][number % 2];
    let records: Vec<Record> = (0..5)
        .map(|number| {
            record(
                &format!("m{number}"),
                author(number),
                "",
                &format!("the first cat {number}"),
            )
        })
        .collect();
    chain.add(&records).unwrap();
    (directory, chain)
}

pub(super) fn by_author(author: &str) -> Forget {
    Forget::Author(author.to_owned())
}

/// Runs `between` once, when a merge is about to create its first segment, which then fails or not.
fn merge_with(
    disk: &Hooked,
    chain: Chain,
    fails: bool,
    between: impl Fn(&Chain) + Send + Sync + 'static,
) -> Arc<OnceLock<Chain>> {
    let shared = Arc::new(OnceLock::new());
    let done = AtomicBool::new(false);
    let inside = Arc::clone(&shared);
    disk.set(move |doing, path| {
        if doing == Doing::Create && is_a(path, "segment") && !done.swap(true, Ordering::SeqCst) {
            between(inside.get().unwrap());
            if fails {
                return full();
            }
        }
        Ok(())
    });
    let chain = shared.get_or_init(|| chain);
    assert_eq!(chain.merge(Extent::Due).is_err(), fails);
    disk.clear();
    shared
}

#[test]
fn what_is_learned_and_forgotten_during_a_merge_counts_whether_it_fails_or_not() {
    for fails in [false, true] {
        let disk = Hooked::default();
        let (directory, chain) = begun(&disk);
        let chain = merge_with(&disk, chain, fails, |chain| {
            chain
                .add(&[record("later", "b", "", "a later dog")])
                .unwrap();
            assert_eq!(chain.forget(&by_author("a")).unwrap(), 3);
            chain
                .add(&[record("last", "a", "", "the last dog")])
                .unwrap();
        });
        let expected = [
            "a later dog",
            "the first cat 1",
            "the first cat 3",
            "the last dog",
        ];
        assert_eq!(texts(chain.get().unwrap()), expected, "fails: {fails}");
        drop(chain);
        disk.clear();
        let chain = disk.open(directory.path());
        assert_eq!(texts(&chain), expected, "fails: {fails}");
        chain.merge(Extent::Whole).unwrap();
        assert_eq!(texts(&chain), expected, "fails: {fails}");
    }
}

/// Each log keeps to the vocabulary's bound on its own; both together hold more, and are read
/// together.
fn edits(chain: &Chain, id: &str, text: &str) {
    let what = [Forget::Message(id.parse().unwrap())];
    assert_eq!(chain.forget_all(&what).unwrap(), 1, "{id}");
    let added = chain.add(&[record(id, "a", "", text)]).unwrap();
    assert_eq!((added.learned, added.duplicates), (1, 0), "{id}");
}

#[test]
fn a_message_that_is_edited_during_a_merge_is_there_once_as_it_was_last() {
    for fails in [false, true] {
        let disk = Hooked::default();
        let (directory, chain) = begun(&disk);
        chain.merge(Extent::Due).unwrap();
        chain.add(&[record("m5", "b", "", "in memory")]).unwrap();
        edits(&chain, "m1", "edited before");
        let chain = merge_with(&disk, chain, fails, |chain| {
            for id in ["m0", "m1", "m5"] {
                edits(chain, id, &format!("{id} edited meanwhile"));
                edits(chain, id, &format!("{id} edited again"));
            }
        });
        let expected = [
            "m0 edited again",
            "m1 edited again",
            "m5 edited again",
            "the first cat 2",
            "the first cat 3",
            "the first cat 4",
        ];
        assert_eq!(texts(chain.get().unwrap()), expected, "fails: {fails}");
        drop(chain);
        let chain = open(directory.path());
        assert_eq!(texts(&chain), expected, "fails: {fails}, opened again");
        for id in ["m0", "m2", "m5"] {
            edits(&chain, id, &format!("{id} after"));
        }
        drop(chain);
        let chain = open(directory.path());
        chain.merge(Extent::Whole).unwrap();
        let ids: Vec<String> = messages(&chain)
            .into_values()
            .map(|known| known.id)
            .collect();
        assert_eq!(ids, ["m0", "m1", "m2", "m5", "m3", "m4"]);
    }
}

#[test]
fn a_full_vocabulary_loses_nothing_that_was_stored() {
    let disk = Hooked::default();
    let directory = tempfile::tempdir().unwrap();
    let options = Options {
        max_vocabulary: 12,
        ..Options::default()
    };
    let chain = open_with(Arc::new(disk.clone()), directory.path(), Some(options)).unwrap();
    chain
        .add(&[Record::of("one two three four five six seven eight")])
        .unwrap();
    let chain = merge_with(&disk, chain, true, |chain| {
        let added = chain.add(&[Record::of("a b c d e f g h")]).unwrap();
        assert_eq!(added.learned, 1);
    });
    let expected = ["a b c d e f g h", "one two three four five six seven eight"];
    let chain = Arc::into_inner(chain)
        .unwrap_or_else(|| unreachable!())
        .into_inner()
        .unwrap();
    assert_eq!(texts(&chain), expected);
    assert_eq!(
        chain
            .add(&[Record::of("nine ten eleven twelve")])
            .unwrap()
            .no_room,
        1
    );
    drop(chain);
    let chain = disk.open(directory.path());
    assert_eq!(
        (texts(&chain), chain.stats().unwrap().damage),
        (expected.map(str::to_owned).to_vec(), Vec::new())
    );
}

fn of_author(author: &str, count: usize) -> Source {
    let lines = (0..count).map(|number| {
        format!("{{\"author\": \"{author}\", \"text\": \"a trained dog {number}\"}}\n")
    });
    source("file", &lines.collect::<String>(), Format::Ndjson)
}

fn train(chain: &Chain, count: usize) -> Result<()> {
    chain
        .train(
            "file",
            &mut of_author("a", count),
            Training::default(),
            &mut |_| true,
        )
        .map(drop)
}

/// A forget counts for what was there. What is trained later was not.
#[test]
fn a_forget_does_not_reach_what_comes_after_it() {
    let disk = Hooked::default();
    let (directory, chain) = begun(&disk);
    disk.refuse("segment");
    // Sequence numbers were taken for it, of which nothing else is known when the chain is opened
    // next.
    train(&chain, 8).unwrap_err();
    assert_eq!(chain.forget(&by_author("a")).unwrap(), 3);
    disk.clear();
    drop(chain);
    let chain = disk.open(directory.path());
    // Trained, but not merged, so that the log still says what was forgotten.
    let first = AtomicBool::new(true);
    disk.set(move |doing, path| {
        let refused =
            doing == Doing::Create && is_a(path, "segment") && !first.swap(false, Ordering::SeqCst);
        if refused { full() } else { Ok(()) }
    });
    let refused = train(&chain, 3).unwrap_err().to_string();
    assert!(refused.contains("everything was learned"), "{refused}");
    disk.clear();
    let found = texts(&chain);
    assert_eq!(found.len(), 5);
    drop(chain);
    assert_eq!(texts(&disk.open(directory.path())), found);
}

#[test]
fn a_message_that_is_added_while_it_is_trained_is_there_once() {
    let disk = Hooked::default();
    let directory = tempfile::tempdir().unwrap();
    let shared = Arc::new(OnceLock::new());
    let inside = Arc::clone(&shared);
    let first = AtomicBool::new(true);
    disk.set(move |doing, path| {
        if doing == Doing::Create && is_a(path, "segment") {
            if !first.swap(false, Ordering::SeqCst) {
                return full();
            }
            let chain: &Chain = inside.get().unwrap();
            let twice = record("x", "added", "", "this cat is there twice");
            assert_eq!(chain.add(&[twice]).unwrap().learned, 1);
        }
        Ok(())
    });
    let chain = shared.get_or_init(|| disk.open(directory.path()));
    let text = "{\"id\": \"x\", \"text\": \"this cat is there twice\"}\n{\"id\": \"y\", \"text\": \"a dog\"}";
    let mut file = source("file", text, Format::Ndjson);
    // The merge after it fails, so that both places have it for as long as can be.
    let refused = chain.train("file", &mut file, Training::default(), &mut |_| true);
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .contains("everything was learned")
    );
    disk.clear();
    let found = messages(chain);
    assert_eq!(found.len(), 2);
    assert_eq!(found["this cat is there twice"].author, "added");
    drop(shared);
    let chain = disk.open(directory.path());
    assert_eq!(messages(&chain), found);
    chain.merge(Extent::Due).unwrap();
    assert_eq!(messages(&chain), found);
}

#[test]
fn merges_that_fail_leave_no_files_and_are_not_wanted_at_once() {
    let disk = Hooked::default();
    let (directory, chain) = begun(&disk);
    let found = messages(&chain);
    for (doing, extension) in [
        (Doing::Create, "segment"),
        (Doing::Create, "messages"),
        (Doing::Rename, "json"),
    ] {
        let before = files(directory.path());
        for _ in 0..4 {
            disk.set(move |now, path| {
                if now == doing && is_a(path, extension) {
                    full()
                } else {
                    Ok(())
                }
            });
            let refused = chain.merge(Extent::Due).unwrap_err();
            assert!(matches!(refused, Error::Io { .. }), "{refused}");
            assert_eq!(messages(&chain), found);
        }
        let more = files(directory.path()).len() - before.len();
        // The log that the first of them began serves the others.
        assert!(
            more <= 1,
            "{extension}: {before:?}, then {:?}",
            files(directory.path())
        );
        assert!(chain.merging.pauses(std::time::Instant::now()));
    }
    disk.clear();
    chain.merge(Extent::Due).unwrap();
    assert!(!chain.merging.pauses(std::time::Instant::now()));
    assert_eq!(messages(&chain), found);
    assert_eq!(
        files(directory.path()).len(),
        4,
        "manifest, log, segment and messages"
    );
}

/// The manifest is renamed, and then something fails: nobody knows which one a power cut leaves.
#[test]
fn nothing_is_acknowledged_while_the_manifest_is_in_doubt() {
    let disk = Hooked::default();
    let (directory, chain) = begun(&disk);
    let renamed = Arc::new(AtomicBool::new(false));
    let doubt = Arc::clone(&renamed);
    disk.set(move |doing, path| match doing {
        Doing::Rename => {
            doubt.store(true, Ordering::SeqCst);
            Ok(())
        }
        Doing::SyncDirectory | Doing::Create
            if doubt.load(Ordering::SeqCst) && !is_a(path, "log") =>
        {
            full()
        }
        _ => Ok(()),
    });
    train(&chain, 3).unwrap_err();
    assert!(renamed.load(Ordering::SeqCst));
    let found = messages(&chain);
    assert_eq!(found.len(), 5);
    // A next process would find what was trained, and then nothing would have forgotten it.
    chain.forget(&by_author("a")).unwrap_err();
    chain.add(&[Record::of("no room for this")]).unwrap_err();
    assert_eq!(messages(&chain), found);
    disk.clear();
    assert_eq!(chain.forget(&by_author("a")).unwrap(), 3);
    let found = messages(&chain);
    assert_eq!(found.len(), 2);
    drop(chain);
    assert_eq!(messages(&disk.open(directory.path())), found);
}

#[test]
fn a_training_cannot_be_merged_from_within() {
    let disk = Hooked::default();
    let (_directory, chain) = begun(&disk);
    let mut said = Vec::new();
    let mut file = of_author("c", 3);
    let report = &mut |_| {
        said.extend(
            chain
                .merge(Extent::Due)
                .err()
                .map(|error| error.to_string()),
        );
        said.extend(train(&chain, 1).err().map(|error| error.to_string()));
        said.extend(chain.verify().err().map(|error| error.to_string()));
        true
    };
    chain
        .train("outer", &mut file, Training::default(), report)
        .unwrap();
    assert!(
        said.len() == 3 && said.iter().all(|said| said.contains("do it afterwards")),
        "{said:?}"
    );
    assert_eq!(texts(&chain).len(), 8);
    chain.merge(Extent::Due).unwrap();
}

#[test]
fn after_a_panic_in_the_middle_of_a_change_the_chain_has_to_be_opened_again() {
    let disk = Hooked::default();
    let (directory, chain) = begun(&disk);
    let found = messages(&chain);
    disk.set(|doing, path| {
        assert!(doing != Doing::Create || !is_a(path, "log"), "injected");
        Ok(())
    });
    catch_unwind(AssertUnwindSafe(|| chain.merge(Extent::Due))).unwrap_err();
    disk.clear();
    let refused = chain
        .add(&[Record::of("after that")])
        .unwrap_err()
        .to_string();
    assert!(refused.contains("has to be opened again"), "{refused}");
    chain.forget(&by_author("a")).unwrap_err();
    chain.merge(Extent::Due).unwrap_err();
    speaks(&chain);
    drop(chain);
    let chain = disk.open(directory.path());
    assert_eq!(messages(&chain), found);
}
