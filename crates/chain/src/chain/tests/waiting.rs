//! Who generates does not wait for who forgets much or learns much.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{OnceLock, Weak};
use std::thread;
use std::time::{Duration, Instant};

use super::super::{Extent, Training};
use super::hooked::{Doing, Hooked};
use super::*;
use crate::storage::Forget;

fn said(chain: &Chain) -> Vec<String> {
    let ask = Ask {
        novel: false,
        ..Ask::default()
    };
    let said = chain.generate(&ask, 300, Some(9)).unwrap();
    said.into_iter().map(|one| one.text).collect()
}

#[test]
fn whoever_generates_does_not_wait_until_much_is_forgotten() {
    let directory = tempfile::tempdir().unwrap();
    let mut chain = open(directory.path());
    chain.segment_places = 10 << 20;
    let line = |number: usize| {
        let author = number % 2;
        format!("{{\"author\":\"a{author}\",\"text\":\"w{number} the cat {author} sat\"}}\n")
    };
    let text: String = (0..20_000).map(line).collect();
    let mut file = source("test", &text, Format::Ndjson);
    chain
        .train("test", &mut file, Training::default(), &mut |_| true)
        .unwrap();
    let done = AtomicBool::new(false);
    let (longest, took) = thread::scope(|scope| {
        let waiter = scope.spawn(|| {
            let mut longest = Duration::ZERO;
            while !done.load(Ordering::Relaxed) {
                let started = Instant::now();
                drop(chain.live());
                longest = longest.max(started.elapsed());
            }
            longest
        });
        let started = Instant::now();
        let count = chain.forget(&Forget::Author("a1".to_owned())).unwrap();
        let took = started.elapsed();
        done.store(true, Ordering::Relaxed);
        assert_eq!(count, 10_000);
        (waiter.join().unwrap(), took)
    });
    assert!(longest < took / 2, "{longest:?} of {took:?}");
    assert_eq!(chain.live().messages(), 10_000);
    assert!(said(&chain).iter().all(|text| !text.contains("cat 1")));
}

#[test]
fn much_at_once_is_forgotten_as_one_by_one() {
    let made = || {
        let directory = tempfile::tempdir().unwrap();
        let mut chain = open(directory.path());
        chain.segment_places = 10 << 20;
        let records = |from: usize| -> Vec<Record> {
            let one = |number: usize| {
                let (author, id) = (["ann", "bob"][number % 2], number.to_string());
                record(
                    &id,
                    author,
                    "",
                    &format!("the {} sat on {number}", number % 7),
                )
            };
            (from..from + 200).map(one).collect()
        };
        chain.add(&records(0)).unwrap();
        chain.merge(Extent::Due).unwrap();
        chain.add(&records(200)).unwrap();
        (directory, chain)
    };
    let (_one, at_once) = made();
    let (_other, one_by_one) = made();
    assert_eq!(
        at_once.forget(&Forget::Author("ann".to_owned())).unwrap(),
        200
    );
    for number in (0..400).step_by(2) {
        let what = Forget::Message(number.to_string().parse().unwrap());
        assert_eq!(one_by_one.forget(&what).unwrap(), 1);
    }
    assert_eq!(messages(&at_once), messages(&one_by_one));
    assert_eq!(said(&at_once), said(&one_by_one));
    // What is held elsewhere is not what a chain forgets further.
    let before = at_once.live().clone();
    let what = Forget::Message("1".parse().unwrap());
    assert_eq!(at_once.forget(&what).unwrap(), 1);
    assert_eq!(before.messages(), 200);
    assert_eq!(at_once.live().messages(), 199);
}

#[test]
fn nothing_is_written_while_nobody_can_generate() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Hooked::default();
    let chain = Arc::new(disk.open(directory.path()));
    let weak: Arc<OnceLock<Weak<Chain>>> = Arc::default();
    weak.set(Arc::downgrade(&chain)).unwrap();
    let (synced, locked) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let (counted, seen) = (Arc::clone(&synced), Arc::clone(&locked));
    disk.set(move |doing, _| {
        if let (Doing::Sync, Some(chain)) = (doing, weak.get().and_then(Weak::upgrade)) {
            counted.fetch_add(1, Ordering::Relaxed);
            seen.fetch_add(u32::from(chain.live.try_read().is_err()), Ordering::Relaxed);
        }
        Ok(())
    });
    // More than the log holds back before it writes.
    let records: Vec<Record> = (0..50)
        .map(|number| Record {
            attachments: vec!["a".repeat((1 << 20) - 1)],
            ..Record::of(&format!("message {number}"))
        })
        .collect();
    chain.add(&records).unwrap();
    disk.clear();
    assert!(synced.load(Ordering::Relaxed) > 1, "once before the end");
    assert_eq!(locked.load(Ordering::Relaxed), 0);
    assert_eq!(messages(&chain).len(), 50);
}
