//! One thread of a run: its users, its connections, its share of the arrivals, and the loop that moves them.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::io;
use std::sync::Arc;

use rand_core::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;

use super::clock::{MILLISECOND, thread_cpu};
use super::connection::{Connections, Key, UserId};
use super::poll::{Events, Poll};
use super::receiving::Ended;
use super::shared::{Shared, State, Zero};
use super::site::Site;
use super::transport::Buffers;
use crate::model::{Model, Schedule};
use crate::record::{Label, OTHER, ThreadRecord, Timing};
use crate::scenario::{Moment, Program, User};
use crate::{Answer, Nanos, Request};

/// How often a thread looks at what the run wants of it.
const TICK: Nanos = 10 * MILLISECOND;

/// How often a thread hands over what it recorded.
pub(super) const TURN: Nanos = 250 * MILLISECOND;

/// How long a user of a closed model waits after a connection failed: a target that is down is not hammered.
pub(super) const PAUSE: Nanos = 10 * MILLISECOND;

/// Users moved on between two looks at the sockets.
const MOST_MOVES: usize = 256;

/// Later than this, an arrival that nobody kept waiting is the generator's fault.
const LATE: Nanos = MILLISECOND;

/// What a user does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
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
pub(super) enum Then {
    Begin,
    Step,
}

/// Where a user stands with its request.
#[derive(Clone, Debug)]
pub(super) struct Flight {
    pub phase: Phase,
    pub connection: Key,
    /// When the model wanted it to begin.
    pub intended: Nanos,
    /// When the iteration should have begun.
    pub begun: Nanos,
    pub sent: Nanos,
    /// What its figures are counted under.
    pub label: Label,
    /// 0 until something of the answer came.
    pub first_byte: Nanos,
    pub deadline: Nanos,
    pub sent_bytes: u32,
    pub received: u64,
    /// With HTTP/2 the status of an answer that is not whole yet.
    pub status: u16,
    /// It was sent before, on a connection that the peer closed meanwhile.
    pub is_again: bool,
}

impl Flight {
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

    const IDLE: Self = Self {
        phase: Phase::Free,
        connection: Key::MAX,
        intended: 0,
        begun: 0,
        sent: 0,
        label: OTHER,
        first_byte: 0,
        deadline: Nanos::MAX,
        sent_bytes: 0,
        received: 0,
        status: 0,
        is_again: false,
    };
}

/// What a thread did besides its requests; shown with the run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Effort {
    /// Processor time used since the run began.
    pub cpu: Nanos,
    pub begun: u64,
    /// Arrivals that began later than they should have although a user was free, and by how much together.
    pub late: u64,
    pub late_by: Nanos,
    /// Arrivals that waited for a user, since all were busy.
    pub starved: u64,
    /// Requests that waited for a connection, since there are as many as may be.
    pub bound: u64,
    /// Requests sent again because the peer closed a connection that it had kept.
    pub again: u64,
    /// Arrivals that were due and never began, and requests without an answer at the end.
    pub unsent: u64,
    pub unanswered: u64,
}

pub(super) struct Worker {
    pub thread: u32,
    pub program: Program,
    pub site: Arc<Site>,
    pub shared: Arc<Shared>,
    pub zero: Zero,
    pub poll: Poll,
    pub connections: Connections,
    /// Most connections of this thread.
    pub most_connections: u32,
    /// By origin: connections that take a request, the last used one last; some may be gone.
    pub offered: Vec<Vec<Key>>,
    /// By origin: with HTTP/2 the connection that comes next, which users may wait for together.
    pub joining: Vec<Key>,
    /// By origin: users that wait for a connection.
    pub queues: Vec<VecDeque<UserId>>,
    /// By origin: which address is next.
    pub turns: Vec<usize>,
    pub flights: Vec<Flight>,
    pub users: Vec<User>,
    /// By user, while its answer is looked into.
    pub answers: Vec<Answer>,
    pub free: Vec<UserId>,
    /// Users from here on begin no more iterations.
    pub limit: u32,
    /// Requests that wait for their answers.
    pub asking: u32,
    /// Users whose turn it is.
    pub agenda: Vec<UserId>,
    pub timers: BinaryHeap<Reverse<(Nanos, UserId)>>,
    /// None in a closed model.
    pub schedule: Option<Schedule>,
    /// Requests that this thread may still begin.
    pub left: u64,
    pub record: ThreadRecord,
    /// By step, where its label is always the same.
    pub labels: Vec<Option<Label>>,
    /// By scenario, where it has several steps.
    pub iterations: Vec<Option<Label>>,
    pub effort: Effort,
    pub buffers: Buffers,
    pub request: Request,
    pub bytes: Vec<u8>,
    /// With HTTP/2 what is sent next.
    pub out: Vec<u8>,
    pub label: String,
    /// With HTTP/2 what one read ended.
    pub ended: Vec<(UserId, Ended)>,
    pub rng: Xoshiro256PlusPlus,
    pub now: Nanos,
    /// When no more iterations begin.
    pub end: Nanos,
    pub state: State,
    /// Changes of the load that were taken.
    seen: u64,
    next_tick: Nanos,
    pub next_look: Nanos,
    pub next_sweep: Nanos,
    /// Whether the last look at the arrivals found no free user.
    was_starved: bool,
}

