//! A guarded chain: of the secrets in what it was taught nothing comes out, and nothing that too
//! few people said.

mod authors;

use std::collections::HashSet;
use std::fs;

use super::super::{Extent, Training};
use super::*;
use crate::Kind;
use crate::rng::Rng;
use crate::storage::{Forget, MANIFEST_NAME};

/// Sentences that are looked through; `CHAFFINCH_SENTENCES=1000000` in a release build takes a
/// minute.
fn sentences() -> usize {
    let asked = std::env::var("CHAFFINCH_SENTENCES")
        .ok()
        .and_then(|count| count.parse().ok());
    asked.unwrap_or(20_000)
}

const NAMES: [&str; 5] = [
    "Quillon Brambleforth",
    "Odalys Vexmoor",
    "Zebedee Thistlewick",
    "Project Kelpwarden",
    "Ottoline Quagmire",
];

const AUTHORS: usize = 12;

/// Secrets of one kind, none of them real, with the words around them.
struct Secrets {
    rng: Rng,
    planted: Vec<(String, String)>,
}

impl Secrets {
    fn digits(&mut self, count: usize) -> String {
        (0..count)
            .map(|_| char::from(b'0' + self.rng.below_u64(10) as u8))
            .collect()
    }

    fn from(&mut self, letters: &[u8], count: usize) -> String {
        (0..count)
            .map(|_| char::from(letters[self.rng.below_u64(letters.len() as u64) as usize]))
            .collect()
    }

    fn mixed(&mut self, count: usize) -> String {
        let letters = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789";
        self.from(letters, count)
    }

    fn lower(&mut self, count: usize) -> String {
        self.from(b"bcdfghjklmnpqrstvwxz", count)
    }

    /// With the digit that makes it a card's.
    fn card(&mut self) -> String {
        let digits = format!("4{}", self.digits(14));
        let sum: u32 = digits
            .bytes()
            .enumerate()
            .map(|(place, digit)| {
                let twice = u32::from(digit - b'0') * if place % 2 == 0 { 2 } else { 1 };
                twice / 10 + twice % 10
            })
            .sum();
        let digits = format!("{digits}{}", (10 - sum % 10) % 10);
        [&digits[..4], &digits[4..8], &digits[8..12], &digits[12..]]
            .join([" ", "-"][sum as usize % 2])
    }

    fn part(&mut self) -> u64 {
        11 + self.rng.below_u64(200)
    }

    fn address(&mut self) -> String {
        format!("10.{}.{}.{}", self.part(), self.part(), self.part())
    }

    /// Fifteen kinds, ten of each: the words around it with `{}` in its place, and the secret.
    fn plant(&mut self) {
        for _ in 0..10 {
            let (street, number) = (self.lower(6), 100 + self.part());
            let kinds = [
                ("please look at {} again", self.address()),
                (
                    "route 2001:db8:{} again",
                    format!(
                        "{}::{}",
                        self.from(b"abcdef123456789", 4),
                        self.from(b"abcdef123456789", 4)
                    ),
                ),
                ("the card {} was charged", self.card()),
                (
                    "the key AKIA{} was found",
                    self.from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16),
                ),
                ("use the token ghp_{} for now", self.mixed(36)),
                ("it is {} I think", self.mixed(24)),
                (
                    "mail {} about the report",
                    format!("{}@{}.example", self.lower(8), self.lower(7)),
                ),
                (
                    "restart {} after lunch",
                    format!("{}.{}.internal", self.lower(7), self.lower(6)),
                ),
                (
                    "ask {} about the release",
                    NAMES[self.rng.below_u64(5) as usize].to_owned(),
                ),
                ("my password is {} okay", self.mixed(12)),
                (
                    "call +49 30 {} after lunch",
                    format!("{} {}", self.digits(4), self.digits(4)),
                ),
                (
                    "see https://{} for the plan",
                    format!(
                        "{}.example/{}?id={}",
                        self.lower(8),
                        self.lower(7),
                        self.digits(6)
                    ),
                ),
                (
                    "the sum is {} of the build",
                    self.from(b"0123456789abcdef", 40),
                ),
                (
                    "send it to {} today",
                    format!(
                        "{number} {}{} Street",
                        street[..1].to_uppercase(),
                        &street[1..]
                    ),
                ),
                (
                    "in /home/{} there is a copy",
                    format!("{}/{}.txt", self.lower(8), self.lower(7)),
                ),
            ];
            self.planted
                .extend(kinds.map(|(around, secret)| (around.to_owned(), secret)));
        }
    }
}

