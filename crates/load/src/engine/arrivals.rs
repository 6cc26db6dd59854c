//! What the load model asks of a thread: iterations that are due, users who are free for them, and requests that may
//! still begin.

use std::sync::Arc;

use super::connection::UserId;
use super::courses::{Course, NOWHERE};
use super::flight::{Flight, Phase, Then};
use super::shared::{Load, Orders, State};
use super::version::Version;
use super::worker::{Worker, share};
use crate::model::{Curve, Schedule};
use crate::scenario::User;
use crate::{Answer, Nanos};

impl Worker {
    /// The load from a moment on: a schedule where the model is open, and so many users. Threads for which there is no
    /// user rest.
    pub(super) fn take_load(&mut self, curve: Option<&Arc<Curve>>, users: u32, from: Nanos) {
        self.close_model(from);
        let threads = self.site.plan.threads;
        let active = threads.min(users);
        let is_active = self.thread < active;
        self.limit = if is_active {
            share(users, self.thread, active)
        } else {
            0
        };
        self.schedule = curve
            .filter(|_| is_active)
            .map(|curve| Schedule::on(curve, from, self.thread, active));
        if !is_active {
            self.shared.give_back(std::mem::take(&mut self.left));
        }
        for number in self.flights.len() as u32..self.limit {
            let all = u64::from(number) * u64::from(threads) + u64::from(self.thread);
            let course = self.courses.newest();
            self.flights.push(Flight {
                course,
                ..Flight::IDLE
            });
            let program = &self.courses.of(course).program;
            self.users.push(User::new(program, all));
            self.answers.push(Answer::default());
        }
        let free_since = if self.free.is_empty() {
            from
        } else {
            self.free_since
        };
        self.rest_all();
        self.free_since = free_since;
    }

    /// Other scenarios from now on. Users in the middle of an iteration end it as they began it.
    fn take_version(&mut self, version: &Arc<Version>) {
        let old = self.courses.newest();
        let mut left = 0;
        for flight in self.flights.iter_mut().filter(|one| one.course == old) {
            if flight.is_under_way() {
                left += 1;
            } else {
                flight.course = NOWHERE;
            }
        }
        let course = Course::new(version, &mut self.record);
        self.courses.replace(course, left);
        self.make_places(version.places.len());
    }

    /// Makes a user ready for the newest version of the scenarios.
    #[cold]
    pub(super) fn enter(&mut self, user: UserId) {
        let flight = &mut self.flights[user as usize];
        if flight.course != NOWHERE {
            self.courses.leave(flight.course);
        }
        flight.course = self.courses.newest();
        let program = &self.courses.of(flight.course).program;
        self.users[user as usize].change(program);
    }

    /// Users that are free begin anew, or wait for arrivals.
    fn rest_all(&mut self) {
        self.free.clear();
        for user in 0..self.limit {
            if self.flights[user as usize].phase == Phase::Free {
                self.rest(user);
            }
        }
    }

    /// The model holds no more: what was due of it and has not begun will not be sent.
    pub(super) fn close_model(&mut self, at: Nanos) {
        let due = self.due(at);
        self.effort.unsent += due - self.taken;
        self.asked += due;
        self.taken = 0;
        self.waited = 0;
        self.schedule = None;
    }

    /// Arrivals of the current model that are due before a moment. Who may begin no more is asked for no more.
    pub(super) fn due(&self, at: Nanos) -> u64 {
        match &self.schedule {
            Some(schedule) if !self.is_exhausted() => schedule.count_before(at).max(self.taken),
            _ => self.taken,
        }
    }

    /// A user has no iteration: in a closed model it begins the next one, in an open one it waits for an arrival.
    pub(super) fn rest(&mut self, user: UserId) {
        let may_begin = self.state == State::Running && !self.is_spent() && !self.is_used_up;
        let flight = &mut self.flights[user as usize];
        flight.phase = Phase::Free;
        if user >= self.limit || !may_begin || self.now >= self.end {
            return;
        }
        if self.schedule.is_some() {
            if self.free.is_empty() {
                self.free_since = self.now;
            }
            self.free.push(user);
        } else {
            flight.phase = Phase::Beginning;
            flight.intended = self.now;
            self.taken += 1;
            self.agenda.push_back(user);
        }
    }

