//! A chain on disk: opened by one writer and any number of readers, learning, answering and forgetting meanwhile.
//!
//! What is learned goes to the log and to the delta in memory; a merge makes the delta, and segments that are small beside it or
//! hold what was forgotten, into a new segment, and the manifest names it in place of the old ones.

mod archive;
mod bury;
mod learn;
mod live;
mod merge;
mod open;
mod speak;
mod stats;
mod train;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::guard::Guard;
use crate::storage::{Disk, Forget, LogWriter, Manifest, Options, Ticket, WriterLock};
use crate::tokens::{Limits, Tokenizer};
use crate::{Error, Result};
use live::Live;

pub use learn::{Added, MAX_BATCH};
pub use merge::{Extent, Merged};
pub use open::Opening;
pub use speak::{Reference, generate_mixed};
pub use stats::{Stats, Verified};
pub use train::{Progress, Trained, Training};

/// Memory that a delta may take before it asks to be merged, in bytes.
pub const DELTA_BYTES: usize = 24 << 20;

/// One open chain. Shared between threads.
pub struct Chain {
    directory: PathBuf,
    disk: Arc<dyn Disk>,
    tokenizer: Tokenizer,
    guard: Option<Guard>,
    live: RwLock<Live>,
    /// What opening found wrong, one sentence each.
    damage: Vec<String>,
    writer: Option<Writer>,
    /// Held by whoever makes segments.
    merging: Mutex<()>,
}

/// What only the process that holds the lock has.
struct Writer {
    _lock: WriterLock,
    log: LogWriter,
    state: Mutex<WriterState>,
}

/// What changes with each operation. Its lock gives operations their order, in the log as in memory.
struct WriterState {
    manifest: Manifest,
    next_sequence: u64,
    /// Counters with what the logs add to the manifest's.
    counters: BTreeMap<String, u64>,
    /// While segments are made: what they do not know of.
    building: Option<Building>,
    /// How often memory was made anew from the logs.
    replays: u64,
    last: Option<Ticket>,
    /// Why memory is not what the log says, after a failure that could not be made good.
    broken: Option<String>,
}

/// What goes on while segments are made from what was there at its beginning.
struct Building {
    forgotten: Vec<(Forget, u64)>,
    /// Counters and replays as they were then.
    counters: BTreeMap<String, u64>,
    replays: u64,
}

impl WriterState {
    fn begin_building(&mut self) {
        self.building = Some(Building {
            forgotten: Vec::new(),
            counters: self.counters.clone(),
            replays: self.replays,
        });
    }
}

impl Chain {
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    #[must_use]
    pub fn options(&self) -> Options {
        self.live().options.clone()
    }

    #[must_use]
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// Whether this process may change the chain.
    #[must_use]
    pub fn is_writer(&self) -> bool {
        self.writer.is_some()
    }

    /// Bytes that the delta and what was forgotten take in memory.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let live = self.live();
        let frozen = live.frozen.as_ref().map_or(0, |frozen| frozen.fresh.memory_bytes() + frozen.dead.memory_bytes());
        let segments: usize = live.segments.iter().map(|held| held.dead.memory_bytes()).sum();
        live.fresh.memory_bytes() + live.fresh_dead.memory_bytes() + frozen + segments
    }

    /// Whether there is so much in the delta that it should be merged.
    #[must_use]
    pub fn wants_merge(&self) -> bool {
        let live = self.live();
        live.frozen.is_none() && live.fresh.memory_bytes() > DELTA_BYTES
    }

    fn live(&self) -> RwLockReadGuard<'_, Live> {
        self.live.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn live_mut(&self) -> RwLockWriteGuard<'_, Live> {
        self.live.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn writer(&self) -> Result<&Writer> {
        self.writer.as_ref().ok_or_else(|| {
            Error::input(format!("{} is open for reading only: open it for writing", self.directory.display()))
        })
    }

    fn merging(&self) -> MutexGuard<'_, ()> {
        self.merging.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Writer {
    fn state(&self) -> Result<MutexGuard<'_, WriterState>> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match &state.broken {
            Some(why) => Err(Error::Io {
                doing: "the chain has to be opened again".into(),
                source: std::io::Error::other(why.clone()),
            }),
            None => Ok(state),
        }
    }
}

fn tokenizer(options: &Options) -> Tokenizer {
    let limits = Limits {
        max_tokens: options.max_tokens,
        max_token_bytes: options.max_token_bytes,
    };
    Tokenizer::new(options.mode, limits)
}

impl std::fmt::Debug for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chain").field("directory", &self.directory).finish_non_exhaustive()
    }
}
