//! From something that happened on a socket to an answer.

use std::io;

use super::connection::{Key, Protocol, Stage, UserId};
use super::poll::Ready;
use super::sending::class_of_io;
use super::transport::Came;
use super::worker::Worker;
use crate::http1::{self, Done};
use crate::record::Class;
use crate::scenario::{At, Failure};

/// Reads of one connection until the others have their turn: a peer may send faster than is read.
const MOST_READS: usize = 16;

/// What one read of HTTP/1.1 gave.
#[derive(Default)]
struct Read {
    bytes: usize,
    outcome: Option<Result<Done, http1::Fault>>,
    /// More came than belongs to the answer.
    surplus: bool,
}

impl Worker {
    /// Something happened on a socket.
    #[inline]
    pub(super) fn happened(&mut self, ready: Ready) {
        let Some(connection) = self.connections.get(ready.key) else {
            return; // it was closed after this was reported
        };
        if connection.stage == Stage::Connecting {
            self.connected(ready.key);
        } else if ready.writable {
            let was_behind = connection.transport.is_behind();
            if let Err(error) = connection.transport.flush() {
                self.lost(ready.key, class_of_io(&error));
                return;
            }
            if was_behind {
                self.offer(ready.key);
            }
        }
        // Also of one that stands only now: what the peer sent already is not told of again.
        if ready.readable {
            self.receive(ready.key, ready.ended);
        }
    }

    /// Reads what there is. Who has ended is read to its end: the system does not tell of that again.
    #[inline]
    pub(super) fn receive(&mut self, key: Key, mut has_ended: bool) {
        for _ in 0..MOST_READS {
            let Some(connection) = self.connections.get(key) else {
                return;
            };
            let came = match &connection.protocol {
                Protocol::One { .. } => self.receive_one(key, has_ended),
                Protocol::Two(_) => self.receive_two(key),
            };
            match came {
                Came::Some => {}
                Came::All if has_ended => has_ended = false,
                Came::All | Came::End => return,
            }
        }
        self.unread.push((key, has_ended));
    }

    #[inline]
    fn receive_one(&mut self, key: Key, has_ended: bool) -> Came {
        let Some(connection) = self.connections.get(key) else {
            return Came::End;
        };
        let Protocol::One { reader, user } = &mut connection.protocol else {
            return Came::End;
        };
        let user = *user;
        let mut keep = user
            .filter(|&user| {
                let course = self.courses.of(self.flights[user as usize].course);
                course.prepared(self.users[user as usize].step()).is_kept
            })
            .map(|user| &mut self.answers[user as usize]);
        let mut read = Read::default();
        let came = connection.transport.receive(&mut self.buffers, |bytes| {
            read.bytes += bytes.len();
            if user.is_none() || read.outcome.is_some() {
                read.surplus = true;
                return;
            }
            match reader.read(bytes, keep.as_deref_mut()) {
                Ok(progress) => {
                    read.surplus = progress.used < bytes.len();
                    read.outcome = progress.done.map(Ok);
                }
                Err(fault) => read.outcome = Some(Err(fault)),
            }
        });
        self.now = self.zero.clock.now();
        if read.bytes > 0
            && let Some(user) = user
        {
            if read.outcome.is_none() {
                self.amid.note();
            }
            let flight = &mut self.flights[user as usize];
            flight.received += read.bytes as u64;
            if flight.first_byte == 0 {
                flight.first_byte = self.now;
            }
        }
        self.came(key, &read, came, has_ended)
    }

