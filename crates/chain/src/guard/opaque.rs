//! Strings that nobody says: keys, hashes, generated passwords, identifiers, hosts by their name.

use super::hosts;
use super::kind::Kind;
use super::spans::{Reach, Spans};
use super::traits::{CAPITAL, DASH, DIGIT, LONG, SYMBOL, Traits, UNDERSCORE};

/// From this length on, a string that is no word is a key.
const KEY_BYTES: usize = 16;

pub(super) fn find(bytes: &[u8], traits: Traits, spans: &mut Spans) {
    if traits & LONG != 0 {
        for (start, end) in runs(bytes, |byte| {
            byte.is_ascii_alphanumeric() || b"+/=_-~".contains(&byte)
        }) {
            if end - start >= KEY_BYTES && is_key(&bytes[start..end]) {
                spans.add(start, end, Kind::Key, Reach::Chunk);
            }
        }
    }
    if traits & (DIGIT | DASH | UNDERSCORE) != 0 {
        for (start, end) in runs(bytes, |byte| {
            byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
        }) {
            short(bytes, start, end, spans);
        }
    }
    if traits & (DIGIT | SYMBOL | CAPITAL) == DIGIT | SYMBOL | CAPITAL {
        for (start, end) in runs(bytes, |byte| byte > b' ' && byte < 0x7f) {
            if end - start >= 8 && is_generated(&bytes[start..end]) {
                spans.add(start, end, Kind::Password, Reach::Exact);
            }
        }
    }
}

fn runs(bytes: &[u8], joins: impl Fn(u8) -> bool) -> impl Iterator<Item = (usize, usize)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + bytes[at..].iter().position(|&byte| joins(byte))?;
        let length = bytes[start..].iter().position(|&byte| !joins(byte));
        at = length.map_or(bytes.len(), |length| start + length);
        Some((start, at))
    })
}

#[derive(Default)]
struct Shape {
    digits: usize,
    upper: usize,
    lower: usize,
    /// Places where a letter meets a digit.
    seams: usize,
    hex: bool,
}

fn shape(run: &[u8]) -> Shape {
    let mut shape = Shape {
        hex: run.iter().all(u8::is_ascii_hexdigit),
        ..Shape::default()
    };
    for (at, byte) in run.iter().enumerate() {
        shape.digits += usize::from(byte.is_ascii_digit());
        shape.upper += usize::from(byte.is_ascii_uppercase());
        shape.lower += usize::from(byte.is_ascii_lowercase());
        let next = run.get(at + 1).copied().unwrap_or(b' ');
        shape.seams += usize::from(
            byte.is_ascii_digit() && next.is_ascii_alphabetic()
                || byte.is_ascii_alphabetic() && next.is_ascii_digit(),
        );
    }
    shape
}

fn is_key(run: &[u8]) -> bool {
    let shape = shape(run);
    if shape.upper + shape.lower + shape.digits < KEY_BYTES - 4 {
        return false;
    }
    if shape.hex || shape.digits >= 5 || shape.seams >= 3 {
        return true;
    }
    let odd = parts(run).any(|part| part.len() >= 4 && !is_spoken(part));
    let signs = run.iter().filter(|byte| b"+/=".contains(byte)).count();
    odd && (shape.digits > 0
        || signs > 0
        || parts(run).any(|part| part.len() >= 8 && !is_spoken(part)))
}

/// The letters between digits and signs.
fn parts(run: &[u8]) -> impl Iterator<Item = &[u8]> {
    run.split(|byte| !byte.is_ascii_alphabetic())
}

/// Whether letters could be words: in one case, capitalised, or joined as in `getElementById`.
fn is_spoken(part: &[u8]) -> bool {
    let upper = part.iter().filter(|byte| byte.is_ascii_uppercase()).count();
    if upper == 0 || upper == part.len() || (upper == 1 && part[0].is_ascii_uppercase()) {
        return has_vowels(part);
    }
    let mut words = 1;
    let mut voiceless = 0;
    let mut start = 0;
    for at in 1..=part.len() {
        let cut =
            at == part.len() || part[at - 1].is_ascii_lowercase() && part[at].is_ascii_uppercase();
        if cut {
            let word = &part[start..at];
            let capitals = word[1..].iter().any(u8::is_ascii_uppercase);
            voiceless +=
                usize::from(!word.iter().copied().any(vowel) || capitals || word.len() < 2);
            words += usize::from(at < part.len());
            start = at;
        }
    }
    part.len() >= words * 3 && voiceless * 3 <= words && has_vowels(part)
}

