//! The log under many threads, on a full disk, on a broken one.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use super::faulty_disk::{Fault, FaultyDisk};
use super::strings::Strings;
use super::*;
use crate::Error;

fn learn(sequence: u64) -> Batch {
    let tokens = StringsBuffer::from_iter(["hello", "there"]);
    let mut batch = Batch::default();
    batch
        .push(&Operation::Learn(Learn {
            sequence,
            id: MessageId::Own(sequence),
            author: "a",
            channel: "",
            time_ms: Some(-1),
            attachments: Strings::default(),
            text_tokens: tokens.strings(),
        }))
        .unwrap();
    batch
}

fn sequences(directory: &Path, logs: &[u64]) -> (Vec<u64>, Recovery) {
    let mut found = Vec::new();
    let recovery = Recovery::read(&RealDisk, directory, logs, &mut |operation| {
        if let Operation::Learn(learn) = operation {
            found.push(learn.sequence);
        }
        Ok(())
    });
    (found, recovery.unwrap())
}

fn store(log: &LogWriter, sequence: u64) -> Result<(), Error> {
    let ticket = log.append(&learn(sequence))?;
    log.sync_to(&ticket)
}

fn start(disk: &FaultyDisk, directory: &Path) -> LogWriter {
    LogWriter::start(NewLog::create(disk, directory, 1).unwrap())
}

#[test]
fn threads_share_their_syncs_and_lose_nothing_to_a_power_cut() {
    for seed in 0..4 {
        let directory = tempfile::tempdir().unwrap();
        let disk = FaultyDisk::default();
        let log = start(&disk, directory.path());
        disk.sync_takes(Duration::from_millis(2));
        let acknowledged = Mutex::new(Vec::new());
        let before = disk.syncs();
        thread::scope(|scope| {
            for thread in 0..8 {
                let (log, acknowledged) = (&log, &acknowledged);
                scope.spawn(move || {
                    for message in 0..25 {
                        store(log, thread * 100 + message).unwrap();
                        acknowledged.lock().unwrap().push(thread * 100 + message);
                    }
                });
            }
        });
        let syncs = disk.syncs() - before;
        assert!(syncs <= 100, "200 messages took {syncs} syncs");
        let _unsynced = log.append(&learn(999)).unwrap();
        disk.crash(seed);
        let (mut found, recovery) = sequences(directory.path(), &[1]);
        assert_eq!(log.bytes(), recovery.logs[0].whole_bytes);
        let mut acknowledged = acknowledged.into_inner().unwrap();
        acknowledged.sort_unstable();
        found.sort_unstable();
        assert_eq!(found, acknowledged);
    }
}

#[test]
fn a_full_disk_stores_nothing_says_so_and_goes_on_when_there_is_room() {
    let kind = ErrorKind::StorageFull;
    // The failing call is the write, with nothing or a part of it done, or the sync.
    for (point, after_bytes) in [(4, 0), (4, 5), (4, 1000), (5, 0)] {
        let directory = tempfile::tempdir().unwrap();
        let disk = FaultyDisk::default();
        let log = start(&disk, directory.path());
        assert_eq!(disk.points(), 4, "create, write, sync, sync the directory");
        disk.fault_at(
            disk.points() + point - 1,
            Fault::Fails { kind, after_bytes },
        );
        store(&log, 1).unwrap();
        let [second, third] = [2, 3].map(|sequence| log.append(&learn(sequence)).unwrap());
        let length = log.bytes();
        for ticket in [&second, &third, &second] {
            let error = log.sync_to(ticket).unwrap_err();
            assert!(matches!(&error, Error::Io { source, .. } if source.kind() == kind));
            assert!(
                error
                    .to_string()
                    .starts_with("nothing was stored: injected"),
                "{error}"
            );
        }
        assert_eq!(log.bytes(), length);
        store(&log, 4).unwrap();
        disk.crash(point);
        let (found, recovery) = sequences(directory.path(), &[1]);
        assert_eq!(found, [1, 4]);
        assert_eq!(recovery.damage().count(), 0);
    }
}

