//! A chain as one file: made a chain again it is the same.

mod guarded;
mod wrong;

use std::fs;
use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;

use super::super::Extent;
use super::*;
use crate::rng::Rng;
use crate::storage::{Forget, WriterLock};
use crate::{Mode, Support};

fn exported(chain: &Chain) -> Vec<u8> {
    let mut archive = Vec::new();
    chain.export(&mut archive).unwrap();
    archive
}

fn import(directory: &Path, archive: &[u8]) -> Result<u64> {
    Chain::import(directory, &mut &archive[..], None)
}

fn gzip(text: &str) -> Vec<u8> {
    let mut gz = GzEncoder::new(Vec::new(), Compression::fast());
    gz.write_all(text.as_bytes()).unwrap();
    gz.finish().unwrap()
}

fn with(directory: &Path, options: Options) -> Chain {
    open_with(Arc::new(RealDisk), directory, Some(options)).unwrap()
}

/// Messages of all kinds in segments and in the delta, of which some are forgotten in both.
fn full(directory: &Path, options: Options) -> Chain {
    let chain = with(directory, options);
    let part = |from: i64, to: i64| {
        let records = (from..to).map(|number| {
            let id = match number % 4 {
                0 => String::new(),
                1 => format!("<{number}@mail>"),
                2 => (number * 1_000_003).to_string(),
                _ => (u64::MAX - number.unsigned_abs()).to_string(),
            };
            Record {
                time_ms: (number % 3 > 0).then_some(number * 1000 - 20_000),
                attachments: vec![
                    "https://cdn.example/\"a\\b\u{1}\n.png".to_owned();
                    number as usize % 2
                ],
                ..record(
                    &id,
                    &format!("author{}", number % 5),
                    "raum \u{e9}\"",
                    &format!("it says {number} and {} of it", number / 2),
                )
            }
        });
        records.collect::<Vec<_>>()
    };
    chain.add(&part(0, 30)).unwrap();
    chain.merge(Extent::Due).unwrap();
    chain.add(&part(30, 60)).unwrap();
    chain
        .train(
            "file",
            &mut lines("a line\nanother line of it\n\u{1}\n"),
            crate::Training::default(),
            &mut |_| true,
        )
        .unwrap();
    chain.forget(&Forget::Author("author3".into())).unwrap();
    chain.add(&part(60, 70)).unwrap();
    chain
        .forget(&Forget::Message("~41".parse().unwrap()))
        .unwrap();
    chain
        .forget(&Forget::Message("<61@mail>".parse().unwrap()))
        .unwrap();
    chain
        .add(&[
            record("", "author9", "", ""),
            record("", "author9", "", &"w ".repeat(1001)),
        ])
        .unwrap();
    chain
}

fn said(chain: &Chain) -> Vec<String> {
    let ask = Ask {
        novel: false,
        ..Ask::default()
    };
    let said = chain.generate(&ask, 200, Some(7)).unwrap();
    said.into_iter().map(|one| one.text).collect()
}

/// Messages, and the attachments that `Messages` leaves out.
fn whole(chain: &Chain) -> (Messages, Vec<String>) {
    let mut text = String::new();
    GzDecoder::new(&exported(chain)[..])
        .read_to_string(&mut text)
        .unwrap();
    let mut lines: Vec<String> = text.lines().skip(1).map(str::to_owned).collect();
    lines.sort();
    (messages(chain), lines)
}

