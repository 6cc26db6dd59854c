//! The address of a block of counters, how wide its counters are, and how many values share one.

use std::num::NonZeroU32;

use crate::buckets::SUB_BUCKETS;

/// The smallest block and the granule of addresses: 16 counters of one byte.
pub(crate) const UNIT: usize = SUB_BUCKETS >> MOST_DROP;

/// How often the resolution of an octave can be halved: 128, 64, 32, 16 sub-buckets.
pub(crate) const MOST_DROP: u8 = 3;

/// Units of address space that a block's four bytes can tell apart: 4 GiB.
pub(crate) const MOST_UNITS: u32 = 1 << 28;

/// The width of a block's counters, as the power of two of its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Width(pub(crate) u8);

impl Width {
    /// The narrowest counters that can hold `count`.
    pub(crate) const fn holding(count: u64) -> Self {
        match count {
            0..=0xff => Self(0),
            0x100..=0xffff => Self(1),
            0x1_0000..=0xffff_ffff => Self(2),
            _ => Self(3),
        }
    }
}

/// What a block looks like: the width of its counters, and how often its resolution was halved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) width: Width,
    pub(crate) drop: u8,
}

impl Shape {
    /// The power of two of the block's units.
    pub(crate) const fn order(self) -> usize {
        (MOST_DROP - self.drop + self.width.0) as usize
    }

    pub(crate) const fn bytes(self) -> usize {
        UNIT << self.order()
    }

    pub(crate) const fn counters(self) -> usize {
        SUB_BUCKETS >> self.drop
    }
}

/// The address and the shape of an allocated block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Block(NonZeroU32);

impl Block {
    pub(crate) const fn new(unit: u32, shape: Shape) -> Self {
        let packed = (unit << 4) | ((shape.drop as u32) << 2) | shape.width.0 as u32;
        // Plus one leaves zero to the absent block, so that `Option<Block>` takes four bytes.
        Self(NonZeroU32::MIN.saturating_add(packed))
    }

    const fn packed(self) -> u32 {
        self.0.get() - 1
    }

    pub(crate) const fn unit(self) -> u32 {
        self.packed() >> 4
    }

    pub(crate) const fn width(self) -> Width {
        Width((self.packed() & 3) as u8)
    }

    /// How often its resolution was halved.
    pub(crate) const fn drop(self) -> u8 {
        (self.packed() >> 2 & 3) as u8
    }

    pub(crate) const fn shape(self) -> Shape {
        Shape {
            width: self.width(),
            drop: self.drop(),
        }
    }
}
