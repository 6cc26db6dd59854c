//! Answering: from one chain, or from several that are mixed.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::ops::ControlFlow;

use super::Chain;
use super::live::Live;
use crate::generate::{Ask, Generator, Said};
use crate::rng::Rng;
use crate::segment::states::Malformed;
use crate::tokens::Tokens;
use crate::{Error, Result};

/// Sentences that are made under one lock, so that nobody who learns waits long.
const TURN: usize = 64;

/// A source message that shares words with a generated one.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Reference {
    pub id: String,
    pub author: String,
    pub channel: String,
    pub time_ms: Option<i64>,
    pub attachments: Vec<String>,
    pub text: String,
    /// Runs of order + 1 tokens that both have.
    pub shared: u32,
}

impl Chain {
    /// Up to `count` new messages; fewer when no more could be made. The same seed gives the same messages from the same chain.
    ///
    /// # Errors
    ///
    /// `Error::NothingNew` when there is not even one, `Error::Input` for what the chain cannot be asked.
    pub fn generate(&self, ask: &Ask, count: usize, seed: Option<u64>) -> Result<Vec<Said>> {
        generate_mixed(&[(self, 1)], ask, count, seed)
    }

    /// The source messages that share most with a text, at most `most`.
    ///
    /// # Errors
    ///
    /// `Error::Damaged` for a message file that cannot be read.
    pub fn references(&self, text: &str, most: usize) -> Result<Vec<Reference>> {
        let mut words = Tokens::new();
        self.tokenizer.tokenize(text, &mut words, &mut crate::tokens::Cut::default());
        let live = self.live();
        let length = usize::from(live.options.order) + 1;
        let mut found = references_in_segments(&live, &words, length)?;
        found.extend(references_in_deltas(&live, &words, length));
        found.sort_by_key(|(shared, _)| std::cmp::Reverse(*shared));
        found.truncate(most);
        found
            .into_iter()
            .map(|(shared, place)| self.reference(&live, shared, &place))
            .collect()
    }

    fn reference(&self, live: &Live, shared: u32, place: &Place) -> Result<Reference> {
        let mut text = String::new();
        let about = match *place {
            Place::Segment(index, message) => {
                let held = &live.segments[index];
                let mut tokens = Vec::new();
                held.messages.tokens(message, &mut tokens)?;
                let vocabulary = held.segment.vocabulary();
                let words = tokens.iter().map(|&token| vocabulary.get(token));
                crate::tokens::join(live.options.mode, words, &mut text);
                held.messages.about(message)?
            }
            Place::Delta(frozen, message) => {
                let fresh = match (&live.frozen, frozen) {
                    (Some(frozen), true) => &*frozen.fresh,
                    _ => &live.fresh,
                };
                let vocabulary = fresh.delta.vocabulary();
                let words = fresh.delta.message(message as u32).iter().map(|&token| vocabulary.get(token));
                crate::tokens::join(live.options.mode, words, &mut text);
                fresh.table.about(message).into_owned()
            }
        };
        Ok(Reference {
            id: about.id.to_string(),
            author: about.author,
            channel: about.channel,
            time_ms: about.time_ms,
            attachments: about.attachments,
            text,
            shared,
        })
    }

    /// A state that cannot be read: every segment is read against its checksum, and what is damaged serves no longer.
    fn exclude_damaged(&self) -> Result<()> {
        let segments: Vec<_> = self.live().segments.iter().map(|held| (held.entry.number, held.segment.clone())).collect();
        let mut found = false;
        for (number, segment) in segments {
            let Err(error) = segment.verify() else { continue };
            found = true;
            let mut live = self.live_mut();
            if let Some(index) = live.segments.iter().position(|held| held.entry.number == number) {
                let held = live.segments.remove(index);
                live.broken.push((held.entry, error.to_string()));
            }
        }
        if found {
            return Ok(());
        }
        Err(Error::damaged(&self.directory, "a state cannot be read although every checksum matches: please report this"))
    }
}

