//! From a corpus to states: one sort of all places by what follows them gives the states of every order.
//!
//! A corpus is one run of token numbers in which `BOUNDARY` stands before, between and after messages. Each place begins a
//! gram of up to order + 1 tokens, cut after the boundary that ends its message. Sorted, the grams that share their first j
//! tokens lie together: they are the state of those j tokens, and what stands at j tells its successors. The state of order
//! j < order leads to the longer state of the same words; at the full order the successor drops the oldest token, which is
//! the state that begins one place later: it is looked up by place.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;

use super::states::{self, BOUNDARY, NONE, Transition};

/// Places of a corpus that one segment can hold: what is left of 32 bits beside two lengths.
pub const MAX_PLACES: usize = 1 << 26;

const PLACE_BITS: u32 = 26;
/// Places of one piece of work, roughly.
const PIECE: usize = 1 << 16;

/// Whether a transition that occurs at these places may be used. Guarded chains count authors here.
pub type Supported<'c> = dyn Fn(&mut dyn Iterator<Item = u32>) -> bool + Sync + 'c;

/// A place, how many tokens of its gram equal those of the gram before it, and how many tokens the gram has.
#[derive(Clone, Copy)]
struct Entry(u32);

impl Entry {
    fn new(place: u32, equal: usize, length: usize) -> Self {
        Self(place | (equal as u32) << PLACE_BITS | (length as u32) << (PLACE_BITS + 3))
    }

    #[inline]
    fn place(self) -> u32 {
        self.0 & ((1 << PLACE_BITS) - 1)
    }

    #[inline]
    fn equal(self) -> usize {
        (self.0 >> PLACE_BITS & 7) as usize
    }

    #[inline]
    fn length(self) -> usize {
        (self.0 >> (PLACE_BITS + 3)) as usize
    }
}

/// The sorted grams of a corpus, cut into pieces of whole first tokens, and where each state will lie.
pub struct Trie<'c> {
    text: &'c [u32],
    order: usize,
    supported: Option<&'c Supported<'c>>,
    entries: Vec<Entry>,
    /// For each token the end of its entries.
    ends: Vec<u32>,
    pieces: Vec<Piece>,
    /// By place: the state of full order that begins there.
    begins: Vec<AtomicU32>,
    /// By token: its state of order 1.
    roots: Vec<AtomicU32>,
    words: u64,
    pub counts: Counts,
}

#[derive(Clone, Copy, Debug, Default)]
struct Piece {
    first_token: usize,
    end_token: usize,
    base: u64,
    counts: Counts,
}

/// What a trie holds, all orders together where not said otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub words: u64,
    pub states: u64,
    pub transitions: u64,
    /// Transitions between states of the full order.
    pub full_transitions: u64,
    /// Transitions left out for want of support.
    pub unsupported: u64,
}

impl Counts {
    fn add(&mut self, other: &Self) {
        self.words += other.words;
        self.states += other.states;
        self.transitions += other.transitions;
        self.full_transitions += other.full_transitions;
        self.unsupported += other.unsupported;
    }
}

/// What is done with each state, children before parents: gives the state its number.
trait Visit {
    fn state(&mut self, level: usize, entries: &[Entry], successors: &[Transition]) -> u32;
    /// Whether tokens and links are wanted, or counts alone.
    const WHOLE: bool;
}

impl<'c> Trie<'c> {
    /// Sorts and measures. `text` holds fewer than `MAX_PLACES` numbers below `vocabulary`.
    #[must_use]
    pub fn sort(
        text: &'c [u32],
        vocabulary: usize,
        order: usize,
        supported: Option<&'c Supported<'c>>,
    ) -> Self {
        assert!(text.len() < MAX_PLACES && (1..=4).contains(&order));
        let ends = count(text, vocabulary);
        let entries = scatter(text, &ends);
        let pieces = cut(&ends);
        let mut trie = Self {
            text,
            order,
            supported,
            entries,
            ends,
            pieces,
            begins: Vec::new(),
            roots: zeros(vocabulary),
            words: 0,
            counts: Counts::default(),
        };
        trie.sort_pieces();
        let mut base = 1; // the first word of all is nobody's, so that 0 is no state
        for piece in &mut trie.pieces {
            piece.base = base;
            base += piece.counts.words;
            trie.counts.add(&piece.counts);
        }
        trie.words = base;
        trie.begins = zeros(text.len());
        trie.assign();
        trie
    }

