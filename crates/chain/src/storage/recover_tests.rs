//! Logs that were cut, flipped and overwritten: nothing is invented, and what is whole is there.

use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;
use tempfile::TempDir;

use super::faulty_disk::FaultyDisk;
use super::frame::{HEADER_BYTES, put_frame};
use super::operation::tests::{Owned, operation};
use super::*;
use crate::Error;

/// A log on the disk, what each of its frames holds, and where each ends.
struct Written {
    directory: TempDir,
    frames: Vec<Vec<Owned>>,
    ends: Vec<usize>,
    bytes: Vec<u8>,
}

fn write(frames: Vec<Vec<Owned>>) -> Written {
    let directory = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    let log = LogWriter::start(NewLog::create(&disk, directory.path(), 1).unwrap());
    let mut ends = Vec::new();
    for frame in &frames {
        let mut batch = Batch::default();
        for operation in frame {
            operation.with(|operation| batch.push(operation)).unwrap();
        }
        let ticket = log.append(&batch).unwrap();
        log.sync_to(&ticket).unwrap();
        ends.push(log.bytes() as usize);
    }
    let bytes = fs::read(directory.path().join("000001.log")).unwrap();
    Written {
        directory,
        frames,
        ends,
        bytes,
    }
}

fn count(name: &str, by: u64) -> Owned {
    Owned::Count(name.to_owned(), by)
}

fn three_frames() -> Written {
    write(vec![
        vec![count("one", 1), count("two", 2)],
        vec![Owned::Forget(Forget::Message(MessageId::Number(7)), 3)],
        vec![Owned::Forget(Forget::Author("file".to_owned()), 5)],
    ])
}

impl Written {
    fn path(&self) -> PathBuf {
        self.directory.path().join("000001.log")
    }

    fn read_as(&self, bytes: &[u8]) -> (Vec<Owned>, Recovery) {
        fs::write(self.path(), bytes).unwrap();
        self.read(&[1]).unwrap()
    }

    fn read(&self, logs: &[u64]) -> crate::Result<(Vec<Owned>, Recovery)> {
        let mut found = Vec::new();
        let recovery = Recovery::read(&RealDisk, self.directory.path(), logs, &mut |operation| {
            found.push(operation.into());
            Ok(())
        });
        Ok((found, recovery?))
    }

    /// The operations of all frames but those that hold one of the bytes.
    fn without(&self, damaged: std::ops::Range<usize>) -> Vec<Owned> {
        let starts = [HEADER_BYTES].into_iter().chain(self.ends.iter().copied());
        let whole = self.frames.iter().zip(starts.zip(&self.ends));
        whole
            .filter(|(_, (start, end))| damaged.end <= *start || damaged.start >= **end)
            .flat_map(|(frame, _)| frame.clone())
            .collect()
    }
}

#[test]
fn a_log_cut_anywhere_yields_its_whole_frames_and_goes_on_there() {
    let written = three_frames();
    for length in HEADER_BYTES..=written.bytes.len() {
        let (found, recovery) = written.read_as(&written.bytes[..length]);
        assert_eq!(
            found,
            written.without(length..usize::MAX),
            "cut at {length}"
        );
        assert_eq!(recovery.damage().count(), 0);
        let torn = recovery.logs[0].torn_bytes;
        let disk = FaultyDisk::default();
        assert_eq!(recovery.logs[0].whole_bytes + torn, length as u64);

        assert_eq!(recovery.settle(&disk).unwrap(), torn);
        let log = LogWriter::resume(&disk, &recovery.logs[0]).unwrap();
        let mut batch = Batch::default();
        batch
            .push(&Operation::Count { name: "new", by: 9 })
            .unwrap();
        let ticket = log.append(&batch).unwrap();
        log.sync_to(&ticket).unwrap();
        let (again, recovery) = written.read(&[1]).unwrap();
        assert_eq!(again, [found, vec![count("new", 9)]].concat());
        assert_eq!(
            (recovery.damage().count(), recovery.logs[0].torn_bytes),
            (0, 0)
        );
    }
    for length in 0..HEADER_BYTES {
        let (found, recovery) = written.read_as(&written.bytes[..length]);
        assert!(found.is_empty() && recovery.damage().count() == 1);
        assert!(LogWriter::resume(&RealDisk, &recovery.logs[0]).is_err());
    }
}

