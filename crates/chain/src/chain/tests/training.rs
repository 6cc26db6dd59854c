//! Training from files: cut off anywhere, taken up again, taken back, and never twice.

mod meanwhile;

use std::fmt::Write as _;
use std::fs;
use std::io::{Cursor, Write as _};

use super::super::{Extent, Progress, Stats, Trained, Training};
use super::*;
use crate::storage::faulty_disk::{Fault, FaultyDisk};

const SKIP: Training = Training { skip_bad: true };

/// Messages of a chat: two of three have an id of their own.
fn chat(from: usize, to: usize) -> String {
    (from..to).fold(String::new(), |mut text, number| {
        let id = if number % 3 == 0 {
            String::new()
        } else {
            format!(r#""id": "m{number}", "#)
        };
        let author = number % 4;
        let _ = writeln!(
            text,
            r#"{{{id}"author": "author{author}", "time": {}, "text": "the {author} cat sat on {number} mats"}}"#,
            number * 1000
        );
        text
    })
}

fn ndjson(text: &str) -> Source {
    source("chat.ndjson", text, Format::Ndjson)
}

fn train(chain: &Chain, source: &mut Source) -> Result<Trained> {
    chain.train("chat", source, Training::default(), &mut |_| true)
}

/// Without what says how it came about: the length of numbers in the manifest.
fn stats(chain: &Chain) -> Stats {
    let stats = chain.stats().unwrap();
    assert_eq!(stats.damage, [""; 0]);
    Stats { bytes: 0, ..stats }
}

fn undisturbed(text: &str) -> (Messages, Stats, u64) {
    let directory = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    let chain = open_with(
        Arc::new(disk.clone()),
        directory.path(),
        Some(Options::default()),
    )
    .unwrap();
    let trained = train(&chain, &mut ndjson(text)).unwrap();
    assert_eq!(trained.added.learned, text.lines().count() as u64);
    let points = disk.points();
    (messages(&chain), stats(&chain), points)
}

#[test]
fn a_run_that_is_cut_off_at_any_write_is_taken_up_to_the_same_chain() {
    let text = chat(0, 14);
    let (expected, expected_stats, points) = undisturbed(&text);
    assert!(points > 30, "several segments are written: {points}");
    for point in 1..=points {
        for power in [false, true] {
            if power && point % 3 > 0 {
                continue;
            }
            let what = format!("point {point}, power cut: {power}");
            let directory = tempfile::tempdir().unwrap();
            let directory = directory.path().join("chain");
            let disk = FaultyDisk::default();
            let after_bytes = [0, 9, usize::MAX][point as usize % 3];
            disk.fault_at(point, Fault::Dies { after_bytes });
            let first = open_with(Arc::new(disk.clone()), &directory, Some(Options::default()));
            let _ = first.and_then(|chain| train(&chain, &mut ndjson(&text)));
            if power {
                disk.crash(point);
            }
            let chain = open(&directory);
            let before = messages(&chain).len() as u64;
            let trained = train(&chain, &mut ndjson(&text)).unwrap();
            assert_eq!(
                trained.resumed, before,
                "{what}: it goes on where the last segment ended"
            );
            assert_eq!(trained.added.learned + before, 14, "{what}");
            assert_eq!(
                (trained.added.duplicates, trained.records),
                (0, 14),
                "{what}"
            );
            assert_eq!(messages(&chain), expected, "{what}");
            assert_eq!(stats(&chain), expected_stats, "{what}");
            drop(chain);
            let chain = open(&directory);
            assert_eq!(messages(&chain), expected, "{what}: opened again");
            assert_eq!(chain.verify().unwrap().damage, [""; 0], "{what}");
        }
    }
}

#[test]
fn a_run_that_is_ended_by_its_report_is_taken_up_to_the_same_chain() {
    let text = chat(0, 9000);
    let path = tempfile::tempdir().unwrap();
    let open = |name: &str| {
        let mut chain = open(&path.path().join(name));
        chain.segment_places = 9000;
        chain
    };
    let whole = open("whole");
    train(&whole, &mut ndjson(&text)).unwrap();
    let parts = open("parts");
    let mut ends = Vec::new();
    loop {
        let mut reports = 0;
        let first = ends.last().copied().unwrap_or(0);
        let mut report = |progress: Progress| {
            reports += 1;
            progress.records <= first
        };
        let trained = parts
            .train("chat", &mut ndjson(&text), Training::default(), &mut report)
            .unwrap();
        assert!(reports > 0 && trained.resumed == first, "{trained:?}");
        ends.push(trained.records);
        assert_eq!(messages(&parts).len() as u64, trained.records);
        if trained.records == 9000 {
            break;
        }
    }
    assert_eq!(ends, [4096, 8192, 9000]);
    assert_eq!(messages(&parts), messages(&whole));
    let mut chains = [whole, parts];
    for chain in &mut chains {
        chain.segment_places = 1 << 20;
        chain.merge(Extent::Whole).unwrap();
    }
    let [whole, parts] = chains;
    assert_eq!(stats(&parts), stats(&whole));
    assert_eq!(messages(&parts), messages(&whole));
}

#[test]
fn a_bad_record_is_named_by_its_line_and_nothing_stays_of_the_file() {
    let bad_utf8 = [&b"one two\n\n"[..], b"three \xff four\n", b"five\n"].concat();
    let cases: [(&str, Vec<u8>, Format, &str); 5] = [
        (
            "lines",
            bad_utf8,
            Format::Lines,
            "line 3: byte 7 of the message is not UTF-8",
        ),
        (
            "ndjson",
            b"{\"text\": \"a b\"}\n\n\n{\"text\": }\n{\"text\": \"c\"}\n".to_vec(),
            Format::Ndjson,
            "line 4: ",
        ),
        (
            "json",
            b"[\n{\"text\": \"a b\"},\n{\"txt\": 1},\n{\"text\": \"c\"}]".to_vec(),
            Format::Json,
            "line 3: no text",
        ),
        (
            "own id",
            b"\n\n{\"text\": \"a b\"}\n\n{\"id\": \"~7\", \"text\": \"b\"}\n{\"text\": \"c\"}"
                .to_vec(),
            Format::Ndjson,
            "line 5: the message id \"~7\" begins with ~",
        ),
        (
            "own id in an array",
            b"[{\"text\": \"a b\"},\n\n{\"id\": \"~x\",\n \"text\": \"b\"}, {\"text\": \"c\"}]"
                .to_vec(),
            Format::Json,
            "line 3: the message id \"~x\" begins with ~",
        ),
    ];
    for (name, bytes, format, sentence) in cases {
        let directory = tempfile::tempdir().unwrap();
        let chain = open(directory.path());
        chain
            .add(&[record("m1", "author1", "", "what was there before")])
            .unwrap();
        let (before, before_stats) = (messages(&chain), chain.stats().unwrap());
        let source =
            || Source::over("chat", Box::new(Cursor::new(bytes.clone())), Some(format)).unwrap();
        let error = train(&chain, &mut source()).unwrap_err();
        let text = error.to_string();
        assert!(
            matches!(error, Error::Input(_)) && text.contains(&format!("chat, {sentence}")),
            "{name}: {text}"
        );
        assert!(
            text.ends_with("nothing was learned from it (--skip-bad passes over such records)"),
            "{text}"
        );
        assert_eq!(messages(&chain), before, "{name}");
        assert_eq!(
            chain.stats().unwrap(),
            before_stats,
            "{name}: not even the files"
        );

        let trained = chain
            .train("chat", &mut source(), SKIP, &mut |_| true)
            .unwrap();
        assert_eq!(
            (trained.bad, trained.added.learned, trained.records),
            (1, 2, 3),
            "{name}"
        );
        assert!(
            trained.first_bad[0].to_string().contains(sentence),
            "{name}: {}",
            trained.first_bad[0]
        );
        assert_eq!(chain.stats().unwrap().counters["records_bad"], 1, "{name}");
        drop(chain);
        let chain = self::open(directory.path());
        assert_eq!(
            chain.stats().unwrap().counters["records_bad"],
            1,
            "{name}: it outlasts the process"
        );
        assert_eq!(texts(&chain).len(), 3, "{name}");
    }
}

#[test]
fn a_bad_record_after_many_segments_takes_them_all_back() {
    let directory = tempfile::tempdir().unwrap();
    let chain = open(directory.path());
    train(&chain, &mut ndjson(&chat(0, 10))).unwrap();
    let (before, before_stats) = (messages(&chain), stats(&chain));
    let long = "w ".repeat(1200);
    let text =
        chat(10, 60) + &format!("{{\"text\": \"{long}\"}}\n") + "{\"text\": 7}\n" + &chat(60, 70);
    let other = |text: &str| {
        chain.train("other", &mut ndjson(text), Training::default(), &mut |_| {
            true
        })
    };
    let error = other(&text).unwrap_err().to_string();
    assert!(error.contains("chat.ndjson, line 52: "), "{error}");
    assert_eq!(messages(&chain), before);
    assert_eq!(
        stats(&chain),
        before_stats,
        "what it counted is taken back too"
    );
    let trained = other(&text.replace("\"text\": 7", "\"text\": \"seven\"")).unwrap();
    assert_eq!(
        (trained.resumed, trained.added.learned),
        (0, 62),
        "the corrected file is another file"
    );
    assert_eq!(stats(&chain).counters["tokens_dropped"], 200);
    let found = messages(&chain);
    drop(chain);
    assert_eq!(messages(&open(directory.path())), found);
}

#[test]
fn nothing_of_a_file_is_learned_twice_and_what_was_appended_is() {
    let directory = tempfile::tempdir().unwrap();
    let chain = open(directory.path());
    let trained = train(&chain, &mut ndjson(&chat(0, 30))).unwrap();
    assert_eq!((trained.resumed, trained.added.learned), (0, 30));
    let first = (messages(&chain), stats(&chain));
    for _ in 0..3 {
        let trained = train(&chain, &mut ndjson(&chat(0, 30))).unwrap();
        assert_eq!((trained.resumed, trained.records), (30, 30));
        assert_eq!(trained.added, crate::Added::default());
        assert_eq!((messages(&chain), stats(&chain)), first);
    }
    drop(chain);
    let chain = open(directory.path());
    let trained = train(&chain, &mut ndjson(&chat(0, 37))).unwrap();
    assert_eq!(
        (trained.resumed, trained.records, trained.added.learned),
        (30, 37, 7)
    );
    let (expected, ..) = undisturbed(&chat(0, 37));
    assert_eq!(messages(&chain), expected);
    // Under another name the file is another one: messages with an id are known, those without are
    // learned again.
    let again = chat(0, 37);
    let with_id = again.lines().filter(|line| line.contains("\"id\"")).count() as u64;
    let only_ids = again
        .lines()
        .filter(|line| line.contains("\"id\""))
        .collect::<Vec<_>>()
        .join("\n");
    let trained = chain
        .train(
            "copy",
            &mut ndjson(&only_ids),
            Training::default(),
            &mut |_| true,
        )
        .unwrap();
    assert_eq!(
        (trained.added.learned, trained.added.duplicates),
        (0, with_id)
    );
    assert_eq!(messages(&chain), expected);
}

#[test]
fn an_id_that_is_twice_in_a_file_counts_once() {
    let directory = tempfile::tempdir().unwrap();
    let chain = open(directory.path());
    let text = chat(0, 20)
        + "{\"id\": \"m1\", \"text\": \"the same again\"}\n{\"id\": \"m19\", \"text\": \"and again\"}\n";
    let trained = train(&chain, &mut ndjson(&text)).unwrap();
    assert_eq!((trained.added.learned, trained.added.duplicates), (20, 2));
    assert!(!texts(&chain).iter().any(|text| text.contains("again")));
}

#[test]
fn a_file_that_changed_under_its_name_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let chain = open(directory.path());
    let text = chat(0, 30);
    train(&chain, &mut ndjson(&text)).unwrap();
    let before = (messages(&chain), chain.stats().unwrap());
    let shorter = chat(0, 29);
    let inside = text.replace("on 3 mats", "on 4 mats");
    for other in [&shorter, &inside, &String::new()] {
        let error = train(&chain, &mut ndjson(other)).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, Error::Input(_)), "{text}");
        assert!(
            text.starts_with("chat is not the file that was trained before under that name"),
            "{text}"
        );
        assert_eq!((messages(&chain), chain.stats().unwrap()), before);
    }
    train(&chain, &mut ndjson(&text)).unwrap();
    assert_eq!(messages(&chain), before.0);
}

