//! What was forgotten but is still in a part: counted, and taken off whenever the part is read.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::segment::Direction;

/// Forgotten messages of one part, and their transitions in each direction.
#[derive(Clone, Debug, Default)]
pub struct Dead {
    messages: Vec<u64>,
    count: u32,
    sides: [Removed; 2],
}

/// How often a state was left, and a transition taken, by forgotten messages.
#[derive(Clone, Debug, Default)]
pub struct Removed {
    states: HashMap<u32, u32, Numbers>,
    transitions: HashMap<u64, u32, Numbers>,
}

impl Dead {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Messages forgotten.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.count
    }

    #[must_use]
    pub fn contains(&self, message: u32) -> bool {
        self.messages
            .get(message as usize / 64)
            .is_some_and(|word| word >> (message % 64) & 1 == 1)
    }

    /// Marks a message; false if it was marked before.
    pub fn mark(&mut self, message: u32) -> bool {
        let word = message as usize / 64;
        if self.messages.len() <= word {
            self.messages.resize(word + 1, 0);
        }
        let bit = 1 << (message % 64);
        let new = self.messages[word] & bit == 0;
        self.messages[word] |= bit;
        self.count += u32::from(new);
        new
    }

    #[must_use]
    pub fn side(&self, direction: Direction) -> &Removed {
        &self.sides[direction as usize]
    }

    pub fn side_mut(&mut self, direction: Direction) -> &mut Removed {
        &mut self.sides[direction as usize]
    }

    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let entries = self
            .sides
            .iter()
            .map(|side| 8 * side.states.capacity() + 12 * side.transitions.capacity());
        8 * self.messages.capacity() + entries.sum::<usize>()
    }
}

impl Removed {
    /// One transition less.
    pub fn remove(&mut self, state: u32, token: u32) {
        *self.states.entry(state).or_default() += 1;
        *self.transitions.entry(pair(state, token)).or_default() += 1;
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.states.is_empty()
    }

    /// How often this state was left by forgotten messages.
    #[must_use]
    pub fn left(&self, state: u32) -> u32 {
        self.states.get(&state).copied().unwrap_or(0)
    }

    /// How often forgotten messages went on with this token.
    #[must_use]
    pub fn taken(&self, state: u32, token: u32) -> u32 {
        self.transitions
            .get(&pair(state, token))
            .copied()
            .unwrap_or(0)
    }
}

fn pair(state: u32, token: u32) -> u64 {
    u64::from(state) << 32 | u64::from(token)
}

/// Hashes numbers that this program gives out itself: no stranger chooses them.
#[derive(Clone, Copy, Debug, Default)]
pub struct NumberHasher(u64);

type Numbers = BuildHasherDefault<NumberHasher>;

impl Hasher for NumberHasher {
    fn finish(&self) -> u64 {
        self.0 ^ self.0 >> 32
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(byte.into());
        }
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(number.into());
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_message_is_forgotten_once() {
        let mut dead = Dead::default();
        assert!(dead.is_empty() && !dead.contains(0));
        for message in [0, 63, 64, 1000] {
            assert!(dead.mark(message));
            assert!(!dead.mark(message));
        }
        assert_eq!(dead.len(), 4);
        let marked: Vec<u32> = (0..2000).filter(|&one| dead.contains(one)).collect();
        assert_eq!(marked, [0, 63, 64, 1000]);
    }

    #[test]
    fn what_was_removed_is_counted_by_state_token_and_direction() {
        let mut dead = Dead::default();
        let forward = dead.side_mut(Direction::Forward);
        for (state, token) in [(1, 2), (1, 2), (1, 3), (2, 1), (u32::MAX, u32::MAX)] {
            forward.remove(state, token);
        }
        let forward = dead.side(Direction::Forward);
        assert_eq!([1, 2, 3].map(|state| forward.left(state)), [3, 1, 0]);
        assert_eq!(forward.left(u32::MAX), 1);
        let taken = [(1, 2), (1, 3), (2, 1), (2, 2), (3, 1)];
        assert_eq!(
            taken.map(|(state, token)| forward.taken(state, token)),
            [2, 1, 1, 0, 0]
        );
        assert!(!forward.is_empty() && dead.side(Direction::Backward).is_empty());
        assert!(dead.memory_bytes() >= 4 * 12 + 3 * 8);
    }

    #[test]
    fn pairs_of_small_numbers_are_spread_over_the_low_bits() {
        // A table takes its place from the low bits, and numbers of states and tokens are small.
        let hash = |state, token| {
            let mut hasher = NumberHasher::default();
            hasher.write_u64(pair(state, token));
            hasher.finish() % 4096
        };
        let pairs = (0..64).flat_map(|state| (0..64).map(move |token| hash(state, token)));
        let places: std::collections::HashSet<u64> = pairs.collect();
        assert!(places.len() > 2000, "{}", places.len());
    }
}
