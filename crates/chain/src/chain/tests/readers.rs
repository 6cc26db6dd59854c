//! Readers beside a writer, each as in a process of its own.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use super::super::Extent;
use super::*;
use crate::storage::Forget;

fn numbered(number: usize) -> Record {
    record(
        &format!("m{number}"),
        ["a", "b"][number % 2],
        "",
        &format!("the old cat sat on {number} mats"),
    )
}

fn reader(directory: &Path) -> Chain {
    Chain::open(directory, &Opening::default()).unwrap()
}

#[test]
fn a_reader_changes_nothing_and_needs_no_lock() {
    let directory = tempfile::tempdir().unwrap();
    let writer = open(directory.path());
    writer
        .add(&(0..5).map(numbered).collect::<Vec<_>>())
        .unwrap();
    let before: Vec<_> = files(directory.path())
        .iter()
        .map(|name| std::fs::read(directory.path().join(name)).unwrap())
        .collect();
    let reader = reader(directory.path());
    assert!(!reader.is_writer() && !reader.wants_merge());
    let refused = [
        reader.add(&[Record::of("no")]).unwrap_err(),
        reader.forget(&Forget::Author("a".to_owned())).unwrap_err(),
        reader.merge(Extent::Due).unwrap_err(),
    ];
    for refused in refused {
        assert!(
            refused.to_string().contains("open for reading only"),
            "{refused}"
        );
    }
    assert_eq!(messages(&reader), messages(&writer));
    speaks(&reader);
    assert_eq!(reader.verify().unwrap().damage, [""; 0]);
    reader.refresh().unwrap();
    let after: Vec<_> = files(directory.path())
        .iter()
        .map(|name| std::fs::read(directory.path().join(name)).unwrap())
        .collect();
    assert!(before == after, "a file was changed");
}

#[test]
fn a_reader_goes_on_with_what_it_has_until_it_is_refreshed() {
    let directory = tempfile::tempdir().unwrap();
    let writer = open(directory.path());
    writer
        .add(&(0..9).map(numbered).collect::<Vec<_>>())
        .unwrap();
    writer.merge(Extent::Due).unwrap();
    let reader = reader(directory.path());
    let old = messages(&reader);
    writer.forget(&Forget::Author("a".to_owned())).unwrap();
    writer.add(&[numbered(9)]).unwrap();
    writer.merge(Extent::Whole).unwrap();
    // Its files have no names any more.
    assert_eq!(messages(&reader), old);
    speaks(&reader);
    assert_eq!(reader.verify().unwrap().damage.len(), 0);
    reader.refresh().unwrap();
    assert_eq!(messages(&reader), messages(&writer));
    drop(writer);
    std::fs::remove_dir_all(directory.path()).unwrap();
    let refused = reader.refresh().unwrap_err().to_string();
    assert!(refused.contains("was removed"), "{refused}");
    assert_eq!(messages(&reader).len(), 5);
}

#[test]
fn a_refresh_shows_damage_and_its_repair() {
    let directory = tempfile::tempdir().unwrap();
    let writer = open(directory.path());
    writer
        .add(&(0..9).map(numbered).collect::<Vec<_>>())
        .unwrap();
    writer.merge(Extent::Due).unwrap();
    drop(writer);
    let reader = reader(directory.path());
    let name = files(directory.path())
        .into_iter()
        .find(|name| name.ends_with(".segment"))
        .unwrap();
    let (file, away) = (directory.path().join(name), directory.path().join("away"));
    std::fs::rename(&file, &away).unwrap();
    reader.refresh().unwrap();
    assert_eq!(reader.stats().unwrap().damage.len(), 1);
    std::fs::rename(&away, &file).unwrap();
    reader.refresh().unwrap();
    assert_eq!(reader.stats().unwrap().damage, [""; 0]);
    assert_eq!(messages(&reader).len(), 9);
}

/// Messages come in order, each is forgotten when forty newer ones are there, and all the while
/// everything is merged.
#[test]
fn readers_beside_a_writer_that_merges_always_see_a_whole_chain() {
    const KEPT: usize = 40;
    let directory = tempfile::tempdir().unwrap();
    let writer = open(directory.path());
    // Everything below `added` is acknowledged, everything below `going` may be forgotten, below
    // `gone` it is.
    let (added, going, gone) = (
        AtomicUsize::new(0),
        AtomicUsize::new(0),
        AtomicUsize::new(0),
    );
    let (done, merged) = (AtomicBool::new(false), AtomicUsize::new(0));
    let look = |refreshed: &mut dyn FnMut() -> Chain| {
        let mut looks = 0;
        while !done.load(Ordering::SeqCst) {
            let (least, none_below) = (added.load(Ordering::SeqCst), gone.load(Ordering::SeqCst));
            let chain = refreshed();
            let below = going.load(Ordering::SeqCst);
            assert_eq!(chain.live().damage(), [""; 0]);
            let found = messages(&chain);
            let numbers: std::collections::BTreeSet<usize> = found
                .values()
                .map(|known| known.id[1..].parse().unwrap())
                .collect();
            assert!(
                (below..least).all(|number| numbers.contains(&number)),
                "of {below}..{least} there are {numbers:?}"
            );
            assert!(
                numbers.range(..none_below).next().is_none(),
                "below {none_below} there are {numbers:?}"
            );
            speaks(&chain);
            assert_eq!(chain.verify().unwrap().damage, [""; 0]);
            looks += 1;
        }
        looks
    };
    thread::scope(|scope| {
        let opening = scope.spawn(|| look(&mut || reader(directory.path())));
        let refreshing = scope.spawn(|| {
            let one = Arc::new(reader(directory.path()));
            let mut looks = 0;
            while !done.load(Ordering::SeqCst) {
                let least = added.load(Ordering::SeqCst);
                one.refresh().unwrap();
                let below = going.load(Ordering::SeqCst);
                let found = messages(&one).len();
                assert!(found + below >= least, "{found} of {below}..{least}");
                assert_eq!(one.stats().unwrap().damage, [""; 0]);
                looks += 1;
            }
            looks
        });
        scope.spawn(|| {
            while !done.load(Ordering::SeqCst) {
                writer.merge(Extent::Due).unwrap();
                merged.fetch_add(1, Ordering::SeqCst);
            }
        });
        for number in 0..400 {
            writer.add(&[numbered(number)]).unwrap();
            added.store(number + 1, Ordering::SeqCst);
            if let Some(old) = number.checked_sub(KEPT) {
                going.store(old + 1, Ordering::SeqCst);
                let what = Forget::Message(format!("m{old}").parse().unwrap());
                assert_eq!(writer.forget(&what).unwrap(), 1);
                gone.store(old + 1, Ordering::SeqCst);
            }
        }
        done.store(true, Ordering::SeqCst);
        let looks: [usize; 2] = [opening.join().unwrap(), refreshing.join().unwrap()];
        assert!(
            looks.iter().all(|looks| *looks > 3),
            "{looks:?} looks, {merged:?} merges"
        );
    });
    assert_eq!(messages(&writer).len(), KEPT);
    drop(writer);
    assert_eq!(messages(&open(directory.path())).len(), KEPT);
}
