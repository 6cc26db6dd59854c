//! Encodings of states: round trips, boundaries, draws, and words that are no states.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::rng::Rng;
use crate::rng::chi_squared::assert_drawn;
use crate::segment::states::{HEAD_LIMIT, State, Transition, size, write};

const ONCE: u32 = 0;
const SINGLE: u32 = 1;
const RAW: u32 = 2;
const CUMULATIVE: u32 = 3;
const ALIAS: u32 = 4;

/// Successors with these counts; tokens and links differ from places.
fn successors(counts: &[u32]) -> Vec<Transition> {
    let numbered = counts.iter().zip(0..);
    numbered
        .map(|(&count, place)| Transition {
            token: 3 * place,
            next: 1000 + place,
            count,
        })
        .collect()
}

/// The words of a state, after some that belong to others.
fn written(successors: &[Transition]) -> Vec<u32> {
    let mut words = vec![u32::MAX; 5];
    write(successors, &mut words);
    words
}

fn encoding(words: &[u32]) -> u32 {
    words[5] >> 29
}

/// Counts that take each encoding, and those at the boundaries between them.
fn every_encoding() -> Vec<(u32, Vec<u32>)> {
    let one_of = |first: u32, others: usize| {
        let mut counts = vec![1; others];
        counts[0] = first;
        counts
    };
    vec![
        (ONCE, vec![1]),
        (SINGLE, vec![2]),
        (SINGLE, vec![1 << 14]),
        (RAW, vec![1, 1]),
        (RAW, vec![2, 1]),
        (CUMULATIVE, vec![3, 1]),
        (CUMULATIVE, one_of(40, 64)),
        (RAW, vec![1; 64]),
        (RAW, vec![1; 65]),
        (CUMULATIVE, one_of(1 << 14, 64)),
        (ALIAS, one_of(200, 65)),
        (ALIAS, one_of(1 << 14, 65)),
        (RAW, vec![1; (1 << 14) - 1]),
        (ALIAS, vec![1; 1 << 14]),
        (ALIAS, (1..=100).collect()),
    ]
}

fn counts() -> impl Strategy<Value = Vec<u32>> {
    let count = prop_oneof![Just(1_u32), 1..5_u32, 1..20_000_u32];
    prop_oneof![
        prop::collection::vec(Just(1_u32), 1..200),
        prop::collection::vec(1..3_u32, 1..100),
        prop::collection::vec(count.clone(), 1..70),
        prop::collection::vec(count, 60..200),
    ]
}

fn assert_read(expected: &[Transition]) {
    let words = written(expected);
    let occurrences: u32 = expected.iter().map(|one| one.count).sum();
    let distinct = expected.len() as u32;
    assert_eq!(words.len() as u64, 5 + size(occurrences, distinct));
    let state = State::at(&words, 5).unwrap();
    assert_eq!(state.occurrences(), occurrences);
    assert_eq!(state.distinct(), distinct);
    assert!(state.successors().eq(expected.iter().copied()));
    for one in expected {
        assert_eq!(state.find(one.token), Some(*one));
        assert_eq!(state.find(one.token + 1), None);
    }
    assert_eq!(state.find(u32::MAX), None);
}

#[test]
fn each_encoding_is_used_where_it_should_be_and_read_as_written() {
    for (expected, counts) in every_encoding() {
        let all = successors(&counts);
        let (first, distinct) = (counts[0], counts.len());
        assert_eq!(encoding(&written(&all)), expected, "{first}, {distinct}");
        assert_read(&all);
    }
    assert_eq!(size(0, 0), 0);
    assert_eq!(written(&[]).len(), 5);
}

#[test]
fn the_largest_numbers_fit() {
    assert_read(&[Transition {
        token: HEAD_LIMIT - 1,
        next: u32::MAX,
        count: 1,
    }]);
    assert_read(&[Transition {
        token: u32::MAX - 1,
        next: u32::MAX,
        count: HEAD_LIMIT - 1,
    }]);
    let wide = |place: u32| Transition {
        token: 3 * place,
        next: u32::MAX,
        count: 1 << 20,
    };
    assert_read(&(0..100).map(wide).collect::<Vec<_>>());
}

#[test]
fn every_encoding_draws_in_proportion() {
    for (_, counts) in every_encoding() {
        if counts.len() > 1000 {
            continue; // more draws than a test has time for; drawn as narrower ones are
        }
        let all = successors(&counts);
        let words = written(&all);
        let state = State::at(&words, 5).unwrap();
        let weights: BTreeMap<_, f64> = all
            .iter()
            .map(|one| ((one.token, one.next), one.count.into()))
            .collect();
        let mut rng = Rng::seeded(counts.len() as u64);
        assert_drawn(&weights, 100_000, || {
            let step = state.draw(&mut rng).unwrap();
            (step.token, step.next)
        });
    }
}

#[test]
fn a_column_goes_to_its_alias_from_its_threshold_on() {
    // Small numbers by hand, where one more or less is seen: of its four pairs the first column
    // keeps one, the second one all.
    let words = [ALIAS << 29 | 4, 2, 1, 1, 50, 0, 1, 4, 1, 70, 0, 3];
    let state = State::at(&words, 0).unwrap();
    let mut rng = Rng::seeded(2);
    let weights = BTreeMap::from([(50, 1.0), (70, 7.0)]);
    assert_drawn(&weights, 2000, || state.draw(&mut rng).unwrap().token);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_state_is_read_as_written(counts in counts()) {
        assert_read(&successors(&counts));
    }

    /// Each of m columns holds n; what falls to a successor from all of them is m times its count.
    #[test]
    fn alias_tables_are_exact(counts in prop::collection::vec(1..5000_u32, 65..200)) {
        let words = written(&successors(&counts));
        prop_assume!(encoding(&words) == ALIAS);
        let (n, m) = (u64::from(words[5] & (HEAD_LIMIT - 1)), u64::from(words[6]));
        let mut shares = vec![0; counts.len()];
        for (column, row) in words[7..].chunks_exact(5).enumerate() {
            let threshold = u64::from(row[0]);
            prop_assert!(threshold <= n);
            shares[column] += threshold;
            shares[row[1] as usize] += n - threshold;
        }
        for (share, count) in shares.iter().zip(&counts) {
            prop_assert_eq!(*share, u64::from(*count) * m);
        }
    }

    /// Damage that no checksum was asked about: an answer or an error, whatever the words are.
    #[test]
    fn arbitrary_words_never_panic(
        mut words in prop::collection::vec(prop_oneof![any::<u32>(), 0..70_u32], 1..400),
        head in (0..8_u32, prop_oneof![0..80_u32, any::<u32>()]),
        reference in prop_oneof![0..400_u32, any::<u32>()],
        seed: u64,
    ) {
        let place = reference as usize % words.len();
        words[place] = head.0 << 29 | head.1 & (HEAD_LIMIT - 1);
        let mut rng = Rng::seeded(seed);
        for reference in [reference, place as u32] {
            let Ok(state) = State::at(&words, reference) else { continue };
            for _ in 0..20 {
                let _ = state.draw(&mut rng);
            }
            let all = state.successors().count();
            prop_assert!(all <= state.occurrences() as usize);
            for token in words.iter().take(20) {
                let _ = state.find(*token);
            }
        }
    }
}
