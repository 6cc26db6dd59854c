//! Properties of the recorder, against a sorted list of the same values.

mod support;

use chaffinch_histogram::{
    Error, Histogram, MAX_NS, OTHER, OTHER_NAME, Recorder, bounds, bucket_of,
};
use support::Random;

const CAP: usize = 8 << 20;

type Content = (String, Vec<(usize, u64)>, String);

/// What a recorder holds, label by label, whatever the order of its labels and the widths of its counters.
fn content(recorder: &Recorder) -> Vec<Content> {
    let mut all: Vec<_> = recorder
        .labels()
        .chain([OTHER])
        .map(|label| {
            let totals = format!("{:?}", recorder.totals(label));
            (
                recorder.name(label).to_owned(),
                recorder.buckets(label).collect(),
                totals,
            )
        })
        .collect();
    all.sort();
    all
}

#[test]
fn quantiles_are_within_the_width_of_their_bucket() {
    for seed in 0..60 {
        let mut random = Random(seed);
        let mut recorder = Recorder::new(CAP, 4).expect("cap");
        let label = recorder.label("GET /");
        let mut values: Vec<u64> = (0..=random.below(5000))
            .map(|_| random.latency().min(MAX_NS))
            .collect();
        for &ns in &values {
            recorder.record(label, ns);
        }
        values.sort_unstable();
        for q in [
            0.0,
            0.001,
            0.1,
            0.25,
            0.5,
            0.9,
            0.95,
            0.99,
            0.999,
            1.0,
            random.below(1000) as f64 / 1000.0,
        ] {
            let rank = ((q * values.len() as f64).ceil() as usize).max(1);
            let (exact, got) = (values[rank - 1], recorder.quantile(label, q));
            let (low, high) = bounds(bucket_of(exact));
            assert!(
                low <= got && got <= high,
                "seed {seed}, q {q}: {got} for {exact}"
            );
            assert!(
                exact.abs_diff(got) as f64 <= exact as f64 * 0.0079,
                "seed {seed}, q {q}: {got} for {exact}"
            );
        }
        let totals = recorder.totals(label);
        assert_eq!(totals.count(), values.len() as u64);
        assert_eq!(totals.sum(), values.iter().map(|&ns| u128::from(ns)).sum());
        assert_eq!(
            (Some(&totals.min()), Some(&totals.max())),
            (values.first(), values.last())
        );
    }
}

#[test]
fn a_merge_equals_recording_everything_in_one() {
    for seed in 0..40 {
        let mut random = Random(seed);
        let new = || Recorder::new(CAP, 64).expect("cap");
        let (mut one, mut two, mut both) = (new(), new(), new());
        for _ in 0..4000 {
            let name = format!("step {}", random.below(30));
            let (ns, times) = (random.latency(), random.below(500) as u32);
            let part = if random.below(2) == 0 {
                &mut one
            } else {
                &mut two
            };
            for recorder in [part, &mut both] {
                let label = recorder.label(&name);
                recorder.record_many(label, ns, times);
            }
        }
        let bytes = two.to_bytes();
        let mut through_bytes = Recorder::from_bytes(&bytes, CAP, 64).expect("snapshot");
        assert_eq!(through_bytes.to_bytes(), bytes);
        through_bytes
            .merge_bytes(&one.to_bytes())
            .expect("snapshot");
        one.merge(&two);
        assert_eq!(content(&one), content(&both), "seed {seed}");
        assert_eq!(content(&through_bytes), content(&both), "seed {seed}");
    }
}

#[test]
fn counters_are_promoted_without_losing_a_count_or_a_byte() {
    let mut recorder = Recorder::new(CAP, 64).expect("cap");
    let mut expected = Histogram::new();
    let label = recorder.label("hot");
    for step in [1_u32, 254, 1, 65_000, 1000, 4_000_000_000, 4_000_000_000] {
        for ns in [5, 130, 4_000_000] {
            recorder.record_many(label, ns, step);
        }
    }
    assert_eq!((recorder.resolution(), recorder.halvings()), (128, 0));
    for ns in [5, 130, 4_000_000] {
        expected.record(ns);
    }
    let held: Vec<_> = recorder.buckets(label).collect();
    let sum = 1 + 254 + 1 + 65_000 + 1000 + 8_000_000_000;
    assert_eq!(
        held,
        expected
            .buckets()
            .map(|(bucket, _)| (bucket, sum))
            .collect::<Vec<_>>()
    );
    let pages = recorder.memory_bytes();
    for _ in 0..20 {
        // The narrower blocks that were given back serve further labels before the arena grows.
        recorder.fold(label);
        let label = recorder.label("next");
        recorder.record(label, 5);
        recorder.fold(label);
    }
    assert!(recorder.memory_bytes() <= pages + 300);
}

