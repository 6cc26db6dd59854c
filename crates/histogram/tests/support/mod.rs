//! Seeded numbers for property tests: a failing case can be repeated from its seed.

/// `SplitMix64` (Steele, Lea and Flood 2014).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// A latency whose magnitude is spread evenly over all octaves, 0 and values beyond the range included.
    pub fn latency(&mut self) -> u64 {
        let bits = self.below(50) as u32;
        self.next() & ((1 << bits) - 1)
    }
}
