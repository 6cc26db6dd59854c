//! Files that are not what was written into them: what is there is right, what is missing is named,
//! and nothing panics.

use std::fs;
use std::path::PathBuf;

use super::super::Extent;
use super::*;
use crate::rng::Rng;
use crate::storage::{FileKind, Forget};

/// A chain with three segments and a log of several frames.
pub(super) struct Kept {
    directory: tempfile::TempDir,
    pub found: Messages,
}

const AUTHORS: [&str; 3] = ["ann", "bob", "cid"];

pub(super) fn numbered(from: usize, to: usize) -> Vec<Record> {
    let one = |number: usize| Record {
        time_ms: i64::try_from(number).ok(),
        attachments: vec![format!("https://a.example/{number}")],
        ..record(
            &format!("id {number}"),
            AUTHORS[number % 3],
            "room",
            &format!("the old cat sat on {number} red mats"),
        )
    };
    (from..to).map(one).collect()
}

pub(super) fn kept() -> Kept {
    let directory = tempfile::tempdir().unwrap();
    let chain = open(directory.path());
    for from in [0, 4, 8] {
        chain.add(&numbered(from, from + 4)).unwrap();
        chain.merge(Extent::Due).unwrap();
    }
    assert_eq!(chain.live().segments.len(), 3);
    for from in [12, 14, 16] {
        chain.add(&numbered(from, from + 2)).unwrap();
    }
    chain
        .forget(&Forget::Message("id 2".parse().unwrap()))
        .unwrap();
    let found = messages(&chain);
    Kept { directory, found }
}

impl Kept {
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    pub fn copy(&self) -> tempfile::TempDir {
        let copy = tempfile::tempdir().unwrap();
        for name in files(self.path()) {
            fs::copy(self.path().join(&name), copy.path().join(&name)).unwrap();
        }
        copy
    }

    pub fn some_file(&self, extension: &str) -> PathBuf {
        let name = files(self.path())
            .into_iter()
            .find(|name| name.ends_with(extension))
            .unwrap();
        self.path().join(name)
    }
}

pub(super) fn for_writing(directory: &Path) -> Result<Chain> {
    open_with(Arc::new(RealDisk), directory, None)
}

pub(super) fn is_sentence(error: &Error, what: &str) {
    let said = error.to_string();
    assert!(!said.contains('\n') && said.len() > 30, "{what}: {said}");
}

/// What there is, where an export would refuse to pass a part off as the whole.
fn left(chain: &Chain) -> Messages {
    let whole = chain.live().clone();
    {
        let mut live = chain.live_mut();
        live.broken.clear();
        live.log_damage.clear();
    }
    let left = messages(chain);
    *chain.live_mut() = whole;
    left
}

/// What a chain whose files may be damaged holds: each message as it was, or not at all. None if it
/// is not opened.
fn what_is_left(directory: &Path, all: &Messages, what: &str) -> Option<(Messages, Vec<String>)> {
    let chain = match for_writing(directory) {
        Ok(chain) => chain,
        Err(error) => {
            is_sentence(&error, what);
            return None;
        }
    };
    // Damage that opening did not see shows when something is read. Words may be wrong until then,
    // but nothing ends in a panic.
    let ask = Ask {
        novel: false,
        max_tries: 20,
        ..Ask::default()
    };
    if let Err(error) = chain.generate(&ask, 20, Some(1)) {
        is_sentence(&error, what);
    }
    if let Err(error) = chain.references("the old cat sat on 5 red mats", 3) {
        is_sentence(&error, what);
    }
    if let Err(error) = chain.illustration("the old cat sat on 5 red mats", Some(1)) {
        is_sentence(&error, what);
    }
    let verified = chain.verify().unwrap().damage;
    chain.stats().unwrap();
    // A merge reads everything that it takes over; what is damaged it leaves alone.
    chain
        .merge(Extent::Whole)
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    let broken = chain.live().broken.clone();
    for entry in broken.iter().map(|(entry, _)| entry) {
        assert!(
            chain
                .stats()
                .unwrap()
                .damage
                .iter()
                .any(|said| said.contains(&format!("{:06}.", entry.number))),
            "{what}"
        );
    }
    let mut left = left(&chain);
    if what.contains(".log") {
        // Its last frame, which is taken for one that was cut off as it was written, forgot this
        // one.
        left.retain(|text, _| !text.contains("on 2 red"));
    }
    for (text, known) in &left {
        assert_eq!(
            all.get(text),
            Some(known),
            "{what}: {text} was never said so"
        );
    }
    Some((left, verified))
}

