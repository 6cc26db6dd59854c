//! One segment that can be read, with the messages that it was made of.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use super::bury;
use super::runs::Runs;
use crate::dead::Dead;
use crate::messages::Messages;
use crate::segment::Segment;
use crate::storage::{FileKind, Forget, MessageId, Options, SegmentEntry};
use crate::{Error, Result};

/// Forgotten messages of the largest segment whose transitions are taken off one by one. That takes
/// 1.4 KB of memory and 10 us each; where more are forgotten it is faster to write the segment
/// anew, which is silent until then. Tests make do with less.
pub(super) const MOST_TAKEN_OFF: usize = if cfg!(test) { 1 << 11 } else { 1 << 16 };

/// The same of a segment of so many messages: the smaller, the faster it is written.
fn most_taken_off(messages: u64) -> usize {
    (messages as usize / 16).clamp(MOST_TAKEN_OFF / 16, MOST_TAKEN_OFF)
}

#[derive(Clone, Debug)]
pub struct Held {
    pub entry: SegmentEntry,
    pub segment: Arc<Segment>,
    pub messages: Arc<Messages>,
    pub dead: Dead,
    /// Of its messages that have attachments, once it is asked for.
    pub attached_runs: Arc<OnceLock<Runs>>,
}

impl Held {
    /// # Errors
    ///
    /// `Error::Damaged` when one of both files is not what the manifest says; `Error::Newer`,
    /// `Error::Io`.
    pub fn open(directory: &Path, entry: &SegmentEntry, options: &Options) -> Result<Self> {
        let path = FileKind::Segment.path(directory, entry.number);
        let segment = Segment::open(&path)?;
        if segment.file_bytes() != entry.bytes {
            return Err(not_named(&path));
        }
        let about = segment.about();
        let made_with = (about.order, about.backward, about.max_copied_tokens);
        let named = (
            usize::from(options.order),
            options.backward,
            options.max_copied_tokens,
        );
        if made_with != named {
            return Err(Error::damaged(
                &path,
                "it was made with other options than the manifest says: put it back from a copy",
            ));
        }
        let path = FileKind::Messages.path(directory, entry.number);
        let messages = Messages::open(&path)?;
        if (messages.bytes(), messages.len() as u64) != (entry.messages_bytes, entry.messages) {
            return Err(not_named(&path));
        }
        Ok(Self {
            entry: entry.clone(),
            segment: Arc::new(segment),
            messages: Arc::new(messages),
            dead: Dead::default(),
            attached_runs: Arc::default(),
        })
    }

    /// Where the runs of its messages that have attachments are; read from the file the first time.
    ///
    /// # Errors
    ///
    /// `Error::Damaged` for a message file that cannot be read.
    pub fn runs(&self, length: usize) -> Result<&Runs> {
        if let Some(runs) = self.attached_runs.get() {
            return Ok(runs);
        }
        let runs = Runs::of(&self.messages, length)?;
        Ok(self.attached_runs.get_or_init(|| runs))
    }

    /// Messages that are not forgotten.
    pub fn alive(&self) -> u64 {
        self.entry.messages - u64::from(self.dead.len())
    }

    /// The messages that match, forgotten ones too.
    ///
    /// # Errors
    ///
    /// `Error::Damaged` for a message file that cannot be read.
    pub fn find(&self, what: &Forget) -> Result<Vec<u32>> {
        Ok(match what {
            Forget::Message(id) => self.messages.find_all(id)?,
            Forget::Author(author) => self.messages.by_author(author),
            Forget::Channel(channel) => self.messages.by_channel(channel),
            Forget::Before(time_ms) => self.messages.before(*time_ms),
        })
    }

    /// Forgets what matches and came no later than a sequence number; how many messages that were.
    ///
    /// # Errors
    ///
    /// `Error::Damaged`: then it may be half forgotten, and cannot serve any more.
    pub fn forget(&mut self, what: &Forget, up_to_sequence: u64) -> Result<u64> {
        let found = self.find(what)?;
        let mut dead = std::mem::take(&mut self.dead);
        let count = self.bury(&found, up_to_sequence, &mut dead);
        self.dead = dead;
        count
    }

    /// Takes these messages off, beside what was forgotten before; how many of them were not.
    ///
    /// # Errors
    ///
    /// As `forget`.
    pub fn bury(&self, found: &[u32], up_to_sequence: u64, dead: &mut Dead) -> Result<u64> {
        let mut count = 0;
        let mut tokens = Vec::new();
        if dead.len() as usize + found.len() > most_taken_off(self.entry.messages) {
            dead.silence();
        }
        for &message in found {
            let sequence = self.messages.sequence(message as usize);
            if !(self.entry.first_sequence..=self.entry.last_sequence).contains(&sequence) {
                let path = self.segment.path().with_extension("messages");
                return Err(Error::damaged(
                    &path,
                    format!("message {message} has a sequence number that it cannot have"),
                ));
            }
            if sequence > up_to_sequence || !dead.mark(message) {
                continue;
            }
            count += 1;
            if dead.is_silent() {
                continue;
            }
            self.messages.tokens(message as usize, &mut tokens)?;
            bury::in_segment(&self.segment, &tokens, dead)
                .map_err(|_| Error::damaged(self.segment.path(), "a state cannot be read"))?;
        }
        Ok(count)
    }

    /// Forgets the messages that have one of these ids, the chain's own aside.
    ///
    /// # Errors
    ///
    /// As `forget`.
    pub fn bury_known(&mut self, ids: &[MessageId]) -> Result<()> {
        for id in ids.iter().filter(|id| !matches!(id, MessageId::Own(_))) {
            self.forget(&Forget::Message(id.clone()), u64::MAX)?;
        }
        Ok(())
    }

    /// Reads both files against the checksums in the manifest.
    ///
    /// # Errors
    ///
    /// `Error::Damaged` for the first that is not what was written, `Error::Io`.
    pub fn check(&self, directory: &Path) -> Result<()> {
        let files = [
            (FileKind::Segment, self.entry.crc32),
            (FileKind::Messages, self.entry.messages_crc32),
        ];
        for (kind, crc32) in files {
            let path = kind.path(directory, self.entry.number);
            if checksum(&path)? != crc32 {
                return Err(Error::damaged(
                    &path,
                    "its checksum is not that of the manifest: put it back from a copy",
                ));
            }
        }
        Ok(())
    }
}

fn not_named(path: &Path) -> Error {
    Error::damaged(
        path,
        "it is not the file that the manifest names: put it back from a copy",
    )
}

fn checksum(path: &Path) -> Result<u32> {
    let doing = || Error::io(format!("reading {}", path.display()));
    let mut file = File::open(path).map_err(doing())?;
    let mut crc = crc32fast::Hasher::new();
    let mut buffer = vec![0; 1 << 18];
    loop {
        match file.read(&mut buffer).map_err(doing())? {
            0 => return Ok(crc.finalize()),
            read => crc.update(&buffer[..read]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_smaller_segment_less_is_taken_off_one_by_one() {
        let most = MOST_TAKEN_OFF as u64;
        let of = [0, most, 8 * most, 16 * most, 100 * most].map(most_taken_off);
        let all = MOST_TAKEN_OFF;
        assert_eq!(of, [all / 16, all / 16, all / 2, all, all]);
    }
}