    /// After a read of HTTP/1.1: whether there may be more to read.
    #[inline]
    fn came(&mut self, key: Key, read: &Read, came: io::Result<Came>, has_ended: bool) -> Came {
        let ends = match came {
            Ok(Came::Some) => read.surplus,
            Ok(Came::All) => read.surplus || has_ended,
            _ => true,
        };
        match (&read.outcome, came) {
            (Some(Ok(done)), came) => {
                self.effort.unasked += u64::from(read.surplus);
                let ends = ends || !done.keeps_alive;
                self.answered(key, done, ends);
                came.ok().filter(|_| !ends).unwrap_or(Came::End)
            }
            (Some(Err(fault)), _) => {
                self.lost(key, class_of_fault(*fault));
                Came::End
            }
            (None, Err(error)) => {
                self.lost(key, class_of_io(&error));
                Came::End
            }
            (None, Ok(Came::End)) => {
                self.ended(key);
                Came::End
            }
            // Bytes that nobody asked for.
            (None, Ok(_)) if read.surplus => {
                self.lost(key, Class::Protocol);
                Came::End
            }
            (None, Ok(came)) => {
                self.secured(key);
                came
            }
        }
    }

    /// The peer will send no more.
    fn ended(&mut self, key: Key) {
        let Some(connection) = self.connections.get(key) else {
            return;
        };
        let outcome = match &mut connection.protocol {
            Protocol::One {
                reader,
                user: Some(_),
            } => reader.end(),
            _ => Err(http1::Fault::Closed),
        };
        match outcome {
            Ok(done) => self.answered(key, &done, true),
            Err(fault) => self.lost(key, class_of_fault(fault)),
        }
    }

    /// A whole answer of HTTP/1.1.
    #[inline]
    fn answered(&mut self, key: Key, done: &Done, ends: bool) {
        let Some(connection) = self.connections.get(key) else {
            return;
        };
        connection.answers += 1;
        let Protocol::One { user, .. } = &mut connection.protocol else {
            return;
        };
        let Some(user) = user.take() else {
            return;
        };
        // What the peer has not taken of a request that it answered stands in front of the next one.
        if ends || connection.transport.has_unsent() || !self.site.plan.keep_alive {
            let origin = connection.origin as usize;
            self.connections.remove(key);
            self.serve_queues(origin);
        } else {
            self.offer(key);
        }
        self.passed(user, done.status);
    }

    /// A user has its answer.
    #[inline]
    pub(super) fn passed(&mut self, user: UserId, status: u16) {
        let flight = &self.flights[user as usize];
        if self.now >= flight.deadline {
            self.unanswered(user, Class::Timeout, false, 0); // nobody has looked since
            return;
        }
        self.asking -= 1;
        let (label, timing) = (flight.label, flight.timing(self.now));
        let took = self.now - flight.sent;
        let moment = self.moment();
        let its = &mut self.users[user as usize];
        let course = self.courses.of(flight.course);
        let is_kept = course.prepared(its.step()).is_kept;
        let answer = is_kept.then(|| &mut self.answers[user as usize]);
        let program = &course.program;
        let outcome = program.answer(its, status, answer, took, moment, &mut self.rng);
        self.record.answered(label, &timing, status);
        if outcome.held > 0 {
            self.record.held(label, outcome.held);
        }
        if let Some(failure) = outcome.failure {
            self.record.error(label, class_of_failure(failure), status);
        }
        self.go_on(user, &outcome);
    }
}

/// The class of what is wrong with an answer of HTTP/1.1.
fn class_of_fault(fault: http1::Fault) -> Class {
    use http1::Fault;
    match fault {
        Fault::Closed | Fault::Truncated => Class::Closed,
        Fault::HeadTooLong
        | Fault::TooManyHeaders
        | Fault::TrailersTooLong
        | Fault::TooManyInterim => Class::TooLong,
        Fault::NotHttp | Fault::BadHead | Fault::BadLength | Fault::BadChunk | Fault::Upgrade => {
            Class::Protocol
        }
    }
}

/// The class under which a failed check counts.
fn class_of_failure(failure: Failure) -> Class {
    match failure.at {
        At::Status => Class::Status,
        At::Assert(_) => Class::Assertion,
        At::Extract(_) => Class::Extraction,
        At::Path | At::Header(_) => Class::Template,
    }
}
