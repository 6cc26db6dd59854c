//! One thread of a run: its users, its connections, its share of the arrivals, and the loop that moves them.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::io;
use std::sync::Arc;

use rand_core::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;

use super::amid::Amid;
use super::clock::{MILLISECOND, thread_cpu, thread_delay};
use super::connection::{Connections, Key, UserId};
use super::courses::{Course, Courses};
use super::flight::{Effort, Flight, Phase, Then};
use super::poll::{Events, Poll};
use super::receiving_two::Ended;
use super::shared::{Orders, Shared, State, Zero};
use super::site::{Place, Site};
use super::transport::Buffers;
use super::turns::{Attempt, Turns};
use crate::model::Schedule;
use crate::record::ThreadRecord;
use crate::scenario::{Moment, User};
use crate::{Answer, Nanos, Request};

/// How often a thread looks at what the run wants of it.
pub(super) const TICK: Nanos = 10 * MILLISECOND;

/// How often a thread hands over what it recorded.
pub(super) const TURN: Nanos = 250 * MILLISECOND;

/// How long a user of a closed model waits after a connection failed: a target that is down is not hammered.
pub(super) const PAUSE: Nanos = 10 * MILLISECOND;

/// Users moved on between two looks at the sockets.
const MOST_MOVES: usize = 256;

