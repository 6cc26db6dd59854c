//! What was forgotten but is still in a part: counted, and taken off whenever the part is read.

use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

use hashbrown::HashMap;

use crate::delta::Hash;
use crate::segment::Direction;

/// Forgotten messages of one part, and their transitions in each direction. A clone shares the
/// transitions until one of both changes.
#[derive(Clone, Debug, Default)]
pub struct Dead {
    messages: Vec<u64>,
    count: u32,
    sides: [Arc<Removed>; 2],
    is_silent: bool,
}

/// How often a state was left, and a transition taken, by forgotten messages.
#[derive(Clone, Debug, Default)]
pub struct Removed {
    states: HashMap<u32, u32, Numbers>,
    transitions: HashMap<u64, Taken, Numbers>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Taken {
    count: u32,
    /// In a list of all that followed the state: all occurrences of the token before this place are
    /// taken off, and none from here on.
    end: u32,
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

    /// Gives up taking off: of what is forgotten it is known which messages, no more which
    /// transitions. The part has to be silent.
    pub fn silence(&mut self) {
        self.is_silent = true;
        self.sides = Default::default();
    }

    #[must_use]
    pub fn is_silent(&self) -> bool {
        self.is_silent
    }

    #[must_use]
    pub fn side(&self, direction: Direction) -> &Removed {
        &self.sides[direction as usize]
    }

    /// To be changed; where a clone has the same, it is copied first.
    pub fn side_mut(&mut self, direction: Direction) -> &mut Removed {
        Arc::make_mut(&mut self.sides[direction as usize])
    }

    /// Whether a clone has the same transitions, so that the next change copies them.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.sides.iter().any(|side| Arc::strong_count(side) > 1)
    }

    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let sides = self
            .sides
            .iter()
            .map(|side| side.states.allocation_size() + side.transitions.allocation_size());
        8 * self.messages.capacity() + sides.sum::<usize>()
    }
}

impl Removed {
    /// One transition less.
    pub fn remove(&mut self, state: u32, token: u32) {
        self.take(state, token);
    }

    /// The same of a state that has a list of all that followed it: the first occurrence that is
    /// left goes. Occurrences are alike, so it does not matter which message it came from.
    pub fn remove_from(&mut self, state: u32, token: u32, followed: &[u32]) {
        let counts = self.take(state, token);
        let rest = followed.get(counts.end as usize..).unwrap_or(&[]);
        let found = position(rest, token);
        counts.end += found.map_or(rest.len(), |place| place + 1) as u32;
    }

    fn take(&mut self, state: u32, token: u32) -> &mut Taken {
        *self.states.entry(state).or_default() += 1;
        let counts = self.transitions.entry(pair(state, token)).or_default();
        counts.count += 1;
        counts
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
            .map_or(0, |taken| taken.count)
    }

    /// Whether `remove_from` took this occurrence of the token off: the one at this place of the
    /// list of all that followed the state.
    #[inline]
    #[must_use]
    pub fn has_taken(&self, state: u32, token: u32, place: u32) -> bool {
        self.transitions
            .get(&pair(state, token))
            .is_some_and(|taken| place < taken.end)
    }
}

/// Where a number stands first. Looks through pieces at once: lists may be long.
fn position(list: &[u32], number: u32) -> Option<usize> {
    const PIECE: usize = 128;
    let piece = list
        .chunks(PIECE)
        .position(|piece| piece.contains(&number))?;
    let start = piece * PIECE;
    let place = list[start..].iter().position(|&one| one == number)?;
    Some(start + place)
}

fn pair(state: u32, token: u32) -> u64 {
    u64::from(state) << 32 | u64::from(token)
}

/// Hashes numbers of states and tokens, by a function of each table's own: who writes the messages
/// chooses which numbers there are.
#[derive(Clone, Copy, Debug)]
pub struct Numbers(Hash);

impl Default for Numbers {
    fn default() -> Self {
        Self(Hash::random())
    }
}

impl BuildHasher for Numbers {
    type Hasher = NumberHasher;

    fn build_hasher(&self) -> NumberHasher {
        NumberHasher {
            hash: self.0,
            number: 0,
        }
    }
}

pub struct NumberHasher {
    hash: Hash,
    number: u64,
}

impl Hasher for NumberHasher {
    fn finish(&self) -> u64 {
        self.hash.of(self.number)
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.number = self.number << 8 | u64::from(byte);
        }
    }

    fn write_u32(&mut self, number: u32) {
        self.number = number.into();
    }

    fn write_u64(&mut self, number: u64) {
        self.number = number;
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
    fn of_a_list_the_first_occurrences_that_are_left_are_taken() {
        let mut list = vec![7; 1000];
        for place in [3, 400, 999] {
            list[place] = 8;
        }
        let mut removed = Removed::default();
        let taken = |removed: &Removed, token: u32| -> Vec<usize> {
            let places = 0..list.len();
            places
                .filter(|&place| list[place] == token && removed.has_taken(1, token, place as u32))
                .collect()
        };
        for gone in [&[3][..], &[3, 400], &[3, 400, 999]] {
            removed.remove_from(1, 8, &list);
            assert_eq!(taken(&removed, 8), gone);
        }
        removed.remove_from(1, 7, &list);
        removed.remove_from(1, 7, &list);
        assert_eq!(taken(&removed, 7), [0, 1]);
        assert_eq!((removed.left(1), removed.taken(1, 8)), (5, 3));
        assert!(!removed.has_taken(2, 8, 3));
    }

    #[test]
    fn a_clone_is_not_changed_by_what_is_forgotten_later() {
        let mut dead = Dead::default();
        dead.side_mut(Direction::Forward).remove(1, 2);
        assert!(!dead.is_shared());
        let before = dead.clone();
        assert!(dead.is_shared());
        dead.side_mut(Direction::Forward).remove(1, 2);
        let taken = |dead: &Dead| dead.side(Direction::Forward).taken(1, 2);
        assert_eq!((taken(&before), taken(&dead)), (1, 2));
    }

    #[test]
    fn what_the_tables_take_is_counted_whole() {
        let mut dead = Dead::default();
        for state in 0..100_000 {
            dead.side_mut(Direction::Forward).remove(state, 1);
        }
        // 131,072 slots, of 24 bytes and a byte each for both tables together at the least.
        assert!(dead.memory_bytes() >= 131_072 * (24 + 2));
    }

    #[test]
    fn no_two_tables_gather_the_same_pairs() {
        let hash = |table: &Numbers, number: u64| table.hash_one(number);
        let (one, other) = (Numbers::default(), Numbers::default());
        assert_eq!(hash(&one, pair(1, 2)), hash(&one, pair(1, 2)));
        assert_ne!(hash(&one, pair(1, 2)), hash(&other, pair(1, 2)));
    }
}
