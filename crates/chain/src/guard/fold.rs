//! A copy of the text in which one thing is spelt one way, and where each byte of it came from.
//!
//! Full-width digits, invisible characters, look-alike letters and dots, accents: what a reader
//! takes for a secret is one, however it is encoded. ASCII text is its own copy.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::kind::Kind;

/// Stands for a placeholder that was in the text already.
pub(super) const MASK: u8 = 1;

pub(super) struct Folded<'t> {
    pub bytes: Cow<'t, [u8]>,
    /// For each byte the character of the text it came from; empty where the text is its own copy.
    origins: Vec<(u32, u32)>,
}

impl<'t> Folded<'t> {
    /// `plain`: the text is ASCII without control characters and placeholders.
    pub(super) fn of(text: &'t str, plain: bool) -> Self {
        if plain {
            return Self {
                bytes: Cow::Borrowed(text.as_bytes()),
                origins: Vec::new(),
            };
        }
        let mut bytes = Vec::with_capacity(text.len());
        let mut origins = Vec::with_capacity(text.len());
        let mut from = 0;
        while let Some(c) = text[from..].chars().next() {
            let before = bytes.len();
            let mut to = from + c.len_utf8();
            if let Some(placeholder) = placeholder_at(text, from) {
                to = from + placeholder.len();
                bytes.push(MASK);
            } else if c.is_ascii() {
                push_ascii(c, &mut bytes);
            } else {
                push_other(c, &text[to..], &mut bytes);
            }
            origins.resize(
                origins.len() + bytes.len() - before,
                (from as u32, to as u32),
            );
            from = to;
        }
        Self {
            bytes: Cow::Owned(bytes),
            origins,
        }
    }

    /// The bytes of the text that these bytes of the copy stand for.
    pub(super) fn origin(&self, start: usize, end: usize) -> (usize, usize) {
        if self.origins.is_empty() {
            return (start, end);
        }
        (
            self.origins[start].0 as usize,
            self.origins[end - 1].1 as usize,
        )
    }
}

fn placeholder_at(text: &str, at: usize) -> Option<&'static str> {
    let rest = &text.as_bytes()[at..];
    if rest.first() != Some(&b'<') {
        return None;
    }
    let mut all = Kind::ALL.iter().map(|kind| kind.placeholder());
    all.find(|placeholder| rest.starts_with(placeholder.as_bytes()))
}

/// Whether a placeholder stands anywhere in the text.
pub(super) fn has_placeholder(text: &str) -> bool {
    text.match_indices('<')
        .any(|(at, _)| placeholder_at(text, at).is_some())
}

fn push_ascii(c: char, bytes: &mut Vec<u8>) {
    match c {
        '\t' | '\n' | '\r' | ' '..='~' => bytes.push(c as u8),
        // Other controls are invisible: a secret is one with them in it.
        _ => {}
    }
}

fn push_other(c: char, rest: &str, bytes: &mut Vec<u8>) {
    if invisible(c) {
        return;
    }
    if let Some(ascii) = punctuation(c) {
        bytes.push(ascii);
        return;
    }
    if c.is_whitespace() {
        let line = matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}');
        bytes.push(if line { b'\n' } else { b' ' });
        return;
    }
    if let Some(latin) = look_alike(c)
        && beside_latin(bytes, rest)
    {
        bytes.push(latin);
        return;
    }
    // Syllables of Hangul would come apart into letters.
    if ('\u{ac00}'..='\u{d7a3}').contains(&c) {
        return bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    }
    for part in std::iter::once(c).nfkd() {
        push_part(part, bytes);
    }
}

