//! Rows of data, shared by all users of all threads.

use std::sync::atomic::{AtomicU64, Ordering};

use rand_core::RngCore;

use super::chance::below;
use crate::plan::{Data, Strategy};

#[derive(Debug)]
pub(super) struct Feed {
    data: Data,
    /// Rows handed out so far, where they are counted over all users.
    taken: AtomicU64,
}

impl Feed {
    /// There is at least one row.
    pub(super) fn new(data: &Data) -> Self {
        Self {
            data: data.clone(),
            taken: AtomicU64::new(0),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.data.rows.bytes()
    }

    /// The values of a row that was taken.
    pub(super) fn row(&self, row: usize) -> impl Iterator<Item = &str> {
        self.data.rows.row(row)
    }

    /// The next row for a user who took `place` rows of this feed so far; none when each was taken once and that is
    /// all.
    pub(super) fn take(&self, place: &mut u32, rng: &mut dyn RngCore) -> Option<usize> {
        let count = self.data.rows.len() as u64;
        // Only the number matters: no other memory is published with it.
        let row = match self.data.strategy {
            Strategy::Sequential => {
                let row = u64::from(*place) % count;
                *place = (row + 1) as u32;
                row
            }
            Strategy::Random => below(count, rng),
            Strategy::Cycle => self.taken.fetch_add(1, Ordering::Relaxed) % count,
            Strategy::Unique if self.is_used_up() => return None,
            Strategy::Unique => {
                let row = self.taken.fetch_add(1, Ordering::Relaxed);
                return (row < count).then_some(row as usize);
            }
        };
        Some(row as usize)
    }

    /// Whether it has no row left.
    pub(super) fn is_used_up(&self) -> bool {
        self.data.strategy == Strategy::Unique
            && self.taken.load(Ordering::Relaxed) >= self.data.rows.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_xoshiro::Xoshiro256PlusPlus;
    use rand_xoshiro::rand_core::SeedableRng;

    fn feed(count: usize, strategy: Strategy) -> Feed {
        let rows: Vec<[String; 1]> = (0..count).map(|row| [row.to_string()]).collect();
        let rows = serde_json::from_str(&serde_json::to_string(&rows).unwrap()).unwrap();
        Feed::new(&Data {
            columns: vec!["n".to_owned()],
            rows,
            strategy,
        })
    }

    fn rng() -> Xoshiro256PlusPlus {
        Xoshiro256PlusPlus::seed_from_u64(7)
    }

    #[test]
    fn sequential_rows_are_each_users_own() {
        let feed = feed(3, Strategy::Sequential);
        let (mut one, mut other) = (0, 0);
        let take = |place: &mut u32| feed.take(place, &mut rng()).unwrap();
        assert_eq!(
            [take(&mut one), take(&mut one), take(&mut other)],
            [0, 1, 0]
        );
        assert_eq!(
            [take(&mut one), take(&mut one), take(&mut other)],
            [2, 0, 1]
        );
    }

    #[test]
    fn a_cycle_goes_over_all_users() {
        let feed = feed(3, Strategy::Cycle);
        let taken: Vec<_> = (0..7)
            .map(|_| feed.take(&mut 0, &mut rng()).unwrap())
            .collect();
        assert_eq!(taken, [0, 1, 2, 0, 1, 2, 0]);
    }

    #[test]
    fn random_rows_are_even() {
        let feed = feed(10, Strategy::Random);
        let (mut rng, mut counts) = (rng(), [0_u32; 10]);
        for _ in 0..100_000 {
            counts[feed.take(&mut 0, &mut rng).unwrap()] += 1;
        }
        // Five standard deviations of a binomial with n = 100,000 and p = 0.1 are 474.
        assert!(
            counts.iter().all(|count| count.abs_diff(10_000) < 474),
            "{counts:?}"
        );
    }

    #[test]
    fn unique_rows_are_taken_once_over_all_threads() {
        let feed = feed(10_000, Strategy::Unique);
        let mut taken: Vec<usize> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        std::iter::from_fn(|| feed.take(&mut 0, &mut rng())).collect::<Vec<_>>()
                    })
                })
                .collect();
            threads
                .into_iter()
                .flat_map(|thread| thread.join().unwrap())
                .collect()
        });
        taken.sort_unstable();
        assert_eq!(taken, (0..10_000).collect::<Vec<_>>());
        assert!(feed.is_used_up());
        assert_eq!(feed.take(&mut 0, &mut rng()), None);
    }
}
