//! The novelty filter and the hash of runs.

use std::collections::HashSet;

use proptest::prelude::*;

use crate::rng::Rng;
use crate::segment::filter::{Runs, contains, insert, words};

fn filled(keys: &[u64]) -> Vec<u64> {
    let mut filter = vec![0; words(keys.len() as u64)];
    for &key in keys {
        insert(&mut filter, key);
    }
    filter
}

/// Keys of all runs and of the whole message.
fn keys(tokens: &[u64], most: u32) -> (Vec<Option<u64>>, Option<u64>) {
    let mut runs = Runs::new(most);
    let keys = tokens.iter().map(|&token| runs.push(token)).collect();
    (keys, runs.finish())
}

#[test]
fn fewer_than_one_in_a_hundred_false_alarms() {
    let mut rng = Rng::seeded(1);
    let keys: Vec<u64> = (0..100_000).map(|_| rng.below_u64(u64::MAX)).collect();
    let filter = filled(&keys);
    let alarms = (0..100_000).filter(|_| contains(&filter, rng.below_u64(u64::MAX)));
    let alarms = alarms.count();
    assert!((100..1000).contains(&alarms), "{alarms} of 100,000");
}

#[test]
fn an_empty_filter_has_seen_nothing() {
    assert!(!contains(&[], 7));
    assert!(!contains(&filled(&[]), 7));
}

#[test]
fn runs_of_different_tokens_have_different_keys() {
    let mut seen = HashSet::new();
    for first in 0..40 {
        for second in 0..40 {
            for third in 0..40 {
                let (keys, _) = keys(&[first, second, third], 2);
                assert!(seen.insert(keys[2].unwrap()));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn what_was_entered_is_found(keys in prop::collection::vec(any::<u64>(), 0..500)) {
        let filter = filled(&keys);
        prop_assert!(keys.iter().all(|&key| contains(&filter, key)));
    }

    /// Any number of words, as a damaged file may have them.
    #[test]
    fn any_filter_answers(filter in prop::collection::vec(any::<u64>(), 0..40), key: u64) {
        let _ = contains(&filter, key);
    }

    #[test]
    fn the_rolling_hash_is_that_of_the_run_alone(
        tokens in prop::collection::vec(any::<u64>(), 0..40),
        most in 1..10_u32,
    ) {
        let length = most as usize + 1;
        prop_assert_eq!(Runs::new(most).length(), length);
        let (rolling, whole) = keys(&tokens, most);
        for (end, key) in (1..).zip(rolling) {
            let alone = (end >= length).then(|| {
                let (alone, _) = keys(&tokens[end - length..end], most);
                alone[length - 1].unwrap()
            });
            prop_assert_eq!(key, alone);
        }
        prop_assert_eq!(whole.is_some(), tokens.len() < length);
    }

    #[test]
    fn only_the_same_short_message_has_its_key(
        one in prop::collection::vec(0..3_u64, 0..6),
        other in prop::collection::vec(0..3_u64, 0..6),
    ) {
        // Of a hash one bit does not count here.
        let hashes = |tokens: &[u64]| tokens.iter().map(|token| 2 * token).collect::<Vec<_>>();
        for most in [0, 8] {
            let (one_key, other_key) = (keys(&hashes(&one), most).1, keys(&hashes(&other), most).1);
            prop_assert_eq!(one_key == other_key, one == other);
        }
    }

    #[test]
    fn clear_begins_anew(
        before in prop::collection::vec(any::<u64>(), 0..20),
        tokens in prop::collection::vec(any::<u64>(), 0..20),
        most in 0..6_u32,
    ) {
        let mut runs = Runs::new(most);
        for token in before {
            runs.push(token);
        }
        runs.clear();
        let rolling: Vec<_> = tokens.iter().map(|&token| runs.push(token)).collect();
        prop_assert_eq!((rolling, runs.finish()), keys(&tokens, most));
    }
}
