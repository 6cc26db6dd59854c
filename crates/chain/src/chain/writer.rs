//! What only the process that holds the lock has, and when an operation counts as stored.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};

use crate::storage::{Batch, Forget, LogWriter, Manifest, Ticket, WriterLock};
use crate::{Error, Result};

/// Locks are taken in this order: `Chain::merging`, the writer's state, `Chain::live`.
pub(super) struct Writer {
    pub log: LogWriter,
    state: Mutex<WriterState>,
    /// Frames up to this place are durable.
    durable: AtomicU64,
    _lock: WriterLock,
}

/// What changes with each operation. Its lock gives operations their order, in the log as in
/// memory.
pub(super) struct WriterState {
    pub manifest: Manifest,
    pub next_sequence: u64,
    /// Counters with what the logs add to the manifest's.
    pub counters: BTreeMap<String, u64>,
    /// While segments are made: what they do not know of.
    pub building: Option<Building>,
    /// How often memory was made anew from the logs.
    pub replays: u64,
    /// Frames that this process appended, and those of them not known to be durable.
    appended: u64,
    open: VecDeque<(u64, Ticket)>,
    /// Frames that were not stored, until who appended them was told.
    failed: BTreeMap<u64, Ticket>,
    /// Memory was made anew after this frame: whether it or one before it failed, no longer shows.
    replayed_to: u64,
    /// Whether the manifest on the disk may be another than this one, after a failure to replace
    /// it.
    pub unsure: bool,
    /// Names of files that go with the next manifest.
    pub leftovers: BTreeSet<String>,
    /// Why memory is not what the log says, after a failure that could not be made good.
    pub broken: Option<String>,
}

/// What goes on while segments are made from what was there at its beginning.
pub(super) struct Building {
    pub forgotten: Vec<(Forget, u64)>,
    /// Counters and replays as they were then.
    pub counters: BTreeMap<String, u64>,
    pub replays: u64,
}

/// What an operation rests on: the frames that it appended, and all that came before.
#[derive(Debug, Default)]
pub(super) struct Basis {
    pub own: Vec<u64>,
    /// Frames of others after this one, and up to that one, that it may rest on.
    pub since: u64,
    pub last: u64,
    /// Whether it counts only with everything before it, such as a message passed over as known.
    pub leans: bool,
}

impl WriterState {
    pub fn new(manifest: Manifest, next_sequence: u64, counters: BTreeMap<String, u64>) -> Self {
        Self {
            manifest,
            next_sequence,
            counters,
            building: None,
            replays: 0,
            appended: 0,
            open: VecDeque::new(),
            failed: BTreeMap::new(),
            replayed_to: 0,
            unsure: false,
            leftovers: BTreeSet::new(),
            broken: None,
        }
    }

    pub fn begin_building(&mut self) {
        self.building = Some(Building {
            forgotten: Vec::new(),
            counters: self.counters.clone(),
            replays: self.replays,
        });
    }

    /// What an operation with these frames, done now, rests on.
    pub fn basis(&self, own: Vec<u64>, leans: bool) -> Basis {
        Basis {
            own,
            since: self.replayed_to,
            last: self.appended,
            leans,
        }
    }

    /// Whether memory was made anew since this frame was appended.
    pub fn was_replayed_after(&self, frame: u64) -> bool {
        self.replayed_to >= frame
    }

    /// The frames that count for a basis and are not known to be durable.
    fn unsure(&self, basis: &Basis) -> Vec<(u64, Ticket)> {
        let counts = |place: u64| {
            basis.leans && place > basis.since || basis.own.binary_search(&place).is_ok()
        };
        let failed = self
            .failed
            .range(..=basis.last)
            .filter(|(place, _)| counts(**place));
        let failed = failed.map(|(place, ticket)| (*place, ticket.clone()));
        let open = self
            .open
            .iter()
            .filter(|(place, _)| *place <= basis.last)
            .cloned();
        failed.chain(open).collect()
    }

    /// Who appended these frames knows what became of them.
    pub fn told(&mut self, own: &[u64]) {
        for place in own {
            self.failed.remove(place);
        }
    }
}

impl Writer {
    pub fn new(lock: WriterLock, log: LogWriter, state: WriterState) -> Self {
        Self {
            log,
            state: Mutex::new(state),
            durable: AtomicU64::new(0),
            _lock: lock,
        }
    }

    pub fn state(&self, directory: &Path) -> Result<MutexGuard<'_, WriterState>> {
        let state = self.state.lock().unwrap_or_else(|poisoned| {
            let mut state = poisoned.into_inner();
            state
                .broken
                .get_or_insert_with(|| "a thread stopped in the middle of a change".to_owned());
            state
        });
        match &state.broken {
            Some(why) => Err(Error::Io {
                doing: format!("{} has to be opened again", directory.display()),
                source: std::io::Error::other(why.clone()),
            }),
            None => Ok(state),
        }
    }

    /// Puts a frame into the log; its place among those of this process.
    pub fn append(&self, state: &mut WriterState, batch: &Batch) -> Result<u64> {
        let ticket = self.log.append(batch)?;
        let durable = self.durable.load(Ordering::Acquire);
        while state
            .open
            .front()
            .is_some_and(|(place, _)| *place <= durable)
        {
            state.open.pop_front();
        }
        state.appended += 1;
        state.open.push_back((state.appended, ticket));
        Ok(state.appended)
    }

    /// Waits until what an operation rests on is durable: the first failure that counts for it, and
    /// whether any frame failed.
    pub fn wait(&self, directory: &Path, basis: &Basis) -> (Result<()>, bool) {
        let unsure = match self.state(directory) {
            Ok(state) => state.unsure(basis),
            Err(error) => return (Err(error), false),
        };
        let mut outcome = Ok(());
        let mut failed = false;
        for (place, ticket) in &unsure {
            let Err(error) = self.log.sync_to(ticket) else {
                continue;
            };
            failed = true;
            if outcome.is_ok() && (basis.leans || basis.own.binary_search(place).is_ok()) {
                outcome = Err(error);
            }
        }
        if !failed {
            self.durable.fetch_max(basis.last, Ordering::AcqRel);
        }
        (outcome, failed)
    }

    /// Waits for all frames, with the state held; the first failure, of which the threads that
    /// appended them hear too.
    pub fn settle(&self, state: &mut WriterState) -> Result<()> {
        let mut outcome = Ok(());
        for (place, ticket) in std::mem::take(&mut state.open) {
            if let Err(error) = self.log.sync_to(&ticket) {
                state.failed.insert(place, ticket);
                outcome = outcome.and(Err(error));
            }
        }
        outcome
    }

    /// The same before memory is made anew from the logs, which makes every failure good.
    pub fn begin_replay(&self, state: &mut WriterState) {
        // Each failure is told to who waits for it.
        let _ = self.settle(state);
        state.replays += 1;
        state.replayed_to = state.appended;
    }
}