fn push_part(part: char, bytes: &mut Vec<u8>) {
    if part.is_ascii() {
        return push_ascii(part, bytes);
    }
    if is_combining_mark(part) || invisible(part) {
        return;
    }
    if let Some(ascii) = punctuation(part) {
        return bytes.push(ascii);
    }
    if let Some(digit) = digit(part) {
        return bytes.push(digit);
    }
    match part {
        'ß' | 'ẞ' => bytes.extend_from_slice(b"ss"),
        'æ' | 'Æ' => bytes.extend_from_slice(b"ae"),
        'œ' | 'Œ' => bytes.extend_from_slice(b"oe"),
        'ø' | 'Ø' => bytes.push(b'o'),
        'ł' | 'Ł' => bytes.push(b'l'),
        'đ' | 'Đ' | 'ð' | 'Ð' => bytes.push(b'd'),
        'ı' => bytes.push(b'i'),
        _ => {
            for lower in part.to_lowercase() {
                bytes.extend_from_slice(lower.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
    }
}

fn invisible(c: char) -> bool {
    matches!(c,
        '\u{80}'..='\u{84}' | '\u{86}'..='\u{9f}' | '\u{ad}' | '\u{34f}' | '\u{61c}'
        | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}' | '\u{20e3}')
}

fn punctuation(c: char) -> Option<u8> {
    Some(match c {
        '\u{b7}' | '\u{2022}' | '\u{2024}' | '\u{2027}' | '\u{2219}' | '\u{22c5}' | '\u{3002}'
        | '\u{30fb}' | '\u{ff0e}' | '\u{ff61}' | '\u{6d4}' | '\u{701}' | '\u{702}' => b'.',
        '\u{2010}'..='\u{2015}'
        | '\u{2043}'
        | '\u{2212}'
        | '\u{2796}'
        | '\u{fe58}'
        | '\u{fe63}'
        | '\u{ff0d}'
        | '\u{2d7}' => b'-',
        '\u{2d0}' | '\u{2236}' | '\u{a789}' | '\u{5c3}' => b':',
        '\u{2044}' | '\u{2215}' | '\u{29f8}' => b'/',
        '\u{2216}' | '\u{29f5}' | '\u{29f9}' => b'\\',
        '\u{2018}' | '\u{2019}' | '\u{201a}' | '\u{201b}' | '\u{2bc}' | '\u{2032}' | '\u{b4}' => {
            b'\''
        }
        '\u{201c}'..='\u{201f}' | '\u{2033}' | '\u{ab}' | '\u{bb}' => b'"',
        '\u{a69e}' | '\u{2217}' => b'*',
        _ => return None,
    })
}

/// Decimal digits of the scripts that NFKC leaves alone.
fn digit(c: char) -> Option<u8> {
    const ZEROS: [u32; 18] = [
        0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xe50,
        0xed0, 0xf20, 0x1040, 0x17e0, 0x1810,
    ];
    let code = c as u32;
    let zero = ZEROS
        .iter()
        .find(|&&zero| (zero..zero + 10).contains(&code))?;
    Some(b'0' + (code - zero) as u8)
}

/// The Latin letter that a Cyrillic or Greek one looks like.
fn look_alike(c: char) -> Option<u8> {
    const PAIRS: &str = "аaвbеeкkмmнhоoрpсcтtуyхxіiјjѕsԁdԛqԝwһhАAВBЕEКKМMНHОOРPСCТTУYХXІIЈJЅS\
        αaβbεeιiκkνvοoρpτtυuχxΑAΒBΕEΖZΗHΙIΚKΜMΝNΟOΡPΤTΥYΧXɡgɑaℓlƽs";
    let mut chars = PAIRS.chars();
    while let (Some(from), Some(to)) = (chars.next(), chars.next()) {
        if from == c && to.is_ascii() {
            return Some(to as u8);
        }
    }
    None
}

/// A look-alike counts as Latin only in a word with Latin letters or digits in it.
fn beside_latin(bytes: &[u8], rest: &str) -> bool {
    if bytes.last().is_some_and(u8::is_ascii_alphanumeric) {
        return true;
    }
    let mut next = rest
        .chars()
        .take(12)
        .skip_while(|&c| look_alike(c).is_some() || invisible(c));
    next.next().is_some_and(|c| c.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::{Folded, MASK};

    fn folded(text: &str) -> String {
        String::from_utf8(Folded::of(text, false).bytes.into_owned()).unwrap()
    }

    #[test]
    fn one_thing_is_spelt_one_way() {
        assert_eq!(folded("１２３\u{200b}４"), "1234");
        assert_eq!(folded("Straße Contraseña"), "Strasse Contrasena");
        assert_eq!(folded("10。0․0·1"), "10.0.0.1");
        assert_eq!(folded("a\u{a0}b\u{2028}c"), "a b\nc");
        assert_eq!(folded("٠١٢ ५"), "012 5");
        assert_eq!(folded("раypal"), "paypal");
        assert_eq!(folded("сосна"), "сосна");
    }

    #[test]
    fn bytes_know_their_origin() {
        let text = "ä１<mail>x";
        let copy = Folded::of(text, false);
        assert_eq!(&copy.bytes[..], [b'a', b'1', MASK, b'x']);
        let (start, end) = copy.origin(1, 3);
        assert_eq!(&text[start..end], "１<mail>");
    }
}
