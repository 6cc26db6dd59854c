//! Who makes segments: one thread at a time, and how long to leave a merge alone that failed.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use crate::{Error, Result};

/// After the first merge that failed, and the longest that any failure puts the next off.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

#[derive(Debug, Default)]
pub(super) struct Merging {
    turn: Mutex<()>,
    holder: Mutex<Option<ThreadId>>,
    failures: Mutex<Failures>,
}

#[derive(Debug, Default)]
struct Failures {
    count: u32,
    /// No merge is wanted before.
    until: Option<Instant>,
}

/// Held by the thread that makes segments.
#[derive(Debug)]
#[must_use = "the turn ends when it is dropped"]
pub(super) struct Turn<'m> {
    merging: &'m Merging,
    _turn: MutexGuard<'m, ()>,
}

impl Merging {
    /// Waits for whoever makes segments now.
    ///
    /// # Errors
    ///
    /// `Error::Input` when that is this thread itself, such as from a report of its training.
    pub fn begin(&self) -> Result<Turn<'_>> {
        let me = thread::current().id();
        if *lock(&self.holder) == Some(me) {
            return Err(Error::input(
                "this cannot be done from within a training or a merge of the same chain: do it afterwards",
            ));
        }
        let turn = lock(&self.turn);
        *lock(&self.holder) = Some(me);
        Ok(Turn {
            merging: self,
            _turn: turn,
        })
    }

    /// Notes how a merge ended: after failures on end the pauses grow.
    pub fn ended(&self, well: bool, now: Instant) {
        let mut failures = lock(&self.failures);
        if well {
            *failures = Failures::default();
        } else {
            let pause = FIRST_PAUSE
                .saturating_mul(1 << failures.count.min(16))
                .min(LONGEST_PAUSE);
            failures.count += 1;
            failures.until = Some(now + pause);
        }
    }

    /// Whether a merge that failed is to be left alone for now.
    pub fn pauses(&self, now: Instant) -> bool {
        lock(&self.failures).until.is_some_and(|until| now < until)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *lock(&self.merging.holder) = None;
    }
}

/// What a thread that panicked left is a whole value.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_has_one_turn_and_gets_the_next() {
        let merging = Merging::default();
        let turn = merging.begin().unwrap();
        let refused = merging.begin().unwrap_err().to_string();
        assert!(refused.contains("do it afterwards"), "{refused}");
        drop(turn);
        drop(merging.begin().unwrap());
        thread::scope(|scope| {
            let turn = merging.begin().unwrap();
            let other = scope.spawn(|| merging.begin().map(drop));
            drop(turn);
            other.join().unwrap().unwrap();
        });
    }

    #[test]
    fn failures_put_the_next_merge_off_longer_and_longer() {
        let merging = Merging::default();
        let now = Instant::now();
        assert!(!merging.pauses(now));
        merging.ended(false, now);
        assert!(merging.pauses(now) && !merging.pauses(now + FIRST_PAUSE));
        merging.ended(false, now);
        assert!(merging.pauses(now + FIRST_PAUSE) && !merging.pauses(now + 2 * FIRST_PAUSE));
        for _ in 0..100 {
            merging.ended(false, now);
        }
        assert!(!merging.pauses(now + LONGEST_PAUSE));
        merging.ended(true, now);
        assert!(!merging.pauses(now));
    }
}
