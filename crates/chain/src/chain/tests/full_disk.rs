//! Each write of the life meets a full disk once: the step fails in a sentence, nothing else
//! changes, and it can be done again.

use std::io::ErrorKind;

use super::script::{Life, Step, some_points, steps};
use super::*;
use crate::storage::faulty_disk::Fault;

/// What the chain shows, and what another process would read. How much of a training was kept
/// before, and is now.
fn check(life: &Life, step: &Step, error: &Error, before: usize, what: &str) -> usize {
    let Some(chain) = &life.chain else { return 0 };
    let shown = messages(chain);
    let mut expected = life.acknowledged.clone();
    if let Step::Train(_, text) = step {
        // Whole segments may stay, if the error says so.
        let kept: Vec<bool> = text.lines().map(|line| shown.contains_key(line)).collect();
        assert!(
            kept.is_sorted_by(|before, after| before >= after),
            "{what}: not the beginning of the file"
        );
        let says_so = error.to_string().contains("learned");
        assert!(
            says_so || kept[..].iter().filter(|kept| **kept).count() == before,
            "{what}: {error}"
        );
        let kept = text.lines().filter(|line| shown.contains_key(*line));
        expected.extend(kept.map(|line| (line.to_owned(), shown[line].clone())));
    }
    assert!(
        shown.keys().eq(expected.keys()),
        "{what}: what failed changed something: {shown:?}"
    );
    speaks(chain);
    let reader = Chain::open(&life.directory, &Opening::default()).unwrap();
    let stored = messages(&reader);
    let unsure = chain.state(chain.writer().unwrap()).unwrap().unsure;
    if unsure && matches!(step, Step::Train(..)) {
        // The manifest on the disk may be the one that was not to be: nothing is acknowledged on
        // top of it.
        life.check(&stored, what);
    } else {
        assert_eq!(stored, shown, "{what}: memory is what the log says");
    }
    shown.len() - life.acknowledged.len()
}

fn sentence(error: &Error, what: &str) {
    let text = error.to_string();
    assert!(!text.contains('\n') && text.len() > 20, "{what}: {text}");
    assert!(matches!(error, Error::Io { .. }), "{what}: {text}");
}

fn lives_through(point: u64, faults: u64, after_bytes: usize) {
    let directory = tempfile::tempdir().unwrap();
    let mut life = Life::new(directory.path());
    let kind = ErrorKind::StorageFull;
    for point in point..point + faults {
        life.disk
            .fault_at(point, Fault::Fails { kind, after_bytes });
    }
    for (number, step) in steps().iter().enumerate() {
        let what = format!("point {point}, {faults} faults, step {number}");
        let mut kept = 0;
        for attempt in 0.. {
            let Err(error) = life.take(step) else { break };
            assert!(attempt < 4, "{what}: {error}");
            sentence(&error, &what);
            if error.to_string().contains("opened again") {
                // The log could not be cut: what was written of the step may count.
                life.open()
                    .or_else(|_| life.open())
                    .or_else(|_| life.open())
                    .unwrap();
                let found = messages(life.chain.as_ref().unwrap());
                life.check(&found, &what);
                if found.keys().any(|text| life.coming.contains_key(text)) {
                    life.acknowledged = found;
                    break;
                }
                let gone = life.going.iter().any(|text| !found.contains_key(text));
                life.acknowledged = found;
                if gone {
                    break;
                }
            } else {
                kept = check(&life, step, &error, kept, &what);
            }
        }
    }
    let found = messages(life.chain.as_ref().unwrap());
    assert_eq!(
        found.keys().collect::<Vec<_>>(),
        life.acknowledged.keys().collect::<Vec<_>>()
    );
    drop(life.chain.take());
    let chain = open(&life.directory);
    assert_eq!(messages(&chain), found, "point {point}");
    let named: Vec<String> = chain
        .writer()
        .unwrap()
        .state(&life.directory)
        .unwrap()
        .manifest
        .file_names()
        .collect();
    let expected = named.len() + 1;
    assert_eq!(
        files(&life.directory).len(),
        expected,
        "point {point}: leftovers are removed"
    );
}

#[test]
fn a_full_disk_at_any_write_loses_nothing() {
    for point in some_points(80) {
        lives_through(point, 1, [0, 9][point as usize % 2]);
    }
}

#[test]
fn a_disk_that_stays_full_for_a_while_loses_nothing() {
    for point in some_points(80) {
        lives_through(point, 3, 0);
    }
}
