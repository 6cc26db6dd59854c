//! Many chains beside each other: none says what another was taught, and a mix speaks in the shares
//! that were asked for.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::path::PathBuf;

use super::super::{Extent, Training, generate_mixed};
use super::*;
use crate::rng::Rng;
use crate::storage::Forget;

const ANY: fn() -> Ask = || Ask {
    novel: false,
    ..Ask::default()
};

/// Whose words a text has: `t7w12` is the seventh's.
fn owners(text: &str) -> BTreeSet<usize> {
    let owner = |word: &str| {
        let rest = word.strip_prefix('t').and_then(|rest| rest.split_once('w'));
        rest.and_then(|(owner, _)| owner.parse().ok())
            .unwrap_or_else(|| panic!("{text:?}: nobody said {word:?}"))
    };
    text.split(' ').map(owner).collect()
}

/// Several tenants, each with an open chain, and what they did.
struct Tenants {
    directory: tempfile::TempDir,
    chains: Vec<Chain>,
    rng: Rng,
    texts: u64,
    said: u64,
    mixed: u64,
}

impl Tenants {
    fn new(count: usize) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let chains = (0..count)
            .map(|tenant| open(&directory.path().join(tenant.to_string())))
            .collect();
        Self {
            directory,
            chains,
            rng: Rng::seeded(5),
            texts: 0,
            said: 0,
            mixed: 0,
        }
    }

    fn path(&self, tenant: usize) -> PathBuf {
        self.directory.path().join(tenant.to_string())
    }

    fn below(&mut self, bound: usize) -> usize {
        self.rng.below_u64(bound as u64) as usize
    }

    fn text(&mut self, tenant: usize) -> String {
        self.texts += 1;
        let words: Vec<String> = (0..2 + self.below(6))
            .map(|_| format!("t{tenant}w{}", self.below(12)))
            .collect();
        // The last word makes it the only one.
        format!("{} t{tenant}w{}", words.join(" "), 100 + self.texts)
    }

    /// Something that one of them does, and then all that it says is its own.
    fn step(&mut self) {
        let tenant = self.below(self.chains.len());
        let which = self.below(2);
        match self.below(9) {
            0..3 => {
                let records: Vec<Record> = (0..=self.below(8))
                    .map(|_| record("", ["x", "y"][self.below(2)], "", &self.text(tenant)))
                    .collect();
                self.chains[tenant].add(&records).unwrap();
            }
            3 => {
                let text: String = (0..=self.below(20))
                    .map(|_| self.text(tenant) + "\n")
                    .collect();
                let key = format!("file {}", self.texts);
                self.chains[tenant]
                    .train(&key, &mut lines(&text), Training::default(), &mut |_| true)
                    .unwrap();
            }
            4 => drop(
                self.chains[tenant]
                    .merge([Extent::Due, Extent::Whole][which].clone())
                    .unwrap(),
            ),
            5 => drop(
                self.chains[tenant]
                    .forget(&Forget::Author(["x", "y"][which].into()))
                    .unwrap(),
            ),
            6 => {
                let path = self.path(tenant);
                let other = self.path(1000);
                // The place must not matter: it is closed, moved away and back.
                drop(self.chains.remove(tenant));
                fs::rename(&path, &other).unwrap();
                fs::rename(&other, &path).unwrap();
                self.chains.insert(tenant, open(&path));
            }
            _ => self.mix(),
        }
        for (owner, chain) in self.chains.iter().enumerate() {
            for one in chain
                .generate(&ANY(), 3, Some(self.texts))
                .unwrap_or_default()
            {
                assert_eq!(owners(&one.text), BTreeSet::from([owner]), "{}", one.text);
                self.said += 1;
            }
        }
    }

    /// Some of them together, one of which has no weight.
    fn mix(&mut self) {
        let asked: Vec<(usize, u32)> = (0..3)
            .map(|index| (self.below(self.chains.len()), index))
            .collect();
        let heard: BTreeSet<usize> = asked
            .iter()
            .filter(|(_, weight)| *weight > 0)
            .map(|(tenant, _)| *tenant)
            .collect();
        let chains: Vec<(&Chain, u32)> = asked
            .iter()
            .map(|(tenant, weight)| (&self.chains[*tenant], *weight))
            .collect();
        for one in generate_mixed(&chains, &ANY(), 10, Some(self.texts)).unwrap_or_default() {
            assert!(
                owners(&one.text).is_subset(&heard),
                "{heard:?}: {}",
                one.text
            );
            self.mixed += 1;
        }
    }
}

#[test]
fn no_word_of_one_comes_out_of_another() {
    let mut tenants = Tenants::new(8);
    for _ in 0..150 {
        tenants.step();
    }
    assert!(
        tenants.said > 1000 && tenants.mixed > 100,
        "{} {}",
        tenants.said,
        tenants.mixed
    );
    for (owner, chain) in tenants.chains.iter().enumerate() {
        assert!(
            texts(chain)
                .iter()
                .all(|text| owners(text) == BTreeSet::from([owner]))
        );
    }
}

