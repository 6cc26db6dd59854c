//! A disk that tells a test before it does anything, so that something can happen just then, or
//! fail.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::*;
use crate::storage::DiskFile;

/// What is about to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doing {
    Create,
    Rename,
    Sync,
    SyncDirectory,
}

type Hook = Arc<dyn Fn(Doing, &Path) -> Result<()> + Send + Sync>;

/// Clones share one hook. Without one it is the machine's disk.
#[derive(Clone, Default)]
pub(super) struct Hooked {
    hook: Arc<Mutex<Option<Hook>>>,
}

impl Hooked {
    pub fn set(&self, hook: impl Fn(Doing, &Path) -> Result<()> + Send + Sync + 'static) {
        *self.hook.lock().unwrap() = Some(Arc::new(hook));
    }

    pub fn clear(&self) {
        *self.hook.lock().unwrap() = None;
    }

    /// Whatever creates a file with this extension fails from now on.
    pub fn refuse(&self, extension: &'static str) {
        self.set(move |doing, path| match doing {
            Doing::Create if path.extension().is_some_and(|its| its == extension) => full(),
            _ => Ok(()),
        });
    }

    pub fn open(&self, directory: &Path) -> Chain {
        open_with(Arc::new(self.clone()), directory, Some(Options::default())).unwrap()
    }

    fn tell(&self, doing: Doing, path: &Path) -> Result<()> {
        let hook = self.hook.lock().unwrap().clone();
        hook.map_or(Ok(()), |hook| hook(doing, path))
    }
}

pub(super) fn full() -> Result<()> {
    Err(Error::io("injected")(io::ErrorKind::StorageFull.into()))
}

impl Disk for Hooked {
    fn create(&self, path: &Path) -> Result<Box<dyn DiskFile>> {
        self.tell(Doing::Create, path)?;
        Ok(self.file(path, RealDisk.create(path)?))
    }

    fn append(&self, path: &Path) -> Result<Box<dyn DiskFile>> {
        Ok(self.file(path, RealDisk.append(path)?))
    }

    fn sync_directory(&self, path: &Path) -> Result<()> {
        self.tell(Doing::SyncDirectory, path)?;
        RealDisk.sync_directory(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.tell(Doing::Rename, to)?;
        RealDisk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> Result<()> {
        RealDisk.remove(path)
    }

    fn create_directory(&self, path: &Path) -> Result<()> {
        RealDisk.create_directory(path)
    }

    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>> {
        RealDisk.read(path)
    }

    fn list(&self, path: &Path) -> Result<Vec<String>> {
        RealDisk.list(path)
    }
}

impl Hooked {
    fn file(&self, path: &Path, real: Box<dyn DiskFile>) -> Box<dyn DiskFile> {
        Box::new(HookedFile {
            disk: self.clone(),
            path: path.to_owned(),
            real,
        })
    }
}

struct HookedFile {
    disk: Hooked,
    path: PathBuf,
    real: Box<dyn DiskFile>,
}

impl DiskFile for HookedFile {
    fn write_all(&mut self, bytes: &[u8]) -> Result<()> {
        self.real.write_all(bytes)
    }

    fn sync(&mut self) -> Result<()> {
        self.disk.tell(Doing::Sync, &self.path)?;
        self.real.sync()
    }

    fn truncate(&mut self, length: u64) -> Result<()> {
        self.real.truncate(length)
    }
}
