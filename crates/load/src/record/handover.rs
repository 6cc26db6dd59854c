//! The tick: a thread hands over the sheet that it filled and goes on with an empty one. The lock is touched once a tick
//! and never held while anything is added up.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::sheet::Sheet;

/// What passes between one thread and the collector.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    /// Filled sheets in order: at most two, the second when the thread ended.
    pub(crate) full: Vec<Sheet>,
    pub(crate) empty: Option<Sheet>,
    /// Requests of the thread that have been sent and not answered, when it last ticked.
    pub(crate) in_flight: u32,
}

#[derive(Debug)]
pub(crate) struct Handover {
    slots: Mutex<Vec<Slot>>,
    filled: Condvar,
    /// For each thread: the collector asks for a tick before it is due.
    asked: Box<[AtomicBool]>,
}

impl Handover {
    pub(crate) fn new(threads: usize) -> Self {
        Self {
            slots: Mutex::new((0..threads).map(|_| Slot::default()).collect()),
            filled: Condvar::new(),
            asked: (0..threads).map(|_| AtomicBool::new(false)).collect(),
        }
    }

    pub(crate) fn slots(&self) -> MutexGuard<'_, Vec<Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tell the collector that there is something.
    pub(crate) fn notify(&self) {
        self.filled.notify_one();
    }

    /// Wait until a thread handed something over, or for so long. Whether there is something.
    pub(crate) fn wait(&self, timeout: Duration) -> bool {
        let none = |slots: &mut Vec<Slot>| slots.iter().all(|slot| slot.full.is_empty());
        let waited = self.filled.wait_timeout_while(self.slots(), timeout, none);
        let (_slots, result) = waited.unwrap_or_else(PoisonError::into_inner);
        !result.timed_out()
    }

    pub(crate) fn ask_all(&self) {
        for asked in &self.asked {
            asked.store(true, Ordering::Relaxed);
        }
    }

    pub(crate) fn is_asked(&self, thread: usize) -> bool {
        self.asked[thread].load(Ordering::Relaxed)
    }

    pub(crate) fn answered(&self, thread: usize) {
        self.asked[thread].store(false, Ordering::Relaxed);
    }
}
