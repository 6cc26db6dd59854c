//! Whose turn it is, of the addresses of an origin; those that failed lately come last.

use super::clock::SECOND;
use crate::Nanos;

/// How long an address that failed is passed over while there are others.
const REST: Nanos = 10 * SECOND;

/// The addresses of one origin, as one thread found them.
#[derive(Clone, Debug)]
pub struct Turns {
    next: usize,
    /// By address: until when it rests, 0 when it did not fail.
    rests: Vec<Nanos>,
}

/// One user's way to a connection: the addresses that were tried for it, the last one last.
#[derive(Clone, Debug, Default)]
pub struct Attempt(Vec<usize>);

impl Attempt {
    /// Addresses tried.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The one that is tried now.
    fn current(&self) -> Option<usize> {
        self.0.last().copied()
    }
}

impl Turns {
    /// Begins with another address than the other threads.
    pub fn new(thread: u32) -> Self {
        Self {
            next: thread as usize,
            rests: Vec::new(),
        }
    }

    /// The next of so many addresses to try; none when each was tried. One that has rested is tried by one attempt,
    /// and rests on for the others until that has come to something.
    pub fn take(&mut self, addresses: usize, now: Nanos, attempt: &mut Attempt) -> Option<usize> {
        self.rests.resize(addresses, 0);
        let in_turn = (0..addresses).map(|after| self.next.wrapping_add(after) % addresses);
        let left: Vec<usize> = in_turn.filter(|at| !attempt.0.contains(at)).collect();
        let rested = left.iter().find(|&&at| self.rests[at] <= now);
        let at = *rested.or_else(|| left.iter().min_by_key(|&&at| self.rests[at]))?;
        if self.rests[at] > 0 {
            self.rests[at] = now.saturating_add(REST);
        }
        self.next = at + 1;
        attempt.0.push(at);
        Some(at)
    }

    /// The address that an attempt tries now took no connection.
    pub fn failed(&mut self, attempt: &Attempt, now: Nanos) {
        if let Some(rest) = attempt.current().and_then(|at| self.rests.get_mut(at)) {
            *rest = now.saturating_add(REST);
        }
    }

    /// It did.
    pub fn stands(&mut self, attempt: &Attempt) {
        if let Some(rest) = attempt.current().and_then(|at| self.rests.get_mut(at)) {
            *rest = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The address that a new attempt begins with.
    fn first(turns: &mut Turns, addresses: usize, now: Nanos) -> (usize, Attempt) {
        let mut attempt = Attempt::default();
        (turns.take(addresses, now, &mut attempt).unwrap(), attempt)
    }

    #[test]
    fn each_has_its_turn_and_an_attempt_tries_each_once() {
        let mut turns = Turns::new(4);
        let begun: Vec<usize> = (0..6).map(|_| first(&mut turns, 3, 0).0).collect();
        assert_eq!(begun, [1, 2, 0, 1, 2, 0]);
        let mut attempt = Attempt::default();
        let mut tried: Vec<usize> = (0..3)
            .map(|_| turns.take(3, 0, &mut attempt).unwrap())
            .collect();
        assert_eq!((turns.take(3, 0, &mut attempt), attempt.count()), (None, 3));
        tried.sort_unstable();
        assert_eq!(tried, [0, 1, 2]);
        assert_eq!(turns.take(0, 0, &mut Attempt::default()), None);
    }

    #[test]
    fn who_failed_is_passed_over_for_a_while_and_tried_by_one_then() {
        let mut turns = Turns::new(0);
        let (zero, attempt) = first(&mut turns, 2, 5);
        turns.failed(&attempt, 5);
        assert_eq!(zero, 0);
        for now in [6, REST, 4 + REST] {
            assert_eq!(first(&mut turns, 2, now).0, 1);
        }
        let (again, attempt) = first(&mut turns, 2, 5 + REST);
        assert_eq!(again, 0);
        assert_eq!(first(&mut turns, 2, 5 + REST).0, 1);
        assert_eq!(first(&mut turns, 2, 5 + REST).0, 1);
        turns.stands(&attempt);
        let begun: Vec<usize> = (0..4).map(|_| first(&mut turns, 2, 6 + REST).0).collect();
        assert_eq!(begun, [0, 1, 0, 1]);
    }

    #[test]
    fn where_all_failed_the_one_that_has_rested_longest_is_tried_first() {
        let mut turns = Turns::new(0);
        for now in 1..4 {
            let (_, attempt) = first(&mut turns, 3, now);
            turns.failed(&attempt, now);
        }
        let mut attempt = Attempt::default();
        let tried: Vec<usize> = (0..3)
            .map(|_| turns.take(3, 9, &mut attempt).unwrap())
            .collect();
        assert_eq!(tried, [0, 1, 2]);
        assert_eq!(first(&mut Turns::new(7), 1, 0).0, 0);
    }
}