/// Up to `count` new messages from a mix: at each word one of the chains that can go on speaks, in proportion to its weight.
/// Nothing is copied from any of them.
///
/// # Errors
///
/// As `Chain::generate`; `Error::Input` for chains that cut text into tokens in different ways, and for no weight at all.
pub fn generate_mixed(chains: &[(&Chain, u32)], ask: &Ask, count: usize, seed: Option<u64>) -> Result<Vec<Said>> {
    let Some((first, _)) = chains.first() else {
        return Err(Error::input("name at least one chain to generate from"));
    };
    let mode = first.tokenizer.mode();
    if chains.iter().any(|(chain, _)| chain.tokenizer.mode() != mode) {
        return Err(Error::input("chains with different token modes cannot be mixed"));
    }
    if chains.iter().all(|(_, weight)| *weight == 0) {
        return Err(Error::input("no chain of the mix has a weight above 0"));
    }
    let mut rng = Rng::seeded(seed.unwrap_or_else(|| RandomState::new().hash_one(count)));
    let mut said = Vec::with_capacity(count.min(1 << 16));
    while said.len() < count {
        let turn = TURN.min(count - said.len());
        match speak(chains, ask, turn, &mut rng, &mut said) {
            Ok(Ok(())) => {}
            Ok(Err(error)) if said.is_empty() => return Err(error),
            Ok(Err(_)) => break,
            Err(Malformed) => {
                for (chain, _) in chains {
                    chain.exclude_damaged()?;
                }
            }
        }
    }
    Ok(said)
}

fn speak(
    chains: &[(&Chain, u32)],
    ask: &Ask,
    turn: usize,
    rng: &mut Rng,
    said: &mut Vec<Said>,
) -> Result<Result<()>, Malformed> {
    let lives: Vec<_> = chains.iter().map(|(chain, weight)| (chain.live(), *weight)).collect();
    let voices = lives.iter().filter(|(_, weight)| *weight > 0).map(|(live, weight)| live.voice(*weight));
    let (chain, _) = chains[0];
    let mut generator = Generator::new(voices.collect(), chain.tokenizer.mode());
    for _ in 0..turn {
        match generator.say(ask, &chain.tokenizer, rng)? {
            Ok(one) => said.push(one),
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(Ok(()))
}

/// Where a source message is: in a segment, or in the frozen delta or the growing one.
enum Place {
    Segment(usize, usize),
    Delta(bool, usize),
}

fn grams<'t>(tokens: &'t [u32], length: usize) -> impl Iterator<Item = &'t [u32]> {
    tokens.windows(length.min(tokens.len()).max(1))
}

fn references_in_segments(live: &Live, words: &Tokens, length: usize) -> Result<Vec<(u32, Place)>> {
    let mut found = Vec::new();
    for (index, held) in live.segments.iter().enumerate() {
        let vocabulary = held.segment.vocabulary();
        let numbers: Vec<u32> = words.iter().map(|word| vocabulary.find(word).unwrap_or(u32::MAX)).collect();
        let wanted: HashSet<&[u32]> = grams(&numbers, length).collect();
        held.messages.for_each_tokens(|message, tokens| {
            let shared = shared(tokens, length, &wanted);
            if shared > 0 && !held.dead.contains(message as u32) {
                found.push((shared, Place::Segment(index, message)));
            }
            ControlFlow::Continue(())
        })?;
    }
    Ok(found)
}

fn references_in_deltas(live: &Live, words: &Tokens, length: usize) -> Vec<(u32, Place)> {
    let mut found = Vec::new();
    let frozen = live.frozen.as_ref().map(|frozen| (&*frozen.fresh, &frozen.dead, true));
    for (fresh, dead, is_frozen) in frozen.into_iter().chain([(&live.fresh, &live.fresh_dead, false)]) {
        let vocabulary = fresh.delta.vocabulary();
        let numbers: Vec<u32> = words.iter().map(|word| vocabulary.find(word).unwrap_or(u32::MAX)).collect();
        let wanted: HashSet<&[u32]> = grams(&numbers, length).collect();
        for message in 0..fresh.table.len() {
            let shared = shared(fresh.delta.message(message as u32), length, &wanted);
            if shared > 0 && !dead.contains(message as u32) {
                found.push((shared, Place::Delta(is_frozen, message)));
            }
        }
    }
    found
}

fn shared(tokens: &[u32], length: usize, wanted: &HashSet<&[u32]>) -> u32 {
    grams(tokens, length).filter(|gram| wanted.contains(gram)).count() as u32
}
