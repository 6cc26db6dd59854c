//! A life of a chain in steps, and what it holds after each.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::{Extent, Training};
use super::*;
use crate::rng::Rng;
use crate::storage::Forget;
use crate::storage::faulty_disk::FaultyDisk;

pub(super) enum Step {
    /// Closes the chain if it is open.
    Open,
    Add(Vec<Record>),
    Forget(Vec<Forget>),
    Train(&'static str, String),
    Merge(Extent),
}

/// What a chain was told, and what it acknowledged.
pub(super) struct Life {
    pub disk: FaultyDisk,
    pub directory: PathBuf,
    pub chain: Option<Chain>,
    pub acknowledged: Messages,
    /// What the step that failed would have added, and taken away.
    pub coming: Messages,
    pub going: Vec<String>,
    /// Whether what would have been added is stored in one go, and not in parts.
    together: bool,
}

fn batch(from: usize, to: usize) -> Step {
    let records = (from..to).map(|number| Record {
        time_ms: i64::try_from(number * 1000).ok(),
        id: if number.is_multiple_of(3) {
            String::new()
        } else {
            format!("m{number}")
        },
        ..record(
            "",
            &format!("author{}", number % 4),
            &format!("channel{}", number % 5),
            &text_of(number),
        )
    });
    Step::Add(records.collect())
}

fn ids(ids: &[&str]) -> Vec<Forget> {
    let ids = ids.iter().map(|id| Forget::Message(id.parse().unwrap()));
    ids.collect()
}

fn text_of(number: usize) -> String {
    format!(
        "the {} cat sat on {number} mats",
        ["red", "old", "big"][number % 3]
    )
}

fn file(from: usize, to: usize) -> String {
    let lines = (from..to).map(|number| format!("a line that says {number} things of the cat"));
    lines.collect::<Vec<_>>().join("\n")
}

pub(super) fn steps() -> Vec<Step> {
    let backward = Options {
        backward: true,
        max_copied_tokens: 4,
        ..Options::default()
    };
    vec![
        Step::Open,
        batch(0, 5),
        Step::Forget(vec![Forget::Message("m1".parse().unwrap())]),
        batch(5, 9),
        Step::Merge(Extent::Due),
        Step::Forget(vec![Forget::Author("author2".into())]),
        Step::Train("file", file(0, 12)),
        batch(9, 12),
        Step::Forget(vec![Forget::Channel("channel0".into())]),
        Step::Merge(Extent::Whole),
        Step::Open,
        batch(12, 15),
        Step::Merge(Extent::Changed(backward)),
        Step::Forget(vec![Forget::Before(4500)]),
        batch(15, 17),
        // Of a segment, of the delta, and one that never was.
        Step::Forget(ids(&["m7", "m16", "m8", "none", "m7"])),
        // Edits: the ids are learned anew.
        Step::Add(vec![
            record("m16", "author0", "channel1", "16 was edited"),
            record("m8", "author0", "channel3", "8 was edited"),
        ]),
        Step::Open,
        Step::Merge(Extent::Due),
        batch(17, 90),
    ]
}

impl Life {
    pub fn new(directory: &Path) -> Self {
        Self {
            disk: FaultyDisk::default(),
            directory: directory.join("chain"),
            chain: None,
            acknowledged: Messages::new(),
            coming: Messages::new(),
            going: Vec::new(),
            together: true,
        }
    }

    pub fn open(&mut self) -> Result<()> {
        self.chain = None;
        let disk = Arc::new(self.disk.clone());
        self.chain = Some(open_with(disk, &self.directory, Some(Options::default()))?);
        Ok(())
    }