/// What is forgotten in a chain with damaged files is gone there for good, and the chain can be opened.
fn forgets(directory: &Path, what: &str) {
    let Ok(chain) = for_writing(directory) else {
        return;
    };
    if let Err(error) = chain.forget(&Forget::Author("bob".to_owned())) {
        is_sentence(&error, what);
    }
    for held in &chain.live().segments {
        let left = held.messages.by_author("bob");
        assert!(
            left.into_iter().all(|message| held.dead.contains(message)),
            "{what}"
        );
    }
    drop(chain);
    for_writing(directory).unwrap();
}

#[test]
fn a_flipped_bit_anywhere_costs_at_most_the_file_that_it_is_in_and_is_found() {
    let kept = kept();
    let mut rng = Rng::seeded(4);
    let flips = if std::env::var_os("CHAFFINCH_EVERY_POINT").is_some() {
        1000
    } else {
        16
    };
    for name in files(kept.path()) {
        let is_log = kept.some_file(".log").ends_with(&name);
        let whole = fs::read(kept.path().join(&name)).unwrap();
        for _ in 0..flips {
            let (place, bit) = (rng.below_u64(whole.len() as u64) as usize, rng.below_u64(8));
            let what = format!("{name}, byte {place}, bit {bit}");
            let copy = kept.copy();
            let mut bytes = whole.clone();
            bytes[place] ^= 1 << bit;
            fs::write(copy.path().join(&name), &bytes).unwrap();
            forgets(copy.path(), &what);
            let copy = kept.copy();
            fs::write(copy.path().join(&name), &bytes).unwrap();
            let Some((left, verified)) = what_is_left(copy.path(), &kept.found, &what) else {
                assert!(!is_log, "{what}: refused");
                continue;
            };
            assert_ne!(
                name, "manifest.json",
                "{what}: it has a checksum over all of it"
            );
            let lost = kept.found.len() - left.len();
            assert!(lost <= 4, "{what}: {lost} messages are lost");
            // The last frame of a log may be one that was cut off as it was written.
            let is_last = is_log && lost == 0;
            assert!(!verified.is_empty() || is_last, "{what}: nobody noticed");
            if is_log {
                continue;
            }
            // The file comes back, and with it what was in it.
            fs::write(copy.path().join(&name), &whole).unwrap();
            assert_eq!(
                messages(&for_writing(copy.path()).unwrap()),
                kept.found,
                "{what}: put back"
            );
        }
    }
}

/// Three messages in a log, of which the second frame is damaged: its path and bytes.
fn with_damaged_log(directory: &Path) -> (PathBuf, Vec<u8>) {
    let chain = for_writing_new(directory);
    for (id, author) in [("1", "ann"), ("2", "bob"), ("3", "cid")] {
        let text = format!("forgettable words of {author} here");
        chain.add(&[record(id, author, "", &text)]).unwrap();
    }
    drop(chain);
    let log = files(directory)
        .into_iter()
        .find(|name| matches!(FileKind::of(name), Some((FileKind::Log, _))));
    let log = directory.join(log.unwrap());
    let mut bytes = fs::read(&log).unwrap();
    let at = bytes.windows(3).position(|some| some == b"bob").unwrap();
    bytes[at] ^= 1;
    fs::write(&log, &bytes).unwrap();
    (log, bytes)
}

fn for_writing_new(directory: &Path) -> Chain {
    open_with(Arc::new(RealDisk), directory, Some(Options::default())).unwrap()
}

/// The files that hold a word of the messages.
fn holding(directory: &Path, word: &str) -> Vec<String> {
    let mut names = files(directory);
    names.retain(|name| {
        let bytes = fs::read(directory.join(name)).unwrap();
        bytes
            .windows(word.len())
            .any(|some| some == word.as_bytes())
    });
    names
}

