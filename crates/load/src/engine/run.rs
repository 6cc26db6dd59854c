//! A run from its start to its end: threads that send, one that adds up what they hand over, and whoever asks.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::clock::MILLISECOND;
use super::shared::{Change, Shared, State};
use super::site::Site;
use super::verdict::{self, Account};
use super::worker::{TICK, TURN, Worker};
use crate::model::{Curve, Model};
use crate::plan::{Plan, within_users};
use crate::record::{Budget, Class, Collector};
use crate::view::{Generator, IntervalView, View};
use crate::{Error, Nanos, Result};

/// How often what threads hand over is added up.
const COLLECT: Duration = Duration::from_millis(50);

/// How long after the end of an interval it is closed: threads tick at its end, and are looked at a little later.
const GRACE: Nanos = 30 * MILLISECOND;

/// What a memory guard can do about a run's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relief {
    DropIntervals,
    Halve,
    FoldCold,
    PercentilesOff,
    Restore,
}

/// Share of labels that are folded at once.
const COLD: f64 = 0.25;

/// A run that was prepared, goes on, or has ended.
pub struct Run {
    site: Arc<Site>,
    shared: Arc<Shared>,
    books: Arc<Mutex<Books>>,
    workers: Vec<Worker>,
    threads: Vec<JoinHandle<()>>,
}

/// What is known of a run, added up.
struct Books {
    collector: Collector,
    /// Intervals closed so far.
    closed: u64,
    closed_at: Nanos,
    /// Arrivals that fell due in each interval that is kept, and in all until the last one closed.
    asked: VecDeque<u64>,
    asked_before: u64,
    next_close: Nanos,
    /// Iterations begin at intended times now, or did before the load was changed.
    is_open: bool,
    was_open: bool,
    /// Why a thread ended before the run did.
    failure: Option<String>,
    state: State,
    ended_at: Nanos,
    users: u32,
}

impl Run {
    /// Makes everything ready; nothing is sent yet.
    ///
    /// # Errors
    /// What the plan says cannot be done, or does not fit into the bytes that it gives.
    pub fn new(mut plan: Plan) -> Result<Self> {
        // A thread without a connection could do nothing.
        plan.threads = plan.threads.min(plan.connections);
        let Plan {
            threads,
            users,
            requests,
            ..
        } = plan;
        let percentiles = plan.percentiles.clone();
        let budget = Budget::new(
            percentiles.bytes,
            percentiles.labels,
            threads as usize,
            percentiles.intervals,
        )?;
        let curve = curve_of(&plan.model);
        let site = Arc::new(Site::new(plan)?);
        // Ticks end where intervals do, so that each has what happened in it.
        let interval = percentiles.interval_ms.max(1).saturating_mul(MILLISECOND);
        let every = interval / interval.div_ceil(TURN);
        let (mut collector, recordings) =
            Collector::new(budget, percentiles.sampling, every, site.seed)?;
        if !percentiles.enabled {
            collector.percentiles_off();
        }
        let shared = Arc::new(Shared::new(threads, requests));
        let workers = recordings
            .into_iter()
            .enumerate()
            .map(|(thread, record)| {
                Worker::new(thread as u32, &site, &shared, record, curve.as_ref())
            })
            .collect::<io::Result<Vec<_>>>()
            .map_err(|error| {
                Error::run(format!(
                    "a thread of the run cannot wait for sockets ({error}): raise `ulimit -n`"
                ))
            })?;
        let books = Books {
            collector,
            closed: 0,
            closed_at: 0,
            asked: VecDeque::new(),
            asked_before: 0,
            next_close: 0,
            is_open: curve.is_some(),
            was_open: curve.is_some(),
            failure: None,
            state: State::Running,
            ended_at: 0,
            users,
        };
        Ok(Self {
            site,
            shared,
            books: Arc::new(Mutex::new(books)),
            workers,
            threads: Vec::new(),
        })
    }

    /// Begins to send. A second call does nothing.
    ///
    /// # Errors
    /// No thread can be started: then nothing was sent.
    pub fn start(&mut self) -> Result<()> {
        if self.workers.is_empty() {
            return Ok(());
        }
        self.shared.zero();
        let interval = nanos(self.site.plan.percentiles.interval_ms.max(1));
        let end = self.site.plan.duration_ms.map_or(Nanos::MAX, nanos);
        self.books().next_close = interval;
        let mut senders = Vec::new();
        for worker in self.workers.drain(..) {
            let books = Arc::clone(&self.books);
            let shared = Arc::clone(&self.shared);
            let sender = spawn(move || {
                if let Err(error) = worker.run() {
                    shared.drain();
                    books_of(&books).failure =
                        Some(format!("a thread cannot wait for sockets: {error}"));
                }
            });
            match sender {
                Ok(sender) => senders.push(sender),
                Err(error) => {
                    self.shared.end();
                    books_of(&self.books).state = State::Ended;
                    return Err(error);
                }
            }
        }
        let (books, shared) = (Arc::clone(&self.books), Arc::clone(&self.shared));
        self.threads.push(spawn(move || {
            collect(&books, &shared, &senders, (interval, end));
            let broken = senders.into_iter().map(JoinHandle::join).filter(Result::is_err);
            if broken.count() > 0 {
                books_of(&books).failure = Some(
                    "a thread broke off, by a fault of this program: what it did last is not in these figures"
                        .to_owned(),
                );
            }
            finish(&books, &shared);
        })?);
        Ok(())
    }

