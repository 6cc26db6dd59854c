//! Segment files that are not what was written: read to an error or to an answer, and found out.

use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;

use crate::Result;
use crate::dead::Removed;
use crate::generate::{Ask, Generator, Start, Voice};
use crate::rng::Rng;
use crate::segment::sample::{Sample, random_messages};
use crate::segment::{Direction, Segment};
use crate::tokens::{Limits, Mode, Tokenizer};
use crate::walk::{Part, Speaker};

/// A segment's file to damage.
struct File {
    path: PathBuf,
    bytes: Vec<u8>,
    _folder: tempfile::TempDir,
}

impl File {
    /// Of messages that make states of every encoding.
    fn new() -> Self {
        let mut rng = Rng::seeded(1);
        let mut messages = random_messages(&mut rng, 60, 12, 6);
        let wide = (0..80).flat_map(|n| vec![vec!["x".to_owned(), format!("t{n}")]; 2]);
        messages.extend(wide.chain(vec![vec!["x".to_owned(), "y".to_owned()]; 99]));
        let sample = Sample::new(2, 3).segment(&messages);
        let folder = tempfile::tempdir().unwrap();
        Self {
            bytes: fs::read(sample.segment_at(0).path()).unwrap(),
            path: folder.path().join("000001.segment"),
            _folder: folder,
        }
    }

    fn damaged(&self, damage: impl FnOnce(&mut Vec<u8>)) -> Result<Segment> {
        let mut bytes = self.bytes.clone();
        damage(&mut bytes);
        // A file of its own each time: what is mapped is never written again.
        let _ = fs::remove_file(&self.path);
        fs::write(&self.path, bytes).unwrap();
        Segment::open(&self.path)
    }
}

/// Asks everything of a segment, whatever is in it.
fn use_up(segment: &Segment, seed: u64) {
    let removed = Removed::default();
    let speaker = |direction| Speaker {
        parts: vec![Part::of_segment(segment, &removed, direction)],
        silent: Vec::new(),
        order: segment.about().order,
        weight: 1,
    };
    let voice = Voice {
        forward: speaker(Direction::Forward),
        backward: Some(speaker(Direction::Backward)),
        max_copied_tokens: segment.about().max_copied_tokens,
    };
    let mut generator = Generator::new(vec![voice], Mode::Words);
    let tokenizer = Tokenizer::new(Mode::Words, Limits::default());
    let mut rng = Rng::seeded(seed);
    let word = |word: &str| Some(word.to_owned());
    for (start, containing, ending) in [
        (Start::Anywhere, None, None),
        (Start::Seed("x".into()), None, None),
        (Start::Anywhere, word("w0"), None),
        (Start::Anywhere, None, word("w1")),
    ] {
        let ask = Ask {
            max_tries: 4,
            start,
            containing,
            ending,
            ..Ask::default()
        };
        // An answer, none, or an error: all are right, as long as it comes to an end.
        let _ = generator.say(&ask, &tokenizer, &mut rng, 0..4);
    }
    for token in ["w0", "t79", "nobody"] {
        let number = segment.vocabulary().find(token);
        assert!(number.is_none_or(|number| segment.vocabulary().get(number) == token));
    }
    let _ = segment.vocabulary().get(u32::MAX);
}

#[test]
fn every_flipped_bit_is_found_and_none_is_walked_over() {
    let file = File::new();
    let mut opened = 0;
    for place in 0..file.bytes.len() {
        // Every bit where the file says what it is and where things are, one elsewhere.
        let telling = place < 16 || place + 300 > file.bytes.len();
        let bits = if telling {
            0..8
        } else {
            place % 8..place % 8 + 1
        };
        for bit in bits {
            let Ok(segment) = file.damaged(|bytes| bytes[place] ^= 1 << bit) else {
                continue;
            };
            opened += 1;
            assert!(segment.verify().is_err(), "byte {place}, bit {bit}");
            use_up(&segment, place as u64);
        }
    }
    assert!(opened > 5000, "{opened}"); // most damage is not seen when a file is opened
}

#[test]
fn what_is_whole_is_whole() {
    let file = File::new();
    let segment = file.damaged(|_| {}).unwrap();
    segment.verify().unwrap();
    use_up(&segment, 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// Words overwritten in many places, as a bad disk does it.
    #[test]
    fn torn_files_never_panic(
        places in prop::collection::vec((any::<prop::sample::Index>(), any::<u32>()), 1..60),
        small: bool,
        seed: u64,
    ) {
        thread_local!(static FILE: File = File::new());
        FILE.with(|file| {
            let opened = file.damaged(|bytes| {
                // Head and footer as they are: otherwise it is not opened at all.
                let words = (bytes.len() - 16 - 300) / 4;
                for (place, value) in &places {
                    let place = 16 + 4 * place.index(words);
                    let value = if small { value % 200 } else { *value };
                    bytes[place..place + 4].copy_from_slice(&value.to_le_bytes());
                }
            });
            if let Ok(segment) = opened {
                use_up(&segment, seed);
            }
        });
    }

    #[test]
    fn truncated_files_are_refused(length in any::<prop::sample::Index>()) {
        thread_local!(static FILE: File = File::new());
        FILE.with(|file| {
            let opened = file.damaged(|bytes| bytes.truncate(length.index(bytes.len())));
            assert!(opened.is_err());
        });
    }
}
