//! A chain on disk: opened by one writer and any number of readers, learning, answering and
//! forgetting meanwhile.
//!
//! What is learned goes to the log and to the delta in memory; a merge makes the delta, and
//! segments that are small beside it or hold what was forgotten, into a new segment, and the
//! manifest names it in place of the old ones.

mod archive;
mod bury;
mod count;
mod counters;
mod export;
mod forget;
mod fresh;
mod gather;
mod gathered;
mod held;
mod illustration;
mod import;
mod interning;
mod learn;
mod live;
mod merge;
mod merging;
mod open;
mod output;
mod plan;
mod publish;
mod references;
mod replay;
mod runs;
mod speak;
mod stats;
#[cfg(test)]
mod tests;
mod train;
mod verify;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::{Arc, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Instant;

use crate::guard::Guard;
use crate::storage::{Disk, Options};
use crate::tokens::{Limits, Tokenizer};
use crate::{Error, Result};
use live::Live;
use merging::{Merging, Turn};
use runs::Runs;
use writer::{Writer, WriterState};

pub use learn::Added;
pub use merge::{Extent, Merged};
pub use open::Opening;
pub use references::Reference;
pub use speak::generate_mixed;
pub use stats::Stats;
pub use train::{Progress, Trained, Training};
pub use verify::Verified;

/// Memory that making a segment may take where nobody says how much, in bytes: a million messages of
/// nine words.
const SEGMENT_MEMORY: usize = 200 << 20;

/// What that is for each place of a segment, with names, ids and vocabulary as messages have them:
/// 17 to 19 were measured of a million.
const PLACE_BYTES: usize = 20;

/// Memory that a delta, and what was forgotten, may take before a merge is wanted, in bytes, and
/// which part of what a segment may take it is at most.
const DELTA_BYTES: usize = 24 << 20;
const DELTA_PART: usize = 4;

/// The same for the log, which is read at each opening.
const LOG_BYTES: u64 = 64 << 20;

/// One open chain. Shared between threads.
pub struct Chain {
    directory: PathBuf,
    disk: Arc<dyn Disk>,
    tokenizer: Tokenizer,
    guard: Option<Guard>,
    live: RwLock<Live>,
    writer: Option<Writer>,
    merging: Merging,
    /// The bounds of a segment, which tests lower: its places, and bytes of messages that are
    /// gathered for it, of which a million may not fit.
    segment_places: u64,
    gathered_bytes: usize,
    /// From where on a merge is wanted, which tests lower too.
    delta_bytes: usize,
    log_bytes: u64,
}

impl Chain {
    /// The same chain where making a segment takes about so many bytes of memory, in a merge or a
    /// training: segments are as small as that says, and what is learned is merged as early. Half as
    /// much again where words, names and ids are long.
    #[must_use]
    pub fn with_segment_memory(mut self, bytes: usize) -> Self {
        self.segment_places = (bytes / PLACE_BYTES) as u64;
        self.gathered_bytes = bytes;
        self.delta_bytes = DELTA_BYTES.min(bytes / DELTA_PART);
        self
    }

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

    /// Bytes that the delta, what was forgotten, and what finds attachments take in memory.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let live = self.live();
        let runs = live
            .segments
            .iter()
            .filter_map(|held| held.attached_runs.get());
        live.memory_bytes() + runs.map(Runs::memory_bytes).sum::<usize>()
    }

    /// Those of them that a merge would put on the disk.
    #[must_use]
    pub fn unmerged_bytes(&self) -> usize {
        self.live().memory_bytes()
    }

    /// Whether there is so much in memory or in the log that it should be merged, or a segment is
    /// silent until then because something was forgotten on which a transition may stand, or very
    /// much. Not soon after a merge that failed.
    #[must_use]
    pub fn wants_merge(&self) -> bool {
        let Some(writer) = &self.writer else {
            return false;
        };
        let live = self.live();
        let much = live.memory_bytes() > self.delta_bytes || writer.log.bytes() > self.log_bytes;
        live.frozen.is_none()
            && (live.has_silenced() || much)
            && !self.merging.pauses(Instant::now())
    }

    fn live(&self) -> RwLockReadGuard<'_, Live> {
        self.live.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn live_mut(&self) -> RwLockWriteGuard<'_, Live> {
        self.live.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn writer(&self) -> Result<&Writer> {
        self.writer.as_ref().ok_or_else(|| {
            Error::input(format!(
                "{} is open for reading only: open it for writing",
                self.directory.display()
            ))
        })
    }

    fn state<'w>(&self, writer: &'w Writer) -> Result<MutexGuard<'w, WriterState>> {
        writer.state(&self.directory)
    }

    /// The turn of whoever makes segments.
    ///
    /// # Errors
    ///
    /// `Error::Input` when this thread has it already.
    fn merging(&self) -> Result<Turn<'_>> {
        self.merging.begin()
    }
}

/// Whether only what enough authors or messages had may be said; so it is in every guarded chain,
/// whatever their number.
fn counts_support(options: &Options) -> bool {
    options.guarded || options.min_authors > 1
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
        f.debug_struct("Chain")
            .field("directory", &self.directory)
            .finish_non_exhaustive()
    }
}