#[test]
fn the_cap_holds_and_nothing_is_lost_when_it_is_reached() {
    for seed in 0..20 {
        let mut random = Random(seed);
        let mut recorder = Recorder::new(160 << 10, 300).expect("cap");
        let mut all = Histogram::new();
        for n in 0..60_000_u64 {
            let name = format!("/item/{}", random.below(1 + n / 60));
            let (label, ns) = (recorder.label(&name), random.latency());
            recorder.record(label, ns);
            all.record(ns);
            assert!(recorder.memory_bytes() <= recorder.cap_bytes());
        }
        let mut seen = recorder.totals(OTHER).count();
        let mut buckets: Vec<_> = recorder.buckets(OTHER).collect();
        for label in recorder.labels() {
            let counters: Vec<_> = recorder.buckets(label).collect();
            assert_eq!(
                counters.iter().map(|&(_, count)| count).sum::<u64>(),
                recorder.totals(label).count()
            );
            seen += recorder.totals(label).count();
            buckets.extend(counters);
        }
        assert_eq!(seen, 60_000);
        // At the lowest resolution, which some labels have and some have not.
        let lowest = |buckets: Vec<(usize, u64)>| {
            let mut summed = std::collections::BTreeMap::new();
            for (bucket, count) in buckets {
                *summed.entry(bucket / 8).or_insert(0) += count;
            }
            summed
        };
        assert!(lowest(buckets) == lowest(all.buckets().collect()));
        assert_eq!(recorder.resolution(), 16);
        assert_eq!(recorder.folded_records(), recorder.totals(OTHER).count());
        assert!(
            recorder.labels().count() > 0,
            "the labels with the most values stay"
        );
        let folded = recorder.folded_labels() + recorder.labels().count() as u64;
        assert!(
            (850..1150).contains(&folded),
            "{folded} labels of about 1000"
        );
    }
}

#[test]
fn the_label_set_is_bounded() {
    let mut recorder = Recorder::new(CAP, 3).expect("cap");
    let labels: Vec<_> = ["a", "b", "c", "d", "a", OTHER_NAME]
        .map(|name| recorder.label(name))
        .to_vec();
    assert_eq!(labels[3], OTHER);
    assert_eq!(labels[4], labels[0]);
    assert_eq!(labels[5], OTHER);
    for label in labels {
        recorder.record(label, 1000);
    }
    assert_eq!(recorder.folded_labels(), 1);
    assert_eq!(recorder.folded_records(), 2);
    assert_eq!(recorder.totals(labels_of(&recorder)[0]).count(), 2);
}

fn labels_of(recorder: &Recorder) -> Vec<chaffinch_histogram::Label> {
    recorder.labels().collect()
}

#[test]
fn reset_gives_memory_back_and_keeps_the_labels() {
    let mut recorder = Recorder::new(CAP, 100).expect("cap");
    let empty = recorder.memory_bytes();
    let label = recorder.label("a");
    recorder.label("b");
    let named = recorder.memory_bytes();
    for octave in 0..47 {
        recorder.record(label, 1 << octave);
    }
    recorder.fold(label);
    recorder.reset();
    assert_eq!(recorder.memory_bytes(), named);
    assert_eq!(recorder.label("a"), label);
    assert_eq!(
        (
            recorder.folded_records(),
            recorder.folded_labels(),
            labels_of(&recorder).len()
        ),
        (0, 0, 0)
    );
    recorder.record(label, 7);
    assert_eq!(recorder.totals(label).count(), 1);
    recorder.clear();
    assert_eq!(recorder.memory_bytes(), empty);
    recorder.record(label, 7);
    assert_eq!(
        (recorder.totals(OTHER).count(), recorder.folded_records()),
        (1, 1)
    );
}

#[test]
fn limits_that_hold_nothing_are_refused() {
    assert!(matches!(
        Recorder::new(1000, 10),
        Err(Error::CapTooSmall { cap: 1000, .. })
    ));
    assert!(matches!(
        Recorder::new(usize::MAX, 1 << 25),
        Err(Error::TooManyLabels { .. })
    ));
    assert!(matches!(
        Recorder::new(usize::MAX, 10),
        Err(Error::CapTooLarge { .. })
    ));
    assert!(matches!(
        Recorder::new(1 << 62, 10),
        Err(Error::CapTooLarge { .. })
    ));
}
