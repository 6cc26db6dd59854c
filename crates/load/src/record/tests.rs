//! Threads, ticks and the collector together: nothing is lost, and memory is what the budget says.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use chaffinch_histogram::OTHER_NAME;
use proptest::prelude::*;

use super::*;

const MS: u64 = 1_000_000;

fn run(bytes: usize, labels: usize, threads: usize) -> (Collector, Vec<ThreadRecord>) {
    let budget = Budget::new(bytes, labels, threads, 20).expect("enough");
    Collector::new(budget, 1.0, MS, 7).expect("memory")
}

fn one(bytes: usize, labels: usize) -> (Collector, ThreadRecord) {
    let (collector, mut recordings) = run(bytes, labels, 1);
    (collector, recordings.remove(0))
}

fn timing(intended: u64, sent: u64, ended: u64) -> Timing {
    Timing {
        intended,
        sent,
        first_byte: u64::midpoint(sent, ended),
        ended,
        received: 100,
        sent_bytes: 10,
    }
}

fn after(ms: u64) -> Timing {
    timing(0, 0, ms * MS)
}

fn near(got: f64, expected: f64, share: f64) -> bool {
    (got - expected).abs() <= expected * share
}

#[test]
fn threads_lose_nothing_whatever_their_ticks() {
    let (mut collector, recordings) = run(24 << 20, 200, 3);
    let mut snapshot = None;
    thread::scope(|scope| {
        for (number, mut recording) in recordings.into_iter().enumerate() {
            scope.spawn(move || {
                let common = recording.label("common");
                for n in 0..30_000_u64 {
                    let own = recording.label(&format!("thread {number}/{}", n % 20));
                    recording.answered(common, &timing(0, 5 * MS, (10 + n % 7) * MS), 200);
                    recording.answered(own, &timing(0, 5 * MS, 10 * MS), 404);
                    recording.error(own, Class::Status, 404);
                    if n % 3 == 0 {
                        recording.failed(own, Class::Reset, &Timing::default());
                    }
                    if n % 500 == 0 || recording.wants_tick() {
                        recording.tick(0, 1);
                    }
                }
                recording.finish();
            });
        }
        while snapshot.is_none() {
            if !collector.wait(Duration::from_millis(500)) {
                snapshot = Some(collector.snapshot());
            }
            collector.collect();
        }
    });
    collector.collect();
    let snapshot = collector.snapshot();
    assert_eq!(snapshot.requests, 3 * 70_000);
    assert_eq!(
        snapshot.errors,
        BTreeMap::from([("reset", 30_000), ("status", 90_000)])
    );
    let statuses = [("200".to_owned(), 90_000), ("404".to_owned(), 90_000)];
    assert_eq!(snapshot.statuses, BTreeMap::from(statuses));
    assert_eq!(
        snapshot.categories,
        BTreeMap::from([("client", 90_000), ("network", 30_000)])
    );
    assert_eq!(snapshot.bytes.received, 3 * 60_000 * 100);
    assert_eq!(
        (snapshot.labels.len(), snapshot.folded, snapshot.in_flight),
        (61, 0, 0)
    );
    assert_eq!(snapshot.labels["common"].requests, 90_000);
    let own = &snapshot.labels["thread 2/7"];
    assert_eq!(
        (own.requests, own.errors["status"], own.errors["reset"]),
        (2000, 1500, 500)
    );
    let latencies = own.latency_ms.uncorrected.as_ref().expect("values");
    assert_eq!(latencies.count, 1500);
    assert!(near(latencies.p50, 5.0, 0.004));
}

