//! What a chain takes, measured on a file of lines: one `name value unit` a line.
//!
//! Trained on the whole file; then one thread generates, learns, forgets and merges, and another
//! one stands beside it where that is what is measured.

use std::hint::black_box;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use chaffinch_chain::read::{Format, Source};
use chaffinch_chain::{
    Ask, Chain, Error, Extent, Forget, Opening, Options, Record, Result, Start, Training,
};

const SENTENCES: usize = 200_000;
const CALLS: u64 = 50_000;
/// Messages that one author has, who is then forgotten.
const OF_ONE_AUTHOR: usize = 10_000;
const LEARNED_AT_ONCE: usize = 1000;
const LEARNED_ONE_BY_ONE: usize = 500;

fn main() -> Result<()> {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let [file] = &arguments[..] else {
        eprintln!("usage: figures FILE (one message a line)");
        std::process::exit(2);
    };
    let folder = std::env::temp_dir().join(format!("chaffinch-figures-{}", std::process::id()));
    let measured = measure(file.as_ref(), &folder);
    // What was measured matters more than a folder that cannot be removed.
    let _ = std::fs::remove_dir_all(&folder);
    measured
}

fn measure(file: &Path, folder: &Path) -> Result<()> {
    let opening = Opening {
        write: true,
        create: Some(Options::default()),
        ..Opening::default()
    };
    let chain = Chain::open(folder, &opening)?;
    training(&chain, file)?;
    generating(&chain)?;
    let lines = first_lines(file, OF_ONE_AUTHOR)?;
    learning(&chain, &lines)?;
    forgetting(&chain, &lines)?;
    merging(&chain)
}

fn training(chain: &Chain, file: &Path) -> Result<()> {
    let mut source = Source::open(file, Some(Format::Lines))?;
    let started = Instant::now();
    let trained = chain.train("figures", &mut source, Training::default(), &mut |_| true)?;
    println!("train {:.2} s", started.elapsed().as_secs_f64());
    println!("trained {} messages", trained.added.learned);
    let stats = chain.stats()?;
    let segments = bytes_of_segments(chain.directory())?;
    let a_transition = segments as f64 / stats.transitions.max(1) as f64;
    println!("transitions {} transitions", stats.transitions);
    println!("files {:.1} MB", stats.bytes as f64 / 1e6);
    println!("segments {:.1} MB", segments as f64 / 1e6);
    println!("segments_per_transition {a_transition:.1} bytes");
    Ok(())
}

/// All but the messages themselves, which answer nothing.
fn bytes_of_segments(directory: &Path) -> Result<u64> {
    let reading = || Error::io(format!("reading {}", directory.display()));
    let mut bytes = 0;
    for entry in std::fs::read_dir(directory).map_err(reading())? {
        let entry = entry.map_err(reading())?;
        if entry
            .path()
            .extension()
            .is_some_and(|kind| kind == "segment")
        {
            bytes += entry.metadata().map_err(reading())?.len();
        }
    }
    Ok(bytes)
}

fn generating(chain: &Chain) -> Result<()> {
    let plain = Ask {
        novel: false,
        ..Ask::default()
    };
    let all = Ask {
        max_tries: 100,
        min_score: 10,
        min_tokens: 4,
        max_tokens: 40,
        max_bytes: 200,
        ..Ask::default()
    };
    let asks = [
        ("filters_off", plain),
        ("filters_on", Ask::default()),
        ("filters_all", all),
    ];
    for (name, ask) in asks {
        let started = Instant::now();
        let said = chain.generate(&ask, SENTENCES, Some(1))?;
        let seconds = started.elapsed().as_secs_f64();
        println!("{name} {:.0} sentences/s", said.len() as f64 / seconds);
        let mut times = Vec::new();
        for seed in 0..CALLS {
            times.push(time_of_a_call(chain, &ask, seed)?);
        }
        show(name, times);
    }
    Ok(())
}

