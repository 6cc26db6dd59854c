use std::sync::Arc;

use super::piece::ARRIVAL;
use super::*;

mod properties;

const SECOND: Nanos = 1_000_000_000;
const DAY_MS: u64 = 86_400_000;

pub fn ramp(from: f64, to: f64, over_ms: u64, hold_ms: u64, back_ms: u64) -> Model {
    Model::Ramp {
        from,
        to,
        over_ms,
        hold_ms,
        back_ms,
    }
}

pub fn daily(min: f64, mid: f64, max: f64, cycle_ms: u64) -> Model {
    Model::Daily {
        min,
        mid,
        max,
        cycle_ms,
        morning: 0.125,
        peak: 0.167,
        decline: 0.125,
        sustain: 0.167,
        evening: 0.167,
    }
}

pub fn steps(list: &[(f64, u64)]) -> Model {
    let step = |&(rate, for_ms): &(f64, u64)| Step { rate, for_ms };
    Model::Steps {
        steps: list.iter().map(step).collect(),
    }
}

pub fn replay(interval_ms: u64, rates: &[f64], repeat: bool) -> Model {
    Model::Replay {
        interval_ms,
        rates: rates.to_vec(),
        repeat,
    }
}

pub fn taken(mut schedule: Schedule, count: usize) -> Vec<Nanos> {
    let mut times = Vec::new();
    while times.len() < count {
        let Some(time) = schedule.peek() else { break };
        times.push(time);
        schedule.advance();
    }
    times
}

/// Who rounds the time between arrivals to whole milliseconds sends 10,000/s for 7,000/s with ten users.
#[test]
fn a_paced_run_has_exactly_the_arrivals_asked_for_at_the_exact_times() {
    for rate in [3_000_u64, 7_000, 20_000, 50_000] {
        for threads in [1, 2, 10, 64] {
            let model = Model::Constant { rate: rate as f64 };
            let curve = Arc::new(Curve::new(&model));
            let mut times = Vec::new();
            for thread in 0..threads {
                let schedule = Schedule::on(&curve, 0, thread, threads);
                let before = schedule.count_before(10 * SECOND);
                let mine = taken(schedule, before as usize);
                assert!(mine.last().is_some_and(|&time| time < 10 * SECOND));
                times.extend(mine);
            }
            times.sort_unstable();
            let exact = |n| n * SECOND / rate;
            assert_eq!(times, (0..rate * 10).map(exact).collect::<Vec<_>>());
        }
    }
}

#[test]
fn a_constant_rate_does_not_drift_in_thirty_days() {
    let days = 30 * 86_400 * SECOND;
    // As decimals: rate = digits / scale, and arrival n is due at n * 1e9 * scale / digits.
    for (rate, digits, scale) in [
        (1_000_000.0, 1_000_000_u128, 1_u128),
        (7_000.1, 70_001, 10),
        (999_999.9, 9_999_999, 10),
        (9_999_999.1, 99_999_991, 10),
        (0.000_011_574, 11_574, 1_000_000_000),
        (33.333_333_333, 33_333_333_333, 1_000_000_000),
    ] {
        let curve = Curve::new(&Model::Constant { rate });
        let all = (u128::from(days) * digits).div_ceil(scale * u128::from(SECOND)) as u64;
        assert_eq!(curve.count_before(days), all, "{rate}");
        assert_eq!(curve.rate(days).to_bits(), rate.to_bits());
        for n in [0, 1, all / 3, all - 1, all] {
            let exact = u128::from(n) * u128::from(SECOND) * scale / digits;
            assert_eq!(curve.due(n), Some(exact as u64), "{rate} {n}");
        }
    }
    let curve = Curve::new(&Model::Constant { rate: 1e6 });
    assert!((curve.arrivals(days) - 2.592e12).abs() < f64::EPSILON);
}

#[test]
fn a_ramp_has_the_area_of_its_trapezoid_and_goes_on_at_its_first_rate() {
    let model = ramp(100.0, 900.0, 10_000, 5_000, 4_000);
    assert!((model.arrivals(10 * SECOND) - 5_000.0).abs() < f64::EPSILON);
    assert!((model.arrivals(15 * SECOND) - 9_500.0).abs() < f64::EPSILON);
    assert!((model.arrivals(19 * SECOND) - 11_500.0).abs() < f64::EPSILON);
    assert!((model.arrivals(29 * SECOND) - 12_500.0).abs() < f64::EPSILON);
    let schedule = Schedule::new(&model, 0, 1);
    assert_eq!(schedule.count_before(19 * SECOND), 11_500);
    let times = taken(schedule, 12_500);
    assert!(times[11_499] < 19 * SECOND);
    assert_eq!(times[11_500], 19 * SECOND);
    assert_eq!(times[11_501], 19 * SECOND + SECOND / 100);
    for (at, rate) in [
        (0, 100.0),
        (5, 500.0),
        (12, 900.0),
        (17, 500.0),
        (40, 100.0),
    ] {
        assert!((model.rate(at * SECOND) - rate).abs() < 1e-9, "{at}");
    }
}

