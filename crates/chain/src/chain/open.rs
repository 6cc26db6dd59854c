//! Opening a chain, and beginning one where there is none.

use std::path::Path;
use std::sync::{Arc, RwLock};

use super::merging::Merging;
use super::replay::{self, Replayed, replay};
use super::writer::{Writer, WriterState};
use super::{Chain, LOG_BYTES, SEGMENT_MEMORY, tokenizer};
use crate::guard::Guard;
use crate::storage::{
    Disk, LogWriter, MANIFEST_NAME, Manifest, NewLog, Options, RealDisk, Recovery, WriterLock,
    is_unused, remove_unnamed,
};
use crate::{Error, Result};

/// The counter of bytes that a crash left at the end of a log.
const LOG_BYTES_CUT: &str = "log_bytes_cut";

/// How a chain is opened.
#[derive(Clone, Debug, Default)]
pub struct Opening {
    /// Whether to learn and forget; else to read only, which needs no lock.
    pub write: bool,
    /// For writing: what a chain that is not there yet is made with. None: it has to be there.
    pub create: Option<Options>,
    /// For writing a guarded chain: further names that it replaces from now on.
    pub names: Vec<String>,
}

impl Chain {
    /// Opens the chain in a directory.
    ///
    /// # Errors
    ///
    /// `Error::Input` if there is none and none is to be made; `Error::Locked`, `Error::Newer`,
    /// `Error::Damaged` for a manifest that cannot be read, `Error::Io`. A damaged segment or log
    /// is no error: the rest serves, and `stats` names it.
    pub fn open(directory: &Path, opening: &Opening) -> Result<Self> {
        Self::open_on(Arc::new(RealDisk), directory, opening)
    }

    pub(crate) fn open_on(
        disk: Arc<dyn Disk>,
        directory: &Path,
        opening: &Opening,
    ) -> Result<Self> {
        let (writer, guard, replayed) = if opening.write {
            let (writer, guard, replayed) = for_writing(&*disk, directory, opening)?;
            (Some(writer), guard, replayed)
        } else {
            (None, None, for_reading(&*disk, directory)?)
        };
        let options = &replayed.live.options;
        let chain = Self {
            directory: directory.to_owned(),
            disk,
            tokenizer: tokenizer(options),
            guard,
            live: RwLock::new(replayed.live),
            writer,
            merging: Merging::default(),
            segment_places: 0,
            gathered_bytes: 0,
            delta_bytes: 0,
            log_bytes: LOG_BYTES,
        };
        Ok(chain.with_segment_memory(SEGMENT_MEMORY))
    }
}

impl Chain {
    /// Names that a guarded chain replaces besides what it finds, in order.
    ///
    /// # Errors
    ///
    /// As `open`.
    pub fn names(&self) -> Result<Vec<String>> {
        let names = match &self.writer {
            Some(writer) => self.state(writer)?.manifest.names.clone(),
            None => {
                Manifest::read(&*self.disk, &self.directory)?
                    .ok_or_else(|| absent(&self.directory))?
                    .names
            }
        };
        Ok(names.into_iter().collect())
    }
}

fn absent(directory: &Path) -> Error {
    Error::input(format!(
        "there is no chain in {}: train it first",
        directory.display()
    ))
}

fn for_reading(disk: &dyn Disk, directory: &Path) -> Result<Replayed> {
    if !directory.is_dir() {
        return Err(absent(directory));
    }
    match replay::read(disk, directory)? {
        Some((_, replayed)) => Ok(replayed),
        None => Err(none_there(disk, directory)),
    }
}

fn for_writing(
    disk: &dyn Disk,
    directory: &Path,
    opening: &Opening,
) -> Result<(Writer, Option<Guard>, Replayed)> {
    let create = opening.create.as_ref();
    if !opening.names.is_empty() {
        // Before anything is made.
        Guard::new(&opening.names)?;
    }
    match create {
        Some(options) => {
            options.validate()?;
            disk.create_directory(directory)?;
        }
        None if directory.is_dir() && has_manifest(directory)? => {}
        None if directory.is_dir() => return Err(none_there(disk, directory)),
        None => return Err(absent(directory)),
    }
    let lock = WriterLock::acquire(directory)?;
    let mut manifest = match (Manifest::read(disk, directory)?, create) {
        (Some(manifest), _) => manifest,
        (None, Some(options)) if is_unused(disk, directory)? => {
            // It names no log yet: one that was there before it could not be told from a lost
            // chain's.
            let mut manifest = Manifest::new(options.clone());
            manifest.publish(disk, directory)?;
            manifest
        }
        _ => return Err(none_there(disk, directory)),
    };
    let guard = keep_names(disk, directory, &mut manifest, &opening.names)?;
    let mut replayed = replay(disk, directory, &manifest, None)?;
    remove_unnamed(disk, directory, &manifest)?;
    let cut = replayed.recovery.settle(disk)?;
    if cut > 0 {
        // Nothing of it was acknowledged; still nobody can tell it from a last frame that was
        // damaged.
        *replayed
            .live
            .counters
            .entry(LOG_BYTES_CUT.to_owned())
            .or_default() += cut;
    }
    let log = resume(disk, directory, &mut manifest, &replayed.recovery)?;
    let state = WriterState::new(
        manifest,
        replayed.next_sequence,
        replayed.live.counters.clone(),
    );
    Ok((Writer::new(lock, log, state), guard, replayed))
}

/// The guard of a guarded chain. Names that are new are stored: what was learned without them would
/// be in it for good.
fn keep_names(
    disk: &dyn Disk,
    directory: &Path,
    manifest: &mut Manifest,
    names: &[String],
) -> Result<Option<Guard>> {
    if !manifest.options.guarded {
        return Ok(None);
    }
    let stored = manifest.names.len();
    manifest.names.extend(names.iter().cloned());
    let all: Vec<String> = manifest.names.iter().cloned().collect();
    let guard = Guard::new(&all)?;
    if all.len() > stored {
        manifest.publish(disk, directory)?;
    }
    Ok(Some(guard))
}

fn has_manifest(directory: &Path) -> Result<bool> {
    let path = directory.join(MANIFEST_NAME);
    path.try_exists()
        .map_err(Error::io(format!("opening {}", path.display())))
}

/// Why there is no chain: nothing is there, or its manifest is lost.
fn none_there(disk: &dyn Disk, directory: &Path) -> Error {
    is_unused(disk, directory)
        .err()
        .unwrap_or_else(|| absent(directory))
}

fn resume(
    disk: &dyn Disk,
    directory: &Path,
    manifest: &mut Manifest,
    recovery: &Recovery,
) -> Result<LogWriter> {
    if let Some(last) = recovery.logs.last().filter(|log| log.is_appendable()) {
        return LogWriter::resume(disk, last);
    }
    let log = NewLog::create(disk, directory, manifest.take_file_number())?;
    manifest.logs.push(log.number());
    manifest.publish(disk, directory)?;
    Ok(LogWriter::start(log))
}