    /// Begins iterations that are due, as far as users are free.
    #[inline]
    pub(super) fn admit(&mut self) {
        if self.state != State::Running || self.is_spent() {
            return;
        }
        while let Some(schedule) = &mut self.schedule
            && let Some(due) = schedule.peek()
            && due <= self.now
            && due < self.until
            && !self.free.is_empty()
        {
            if self.left == 0 && !self.lease() {
                return;
            }
            let Some(user) = self.free.pop() else {
                return;
            };
            self.left -= 1;
            if let Some(schedule) = &mut self.schedule {
                schedule.advance();
            }
            self.taken += 1;
            let waited = due < self.free_since;
            if waited {
                self.waits(self.taken);
            }
            let flight = &mut self.flights[user as usize];
            flight.is_reserved = true;
            flight.due = if waited { Nanos::MAX } else { due };
            flight.phase = Phase::Beginning;
            flight.intended = due;
            self.agenda.push_back(user);
        }
    }

    /// Arrivals before this one waited for a user, as far as that is not counted yet.
    fn waits(&mut self, before: u64) {
        let counted = self.waited.max(self.taken.min(before - 1));
        self.effort.starved += before.saturating_sub(counted);
        self.waited = self.waited.max(before);
    }

    /// Takes some of the requests that the run may still begin, if there are any.
    #[cold]
    fn lease(&mut self) -> bool {
        self.left = self.shared.lease();
        self.is_out = self.left == 0;
        !self.is_out
    }

    /// Whether a request may begin; then it is one of those of the run.
    #[inline]
    pub(super) fn reserve(&mut self) -> bool {
        if self.left == 0 && !self.lease() {
            return false;
        }
        self.left -= 1;
        true
    }

    /// A request that was to begin does not.
    pub(super) fn release(&mut self, user: UserId) {
        let flight = &mut self.flights[user as usize];
        self.left += u64::from(flight.is_reserved);
        flight.is_reserved = false;
        flight.due = Nanos::MAX;
        flight.is_again = false;
        flight.wants_new = false;
    }

    /// Counts arrivals that are due while no user is free.
    pub(super) fn look_at_arrivals(&mut self) {
        if self.state == State::Running && self.free.is_empty() && self.schedule.is_some() {
            let due = self.due(self.now.min(self.until));
            if due > self.taken {
                self.waits(due);
            }
        }
    }

    /// Takes other orders when it is their time, and requests that another thread gave back.
    pub(super) fn look_at_load(&mut self) {
        if self.state != State::Running {
            return;
        }
        if let Some(orders) = self.shared.changed(&mut self.seen) {
            self.until = self.end.min(orders.at);
            self.orders = Some(orders);
        }
        if let Some(orders) = self.orders.take_if(|orders| orders.at <= self.now) {
            self.obey(&orders);
        }
        if self.is_out && (self.left > 0 || self.shared.has_quota()) {
            self.is_out = false;
            self.rest_all();
        }
        let newest = self.courses.of(self.courses.newest());
        if !self.is_used_up && newest.version.is_used_up() {
            self.use_up();
        }
    }

    /// Does what is new in the orders. Who has used its data up stays at its end: other threads are over already.
    fn obey(&mut self, orders: &Orders) {
        self.until = self.end;
        let newest = self.courses.of(self.courses.newest());
        if newest.version.number != orders.version.number && !self.is_used_up {
            self.take_version(&orders.version);
        }
        if self.load != orders.load_number {
            self.load = orders.load_number;
            let Load { curve, users } = &orders.load;
            self.take_load(curve.as_ref(), *users, orders.at);
        }
    }

    /// No iteration can begin any more; those that began go on.
    pub(super) fn use_up(&mut self) {
        self.is_used_up = true;
        self.close_model(self.now);
    }

    /// Whether nothing begins any more.
    pub(super) fn is_over(&self) -> bool {
        let goes_on = |flight: &Flight| flight.phase == Phase::Pausing(Then::Step);
        let is_done = self.is_exhausted() || self.is_used_up && !self.flights.iter().any(goes_on);
        self.now >= self.end || is_done && self.is_idle()
    }

    /// Whether no request can begin any more.
    fn is_exhausted(&self) -> bool {
        self.is_spent() || self.left == 0 && !self.shared.has_quota()
    }

    /// The same, as far as this thread noticed.
    #[inline]
    pub(super) fn is_spent(&self) -> bool {
        self.is_out && self.left == 0
    }
}
