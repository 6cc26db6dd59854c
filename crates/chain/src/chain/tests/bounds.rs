//! What one message, one call or one stranger may bring: the caps hold, and what they took is
//! shown.

use std::io::Cursor;
use std::time::Duration;

use xxhash_rust::xxh3::xxh3_64;

use super::super::{Extent, Training};
use super::*;
use crate::Start;
use crate::read::MAX_MESSAGE_BYTES;
use crate::rng::Rng;

fn with(directory: &Path, options: Options) -> Chain {
    let mut chain = open_with(Arc::new(RealDisk), directory, Some(options)).unwrap();
    chain.segment_places = 1 << 20;
    chain
}

/// Messages of which some are cut: `(tokens_dropped, tokens_shortened, messages_cut,
/// messages_empty)` = (4, 3, 2, 2).
const CUT: &str = "one two three four\nfive five five five five six seven\n\
    eight nine ten elf twelve thirteen fourteen\nabcdefghijkl abcdefghijklm\n\
    mnopqrstuvwxyz x nopqrstuvwxyz\n\u{7}\n\u{1}\u{2}\n";

#[test]
fn what_the_caps_take_is_counted_however_it_comes() {
    let options = Options {
        max_tokens: 5,
        max_token_bytes: 12,
        ..Options::default()
    };
    let directory = tempfile::tempdir().unwrap();
    let added = with(&directory.path().join("added"), options.clone());
    let records: Vec<Record> = CUT.lines().map(Record::of).collect();
    let by_adding = added.add(&records).unwrap();
    let trained = with(&directory.path().join("trained"), options);
    let by_training = trained
        .train("file", &mut lines(CUT), Training::default(), &mut |_| true)
        .unwrap();
    assert_eq!(by_training.added, by_adding);
    let cut = by_adding.cut;
    assert_eq!(
        (
            cut.tokens_dropped,
            cut.tokens_shortened,
            cut.messages_cut,
            by_adding.empty
        ),
        (4, 3, 2, 2)
    );
    for (chain, name) in [(added, "added"), (trained, "trained")] {
        let expected = [
            ("messages_cut", 2),
            ("messages_empty", 2),
            ("tokens_dropped", 4),
            ("tokens_shortened", 3),
        ];
        let expected: BTreeMap<String, u64> = expected
            .map(|(name, count)| (name.to_owned(), count))
            .into();
        assert_eq!(chain.stats().unwrap().counters, expected, "{name}");
        assert!(texts(&chain).contains(&"abcdefghijkl abcdefghijkl".to_owned()));
        chain.merge(Extent::Whole).unwrap();
        assert_eq!(chain.stats().unwrap().counters, expected, "{name}: merged");
        drop(chain);
        for write in [false, true] {
            let opening = Opening {
                write,
                ..Opening::default()
            };
            let chain = Chain::open(&directory.path().join(name), &opening).unwrap();
            assert_eq!(
                chain.stats().unwrap().counters,
                expected,
                "{name}: opened again, to write: {write}"
            );
        }
    }
}

#[test]
fn a_full_vocabulary_takes_what_it_knows_and_counts_the_rest() {
    let options = Options {
        max_vocabulary: 10,
        ..Options::default()
    };
    let text = "a b c d e f g\na b x y z w\nh i j\nj i h g\nk\na k\nb a\n";
    let directory = tempfile::tempdir().unwrap();
    let added = with(&directory.path().join("added"), options.clone());
    let records: Vec<Record> = text.lines().map(Record::of).collect();
    let by_adding = added.add(&records).unwrap();
    let trained = with(&directory.path().join("trained"), options);
    let by_training = trained
        .train("file", &mut lines(text), Training::default(), &mut |_| true)
        .unwrap();
    assert_eq!(by_training.added, by_adding);
    assert_eq!(
        (by_adding.learned, by_adding.no_room),
        (4, 3),
        "what was refused takes no room"
    );
    for (chain, name) in [(added, "added"), (trained, "trained")] {
        let stats = chain.stats().unwrap();
        assert_eq!(
            (stats.vocabulary, stats.counters["vocabulary_full"]),
            (10, 3),
            "{name}"
        );
        assert_eq!(
            texts(&chain),
            ["a b c d e f g", "b a", "h i j", "j i h g"],
            "{name}"
        );
        drop(chain);
        let chain = open(&directory.path().join(name));
        assert_eq!(
            chain.stats().unwrap().counters["vocabulary_full"],
            3,
            "{name}"
        );
        assert_eq!(texts(&chain).len(), 4, "{name}");
    }
}

