//! The characters that a JSON string stands for.

use super::Fault;

/// Appends a string, given without its quotes.
pub(super) fn unescape(raw: &[u8], out: &mut String) -> Result<(), Fault> {
    let mut rest = std::str::from_utf8(raw).map_err(|_| Fault::NotText)?;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        out.push_str(&rest[..at]);
        let (character, length) = escape(&rest.as_bytes()[at + 1..]).ok_or(Fault::NotText)?;
        out.push(character);
        rest = &rest[at + 1 + length..];
    }
    out.push_str(rest);
    Ok(())
}

/// The character of an escape, given without its backslash, and how many bytes it takes.
fn escape(after: &[u8]) -> Option<(char, usize)> {
    let character = match after.first()? {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return unicode(&after[1..]).map(|(character, length)| (character, length + 1)),
        _ => return None,
    };
    Some((character, 1))
}

/// Four hex digits, or two such escapes for a character beyond the first 65,536.
fn unicode(after: &[u8]) -> Option<(char, usize)> {
    let first = unit(after)?;
    if !(0xD800..0xDC00).contains(&first) {
        return Some((char::from_u32(first)?, 4));
    }
    let second = unit(after.get(4..)?.strip_prefix(b"\\u")?)?;
    let low = second.checked_sub(0xDC00).filter(|low| *low < 0x400)?;
    Some((
        char::from_u32(0x1_0000 + ((first - 0xD800) << 10) + low)?,
        10,
    ))
}

fn unit(after: &[u8]) -> Option<u32> {
    let digits = after.get(..4)?;
    digits.iter().try_fold(0, |sum, &byte| {
        Some(sum * 16 + char::from(byte).to_digit(16)?)
    })
}
