use proptest::prelude::*;

use super::*;

/// Bytes that look enough like the formats to come far into the readers.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let words: Vec<&'static [u8]> = vec![
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b"\"",
        b"\\",
        b"\n",
        b"\r\n",
        b" ",
        b"\"text\"",
        b"\"messages\"",
        b"\"channel\"",
        b"\"id\"",
        b"\"author\"",
        b"{\"text\":\"a\"}",
        b"\"b\"",
        b"null",
        b"17",
        b"1e999",
        b"true",
        b"\xff",
        b"\0",
        b"\\ud800",
        b"\"time\":",
        b"\"type\":",
        b"\"attachments\":[",
        b"\nFrom a@b.example Fri May 17 10:00:00 2024\n",
        b">From ",
        b"> a\n",
        b"Message-ID: <a@b>\n",
        b"From: a <a@b.example>\n",
        b"Date: Fri, 17 May 2024 10:00:00\n",
        b"Content-Type: multipart/mixed; boundary=b\n\n",
        b"\n--b\n",
        b"--b--\n",
        b"-- \n",
        b"\n\n",
        b"Content-Transfer-Encoding: base64\n",
        b"Content-Type: message/rfc822\n\n",
        b"QUJD",
        b"=C3",
        b"Content-Type: text/plain; charset=utf-7\n",
        b"\x1f\x8b\x08",
        b"\xef\xbb\xbf",
    ];
    let piece = prop_oneof![
        8 => proptest::sample::select(words).prop_map(<[u8]>::to_vec),
        1 => proptest::collection::vec(any::<u8>(), 1..8),
    ];
    proptest::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

/// All that can be seen of a reading, with the fingerprint at each record.
type Seen = Vec<(String, Record, u64)>;

fn seen(mut all: Source, bound: usize) -> Seen {
    let mut out = Seen::new();
    let mut record = Record::default();
    loop {
        let next = all.next(&mut record);
        out.push((format!("{next:?}"), record.clone(), all.fingerprint()));
        if !matches!(next, Ok(Next::Message | Next::Bad(_))) {
            return out;
        }
        assert!(out.len() <= bound, "more records than bytes");
    }
}

fn format() -> impl Strategy<Value = Option<Format>> {
    prop_oneof![
        Just(None),
        proptest::sample::select(Format::ALL.to_vec()).prop_map(Some),
    ]
}

fn record() -> impl Strategy<Value = Record> {
    let name = || "[a-z0-9 \u{e9}\u{1f600}\"\\\\]{0,12}";
    let attachments = proptest::collection::vec("[!-~]{1,20}", 0..3);
    let time = proptest::option::of(100_000_000_000_i64..4_000_000_000_000);
    (
        name(),
        name(),
        name(),
        time,
        "\\PC{1,40}|[\\x00-\\x7f]{1,9}",
        attachments,
    )
        .prop_map(|(id, author, channel, time_ms, text, attachments)| Record {
            id,
            author,
            channel,
            time_ms,
            text,
            attachments,
        })
}

fn object(record: &Record) -> serde_json::Value {
    serde_json::json!({
        "id": record.id, "author": record.author, "channel": {"id": record.channel},
        "time": record.time_ms, "text": record.text, "attachments": record.attachments,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(250))]

    #[test]
    fn any_bytes_end_and_pieces_change_nothing(
        bytes in bytes(),
        format in format(),
        sizes in proptest::collection::vec(1_usize..9, 1..5),
    ) {
        let bound = bytes.len() + 1;
        let whole = source(&bytes, format).map(|all| seen(all, bound));
        let pieces = Pieces { bytes: Cursor::new(bytes), sizes, turn: 0 };
        let cut = Source::over("chat", Box::new(pieces), format).map(|all| seen(all, bound));
        match (whole, cut) {
            (Ok(whole), Ok(cut)) => prop_assert_eq!(whole, cut),
            (whole, cut) => prop_assert!(whole.is_err() && cut.is_err()),
        }
    }

    #[test]
    fn a_prefix_reads_as_the_beginning(bytes in bytes(), part in 0.0..1.0_f64) {
        let cut = (bytes.len() as f64 * part) as usize;
        let Ok(whole) = source(&bytes, Some(Format::Ndjson)) else { return Ok(()) };
        let whole = seen(whole, bytes.len() + 1);
        if let Ok(prefix) = source(&bytes[..cut], Some(Format::Ndjson)) {
            let prefix = seen(prefix, bytes.len() + 1);
            // The last line of the prefix may be a part, and the end is not the same one.
            let same = prefix.len().saturating_sub(2);
            prop_assert_eq!(&prefix[..same], &whole[..same]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn what_was_written_is_read(records in proptest::collection::vec(record(), 0..20), pretty: bool) {
        let objects: Vec<_> = records.iter().map(object).collect();
        let array = if pretty {
            serde_json::to_string_pretty(&objects).unwrap()
        } else {
            serde_json::to_string(&objects).unwrap()
        };
        let lines: Vec<_> = objects.iter().map(ToString::to_string).collect();
        let lines = lines.join("\n");
        for (text, format) in [(array, Format::Json), (lines, Format::Ndjson)] {
            let mut all = source(text.as_bytes(), None).unwrap();
            let (messages, complaints) = drain(&mut all).unwrap();
            prop_assert_eq!(complaints, Vec::<String>::new());
            prop_assert_eq!(&messages, &records);
            prop_assert!(records.is_empty() || all.format() == format);
        }
        let plain: Vec<_> = records.iter().map(|record| record.text.replace(['\n', '\r'], "_"))
            .filter(|text| !text.trim_ascii().is_empty()).collect();
        let (messages, _) = read(&plain.join("\n"), Some(Format::Lines));
        prop_assert_eq!(texts(&messages), plain);
    }
}
