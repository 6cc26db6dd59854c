//! Writing a segment and its messages.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use crate::messages::{self, Table};
use crate::segment::build::{Corpus, Plan, Support};
use crate::storage::{self, Disk, DiskFile, FileKind, Options, SegmentEntry};
use crate::{Error, Result};

/// Writes a segment and its messages, durably; the manifest does not name them yet.
///
/// # Errors
///
/// `Error::Io`: what was written is removed again, as far as that can be.
pub(super) fn write_segment(
    disk: &dyn Disk,
    directory: &Path,
    number: u64,
    corpus: &mut Corpus,
    table: &Table,
    options: &Options,
) -> Result<SegmentEntry> {
    let written = write_files(disk, directory, number, corpus, table, options);
    if written.is_err() {
        remove_segment(disk, directory, number);
    }
    written
}

/// Removes both files of a segment that no manifest names. What cannot be removed now is removed at
/// the next open.
pub(super) fn remove_segment(disk: &dyn Disk, directory: &Path, number: u64) {
    for kind in [FileKind::Segment, FileKind::Messages] {
        let _ = disk.remove(&kind.path(directory, number));
    }
}

fn write_files(
    disk: &dyn Disk,
    directory: &Path,
    number: u64,
    corpus: &mut Corpus,
    table: &Table,
    options: &Options,
) -> Result<SegmentEntry> {
    let count = table.len();
    let plan = plan(table, options);
    let tokens = (corpus.text.len() - 1 - count) as u64;
    let doing = |path: &Path| format!("writing {}", path.display());

    let path = FileKind::Segment.path(directory, number);
    let out = Out::create(disk, &path)?;
    let (out, written) = corpus
        .write(&plan, out)
        .map_err(|error| unwrapped(error, doing(&path)))?;
    let crc32 = out.finish(&path)?;

    let path = FileKind::Messages.path(directory, number);
    let out = Out::create(disk, &path)?;
    let (out, messages_bytes) = messages::write(out, table, &corpus.text)
        .map_err(|error| unwrapped(error, doing(&path)))?;
    let messages_crc32 = out.finish(&path)?;

    disk.sync_directory(directory)?;
    Ok(SegmentEntry {
        number,
        messages: count as u64,
        tokens,
        first_sequence: table.sequence(0),
        last_sequence: table.sequence(count - 1),
        bytes: written.bytes,
        crc32,
        messages_bytes,
        messages_crc32,
    })
}

fn plan(table: &Table, options: &Options) -> Plan {
    let count = table.len();
    let speakers = || match options.support {
        storage::Support::Authors => (0..count)
            .map(|message| table.author_number(message))
            .collect(),
        storage::Support::Messages => (1..=count as u32).collect(),
    };
    Plan {
        order: usize::from(options.order),
        backward: options.backward,
        max_copied_tokens: options.max_copied_tokens,
        support: (options.min_authors > 1).then(|| Support {
            least: options.min_authors,
            speakers: speakers(),
        }),
    }
}

/// A file of the disk as a writer, with the checksum of all that went in.
struct Out {
    file: BufWriter<Raw>,
}

struct Raw {
    file: Box<dyn DiskFile>,
    crc: crc32fast::Hasher,
}

impl Out {
    fn create(disk: &dyn Disk, path: &Path) -> Result<Self> {
        let raw = Raw {
            file: disk.create(path)?,
            crc: crc32fast::Hasher::new(),
        };
        Ok(Self {
            file: BufWriter::with_capacity(1 << 18, raw),
        })
    }

    fn finish(self, path: &Path) -> Result<u32> {
        let doing = format!("writing {}", path.display());
        let raw = self
            .file
            .into_inner()
            .map_err(|error| unwrapped(error.into_error(), doing))?;
        let Raw { mut file, crc } = raw;
        file.sync()?;
        Ok(crc.finalize())
    }
}

impl Write for Raw {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write_all(bytes).map_err(io::Error::other)?;
        self.crc.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// The error of the disk, where a writer wrapped it.
fn unwrapped(error: io::Error, doing: String) -> Error {
    match error.downcast::<Error>() {
        Ok(inner) => inner,
        Err(source) => Error::Io { doing, source },
    }
}
