//! Where counters live: blocks of the counters of one octave, in pages of 1024 bytes, in mapped chunks of 256 KiB.
//!
//! A block's counters are one, two, four or eight bytes wide and 128, 64, 32 or 16; a block is widened ("promoted")
//! when a counter of it is full and coarsened when memory is short. The arena is a buddy allocator: what a block gives
//! back joins its neighbour and serves the next one. A page costs memory when it is first touched. Chunks are mapped
//! one by one and unmapped when they are emptied, so that memory given back is the system's again at once, which the
//! system's allocator does not promise.

mod free;
mod giving_back;
#[cfg(test)]
mod tests;

use memmap2::{Advice, MmapMut};

use crate::block::{Block, MOST_UNITS, Shape, UNIT, Width};
use crate::buckets::SUB_BUCKETS;

const ORDERS: usize = 7;
/// Units of a page: one block of the widest and most counters.
const PAGE_UNITS: usize = 1 << (ORDERS - 1);
const PAGE_BYTES: usize = PAGE_UNITS * UNIT;
const CHUNK_PAGES: usize = 256;
const CHUNK_UNITS: usize = CHUNK_PAGES * PAGE_UNITS;
const CHUNK_BYTES: usize = CHUNK_PAGES * PAGE_BYTES;
/// What a chunk takes besides its pages: a bit for each block that could be free.
const CHUNK_OVERHEAD: usize = CHUNK_PAGES * size_of::<u128>() + size_of::<Chunk>();

/// What the first page of an arena takes.
pub(crate) const FIRST_PAGE: usize = PAGE_BYTES + CHUNK_OVERHEAD;

const NIL: u32 = u32::MAX;

#[derive(Debug)]
struct Chunk {
    bytes: MmapMut,
    /// For each page: bit `2^(6 - order) + n` says that its block `n` of that order is free.
    free: Box<[u128]>,
    /// Bytes of allocated blocks.
    live: usize,
}

/// Free blocks by order: the first of each. A free block holds its next and previous neighbour in its first bytes.
type Heads = [u32; ORDERS];

#[derive(Debug)]
pub(crate) struct Arena {
    chunks: Vec<Chunk>,
    pages: usize,
    /// Of the units below `open`, which may be taken, and of those from there on, which are being emptied.
    free: [Heads; 2],
    open: u32,
    live: usize,
}

impl Arena {
    pub(crate) const fn new() -> Self {
        Self {
            chunks: Vec::new(),
            pages: 0,
            free: [[NIL; ORDERS]; 2],
            open: NIL,
            live: 0,
        }
    }

    /// Bytes taken so far, free blocks included.
    pub(crate) const fn used(&self) -> usize {
        self.pages * PAGE_BYTES + self.chunks.len() * CHUNK_OVERHEAD
    }

    /// Bytes that one more page takes.
    pub(crate) const fn growth(&self) -> usize {
        if self.pages == self.chunks.len() * CHUNK_PAGES {
            FIRST_PAGE
        } else {
            PAGE_BYTES
        }
    }

    /// Add one page. False when the system gives no memory, or the addresses are used up.
    pub(crate) fn grow(&mut self) -> bool {
        if self.pages == self.chunks.len() * CHUNK_PAGES {
            let Ok(bytes) = MmapMut::map_anon(CHUNK_BYTES) else {
                return false;
            };
            if (self.chunks.len() + 1) * CHUNK_UNITS >= MOST_UNITS as usize {
                return false;
            }
            // A huge page would take memory for pages that nobody touched; a kernel without them has nothing to refuse.
            let _ = bytes.advise(Advice::NoHugePage);
            self.chunks.push(Chunk {
                bytes,
                free: vec![0; CHUNK_PAGES].into_boxed_slice(),
                live: 0,
            });
        }
        let unit = (self.pages * PAGE_UNITS) as u32;
        self.pages += 1;
        self.push(0, unit, ORDERS - 1);
        true
    }

    /// A zeroed block from what is free, or nothing.
    pub(crate) fn allocate(&mut self, shape: Shape) -> Option<Block> {
        let wanted = shape.order();
        let found = (wanted..ORDERS).find(|&order| self.free[0][order] != NIL)?;
        let unit = self.free[0][found];
        self.unlink(0, unit, found);
        for order in (wanted..found).rev() {
            self.push(0, unit + (1 << order), order);
        }
        self.account(unit, shape.bytes().cast_signed());
        self.bytes_mut(unit, shape).fill(0);
        Some(Block::new(unit, shape))
    }

    /// Give a block back. It joins its free neighbours up to a whole page.
    pub(crate) fn release(&mut self, block: Block) {
        self.account(block.unit(), -block.shape().bytes().cast_signed());
        self.join(block.unit(), block.shape().order());
    }

    /// Give everything back to the system.
    pub(crate) fn clear(&mut self) {
        *self = Self::new();
    }

