//! Where counters live: one arena of blocks, each the 128 counters of one octave.
//!
//! A block's counters are one, two, four or eight bytes wide; a block is widened ("promoted") when a counter of it is
//! full. The arena is a buddy allocator over pages of 1024 bytes, which are one block of the widest kind or eight of
//! the narrowest: what a promotion gives back joins its neighbour and serves the next one. Nothing is moved when the
//! arena grows, because its whole address range is reserved at the start; pages cost memory when first touched.

use std::collections::TryReserveError;
use std::num::NonZeroU32;

use crate::buckets::SUB_BUCKETS;

/// The smallest block and the granule of addresses: 128 counters of one byte.
const UNIT: usize = SUB_BUCKETS;
const ORDERS: usize = 4;
/// Units of a page: one block of the widest counters.
const PAGE_UNITS: usize = 1 << (ORDERS - 1);
/// What a page takes from the cap: its blocks, and a byte of state for each unit.
pub(crate) const PAGE_BYTES: usize = PAGE_UNITS * (UNIT + 1);

const NIL: u32 = u32::MAX;

/// The width of a block's counters, as the power of two of its bytes: also the block's order in units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Width(u8);

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

/// The address of an allocated block and the width of its counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Block(NonZeroU32);

impl Block {
    const fn new(unit: u32, width: Width) -> Self {
        // Plus one leaves zero to the absent block, so that `Option<Block>` takes four bytes.
        Self(NonZeroU32::MIN.saturating_add((unit << 2) | width.0 as u32))
    }

    const fn unit(self) -> u32 {
        (self.0.get() - 1) >> 2
    }

    const fn width(self) -> Width {
        Width(((self.0.get() - 1) & 3) as u8)
    }

    const fn start(self) -> usize {
        self.unit() as usize * UNIT
    }
}

#[derive(Debug)]
pub(crate) struct Arena {
    bytes: Vec<u8>,
    /// For each unit: 0, or the order plus one of the free block that begins there.
    state: Vec<u8>,
    /// The first free block of each order. A free block holds its next and previous neighbour in its first bytes.
    free: [u32; ORDERS],
}

impl Arena {
    /// An empty arena that may grow to `limit` bytes, its own state included.
    pub(crate) fn new(limit: usize) -> Result<Self, TryReserveError> {
        let pages = limit / PAGE_BYTES;
        let mut arena = Self {
            bytes: Vec::new(),
            state: Vec::new(),
            free: [NIL; ORDERS],
        };
        arena.bytes.try_reserve_exact(pages * PAGE_UNITS * UNIT)?;
        arena.state.try_reserve_exact(pages * PAGE_UNITS)?;
        Ok(arena)
    }

    /// Bytes taken so far, free blocks included.
    pub(crate) fn used(&self) -> usize {
        self.bytes.len() + self.state.len()
    }

    /// Whether one more page is within what was reserved.
    pub(crate) fn can_grow(&self) -> bool {
        self.bytes.capacity() - self.bytes.len() >= PAGE_UNITS * UNIT
            && self.state.capacity() - self.state.len() >= PAGE_UNITS
            && self.state.len() + PAGE_UNITS < (u32::MAX >> 3) as usize
    }

    /// Add one page, which costs `PAGE_BYTES`. The caller has asked `can_grow` and its budget.
    pub(crate) fn grow(&mut self) {
        let unit = self.state.len() as u32;
        self.bytes.resize(self.bytes.len() + PAGE_UNITS * UNIT, 0);
        self.state.resize(self.state.len() + PAGE_UNITS, 0);
        self.push(unit, ORDERS - 1);
    }

    /// A zeroed block from what is free, or nothing.
    pub(crate) fn allocate(&mut self, width: Width) -> Option<Block> {
        let wanted = usize::from(width.0);
        let found = (wanted..ORDERS).find(|&order| self.free[order] != NIL)?;
        let unit = self.free[found];
        self.unlink(unit, found);
        for order in (wanted..found).rev() {
            self.push(unit + (1 << order), order);
        }
        let block = Block::new(unit, width);
        self.bytes[block.start()..block.start() + (UNIT << wanted)].fill(0);
        Some(block)
    }

    /// Give a block back. It joins its free neighbours up to a whole page.
    pub(crate) fn release(&mut self, block: Block) {
        let (mut unit, mut order) = (block.unit(), usize::from(block.width().0));
        while order < ORDERS - 1 {
            let buddy = unit ^ (1 << order);
            if usize::from(self.state[buddy as usize]) != order + 1 {
                break;
            }
            self.unlink(buddy, order);
            unit = unit.min(buddy);
            order += 1;
        }
        self.push(unit, order);
    }

    /// Give everything back, and its memory to the system as far as pages were touched.
    pub(crate) fn clear(&mut self) {
        *self = Self {
            bytes: Vec::with_capacity(self.bytes.capacity()),
            state: Vec::with_capacity(self.state.capacity()),
            free: [NIL; ORDERS],
        };
    }

    /// Add to one counter. False, with nothing changed, when the counter is too narrow for the result.
    #[inline]
    pub(crate) fn add(&mut self, block: Block, sub: usize, count: u64) -> bool {
        let width = block.width();
        let at = block.start() + (sub << width.0);
        let sum = self.read(at, width).saturating_add(count);
        if Width::holding(sum) > width {
            return false;
        }
        self.write(at, width, sum);
        true
    }

    /// One counter of a block.
    pub(crate) fn get(&self, block: Block, sub: usize) -> u64 {
        self.read(block.start() + (sub << block.width().0), block.width())
    }