#[test]
fn corrected_and_uncorrected_are_told_apart_and_precise() {
    let (mut collector, mut recording) = one(16 << 20, 10);
    let label = recording.label("a");
    for n in 1..=100_000_u64 {
        // It should have begun a second before it did.
        recording.answered(
            label,
            &timing(n, n + 1000 * MS, n + 1000 * MS + n * 10_000),
            200,
        );
    }
    recording.tick(0, 3);
    collector.collect();
    let snapshot = collector.snapshot();
    let Both {
        corrected: Some(corrected),
        uncorrected: Some(uncorrected),
    } = &snapshot.latency_ms
    else {
        panic!("no latencies");
    };
    for (got, expected) in [
        (uncorrected.p50, 500.0),
        (uncorrected.p90, 900.0),
        (uncorrected.p99, 990.0),
        (uncorrected.p999, 999.0),
        (corrected.p50, 1500.0),
        (corrected.p95, 1950.0),
        (corrected.p999, 1999.0),
    ] {
        assert!(near(got, expected, 0.0006), "{got} for {expected}");
    }
    assert!(near(corrected.max, 2000.0, 1e-9) && near(uncorrected.mean, 500.005, 1e-9));
    let own = snapshot.labels["a"]
        .latency_ms
        .corrected
        .as_ref()
        .expect("values");
    assert!(near(own.p99, 1990.0, 0.004));
    assert_eq!(snapshot.in_flight, 3);
    let first_byte = snapshot.phases_ms["first_byte"].as_ref().expect("values");
    assert!(near(first_byte.p50, 250.0, 0.004));
    assert_eq!(snapshot.phases_ms["tls"], None);
}

#[test]
fn labels_beyond_the_bound_are_counted_together_and_memory_holds() {
    let bytes = Budget::least_bytes(100, 1, 20) + 100_000;
    let (mut collector, mut recording) = one(bytes, 100);
    for n in 0..20_000_u64 {
        // Names so long that their room is used up before the labels are.
        let label = recording.label(&format!("/{:0>90}", n % 5000));
        recording.answered(
            label,
            &timing(0, 0, (n * n * 977) % (1 << 36)),
            200 + (n % 300) as u16,
        );
        if n % 100 == 0 {
            recording.tick(0, 0);
            collector.collect();
            assert!(collector.memory_bytes() <= bytes);
        }
    }
    recording.finish();
    collector.collect();
    let snapshot = collector.snapshot();
    let own = snapshot.labels.len() as u64 - 1;
    assert!((60..=100).contains(&own), "{own}");
    assert_eq!(snapshot.folded, 20_000 - 4 * own);
    assert!(
        (4700..5300).contains(&snapshot.folded_labels),
        "{}",
        snapshot.folded_labels
    );
    let sum: u64 = snapshot.labels.values().map(|label| label.requests).sum();
    assert_eq!((sum, snapshot.requests), (20_000, 20_000));
    for label in snapshot.labels.values() {
        assert_eq!(label.statuses.values().sum::<u64>(), label.requests);
    }
    assert_eq!(snapshot.statuses.len(), 300);
    assert!(snapshot.histograms.bytes <= snapshot.histograms.cap_bytes);
}

#[test]
fn a_sheet_that_fills_up_asks_for_an_early_tick_and_resolution_is_kept() {
    let bytes = Budget::least_bytes(300, 1, 0) + 8 * 100_000;
    let budget = Budget::new(bytes, 300, 1, 0).expect("enough");
    let (mut collector, mut recordings) = Collector::new(budget, 1.0, MS, 7).expect("memory");
    let mut recording = recordings.remove(0);
    let labels: Vec<_> = (0..300).map(|n| recording.label(&format!("{n}"))).collect();
    let mut early = 0;
    for n in 0..60_000_u64 {
        let label = labels[(n / 5 * 7 % 300) as usize];
        recording.answered(label, &timing(0, 0, 1 << (20 + n % 5)), 200);
        if recording.wants_tick() {
            early += 1;
            assert!(recording.tick(0, 0));
            collector.collect();
        }
    }
    recording.finish();
    collector.collect();
    let snapshot = collector.snapshot();
    assert!(early > 0);
    assert_eq!(
        (snapshot.requests, snapshot.histograms.resolution),
        (60_000, 128)
    );
}

