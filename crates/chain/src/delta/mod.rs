//! Deltas: what was learned since the last segment, in memory, answering at once.
//!
//! A delta only grows. It holds the text of its messages, from which the next segment is built, the
//! states of that text, equal to those which the segment will have, and the keys of its novelty
//! filter, exactly.

mod hashing;
mod lists;
mod side;
#[cfg(test)]
mod tests;

use hashbrown::HashTable;
use smallvec::SmallVec;

pub use self::hashing::Hash;
pub use self::side::{Ref, Side};

use crate::segment::filter::Runs;
use crate::segment::states::{BOUNDARY, HEAD_LIMIT};
use crate::segment::trie::MAX_PLACES;
use crate::segment::vocabulary::Interner;

/// Tokens that a delta may have: a segment can hold no more.
pub const MOST_TOKENS: u32 = HEAD_LIMIT - 1;

/// Messages learned one by one, in memory.
#[derive(Clone, Debug)]
pub struct Delta {
    most_tokens: u32,
    most_places: usize,
    vocabulary: Interner,
    text: Vec<u32>,
    /// By message: where in the text it begins.
    starts: Vec<u32>,
    runs: Runs,
    seen: HashTable<u64>,
    seen_hash: Hash,
    forward: Side,
    backward: Option<Side>,
}

impl Delta {
    /// An empty delta for contexts of up to `order` (1 to 4) tokens; of `max_copied_tokens` see
    /// `Runs`.
    ///
    /// # Panics
    ///
    /// When the order is none of 1 to 4.
    #[must_use]
    pub fn new(order: usize, backward: bool, max_copied_tokens: u32) -> Self {
        Self {
            most_tokens: MOST_TOKENS,
            most_places: MAX_PLACES,
            vocabulary: Interner::default(),
            text: vec![BOUNDARY],
            starts: Vec::new(),
            runs: Runs::new(max_copied_tokens),
            seen: HashTable::new(),
            seen_hash: Hash::random(),
            forward: Side::new(order),
            backward: backward.then(|| Side::new(order)),
        }
    }

    /// The same, and its vocabulary holds at most this many tokens besides the boundary
    /// (`MOST_TOKENS` if that is less).
    #[must_use]
    pub fn with_most_tokens(mut self, most_tokens: u32) -> Self {
        self.set_most_tokens(most_tokens);
        self
    }

    /// From now on the vocabulary grows to this many tokens; what it has beyond that stays.
    pub fn set_most_tokens(&mut self, most_tokens: u32) {
        self.most_tokens = most_tokens.min(MOST_TOKENS);
    }

    /// Learns one message of at least one token, and gives its index: 0, 1 and so on. Empty tokens
    /// are passed over: they say nothing, and the empty text's number is the boundary's.
    ///
    /// None, and nothing is learned, when there is no token, when the vocabulary would exceed its
    /// most tokens, or when the delta is as long as a segment can be.
    pub fn learn<'t>(&mut self, tokens: impl Iterator<Item = &'t str>) -> Option<u32> {
        let tokens: SmallVec<[&str; 32]> = tokens.filter(|token| !token.is_empty()).collect();
        if tokens.is_empty() || !self.has_room(&tokens) {
            return None;
        }
        let index = self.starts.len() as u32;
        let start = self.text.len();
        for token in tokens {
            let Some(number) = self.vocabulary.intern(token, self.most_tokens) else {
                self.text.truncate(start);
                return None;
            };
            self.text.push(number);
        }
        self.starts.push(start as u32);
        self.note_seen(start);
        let message = &self.text[start..];
        self.forward.learn(message.iter().copied());
        if let Some(backward) = &mut self.backward {
            backward.learn(message.iter().rev().copied());
        }
        self.text.push(BOUNDARY);
        Some(index)
    }

    /// Tokens of a full context.
    #[must_use]
    pub fn order(&self) -> usize {
        self.forward.order()
    }

    /// How many messages were learned.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.starts.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// All messages in order, in numbers of the vocabulary, with `BOUNDARY` before, between and
    /// after them.
    #[must_use]
    pub fn text(&self) -> &[u32] {
        &self.text
    }

    /// The tokens of one message, without boundaries; none for an index that was not given out.
    #[must_use]
    pub fn message(&self, index: u32) -> &[u32] {
        let index = index as usize;
        let Some(&start) = self.starts.get(index) else {
            return &[];
        };
        let next = self
            .starts
            .get(index + 1)
            .map_or(self.text.len(), |&next| next as usize);
        &self.text[start as usize..next - 1]
    }

    #[must_use]
    pub fn vocabulary(&self) -> &Interner {
        &self.vocabulary
    }

    /// Whether a message had this key, one of those that `Runs` gives for its runs and for short
    /// messages; exact but for different runs of one key.
    #[inline]
    #[must_use]
    pub fn seen(&self, key: u64) -> bool {
        self.seen
            .find(self.seen_hash.of(key), |&held| held == key)
            .is_some()
    }

    #[must_use]
    pub fn forward(&self) -> &Side {
        &self.forward
    }

    /// The states of the messages read from their ends, if the delta was made to have them.
    #[must_use]
    pub fn backward(&self) -> Option<&Side> {
        self.backward.as_ref()
    }

    /// Bytes that the delta takes from the allocator; in O(1).
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>()
            + self.vocabulary.memory_bytes()
            + 4 * (self.text.capacity() + self.starts.capacity())
            + self.seen.allocation_size()
            + self.sides().map(Side::memory_bytes).sum::<usize>()
    }

    fn sides(&self) -> impl Iterator<Item = &Side> {
        std::iter::once(&self.forward).chain(&self.backward)
    }

    /// Whether messages with so many tokens and boundaries together, and so many bytes of text, are
    /// no more than one segment can hold with what is there; of the vocabulary's bound see `learn`.
    #[must_use]
    pub fn has_places(&self, places: usize, bytes: usize) -> bool {
        self.text.len() + places < self.most_places
            && u32::try_from(self.vocabulary.text_bytes() + bytes).is_ok()
    }

    /// As if a segment could hold no more than these places.
    #[cfg(test)]
    pub fn set_most_places(&mut self, most_places: usize) {
        self.most_places = most_places;
    }

    /// Whether a message can be learned as a whole.
    fn has_room(&self, tokens: &[&str]) -> bool {
        let bytes = tokens.iter().map(|token| token.len()).sum::<usize>();
        if !self.has_places(tokens.len() + 1, bytes) {
            return false;
        }
        let room = (self.most_tokens as usize + 1).saturating_sub(self.vocabulary.len());
        if tokens.len() <= room {
            return true;
        }
        let mut new: Vec<&str> = tokens.to_vec();
        new.retain(|token| self.vocabulary.find(token).is_none());
        new.sort_unstable();
        new.dedup();
        new.len() <= room
    }

    /// Enters the keys of the message that begins at this place of the text and is its last.
    fn note_seen(&mut self, start: usize) {
        self.runs.clear();
        for &number in &self.text[start..] {
            if let Some(key) = self.runs.push(self.vocabulary.hash_of(number)) {
                side::enter(&mut self.seen, self.seen_hash, key);
            }
        }
        if let Some(key) = self.runs.finish() {
            side::enter(&mut self.seen, self.seen_hash, key);
        }
    }
}