#[test]
fn a_call_with_more_than_a_batch_holds_is_stored_as_a_whole() {
    let directory = tempfile::tempdir().unwrap();
    let chain = open(directory.path());
    // Sixteen of these do not fit one frame of the log.
    let large = |number: usize| Record {
        attachments: vec![format!("{number:06}{}", "x".repeat((1 << 20) - 7))],
        ..Record::of(&format!("large {number}"))
    };
    let mut records: Vec<Record> = (0..300)
        .map(|number| Record::of(&format!("message {number}")))
        .collect();
    records.extend((0..18).map(large));
    records.push(Record::of("the last"));
    let added = chain.add(&records).unwrap();
    assert_eq!((added.learned, added.cut), (319, crate::Cut::default()));
    drop(chain);
    let chain = open(directory.path());
    let stats = chain.stats().unwrap();
    assert_eq!(
        (stats.messages, stats.tokens, stats.damage.len()),
        (319, 638, 0)
    );
    for number in 0..18 {
        let found = chain.references(&format!("large {number}"), 1).unwrap();
        assert_eq!(found[0].attachments, large(number).attachments);
    }
}

#[test]
fn a_record_that_no_message_may_be_stops_the_whole_call() {
    let directory = tempfile::tempdir().unwrap();
    let chain = open(directory.path());
    let long = "n".repeat(256);
    let attachments = Record {
        attachments: vec![String::new(); (1 << 20) + 1],
        ..Record::of("x")
    };
    for (bad, expected) in [
        (
            record(&long, "", "", "x"),
            "has 256 bytes, the longest allowed has 255",
        ),
        (record("~1", "", "", "x"), "begins with ~"),
        (record("", &long, "", "x"), "the author"),
        (record("", "", &long, "x"), "the channel"),
        (
            attachments,
            "attachments have 1048577 bytes, at most 1048576 are kept",
        ),
        (
            Record::of(&"x".repeat(MAX_MESSAGE_BYTES + 1)),
            "has 16777217 bytes, at most 16 MiB",
        ),
    ] {
        let records: Vec<Record> = (0..200)
            .map(|number| Record::of(&format!("message {number}")))
            .chain([bad])
            .collect();
        let error = chain.add(&records).unwrap_err();
        assert!(
            matches!(error, Error::Input(_)) && error.to_string().contains(expected),
            "{error}"
        );
        assert_eq!(chain.live().messages(), 0, "{expected}");
    }
    let fits = Record {
        attachments: vec![String::new(); 1 << 20],
        ..record(&long[1..], &long[1..], &long[1..], "x")
    };
    assert_eq!(chain.add(&[fits]).unwrap().learned, 1);
    Record::of(&"x".repeat(MAX_MESSAGE_BYTES)).check().unwrap();
}

#[test]
fn a_message_beyond_its_bound_in_a_file_is_named_by_its_line_or_passed_over() {
    let long = "x ".repeat(MAX_MESSAGE_BYTES / 2 + 1);
    for (format, text) in [
        (Format::Lines, format!("one two\n{long}\nthree\n")),
        (
            Format::Ndjson,
            format!("\"one two\"\n{{\"text\": \"{long}\"}}\n\"three\"\n"),
        ),
        (
            Format::Json,
            format!("[\"one two\",\n{{\"text\": \"{long}\"}},\n\"three\"]"),
        ),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let chain = open(directory.path());
        let source = || {
            Source::over(
                "chat",
                Box::new(Cursor::new(text.clone().into_bytes())),
                Some(format),
            )
            .unwrap()
        };
        let train =
            |skip_bad| chain.train("chat", &mut source(), Training { skip_bad }, &mut |_| true);
        if format == Format::Lines {
            // Either takes a while.
            let sentence = train(false).unwrap_err().to_string();
            assert!(
                sentence.starts_with("chat, line 2: the message is longer than 16 MiB"),
                "{sentence}"
            );
            assert_eq!(chain.live().messages(), 0);
            continue;
        }
        let trained = train(true).unwrap();
        assert_eq!((trained.bad, trained.added.learned), (1, 2), "{format:?}");
        assert_eq!(
            (trained.first_bad[0].line, texts(&chain)),
            (2, vec!["one two".to_owned(), "three".to_owned()])
        );
        assert_eq!(chain.stats().unwrap().counters["records_bad"], 1);
    }
}

