//! Tables written and read again, whole and damaged.

use std::ops::ControlFlow;

use proptest::prelude::*;
use tempfile::TempDir;

use super::{About, Messages, OwnedAbout, Table, write};
use crate::Result;
use crate::storage::MessageId;

/// A message and its tokens.
type Row = (OwnedAbout, Vec<u32>);

fn bytes_of(rows: &[Row]) -> Vec<u8> {
    let mut table = Table::new();
    let mut text = vec![0];
    for (about, tokens) in rows {
        table.push(&about.as_about()).unwrap();
        text.extend(tokens);
        text.push(0);
    }
    for (index, (about, _)) in rows.iter().enumerate() {
        assert_eq!(table.about(index).into_owned(), *about);
        assert_eq!(table.sequence(index), about.sequence);
    }
    let (bytes, length) = write(Vec::new(), &table, &text).unwrap();
    assert_eq!(bytes.len() as u64, length);
    bytes
}

fn opened(bytes: &[u8]) -> (TempDir, Result<Messages>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("000001.messages");
    std::fs::write(&path, bytes).unwrap();
    let messages = Messages::open(&path);
    (folder, messages)
}

fn plain(sequence: u64) -> OwnedAbout {
    let about = About {
        sequence,
        id: MessageId::Own(sequence),
        author: "",
        channel: "",
        time_ms: None,
        attachments: &[],
    };
    about.into_owned()
}

fn chat(index: u64) -> Row {
    let about = OwnedAbout {
        id: MessageId::Number(175_928_847_299_117_063 + (index << 22) + index * 7919 % 4096),
        author: format!("author {}", index * 7919 % 1000),
        channel: format!("channel {}", index % 20),
        time_ms: Some(1_700_000_000_000 + index.cast_signed() * 1234),
        ..plain(index + 5)
    };
    (
        about,
        (0..7)
            .map(|one| 1 + (index + one) as u32 * 31 % 300)
            .collect(),
    )
}

fn which(rows: &[Row], test: impl Fn(&OwnedAbout) -> bool) -> Vec<u32> {
    (0..)
        .zip(rows)
        .filter(|(_, (about, _))| test(about))
        .map(|(index, _)| index)
        .collect()
}

/// Everything that the file says against what was put in.
fn same(messages: &Messages, rows: &[Row]) {
    messages.verify().unwrap();
    assert_eq!(messages.len(), rows.len());
    let mut tokens = Vec::new();
    for (index, (about, expected)) in rows.iter().enumerate() {
        assert_eq!(messages.about(index).unwrap(), *about);
        messages.tokens(index, &mut tokens).unwrap();
        assert_eq!(&tokens, expected);
        let latest = rows.iter().rposition(|(other, _)| other.id == about.id);
        let found = messages.find(&about.id).unwrap();
        assert_eq!(found, latest.map(|index| index as u32), "{:?}", about.id);
        assert_eq!(messages.find_sequence(about.sequence), Some(index as u32));
        let author = |other: &OwnedAbout| other.author == about.author;
        assert_eq!(messages.by_author(&about.author), which(rows, author));
        let channel = |other: &OwnedAbout| other.channel == about.channel;
        assert_eq!(messages.by_channel(&about.channel), which(rows, channel));
        let time_ms = about.time_ms.unwrap_or_default();
        let before = |other: &OwnedAbout| other.time_ms.is_some_and(|other| other < time_ms);
        assert_eq!(messages.before(time_ms), which(rows, before));
    }
    let mut all = Vec::new();
    messages
        .for_each_tokens(|index, tokens| {
            assert_eq!(index, all.len());
            all.push(tokens.to_vec());
            ControlFlow::Continue(())
        })
        .unwrap();
    assert!(all.iter().eq(rows.iter().map(|(_, tokens)| tokens)));
}

#[test]
fn an_empty_table_is_a_file() {
    let (_folder, messages) = opened(&bytes_of(&[]));
    let messages = messages.unwrap();
    same(&messages, &[]);
    assert_eq!(messages.len(), 0);
    assert_eq!(messages.find(&MessageId::Own(0)).unwrap(), None);
    assert!(messages.about(0).is_err());
    assert!(messages.tokens(0, &mut Vec::new()).is_err());
}

