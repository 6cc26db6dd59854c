//! The life ends at each of its write points, by a kill or a power cut: what was acknowledged is
//! there, the rest whole or not.

use super::super::Extent;
use super::script::{Life, some_points, steps};
use super::*;
use crate::storage::faulty_disk::Fault;

fn dies(point: u64, seed: u64) -> (tempfile::TempDir, Life) {
    let directory = tempfile::tempdir().unwrap();
    let mut life = Life::new(directory.path());
    let after_bytes = [0, 7, 60, usize::MAX][(seed as usize + point as usize) % 4];
    life.disk.fault_at(point, Fault::Dies { after_bytes });
    // What nobody hears of, such as a removal that fails, ends the life with the next step.
    for step in steps() {
        if life.take(&step).is_err() {
            break;
        }
    }
    life.chain = None;
    (directory, life)
}

/// The chain goes on, and says the same when it is opened again.
fn goes_on(life: &Life, what: &str) {
    let chain = open(&life.directory);
    let mut found = messages(&chain);
    life.check(&found, what);
    assert_eq!(chain.stats().unwrap().damage, [""; 0], "{what}");
    assert_eq!(chain.verify().unwrap().damage, [""; 0], "{what}");
    speaks(&chain);
    let before = files(&life.directory);
    let named = 3 * chain.live().segments.len() + 4;
    assert!(before.len() <= named, "{what}: leftovers among {before:?}");
    chain
        .add(&[record("later", "author9", "", "this came later")])
        .unwrap();
    found.insert(
        "this came later".to_owned(),
        messages(&chain)["this came later"].clone(),
    );
    chain.merge(Extent::Due).unwrap();
    assert_eq!(messages(&chain), found, "{what}");
    drop(chain);
    assert_eq!(messages(&open(&life.directory)), found, "{what}");
}

#[test]
fn a_kill_at_any_write_loses_nothing() {
    for point in some_points(100) {
        let (_directory, life) = dies(point, 0);
        goes_on(&life, &format!("killed at {point}"));
    }
}

#[test]
fn a_power_cut_at_any_write_loses_nothing() {
    for point in some_points(60) {
        for seed in 1..3 {
            let (_directory, life) = dies(point, seed);
            life.disk.crash(seed * 1000 + point);
            goes_on(&life, &format!("power cut at {point}, seed {seed}"));
        }
    }
}

#[test]
fn what_the_next_process_shows_outlasts_a_power_cut_too() {
    for point in some_points(50) {
        let (_directory, mut life) = dies(point, 3);
        life.disk.revive();
        life.disk.fault_at(
            life.disk.points() + 1 + point % 5,
            Fault::Dies {
                after_bytes: usize::MAX,
            },
        );
        if life.open().is_ok() {
            let shown = messages(life.chain.as_ref().unwrap());
            life.check(&shown, &format!("point {point}, second process"));
            life.coming.clear();
            life.going.clear();
            life.acknowledged = shown;
        }
        life.chain = None;
        life.disk.crash(point);
        goes_on(&life, &format!("point {point}, third process"));
    }
}