    /// Takes a step; what it means is acknowledged if it was.
    pub fn take(&mut self, step: &Step) -> Result<()> {
        self.coming = match step {
            Step::Add(records) => records
                .iter()
                .map(|record| (record.text.clone(), known(record)))
                .collect(),
            Step::Train(_, text) => text
                .lines()
                .map(|line| (line.to_owned(), known(&Record::of(line))))
                .collect(),
            _ => Messages::new(),
        };
        self.together = !matches!(step, Step::Train(..));
        self.going = match step {
            Step::Forget(what) => self.matching(what),
            _ => Vec::new(),
        };
        match (step, &self.chain) {
            (Step::Open, _) => self.open()?,
            (Step::Add(records), Some(chain)) => {
                let added = chain.add(records)?;
                assert_eq!(added.learned, records.len() as u64);
            }
            (Step::Forget(what), Some(chain)) => {
                assert_eq!(chain.forget_all(what)?, self.going.len() as u64);
            }
            (Step::Train(key, text), Some(chain)) => {
                chain.train(key, &mut lines(text), Training::default(), &mut |_| true)?;
            }
            (Step::Merge(extent), Some(chain)) => drop(chain.merge(extent.clone())?),
            (_, None) => unreachable!("it is opened first"),
        }
        self.acknowledged.append(&mut self.coming);
        for text in std::mem::take(&mut self.going) {
            self.acknowledged.remove(&text);
        }
        Ok(())
    }

    fn matching(&self, what: &[Forget]) -> Vec<String> {
        let matches = |known: &Known, what: &Forget| match what {
            Forget::Message(id) => known.id == id.to_string(),
            Forget::Author(author) => known.author == *author,
            Forget::Channel(channel) => known.channel == *channel,
            Forget::Before(time) => known.time_ms.is_some_and(|known| known < *time),
        };
        let matching = self
            .acknowledged
            .iter()
            .filter(|(_, known)| what.iter().any(|what| matches(known, what)));
        matching.map(|(text, _)| text.clone()).collect()
    }

    /// Everything acknowledged is there as it was, nothing else but what was on its way, and what
    /// was going is gone or not as a whole.
    pub fn check(&self, found: &Messages, what: &str) {
        for (text, known) in &self.acknowledged {
            match found.get(text) {
                Some(found) => same(found, known, what),
                None => assert!(self.going.contains(text), "{what}: {text} is lost"),
            }
        }
        for (text, found) in found {
            let known = self
                .acknowledged
                .get(text)
                .or_else(|| self.coming.get(text));
            same(
                found,
                known.unwrap_or_else(|| panic!("{what}: {text} came back")),
                what,
            );
        }
        let came = self
            .coming
            .keys()
            .filter(|text| found.contains_key(*text))
            .count();
        assert!(
            !self.together || came == 0 || came == self.coming.len(),
            "{what}: {came} of {} were added",
            self.coming.len()
        );
        let left = self
            .going
            .iter()
            .filter(|text| found.contains_key(*text))
            .count();
        assert!(
            left == 0 || left == self.going.len(),
            "{what}: forgotten by halves"
        );
    }
}

fn known(record: &Record) -> Known {
    Known {
        id: record.id.clone(),
        author: record.author.clone(),
        channel: record.channel.clone(),
        time_ms: record.time_ms,
    }
}

/// A message without an id got one of the chain's own.
pub(super) fn same(found: &Known, known: &Known, what: &str) {
    let mut expected = known.clone();
    if expected.id.is_empty() {
        assert!(found.id.starts_with('~'), "{what}: {found:?}");
        expected.id.clone_from(&found.id);
    }
    assert_eq!(*found, expected, "{what}");
}

/// How many write points the whole life has.
pub(super) fn points() -> u64 {
    let directory = tempfile::tempdir().unwrap();
    let mut life = Life::new(directory.path());
    for step in steps() {
        life.take(&step).unwrap();
    }
    life.check(&messages(life.chain.as_ref().unwrap()), "no fault");
    life.disk.points()
}

/// Write points to look at: all when `CHAFFINCH_EVERY_POINT` is set, else one drawn from each of as
/// many stretches.
pub(super) fn some_points(most: u64) -> Vec<u64> {
    let all = points();
    if std::env::var_os("CHAFFINCH_EVERY_POINT").is_some() || all <= most {
        return (1..=all).collect();
    }
    let mut rng = Rng::seeded(all);
    (0..most)
        .map(|stretch| {
            let (from, to) = (stretch * all / most, (stretch + 1) * all / most);
            from + 1 + rng.below_u64(to - from)
        })
        .collect()
}