#[test]
fn plain_lines_take_no_more_than_their_tokens() {
    let rows: Vec<Row> = (9..5009)
        .map(|one| (plain(one), vec![1, 2, 3, 4, 5]))
        .collect();
    let bytes = bytes_of(&rows);
    let (_folder, messages) = opened(&bytes);
    let messages = messages.unwrap();
    messages.verify().unwrap();
    assert_eq!(messages.about(4999).unwrap(), plain(5008));
    assert_eq!(messages.find(&MessageId::Own(5008)).unwrap(), Some(4999));
    // Five tokens, an end, and an offset for every sixteen.
    assert!(
        bytes.len() <= 5000 * 6 + 5000 / 4 + 400,
        "{} bytes",
        bytes.len()
    );
}

#[test]
fn chat_is_read_as_it_was_written() {
    let rows: Vec<Row> = (0..700).map(chat).collect();
    let (_folder, messages) = opened(&bytes_of(&rows));
    let messages = messages.unwrap();
    same(&messages, &rows);
    let author = &rows[3].0.author;
    assert_eq!(
        messages.by_author(author),
        which(&rows, |about| about.author == *author)
    );
    assert!(messages.by_author("nobody").is_empty());
    assert_eq!(messages.find(&MessageId::Number(3)).unwrap(), None);
    assert_eq!(
        messages.find(&MessageId::Text("3".to_owned())).unwrap(),
        None
    );
    assert_eq!(messages.find(&MessageId::Own(6)).unwrap(), None);
}

#[test]
fn of_messages_with_one_id_the_latest_is_found_and_all_are_listed() {
    let mut rows: Vec<Row> = (0..40).map(|one| (plain(one), vec![1])).collect();
    for (index, id) in [(3, 8), (5, 900), (17, 900), (18, 4), (20, 8), (30, 900)] {
        rows[index].0.id = MessageId::Number(id);
    }
    // An own id that another chain gave, and that is a sequence number here.
    rows[33].0.id = MessageId::Own(2);
    rows[34].0.id = MessageId::Own(u64::MAX);
    let (_folder, messages) = opened(&bytes_of(&rows));
    let messages = messages.unwrap();
    same(&messages, &rows);
    assert_eq!(messages.find(&MessageId::Number(900)).unwrap(), Some(30));
    let all = |id| messages.find_all(&id).unwrap();
    assert_eq!(all(MessageId::Number(900)), [5, 17, 30]);
    assert_eq!(all(MessageId::Number(8)), [3, 20]);
    assert_eq!(messages.find(&MessageId::Own(2)).unwrap(), Some(33));
    assert_eq!(messages.find(&MessageId::Own(5)).unwrap(), None);
}