#[test]
fn a_late_collector_costs_resolution_and_no_count() {
    let (mut collector, mut recording) = one(Budget::least_bytes(200, 1, 20), 200);
    let labels: Vec<_> = (0..200).map(|n| recording.label(&format!("{n}"))).collect();
    let mut refused = 0;
    for n in 0..80_000_u64 {
        let label = labels[(n * 7 % 200) as usize];
        recording.answered(label, &timing(0, 0, (n * n * 31) % (1 << 34)), 200);
        if n % 1000 == 0 {
            refused += u32::from(!recording.tick(0, 0));
        }
    }
    recording.finish();
    assert!(collector.wait(Duration::ZERO));
    collector.collect();
    let snapshot = collector.snapshot();
    assert_eq!((refused, snapshot.requests), (79, 80_000));
    assert!(snapshot.histograms.resolution < 128 && snapshot.histograms.halvings > 0);
    let own = snapshot
        .labels
        .iter()
        .filter(|(name, _)| *name != OTHER_NAME);
    assert_eq!(own.clone().count(), 200);
    assert!(own.clone().all(|(_, label)| label.requests == 400));
    let latencies = snapshot
        .labels
        .values()
        .filter_map(|label| label.latency_ms.corrected.as_ref());
    assert!(latencies.map(|latencies| latencies.count).sum::<u64>() <= 80_000);
}

#[test]
fn what_the_guard_does_frees_memory_shows_and_is_undone() {
    let (mut collector, mut recording) = one(64 << 20, 2000);
    let labels: Vec<_> = (0..2000)
        .map(|n| recording.label(&format!("{n}")))
        .collect();
    let second = |collector: &mut Collector, recording: &mut ThreadRecord| {
        for (number, &label) in labels.iter().enumerate() {
            for octave in 14..30 {
                recording.answered(label, &timing(0, 0, (1 << octave) + number as u64), 200);
            }
        }
        recording.tick(0, 0);
        collector.collect();
        collector.close_interval(MS);
    };
    second(&mut collector, &mut recording);
    let full = collector.memory_bytes();
    collector.drop_intervals();
    assert!(collector.memory_bytes() < full);
    assert_eq!(collector.intervals().count(), 0);
    assert!(!recording.wants_tick());

    assert!(collector.halve());
    assert!(recording.wants_tick(), "the thread is asked to tick");
    let halved = collector.memory_bytes();
    assert!(halved < full - 2_000_000, "{halved} of {full}");
    second(&mut collector, &mut recording);
    second(&mut collector, &mut recording);
    assert!(!recording.wants_tick());
    let view = collector.summary().histograms;
    assert_eq!(
        (view.resolution, view.intervals, view.percentiles),
        (64, 0, true)
    );
    assert!(view.intervals_dropped >= 3 && view.halvings > 0);

    assert_eq!(collector.fold_cold(0.5), 1000);
    assert!(collector.memory_bytes() < halved);
    assert!(collector.summary().histograms.folded_records > 0);

    collector.percentiles_off();
    second(&mut collector, &mut recording);
    second(&mut collector, &mut recording);
    let off = collector.snapshot();
    assert!(!off.histograms.percentiles && off.histograms.bytes < halved - 1_000_000);
    assert!(
        off.labels
            .values()
            .all(|label| label.latency_ms.corrected.is_none())
    );
    assert!(
        off.latency_ms.corrected.is_some(),
        "that of everything stays"
    );
    assert_eq!(off.labels["7"].requests, 5 * 16);

    collector.restore();
    second(&mut collector, &mut recording);
    second(&mut collector, &mut recording);
    second(&mut collector, &mut recording);
    let again = collector.snapshot();
    assert!(again.histograms.percentiles && again.histograms.intervals > 0);
    let own = |(name, label): (&String, &LabelSnapshot)| {
        name != OTHER_NAME && label.latency_ms.corrected.is_some()
    };
    assert_eq!(again.labels.iter().filter(|&one| own(one)).count(), 1000);
    let others = &again.labels[OTHER_NAME].latency_ms.corrected;
    // Both of the thread's sheets were still as they were wanted before.
    assert_eq!(others.as_ref().expect("values").count, 1000 * 16);
    assert_eq!(again.requests, 8 * 2000 * 16);
}