impl Worker {
    /// A thread's share of a run. Nothing is sent before `run`.
    ///
    /// # Errors
    /// The system has no descriptors left.
    pub fn new(
        thread: u32,
        site: &Arc<Site>,
        shared: &Arc<Shared>,
        record: ThreadRecord,
    ) -> io::Result<Self> {
        let plan = &site.plan;
        let origins = site.places.len();
        let mut worker = Self {
            thread,
            program: site.program.clone(),
            shared: Arc::clone(shared),
            zero: Zero::now(),
            poll: Poll::new()?,
            connections: Connections::default(),
            most_connections: share(plan.connections, thread, plan.threads).max(1),
            offered: vec![Vec::new(); origins],
            joining: vec![Key::MAX; origins],
            queues: vec![VecDeque::new(); origins],
            turns: vec![thread as usize; origins],
            flights: Vec::new(),
            users: Vec::new(),
            answers: Vec::new(),
            free: Vec::new(),
            limit: 0,
            asking: 0,
            agenda: Vec::new(),
            timers: BinaryHeap::new(),
            schedule: None,
            left: plan.requests.map_or(u64::MAX, |all| {
                all / u64::from(plan.threads)
                    + u64::from(u64::from(thread) < all % u64::from(plan.threads))
            }),
            record,
            labels: Vec::new(),
            iterations: Vec::new(),
            effort: Effort::default(),
            buffers: Buffers::default(),
            request: Request::default(),
            bytes: Vec::new(),
            out: Vec::new(),
            label: String::new(),
            ended: Vec::new(),
            rng: Xoshiro256PlusPlus::seed_from_u64(site.seed.wrapping_add(u64::from(thread))),
            now: 0,
            end: plan
                .duration_ms
                .map_or(Nanos::MAX, |ms| ms.saturating_mul(MILLISECOND)),
            state: State::Running,
            seen: 0,
            next_tick: 0,
            next_look: 0,
            next_sweep: 0,
            was_starved: false,
            site: Arc::clone(site),
        };
        worker.name_labels();
        worker.take_load(&plan.model, plan.users, 0);
        Ok(worker)
    }

    /// Labels that stay the same are named once.
    fn name_labels(&mut self) {
        let site = Arc::clone(&self.site);
        for step in site.program.steps() {
            let label = step.label().map(|name| self.record.label(name));
            self.labels.push(label);
        }
        for (scenario, name) in site.program.scenarios().enumerate() {
            let steps = site.program.steps().iter();
            let several = steps.filter(|step| step.scenario() == scenario).count() > 1;
            self.iterations
                .push(several.then(|| self.record.label(name)));
        }
    }

    /// The load from a moment on: a schedule where the model is open, and so many users.
    pub(super) fn take_load(&mut self, model: &Model, users: u32, from: Nanos) {
        let threads = self.site.plan.threads;
        self.limit = share(users, self.thread, threads);
        self.schedule = model
            .is_open()
            .then(|| Schedule::begin_at(model, from, self.thread, threads));
        for number in self.flights.len() as u32..self.limit {
            let all = u64::from(number) * u64::from(threads) + u64::from(self.thread);
            self.flights.push(Flight::IDLE);
            self.users.push(User::new(&self.program, all));
            self.answers.push(Answer::default());
        }
        // Users that are free begin anew, or wait for arrivals.
        for user in std::mem::take(&mut self.free) {
            self.flights[user as usize].phase = Phase::Free;
        }
        for user in 0..self.limit {
            if self.flights[user as usize].phase == Phase::Free {
                self.rest(user);
            }
        }
    }

    /// Runs to the end.
    ///
    /// # Errors
    /// The system refuses to wait for sockets.
    pub fn run(mut self) -> io::Result<()> {
        let mut events = Events::default();
        self.zero = self.shared.zero();
        while self.state != State::Ended {
            self.now = self.zero.clock.now();
            if self.now >= self.next_tick {
                self.tick();
            }
            self.wake();
            self.admit();
            self.proceed();
            self.poll.wait(self.wait(), &mut events)?;
            self.now = self.zero.clock.now();
            for ready in events.ready() {
                self.happened(ready);
                self.proceed();
            }
        }
        self.finish();
        Ok(())
    }