    /// Add to the counter of a sub-bucket. False, with nothing changed, when the counter is too narrow for the result.
    #[inline]
    pub(crate) fn add(&mut self, block: Block, sub: usize, count: u64) -> bool {
        let width = block.width();
        let unit = block.unit() as usize;
        let bytes = &mut self.chunks[unit / CHUNK_UNITS].bytes;
        let at = unit % CHUNK_UNITS * UNIT + ((sub >> block.drop()) << width.0);
        let sum = read(bytes, at, width).saturating_add(count);
        if Width::holding(sum) > width {
            return false;
        }
        write(bytes, at, width, sum);
        true
    }

    /// What the counter of a sub-bucket holds, which at a lower resolution is that of its neighbours too.
    pub(crate) fn get(&self, block: Block, sub: usize) -> u64 {
        let (shape, bytes) = (block.shape(), self.bytes(block.unit(), block.shape()));
        read(bytes, (sub >> shape.drop) << shape.width.0, shape.width)
    }

    /// The counters of a block in order, as many as its resolution has.
    pub(crate) fn counters(&self, block: Block) -> impl Iterator<Item = u64> {
        let width = block.width();
        let bytes = self.bytes(block.unit(), block.shape());
        (0..block.shape().counters()).map(move |counter| read(bytes, counter << width.0, width))
    }

    /// The counters of a block that are not zero, in order, with their numbers.
    pub(crate) fn non_zero(&self, block: Block) -> impl Iterator<Item = (usize, u64)> {
        const WORD: usize = size_of::<u64>();
        let width = block.width();
        let bytes = self.bytes(block.unit(), block.shape());
        // Most are zero: eight bytes of them are passed over at once.
        let words = bytes.chunks_exact(WORD).enumerate();
        let touched = words.filter(|(_, word)| read(word, 0, Width(3)) != 0);
        touched.flat_map(move |(number, word)| {
            let each = WORD >> width.0;
            let counters =
                (0..each).map(move |n| (number * each + n, read(word, n << width.0, width)));
            counters.filter(|&(_, count)| count != 0)
        })
    }

    /// Move a block's counters into wider ones and release it. Nothing happens when there is no room.
    pub(crate) fn promote(&mut self, block: Block, width: Width) -> Option<Block> {
        let wider = self.allocate(Shape {
            width,
            drop: block.drop(),
        })?;
        self.fill(wider, &self.copied(block));
        self.release(block);
        Some(wider)
    }

    /// Lower a block's resolution to that of `drop`. Always possible: sums that are too wide take what the other half
    /// of the counters leaves.
    pub(crate) fn coarsen(&mut self, mut block: Block, drop: u8) -> Block {
        while block.drop() < drop {
            block = self.halve(block);
        }
        block
    }

    fn halve(&mut self, block: Block) -> Block {
        let fine = self.copied(block);
        let mut sums = [0; SUB_BUCKETS];
        for (sum, pair) in sums.iter_mut().zip(fine.chunks_exact(2)) {
            *sum = pair[0].saturating_add(pair[1]);
        }
        let most = Width::holding(sums.into_iter().max().unwrap_or(0));
        let shape = Shape {
            width: most.max(block.width()),
            drop: block.drop() + 1,
        };
        let order = shape.order();
        let halved = if order < block.shape().order() && self.free[0][order] != NIL {
            // Into a hole that fits, so that whole blocks come free instead of halves.
            self.release(block);
            self.allocate(shape)
        } else {
            None
        };
        let halved = halved.unwrap_or_else(|| {
            if order < block.shape().order() {
                self.account(block.unit(), -shape.bytes().cast_signed());
                self.join(block.unit() + (1 << order), order);
            }
            Block::new(block.unit(), shape)
        });
        self.fill(halved, &sums);
        halved
    }

    fn copied(&self, block: Block) -> [u64; SUB_BUCKETS] {
        let mut counters = [0; SUB_BUCKETS];
        for (copy, count) in counters.iter_mut().zip(self.counters(block)) {
            *copy = count;
        }
        counters
    }

    fn fill(&mut self, block: Block, counts: &[u64]) {
        let shape = block.shape();
        let bytes = self.bytes_mut(block.unit(), shape);
        for (counter, &count) in counts[..shape.counters()].iter().enumerate() {
            write(bytes, counter << shape.width.0, shape.width, count);
        }
    }
}

#[inline]
fn read(bytes: &[u8], at: usize, width: Width) -> u64 {
    match width.0 {
        0 => u64::from(bytes[at]),
        1 => u64::from(u16::from_le_bytes(array(bytes, at))),
        2 => u64::from(u32::from_le_bytes(array(bytes, at))),
        _ => u64::from_le_bytes(array(bytes, at)),
    }
}

#[inline]
fn write(bytes: &mut [u8], at: usize, width: Width, count: u64) {
    match width.0 {
        0 => bytes[at] = count as u8,
        1 => bytes[at..at + 2].copy_from_slice(&(count as u16).to_le_bytes()),
        2 => bytes[at..at + 4].copy_from_slice(&(count as u32).to_le_bytes()),
        _ => bytes[at..at + 8].copy_from_slice(&count.to_le_bytes()),
    }
}

#[inline]
fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(&bytes[at..at + N]);
    array
}