#[test]
fn a_damaged_log_is_kept_named_and_counted_when_a_merge_takes_its_place() {
    let directory = tempfile::tempdir().unwrap();
    let (log, bytes) = with_damaged_log(directory.path());
    let chain = for_writing(directory.path()).unwrap();
    let damage = chain.stats().unwrap().damage;
    assert!(
        damage.len() == 1 && damage[0].contains("at byte"),
        "{damage:?}"
    );
    assert_eq!(chain.stats().unwrap().messages, 2, "one frame is lost");
    chain.merge(Extent::Due).unwrap();
    let check = |chain: &Chain| {
        let stats = chain.stats().unwrap();
        assert_eq!((stats.damage.len(), stats.counters["logs_damaged"]), (1, 1));
        let named = &stats.damage[0];
        assert!(named.contains(".log.damaged is a log"), "{named}");
        assert_eq!(messages(chain).len(), 2);
        assert_eq!(fs::read(log.with_extension("log.damaged")).unwrap(), bytes);
    };
    check(&chain);
    chain.merge(Extent::Whole).unwrap();
    check(&chain);
    drop(chain);
    check(&for_writing(directory.path()).unwrap());
}

#[test]
fn what_is_forgotten_stays_in_no_damaged_log() {
    // Before the merge that would keep the log, and after it; by who can be found, and who cannot.
    for (author, merges) in [
        ("ann", 0),
        ("bob", 0),
        ("ann", 1),
        ("bob", 1),
        ("ann", 2),
        ("bob", 2),
    ] {
        let what = format!("{author}, after {merges} merges");
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let (log, _) = with_damaged_log(path);
        let mut chain = for_writing(path).unwrap();
        for _ in 0..merges {
            chain.merge(Extent::Whole).unwrap();
            assert!(log.with_extension("log.damaged").exists(), "{what}");
        }
        chain.forget(&Forget::Author(author.to_owned())).unwrap();
        if merges < 2 {
            // That it was forgotten outlasts the process.
            drop(chain);
            chain = for_writing(path).unwrap();
        }
        chain.merge(Extent::Due).unwrap();
        assert!(
            !holding(path, "forgettable").is_empty(),
            "{what}: others said it too"
        );
        for word in ["ann", "bob"]
            .iter()
            .filter(|word| **word == author || **word == "bob")
        {
            let names = holding(path, word);
            assert!(names.is_empty(), "{what}: {word} is in {names:?}");
        }
        let stats = chain.stats().unwrap();
        assert!(stats.damage.is_empty(), "{what}: {:?}", stats.damage);
        assert_eq!(stats.counters["logs_damaged"], 1, "{what}");
        assert_eq!(
            messages(&chain).len(),
            if author == "ann" { 1 } else { 2 },
            "{what}"
        );
    }
}

