//! What is no archive, or one of a damaged chain, leaves nothing behind.

use std::io::{self, Cursor};

use super::*;

/// It is refused in one sentence, and nothing is there that was not before.
fn refused(archive: &mut dyn Read, what: &str) -> Option<String> {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("empty")).unwrap();
    fs::write(directory.path().join("notes.txt"), "mine").unwrap();
    let before = everything(directory.path());
    let into = directory.path().join("a").join("b").join("chain");
    let Err(error) = Chain::import(&into, archive, None) else {
        return None;
    };
    let text = error.to_string();
    assert!(!text.contains('\n') && text.len() < 500, "{what}: {text}");
    assert!(matches!(error, Error::Input(_)), "{what}: {text}");
    assert_eq!(everything(directory.path()), before, "{what}");
    Some(text)
}

#[test]
fn an_archive_that_is_cut_off_or_damaged_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let chain = full(directory.path(), Options::default());
    let archive = exported(&chain);
    let expected = messages(&chain);
    for length in (0..archive.len())
        .step_by(archive.len() / 40)
        .chain(archive.len() - 9..archive.len())
    {
        let text = refused(&mut &archive[..length], &format!("{length} bytes"));
        let text =
            text.unwrap_or_else(|| panic!("{length} bytes of {} were enough", archive.len()));
        assert!(
            text.starts_with("the archive is not a chain's, line "),
            "{text}"
        );
    }
    for at in (0..archive.len())
        .step_by(archive.len() / 80)
        .chain(archive.len() - 8..archive.len())
    {
        let mut turned = archive.clone();
        turned[at] ^= 1 << (at % 8);
        // A time, or the name of a system, in the head of the compression says nothing of the
        // chain.
        if refused(&mut &turned[..], &format!("byte {at}")).is_none() {
            assert!(at < 10, "byte {at}");
            let directory = tempfile::tempdir().unwrap();
            import(directory.path(), &turned).unwrap();
            assert_eq!(messages(&open(directory.path())), expected);
        }
    }
}

const HEAD: &str =
    "{\"chaffinch_chain\":1,\"options\":{\"max_tokens\":50,\"max_token_bytes\":20}}\n";

/// An archive of these lines, and what is said of it.
fn of_lines(lines: &str) -> String {
    let ends = lines.matches("\"tokens\"").count();
    let text = format!("{HEAD}{lines}\n{{\"messages\":{ends}}}\n");
    refused(&mut &gzip(&text)[..], lines).unwrap_or_else(|| panic!("{lines:.300} was taken"))
}