#[test]
fn a_label_that_was_folded_has_no_latencies_and_those_of_all_others_show() {
    let (mut collector, mut recording) = one(16 << 20, 10);
    let (hot, cold) = (recording.label("hot"), recording.label("cold"));
    let fill = |recording: &mut ThreadRecord| {
        for _ in 0..100 {
            recording.answered(hot, &after(1), 200);
        }
        recording.answered(cold, &after(200), 404);
        recording.tick(0, 0);
    };
    fill(&mut recording);
    collector.collect();
    assert!(!collector.snapshot().labels.contains_key(OTHER_NAME));
    assert_eq!(collector.fold_cold(0.5), 1);
    fill(&mut recording);
    collector.collect();
    let labels = collector.snapshot().labels;
    let none = Both {
        corrected: None,
        uncorrected: None,
    };
    let cold = &labels["cold"];
    assert_eq!((cold.requests, cold.statuses["404"]), (2, 2));
    assert_eq!(cold.latency_ms, none);
    let p50 = |name: &str| {
        let found = &labels[name].latency_ms;
        let one = found.uncorrected.as_ref().expect("values");
        assert!(found.corrected.is_some());
        (one.count, one.p50)
    };
    assert_eq!((p50("hot"), p50(OTHER_NAME)), ((200, 1.0), (2, 200.0)));
    assert_eq!(labels[OTHER_NAME].requests, 0);
}

#[test]
fn after_percentiles_were_off_they_are_of_what_was_counted_since() {
    let (mut collector, mut recording) = one(16 << 20, 10);
    let (quiet, label) = (recording.label("quiet"), recording.label("a"));
    let tick = |collector: &mut Collector, recording: &mut ThreadRecord| {
        for _ in 0..3 {
            recording.tick(0, 0); // until both sheets of the thread are as the collector wants them
            collector.collect();
        }
    };
    for _ in 0..10 {
        recording.answered(quiet, &after(20), 200);
        recording.answered(label, &after(20), 200);
    }
    collector.percentiles_off();
    tick(&mut collector, &mut recording);
    recording.answered(label, &after(900), 200);
    tick(&mut collector, &mut recording);
    collector.restore();
    tick(&mut collector, &mut recording);
    assert!(
        collector
            .snapshot()
            .labels
            .values()
            .all(|label| label.latency_ms.corrected.is_none())
    );
    for ms in 1..=3 {
        recording.answered(label, &after(ms), 200);
    }
    recording.answered(quiet, &Timing::default(), 200);
    tick(&mut collector, &mut recording);
    let labels = collector.snapshot().labels;
    let found = |name: &str| labels[name].latency_ms.corrected.clone().expect("values");
    let one = found("a");
    assert_eq!(one.count, 3);
    assert!(near(one.p50, 2.0, 0.004) && near(one.p999, 3.0, 0.008));
    assert!(near(one.max, 900.0, 1e-9));
    let none = found("quiet");
    assert_eq!((none.count, none.p50, none.p999), (1, 0.0, 0.0)); // it took no time, and that counts
}