fn compressed(text: &str) -> [(&'static str, Vec<u8>); 3] {
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(text.as_bytes()).unwrap();
    let options = lzma_rust2::XzOptions::with_preset(1);
    let mut xz = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
    xz.write_all(text.as_bytes()).unwrap();
    let level = ruzstd::encoding::CompressionLevel::Fastest;
    let zst = ruzstd::encoding::compress_to_vec(text.as_bytes(), level);
    [
        ("gz", gz.finish().unwrap()),
        ("xz", xz.finish().unwrap()),
        ("zst", zst),
    ]
}

#[test]
fn compressed_files_are_the_same_file() {
    let text = chat(0, 40);
    let (expected, ..) = undisturbed(&text);
    for (name, bytes) in compressed(&text) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(format!("chat.{name}"));
        fs::write(&path, &bytes).unwrap();
        let chain = open(&directory.path().join("chain"));
        let trained = train(&chain, &mut Source::open(&path, None).unwrap()).unwrap();
        assert_eq!((trained.added.learned, trained.records), (40, 40), "{name}");
        assert_eq!(messages(&chain), expected, "{name}");
        // What was compressed when it was trained may come unpacked, and longer.
        let trained = train(&chain, &mut ndjson(&chat(0, 45))).unwrap();
        assert_eq!((trained.resumed, trained.added.learned), (40, 5), "{name}");
    }
}

