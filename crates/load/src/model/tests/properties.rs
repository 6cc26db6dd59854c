//! Laws that hold for every model, and what a step of a schedule costs.

use proptest::prelude::*;

use super::super::piece;
use super::*;

/// The integral times `2 * length`, multiplied out, so that nothing is divided.
fn doubled_area(piece: piece::Piece, time: Nanos) -> i128 {
    let [from, to, length, time] = [piece.from, piece.to, piece.length, time].map(i128::from);
    2 * length * from * time + (to - from) * time * time
}

fn some_rate() -> impl Strategy<Value = f64> {
    prop_oneof![
        Just(0.0),
        (0_u32..2_000).prop_map(f64::from),
        0.0..50_000.0,
        0.0..1e7_f64,
        0.0..0.1
    ]
}

fn some_model() -> impl Strategy<Value = Model> {
    let rate = some_rate;
    let ms = || prop_oneof![Just(0_u64), 1_u64..50, 1_u64..20_000, 1_u64..2_000_000_000];
    prop_oneof![
        rate().prop_map(|rate| Model::Constant { rate }),
        (rate(), rate(), ms(), ms(), ms()).prop_map(|(a, b, c, d, e)| ramp(a, b, c, d, e)),
        (rate(), rate(), rate(), 1_u64..20_000).prop_map(|(a, b, c, cycle)| {
            let mut rates = [a, b, c];
            rates.sort_by(f64::total_cmp);
            daily(rates[0], rates[1], rates[2], cycle)
        }),
        prop::collection::vec((rate(), ms()), 1..6).prop_map(|list| steps(&list)),
        (
            1_u64..3_000,
            prop::collection::vec(rate(), 1..200),
            any::<bool>()
        )
            .prop_map(|(interval, rates, repeat)| replay(interval, &rates, repeat)),
    ]
}

proptest! {
    #![proptest_config(crate::long::cases(200))]

    #[test]
    fn a_line_is_reached_where_its_area_is(from in 0_u64..100_000_000_000_000, to in 0_u64..100_000_000_000_000,
        half in 1_u64..20_000_000_000, share in 0.0..1.0_f64) {
        let line = piece::Piece { length: half * 2, from, to };
        prop_assume!(line.area() > 0);
        let need = ((line.area() as f64 * share) as u128).min(line.area() - 1);
        let time = line.reach(need);
        let doubled = need.cast_signed() * i128::from(line.length) * 2;
        prop_assert!(doubled_area(line, time) <= doubled);
        prop_assert!(doubled_area(line, time + 1) > doubled);
        prop_assert_eq!(line.area_before(line.length), line.area());
        let below = doubled_area(line, time).cast_unsigned();
        prop_assert_eq!(line.area_before(time), below.div_ceil(u128::from(line.length) * 2));
    }

    #[test]
    fn threads_share_the_arrivals_and_each_is_due_when_the_integral_says(model in some_model(), threads in 1_u32..6,
        from in prop_oneof![Just(0_u64), 0_u64..200_000], start in prop_oneof![Just(0_u64), 0_u64..SECOND * 99]) {
        model.check().unwrap();
        let curve = Arc::new(Curve::new(&model));
        let mut before = curve.due(from);
        for n in from..from + 300 {
            let Some(due) = curve.due(n) else {
                prop_assert_eq!(curve.due(n + 1), None);
                break;
            };
            prop_assert!(Some(due) >= before);
            before = Some(due);
            prop_assert!(curve.count_before(due) <= n && curve.count_before(due + 1) > n);
            prop_assert!(curve.arrivals(due) <= n as f64 + 1e-9 && curve.rate(due + 1) + curve.rate(due) >= 0.0);
            prop_assert!((model.arrivals(due + 1) - n as f64) <= curve.rate(due).max(curve.rate(due + 1)) + 1e-6);
        }
        let mut at_once = 0;
        let middle = curve.due(from + 100).unwrap_or(12_345_678_901);
        for thread in 0..threads {
            let schedule = Schedule::on(&curve, start, thread, threads);
            at_once += schedule.count_before(start + middle);
            let mut number = u64::from(thread);
            for time in taken(schedule, 1_000) {
                prop_assert_eq!(Some(time), curve.due(number).map(|due| due + start), "{}", number);
                number += u64::from(threads);
            }
        }
        prop_assert_eq!(at_once, curve.count_before(middle));
    }

    #[test]
    fn what_is_counted_on_the_way_is_what_was_taken(model in some_model(), threads in 1_u32..4) {
        let mut schedule = Schedule::new(&model, 0, threads);
        for taken in 0..500 {
            let Some(due) = schedule.peek() else { break };
            prop_assert!(schedule.count_before(due) <= taken);
            prop_assert!(schedule.count_before(due + 1) > taken);
            schedule.advance();
        }
    }
}

/// `cargo test --release -p chaffinch-load -- --ignored --nocapture takes_nanoseconds`
#[test]
#[ignore = "measures"]
fn peek_and_advance_takes_nanoseconds() {
    let million = Curve::new(&replay(
        1,
        &(0..1_000_000)
            .map(|n| f64::from(n % 700) * 1e3)
            .collect::<Vec<_>>(),
        true,
    ));
    let each = |model: &Model| Curve::new(model);
    for (name, curve) in [
        ("constant 7,000/s", each(&Model::Constant { rate: 7_000.0 })),
        ("constant 1,000,000/s", each(&Model::Constant { rate: 1e6 })),
        (
            "ramp up 0 to 1,000,000/s in an hour",
            each(&ramp(0.0, 1e6, 3_600_000, 0, 0)),
        ),
        (
            "ramp down 100,000/s to 0 in 200 s",
            each(&ramp(1e5, 0.0, 200_000, 0, 0)),
        ),
        (
            "daily 50,000/s, cycle of 1 minute",
            each(&daily(1e4, 3e4, 5e4, 60_000)),
        ),
        (
            "steps of 1 s at 50,000/s",
            each(&steps(&[(5e4, 1_000); 1_000])),
        ),
        (
            "rates of 1 ms, 5,000/s",
            each(&replay(1, &[5e3; 100], true)),
        ),
        (
            "rates of 1 ms, 1,000/s",
            each(&replay(1, &[1e3; 100], true)),
        ),
        ("rates of 1 ms, 100/s", each(&replay(1, &[1e2; 100], true))),
        ("a million rates of 1 ms, 350,000/s", million),
    ] {
        let mut schedule = Schedule::on(&Arc::new(curve), 0, 0, 1);
        let (begin, count) = (std::time::Instant::now(), 5_000_000_u32);
        let mut sum = 0_u64;
        for _ in 0..count {
            sum = sum.wrapping_add(schedule.peek().unwrap_or(0));
            schedule.advance();
        }
        let each = begin.elapsed().as_nanos() as f64 / f64::from(count);
        println!("{each:6.1} ns  {name} (sum {sum})");
    }
}
