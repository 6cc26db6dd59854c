//! The tokens of a segment and their numbers, as they lie in its file.

use xxhash_rust::xxh3::xxh3_64;

use super::index;
pub use super::interner::Interner;

/// What a token is known by across segments and chains.
#[inline]
#[must_use]
pub fn hash(token: &[u8]) -> u64 {
    xxh3_64(token)
}

/// The tokens of a segment: texts end to end, where each ends, and an index by hash.
#[derive(Clone, Copy)]
pub struct Vocabulary<'s> {
    pub bytes: &'s [u8],
    pub ends: &'s [u32],
    pub index: &'s [u32],
}

impl<'s> Vocabulary<'s> {
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// The bytes of a token; empty for a number that is none.
    #[inline]
    #[must_use]
    pub fn bytes_of(&self, number: u32) -> &'s [u8] {
        let number = number as usize;
        let (Some(&end), Some(&start)) =
            (self.ends.get(number), self.ends.get(number.wrapping_sub(1)))
        else {
            return &[];
        };
        self.bytes
            .get(start as usize..end as usize)
            .unwrap_or_default()
    }

    /// The text of a token; empty for a number that is none.
    #[must_use]
    pub fn get(&self, number: u32) -> &'s str {
        std::str::from_utf8(self.bytes_of(number)).unwrap_or_default()
    }

    /// The number of a token that occurs.
    #[must_use]
    pub fn find(&self, token: &str) -> Option<u32> {
        self.find_bytes(token.as_bytes())
    }

    #[must_use]
    pub fn find_bytes(&self, token: &[u8]) -> Option<u32> {
        index::find(self.index, token, |number| self.bytes_of(number) == token)
    }
}
