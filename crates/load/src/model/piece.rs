//! One piece of a rate over time: a straight line, in integers, so that nothing is rounded but the answer.
//!
//! Rates are whole billionths of an iteration a second and times whole nanoseconds, so the area under a rate is a
//! whole number of `1e-18` iterations: one arrival is [`ARRIVAL`] of them. At `MOST_RATE` for as long as [`Nanos`]
//! reach it is `1.8e35`, which `u128` holds.

use crate::Nanos;

use super::MOST_RATE;

/// The area of one arrival.
pub(super) const ARRIVAL: u128 = 1_000_000_000_000_000_000;

/// A rate as whole billionths of an iteration a second: what is left of NaN and of negative rates is 0.
///
/// Fifteen significant digits of a decimal survive any `f64`, so up to a million a second nine digits after the point
/// count, and above it eight: a rate given with fewer is met exactly.
pub(super) fn billionths(rate: f64) -> u64 {
    if rate >= 1e6 {
        (rate.min(MOST_RATE) * 1e8).round() as u64 * 10
    } else {
        (rate * 1e9).round() as u64
    }
}

/// A rate that goes straight from one value to another. Where the two differ, the length is even and below `2^63`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub length: Nanos,
    /// Billionths of an iteration a second, at the beginning and towards the end.
    pub from: u64,
    pub to: u64,
}

impl Piece {
    pub fn flat(length: Nanos, rate: u64) -> Self {
        Self {
            length,
            from: rate,
            to: rate,
        }
    }

    pub fn is_flat(&self) -> bool {
        self.from == self.to
    }

    /// The whole area: that of a trapezoid, `(from + to) / 2 * length`.
    pub fn area(&self) -> u128 {
        if self.is_flat() {
            return u128::from(self.from) * u128::from(self.length);
        }
        u128::from(self.from + self.to) * u128::from(self.length / 2)
    }

    /// The area of the first `time` nanoseconds, rounded up: the integral of `from + (to - from) * t / length`, that is
    /// `from * t + (to - from) * t^2 / (2 * length)`.
    pub fn area_before(&self, time: Nanos) -> u128 {
        let box_of_from = u128::from(self.from) * u128::from(time);
        if self.is_flat() {
            return box_of_from;
        }
        let rise = u128::from(self.from.abs_diff(self.to)) * u128::from(time);
        let (triangle, rest) = mul_div(rise, time, self.length * 2);
        if self.to > self.from {
            box_of_from + triangle + u128::from(rest > 0)
        } else {
            box_of_from - triangle
        }
    }

    /// Billionths of an iteration a second, `time` nanoseconds after the beginning.
    pub fn rate(&self, time: Nanos) -> f64 {
        if self.is_flat() {
            return self.from as f64;
        }
        let left = u128::from(self.length - time);
        let sum = u128::from(self.from) * left + u128::from(self.to) * u128::from(time);
        sum as f64 / self.length as f64
    }

    /// How much the rate changes in a nanosecond.
    pub fn slope(&self) -> f64 {
        let change = self.from.abs_diff(self.to) as f64 / self.length as f64;
        if self.to < self.from { -change } else { change }
    }

    /// The moment at which the area goes past `need`, rounded down to the nanosecond: the last one whose area before
    /// it is not above `need`. `need` is below the whole area.
    pub fn reach(&self, need: u128) -> Nanos {
        if self.is_flat() {
            return (need / u128::from(self.from)) as Nanos;
        }
        let guess = (self.estimate(need) as Nanos).min(self.length - 1);
        let (mut low, mut high) = self.bracket(need, guess);
        while high - low > 1 {
            let middle = low.midpoint(high);
            if self.area_before(middle) <= need {
                low = middle;
            } else {
                high = middle;
            }
        }
        low
    }

    /// The root of `slope / 2 * t^2 + from * t = need`, in the form that does not subtract what is nearly equal:
    /// `2 * need / (from + sqrt(from^2 + 2 * slope * need))`.
    fn estimate(&self, need: u128) -> f64 {
        let (need, from) = (need as f64, self.from as f64);
        let root = (from * from + 2.0 * self.slope() * need).max(0.0).sqrt();
        2.0 * need / (from + root)
    }

    /// Two moments, one on each side of `need`, found from a guess in steps that grow.
    fn bracket(&self, need: u128, guess: Nanos) -> (Nanos, Nanos) {
        let (mut low, mut high, mut step) = (0, self.length, 1);
        if self.area_before(guess) <= need {
            low = guess;
            while high - low > step {
                if self.area_before(low + step) > need {
                    return (low, low + step);
                }
                low += step;
                step *= 4;
            }
        } else {
            high = guess;
            while high - low > step {
                if self.area_before(high - step) <= need {
                    return (high - step, high);
                }
                high -= step;
                step *= 4;
            }
        }
        (low, high)
    }
}

/// `a * b / divisor` and the rest, by way of the 192 bits of the product. The quotient has to fit.
fn mul_div(a: u128, b: u64, divisor: u64) -> (u128, u64) {
    let low = u128::from(a as u64) * u128::from(b);
    let high = (a >> 64) * u128::from(b) + (low >> 64);
    let divisor = u128::from(divisor);
    let rest = (high % divisor) << 64 | u128::from(low as u64);
    (
        ((high / divisor) << 64) + rest / divisor,
        (rest % divisor) as u64,
    )
}
