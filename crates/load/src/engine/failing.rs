//! Requests that come to nothing, connections that go, and what is looked at from time to time.

use std::cmp::Reverse;

use super::clock::MILLISECOND;
use super::connection::{Key, Protocol, Stage, UserId};
use super::flight::{Attempt, Phase, Then};
use super::shared::State;
use super::worker::{PAUSE, Worker};
use crate::Nanos;
use crate::http2::Reset;
use crate::record::Class;
use crate::scenario::{Next, Outcome};

/// How exactly timeouts are kept to.
const LOOK: Nanos = 20 * MILLISECOND;

/// How exactly connections that nobody uses are closed.
const SWEEP: Nanos = 250 * MILLISECOND;

impl Worker {
    /// A connection is gone, and with it whoever used it or waited for it.
    pub(super) fn lost(&mut self, key: Key, class: Class) {
        let Some(connection) = self.connections.remove(key) else {
            return;
        };
        let was_kept = connection.answers > 0 && matches!(class, Class::Closed | Class::Reset);
        // Who takes connections and never answers is as good as down.
        let is_dead = connection.answers == 0 && class != Class::Timeout;
        let pause = if is_dead && self.schedule.is_none() {
            PAUSE
        } else {
            self.pause_after(class)
        };
        let (origin, waiting) = (connection.origin as usize, connection.waiting);
        if connection.stage == Stage::Connecting
            && let Some(attempt) = self.take_attempt(key)
            && self.may_try_another(origin, class, attempt)
        {
            self.connect(origin, waiting, Some(attempt));
            return;
        }
        match connection.protocol {
            Protocol::One { user: None, .. } => {}
            Protocol::One {
                user: Some(user),
                reader,
            } => {
                self.flights[user as usize].wants_new = was_kept;
                self.unanswered(user, class, was_kept && !reader.has_begun(), pause);
            }
            Protocol::Two(mut two) => {
                let mut left = Left(Vec::new());
                two.end(&mut left);
                for user in left.0 {
                    let flight = &mut self.flights[user as usize];
                    flight.wants_new = was_kept;
                    let begun = flight.first_byte > 0;
                    self.unanswered(user, class, was_kept && !begun, pause);
                }
            }
        }
        for user in waiting {
            self.fail(user, class);
        }
        self.serve_queues(origin);
    }

    /// The attempt of which a connection came, if its origin has other addresses; it is forgotten.
    pub(super) fn take_attempt(&mut self, key: Key) -> Option<Attempt> {
        let at = self.attempts.iter().position(|&(its, _)| its == key)?;
        Some(self.attempts.swap_remove(at).1)
    }

    /// The peer ended one request of an HTTP/2 connection.
    pub(super) fn reset(&mut self, user: UserId, why: Reset) {
        match why {
            Reset::Refused => self.unanswered(user, Class::Reset, true, 0),
            Reset::Peer(_) => self.unanswered(user, Class::Reset, false, 0),
            Reset::Closed => self.unanswered(user, Class::Closed, false, 0),
            Reset::Malformed => self.unanswered(user, Class::Protocol, false, 0),
            Reset::TooLarge => self.unanswered(user, Class::TooLong, false, 0),
        }
    }

    /// A request that was sent gets no answer. A peer may close a connection that it kept just when it is used again:
    /// then the request is sent once more, on a new one, also after the end of the run: it is still the same request.
    fn unanswered(&mut self, user: UserId, class: Class, may_again: bool, pause: Nanos) {
        self.asking -= 1;
        let flight = &mut self.flights[user as usize];
        if may_again && !flight.is_again {
            flight.is_again = true;
            flight.phase = Phase::Stepping;
            self.effort.again += 1;
            self.agenda.push_back(user);
        } else {
            self.fail_after(user, class, pause);
        }
    }

    /// A request came to nothing.
    pub(super) fn fail(&mut self, user: UserId, class: Class) {
        self.fail_after(user, class, self.pause_after(class));
    }

    /// How long a user waits after something that would otherwise fail again as fast as this machine can.
    pub(super) fn pause_after(&self, class: Class) -> Nanos {
        match class {
            Class::Connect | Class::Dns | Class::Tls | Class::System | Class::Template
                if self.schedule.is_none() =>
            {
                PAUSE
            }
            _ => 0,
        }
    }