#[test]
fn a_log_that_cannot_be_cut_back_takes_nothing_until_it_is_opened_again() {
    // After the failed write: the truncation, or its sync.
    for broken in [2, 3] {
        let directory = tempfile::tempdir().unwrap();
        let disk = FaultyDisk::default();
        let log = start(&disk, directory.path());
        store(&log, 1).unwrap();
        let (kind, after_bytes) = (ErrorKind::Other, 7);
        for point in [1, broken] {
            disk.fault_at(disk.points() + point, Fault::Fails { kind, after_bytes });
        }
        assert!(store(&log, 2).is_err());
        let next = NewLog::create(&disk, directory.path(), 2).unwrap();
        let refusals = [
            store(&log, 3).unwrap_err(),
            log.begin_next(next).unwrap_err(),
        ];
        for refusal in refusals.map(|error| error.to_string()) {
            assert!(
                refusal.contains("000001.log takes nothing more until"),
                "{refusal}"
            );
        }
        drop(log);

        let (found, recovery) = sequences(directory.path(), &[1]);
        assert_eq!(found, [1]);
        assert_eq!(
            recovery.settle(&disk).unwrap(),
            if broken == 2 { 7 } else { 0 }
        );
        let log = LogWriter::resume(&disk, &recovery.logs[0]).unwrap();
        store(&log, 4).unwrap();
        assert_eq!(sequences(directory.path(), &[1]).0, [1, 4]);
    }
}

#[test]
fn rotation_syncs_the_old_log_before_the_new_one_takes_anything() {
    let directory = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    let log = start(&disk, directory.path());
    let waiting = log.append(&learn(1)).unwrap();
    log.begin_next(NewLog::create(&disk, directory.path(), 2).unwrap())
        .unwrap();
    assert_eq!(log.end().number, 2);
    log.sync_to(&waiting).unwrap();
    store(&log, 2).unwrap();
    disk.crash(1);
    assert_eq!(sequences(directory.path(), &[1]).0, [1]);
    assert_eq!(sequences(directory.path(), &[2]).0, [2]);
}

#[test]
fn a_failed_new_log_leaves_its_number_free() {
    let kind = ErrorKind::StorageFull;
    for point in 1..=4 {
        let directory = tempfile::tempdir().unwrap();
        let disk = FaultyDisk::default();
        disk.fault_at(
            point,
            Fault::Fails {
                kind,
                after_bytes: 9,
            },
        );
        assert!(NewLog::create(&disk, directory.path(), 1).is_err());
        store(&start(&disk, directory.path()), 1).unwrap();
    }
}

#[test]
fn what_nobody_waits_for_is_written_before_it_fills_the_memory() {
    let directory = tempfile::tempdir().unwrap();
    let log = LogWriter::start(NewLog::create(&RealDisk, directory.path(), 1).unwrap());
    let name = "n".repeat(12 << 20);
    let mut batch = Batch::default();
    batch
        .push(&Operation::Count { name: &name, by: 1 })
        .unwrap();
    let tickets: Vec<Ticket> = (0..3).map(|_| log.append(&batch).unwrap()).collect();
    assert!(log.bytes() > 24 << 20, "two of three are stored already");
    let nothing = log.append(&Batch::default()).unwrap();
    for ticket in tickets.iter().chain([&nothing]) {
        log.sync_to(ticket).unwrap();
    }
    let mut stored = 0;
    let recovery = Recovery::read(&RealDisk, directory.path(), &[1], &mut |_| {
        stored += 1;
        Ok(())
    });
    assert_eq!((stored, recovery.unwrap().damage().count()), (3, 0));
}

/// Run with `cargo test --release -- --ignored --nocapture appending`.
#[test]
#[ignore = "a measurement"]
fn appending_a_million_small_messages() {
    let directory = tempfile::tempdir().unwrap();
    let log = LogWriter::start(NewLog::create(&RealDisk, directory.path(), 1).unwrap());
    let words = [
        "this", "is", "a", "small", "message", "of", "eight", "words",
    ];
    let (mut tokens, mut batch) = (StringsBuffer::default(), Batch::default());
    let started = Instant::now();
    for sequence in 0..1_000_000 {
        tokens.clear();
        for word in words {
            tokens.push(word);
        }
        let learn = Learn {
            sequence,
            id: MessageId::Number(sequence << 20),
            author: "author",
            channel: "channel",
            time_ms: Some(1_700_000_000_000),
            attachments: Strings::default(),
            text_tokens: tokens.strings(),
        };
        batch.push(&Operation::Learn(learn)).unwrap();
        if batch.operations() == 1000 {
            let _ticket = log.append(&batch).unwrap();
            batch.clear();
        }
    }
    let ticket = log.append(&batch).unwrap();
    log.sync_to(&ticket).unwrap();
    println!("stored in {:?}, {} bytes", started.elapsed(), log.bytes());
    let started = Instant::now();
    assert_eq!(sequences(directory.path(), &[1]).0.len(), 1_000_000);
    println!("read in {:?}", started.elapsed());
}
