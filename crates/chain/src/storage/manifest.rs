//! The manifest: which files are the chain. Replacing it is what publishes a change.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::directory::FileKind;
use super::disk::Disk;
use super::migration::{self, FORMAT};
use super::options::Options;
use crate::{Error, Result};

pub const MANIFEST_NAME: &str = "manifest.json";
pub(super) const NEW_MANIFEST_NAME: &str = "manifest.json.new";

/// What stands before and in place of the eight digits of the checksum while it is taken.
const CHECKSUM_KEY: &[u8] = b"\"checksum\": \"";
const NO_CHECKSUM: &str = "00000000";

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    format: u32,
    checksum: String,
    /// Rises with each replacement.
    pub generation: u64,
    pub options: Options,
    /// What the leak guard replaces besides what it finds; ascending.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub names: BTreeSet<String>,
    /// In the order of their messages.
    pub segments: Vec<SegmentEntry>,
    /// Numbers of the logs, in the order of their operations; the last is written to.
    pub logs: Vec<u64>,
    /// Greater than every sequence of the segments. The logs may hold messages with a lesser one,
    /// where a training published segments meanwhile; what is learned next gets one greater than
    /// all of them.
    pub next_sequence: u64,
    /// No file has this number or a greater one, save leftovers of a crash.
    pub next_file: u64,
    /// By source.
    pub progress: BTreeMap<String, SourceProgress>,
    /// By name; what the logs say comes on top.
    pub counters: BTreeMap<String, u64>,
}

/// A segment and its message file, as they were when they were written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SegmentEntry {
    pub number: u64,
    pub messages: u64,
    pub tokens: u64,
    pub first_sequence: u64,
    pub last_sequence: u64,
    /// Length and CRC-32 of the segment's file.
    pub bytes: u64,
    pub crc32: u32,
    /// Length and CRC-32 of the message file.
    pub messages_bytes: u64,
    pub messages_crc32: u32,
}

/// How far a training file was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceProgress {
    pub records: u64,
    pub fingerprint: u64,
    pub done: bool,
}

impl Manifest {
    /// A chain that holds nothing yet.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self {
            format: FORMAT,
            checksum: NO_CHECKSUM.to_owned(),
            generation: 0,
            options,
            names: BTreeSet::new(),
            segments: Vec::new(),
            logs: Vec::new(),
            next_sequence: 1,
            next_file: 1,
            progress: BTreeMap::new(),
            counters: BTreeMap::new(),
        }
    }

    /// The manifest of a directory, brought to today's format; none if there is none.
    ///
    /// # Errors
    ///
    /// `Error::Newer` for a later format, `Error::Damaged` for anything that was not written so.
    pub fn read(disk: &dyn Disk, directory: &Path) -> Result<Option<Self>> {
        let path = directory.join(MANIFEST_NAME);
        let Some(bytes) = disk.read(&path)? else {
            return Ok(None);
        };
        let damaged = |what: String| {
            Error::damaged(
                &path,
                format!("{what}: put it back from a copy or import an export"),
            )
        };
        if !checksum_matches(&bytes) {
            return Err(damaged("the checksum does not match".to_owned()));
        }
        let value = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        let value = migration::to_current(value, &path)?;
        let mut manifest: Self =
            serde_json::from_value(value).map_err(|error| damaged(error.to_string()))?;
        manifest.options = manifest.options.meant();
        match manifest.contradiction() {
            Some(what) => Err(damaged(what)),
            None => Ok(Some(manifest)),
        }
    }

    /// Puts this manifest in the place of the one on the disk, one generation on, to outlast a
    /// power cut.
    ///
    /// # Errors
    ///
    /// `Error::Input` if the manifest contradicts itself. `Error::Io`: the old or the new one is
    /// there, and the files of both have to stay.
    pub fn publish(&mut self, disk: &dyn Disk, directory: &Path) -> Result<()> {
        self.options.validate()?;
        if let Some(what) = self.contradiction() {
            return Err(Error::input(format!(
                "the manifest was not written: {what}"
            )));
        }
        // A generation is given once, even if it is not known whether it got there.
        self.generation += 1;
        let new = directory.join(NEW_MANIFEST_NAME);
        if disk.read(&new)?.is_some() {
            disk.remove(&new)?;
        }
        let mut file = disk.create(&new)?;
        file.write_all(&self.encode())?;
        file.sync()?;
        disk.rename(&new, &directory.join(MANIFEST_NAME))?;
        disk.sync_directory(directory)
    }

    /// The number for a new file. It is taken for good with the next `publish`.
    pub fn take_file_number(&mut self) -> u64 {
        self.next_file += 1;
        self.next_file - 1
    }

    /// The names of all files that are live, the manifest and the lock aside.
    pub fn file_names(&self) -> impl Iterator<Item = String> {
        let segments = self.segments.iter().flat_map(|segment| {
            [FileKind::Segment, FileKind::Messages].map(|kind| kind.name(segment.number))
        });
        segments.chain(self.logs.iter().map(|&number| FileKind::Log.name(number)))
    }

    /// One line for a field, two spaces for a level: people read it too.
    fn encode(&self) -> Vec<u8> {
        let unsigned = Self {
            format: FORMAT,
            checksum: NO_CHECKSUM.to_owned(),
            ..self.clone()
        };
        let mut bytes = serde_json::to_vec_pretty(&unsigned).expect("a manifest is plain data");
        bytes.push(b'\n');
        sign(&mut bytes);
        bytes
    }

    /// What cannot be so whatever was written.
    fn contradiction(&self) -> Option<String> {
        let mut numbers = BTreeSet::new();
        let segments = self.segments.iter().map(|segment| segment.number);
        for number in segments.chain(self.logs.iter().copied()) {
            if !numbers.insert(number) {
                return Some(format!("file {number} is named twice"));
            }
            if number >= self.next_file {
                return Some(format!(
                    "file {number} is named, but next_file is {}",
                    self.next_file
                ));
            }
        }
        if !self.logs.is_sorted() {
            return Some("the logs are out of order".to_owned());
        }
        let past = (self.segments.iter()).find(|segment| {
            segment.first_sequence > segment.last_sequence
                || segment.last_sequence >= self.next_sequence
        })?;
        Some(format!(
            "segment {} has sequences {} to {}, but next_sequence is {}",
            past.number, past.first_sequence, past.last_sequence, self.next_sequence
        ))
    }
}

