//! Files that are away, or cannot be had: nothing is lost by it.

use std::fs;

use super::super::{Extent, Training};
use super::damage::{for_writing, is_sentence, kept, numbered};
use super::*;
use crate::storage::{Forget, Manifest};

#[test]
fn a_segment_that_was_made_with_other_options_is_set_aside() {
    let kept = kept();
    let mut manifest = Manifest::read(&RealDisk, kept.path()).unwrap().unwrap();
    manifest.options.max_copied_tokens += 1;
    manifest.publish(&RealDisk, kept.path()).unwrap();
    let chain = for_writing(kept.path()).unwrap();
    let damage = chain.stats().unwrap().damage;
    assert!(
        damage.len() == 3 && damage.iter().all(|said| said.contains("other options")),
        "{damage:?}"
    );
    speaks(&chain);
}

#[test]
fn what_is_forgotten_while_a_segment_is_away_stays_forgotten() {
    for extent in [None, Some(Extent::Due), Some(Extent::Whole)] {
        let kept = kept();
        let (file, away) = (kept.some_file(".messages"), kept.path().join("away"));
        fs::rename(&file, &away).unwrap();
        let chain = for_writing(kept.path()).unwrap();
        let damage = chain.stats().unwrap().damage;
        assert!(
            damage.len() == 1 && damage[0].contains(".messages"),
            "{damage:?}"
        );
        let refused = chain
            .forget(&Forget::Author("ann".to_owned()))
            .unwrap_err()
            .to_string();
        assert!(
            refused.contains("when it is put back") && !refused.contains('\n'),
            "{refused}"
        );
        // Nothing that matches is at hand, and still it has to be written down.
        chain
            .forget(&Forget::Message("id 1".parse().unwrap()))
            .unwrap_err();
        chain.add(&numbered(30, 33)).unwrap();
        for extent in extent.iter().flat_map(|extent| [extent, extent]) {
            chain.merge(extent.clone()).unwrap();
        }
        let refused = chain
            .merge(Extent::Changed(Options {
                max_copied_tokens: 3,
                ..Options::default()
            }))
            .unwrap_err();
        is_sentence(&refused, "options");
        drop(chain);
        fs::rename(&away, &file).unwrap();
        let found = texts(&for_writing(kept.path()).unwrap());
        let text = |number| format!("the old cat sat on {number} red mats");
        let gone =
            |number: &usize| (number.is_multiple_of(3) && *number < 30) || [1, 2].contains(number);
        let mut expected: Vec<String> = (0..18)
            .chain(30..33)
            .filter(|number| !gone(number))
            .map(text)
            .collect();
        expected.sort();
        assert_eq!(found, expected, "{extent:?}");
    }
}

#[test]
fn a_file_that_cannot_be_read_for_a_moment_fails_the_opening_and_costs_nothing() {
    let kept = kept();
    for extension in [".segment", ".messages", ".log", "manifest.json"] {
        let (file, away) = (kept.some_file(extension), kept.path().join("away"));
        fs::rename(&file, &away).unwrap();
        // A name that leads to itself: an error, and not the one that says that there is no such
        // file.
        std::os::unix::fs::symlink(&file, &file).unwrap();
        let refused = for_writing(kept.path()).unwrap_err();
        is_sentence(&refused, extension);
        assert!(
            matches!(refused, Error::Io { .. }),
            "{extension}: {refused}"
        );
        let refused = Chain::open(kept.path(), &Opening::default()).unwrap_err();
        assert!(
            matches!(refused, Error::Io { .. }),
            "{extension}: {refused}"
        );
        fs::remove_file(&file).unwrap();
        fs::rename(&away, &file).unwrap();
        let chain = for_writing(kept.path()).unwrap();
        assert_eq!(messages(&chain), kept.found, "{extension}");
        assert_eq!(chain.stats().unwrap().damage, [""; 0]);
    }
}

