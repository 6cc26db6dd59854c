//! What the system sees: memory stays below the cap, and what is given back is gone. One test, because it looks at its
//! own process.

use std::fs;

use chaffinch_histogram::{Label, Recorder};

const LABELS: usize = 2500;
const CAP: usize = 20 << 20;

#[test]
fn memory_is_taken_within_the_cap_and_given_back() {
    let before = resident();
    let grown = || resident().saturating_sub(before);
    let mut recorder = Recorder::new(CAP, LABELS).expect("cap");
    assert!(grown() < 2 << 20, "an empty recorder takes {}", grown());
    let labels: Vec<Label> = (0..LABELS)
        .map(|n| recorder.label(&format!("checkout/step-{n:05}")))
        .collect();
    let fill = |recorder: &mut Recorder| {
        for &label in &labels {
            for octave in 10..36 {
                recorder.record_many(label, 1 << octave, 70_000);
            }
        }
    };
    fill(&mut recorder);
    let at_most = recorder.memory_bytes();
    assert!(at_most > CAP * 9 / 10 && at_most <= CAP);
    assert_eq!(recorder.folded_labels(), 0);
    // What the process holds besides (the labels above, stacks, code) is within a mebibyte.
    assert!(grown() < CAP + (1 << 20), "{} of {CAP}", grown());
    assert!(grown() > at_most - (2 << 20), "{} of {at_most}", grown());

    while recorder.halve() {
        assert!(near(grown(), &recorder), "{} after halving", grown());
    }
    assert!(recorder.memory_bytes() < at_most / 2);
    let halved = recorder.memory_bytes();
    assert_eq!(recorder.fold_coldest(0.9), LABELS * 9 / 10);
    assert!(recorder.memory_bytes() < halved / 2);
    assert!(near(grown(), &recorder), "{} after folding", grown());
    recorder.drop_counters();
    assert!(near(grown(), &recorder), "{} after dropping", grown());
    assert!(recorder.memory_bytes() < 3 << 20);

    for _ in 0..2 {
        recorder.restore();
        recorder.reset();
        fill(&mut recorder);
        assert!(near(grown(), &recorder), "{} after restoring", grown());
    }
    assert!(recorder.memory_bytes() > CAP * 9 / 10);
    drop(recorder);
    assert!(grown() < 4 << 20, "{} after the end", grown());
}

fn near(grown: usize, recorder: &Recorder) -> bool {
    grown < recorder.memory_bytes() + (2 << 20)
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