    /// Whether it has ended, after waiting for that at most so long.
    #[must_use]
    pub fn wait(&self, most: Duration) -> bool {
        let until = Instant::now() + most;
        loop {
            if self.books().state == State::Ended {
                return true;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            thread::sleep(left.min(COLLECT / 5));
        }
    }

    /// No more iterations begin; answers are waited for.
    pub fn stop(&self) {
        self.shared.drain();
    }

    /// Nothing is waited for any more.
    pub fn end(&self) {
        self.shared.end();
    }

    /// Another load from now on, until the run's own end.
    ///
    /// # Errors
    /// A model or number of users that no run can have.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "callers have no further use for it"
    )]
    pub fn change(&self, model: Model, users: u32) -> Result<()> {
        model.check()?;
        within_users(users)?;
        let curve = curve_of(&model);
        let mut books = self.books();
        books.is_open = curve.is_some();
        books.was_open |= curve.is_some();
        books.users = users;
        drop(books);
        // Late enough for every thread to know before it is time.
        let at = match self.shared.now() {
            0 => 0,
            now => now + 2 * TICK,
        };
        self.shared.change(Change { curve, at, users });
        Ok(())
    }

    /// Gives memory back, or takes it again.
    pub fn relieve(&self, relief: Relief) {
        let books = &mut *self.books();
        let collector = &mut books.collector;
        match relief {
            Relief::DropIntervals => {
                collector.drop_intervals();
                books.asked = VecDeque::new();
            }
            Relief::Halve => drop(collector.halve()),
            Relief::FoldCold => drop(collector.fold_cold(COLD)),
            Relief::PercentilesOff => collector.percentiles_off(),
            Relief::Restore => collector.restore(),
        }
    }
}

impl Run {
    /// How it goes, or went: the intervals from number `since` on, and labels if they are wanted.
    #[must_use]
    pub fn view(&self, since: u64, with_labels: bool) -> View {
        let books = self.books();
        let elapsed = match books.state {
            State::Ended => books.ended_at,
            _ => self.shared.now(),
        };
        let snapshot = if with_labels {
            books.collector.snapshot()
        } else {
            books.collector.summary()
        };
        let efforts = self.shared.efforts();
        let refused = snapshot.errors.get(Class::System.name()).copied();
        let judged = verdict::judge(&Account {
            efforts: &efforts,
            elapsed,
            is_open: books.is_open,
            refused: refused.unwrap_or(0),
            users: books.users,
            connections: self.site.plan.connections,
        });
        let mut why = judged.why;
        why.extend(books.failure.clone());
        let asked = books.was_open.then(|| asked_of(&self.shared));
        let kept: Vec<_> = books.collector.intervals().collect();
        let first = books.closed - kept.len() as u64;
        let intervals = (first..)
            .zip(kept.into_iter().zip(&books.asked))
            .filter(|(number, _)| *number >= since)
            .map(|(number, (interval, &asked))| {
                IntervalView::of(number, interval, books.was_open.then_some(asked))
            })
            .collect();
        let generator = Generator::of(judged.is_saturated, why, &efforts, elapsed);
        let when = (books.state, elapsed);
        View::new(when, asked, snapshot, &efforts, generator, intervals)
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        books_of(&self.books)
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.shared.end();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// The arrivals of an open model, computed once for all threads.
fn curve_of(model: &Model) -> Option<Arc<Curve>> {
    model.is_open().then(|| Arc::new(Curve::new(model)))
}

fn nanos(ms: u64) -> Nanos {
    ms.saturating_mul(MILLISECOND)
}

fn books_of(books: &Mutex<Books>) -> MutexGuard<'_, Books> {
    books.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Adds up what threads hand over, until all have ended.
fn collect(
    books: &Mutex<Books>,
    shared: &Shared,
    senders: &[JoinHandle<()>],
    (interval, end): (Nanos, Nanos),
) {
    loop {
        let is_last = senders.iter().all(JoinHandle::is_finished);
        let mut held = books_of(books);
        held.collector.collect();
        let now = shared.now();
        if now >= held.next_close.saturating_add(GRACE) && !is_last {
            let boundary = (now - GRACE) / interval * interval;
            held.next_close = boundary.saturating_add(interval);
            held.close(boundary, asked_of(shared));
        }
        if shared.wanted() != State::Running || now >= end {
            held.state = State::Draining;
        }
        drop(held);
        if is_last {
            return;
        }
        thread::sleep(COLLECT);
    }
}

fn finish(books: &Mutex<Books>, shared: &Shared) {
    let mut books = books_of(books);
    books.collector.collect();
    // As long as the threads took, not as long as it took to notice.
    let ended = shared.efforts().iter().map(|one| one.ended).max();
    let ended = ended.unwrap_or(0).max(books.closed_at);
    books.close(ended, asked_of(shared));
    books.ended_at = ended;
    books.state = State::Ended;
}

impl Books {
    /// Ends an interval, until whose end so many arrivals were due.
    fn close(&mut self, now: Nanos, asked: u64) {
        self.collector.close_interval(now);
        self.closed += 1;
        self.closed_at = now;
        self.asked
            .push_back(asked.saturating_sub(self.asked_before));
        self.asked_before = asked;
        let kept = self.collector.intervals().count();
        self.asked.drain(..self.asked.len().saturating_sub(kept));
    }
}

/// Arrivals that were due, as the threads told last.
fn asked_of(shared: &Shared) -> u64 {
    shared.efforts().iter().map(|one| one.asked).sum()
}

fn spawn(work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    thread::Builder::new()
        .name("load".to_owned())
        .spawn(work)
        .map_err(|error| {
            Error::run(format!(
                "no thread can be started ({error}): let this user have more of them"
            ))
        })
}
