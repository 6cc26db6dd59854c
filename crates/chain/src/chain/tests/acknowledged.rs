//! When an operation may say that it is done: when all that it rests on is durable.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::channel;
use std::thread;

use super::hooked::{Doing, Hooked, full};
use super::meanwhile::{begun, by_author, is_a};
use super::*;

/// Lets the first sync of a log wait until it is told how it ends.
struct Gate {
    began: std::sync::mpsc::Receiver<()>,
    ends: std::sync::mpsc::Sender<bool>,
}

fn gate(disk: &Hooked) -> Gate {
    let (starts, began) = channel();
    let (ends, outcome) = channel::<bool>();
    let outcome = Mutex::new(outcome);
    let first = AtomicBool::new(true);
    disk.set(move |doing, path| {
        if doing == Doing::Sync && is_a(path, "log") && first.swap(false, Ordering::SeqCst) {
            starts.send(()).unwrap();
            if !outcome.lock().unwrap().recv().unwrap() {
                return full();
            }
        }
        Ok(())
    });
    Gate { began, ends }
}

/// Whether the second operation, which rests on the first, returns well; it must not before the
/// first one is durable.
fn second_after(
    first: impl Fn(&Chain) -> bool + Send + Sync,
    second: impl Fn(&Chain) -> bool + Send + Sync,
    well: bool,
) -> (bool, bool, Vec<String>) {
    let disk = Hooked::default();
    let (_directory, chain) = begun(&disk);
    let gate = gate(&disk);
    let returned = AtomicU32::new(0);
    let done = thread::scope(|scope| {
        let one = scope.spawn(|| first(&chain));
        gate.began.recv().unwrap();
        let other = scope.spawn(|| {
            let done = second(&chain);
            returned.fetch_add(1, Ordering::SeqCst);
            done
        });
        thread::sleep(std::time::Duration::from_millis(50));
        assert_eq!(
            returned.load(Ordering::SeqCst),
            0,
            "acknowledged before it was durable"
        );
        gate.ends.send(well).unwrap();
        (one.join().unwrap(), other.join().unwrap())
    });
    (done.0, done.1, texts(&chain))
}

#[test]
fn that_a_message_is_known_is_said_when_it_is_durable() {
    let add = |chain: &Chain| chain.add(&[record("x", "", "", "a new cat")]);
    let learned = |chain: &Chain| add(chain).is_ok_and(|added| added.learned == 1);
    let known = |chain: &Chain| add(chain).is_ok_and(|added| added.duplicates == 1);
    let (first, second, found) = second_after(learned, known, true);
    assert!(first && second && found.contains(&"a new cat".to_owned()));
    let (first, second, found) = second_after(learned, known, false);
    assert!(!first && !second, "neither is told that it is there");
    assert!(!found.contains(&"a new cat".to_owned()));
}

#[test]
fn that_there_is_nothing_to_forget_is_said_when_it_is_durable() {
    let forget = |expected: u64| {
        move |chain: &Chain| {
            chain
                .forget(&by_author("a"))
                .is_ok_and(|count| count == expected)
        }
    };
    let (first, second, found) = second_after(forget(3), forget(0), true);
    assert!(first && second && found.len() == 2);
    let (first, second, found) = second_after(forget(3), forget(0), false);
    assert!(!first && !second && found.len() == 5);
}

#[test]
fn many_messages_are_there_together_or_not_at_all() {
    let many: Vec<Record> = (0..1000)
        .map(|number| Record::of(&format!("cat number {number}")))
        .collect();
    for well in [true, false] {
        let disk = Hooked::default();
        let (_directory, chain) = begun(&disk);
        let gate = gate(&disk);
        let (done, other) = thread::scope(|scope| {
            // While this one is on its way to the disk, the many come behind it, one after the other.
            let other = scope.spawn(|| chain.add(&[record("other", "", "", "another cat")]));
            gate.began.recv().unwrap();
            let add = scope.spawn(|| chain.add(&many));
            thread::sleep(std::time::Duration::from_millis(50));
            let failing = AtomicBool::new(!well);
            disk.set(move |doing, path| {
                let fails = doing == Doing::Sync
                    && is_a(path, "log")
                    && failing.swap(false, Ordering::SeqCst);
                if fails { full() } else { Ok(()) }
            });
            gate.ends.send(true).unwrap();
            (add.join().unwrap(), other.join().unwrap())
        });
        assert!(other.is_ok() && done.is_ok() == well, "{done:?}");
        let found = texts(&chain);
        let of_many = found.iter().filter(|text| text.starts_with("cat number"));
        assert_eq!(of_many.count(), if well { 1000 } else { 0 });
        assert!(found.contains(&"another cat".to_owned()));
    }
}
