//! Growing lists of numbers, many of them short, in one run of memory.
//!
//! A list of one number holds it itself. A longer one has a block of a power of two, and moves to
//! one of twice the size when that is full; the block it leaves serves the next list that grows to
//! its size.

const NO_BLOCK: u32 = u32::MAX;

/// The numbers of all lists.
#[derive(Clone, Debug)]
pub struct Lists {
    words: Vec<u32>,
    /// By the logarithm of the size: a block that is free. Its first word names the next.
    free: [u32; 32],
}

/// One list; what it holds is in the `Lists` that all its `push` calls named.
#[derive(Clone, Copy, Debug, Default)]
pub struct List {
    length: u32,
    /// Where its block begins; for a list of one number the number.
    place: u32,
}

impl List {
    #[inline]
    #[must_use]
    pub fn len(self) -> u32 {
        self.length
    }
}

impl Default for Lists {
    fn default() -> Self {
        Self {
            words: Vec::new(),
            free: [NO_BLOCK; 32],
        }
    }
}

impl Lists {
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        4 * self.words.capacity()
    }

    #[inline]
    pub fn push(&mut self, list: &mut List, number: u32) {
        match list.length {
            0 => list.place = number,
            1 => {
                let block = self.block(1);
                self.words[block as usize] = list.place;
                self.words[block as usize + 1] = number;
                list.place = block;
            }
            length => {
                if length.is_power_of_two() {
                    self.widen(list);
                }
                self.words[(list.place + length) as usize] = number;
            }
        }
        list.length += 1;
    }

    /// What was pushed, in order.
    #[inline]
    #[must_use]
    pub fn get<'l>(&'l self, list: &'l List) -> &'l [u32] {
        match list.length {
            0 => &[],
            1 => std::slice::from_ref(&list.place),
            length => &self.words[list.place as usize..][..length as usize],
        }
    }

    fn widen(&mut self, list: &mut List) {
        let logarithm = list.length.trailing_zeros();
        let wider = self.block(logarithm + 1);
        let old = list.place as usize..(list.place + list.length) as usize;
        self.words.copy_within(old, wider as usize);
        self.words[list.place as usize] = self.free[logarithm as usize];
        self.free[logarithm as usize] = list.place;
        list.place = wider;
    }

    /// A block of `1 << logarithm` words of any content.
    fn block(&mut self, logarithm: u32) -> u32 {
        let free = self.free[logarithm as usize];
        if free == NO_BLOCK {
            let start = self.words.len();
            self.words.resize(start + (1 << logarithm), 0);
            return start as u32;
        }
        self.free[logarithm as usize] = self.words[free as usize];
        free
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn lists_hold_what_was_pushed(
            pushes in prop::collection::vec((0_usize..12, any::<u32>()), 0..600)
        ) {
            let mut lists = Lists::default();
            let mut handles = [List::default(); 12];
            let mut expected = vec![Vec::new(); 12];
            for (which, number) in pushes {
                // A few lists get most numbers, so that some grow long beside short ones.
                let which = which * which / 12;
                lists.push(&mut handles[which], number);
                expected[which].push(number);
            }
            for (handle, expected) in handles.iter().zip(&expected) {
                prop_assert_eq!(lists.get(handle), &expected[..]);
                prop_assert_eq!(handle.len() as usize, expected.len());
            }
        }
    }

    #[test]
    fn a_block_that_was_left_is_used_again() {
        let mut lists = Lists::default();
        for _ in 0..100 {
            let mut list = List::default();
            (0..4).for_each(|number| lists.push(&mut list, number));
        }
        // 100 blocks of 4, and one of 2 that each list left to the next.
        assert_eq!(lists.words.len(), 402);
    }
}