#[test]
fn a_flipped_bit_costs_its_own_frame_and_is_named() {
    let written = three_frames();
    let last_frame = written.ends[1];
    for bit in 0..written.bytes.len() * 8 {
        let at = bit / 8;
        let mut bytes = written.bytes.clone();
        bytes[at] ^= 1 << (bit % 8);
        let (found, recovery) = written.read_as(&bytes);
        assert_eq!(found, written.without(at..at + 1), "bit {bit}");
        let log = &recovery.logs[0];
        if at >= last_frame {
            // Nothing whole follows, so it cannot be told from a write that a crash cut off.
            assert_eq!(
                (log.torn_bytes as usize, log.damaged_places),
                (bytes.len() - last_frame, 0)
            );
        } else {
            assert_eq!((log.torn_bytes, log.damaged_places), (0, 1));
            let damage = &log.damage[0];
            let from = damage.offset as usize;
            assert!(
                (from..from + damage.bytes as usize).contains(&at),
                "{damage}"
            );
            assert!(
                damage
                    .to_string()
                    .contains(&format!("000001.log at byte {from}: "))
            );
        }
        assert!(log.is_appendable());
    }
}

#[test]
fn an_older_log_has_to_be_whole() {
    let written = three_frames();
    let cut = written.bytes.len() - 3;
    fs::write(written.path(), &written.bytes[..cut]).unwrap();
    let second = NewLog::create(&RealDisk, written.directory.path(), 2).unwrap();

    // As long as the next log is empty, the crash may have come before anything went there.
    let (_, recovery) = written.read(&[1, 2]).unwrap();
    assert_eq!(recovery.damage().count(), 0);
    assert!(recovery.logs[0].torn_bytes > 0);

    let log = LogWriter::start(second);
    let mut batch = Batch::default();
    batch.push(&Operation::Count { name: "n", by: 1 }).unwrap();
    let ticket = log.append(&batch).unwrap();
    log.sync_to(&ticket).unwrap();
    let (found, recovery) = written.read(&[1, 2]).unwrap();
    assert_eq!(
        found,
        [written.without(cut..usize::MAX), vec![count("n", 1)]].concat()
    );
    let damage: Vec<String> = recovery.damage().map(ToString::to_string).collect();
    assert_eq!(damage.len(), 1);
    assert!(
        damage[0].contains("breaks off, and a later log goes on"),
        "{damage:?}"
    );
    assert_eq!(
        recovery.settle(&RealDisk).unwrap(),
        0,
        "damage is kept for whoever can repair it"
    );
}

#[test]
fn a_missing_or_misnamed_log_is_damage_and_a_newer_one_is_refused() {
    let written = three_frames();
    fs::copy(written.path(), written.directory.path().join("000002.log")).unwrap();
    let (found, recovery) = written.read(&[1, 2, 3]).unwrap();
    assert_eq!(found, written.without(0..0));
    let whats: Vec<&str> = recovery.damage().map(|damage| damage.what).collect();
    assert_eq!(
        whats,
        ["it is another log under this name", "the log is missing"]
    );

    let newer = super::frame::Header {
        version: 2,
        number: 1,
        salt: 0,
    };
    fs::write(written.path(), newer.encode()).unwrap();
    let error = written.read(&[1]).unwrap_err();
    assert!(matches!(
        error,
        Error::Newer {
            version: 2,
            known: 1,
            ..
        }
    ));
}

