//! Where the words of a sentence come from.

use std::collections::HashSet;
use std::ops::ControlFlow;

use super::Chain;
use super::fresh::Fresh;
use super::held::Held;
use super::live::Live;
use super::runs::runs;
use crate::Result;
use crate::messages::OwnedAbout;
use crate::tokens::{Mode, Tokens, join};

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
    /// The source messages that share most with a text, at most `most`. Nobody waits while the
    /// segments are looked through.
    ///
    /// # Errors
    ///
    /// `Error::Damaged` for a message file that cannot be read.
    pub fn references(&self, text: &str, most: usize) -> Result<Vec<Reference>> {
        let mut words = Tokens::new();
        self.tokenizer
            .tokenize(text, &mut words, &mut crate::tokens::Cut::default());
        let (segments, options, mut found) = {
            let live = self.live();
            let length = live.run_length();
            let found = references_in_deltas(&live, &words, length, most);
            (live.segments.clone(), live.options.clone(), found)
        };
        let length = usize::from(options.order) + 1;
        found.extend(references_in_segments(
            &segments,
            &words,
            length,
            options.mode,
            most,
        )?);
        found.sort_by_key(|reference| std::cmp::Reverse(reference.shared));
        found.truncate(most);
        Ok(found)
    }
}

fn reference(about: OwnedAbout, text: String, shared: u32) -> Reference {
    Reference {
        id: about.id.to_string(),
        author: about.author,
        channel: about.channel,
        time_ms: about.time_ms,
        attachments: about.attachments,
        text,
        shared,
    }
}

/// What a source message shares with the text, and where it is.
type Place = (u32, usize, usize);

/// Those that share most, in the order in which they were found.
fn keep_most(found: &mut Vec<Place>, most: usize) {
    found.sort_by_key(|(shared, ..)| std::cmp::Reverse(*shared));
    found.truncate(most);
}

/// The numbers that a part has for the words of a text; the greatest for one that it does not know.
pub(super) fn numbers(words: &Tokens, most: usize, find: impl Fn(&str) -> Option<u32>) -> Vec<u32> {
    let known = words
        .iter()
        .take(most)
        .map(|word| find(word).unwrap_or(u32::MAX));
    known.collect()
}

/// A message of a segment as a reference.
///
/// # Errors
///
/// `Error::Damaged` for a message file that cannot be read.
pub(super) fn of_segment(
    held: &Held,
    mode: Mode,
    message: usize,
    shared: u32,
) -> Result<Reference> {
    let (mut tokens, mut text) = (Vec::new(), String::new());
    held.messages.tokens(message, &mut tokens)?;
    let vocabulary = held.segment.vocabulary();
    let words = tokens.iter().map(|&token| vocabulary.get(token));
    join(mode, words, &mut text);
    Ok(reference(held.messages.about(message)?, text, shared))
}

/// The same of a delta.
pub(super) fn of_delta(fresh: &Fresh, mode: Mode, message: usize, shared: u32) -> Reference {
    let vocabulary = fresh.delta.vocabulary();
    let tokens = fresh.delta.message(message as u32).iter();
    let mut text = String::new();
    join(mode, tokens.map(|&token| vocabulary.get(token)), &mut text);
    reference(fresh.table.about(message).into_owned(), text, shared)
}

fn references_in_segments(
    segments: &[Held],
    words: &Tokens,
    length: usize,
    mode: Mode,
    most: usize,
) -> Result<Vec<Reference>> {
    let mut found = Vec::new();
    for (index, held) in segments.iter().enumerate() {
        let vocabulary = held.segment.vocabulary();
        let numbers = numbers(words, usize::MAX, |word| vocabulary.find(word));
        let wanted: HashSet<&[u32]> = runs(&numbers, length).collect();
        held.messages.for_each_tokens(|message, tokens| {
            let shared = shared(tokens, length, &wanted);
            if shared > 0 && !held.dead.contains(message as u32) {
                found.push((shared, index, message));
            }
            ControlFlow::Continue(())
        })?;
        keep_most(&mut found, most);
    }
    let with_text = found
        .into_iter()
        .map(|(shared, index, message)| of_segment(&segments[index], mode, message, shared));
    with_text.collect()
}

fn references_in_deltas(live: &Live, words: &Tokens, length: usize, most: usize) -> Vec<Reference> {
    let mut found = Vec::new();
    let deltas: Vec<_> = live.deltas().collect();
    for (index, (fresh, dead)) in deltas.iter().enumerate() {
        let vocabulary = fresh.delta.vocabulary();
        let numbers = numbers(words, usize::MAX, |word| vocabulary.find(word));
        let wanted: HashSet<&[u32]> = runs(&numbers, length).collect();
        for message in 0..fresh.table.len() {
            let shared = shared(fresh.delta.message(message as u32), length, &wanted);
            if shared > 0 && !dead.contains(message as u32) {
                found.push((shared, index, message));
            }
        }
    }
    keep_most(&mut found, most);
    let with_text = found.into_iter().map(|(shared, index, message)| {
        of_delta(deltas[index].0, live.options.mode, message, shared)
    });
    with_text.collect()
}

/// Runs of a message that are among the wanted.
pub(super) fn shared(tokens: &[u32], length: usize, wanted: &HashSet<&[u32]>) -> u32 {
    runs(tokens, length)
        .filter(|run| wanted.contains(run))
        .count() as u32
}
