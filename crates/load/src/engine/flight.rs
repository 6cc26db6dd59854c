//! Where users stand with their requests, and what a thread did besides them.

use super::clock::MILLISECOND;
use super::connection::Key;
use super::courses::{CourseId, NOWHERE};
use crate::Nanos;
use crate::record::{Label, OTHER, Timing};

/// Later than this, an arrival that nobody kept waiting is the generator's fault.
const LATE: Nanos = MILLISECOND;

/// What a user does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Nothing: it may begin an iteration.
    Free,
    /// It begins its next iteration when it is its turn.
    Beginning,
    /// It sends its next request when it is its turn.
    Stepping,
    /// It waits until `Worker::timers` says so.
    Pausing(Then),
    /// It waits for a connection.
    Waiting,
    /// It waits for an answer.
    Asking,
}

/// What a user does after a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    Begin,
    Step,
}

/// Where a user stands with its request.
#[derive(Clone, Debug)]
pub struct Flight {
    pub phase: Phase,
    /// The version of the scenarios that the user goes through.
    pub course: CourseId,
    pub connection: Key,
    /// When the model wanted it to begin.
    pub intended: Nanos,
    /// When the iteration should have begun.
    pub begun: Nanos,
    /// When an arrival that waited for no user was due, until it is known how late its bytes go; else `Nanos::MAX`.
    pub due: Nanos,
    /// When its bytes went.
    pub sent: Nanos,
    /// What its figures are counted under.
    pub label: Label,
    /// 0 until something of the answer came.
    pub first_byte: Nanos,
    /// Until when its connection and its answer are waited for.
    pub deadline: Nanos,
    pub sent_bytes: u32,
    pub received: u64,
    /// With HTTP/2 the status of an answer that is not whole yet.
    pub status: u16,
    /// It was sent before, on a connection that the peer closed meanwhile.
    pub is_again: bool,
    /// And not on one that was kept: it may be closed as well.
    pub wants_new: bool,
    /// It is one of the requests that the run may begin, and counts when it ends.
    pub is_reserved: bool,
}

impl Flight {
    /// Whether the user is in the middle of an iteration.
    pub fn is_under_way(&self) -> bool {
        match self.phase {
            Phase::Free | Phase::Beginning | Phase::Pausing(Then::Begin) => false,
            Phase::Stepping | Phase::Waiting | Phase::Asking | Phase::Pausing(Then::Step) => true,
        }
    }

    /// Its bytes go now.
    #[inline]
    pub(super) fn goes(&mut self, now: Nanos, effort: &mut Effort) {
        self.sent = now;
        self.judge(now, effort);
    }

    /// Its bytes go, or wait for a connection from now on: what it is late by until here is the generator's.
    #[inline]
    pub(super) fn judge(&mut self, now: Nanos, effort: &mut Effort) {
        let due = std::mem::replace(&mut self.due, Nanos::MAX);
        let late_by = now.saturating_sub(due);
        if late_by > LATE {
            effort.late += 1;
            effort.late_by += late_by;
        }
    }

    /// What is recorded of the request when it ends.
    pub fn timing(&self, ended: Nanos) -> Timing {
        Timing {
            intended: self.intended,
            sent: self.sent,
            first_byte: self.first_byte,
            ended,
            sent_bytes: self.sent_bytes,
            received: self.received,
        }
    }

    pub(super) const IDLE: Self = Self {
        phase: Phase::Free,
        course: NOWHERE,
        connection: Key::MAX,
        intended: 0,
        begun: 0,
        due: Nanos::MAX,
        sent: 0,
        label: OTHER,
        first_byte: 0,
        deadline: Nanos::MAX,
        sent_bytes: 0,
        received: 0,
        status: 0,
        is_again: false,
        wants_new: false,
        is_reserved: false,
    };
}

/// What a thread did besides its requests; shown with the run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Effort {
    /// Processor time used since the run began.
    pub cpu: Nanos,
    /// Time in which it had something to do and others had the processor; 0 where the system does not say.
    pub delayed: Nanos,
    pub begun: u64,
    /// Arrivals that were due; iterations that began, as long as the model is closed.
    pub asked: u64,
    /// Arrivals that began later than they should have although a user was free, and by how much together.
    pub late: u64,
    pub late_by: Nanos,
    /// Arrivals that waited for a user, since all were busy.
    pub starved: u64,
    /// Requests that waited for a connection, since there are as many as may be.
    pub bound: u64,
    /// Requests sent again because the peer closed a connection that it had kept.
    pub again: u64,
    /// Connections that were closed because the peer sent what no request had asked for.
    pub unasked: u64,
    /// Arrivals that were due and never began, and requests without an answer at the end.
    pub unsent: u64,
    pub unanswered: u64,
    /// When it was done; 0 before.
    pub ended: Nanos,
}
