//! From something that happened on a socket to an answer.

use std::io;

use super::connection::{Key, Protocol, Stage, UserId};
use super::flight::Flight;
use super::poll::Ready;
use super::sending::{class_of_connecting, class_of_io};
use super::site::Prepared;
use super::transport::Came;
use super::worker::Worker;
use crate::http1::{self, Done};
use crate::http2::{Events, Reset};
use crate::record::Class;
use crate::scenario::{At, Failure, User};
use crate::{Answer, Nanos};

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

/// How a request on an HTTP/2 connection ended.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ended {
    Answered,
    Reset(Reset),
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
        } else if ready.writable
            && let Err(error) = connection.transport.flush()
        {
            self.lost(ready.key, class_of_io(&error));
            return;
        }
        // Also of one that stands only now: what the peer sent already is not told of again.
        if ready.readable {
            self.receive(ready.key, ready.ended);
        }
    }

    fn connected(&mut self, key: Key) {
        self.now = self.zero.clock.now();
        let Some(connection) = self.connections.get(key) else {
            return;
        };
        if let Err(error) = connection.transport.connected() {
            self.lost(key, class_of_connecting(&error));
            return;
        }
        let took = self.now - connection.staged;
        self.record.connected(took);
        connection.staged = self.now;
        self.take_attempt(key);
        let Some(connection) = self.connections.get(key) else {
            return;
        };
        let Some((config, name)) = &self.site.places[connection.origin as usize].tls else {
            self.opened(key);
            return;
        };
        connection.stage = Stage::Securing;
        if let Err(error) = connection.transport.secure(config, name.clone()) {
            self.lost(key, class_of_io(&error));
        }
    }

    /// Users who waited for this connection send.
    fn opened(&mut self, key: Key) {
        let Some(connection) = self.connections.get(key) else {
            return;
        };
        connection.stage = Stage::Open;
        if let Protocol::Two(two) = &mut connection.protocol {
            self.out.clear();
            two.opening(&mut self.out);
            if connection.transport.hold(&self.out) {
                self.held.push(key);
            }
        }
        let waiting = std::mem::take(&mut connection.waiting);
        let origin = connection.origin as usize;
        // In front of those that wait for any connection: this one was made for them.
        for user in waiting.into_iter().rev() {
            self.queues[origin].push_front(user);
        }
        self.offer(key);
        self.serve_queues(origin);
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
        self.unread.push(key);
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
            .filter(|&user| self.site.prepared[self.users[user as usize].step()].is_kept)
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

    /// Whether TLS stands since the last read; then who waited sends.
    fn secured(&mut self, key: Key) {
        let Some(connection) = self.connections.get(key) else {
            return;
        };
        if connection.stage == Stage::Securing && !connection.transport.is_handshaking() {
            let took = self.now - connection.staged;
            self.record.secured(took);
            if self.site.agrees(connection.transport.agreed()) {
                self.opened(key);
            } else {
                self.lost(key, Class::Tls);
            }
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
        if ends || !self.site.plan.keep_alive {
            let origin = connection.origin as usize;
            self.connections.remove(key);
            self.serve_queues(origin);
        } else {
            self.offer(key);
        }
        self.passed(user, done.status);
    }

    fn receive_two(&mut self, key: Key) -> Came {
        let Some(connection) = self.connections.get(key) else {
            return Came::End;
        };
        let Protocol::Two(two) = &mut connection.protocol else {
            return Came::End;
        };
        self.now = self.zero.clock.now();
        self.out.clear();
        let mut told = Told {
            flights: &mut self.flights,
            answers: &mut self.answers,
            prepared: &self.site.prepared,
            users: &self.users,
            ended: &mut self.ended,
            now: self.now,
        };
        let mut fault = None;
        let out = &mut self.out;
        let mut came = connection.transport.receive(&mut self.buffers, |bytes| {
            if fault.is_none() {
                fault = two.read(bytes, out, &mut told).err();
            }
        });
        let flushed = if self.out.is_empty() {
            Ok(())
        } else {
            connection.transport.send(&self.out)
        };
        if let Err(error) = flushed {
            came = Err(error);
        }
        let answers = self.ended.len() as u64;
        connection.answers += answers;
        self.now = self.zero.clock.now();
        self.settle();
        if fault.is_some() {
            self.lost(key, Class::Protocol);
            return Came::End;
        }
        match came {
            Ok(Came::End) => {
                self.lost(key, Class::Closed);
                Came::End
            }
            Ok(came) => {
                self.secured(key);
                self.offer(key);
                self.leave(key);
                came
            }
            Err(error) => {
                self.lost(key, class_of_io(&error));
                Came::End
            }
        }
    }

    /// Tells users what a read of HTTP/2 ended.
    pub(super) fn settle(&mut self) {
        let mut ended = std::mem::take(&mut self.ended);
        for (user, how) in ended.drain(..) {
            match how {
                Ended::Answered => {
                    let status = self.flights[user as usize].status;
                    self.passed(user, status);
                }
                Ended::Reset(why) => self.reset(user, why),
            }
        }
        self.ended = ended;
    }

    /// A connection whose peer goes away is closed when its last answer came.
    fn leave(&mut self, key: Key) {
        if let Some(connection) = self.connections.get(key)
            && let Protocol::Two(two) = &connection.protocol
            && two.is_closing()
            && two.open_streams() == 0
        {
            let origin = connection.origin as usize;
            self.connections.remove(key);
            self.serve_queues(origin);
        }
    }

    /// A user has its answer.
    #[inline]
    pub(super) fn passed(&mut self, user: UserId, status: u16) {
        self.asking -= 1;
        let flight = &self.flights[user as usize];
        let (label, timing) = (flight.label, flight.timing(self.now));
        let took = self.now - flight.sent;
        let moment = self.moment();
        let its = &mut self.users[user as usize];
        let answer = self.site.prepared[its.step()]
            .is_kept
            .then(|| &mut self.answers[user as usize]);
        let outcome = self
            .program
            .answer(its, status, answer, took, moment, &mut self.rng);
        self.record.answered(label, &timing, status);
        if outcome.held > 0 {
            self.record.held(label, outcome.held);
        }
        if let Some(failure) = outcome.failure {
            self.record.error(label, class_of_failure(failure));
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

/// Takes what an HTTP/2 connection tells while it is read.
struct Told<'w> {
    flights: &'w mut [Flight],
    answers: &'w mut [Answer],
    prepared: &'w [Prepared],
    users: &'w [User],
    ended: &'w mut Vec<(UserId, Ended)>,
    now: Nanos,
}

impl Events for Told<'_> {
    fn wants(&mut self, key: u32) -> bool {
        self.prepared[self.users[key as usize].step()].is_kept
    }

    fn head(&mut self, key: u32, status: u16) {
        let flight = &mut self.flights[key as usize];
        flight.status = status;
        flight.first_byte = self.now;
        if self.wants(key) {
            self.answers[key as usize].status = status;
        }
    }

    fn header(&mut self, key: u32, name: &[u8], value: &[u8]) {
        self.answers[key as usize].push_header(name, value);
    }

    fn body(&mut self, key: u32, bytes: &[u8]) {
        if self.wants(key) {
            self.answers[key as usize].push_body(bytes);
        }
    }

    fn done(&mut self, key: u32, body_bytes: u64) {
        self.flights[key as usize].received += body_bytes;
        self.ended.push((key, Ended::Answered));
    }

    fn reset(&mut self, key: u32, why: Reset) {
        self.ended.push((key, Ended::Reset(why)));
    }
}
