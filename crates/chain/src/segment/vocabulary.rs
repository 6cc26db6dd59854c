//! Tokens and their numbers: growing while a corpus is read, and as it lies in a segment.

use xxhash_rust::xxh3::xxh3_64;

/// What a token is known by across segments and chains.
#[inline]
#[must_use]
pub fn hash(token: &[u8]) -> u64 {
    xxh3_64(token)
}

/// Gives each different text a number, in the order in which they come; 0 is the empty text.
#[derive(Clone, Debug)]
pub struct Interner {
    bytes: Vec<u8>,
    ends: Vec<u32>,
    hashes: Vec<u64>,
    /// Upper half of the hash, and the number; 0 is a free slot, since nobody looks for the empty text here.
    slots: Vec<u64>,
}

impl Default for Interner {
    fn default() -> Self {
        Self {
            bytes: Vec::new(),
            ends: vec![0],
            hashes: vec![0],
            slots: vec![0; 64],
        }
    }
}

impl Interner {
    /// Room for that many texts of so many bytes together, without an index: `append` alone fills it.
    #[must_use]
    pub fn with_capacity(texts: usize, bytes: usize) -> Self {
        let mut interner = Self::default();
        interner.bytes.reserve_exact(bytes);
        interner.ends.reserve_exact(texts);
        interner.hashes.reserve_exact(texts);
        interner
    }

    /// The next number for a text that is known to be new. It cannot be found by its text.
    pub fn append(&mut self, text: &str, hash: u64) {
        self.bytes.extend_from_slice(text.as_bytes());
        self.ends.push(self.bytes.len() as u32);
        self.hashes.push(hash);
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
        self.bytes.capacity() + 4 * self.ends.capacity() + 8 * (self.hashes.capacity() + self.slots.capacity())
    }

    /// The text of a number that was given out.
    #[must_use]
    pub fn get(&self, number: u32) -> &str {
        let end = self.ends[number as usize] as usize;
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before as usize] as usize);
        std::str::from_utf8(&self.bytes[start..end]).unwrap_or_default()
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
        self.look(text, hash(text.as_bytes())).ok()
    }

    /// The number of a text; none when it is new and `most` numbers are given out.
    #[inline]
    pub fn intern(&mut self, text: &str, most: u32) -> Option<u32> {
        if text.is_empty() {
            return Some(0);
        }
        let hash = hash(text.as_bytes());
        match self.look(text, hash) {
            Ok(number) => Some(number),
            Err(slot) => self.add(text, hash, slot, most),
        }
    }

    fn look(&self, text: &str, hash: u64) -> Result<u32, usize> {
        let mask = self.slots.len() - 1;
        let mut slot = hash as usize & mask;
        loop {
            let held = self.slots[slot];
            if held == 0 {
                return Err(slot);
            }
            if held >> 32 == hash >> 32 && self.get_bytes(held as u32) == text.as_bytes() {
                return Ok(held as u32);
            }
            slot = (slot + 1) & mask;
        }
    }

    fn get_bytes(&self, number: u32) -> &[u8] {
        let number = number as usize;
        &self.bytes[self.ends[number - 1] as usize..self.ends[number] as usize]
    }

    fn add(&mut self, text: &str, hash: u64, slot: usize, most: u32) -> Option<u32> {
        let number = u32::try_from(self.ends.len()).ok().filter(|&number| number < most)?;
        let end = u32::try_from(self.bytes.len() + text.len()).ok()?;
        self.bytes.extend_from_slice(text.as_bytes());
        self.ends.push(end);
        self.hashes.push(hash);
        self.slots[slot] = hash >> 32 << 32 | u64::from(number);
        if self.ends.len() * 2 > self.slots.len() {
            self.grow();
        }
        Some(number)
    }

    fn grow(&mut self) {
        let slots = self.slots.len() * 2;
        self.slots = vec![0; slots];
        for (number, &hash) in self.hashes.iter().enumerate().skip(1) {
            let mut slot = hash as usize & (slots - 1);
            while self.slots[slot] != 0 {
                slot = (slot + 1) & (slots - 1);
            }
            self.slots[slot] = hash >> 32 << 32 | number as u64;
        }
    }
}

/// Slots of the index over `tokens` tokens: at most two thirds are taken.
#[must_use]
pub fn index_slots(tokens: usize) -> usize {
    (tokens * 3 / 2).next_power_of_two()
}

/// Enters a token in an index of `index_slots` slots; 0 is a free slot.
pub fn enter(index: &mut [u32], hash: u64, number: u32) {
    let mask = index.len() - 1;
    let mut slot = (hash >> 32) as usize & mask;
    while index[slot] != 0 {
        slot = (slot + 1) & mask;
    }
    index[slot] = number;
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

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.len() <= 1
    }

    /// The bytes of a token; empty for a number that is none.
    #[inline]
    #[must_use]
    pub fn bytes_of(&self, number: u32) -> &'s [u8] {
        let number = number as usize;
        let (Some(&end), Some(&start)) = (self.ends.get(number), self.ends.get(number.wrapping_sub(1))) else {
            return &[];
        };
        self.bytes.get(start as usize..end as usize).unwrap_or_default()
    }

    /// The text of a token; empty for a number that is none.
    #[must_use]
    pub fn get(&self, number: u32) -> &'s str {
        std::str::from_utf8(self.bytes_of(number)).unwrap_or_default()
    }

    /// The number of a token that occurs.
    #[must_use]
    pub fn find(&self, token: &str) -> Option<u32> {
        self.find_hashed(token.as_bytes(), hash(token.as_bytes()))
    }

    #[must_use]
    pub fn find_hashed(&self, token: &[u8], hash: u64) -> Option<u32> {
        let mask = self.index.len().checked_sub(1)?;
        let mut slot = (hash >> 32) as usize & mask;
        // A damaged index may have no free slot.
        for _ in 0..self.index.len() {
            match *self.index.get(slot)? {
                0 => return None,
                number if self.bytes_of(number) == token => return Some(number),
                _ => slot = (slot + 1) & mask,
            }
        }
        None
    }
}