#[test]
fn what_was_forgotten_in_a_lost_segment_is_carried_over_once_however_often_a_merge_fails() {
    use super::hooked::{Doing, Hooked, full};
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chain");
    let chain = open(&path);
    chain.add(&numbered(0, 4)).unwrap();
    chain.merge(Extent::Due).unwrap();
    drop(chain);
    let segment = files(&path)
        .into_iter()
        .find(|name| matches!(FileKind::of(name), Some((FileKind::Segment, _))));
    let segment = segment.unwrap();
    let away = directory.path().join(&segment);
    fs::rename(path.join(&segment), &away).unwrap();
    let disk = Hooked::default();
    let chain = disk.open(&path);
    chain.forget(&Forget::Author("ann".to_owned())).unwrap_err();
    chain.forget(&Forget::Author("bob".to_owned())).unwrap_err();
    let forgets = || {
        let manifest = crate::storage::Manifest::read(&RealDisk, &path)
            .unwrap()
            .unwrap();
        let mut count = Vec::new();
        for log in &manifest.logs {
            let mut forgets = 0;
            crate::storage::Recovery::read(&RealDisk, &path, &[*log], &mut |operation| {
                let is_one = matches!(operation, crate::storage::Operation::Forget { .. });
                forgets += u32::from(is_one);
                Ok(())
            })
            .unwrap();
            count.push(forgets);
        }
        count
    };
    assert_eq!(forgets(), [2]);
    for number in 0..5 {
        let text = format!("something new {number}");
        chain.add(&[Record::of(&text)]).unwrap();
        // The manifest that begins the next log is put in place; the one with the segments is not.
        let renamed = std::sync::atomic::AtomicU32::new(0);
        disk.set(move |doing, _| match doing {
            Doing::Rename if renamed.fetch_add(1, std::sync::atomic::Ordering::SeqCst) > 0 => {
                full()
            }
            _ => Ok(()),
        });
        chain.merge(Extent::Due).unwrap_err();
        disk.clear();
    }
    let carried = forgets();
    assert!(carried.len() > 2, "{carried:?}");
    assert!(carried.iter().all(|&count| count <= 2), "{carried:?}");
    chain.merge(Extent::Due).unwrap();
    assert_eq!(forgets(), [2]);
    drop(chain);
    fs::rename(&away, path.join(&segment)).unwrap();
    let left = messages(&for_writing(&path).unwrap());
    let authors: std::collections::BTreeSet<&str> =
        left.values().map(|one| one.author.as_str()).collect();
    assert_eq!(authors, ["", "cid"].into());
}

#[test]
fn a_missing_log_or_manifest_is_named() {
    let kept = kept();
    let copy = kept.copy();
    fs::remove_file(
        copy.path()
            .join(kept.some_file(".log").file_name().unwrap()),
    )
    .unwrap();
    let chain = for_writing(copy.path()).unwrap();
    let damage = chain.stats().unwrap().damage;
    assert!(
        damage.len() == 1 && damage[0].contains("the log is missing"),
        "{damage:?}"
    );
    assert_eq!(left(&chain).len(), 12, "what is in segments is there");
    drop(chain);
    fs::remove_file(copy.path().join("manifest.json")).unwrap();
    for opened in [
        for_writing(copy.path()),
        open_with(Arc::new(RealDisk), copy.path(), Some(Options::default())),
    ] {
        let refused = opened.unwrap_err().to_string();
        assert!(
            refused.contains("manifest.json is damaged: it is missing"),
            "{refused}"
        );
    }
}

#[test]
fn a_torn_tail_costs_what_was_never_acknowledged() {
    let kept = kept();
    let log = kept.some_file(".log");
    let name = log.file_name().unwrap().to_owned();
    let whole = fs::read(&log).unwrap();
    let step = if std::env::var_os("CHAFFINCH_EVERY_POINT").is_some() {
        1
    } else {
        7
    };
    let mut counts = std::collections::BTreeSet::new();
    for length in (56..whole.len()).step_by(step) {
        let what = format!("cut to {length}");
        let copy = kept.copy();
        let mut bytes = whole[..length].to_vec();
        // What a file system may leave behind the part that was written.
        bytes.extend_from_slice([&[][..], &[0; 40], &[0xa5; 40]][length % 3]);
        fs::write(copy.path().join(&name), &bytes).unwrap();
        let chain = for_writing(copy.path()).unwrap();
        assert_eq!(chain.stats().unwrap().damage, [""; 0], "{what}");
        let cut = chain
            .stats()
            .unwrap()
            .counters
            .get("log_bytes_cut")
            .copied()
            .unwrap_or(0);
        assert_eq!(
            cut + std::fs::metadata(copy.path().join(&name)).unwrap().len(),
            bytes.len() as u64,
            "{what}"
        );
        let left = messages(&chain);
        // The message that the last frame forgot may be there again.
        let known = |text: &String| kept.found.contains_key(text) || text.contains("on 2 red");
        assert!(left.keys().all(known), "{what}");
        counts.insert(left.len());
        chain
            .add(&[record("", "", "", "and so it goes on")])
            .unwrap();
        let left = messages(&chain);
        drop(chain);
        assert_eq!(messages(&for_writing(copy.path()).unwrap()), left, "{what}");
    }
    assert_eq!(counts.into_iter().collect::<Vec<_>>(), [12, 14, 16, 18]);
}