/// Of single messages: until another thread can be answered with it, and until it is stored.
fn learning(chain: &Chain, lines: &[String]) -> Result<()> {
    let records: Vec<Record> = lines.iter().map(|line| Record::of(line)).collect();
    let started = Instant::now();
    for records in records.chunks(LEARNED_AT_ONCE) {
        chain.add(records)?;
    }
    let seconds = started.elapsed().as_secs_f64();
    println!("add {:.0} messages/s", records.len() as f64 / seconds);
    let (mut visible, mut durable) = (Vec::new(), Vec::new());
    for number in 0..LEARNED_ONE_BY_ONE {
        let word = format!("figures-{number}");
        let record = Record::of(&format!("{word} is what was learned last"));
        let added = thread::scope(|scope| {
            let started = Instant::now();
            let seen = scope.spawn(move || until_it_is_said(chain, word, started));
            let added = chain.add(&[record]);
            durable.push(started.elapsed());
            visible.push(seen.join().unwrap_or_default());
            added
        });
        added?;
    }
    show("visible", visible);
    show("durable", durable);
    Ok(())
}

/// How long it takes until a message that begins with this word can be said; a minute at most.
fn until_it_is_said(chain: &Chain, word: String, started: Instant) -> Duration {
    let ask = Ask {
        novel: false,
        max_tries: 1,
        start: Start::Beginning(word),
        ..Ask::default()
    };
    while let Err(Error::NothingNew(_)) = chain.generate(&ask, 1, Some(1)) {
        if started.elapsed() > Duration::from_secs(60) {
            break;
        }
        thread::yield_now();
    }
    started.elapsed()
}

fn forgetting(chain: &Chain, lines: &[String]) -> Result<()> {
    for place in ["delta", "segment"] {
        let author = format!("figures {place}");
        let mut records: Vec<Record> = lines.iter().map(|line| Record::of(line)).collect();
        for record in &mut records {
            record.author.clone_from(&author);
        }
        chain.add(&records)?;
        if place == "segment" {
            chain.merge(Extent::Due)?;
        }
        let started = Instant::now();
        let count = chain.forget(&Forget::Author(author))?;
        let milliseconds = started.elapsed().as_secs_f64() * 1e3;
        println!("forget_{place} {milliseconds:.1} ms");
        println!("forgotten_{place} {count} messages");
    }
    let mut times = Vec::new();
    for seed in 0..CALLS {
        times.push(time_of_a_call(chain, &Ask::default(), seed)?);
    }
    show("forgotten", times);
    Ok(())
}

/// Everything into a new segment, while another thread generates.
fn merging(chain: &Chain) -> Result<()> {
    let is_over = AtomicBool::new(false);
    let (merged, times) = thread::scope(|scope| {
        let beside = scope.spawn(|| {
            let mut times = Vec::new();
            while !is_over.load(Ordering::Relaxed) {
                let time = time_of_a_call(chain, &Ask::default(), times.len() as u64);
                times.extend(time);
            }
            times
        });
        let started = Instant::now();
        let merged = chain.merge(Extent::Whole);
        println!("merge {:.2} s", started.elapsed().as_secs_f64());
        is_over.store(true, Ordering::Relaxed);
        (merged, beside.join().unwrap_or_default())
    });
    println!("merged {} messages", merged?.messages);
    show("beside_merge", times);
    Ok(())
}

fn time_of_a_call(chain: &Chain, ask: &Ask, seed: u64) -> Result<Duration> {
    let started = Instant::now();
    black_box(chain.generate(ask, 1, Some(seed))?);
    Ok(started.elapsed())
}

fn first_lines(file: &Path, most: usize) -> Result<Vec<String>> {
    let reading = || Error::io(format!("reading {}", file.display()));
    let opened = std::fs::File::open(file).map_err(reading())?;
    let lines = BufReader::new(opened).lines().take(most);
    lines.collect::<std::io::Result<_>>().map_err(reading())
}

fn show(name: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    for percent in [50, 99] {
        let time = times
            .get(times.len() * percent / 100)
            .unwrap_or(&Duration::ZERO);
        println!("{name}_p{percent} {} ns", time.as_nanos());
    }
}
