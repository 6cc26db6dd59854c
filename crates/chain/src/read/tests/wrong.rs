use super::*;
use crate::read::MAX_MESSAGE_BYTES;

fn complaints(text: &[u8], format: Format) -> (Vec<String>, usize) {
    let mut all = source(text, Some(format)).unwrap();
    let (messages, complaints) = drain(&mut all).unwrap();
    (complaints, messages.len())
}

/// Each bad line stands between two good ones, which are read.
#[test]
fn bad_lines_of_ndjson_say_why() {
    let long_id = format!("{{\"text\": \"a\", \"id\": \"{}\"}}", "x".repeat(256));
    let deep = format!("{{\"text\": {}1{}}}", "[".repeat(500), "]".repeat(500));
    for (line, reason) in [
        (
            "{\"text\": 5}",
            "invalid type: integer `5`, expected a string as \"text\" (column 10)",
        ),
        (
            "{\"text\": \"a\"",
            "EOF while parsing an object (column 12)",
        ),
        ("{\"text\": \"a\"} x", "trailing characters (column 15)"),
        (
            "{\"id\": 1}",
            "no text: a \"text\", \"message\" or \"content\" is needed",
        ),
        ("{\"text\": null}", "no text"),
        ("{}", "no text"),
        (
            "17",
            "invalid type: integer `17`, expected an object or a string",
        ),
        ("null", "invalid type: null"),
        (
            "[\"a\"]",
            "invalid type: sequence, expected an object or a string",
        ),
        (
            "{\"text\": \"a\", \"text\": \"b\"}",
            "\"text\" is given twice",
        ),
        ("{\"text\": \"\\ud800\"}", "hex escape"),
        (
            "{\"text\": \"a\", \"id\": 1.5}",
            "expected a string or a whole number as \"id\"",
        ),
        (
            "{\"text\": \"a\", \"id\": {\"id\": 1}}",
            "expected a string or a whole number as \"id\"",
        ),
        (
            "{\"text\": \"a\", \"time\": \"noon\"}",
            "invalid value: string \"noon\", expected a time",
        ),
        (
            "{\"text\": \"a\", \"time\": true}",
            "invalid type: boolean `true`, expected a time",
        ),
        (
            "{\"text\": \"a\", \"attachments\": \"b\"}",
            "expected an array as \"attachments\"",
        ),
        (
            "{\"text\": \"a\", \"attachments\": [{}]}",
            "an attachment has no \"url\"",
        ),
        ("plain words", "expected value"),
        (&long_id, "\"id\" has 256 bytes, at most 255 are kept"),
        (&deep, "expected a string as \"text\""),
    ] {
        let text = format!("\"before\"\n{line}\n\"after\"\n");
        let (complaints, good) = complaints(text.as_bytes(), Format::Ndjson);
        assert_eq!(good, 2, "{line}");
        assert_eq!(complaints.len(), 1, "{line}");
        let start = format!("chat, line 2: {reason}");
        let shown = &complaints[0];
        assert!(
            shown.starts_with(&start) || shown.contains(reason),
            "{shown}"
        );
        assert!(shown.starts_with("chat, line 2: "), "{shown}");
    }
}

#[test]
fn deep_nesting_in_what_is_ignored_is_no_fault() {
    let depth = 100_000;
    let deep = format!(
        "{{\"text\": \"a\", \"x\": {}{}}}",
        "[".repeat(depth),
        "]".repeat(depth)
    );
    for format in [Format::Ndjson, Format::Json] {
        let text = match format {
            Format::Json => format!("[{deep}]"),
            _ => deep.clone(),
        };
        assert_eq!(complaints(text.as_bytes(), format), (Vec::new(), 1));
    }
}

#[test]
fn invalid_utf8_names_the_byte() {
    let (lines, good) = complaints(b"ok\nab\xffc\nok\n", Format::Lines);
    assert_eq!(good, 2);
    assert!(lines[0].starts_with("chat, line 2: byte 3 of the message is not UTF-8"));
    let (json, good) = complaints(b"[\"ok\",\n{\"text\":\n\"\xc3\"}, \"ok\"]", Format::Json);
    assert_eq!(good, 2);
    assert!(
        json[0].starts_with("chat, line 3: byte 11 of the message"),
        "{json:?}"
    );
}

#[test]
fn elements_of_an_array_are_bad_one_by_one() {
    let text = "[\n\"a\",\n{\"text\": 1},\n{\"text\":\n true},\n\"b\"\n]";
    let (complaints, good) = complaints(text.as_bytes(), Format::Json);
    assert_eq!(good, 2);
    assert!(complaints[0].starts_with("chat, line 3: invalid type: integer"));
    assert!(complaints[1].starts_with("chat, line 5: invalid type: boolean"));
}