    /// Move a block's counters into wider ones and release it. Nothing happens when there is no room.
    pub(crate) fn promote(&mut self, block: Block, width: Width) -> Option<Block> {
        let wider = self.allocate(width)?;
        for sub in 0..SUB_BUCKETS {
            let count = self.get(block, sub);
            self.write(wider.start() + (sub << width.0), width, count);
        }
        self.release(block);
        Some(wider)
    }

    #[inline]
    fn read(&self, at: usize, width: Width) -> u64 {
        match width.0 {
            0 => u64::from(self.bytes[at]),
            1 => u64::from(u16::from_le_bytes(self.array(at))),
            2 => u64::from(u32::from_le_bytes(self.array(at))),
            _ => u64::from_le_bytes(self.array(at)),
        }
    }

    #[inline]
    fn write(&mut self, at: usize, width: Width, count: u64) {
        match width.0 {
            0 => self.bytes[at] = count as u8,
            1 => self.bytes[at..at + 2].copy_from_slice(&(count as u16).to_le_bytes()),
            2 => self.bytes[at..at + 4].copy_from_slice(&(count as u32).to_le_bytes()),
            _ => self.bytes[at..at + 8].copy_from_slice(&count.to_le_bytes()),
        }
    }

    #[inline]
    fn array<const N: usize>(&self, at: usize) -> [u8; N] {
        let mut array = [0; N];
        array.copy_from_slice(&self.bytes[at..at + N]);
        array
    }

    fn push(&mut self, unit: u32, order: usize) {
        let next = self.free[order];
        self.link(unit, next, NIL);
        if next != NIL {
            let after = self.next_of(next);
            self.link(next, after, unit);
        }
        self.state[unit as usize] = order as u8 + 1;
        self.free[order] = unit;
    }

    fn unlink(&mut self, unit: u32, order: usize) {
        let (next, previous) = (self.next_of(unit), self.previous_of(unit));
        if next != NIL {
            let after = self.next_of(next);
            self.link(next, after, previous);
        }
        if previous == NIL {
            self.free[order] = next;
        } else {
            let before = self.previous_of(previous);
            self.link(previous, next, before);
        }
        self.state[unit as usize] = 0;
    }

    fn link(&mut self, unit: u32, next: u32, previous: u32) {
        let at = unit as usize * UNIT;
        self.write(at, Width(2), u64::from(next));
        self.write(at + 4, Width(2), u64::from(previous));
    }

    fn next_of(&self, unit: u32) -> u32 {
        self.read(unit as usize * UNIT, Width(2)) as u32
    }

    fn previous_of(&self, unit: u32) -> u32 {
        self.read(unit as usize * UNIT + 4, Width(2)) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arena(pages: usize) -> Arena {
        let mut arena = Arena::new(pages * PAGE_BYTES).expect("address space");
        for _ in 0..pages {
            assert!(arena.can_grow());
            arena.grow();
        }
        assert!(!arena.can_grow());
        arena
    }

    fn take_all(arena: &mut Arena, width: Width) -> Vec<Block> {
        std::iter::from_fn(|| arena.allocate(width)).collect()
    }

    #[test]
    fn a_page_is_eight_narrow_blocks_or_one_wide_one() {
        for (order, blocks) in [(0, 8), (1, 4), (2, 2), (3, 1)] {
            assert_eq!(take_all(&mut arena(3), Width(order)).len(), 3 * blocks);
        }
    }

    #[test]
    fn what_is_released_can_be_taken_in_any_width_again() {
        let mut arena = arena(5);
        for order in [0, 3, 1, 2, 0, 3] {
            let blocks = take_all(&mut arena, Width(order));
            assert_eq!(blocks.len(), 5 << (3 - order));
            // Not in the order in which they were taken: neighbours must find each other all the same.
            let (even, odd): (Vec<_>, Vec<_>) =
                blocks.into_iter().partition(|block| block.unit() % 3 == 0);
            for block in odd.into_iter().chain(even) {
                arena.release(block);
            }
        }
    }

    #[test]
    fn promotion_keeps_the_counts_and_leaks_nothing() {
        let mut arena = arena(2);
        let mut block = arena.allocate(Width(0)).expect("room");
        for sub in 0..SUB_BUCKETS {
            assert!(arena.add(block, sub, sub as u64));
        }
        for (order, full) in [(1, 0xff), (2, 0xffff), (3, 0xffff_ffff)] {
            let add = full - arena.get(block, 7);
            assert!(arena.add(block, 7, add));
            assert!(!arena.add(block, 7, 1));
            assert_eq!(arena.get(block, 7), full);
            block = arena.promote(block, Width(order)).expect("room");
        }
        assert!(
            (0..SUB_BUCKETS)
                .filter(|&sub| sub != 7)
                .all(|sub| arena.get(block, sub) == sub as u64)
        );
        assert_eq!(arena.get(block, 7), 0xffff_ffff);
        assert!(arena.add(block, 7, u64::MAX));
        assert_eq!(arena.get(block, 7), u64::MAX);
        arena.release(block);
        assert_eq!(take_all(&mut arena, Width(3)).len(), 2);
    }

    #[test]
    fn a_taken_block_is_zero_whatever_stood_there() {
        let mut arena = arena(1);
        let block = arena.allocate(Width(3)).expect("room");
        for sub in 0..SUB_BUCKETS {
            assert!(arena.add(block, sub, u64::MAX));
        }
        arena.release(block);
        for block in take_all(&mut arena, Width(1)) {
            assert!((0..SUB_BUCKETS).all(|sub| arena.get(block, sub) == 0));
        }
    }
}
