//! Going through sorted grams state by state: to measure, to give numbers, to write.

use std::sync::atomic::{AtomicU32, Ordering};

use super::grams::{Entry, Piece};
use super::{Counts, Supported, Trie};
use crate::segment::states::{self, BOUNDARY, NONE, Transition};

/// What is done with each state, longer ones before the shorter ones that lead to them: gives the
/// state its number.
pub(super) trait Visit {
    /// Whether tokens and links are wanted, or counts alone.
    const WHOLE: bool;

    fn state(&mut self, level: usize, entries: &[Entry], successors: &[Transition]) -> u32;
}

/// Goes through groups of equal beginnings.
pub(super) struct Walk<'w, 'c, V> {
    text: &'c [u32],
    order: usize,
    supported: Option<&'c Supported<'c>>,
    begins: Option<&'w [AtomicU32]>,
    visit: &'w mut V,
    /// Transitions passed over for want of support so far.
    pub unsupported: u64,
    stack: Vec<Transition>,
}

impl<'w, 'c, V: Visit> Walk<'w, 'c, V> {
    pub fn new(
        text: &'c [u32],
        order: usize,
        supported: Option<&'c Supported<'c>>,
        begins: Option<&'w [AtomicU32]>,
        visit: &'w mut V,
    ) -> Self {
        Self {
            text,
            order,
            supported,
            begins,
            visit,
            unsupported: 0,
            stack: Vec::new(),
        }
    }

    /// The state of the first `level` tokens, which all entries share. Its number, or none if
    /// nothing follows it.
    pub fn state(&mut self, level: usize, entries: &[Entry]) -> u32 {
        let bottom = self.stack.len();
        let mut rest = entries;
        while let Some(&first) = rest.first() {
            let equal = rest[1..].iter().take_while(|entry| entry.equal() > level);
            let length = 1 + equal.count();
            let (group, later) = rest.split_at(length);
            rest = later;
            let mut places = group.iter().map(|entry| entry.place());
            if self.supported.is_some_and(|enough| !enough(&mut places)) {
                self.unsupported += 1;
                continue;
            }
            let next = self.next(level, first, group);
            let token = if V::WHOLE {
                self.text[first.place() as usize + level]
            } else {
                0
            };
            self.stack.push(Transition {
                token,
                next,
                count: length as u32,
            });
        }
        let number = if self.stack.len() == bottom {
            NONE
        } else {
            self.visit.state(level, entries, &self.stack[bottom..])
        };
        self.stack.truncate(bottom);
        number
    }

    /// Where the transition leads that all grams of a group have after `level` tokens.
    fn next(&mut self, level: usize, first: Entry, group: &[Entry]) -> u32 {
        if level < self.order {
            if first.length() == level + 1 {
                return NONE;
            }
            return self.state(level + 1, group);
        }
        // At the full order a gram has its full length whether or not it ends with the boundary.
        let place = first.place() as usize;
        match self.begins {
            Some(begins) if self.text[place + level] != BOUNDARY => {
                begins[place + 1].load(Ordering::Relaxed)
            }
            _ => NONE,
        }
    }
}

fn occurrences(successors: &[Transition]) -> u32 {
    successors.iter().map(|one| one.count).sum()
}

/// Counts states and transitions, and the words that they will take.
pub(super) struct Measure {
    order: usize,
    pub counts: Counts,
}

impl Measure {
    pub fn of_order(order: usize) -> Self {
        Self {
            order,
            counts: Counts::default(),
        }
    }
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
pub(super) struct Assign<'t, 'c> {
    trie: &'t Trie<'c>,
    next: u32,
}

impl<'t, 'c> Assign<'t, 'c> {
    pub fn new(trie: &'t Trie<'c>, piece: &Piece) -> Self {
        Self {
            trie,
            next: piece.base as u32,
        }
    }
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

/// Writes states one after the other.
pub(super) struct Write<'t, 'c> {
    trie: &'t Trie<'c>,
    base: u64,
    pub words: Vec<u32>,
}

impl<'t, 'c> Write<'t, 'c> {
    pub fn new(trie: &'t Trie<'c>, piece: &Piece) -> Self {
        Self {
            trie,
            base: piece.base,
            words: Vec::with_capacity(piece.counts.words as usize),
        }
    }
}

impl Visit for Write<'_, '_> {
    const WHOLE: bool = true;

    fn state(&mut self, level: usize, entries: &[Entry], successors: &[Transition]) -> u32 {
        let number = (self.base + self.words.len() as u64) as u32;
        debug_assert!(
            level < self.trie.order
                || self.trie.begins[entries[0].place() as usize].load(Ordering::Relaxed) == number
        );
        states::write(successors, &mut self.words);
        number
    }
}
