//! A disk for tests that dies, fills up, or loses power at a chosen write.
//!
//! The files are real, in a real directory; beside them stands a model of what has reached the
//! platter.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::disk::{Disk, DiskFile, RealDisk};
use crate::{Error, Result};

/// What happens at the chosen write point.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// The process is gone: of a write, `after_bytes` were done, and every later call fails.
    Dies { after_bytes: usize },
    /// This call fails so, after `after_bytes` of a write; later ones work.
    Fails {
        kind: io::ErrorKind,
        after_bytes: usize,
    },
}

/// Clones share one disk.
#[derive(Clone, Default)]
pub(crate) struct FaultyDisk {
    model: Arc<Mutex<Model>>,
}

#[derive(Default)]
struct Model {
    points: u64,
    syncs: u64,
    faults: BTreeMap<u64, Fault>,
    sync_takes: Duration,
    dead: bool,
    files: Vec<Contents>,
    /// Names as a process sees them, and as they stand on the platter.
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
    /// What was done to names since their directory was synced.
    changes: Vec<Change>,
}

#[derive(Default)]
struct Contents {
    live: Vec<u8>,
    synced: Vec<u8>,
}

#[derive(Clone)]
enum Change {
    Create(PathBuf, usize),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
}

impl Change {
    fn paths(&self) -> Vec<&PathBuf> {
        match self {
            Self::Create(path, _) | Self::Remove(path) => vec![path],
            Self::Rename(from, to) => vec![from, to],
        }
    }

    fn apply(&self, names: &mut BTreeMap<PathBuf, usize>) {
        match self {
            Self::Create(path, file) => {
                names.insert(path.clone(), *file);
            }
            Self::Rename(from, to) => {
                let file = names.remove(from).expect("a rename moves what is there");
                names.insert(to.clone(), file);
            }
            Self::Remove(path) => {
                names.remove(path);
            }
        }
    }
}

impl FaultyDisk {
    /// The `point`th call that changes anything, counted from 1, meets the fault.
    pub(crate) fn fault_at(&self, point: u64, fault: Fault) {
        self.model().faults.insert(point, fault);
    }

    /// Makes each sync of a file take as long, as on a real disk.
    pub(crate) fn sync_takes(&self, time: Duration) {
        self.model().sync_takes = time;
    }

    /// How many calls changed, or would have changed, anything.
    pub(crate) fn points(&self) -> u64 {
        self.model().points
    }

    /// How many of them synced a file.
    pub(crate) fn syncs(&self) -> u64 {
        self.model().syncs
    }

    /// After the death of a process: the next one finds what the first wrote, synced or not.
    pub(crate) fn revive(&self) {
        let mut model = self.model();
        model.dead = false;
        model.faults.clear();
    }

    /// Makes of the directory what a power cut could leave now; which of that, the seed says.
    pub(crate) fn crash(&self, seed: u64) {
        let mut chance = Chance(seed);
        let mut model = self.model();
        model.dead = true;
        let names = model.surviving_names(&mut chance);
        for path in model.names.keys().filter(|path| !names.contains_key(*path)) {
            fs::remove_file(path).expect("the test's own file");
        }
        for (path, file) in &names {
            fs::write(path, model.files[*file].survivor(&mut chance)).expect("the test's own file");
        }
    }

    fn model(&self) -> MutexGuard<'_, Model> {
        self.model.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Model {
    /// Counts a write point; says what of a write of `length` bytes is done, and with which error
    /// it ends.
    fn pass(&mut self, length: usize) -> (usize, Result<()>) {
        self.points += 1;
        if self.dead {
            return (0, failed(io::ErrorKind::Other));
        }
        match self.faults.get(&self.points) {
            None => (length, Ok(())),
            Some(&Fault::Dies { after_bytes }) => {
                self.dead = true;
                (after_bytes.min(length), failed(io::ErrorKind::Other))
            }
            Some(&Fault::Fails { kind, after_bytes }) => (after_bytes.min(length), failed(kind)),
        }
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.names);
        self.changes.push(change);
    }

    /// Each change may be undone; then so are the later ones that touch the same names.
    fn surviving_names(&self, chance: &mut Chance) -> BTreeMap<PathBuf, usize> {
        let mut names = self.durable_names.clone();
        let mut undone: BTreeSet<&PathBuf> = BTreeSet::new();
        for change in &self.changes {
            let rests_on_undone = change.paths().iter().any(|path| undone.contains(path));
            if rests_on_undone || chance.below(3) == 0 {
                undone.extend(change.paths());
            } else {
                change.apply(&mut names);
            }
        }
        names
    }
}

impl Contents {
    fn survivor(&self, chance: &mut Chance) -> Vec<u8> {
        let (live, synced) = (&self.live, &self.synced);
        let common = live.iter().zip(synced).take_while(|(a, b)| a == b).count();
        let between = common + chance.below(live.len() - common + 1);
        let mut left = live.clone();
        match chance.below(5) {
            0 => left.clone_from(synced),
            1 => left.truncate(between),
            2 => left[between..].fill(0),
            3 => left[between..]
                .iter_mut()
                .for_each(|byte| *byte = chance.below(256) as u8),
            _ => {}
        }
        left
    }
}

impl Disk for FaultyDisk {
    fn create(&self, path: &Path) -> Result<Box<dyn DiskFile>> {
        let mut model = self.model();
        model.pass(0).1?;
        let real = RealDisk.create(path)?;
        let file = model.files.len();
        model.files.push(Contents::default());
        model.change(Change::Create(path.to_owned(), file));
        Ok(self.open(file, real))
    }