#[test]
fn sampling_takes_its_share_of_latencies_and_all_counts() {
    let budget = Budget::new(16 << 20, 10, 1, 20).expect("enough");
    let (mut collector, mut recordings) = Collector::new(budget, 0.1, MS, 3).expect("memory");
    let mut recording = recordings.remove(0);
    let label = recording.label("a");
    for n in 0..100_000 {
        recording.answered(label, &after(1 + n % 100), 200);
    }
    recording.tick(0, 0);
    collector.collect();
    let snapshot = collector.snapshot();
    let label = &snapshot.labels["a"];
    let sampled = label.latency_ms.corrected.as_ref().expect("values");
    assert_eq!((label.requests, snapshot.requests), (100_000, 100_000));
    assert!(
        (9_500..10_500).contains(&sampled.count),
        "{}",
        sampled.count
    );
    assert!(near(sampled.p50, 50.0, 0.06), "{}", sampled.p50);
    let all = snapshot.latency_ms.corrected.as_ref().expect("values");
    assert!(all.count == 100_000 && near(all.p50, 50.0, 0.001));
}

#[test]
fn what_failed_counts_and_only_timeouts_have_latencies() {
    let (mut collector, mut recording) = one(16 << 20, 10);
    let (label, scenario) = (recording.label("a"), recording.label("scenario"));
    recording.failed(label, Class::Timeout, &timing(0, 0, 30_000 * MS));
    recording.failed(label, Class::Connect, &timing(0, 0, MS));
    recording.failed(label, Class::Template, &timing(0, 0, 0));
    recording.iteration(scenario, 3 * MS);
    recording.connected(MS);
    recording.secured(MS);
    recording.cached(label);
    recording.held(label, 3);
    recording.finish();
    collector.collect();
    let snapshot = collector.snapshot();
    let latencies = snapshot.latency_ms.corrected.as_ref().expect("values");
    assert_eq!(
        (snapshot.requests, snapshot.iterations, latencies.count),
        (3, 1, 1)
    );
    assert!(near(latencies.max, 30_000.0, 1e-9));
    assert_eq!(snapshot.errors.values().sum::<u64>(), 3);
    assert!(snapshot.statuses.is_empty());
    assert_eq!(snapshot.labels["scenario"].iterations, 1);
    assert_eq!(
        (snapshot.cached, snapshot.labels["a"].assertions_held),
        (1, 3)
    );
    assert!(snapshot.phases_ms["connect"].is_some() && snapshot.phases_ms["iteration"].is_some());
}

#[test]
fn categories_are_of_requests_that_failed_each_in_one() {
    let (mut collector, mut recording) = one(16 << 20, 10);
    let label = recording.label("a");
    let mut answered = |status, class| {
        recording.answered(label, &after(5), status);
        if let Some(class) = class {
            recording.error(label, class, status);
        }
    };
    answered(404, None); // it was asserted
    answered(404, Some(Class::Status));
    answered(404, Some(Class::Assertion));
    answered(503, Some(Class::Extraction));
    answered(200, Some(Class::Assertion));
    recording.failed(label, Class::Reset, &after(1));
    recording.finish();
    collector.collect();
    let snapshot = collector.snapshot();
    assert_eq!(
        snapshot.categories,
        BTreeMap::from([("client", 2), ("server", 1), ("network", 1), ("other", 1)])
    );
    assert_eq!(snapshot.errors.values().sum::<u64>(), 5);
}

#[test]
fn intervals_are_a_ring_of_rates_and_percentiles() {
    let (mut collector, mut recording) = one(16 << 20, 10);
    let label = recording.label("a");
    for second in 0..30_u64 {
        for n in 0..=second {
            recording.answered(label, &timing(0, n, n + (second + 1) * MS), 503);
            recording.error(label, Class::Status, 503);
        }
        recording.tick(0, second as u32);
        collector.collect();
        let closed = collector.close_interval((second + 1) * 1000 * MS);
        assert_eq!(Some(&closed), collector.intervals().next_back());
    }
    let kept: Vec<_> = collector.intervals().collect();
    assert_eq!(
        (kept.len(), collector.summary().histograms.intervals_dropped),
        (20, 10)
    );
    let last = kept[19];
    assert_eq!(
        (last.requests, last.statuses[4], last.in_flight),
        (30, 30, 29)
    );
    assert!(near(last.uncorrected.p50, 30.0, 0.0006));
    assert_eq!(last.failures(), BTreeMap::from([("status", 30)]));
    assert!(near(kept[0].uncorrected.p99, 11.0, 0.0006));
    let empty = collector.close_interval(31_000 * MS);
    assert_eq!((empty.requests, empty.latencies().corrected), (0, None));
}