/// Of an odd number, modulo 2^64. Newton: each step doubles the digits that are right.
const fn inverse(odd: u64) -> u64 {
    let mut inverse = odd;
    let mut step = 0;
    while step < 6 {
        inverse = inverse.wrapping_mul(2_u64.wrapping_sub(odd.wrapping_mul(inverse)));
        step += 1;
    }
    inverse
}

/// The text of eight bytes that xxh3-64 without a seed makes `hash` of: over four to eight bytes it
/// is one-to-one, and each of its steps can be undone. `flip` are bytes 8 to 24 of its secret, one
/// half over the other.
fn unhashed(mut hash: u64) -> [u8; 8] {
    const PRIME: u64 = 0x9fb2_1c65_1e98_df25;
    const FLIP: u64 = 0x1cad_21f7_2c81_017c ^ 0xdb97_9083_e96d_d4de;
    const INVERSE: u64 = inverse(PRIME);
    hash ^= hash >> 28 ^ hash >> 56;
    hash = hash.wrapping_mul(INVERSE);
    hash ^= (hash >> 35) + 8;
    hash = hash.wrapping_mul(INVERSE);
    // h ^ rotl(h, 49) ^ rotl(h, 24) is a polynomial over two elements, whose 64th power is one.
    for (left, right) in [(49, 24), (34, 48), (4, 32), (8, 0), (16, 0), (32, 0)] {
        hash ^= hash.rotate_left(left) ^ hash.rotate_left(right);
    }
    let keyed = (hash ^ FLIP).rotate_left(32);
    keyed.to_le_bytes()
}

/// Words that an unseeded table with any power of two of slots would put one behind the other.
fn colliding(count: usize) -> Vec<String> {
    let mut rng = Rng::seeded(9);
    let mut words = Vec::new();
    while words.len() < count {
        let bytes = unhashed(rng.below_u64(1 << 32) << 32 | 0x5eed);
        if bytes.iter().all(u8::is_ascii_graphic) {
            words.push(String::from_utf8(bytes.to_vec()).unwrap());
        }
    }
    words
}

/// How long this thread has run; what others do meanwhile does not count.
fn ran() -> Duration {
    let line = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(line.split(' ').next().unwrap().parse().unwrap())
}

/// How long it takes to learn words, to merge them, and to answer to each.
fn takes(words: &[String]) -> Duration {
    let times = (0..2).map(|_| {
        let directory = tempfile::tempdir().unwrap();
        let chain = with(directory.path(), Options::default());
        let records: Vec<Record> = words
            .chunks(500)
            .map(|words| Record::of(&words.join(" ")))
            .collect();
        let begin = ran();
        let added = chain.add(&records).unwrap();
        chain.merge(Extent::Whole).unwrap();
        for word in &words[..500] {
            let ask = Ask {
                start: Start::Seed(word.clone()),
                max_tries: 1,
                ..Ask::default()
            };
            // Whether it could be answered does not matter here.
            let _ = chain.generate(&ask, 1, Some(1));
        }
        assert_eq!(added.learned, records.len() as u64);
        ran().saturating_sub(begin)
    });
    times.min().unwrap()
}

