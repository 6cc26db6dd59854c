use super::*;

#[test]
fn lines_with_either_ending_and_without_the_last() {
    let (messages, complaints) = read("\u{feff}one\r\n\n \t\ntwo\nthree", None);
    assert_eq!(texts(&messages), ["one", "two", "three"]);
    assert!(complaints.is_empty());
}

#[test]
fn controls_and_brackets_in_lines_are_kept() {
    let (messages, _) = read("[12:30] a\0b\n[12:31] c\n", None);
    assert_eq!(texts(&messages), ["[12:30] a\0b", "[12:31] c"]);
}

#[test]
fn nothing_is_nothing() {
    for format in Format::ALL {
        for text in ["", "\n", " \n\n"] {
            let (messages, complaints) = read(text, Some(format));
            assert!(messages.is_empty() && complaints.is_empty(), "{format}");
        }
    }
    assert_eq!(source(b"", None).unwrap().format(), Format::Lines);
}

#[test]
fn ndjson_under_all_names() {
    let text = r#"
{"text": "lunch?", "id": 17, "author": "ann", "channel": "office", "time": "2024-05-17T09:30:00Z"}
{"message": "soup", "id": "m2", "user": {"name": "bob", "id": 5}, "channel_id": 9, "timestamp": 1715938200}
{"content": "a \u00e9 \ud83d\ude00", "author_id": -3, "date": 1715938200250, "attachments": ["https://a.example/1.png", {"url": "https://a.example/2.png", "size": 5}]}
"just a string"
{"text": "x", "author": null, "extra": {"text": [1, {"deep": null}]}, "attachments": null}
"#;
    let (messages, complaints) = read(text, Some(Format::Ndjson));
    assert_eq!(complaints, Vec::<String>::new());
    assert_eq!(
        texts(&messages),
        ["lunch?", "soup", "a é 😀", "just a string", "x"]
    );
    let ids: Vec<_> = messages.iter().map(|m| &*m.id).collect();
    assert_eq!(ids, ["17", "m2", "", "", ""]);
    let authors: Vec<_> = messages.iter().map(|m| &*m.author).collect();
    assert_eq!(authors, ["ann", "5", "-3", "", ""]);
    assert_eq!(
        (&*messages[0].channel, &*messages[1].channel),
        ("office", "9")
    );
    let times: Vec<_> = messages.iter().map(|m| m.time_ms).collect();
    let first = 1_715_938_200_000;
    assert_eq!(
        times,
        [Some(first), Some(first), Some(first + 250), None, None]
    );
    assert_eq!(
        messages[2].attachments,
        ["https://a.example/1.png", "https://a.example/2.png"]
    );
}

#[test]
fn the_first_of_several_names_counts_wherever_it_stands() {
    let line =
        r#"{"content": "c", "message": "m", "user": "u", "author": {"name": "n"}, "author_id": 1}"#;
    let (messages, _) = read(line, None);
    assert_eq!((&*messages[0].text, &*messages[0].author), ("m", "1"));
    let (messages, _) = read(r#"{"author_id": null, "author": "a", "text": "t"}"#, None);
    assert_eq!((&*messages[0].text, &*messages[0].author), ("t", "a"));
}

#[test]
fn the_older_export_is_an_array() {
    let text = r#"[
        {"message": "look [at] \"this\" {", "attachments": ["https://cdn.example/cat.png"]},
        {"message": "", "attachments": []},
        "bare, with ] inside"
    ]
    "#;
    let mut all = source(text.as_bytes(), None).unwrap();
    assert_eq!(all.format(), Format::Json);
    let (messages, complaints) = drain(&mut all).unwrap();
    assert_eq!(
        texts(&messages),
        ["look [at] \"this\" {", "", "bare, with ] inside"]
    );
    assert_eq!(messages[0].attachments, ["https://cdn.example/cat.png"]);
    assert!(complaints.is_empty());
}