#[test]
fn an_imported_chain_is_the_exported_one() {
    let backward = Options {
        backward: true,
        order: 3,
        support: Support::Messages,
        ..Options::default()
    };
    let few = Options {
        min_authors: 1,
        ..Options::guarded()
    };
    for (number, options) in [Options::default(), backward, few].into_iter().enumerate() {
        let directory = tempfile::tempdir().unwrap();
        let chain = full(&directory.path().join("chain"), options.clone());
        let copy = directory.path().join("new").join("copy");
        let archive = exported(&chain);
        let expected = whole(&chain);
        assert_eq!(
            import(&copy, &archive).unwrap(),
            expected.0.len() as u64,
            "{number}"
        );
        let copies = [&copy, &copy].map(|copy| {
            let opening = Opening {
                write: true,
                ..Opening::default()
            };
            let copy = Chain::open(copy, &opening).unwrap();
            assert_eq!(whole(&copy), expected, "{number}");
            assert_eq!(copy.options(), options);
            (copy.stats().unwrap(), said(&copy))
        });
        assert_eq!(copies[0], copies[1], "{number}: opened again");
        let mut chain = chain;
        chain.segment_places = 1 << 20;
        chain.merge(Extent::Whole).unwrap();
        let mut stats = chain.stats().unwrap();
        assert!(
            stats.counters["messages_cut"] == 1 && stats.counters["messages_empty"] == 2,
            "{:?}",
            stats.counters
        );
        stats.bytes = copies[0].0.bytes;
        assert_eq!(
            copies[0],
            (stats, said(&chain)),
            "{number}: merged, the first is the second"
        );
    }
}

#[test]
fn an_archive_does_not_tell_names_and_an_import_asks_for_them() {
    let directory = tempfile::tempdir().unwrap();
    let opening = Opening {
        write: true,
        create: Some(Options::guarded()),
        names: vec!["Quillon Brambleforth".to_owned()],
    };
    let chain = Chain::open(&directory.path().join("chain"), &opening).unwrap();
    chain
        .add(&[record("1", "a", "", "ask Quillon Brambleforth")])
        .unwrap();
    let archive = exported(&chain);
    let mut text = String::new();
    MultiGzDecoder::new(&archive[..])
        .read_to_string(&mut text)
        .unwrap();
    assert!(!text.contains("Quillon"), "{text}");
    let copy = directory.path().join("copy");
    let why = import(&copy, &archive).unwrap_err().to_string();
    assert!(why.contains("replaced 1 names"), "{why}");
    assert!(!copy.exists());
    for (name, names) in [("with", opening.names.clone()), ("without", Vec::new())] {
        let copy = directory.path().join(name);
        Chain::import(&copy, &mut &archive[..], Some(&names)).unwrap();
        let copy = Chain::open(&copy, &Opening::default()).unwrap();
        assert_eq!(copy.names().unwrap(), names);
    }
}

#[test]
fn an_imported_chain_goes_on_with_ids_of_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let chain = full(&directory.path().join("chain"), Options::default());
    let copy = directory.path().join("copy");
    Chain::import_bounded(&copy, &mut &exported(&chain)[..], None, 40).unwrap();
    let copy = open(&copy);
    assert!(
        copy.stats().unwrap().segments > 3,
        "{:?}",
        copy.stats().unwrap()
    );
    let mut expected = messages(&chain);
    assert_eq!(messages(&copy), expected);
    // What the archive's own ids are is known: a message that comes has another one, and each can
    // be forgotten by its own.
    copy.add(&[
        record("", "later", "", "this came later"),
        record("<5@mail>", "later", "", "known"),
    ])
    .unwrap();
    let found = messages(&copy);
    assert_eq!(found.len(), expected.len() + 1);
    let own: Vec<String> = found
        .values()
        .map(|known| known.id.clone())
        .filter(|id| id.starts_with('~'))
        .collect();
    assert!(own.len() > 10);
    for id in &own {
        assert_eq!(
            copy.forget(&Forget::Message(id.parse().unwrap())).unwrap(),
            1,
            "{id}"
        );
    }
    expected.retain(|_, known| !known.id.starts_with('~'));
    assert_eq!(messages(&copy), expected);
}

