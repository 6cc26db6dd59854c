//! An index over numbered texts, as it lies in a file: a seed, and numbers in slots by hash.
//!
//! ```text
//! seed    two words, the lower one first
//! slots   a power of two of words, at least one and a half a number: a number, or 0 for a free one
//! ```
//!
//! A text is looked for from the slot of its hash on, up to a free one. The seed is chosen when the
//! file is written, so that nobody can write texts beforehand that all fall on one slot. With seed
//! 0 the hash is `vocabulary::hash`.

use std::hash::{BuildHasher, RandomState};

use xxhash_rust::xxh3::xxh3_64_with_seed;

const SEED: usize = 2;

/// The index over texts with the numbers 1, 2 and so on. Texts are all different.
#[must_use]
pub fn build(texts: impl ExactSizeIterator<Item = impl AsRef<[u8]>>) -> Vec<u32> {
    let seed = RandomState::new().hash_one(());
    let mut index = unfilled(texts.len(), seed);
    for (text, number) in texts.zip(1..) {
        enter(&mut index, xxh3_64_with_seed(text.as_ref(), seed), number);
    }
    index
}

/// Whether an index can have that many words.
#[must_use]
pub fn has_length(words: usize) -> bool {
    words.checked_sub(SEED).is_some_and(usize::is_power_of_two)
}

/// An index of that many numbers before one is entered. At most two thirds of its slots will be
/// taken.
pub(super) fn unfilled(numbers: usize, seed: u64) -> Vec<u32> {
    let slots = (numbers * 3).div_ceil(2).next_power_of_two().max(2);
    let mut index = vec![0; SEED + slots];
    index[..SEED].copy_from_slice(&[seed as u32, (seed >> 32) as u32]);
    index
}

/// Enters a number by the hash of its text, which was made with the seed of the index.
pub(super) fn enter(index: &mut [u32], hash: u64, number: u32) {
    let slots = &mut index[SEED..];
    let mut slot = first_slot(hash, slots.len());
    while slots[slot] != 0 {
        slot = next_slot(slot, slots.len());
    }
    slots[slot] = number;
}

/// The number of a text, of which `is` tells whether a number is its.
#[inline]
pub fn find(index: &[u32], text: &[u8], is: impl Fn(u32) -> bool) -> Option<u32> {
    let (seed, slots) = index.split_first_chunk::<SEED>()?;
    let seed = u64::from(seed[1]) << 32 | u64::from(seed[0]);
    if slots.is_empty() {
        return None;
    }
    let mut slot = first_slot(xxh3_64_with_seed(text, seed), slots.len());
    // A damaged index may have no free slot.
    for _ in 0..slots.len() {
        match slots[slot] {
            0 => return None,
            number if is(number) => return Some(number),
            _ => slot = next_slot(slot, slots.len()),
        }
    }
    None
}

#[inline]
fn first_slot(hash: u64, slots: usize) -> usize {
    hash as usize & (slots - 1)
}

#[inline]
fn next_slot(slot: usize, slots: usize) -> usize {
    (slot + 1) & (slots - 1)
}