const DISCORD: &str = r#"{
  "guild": {"id": "700", "name": "Garden club", "iconUrl": "https://cdn.example/i.png"},
  "channel": {"id": "800", "type": "GuildTextChat", "categoryId": "1", "name": "roses", "topic": null},
  "dateRange": {"after": null, "before": null},
  "exportedAt": "2024-06-01T00:00:00+00:00",
  "messages": [
    {"id": "1", "type": "GuildMemberJoin", "timestamp": "2024-05-17T09:00:00+00:00", "content": "Joined the server.", "author": {"id": "10", "name": "ann", "isBot": false}, "attachments": []},
    {"id": "2", "type": "Default", "timestamp": "2024-05-17T09:30:00.25+00:00", "timestampEdited": null, "isPinned": false, "content": "The roses are out", "author": {"id": "10", "name": "ann", "discriminator": "0000", "isBot": false, "roles": [{"id": "5", "name": "gardener"}]}, "attachments": [{"id": "3", "url": "https://cdn.example/rose.jpg", "fileName": "rose.jpg"}], "embeds": [], "reactions": [{"emoji": {"id": "", "name": "🌹"}, "count": 2}], "mentions": []},
    {"id": "4", "type": "Default", "timestamp": "2024-05-17T09:31:00+00:00", "content": "Beep", "author": {"id": "11", "name": "helper", "isBot": true}, "attachments": []},
    {"id": "5", "type": "Reply", "timestamp": "2024-05-17T09:32:00+00:00", "content": "Lovely", "author": {"id": "12", "name": "bob", "isBot": false}, "attachments": [], "reference": {"messageId": "2"}},
    {"id": "6", "type": "Default", "timestamp": "2024-05-17T09:33:00+00:00", "content": "", "author": {"id": "12", "isBot": false}, "attachments": [], "stickers": [{"id": "1"}]}
  ],
  "messageCount": 5
}
"#;

#[test]
fn a_discord_export_without_bots_and_system_messages() {
    let mut all = source(DISCORD.as_bytes(), None).unwrap();
    assert_eq!(all.format(), Format::Discord);
    let (messages, complaints) = drain(&mut all).unwrap();
    assert!(complaints.is_empty(), "{complaints:?}");
    assert_eq!(all.left_out(), 3);
    assert_eq!(
        messages[0],
        Record {
            id: "2".to_owned(),
            author: "10".to_owned(),
            channel: "800".to_owned(),
            time_ms: Some(1_715_938_200_250),
            text: "The roses are out".to_owned(),
            attachments: vec!["https://cdn.example/rose.jpg".to_owned()],
        }
    );
    assert_eq!(texts(&messages), ["The roses are out", "Lovely"]);
}

#[test]
fn a_discord_export_on_one_line() {
    let one_line = DISCORD.replace('\n', " ");
    let mut all = source(one_line.as_bytes(), None).unwrap();
    assert_eq!(all.format(), Format::Discord);
    assert_eq!(drain(&mut all).unwrap().0.len(), 2);
}

#[test]
fn the_fingerprint_is_that_of_the_bytes_up_to_the_last_record() {
    use xxhash_rust::xxh3::xxh3_64;
    let text = "one\r\n\ntwo\n\n\nlast";
    let mut all = source(text.as_bytes(), None).unwrap();
    let mut record = Record::default();
    assert_eq!(all.fingerprint(), xxh3_64(b""));
    for end in [5, 10, 16] {
        all.next(&mut record).unwrap();
        assert_eq!(all.fingerprint(), xxh3_64(&text.as_bytes()[..end]));
    }
    let array = r#"[ "a" , {"text":"b"} ] "#;
    let mut all = source(array.as_bytes(), None).unwrap();
    for end in [5, 20, 20] {
        all.next(&mut record).unwrap();
        assert_eq!(all.fingerprint(), xxh3_64(&array.as_bytes()[..end]));
    }
}

#[test]
fn a_file_tells_its_size_and_position() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    io::Write::write_all(&mut file, b"one\ntwo\n").unwrap();
    let mut all = Source::open(file.path(), None).unwrap();
    assert_eq!(all.size(), Some(8));
    drain(&mut all).unwrap();
    assert_eq!(all.position(), 8);
}
