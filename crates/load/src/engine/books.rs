//! What is known of a run, added up: kept by the thread that collects, looked into by whoever asks.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::shared::{Shared, State};
use super::version::Version;
use crate::model::Model;
use crate::record::Collector;
use crate::{Error, Nanos, Result};

/// Versions of the scenarios that are held at once. Each has its data, until the last user has gone through it.
const MOST_VERSIONS: usize = 16;

/// What is known of a run, added up.
pub struct Books {
    pub collector: Collector,
    /// Intervals closed so far.
    pub closed: u64,
    pub closed_at: Nanos,
    /// Arrivals that fell due in each interval that is kept, and in all until the last one closed.
    pub asked: VecDeque<u64>,
    pub asked_before: u64,
    pub next_close: Nanos,
    /// Iterations begin at intended times now, or did before the load was changed.
    pub is_open: bool,
    pub was_open: bool,
    /// Why a thread ended before the run did.
    pub failure: Option<String>,
    pub state: State,
    pub ended_at: Nanos,
    /// The load that holds.
    pub model: Model,
    pub users: u32,
    /// Versions of the scenarios that threads may still use, the newest last.
    pub versions: Vec<Arc<Version>>,
}

impl Books {
    /// Another load holds from now on.
    pub fn change(&mut self, model: Model, users: u32) {
        self.is_open = model.is_open();
        self.was_open |= self.is_open;
        self.model = model;
        self.users = users;
    }

    /// The number of the version that comes next, if there can be one.
    pub fn next_version(&self, shared: &Shared) -> Result<u64> {
        let newest = &self.versions[self.versions.len() - 1];
        let is_over = self.state != State::Running || shared.wanted() != State::Running;
        if is_over || newest.is_used_up() {
            return Err(Error::input(
                "the run begins no more iterations: what it sends cannot be replaced, begin a new run",
            ));
        }
        if self.versions.len() >= MOST_VERSIONS {
            return Err(Error::input(format!(
                "users are still in the middle of {} earlier versions of the scenarios: try again when they are through",
                self.versions.len() - 1
            )));
        }
        Ok(newest.number + 1)
    }

    /// Takes out versions that no thread has a use for any more.
    pub fn over(&mut self) -> Vec<Arc<Version>> {
        let newest = self.versions.len() - 1;
        // Whoever comes to hold one takes it from another who does: from this list alone nobody does any more.
        let is_over = |version: &mut Arc<Version>| Arc::strong_count(version) == 1;
        self.versions.extract_if(..newest, is_over).collect()
    }

    /// Ends an interval, until whose end so many arrivals were due.
    pub fn close(&mut self, now: Nanos, asked: u64) {
        self.collector.close_interval(now);
        self.closed += 1;
        self.closed_at = now;
        self.asked
            .push_back(asked.saturating_sub(self.asked_before));
        self.asked_before = asked;
        let kept = self.collector.intervals().count();
        self.asked.drain(..self.asked.len().saturating_sub(kept));
    }
}

/// Whoever held them last may have panicked: what is in them is whole.
pub fn books_of(books: &Mutex<Books>) -> MutexGuard<'_, Books> {
    books.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Arrivals that were due, as the threads told last.
pub fn asked_of(shared: &Shared) -> u64 {
    shared.efforts().iter().map(|one| one.asked).sum()
}