#[test]
fn a_line_that_no_chain_writes_is_refused() {
    let message = |id: &str, tokens: &str| format!("{{\"id\":\"{id}\",\"tokens\":{tokens}}}");
    let good = message("1", "[\"a\",\"b\"]");
    let directory = tempfile::tempdir().unwrap();
    let text = format!("{HEAD}{good}\n{{\"messages\":1}}\n");
    assert_eq!(
        import(directory.path(), &gzip(&text)).unwrap(),
        1,
        "the rest is refused for what it says"
    );
    let list =
        |token: &str, count: usize| format!("[{}]", vec![format!("\"{token}\""); count].join(","));
    let with = |field: &str| format!("{{\"id\":\"1\",{field},\"tokens\":[\"a\"]}}");
    let cases = [
        (message("1", "[]"), "it has 0 tokens"),
        (message("1", "[\"\"]"), "a token has 0 bytes"),
        (
            message("1", &list("a", 51)),
            "it has 51 tokens, not 1 to 50",
        ),
        (message("1", &list("a", 10_001)), "a list of at most 10000"),
        (
            message("1", &format!("[\"{}\"]", "a".repeat(21))),
            "a token has 21 bytes, not 1 to 20",
        ),
        (message("1", "[\"a b\"]"), "its tokens are not what"),
        (message("1", "[\"a\\n\"]"), "its tokens are not what"),
        (message("1", "[\"\\u001b[31m\"]"), "its tokens are not what"),
        (message("1", "[\"\\u202ea\"]"), "its tokens are not what"),
        (message("1", "[\"e\\u0301\"]"), "its tokens are not what"),
        (message("1", "[\"\\ud800\"]"), "line 2: "),
        (message("1", "7"), "line 2: "),
        (message("", "[\"a\"]"), "a message id is empty"),
        (message("~x", "[\"a\"]"), "begins with ~"),
        (message("~1152921504606846977", "[\"a\"]"), "is too great"),
        (message(&"i".repeat(256), "[\"a\"]"), "has 256 bytes"),
        (format!("{good}\n{good}"), "line 3: the id 1 is there twice"),
        (
            format!("{0}\n{good}\n{0}", message("x", "[\"a\"]")),
            "line 4: the id x is there twice",
        ),
        (
            format!("{0}\n{good}\n{0}", message("~9", "[\"a\"]")),
            "line 4: the id ~9 is there twice",
        ),
        (
            with(&format!("\"author\":\"{}\"", "n".repeat(256))),
            "has 256 bytes",
        ),
        (
            with(&format!("\"channel\":\"{}\"", "n".repeat(256))),
            "has 256 bytes",
        ),
        (
            with(&format!("\"attachments\":[\"{}\"]", "n".repeat(1 << 20))),
            "at most 1048576 are kept",
        ),
        (
            with(&format!("\"attachments\":{}", list("", (1 << 20) + 1))),
            "a list of at most 1048576",
        ),
        (with("\"time_ms\":1e99"), "line 2: "),
        (with("\"messages\":1"), "neither a message"),
        (with("\"sequence\":1"), "unknown field"),
        ("{}".to_owned(), "neither a message"),
        ("[".repeat(1000), "line 2: "),
        ("{\"messages\":-1}".to_owned(), "line 2: "),
        (
            "{\"messages\":0}".to_owned(),
            "line 3: it goes on after its end",
        ),
        (
            "{\"messages\":4000000000}".to_owned(),
            "4000000000 messages were written, 0 are there",
        ),
        (String::new(), "line 2: "),
    ];
    for (lines, expected) in cases {
        let sentence = of_lines(&lines);
        assert!(
            sentence.contains(expected) && sentence.contains(", line "),
            "{lines:.300}: {sentence}"
        );
    }
}

#[test]
fn a_head_that_no_chain_writes_is_refused() {
    let options = |options: &str| format!("{{\"chaffinch_chain\":1,\"options\":{options}}}");
    let counters = |name: &str, value: &str| {
        format!("{{\"chaffinch_chain\":1,\"options\":{{}},\"counters\":{{\"{name}\":{value}}}}}")
    };
    for (head, expected) in [
        (
            "{\"chaffinch_chain\":2,\"options\":{},\"new\":1}".to_owned(),
            "version 2, this chaffinch reads up to 1: upgrade it",
        ),
        ("{}".to_owned(), "it names no version"),
        ("[[[]]]".to_owned(), "it names no version"),
        (
            options("{\"order\":9}"),
            "order is 9: give a number from 1 to 4",
        ),
        (
            options("{\"max_tokens\":4000000000}"),
            "max_tokens is 4000000000",
        ),
        (options("{\"mode\":\"letters\"}"), "letters"),
        (options("{\"ordr\":1}"), "ordr"),
        (counters("\\u001b[31m", "1"), "no name of a counter"),
        (counters(&"n".repeat(65), "1"), "no name of a counter"),
        (counters("empty", "-1"), "line 1: "),
        (
            format!("{{\"chaffinch_chain\":1{}", " ".repeat(70_000)),
            "more than the 65536 bytes",
        ),
        ("[".repeat(60_000), "line 1: "),
    ] {
        let archive = gzip(&format!("{head}\n{{\"messages\":0}}\n"));
        let sentence =
            refused(&mut &archive[..], &head).unwrap_or_else(|| panic!("{head:.100} was taken"));
        assert!(sentence.contains(expected), "{head:.100}: {sentence}");
    }
    for bytes in [&b""[..], b"{}", b"PK\x03\x04", &gzip("")] {
        assert!(refused(&mut &*bytes, "no archive").is_some());
    }
    let twice = [gzip(&format!("{HEAD}{{\"messages\":0}}\n")), gzip("more")].concat();
    assert!(
        refused(&mut &twice[..], "two")
            .unwrap()
            .contains("it goes on after its end")
    );
}

