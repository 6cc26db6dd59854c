//! From an iteration that begins to bytes on a connection.

use std::io;
use std::net::SocketAddr;

use super::connection::{Connection, Key, Protocol, Stage, UserId};
use super::flight::{Attempt, Flight, Phase};
use super::shared::State;
use super::transport::Transport;
use super::worker::Worker;
use crate::plan::Http;
use crate::record::{Class, Label};
use crate::scenario::{Begin, Ready};
use crate::{http1, http2};

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
        match self
            .program
            .begin(&mut self.users[user as usize], &mut self.rng)
        {
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
        let label = self.labels[step].unwrap_or_else(|| self.label_of(user));
        let flight = &mut self.flights[user as usize];
        flight.is_reserved = true;
        flight.label = label;
        flight.sent = self.now; // until it is: what fails before has no other time
        flight.first_byte = 0;
        flight.sent_bytes = 0;
        flight.received = 0;
        let wants_new = flight.wants_new;
        let origin = self.program.steps()[step].origin();
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
        self.program
            .label(its, moment, &mut self.rng, &mut self.label);
        self.record.label(&self.label)
    }

    fn wait_for_connection(&mut self, origin: usize, user: UserId) {
        self.flights[user as usize].phase = Phase::Waiting;
        let streams = self.site.plan.streams as usize;
        if self.site.plan.http == Http::Two
            && let Some(joining) = self.connections.get(self.joining[origin])
            && joining.stage != Stage::Open
            && joining.waiting.len() < streams
        {
            joining.waiting.push(user);
        } else if self.connections.len() < self.most_connections || self.make_room(origin) {
            self.connect(origin, vec![user], None);
        } else {
            self.effort.bound += 1;
            self.queues[origin].push_back(user);
        }
    }

    /// Closes a connection to another origin that nobody uses.
    fn make_room(&mut self, origin: usize) -> bool {
        for other in (0..self.offered.len()).filter(|&other| other != origin) {
            for key in std::mem::take(&mut self.offered[other]) {
                let Some(connection) = self.connections.get(key) else {
                    continue;
                };
                if connection.is_idle() && self.connections.len() >= self.most_connections {
                    self.connections.remove(key);
                } else {
                    self.offered[other].push(key);
                }
            }
        }
        self.connections.len() < self.most_connections
    }

    /// Begins to connect for users, to the address whose turn it is or, after an attempt that failed, to the next one.
    pub(super) fn connect(&mut self, origin: usize, waiting: Vec<UserId>, before: Option<Attempt>) {
        let key = self.connections.next_key();
        let mut attempt = before.unwrap_or(Attempt {
            turn: self.turns[origin],
            tried: 0,
        });
        if before.is_none() {
            self.turns[origin] = attempt.turn.wrapping_add(1);
        }
        let transport = loop {
            attempt.tried += 1;
            let class = match self.site.places[origin].address(&mut attempt.turn) {
                None => Class::Dns,
                Some(address) => match self.begin_connection(address, key) {
                    Ok(transport) => break transport,
                    Err(error) => class_of_connecting(&error),
                },
            };
            if !self.may_try_another(origin, class, attempt) {
                for user in waiting {
                    self.fail(user, class);
                }
                return;
            }
        };
        if self.addresses(origin) > 1 {
            self.attempts.push((key, attempt));
        }
        let protocol = match self.site.plan.http {
            Http::One => Protocol::One {
                reader: http1::Reader::new(),
                user: None,
            },
            Http::Two => Protocol::Two(Box::new(http2::Connection::new(self.site.plan.streams))),
        };
        self.joining[origin] = self.connections.insert(Connection {
            transport,
            protocol,
            stage: Stage::Connecting,
            origin: origin as u32,
            staged: self.now,
            answers: 0,
            idle_since: self.now,
            waiting,
            is_offered: false,
        });
    }

    fn begin_connection(&self, address: SocketAddr, key: Key) -> io::Result<Transport> {
        let transport = Transport::connect(address, self.site.plan.nodelay)?;
        self.poll.add(&transport, key)?;
        Ok(transport)
    }

    /// Whether an origin has an address that was not tried yet.
    pub(super) fn may_try_another(&self, origin: usize, class: Class, attempt: Attempt) -> bool {
        matches!(class, Class::Connect | Class::Timeout) && attempt.tried < self.addresses(origin)
    }

    fn addresses(&self, origin: usize) -> usize {
        self.site.places[origin]
            .addresses
            .as_ref()
            .map_or(0, Vec::len)
    }

    /// Users that wait for a connection get one, as far as there may be more: those to this origin first.
    pub(super) fn serve_queues(&mut self, first: usize) {
        for origin in std::iter::once(first).chain(0..self.queues.len()) {
            while self.connections.len() < self.most_connections {
                let Some(user) = self.queues[origin].pop_front() else {
                    break;
                };
                self.wait_for_connection(origin, user);
            }
        }
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
        flight.sent = self.now;
        let prepared = &self.site.prepared[step];
        let ready = self
            .program
            .request(its, moment, &mut self.rng, &mut self.request);
        let (bytes, body) = match ready {
            Ready::Fixed => (prepared.bytes.as_slice(), prepared.body.as_slice()),
            Ready::Filled => {
                self.site.encode(&self.request, step, &mut self.bytes);
                (self.bytes.as_slice(), self.request.body.as_slice())
            }
            Ready::Cached(outcome) => {
                self.record.cached(flight.label);
                self.release(user);
                self.go_on(user, &outcome);
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
        flight.deadline = self.now.saturating_add(prepared.timeout);
        flight.sent_bytes = bytes.len() as u32;
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
                connection.transport.send(bytes)
            }
            Protocol::Two(two) => {
                let is_head = prepared.kind == http1::Kind::Head;
                flight.sent_bytes += body.len() as u32;
                self.out.clear();
                let opened = two.open(bytes, body, is_head, user, &mut self.out);
                debug_assert!(opened, "a connection that takes more has room");
                if connection.transport.hold(&self.out) {
                    self.held.push(key);
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
            if let Some(connection) = self.connections.get(key)
                && let Err(error) = connection.transport.flush()
            {
                self.lost(key, class_of_io(&error));
            }
        }
    }
}

/// The class of what the system says while it connects.
pub(super) fn class_of_connecting(error: &io::Error) -> Class {
    use rustix::io::Errno;
    let refusals = [
        Errno::MFILE,
        Errno::NFILE,
        Errno::NOMEM,
        Errno::NOBUFS,
        Errno::ADDRNOTAVAIL, // no local port is left
        Errno::NOSPC,
    ];
    match error.raw_os_error() {
        Some(code) if refusals.iter().any(|one| one.raw_os_error() == code) => Class::System,
        _ if error.kind() == io::ErrorKind::TimedOut => Class::Timeout,
        _ => Class::Connect,
    }
}

/// The class of what went wrong on a connection that stood.
pub(super) fn class_of_io(error: &io::Error) -> Class {
    match error.kind() {
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => Class::Reset,
        io::ErrorKind::TimedOut => Class::Timeout,
        // What `Transport` wraps is an error of TLS.
        io::ErrorKind::Other | io::ErrorKind::InvalidData => Class::Tls,
        io::ErrorKind::UnexpectedEof => Class::Closed,
        _ => Class::System,
    }
}
