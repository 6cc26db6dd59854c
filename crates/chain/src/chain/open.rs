//! Opening: what the manifest names is mapped, what the logs hold is learned again.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, RwLock};

use super::live::Live;
use super::{Chain, Writer, WriterState, tokenizer};
use crate::guard::Guard;
use crate::messages::About;
use crate::storage::{
    Disk, LogWriter, Manifest, NewLog, Operation, Options, RealDisk, Recovery, WriterLock, is_unused, remove_unnamed,
};
use crate::{Error, Result};

/// How a chain is opened.
#[derive(Clone, Debug, Default)]
pub struct Opening {
    /// Whether to learn and forget; else to read only, which needs no lock.
    pub write: bool,
    /// For writing: what a chain that is not there yet is made with. None: it has to be there.
    pub create: Option<Options>,
    /// Names that a guarded chain replaces.
    pub names: Vec<String>,
}

/// What the logs add to a manifest.
struct Replayed {
    live: Live,
    next_sequence: u64,
    counters: BTreeMap<String, u64>,
    recovery: Recovery,
}

impl Chain {
    /// Opens the chain in a directory.
    ///
    /// # Errors
    ///
    /// `Error::Input` if there is none and none is to be made; `Error::Locked`, `Error::Newer`, `Error::Damaged` for a manifest that
    /// cannot be read, `Error::Io`. A damaged segment or log is no error: the rest serves, and `stats` names it.
    pub fn open(directory: &Path, opening: &Opening) -> Result<Self> {
        Self::open_on(Arc::new(RealDisk), directory, opening)
    }

    pub(crate) fn open_on(disk: Arc<dyn Disk>, directory: &Path, opening: &Opening) -> Result<Self> {
        let absent = || Error::input(format!("there is no chain in {}: train it first", directory.display()));
        if opening.write && opening.create.is_some() {
            disk.create_directory(directory)?;
        } else if !directory.is_dir() {
            return Err(absent());
        }
        let lock = opening.write.then(|| WriterLock::acquire(directory)).transpose()?;
        let mut manifest = match Manifest::read(&*disk, directory)? {
            Some(manifest) => manifest,
            None if !is_unused(&*disk, directory)? => return Err(absent()),
            None => match (&opening.create, opening.write) {
                (Some(options), true) => begin(&*disk, directory, options)?,
                _ => return Err(absent()),
            },
        };
        let replayed = replay(&*disk, directory, &manifest)?;
        let mut damage: Vec<String> = replayed.live.broken.iter().map(|(_, why)| why.clone()).collect();
        damage.extend(replayed.recovery.damage().map(ToString::to_string));
        let options = manifest.options.clone();
        let guard = options.guarded.then(|| Guard::new(&opening.names)).transpose()?;
        let writer = match lock {
            None => None,
            Some(lock) => {
                remove_unnamed(&*disk, directory, &manifest)?;
                replayed.recovery.settle(&*disk)?;
                let log = resume(&*disk, directory, &mut manifest, &replayed.recovery)?;
                Some(Writer {
                    _lock: lock,
                    log,
                    state: Mutex::new(WriterState {
                        manifest,
                        next_sequence: replayed.next_sequence,
                        counters: replayed.counters,
                        building: None,
                        replays: 0,
                        last: None,
                        broken: None,
                    }),
                })
            }
        };
        Ok(Self {
            directory: directory.to_owned(),
            disk,
            tokenizer: tokenizer(&options),
            guard,
            live: RwLock::new(replayed.live),
            damage,
            writer,
            merging: Mutex::new(()),
        })
    }

    /// Brings a reader up to what is on the disk now. A writer is always up to date.
    ///
    /// # Errors
    ///
    /// As `open`; the chain stays as it was.
    pub fn refresh(&self) -> Result<()> {
        if self.writer.is_some() {
            return Ok(());
        }
        let Some(manifest) = Manifest::read(&*self.disk, &self.directory)? else {
            return Err(Error::input(format!("the chain in {} was removed", self.directory.display())));
        };
        let replayed = replay(&*self.disk, &self.directory, &manifest)?;
        *self.live_mut() = replayed.live;
        Ok(())
    }

    /// After a failed write: memory becomes what the logs say, which is what was acknowledged.
    pub(super) fn recover(&self, writer: &Writer, why: &Error) {
        let Ok(mut state) = writer.state() else { return };
        // What others appended since is either stored before the logs are read, or fails and tells them.
        if let Some(last) = state.last.take() {
            let _ = writer.log.sync_to(&last);
        }
        let mut live = self.live_mut();
        match replay(&*self.disk, &self.directory, &state.manifest) {
            // A merge that is under way must not be published: what it froze is in the new delta again.
            Ok(replayed) => {
                *live = replayed.live;
                state.replays += 1;
                state.counters = replayed.counters;
            }
            Err(error) => state.broken = Some(format!("{why}; and then {error}")),
        }
    }
}

fn begin(disk: &dyn Disk, directory: &Path, options: &Options) -> Result<Manifest> {
    let mut manifest = Manifest::new(options.clone());
    manifest.options.validate()?;
    let number = manifest.take_file_number();
    // Left by a crash before the first manifest: nobody else can own it, since no manifest names it.
    let log = NewLog::create(disk, directory, number)?;
    manifest.logs.push(log.number());
    manifest.publish(disk, directory)?;
    Ok(manifest)
}

fn resume(disk: &dyn Disk, directory: &Path, manifest: &mut Manifest, recovery: &Recovery) -> Result<LogWriter> {
    if let Some(last) = recovery.logs.last().filter(|log| log.is_appendable()) {
        return LogWriter::resume(disk, last);
    }
    let log = NewLog::create(disk, directory, manifest.take_file_number())?;
    manifest.logs.push(log.number());
    manifest.publish(disk, directory)?;
    Ok(LogWriter::start(log))
}

fn replay(disk: &dyn Disk, directory: &Path, manifest: &Manifest) -> Result<Replayed> {
    let mut live = Live::open(directory, &manifest.segments, &manifest.options)?;
    let mut next_sequence = manifest.next_sequence;
    let mut counters = manifest.counters.clone();
    let mut attachments: Vec<String> = Vec::new();
    let recovery = Recovery::read(disk, directory, &manifest.logs, &mut |operation| {
        match operation {
            Operation::Learn(learn) => {
                attachments.clear();
                attachments.extend(learn.attachments.iter().map(str::to_owned));
                let about = About {
                    sequence: learn.sequence,
                    id: learn.id,
                    author: learn.author,
                    channel: learn.channel,
                    time_ms: learn.time_ms,
                    attachments: &attachments,
                };
                live.learn(&about, learn.text_tokens.iter())?;
                next_sequence = next_sequence.max(learn.sequence + 1);
            }
            Operation::Forget { what, up_to_sequence } => {
                live.forget(&what, up_to_sequence)?;
            }
            Operation::Count { name, by } => *counters.entry(name.to_owned()).or_default() += by,
            Operation::Progress { .. } => {}
        }
        Ok(())
    })?;
    Ok(Replayed {
        live,
        next_sequence,
        counters,
        recovery,
    })
}