/// A mebibyte of one byte, compressed, again and again without end.
struct Endless {
    member: Cursor<Vec<u8>>,
    given: u64,
}

impl Endless {
    fn of(text: &str) -> Self {
        Self {
            member: Cursor::new(gzip(&text.repeat((1 << 20) / text.len()))),
            given: 0,
        }
    }
}

impl Read for Endless {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if self.member.position() == self.member.get_ref().len() as u64 {
            self.member.set_position(0);
        }
        let read = self.member.read(to)?;
        self.given += read as u64;
        assert!(self.given < 1 << 20, "it reads on and on");
        Ok(read)
    }
}

#[test]
fn a_line_without_end_is_not_read_to_its_end() {
    let sentence = refused(&mut Endless::of(" "), "blanks").unwrap();
    assert!(
        sentence.contains("line 1: it has more than the 65536 bytes"),
        "{sentence}"
    );
    let mut after_head = Cursor::new(gzip(HEAD)).chain(Endless::of("[\"a\","));
    let sentence = refused(&mut after_head, "a line").unwrap();
    assert!(
        sentence.contains("line 2: it has more than the "),
        "{sentence}"
    );
    // The longest line that a chain with the greatest caps writes is read.
    let options = Options {
        max_tokens: 300,
        max_token_bytes: 1024,
        ..Options::default()
    };
    let directory = tempfile::tempdir().unwrap();
    let chain = with(&directory.path().join("chain"), options);
    let words: Vec<String> = (0..300)
        .map(|number| format!("{number:04}{}", "\"".repeat(1020)))
        .collect();
    let longest = Record {
        attachments: vec!["\u{1}".repeat((1 << 20) - 1)],
        ..record(
            &"\u{1}".repeat(255),
            &"\u{1}".repeat(255),
            &"\u{1}".repeat(255),
            &words.join(" "),
        )
    };
    chain.add(&[longest]).unwrap();
    let copy = directory.path().join("copy");
    assert_eq!(import(&copy, &exported(&chain)).unwrap(), 1);
    assert_eq!(whole(&open(&copy)), whole(&chain));
}

#[test]
fn a_chain_with_damage_is_not_passed_off_as_whole() {
    for extension in ["segment", "messages", "log"] {
        for reopened in [true, false] {
            let directory = tempfile::tempdir().unwrap();
            let chain = full(directory.path(), Options::default());
            let kind = files(directory.path())
                .into_iter()
                .filter(|name| name.ends_with(extension));
            let paths = kind.map(|name| directory.path().join(name));
            let path = paths
                .max_by_key(|path| path.metadata().unwrap().len())
                .unwrap();
            let open_still = (!reopened).then_some(chain);
            let mut bytes = fs::read(&path).unwrap();
            // What is wrong at the end of a log may never have been acknowledged.
            let at = if extension == "log" {
                100
            } else {
                bytes.len() / 2
            };
            bytes[at] ^= 0x20;
            fs::write(&path, bytes).unwrap();
            if open_still.is_some() && extension == "log" {
                // Memory has what the log lost.
                continue;
            }
            let chain = open_still.unwrap_or_else(|| open(directory.path()));
            let mut archive = Vec::new();
            let exported = chain.export(&mut archive);
            let Err(error) = exported else {
                panic!("{extension}, reopened {reopened}: {exported:?}")
            };
            assert!(
                matches!(error, Error::Damaged { .. }),
                "{extension}: {error}"
            );
            assert!(
                error
                    .to_string()
                    .contains(path.file_name().unwrap().to_str().unwrap()),
                "{extension}: {error}"
            );
            assert_eq!(archive, b"", "{extension}");
        }
    }
}
