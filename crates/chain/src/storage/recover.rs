//! Reading logs: what is whole is yielded in order, what is not is cut, skipped or refused by the
//! rule of the format, and counted.

use std::fmt;
use std::path::{Path, PathBuf};

use super::directory::FileKind;
use super::disk::Disk;
use super::frame::{HEADER_BYTES, Header, LOG_VERSION, PREFIX_BYTES, claimed_bytes, take_frame};
use super::operation::{Operation, Operations};
use crate::{Error, Result};

/// Places that are named, for each log; the others are counted only.
const MAX_NAMED_PLACES: usize = 100;

/// How many bytes the searches for whole frames may look at, for each byte of the log and beyond:
/// what a search costs is linear in the log's length, whatever the log holds.
const SEARCHED_PER_BYTE: usize = 16;
const SEARCHED_BYTES: usize = 64 << 20;

/// What the logs of a chain held.
#[derive(Debug, Default)]
pub struct Recovery {
    /// In the order of the manifest.
    pub logs: Vec<LogReport>,
}

/// Up to where a log is known to be stored, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogEnd {
    pub number: u64,
    pub bytes: u64,
}

/// What one log held.
#[derive(Debug)]
pub struct LogReport {
    pub number: u64,
    pub path: PathBuf,
    /// Where the last whole frame ends.
    pub whole_bytes: u64,
    /// What stands after it and was never acknowledged: a write that a crash cut off.
    pub torn_bytes: u64,
    pub damage: Vec<Damage>,
    /// The places in `damage`, and those beyond the first hundred; the bytes of all of them.
    pub damaged_places: u64,
    pub damaged_bytes: u64,
    /// None: nothing may be appended.
    salt: Option<u32>,
    length: u64,
}

/// A place in a log that is not what was written there. Its operations are lost; the others are
/// not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    pub file: PathBuf,
    pub offset: u64,
    pub bytes: u64,
    pub what: &'static str,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            offset,
            bytes,
            what,
        } = self;
        write!(
            f,
            "{} at byte {offset}: {what} ({bytes} bytes)",
            file.display()
        )
    }
}