    fn fail_after(&mut self, user: UserId, class: Class, pause: Nanos) {
        let flight = &self.flights[user as usize];
        self.record
            .failed(flight.label, class, &flight.timing(self.now));
        let outcome = self
            .program
            .failed(&mut self.users[user as usize], &mut self.rng);
        self.go_on_after(user, outcome.next, pause);
    }

    /// What a user does next.
    #[inline]
    pub(super) fn go_on(&mut self, user: UserId, outcome: &Outcome) {
        self.go_on_after(user, outcome.next, 0);
    }

    pub(super) fn go_on_after(&mut self, user: UserId, next: Next, pause: Nanos) {
        let (then, after) = match next {
            Next::Step { after } | Next::Again { after } => (Then::Step, after),
            Next::End { after } => (Then::Begin, after),
        };
        let after = after.max(pause);
        let flight = &mut self.flights[user as usize];
        if then == Then::Begin {
            let step = &self.program.steps()[self.users[user as usize].step()];
            if let Some(label) = self.iterations[step.scenario()] {
                self.record.iteration(label, self.now - flight.begun);
            }
        }
        flight.is_again = false;
        flight.wants_new = false;
        flight.is_reserved = false;
        flight.connection = Key::MAX;
        flight.deadline = Nanos::MAX;
        if after > 0 {
            flight.phase = Phase::Pausing(then);
            self.timers
                .push(Reverse((self.now.saturating_add(after), user)));
        } else if then == Then::Begin {
            self.rest(user);
        } else {
            flight.intended = self.now;
            flight.phase = Phase::Stepping;
            self.agenda.push_back(user);
        }
    }

    /// What has to be looked at now and then: timeouts, connections that nobody uses.
    pub(super) fn look(&mut self) {
        if self.now >= self.next_look {
            self.next_look = self.now + LOOK;
            self.end_late();
        }
        if self.now >= self.next_sweep {
            self.next_sweep = self.now + SWEEP;
            self.sweep();
        }
        if self.state != State::Running {
            for origin in 0..self.queues.len() {
                for user in std::mem::take(&mut self.queues[origin]) {
                    if self.flights[user as usize].is_again {
                        self.queues[origin].push_back(user);
                    } else {
                        self.leave_unsent(user);
                    }
                }
            }
        }
    }

    /// Requests that took too long.
    fn end_late(&mut self) {
        for user in 0..self.flights.len() as UserId {
            let flight = &self.flights[user as usize];
            if flight.deadline > self.now || flight.phase != Phase::Asking {
                continue;
            }
            let key = flight.connection;
            let Some(connection) = self.connections.get(key) else {
                continue;
            };
            match &mut connection.protocol {
                Protocol::One { .. } => self.lost(key, Class::Timeout),
                Protocol::Two(two) => {
                    self.out.clear();
                    two.cancel(user, &mut self.out);
                    let sent = connection.transport.send(&self.out);
                    self.unanswered(user, Class::Timeout, false, 0);
                    match sent {
                        Ok(()) => self.offer(key),
                        Err(_) => self.lost(key, Class::Reset),
                    }
                }
            }
        }
    }

    /// Connections that take too long to stand, or that nobody used for long.
    fn sweep(&mut self) {
        let idle_before = self.now.saturating_sub(self.site.idle);
        let begun_before = self.now.saturating_sub(self.site.connect_timeout);
        for key in self.connections.keys() {
            let Some(connection) = self.connections.get(key) else {
                continue;
            };
            if connection.stage != Stage::Open && connection.staged < begun_before {
                self.lost(key, Class::Timeout);
            } else if connection.is_idle() && connection.idle_since < idle_before {
                self.connections.remove(key);
            }
        }
        for offered in &mut self.offered {
            offered.retain(|&key| self.connections.get(key).is_some());
        }
        self.serve_queues(0);
    }
}

/// The users whose requests are left when a connection ends.
struct Left(Vec<UserId>);

impl crate::http2::Events for Left {
    fn head(&mut self, _: u32, _: u16) {}

    fn done(&mut self, key: u32, _: u64) {
        self.reset(key, Reset::Closed);
    }

    fn reset(&mut self, key: u32, _: Reset) {
        self.0.push(key);
    }
}
