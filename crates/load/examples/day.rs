//! A day at 50,000 requests a second under 5,000 labels, from a virtual clock: what a request costs, whether memory
//! stays flat, whether percentiles are right. `day [HOURS [LABELS [BYTES]]]`; one `name value unit` a line.

use std::hint::black_box;
use std::time::Instant;

use chaffinch_load::record::{Both, Budget, Collector, Label, Latencies, ThreadRecord, Timing};

const RATE: u64 = 50_000;
const SECOND: u64 = 1_000_000_000;
/// Seconds between two ticks.
const TICK: u64 = 10;

fn main() {
    let arguments: Vec<f64> = std::env::args()
        .skip(1)
        .map(|argument| argument.parse().expect("a number"))
        .collect();
    let hours = arguments.first().copied().unwrap_or(24.0);
    let labels = arguments.get(1).copied().unwrap_or(5000.0) as usize;
    let bytes = arguments.get(2).copied().unwrap_or(64e6) as usize;
    let budget = Budget::new(bytes, labels, 1, 600).expect("enough");
    let (mut collector, mut recordings) = Collector::new(budget, 1.0, SECOND, 1).expect("memory");
    let mut recording = recordings.remove(0);
    let latencies = Latency::all();
    let labels: Vec<Label> = (0..labels)
        .map(|number| recording.label(&format!("checkout/step-{number:05}")))
        .collect();

    println!(
        "record {:.1} ns",
        cost(&mut recording, &labels[..1], &latencies)
    );
    println!(
        "record_all_labels {:.1} ns",
        cost(&mut recording, &labels, &latencies)
    );
    // Whatever that was: none of it belongs to the day.
    let (mut collector_of_day, mut recordings) =
        Collector::new(budget, 1.0, SECOND, 1).expect("memory");
    std::mem::swap(&mut collector, &mut collector_of_day);
    drop((collector_of_day, recording));
    let mut recording = recordings.remove(0);
    let labels: Vec<Label> = (0..labels.len())
        .map(|number| recording.label(&format!("checkout/step-{number:05}")))
        .collect();
    day(&mut collector, &mut recording, &labels, &latencies, hours);
    report(&collector, &latencies, bytes);
}

fn day(
    collector: &mut Collector,
    recording: &mut ThreadRecord,
    labels: &[Label],
    latencies: &[Latency],
    hours: f64,
) {
    let (mut random, mut early) = (1, 0_u64);
    let intervals = (hours * 3600.0) as u64 / TICK;
    let (started, mut ticks) = (Instant::now(), std::time::Duration::ZERO);
    for interval in 0..intervals {
        for n in 0..RATE * TICK {
            let drawn = next(&mut random);
            let label = labels[(drawn >> 32) as usize % labels.len()];
            let begun = interval * TICK * SECOND + n * (SECOND / RATE);
            recording.answered(
                label,
                &latencies[drawn as usize % latencies.len()].timing(begun),
                200,
            );
            if recording.wants_tick() {
                early += u64::from(recording.tick(0, 0));
                collector.collect();
            }
        }
        let tick = Instant::now();
        recording.tick(0, 0);
        collector.collect();
        collector.close_interval((interval + 1) * TICK * SECOND);
        ticks += tick.elapsed();
        // A look at memory each twenty-fourth part, and some at the beginning.
        let passed = interval + 1;
        if passed.is_multiple_of((intervals / 24).max(1)) || [1, 6, 60].contains(&passed) {
            let (rss, counted) = (resident(), collector.memory_bytes());
            println!(
                "hour {:.2} rss {:.1} MB counted {:.1} MB",
                (passed * TICK) as f64 / 3600.0,
                mb(rss),
                mb(counted)
            );
        }
    }
    println!("day {:.0} s", started.elapsed().as_secs_f64());
    println!(
        "tick {:.1} ms",
        ticks.as_secs_f64() * 1e3 / intervals.max(1) as f64
    );
    println!("early_ticks {early}");
}

