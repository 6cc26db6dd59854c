//! From bytes on a connection of HTTP/2 to what becomes of its requests.

use super::connection::{Key, Protocol, UserId};
use super::courses::Courses;
use super::flight::Flight;
use super::sending::class_of_io;
use super::transport::Came;
use super::worker::Worker;
use crate::http2::{Events, Reset};
use crate::record::Class;
use crate::scenario::User;
use crate::{Answer, Nanos};

/// How a request on an HTTP/2 connection ended.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ended {
    Answered,
    Reset(Reset),
}

impl Worker {
    pub(super) fn receive_two(&mut self, key: Key) -> Came {
        let Some(connection) = self.connections.get(key) else {
            return Came::End;
        };
        let Protocol::Two(two) = &mut connection.protocol else {
            return Came::End;
        };
        self.now = self.zero.clock.now();
        self.out.clear();
        let (given, unsent) = connection.transport.given();
        two.waits(given, unsent);
        let mut told = Told {
            flights: &mut self.flights,
            answers: &mut self.answers,
            courses: &self.courses,
            users: &self.users,
            ended: &mut self.ended,
            now: self.now,
            has_come: false,
        };
        let mut fault = None;
        let out = &mut self.out;
        let heard = &mut connection.heard;
        let mut came = connection.transport.receive(&mut self.buffers, |bytes| {
            *heard = told.now;
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
        if told.has_come && self.ended.is_empty() {
            self.amid.note();
        }
        let is_answer = |&&(_, how): &&(UserId, Ended)| matches!(how, Ended::Answered);
        connection.answers += self.ended.iter().filter(is_answer).count() as u64;
        self.now = self.zero.clock.now();
        if !self.ended.is_empty() {
            connection.idle_since = self.now;
        }
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
    pub(super) fn leave(&mut self, key: Key) {
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
}

/// Takes what an HTTP/2 connection tells while it is read.
struct Told<'w> {
    flights: &'w mut [Flight],
    answers: &'w mut [Answer],
    courses: &'w Courses,
    users: &'w [User],
    ended: &'w mut Vec<(UserId, Ended)>,
    now: Nanos,
    /// Something of an answer came.
    has_come: bool,
}

impl Events for Told<'_> {
    fn wants(&mut self, key: u32) -> bool {
        let course = self.courses.of(self.flights[key as usize].course);
        course.prepared(self.users[key as usize].step()).is_kept
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

    fn received(&mut self, key: u32, bytes: usize) {
        self.flights[key as usize].received += bytes as u64;
        self.has_come = true;
    }

    fn done(&mut self, key: u32, _: u64) {
        self.ended.push((key, Ended::Answered));
    }

    fn reset(&mut self, key: u32, why: Reset) {
        self.ended.push((key, Ended::Reset(why)));
    }
}
