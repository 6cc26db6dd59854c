//! What loses resolution says so, stays exact at the resolution that it has, and gets it back.

mod support;

use std::collections::BTreeMap;

use chaffinch_histogram::{Bucket, FineHistogram, Histogram, Label, MAX_NS, OTHER, Recorder};
use support::Random;

const CAP: usize = 8 << 20;

type Values = BTreeMap<String, Vec<u64>>;

fn new() -> Recorder {
    Recorder::new(CAP, 64).expect("cap")
}

fn fill(recorder: &mut Recorder, values: &mut Values, random: &mut Random, many: u64) {
    for _ in 0..many {
        let name = format!("step {}", random.below(12));
        let ns = random.latency().min(MAX_NS);
        let label = recorder.label(&name);
        recorder.record(label, ns);
        values.entry(name).or_default().push(ns);
    }
}

/// Every bucket of every label counts the values between its bounds, and together they count all.
fn assert_exact(recorder: &Recorder, values: &Values) {
    for label in recorder.labels() {
        let values = &values[recorder.name(label)];
        assert_eq!(recorder.totals(label).count(), values.len() as u64);
        assert_eq!(counted(recorder, label), values.len() as u64);
        for Bucket { low, high, count } in recorder.spans(label) {
            let within = values.iter().filter(|&&ns| low <= ns && ns <= high);
            assert_eq!(within.count() as u64, count, "{low} to {high}");
            let width = (high - low + 1) * recorder.resolution_of(label) as u64;
            assert!(low < 128 || width <= low, "{low} to {high}");
        }
    }
}

fn counted(recorder: &Recorder, label: Label) -> u64 {
    recorder.spans(label).map(|bucket| bucket.count).sum()
}

#[test]
fn quantiles_are_within_the_error_of_each_resolution() {
    for (halvings, resolution) in [128, 64, 32, 16].into_iter().enumerate() {
        for before in [true, false] {
            let mut random = Random(halvings as u64);
            let (mut recorder, mut values) = (new(), Values::new());
            let halve = |recorder: &mut Recorder| {
                for _ in 0..halvings {
                    assert!(recorder.halve());
                }
            };
            if before {
                halve(&mut recorder);
            }
            fill(&mut recorder, &mut values, &mut random, 20_000);
            if !before {
                halve(&mut recorder);
            }
            assert_eq!(recorder.resolution(), resolution);
            assert_exact(&recorder, &values);
            for label in recorder.labels() {
                let sorted = values.get_mut(recorder.name(label)).expect("values");
                sorted.sort_unstable();
                for q in [0.0, 0.01, 0.5, 0.9, 0.99, 0.999, 1.0] {
                    let rank = ((q * sorted.len() as f64).ceil() as usize).max(1);
                    let (exact, got) = (sorted[rank - 1], recorder.quantile(label, q));
                    let error = exact.abs_diff(got) as f64;
                    // Below 128 ns a bucket is as wide as it is at 128 ns; the middle is off by half of it.
                    let most = exact.max(128) as f64 / resolution as f64 / 2.0;
                    assert!(error <= most * 1.01, "q {q}: {got} for {exact}");
                }
            }
        }
    }
}

#[test]
fn three_digits_are_within_one_in_a_thousand() {
    let mut random = Random(5);
    let mut fine = FineHistogram::new();
    let mut values: Vec<u64> = (0..50_000).map(|_| random.latency().min(MAX_NS)).collect();
    for &ns in &values {
        fine.record(ns);
    }
    values.sort_unstable();
    for rank in (1..=values.len()).step_by(97) {
        let got = fine.quantile((rank as f64 - 0.5) / values.len() as f64);
        let exact = values[rank - 1];
        assert!(
            exact.abs_diff(got) as f64 <= exact as f64 / 2000.0,
            "{got} for {exact}"
        );
    }
    assert!(
        fine.spans()
            .all(|bucket| bucket.high - bucket.low <= bucket.low / 1024)
    );
}

#[test]
fn the_latencies_of_a_day_of_overload_are_told_apart() {
    let mut fine = FineHistogram::new();
    let mut recorder = new();
    let label = recorder.label("a");
    let hour = 3_600_000_000_000.0;
    for n in 0..=1000_u64 {
        let ns = n * 86_400_000_000; // a backlog that grows to 24 hours
        fine.record(ns);
        recorder.record(label, ns);
    }
    for q in [0.5, 0.9, 0.99, 0.999] {
        let (fine, own) = (fine.quantile(q), recorder.quantile(label, q));
        let off = |ns: u64| (ns as f64 / hour / 24.0 - q).abs();
        assert!(off(fine) < 0.001 && off(own) < 0.004, "{fine} {own}");
    }
    assert_eq!(recorder.quantile(label, 1.0), 24 * 3_600_000_000_000);
}

#[test]
fn a_merge_across_resolutions_is_exact_at_the_lower_one() {
    for seed in 0..30 {
        let mut random = Random(seed);
        let (mut one, mut two, mut values) = (new(), new(), Values::new());
        fill(&mut one, &mut values, &mut random, 2000);
        for _ in 0..random.below(4) {
            one.halve();
        }
        fill(&mut one, &mut values, &mut random, 500);
        fill(&mut two, &mut values, &mut random, 2000);
        for _ in 0..random.below(4) {
            two.halve();
        }
        let bytes = two.to_bytes();
        let mut through = Recorder::from_bytes(&bytes, CAP, 64).expect("snapshot");
        assert_eq!(through.to_bytes(), bytes);
        assert_eq!(through.resolution(), two.resolution());
        through.merge_bytes(&one.to_bytes()).expect("snapshot");
        let expected = one.resolution().min(two.resolution());
        one.merge(&two);
        for merged in [&one, &through] {
            assert_exact(merged, &values);
            assert_eq!(merged.resolution(), expected);
        }
    }
}