/// What people say all day.
fn ordinary(rng: &mut Rng) -> String {
    let mut pick = |words: &[&'static str]| words[rng.below_u64(words.len() as u64) as usize];
    let who = [
        "the team",
        "our group",
        "the office",
        "everybody",
        "nobody",
        "somebody",
    ];
    let does = [
        "wants", "needs", "likes", "gets", "breaks", "finds", "moves", "forgets",
    ];
    let what = [
        "the report",
        "the build",
        "a meeting",
        "the printer",
        "a longer lunch",
        "the plan",
        "the release",
    ];
    let when = [
        "today",
        "after lunch",
        "on friday",
        "again",
        "for now",
        "before the release",
        "at once",
    ];
    let end = ["", " okay", " I think", " and so it goes", " or not"];
    format!(
        "{} {} {} {}{}",
        pick(&who),
        pick(&does),
        pick(&what),
        pick(&when),
        pick(&end)
    )
}

/// All pieces of five characters of a text, as they would be heard: without regard to case.
fn pieces(text: &str) -> impl Iterator<Item = String> {
    let letters: Vec<char> = text.to_lowercase().chars().collect();
    let last = letters.len().saturating_sub(4);
    (0..last).map(move |start| letters[start..start + 5].iter().collect())
}

struct Planted {
    records: Vec<Record>,
    secrets: Vec<String>,
    /// Pieces of secrets that nothing else has.
    telling: HashSet<String>,
}

/// Secrets that five people each tell, among what everybody says.
fn planted() -> Planted {
    let mut secrets = Secrets {
        rng: Rng::seeded(20),
        planted: Vec::new(),
    };
    secrets.plant();
    let Secrets { mut rng, planted } = secrets;
    assert_eq!(planted.len(), 150);
    let mut plain: Vec<String> = (0..2000).map(|_| ordinary(&mut rng)).collect();
    plain.extend(planted.iter().map(|(around, _)| around.replace("{}", "")));
    // A placeholder may be said, whatever it is called.
    plain.extend(Kind::ALL.iter().map(|kind| kind.placeholder().to_owned()));
    let harmless: HashSet<String> = plain.iter().flat_map(|text| pieces(text)).collect();
    let secret = planted.iter().flat_map(|(_, secret)| pieces(secret));
    let telling = secret
        .filter(|piece| !harmless.contains(piece) && piece.chars().any(char::is_alphanumeric))
        .collect();
    let mut texts: Vec<String> = plain[..2000].to_vec();
    for (around, secret) in &planted {
        texts.extend(std::iter::repeat_n(around.replace("{}", secret), 6));
    }
    for index in (1..texts.len()).rev() {
        texts.swap(index, rng.below_u64(index as u64 + 1) as usize);
    }
    // The copies of a secret lie far apart: as good as always, they have different authors.
    let author = |number: usize| format!("author{}", number % AUTHORS);
    let records = texts
        .iter()
        .enumerate()
        .map(|(number, text)| record("", &author(number), "", text))
        .collect();
    Planted {
        records,
        secrets: planted.into_iter().map(|(_, secret)| secret).collect(),
        telling,
    }
}

fn guarded(directory: &Path, options: Options) -> Chain {
    let opening = Opening {
        write: true,
        create: Some(options),
        names: NAMES.map(str::to_owned).to_vec(),
    };
    Chain::open(directory, &opening).unwrap()
}

/// What a chain says holds nothing of what was planted; how many sentences that were.
fn says_nothing_of(planted: &Planted, chain: &Chain, count: usize, what: &str) -> usize {
    let mut heard = 0;
    let mut seed = 0;
    for novel in [true, false] {
        let ask = Ask {
            novel,
            ..Ask::default()
        };
        let most = if novel { count / 4 } else { count };
        while heard < most {
            let said = chain
                .generate(&ask, 1000.min(most - heard), Some(seed))
                .unwrap();
            assert!(!said.is_empty());
            heard += said.len();
            seed += 1;
            for one in said {
                let piece = pieces(&one.text).find(|piece| planted.telling.contains(piece));
                assert_eq!(piece, None, "{what}: {}", one.text);
            }
        }
    }
    heard
}

/// No file of the chain has a secret in it, nor what is told when it is asked where its words come
/// from.
fn holds_nothing_of(planted: &Planted, chain: &Chain, what: &str) {
    for name in files(chain.directory()) {
        let bytes = fs::read(chain.directory().join(&name)).unwrap();
        for secret in &planted.secrets {
            if name == MANIFEST_NAME && NAMES.contains(&secret.as_str()) {
                continue; // the list that the chain was given
            }
            let found = memchr::memmem::find(&bytes, secret.as_bytes());
            assert_eq!(found, None, "{what}: {secret} is in {name}");
        }
    }
    for secret in planted.secrets.iter().step_by(9) {
        for reference in chain.references(secret, 5).unwrap() {
            let piece = pieces(&reference.text).find(|piece| planted.telling.contains(piece));
            assert_eq!(piece, None, "{what}: {}", reference.text);
        }
    }
}

#[test]
fn none_of_many_planted_secrets_comes_out() {
    let planted = planted();
    assert!(planted.telling.len() > 1500, "{}", planted.telling.len());
    // With the threshold of one author nothing but the guard stands between a secret and a
    // sentence.
    let alone = Options {
        min_authors: 1,
        backward: true,
        ..Options::guarded()
    };
    let mut heard = 0;
    let mut most = sentences() / 9;
    for options in [alone, Options::guarded()] {
        let directory = tempfile::tempdir().unwrap();
        let chain = guarded(&directory.path().join("chain"), options.clone());
        let (first, second) = planted.records.split_at(planted.records.len() / 2);
        chain.add(first).unwrap();
        holds_nothing_of(&planted, &chain, "log");
        assert!(
            matches!(
                chain.generate(&Ask::default(), 1, Some(1)),
                Err(Error::NothingNew(_))
            ),
            "a delta is silent"
        );
        let file: String = second
            .iter()
            .map(|record| {
                serde_json::json!({"author": record.author, "text": record.text}).to_string() + "\n"
            })
            .collect();
        let mut file = source("chat", &file, Format::Ndjson);
        chain
            .train("chat", &mut file, Training::default(), &mut |_| true)
            .unwrap();
        heard += says_nothing_of(&planted, &chain, most, "trained");
        chain.add(first).unwrap();
        heard += says_nothing_of(&planted, &chain, most, "with a delta");
        assert!(chain.forget(&Forget::Author("author3".into())).unwrap() > 100);
        heard += says_nothing_of(&planted, &chain, most, "after forgetting");
        chain.merge(Extent::Whole).unwrap();
        holds_nothing_of(&planted, &chain, "merged");
        let counters = chain.stats().unwrap().counters;
        for kind in [
            Kind::Ip,
            Kind::Card,
            Kind::Key,
            Kind::Mail,
            Kind::Host,
            Kind::Name,
            Kind::Phone,
            Kind::Url,
        ] {
            let count = counters.get(&format!("replaced_{}", kind.name()));
            assert!(
                count.is_some_and(|&count| count >= 20),
                "{}: {counters:?}",
                kind.name()
            );
        }
        let replaced = counters
            .iter()
            .filter(|(name, _)| name.starts_with("replaced_"));
        let replaced: u64 = replaced.map(|(_, count)| count).sum();
        assert!(
            replaced >= 150 * 9,
            "{replaced}: half of what was planted was added twice"
        );
        assert_eq!(
            chain.stats().unwrap().unsupported > 0,
            options.min_authors > 1
        );
        let mut archive = Vec::new();
        chain.export(&mut archive).unwrap();
        let copy = directory.path().join("copy");
        Chain::import(&copy, &mut &archive[..], Some(&NAMES.map(str::to_owned))).unwrap();
        let copy = guarded(&copy, options);
        assert_eq!(copy.stats().unwrap().counters, counters);
        holds_nothing_of(&planted, &copy, "imported");
        heard += says_nothing_of(&planted, &copy, most, "imported");
        most = (sentences() - heard.min(sentences())) / 4 + 1;
    }
    assert!(heard >= sentences(), "{heard}");
}

#[test]
fn what_would_be_found_is_found() {
    // The same corpus without the guard: else what is asserted above could not fail.
    let planted = planted();
    let directory = tempfile::tempdir().unwrap();
    let chain = Chain::open(
        directory.path(),
        &Opening {
            write: true,
            create: Some(Options::default()),
            names: Vec::new(),
        },
    );
    let chain = chain.unwrap();
    chain.add(&planted.records).unwrap();
    let ask = Ask {
        novel: false,
        ..Ask::default()
    };
    let said = chain.generate(&ask, 2000, Some(1)).unwrap();
    let leaks = said
        .iter()
        .filter(|one| pieces(&one.text).any(|piece| planted.telling.contains(&piece)))
        .count();
    assert!(leaks > 200, "{leaks}");
}