#[test]
fn a_compressed_file_that_is_cut_off_or_damaged_leaves_nothing() {
    let text = chat(0, 200);
    for (name, whole) in compressed(&text) {
        let directory = tempfile::tempdir().unwrap();
        let chain = open(directory.path());
        let before = stats(&chain);
        let mut turned = whole.clone();
        let middle = turned.len() / 2;
        turned[middle] ^= 0x10;
        for (what, bytes) in [
            ("cut", whole[..whole.len() * 2 / 3].to_vec()),
            ("turned", turned),
        ] {
            let source = Source::over("chat", Box::new(Cursor::new(bytes)), Some(Format::Ndjson));
            // A bit that was turned may first show as a line that is none.
            let error = source
                .and_then(|mut source| train(&chain, &mut source))
                .unwrap_err();
            let text = error.to_string();
            assert!(
                matches!(error, Error::Damaged { .. } | Error::Input(_)),
                "{name} {what}: {text}"
            );
            assert!(
                what != "cut" || text.contains("truncated"),
                "{name} {what}: {text}"
            );
            assert!(!text.contains('\n'), "{text}");
            assert_eq!(messages(&chain), Messages::new(), "{name} {what}");
            assert_eq!(stats(&chain), before, "{name} {what}");
        }
        let mut source = Source::over("chat", Box::new(Cursor::new(whole)), None).unwrap();
        assert_eq!(
            train(&chain, &mut source).unwrap().added.learned,
            200,
            "{name}"
        );
    }
}
