//! Requests that come to nothing, connections that go, and what is looked at from time to time.

use std::cmp::Reverse;

use super::clock::MILLISECOND;
use super::connection::{Key, Protocol, Stage, UserId};
use super::courses::NOWHERE;
use super::flight::{Flight, Phase, Then};
use super::shared::State;
use super::turns::Attempt;
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
        {
            self.blame(origin, class, &attempt);
            if !waiting.is_empty() && self.may_try_another(origin, class, &attempt) {
                self.connect(origin, waiting, Some(attempt));
                return;
            }
        }
        match connection.protocol {
            Protocol::One { user: None, .. } => self.lost_idle(class),
            Protocol::One {
                user: Some(user), ..
            } => self.left(user, class, was_kept, pause),
            Protocol::Two(mut two) => {
                let mut left = Left(Vec::new());
                two.end(&mut left);
                if left.0.is_empty() && waiting.is_empty() {
                    self.lost_idle(class);
                }
                for user in left.0 {
                    self.left(user, class, was_kept, pause);
                }
            }
        }
        for user in waiting {
            self.fail(user, class);
        }
        self.serve_queues(origin);
    }

    /// The connection of a request is gone. One of which an answer began has failed, however kept the connection was:
    /// the peer had the request.
    fn left(&mut self, user: UserId, class: Class, was_kept: bool, pause: Nanos) {
        let flight = &mut self.flights[user as usize];
        flight.wants_new = was_kept;
        let has_begun = flight.first_byte > 0;
        self.unanswered(user, class, was_kept && !has_begun, pause);
    }

    /// A connection that nobody used is gone. Peers close what was kept; what else ends it nobody asked for.
    fn lost_idle(&mut self, class: Class) {
        let is_unasked = matches!(class, Class::Protocol | Class::Tls);
        self.effort.unasked += u64::from(is_unasked);
    }

    /// The attempt of which a connection came, if its origin has other addresses; it is forgotten.
    pub(super) fn take_attempt(&mut self, key: Key) -> Option<Attempt> {
        let at = self.attempts.iter().position(|&(its, _)| its == key)?;
        Some(self.attempts.swap_remove(at).1)
    }

    /// The peer ended one request of an HTTP/2 connection.
    pub(super) fn reset(&mut self, user: UserId, why: Reset) {
        let class = match why {
            Reset::Refused | Reset::Peer(_) => Class::Reset,
            Reset::Closed => Class::Closed,
            Reset::Malformed => Class::Protocol,
            Reset::TooLarge => Class::TooLong,
        };
        let key = self.flights[user as usize].connection;
        let has_answered = self.connections.get(key).is_some_and(|one| one.answers > 0);
        // As with connections: who never answers is as good as down.
        let pause = if has_answered || self.schedule.is_some() {
            0
        } else {
            PAUSE
        };
        self.unanswered(user, class, why == Reset::Refused, pause);
    }

    /// A request that was sent gets no answer. A peer may close a connection that it kept just when it is used again:
    /// then the request is sent once more, on a new one, also after the end of the run: it is still the same request.
    pub(super) fn unanswered(&mut self, user: UserId, class: Class, may_again: bool, pause: Nanos) {
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
        let program = &self.courses.of(flight.course).program;
        let outcome = program.failed(&mut self.users[user as usize], &mut self.rng);
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
            let course = self.courses.of(flight.course);
            let step = &course.program.steps()[self.users[user as usize].step()];
            if let Some(label) = course.iterations[step.scenario()] {
                self.record.iteration(label, self.now - flight.begun);
            }
            if flight.course != self.courses.newest() {
                self.courses.leave(flight.course);
                flight.course = NOWHERE;
            }
        }
        flight.is_again = false;
        flight.wants_new = false;
        flight.is_reserved = false;
        flight.due = Nanos::MAX;
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
        let mut waits_late = false;
        for user in 0..self.flights.len() as UserId {
            let flight = &self.flights[user as usize];
            if flight.deadline > self.now {
                continue;
            }
            match flight.phase {
                Phase::Asking => self.end_asking(user),
                Phase::Waiting => waits_late = true,
                _ => {}
            }
        }
        if waits_late {
            self.end_waiting();
        }
    }

    /// An answer that took too long is waited for no longer.
    fn end_asking(&mut self, user: UserId) {
        let Flight {
            connection: key,
            sent,
            ..
        } = self.flights[user as usize];
        let Some(connection) = self.connections.get(key) else {
            return;
        };
        match &mut connection.protocol {
            Protocol::One { .. } => self.lost(key, Class::Timeout),
            Protocol::Two(two) => {
                self.out.clear();
                two.cancel(user, &mut self.out);
                // Silent for so long, it may be dead: whoever asks next does so on another one.
                if connection.heard < sent {
                    two.retire();
                }
                connection.idle_since = self.now;
                let sent = connection.transport.send(&self.out);
                self.unanswered(user, Class::Timeout, false, 0);
                match sent {
                    Ok(()) => {
                        self.offer(key);
                        self.leave(key);
                    }
                    Err(_) => self.lost(key, Class::Reset),
                }
            }
        }
    }

    /// Who waited too long for a connection, or for one that takes another request, waits no longer. A connection that
    /// does not stand in that time, and for which nobody waits any more, has failed.
    fn end_waiting(&mut self) {
        let (flights, now) = (&self.flights, self.now);
        let is_late = |user: &UserId| flights[*user as usize].deadline <= now;
        let mut late = Vec::new();
        for queue in &mut self.queues {
            late.extend(queue.iter().copied().filter(is_late));
            queue.retain(|user| !is_late(user));
        }
        let mut failed = Vec::new();
        for key in self.connections.keys() {
            if let Some(connection) = self.connections.get(key)
                && connection.waiting.iter().any(is_late)
            {
                late.extend(connection.waiting.extract_if(.., |user| is_late(user)));
                if connection.waiting.is_empty() {
                    failed.push(key);
                }
            }
        }
        for user in late {
            self.fail(user, Class::Timeout);
        }
        for key in failed {
            self.lost(key, Class::Timeout);
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