    fn append(&self, path: &Path) -> Result<Box<dyn DiskFile>> {
        let mut model = self.model();
        model.alive()?;
        let real = RealDisk.append(path)?;
        let file = model.file_at(path);
        Ok(self.open(file, real))
    }

    fn sync_directory(&self, path: &Path) -> Result<()> {
        let mut model = self.model();
        model.pass(0).1?;
        path.metadata().map_err(Error::io("injected"))?;
        model.durable_names = model.names.clone();
        model.changes.clear();
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        let mut model = self.model();
        model.pass(0).1?;
        for path in [from, to].into_iter().filter(|path| path.exists()) {
            model.file_at(path);
        }
        RealDisk.rename(from, to)?;
        model.change(Change::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn remove(&self, path: &Path) -> Result<()> {
        let mut model = self.model();
        model.pass(0).1?;
        if path.exists() {
            model.file_at(path);
        }
        RealDisk.remove(path)?;
        model.change(Change::Remove(path.to_owned()));
        Ok(())
    }

    fn create_directory(&self, path: &Path) -> Result<()> {
        self.model().pass(0).1?;
        RealDisk.create_directory(path)
    }

    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>> {
        self.model().alive()?;
        RealDisk.read(path)
    }

    fn list(&self, path: &Path) -> Result<Vec<String>> {
        self.model().alive()?;
        RealDisk.list(path)
    }
}

impl FaultyDisk {
    fn open(&self, file: usize, real: Box<dyn DiskFile>) -> Box<dyn DiskFile> {
        Box::new(FaultyFile {
            disk: self.clone(),
            file,
            real,
        })
    }
}

impl Model {
    fn alive(&self) -> Result<()> {
        if self.dead {
            return failed(io::ErrorKind::Other);
        }
        Ok(())
    }

    /// A file that was there before this disk came counts as durable.
    fn file_at(&mut self, path: &Path) -> usize {
        if let Some(file) = self.names.get(path) {
            return *file;
        }
        let live = fs::read(path).expect("a file that is there");
        let synced = live.clone();
        self.files.push(Contents { live, synced });
        let file = self.files.len() - 1;
        self.names.insert(path.to_owned(), file);
        self.durable_names.insert(path.to_owned(), file);
        file
    }
}

struct FaultyFile {
    disk: FaultyDisk,
    file: usize,
    real: Box<dyn DiskFile>,
}

impl DiskFile for FaultyFile {
    fn write_all(&mut self, bytes: &[u8]) -> Result<()> {
        let mut model = self.disk.model();
        let (done, outcome) = model.pass(bytes.len());
        model.files[self.file]
            .live
            .extend_from_slice(&bytes[..done]);
        self.real.write_all(&bytes[..done])?;
        outcome
    }

    fn sync(&mut self) -> Result<()> {
        let mut model = self.disk.model();
        model.syncs += 1;
        model.pass(0).1?;
        let contents = &mut model.files[self.file];
        contents.synced = contents.live.clone();
        let time = model.sync_takes;
        drop(model);
        thread::sleep(time);
        Ok(())
    }

    fn truncate(&mut self, length: u64) -> Result<()> {
        let mut model = self.disk.model();
        model.pass(0).1?;
        model.files[self.file].live.truncate(length as usize);
        self.real.truncate(length)
    }
}

fn failed<T>(kind: io::ErrorKind) -> Result<T> {
    Err(Error::io("injected")(kind.into()))
}

/// A small deterministic source of choices (`SplitMix64`).
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_power_cut_keeps_what_was_synced_and_may_take_the_rest() {
        let mut seen = BTreeSet::new();
        for seed in 0..200 {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("a");
            let disk = FaultyDisk::default();
            let mut file = disk.create(&path).unwrap();
            file.write_all(b"kept").unwrap();
            file.sync().unwrap();
            disk.sync_directory(directory.path()).unwrap();
            file.write_all(b"perhaps").unwrap();
            disk.create(&directory.path().join("b")).unwrap();
            disk.crash(seed);
            let left = fs::read(&path).unwrap();
            assert!(left.starts_with(b"kept"));
            assert!(file.write_all(b"late").is_err());
            seen.insert((left.len(), directory.path().join("b").exists()));
        }
        assert!(seen.contains(&(4, false)) && seen.contains(&(11, true)));
        assert!(seen.iter().any(|(length, _)| (5..11).contains(length)));
    }

    #[test]
    fn a_rename_that_was_not_synced_may_be_undone_but_never_halved() {
        let mut seen = BTreeSet::new();
        for seed in 0..100 {
            let directory = tempfile::tempdir().unwrap();
            let (old, new) = (directory.path().join("old"), directory.path().join("new"));
            fs::write(&old, "old").unwrap();
            fs::write(&new, "new").unwrap();
            let disk = FaultyDisk::default();
            disk.remove(&old).unwrap();
            disk.sync_directory(directory.path()).unwrap();
            disk.rename(&new, &old).unwrap();
            disk.crash(seed);
            seen.insert((old.exists(), new.exists()));
        }
        assert_eq!(seen, BTreeSet::from([(true, false), (false, true)]));
    }

    #[test]
    fn a_full_disk_works_again_afterwards() {
        let directory = tempfile::tempdir().unwrap();
        let disk = FaultyDisk::default();
        let kind = io::ErrorKind::StorageFull;
        disk.fault_at(
            2,
            Fault::Fails {
                kind,
                after_bytes: 1,
            },
        );
        let mut file = disk.create(&directory.path().join("a")).unwrap();
        assert!(file.write_all(b"xyz").is_err());
        file.write_all(b"xyz").unwrap();
        assert_eq!(fs::read(directory.path().join("a")).unwrap(), b"xxyz");
    }
}
