//! Texts and their numbers while a corpus is read.

use std::hash::{BuildHasher, RandomState};

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::vocabulary::hash;

/// Gives each different text a number, in the order in which they come; 0 is the empty text.
#[derive(Clone, Debug)]
pub struct Interner {
    bytes: Vec<u8>,
    ends: Vec<u32>,
    /// What each text is known by elsewhere.
    hashes: Vec<u64>,
    /// Nobody can know it, and choose texts that fall on one slot.
    seed: u64,
    /// Half of the seeded hash, and the number; 0 is a free slot, since nobody looks for the empty
    /// text here.
    slots: Vec<u64>,
}

impl Default for Interner {
    fn default() -> Self {
        Self {
            bytes: Vec::new(),
            ends: vec![0],
            hashes: vec![0],
            seed: RandomState::new().hash_one(()),
            slots: vec![0; 64],
        }
    }
}

impl Interner {
    /// Room for that many texts of so many bytes together, without an index: `append` alone fills
    /// it.
    #[must_use]
    pub fn with_capacity(texts: usize, bytes: usize) -> Self {
        let mut interner = Self::default();
        interner.bytes.reserve_exact(bytes);
        interner.ends.reserve_exact(texts);
        interner.hashes.reserve_exact(texts);
        interner
    }

    /// The next number for a text of another interner that is new here. It cannot be found by its
    /// text.
    pub fn append(&mut self, other: &Self, number: u32) {
        self.bytes.extend_from_slice(other.get_bytes(number));
        self.ends.push(self.bytes.len() as u32);
        self.hashes.push(other.hash_of(number));
    }

    /// All texts, end to end.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Where each text ends in `bytes`.
    #[must_use]
    pub fn ends(&self) -> &[u32] {
        &self.ends
    }

    /// How many numbers are given out, the empty text's among them.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 1
    }

    /// Bytes of all texts together.
    #[must_use]
    pub fn text_bytes(&self) -> usize {
        self.bytes.len()
    }

    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.bytes.capacity()
            + 4 * self.ends.capacity()
            + 8 * (self.hashes.capacity() + self.slots.capacity())
    }

    /// The text of a number that was given out.
    #[must_use]
    pub fn get(&self, number: u32) -> &str {
        std::str::from_utf8(self.get_bytes(number)).unwrap_or_default()
    }

    /// All texts but the empty one, in order.
    pub fn texts(&self) -> impl ExactSizeIterator<Item = &[u8]> + Clone {
        (1..self.len() as u32).map(|number| self.get_bytes(number))
    }

    #[must_use]
    pub fn hash_of(&self, number: u32) -> u64 {
        self.hashes[number as usize]
    }

    /// The number of a text that has one.
    #[must_use]
    pub fn find(&self, text: &str) -> Option<u32> {
        if text.is_empty() {
            return Some(0);
        }
        self.look(text, self.tag(text)).ok()
    }

    /// The number of a text; none when it is new and there are `most` already, the empty one aside.
    #[inline]
    pub fn intern(&mut self, text: &str, most: u32) -> Option<u32> {
        if text.is_empty() {
            return Some(0);
        }
        let tag = self.tag(text);
        match self.look(text, tag) {
            Ok(number) => Some(number),
            Err(slot) => self.add(text, tag, slot, most),
        }
    }

    #[inline]
    fn tag(&self, text: &str) -> u32 {
        (xxh3_64_with_seed(text.as_bytes(), self.seed) >> 32) as u32
    }

    fn look(&self, text: &str, tag: u32) -> Result<u32, usize> {
        let mut slot = first_slot(tag, self.slots.len());
        loop {
            let held = self.slots[slot];
            if held == 0 {
                return Err(slot);
            }
            if held >> 32 == u64::from(tag) && self.get_bytes(held as u32) == text.as_bytes() {
                return Ok(held as u32);
            }
            slot = next_slot(slot, self.slots.len());
        }
    }

    fn get_bytes(&self, number: u32) -> &[u8] {
        let end = self.ends[number as usize] as usize;
        let start = number
            .checked_sub(1)
            .map_or(0, |before| self.ends[before as usize] as usize);
        &self.bytes[start..end]
    }

    fn add(&mut self, text: &str, tag: u32, slot: usize, most: u32) -> Option<u32> {
        let number = u32::try_from(self.ends.len())
            .ok()
            .filter(|&number| number <= most)?;
        let end = u32::try_from(self.bytes.len() + text.len()).ok()?;
        self.bytes.extend_from_slice(text.as_bytes());
        self.ends.push(end);
        self.hashes.push(hash(text.as_bytes()));
        self.slots[slot] = u64::from(tag) << 32 | u64::from(number);
        if self.ends.len() * 2 > self.slots.len() {
            self.grow();
        }
        Some(number)
    }

    fn grow(&mut self) {
        let mut slots = vec![0; self.slots.len() * 2];
        for &held in self.slots.iter().filter(|&&held| held != 0) {
            let mut slot = first_slot((held >> 32) as u32, slots.len());
            while slots[slot] != 0 {
                slot = next_slot(slot, slots.len());
            }
            slots[slot] = held;
        }
        self.slots = slots;
    }
}

/// Slots are a power of two. The upper bits choose, so that a table twice as large has the same
/// order and is filled from the old one in one sweep.
#[inline]
fn first_slot(tag: u32, slots: usize) -> usize {
    ((u64::from(tag) * slots as u64) >> 32) as usize
}

#[inline]
fn next_slot(slot: usize, slots: usize) -> usize {
    (slot + 1) & (slots - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_thirty_texts() -> Interner {
        let mut interner = Interner::default();
        for number in 0..30 {
            interner.intern(&format!("t{number}"), u32::MAX).unwrap();
        }
        interner
    }

    #[test]
    fn nobody_knows_beforehand_which_slot_a_text_takes() {
        let (one, other) = (of_thirty_texts(), of_thirty_texts());
        assert_eq!(one.bytes(), other.bytes());
        let slots = |interner: &Interner| -> Vec<u32> {
            interner.slots.iter().map(|&held| held as u32).collect()
        };
        assert_ne!(slots(&one), slots(&other));
    }

    #[test]
    fn a_table_that_grows_keeps_what_it_has_where_it_is_found_at_once() {
        let mut interner = Interner::default();
        for number in 1..5000 {
            assert_eq!(interner.intern(&number.to_string(), u32::MAX), Some(number));
            assert!(interner.slots.len() >= 2 * number as usize);
        }
        // Half of the slots are free: a free one is never far from where a text belongs.
        let far = |(slot, &held): (usize, &u64)| {
            let first = first_slot((held >> 32) as u32, interner.slots.len());
            held != 0
                && slot
                    .abs_diff(first)
                    .min(interner.slots.len() - slot.abs_diff(first))
                    > 60
        };
        assert!(!interner.slots.iter().enumerate().any(far));
    }
}
