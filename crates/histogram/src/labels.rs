//! The names of labels, interned: a number for a name, a name for a number, and a bound on how many.

use std::hash::{BuildHasher, RandomState};

use crate::distinct::stable_hash;

/// The number of a label within its recorder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Label(pub u32);

impl Label {
    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }
}

/// The label into which everything folds that has no room of its own.
pub const OTHER: Label = Label(0);

/// The name of [`OTHER`].
pub const OTHER_NAME: &str = "__other__";

/// The longest name in bytes. Of a longer one its beginning and a hash of the whole are kept, so that two long names
/// with one beginning stay two labels.
pub const MAX_NAME: usize = 255;

const HASH_DIGITS: usize = 17;

/// What a name takes besides its bytes: its range in the text.
pub(crate) const NAME_OVERHEAD: usize = size_of::<Span>();

#[derive(Debug, Clone, Copy)]
struct Span {
    start: u32,
    length: u32,
}

/// A bounded set of names. Number 0 is [`OTHER`]; the others count up from 1.
#[derive(Debug)]
pub struct Labels {
    hasher: RandomState,
    /// Open addressing; a slot holds the label's number plus one. At most half of the slots are taken.
    slots: Vec<u32>,
    spans: Vec<Span>,
    text: String,
}

impl Labels {
    /// Room for `most` names, [`OTHER_NAME`] among them, of `text_limit` bytes together.
    #[must_use]
    pub fn new(most: usize, text_limit: usize) -> Self {
        let mut labels = Self {
            hasher: RandomState::new(),
            slots: vec![0; Self::slots_for(most)],
            spans: Vec::with_capacity(most),
            text: String::with_capacity(text_limit.min(most * MAX_NAME).max(OTHER_NAME.len())),
        };
        labels.insert(OTHER_NAME);
        labels
    }

    /// The number of a name: its own if it has one or there is room, else nothing.
    pub fn intern(&mut self, name: &str) -> Option<Label> {
        let name = bounded(name);
        match self.find(&name) {
            None if self.is_full(&name) => None,
            None => Some(self.insert(&name)),
            known => known,
        }
    }

    /// The most bytes that `most` names of at most `text_limit` bytes together take.
    #[must_use]
    pub const fn most_bytes(most: usize, text_limit: usize) -> usize {
        Self::table_bytes(most) + most * NAME_OVERHEAD + text_limit
    }

    /// Bytes of the table that finds names, which is there from the start.
    pub(crate) const fn table_bytes(most: usize) -> usize {
        Self::slots_for(most) * size_of::<u32>()
    }

    const fn slots_for(most: usize) -> usize {
        (most * 2).next_power_of_two()
    }

    /// How many names there are, that of [`OTHER`] among them.
    #[must_use]
    #[allow(clippy::len_without_is_empty)] // it never is
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    pub(crate) fn is_full(&self, name: &str) -> bool {
        self.spans.len() == self.spans.capacity()
            || self.text.capacity() - self.text.len() < name.len()
    }

    /// Bytes of the names held.
    pub(crate) fn used(&self) -> usize {
        self.text.len() + self.spans.len() * NAME_OVERHEAD
    }

    pub(crate) fn find(&self, name: &str) -> Option<Label> {
        match self.slots[self.slot_of(name)] {
            0 => None,
            taken => Some(Label(taken - 1)),
        }
    }

    /// Intern a name that `find` does not know. The caller has asked `is_full`.
    pub(crate) fn insert(&mut self, name: &str) -> Label {
        let slot = self.slot_of(name);
        let label = Label(self.spans.len() as u32);
        self.spans.push(Span {
            start: self.text.len() as u32,
            length: name.len() as u32,
        });
        self.text.push_str(name);
        self.slots[slot] = label.0 + 1;
        label
    }

    /// The name of a label that this set gave out.
    ///
    /// # Panics
    /// If it is not one of them.
    #[must_use]
    pub fn name(&self, label: Label) -> &str {
        let span = self.spans[label.index()];
        &self.text[span.start as usize..][..span.length as usize]
    }

    /// Forget every name but [`OTHER_NAME`].
    pub(crate) fn clear(&mut self) {
        self.slots.fill(0);
        self.spans.clear();
        self.text.clear();
        self.insert(OTHER_NAME);
    }

    /// The slot that holds this name, or the free one where it belongs.
    fn slot_of(&self, name: &str) -> usize {
        let mask = self.slots.len() - 1;
        let mut slot = self.hasher.hash_one(name) as usize & mask;
        while self.slots[slot] != 0 && self.name(Label(self.slots[slot] - 1)) != name {
            slot = (slot + 1) & mask;
        }
        slot
    }
}

/// A name of at most [`MAX_NAME`] bytes: the name itself, or its beginning, `~` and a hash of the whole.
pub(crate) fn bounded(name: &str) -> std::borrow::Cow<'_, str> {
    if name.len() <= MAX_NAME {
        return name.into();
    }
    let mut end = MAX_NAME - HASH_DIGITS;
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}~{:016x}", &name[..end], stable_hash(name.as_bytes())).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_again_under_its_number() {
        let mut labels = Labels::new(1000, 1 << 20);
        for n in 1..1000 {
            let name = format!("scenario/{n}");
            assert_eq!(labels.find(&name), None);
            assert_eq!(labels.insert(&name), Label(n));
        }
        assert!(labels.is_full("x"));
        assert_eq!(labels.find("scenario/512"), Some(Label(512)));
        assert_eq!(labels.name(Label(512)), "scenario/512");
        assert_eq!(labels.find(OTHER_NAME), Some(OTHER));
        labels.clear();
        assert_eq!((labels.len(), labels.find("scenario/512")), (1, None));
    }

    #[test]
    fn long_names_are_cut_and_stay_apart() {
        let (one, two) = ("ü".repeat(400) + "1", "ü".repeat(400) + "2");
        assert!(bounded(&one).len() <= MAX_NAME);
        assert_ne!(bounded(&one), bounded(&two));
        assert_eq!(bounded("short"), "short");
    }
}
