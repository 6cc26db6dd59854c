//! Blocks of every shape, taken, widened, coarsened, moved and given back.

use super::*;

const fn shape(width: u8, drop: u8) -> Shape {
    Shape {
        width: Width(width),
        drop,
    }
}

fn arena(pages: usize) -> Arena {
    let mut arena = Arena::new();
    for _ in 0..pages {
        assert!(arena.grow());
    }
    arena
}

fn take_all(arena: &mut Arena, shape: Shape) -> Vec<Block> {
    std::iter::from_fn(|| arena.allocate(shape)).collect()
}

#[test]
fn a_page_is_one_block_of_the_largest_or_many_smaller_ones() {
    for (width, drop, blocks) in [
        (0, 0, 8),
        (1, 0, 4),
        (2, 0, 2),
        (3, 0, 1),
        (3, 3, 8),
        (0, 3, 64),
    ] {
        let taken = take_all(&mut arena(3), shape(width, drop)).len();
        assert_eq!(taken, 3 * blocks);
    }
}

#[test]
fn what_is_released_can_be_taken_in_any_shape_again() {
    let mut arena = arena(5);
    for (width, drop) in [(0, 0), (3, 0), (0, 3), (2, 1), (0, 2), (3, 0)] {
        let blocks = take_all(&mut arena, shape(width, drop));
        assert_eq!(blocks.len() * shape(width, drop).bytes(), 5 * PAGE_BYTES);
        // Not in the order in which they were taken: neighbours must find each other all the same.
        let (even, odd): (Vec<_>, Vec<_>) =
            blocks.into_iter().partition(|block| block.unit() % 3 == 0);
        for block in odd.into_iter().chain(even) {
            arena.release(block);
        }
        assert_eq!(arena.live, 0);
    }
}

#[test]
fn promotion_keeps_the_counts_and_leaks_nothing() {
    let mut arena = arena(2);
    let mut block = arena.allocate(shape(0, 0)).expect("room");
    for sub in 0..SUB_BUCKETS {
        assert!(arena.add(block, sub, sub as u64));
    }
    for (width, full) in [(1, 0xff), (2, 0xffff), (3, 0xffff_ffff)] {
        let add = full - arena.get(block, 7);
        assert!(arena.add(block, 7, add));
        assert!(!arena.add(block, 7, 1));
        assert_eq!(arena.get(block, 7), full);
        block = arena.promote(block, Width(width)).expect("room");
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
    assert_eq!(take_all(&mut arena, shape(3, 0)).len(), 2);
}

#[test]
fn a_coarser_block_holds_the_sums_of_neighbours_whatever_their_size() {
    for (width, count) in [(0, 1), (0, 200), (1, 65_000), (2, 4_000_000_000), (3, 1)] {
        let mut arena = arena(1);
        let block = arena.allocate(shape(width, 0)).expect("room");
        for sub in 0..SUB_BUCKETS {
            assert!(arena.add(block, sub, count));
        }
        let coarse = arena.coarsen(block, 3);
        assert_eq!(arena.counters(coarse).collect::<Vec<_>>(), [count * 8; 16]);
        assert_eq!(arena.live, coarse.shape().bytes());
        arena.release(coarse);
        assert_eq!(take_all(&mut arena, shape(3, 0)).len(), 1);
    }
}

#[test]
fn closed_chunks_are_unmapped_once_they_are_empty() {
    let mut arena = arena(4 * CHUNK_PAGES);
    let blocks = take_all(&mut arena, shape(1, 0));
    let mut kept = Vec::new();
    for (number, block) in blocks.into_iter().enumerate() {
        if number % 5 == 0 {
            assert!(arena.add(block, 3, number as u64));
            kept.push((number, block));
        } else {
            arena.release(block);
        }
    }
    assert!(arena.close());
    for order in Arena::orders() {
        for (_, block) in &mut kept {
            *block = arena.moved(*block, order).unwrap_or(*block);
        }
    }
    arena.reopen();
    assert_eq!(arena.chunks.len(), 1);
    for (number, block) in kept {
        assert_eq!(arena.get(block, 3), number as u64);
        arena.release(block);
    }
    assert_eq!(take_all(&mut arena, shape(3, 0)).len(), CHUNK_PAGES);
}

#[test]
fn a_taken_block_is_zero_whatever_stood_there() {
    let mut arena = arena(1);
    let block = arena.allocate(shape(3, 0)).expect("room");
    for sub in 0..SUB_BUCKETS {
        assert!(arena.add(block, sub, u64::MAX));
    }
    arena.release(block);
    for block in take_all(&mut arena, shape(0, 3)) {
        assert_eq!(arena.counters(block).sum::<u64>(), 0);
    }
}
