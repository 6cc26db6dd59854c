//! What the threads of a run and the thread that started it tell each other.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use super::clock::Clock;
use super::flight::Effort;
use super::version::Version;
use super::worker::TICK;
use crate::Nanos;
use crate::model::Curve;

/// How far a thread is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    #[default]
    Running,
    /// No more iterations begin; answers are waited for.
    Draining,
    Ended,
}

impl State {
    /// As reports have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Draining => "draining",
            Self::Ended => "ended",
        }
    }
}

/// A load that takes the place of the one before.
#[derive(Clone, Debug)]
pub struct Load {
    /// None in a closed model.
    pub curve: Option<Arc<Curve>>,
    pub users: u32,
}

/// What the threads are to do from a moment on: of load and scenarios what was said last, whichever changed.
#[derive(Clone)]
pub struct Orders {
    /// On the clock of the run.
    pub at: Nanos,
    pub load: Load,
    /// Which load of the run it is: it begins anew where the number is another one.
    pub load_number: u64,
    pub version: Arc<Version>,
}

/// The start of a run, on both clocks.
#[derive(Clone, Copy, Debug)]
pub struct Zero {
    pub clock: Clock,
    pub unix_ms: u64,
}

impl Zero {
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            clock: Clock::start(),
            unix_ms: since.map_or(0, |since| since.as_millis() as u64),
        }
    }
}

/// Seen by all threads of a run.
pub struct Shared {
    zero: OnceLock<Zero>,
    efforts: Mutex<Vec<Effort>>,
    stop: AtomicU8,
    /// Counts changes, so that a look costs a load.
    changes: AtomicU64,
    orders: Mutex<Orders>,
    /// Requests that no thread has taken a lease of yet.
    quota: AtomicU64,
    threads: u32,
}

/// Requests that a thread takes from the quota at once, at most.
const MOST_LEASED: u64 = 64;

/// From a change of the orders to when it holds.
const NOTICE: Nanos = 2 * TICK;

const DRAIN: u8 = 1;
const BREAK: u8 = 2;

impl Shared {
    #[must_use]
    pub fn new(threads: u32, requests: Option<u64>, load: Load, version: Arc<Version>) -> Self {
        Self {
            zero: OnceLock::new(),
            efforts: Mutex::new(vec![Effort::default(); threads as usize]),
            stop: AtomicU8::new(0),
            changes: AtomicU64::new(0),
            orders: Mutex::new(Orders {
                at: 0,
                load,
                load_number: 0,
                version,
            }),
            quota: AtomicU64::new(requests.unwrap_or(u64::MAX)),
            threads,
        }
    }

    /// Requests that a thread may begin, taken from those of the run: fewer the fewer are left, so that all threads
    /// have some until the end. 0 when none are left.
    pub fn lease(&self) -> u64 {
        let each = |left: u64| {
            (left / (8 * u64::from(self.threads)))
                .clamp(1, MOST_LEASED)
                .min(left)
        };
        let taken = self
            .quota
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                Some(left - each(left))
            });
        taken.map_or(0, each)
    }

    /// A thread that has no use for requests that it took gives them back.
    pub fn give_back(&self, requests: u64) {
        self.quota.fetch_add(requests, Ordering::Relaxed);
    }

    /// Whether a lease would give something.
    #[must_use]
    pub fn has_quota(&self) -> bool {
        self.quota.load(Ordering::Relaxed) > 0
    }

    /// When the run began; it begins with the first call.
    pub fn zero(&self) -> Zero {
        *self.zero.get_or_init(Zero::now)
    }

    /// What the run's clock says; 0 before it began.
    #[must_use]
    pub fn now(&self) -> Nanos {
        self.zero.get().map_or(0, |zero| zero.clock.now())
    }

    /// A thread tells what it did so far.
    pub fn tell(&self, thread: u32, effort: &Effort) {
        let mut efforts = self.efforts.lock().unwrap_or_else(PoisonError::into_inner);
        efforts[thread as usize] = *effort;
    }

    /// What the threads told last.
    #[must_use]
    pub fn efforts(&self) -> Vec<Effort> {
        let efforts = self.efforts.lock().unwrap_or_else(PoisonError::into_inner);
        efforts.clone()
    }

    /// No more iterations begin.
    pub fn drain(&self) {
        self.stop.fetch_max(DRAIN, Ordering::Relaxed);
    }

    /// Nothing is waited for any more.
    pub fn end(&self) {
        self.stop.fetch_max(BREAK, Ordering::Relaxed);
    }

    #[must_use]
    pub fn wanted(&self) -> State {
        match self.stop.load(Ordering::Relaxed) {
            0 => State::Running,
            DRAIN => State::Draining,
            _ => State::Ended,
        }
    }

    /// Other orders, late enough for every thread to know before it is time. Whoever changes them again and again does
    /// not put them off.
    pub fn change(&self, load: Option<Load>, version: Option<Arc<Version>>) {
        let mut orders = self.held();
        let now = self.now();
        if now > 0 && orders.at <= now {
            orders.at = now + NOTICE;
        }
        if let Some(load) = load {
            orders.load = load;
            orders.load_number += 1;
        }
        if let Some(version) = version {
            orders.version = version;
        }
        self.changes.fetch_add(1, Ordering::Release);
    }

    /// The orders that hold, or will.
    #[must_use]
    pub fn orders(&self) -> Orders {
        self.held().clone()
    }

    /// The same, if they were changed since `seen`, which is brought up to date.
    pub fn changed(&self, seen: &mut u64) -> Option<Orders> {
        let changes = self.changes.load(Ordering::Acquire);
        if changes == *seen {
            return None;
        }
        *seen = changes;
        Some(self.orders())
    }

    fn held(&self) -> MutexGuard<'_, Orders> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