    /// How long nothing has to be done, at most until the next tick.
    fn wait(&self) -> Nanos {
        if !self.agenda.is_empty() {
            return 0;
        }
        let mut next = self.next_tick;
        if let Some(Reverse((at, _))) = self.timers.peek() {
            next = next.min(*at);
        }
        if self.state == State::Running
            && !self.free.is_empty()
            && self.left > 0
            && let Some(due) = self.schedule.as_ref().and_then(Schedule::peek)
        {
            next = next.min(due.min(self.end));
        }
        next.saturating_sub(self.zero.clock.now())
    }

    /// Wakes users whose pause is over.
    fn wake(&mut self) {
        while let Some(&Reverse((at, user))) = self.timers.peek() {
            if at > self.now {
                return;
            }
            self.timers.pop();
            let flight = &mut self.flights[user as usize];
            flight.intended = at;
            match flight.phase {
                Phase::Pausing(Then::Begin) => self.rest(user),
                Phase::Pausing(Then::Step) => {
                    flight.phase = Phase::Stepping;
                    self.agenda.push(user);
                }
                _ => {}
            }
        }
    }

    /// A user has no iteration: in a closed model it begins the next one, in an open one it waits for an arrival.
    pub(super) fn rest(&mut self, user: UserId) {
        let flight = &mut self.flights[user as usize];
        flight.phase = Phase::Free;
        if user >= self.limit || self.state != State::Running || self.left == 0 {
            return;
        }
        if self.schedule.is_some() {
            self.free.push(user);
        } else {
            flight.phase = Phase::Beginning;
            flight.intended = self.now;
            self.agenda.push(user);
        }
    }

    /// Begins iterations that are due, as far as users are free.
    #[inline]
    pub(super) fn admit(&mut self) {
        let Some(schedule) = &mut self.schedule else {
            return;
        };
        if self.state != State::Running {
            return;
        }
        while let Some(due) = schedule.peek()
            && due <= self.now
            && due < self.end
            && self.left > 0
        {
            let Some(user) = self.free.pop() else {
                self.effort.starved += u64::from(!self.was_starved);
                self.was_starved = true;
                return;
            };
            schedule.advance();
            if !self.was_starved && self.now - due > LATE {
                self.effort.late += 1;
                self.effort.late_by += self.now - due;
            }
            let flight = &mut self.flights[user as usize];
            flight.phase = Phase::Beginning;
            flight.intended = due;
            self.agenda.push(user);
        }
        self.was_starved = false;
    }

    /// Moves on users whose turn it is.
    #[inline]
    fn proceed(&mut self) {
        let mut moves = 0;
        while let Some(user) = self.agenda.pop() {
            match self.flights[user as usize].phase {
                Phase::Beginning => self.begin(user),
                Phase::Stepping => self.step(user),
                _ => {}
            }
            moves += 1;
            if moves == MOST_MOVES {
                return;
            }
        }
    }

    fn tick(&mut self) {
        self.next_tick = self.now + TICK;
        self.state = self.state.max(self.shared.wanted());
        if let Some(change) = self.shared.changed(&mut self.seen) {
            self.take_load(&change.model, change.users, change.at);
        }
        if self.state == State::Running && self.is_over() {
            self.state = State::Draining;
        }
        self.look();
        if self.record.is_due(self.now) {
            self.hand_over();
        }
        let drained = self
            .end
            .saturating_add(self.site.plan.drain_ms * MILLISECOND);
        if self.state == State::Draining && (self.is_idle() || self.now >= drained) {
            self.state = State::Ended;
        }
    }

    /// Whether nothing begins any more.
    fn is_over(&self) -> bool {
        self.now >= self.end || self.left == 0
    }

    /// Whether nobody waits for anything.
    fn is_idle(&self) -> bool {
        let busy = [Phase::Asking, Phase::Waiting];
        !self
            .flights
            .iter()
            .any(|flight| busy.contains(&flight.phase))
    }

    pub(super) fn moment(&self) -> Moment {
        Moment {
            at: self.now,
            unix_ms: self.zero.unix_ms + self.now / MILLISECOND,
        }
    }

    /// Tells the run how it goes.
    fn hand_over(&mut self) {
        self.effort.cpu = thread_cpu();
        self.shared.tell(self.thread, &self.effort);
        self.record.tick(self.now, self.asking);
    }

    fn finish(mut self) {
        let asking = |flight: &&Flight| flight.phase == Phase::Asking;
        self.effort.unanswered += self.flights.iter().filter(asking).count() as u64;
        if let Some(schedule) = &self.schedule {
            let due = schedule.count_before(self.end.min(self.now));
            self.effort.unsent += due.saturating_sub(self.effort.begun);
        }
        self.effort.cpu = thread_cpu();
        self.shared.tell(self.thread, &self.effort);
        self.record.finish();
    }
}

/// The share of one of several threads.
fn share(all: u32, thread: u32, threads: u32) -> u32 {
    all / threads + u32::from(thread < all % threads)
}
