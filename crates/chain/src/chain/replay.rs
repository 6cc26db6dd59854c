//! Memory from disk: segments are mapped, what the logs hold is learned again.

use std::path::Path;

use super::Chain;
use super::live::Live;
use super::writer::{Writer, WriterState};
use crate::messages::About;
use crate::storage::{Disk, LogEnd, Manifest, Operation, Recovery};
use crate::{Error, Result};

/// How often who reads begins again because the writer replaced files meanwhile.
pub(super) const TRIES: u32 = 20;

/// What the segments and logs of a manifest come to.
pub(super) struct Replayed {
    pub live: Live,
    pub next_sequence: u64,
    pub recovery: Recovery,
}

impl Replayed {
    fn is_whole(&self) -> bool {
        self.live.broken.is_empty() && self.live.log_damage.is_empty()
    }
}

impl Chain {
    /// Brings a reader up to what is on the disk now. A writer is always up to date.
    ///
    /// # Errors
    ///
    /// As `open`; the chain stays as it was.
    pub fn refresh(&self) -> Result<()> {
        if self.writer.is_some() {
            return Ok(());
        }
        let removed = || {
            Error::input(format!(
                "the chain in {} was removed",
                self.directory.display()
            ))
        };
        let (_, replayed) = read(&*self.disk, &self.directory)?.ok_or_else(removed)?;
        *self.live_mut() = replayed.live;
        Ok(())
    }

    /// After a failed write: memory becomes what the logs say, which is what was acknowledged.
    /// Nothing is done where that happened since this frame was appended.
    pub(super) fn recover(&self, writer: &Writer, after: u64, why: &Error) {
        let Ok(mut state) = self.state(writer) else {
            return;
        };
        if !state.was_replayed_after(after) {
            self.recover_with(writer, &mut state, why);
        }
    }

    /// The same with the state held. A merge that is under way must not be published then: what it
    /// froze is in the new delta.
    pub(super) fn recover_with(&self, writer: &Writer, state: &mut WriterState, why: &Error) {
        writer.begin_replay(state);
        let end = Some(writer.log.end());
        match replay(&*self.disk, &self.directory, &state.manifest, end) {
            Ok(mut replayed) => {
                state.counters.clone_from(&replayed.live.counters);
                let mut live = self.live_mut();
                replayed.live.provisional = std::mem::take(&mut live.provisional);
                *live = replayed.live;
            }
            Err(error) => state.broken = Some(format!("{why}; and then {error}")),
        }
    }
}

/// What is on the disk, for who does not hold the lock; none if there is no chain.
///
/// # Errors
///
/// As `Manifest::read` and `replay`.
pub(super) fn read(disk: &dyn Disk, directory: &Path) -> Result<Option<(Manifest, Replayed)>> {
    let Some(mut manifest) = Manifest::read(disk, directory)? else {
        return Ok(None);
    };
    for _ in 0..TRIES {
        let replayed = replay(disk, directory, &manifest, None)?;
        if replayed.is_whole() {
            return Ok(Some((manifest, replayed)));
        }
        // A file that is gone may have been replaced meanwhile.
        let Some(now) = Manifest::read(disk, directory)? else {
            return Ok(None);
        };
        if now == manifest {
            return Ok(Some((manifest, replayed)));
        }
        manifest = now;
    }
    Err(Error::Io {
        doing: format!("reading {}", directory.display()),
        source: std::io::Error::other(
            "its files were replaced again and again meanwhile: try again",
        ),
    })
}

/// What the segments and the logs of a manifest come to, for a writer up to where it stored its
/// own.
///
/// # Errors
///
/// `Error::Newer`, `Error::Io`. Damage is noted, not an error.
pub(super) fn replay(
    disk: &dyn Disk,
    directory: &Path,
    manifest: &Manifest,
    end: Option<LogEnd>,
) -> Result<Replayed> {
    let mut live = Live::open(directory, &manifest.segments, &manifest.options)?;
    let mut next_sequence = manifest.next_sequence;
    live.counters.clone_from(&manifest.counters);
    live.names = manifest.names.len() as u64;
    live.lift_bounds(true);
    let mut forsaken = 0_u64;
    let mut attachments: Vec<String> = Vec::new();
    let recovery = Recovery::read_to(disk, directory, &manifest.logs, end, &mut |operation| {
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
                if !live.learn_again(&about, learn.text_tokens.iter())? {
                    forsaken += 1;
                }
                next_sequence = next_sequence.max(learn.sequence.saturating_add(1));
            }
            Operation::Forget {
                what,
                up_to_sequence,
            } => {
                live.forget(&what, up_to_sequence);
                // What is learned later must not look as if it had been there.
                next_sequence = next_sequence.max(up_to_sequence.saturating_add(1));
            }
            Operation::Count { name, by } => {
                *live.counters.entry(name.to_owned()).or_default() += by;
            }
        }
        Ok(())
    })?;
    live.lift_bounds(false);
    live.bury_doubles();
    live.log_damage = recovery.sentences();
    if forsaken > 0 {
        live.log_damage.push(format!(
            "{forsaken} messages in the logs of {} have no room in memory: put the chain back from a copy",
            directory.display()
        ));
    }
    let damaged = recovery
        .logs
        .iter()
        .filter(|log| log.damaged_places > 0 || forsaken > 0);
    live.damaged_logs = damaged.map(|log| log.number).collect();
    Ok(Replayed {
        live,
        next_sequence,
        recovery,
    })
}