#[test]
fn any_text_survives_in_every_mode() {
    let pieces = [
        "a",
        "it's",
        "e\u{301}",
        "\u{1f469}\u{200d}\u{1f469}\u{200d}\u{1f467}",
        "\u{65e5}\u{672c}\u{8a9e}",
        " ",
        "\u{a0}",
        "\u{3000}",
        "https://a.example/b?c=d.",
        "<@1234567>",
        "\u{7}",
        "\u{202e}",
        "\u{e2a}\u{e27}\u{e31}",
        "...",
        "\"",
        "\\",
        "\u{1100}\u{1161}",
        "\n",
        "#tag",
        "longerthanthecap",
        "\u{feff}",
        "\u{fb01}",
        "\u{1f1e9}\u{1f1ea}",
    ];
    let mut rng = Rng::seeded(3);
    for mode in [Mode::Words, Mode::Segments, Mode::Graphemes] {
        let options = Options {
            mode,
            max_tokens: 4,
            max_token_bytes: 12,
            ..Options::default()
        };
        let directory = tempfile::tempdir().unwrap();
        let chain = with(&directory.path().join("chain"), options);
        let records: Vec<Record> = (0..1500)
            .map(|_| {
                let length = 1 + rng.below_u64(9);
                let mut piece = || match rng.below_u64(3) {
                    0 => " ",
                    _ => pieces[rng.below_u64(pieces.len() as u64) as usize],
                };
                Record::of(&(0..2 * length).map(|_| piece()).collect::<String>())
            })
            .collect();
        let added = chain.add(&records).unwrap();
        assert!(
            added.learned > 1000
                && added.cut.tokens_shortened > 100
                && added.cut.messages_cut > 100,
            "{added:?}"
        );
        let lines = |chain: &Chain| {
            let mut text = String::new();
            GzDecoder::new(&exported(chain)[..])
                .read_to_string(&mut text)
                .unwrap();
            text
        };
        let copy = directory.path().join("copy");
        import(&copy, &exported(&chain)).unwrap_or_else(|error| panic!("{mode}: {error}"));
        assert_eq!(lines(&open(&copy)), lines(&chain), "{mode}");
    }
}

/// Everything in a directory: names, and what is in the files.
fn everything(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            found.insert(name.clone(), Vec::new());
            found.extend(
                everything(&path)
                    .into_iter()
                    .map(|(inner, bytes)| (format!("{name}/{inner}"), bytes)),
            );
        } else {
            found.insert(name, fs::read(&path).unwrap());
        }
    }
    found
}

#[test]
fn what_is_there_already_is_not_touched() {
    let directory = tempfile::tempdir().unwrap();
    let archive = exported(&full(&directory.path().join("first"), Options::default()));
    fs::create_dir(directory.path().join("notes")).unwrap();
    fs::write(directory.path().join("notes").join("n.txt"), "mine").unwrap();
    fs::write(directory.path().join("file"), "mine").unwrap();
    let before = everything(directory.path());
    for name in ["first", "notes", "file"] {
        for bytes in [&archive[..], &archive[..100]] {
            let error = import(&directory.path().join(name), bytes).unwrap_err();
            assert!(matches!(error, Error::Input(_)), "{error}");
            assert_eq!(everything(directory.path()), before, "{name}");
        }
        let sentence = import(&directory.path().join(name), &archive)
            .unwrap_err()
            .to_string();
        assert!(sentence.contains("already: remove it first"), "{sentence}");
    }
    assert!(import(Path::new("/"), &archive).is_err());
    // An empty directory is nothing yet, and stays so when there is no chain to put there.
    let empty = directory.path().join("empty");
    fs::create_dir(&empty).unwrap();
    import(&empty, &archive[..200]).unwrap_err();
    assert!(everything(&empty).is_empty());
    import(&empty, &archive).unwrap();
    assert!(!messages(&open(&empty)).is_empty());
}

#[test]
fn an_import_that_was_killed_is_no_obstacle_and_one_that_goes_on_is() {
    let directory = tempfile::tempdir().unwrap();
    let archive = exported(&full(&directory.path().join("first"), Options::default()));
    let beside = directory.path().join(".copy.importing");
    drop(open(&beside));
    fs::write(beside.join("000009.segment"), "half of it").unwrap();
    let lock = WriterLock::acquire(&beside).unwrap();
    let before = everything(directory.path());
    let copy = directory.path().join("copy");
    assert!(matches!(import(&copy, &archive), Err(Error::Locked { .. })));
    assert_eq!(everything(directory.path()), before);
    drop(lock);
    import(&copy, &archive).unwrap();
    assert!(!beside.exists() && !copy.join("000009.segment").exists());
    // It can be written to at once: the lock went with the import.
    open(&copy).add(&[Record::of("this came later")]).unwrap();
}
