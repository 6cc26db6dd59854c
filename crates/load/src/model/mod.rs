//! Load models: when iterations are intended to begin. Values without a clock, exact over years.
//!
//! A [`Model`] is what a plan says, a [`Curve`] the same as a list of pieces of which each has closed forms, and a
//! [`Schedule`] hands the intended times of one thread out, one by one.
//!
//! Arrival `n`, counted from 0, is due when the integral of the rate goes past `n`, rounded down to the nanosecond. So
//! the first one is due as soon as the rate is above 0, at a constant rate arrival `n` is due at `n * 1e9 / rate`, and
//! a piece of rate 0 takes no time: where the integral stands still, what is due next is due when it moves again.
//! Before a moment as many are due as the integral says, rounded up.

use serde::{Deserialize, Serialize};

use crate::Nanos;

mod check;
mod curve;
mod piece;
mod schedule;

#[cfg(test)]
mod tests;

pub use curve::Curve;
pub use schedule::Schedule;

/// The highest rate, in iterations a second.
pub const MOST_RATE: f64 = 10_000_000.0;

/// How many steps or recorded rates a model has at most.
pub const MOST_RATES: usize = 1_000_000;

/// How long all parts of a model are together at most, in milliseconds: ten years of 365 days.
pub const LONGEST_MS: u64 = 315_360_000_000;

/// How many iterations begin when. Rates are iterations a second, of all threads together, to the billionth (above a
/// million a second to the hundred-millionth).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Model {
    /// Each user begins its next iteration when the last one has ended: there are no intended times.
    Closed {},
    Constant {
        rate: f64,
    },
    /// Straight from one rate to another, a while there, straight back, and then the first rate until the end.
    Ramp {
        from: f64,
        to: f64,
        over_ms: u64,
        hold_ms: u64,
        back_ms: u64,
    },
    /// A day's traffic, again and again. With the borders `a = morning`, `b = a + peak`, `c = b + decline`,
    /// `d = c + sustain`, `e = d + evening` as shares of the cycle, rounded down to whole microseconds, and `x` the
    /// share of it that has passed, the rate is
    ///
    /// | from | to | rate |
    /// | --- | --- | --- |
    /// | 0 | a | `min + (max - min) * x / a` |
    /// | a | b | `max` |
    /// | b | c | `max + (mid - max) * (x - b) / (c - b)` |
    /// | c | d | `mid` |
    /// | d | e | `mid + (min - mid) * (x - d) / (e - d)` |
    /// | e | 1 | `min` |
    ///
    /// A part whose share is 0 is a jump.
    Daily {
        min: f64,
        mid: f64,
        max: f64,
        cycle_ms: u64,
        morning: f64,
        peak: f64,
        decline: f64,
        sustain: f64,
        evening: f64,
    },
    /// One rate after the other; the last one goes on until the end.
    Steps {
        steps: Vec<Step>,
    },
    /// Recorded rates, each for one interval; then nothing, or all of it again.
    Replay {
        interval_ms: u64,
        rates: Vec<f64>,
        repeat: bool,
    },
}

/// A rate for a while.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    pub rate: f64,
    pub for_ms: u64,
}

/// What is asked for once is computed from the list of pieces that is made for it. Who asks often makes a [`Curve`].
impl Model {
    /// Whether iterations have intended times.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !matches!(self, Self::Closed {})
    }

    /// Iterations a second at a moment; at a jump, what holds from there on. 0 for a closed model.
    #[must_use]
    pub fn rate(&self, at: Nanos) -> f64 {
        Curve::new(self).rate(at)
    }

    /// How many iterations are intended to have begun before a moment: the integral of the rate up to there.
    #[must_use]
    pub fn arrivals(&self, at: Nanos) -> f64 {
        Curve::new(self).arrivals(at)
    }

    /// The intended time of arrival `n`, counted from 0; `None` if there are never so many.
    #[must_use]
    pub fn due(&self, n: u64) -> Option<Nanos> {
        Curve::new(self).due(n)
    }
}