#[test]
fn words_that_were_made_to_collide_take_no_longer_than_others() {
    let colliding = colliding(3000);
    assert!(
        colliding
            .iter()
            .all(|word| xxh3_64(word.as_bytes()) as u32 == 0x5eed),
        "the inverse is one"
    );
    let mut rng = Rng::seeded(10);
    let ordinary: Vec<String> = (0..3000)
        .map(|_| format!("{:08x}", rng.below_u64(1 << 32)))
        .collect();
    let (slow, usual) = (takes(&colliding), takes(&ordinary));
    assert!(slow < 3 * usual, "{slow:?}, others {usual:?}");
}

#[test]
fn a_vocabulary_of_one_word_holds_it() {
    let options = Options {
        max_vocabulary: 1,
        ..Options::default()
    };
    let directory = tempfile::tempdir().unwrap();
    let added = with(&directory.path().join("added"), options.clone());
    let records = ["a a", "b", "a"].map(Record::of);
    let by_adding = added.add(&records).unwrap();
    let trained = with(&directory.path().join("trained"), options);
    let by_training = trained
        .train(
            "file",
            &mut lines("a a\nb\na\n"),
            Training::default(),
            &mut |_| true,
        )
        .unwrap();
    assert_eq!(by_training.added, by_adding);
    assert_eq!((by_adding.learned, by_adding.no_room), (2, 1));
    for chain in [added, trained] {
        assert_eq!(chain.stats().unwrap().vocabulary, 1);
    }
}

#[test]
fn a_full_delta_says_that_it_has_to_be_merged_and_drops_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let chain = with(directory.path(), Options::default());
    chain.live_mut().fresh.delta.set_most_places(20);
    chain
        .add(&[Record::of("one two three four five six seven")])
        .unwrap();
    let two = ["eight nine ten elf twelve", "thirteen fourteen fifteen"].map(Record::of);
    chain.add(&two[..1]).unwrap();
    for _ in 0..2 {
        let refused = chain.add(&two).unwrap_err().to_string();
        assert!(
            refused.contains("until it is merged: merge it"),
            "{refused}"
        );
    }
    let stats = chain.stats().unwrap();
    assert_eq!(stats.messages, 2);
    assert!(stats.counters.is_empty(), "{:?}", stats.counters);
    chain.merge(Extent::Due).unwrap();
    assert_eq!(chain.add(&two).unwrap().learned, 2);
    drop(chain);
    assert_eq!(open(directory.path()).stats().unwrap().messages, 4);
}

#[test]
fn a_chain_that_was_told_too_short_a_cap_opens_with_the_one_that_it_has() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options {
        max_token_bytes: 8,
        ..Options::default()
    };
    drop(with(directory.path(), options.clone()));
    let path = directory.path().join(crate::storage::MANIFEST_NAME);
    let text = std::fs::read_to_string(&path).unwrap();
    let told = text.replace("\"max_token_bytes\": 8", "\"max_token_bytes\": 4");
    assert_ne!(text, told);
    let sum = |text: &str| {
        let at = text.find("\"checksum\": \"").unwrap() + 13;
        let unsigned = format!("{}00000000{}", &text[..at], &text[at + 8..]);
        let sum = crc32fast::hash(unsigned.as_bytes());
        format!("{}{sum:08x}{}", &text[..at], &text[at + 8..])
    };
    std::fs::write(&path, sum(&told)).unwrap();
    for write in [false, true] {
        let opening = Opening {
            write,
            ..Opening::default()
        };
        let chain = Chain::open(directory.path(), &opening).unwrap();
        assert_eq!(chain.options(), options);
        if write {
            chain.add(&[Record::of("abcdefghijkl x")]).unwrap();
            chain
                .merge(Extent::Changed(Options {
                    backward: true,
                    ..chain.options()
                }))
                .unwrap();
            assert_eq!(texts(&chain), ["abcdefgh x"]);
        }
    }
    let made = Chain::open(
        &directory.path().join("new"),
        &Opening {
            write: true,
            create: Some(Options {
                max_token_bytes: 7,
                ..Options::default()
            }),
            ..Opening::default()
        },
    );
    assert!(made.unwrap_err().to_string().contains("from 8 to 1024"));
}
