use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::rng::Rng;
use crate::segment::states::State;
use crate::segment::trie::Trie;
use crate::segment::vocabulary::hash;

/// A segment's states of a text, in memory.
struct Built {
    words: Vec<u32>,
    roots: Vec<u32>,
    states: u64,
    transitions: u64,
}

impl Built {
    fn new(text: &[u32], vocabulary: usize, order: usize) -> Self {
        let trie = Trie::sort(text, vocabulary, order, None);
        let mut words = Vec::new();
        let written = trie.write(&mut |some| {
            words.extend_from_slice(some);
            Ok::<(), ()>(())
        });
        assert!(written.is_ok());
        Self {
            words,
            roots: trie.roots().collect(),
            states: trie.counts.states,
            transitions: trie.counts.transitions,
        }
    }

    fn at(&self, context: &[u32]) -> Option<State<'_>> {
        let mut reference = self.roots[context[0] as usize];
        for &token in &context[1..] {
            reference = State::at(&self.words, reference).ok()?.find(token)?.next;
        }
        State::at(&self.words, reference).ok()
    }
}

fn learned(order: usize, messages: &[Vec<String>]) -> Delta {
    let mut delta = Delta::new(order, true, 2);
    for (index, message) in messages.iter().enumerate() {
        let given = delta.learn(message.iter().map(String::as_str));
        assert_eq!(given, Some(index as u32));
    }
    delta
}

/// Compares every state that the text calls for, and the contexts of any tokens in it that do not
/// occur.
fn compare(
    side: &Side,
    text: &[u32],
    vocabulary: usize,
    order: usize,
) -> Result<(), TestCaseError> {
    let built = Built::new(text, vocabulary, order);
    prop_assert_eq!(
        (side.states(), side.transitions()),
        (built.states, built.transitions)
    );
    for length in 1..=order {
        for context in text[..text.len() - 1].windows(length) {
            if context[1..].contains(&BOUNDARY) {
                prop_assert_eq!(side.state(context), None);
                continue;
            }
            let state = side.state(context).unwrap();
            let expected = built.at(context).unwrap();
            prop_assert_eq!(side.occurrences(state), expected.occurrences());
            prop_assert_eq!(side.distinct(state), expected.distinct());
            let successors: Vec<_> = expected
                .successors()
                .map(|one| (one.token, one.count))
                .collect();
            prop_assert_eq!(side.successors(state), successors);
            for one in expected.successors() {
                prop_assert_eq!(side.count(state, one.token), one.count);
            }
        }
    }
    for first in 0..vocabulary as u32 {
        for second in 0..vocabulary as u32 {
            let occurs = text.windows(2).any(|pair| pair == [first, second]);
            let expected = order > 1 && second != BOUNDARY && occurs;
            prop_assert_eq!(side.state(&[first, second]).is_some(), expected);
        }
    }
    Ok(())
}