fn report(collector: &Collector, latencies: &[Latency], bytes: usize) {
    let polled = Instant::now();
    let snapshot = collector.snapshot();
    println!("snapshot {:.1} ms", polled.elapsed().as_secs_f64() * 1e3);
    println!("requests {}", snapshot.requests);
    println!("labels {}", snapshot.labels.len());
    println!("cap {:.1} MB", mb(bytes));
    println!("resolution {} sub-buckets", snapshot.histograms.resolution);
    println!("folded {}", snapshot.folded);
    let (mut corrected, mut uncorrected): (Vec<u64>, Vec<u64>) = latencies
        .iter()
        .map(|latency| (latency.waited + latency.took, latency.took))
        .unzip();
    corrected.sort_unstable();
    uncorrected.sort_unstable();
    let worst = |both: &Both| {
        let of = |latencies: &Option<Latencies>, exact: &[u64]| {
            latencies
                .as_ref()
                .map_or(1.0, |latencies| error(latencies, exact))
        };
        of(&both.corrected, &corrected).max(of(&both.uncorrected, &uncorrected))
    };
    println!("error_of_all {:.3} %", worst(&snapshot.latency_ms) * 100.0);
    // A label's values are a sample of the distribution: the spread of a label's percentile is part of this.
    let labels = snapshot
        .labels
        .values()
        .map(|label| worst(&label.latency_ms));
    println!(
        "worst_error_of_a_label {:.2} %",
        labels.fold(0.0, f64::max) * 100.0
    );
}

/// The largest relative error of the percentiles up to p99, which even a label has values enough for.
fn error(latencies: &Latencies, exact: &[u64]) -> f64 {
    [
        (0.5, latencies.p50),
        (0.9, latencies.p90),
        (0.95, latencies.p95),
        (0.99, latencies.p99),
    ]
    .map(|(share, got)| {
        let exact = exact[(share * exact.len() as f64).ceil() as usize - 1] as f64 / 1e6;
        (got - exact).abs() / exact
    })
    .into_iter()
    .fold(0.0, f64::max)
}

fn cost(recording: &mut ThreadRecord, labels: &[Label], latencies: &[Latency]) -> f64 {
    let many = 2_000_000;
    let drawn: Vec<(Label, Timing)> = (0..1 << 14)
        .scan(7, |random, _| {
            let drawn = next(random);
            let label = labels[(drawn >> 32) as usize % labels.len()];
            Some((label, latencies[drawn as usize % latencies.len()].timing(0)))
        })
        .collect();
    for (label, timing) in &drawn {
        recording.answered(*label, timing, 200);
    }
    let pass = |recording: &mut ThreadRecord| {
        let started = Instant::now();
        for (label, timing) in drawn.iter().cycle().take(many) {
            recording.answered(black_box(*label), black_box(timing), 200);
        }
        started.elapsed().as_nanos() as f64 / many as f64
    };
    // The best of several: what others do on the machine is not part of it.
    (0..8).map(|_| pass(recording)).fold(f64::MAX, f64::min)
}

/// How long a request waited before it was sent, and how long it took then.
struct Latency {
    waited: u64,
    took: u64,
}

impl Latency {
    /// A median of 5 ms with a standard deviation of 0.5 in the logarithm; one in thirty waited up to 50 ms before.
    fn all() -> Vec<Self> {
        let mut random = 3;
        let mut uniform = move || next(&mut random) as f64 / u64::MAX as f64;
        (0..1 << 16)
            .map(|_| {
                let normal = (0..12).map(|_| uniform()).sum::<f64>() - 6.0;
                let waits = uniform() < 1.0 / 30.0;
                Self {
                    waited: if waits { (uniform() * 5e7) as u64 } else { 0 },
                    took: (5e6 * (0.5 * normal).exp()) as u64,
                }
            })
            .collect()
    }

    fn timing(&self, intended: u64) -> Timing {
        let sent = intended + self.waited;
        Timing {
            intended,
            sent,
            first_byte: sent + self.took / 2,
            ended: sent + self.took,
            received: 500,
            sent_bytes: 80,
        }
    }
}

/// Bytes that this process holds in memory.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("a Linux system");
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1));
    kib.and_then(|kib| kib.parse::<usize>().ok())
        .expect("VmRSS")
        << 10
}

fn mb(bytes: usize) -> f64 {
    bytes as f64 / 1e6
}

/// `xorshift64*`
fn next(state: &mut u64) -> u64 {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    state.wrapping_mul(0x2545_f491_4f6c_dd1d)
}