/// From 0 to `r` over `T` arrival n is due at `sqrt(2 * n * T / r)`: whole numbers here.
#[test]
fn a_ramp_from_nothing_is_due_at_square_roots() {
    let model = ramp(0.0, 200.0, 100_000, 0, 0);
    let times = taken(Schedule::new(&model, 0, 1), 10_000);
    for root in 0..100_usize {
        assert_eq!(times[root * root], root as u64 * SECOND);
    }
    assert_eq!(times.len(), 10_000);
    assert!(times[9_999] < 100 * SECOND);
    assert_eq!(model.due(10_000), None, "it ends at rate 0");
}

#[test]
fn a_day_has_the_area_of_its_parts_every_day() {
    let model = daily(10.0, 50.0, 100.0, DAY_MS);
    let day = DAY_MS as f64 / 1e3;
    let shares =
        0.125 * 55.0 + 0.167 * 100.0 + 0.125 * 75.0 + 0.167 * 50.0 + 0.167 * 30.0 + 0.249 * 10.0;
    let curve = Curve::new(&model);
    for days in [1_u64, 2, 30] {
        let arrivals = curve.arrivals(days * DAY_MS * 1_000_000);
        assert!((arrivals - day * shares * days as f64).abs() < 1e-6 * days as f64);
    }
    let share = |x: f64| (x * day * 1e9) as Nanos + 3 * DAY_MS * 1_000_000;
    for (x, rate) in [
        (0.0625, 55.0),
        (0.2, 100.0),
        (0.3545, 75.0),
        (0.5, 50.0),
        (0.6675, 30.0),
        (0.9, 10.0),
    ] {
        assert!((curve.rate(share(x)) - rate).abs() < 1e-6, "{x}");
    }
}

#[test]
fn steps_of_rate_0_take_no_time_and_the_last_rate_goes_on() {
    let model = steps(&[
        (0.0, 3_600_000),
        (2.0, 1_000),
        (0.0, 5_000),
        (0.0, 0),
        (4.0, 500),
    ]);
    let hour = 3_600 * SECOND;
    let times = taken(Schedule::new(&model, 0, 1), 6);
    let expected = [
        0,
        SECOND / 2,
        6 * SECOND,
        25 * SECOND / 4,
        13 * SECOND / 2,
        27 * SECOND / 4,
    ];
    assert_eq!(times, expected.map(|time| hour + time));
    assert_eq!(
        Schedule::new(&Model::Constant { rate: 0.0 }, 0, 1).peek(),
        None
    );
    assert_eq!(Schedule::new(&Model::Closed {}, 0, 1).peek(), None);
    assert_eq!(
        steps(&[(3.0, 2_000), (0.0, 0)]).due(5),
        Some(5 * SECOND / 3)
    );
    assert_eq!(steps(&[(3.0, 2_000), (0.0, 0)]).due(6), None);
}

#[test]
fn a_recording_ends_or_begins_again() {
    let rates = [3.0, 0.0, 1.0, 0.0];
    let once = taken(Schedule::new(&replay(1_000, &rates, false), 0, 1), 100);
    assert_eq!(once, [0, SECOND / 3, 2 * SECOND / 3, 2 * SECOND]);
    let again = taken(Schedule::new(&replay(1_000, &rates, true), 0, 1), 9);
    assert_eq!(again[..4], once);
    for (n, time) in again.iter().enumerate() {
        assert_eq!(*time, once[n % 4] + (n / 4) as u64 * 4 * SECOND);
    }
    assert_eq!(replay(1_000, &[0.0, 0.0], true).due(0), None);
    let slow = replay(1_000, &[0.001, 0.0], true);
    assert_eq!(
        taken(Schedule::new(&slow, 0, 1), 3),
        [0, 2_000 * SECOND, 4_000 * SECOND]
    );
}

#[test]
fn a_million_recorded_rates_are_shared_and_gaps_among_them_skipped() {
    let mut rates = vec![0.0; MOST_RATES];
    rates[MOST_RATES - 1] = 5_000.0;
    let model = replay(1, &rates, true);
    model.check().unwrap();
    let curve = Arc::new(Curve::new(&model));
    let times = taken(Schedule::on(&curve, 0, 1, 2), 6);
    let last = 999_999_000_000;
    let expected = [200_000, 600_000].map(|time| last + time);
    assert_eq!(times[..2], expected);
    assert_eq!(
        times[2..4],
        [last + 1_000 * SECOND, last + 1_000 * SECOND + 400_000]
    );
}

