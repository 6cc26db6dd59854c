//! Files mapped into memory: the only unsafe code of the crate.

use std::fs::File;
use std::ops::Deref;
use std::path::Path;

use crate::{Error, Result};

/// A file mapped for reading.
///
/// Files that are mapped are written once, before the manifest names them, and never changed: what
/// lies behind the slice stands still. (Somebody who truncates such a file under a running process
/// gets that process a SIGBUS, as with any mapped file; removing it is harmless.)
#[derive(Debug)]
pub struct Map(memmap2::Mmap);

impl Map {
    /// # Errors
    ///
    /// `Error::Io` when it cannot be opened or mapped.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(Error::io(format!("opening {}", path.display())))?;
        // SAFETY: the file is immutable once named, see above.
        #[allow(unsafe_code)]
        let map = unsafe { memmap2::Mmap::map(&file) };
        map.map(Self)
            .map_err(Error::io(format!("mapping {}", path.display())))
    }
}

impl Deref for Map {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}