fn corpora() -> impl Strategy<Value = Vec<Vec<String>>> {
    // Few tokens and many occurrences: states are left often enough to be kept in the set.
    (1..20_usize).prop_flat_map(|tokens| {
        let token = (0..tokens).prop_map(|token| format!("w{token}"));
        prop::collection::vec(prop::collection::vec(token, 1..10), 0..60)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_delta_has_the_states_of_the_segment_of_its_text(
        messages in corpora(), order in 1..=4_usize
    ) {
        let delta = learned(order, &messages);
        let vocabulary = delta.vocabulary().len();
        compare(delta.forward(), delta.text(), vocabulary, order)?;
        let reversed: Vec<u32> = delta.text().iter().rev().copied().collect();
        compare(delta.backward().unwrap(), &reversed, vocabulary, order)?;
    }

    #[test]
    fn messages_come_back_as_they_were_learned(messages in corpora()) {
        let delta = learned(2, &messages);
        prop_assert_eq!(delta.len(), messages.len());
        let mut text = vec![BOUNDARY];
        for (index, message) in messages.iter().enumerate() {
            let numbers = delta.message(index as u32);
            let texts = numbers.iter().map(|&number| delta.vocabulary().get(number));
            let tokens: Vec<_> = texts.collect();
            prop_assert_eq!(&tokens, message);
            text.extend_from_slice(numbers);
            text.push(BOUNDARY);
        }
        prop_assert_eq!(delta.text(), text);
        prop_assert!(delta.message(messages.len() as u32).is_empty());
    }

    #[test]
    fn a_key_is_seen_when_a_message_had_it(
        messages in corpora(), asked in corpora(), longest in 0..4_u32
    ) {
        let mut delta = Delta::new(1, false, longest);
        let keys = |message: &Vec<String>| {
            let mut runs = Runs::new(longest);
            let hashes = message.iter().map(|token| hash(token.as_bytes()));
            let mut keys: Vec<u64> = hashes.filter_map(|hash| runs.push(hash)).collect();
            keys.extend(runs.finish());
            keys
        };
        for message in &messages {
            delta.learn(message.iter().map(String::as_str));
        }
        let expected: Vec<u64> = messages.iter().flat_map(keys).collect();
        prop_assert!(expected.iter().all(|&key| delta.seen(key)));
        for key in asked.iter().flat_map(keys) {
            prop_assert_eq!(delta.seen(key), expected.contains(&key));
        }
    }
}

#[test]
fn a_full_vocabulary_learns_what_it_knows_and_nothing_else() {
    let mut delta = Delta::new(2, false, 2).with_most_tokens(3);
    assert_eq!(delta.learn("a b a".split(' ')), Some(0));
    let text = delta.text().to_vec();
    assert_eq!(delta.learn("a c d".split(' ')), None);
    assert_eq!(
        (delta.vocabulary().len(), delta.len(), delta.text()),
        (3, 1, &text[..])
    );
    assert_eq!((delta.forward().states(), delta.seen.len()), (6, 1));
    assert_eq!(delta.learn("c a c".split(' ')), Some(1));
    assert_eq!(delta.learn("b c b a".split(' ')), Some(2));
    assert_eq!(delta.learn(["d"].into_iter()), None);
    assert_eq!(delta.message(2), [2, 3, 2, 1]);
}

#[test]
fn nothing_is_no_message() {
    let mut delta = Delta::new(2, true, 2);
    assert_eq!(delta.learn(std::iter::empty()), None);
    assert_eq!(delta.learn([""].into_iter()), None);
    assert!(delta.is_empty());
    assert_eq!(delta.text(), [BOUNDARY]);
    assert_eq!(delta.forward().state(&[BOUNDARY]), None);
    assert_eq!(delta.learn(["", "a", "", "b"].into_iter()), Some(0));
    assert_eq!(delta.text(), [BOUNDARY, 1, 2, BOUNDARY]);
    assert_eq!(delta.forward().state(&[]), None);
    assert_eq!(delta.forward().state(&[9]), None);
    assert_eq!(delta.forward().state(&[BOUNDARY, 1, 2]), None);
}

/// Pearson's statistic of draws from a state against its counts, and the degrees of freedom.
fn chi_squared(side: &Side, state: Ref, rng: &mut Rng, draws: u32) -> (f64, f64) {
    let mut hits: HashMap<u32, u32> = HashMap::new();
    for _ in 0..draws {
        *hits.entry(side.draw(state, rng).1).or_default() += 1;
    }
    let successors = side.successors(state);
    assert!(hits.keys().all(|&token| side.count(state, token) > 0));
    let sum = successors.iter().map(|&(token, count)| {
        let expected = f64::from(draws) * f64::from(count) / f64::from(side.occurrences(state));
        (f64::from(hits.get(&token).copied().unwrap_or(0)) - expected).powi(2) / expected
    });
    (sum.sum(), successors.len() as f64 - 1.0)
}

#[test]
fn draws_follow_the_counts() {
    // After "start" comes w1 once, w2 twice and so on: lists of all sizes, below and above the
    // searched length.
    for order in 1..=4 {
        for distinct in [2, 5, 8, 40] {
            let mut delta = Delta::new(order, true, 2);
            for token in 1..=distinct {
                for _ in 0..token {
                    let follower = format!("w{token}");
                    delta
                        .learn(["start", &follower, "start"].into_iter())
                        .unwrap();
                }
            }
            let start = delta.vocabulary().find("start").unwrap();
            let mut rng = Rng::seeded(order as u64);
            for side in delta.sides() {
                let mut contexts = vec![vec![start]];
                contexts.extend((order > 1).then(|| vec![BOUNDARY, start]));
                for context in contexts {
                    let state = side.state(&context).unwrap();
                    let (statistic, freedom) = chi_squared(side, state, &mut rng, 20_000);
                    // Wilson and Hilferty's (1931) normal approximation, at five standard
                    // deviations.
                    let spread = 2.0 / (9.0 * freedom);
                    let critical = freedom * (1.0 - spread + 5.0 * spread.sqrt()).powi(3);
                    assert!(
                        statistic < critical,
                        "{statistic} of {critical}, order {order}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_state_with_one_successor_needs_no_randomness() {
    let mut delta = Delta::new(2, false, 2);
    delta.learn("a b".split(' ')).unwrap();
    let (mut used, mut unused) = (Rng::seeded(1), Rng::seeded(1));
    let side = delta.forward();
    assert_eq!(side.draw(side.state(&[1]).unwrap(), &mut used), (0, 2));
    assert_eq!(used.below(1 << 30), unused.below(1 << 30));
}

#[test]
fn a_state_comes_back_from_its_number() {
    let mut delta = Delta::new(2, false, 2);
    delta.learn("a b".split(' ')).unwrap();
    for context in [&[BOUNDARY][..], &[1], &[2], &[BOUNDARY, 1], &[1, 2]] {
        let state = delta.forward().state(context).unwrap();
        assert_ne!(state.number(), 0);
        assert_eq!(Ref::from_number(state.number()), state);
    }
}
