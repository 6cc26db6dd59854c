//! Grams and their sort: by first token in one pass over the corpus, then by what follows it.

use std::ops::Range;

use super::Counts;
use crate::segment::states::BOUNDARY;

pub(super) const PLACE_BITS: u32 = 26;

/// Places of one piece of work, roughly; tests make do with less text for several.
const PIECE: usize = if cfg!(test) { 1 << 9 } else { 1 << 16 };

/// A place, how many tokens of its gram equal those of the gram before it, and how many tokens the
/// gram has.
#[derive(Clone, Copy)]
pub(super) struct Entry(u32);

impl Entry {
    fn new(place: u32, equal: usize, length: usize) -> Self {
        Self(place | (equal as u32) << PLACE_BITS | (length as u32) << (PLACE_BITS + 3))
    }

    #[inline]
    pub fn place(self) -> u32 {
        self.0 & ((1 << PLACE_BITS) - 1)
    }

    #[inline]
    pub fn equal(self) -> usize {
        (self.0 >> PLACE_BITS & 7) as usize
    }

    #[inline]
    pub fn length(self) -> usize {
        (self.0 >> (PLACE_BITS + 3)) as usize
    }
}

/// Tokens whose entries are sorted and written by one thread in one go.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Piece {
    first_token: usize,
    end_token: usize,
    /// Where its first state will lie.
    pub base: u64,
    pub counts: Counts,
}

impl Piece {
    /// Where its entries are among all entries.
    pub fn entries(&self, ends: &[u32]) -> Range<usize> {
        start_of(ends, self.first_token)..ends[self.end_token - 1] as usize
    }

    /// Each of its tokens, and where that token's entries are among those of the piece.
    pub fn tokens(&self, ends: &[u32]) -> impl Iterator<Item = (usize, Range<usize>)> {
        let base = start_of(ends, self.first_token);
        (self.first_token..self.end_token).map(move |token| {
            (
                token,
                start_of(ends, token) - base..ends[token] as usize - base,
            )
        })
    }
}

fn start_of(ends: &[u32], token: usize) -> usize {
    token
        .checked_sub(1)
        .map_or(0, |before| ends[before] as usize)
}

/// For each token where its entries end. The last boundary begins nothing.
pub(super) fn count(text: &[u32], vocabulary: usize) -> Vec<u32> {
    let mut ends = vec![0; vocabulary];
    for &token in &text[..text.len() - 1] {
        ends[token as usize] += 1;
    }
    let mut sum = 0;
    for end in &mut ends {
        sum += *end;
        *end = sum;
    }
    ends
}

/// Places by their token, each token's in order.
pub(super) fn scatter(text: &[u32], ends: &[u32]) -> Vec<Entry> {
    let mut entries = vec![Entry(0); text.len() - 1];
    let mut free = ends.to_vec();
    for (place, &token) in text[..text.len() - 1].iter().enumerate().rev() {
        free[token as usize] -= 1;
        entries[free[token as usize] as usize] = Entry(place as u32);
    }
    entries
}

pub(super) fn cut(ends: &[u32]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut first_token = 0;
    for token in 0..ends.len() {
        if ends[token] as usize - start_of(ends, first_token) >= PIECE || token + 1 == ends.len() {
            pieces.push(Piece {
                first_token,
                end_token: token + 1,
                ..Piece::default()
            });
            first_token = token + 1;
        }
    }
    pieces
}

/// Sorts the entries of one first token by what follows; keeps its buffers.
#[derive(Default)]
pub(super) struct Sorter {
    narrow: Vec<(u64, u32)>,
    wide: Vec<(u128, u32)>,
}

impl Sorter {
    pub fn sort(&mut self, text: &[u32], order: usize, entries: &mut [Entry]) {
        if order <= 2 {
            self.sort_narrow(text, order, entries);
        } else {
            self.sort_wide(text, order, entries);
        }
    }

    /// Two tokens fit half the width: that much less is moved.
    fn sort_narrow(&mut self, text: &[u32], order: usize, entries: &mut [Entry]) {
        let gram = |place: usize| {
            let first = text[place + 1];
            let second = if order == 1 || first == BOUNDARY {
                BOUNDARY
            } else {
                text[place + 2]
            };
            u64::from(first) << 32 | u64::from(second)
        };
        self.narrow.clear();
        let places = entries.iter().map(|entry| entry.place());
        self.narrow
            .extend(places.map(|place| (gram(place as usize), place)));
        self.narrow.sort_unstable();
        let sorted = self.narrow.iter();
        describe(
            entries,
            order,
            sorted.map(|&(gram, place)| (u128::from(gram) << 64, place)),
        );
    }

    fn sort_wide(&mut self, text: &[u32], order: usize, entries: &mut [Entry]) {
        let gram = |place: usize| {
            let mut packed = 0;
            let mut ended = false;
            for offset in 1..=4 {
                let token = if ended || offset > order {
                    BOUNDARY
                } else {
                    text[place + offset]
                };
                ended |= token == BOUNDARY;
                packed = packed << 32 | u128::from(token);
            }
            packed
        };
        self.wide.clear();
        let places = entries.iter().map(|entry| entry.place());
        self.wide
            .extend(places.map(|place| (gram(place as usize), place)));
        self.wide.sort_unstable();
        describe(entries, order, self.wide.iter().copied());
    }
}

/// Entries with the lengths that their grams tell: what follows the first token, packed from the
/// top, sorted.
fn describe(entries: &mut [Entry], order: usize, sorted: impl Iterator<Item = (u128, u32)>) {
    let at = |gram: u128, offset: usize| (gram >> (128 - 32 * offset)) as u32;
    let mut before: Option<u128> = None;
    for (entry, (gram, place)) in entries.iter_mut().zip(sorted) {
        let end = (1..=order).find(|&offset| at(gram, offset) == BOUNDARY);
        let equal = match before {
            None => 0,
            Some(before) if before == gram => order + 1,
            Some(before) => 1 + (before ^ gram).leading_zeros() as usize / 32,
        };
        *entry = Entry::new(place, equal, end.unwrap_or(order) + 1);
        before = Some(gram);
    }
}