#[test]
fn a_message_cannot_carry_a_frame() {
    // Somebody knows the encoding, and sends a frame that forgets another's messages. It has to be
    // text, so they try until the checksum is.
    let forged = (0..128).find_map(|up_to| {
        let mut batch = Batch::default();
        let forget = Owned::Forget(Forget::Author("victim".to_owned()), up_to);
        forget.with(|operation| batch.push(operation)).unwrap();
        let mut frame = Vec::new();
        put_frame(&mut frame, 0, batch.payload());
        String::from_utf8(frame).ok()
    });
    let text = forged.unwrap();
    let written = write(vec![vec![count(&text, 1)], vec![count("next", 2)]]);
    let mut bytes = written.bytes.clone();
    // The length, so that the next frame has to be searched for byte by byte.
    bytes[HEADER_BYTES + 1] ^= 0xFF;
    let (found, _) = written.read_as(&bytes);
    assert_eq!(found, [count("next", 2)]);
}

#[test]
fn a_search_ends_even_where_every_byte_could_begin_a_frame() {
    // Each of these bytes begins what may be a frame of 65 KiB that is all operations, as far as
    // one can see.
    let text: String = "\u{1}\u{1}\0\u{4}".repeat(40_000);
    let written = write(vec![vec![count(&text, 1)], vec![count("next", 2)]]);
    let mut bytes = written.bytes.clone();
    bytes[HEADER_BYTES] ^= 0xFF;
    let (found, recovery) = written.read_as(&bytes);
    // What is behind is not read, but neither taken for a torn tail and cut.
    assert!(found.is_empty() && !recovery.logs[0].is_appendable());
    assert_eq!(
        recovery
            .damage()
            .map(|damage| damage.what)
            .collect::<Vec<_>>(),
        ["the search for whole frames was given up"]
    );
    assert_eq!(recovery.settle(&RealDisk).unwrap(), 0);
}

#[test]
fn places_that_are_too_many_to_be_named_are_counted() {
    let written = write((0..250).map(|by| vec![count("many", by)]).collect());
    let mut bytes = written.bytes.clone();
    // Every second frame: its last byte.
    for end in written.ends.iter().step_by(2) {
        bytes[*end - 1] ^= 1;
    }
    let (found, recovery) = written.read_as(&bytes);
    assert_eq!(found.len(), 125);
    let sentences = recovery.sentences();
    assert_eq!(sentences.len(), 101);
    let starts = std::iter::once(&HEADER_BYTES).chain(&written.ends);
    let damaged = starts.zip(&written.ends).step_by(2);
    let lost: usize = damaged.map(|(start, end)| end - start).sum();
    let expected = format!("000001.log is damaged at 25 more places ({lost} bytes in all)");
    assert!(sentences[100].ends_with(&expected), "{}", sentences[100]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn overwriting_a_part_costs_only_the_frames_it_touches(
        frames in prop::collection::vec(prop::collection::vec(operation(), 1..4), 1..5),
        at: prop::sample::Index,
        garbage in prop::collection::vec(any::<u8>(), 1..40),
    ) {
        let written = write(frames);
        let mut bytes = written.bytes.clone();
        let start = HEADER_BYTES + at.index(bytes.len() - HEADER_BYTES);
        let end = (start + garbage.len()).min(bytes.len());
        bytes[start..end].copy_from_slice(&garbage[..end - start]);
        prop_assume!(bytes != written.bytes);
        let (found, recovery) = written.read_as(&bytes);
        // A byte may have been overwritten by itself, so a touched frame may have survived.
        let sure = written.without(start..end);
        let mut all = written.without(0..0).into_iter();
        prop_assert!(found.iter().all(|operation| all.any(|written| written == *operation)));
        let mut found = found.into_iter();
        prop_assert!(sure.iter().all(|operation| found.any(|found| found == *operation)));
        prop_assert!(recovery.logs[0].damaged_places + u64::from(recovery.logs[0].torn_bytes > 0) > 0);
    }

    #[test]
    fn any_file_is_read_without_a_fault(garbage in prop::collection::vec(any::<u8>(), 0..400), keep_header: bool) {
        let written = write(Vec::new());
        let mut bytes = if keep_header { written.bytes.clone() } else { Vec::new() };
        bytes.extend_from_slice(&garbage);
        let (found, _) = written.read_as(&bytes);
        prop_assert!(found.is_empty());
    }
}
