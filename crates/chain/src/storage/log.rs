//! The log that is written: many threads append, and share the syncs that make what they appended
//! durable.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use super::directory::FileKind;
use super::disk::{Disk, DiskFile};
use super::frame::{Batch, HEADER_BYTES, Header, LOG_VERSION, PREFIX_BYTES, put_frame};
use super::recover::{LogEnd, LogReport};
use crate::{Error, Result};

/// What may wait to be written, in bytes; who appends more writes it first.
const MAX_PENDING_BYTES: usize = 32 << 20;

/// A buffer up to this size is kept for the next group.
const KEPT_BUFFER_BYTES: usize = 1 << 20;

/// A log that is on the disk, whole and empty, and not yet written to.
pub struct NewLog(LogFile);

impl NewLog {
    /// Returns when the file and its name are durable. Let the manifest name it before anything is
    /// appended to it: what it does not name is a leftover.
    ///
    /// # Errors
    ///
    /// `Error::Io`; there is no such log then.
    pub fn create(disk: &dyn Disk, directory: &Path, number: u64) -> Result<Self> {
        let path = FileKind::Log.path(directory, number);
        let header = Header {
            version: LOG_VERSION,
            number,
            salt: RandomState::new().hash_one(number) as u32,
        };
        let mut file = disk.create(&path)?;
        let written = (file.write_all(&header.encode()))
            .and_then(|()| file.sync())
            .and_then(|()| disk.sync_directory(directory));
        if let Err(error) = written {
            // So that the number can be tried again; what stays is removed at the next open.
            let _ = disk.remove(&path);
            return Err(error);
        }
        Ok(Self(LogFile {
            path,
            file,
            number,
            salt: header.salt,
            acknowledged: HEADER_BYTES as u64,
            broken: None,
        }))
    }

    #[must_use]
    pub fn number(&self) -> u64 {
        self.0.number
    }
}

/// The log that takes what is new. Shared by reference between threads.
pub struct LogWriter {
    state: Mutex<State>,
    /// Taken by the leader, without `state`, and by `begin_next`, when there is no leader.
    file: Mutex<LogFile>,
    changed: Condvar,
}

struct State {
    number: u64,
    salt: u32,
    acknowledged: u64,
    broken: Option<Failure>,
    /// Frames that no leader has taken yet, and the group that they are.
    pending: Vec<u8>,
    group: Arc<Group>,
    leading: bool,
    spare: Vec<u8>,
}

/// What is written and synced in one go, and succeeds or fails as one.
#[derive(Debug, Default)]
struct Group {
    outcome: OnceLock<Result<(), Failure>>,
}

/// What was appended; give it to `sync_to` of the same writer.
#[derive(Clone, Debug)]
#[must_use = "what was appended is durable only when sync_to has returned"]
pub struct Ticket(Arc<Group>);

struct LogFile {
    path: PathBuf,
    file: Box<dyn DiskFile>,
    number: u64,
    salt: u32,
    /// Up to here everything is synced, in bytes.
    acknowledged: u64,
    broken: Option<Failure>,
}

impl LogWriter {
    #[must_use]
    pub fn start(log: NewLog) -> Self {
        Self::over(log.0)
    }

    /// Goes on with a log that was read, after `Recovery::settle`.
    ///
    /// # Errors
    ///
    /// `Error::Damaged` if nothing can be appended to it (see `LogReport::is_appendable`),
    /// `Error::Io`.
    pub fn resume(disk: &dyn Disk, report: &LogReport) -> Result<Self> {
        let Some(salt) = report.appendable() else {
            return Err(Error::damaged(
                &report.path,
                "nothing can be appended to it: start a new log",
            ));
        };
        Ok(Self::over(LogFile {
            path: report.path.clone(),
            file: disk.append(&report.path)?,
            number: report.number,
            salt,
            acknowledged: report.whole_bytes,
            broken: None,
        }))
    }

    fn over(file: LogFile) -> Self {
        let state = State {
            number: file.number,
            salt: file.salt,
            acknowledged: file.acknowledged,
            broken: None,
            pending: Vec::new(),
            group: Arc::default(),
            leading: false,
            spare: Vec::new(),
        };
        Self {
            state: Mutex::new(state),
            file: Mutex::new(file),
            changed: Condvar::new(),
        }
    }

    /// The log that is being written, and how much of it is durable.
    #[must_use]
    pub fn end(&self) -> LogEnd {
        let state = self.state();
        LogEnd {
            number: state.number,
            bytes: state.acknowledged,
        }
    }

