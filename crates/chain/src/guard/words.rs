//! One walk over the words of a text: listed names, and which rules could match at all.
//!
//! A name is kept as the hash of its letters and digits, in lower case and without what separates
//! them, so `Jane Doe`, `jane.doe`, `jane_doe` and `JaneDoe` are one entry. A colliding word is
//! replaced for nothing, about once in 2^64 words for each name.

use hashbrown::HashTable;

use super::fold::{Folded, has_placeholder};
use super::kind::Kind;
use super::spans::{Reach, Spans};
use super::traits::{self, Traits};
use crate::error::{Error, Result};

/// How many names one guard takes.
pub const MAX_NAMES: usize = 100_000;
/// Longest name, in bytes.
pub const MAX_NAME_BYTES: usize = 200;
/// Most words in a name.
const MAX_WORDS: usize = 12;
/// Most bytes between two words of a name.
const MAX_GAP: usize = 3;

const WHOLE: u32 = 1 << 30;
const BEGINNING: u32 = 1 << 31;

pub(super) struct Words {
    entries: HashTable<(u64, u32)>,
    /// A bit for each hash: most words of a text are in no table, and this says so at once.
    seen: Vec<u64>,
    named: bool,
}

impl Words {
    /// # Errors
    ///
    /// [`Error::Input`] for a name that is empty, longer than [`MAX_NAME_BYTES`], or one of more
    /// than [`MAX_NAMES`].
    pub(super) fn new(names: &[String]) -> Result<Self> {
        if names.len() > MAX_NAMES {
            return Err(Error::input(format!(
                "{} names are more than the {MAX_NAMES} a guard takes: list fewer",
                names.len()
            )));
        }
        let bits = (names.len() * 64).next_power_of_two().max(1 << 14);
        let mut words = Self {
            entries: HashTable::new(),
            seen: vec![0; bits / 64],
            named: !names.is_empty(),
        };
        for &(list, bit) in traits::LISTS {
            for word in list.split(' ') {
                words.insert(hash(START, word.as_bytes()), bit);
            }
        }
        for name in names {
            words.add_name(name)?;
        }
        Ok(words)
    }

    fn add_name(&mut self, name: &str) -> Result<()> {
        let refuse = |why: &str| Err(Error::input(format!("the name {name:?} {why}")));
        if name.len() > MAX_NAME_BYTES {
            return refuse(&format!(
                "is longer than {MAX_NAME_BYTES} bytes: shorten it"
            ));
        }
        if has_placeholder(name) {
            return refuse("contains a placeholder: write it without");
        }
        let folded = Folded::of(name, false);
        let bytes = &folded.bytes[..];
        let coarse = split(bytes, false);
        let letters: usize = coarse.iter().map(|&(start, end)| end - start).sum();
        if letters < 2 {
            return refuse("has fewer than two letters or digits: leave it out or complete it");
        }
        if coarse.len() > MAX_WORDS * 4 {
            return refuse("has too many words: list its parts");
        }
        self.add_words(bytes, &coarse);
        self.add_words(bytes, &split(bytes, true));
        if let [(a, b), .., (c, d)] = coarse[..] {
            let reversed: Vec<_> = coarse.iter().rev().copied().collect();
            if coarse.len() == 2 {
                self.add_words(bytes, &reversed);
            }
            // "jdoe" and "doej" for Jane Doe: short surnames would make them ordinary words.
            if d - c >= 5 && b - a >= 2 && bytes[a].is_ascii_alphabetic() {
                let initial = &bytes[a..=a];
                self.insert(hash(hash(START, initial), &bytes[c..d]), WHOLE);
                self.insert(hash(hash(START, &bytes[c..d]), initial), WHOLE);
                self.insert(hash(START, initial), BEGINNING);
                self.insert(hash(START, &bytes[c..d]), BEGINNING);
            }
        }
        Ok(())
    }

    fn add_words(&mut self, bytes: &[u8], words: &[(usize, usize)]) {
        let mut state = START;
        for (at, &(start, end)) in words.iter().enumerate() {
            state = hash(state, &bytes[start..end]);
            let last = at + 1 == words.len();
            self.insert(state, if last { WHOLE } else { BEGINNING });
        }
    }

    fn insert(&mut self, state: u64, bits: u32) {
        let key = mixed(state);
        let bit = self.bit(key);
        self.seen[bit / 64] |= 1 << (bit % 64);
        let entry = self
            .entries
            .entry(key, |entry| entry.0 == key, |entry| entry.0);
        entry.or_insert((key, 0)).into_mut().1 |= bits;
    }

    fn bit(&self, key: u64) -> usize {
        (key >> 20) as usize & (self.seen.len() * 64 - 1)
    }

