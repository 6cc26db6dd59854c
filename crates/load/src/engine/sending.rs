//! From an iteration that begins to bytes on a connection.

use std::io;

use super::connection::{Connection, Key, Protocol, Stage, UserId};
use super::shared::State;
use super::transport::Transport;
use super::worker::{Phase, Worker};
use crate::plan::Http;
use crate::record::{Class, Label};
use crate::scenario::{Begin, Ready};
use crate::{http1, http2};

impl Worker {
    /// Begins an iteration of a user.
    pub(super) fn begin(&mut self, user: UserId) {
        if self.state != State::Running || self.now >= self.end {
            self.rest(user);
            return;
        }
        self.effort.begun += 1;
        match self
            .program
            .begin(&mut self.users[user as usize], &mut self.rng)
        {
            Begin::At { .. } => {
                let flight = &mut self.flights[user as usize];
                flight.begun = flight.intended;
                self.step(user);
            }
            // No iteration can begin any more, of no user.
            Begin::Over => {
                self.flights[user as usize].phase = Phase::Free;
                self.left = 0;
            }
        }
    }

    /// Sends the request of the step that a user is at, as soon as there is a connection.
    pub(super) fn step(&mut self, user: UserId) {
        if self.left == 0 || self.state != State::Running {
            self.rest(user);
            return;
        }
        let step = self.users[user as usize].step();
        let label = self.labels[step].unwrap_or_else(|| self.label_of(user));
        let flight = &mut self.flights[user as usize];
        flight.label = label;
        flight.sent = self.now; // until it is: what fails before has no other time
        let origin = self.program.steps()[step].origin();
        while let Some(key) = self.offered[origin].pop() {
            let Some(connection) = self.connections.get(key) else {
                continue; // it is gone
            };
            connection.is_offered = false;
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
            self.connect(origin, user);
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

    /// Begins to connect for a user.
    fn connect(&mut self, origin: usize, user: UserId) {
        let Some(address) = self.site.places[origin].address(&mut self.turns[origin]) else {
            self.fail(user, Class::Dns);
            return;
        };
        let key = self.connections.next_key();
        let begun = Transport::connect(address, self.site.plan.nodelay).and_then(|transport| {
            self.poll.add(&transport, key)?;
            Ok(transport)
        });
        let transport = match begun {
            Ok(transport) => transport,
            Err(error) => {
                self.fail(user, class_of_connecting(&error));
                return;
            }
        };
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
            waiting: vec![user],
            is_offered: false,
        });
    }

    /// Users that wait for a connection to an origin get one, as far as there may be more.
    pub(super) fn serve_queue(&mut self, origin: usize) {
        while self.connections.len() < self.most_connections {
            let Some(user) = self.queues[origin].pop_front() else {
                return;
            };
            self.connect(origin, user);
        }
    }

    /// A connection is there for who needs one.
    pub(super) fn offer(&mut self, key: Key) {
        while let Some(connection) = self.connections.get(key)
            && connection.takes_more()
        {
            let origin = connection.origin as usize;
            if let Some(user) = self.queues[origin].pop_front() {
                self.dispatch(key, user);
                continue;
            }
            if !connection.is_offered {
                connection.is_offered = true;
                connection.idle_since = self.now;
                self.offered[origin].push(key);
            }
            return;
        }
    }

    /// Sends a user's request on a connection that takes one, if anything has to be sent.
    pub(super) fn dispatch(&mut self, key: Key, user: UserId) {
        if self.state != State::Running || self.left == 0 {
            self.effort.unsent += u64::from(self.left > 0);
            self.rest(user);
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
                self.go_on(user, &outcome);
                return;
            }
            Ready::Refused(outcome) => {
                self.record.error(flight.label, Class::Template);
                self.go_on(user, &outcome);
                return;
            }
        };
        let Some(connection) = self.connections.get(key) else {
            return;
        };
        flight.connection = key;
        flight.first_byte = 0;
        flight.received = 0;
        flight.status = 0;
        flight.deadline = self.now.saturating_add(prepared.timeout);
        flight.sent_bytes = bytes.len() as u32;
        self.left -= 1;
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
                self.out.clear();
                let opened = two.open(bytes, body, is_head, user, &mut self.out);
                debug_assert!(opened, "a connection that takes more has room");
                connection.transport.send(&self.out)
            }
        };
        if let Err(error) = sent {
            self.lost(key, class_of_io(&error));
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
