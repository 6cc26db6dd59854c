//! A model's rate over all time as a list of pieces and what comes after them: where a moment and where an arrival
//! lie, each found in logarithmic time.

use crate::Nanos;

use super::piece::{ARRIVAL, Piece, billionths};
use super::{LONGEST_MS, Model};

const NANOS_PER_MS: u64 = 1_000_000;
const LONGEST: Nanos = LONGEST_MS * NANOS_PER_MS;

/// Every how many pieces the area before is stored; in between it is added up. A recording of a million rates takes
/// 8.3 MB so, and steps of different lengths 16.3 MB.
const BLOCK: usize = 64;

/// A daily cycle is divided in whole microseconds, by shares of a millionth of a millionth.
const SHARE: f64 = 1e12;

/// The intended rate and the intended times of a whole run, computed once and shared by its threads.
///
/// Nothing in here fails or overflows, whatever the model: what [`Model::check`] refuses is cut to what is allowed.
#[derive(Debug)]
pub struct Curve {
    ends: Ends,
    from: Vec<u64>,
    /// Shorter than `from` where the last pieces are flat, and empty where all are.
    to: Vec<u64>,
    /// The area before each [`BLOCK`] of pieces.
    sums: Vec<u128>,
    after: After,
    length: Nanos,
    total: u128,
}

/// Where pieces end, counted from the beginning of the first.
#[derive(Debug)]
enum Ends {
    Every(Nanos),
    At(Vec<Nanos>),
}

#[derive(Clone, Copy, Debug)]
enum After {
    Hold(u64),
    Repeat,
}

/// A piece and where it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot {
    index: usize,
    pub begin: Nanos,
    /// The area before it.
    pub base: u128,
    pub piece: Piece,
}

impl Spot {
    /// Where the next piece begins.
    pub fn end(&self) -> Nanos {
        self.begin.saturating_add(self.piece.length)
    }

    /// The area before the next piece.
    pub fn top(&self) -> u128 {
        self.base + self.piece.area()
    }
}

impl Curve {
    #[must_use]
    pub fn new(model: &Model) -> Self {
        match model {
            Model::Closed {} => Self::empty(0),
            Model::Constant { rate } => Self::empty(billionths(*rate)),
            &Model::Ramp {
                from,
                to,
                over_ms,
                hold_ms,
                back_ms,
            } => {
                let (from, to) = (billionths(from), billionths(to));
                let mut curve = Self::empty(from);
                curve.push(nanos(over_ms), from, to);
                curve.push(nanos(hold_ms), to, to);
                curve.push(nanos(back_ms), to, from);
                curve
            }
            Model::Daily { .. } => Self::daily(model),
            Model::Steps { steps } => {
                let last = steps.last().map_or(0.0, |step| step.rate);
                let mut curve = Self::empty(billionths(last));
                curve.from.reserve_exact(steps.len());
                curve.ends = Ends::At(Vec::with_capacity(steps.len()));
                for step in steps {
                    let rate = billionths(step.rate);
                    curve.push(nanos(step.for_ms), rate, rate);
                }
                curve
            }
            Model::Replay {
                interval_ms,
                rates,
                repeat,
            } => Self::replay(nanos(*interval_ms), rates, *repeat),
        }
    }

    fn empty(after: u64) -> Self {
        Self {
            ends: Ends::At(Vec::new()),
            from: Vec::new(),
            to: Vec::new(),
            sums: Vec::new(),
            after: After::Hold(after),
            length: 0,
            total: 0,
        }
    }

    /// The parts of [`Model::Daily`], with its borders in whole microseconds.
    fn daily(model: &Model) -> Self {
        let mut curve = Self::empty(0);
        let &Model::Daily {
            min,
            mid,
            max,
            cycle_ms,
            morning,
            peak,
            decline,
            sustain,
            evening,
        } = model
        else {
            return curve;
        };
        let (min, mid, max) = (billionths(min), billionths(mid), billionths(max));
        let cycle = nanos(cycle_ms);
        let mut shares = 0;
        for (share, from, to) in [
            (morning, min, max),
            (peak, max, max),
            (decline, max, mid),
            (sustain, mid, mid),
            (evening, mid, min),
            (1.0, min, min),
        ] {
            shares = (shares + whole_share(share)).min(whole_share(1.0));
            let micros = u128::from(cycle / 1000) * u128::from(shares) / u128::from(SHARE as u64);
            curve.push(
                (micros as Nanos * 1000).max(curve.length) - curve.length,
                from,
                to,
            );
        }
        curve.repeat();
        curve
    }

    fn replay(interval: Nanos, rates: &[f64], repeat: bool) -> Self {
        let mut curve = Self::empty(0);
        let count =
            (LONGEST.checked_div(interval)).map_or(0, |most| rates.len().min(most as usize));
        curve.ends = Ends::Every(interval);
        curve.from.reserve_exact(count);
        for &rate in &rates[..count] {
            let rate = billionths(rate);
            curve.push(interval, rate, rate);
        }
        if repeat {
            curve.repeat();
        }
        curve
    }

    fn push(&mut self, length: Nanos, from: u64, to: u64) {
        let length = length.min(LONGEST - self.length);
        if length == 0 {
            return;
        }
        if self.from.len().is_multiple_of(BLOCK) {
            self.sums.push(self.total);
        }
        if from != to {
            self.to.extend_from_slice(&self.from[self.to.len()..]);
            self.to.push(to);
        }
        self.from.push(from);
        self.length += length;
        self.total += Piece { length, from, to }.area();
        if let Ends::At(ends) = &mut self.ends {
            ends.push(self.length);
        }
    }

