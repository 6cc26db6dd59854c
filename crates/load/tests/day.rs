//! A short day under many labels: memory is flat and within its bound as the system sees it, percentiles are right, and
//! what the guard frees is gone. One test, because it looks at its own process. The long one is `examples/day.rs`.

use std::fs;

use chaffinch_load::record::{Budget, Collector, Label, ThreadRecord, Timing};

const LABELS: usize = 2500;
const SECOND: u64 = 1_000_000_000;
/// Enough for every label's latencies at full resolution in the run's sheet, and little more.
const BYTES: usize = 28 << 20;

#[test]
fn memory_is_flat_and_percentiles_are_right() {
    let before = resident();
    let grown = || resident().saturating_sub(before);
    let budget = Budget::new(BYTES, LABELS, 1, 60).expect("enough");
    let (mut collector, mut recordings) = Collector::new(budget, 1.0, SECOND, 1).expect("memory");
    let mut recording = recordings.remove(0);
    let labels: Vec<Label> = (0..LABELS)
        .map(|number| recording.label(&format!("checkout/step-{number:05}")))
        .collect();
    let mut interval = 0;
    let mut pass = |collector: &mut Collector, recording: &mut ThreadRecord| {
        second(recording, &labels, interval);
        interval += 1;
        recording.tick(0, 0);
        collector.collect();
        collector.close_interval(interval * SECOND);
        assert!(collector.memory_bytes() <= BYTES);
        grown()
    };
    // Every bucket of every label that this day touches has been touched after 30 seconds.
    for _ in 0..30 {
        pass(&mut collector, &mut recording);
    }
    let settled = pass(&mut collector, &mut recording);
    for _ in 0..20 {
        let now = pass(&mut collector, &mut recording);
        assert!(now < BYTES + (4 << 20), "{now} of {BYTES}");
        assert!(now.abs_diff(settled) < 2 << 20, "{now}, {settled} before");
    }

    let snapshot = collector.snapshot();
    assert_eq!((snapshot.labels.len(), snapshot.folded), (LABELS, 0));
    assert_eq!(snapshot.requests, 51 * 2 * LABELS as u64);
    let latencies = snapshot.latency_ms.uncorrected.expect("values");
    for (got, expected) in [
        (latencies.p50, 5.0),
        (latencies.p90, 9.0),
        (latencies.p99, 9.9),
    ] {
        assert!(
            (got - expected).abs() < expected * 0.002,
            "{got} for {expected}"
        );
    }
    for label in snapshot.labels.values() {
        let latencies = label.latency_ms.corrected.as_ref().expect("values");
        assert!((latencies.p50 - 5.0).abs() < 0.5, "{}", latencies.p50);
        assert!((latencies.p90 - 9.0).abs() < 0.5, "{}", latencies.p90);
        assert_eq!((label.requests, latencies.count), (102, 102));
    }

    let full = grown();
    collector.drop_intervals();
    assert!(collector.halve());
    pass(&mut collector, &mut recording);
    pass(&mut collector, &mut recording);
    let halved = pass(&mut collector, &mut recording);
    assert!(halved < full - (1 << 20), "{halved} of {full}");
    collector.percentiles_off();
    pass(&mut collector, &mut recording);
    pass(&mut collector, &mut recording);
    let off = pass(&mut collector, &mut recording);
    assert!(off < halved - (1 << 20), "{off} of {halved}");
}

/// Two requests of each label, with latencies that are even between 0 and 10 ms over a whole run.
fn second(recording: &mut ThreadRecord, labels: &[Label], second: u64) {
    for round in 0..2 {
        for (number, &label) in labels.iter().enumerate() {
            let drawn = (number as u64 * 7919 + (second * 2 + round) * 104_729) % 10_000;
            let sent = second * SECOND;
            recording.answered(
                label,
                &Timing {
                    intended: sent,
                    sent,
                    first_byte: sent,
                    ended: sent + drawn * 1000,
                    received: 1,
                    sent_bytes: 1,
                },
                200,
            );
            if recording.wants_tick() {
                recording.tick(0, 0);
            }
        }
    }
}

/// Bytes that this process holds in memory.
fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("a Linux system");
    let line = status.lines().find(|line| line.starts_with("RssAnon:"));
    let kib = line
        .and_then(|line| line.split_whitespace().nth(1))
        .expect("RssAnon");
    kib.parse::<usize>().expect("a number") << 10
}
