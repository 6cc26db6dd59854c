//! How requests ended: how many with each status and error class.

use super::class::Class;

/// Counts by status and class in a word each, of which a label has one or two.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Outcomes {
    /// What came first, in place: most labels have nothing else. The key in the upper bits, the count in the lower.
    first: u64,
    more: Vec<u64>,
}

/// Statuses that one label counts exactly. The others count in their family: memory
/// must not grow with the statuses that a target makes up.
const MOST_STATUSES: usize = 8;

const COUNT_BITS: u32 = 54;
const COUNT: u64 = (1 << COUNT_BITS) - 1;
/// Keys: 0 to 5 are families (0: no status that there is), 100 to 599 statuses, from here on classes.
const FIRST_CLASS: u64 = 600;

/// The most bytes of the counts of one label: its statuses, families and classes, in a vector that doubles.
pub(crate) const MOST_BYTES: usize =
    (MOST_STATUSES + 6 + Class::COUNT).next_power_of_two() * size_of::<u64>();

/// The most bytes of counts with every status.
pub(crate) const MOST_BYTES_EXACT: usize = 1024 * size_of::<u64>();

impl Outcomes {
    /// Count an answer in few bytes: in its family once there are many different ones.
    #[inline]
    pub(crate) fn status(&mut self, status: u16) {
        let key = key_of(status);
        if !self.add_held(key, 1) {
            self.insert_bounded(key, 1);
        }
    }

    /// Count an answer by its status whatever others there are.
    #[inline]
    pub(crate) fn status_exactly(&mut self, status: u16) {
        self.add(key_of(status), 1);
    }

    pub(crate) fn class(&mut self, class: Class) {
        self.add(FIRST_CLASS + class.index() as u64, 1);
    }

    /// Add what another one counted, in few bytes.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (key, count) in other.counts() {
            if !self.add_held(key, count) {
                self.insert_bounded(key, count);
            }
        }
    }

    /// Add what another one counted, exactly.
    pub(crate) fn merge_exactly(&mut self, other: &Self) {
        for (key, count) in other.counts() {
            self.add(key, count);
        }
    }

    /// Forget the counts and keep the memory.
    pub(crate) fn clear(&mut self) {
        self.first = 0;
        self.more.clear();
    }

    /// Statuses and how many answers had them; 1 to 5 stand for others of 1xx to 5xx, 0 for what is no status.
    pub(crate) fn statuses(&self) -> impl Iterator<Item = (u16, u64)> {
        self.counts()
            .filter(|&(key, _)| key < FIRST_CLASS)
            .map(|(key, count)| (key as u16, count))
    }

    pub(crate) fn classes(&self) -> impl Iterator<Item = (Class, u64)> {
        self.counts().filter_map(|(key, count)| {
            let index = key.checked_sub(FIRST_CLASS)?;
            Some((Class::ALL[index as usize], count))
        })
    }

    /// Bytes taken.
    pub(crate) const fn bytes(&self) -> usize {
        self.more.capacity() * size_of::<u64>()
    }

    fn counts(&self) -> impl Iterator<Item = (u64, u64)> {
        let entries = std::iter::once(&self.first).chain(&self.more);
        entries
            .map(|&entry| (entry >> COUNT_BITS, entry & COUNT))
            .filter(|&(_, count)| count > 0)
    }

    #[inline]
    fn add_held(&mut self, key: u64, count: u64) -> bool {
        if self.first >> COUNT_BITS == key && self.first & COUNT > 0 {
            self.first = more(self.first, count);
            return true;
        }
        for entry in &mut self.more {
            if *entry >> COUNT_BITS == key {
                *entry = more(*entry, count);
                return true;
            }
        }
        false
    }

    #[cold]
    fn insert_bounded(&mut self, key: u64, count: u64) {
        let exact = self.statuses().filter(|&(status, _)| status >= 100).count();
        let is_status = (100..FIRST_CLASS).contains(&key);
        if is_status && exact >= MOST_STATUSES {
            self.add(key / 100, count);
        } else {
            self.add(key, count);
        }
    }

    fn add(&mut self, key: u64, count: u64) {
        if !self.add_held(key, count) {
            let entry = more(key << COUNT_BITS, count);
            if self.first & COUNT == 0 {
                self.first = entry;
            } else {
                self.more.push(entry);
            }
        }
    }
}

/// An entry with so many more, as far as they fit.
const fn more(entry: u64, count: u64) -> u64 {
    let room = COUNT - (entry & COUNT);
    entry + if count < room { count } else { room }
}

fn key_of(status: u16) -> u64 {
    match status {
        100..=599 => status.into(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_exact_up_to_a_bound_and_none_is_lost_beyond_it() {
        let (mut bounded, mut exact) = (Outcomes::default(), Outcomes::default());
        for round in 0..3 {
            for status in (100..620).rev() {
                bounded.status(status);
                exact.status_exactly(status);
            }
            bounded.class(Class::ALL[round]);
        }
        assert!(bounded.bytes() <= MOST_BYTES && exact.bytes() <= MOST_BYTES_EXACT);
        for counts in [&bounded, &exact] {
            assert_eq!(
                counts.statuses().map(|(_, count)| count).sum::<u64>(),
                3 * 520
            );
        }
        assert_eq!(exact.statuses().count(), 501);
        assert!(exact.statuses().any(|held| held == (0, 60)));
        assert!(bounded.statuses().any(|held| held == (4, 300)));
        let mut merged = Outcomes::default();
        merged.merge(&exact);
        merged.merge(&bounded);
        assert!(merged.bytes() <= MOST_BYTES);
        assert_eq!(
            merged.statuses().map(|(_, count)| count).sum::<u64>(),
            6 * 520
        );
        assert_eq!(merged.classes().count(), 3);
    }
}
