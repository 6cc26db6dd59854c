//! Which message with an attachment goes with a text, and how many messages somebody has.

use std::collections::{BTreeSet, HashSet};

use proptest::prelude::*;

use super::super::{Extent, Reference, Training};
use super::*;
use crate::rng::chi_squared::assert_drawn;
use crate::storage::Forget;

const WORDS: [&str; 5] = ["red", "cat", "sat", "on", "mats"];

fn attached(id: &str, text: &str, attachments: usize) -> Record {
    Record {
        attachments: (0..attachments)
            .map(|number| format!("https://cdn.example/{id}/{number}.png"))
            .collect(),
        ..record(id, &format!("author{}", id.len()), "", text)
    }
}

fn forget(id: &str) -> Forget {
    Forget::Message(id.parse().unwrap())
}

fn seen(chain: &Chain, text: &str, seed: u64) -> Option<Reference> {
    chain.illustration(text, Some(seed)).unwrap()
}

/// Runs of three words that a message shares with a text; all of it is one if it has fewer.
fn shared(message: &str, text: &str) -> u32 {
    let words = |text: &str| -> Vec<String> { text.split(' ').map(str::to_owned).collect() };
    let (message, text) = (words(message), words(text));
    let runs = |words: &[String]| -> Vec<Vec<String>> {
        let runs = words.windows(words.len().clamp(1, 3));
        runs.map(<[String]>::to_vec).collect()
    };
    let wanted: HashSet<Vec<String>> = runs(&text).into_iter().collect();
    let found = runs(&message)
        .into_iter()
        .filter(|run| wanted.contains(run));
    found.count() as u32
}

#[derive(Clone, Debug)]
enum Doing {
    Add(String, usize),
    Edit(usize, String, usize),
    Forget(Vec<usize>),
    Merge,
    Open,
}

fn text() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(&WORDS), 1..9).prop_map(|words| words.join(" "))
}

fn doing() -> impl Strategy<Value = Doing> {
    prop_oneof![
        6 => (text(), 0..3_usize).prop_map(|(text, attached)| Doing::Add(text, attached)),
        2 => (0..40_usize, text(), 0..3_usize).prop_map(|(id, text, attached)| Doing::Edit(id, text, attached)),
        2 => prop::collection::vec(0..40_usize, 0..6).prop_map(Doing::Forget),
        1 => Just(Doing::Merge),
        1 => Just(Doing::Open),
    ]
}

/// What is alive: text, and how many attachments it has.
type Model = BTreeMap<String, (String, usize)>;

fn does(chain: Chain, directory: &Path, model: &mut Model, doing: &Doing) -> Chain {
    let adds = |model: &mut Model, id: String, text: &str, attachments| {
        let added = chain.add(&[attached(&id, text, attachments)]).unwrap();
        assert_eq!(added.learned, 1);
        model.insert(id, (text.to_owned(), attachments));
    };
    let forgets = |model: &mut Model, id: &str| {
        let known = u64::from(model.remove(id).is_some());
        assert_eq!(chain.forget(&forget(id)).unwrap(), known);
    };
    match doing {
        Doing::Add(text, attachments) => {
            let mut ids = (0..).map(|number| format!("m{number}"));
            let id = ids.find(|id| !model.contains_key(id)).unwrap();
            adds(model, id, text, *attachments);
        }
        Doing::Edit(id, text, attachments) => {
            let id = format!("m{id}");
            forgets(model, &id);
            adds(model, id, text, *attachments);
        }
        Doing::Forget(ids) => {
            let ids: Vec<String> = ids.iter().map(|id| format!("m{id}")).collect();
            let what: Vec<Forget> = ids.iter().map(|id| forget(id)).collect();
            let known = ids.iter().filter(|id| model.remove(*id).is_some());
            assert_eq!(known.count() as u64, chain.forget_all(&what).unwrap());
        }
        Doing::Merge => drop(chain.merge(Extent::Due).unwrap()),
        Doing::Open => {
            drop(chain);
            return open_with(Arc::new(RealDisk), directory, None).unwrap();
        }
    }
    chain
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn none_that_has_attachments_shares_more(
        doings in prop::collection::vec(doing(), 1..60),
        asked in prop::collection::vec(text(), 1..6),
    ) {
        let directory = tempfile::tempdir().unwrap();
        let options = Options { order: 2, ..Options::default() };
        let mut chain = open_with(Arc::new(RealDisk), directory.path(), Some(options)).unwrap();
        let mut model = Model::new();
        for (number, doing) in doings.iter().enumerate() {
            chain = does(chain, directory.path(), &mut model, doing);
            let text = &asked[number % asked.len()];
            let alive = model.values().filter(|(_, attachments)| *attachments > 0);
            let best = alive.map(|(alive, _)| shared(alive, text)).max();
            let found = seen(&chain, text, number as u64);
            prop_assert_eq!(found.as_ref().map(|found| found.shared), best);
            if let Some(found) = found {
                let (expected, attachments) = &model[&found.id];
                prop_assert_eq!(&found.text, expected);
                prop_assert_eq!(found.attachments.len(), *attachments);
                prop_assert_eq!(shared(expected, text), found.shared);
            }
        }
        for author in ["author2", "author3", "author4"] {
            let known = model.keys().filter(|id| author == format!("author{}", id.len())).count();
            let what = Forget::Author(author.into());
            prop_assert_eq!(chain.count(&what).unwrap(), known as u64);
            prop_assert_eq!(chain.forget(&what).unwrap(), known as u64);
            prop_assert_eq!(chain.count(&what).unwrap(), 0);
        }
    }
}