/// Writes the checksum over the zeros that stand in its place.
pub(super) fn sign(bytes: &mut [u8]) {
    let digits = format!("{:08x}", crc32fast::hash(bytes));
    let at = checksum_at(bytes).expect("a manifest has a place for its checksum");
    bytes[at..at + digits.len()].copy_from_slice(digits.as_bytes());
}

fn checksum_matches(bytes: &[u8]) -> bool {
    let Some(at) = checksum_at(bytes) else {
        return false;
    };
    let mut unsigned = bytes.to_vec();
    let digits = &mut unsigned[at..at + NO_CHECKSUM.len()];
    let found = digits.to_vec();
    digits.copy_from_slice(NO_CHECKSUM.as_bytes());
    found == format!("{:08x}", crc32fast::hash(&unsigned)).into_bytes()
}

/// The place of the first field `checksum`, which is the manifest's own: within texts, quotes are
/// escaped, and it stands before every object that has keys of somebody else's choice.
fn checksum_at(bytes: &[u8]) -> Option<usize> {
    let key = bytes
        .windows(CHECKSUM_KEY.len())
        .position(|window| window == CHECKSUM_KEY)?;
    let at = key + CHECKSUM_KEY.len();
    (at + NO_CHECKSUM.len() <= bytes.len()).then_some(at)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::disk::RealDisk;
    use super::*;

    fn full() -> Manifest {
        let mut manifest = Manifest::new(Options::guarded());
        manifest.segments.push(SegmentEntry {
            number: 1,
            messages: 3,
            first_sequence: 1,
            last_sequence: 3,
            ..SegmentEntry::default()
        });
        manifest.logs = vec![2, 4];
        manifest.next_sequence = 9;
        manifest.next_file = 5;
        let progress = SourceProgress {
            records: 7,
            fingerprint: u64::MAX,
            done: true,
        };
        manifest
            .progress
            .insert("\"checksum\": \"ü".to_owned(), progress);
        manifest.counters.insert("capped".to_owned(), 2);
        manifest
    }

    fn read(directory: &tempfile::TempDir) -> Result<Option<Manifest>> {
        Manifest::read(&RealDisk, directory.path())
    }

    #[test]
    fn what_was_published_is_read() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(read(&directory).unwrap(), None);
        let mut manifest = full();
        for generation in 1..4 {
            manifest.publish(&RealDisk, directory.path()).unwrap();
            assert_eq!(manifest.generation, generation);
            let found = read(&directory).unwrap().unwrap();
            assert_eq!(
                (found.generation, &found.progress),
                (generation, &manifest.progress)
            );
            assert_eq!(
                (found.segments, found.logs),
                (manifest.segments.clone(), vec![2, 4])
            );
        }
        let names: Vec<String> = manifest.file_names().collect();
        assert_eq!(
            names,
            [
                "000001.segment",
                "000001.messages",
                "000002.log",
                "000004.log"
            ]
        );
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_damage() {
        let directory = tempfile::tempdir().unwrap();
        full().publish(&RealDisk, directory.path()).unwrap();
        let path = directory.path().join(MANIFEST_NAME);
        let whole = fs::read(&path).unwrap();
        let refused = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            let error = read(&directory).unwrap_err();
            assert!(matches!(error, Error::Damaged { .. }), "{error}");
            assert!(
                error
                    .to_string()
                    .ends_with("put it back from a copy or import an export")
            );
        };
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            refused(&bytes);
        }
        for length in 0..whole.len() {
            refused(&whole[..length]);
        }
    }

    #[test]
    fn what_contradicts_itself_is_not_written() {
        let directory = tempfile::tempdir().unwrap();
        let refused = |change: fn(&mut Manifest), what: &str| {
            let mut manifest = full();
            change(&mut manifest);
            let sentence = manifest
                .publish(&RealDisk, directory.path())
                .unwrap_err()
                .to_string();
            assert!(sentence.contains(what), "{sentence}");
        };
        refused(|manifest| manifest.logs = vec![1], "file 1 is named twice");
        refused(|manifest| manifest.logs = vec![5], "next_file is 5");
        refused(|manifest| manifest.logs = vec![4, 3], "out of order");
        refused(
            |manifest| manifest.next_sequence = 3,
            "segment 1 has sequences 1 to 3",
        );
        refused(
            |manifest| manifest.options.order = 0,
            "the option order is 0",
        );
        assert_eq!(read(&directory).unwrap(), None);
    }

    #[test]
    fn what_an_earlier_crash_left_is_no_obstacle() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(NEW_MANIFEST_NAME), "half a mani").unwrap();
        full().publish(&RealDisk, directory.path()).unwrap();
        assert_eq!(RealDisk.list(directory.path()).unwrap(), [MANIFEST_NAME]);
    }
}
