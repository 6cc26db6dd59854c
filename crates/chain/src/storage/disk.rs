//! The one door to the file system: every write of the crate goes through a `Disk`, so that tests
//! can fail each.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// What the crate asks of a file system. Errors are `Error::Io` and name what was being done to
/// which file.
#[allow(
    clippy::missing_errors_doc,
    reason = "one text for all of them stands above"
)]
pub trait Disk: Send + Sync {
    /// A new file to write from the start. A file of that name is an error: nothing is ever
    /// overwritten.
    fn create(&self, path: &Path) -> Result<Box<dyn DiskFile>>;
    /// An existing file to write at its end.
    fn append(&self, path: &Path) -> Result<Box<dyn DiskFile>>;
    /// Makes the creations, renames and removals in a directory outlast a power cut.
    fn sync_directory(&self, path: &Path) -> Result<()>;
    /// Atomic; takes the place of a file that is named `to`.
    fn rename(&self, from: &Path, to: &Path) -> Result<()>;
    /// A file that is not there is an error.
    fn remove(&self, path: &Path) -> Result<()>;
    /// A directory, with its missing parents, all durable; one that is there is no error.
    fn create_directory(&self, path: &Path) -> Result<()>;
    /// All of a file; none if there is no such file.
    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>>;
    /// The names of the files in a directory, sorted; those that are not UTF-8 are left out.
    fn list(&self, path: &Path) -> Result<Vec<String>>;
}

/// A file open for writing, without a buffer of its own: write in large pieces. Errors are as those
/// of `Disk`.
#[allow(
    clippy::missing_errors_doc,
    reason = "one text for all of them stands above"
)]
pub trait DiskFile: Send {
    fn write_all(&mut self, bytes: &[u8]) -> Result<()>;
    /// Returns when what was written would outlast a power cut (the name in its directory aside).
    fn sync(&mut self) -> Result<()>;
    /// Cuts the file to `length` bytes; the next write goes there.
    fn truncate(&mut self, length: u64) -> Result<()>;
}

/// The machine's own file system. Files are made with mode 0600, directories with 0700: messages
/// are private.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn create(&self, path: &Path) -> Result<Box<dyn DiskFile>> {
        // Append mode, so that a write after `truncate` goes to the new end.
        let mut options = OpenOptions::new();
        options.append(true).create_new(true).mode(0o600);
        open(&options, path, "creating")
    }

    fn append(&self, path: &Path) -> Result<Box<dyn DiskFile>> {
        open(OpenOptions::new().append(true), path, "opening")
    }

    fn sync_directory(&self, path: &Path) -> Result<()> {
        File::open(path)
            .and_then(|directory| directory.sync_all())
            .map_err(on("syncing the directory", path))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        fs::rename(from, to).map_err(on("putting in place", to))
    }

    fn remove(&self, path: &Path) -> Result<()> {
        fs::remove_file(path).map_err(on("removing", path))
    }

    fn create_directory(&self, path: &Path) -> Result<()> {
        if path.is_dir() {
            return Ok(());
        }
        let parent = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        self.create_directory(parent)?;
        match fs::DirBuilder::new().mode(0o700).create(path) {
            // Somebody else was faster.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
            made => made.map_err(on("creating the directory", path))?,
        }
        self.sync_directory(parent)
    }

    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>> {
        match fs::read(path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(on("reading", path)(error)),
        }
    }

    fn list(&self, path: &Path) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(path).map_err(on("listing", path))? {
            let entry = entry.map_err(on("listing", path))?;
            let kind = entry.file_type().map_err(on("listing", path))?;
            if let (true, Ok(name)) = (kind.is_file(), entry.file_name().into_string()) {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }
}

struct RealFile {
    file: File,
    path: PathBuf,
}

impl DiskFile for RealFile {
    fn write_all(&mut self, bytes: &[u8]) -> Result<()> {
        self.file
            .write_all(bytes)
            .map_err(on("writing", &self.path))
    }

    fn sync(&mut self) -> Result<()> {
        self.file.sync_data().map_err(on("syncing", &self.path))
    }

    fn truncate(&mut self, length: u64) -> Result<()> {
        self.file
            .set_len(length)
            .map_err(on("truncating", &self.path))
    }
}

fn open(options: &OpenOptions, path: &Path, verb: &str) -> Result<Box<dyn DiskFile>> {
    let file = options.open(path).map_err(on(verb, path))?;
    Ok(Box::new(RealFile {
        file,
        path: path.to_owned(),
    }))
}

fn on(verb: &str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    Error::io(format!("{verb} {}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn files_are_private_and_never_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let chain = directory.path().join("a/b");
        RealDisk.create_directory(&chain).unwrap();
        RealDisk.create_directory(&chain).unwrap();
        let path = chain.join("x");
        let mut file = RealDisk.create(&path).unwrap();
        file.write_all(b"abcdef").unwrap();
        file.truncate(2).unwrap();
        file.write_all(b"z").unwrap();
        file.sync().unwrap();
        assert_eq!(RealDisk.read(&path).unwrap().unwrap(), b"abz");
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(
            fs::metadata(&chain).unwrap().permissions().mode() & 0o777,
            0o700
        );
        let refused = RealDisk.create(&path).err().unwrap().to_string();
        assert!(
            refused.starts_with(&format!("creating {}: ", path.display())),
            "{refused}"
        );
        RealDisk.append(&path).unwrap().write_all(b"!").unwrap();
        RealDisk.rename(&path, &chain.join("y")).unwrap();
        RealDisk.sync_directory(&chain).unwrap();
        assert_eq!(RealDisk.list(&chain).unwrap(), ["y"]);
        assert_eq!(RealDisk.read(&path).unwrap(), None);
        assert_eq!(RealDisk.read(&chain.join("y")).unwrap().unwrap(), b"abz!");
        assert!(RealDisk.append(&path).is_err());
        assert!(RealDisk.remove(&path).is_err());
    }
}
