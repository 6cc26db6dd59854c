//! The moment after the first part of an answer.
//!
//! Many servers send the head of an answer and its body one after the other. A thread that sleeps in between is woken
//! twice for an answer, which costs the server as much as itself. What follows mostly comes within microseconds: it is
//! looked for that long before the thread sleeps, as long as that pays.

use std::io;

use super::poll::Events;
use super::worker::Worker;
use crate::Nanos;

/// How long it is looked for: about as long as it takes to fall asleep and be woken.
const SOON: Nanos = 15_000;

/// Looks that are left out after many in vain, as a power of 2.
const MOST_MISSES: u32 = 10;

/// Whether the last reads ended in the middle of an answer, and whether it pays to look for more of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Amid {
    is_begun: bool,
    /// Looks in vain, one after the other.
    misses: u32,
    /// Looks that are left out.
    left_out: u32,
}

impl Amid {
    /// A read ended in the middle of an answer.
    #[inline]
    pub fn note(&mut self) {
        self.is_begun = true;
    }

    /// Whether to look now: asked before each sleep.
    #[inline]
    fn is_worth_it(&mut self) -> bool {
        if !std::mem::take(&mut self.is_begun) {
            return false;
        }
        let is_left_out = self.left_out > 0;
        self.left_out = self.left_out.saturating_sub(1);
        !is_left_out
    }

    /// What came of a look.
    fn looked(&mut self, has_found: bool) {
        self.misses = if has_found {
            0
        } else {
            (self.misses + 1).min(MOST_MISSES)
        };
        self.left_out = (1 << self.misses) - 1;
    }
}

impl Worker {
    /// Waits until something happens or has to be done.
    #[inline]
    pub(super) fn sleep(&mut self, events: &mut Events) -> io::Result<()> {
        let most = self.wait();
        if most > 0 && self.amid.is_worth_it() && self.comes_soon(SOON.min(most), events)? {
            return Ok(());
        }
        self.poll.wait(self.wait(), events)
    }

    /// Looks for so long without sleeping, until something has happened.
    fn comes_soon(&mut self, most: Nanos, events: &mut Events) -> io::Result<bool> {
        let until = self.zero.clock.now() + most;
        let mut has_found = false;
        while !has_found && self.zero.clock.now() < until {
            self.poll.wait(0, events)?;
            has_found = events.ready().next().is_some();
        }
        self.amid.looked(has_found);
        Ok(has_found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of so many looks that could be are made, when each comes to the same.
    fn looks(of: usize, has_found: bool) -> usize {
        let mut amid = Amid::default();
        let look = |_: &usize| {
            assert!(!amid.is_worth_it(), "nothing was begun");
            amid.note();
            let is_worth_it = amid.is_worth_it();
            if is_worth_it {
                amid.looked(has_found);
            }
            is_worth_it
        };
        (0..of).filter(look).count()
    }

    #[test]
    fn what_pays_is_done_each_time() {
        assert_eq!(looks(5000, true), 5000);
    }

    #[test]
    fn what_does_not_pay_is_tried_more_and_more_seldom_and_never_given_up() {
        assert_eq!(looks(1, false), 1);
        assert_eq!(looks(100, false), 6);
        assert_eq!(looks(10_000, false), 18);
        let mut amid = Amid::default();
        (0..20).for_each(|_| amid.looked(false));
        amid.looked(true);
        amid.note();
        assert!(amid.is_worth_it());
    }
}