    /// Words that `write` will hand out, the first one included.
    #[must_use]
    pub fn words(&self) -> u64 {
        self.words
    }

    /// By token: the reference of its state of order 1.
    pub fn roots(&self) -> impl ExactSizeIterator<Item = u32> {
        self.roots.iter().map(|root| root.load(Ordering::Relaxed))
    }

    /// Hands all words to `sink`, in order, built by two threads.
    pub fn write<E: Send>(&self, sink: &mut (dyn FnMut(&[u32]) -> Result<(), E> + Send)) -> Result<(), E> {
        sink(&[0])?;
        let next = AtomicUsize::new(0);
        let turn = Mutex::new((0, Ok(()), sink));
        let changed = Condvar::new();
        let work = || {
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(piece) = self.pieces.get(index) else { return };
                let mut words = Write { trie: self, base: piece.base, words: Vec::with_capacity(piece.counts.words as usize) };
                self.visit_piece(piece, self.piece_entries(piece), &mut words);
                let mut held = turn.lock().unwrap_or_else(PoisonError::into_inner);
                while held.0 != index {
                    held = changed.wait(held).unwrap_or_else(PoisonError::into_inner);
                }
                if held.1.is_ok() {
                    held.1 = (held.2)(&words.words);
                }
                held.0 += 1;
                changed.notify_all();
            }
        };
        thread::scope(|scope| {
            scope.spawn(work);
            work();
        });
        turn.into_inner().unwrap_or_else(PoisonError::into_inner).1
    }

    fn sort_pieces(&mut self) {
        let mut rest = self.entries.as_mut_slice();
        let mut jobs = Vec::new();
        for piece in &self.pieces {
            let start = start_of(&self.ends, piece.first_token);
            let (mine, later) = rest.split_at_mut(self.ends[piece.end_token - 1] as usize - start);
            rest = later;
            jobs.push((*piece, mine));
        }
        let (ends, text, order, supported) = (&self.ends, self.text, self.order, self.supported);
        let total = jobs.len();
        let jobs = Mutex::new(jobs.into_iter().enumerate());
        let done = Mutex::new(vec![Counts::default(); total]);
        let work = || {
            let mut sorter = Sorter::default();
            loop {
                let Some((index, (piece, entries))) = jobs.lock().unwrap_or_else(PoisonError::into_inner).next() else {
                    return;
                };
                let base = start_of(ends, piece.first_token);
                for token in piece.first_token..piece.end_token {
                    let range = start_of(ends, token) - base..ends[token] as usize - base;
                    sorter.sort(text, order, &mut entries[range]);
                }
                let mut measure = Measure { order, counts: Counts::default() };
                let mut walk = Walk { text, order, supported, begins: None, visit: &mut measure, unsupported: 0, stack: Vec::new() };
                for token in piece.first_token..piece.end_token {
                    let range = start_of(ends, token) - base..ends[token] as usize - base;
                    walk.state(1, &entries[range]);
                }
                let unsupported = walk.unsupported;
                measure.counts.unsupported = unsupported;
                done.lock().unwrap_or_else(PoisonError::into_inner)[index] = measure.counts;
            }
        };
        thread::scope(|scope| {
            scope.spawn(work);
            work();
        });
        let done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        for (piece, counts) in self.pieces.iter_mut().zip(done) {
            piece.counts = counts;
        }
    }

    fn assign(&self) {
        let next = AtomicUsize::new(0);
        let work = || {
            while let Some(piece) = self.pieces.get(next.fetch_add(1, Ordering::Relaxed)) {
                let mut assign = Assign { trie: self, next: piece.base as u32 };
                self.visit_piece(piece, self.piece_entries(piece), &mut assign);
            }
        };
        thread::scope(|scope| {
            scope.spawn(work);
            work();
        });
    }

    fn piece_entries(&self, piece: &Piece) -> &[Entry] {
        &self.entries[start_of(&self.ends, piece.first_token)..self.ends[piece.end_token - 1] as usize]
    }

    fn visit_piece<V: Visit>(&self, piece: &Piece, entries: &[Entry], visit: &mut V) {
        let base = start_of(&self.ends, piece.first_token);
        let begins = V::WHOLE.then_some(self.begins.as_slice());
        let mut walk = Walk { text: self.text, order: self.order, supported: self.supported, begins, visit, unsupported: 0, stack: Vec::new() };
        for token in piece.first_token..piece.end_token {
            let range = start_of(&self.ends, token) - base..self.ends[token] as usize - base;
            let root = walk.state(1, &entries[range]);
            self.roots[token].store(root, Ordering::Relaxed);
        }
    }
}

