//! From an iteration that begins to bytes on a connection.

use std::io;

use super::connection::{Connection, Key, Protocol, UserId};
use super::courses::Stop;
use super::flight::{Flight, Phase};
use super::shared::State;
use super::worker::Worker;
use crate::http1;
use crate::record::{Class, Label};
use crate::scenario::{Begin, Outcome, Ready};

impl Worker {
    /// Begins an iteration of a user.
    pub(super) fn begin(&mut self, user: UserId) {
        let Flight {
            intended,
            is_reserved,
            ..
        } = self.flights[user as usize];
        let may_begin = self.state == State::Running && intended < self.end && !self.is_used_up;
        if !may_begin || !is_reserved && !self.reserve() {
            if is_reserved {
                self.effort.unsent += 1; // it was an arrival
            } else {
                self.taken -= 1.min(self.taken);
            }
            self.release(user);
            self.rest(user);
            return;
        }
        self.flights[user as usize].is_reserved = true;
        let newest = self.courses.newest();
        if self.flights[user as usize].course != newest {
            self.enter(user);
        }
        let its = &mut self.users[user as usize];
        match self.courses.of(newest).program.begin(its, &mut self.rng) {
            Begin::At { .. } => {
                self.effort.begun += 1;
                let flight = &mut self.flights[user as usize];
                flight.begun = flight.intended;
                self.step(user);
            }
            // No iteration can begin any more, of no user.
            Begin::Over => {
                self.taken -= 1.min(self.taken);
                self.release(user);
                self.use_up();
                self.rest(user);
            }
        }
    }

    /// Sends the request of the step that a user is at, as soon as there is a connection.
    pub(super) fn step(&mut self, user: UserId) {
        if !self.flights[user as usize].is_reserved
            && (self.state != State::Running || !self.reserve())
        {
            self.rest(user);
            return;
        }
        let step = self.users[user as usize].step();
        let course = self.courses.of(self.flights[user as usize].course);
        let timeout = course.prepared(step).timeout;
        let Stop {
            place,
            label,
            keeps,
        } = course.stops[step];
        let label = label.unwrap_or_else(|| self.label_of(user));
        let flight = &mut self.flights[user as usize];
        flight.is_reserved = true;
        flight.label = label;
        flight.sent = self.now; // until it is: what fails before has no other time
        flight.first_byte = 0;
        flight.received = 0;
        let wants_new = flight.wants_new;
        if !flight.is_again {
            flight.sent_bytes = 0;
            flight.deadline = self.now.saturating_add(timeout);
            if keeps && self.is_spared(user) {
                return;
            }
        }
        let origin = place as usize;
        while let Some(key) = self.offered[origin].pop() {
            let Some(connection) = self.connections.get(key) else {
                continue; // it is gone
            };
            connection.is_offered = false;
            if !connection.takes_more() {
                continue; // it is offered again when it does
            }
            if wants_new && connection.is_idle() {
                if self.connections.len() >= self.most_connections {
                    self.connections.remove(key);
                } else {
                    self.offer(key);
                }
                break;
            }
            self.dispatch(key, user);
            // With HTTP/2 it may take more; with HTTP/1.1 it does when nothing had to be sent.
            self.offer(key);
            return;
        }
        self.wait_for_connection(origin, user);
    }

    /// The label of a step that has another one each time.
    #[cold]
    fn label_of(&mut self, user: UserId) -> Label {
        let moment = self.moment();
        self.label.clear();
        let its = &self.users[user as usize];
        let course = self.courses.of(self.flights[user as usize].course);
        course
            .program
            .label(its, moment, &mut self.rng, &mut self.label);
        self.record.label(&self.label)
    }

    /// Whether a user keeps the answer to its step, and needs no connection; then it goes on.
    fn is_spared(&mut self, user: UserId) -> bool {
        if self.state != State::Running {
            return false;
        }
        let moment = self.moment();
        let its = &mut self.users[user as usize];
        let program = &self.courses.of(self.flights[user as usize].course).program;
        let kept = program.kept(its, moment, &mut self.rng, &mut self.request);
        let Some(outcome) = kept else {
            return false;
        };
        self.spare(user, &outcome);
        true
    }

    /// A kept answer stands for a request.
    fn spare(&mut self, user: UserId, outcome: &Outcome) {
        self.record.cached(self.flights[user as usize].label);
        self.release(user);
        self.go_on(user, outcome);
    }

    /// Whether a connection that nobody here has a use for has to make room for who waits for another origin.
    fn must_yield(&mut self, key: Key) -> bool {
        self.connections.len() >= self.most_connections
            && self.queues.iter().any(|queue| !queue.is_empty())
            && self.is_idle_at(key)
    }

    /// A connection is there for who needs one.
    pub(super) fn offer(&mut self, key: Key) {
        while let Some(connection) = self.connections.get(key)
            && connection.takes_more()
        {
            let origin = connection.origin as usize;
            let answers = connection.answers;
            if let Some(&user) = self.queues[origin].front() {
                if answers > 0 && self.flights[user as usize].wants_new && self.is_idle_at(key) {
                    self.connections.remove(key); // as in `step`: it gets a new one
                    self.serve_queues(origin);
                    return;
                }
                self.queues[origin].pop_front();
                self.dispatch(key, user);
                continue;
            }
            if self.must_yield(key) || self.is_too_many(origin, key) {
                self.connections.remove(key);
                self.serve_queues(origin);
                return;
            }
            let Some(connection) = self.connections.get(key) else {
                return;
            };
            if !connection.is_offered {
                connection.is_offered = true;
                connection.idle_since = self.now;
                self.offered[origin].push(key);
            }
            return;
        }
    }

