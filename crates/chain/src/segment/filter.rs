//! What was said before, in a few bits each: a blocked Bloom filter over runs of tokens and over
//! short messages.
//!
//! It never says "new" of what it has seen; of what it has not, it says "seen" in about one of 200
//! cases. One query touches one cache line (Putze, Sanders and Singler 2007, "Cache-, hash- and
//! space-efficient Bloom filters").

/// Bits a key. With six probes in a block of 512 bits: about 0.5 % false alarms.
const BITS_A_KEY: u64 = 12;
const PROBES: u32 = 6;
/// 64-bit words of a block: one cache line.
const BLOCK: usize = 8;

/// Multiplier of the rolling hash over tokens: odd, bits well spread (Steele and Vigna 2021, for
/// 64-bit LCGs).
const BASE: u64 = 0xd134_2543_de82_ef95;

/// Keeps whole messages apart from runs of the same tokens.
const WHOLE: u64 = 0x6a09_e667_f3bc_c908;

/// Words for a filter over `keys` keys.
#[must_use]
pub fn words(keys: u64) -> usize {
    (keys * BITS_A_KEY).div_ceil(512).max(1) as usize * BLOCK
}

fn place(key: u64, words: usize) -> (usize, u64) {
    // The block from the upper half, the bits within it from a remix, so that they do not depend on
    // each other.
    let blocks = (words / BLOCK) as u64;
    let block = ((u128::from(key) * u128::from(blocks)) >> 64) as usize;
    let mut bits = key.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits ^= bits >> 32;
    (block * BLOCK, bits.wrapping_mul(0xbf58_476d_1ce4_e5b9))
}

pub fn insert(filter: &mut [u64], key: u64) {
    let (start, mut bits) = place(key, filter.len());
    for _ in 0..PROBES {
        filter[start + (bits >> 61) as usize] |= 1 << (bits >> 55 & 63);
        bits <<= 9;
    }
}

#[inline]
#[must_use]
pub fn contains(filter: &[u64], key: u64) -> bool {
    if filter.len() < BLOCK {
        return false;
    }
    let (start, mut bits) = place(key, filter.len());
    (0..PROBES).all(|_| {
        let word = filter[start + (bits >> 61) as usize];
        let set = word >> (bits >> 55 & 63) & 1 == 1;
        bits <<= 9;
        set
    })
}

/// The hash of the last tokens of a growing message, renewed in O(1) a token.
///
/// Tokens enter by their own hash, so that a run has the same key in every segment and every chain.
#[derive(Clone, Debug)]
pub struct Runs {
    /// Length of the runs watched, in tokens; 0 watches none.
    length: usize,
    /// `BASE` to the power of `length`: what leaves the window is multiplied by it.
    power: u64,
    recent: Vec<u64>,
    hash: u64,
    whole: u64,
}

impl Runs {
    /// Watches runs of one token more than may be copied; with 0 nothing but whole messages.
    #[must_use]
    pub fn new(max_copied_tokens: u32) -> Self {
        let length = if max_copied_tokens == 0 {
            0
        } else {
            max_copied_tokens as usize + 1
        };
        Self {
            length,
            power: BASE.wrapping_pow(length as u32),
            recent: Vec::new(),
            hash: 0,
            whole: 0,
        }
    }

    /// Tokens of a run that is watched; 0 when there are none.
    #[inline]
    #[must_use]
    pub fn length(&self) -> usize {
        self.length
    }

    pub fn clear(&mut self) {
        self.recent.clear();
        self.hash = 0;
        self.whole = 0;
    }

    /// The key of the run that ends with this token, once there are enough.
    #[inline]
    pub fn push(&mut self, token_hash: u64) -> Option<u64> {
        self.whole = self.whole.wrapping_mul(BASE).wrapping_add(token_hash | 1);
        if self.length == 0 {
            return None;
        }
        self.hash = self.hash.wrapping_mul(BASE).wrapping_add(token_hash);
        self.recent.push(token_hash);
        let before = self.recent.len().checked_sub(self.length)?;
        if let Some(index) = before.checked_sub(1) {
            self.hash = self
                .hash
                .wrapping_sub(self.recent[index].wrapping_mul(self.power));
        }
        Some(mix(self.hash))
    }

    /// The key of the whole message, if it is too short for a run to give it away.
    #[inline]
    #[must_use]
    pub fn finish(&self) -> Option<u64> {
        (self.length == 0 || self.recent.len() < self.length).then(|| mix(self.whole ^ WHOLE))
    }
}

/// The finalizer of `MurmurHash3`.
fn mix(mut key: u64) -> u64 {
    key = (key ^ key >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    key = (key ^ key >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    key ^ key >> 33
}