    /// Begins again after the last piece, if there is one.
    fn repeat(&mut self) {
        if self.length > 0 {
            self.after = After::Repeat;
        }
    }

    /// Iterations a second at a moment; at a jump, what holds from there on.
    #[must_use]
    pub fn rate(&self, at: Nanos) -> f64 {
        let spot = self.at(at);
        spot.piece.rate(at - spot.begin) / 1e9
    }

    /// The integral of the rate before a moment, in iterations.
    #[must_use]
    pub fn arrivals(&self, at: Nanos) -> f64 {
        let area = self.area_before(at);
        (area / ARRIVAL) as f64 + (area % ARRIVAL) as f64 / ARRIVAL as f64
    }

    /// How many arrivals are due before a moment.
    #[must_use]
    pub fn count_before(&self, at: Nanos) -> u64 {
        self.area_before(at).div_ceil(ARRIVAL) as u64
    }

    /// When arrival `number`, counted from 0, is due; `None` if there are never so many.
    #[must_use]
    pub fn due(&self, number: u64) -> Option<Nanos> {
        let target = u128::from(number) * ARRIVAL;
        let spot = self.locate(target)?;
        spot.begin.checked_add(spot.piece.reach(target - spot.base))
    }

    fn area_before(&self, at: Nanos) -> u128 {
        let spot = self.at(at);
        spot.base + spot.piece.area_before(at - spot.begin)
    }

    /// The piece that a moment lies in.
    pub(super) fn at(&self, at: Nanos) -> Spot {
        match self.after {
            After::Hold(rate) if at >= self.length => self.held(rate),
            After::Hold(_) => self.within(at, 0, 0),
            After::Repeat => {
                let cycles = at / self.length;
                let base = self.total * u128::from(cycles);
                self.within(at % self.length, cycles * self.length, base)
            }
        }
    }

    fn within(&self, time: Nanos, begin: Nanos, base: u128) -> Spot {
        let index = match &self.ends {
            Ends::Every(interval) => (time / interval) as usize,
            Ends::At(ends) => ends.partition_point(|&end| end <= time),
        };
        let first = index / BLOCK * BLOCK;
        let before: u128 = (first..index).map(|index| self.piece(index).area()).sum();
        self.spot(index, begin, base + self.sums[index / BLOCK] + before)
    }

    /// The piece in which the area goes past `target`; `None` if it never does.
    pub(super) fn locate(&self, target: u128) -> Option<Spot> {
        match self.after {
            After::Hold(rate) if target >= self.total => {
                Some(self.held(rate)).filter(|spot| target < spot.top())
            }
            After::Hold(_) => Some(self.holding(target, 0)),
            After::Repeat => {
                let rest = target.checked_rem(self.total)?;
                let cycles = Nanos::try_from(target / self.total).ok()?;
                let mut spot = self.holding(rest, target - rest);
                let begin = cycles.checked_mul(self.length)?;
                spot.begin = spot.begin.checked_add(begin)?;
                Some(spot)
            }
        }
    }

    /// The piece of the first cycle in which the area goes past `target`, which is below that of the cycle.
    fn holding(&self, target: u128, base: u128) -> Spot {
        let block = self.sums.partition_point(|&sum| sum <= target) - 1;
        let (mut index, mut sum) = (block * BLOCK, self.sums[block]);
        loop {
            let next = sum + self.piece(index).area();
            if next > target {
                return self.spot(index, 0, base + sum);
            }
            (index, sum) = (index + 1, next);
        }
    }

    /// The piece that follows, however long it is; `None` after the last one and where [`Nanos`] end.
    pub(super) fn next(&self, spot: &Spot) -> Option<Spot> {
        let begin = spot.begin.checked_add(spot.piece.length)?;
        let index = match self.after {
            _ if spot.index + 1 < self.from.len() => spot.index + 1,
            After::Hold(_) if spot.index >= self.from.len() => return None,
            After::Hold(rate) => return Some(self.held(rate)),
            After::Repeat => 0,
        };
        Some(Spot {
            index,
            begin,
            base: spot.top(),
            piece: self.piece(index),
        })
    }

    /// What holds after the last piece, as one that is as long as time.
    fn held(&self, rate: u64) -> Spot {
        Spot {
            index: self.from.len(),
            begin: self.length,
            base: self.total,
            piece: Piece::flat(Nanos::MAX - self.length, rate),
        }
    }

    /// A piece of the cycle that begins at `begin`.
    fn spot(&self, index: usize, begin: Nanos, base: u128) -> Spot {
        Spot {
            index,
            begin: begin + self.start(index),
            base,
            piece: self.piece(index),
        }
    }

    fn piece(&self, index: usize) -> Piece {
        let from = self.from[index];
        let length = match &self.ends {
            Ends::Every(interval) => *interval,
            Ends::At(ends) => ends[index] - self.start(index),
        };
        Piece {
            length,
            from,
            to: self.to.get(index).copied().unwrap_or(from),
        }
    }

    fn start(&self, index: usize) -> Nanos {
        match &self.ends {
            Ends::Every(interval) => index as Nanos * interval,
            Ends::At(ends) => index.checked_sub(1).map_or(0, |before| ends[before]),
        }
    }
}

fn nanos(ms: u64) -> Nanos {
    ms.min(LONGEST_MS) * NANOS_PER_MS
}

/// A share of a cycle in whole millionths of a millionth: decimals of up to twelve digits add up exactly.
pub(super) fn whole_share(share: f64) -> u64 {
    (share.min(1.0) * SHARE).round() as u64
}