pub(super) struct Worker {
    pub thread: u32,
    pub courses: Courses,
    pub site: Arc<Site>,
    pub shared: Arc<Shared>,
    pub zero: Zero,
    pub poll: Poll,
    pub connections: Connections,
    /// Most connections of this thread.
    pub most_connections: u32,
    /// Most of them to one origin that are kept while nobody uses them.
    pub most_kept: u32,
    /// By place: connections that take a request, the last used one last; some may be gone.
    pub offered: Vec<Vec<Key>>,
    /// By place: with HTTP/2 the connection that comes next, which users may wait for together.
    pub joining: Vec<Key>,
    /// By place: users that wait for a connection.
    pub queues: Vec<VecDeque<UserId>>,
    /// Connections to origins with several addresses, until they stand.
    pub attempts: Vec<(Key, Attempt)>,
    /// By place: which address is next.
    pub turns: Vec<Turns>,
    pub flights: Vec<Flight>,
    pub users: Vec<User>,
    /// By user, while its answer is looked into.
    pub answers: Vec<Answer>,
    pub free: Vec<UserId>,
    /// Users from here on begin no more iterations.
    pub limit: u32,
    /// Requests that wait for their answers.
    pub asking: u32,
    /// Users whose turn it is, in order.
    pub agenda: VecDeque<UserId>,
    /// Connections of which there may be more to read than was, and whether their peers were told to have ended.
    pub unread: Vec<(Key, bool)>,
    pub timers: BinaryHeap<Reverse<(Nanos, UserId)>>,
    /// None in a closed model.
    pub schedule: Option<Schedule>,
    /// Of the current model: arrivals that were taken from it, and up to which one those that waited for a user were
    /// counted.
    pub taken: u64,
    pub waited: u64,
    /// Arrivals of the models before it.
    pub asked: u64,
    /// Since when there is a free user, if there is one.
    pub free_since: Nanos,
    /// Requests that this thread may begin, of those of the run.
    pub left: u64,
    /// The last look for more of them found none.
    pub is_out: bool,
    /// All data is used up: no iteration can begin any more.
    pub is_used_up: bool,
    pub record: ThreadRecord,
    pub effort: Effort,
    pub buffers: Buffers,
    pub request: Request,
    pub bytes: Vec<u8>,
    /// With HTTP/2 what is sent next.
    pub out: Vec<u8>,
    pub label: String,
    /// With HTTP/2: connections on which requests wait to be sent together.
    pub held: Vec<Key>,
    /// The last reads ended in the middle of an answer, or not.
    pub amid: Amid,
    /// With HTTP/2 what one read ended.
    pub ended: Vec<(UserId, Ended)>,
    pub rng: Xoshiro256PlusPlus,
    pub now: Nanos,
    /// When no more iterations begin.
    pub end: Nanos,
    /// Until when the current model holds.
    pub until: Nanos,
    pub state: State,
    /// Changes of the orders that were seen, and the orders until it is their time.
    pub seen: u64,
    pub orders: Option<Orders>,
    /// The number of the load that holds.
    pub load: u64,
    next_tick: Nanos,
    pub next_look: Nanos,
    pub next_sweep: Nanos,
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
        mut record: ThreadRecord,
    ) -> io::Result<Self> {
        let plan = &site.plan;
        let Orders { load, version, .. } = shared.orders();
        let end = plan
            .duration_ms
            .map_or(Nanos::MAX, |ms| ms.saturating_mul(MILLISECOND));
        let mut worker = Self {
            thread,
            courses: Courses::new(Course::new(&version, &mut record)),
            shared: Arc::clone(shared),
            zero: Zero::now(),
            poll: Poll::new()?,
            connections: Connections::default(),
            most_connections: share(plan.connections, thread, plan.threads),
            most_kept: share(plan.idle_per_host, thread, plan.threads),
            offered: Vec::new(),
            joining: Vec::new(),
            queues: Vec::new(),
            attempts: Vec::new(),
            turns: Vec::new(),
            flights: Vec::new(),
            users: Vec::new(),
            answers: Vec::new(),
            free: Vec::new(),
            limit: 0,
            asking: 0,
            agenda: VecDeque::new(),
            unread: Vec::new(),
            timers: BinaryHeap::new(),
            schedule: None,
            taken: 0,
            waited: 0,
            asked: 0,
            free_since: 0,
            left: 0,
            is_out: false,
            is_used_up: false,
            record,
            effort: Effort::default(),
            buffers: Buffers::default(),
            request: Request::default(),
            bytes: Vec::new(),
            out: Vec::new(),
            label: String::new(),
            held: Vec::new(),
            amid: Amid::default(),
            ended: Vec::new(),
            rng: Xoshiro256PlusPlus::seed_from_u64(site.seed.wrapping_add(u64::from(thread))),
            now: 0,
            end,
            until: end,
            state: State::Running,
            seen: 0,
            orders: None,
            load: 0,
            next_tick: 0,
            next_look: 0,
            next_sweep: 0,
            site: Arc::clone(site),
        };
        worker.make_places(version.places.len());
        worker.take_load(load.curve.as_ref(), load.users, 0);
        Ok(worker)
    }

    /// Room for connections to so many places.
    pub(super) fn make_places(&mut self, count: usize) {
        let first = Turns::new(self.thread);
        self.offered.resize_with(count, Vec::new);
        self.joining.resize(count, Key::MAX);
        self.queues.resize_with(count, VecDeque::new);
        self.turns.resize(count, first);
    }

    /// Where a place is.
    #[inline]
    pub(super) fn place(&self, number: usize) -> &Place {
        &self.courses.of(self.courses.newest()).version.places[number]
    }

    /// Runs to the end.
    ///
    /// # Errors
    /// The system refuses to wait for sockets.
    pub fn run(mut self) -> io::Result<()> {
        let result = self.turn();
        self.finish();
        result
    }

    fn turn(&mut self) -> io::Result<()> {
        let mut events = Events::default();
        self.zero = self.shared.zero();
        self.look_at_load(); // it may have been changed before the run began
        while self.state != State::Ended {
            self.now = self.zero.clock.now();
            if self.now >= self.next_tick {
                self.tick();
            }
            self.wake();
            self.admit();
            self.proceed();
            self.sleep(&mut events)?;
            self.now = self.zero.clock.now();
            for ready in events.ready() {
                self.happened(ready);
                self.proceed();
            }
            for (key, has_ended) in std::mem::take(&mut self.unread) {
                self.receive(key, has_ended);
            }
        }
        Ok(())
    }

    /// How long nothing has to be done, at most until the next tick.
    pub(super) fn wait(&self) -> Nanos {
        if !self.agenda.is_empty() || !self.unread.is_empty() {
            return 0;
        }
        let mut next = self.next_tick;
        if let Some(Reverse((at, _))) = self.timers.peek() {
            next = next.min(*at);
        }
        if self.state == State::Running
            && !self.free.is_empty()
            && !self.is_spent()
            && let Some(due) = self.schedule.as_ref().and_then(Schedule::peek)
            && due < self.until
        {
            next = next.min(due);
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
                    self.agenda.push_back(user);
                }
                _ => {}
            }
        }
    }

    /// Moves on users whose turn it is.
    #[inline]
    fn proceed(&mut self) {
        for _ in 0..MOST_MOVES {
            let Some(user) = self.agenda.pop_front() else {
                break;
            };
            match self.flights[user as usize].phase {
                Phase::Beginning => self.begin(user),
                Phase::Stepping => self.step(user),
                _ => {}
            }
        }
        self.send_held();
    }

    fn tick(&mut self) {
        // What was due before whatever changes now.
        self.admit();
        self.proceed();
        self.look_at_arrivals();
        self.state = self.state.max(self.shared.wanted());
        self.look_at_load();
        if self.state == State::Running && self.is_over() {
            self.state = State::Draining;
        }
        if self.state != State::Running {
            self.end = self.end.min(self.now);
            self.until = self.end;
        }
        self.look();
        if self.record.is_due(self.now) {
            self.hand_over();
        }
        let drain = self.site.plan.drain_ms.saturating_mul(MILLISECOND);
        let drained = self.end.saturating_add(drain);
        if self.state == State::Draining && (self.is_idle() || self.now >= drained) {
            self.state = State::Ended;
        }
        // At the end each millisecond counts: a rate is divided by it.
        let tick = if self.state == State::Draining {
            MILLISECOND
        } else {
            TICK
        };
        // What falls into one interval is handed over before the next one.
        self.next_tick = (self.now + tick).min(self.record.due());
        if self.until > self.now {
            self.next_tick = self.next_tick.min(self.until);
        }
    }

    /// Whether nobody waits for anything.
    pub(super) fn is_idle(&self) -> bool {
        let busy = [Phase::Asking, Phase::Waiting];
        let is_busy = |flight: &Flight| busy.contains(&flight.phase);
        self.asking == 0 && self.agenda.is_empty() && !self.flights.iter().any(is_busy)
    }

    pub(super) fn moment(&self) -> Moment {
        Moment {
            at: self.now,
            unix_ms: self.zero.unix_ms + self.now / MILLISECOND,
        }
    }

    /// Tells the run how it goes.
    fn hand_over(&mut self) {
        self.tell();
        self.record.tick(self.now, self.asking);
    }

    fn tell(&mut self) {
        self.effort.asked = self.asked + self.due(self.now.min(self.until));
        self.effort.cpu = thread_cpu();
        self.effort.delayed = thread_delay().unwrap_or(self.effort.delayed);
        self.shared.tell(self.thread, &self.effort);
    }

    fn finish(mut self) {
        for flight in &self.flights {
            match flight.phase {
                Phase::Beginning if flight.is_reserved => self.effort.unsent += 1,
                Phase::Beginning => self.taken -= 1.min(self.taken),
                Phase::Waiting if !flight.is_again => self.effort.unsent += 1,
                Phase::Asking | Phase::Waiting => self.effort.unanswered += 1,
                Phase::Stepping if flight.is_again => self.effort.unanswered += 1,
                _ => {}
            }
        }
        self.close_model(self.end.min(self.now));
        self.effort.ended = self.now;
        self.tell();
        self.record.finish();
    }
}

/// The share of one of several threads.
pub(super) fn share(all: u32, thread: u32, threads: u32) -> u32 {
    all / threads + u32::from(thread < all % threads)
}