#[test]
fn where_an_array_cannot_be_read_on_it_says_so() {
    for (text, line, reason, good) in [
        ("[\"a\",\n{\"text\": \"b", 2, "it is truncated", 1),
        ("[\"a\"\n", 2, "it is truncated", 1),
        ("[\"a\",", 1, "it is truncated", 1),
        (
            "[\"a\" \"b\"]",
            1,
            "a comma or ] should stand here, not '\"': nothing after it was read",
            1,
        ),
        ("[\"a\",]", 1, "a message should stand here, not ']'", 1),
        (
            "[\"a\"]\n[\"b\"]",
            2,
            "the end of the file should stand here, not '['",
            1,
        ),
        (
            "{\"text\": \"a\"}",
            1,
            "the [ of an array should stand here, not '{'",
            0,
        ),
        ("[}", 1, "a message should stand here", 0),
    ] {
        let (complaints, messages) = complaints(text.as_bytes(), Format::Json);
        assert_eq!((complaints.len(), messages), (1, good), "{text}");
        let start = format!("chat, line {line}: ");
        let shown = &complaints[0];
        assert!(
            shown.starts_with(&start) && shown.contains(reason),
            "{shown}"
        );
    }
}

#[test]
fn discord_documents_that_break_off() {
    for (text, reason) in [
        (
            "{\"guild\": {}, \"channel\": {\"id\": \"5\"",
            "it is truncated",
        ),
        ("{\"messages\": [{\"id\": \"5\"", "it is truncated"),
        (
            "{\"messages\": {}}",
            "the [ of the messages should stand here",
        ),
        ("{\"guild\": {}}", "the document has no \"messages\""),
        (
            "{\"messages\": []} more",
            "the end of the file should stand here",
        ),
        (
            "{\"channel\": {\"id\": 1.5}, \"messages\": []}",
            "the channel cannot be read",
        ),
        ("{\"messages\": [\"text\"]}", "expected an object"),
        ("{messages: []}", "a name in quotes should stand here"),
        ("{\"messages\" []}", "a colon should stand here"),
        ("[]", "the { of an object should stand here"),
    ] {
        let (complaints, _) = complaints(text.as_bytes(), Format::Discord);
        assert_eq!(complaints.len(), 1, "{text}");
        assert!(complaints[0].contains(reason), "{}", complaints[0]);
    }
}

#[test]
fn a_message_beyond_the_bound_is_passed_over_and_one_at_it_is_read() {
    let at = "x".repeat(MAX_MESSAGE_BYTES);
    let (bad, good) = complaints(format!("a\n{at}y\n{at}\nb").as_bytes(), Format::Lines);
    assert_eq!(good, 3);
    assert_eq!(
        bad,
        ["chat, line 2: the message is longer than 16 MiB and was passed over"]
    );
    let text = format!("[\"a\",\n\"{at}\",\n\"{}\", \"b\"]", &at[2..]);
    let (bad, good) = complaints(text.as_bytes(), Format::Json);
    assert_eq!(good, 3);
    assert_eq!(
        bad,
        ["chat, line 2: the message is longer than 16 MiB and was passed over"]
    );
}

#[test]
fn what_is_no_text_of_messages_is_refused_in_a_sentence() {
    let refused = |bytes: &[u8]| source(bytes, None).unwrap_err().to_string();
    assert_eq!(
        refused(b"\xff\xfeh\0i\0"),
        "chat is UTF-16 text: convert it first, with iconv -f UTF-16 -t UTF-8"
    );
    assert_eq!(
        refused(b"\xff\xfe\0\0h\0\0\0"),
        "chat is UTF-32 text: convert it first, with iconv -f UTF-32 -t UTF-8"
    );
    let mut tar = b"chat.txt".to_vec();
    tar.resize(257, 0);
    tar.extend(b"ustar\x0000");
    assert_eq!(refused(&tar), "chat is a tar archive: unpack it first");
    assert!(refused(b"SQLite format 3\0\x10\0").contains("export its messages"));
    assert!(refused(b"PK\x03\x04rest").contains("a zip archive: unpack it first"));
    assert!(refused(b"BZh91AY&SY").contains("bzip2"));
    let directory = tempfile::tempdir().unwrap();
    let error = Source::open(directory.path(), None)
        .unwrap_err()
        .to_string();
    assert!(error.contains("is a directory"), "{error}");
    let error = Source::open(&directory.path().join("none.txt"), None).unwrap_err();
    assert!(error.to_string().contains("none.txt"), "{error}");
}

#[test]
fn a_failing_disk_is_named_with_the_position() {
    struct Failing(&'static [u8]);
    impl Read for Failing {
        fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
            match self.0.read(to)? {
                0 => Err(io::Error::other("bad sector")),
                read => Ok(read),
            }
        }
    }
    let mut all = Source::over(
        "disk.txt",
        Box::new(Failing(b"one\ntwo\n")),
        Some(Format::Lines),
    )
    .unwrap();
    let mut record = Record::default();
    assert_eq!(all.next(&mut record).unwrap(), Next::Message);
    assert_eq!(all.next(&mut record).unwrap(), Next::Message);
    let error = all.next(&mut record).unwrap_err().to_string();
    assert_eq!(error, "reading disk.txt at byte 8: bad sector");
    assert!(all.next(&mut record).is_err(), "an error is no end");
}
