//! Connections of one thread, and where each stands.

use super::transport::Transport;
use crate::{Nanos, http1, http2};

/// Names one connection, and never the one that comes after it in the same place.
pub type Key = u64;

/// A user, by its number in its thread.
pub type UserId = u32;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    Connecting,
    /// The TLS handshake goes on.
    Securing,
    Open,
}

pub enum Protocol {
    One {
        reader: http1::Reader,
        /// Whose answer it waits for.
        user: Option<UserId>,
    },
    Two(Box<http2::Connection>),
}

pub struct Connection {
    pub transport: Transport,
    pub protocol: Protocol,
    pub stage: Stage,
    pub origin: u32,
    /// When the stage that it is in began.
    pub staged: Nanos,
    /// Whole answers that came so far.
    pub answers: u64,
    /// With HTTP/2: when anything of it was read last.
    pub heard: Nanos,
    /// Since when nobody waits for an answer.
    pub idle_since: Nanos,
    /// Users who send as soon as it is open.
    pub waiting: Vec<UserId>,
    /// With HTTP/2 in an open model: users whose requests are put together, until they go.
    pub held: Vec<UserId>,
    /// It stands in the list of those that take another request.
    pub is_offered: bool,
}

impl Connection {
    /// Whether a request may be sent on it now.
    #[must_use]
    pub fn takes_more(&self) -> bool {
        self.stage == Stage::Open
            && match &self.protocol {
                Protocol::One { user, .. } => user.is_none(),
                Protocol::Two(two) => two.room() > 0 && !self.transport.is_behind(),
            }
    }

    /// Whether nobody waits for anything of it.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.stage == Stage::Open
            && match &self.protocol {
                Protocol::One { user, .. } => user.is_none(),
                Protocol::Two(two) => two.open_streams() == 0,
            }
    }
}

/// All connections of a thread.
#[derive(Default)]
pub struct Connections {
    slots: Vec<Slot>,
    free: Vec<u32>,
    count: u32,
}

#[derive(Default)]
struct Slot {
    generation: u32,
    held: Option<Box<Connection>>,
}

impl Connections {
    #[must_use]
    pub fn len(&self) -> u32 {
        self.count
    }

    /// The key that the next connection gets.
    #[must_use]
    pub fn next_key(&mut self) -> Key {
        let index = self.free.last().copied().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            let index = self.slots.len() as u32 - 1;
            self.free.push(index);
            index
        });
        key(self.slots[index as usize].generation, index)
    }

    /// Puts a connection where `next_key` said.
    pub fn insert(&mut self, connection: Connection) -> Key {
        let key = self.next_key();
        self.free.pop();
        self.slots[key as u32 as usize].held = Some(Box::new(connection));
        self.count += 1;
        key
    }

    #[inline]
    #[must_use]
    pub fn get(&mut self, key: Key) -> Option<&mut Connection> {
        let slot = self.slots.get_mut(key as u32 as usize)?;
        if slot.generation != (key >> 32) as u32 {
            return None;
        }
        slot.held.as_deref_mut()
    }

    /// Takes one out, whose place and descriptor are free then.
    pub fn remove(&mut self, key: Key) -> Option<Box<Connection>> {
        self.get(key)?;
        let index = key as u32;
        let slot = &mut self.slots[index as usize];
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(index);
        self.count -= 1;
        slot.held.take()
    }

    /// The keys of all.
    #[must_use]
    pub fn keys(&self) -> Vec<Key> {
        let held = |(index, slot): (usize, &Slot)| {
            slot.held
                .is_some()
                .then(|| key(slot.generation, index as u32))
        };
        self.slots.iter().enumerate().filter_map(held).collect()
    }
}

const fn key(generation: u32, index: u32) -> Key {
    (generation as u64) << 32 | index as u64
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;

    fn connection() -> Connection {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        Connection {
            transport: Transport::connect(listener.local_addr().unwrap(), true).unwrap(),
            protocol: Protocol::One {
                reader: http1::Reader::new(),
                user: None,
            },
            stage: Stage::Connecting,
            origin: 0,
            staged: 0,
            answers: 0,
            heard: 0,
            idle_since: 0,
            waiting: Vec::new(),
            held: Vec::new(),
            is_offered: false,
        }
    }

    #[test]
    fn a_key_names_one_connection_and_none_after_it() {
        let mut all = Connections::default();
        let next = all.next_key();
        let first = all.insert(connection());
        assert_eq!(next, first);
        let second = all.insert(connection());
        assert_eq!(all.keys(), [first, second]);
        assert!(all.remove(first).is_some());
        assert!(all.get(first).is_none() && all.remove(first).is_none());
        let third = all.insert(connection());
        assert_ne!(third, first);
        assert_eq!(third as u32, first as u32, "its place is used again");
        assert!(all.get(first).is_none() && all.get(third).is_some());
        assert_eq!((all.len(), all.keys()), (2, vec![third, second]));
    }

    #[test]
    fn one_request_at_a_time_is_taken_once_it_is_open() {
        let mut one = connection();
        assert!(!one.takes_more() && !one.is_idle());
        one.stage = Stage::Open;
        assert!(one.takes_more() && one.is_idle());
        if let Protocol::One { user, .. } = &mut one.protocol {
            *user = Some(3);
        }
        assert!(!one.takes_more() && !one.is_idle());
        one.protocol = Protocol::Two(Box::new(http2::Connection::new(2)));
        assert!(one.takes_more() && one.is_idle());
        let Protocol::Two(two) = &mut one.protocol else {
            unreachable!()
        };
        let mut out = Vec::new();
        assert!(two.open(b"", b"", false, 1, &mut out));
        assert!(one.takes_more() && !one.is_idle());
    }
}