    /// The length of what is durable of it.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.state().acknowledged
    }

    /// Queues a batch. It is durable, and may be acknowledged, when `sync_to` has returned for the
    /// ticket.
    ///
    /// # Errors
    ///
    /// `Error::Io` if an earlier failure could not be made good: then the chain has to be opened
    /// again.
    pub fn append(&self, batch: &Batch) -> Result<Ticket> {
        let bytes = PREFIX_BYTES + batch.bytes();
        let mut state = self.state();
        while !state.pending.is_empty() && state.pending.len() + bytes > MAX_PENDING_BYTES {
            state = self.lead_or_wait(state);
        }
        if let Some(failure) = &state.broken {
            return Err(failure.clone().into());
        }
        if batch.operations() > 0 {
            let salt = state.salt;
            put_frame(&mut state.pending, salt, batch.payload());
        }
        Ok(Ticket(Arc::clone(&state.group)))
    }

    /// Returns when what the ticket stands for is durable. The first that waits writes and syncs
    /// for all.
    ///
    /// # Errors
    ///
    /// `Error::Io` if it was not stored: then nothing of its group was, each that waits is told,
    /// and it may be appended again when there is room.
    ///
    /// # Panics
    ///
    /// For a ticket of another writer.
    pub fn sync_to(&self, ticket: &Ticket) -> Result<()> {
        let mut state = self.state();
        loop {
            if let Some(outcome) = ticket.0.outcome.get() {
                return outcome.clone().map_err(Error::from);
            }
            let ours = state.leading || Arc::ptr_eq(&ticket.0, &state.group);
            assert!(ours, "a ticket is waited for at the writer that gave it");
            state = self.lead_or_wait(state);
        }
    }

    /// Goes over to a new log, which the manifest names already; what was appended so far is synced
    /// to the old one.
    ///
    /// Who appends, waits and then shows what was stored to readers must not be in between
    /// meanwhile: what is in the old log would be shown as if it were in the new one. Hold such
    /// callers off with a lock.
    ///
    /// # Errors
    ///
    /// As `append`; the old log stays. What could not be stored is told to who waits for it, and is
    /// no error here.
    pub fn begin_next(&self, next: NewLog) -> Result<()> {
        let mut state = self.state();
        while state.leading || !state.pending.is_empty() {
            state = self.lead_or_wait(state);
        }
        if let Some(failure) = &state.broken {
            return Err(failure.clone().into());
        }
        state.number = next.0.number;
        state.salt = next.0.salt;
        state.acknowledged = next.0.acknowledged;
        *self.file() = next.0;
        Ok(())
    }

    fn lead_or_wait<'a>(&'a self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        if state.leading {
            let woken = self.changed.wait(state);
            return woken.unwrap_or_else(PoisonError::into_inner);
        }
        state.leading = true;
        let group = std::mem::take(&mut state.group);
        let spare = std::mem::take(&mut state.spare);
        let mut bytes = std::mem::replace(&mut state.pending, spare);
        drop(state);

        let (outcome, acknowledged, broken) = {
            let mut file = self.file();
            let outcome = file.store(&bytes);
            (outcome, file.acknowledged, file.broken.clone())
        };

        let mut state = self.state();
        group.outcome.get_or_init(|| outcome);
        state.acknowledged = acknowledged;
        state.broken = broken;
        state.leading = false;
        if bytes.capacity() <= KEPT_BUFFER_BYTES {
            bytes.clear();
            state.spare = bytes;
        }
        self.changed.notify_all();
        state
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn file(&self) -> MutexGuard<'_, LogFile> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LogFile {
    fn store(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        if let Some(failure) = &self.broken {
            return Err(failure.clone());
        }
        if bytes.is_empty() {
            return Ok(());
        }
        let stored = self.file.write_all(bytes).and_then(|()| self.file.sync());
        if let Err(error) = stored {
            self.take_back();
            let what = match self.broken {
                None => "nothing was stored",
                Some(_) => "whether it was stored shows when the chain is opened again",
            };
            return Err(Failure::of(what, error));
        }
        self.acknowledged += bytes.len() as u64;
        Ok(())
    }

    /// After a failed sync the system may hold for written what is not, so what was not
    /// acknowledged goes, durably.
    fn take_back(&mut self) {
        let taken = (self.file.truncate(self.acknowledged)).and_then(|()| self.file.sync());
        if let Err(error) = taken {
            let path = self.path.display();
            let why = format!("{path} takes nothing more until the chain is opened again");
            self.broken = Some(Failure::of(&why, error));
        }
    }
}

/// An error that many can be told.
#[derive(Clone, Debug)]
struct Failure {
    sentence: String,
    kind: io::ErrorKind,
    source: String,
}

impl Failure {
    fn of(consequence: &str, error: Error) -> Self {
        match error {
            Error::Io { doing, source } => Self {
                sentence: format!("{consequence}: {doing}"),
                kind: source.kind(),
                source: source.to_string(),
            },
            other => Self {
                sentence: consequence.to_owned(),
                kind: io::ErrorKind::Other,
                source: other.to_string(),
            },
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::Io {
            doing: failure.sentence,
            source: io::Error::new(failure.kind, failure.source),
        }
    }
}
