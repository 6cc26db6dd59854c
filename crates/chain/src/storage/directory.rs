//! What the files of a chain are called, and which of them are leftovers.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::disk::Disk;
use super::manifest::{MANIFEST_NAME, Manifest, NEW_MANIFEST_NAME};
use crate::{Error, Result};

/// The files that carry a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FileKind {
    Segment,
    Messages,
    Log,
}

impl FileKind {
    const ALL: [Self; 3] = [Self::Segment, Self::Messages, Self::Log];

    fn extension(self) -> &'static str {
        match self {
            Self::Segment => "segment",
            Self::Messages => "messages",
            Self::Log => "log",
        }
    }

    /// Such as `000017.log`: six digits, more when it takes more.
    #[must_use]
    pub fn name(self, number: u64) -> String {
        format!("{number:06}.{}", self.extension())
    }

    #[must_use]
    pub fn path(self, directory: &Path, number: u64) -> PathBuf {
        directory.join(self.name(number))
    }

    /// The kind and number that a file of this name has; none for a name that the chain never
    /// gives.
    #[must_use]
    pub fn of(name: &str) -> Option<(Self, u64)> {
        let (digits, extension) = name.split_once('.')?;
        let kind = Self::ALL
            .into_iter()
            .find(|kind| kind.extension() == extension)?;
        let number = digits.parse().ok()?;
        (kind.name(number) == name).then_some((kind, number))
    }
}

/// What comes behind the name of a log whose damage is kept.
const DAMAGED: &str = ".damaged";

/// Where a log with damage is kept when a merge replaces it.
#[must_use]
pub fn kept_path(directory: &Path, log: u64) -> PathBuf {
    directory.join(FileKind::Log.name(log) + DAMAGED)
}

/// The names of the damaged logs that are kept, in order.
///
/// # Errors
///
/// `Error::Io`.
pub fn kept_logs(disk: &dyn Disk, directory: &Path) -> Result<Vec<String>> {
    let mut names = disk.list(directory)?;
    names.retain(|name| {
        let log = name.strip_suffix(DAMAGED).and_then(FileKind::of);
        matches!(log, Some((FileKind::Log, _)))
    });
    Ok(names)
}

/// Removes what a crash left behind: the chain's own files that the manifest does not name. Files
/// with other names stay. Only for who holds the lock. Returns the names of what was removed.
///
/// # Errors
///
/// `Error::Io`.
pub fn remove_unnamed(
    disk: &dyn Disk,
    directory: &Path,
    manifest: &Manifest,
) -> Result<Vec<String>> {
    let named: BTreeSet<String> = manifest.file_names().collect();
    let mut unnamed = disk.list(directory)?;
    unnamed.retain(|name| {
        name == NEW_MANIFEST_NAME || (FileKind::of(name).is_some() && !named.contains(name))
    });
    // A process that was killed may have put this manifest in place without syncing that: were the
    // files of the one before it removed first, a power cut could leave that one without them.
    disk.sync_directory(directory)?;
    for name in &unnamed {
        disk.remove(&directory.join(name))?;
    }
    if !unnamed.is_empty() {
        disk.sync_directory(directory)?;
    }
    Ok(unnamed)
}

/// Whether a chain may be begun here: there is no manifest.
///
/// # Errors
///
/// `Error::Damaged` if there are files that one must have named, `Error::Io`.
pub fn is_unused(disk: &dyn Disk, directory: &Path) -> Result<bool> {
    let names = disk.list(directory)?;
    if names.iter().any(|name| name == MANIFEST_NAME) {
        return Ok(false);
    }
    match names.iter().find(|name| FileKind::of(name).is_some()) {
        None => Ok(true),
        Some(name) => Err(Error::damaged(
            &directory.join(MANIFEST_NAME),
            format!(
                "it is missing, and {name} is there: put it back from a copy, or move the directory away"
            ),
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::disk::RealDisk;
    use super::super::options::Options;
    use super::*;

    #[test]
    fn only_the_names_that_the_chain_gives_are_its_own() {
        for (name, file) in [
            ("000017.log", (FileKind::Log, 17)),
            ("000001.segment", (FileKind::Segment, 1)),
            ("999999.messages", (FileKind::Messages, 999_999)),
            ("1000000.messages", (FileKind::Messages, 1_000_000)),
        ] {
            assert_eq!(FileKind::of(name), Some(file));
            assert_eq!(file.0.name(file.1), name);
        }
        for name in [
            "17.log",
            "0000017.log",
            "+00017.log",
            "000017.log.bak",
            "000017",
            "000017.txt",
            ".log",
        ] {
            assert_eq!(FileKind::of(name), None, "{name}");
        }
    }

    #[test]
    fn leftovers_go_and_foreign_files_stay() {
        let directory = tempfile::tempdir().unwrap();
        let mut manifest = Manifest::new(Options::default());
        manifest.logs = vec![3];
        manifest.next_file = 4;
        for name in [
            "000002.log",
            "000003.log",
            "000004.segment",
            "manifest.json.new",
            "notes.txt",
            "lock",
            "1.log",
        ] {
            fs::write(directory.path().join(name), "").unwrap();
        }
        let removed = remove_unnamed(&RealDisk, directory.path(), &manifest).unwrap();
        assert_eq!(
            removed,
            ["000002.log", "000004.segment", "manifest.json.new"]
        );
        assert_eq!(
            RealDisk.list(directory.path()).unwrap(),
            ["000003.log", "1.log", "lock", "notes.txt"]
        );
        assert!(
            remove_unnamed(&RealDisk, directory.path(), &manifest)
                .unwrap()
                .is_empty()
        );
    }

    #[test]
    fn a_lost_manifest_is_no_empty_chain() {
        let directory = tempfile::tempdir().unwrap();
        let new = directory.path().join(NEW_MANIFEST_NAME);
        fs::write(&new, "left by a crash").unwrap();
        assert!(is_unused(&RealDisk, directory.path()).unwrap());
        fs::write(directory.path().join("000001.log"), "").unwrap();
        let sentence = is_unused(&RealDisk, directory.path())
            .unwrap_err()
            .to_string();
        assert!(
            sentence.contains("manifest.json is damaged: it is missing, and 000001.log is there"),
            "{sentence}"
        );
        fs::rename(new, directory.path().join(MANIFEST_NAME)).unwrap();
        assert!(!is_unused(&RealDisk, directory.path()).unwrap());
    }
}
