//! The intended times of one thread, one after the other, in a few nanoseconds each and without drift.

use std::sync::Arc;

use crate::Nanos;

use super::Model;
use super::curve::{Curve, Spot};
use super::piece::ARRIVAL;

/// Pieces that are walked past one by one before the next arrival is looked up instead.
const MOST_WALKED: usize = 32;

/// Of every moment's error, relative to the time since the last exact one: an upper bound of what [`Slanted::step`]
/// rounds away, some 50 roundings of `f64` (`1.1e-16` each).
const ERROR: f64 = 1e-14;

/// The arrivals `thread`, `thread + threads`, `thread + 2 * threads`, ... of a model. No clock and no sleeping: it says
/// when, the caller waits.
#[derive(Clone, Debug)]
pub struct Schedule {
    curve: Arc<Curve>,
    start: Nanos,
    thread: u64,
    threads: u64,
    number: u64,
    next: Option<Nanos>,
    spot: Spot,
    walk: Walk,
}

/// How the next time follows from the last one within a piece.
#[derive(Clone, Debug)]
enum Walk {
    Flat(Flat),
    Slanted(Slanted),
    Ended,
}

impl Schedule {
    /// The share of one of `threads` threads, from the beginning of the run.
    #[must_use]
    pub fn new(model: &Model, thread: u32, threads: u32) -> Self {
        Self::begin_at(model, 0, thread, threads)
    }

    /// The same with all times `start` later: what a change of the model while it runs begins with.
    #[must_use]
    pub fn begin_at(model: &Model, start: Nanos, thread: u32, threads: u32) -> Self {
        Self::on(&Arc::new(Curve::new(model)), start, thread, threads)
    }

    /// The same on a curve that all threads share.
    #[must_use]
    pub fn on(curve: &Arc<Curve>, start: Nanos, thread: u32, threads: u32) -> Self {
        let mut schedule = Self {
            curve: Arc::clone(curve),
            start,
            thread: thread.into(),
            threads: threads.max(1).into(),
            number: thread.into(),
            next: None,
            spot: curve.at(0),
            walk: Walk::Ended,
        };
        schedule.next = schedule.seek().and_then(|time| start.checked_add(time));
        schedule
    }

    /// When the next arrival is due; `None` if there is none any more.
    #[must_use]
    pub fn peek(&self) -> Option<Nanos> {
        self.next
    }

    /// Goes on to the arrival after the next.
    #[inline]
    pub fn advance(&mut self) {
        let Some(number) = self.number.checked_add(self.threads) else {
            self.next = None;
            return;
        };
        self.number = number;
        let time = match &mut self.walk {
            Walk::Flat(flat) => flat.step(),
            Walk::Slanted(slanted) => slanted.step(number),
            Walk::Ended => return,
        };
        self.next = time
            .or_else(|| self.seek())
            .and_then(|time| self.start.checked_add(time));
    }

    /// How many of this thread's arrivals are due before a moment, whatever was taken already.
    #[must_use]
    pub fn count_before(&self, at: Nanos) -> u64 {
        let at = at.saturating_sub(self.start);
        let all = if (self.spot.begin..self.spot.end()).contains(&at) {
            let area = self.spot.base + self.spot.piece.area_before(at - self.spot.begin);
            area.div_ceil(ARRIVAL) as u64
        } else {
            self.curve.count_before(at)
        };
        all.saturating_sub(self.thread).div_ceil(self.threads)
    }

    /// The time of the current number, exact, and from there the walk to the following ones.
    #[cold]
    fn seek(&mut self) -> Option<Nanos> {
        let target = u128::from(self.number) * ARRIVAL;
        self.walk = Walk::Ended;
        self.spot = self.find(target)?;
        let need = target - self.spot.base;
        let time = self.spot.piece.reach(need);
        let at = self.spot.begin.checked_add(time)?;
        self.walk = if self.spot.piece.is_flat() {
            Walk::Flat(Flat::new(&self.spot, at, need, self.threads))
        } else {
            Walk::Slanted(Slanted::new(&self.spot, at, self.number))
        };
        Some(at)
    }

    fn find(&self, target: u128) -> Option<Spot> {
        let mut spot = self.spot;
        for _ in 0..MOST_WALKED {
            if target < spot.top() {
                return Some(spot);
            }
            spot = self.curve.next(&spot)?;
        }
        self.curve.locate(target)
    }
}

/// A constant rate: arrivals lie `threads * 1e18 / rate` nanoseconds apart, as a whole number and a rest that adds up.
#[derive(Clone, Debug)]
struct Flat {
    at: Nanos,
    end: Nanos,
    step: Nanos,
    rate: u64,
    rest: u64,
    rest_of_step: u64,
}

impl Flat {
    fn new(spot: &Spot, at: Nanos, need: u128, threads: u64) -> Self {
        let rate = u128::from(spot.piece.from);
        let apart = u128::from(threads) * ARRIVAL;
        Self {
            at,
            end: spot.end(),
            step: Nanos::try_from(apart / rate).unwrap_or(Nanos::MAX),
            rate: spot.piece.from,
            rest: (need % rate) as u64,
            rest_of_step: (apart % rate) as u64,
        }
    }

    /// `None` from the end of the piece on.
    #[inline]
    fn step(&mut self) -> Option<Nanos> {
        self.rest += self.rest_of_step;
        let is_full = self.rest >= self.rate;
        if is_full {
            self.rest -= self.rate;
        }
        self.at = self
            .at
            .checked_add(self.step)?
            .checked_add(u64::from(is_full))?;
        (self.at < self.end).then_some(self.at)
    }
}

/// A rate that rises or falls: the times are roots of a quadratic in `f64`, counted from the last one that was found in
/// integers. One that lies too close to a whole nanosecond to be rounded down for certain is found in integers too.
#[derive(Clone, Debug)]
struct Slanted {
    anchor: Nanos,
    number: u64,
    /// What was missing to arrival `number` at the anchor, as arrivals.
    missing: f64,
    /// Arrivals a nanosecond at the anchor, and how much that changes in a nanosecond.
    rate: f64,
    slope: f64,
    /// The first arrival that is due in a later piece.
    end: u64,
}

impl Slanted {
    fn new(spot: &Spot, at: Nanos, number: u64) -> Self {
        let area = ARRIVAL as f64;
        let (piece, time) = (&spot.piece, at - spot.begin);
        let reached = spot.base + piece.area_before(time);
        Self {
            anchor: at,
            number,
            missing: (u128::from(number) * ARRIVAL - reached) as f64 / area,
            rate: piece.rate(time) / area,
            slope: piece.slope() / area,
            end: spot.top().div_ceil(ARRIVAL) as u64,
        }
    }

    /// `None` from the end of the piece on, where the rounding is in doubt, and once a falling rate has halved since
    /// the anchor, from where on the error of the root grows.
    ///
    /// The root of `slope / 2 * t^2 + rate * t = c` as `2 * c / (rate + sqrt(rate^2 + 2 * slope * c))`, which subtracts
    /// nothing that is nearly equal (Numerical Recipes, 5.6).
    #[inline]
    fn step(&self, number: u64) -> Option<Nanos> {
        if number >= self.end {
            return None;
        }
        let count = (number - self.number) as f64 + self.missing;
        let square = self.rate * self.rate;
        let later_square = square + 2.0 * self.slope * count;
        if later_square < square * 0.25 {
            return None;
        }
        let time = 2.0 * count / (self.rate + later_square.sqrt());
        let low = (time * (1.0 - ERROR)) as Nanos;
        let high = (time * (1.0 + ERROR)) as Nanos;
        (low == high).then(|| self.anchor + low)
    }
}
