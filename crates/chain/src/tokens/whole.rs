//! The parts of a word that are never cut: what a chat or a reader takes as one thing.
//!
//! - `<@1>`, `<@!1>`, `<@&1>`, `<#1>`, `<:name:1>`, `<a:name:1>`, `</command:1>`, `<t:1:R>`: what
//!   Discord writes for mentions, emoji, commands and times. A command with a space in its name
//!   is two words.
//! - `<mail>` and the other placeholders of the leak guard.
//! - `scheme://` and all up to the end of the word, but for punctuation at the end, and closing
//!   brackets there that the address did not open.
//! - Mail addresses in ASCII.
//! - `@name` and `#tag` where no letter or digit stands before. A name ends where its script
//!   changes from one with spaces to one without, or back.
//! - Keycaps: a digit, `#` or `*` with U+20E3.
//!
//! A part is the longest that begins at its place, and what makes it one lies in the part itself
//! and before it: so the rest of the word can be dropped and the part is still found.

use std::ops::Range;

use unicode_normalization::char::is_combining_mark;

use super::scripts::is_spaceless;
use crate::guard::Kind;

const KEYCAP: &str = "\u{20e3}";

/// The first whole part of `word` that begins at `from` or later. Called again with its end, it
/// looks at every byte a bounded number of times.
pub(super) fn find(word: &str, from: usize) -> Option<Range<usize>> {
    let bytes = word.as_bytes();
    for at in from..bytes.len() {
        let part = match bytes[at] {
            b'<' => bracketed(&word[at..]).map(|length| at..at + length),
            b'@' => mail(word, from, at).or_else(|| name(word, from, at)),
            b'#' => name(word, from, at),
            b':' => link(word, from, at),
            0xe2 => keycap(word, from, at),
            _ => None,
        };
        if let Some(part) = part {
            return Some(part.start..with_marks(word, part.end));
        }
    }
    None
}

/// The end of what stands at `end` with the marks and joiners that belong to its last character.
fn with_marks(word: &str, end: usize) -> usize {
    let rest = &word[end..];
    word.len() - rest.trim_start_matches(is_joined).len()
}

fn is_joined(character: char) -> bool {
    matches!(
        character,
        '\u{200c}' | '\u{200d}' | '\u{1f3fb}'..='\u{1f3ff}'
    ) || (!character.is_ascii() && is_combining_mark(character))
}

/// The length of the `<...>` at the start of `text`.
fn bracketed(text: &str) -> Option<usize> {
    let close = 1 + text[1..].find(['<', '>'])?;
    let body = &text.as_bytes()[1..close];
    let known = text.as_bytes()[close] == b'>'
        && match body {
            [b'@', b'!' | b'&', id @ ..] | [b'@' | b'#', id @ ..] => is_number(id),
            [b':', rest @ ..] | [b'a', b':', rest @ ..] => {
                is_named(rest, |byte| byte.is_ascii_alphanumeric() || byte == b'_')
            }
            [b'/', rest @ ..] => is_named(rest, |_| true),
            [b't', b':', rest @ ..] => is_time(rest),
            name => Kind::ALL.iter().any(|kind| kind.name().as_bytes() == name),
        };
    known.then_some(close + 1)
}

fn is_number(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(u8::is_ascii_digit)
}

/// `name:id`
fn is_named(bytes: &[u8], in_name: impl Fn(u8) -> bool) -> bool {
    bytes
        .iter()
        .position(|&byte| byte == b':')
        .is_some_and(|colon| {
            colon > 0
                && bytes[..colon].iter().all(|&byte| in_name(byte))
                && is_number(&bytes[colon + 1..])
        })
}

/// `seconds` or `seconds:style`
fn is_time(bytes: &[u8]) -> bool {
    match bytes {
        [seconds @ .., b':', style] => is_number(seconds) && style.is_ascii_alphabetic(),
        seconds => is_number(seconds),
    }
}