#[test]
fn a_schedule_may_begin_late() {
    let model = ramp(0.0, 50.0, 1_000, 100, 1_000);
    let now = taken(Schedule::new(&model, 1, 3), 15);
    let later = Schedule::begin_at(&model, 7 * SECOND, 1, 3);
    assert_eq!(later.count_before(7 * SECOND), 0);
    assert_eq!(
        later.count_before(8 * SECOND),
        Schedule::new(&model, 1, 3).count_before(SECOND)
    );
    let shifted: Vec<_> = now.iter().map(|time| time + 7 * SECOND).collect();
    assert_eq!(taken(later, 15), shifted);
}

#[test]
fn nothing_overflows_in_a_million_years() {
    let years = 31_536_000_000_000_000;
    let wild = [f64::NAN, -1.0, f64::INFINITY, 0.0, 1e-300, 1e300];
    let mut models = vec![
        Model::Constant { rate: 1e-9 },
        Model::Constant { rate: MOST_RATE },
        ramp(MOST_RATE, 0.0, LONGEST_MS, 0, 0),
        ramp(0.0, 1e-9, years, years, years),
        daily(0.0, 0.0, 1e-9, years),
        daily(MOST_RATE, MOST_RATE, MOST_RATE, 1),
        daily(f64::NAN, -1.0, f64::INFINITY, u64::MAX),
        steps(&[(1.0, years), (1e-9, years), (5.0, u64::MAX)]),
        replay(years, &[1e-9; 3], true),
        replay(0, &wild, true),
        replay(1, &wild, true),
    ];
    models.extend(wild.map(|rate| Model::Constant { rate }));
    for model in &models {
        let curve = Curve::new(model);
        for time in [0, 1, SECOND, u64::MAX / 2, u64::MAX - 1, u64::MAX] {
            assert!(curve.arrivals(time).is_finite() && curve.rate(time).is_finite());
            assert!(curve.count_before(time) <= curve.count_before(u64::MAX));
        }
        // `None` is later than any time.
        let later = |n| curve.due(n).unwrap_or(u64::MAX);
        let numbers = [0, 1, 1 << 40, u64::MAX - 1, u64::MAX];
        assert!(numbers.is_sorted_by_key(|&n| later(n)));
        assert_eq!(curve.due(u64::MAX), None);
        for start in [0, u64::MAX - 1, u64::MAX] {
            let schedule = Schedule::begin_at(model, start, u32::MAX, u32::MAX);
            taken(schedule, 100);
            taken(Schedule::begin_at(model, start, 0, 0), 100);
        }
    }
    assert_eq!(
        Model::Constant { rate: 1e-9 }.due(18),
        Some(18 * SECOND * SECOND)
    );
    assert_eq!(Model::Constant { rate: 1e-9 }.due(19), None);
}

/// Long slants with many threads, where the roots in `f64` go on for long without an exact one.
#[test]
fn a_long_slant_stays_exact() {
    for model in [
        ramp(0.0, 1e6, 3_600_000, 0, 0),
        ramp(1e6, 0.0, 3_600_000, 0, 0),
        ramp(1e4, 10_000.1, LONGEST_MS, 0, 0),
        ramp(5.0, 0.0, 10_000_000, 0, 0),
        daily(1e3, 5e5, 1e6, DAY_MS),
    ] {
        let curve = Arc::new(Curve::new(&model));
        let mut schedule = Schedule::on(&curve, 0, 3, 4);
        for n in 0..200_000 {
            if n % 7 == 0 || n > 199_900 {
                assert_eq!(schedule.peek(), curve.due(3 + n * 4), "{model:?} {n}");
            }
            schedule.advance();
        }
    }
    assert_eq!(ARRIVAL, u128::from(SECOND) * u128::from(SECOND));
}

/// Towards rate 0 the roots are as far apart as `f64` is worst at: the last arrivals of many ramps.
#[test]
fn a_ramp_to_nothing_stays_exact_to_its_last_arrival() {
    for seconds in 1..400 {
        let curve = Arc::new(Curve::new(&ramp(0.0, 1e6, 0, 0, seconds * 1_001)));
        let threads = curve.count_before(u64::MAX) as u32 / 20;
        for thread in [0, threads - 1] {
            let times = taken(Schedule::on(&curve, 0, thread, threads), 100);
            assert!((20..=21).contains(&times.len()));
            for (turn, &time) in times.iter().enumerate() {
                let number = u64::from(thread) + turn as u64 * u64::from(threads);
                assert_eq!(
                    Some(time),
                    curve.due(number),
                    "{seconds} s, arrival {number}"
                );
            }
        }
    }
}
