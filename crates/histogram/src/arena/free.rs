//! Free blocks: a list for each order, linked in the bytes of the blocks themselves, and bits that say which are free.

use super::{Arena, CHUNK_UNITS, NIL, ORDERS, PAGE_UNITS, read, write};
use crate::block::{Shape, UNIT, Width};

impl Arena {
    pub(super) fn account(&mut self, unit: u32, bytes: isize) {
        self.live = self.live.wrapping_add_signed(bytes);
        let chunk = &mut self.chunks[unit as usize / CHUNK_UNITS];
        chunk.live = chunk.live.wrapping_add_signed(bytes);
    }

    pub(super) fn join(&mut self, mut unit: u32, mut order: usize) {
        let area = usize::from(unit >= self.open);
        while order < ORDERS - 1 {
            let buddy = unit ^ (1 << order);
            let (page, bit) = self.flag(buddy, order);
            if *page & bit == 0 {
                break;
            }
            self.unlink(area, buddy, order);
            unit = unit.min(buddy);
            order += 1;
        }
        self.push(area, unit, order);
    }

    /// The bits of a block's page and the bit that says that the block is free.
    fn flag(&mut self, unit: u32, order: usize) -> (&mut u128, u128) {
        let unit = unit as usize;
        let chunk = &mut self.chunks[unit / CHUNK_UNITS];
        let index = (PAGE_UNITS >> order) + ((unit % PAGE_UNITS) >> order);
        (&mut chunk.free[unit % CHUNK_UNITS / PAGE_UNITS], 1 << index)
    }

    pub(super) fn push(&mut self, area: usize, unit: u32, order: usize) {
        let next = self.free[area][order];
        self.link(unit, next, NIL);
        if next != NIL {
            let after = self.neighbours(next).0;
            self.link(next, after, unit);
        }
        let (page, bit) = self.flag(unit, order);
        *page |= bit;
        self.free[area][order] = unit;
    }

    pub(super) fn unlink(&mut self, area: usize, unit: u32, order: usize) {
        let (next, previous) = self.neighbours(unit);
        if next != NIL {
            let after = self.neighbours(next).0;
            self.link(next, after, previous);
        }
        if previous == NIL {
            self.free[area][order] = next;
        } else {
            let before = self.neighbours(previous).1;
            self.link(previous, next, before);
        }
        let (page, bit) = self.flag(unit, order);
        *page &= !bit;
    }

    fn link(&mut self, unit: u32, next: u32, previous: u32) {
        let at = unit as usize % CHUNK_UNITS * UNIT;
        let bytes = &mut self.chunks[unit as usize / CHUNK_UNITS].bytes;
        write(bytes, at, Width(2), next.into());
        write(bytes, at + 4, Width(2), previous.into());
    }

    /// The next and the previous free block.
    fn neighbours(&self, unit: u32) -> (u32, u32) {
        let at = unit as usize % CHUNK_UNITS * UNIT;
        let bytes = &self.chunks[unit as usize / CHUNK_UNITS].bytes;
        let link = |at| read(bytes, at, Width(2)) as u32;
        (link(at), link(at + 4))
    }

    pub(super) fn bytes(&self, unit: u32, shape: Shape) -> &[u8] {
        let at = unit as usize % CHUNK_UNITS * UNIT;
        &self.chunks[unit as usize / CHUNK_UNITS].bytes[at..at + shape.bytes()]
    }

    pub(super) fn bytes_mut(&mut self, unit: u32, shape: Shape) -> &mut [u8] {
        let at = unit as usize % CHUNK_UNITS * UNIT;
        &mut self.chunks[unit as usize / CHUNK_UNITS].bytes[at..at + shape.bytes()]
    }
}