#[test]
fn reading_stops_when_told() {
    let rows: Vec<Row> = (0..40).map(|one| (plain(one), vec![1])).collect();
    let (_folder, messages) = opened(&bytes_of(&rows));
    let mut seen = 0;
    let stop = |index, _: &[u32]| {
        seen += 1;
        if index == 7 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    messages.unwrap().for_each_tokens(stop).unwrap();
    assert_eq!(seen, 8);
}

#[test]
fn a_corpus_that_does_not_fit_its_table_is_refused() {
    let mut table = Table::new();
    table.push(&plain(1).as_about()).unwrap();
    assert!(write(Vec::new(), &table, &[0]).is_err());
    assert!(write(Vec::new(), &table, &[0, 1, 0, 1, 0]).is_err());
    let (ended, _) = write(Vec::new(), &table, &[0, 1, 2, 0]).unwrap();
    let (open, _) = write(Vec::new(), &table, &[1, 2]).unwrap();
    assert_eq!(ended, open);
}

#[test]
fn every_truncation_is_refused() {
    let bytes = bytes_of(&(0..20).map(chat).collect::<Vec<_>>());
    for length in 0..bytes.len() {
        assert!(opened(&bytes[..length]).1.is_err(), "{length} bytes");
    }
}

fn id() -> impl Strategy<Value = MessageId> {
    prop_oneof![
        (0u64..9).prop_map(MessageId::Number),
        any::<u64>().prop_map(MessageId::Number),
        "[<a-c]{1,12}".prop_map(MessageId::Text),
        (0u64..9).prop_map(MessageId::Own),
        any::<u64>().prop_map(MessageId::Own),
    ]
}

prop_compose! {
    fn row()(
        id in id(),
        author in "[a-c]{0,2}",
        channel in "\\PC{0,9}",
        time_ms in prop::option::of(any::<i64>().prop_filter("unknown", |time| *time != i64::MIN)),
        attachments in prop::collection::vec("[a-z:/.]{0,9}", 0..3),
        tokens in prop::collection::vec(prop_oneof![1u32..200, 1u32..], 1..9),
    ) -> Row {
        (OwnedAbout { sequence: 0, id, author, channel, time_ms, attachments }, tokens)
    }
}

/// Rows whose columns are each either as drawn or alike, and whose own ids are sometimes those of
/// the chain itself.
fn rows() -> impl Strategy<Value = Vec<Row>> {
    let steps = prop_oneof![Just(1u64..2), Just(1u64..4), Just(1u64..1 << 40)];
    let drawn = (
        prop::collection::vec(row(), 0..70),
        0u64..1 << 40,
        steps,
        any::<[bool; 5]>(),
    );
    let spaced = drawn.prop_flat_map(|(rows, start, steps, alike)| {
        let spaces = prop::collection::vec(steps, rows.len());
        (Just(rows), Just(start), spaces, Just(alike))
    });
    spaced.prop_map(|(mut rows, mut sequence, spaces, alike)| {
        let first = rows.first().cloned();
        for ((about, _), space) in rows.iter_mut().zip(spaces) {
            about.sequence = sequence;
            sequence += space;
            let Some((model, _)) = &first else { continue };
            if alike[0] {
                about.id = MessageId::Own(about.sequence);
            }
            if alike[1] {
                about.author.clone_from(&model.author);
            }
            if alike[2] {
                about.channel.clone_from(&model.channel);
            }
            if alike[3] {
                about.time_ms = model
                    .time_ms
                    .map(|_| (about.sequence % (1 << 50)).cast_signed());
            }
            if alike[4] {
                about.attachments.clear();
            }
        }
        rows
    })
}

/// Asks for everything, and expects nothing but an end.
fn ask(messages: &Messages, rows: &[Row]) {
    let mut tokens = Vec::new();
    for index in 0..messages.len().min(200) {
        let _ = messages.about(index);
        let _ = messages.tokens(index, &mut tokens);
        let _ = messages.sequence(index);
    }
    for (about, _) in rows {
        let _ = messages.find(&about.id);
        let _ = messages.find_sequence(about.sequence);
        let _ = messages.by_author(&about.author);
        let _ = messages.by_channel(&about.channel);
        let _ = messages.before(about.time_ms.unwrap_or(0));
    }
    let _ = messages.for_each_tokens(|_, _| ControlFlow::Continue(()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn what_was_written_is_read(rows in rows()) {
        let (_folder, messages) = opened(&bytes_of(&rows));
        same(&messages.unwrap(), &rows);
    }

    #[test]
    fn a_damaged_file_is_an_error_or_says_something_else(
        rows in rows(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), 1u8..), 1..6),
    ) {
        let whole = bytes_of(&rows);
        let mut bytes = whole.clone();
        // The footer has a checksum that opening compares: what matters is before it.
        let end = bytes.len() - 24 - 24 * rows_of_footer(&bytes);
        for (place, flip) in flips {
            bytes[place.index(end)] ^= flip;
        }
        let (_folder, messages) = opened(&bytes);
        if let Ok(messages) = messages {
            ask(&messages, &rows);
            if messages.verify().is_ok() {
                same(&messages, &rows);
            }
            // The checksums aside: what stands in the sections is looked at as well.
            let _ = messages.verify_structure();
        }
    }
}

fn rows_of_footer(bytes: &[u8]) -> usize {
    let tail = bytes.len() - 24;
    u32::from_le_bytes(bytes[tail..tail + 4].try_into().unwrap()) as usize
}
