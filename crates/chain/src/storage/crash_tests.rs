//! A scripted life of a chain that ends at each of its write points: what was acknowledged is
//! there, the rest whole or not.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::faulty_disk::{Fault, FaultyDisk};
use super::*;
use crate::Result;

/// A chain that is only a set of numbers; its segments are lists of them.
struct Chain<'a> {
    disk: &'a dyn Disk,
    directory: PathBuf,
    manifest: Manifest,
    log: LogWriter,
    numbers: BTreeSet<u64>,
}

/// What the script was told is stored, and how far it was in what it did not hear of.
#[derive(Default)]
struct Promised {
    numbers: BTreeSet<u64>,
    attempted: BTreeSet<u64>,
    generation: u64,
    generation_attempted: u64,
}

impl<'a> Chain<'a> {
    fn open(disk: &'a dyn Disk, directory: &Path) -> Result<Self> {
        disk.create_directory(directory)?;
        if is_unused(disk, directory)? {
            Manifest::new(Options::default()).publish(disk, directory)?;
        }
        let mut manifest = Manifest::read(disk, directory)?.expect("it was there or made");
        remove_unnamed(disk, directory, &manifest)?;
        let mut numbers = BTreeSet::new();
        for segment in &manifest.segments {
            let path = FileKind::Segment.path(directory, segment.number);
            let bytes = disk.read(&path)?.expect("a named file is there");
            assert_eq!(
                crc32fast::hash(&bytes),
                segment.crc32,
                "a named file is whole"
            );
            numbers.extend(bytes.into_iter().map(u64::from));
        }
        let recovery = Recovery::read(disk, directory, &manifest.logs, &mut |operation| {
            if let Operation::Count { by, .. } = operation {
                assert!(numbers.insert(by), "{by} is there twice");
            }
            Ok(())
        })?;
        recovery.settle(disk)?;
        let log = match recovery.logs.last() {
            Some(last) if last.is_appendable() => LogWriter::resume(disk, last)?,
            _ => LogWriter::start(new_log(disk, directory, &mut manifest)?),
        };
        Ok(Self {
            disk,
            directory: directory.to_owned(),
            manifest,
            log,
            numbers,
        })
    }

    fn add(&mut self, numbers: [u64; 2], promised: &mut Promised) -> Result<()> {
        promised.attempted.extend(numbers);
        let mut batch = Batch::default();
        for by in numbers {
            batch.push(&Operation::Count { name: "number", by })?;
        }
        let ticket = self.log.append(&batch)?;
        self.log.sync_to(&ticket)?;
        self.numbers.extend(numbers);
        promised.numbers.extend(numbers);
        Ok(())
    }

    /// Rotates the log, writes what was before as a segment, and drops what that replaces.
    fn merge(&mut self, promised: &mut Promised) -> Result<()> {
        let frozen = self.numbers.clone();
        promised.generation_attempted = self.manifest.generation + 1;
        let next = new_log(self.disk, &self.directory, &mut self.manifest)?;
        promised.generation = self.manifest.generation;
        self.log.begin_next(next)?;
        self.add(
            [frozen.len() as u64 * 3 + 100, frozen.len() as u64 * 3 + 101],
            promised,
        )?;

        let number = self.manifest.take_file_number();
        let bytes: Vec<u8> = frozen.iter().map(|number| *number as u8).collect();
        for (kind, contents) in [(FileKind::Segment, &bytes[..]), (FileKind::Messages, b"-")] {
            let mut file = self.disk.create(&kind.path(&self.directory, number))?;
            file.write_all(contents)?;
            file.sync()?;
        }
        self.disk.sync_directory(&self.directory)?;
        let old: Vec<String> = self.manifest.file_names().collect();
        self.manifest.segments = vec![SegmentEntry {
            number,
            crc32: crc32fast::hash(&bytes),
            ..SegmentEntry::default()
        }];
        self.manifest.logs = vec![self.log.end().number];
        promised.generation_attempted = self.manifest.generation + 1;
        self.manifest.publish(self.disk, &self.directory)?;
        promised.generation = self.manifest.generation;
        let live: BTreeSet<String> = self.manifest.file_names().collect();
        for name in old.iter().filter(|name| !live.contains(*name)) {
            self.disk.remove(&self.directory.join(name))?;
        }
        self.disk.sync_directory(&self.directory)
    }
}

fn new_log(disk: &dyn Disk, directory: &Path, manifest: &mut Manifest) -> Result<NewLog> {
    let next = NewLog::create(disk, directory, manifest.take_file_number())?;
    manifest.logs.push(next.number());
    manifest.publish(disk, directory)?;
    Ok(next)
}

