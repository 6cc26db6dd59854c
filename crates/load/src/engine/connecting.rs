//! From a user without a connection to one that stands.

use std::io;
use std::net::SocketAddr;

use super::connection::{Connection, Key, Protocol, Stage, UserId};
use super::flight::Phase;
use super::sending::class_of_io;
use super::transport::Transport;
use super::turns::Attempt;
use super::worker::Worker;
use crate::plan::Http;
use crate::record::Class;
use crate::{Nanos, http1, http2};

impl Worker {
    pub(super) fn wait_for_connection(&mut self, origin: usize, user: UserId) {
        if self.flights[user as usize].due < Nanos::MAX {
            let now = self.zero.clock.now();
            self.flights[user as usize].judge(now, &mut self.effort);
        }
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
        let mut attempt = before.unwrap_or_default();
        let transport = loop {
            let class = match self.next_address(origin, &mut attempt) {
                None => Class::Dns,
                Some(address) => match self.begin_connection(address, key) {
                    Ok(transport) => break transport,
                    Err(error) => class_of_connecting(&error),
                },
            };
            self.blame(origin, class, &attempt);
            if !self.may_try_another(origin, class, &attempt) {
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
            heard: self.now,
            idle_since: self.now,
            waiting,
            held: Vec::new(),
            is_offered: false,
        });
    }

    fn begin_connection(&self, address: SocketAddr, key: Key) -> io::Result<Transport> {
        let transport = Transport::connect(address, self.site.plan.nodelay)?;
        self.poll.add(&transport, key)?;
        Ok(transport)
    }

    /// Whether an origin has an address that was not tried yet.
    pub(super) fn may_try_another(&self, origin: usize, class: Class, attempt: &Attempt) -> bool {
        matches!(class, Class::Connect | Class::Timeout) && attempt.count() < self.addresses(origin)
    }

    /// The address that was tried took no connection, unless this system did not let it be asked.
    pub(super) fn blame(&mut self, origin: usize, class: Class, attempt: &Attempt) {
        if matches!(class, Class::Connect | Class::Timeout) {
            self.turns[origin].failed(attempt, self.now);
        }
    }

    fn next_address(&mut self, origin: usize, attempt: &mut Attempt) -> Option<SocketAddr> {
        let newest = self.courses.of(self.courses.newest());
        let place = &newest.version.places[origin];
        let addresses = place.addresses.as_ref().ok()?;
        let at = self.turns[origin].take(addresses.len(), self.now, attempt)?;
        addresses.get(at).copied()
    }

    fn addresses(&self, origin: usize) -> usize {
        self.place(origin).addresses.as_ref().map_or(0, Vec::len)
    }

    pub(super) fn connected(&mut self, key: Key) {
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
        let origin = connection.origin as usize;
        if let Some(attempt) = self.take_attempt(key) {
            self.turns[origin].stands(&attempt);
        }
        let Some(connection) = self.connections.get(key) else {
            return;
        };
        let newest = self.courses.of(self.courses.newest());
        let place = &newest.version.places[connection.origin as usize];
        let Some((config, name)) = &place.tls else {
            self.opened(key);
            return;
        };
        connection.stage = Stage::Securing;
        if let Err(error) = connection.transport.secure(config, name.clone()) {
            self.lost(key, class_of_io(&error));
        }
    }

    /// Whether TLS stands since the last read; then who waited sends.
    pub(super) fn secured(&mut self, key: Key) {
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