fn zeros(length: usize) -> Vec<AtomicU32> {
    (0..length).map(|_| AtomicU32::new(NONE)).collect()
}

fn start_of(ends: &[u32], token: usize) -> usize {
    token.checked_sub(1).map_or(0, |before| ends[before] as usize)
}

/// For each token where its entries end. The last boundary begins nothing.
fn count(text: &[u32], vocabulary: usize) -> Vec<u32> {
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
fn scatter(text: &[u32], ends: &[u32]) -> Vec<Entry> {
    let mut entries = vec![Entry(0); text.len() - 1];
    let mut free = ends.to_vec();
    for (place, &token) in text[..text.len() - 1].iter().enumerate().rev() {
        free[token as usize] -= 1;
        entries[free[token as usize] as usize] = Entry(place as u32);
    }
    entries
}

fn cut(ends: &[u32]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut first_token = 0;
    for token in 0..ends.len() {
        if ends[token] as usize - start_of(ends, first_token) >= PIECE || token + 1 == ends.len() {
            pieces.push(Piece { first_token, end_token: token + 1, ..Piece::default() });
            first_token = token + 1;
        }
    }
    pieces
}

/// Sorts the entries of one first token by what follows; keeps its buffers.
#[derive(Default)]
struct Sorter {
    narrow: Vec<(u64, u32)>,
    wide: Vec<(u128, u32)>,
}

impl Sorter {
    fn sort(&mut self, text: &[u32], order: usize, entries: &mut [Entry]) {
        if order <= 2 {
            let gram = |place: u32| {
                let first = text[place as usize + 1];
                let second = if order == 1 || first == BOUNDARY { BOUNDARY } else { text[place as usize + 2] };
                u64::from(first) << 32 | u64::from(second)
            };
            self.narrow.clear();
            self.narrow.extend(entries.iter().map(|entry| (gram(entry.place()), entry.place())));
            self.narrow.sort_unstable();
            let mut before = None;
            for (entry, &(gram, place)) in entries.iter_mut().zip(&self.narrow) {
                *entry = described(place, u128::from(gram) << 64, before, order);
                before = Some(u128::from(gram) << 64);
            }
        } else {
            let gram = |place: u32| {
                let mut packed = 0;
                let mut ended = false;
                for offset in 1..=4 {
                    let token = if ended || offset > order { BOUNDARY } else { text[place as usize + offset] };
                    ended |= token == BOUNDARY;
                    packed = packed << 32 | u128::from(token);
                }
                packed
            };
            self.wide.clear();
            self.wide.extend(entries.iter().map(|entry| (gram(entry.place()), entry.place())));
            self.wide.sort_unstable();
            let mut before = None;
            for (entry, &(gram, place)) in entries.iter_mut().zip(&self.wide) {
                *entry = described(place, gram, before, order);
                before = Some(gram);
            }
        }
    }
}

/// An entry with the lengths that its gram (what follows the first token, packed from the top) and the one before tell.
fn described(place: u32, gram: u128, before: Option<u128>, order: usize) -> Entry {
    let at = |gram: u128, offset: usize| (gram >> (128 - 32 * offset)) as u32;
    let length = (1..=order).find(|&offset| at(gram, offset) == BOUNDARY).unwrap_or(order) + 1;
    let equal = match before {
        None => 0,
        Some(before) if before == gram => order + 1,
        Some(before) => 1 + (before ^ gram).leading_zeros() as usize / 32,
    };
    Entry::new(place, equal, length)
}

/// Goes through groups of equal beginnings.
struct Walk<'w, 'c, V> {
    text: &'c [u32],
    order: usize,
    supported: Option<&'c Supported<'c>>,
    begins: Option<&'w [AtomicU32]>,
    visit: &'w mut V,
    unsupported: u64,
    stack: Vec<Transition>,
}

impl<V: Visit> Walk<'_, '_, V> {
    /// The state of the first `level` tokens, which all entries share. Its number, or none if nothing follows it.
    fn state(&mut self, level: usize, entries: &[Entry]) -> u32 {
        let bottom = self.stack.len();
        let mut rest = entries;
        while let Some(&first) = rest.first() {
            let length = 1 + rest[1..].iter().take_while(|entry| entry.equal() > level).count();
            let (group, later) = rest.split_at(length);
            rest = later;
            if self.supported.is_some_and(|supported| !supported(&mut group.iter().map(|entry| entry.place()))) {
                self.unsupported += 1;
                continue;
            }
            let ends = first.length() == level + 1 && (level < self.order || self.ends_at(first, level));
            let next = if ends {
                NONE
            } else if level < self.order {
                self.state(level + 1, group)
            } else {
                self.begins.map_or(NONE, |begins| begins[first.place() as usize + 1].load(Ordering::Relaxed))
            };
            let token = if V::WHOLE { self.text[first.place() as usize + level] } else { 0 };
            self.stack.push(Transition { token, next, count: length as u32 });
        }
        let number = if self.stack.len() == bottom {
            NONE
        } else {
            self.visit.state(level, entries, &self.stack[bottom..])
        };
        self.stack.truncate(bottom);
        number
    }

    /// At the full order a gram has its full length whether or not it ends with the boundary.
    fn ends_at(&self, entry: Entry, level: usize) -> bool {
        V::WHOLE && self.text[entry.place() as usize + level] == BOUNDARY
    }
}

struct Measure {
    order: usize,
    counts: Counts,
}

fn occurrences(successors: &[Transition]) -> u32 {
    successors.iter().map(|one| one.count).sum()
}

impl Visit for Measure {
    const WHOLE: bool = false;

    fn state(&mut self, level: usize, _entries: &[Entry], successors: &[Transition]) -> u32 {
        let distinct = successors.len();
        self.counts.words += states::size(occurrences(successors), distinct as u32);
        self.counts.states += 1;
        self.counts.transitions += distinct as u64;
        if level == self.order {
            self.counts.full_transitions += distinct as u64;
        }
        1
    }
}

/// Gives states their numbers, and notes those of full order by place.
struct Assign<'t, 'c> {
    trie: &'t Trie<'c>,
    next: u32,
}

impl Visit for Assign<'_, '_> {
    const WHOLE: bool = false;

    fn state(&mut self, level: usize, entries: &[Entry], successors: &[Transition]) -> u32 {
        let number = self.next;
        self.next += states::size(occurrences(successors), successors.len() as u32) as u32;
        if level == self.trie.order {
            for entry in entries {
                self.trie.begins[entry.place() as usize].store(number, Ordering::Relaxed);
            }
        }
        number
    }
}

struct Write<'t, 'c> {
    trie: &'t Trie<'c>,
    base: u64,
    words: Vec<u32>,
}

impl Visit for Write<'_, '_> {
    const WHOLE: bool = true;

    fn state(&mut self, level: usize, entries: &[Entry], successors: &[Transition]) -> u32 {
        let number = (self.base + self.words.len() as u64) as u32;
        debug_assert!(level < self.trie.order || self.trie.begins[entries[0].place() as usize].load(Ordering::Relaxed) == number);
        states::write(successors, &mut self.words);
        number
    }
}
