//! Answering: from one chain, or from several that are mixed.

use std::hash::{BuildHasher, RandomState};
use std::sync::RwLockReadGuard;

use super::Chain;
use super::live::Live;
use crate::generate::{Ask, Generator, Said};
use crate::rng::Rng;
use crate::segment::states::Malformed;
use crate::{Error, Result};

/// Tries that are made under one lock, and tokens that are walked in them, so that nobody who
/// learns waits long: some hundred microseconds.
const TURN: u32 = 128;
const TURN_TOKENS: u32 = 16 * TURN;

/// How often nothing that is damaged may be found where something must be, before that is an error:
/// another thread may have found it.
const FRUITLESS: u32 = 2;

impl Chain {
    /// Up to `count` new messages; fewer when no more could be made. The same seed gives the same
    /// messages from the same chain.
    ///
    /// # Errors
    ///
    /// `Error::NothingNew` when there is not even one, `Error::Input` for what the chain cannot be
    /// asked.
    pub fn generate(&self, ask: &Ask, count: usize, seed: Option<u64>) -> Result<Vec<Said>> {
        generate_mixed(&[(self, 1)], ask, count, seed)
    }

    /// A state that cannot be read: every segment is read against its checksum, and what is damaged
    /// serves no longer. Whether any was.
    fn exclude_damaged(&self) -> bool {
        let segments: Vec<_> = self.live().segments.clone();
        let mut found = false;
        for held in segments {
            let Err(error) = held.segment.verify() else {
                continue;
            };
            found = true;
            self.live_mut()
                .set_aside(held.entry.number, error.to_string());
        }
        found
    }
}

/// Up to `count` new messages from a mix: at each word one of the chains that can go on speaks, in
/// proportion to its weight. Nothing is copied from any that has a weight above 0; the others have
/// no part in it.
///
/// # Errors
///
/// As `Chain::generate`; `Error::Input` for chains that cut text into tokens in different ways, and
/// for no weight at all.
pub fn generate_mixed(
    chains: &[(&Chain, u32)],
    ask: &Ask,
    count: usize,
    seed: Option<u64>,
) -> Result<Vec<Said>> {
    let Some((first, _)) = chains.first() else {
        return Err(Error::input("name at least one chain to generate from"));
    };
    let mode = first.tokenizer.mode();
    if chains
        .iter()
        .any(|(chain, _)| chain.tokenizer.mode() != mode)
    {
        return Err(Error::input(
            "chains with different token modes cannot be mixed",
        ));
    }
    if chains.iter().all(|(_, weight)| *weight == 0) {
        return Err(Error::input("no chain of the mix has a weight above 0"));
    }
    let mut rng = Rng::seeded(seed.unwrap_or_else(|| RandomState::new().hash_one(count)));
    let mut said = Vec::with_capacity(count.min(1 << 16));
    let (mut tried, mut fruitless) = (0, 0);
    while said.len() < count {
        match speak(chains, ask, count, &mut rng, &mut tried, &mut said) {
            Ok(Ok(())) => fruitless = 0,
            Ok(Err(error)) if said.is_empty() => {
                return Err(why_silent(chains).unwrap_or(error));
            }
            Ok(Err(_)) => break,
            Err(Malformed) => {
                let found = chains
                    .iter()
                    .filter(|(chain, _)| chain.exclude_damaged())
                    .count();
                fruitless = if found == 0 { fruitless + 1 } else { 0 };
                if fruitless == FRUITLESS {
                    return Err(Error::damaged(
                        &first.directory,
                        "a state cannot be read although every checksum matches: please report \
                         this",
                    ));
                }
            }
        }
    }
    Ok(said)
}

/// Why chains have nothing to say although they learned something.
fn why_silent(chains: &[(&Chain, u32)]) -> Option<Error> {
    let mut speaking = chains.iter().filter(|(_, weight)| *weight > 0);
    let (chain, _) = speaking.clone().next()?;
    if !speaking.all(|(chain, _)| chain.live().is_mute()) {
        return None;
    }
    if !chain.live().counts_support() {
        return Some(Error::NothingNew(
            "cannot say anything new: so much was forgotten that it is silent until it is merged, \
             which happens at once in the process that writes it; try again in a moment"
                .to_owned(),
        ));
    }
    let options = chain.options();
    let (least, who) = (options.min_authors, options.support.name());
    Some(Error::NothingNew(format!(
        "cannot say anything new: nothing that was learned is known of {least} {who} yet, or it is not merged yet; \
         merge it, teach it more, or lower min_authors with a merge"
    )))
}

