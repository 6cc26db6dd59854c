//! What a chain promises, on disks that die, fill up and lose power, under threads, and with files
//! that are damaged.

mod acknowledged;
mod archives;
mod aside;
mod bounds;
mod concurrency;
mod crashes;
mod damage;
mod forgetting_much;
mod full_disk;
mod hooked;
mod illustrations;
mod leaks;
mod meanwhile;
mod merges;
mod readers;
mod script;
mod tenants;
mod training;
mod waiting;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use flate2::read::GzDecoder;

use super::{Chain, Opening};
use crate::read::{Format, Source};
use crate::storage::{Disk, Options, RealDisk};
use crate::{Ask, Error, Record, Result};

/// All that is known of a message, by its text; texts are told apart by the tests.
type Messages = BTreeMap<String, Known>;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Known {
    id: String,
    author: String,
    channel: String,
    time_ms: Option<i64>,
}

fn open_with(disk: Arc<dyn Disk>, directory: &Path, options: Option<Options>) -> Result<Chain> {
    let opening = Opening {
        write: true,
        create: options,
        names: Vec::new(),
    };
    let mut chain = Chain::open_on(disk, directory, &opening)?;
    // So that a few messages fill a segment.
    chain.segment_places = 40;
    Ok(chain)
}

fn open(directory: &Path) -> Chain {
    open_with(Arc::new(RealDisk), directory, Some(Options::default())).unwrap()
}

fn record(id: &str, author: &str, channel: &str, text: &str) -> Record {
    Record {
        id: id.to_owned(),
        author: author.to_owned(),
        channel: channel.to_owned(),
        text: text.to_owned(),
        ..Record::default()
    }
}

fn lines(text: &str) -> Source {
    source("test", text, Format::Lines)
}

fn source(name: &str, text: &str, format: Format) -> Source {
    Source::over(
        name,
        Box::new(std::io::Cursor::new(text.to_owned().into_bytes())),
        Some(format),
    )
    .unwrap()
}

/// Every message of a chain, as its archive has it; an id or text that is there twice fails.
fn messages(chain: &Chain) -> Messages {
    let mut archive = Vec::new();
    let count = chain.export(&mut archive).unwrap();
    let mut text = String::new();
    GzDecoder::new(&archive[..])
        .read_to_string(&mut text)
        .unwrap();
    let mut found = Messages::new();
    let mut ids = std::collections::BTreeSet::new();
    for line in text.lines() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        let Some(tokens) = value["tokens"].as_array() else {
            continue;
        };
        let tokens: Vec<&str> = tokens.iter().map(|token| token.as_str().unwrap()).collect();
        let text_of = |field: &str| value[field].as_str().unwrap_or_default().to_owned();
        let known = Known {
            id: text_of("id"),
            author: text_of("author"),
            channel: text_of("channel"),
            time_ms: value["time_ms"].as_i64(),
        };
        assert!(ids.insert(known.id.clone()), "{} is there twice", known.id);
        assert_eq!(
            found.insert(tokens.join(" "), known),
            None,
            "{tokens:?} is there twice"
        );
    }
    assert_eq!(found.len() as u64, count);
    assert_eq!(chain.live().messages(), count);
    found
}

fn texts(chain: &Chain) -> Vec<String> {
    messages(chain).into_keys().collect()
}

/// Whatever there is to say: no other error than that there is nothing new.
fn speaks(chain: &Chain) {
    let ask = Ask {
        novel: false,
        ..Ask::default()
    };
    match chain.generate(&ask, 5, Some(1)) {
        Ok(said) => assert!(said.iter().all(|one| !one.text.is_empty())),
        Err(Error::NothingNew(_)) => assert_eq!(chain.live().messages(), 0),
        Err(error) => panic!("{error}"),
    }
}

/// The names of the chain's own files.
fn files(directory: &Path) -> Vec<String> {
    let mut names = RealDisk.list(directory).unwrap();
    names.retain(|name| name != "lock");
    names
}
