//! Groups of digits with what separates them: cards, telephone numbers, long numbers.

use super::kind::Kind;
use super::spans::{Reach, Spans};

/// From this many digits in a row, a number is replaced.
const LONG: usize = 5;
/// From this many digits in separated groups.
const LONG_GROUPED: usize = 7;

pub(super) fn find(bytes: &[u8], spans: &mut Spans) {
    let mut at = 0;
    while let Some(offset) = bytes[at..].iter().position(u8::is_ascii_digit) {
        at = number(bytes, at + offset, spans);
    }
}

/// Takes the number that begins at `start` and says where to go on.
fn number(bytes: &[u8], start: usize, spans: &mut Spans) -> usize {
    let mut groups: Vec<(usize, usize)> = Vec::new();
    let mut end = start;
    loop {
        let from = end;
        while end < bytes.len() && bytes[end].is_ascii_digit() {
            end += 1;
        }
        groups.push((from, end));
        match separator(&bytes[end..]) {
            Some(gap) => end += gap,
            None => break,
        }
    }
    let digits: usize = groups.iter().map(|&(from, to)| to - from).sum();
    if digits >= LONG_GROUPED && !are_years(bytes, &groups)
        || digits >= LONG && is_thousands(bytes, &groups)
    {
        let lead = lead(bytes, start);
        let kind = classify(bytes, &groups, digits, lead < start);
        let end = if kind == Kind::Phone {
            extension(bytes, end)
        } else {
            end
        };
        spans.add(lead, end, kind, Reach::Word);
    } else {
        for (from, to) in groups {
            if to - from >= LONG {
                spans.add(from, to, Kind::Number, Reach::Word);
            }
        }
    }
    end
}

/// How many bytes between two groups of one number; none at its end.
fn separator(rest: &[u8]) -> Option<usize> {
    let length = rest.iter().take(4).position(u8::is_ascii_digit)?;
    let gap = &rest[..length];
    let joins = match gap {
        [b' ' | b'-' | b'.' | b'/' | b',' | b'\'' | b'_'] => true,
        [a, b] => matches!(
            (a, b),
            (b')' | b'/' | b'-' | b' ', b' ') | (b')', b'-' | b'/') | (b' ' | b'-', b'(' | b'-')
        ),
        [a, b, c] => b"- )/".contains(a) && b"-/()".contains(b) && b"- (".contains(c),
        _ => false,
    };
    joins.then_some(length)
}

/// "+", "(" and "(+" before the digits.
fn lead(bytes: &[u8], mut start: usize) -> usize {
    while start > 0 && b"+(".contains(&bytes[start - 1]) {
        start -= 1;
    }
    start
}

fn are_years(bytes: &[u8], groups: &[(usize, usize)]) -> bool {
    let year = |&(from, to): &(usize, usize)| {
        let group = &bytes[from..to];
        group.len() == 4 && (group.starts_with(b"1") || group.starts_with(b"20"))
    };
    groups.len() == 2 && groups.iter().all(year)
}

fn is_thousands(bytes: &[u8], groups: &[(usize, usize)]) -> bool {
    groups.len() > 1
        && groups[1..]
            .iter()
            .all(|&(from, to)| to - from == 3 && b",.'_ ".contains(&bytes[from - 1]))
}

fn classify(bytes: &[u8], groups: &[(usize, usize)], digits: usize, led: bool) -> Kind {
    let all: Vec<u8> = bytes[groups[0].0..groups[groups.len() - 1].1]
        .iter()
        .copied()
        .filter(u8::is_ascii_digit)
        .collect();
    let shape: Vec<usize> = groups.iter().map(|(from, to)| to - from).collect();
    if (13..=19).contains(&digits) && luhn(&all) {
        return Kind::Card;
    }
    if shape == [3, 2, 4] {
        return Kind::Id;
    }
    let spoken = groups.len() > 1 && !is_thousands(bytes, groups);
    if digits <= 15 && (led || spoken) {
        return Kind::Phone;
    }
    Kind::Number
}

/// ISO/IEC 7812-1, annex B.
fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| {
            let value = u32::from(digit - b'0') << (at % 2);
            if value > 9 { value - 9 } else { value }
        })
        .sum();
    sum.is_multiple_of(10)
}

/// The end of "x12", "ext. 12" behind a telephone number.
fn extension(bytes: &[u8], end: usize) -> usize {
    let is_gap = |byte: &u8| b" .:,#".contains(byte);
    let gap = bytes[end..].iter().take_while(|byte| is_gap(byte)).count();
    let rest = &bytes[end + gap..];
    let words: [&[u8]; 5] = [b"extension", b"durchwahl", b"ext", b"dw", b"x"];
    let word = words
        .iter()
        .find(|word| rest.len() >= word.len() && rest[..word.len()].eq_ignore_ascii_case(word));
    let Some(word) = word else {
        return end;
    };
    let rest = &rest[word.len()..];
    let space = rest.iter().take_while(|byte| is_gap(byte)).count();
    let digits = rest[space..]
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    if digits == 0 {
        end
    } else {
        end + gap + word.len() + space + digits
    }
}
