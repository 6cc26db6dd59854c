//! Which format a file has, by its content alone.

use serde::de::IgnoredAny;
use serde_json::Deserializer;

use super::format::Format;
use super::window::Window;
use crate::{Error, Result};

/// How far a file is looked into.
const LOOK_BYTES: usize = 64 * 1024;

/// Drops the mark of UTF-8 and refuses the other encodings that have one.
pub(super) fn byte_order_mark(window: &mut Window) -> Result<()> {
    window.hold(4)?;
    let encoding = match window.held() {
        [0xef, 0xbb, 0xbf, ..] => {
            window.advance(3);
            return Ok(());
        }
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => "UTF-32",
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "UTF-16",
        _ => return Ok(()),
    };
    let name = window.name();
    Err(Error::input(format!(
        "{name} is {encoding} text: convert it first, with iconv -f {encoding} -t UTF-8"
    )))
}

/// The format, by the beginning of the content; what is known to be no text is refused.
pub(super) fn format(window: &mut Window) -> Result<Format> {
    window.hold(LOOK_BYTES)?;
    let held = window.held();
    let name = window.name();
    if held.get(257..262) == Some(b"ustar") {
        return Err(Error::input(format!(
            "{name} is a tar archive: unpack it first"
        )));
    }
    if held.starts_with(b"SQLite format 3\0") {
        return Err(Error::input(format!(
            "{name} is an SQLite database: export its messages as JSON first"
        )));
    }
    let cut = !window.ended() || held.len() > LOOK_BYTES;
    Ok(of(&held[..held.len().min(LOOK_BYTES)], cut))
}

/// The format of a file that begins so; `cut` when it goes on after that.
fn of(head: &[u8], cut: bool) -> Format {
    let head = head.trim_ascii_start();
    match head.first() {
        Some(b'[') if begins_array(head, cut) => Format::Json,
        Some(b'{') => of_object(head),
        Some(b'F') if begins_mail(head) => Format::Mbox,
        _ => Format::Lines,
    }
}

/// Whether messages follow the bracket, and not the words of somebody: `[12:30] hello`.
fn begins_array(head: &[u8], cut: bool) -> bool {
    let inside = head[1..].trim_ascii_start();
    match inside.first() {
        None => cut,
        Some(b']') => inside[1..].trim_ascii_start().is_empty() && !cut,
        Some(b'{') => begins_object(inside),
        Some(b'"') => {
            let mut values = Deserializer::from_slice(inside).into_iter::<IgnoredAny>();
            match values.next() {
                Some(Ok(_)) => {
                    let rest = inside[values.byte_offset()..].trim_ascii_start();
                    let closed = rest.strip_prefix(b"]").map(<[u8]>::trim_ascii_start);
                    rest.starts_with(b",") || closed.is_some_and(<[u8]>::is_empty)
                }
                // One string longer than what was looked at.
                Some(Err(error)) => error.is_eof() && cut,
                None => false,
            }
        }
        _ => false,
    }
}

fn begins_object(head: &[u8]) -> bool {
    let inside = head[1..].trim_ascii_start();
    matches!(inside.first(), Some(b'"' | b'}'))
}

/// Discord's document names its messages, or at least the guild, among its first members.
fn of_object(head: &[u8]) -> Format {
    if !begins_object(head) {
        return Format::Lines;
    }
    if Members(&head[1..]).any(|(key, value)| match key {
        b"\"messages\"" => value == b'[',
        b"\"guild\"" => value == b'{',
        _ => false,
    }) {
        return Format::Discord;
    }
    Format::Ndjson
}

/// The keys of an object, each with the first byte of its value, as far as the bytes go.
struct Members<'a>(&'a [u8]);

impl<'a> Iterator for Members<'a> {
    type Item = (&'a [u8], u8);

    fn next(&mut self) -> Option<Self::Item> {
        let from = self.0.trim_ascii_start();
        let from = from.strip_prefix(b",").unwrap_or(from).trim_ascii_start();
        if from.first() != Some(&b'"') {
            return None;
        }
        let length = value_length(from)?;
        let (key, rest) = from.split_at(length);
        let value = rest.trim_ascii_start().strip_prefix(b":")?;
        let value = value.trim_ascii_start();
        self.0 = value_length(value).map_or(&[], |length| &value[length..]);
        Some((key, *value.first()?))
    }
}

fn value_length(bytes: &[u8]) -> Option<usize> {
    let mut values = Deserializer::from_slice(bytes).into_iter::<IgnoredAny>();
    values.next()?.ok()?;
    Some(values.byte_offset())
}

/// A mail begins with `From address date`, then its headers: somebody who says "From what I heard"
/// goes on otherwise.
fn begins_mail(head: &[u8]) -> bool {
    let mut lines = head.split(|byte| *byte == b'\n');
    let first = lines.next().unwrap_or_default();
    let second = lines.next().unwrap_or_default();
    let name = second
        .iter()
        .take_while(|b| b.is_ascii_graphic() && **b != b':');
    let length = name.count();
    super::mbox::separates(first)
        && (length > 0 && second.get(length) == Some(&b':') || second.starts_with(b">From "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_format_by_its_content() {
        let cases: [(&str, Format); 23] = [
            ("", Format::Lines),
            ("hello\nthere\n", Format::Lines),
            ("[{\"message\": \"hi\"}]", Format::Json),
            ("\n [\"hi\", \"there\"]\n", Format::Json),
            ("[\"hi\"]", Format::Json),
            ("[]\n", Format::Json),
            ("[12:30] hello\n[12:31] you\n", Format::Lines),
            ("[\"hi\"] she said\n", Format::Lines),
            ("[] is an empty list\n", Format::Lines),
            ("[{smile}] hello\n", Format::Lines),
            ("[1, 2, 3]\n", Format::Lines),
            ("{\"text\": \"hi\"}\n{\"text\": \"you\"}\n", Format::Ndjson),
            ("{\"text\": \"messages\"}", Format::Ndjson),
            ("{smile} hello\n", Format::Lines),
            (
                "{\"guild\":{\"id\":\"1\"},\"messages\":[]}",
                Format::Discord,
            ),
            (
                "{\n \"channel\": {\"id\": 1},\n \"messages\": [",
                Format::Discord,
            ),
            ("{\n  \"guild\": {\n    \"id\": \"1", Format::Discord),
            ("From what I heard at 10:30\nBob: no\n", Format::Lines),
            (
                "From ann@example.com Fri May 17 09:30:00 2024\nSubject: hi\n\nhi\n",
                Format::Mbox,
            ),
            (
                "From 17@xxx Fri May 17 09:30:00 +0000 2024\r\nX-GM-THRID: 1\r\n",
                Format::Mbox,
            ),
            ("From\n", Format::Lines),
            ("\"quoted\" words\n", Format::Lines),
            ("{\n", Format::Lines),
        ];
        for (content, format) in cases {
            assert_eq!(of(content.as_bytes(), false), format, "{content:?}");
        }
    }

    #[test]
    fn a_first_element_longer_than_the_look_is_still_an_array() {
        let text = format!("[\"{}", "x".repeat(100));
        assert_eq!(of(text.as_bytes(), true), Format::Json);
        assert_eq!(of(text.as_bytes(), false), Format::Lines);
    }
}