#[test]
fn the_json_has_the_names_that_reports_promise() {
    let (mut collector, mut recording) = one(16 << 20, 10);
    let label = recording.label("shop/cart");
    recording.answered(label, &after(5), 200);
    recording.error(label, Class::Assertion, 200);
    recording.finish();
    collector.collect();
    let json = serde_json::to_value(collector.snapshot()).expect("JSON");
    for pointer in [
        "/requests",
        "/errors/assertion",
        "/latency_ms/corrected/p50",
        "/latency_ms/corrected/p90",
        "/latency_ms/corrected/p95",
        "/latency_ms/corrected/p99",
        "/latency_ms/corrected/p999",
        "/latency_ms/uncorrected/max",
        "/latency_ms/uncorrected/mean",
        "/labels/shop~1cart/latency_ms/corrected/p99",
        "/labels/shop~1cart/statuses/200",
        "/folded",
        "/statuses/200",
        "/bytes/in",
        "/histograms/bytes",
        "/histograms/halvings",
    ] {
        assert!(
            json.pointer(pointer).is_some_and(|value| !value.is_null()),
            "{pointer}"
        );
    }
    assert_eq!(json["latency_ms"]["corrected"]["p99"], 5.0);
}

proptest! {
    #![proptest_config(crate::long::cases(40))]

    /// Whatever is recorded under whatever ticks: counts are exact, and percentiles those of a sorted list.
    #[test]
    fn any_order_of_records_and_ticks_adds_up(
        steps in prop::collection::vec((0_u8..12, 0_u64..1 << 36, 100_u16..600), 1..600),
        sheets in 1_usize..3,
    ) {
        let bytes = Budget::least_bytes(5, sheets, 4) + 400_000;
        let (mut collector, mut recordings) = run_with(bytes, 5, sheets);
        let mut values: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        for (number, &(what, ns, status)) in steps.iter().enumerate() {
            let recording = &mut recordings[number % sheets];
            match what {
                0 => { recording.tick(0, 0); }
                1 => { collector.collect(); }
                _ => {
                    let name = format!("{}", what % 8);
                    let label = recording.label(&name);
                    recording.answered(label, &timing(0, ns / 2, ns), status);
                    values.entry(name).or_default().push(ns);
                }
            }
        }
        for recording in recordings {
            recording.finish();
        }
        collector.collect();
        let snapshot = collector.snapshot();
        let all: usize = values.values().map(Vec::len).sum();
        prop_assert_eq!(snapshot.requests as usize, all);
        let mut counted = 0;
        for (name, label) in &snapshot.labels {
            counted += label.requests as usize;
            let Some(values) = values.get_mut(name) else { continue };
            values.sort_unstable();
            if label.requests as usize == values.len() {
                let p50 = label.latency_ms.corrected.as_ref().expect("values").p50 * 1e6;
                let exact = values[(values.len().div_ceil(2)) - 1] as f64;
                let error = exact / label.resolution as f64 / 2.0 + 1.0;
                prop_assert!((p50 - exact).abs() <= error, "{} for {}", p50, exact);
            }
        }
        prop_assert_eq!(counted, all);
        prop_assert!(collector.memory_bytes() <= bytes);
    }
}

fn run_with(bytes: usize, labels: usize, threads: usize) -> (Collector, Vec<ThreadRecord>) {
    let budget = Budget::new(bytes, labels, threads, 4).expect("enough");
    Collector::new(budget, 1.0, MS, 1).expect("memory")
}