/// Messages with one to four attachments, in a segment and in memory, some of them forgotten.
fn some(directory: &Path) -> (Chain, Vec<String>) {
    let chain = open(directory);
    let ids: Vec<String> = (0..12).map(|number| format!("a{number}")).collect();
    for (number, id) in ids.iter().enumerate() {
        let text = format!("the old picture {number}");
        chain.add(&[attached(id, &text, 1 + number % 4)]).unwrap();
        chain
            .add(&[record("", "", "", "no picture at all")])
            .unwrap();
        if number == 7 {
            chain.merge(Extent::Due).unwrap();
        }
    }
    for id in ["a2", "a10"] {
        assert_eq!(chain.forget(&forget(id)).unwrap(), 1);
    }
    let alive = ids.into_iter().filter(|id| id != "a2" && id != "a10");
    (chain, alive.collect())
}

#[test]
fn where_nothing_is_shared_each_is_as_likely() {
    let directory = tempfile::tempdir().unwrap();
    let (chain, alive) = some(directory.path());
    let weights: BTreeMap<String, f64> = alive.into_iter().map(|id| (id, 1.0)).collect();
    let mut seed = 0;
    assert_drawn(&weights, 4000, || {
        seed += 1;
        let found = seen(&chain, "something else", seed).unwrap();
        assert_eq!(found.shared, 0);
        found.id
    });
}

#[test]
fn of_those_that_share_as_much_each_is_as_likely() {
    let directory = tempfile::tempdir().unwrap();
    let (chain, alive) = some(directory.path());
    chain.merge(Extent::Due).unwrap();
    let options = chain.options();
    assert_eq!(options.order, 2);
    let weights: BTreeMap<String, f64> = alive.into_iter().map(|id| (id, 1.0)).collect();
    let mut seed = 0;
    assert_drawn(&weights, 4000, || {
        seed += 1;
        let found = seen(&chain, "the old picture of them", seed).unwrap();
        assert_eq!(found.shared, 1);
        found.id
    });
}

#[test]
fn it_is_found_where_nearly_all_were_forgotten() {
    let directory = tempfile::tempdir().unwrap();
    let mut chain = open(directory.path());
    chain.segment_places = 1 << 20;
    let ids: Vec<String> = (0..900).map(|number| format!("a{number}")).collect();
    let records = ids
        .iter()
        .map(|id| attached(id, &format!("picture {id}"), 2));
    chain.add(&records.collect::<Vec<_>>()).unwrap();
    chain.merge(Extent::Due).unwrap();
    assert!(seen(&chain, "none", 1).is_some());
    let gone: Vec<Forget> = ids
        .iter()
        .filter(|id| *id != "a7")
        .map(|id| forget(id))
        .collect();
    assert_eq!(chain.forget_all(&gone).unwrap(), 899);
    for seed in 0..20 {
        assert_eq!(seen(&chain, "none", seed).unwrap().id, "a7");
    }
    chain.forget(&forget("a7")).unwrap();
    assert_eq!(seen(&chain, "none", 1), None);
    assert_eq!(seen(&chain, "picture a7", 1), None);
}

/// Of many runs not all are held: who shares several is found all the same.
#[test]
fn the_room_that_it_takes_is_bounded() {
    let directory = tempfile::tempdir().unwrap();
    let mut chain = open(directory.path());
    chain.segment_places = 1 << 20;
    let text = |number: usize| {
        let words = (0..24).map(|word| format!("w{number}x{word}"));
        words.collect::<Vec<_>>().join(" ")
    };
    let records = (0..90).map(|number| attached(&format!("a{number}"), &text(number), 1));
    chain.add(&records.collect::<Vec<_>>()).unwrap();
    chain.merge(Extent::Due).unwrap();
    let before = chain.memory_bytes();
    for number in 0..90 {
        let found = seen(&chain, &text(number), 3).unwrap();
        assert_eq!(found.id, format!("a{number}"));
        assert_eq!(found.shared, 22);
    }
    assert!(chain.memory_bytes() > before, "it is counted");
    assert!(
        chain.memory_bytes() - before <= (1 << 10) * 8,
        "and bounded"
    );
    assert!(chain.unmerged_bytes() <= before);
}

#[test]
fn a_guarded_chain_has_them_too() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options {
        min_authors: 1,
        ..Options::guarded()
    };
    let chain = open_with(Arc::new(RealDisk), directory.path(), Some(options)).unwrap();
    chain
        .add(&[
            attached("1", "see the rack at 10.0.0.7 today", 1),
            attached("2", "see the other rack today", 1),
            record("3", "", "", "see the rack at 10.0.0.9 today"),
        ])
        .unwrap();
    for _ in 0..2 {
        let found = seen(&chain, "see the rack at <ip> today", 1).unwrap();
        assert_eq!((&*found.id, found.shared > 1), ("1", true));
        assert_eq!(found.text, "see the rack at <ip> today");
        chain.merge(Extent::Due).unwrap();
    }
}

#[test]
fn readers_and_trainings_know_them() {
    let directory = tempfile::tempdir().unwrap();
    let chain = open(directory.path());
    assert_eq!(seen(&chain, "anything", 1), None);
    let rows = r#"{"id": "9", "text": "a red cat", "attachments": ["https://cdn.example/9.png"]}"#;
    let mut source = source("rows", rows, Format::Ndjson);
    chain
        .train("rows", &mut source, Training::default(), &mut |_| true)
        .unwrap();
    let reader = Chain::open(directory.path(), &Opening::default()).unwrap();
    let ids: BTreeSet<String> = [&chain, &reader]
        .map(|chain| seen(chain, "red", 1).unwrap().id)
        .into();
    assert_eq!(ids, BTreeSet::from(["9".to_owned()]));
    assert_eq!(reader.count(&Forget::Channel(String::new())).unwrap(), 1);
}