    fn look_up(&self, state: u64) -> u32 {
        let key = mixed(state);
        let bit = self.bit(key);
        if self.seen[bit / 64] & (1 << (bit % 64)) == 0 {
            return 0;
        }
        let entry = self.entries.find(key, |entry| entry.0 == key);
        entry.map_or(0, |entry| entry.1)
    }

    /// What the words say about the text; listed names go to `spans`.
    pub(super) fn walk(&self, bytes: &[u8], spans: &mut Spans) -> Traits {
        let mut found = 0;
        let mut at = 0;
        while let Some((start, end)) = next_word(bytes, at, false) {
            found |= self.visit(bytes, start, end, false, spans);
            if has_seam(&bytes[start..end]) {
                let mut inner = start;
                while let Some((from, to)) = next_word(&bytes[..end], inner, true) {
                    found |= self.visit(bytes, from, to, true, spans);
                    inner = to;
                }
            }
            at = end;
        }
        found & !(WHOLE | BEGINNING)
    }

    /// Looks up the word, and the words after it while they can still become a name.
    fn visit(&self, bytes: &[u8], start: usize, end: usize, fine: bool, spans: &mut Spans) -> u32 {
        let mut state = hash(START, &bytes[start..end]);
        let first = self.look_up(state);
        if !self.named {
            return first;
        }
        let mut bits = first;
        let (mut before, mut word) = (START, (start, end));
        for _ in 0..MAX_WORDS * 4 {
            if bits & WHOLE != 0 || self.is_inflected(before, &bytes[word.0..word.1]) {
                spans.add(start, word.1, Kind::Name, Reach::Exact);
            }
            if bits & BEGINNING == 0 {
                break;
            }
            let Some(next) = next_word(bytes, word.1, fine) else {
                break;
            };
            if next.0 - word.1 > MAX_GAP {
                break;
            }
            before = state;
            state = hash(state, &bytes[next.0..next.1]);
            word = next;
            bits = self.look_up(state);
        }
        first
    }

    /// "Does" and "doe42" for Doe: the name with an s or digits behind it.
    fn is_inflected(&self, before: u64, word: &[u8]) -> bool {
        let digits = word
            .iter()
            .rev()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        let stem = &word[..word.len() - digits];
        let listed = |stem| self.look_up(hash(before, stem)) & WHOLE != 0;
        match stem {
            [shorter @ .., b's' | b'S'] if shorter.len() > 2 && listed(shorter) => true,
            _ => digits > 0 && stem.len() > 1 && listed(stem),
        }
    }
}

const START: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a over the bytes in lower case, to be continued by the next word.
fn hash(state: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(state, |state, byte| {
        (state ^ u64::from(byte.to_ascii_lowercase())).wrapping_mul(0x0100_0000_01b3)
    })
}

fn mixed(state: u64) -> u64 {
    let high = (state ^ (state >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    high ^ (high >> 29)
}

/// How many bytes of a word begin at `at`: none for what separates words. A character of a script
/// without spaces is a word of its own, and so given with the sign that it is.
fn letter(bytes: &[u8], at: usize) -> (usize, bool) {
    match bytes[at] {
        b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => (1, false),
        0xc3..=0xdf => (2, false),
        0xe2 => (0, false),
        0xe3 if bytes.get(at + 1) == Some(&0x80) => (0, false),
        0xe0..=0xed => (3, true),
        0xf0 if bytes.get(at + 1).is_some_and(|&second| second >= 0xa0) => (4, true),
        _ => (0, false),
    }
}

/// `fine`: also split where a capital follows a small letter, and between letters and digits.
fn next_word(bytes: &[u8], mut at: usize, fine: bool) -> Option<(usize, usize)> {
    while at < bytes.len() {
        let (length, alone) = letter(bytes, at);
        if length > 0 {
            if alone {
                return Some((at, (at + length).min(bytes.len())));
            }
            break;
        }
        at += 1;
    }
    if at >= bytes.len() {
        return None;
    }
    let start = at;
    while at < bytes.len() {
        let (length, alone) = letter(bytes, at);
        let stops = length == 0 || alone;
        if stops || (fine && at > start && seam(bytes[at - 1], bytes[at])) {
            break;
        }
        at += length;
    }
    Some((start, at.min(bytes.len())))
}

fn seam(before: u8, after: u8) -> bool {
    (before.is_ascii_lowercase() && after.is_ascii_uppercase())
        || (before.is_ascii_digit() != after.is_ascii_digit())
}

fn has_seam(word: &[u8]) -> bool {
    word.windows(2).any(|pair| seam(pair[0], pair[1]))
}

fn split(bytes: &[u8], fine: bool) -> Vec<(usize, usize)> {
    let mut words = Vec::new();
    let mut at = 0;
    while let Some((start, end)) = next_word(bytes, at, fine) {
        words.push((start, end));
        at = end;
    }
    words
}
