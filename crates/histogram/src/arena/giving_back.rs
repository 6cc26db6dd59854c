//! Giving whole chunks back: close the last ones, move what is in them, reopen.

use super::{Arena, CHUNK_BYTES, CHUNK_PAGES, CHUNK_UNITS, Chunk, NIL, ORDERS, PAGE_UNITS};
use crate::block::Block;

impl Arena {
    /// Close the chunks that are not needed for what is allocated and an eighth more. False if there are none.
    pub(crate) fn close(&mut self) -> bool {
        let keep = (self.live + self.live / 8).div_ceil(CHUNK_BYTES);
        if keep >= self.chunks.len() {
            return false;
        }
        for page in keep * CHUNK_PAGES..self.pages {
            let mut bits = self.chunks[page / CHUNK_PAGES].free[page % CHUNK_PAGES];
            while bits != 0 {
                let index = bits.trailing_zeros();
                bits &= bits - 1;
                let order = ORDERS - 1 - index.ilog2() as usize;
                let first = (page * PAGE_UNITS) as u32;
                let unit = first + ((index - (1 << index.ilog2())) << order);
                self.unlink(0, unit, order);
                self.push(1, unit, order);
            }
        }
        self.open = (keep * CHUNK_UNITS) as u32;
        true
    }

    /// The same block elsewhere if it is in a chunk that was closed and there is room for it.
    pub(crate) fn moved(&mut self, block: Block, order: usize) -> Option<Block> {
        if block.unit() < self.open || block.shape().order() != order {
            return None;
        }
        let copy = self.allocate(block.shape())?;
        let counts = self.copied(block);
        self.fill(copy, &counts);
        self.release(block);
        Some(copy)
    }

    /// The orders of blocks, the largest first.
    pub(crate) fn orders() -> impl Iterator<Item = usize> {
        (0..ORDERS).rev()
    }

    /// Unmap the chunks at the end that are empty now, and use the others again.
    pub(crate) fn reopen(&mut self) {
        let closed = self.open as usize / CHUNK_UNITS;
        let full = |chunk: &Chunk| chunk.live > 0;
        let keep = self
            .chunks
            .iter()
            .rposition(full)
            .map_or(0, |last| last + 1);
        let keep = keep.max(closed);
        self.open = NIL;
        for order in 0..ORDERS {
            while self.free[1][order] != NIL {
                let unit = self.free[1][order];
                self.unlink(1, unit, order);
                if (unit as usize) < keep * CHUNK_UNITS {
                    self.push(0, unit, order);
                }
            }
        }
        self.chunks.truncate(keep);
        self.pages = self.pages.min(keep * CHUNK_PAGES);
    }
}