/// One turn. `tried` is how often the message that is to be said next was tried before.
fn speak(
    chains: &[(&Chain, u32)],
    ask: &Ask,
    count: usize,
    rng: &mut Rng,
    tried: &mut u32,
    said: &mut Vec<Said>,
) -> Result<Result<()>, Malformed> {
    let lives = lock(chains);
    let voices = lives
        .iter()
        .filter(|(_, weight)| *weight > 0)
        .map(|(live, weight)| live.voice(*weight));
    let (chain, _) = chains[0];
    let mut generator = Generator::new(voices.collect(), chain.tokenizer.mode());
    generator.bound(TURN_TOKENS);
    let mut left = TURN;
    while left > 0 && !generator.is_spent() && said.len() < count {
        let until = tried.saturating_add(left);
        match generator.say(ask, &chain.tokenizer, rng, *tried..until)? {
            Ok(Some(one)) => {
                left -= one.tries - *tried;
                *tried = 0;
                said.push(one);
            }
            Ok(None) => {
                *tried = generator.tried();
                break;
            }
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(Ok(()))
}

/// What each chain knows. Everybody takes several in the same order, and none twice: who learns
/// would otherwise hold off the second of two readers that wait for each other.
fn lock<'c>(chains: &[(&'c Chain, u32)]) -> Vec<(RwLockReadGuard<'c, Live>, u32)> {
    let address = |chain: &Chain| std::ptr::from_ref(chain) as usize;
    let mut order: Vec<usize> = (0..chains.len()).collect();
    order.sort_by_key(|&index| address(chains[index].0));
    order.dedup_by_key(|index| address(chains[*index].0));
    let mut lives: Vec<_> = order
        .into_iter()
        .map(|index| {
            let same = chains
                .iter()
                .filter(|(chain, _)| std::ptr::eq(*chain, chains[index].0));
            let weight = same.fold(0_u32, |sum, (_, weight)| sum.saturating_add(*weight));
            let first = chains
                .iter()
                .position(|(chain, _)| std::ptr::eq(*chain, chains[index].0));
            (first, chains[index].0.live(), weight)
        })
        .collect();
    // A seed gives the same messages wherever the chains lie in memory.
    lives.sort_by_key(|(first, ..)| *first);
    lives
        .into_iter()
        .map(|(_, live, weight)| (live, weight))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Record;
    use crate::chain::Opening;
    use crate::storage::Options;

    #[test]
    fn a_turn_ends_when_much_was_walked() {
        let directory = tempfile::tempdir().unwrap();
        let opening = Opening {
            write: true,
            create: Some(Options {
                order: 1,
                ..Options::default()
            }),
            ..Opening::default()
        };
        let chain = Chain::open(directory.path(), &opening).unwrap();
        chain.add(&[Record::of(&"ha ".repeat(999))]).unwrap();
        let ask = Ask {
            novel: false,
            min_tokens: 65_535,
            max_tokens: 65_535,
            max_bytes: u32::MAX,
            ..Ask::default()
        };
        let (mut rng, mut tried, mut said) = (Rng::seeded(1), 0, Vec::new());
        let chains = [(&chain, 1)];
        let mut turns = Vec::new();
        for _ in 0..20 {
            let before = tried;
            let turn = speak(&chains, &ask, 1, &mut rng, &mut tried, &mut said);
            turn.unwrap().unwrap();
            turns.push(tried - before);
        }
        // Messages have 1000 tokens on average, and none is long enough.
        assert!(turns.iter().all(|turn| (1..16).contains(turn)), "{turns:?}");
        // The same answers, however long the turns were.
        let ask = Ask {
            min_tokens: 2000,
            ..ask
        };
        let in_turns = chain.generate(&ask, 5, Some(1)).unwrap();
        let lives = lock(&chains);
        let voices = lives.iter().map(|(live, weight)| live.voice(*weight));
        let mut generator = Generator::new(voices.collect(), chain.tokenizer.mode());
        let mut rng = Rng::seeded(1);
        for said in in_turns {
            let all = 0..ask.max_tries;
            let at_once = generator.say(&ask, &chain.tokenizer, &mut rng, all);
            assert_eq!(at_once.unwrap().unwrap().unwrap(), said);
        }
    }
}