fn taught(directory: &Path, texts: &[&str]) -> Chain {
    let chain = open(directory);
    chain
        .add(
            &texts
                .iter()
                .map(|text| Record::of(text))
                .collect::<Vec<_>>(),
        )
        .unwrap();
    chain
}

/// The sum of the squares of the differences, each over what was expected.
fn chi_squared(counts: &[u64], weights: &[u32]) -> f64 {
    let all: f64 = counts.iter().map(|&count| count as f64).sum();
    let weight: f64 = weights.iter().map(|&weight| f64::from(weight)).sum();
    let expected = weights.iter().map(|&one| all * f64::from(one) / weight);
    counts
        .iter()
        .zip(expected)
        .map(|(&count, expected)| (count as f64 - expected).powi(2) / expected)
        .sum()
}

/// What two degrees of freedom exceed once in a million times.
const UNLIKELY: f64 = 27.7;

fn counted(said: &[crate::Said], among: &[&str]) -> Vec<u64> {
    let has = |one: &&crate::Said, word: &str| one.text.split(' ').any(|other| other == word);
    let counts: Vec<u64> = among
        .iter()
        .map(|word| said.iter().filter(|one| has(one, word)).count() as u64)
        .collect();
    assert_eq!(
        counts.iter().sum::<u64>(),
        said.len() as u64,
        "each has one of them"
    );
    counts
}

#[test]
fn a_mix_speaks_in_the_shares_of_its_weights() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    // How much each was taught does not count, nor whether that is in a segment.
    let one = taught(&path("one"), &["one goes home"]);
    let two = taught(&path("two"), &["two goes home"; 7]);
    let five = taught(&path("five"), &["five goes home"; 30]);
    five.merge(Extent::Whole).unwrap();
    let weights = [1, 2, 5];
    let mix = [(&one, 1), (&two, 2), (&five, 5)];
    let said = generate_mixed(&mix, &ANY(), 20_000, Some(1)).unwrap();
    let counts = counted(&said, &["one", "two", "five"]);
    let differs = chi_squared(&counts, &weights);
    assert!(differs < UNLIKELY, "{counts:?} {differs}");
    assert!(
        chi_squared(&counts, &[1, 1, 1]) > UNLIKELY,
        "what is asserted can fail"
    );
    // In the middle, too, and of those only that can go on.
    let one = taught(&path("1"), &["so it goes on"]);
    let two = taught(&path("2"), &["and it goes off"; 9]);
    let other = taught(&path("3"), &["nothing of that kind"]);
    let ask = Ask {
        start: crate::Start::Seed("it goes".into()),
        ..ANY()
    };
    let said = generate_mixed(&[(&one, 3), (&other, 100), (&two, 1)], &ask, 8000, Some(1)).unwrap();
    let counts = counted(&said, &["on", "off"]);
    let differs = chi_squared(&counts, &[3, 1]);
    assert!(differs < UNLIKELY, "{counts:?} {differs}");
    let greatest = [(&one, u32::MAX), (&two, u32::MAX), (&one, u32::MAX)];
    let counts = counted(
        &generate_mixed(&greatest, &ask, 8000, Some(1)).unwrap(),
        &["on", "off"],
    );
    assert!(counts[1] > 2000, "{counts:?}");
}

#[test]
fn a_chain_that_is_named_twice_has_both_weights() {
    let directory = tempfile::tempdir().unwrap();
    let one = taught(
        &directory.path().join("one"),
        &["one goes home", "one went off"],
    );
    let two = taught(
        &directory.path().join("two"),
        &["two goes home", "two goes off"],
    );
    let said = |mix: &[(&Chain, u32)]| generate_mixed(mix, &ANY(), 500, Some(3)).unwrap();
    let expected = said(&[(&one, 3), (&two, 4)]);
    let same = |mix: &[(&Chain, u32)]| said(mix) == expected;
    assert!(same(&[(&one, 1), (&two, 4), (&one, 2)]));
    assert!(same(&[(&one, 3), (&two, 0), (&two, 4), (&one, 0)]));
    assert!(!same(&[(&one, 3), (&two, 1)]));
    let alone = said(&[(&one, 1), (&one, 1)]) == said(&[(&one, 7)]);
    assert!(alone, "alone, a weight says nothing");
}

#[test]
fn a_mix_copies_none_of_its_sources() {
    let directory = tempfile::tempdir().unwrap();
    let sources: Vec<String> = (0..60)
        .map(|number| {
            format!(
                "a{} b{} c{} d{}",
                number % 3,
                number % 4,
                number % 5,
                number % 2
            )
        })
        .collect();
    let texts: Vec<&str> = sources.iter().map(String::as_str).collect();
    let one = taught(&directory.path().join("one"), &texts[..30]);
    let two = taught(&directory.path().join("two"), &texts[30..]);
    two.merge(Extent::Whole).unwrap();
    let known: HashSet<&str> = texts.iter().copied().collect();
    let ask = Ask::default();
    let said = generate_mixed(&[(&one, 1), (&two, 1)], &ask, 40, Some(1)).unwrap();
    assert_eq!(said.len(), 40);
    let copied = said.iter().find(|one| known.contains(one.text.as_str()));
    assert_eq!(copied, None);
}