fn vowel(byte: u8) -> bool {
    b"aeiouyAEIOUY".contains(&byte)
}

/// No word of 16 letters has 7 consonants in a row or hardly a vowel.
fn has_vowels(part: &[u8]) -> bool {
    if part.len() < 8 {
        return true;
    }
    let longest = part.split(|&byte| vowel(byte)).map(<[u8]>::len).max();
    let vowels = part.iter().filter(|&&byte| vowel(byte)).count();
    longest.unwrap_or(0) < 7 && vowels * 7 >= part.len()
}

/// Strings below the length of a key.
fn short(bytes: &[u8], start: usize, end: usize, spans: &mut Spans) {
    let run = &bytes[start..end];
    let trimmed = run.iter().rev().take_while(|&&byte| byte == b'-').count();
    let (run, end) = (&run[..run.len() - trimmed], end - trimmed);
    if run.len() < 3 || run.len() > 253 {
        return;
    }
    let prefix = run.split(|&byte| byte == b'-').next().unwrap_or_default();
    if is_standard(prefix) && run.len() <= 12 || is_dimension(run) {
        return;
    }
    if hosts::is_single(run) {
        spans.add(start, end, Kind::Host, Reach::Chunk);
    }
    let shape = shape(run);
    if shape.digits == 0 || shape.upper + shape.lower == 0 {
        return;
    }
    let mixed = shape.upper > 0 && shape.lower > 0;
    let eight = run.len() >= 8;
    if eight && shape.seams >= 3 && (mixed || shape.seams >= 4 || shape.hex) {
        spans.add(start, end, Kind::Key, Reach::Chunk);
    } else if shape.digits >= 5 {
        spans.add(start, end, Kind::Id, Reach::Word);
    }
}

/// What stands before the dash in ISO-8859-1, RFC-2616, covid-19.
pub(super) fn is_standard(prefix: &[u8]) -> bool {
    const STANDARDS: [&[u8]; 16] = [
        b"iso", b"rfc", b"utf", b"sha", b"ieee", b"cp", b"latin", b"ansi", b"ascii", b"posix",
        b"covid", b"din", b"ecma", b"fips", b"sha3", b"boeing",
    ];
    let mut standards = STANDARDS.iter();
    standards.any(|standard| prefix.eq_ignore_ascii_case(standard))
}

/// 1920x1080.
fn is_dimension(run: &[u8]) -> bool {
    let mut sides = run.split(|&byte| byte == b'x');
    run.iter().filter(|byte| !byte.is_ascii_digit()).count() == 1
        && sides.all(|side| !side.is_empty() && side.len() <= 4)
}

/// "Tr0ub4dor&3", "Winter2024!": both cases, digits, and a sign inside or behind the digits.
fn is_generated(chunk: &[u8]) -> bool {
    let end = super::spans::trimmed(chunk, 0, chunk.len());
    let shape = shape(chunk);
    if shape.upper == 0 || shape.lower == 0 || shape.digits == 0 {
        return false;
    }
    let is_sign = |byte: &u8| b"!@#$%^&*?+~".contains(byte);
    let inside = chunk[1.min(end)..end].iter().any(is_sign);
    let years = chunk.windows(3).any(|window| {
        window[..2].iter().all(u8::is_ascii_digit) && b"!@#$%&*".contains(&window[2])
    });
    let bracketed = chunk.iter().any(|byte| b"()[]{}<>".contains(byte));
    (inside && !bracketed) || (years && chunk[0].is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::{is_generated, is_key};

    #[test]
    fn keys_are_told_from_words() {
        for key in [
            "deadbeefdeadbeef",
            "qZwXkTbPmLrNvJhG",
            "k3J9x2QpL0aZ7bVn",
            "xkjqwzvbnmplkjhgfd",
        ] {
            assert!(is_key(key.as_bytes()), "{key}");
        }
        for word in [
            "internationalization",
            "INTERNATIONALIZATION",
            "getElementByIdAndName",
            "state-of-the-art-things",
            "/usr/share/applications",
            "Donaudampfschifffahrt",
        ] {
            assert!(!is_key(word.as_bytes()), "{word}");
        }
        assert!(is_generated(b"Tr0ub4dor&3"));
        assert!(is_generated(b"Winter2024!"));
        assert!(!is_generated(b"Python3!"));
    }
}
