//! A run from its start to its end: threads that send, one that adds up what they hand over, and whoever asks.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::books::{Books, asked_of, books_of};
use super::clock::MILLISECOND;
use super::shared::{Load, Shared, State};
use super::site::{Site, Trust};
use super::start::{self, Work};
use super::verdict::{self, Account};
use super::version::{Places, Version};
use super::worker::{TURN, Worker};
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
    /// Held while a version is made ready: one at a time.
    places: Mutex<Places>,
    books: Arc<Mutex<Books>>,
    workers: Vec<Worker>,
    threads: Vec<JoinHandle<()>>,
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
        let load = load_of(&plan.model, users);
        let (trust, mut places) = (Trust::default(), Places::default());
        let version = Arc::new(Version::new(&plan, &trust, &mut places, 0)?);
        let model = std::mem::replace(&mut plan.model, Model::Closed {});
        let site = Arc::new(Site::new(plan, trust));
        // Ticks end where intervals do, so that each has what happened in it.
        let interval = percentiles.interval_ms.max(1).saturating_mul(MILLISECOND);
        let every = interval / interval.div_ceil(TURN);
        let (mut collector, recordings) =
            Collector::new(budget, percentiles.sampling, every, site.seed)?;
        if !percentiles.enabled {
            collector.percentiles_off();
        }
        let shared = Arc::new(Shared::new(threads, requests, load, Arc::clone(&version)));
        let workers = recordings
            .into_iter()
            .enumerate()
            .map(|(thread, record)| Worker::new(thread as u32, &site, &shared, record))
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
            is_open: model.is_open(),
            was_open: model.is_open(),
            failure: None,
            state: State::Running,
            ended_at: 0,
            model,
            users,
            versions: vec![version],
        };
        Ok(Self {
            site,
            shared,
            places: Mutex::new(places),
            books: Arc::new(Mutex::new(books)),
            workers,
            threads: Vec::new(),
        })
    }

    /// Begins to send. A second call does nothing.
    ///
    /// # Errors
    /// A thread cannot be started: then nothing was sent, and the run has ended.
    pub fn start(&mut self) -> Result<()> {
        self.start_on(start::thread)
    }

    fn start_on(&mut self, spawn: impl Fn(Work) -> io::Result<JoinHandle<()>>) -> Result<()> {
        if self.workers.is_empty() {
            return Ok(());
        }
        let interval = nanos(self.site.plan.percentiles.interval_ms.max(1));
        let end = self.site.plan.duration_ms.map_or(Nanos::MAX, nanos);
        self.books().next_close = interval;
        let workers = std::mem::take(&mut self.workers);
        let sending = workers.into_iter().map(|worker| self.work_of(worker));
        let sending = sending.collect();
        let (books, shared) = (Arc::clone(&self.books), Arc::clone(&self.shared));
        let adding = move |senders: Vec<JoinHandle<()>>| {
            collect(&books, &shared, &senders, (interval, end));
            let broken = senders
                .into_iter()
                .map(JoinHandle::join)
                .filter(Result::is_err);
            if broken.count() > 0 {
                books_of(&books).failure = Some(
                    "a thread broke off, by a fault of this program: what it did last is not in these figures"
                        .to_owned(),
                );
            }
            finish(&books, &shared);
        };
        let started = start::all(sending, adding, spawn);
        if started.is_err() {
            self.books().state = State::Ended;
        }
        self.threads.push(started?);
        Ok(())
    }

    /// What a thread that sends does.
    fn work_of(&self, worker: Worker) -> Work {
        let (books, shared) = (Arc::clone(&self.books), Arc::clone(&self.shared));
        Box::new(move || {
            if let Err(error) = worker.run() {
                shared.drain();
                books_of(&books).failure =
                    Some(format!("a thread cannot wait for sockets: {error}"));
            }
        })
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
    pub fn change(&self, model: Model, users: u32) -> Result<()> {
        model.check()?;
        within_users(users)?;
        let load = load_of(&model, users);
        self.books().change(model, users);
        self.shared.change(Some(load), None);
        Ok(())
    }

    /// Other scenarios from now on, and another load if the plan has one. Iterations that have begun end as they began;
    /// the next ones are those of the new plan. The load has no gap. Names that no plan of the run had before are
    /// looked up here.
    ///
    /// # Errors
    /// What the plan says cannot be done, it differs in what a run keeps until its end, or no iterations begin any
    /// more. Then the run goes on as it was.
    pub fn replace(&self, plan: Plan) -> Result<()> {
        self.site.keeps(&plan)?;
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let _over = self.books().over();
        let number = self.books().next_version(&self.shared)?;
        let mut known = places.clone();
        let version = Version::new(&plan, &self.site.trust, &mut known, number)?;
        let version = Arc::new(version);
        // Names may have taken their time.
        let mut books = self.books();
        books.next_version(&self.shared)?;
        *places = known;
        books.versions.push(Arc::clone(&version));
        let Plan { model, users, .. } = plan;
        let is_other = (&books.model, books.users) != (&model, users);
        let load = is_other.then(|| load_of(&model, users));
        books.change(model, users);
        drop(books);
        self.shared.change(load, Some(version));
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
        let versions = books.versions.iter().map(|one| one.number).collect();
        View::new(
            when, asked, snapshot, &efforts, generator, intervals, versions,
        )
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

/// The load of a model; the arrivals of an open one are computed once for all threads.
fn load_of(model: &Model, users: u32) -> Load {
    let curve = model.is_open().then(|| Arc::new(Curve::new(model)));
    Load { curve, users }
}

fn nanos(ms: u64) -> Nanos {
    ms.saturating_mul(MILLISECOND)
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
        let over = held.over();
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
        drop(over); // which may take long, where it has much data
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Three threads, for a target that is never asked.
    const PLAN: &str = r#"{
        "base_url": "http://127.0.0.1:9", "resolve": [], "headers": [], "http": "1.1", "streams": 1,
        "tls": {"verify": true, "ca": null, "certificate": null, "key": null}, "compression": false,
        "connections": 9, "idle_per_host": 9, "idle_ms": 1000, "nodelay": true, "keep_alive": true,
        "connect_timeout_ms": 1000, "timeout_ms": 1000, "model": {"kind": "closed"}, "users": 3, "threads": 3,
        "duration_ms": 60000, "requests": null, "drain_ms": 1000, "seed": 1,
        "percentiles": {"enabled": true, "sampling": 1.0, "labels": 9, "bytes": 8388608, "interval_ms": 1000,
            "intervals": 10},
        "scenarios": [{"name": "s", "weight": 1.0, "timeout_ms": null, "retries": 0, "retry_delay_ms": 0, "keep_cookies": false,
            "data": null, "steps": [{"name": "get", "method": "GET", "path": "/", "query": [], "headers": [],
            "body": null, "body_size": null, "label": null, "extract": [], "assert": [], "cache_ttl_ms": null,
            "think_ms": [0, 0], "timeout_ms": null}]}]
    }"#;

    #[test]
    fn a_run_whose_threads_cannot_be_started_has_ended_and_sent_nothing() {
        for most in 0..4 {
            let mut run = Run::new(Plan::from_json(PLAN).unwrap()).unwrap();
            let count = std::cell::Cell::new(0);
            let why = run.start_on(|work| {
                if count.replace(count.get() + 1) == most {
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                start::thread(work)
            });
            let why = why.unwrap_err().to_string();
            assert!(why.contains("so nothing was sent"), "{why}");
            assert!(run.wait(Duration::ZERO), "it has ended");
            let view = run.view(0, true);
            assert_eq!((view.state, view.requests, view.in_flight), ("ended", 0, 0));
            assert!(run.start().is_ok(), "a second call does nothing");
        }
    }
}
