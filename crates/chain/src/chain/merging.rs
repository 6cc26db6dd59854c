//! Who makes segments: one thread at a time, and how long to leave a merge alone that failed.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use crate::{Error, Result};

/// After the first merge that failed, and the longest that any failure puts the next off.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

#[derive(Debug, Default)]
pub(super) struct Merging {
    holder: Mutex<Option<Holder>>,
    free: Condvar,
    failures: Mutex<Failures>,
}

#[derive(Clone, Copy, Debug)]
struct Holder {
    thread: ThreadId,
    trains: bool,
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
}

impl Merging {
    /// Waits for whoever makes segments now.
    ///
    /// # Errors
    ///
    /// `Error::Input` when that is this thread itself, such as from a report of its training.
    pub fn begin(&self) -> Result<Turn<'_>> {
        self.begin_as(false)
    }

    /// The same for a training, which merges now and then what cannot wait for its end.
    ///
    /// # Errors
    ///
    /// As `begin`.
    pub fn begin_training(&self) -> Result<Turn<'_>> {
        self.begin_as(true)
    }

    /// Waits for a merge, but for no training: none while one goes on.
    ///
    /// # Errors
    ///
    /// As `begin`.
    pub fn begin_unless_training(&self) -> Result<Option<Turn<'_>>> {
        let mut holder = lock(&self.holder);
        while let Some(held) = *holder {
            if held.trains {
                return Ok(None);
            }
            holder = self.wait(held, holder)?;
        }
        Ok(Some(self.take(&mut holder, false)))
    }

    fn begin_as(&self, trains: bool) -> Result<Turn<'_>> {
        let mut holder = lock(&self.holder);
        while let Some(held) = *holder {
            holder = self.wait(held, holder)?;
        }
        Ok(self.take(&mut holder, trains))
    }

    fn wait<'m>(
        &'m self,
        held: Holder,
        holder: MutexGuard<'m, Option<Holder>>,
    ) -> Result<MutexGuard<'m, Option<Holder>>> {
        if held.thread == thread::current().id() {
            return Err(Error::input(
                "this cannot be done from within a training or a merge of the same chain: do it afterwards",
            ));
        }
        Ok(self
            .free
            .wait(holder)
            .unwrap_or_else(PoisonError::into_inner))
    }

    fn take(&self, holder: &mut Option<Holder>, trains: bool) -> Turn<'_> {
        *holder = Some(Holder {
            thread: thread::current().id(),
            trains,
        });
        Turn { merging: self }
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
        self.merging.free.notify_all();
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
    fn who_does_not_wait_for_a_training_waits_for_a_merge() {
        let merging = Merging::default();
        let training = merging.begin_training().unwrap();
        assert!(merging.begin_unless_training().unwrap().is_none());
        thread::scope(|scope| {
            let other = || merging.begin_unless_training().unwrap().is_none();
            assert!(scope.spawn(other).join().unwrap());
        });
        drop(training);
        let merge = merging.begin().unwrap();
        assert!(merging.begin_unless_training().is_err());
        thread::scope(|scope| {
            let other = scope.spawn(|| merging.begin_unless_training().unwrap().is_some());
            thread::sleep(Duration::from_millis(20));
            assert!(!other.is_finished());
            drop(merge);
            assert!(other.join().unwrap());
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