impl Recovery {
    /// Reads the logs that a manifest names, in its order, and gives each operation to `apply`.
    /// Changes nothing.
    ///
    /// Damage is reported, not an error.
    ///
    /// # Errors
    ///
    /// `Error::Newer` for a log of a later version, `Error::Io`, and whatever `apply` returns.
    pub fn read(
        disk: &dyn Disk,
        directory: &Path,
        numbers: &[u64],
        apply: &mut dyn FnMut(Operation<'_>) -> Result<()>,
    ) -> Result<Self> {
        Self::read_to(disk, directory, numbers, None, apply)
    }

    /// The same as if one log ended where it is told: there a process knows what it stored, and
    /// what stands behind is what it could not take back.
    ///
    /// # Errors
    ///
    /// As `read`.
    pub fn read_to(
        disk: &dyn Disk,
        directory: &Path,
        numbers: &[u64],
        end: Option<LogEnd>,
        apply: &mut dyn FnMut(Operation<'_>) -> Result<()>,
    ) -> Result<Self> {
        let mut logs = Vec::with_capacity(numbers.len());
        for &number in numbers {
            let end = end.filter(|end| end.number == number);
            logs.push(LogReport::read(disk, directory, number, end, apply)?);
        }
        // A log is complete before the next takes anything.
        let written = |log: &LogReport| log.length > HEADER_BYTES as u64;
        if let Some(last) = logs.iter().rposition(written) {
            for log in &mut logs[..last] {
                log.torn_is_damage();
            }
        }
        Ok(Self { logs })
    }

    /// Makes what was read safe to build on: cuts the torn tails off, so that the next append
    /// follows what is whole, and syncs the rest, of which a process that was killed may have
    /// written more than it synced. Only for who holds the lock, and before anything that was read
    /// is shown. Returns how many bytes were cut.
    ///
    /// # Errors
    ///
    /// `Error::Io`; it can be done again.
    pub fn settle(&self, disk: &dyn Disk) -> Result<u64> {
        for log in self.logs.iter().filter(|log| log.length > 0) {
            let mut file = disk.append(&log.path)?;
            if log.torn_bytes > 0 {
                file.truncate(log.whole_bytes)?;
            }
            file.sync()?;
        }
        Ok(self.logs.iter().map(|log| log.torn_bytes).sum())
    }

    pub fn damage(&self) -> impl Iterator<Item = &Damage> {
        self.logs.iter().flat_map(|log| &log.damage)
    }

    /// What is damaged, one sentence each; one more for the places of a log that are not named.
    #[must_use]
    pub fn sentences(&self) -> Vec<String> {
        let mut sentences: Vec<String> = self.damage().map(ToString::to_string).collect();
        for log in &self.logs {
            let more = log.damaged_places - log.damage.len() as u64;
            if more > 0 {
                sentences.push(format!(
                    "{} is damaged at {more} more places ({} bytes in all)",
                    log.path.display(),
                    log.damaged_bytes
                ));
            }
        }
        sentences
    }
}

impl LogReport {
    /// The salt of the log if the next frame may stand at `whole_bytes`.
    pub(super) fn appendable(&self) -> Option<u32> {
        self.salt
    }

    /// Whether `LogWriter::resume` can go on with this log; otherwise a new one has to be started.
    #[must_use]
    pub fn is_appendable(&self) -> bool {
        self.salt.is_some()
    }

    fn read(
        disk: &dyn Disk,
        directory: &Path,
        number: u64,
        end: Option<LogEnd>,
        apply: &mut dyn FnMut(Operation<'_>) -> Result<()>,
    ) -> Result<Self> {
        let path = FileKind::Log.path(directory, number);
        let mut report = Self {
            number,
            path,
            whole_bytes: 0,
            torn_bytes: 0,
            damage: Vec::new(),
            damaged_places: 0,
            damaged_bytes: 0,
            salt: None,
            length: 0,
        };
        let Some(mut file) = disk.read(&report.path)? else {
            report.damaged(0, 0, "the log is missing");
            return Ok(report);
        };
        file.truncate(end.map_or(usize::MAX, |end| end.bytes as usize));
        report.length = file.len() as u64;
        if let Some(salt) = report.read_header(&file)? {
            report.salt = Some(salt);
            report.read_frames(&file, salt, apply)?;
        }
        Ok(report)
    }

    /// The salt, or none if no frame of the file can be trusted.
    fn read_header(&mut self, file: &[u8]) -> Result<Option<u32>> {
        let Some((header, both)) = Header::decode(file) else {
            self.damaged(
                0,
                file.len(),
                "neither copy of the header can be read, so nothing can",
            );
            return Ok(None);
        };
        if header.version > LOG_VERSION {
            return Err(Error::Newer {
                file: self.path.clone(),
                version: header.version,
                known: LOG_VERSION,
            });
        }
        if header.number != self.number {
            self.damaged(0, file.len(), "it is another log under this name");
            return Ok(None);
        }
        if !both {
            self.damaged(
                0,
                HEADER_BYTES.min(file.len()),
                "one copy of the header is gone, the other serves",
            );
        }
        Ok((file.len() >= HEADER_BYTES).then_some(header.salt))
    }

    fn read_frames(
        &mut self,
        file: &[u8],
        salt: u32,
        apply: &mut dyn FnMut(Operation<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut budget = SEARCHED_BYTES + SEARCHED_PER_BYTE * file.len();
        let mut offset = HEADER_BYTES;
        self.whole_bytes = offset as u64;
        while offset < file.len() {
            if let Some(payload) = take_frame(&file[offset..], salt) {
                let end = offset + PREFIX_BYTES + payload.len();
                if let Some(operations) = Operations::of(payload) {
                    for operation in operations {
                        apply(operation)?;
                    }
                } else {
                    self.damaged(
                        offset,
                        end - offset,
                        "the checksum is right, but these are no operations",
                    );
                }
                offset = end;
                self.whole_bytes = offset as u64;
                continue;
            }
            match search(file, offset, salt, &mut budget) {
                Search::Found(next) => {
                    self.damaged(offset, next - offset, "the checksum does not match");
                    offset = next;
                }
                Search::Nothing => {
                    self.torn_bytes = (file.len() - offset) as u64;
                    break;
                }
                Search::GivenUp => {
                    self.damaged(
                        offset,
                        file.len() - offset,
                        "the search for whole frames was given up",
                    );
                    self.salt = None;
                    break;
                }
            }
        }
        Ok(())
    }

    fn torn_is_damage(&mut self) {
        let bytes = std::mem::take(&mut self.torn_bytes) as usize;
        if bytes > 0 {
            self.damaged(
                self.whole_bytes as usize,
                bytes,
                "the log breaks off, and a later log goes on",
            );
            self.salt = None;
        }
    }

    fn damaged(&mut self, offset: usize, bytes: usize, what: &'static str) {
        self.damaged_places += 1;
        self.damaged_bytes += bytes as u64;
        if self.damage.len() < MAX_NAMED_PLACES {
            self.damage.push(Damage {
                file: self.path.clone(),
                offset: offset as u64,
                bytes: bytes as u64,
                what,
            });
        }
    }
}

enum Search {
    Found(usize),
    Nothing,
    GivenUp,
}

/// The next whole frame after the bad one at `bad`.
fn search(file: &[u8], bad: usize, salt: u32, budget: &mut usize) -> Search {
    // Most often the length is right and the payload is not, so the next frame is where it says.
    let named = claimed_bytes(&file[bad..]).map(|length| bad + PREFIX_BYTES + length);
    for at in named.into_iter().chain(bad + 1..file.len()) {
        let Some(length) = claimed_bytes(&file[at..]) else {
            continue;
        };
        // What is no frame is seldom operations beyond its first bytes: cheaper to find out than a
        // checksum.
        let (looked_at, whole) = Operations::examine(&file[at + PREFIX_BYTES..][..length]);
        let cost = looked_at + if whole { length } else { 0 };
        if *budget < cost {
            return Search::GivenUp;
        }
        *budget -= cost;
        if whole && take_frame(&file[at..], salt).is_some() {
            return Search::Found(at);
        }
    }
    Search::Nothing
}