    /// Whether nobody waits for anything of a connection.
    fn is_idle_at(&mut self, key: Key) -> bool {
        self.connections.get(key).is_some_and(|one| one.is_idle())
    }

    /// Whether more connections to an origin would be kept than may be.
    #[inline]
    fn is_too_many(&mut self, origin: usize, key: Key) -> bool {
        if self.offered[origin].len() < self.most_kept as usize {
            return false;
        }
        let connections = &mut self.connections;
        self.offered[origin].retain(|&one| connections.get(one).is_some());
        let is_offered = |one: &mut Connection| one.is_offered || !one.is_idle();
        self.offered[origin].len() >= self.most_kept as usize
            && !self.connections.get(key).is_some_and(is_offered)
    }

    /// A request that was to be sent was not before the run ended.
    pub(super) fn leave_unsent(&mut self, user: UserId) {
        self.effort.unsent += 1;
        self.release(user);
        self.rest(user);
    }

    /// Sends a user's request on a connection that takes one, if anything has to be sent.
    pub(super) fn dispatch(&mut self, key: Key, user: UserId) {
        if self.state != State::Running && !self.flights[user as usize].is_again {
            self.leave_unsent(user);
            return;
        }
        let moment = self.moment();
        let its = &mut self.users[user as usize];
        let flight = &mut self.flights[user as usize];
        let step = its.step();
        flight.phase = Phase::Asking;
        flight.sent = self.now; // which a closed model goes by
        let course = self.courses.of(flight.course);
        let prepared = course.prepared(step);
        let ready = course
            .program
            .request(its, moment, &mut self.rng, &mut self.request);
        let (bytes, body) = match ready {
            Ready::Fixed => (prepared.bytes.as_slice(), prepared.body.as_slice()),
            Ready::Filled => {
                course.version.encode(&self.request, step, &mut self.bytes);
                (self.bytes.as_slice(), self.request.body.as_slice())
            }
            Ready::Cached(outcome) => {
                self.spare(user, &outcome);
                return;
            }
            Ready::Refused(outcome) => {
                let timing = flight.timing(self.now);
                self.record.failed(flight.label, Class::Template, &timing);
                self.go_on_after(user, outcome.next, self.pause_after(Class::Template));
                return;
            }
        };
        let Some(connection) = self.connections.get(key) else {
            self.fail(user, Class::Closed);
            return;
        };
        flight.connection = key;
        flight.status = 0;
        flight.sent_bytes = flight.sent_bytes.saturating_add(bytes.len() as u32);
        self.asking += 1;
        if prepared.is_kept {
            let answer = &mut self.answers[user as usize];
            answer.clear();
            answer.drops_body = !prepared.keeps_body;
        }
        let sent = match &mut connection.protocol {
            Protocol::One {
                reader,
                user: whose,
            } => {
                *whose = Some(user);
                reader.expect(prepared.kind);
                if self.schedule.is_some() {
                    flight.goes(self.zero.clock.now(), &mut self.effort);
                }
                connection.transport.send(bytes)
            }
            Protocol::Two(two) => {
                let is_head = prepared.kind == http1::Kind::Head;
                flight.sent_bytes = flight.sent_bytes.saturating_add(body.len() as u32);
                self.out.clear();
                let opened = two.open(bytes, body, is_head, user, &mut self.out);
                debug_assert!(opened, "a connection that takes more has room");
                let is_first = connection.transport.hold(&self.out);
                if is_first {
                    self.held.push(key);
                }
                if self.schedule.is_some()
                    && (is_first || !connection.held.is_empty() || self.held.contains(&key))
                {
                    connection.held.push(user);
                }
                Ok(())
            }
        };
        if let Err(error) = sent {
            self.lost(key, class_of_io(&error));
        }
    }
}

impl Worker {
    /// Sends what users put on HTTP/2 connections since the last time: the requests of one connection together.
    #[inline]
    pub(super) fn send_held(&mut self) {
        while let Some(key) = self.held.pop() {
            let Some(connection) = self.connections.get(key) else {
                continue;
            };
            if !connection.held.is_empty() {
                let now = self.zero.clock.now();
                for user in connection.held.drain(..) {
                    let flight = &mut self.flights[user as usize];
                    if flight.connection == key {
                        flight.goes(now, &mut self.effort);
                    }
                }
            }
            let was_behind = connection.transport.is_behind();
            match connection.transport.flush() {
                Ok(()) if was_behind => self.offer(key),
                Ok(()) => {}
                Err(error) => self.lost(key, class_of_io(&error)),
            }
        }
    }
}

/// The class of what went wrong on a connection that stood.
pub(super) fn class_of_io(error: &io::Error) -> Class {
    match error.kind() {
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => Class::Reset,
        io::ErrorKind::TimedOut => Class::Timeout,
        io::ErrorKind::QuotaExceeded => Class::Protocol, // a flood
        // What `Transport` wraps is an error of TLS.
        io::ErrorKind::Other | io::ErrorKind::InvalidData => Class::Tls,
        io::ErrorKind::UnexpectedEof => Class::Closed,
        _ => Class::System,
    }
}