fn script(disk: &dyn Disk, directory: &Path, promised: &mut Promised) -> Result<()> {
    let mut chain = Chain::open(disk, directory)?;
    promised.generation = chain.manifest.generation;
    chain.add([1, 2], promised)?;
    chain.add([3, 4], promised)?;
    chain.merge(promised)?;
    chain.add([5, 6], promised)?;
    drop(chain);
    let mut chain = Chain::open(disk, directory)?;
    chain.add([7, 8], promised)?;
    chain.merge(promised)?;
    chain.add([9, 10], promised)
}

fn check(directory: &Path, promised: &Promised, what: &str) {
    let disk = FaultyDisk::default();
    let mut chain = Chain::open(&disk, directory).expect(what);
    assert!(chain.numbers.is_superset(&promised.numbers), "{what}");
    assert!(chain.numbers.is_subset(&promised.attempted), "{what}");
    for pair in [[1, 2], [3, 4], [5, 6], [7, 8], [9, 10]] {
        let there = pair.map(|number| chain.numbers.contains(&number));
        assert_eq!(there[0], there[1], "{what}: a batch is there whole or not");
    }
    let generation = chain.manifest.generation;
    // Opening may have made the first log.
    let latest = promised.generation_attempted.max(2);
    assert!(
        (promised.generation..=latest).contains(&generation),
        "{what}: {generation}"
    );
    // It can be written to, and says the same when it is opened again.
    let mut again = Promised::default();
    chain.add([200, 201], &mut again).expect(what);
    let numbers = chain.numbers.clone();
    drop(chain);
    assert_eq!(
        Chain::open(&disk, directory).expect(what).numbers,
        numbers,
        "{what}"
    );
}

fn points_of_the_script() -> u64 {
    let directory = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    let mut promised = Promised::default();
    script(&disk, &directory.path().join("chain"), &mut promised).unwrap();
    check(&directory.path().join("chain"), &promised, "no fault");
    disk.points()
}

#[test]
fn whatever_a_crash_interrupts_the_acknowledged_is_there() {
    let points = points_of_the_script();
    assert!(points > 60, "{points}");
    for point in 1..=points {
        for seed in 0..6 {
            let directory = tempfile::tempdir().unwrap();
            let chain = directory.path().join("chain");
            let disk = FaultyDisk::default();
            let after_bytes = [0, 3, 20, usize::MAX][seed as usize % 4];
            disk.fault_at(point, Fault::Dies { after_bytes });
            let mut promised = Promised::default();
            script(&disk, &chain, &mut promised).unwrap_err();
            // Every third time the process is killed and the machine goes on.
            if seed % 3 > 0 {
                disk.crash(seed * 1000 + point);
            }
            check(&chain, &promised, &format!("point {point}, seed {seed}"));
        }
    }
}

#[test]
fn what_the_next_process_finds_and_shows_outlasts_a_power_cut_too() {
    for point in 1..=points_of_the_script() {
        for seed in 0..6 {
            let directory = tempfile::tempdir().unwrap();
            let chain = directory.path().join("chain");
            let disk = FaultyDisk::default();
            let after_bytes = usize::MAX;
            disk.fault_at(point, Fault::Dies { after_bytes });
            let mut promised = Promised::default();
            script(&disk, &chain, &mut promised).unwrap_err();
            disk.revive();
            // It gets as far as opening the chain, or dies on the way.
            disk.fault_at(disk.points() + 1 + seed, Fault::Dies { after_bytes });
            if let Ok(opened) = Chain::open(&disk, &chain) {
                promised.numbers.extend(&opened.numbers);
                promised.generation = opened.manifest.generation;
            }
            // Opening makes the first log where there is none yet.
            promised.generation_attempted = promised.generation_attempted.max(2);
            disk.crash(seed * 1000 + point);
            check(&chain, &promised, &format!("point {point}, seed {seed}"));
        }
    }
}

#[test]
fn whatever_a_full_disk_interrupts_the_acknowledged_is_there() {
    for point in 1..=points_of_the_script() {
        for after_bytes in [0, 5] {
            let directory = tempfile::tempdir().unwrap();
            let chain = directory.path().join("chain");
            let disk = FaultyDisk::default();
            let kind = ErrorKind::StorageFull;
            disk.fault_at(point, Fault::Fails { kind, after_bytes });
            let mut promised = Promised::default();
            script(&disk, &chain, &mut promised).unwrap_err();
            disk.crash(point);
            check(&chain, &promised, &format!("point {point}"));
        }
    }
}