#[test]
fn a_second_writer_is_refused_in_a_sentence_until_the_first_is_gone() {
    let kept = kept();
    let first = for_writing(kept.path()).unwrap();
    let before = files(kept.path());
    for opened in [
        for_writing(kept.path()),
        open_with(Arc::new(RealDisk), kept.path(), Some(Options::default())),
    ] {
        let refused = opened.unwrap_err();
        assert!(
            matches!(refused, Error::Locked { pid: Some(pid), .. } if pid == std::process::id())
        );
        is_sentence(&refused, "locked");
    }
    assert_eq!(files(kept.path()), before);
    first.add(&[Record::of("the first one goes on")]).unwrap();
    let found = messages(&first);
    drop(first);
    assert_eq!(messages(&for_writing(kept.path()).unwrap()), found);
}

/// Three segments of one chain, the first with ids in an order that has a section of its own. The
/// messages file of that one, and where in it the order lies.
fn with_an_order(directory: &Path) -> (std::path::PathBuf, std::ops::Range<usize>) {
    let chain = open(directory);
    let ids = [5, 3, 8, 1].map(|id| record(&format!("{id}"), "ann", "", &format!("word {id}")));
    chain.add(&ids).unwrap();
    chain.merge(Extent::Due).unwrap();
    drop(chain);
    let mut names = files(directory).into_iter();
    let name = names.find(|name| name.ends_with(".messages")).unwrap();
    let bytes = fs::read(directory.join(&name)).unwrap();
    let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize;
    let (row, tail) = (24, bytes.len() - 24);
    let rows = number(tail) & 0xffff_ffff;
    let order = (1..=rows)
        .map(|index| tail - index * row)
        .find(|&at| number(at) & 0xffff_ffff == 7)
        .expect("the ids do not ascend");
    let (offset, length) = (number(order + 8), number(order + 16));
    (directory.join(name), offset..offset + length)
}

/// Makes the order name messages that there are not, in the file as it lies: it may be mapped.
fn damage_order(file: &Path, order: std::ops::Range<usize>) {
    use std::os::unix::fs::FileExt;
    let file = fs::OpenOptions::new().write(true).open(file).unwrap();
    file.write_all_at(&vec![0xff; order.len()], order.start as u64)
        .unwrap();
}

#[test]
fn a_segment_whose_ids_cannot_be_found_does_not_stop_learning() {
    for trained in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        let (file, order) = with_an_order(directory.path());
        damage_order(&file, order);
        let chain = for_writing(directory.path()).unwrap();
        assert_eq!(chain.stats().unwrap().damage, [""; 0], "nobody asked yet");
        if trained {
            let text = "{\"id\":\"9\",\"text\":\"new words\"}\n";
            let mut file = source("test", text, Format::Ndjson);
            let trained = chain.train("test", &mut file, Training::default(), &mut |_| true);
            assert_eq!(trained.unwrap().added.learned, 1);
        } else {
            let added = chain.add(&[record("9", "bob", "", "new words")]).unwrap();
            assert_eq!(added.learned, 1);
        }
        let damage = chain.stats().unwrap().damage;
        assert!(
            damage.len() == 1 && damage[0].contains("order of its ids"),
            "{damage:?}"
        );
        let said = chain.generate(
            &Ask {
                novel: false,
                ..Ask::default()
            },
            1,
            None,
        );
        assert_eq!(said.unwrap()[0].text, "new words");
        let added = chain.add(&[record("9", "bob", "", "new words")]).unwrap();
        assert_eq!(added.duplicates, 1);
    }
}

#[test]
fn a_training_looks_for_doubles_in_its_own_segments_only() {
    let directory = tempfile::tempdir().unwrap();
    let (file, order) = with_an_order(directory.path());
    let chain = for_writing(directory.path()).unwrap();
    chain.add(&[record("9", "bob", "", "new words")]).unwrap();
    // Whoever looks into the old segment from now on finds it damaged.
    damage_order(&file, order);
    let text: Vec<String> = (0..5000).map(|number| format!("line {number}")).collect();
    let text = text.join("\n");
    let mut asked = 0;
    let mut check = |_| {
        asked += u32::from(chain.live().segments.len() > 1);
        assert!(chain.live().broken.is_empty());
        true
    };
    chain
        .train("test", &mut lines(&text), Training::default(), &mut check)
        .unwrap();
    assert!(asked > 0, "segments were published");
}
