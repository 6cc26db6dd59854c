//! What is done while a training goes on, and what it holds meanwhile.

use super::*;
use crate::storage::Forget;

#[test]
fn long_words_fill_a_segment_before_its_places_do() {
    let text: String = (0..400).fold(String::new(), |mut text, number| {
        let _ = writeln!(text, "{number} {number:0250} x{number:0248}");
        text
    });
    let written = |gathered_bytes: usize| {
        let directory = tempfile::tempdir().unwrap();
        let mut chain = open(directory.path());
        chain.segment_places = 1 << 20;
        chain.gathered_bytes = gathered_bytes;
        let mut source = lines(&text);
        assert_eq!(train(&chain, &mut source).unwrap().added.learned, 400);
        assert_eq!(texts(&chain).len(), 400);
        let state = chain.state(chain.writer().unwrap()).unwrap();
        state.manifest.next_file
    };
    let at_once = written(1 << 30);
    // 200 kB of text, in vectors of twice that at most.
    let in_parts = written(60_000);
    assert!(
        (5..20).contains(&(in_parts - at_once)),
        "{at_once} {in_parts}"
    );
}

#[test]
fn a_report_that_would_wait_for_its_own_training_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let chain = open(directory.path());
    let mut refused = Vec::new();
    let mut report = |_: Progress| {
        let other = chain.train("other", &mut lines("x\n"), Training::default(), &mut |_| {
            true
        });
        refused.push(other.unwrap_err().to_string());
        refused.push(chain.merge(Extent::Due).unwrap_err().to_string());
        refused.push(chain.verify().unwrap_err().to_string());
        true
    };
    chain
        .train(
            "chat",
            &mut ndjson(&chat(0, 10)),
            Training::default(),
            &mut report,
        )
        .unwrap();
    assert_eq!(refused.len(), 3);
    for sentence in refused {
        assert!(sentence.contains("afterwards"), "{sentence}");
    }
    chain.merge(Extent::Whole).unwrap();
    assert_eq!(texts(&chain).len(), 10);
}

/// What is done in the middle of a training of 9000 messages, of which 8192 were read.
fn in_the_middle(
    text: &str,
    what: &mut dyn FnMut(&Chain),
) -> (tempfile::TempDir, Chain, Result<Trained>) {
    let directory = tempfile::tempdir().unwrap();
    let mut chain = open(directory.path());
    chain.segment_places = 9000;
    let mut report = |progress: Progress| {
        if progress.records == 8192 {
            what(&chain);
        }
        true
    };
    let trained = chain.train("chat", &mut ndjson(text), Training::default(), &mut report);
    (directory, chain, trained)
}

#[test]
fn what_is_forgotten_during_a_training_stays_forgotten() {
    let mut forgotten = 0;
    let (directory, chain, trained) = in_the_middle(&chat(0, 9000), &mut |chain| {
        forgotten = chain.forget(&Forget::Author("author1".into())).unwrap();
    });
    assert_eq!(trained.unwrap().added.learned, 9000);
    assert!(
        (1000..=2048).contains(&forgotten),
        "{forgotten} of those that were in segments"
    );
    let found = messages(&chain);
    assert_eq!(found.len() as u64, 9000 - forgotten);
    drop(chain);
    assert_eq!(messages(&open(directory.path())), found);
}

#[test]
fn what_is_added_during_a_training_is_there_once_also_when_that_is_taken_back() {
    // One that was read already, and one that comes.
    let added = [
        record("m1", "other", "", "first by hand"),
        record("m8999", "other", "", "last by hand"),
    ];
    let bad = chat(0, 9000) + "{\"text\": 7}\n";
    for (text, whole) in [(chat(0, 9000), true), (bad, false)] {
        let (directory, chain, trained) = in_the_middle(&text, &mut |chain| {
            assert_eq!(chain.add(&added).unwrap().learned, 2);
        });
        assert_eq!(trained.is_ok(), whole);
        let found = messages(&chain);
        assert_eq!(found.len(), if whole { 9000 } else { 2 });
        for one in &added {
            assert_eq!(found[&one.text].id, one.id);
        }
        drop(chain);
        assert_eq!(messages(&open(directory.path())), found);
    }
}

#[test]
fn what_was_trained_again_while_its_segment_was_away_is_there_once_after_a_merge() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chain");
    let text = chat(0, 12).replace("{\"author\"", "{\"id\": \"x\", \"author\"");
    let mut ids = 0;
    let text: String = text
        .split_inclusive("\"x\"")
        .fold(String::new(), |text, piece| {
            ids += 1;
            text + &piece.replace("\"x\"", &format!("{}", ids * 7))
        });
    let chain = open(&path);
    train(&chain, &mut ndjson(&text)).unwrap();
    let expected = messages(&chain);
    assert_eq!(expected.len(), 12);
    drop(chain);
    let segments: Vec<String> = files(&path)
        .into_iter()
        .filter(|name| name.ends_with(".segment"))
        .collect();
    for name in &segments {
        fs::rename(path.join(name), directory.path().join(name)).unwrap();
    }
    let chain = open(&path);
    assert_eq!(chain.stats().unwrap().messages, 0);
    let trained = chain.train(
        "again",
        &mut ndjson(&text),
        Training::default(),
        &mut |_| true,
    );
    assert_eq!(trained.unwrap().added.learned, 12);
    drop(chain);
    for name in &segments {
        fs::rename(directory.path().join(name), path.join(name)).unwrap();
    }
    let mut chain = open(&path);
    assert_eq!(chain.stats().unwrap().messages, 24, "until they are merged");
    chain.segment_places = 1 << 20;
    chain.merge(Extent::Whole).unwrap();
    assert_eq!(messages(&chain), expected);
    assert_eq!(
        chain
            .forget(&Forget::Message("m1".parse().unwrap()))
            .unwrap(),
        1
    );
    assert_eq!(messages(&chain).len(), 11);
}