#[test]
fn a_merge_of_halved_recorders_equals_one_that_was_halved() {
    for halvings in 1..4 {
        let (mut one, mut two, mut both) = (new(), new(), new());
        for _ in 0..halvings {
            one.halve();
            both.halve();
        }
        let (mut random, mut again) = (Random(9), Random(9));
        // As many as it takes for every octave of every label to be in both.
        fill(&mut one, &mut Values::new(), &mut random, 12_000);
        fill(&mut two, &mut Values::new(), &mut random, 12_000);
        fill(&mut both, &mut Values::new(), &mut again, 24_000);
        two.merge(&one);
        for label in two.labels() {
            let same = both.label(two.name(label));
            let held: Vec<_> = two.spans(label).collect();
            assert!(held == both.spans(same).collect::<Vec<_>>());
        }
    }
}

#[test]
fn resolution_goes_before_labels_do_and_the_coldest_lose_it_first() {
    let mut recorder = Recorder::new(300 << 10, 100).expect("cap");
    let labels: Vec<_> = (0..100).map(|n| recorder.label(&format!("{n}"))).collect();
    let mut random = Random(3);
    let mut values = Values::new();
    for round in 0..400 {
        for &label in &labels[..if round % 10 == 0 { 100 } else { 10 }] {
            let ns = random.latency().min(MAX_NS);
            recorder.record(label, ns);
            let name = recorder.name(label).to_owned();
            values.entry(name).or_default().push(ns);
            assert!(recorder.memory_bytes() <= recorder.cap_bytes());
        }
    }
    assert_eq!(recorder.folded_labels(), 0);
    assert!(recorder.resolution() < 128 && recorder.halvings() > 0);
    let resolutions = |labels: &[Label]| -> usize {
        let all = labels.iter().map(|&label| recorder.resolution_of(label));
        all.sum::<usize>() / labels.len()
    };
    assert!(resolutions(&labels[10..]) < resolutions(&labels[..10]));
    assert_exact(&recorder, &values);
}

#[test]
fn the_coldest_share_folds_and_is_counted() {
    let mut recorder = new();
    let mut all = Histogram::new();
    for n in 1..=40_u64 {
        let label = recorder.label(&format!("{n}"));
        for ns in 0..n * n {
            recorder.record(label, ns * 1000);
            all.record(ns * 1000);
        }
    }
    recorder.halve();
    assert_eq!(recorder.fold_coldest(0.25), 10);
    assert_eq!(recorder.folded_labels(), 10);
    assert_eq!(
        recorder.folded_records(),
        (1..=10).map(|n| n * n).sum::<u64>()
    );
    assert_eq!(recorder.labels().count(), 30);
    let named = (1..=40).map(|n| recorder.label(&format!("{n}")));
    let named: Vec<Label> = named.collect();
    let own = named.iter().filter(|&&label| recorder.has_own(label));
    assert_eq!((own.count(), recorder.has_own(OTHER)), (30, false));
    assert_eq!(recorder.resolution_of(OTHER), 64);
    let live: u64 = recorder
        .labels()
        .map(|label| recorder.totals(label).count())
        .sum();
    assert_eq!(live + recorder.totals(OTHER).count(), all.totals().count());
}

#[test]
fn percentiles_off_keeps_totals_and_restoring_counts_what_is_new() {
    let mut recorder = new();
    let label = recorder.label("a");
    let full = recorder.memory_bytes();
    for ns in 0..1000 {
        recorder.record(label, ns * 1000);
    }
    recorder.drop_counters();
    assert_eq!(recorder.memory_bytes(), full);
    recorder.record(label, 7_000_000);
    assert_eq!(
        (recorder.totals(label).count(), counted(&recorder, label)),
        (1001, 0)
    );
    assert_eq!(
        (recorder.quantile(label, 0.5), recorder.totals(label).max()),
        (0, 7_000_000)
    );
    assert!(!recorder.counts());

    let mut copy = Recorder::from_bytes(&recorder.to_bytes(), CAP, 64).expect("snapshot");
    assert_eq!(copy.totals(label), recorder.totals(label));
    recorder.halve();
    for recorder in [&mut recorder, &mut copy] {
        recorder.restore();
        for ns in 0..=100 {
            recorder.record(label, 2_000_000 + ns * 10_000);
        }
        assert_eq!(recorder.totals(label).count(), 1102);
        let median = recorder.quantile(label, 0.5);
        assert!(median.abs_diff(2_500_000) < 2_500_000 / 256 + 1, "{median}");
        assert_eq!(recorder.resolution(), 128);
    }
    recorder.reset();
    recorder.record(label, 7);
    assert_eq!(recorder.quantile(label, 0.5), 7);
}

#[test]
fn quantiles_of_a_part_of_the_values_are_within_that_part() {
    let mut recorder = new();
    let (one, other) = (recorder.label("one"), recorder.label("other"));
    recorder.record(one, 5);
    recorder.drop_counters();
    recorder.record(one, 900_000_000);
    recorder.record(other, 3);
    recorder.restore();
    recorder.record(one, 2_000_000);
    for q in [0.0, 0.5, 1.0] {
        let got = recorder.quantile(one, q);
        assert!(got.abs_diff(2_000_000) < 2_000_000 / 128, "{got}");
    }
    let counted = [one, other].map(|label| recorder.counted(label));
    assert_eq!((counted, recorder.quantile(other, 1.0)), ([1, 0], 0));
    let totals = recorder.totals(one);
    assert_eq!(
        (totals.count(), totals.min(), totals.max()),
        (3, 5, 900_000_000)
    );
}