#[test]
fn what_cannot_be_mixed_is_said_in_a_sentence() {
    let directory = tempfile::tempdir().unwrap();
    let words = taught(&directory.path().join("words"), &["one goes home"]);
    let options = Options {
        mode: crate::Mode::Graphemes,
        ..Options::default()
    };
    let graphemes = open_with(
        Arc::new(RealDisk),
        &directory.path().join("graphemes"),
        Some(options),
    )
    .unwrap();
    let empty = open(&directory.path().join("empty"));
    let refused = |mix: &[(&Chain, u32)]| generate_mixed(mix, &ANY(), 1, None).unwrap_err();
    assert!(matches!(refused(&[]), Error::Input(_)));
    assert!(
        refused(&[(&words, 1), (&graphemes, 1)])
            .to_string()
            .contains("different token modes")
    );
    assert!(
        refused(&[(&words, 0)])
            .to_string()
            .contains("weight above 0")
    );
    assert!(matches!(
        refused(&[(&empty, 1), (&words, 0)]),
        Error::NothingNew(_)
    ));
    let said = generate_mixed(&[(&empty, 9), (&words, 1)], &ANY(), 5, None).unwrap();
    assert!(
        said.iter().all(|one| one.text == "one goes home"),
        "who knows nothing says nothing"
    );
}

/// Fills the middle of a chain's largest segment with other bytes, in place.
fn spoil(directory: &Path) {
    let segments = files(directory)
        .into_iter()
        .filter(|name| name.ends_with(".segment"));
    let path = segments
        .map(|name| directory.join(name))
        .max_by_key(|path| path.metadata().unwrap().len())
        .unwrap();
    let mut bytes = fs::read(&path).unwrap();
    let length = bytes.len();
    bytes[length / 8..length * 7 / 8].fill(0xff);
    let mut file = fs::OpenOptions::new().write(true).open(path).unwrap();
    std::io::Write::write_all(&mut file, &bytes).unwrap();
}

#[test]
fn a_chain_that_is_damaged_does_not_silence_the_others() {
    let texts: Vec<String> = (0..40)
        .map(|number| {
            format!(
                "t1w{} t1w{} t1w{} t1w{}",
                number % 7,
                number % 5,
                number % 3,
                number
            )
        })
        .collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    for reopened in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        let whole = taught(&directory.path().join("whole"), &["t0w1 t0w2 t0w3"]);
        let path = directory.path().join("damaged");
        let mut damaged = taught(&path, &texts);
        damaged.segment_places = 1 << 20;
        damaged.merge(Extent::Whole).unwrap();
        spoil(&path);
        if reopened {
            drop(damaged);
            damaged = open(&path);
        }
        for mix in [[(&whole, 1), (&damaged, 1)], [(&damaged, 1), (&whole, 1)]] {
            let said = generate_mixed(&mix, &ANY(), 300, Some(1)).unwrap();
            assert_eq!(said.len(), 300);
            assert!(
                said.iter()
                    .all(|one| owners(&one.text) == BTreeSet::from([0])),
                "reopened: {reopened}"
            );
        }
        let stats = damaged.stats().unwrap();
        assert_eq!(
            (stats.damage.len(), stats.messages),
            (1, 0),
            "{:?}",
            stats.damage
        );
        assert!(whole.stats().unwrap().damage.is_empty());
        let alone = generate_mixed(&[(&damaged, 1)], &ANY(), 1, None).unwrap_err();
        assert!(matches!(alone, Error::NothingNew(_)), "{alone}");
        damaged.add(&[Record::of("t1w1 t1w2")]).unwrap();
        let said = generate_mixed(&[(&damaged, 1)], &ANY(), 1, None).unwrap();
        assert_eq!(said[0].text, "t1w1 t1w2", "it goes on with what is whole");
    }
}

#[test]
fn damage_that_many_find_at_once_is_found_once() {
    let texts: Vec<String> = (0..40)
        .map(|number| format!("t1w{} t1w{} t1w{number}", number % 7, number % 5))
        .collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    for _ in 0..10 {
        let directory = tempfile::tempdir().unwrap();
        let whole = taught(&directory.path().join("whole"), &["t0w1 t0w2 t0w3"]);
        let path = directory.path().join("damaged");
        let mut damaged = taught(&path, &texts);
        damaged.segment_places = 1 << 20;
        damaged.merge(Extent::Whole).unwrap();
        spoil(&path);
        std::thread::scope(|scope| {
            let speakers: Vec<_> = (0..4)
                .map(|seed| {
                    scope.spawn({
                        let (damaged, whole) = (&damaged, &whole);
                        move || {
                            generate_mixed(&[(damaged, 1), (whole, 1)], &ANY(), 50, Some(seed))
                                .map(|said| said.len())
                        }
                    })
                })
                .collect();
            for speaker in speakers {
                assert_eq!(speaker.join().unwrap().unwrap(), 50);
            }
        });
        assert_eq!(damaged.stats().unwrap().damage.len(), 1);
    }
}