/// The link whose scheme ends at the colon.
fn link(word: &str, from: usize, colon: usize) -> Option<Range<usize>> {
    if !word[colon..].starts_with("://") {
        return None;
    }
    let before = &word.as_bytes()[from..colon];
    let scheme = before
        .iter()
        .rev()
        .take_while(|&&byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
        .count();
    let run = colon - scheme;
    let start = run
        + word.as_bytes()[run..colon]
            .iter()
            .position(u8::is_ascii_alphabetic)?;
    let address = colon + "://".len();
    let end = address + without_punctuation(&word[address..]).len();
    (end > address).then_some(start..end)
}

/// `address` without the punctuation at its end that belongs to the sentence around it.
fn without_punctuation(address: &str) -> &str {
    let mut unopened = [
        closed_more_than_opened(address, '(', ')'),
        closed_more_than_opened(address, '[', ']'),
        closed_more_than_opened(address, '{', '}'),
    ];
    address.trim_end_matches(|character: char| match character {
        ')' => take_one(&mut unopened[0]),
        ']' => take_one(&mut unopened[1]),
        '}' => take_one(&mut unopened[2]),
        '.' | ',' | ';' | ':' | '!' | '?' | '\'' | '"' | '*' | '_' | '~' | '`' | '|' | '>'
        | '。' | '、' | '，' | '．' | '；' | '：' | '！' | '？' | '…' | '）' | '」' | '』'
        | '】' | '》' | '〉' | '’' | '”' | '»' => true,
        _ => false,
    })
}

fn closed_more_than_opened(text: &str, open: char, close: char) -> usize {
    let closed = text.matches(close).count();
    closed.saturating_sub(text.matches(open).count())
}

fn take_one(count: &mut usize) -> bool {
    let any = *count > 0;
    *count = count.saturating_sub(1);
    any
}

/// The mail address around the `@`: the longest that has a dot in its domain, not at its end.
fn mail(word: &str, from: usize, at: usize) -> Option<Range<usize>> {
    let bytes = word.as_bytes();
    let local = bytes[from..at]
        .iter()
        .rev()
        .take_while(|&&byte| byte.is_ascii_alphanumeric() || b"._%+-".contains(&byte))
        .count();
    let run = at - local;
    let start = run + bytes[run..at].iter().position(u8::is_ascii_alphanumeric)?;
    let mut end = None;
    let (mut label, mut dots) = (0, 0);
    for (index, &byte) in bytes.iter().enumerate().skip(at + 1) {
        match byte {
            b'.' if label > 0 => (label, dots) = (0, dots + 1),
            b'-' if label > 0 => label += 1,
            _ if byte.is_ascii_alphanumeric() => {
                label += 1;
                if dots > 0 && label > 1 {
                    end = Some(index + 1);
                }
            }
            _ => break,
        }
    }
    end.map(|end| start..end)
}

/// The name after an `@`, or the tag after a `#`, with its sign.
fn name(word: &str, from: usize, sign: usize) -> Option<Range<usize>> {
    let before = word[from..sign].chars().next_back();
    if before.is_some_and(|c| c == '_' || (c.is_alphanumeric() && !is_spaceless(c))) {
        return None;
    }
    let is_tag = word.as_bytes()[sign] == b'#';
    let body = &word[sign + 1..];
    let spaceless = body.chars().next().is_some_and(is_spaceless);
    let mut end = 0;
    for (at, character) in body.char_indices() {
        let inside = character.is_alphanumeric() || character == '_' || is_joined(character);
        if inside && (is_tag || is_joined(character) || is_spaceless(character) == spaceless) {
            if end > 0 || !is_joined(character) {
                end = at + character.len_utf8();
            }
        } else if is_tag || end == 0 || end < at || !matches!(character, '.' | '-') {
            break;
        }
    }
    (end > 0).then(|| sign..sign + 1 + end)
}

/// The keycap whose last character stands at `at`.
fn keycap(word: &str, from: usize, at: usize) -> Option<Range<usize>> {
    if !word[at..].starts_with(KEYCAP) {
        return None;
    }
    let base = &word[from..at];
    let base = base.strip_suffix('\u{fe0f}').unwrap_or(base);
    base.ends_with(|c: char| matches!(c, '0'..='9' | '#' | '*'))
        .then(|| from + base.len() - 1..at + KEYCAP.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(word: &str) -> Vec<&str> {
        let mut found = Vec::new();
        let mut at = 0;
        while let Some(part) = find(word, at) {
            at = part.end;
            found.push(&word[part]);
        }
        found
    }

    #[test]
    fn what_discord_writes_is_whole() {
        for text in [
            "<@123>",
            "<@!123>",
            "<@&123>",
            "<#123>",
            "<:wave_1:123>",
            "<a:Wave:123>",
            "</ping:123>",
            "</\u{440}\u{443}:1>",
            "<t:1618953630>",
            "<t:1618953630:R>",
        ] {
            assert_eq!(parts(text), [text]);
            assert_eq!(parts(&format!("x{text}{text}<")), [text, text]);
        }
        for text in [
            "<", "<>", "<3", "<@", "<@12", "<#>", "<::1>", "<a:b:>", "<b:c:1>", "<</p:1",
        ] {
            assert!(!parts(text).contains(&text), "{text}");
        }
    }

    #[test]
    fn what_the_leak_guard_writes_is_whole() {
        for kind in Kind::ALL {
            let text = kind.placeholder();
            assert_eq!(parts(text), [text]);
            assert_eq!(parts(&format!("({text}),")), [text]);
        }
        assert!(parts("<mails>").is_empty());
        assert!(parts("< mail>").is_empty());
    }

    #[test]
    fn links_end_before_the_punctuation_of_the_sentence() {
        assert_eq!(parts("https://a.b/c?d=e#f,"), ["https://a.b/c?d=e#f"]);
        assert_eq!(parts("(see:http://a.b/)."), ["http://a.b/"]);
        assert_eq!(parts("(http://a/x_(y))"), ["http://a/x_(y)"]);
        assert_eq!(parts("[t](http://a/[1])!?"), ["http://a/[1]"]);
        assert_eq!(parts("<ssh://me@host:22/x>"), ["ssh://me@host:22/x"]);
        assert_eq!(parts("\u{770b}http://a.b/\u{3002}"), ["http://a.b/"]);
        assert_eq!(parts("1http://a"), ["http://a"]);
        assert_eq!(parts("://a"), [""; 0]);
        assert_eq!(parts("http://..."), [""; 0]);
    }

    #[test]
    fn mail_addresses_are_whole() {
        assert_eq!(parts("mailto:a.b+c@d-e.org."), ["a.b+c@d-e.org"]);
        assert_eq!(parts("(x@y.co.uk)"), ["x@y.co.uk"]);
        assert_eq!(parts("\u{90ae}\u{7bb1}a@b.com\u{5427}"), ["a@b.com"]);
        assert_eq!(parts("a@b"), [""; 0]);
        assert_eq!(parts("a@b.c"), [""; 0]);
    }

    #[test]
    fn names_and_tags_are_whole() {
        assert_eq!(parts("@some_one,"), ["@some_one"]);
        assert_eq!(parts("(@some.one-1.)"), ["@some.one-1"]);
        assert_eq!(
            parts("#tag.#\u{5199}\u{771f}2024!"),
            ["#tag", "#\u{5199}\u{771f}2024"]
        );
        assert_eq!(parts("@bob\u{3055}\u{3093}"), ["@bob"]);
        assert_eq!(
            parts("\u{660e}\u{65e5}@\u{7530}\u{4e2d}"),
            ["@\u{7530}\u{4e2d}"]
        );
        for text in ["c#", "a#b", "@", "#", "@@", "#-"] {
            assert_eq!(parts(text), [""; 0]);
        }
    }

    #[test]
    fn keycaps_are_whole() {
        let keycap = |base| format!("{base}\u{fe0f}{KEYCAP}");
        assert_eq!(
            parts(&format!("a{}{}", keycap('1'), keycap('2'))),
            [keycap('1'), keycap('2')]
        );
        assert_eq!(parts(&keycap('#')), [keycap('#')]);
        assert_eq!(parts("a\u{20e3}\u{20e3}\u{2019}"), [""; 0]);
    }

    #[test]
    fn marks_stay_with_what_they_stand_on() {
        assert_eq!(parts("<@1>\u{20d2}a"), ["<@1>\u{20d2}"]);
        assert_eq!(parts("@e\u{323}\u{302}x!"), ["@e\u{323}\u{302}x"]);
    }
}
