//! A source message with an attachment that goes with a text.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use super::Chain;
use super::fresh::Fresh;
use super::held::Held;
use super::live::Live;
use super::references::{Reference, numbers, of_delta, of_segment, shared};
use super::runs::{Runs, hash, runs};
use crate::Result;
use crate::dead::Dead;
use crate::rng::Rng;
use crate::tokens::Tokens;

/// Tokens of the text that are looked at.
const MOST_TOKENS: usize = 1000;

/// Messages that have a run of the text, of the rarest runs, that are counted in all segments.
const MOST_COUNTED: usize = 1 << 14;

/// Messages of one segment that are compared with the text, from those that may share most.
const MOST_COMPARED: usize = 128;

/// How often one is drawn before all are counted: at least so often it is found unless most that
/// have attachments are forgotten.
const MOST_DRAWN: u32 = 64;

/// A message of a part, by its place.
#[derive(Clone, Copy, Debug)]
enum Place {
    Segment(usize, u32),
    Delta(usize, u32),
}

/// The best place so far; of several that share as much, one of them.
struct Best {
    shared: u32,
    ties: u32,
    place: Option<Place>,
}

impl Best {
    fn see(&mut self, shared: u32, place: Place, rng: &mut Rng) {
        if shared == 0 || shared < self.shared {
            return;
        }
        if shared > self.shared {
            (self.shared, self.ties) = (shared, 0);
        }
        self.ties += 1;
        if rng.below(self.ties) == 0 {
            self.place = Some(place);
        }
    }
}

impl Chain {
    /// A message that has attachments and shares most runs of order + 1 tokens with the text, any of
    /// those that share as much; any that has attachments, each as likely, if none shares a run;
    /// none if there is none.
    ///
    /// The first call after a segment was opened or made reads its messages that have attachments.
    /// Of more than 2^20 runs of them in one segment, and of runs that more than 2^14 messages have,
    /// not all are looked at: then it may be one that shares less.
    ///
    /// # Errors
    ///
    /// `Error::Damaged` for a message file that cannot be read.
    pub fn illustration(&self, text: &str, rng_seed: Option<u64>) -> Result<Option<Reference>> {
        let mut words = Tokens::new();
        self.tokenizer
            .tokenize(text, &mut words, &mut crate::tokens::Cut::default());
        let seed = rng_seed.unwrap_or_else(|| RandomState::new().hash_one(text));
        self.index_attached()?;
        self.live().illustration(&words, &mut Rng::seeded(seed))
    }

    /// Nobody waits while segments are indexed; those that came meanwhile are when they are used.
    fn index_attached(&self) -> Result<()> {
        let (length, wanting) = {
            let live = self.live();
            let held = live
                .segments
                .iter()
                .filter(|held| held.attached_runs.get().is_none());
            let parts =
                held.map(|held| (Arc::clone(&held.messages), Arc::clone(&held.attached_runs)));
            (live.run_length(), parts.collect::<Vec<_>>())
        };
        for (messages, place) in wanting {
            let _ = place.set(Runs::of(&messages, length)?);
        }
        Ok(())
    }
}

impl Live {
    pub(super) fn run_length(&self) -> usize {
        usize::from(self.options.order) + 1
    }

    fn illustration(&self, words: &Tokens, rng: &mut Rng) -> Result<Option<Reference>> {
        let mut best = Best {
            shared: 0,
            ties: 0,
            place: None,
        };
        let length = self.run_length();
        for (index, (fresh, dead)) in self.deltas().enumerate() {
            let numbers = numbers(words, MOST_TOKENS, |word| {
                fresh.delta.vocabulary().find(word)
            });
            best_of_delta(fresh, dead, &numbers, length, |shared, message| {
                best.see(shared, Place::Delta(index, message), rng);
            });
        }
        let most = MOST_COUNTED / self.segments.len().max(1);
        for (index, held) in self.segments.iter().enumerate() {
            let vocabulary = held.segment.vocabulary();
            let numbers = numbers(words, MOST_TOKENS, |word| vocabulary.find(word));
            let wanted: HashSet<&[u32]> = known_runs(&numbers, length).collect();
            let mut tokens = Vec::new();
            let compared = candidates(held, &wanted, length, most, rng)?;
            for (may_share, message) in compared.into_iter().take(MOST_COMPARED) {
                if may_share < best.shared {
                    break;
                }
                held.messages.tokens(message as usize, &mut tokens)?;
                let shared = shared(&tokens, length, &wanted);
                best.see(shared, Place::Segment(index, message), rng);
            }
        }
        let place = best.place.or_else(|| self.any_attached(rng));
        place
            .map(|place| self.reference(place, best.shared))
            .transpose()
    }

    fn reference(&self, place: Place, shared: u32) -> Result<Reference> {
        let mode = self.options.mode;
        match place {
            Place::Segment(index, message) => {
                of_segment(&self.segments[index], mode, message as usize, shared)
            }
            Place::Delta(index, message) => {
                let (fresh, _) = self
                    .deltas()
                    .nth(index)
                    .expect("it is the place of a delta");
                Ok(of_delta(fresh, mode, message as usize, shared))
            }
        }
    }

    /// Any message that has attachments, each as likely.
    fn any_attached(&self, rng: &mut Rng) -> Option<Place> {
        let rows = self.attached_rows();
        for _ in 0..MOST_DRAWN {
            let drawn = self.attached_at(rng.below_u64(rows));
            if drawn.is_some() || rows == 0 {
                return drawn;
            }
        }
        let alive = (0..rows).filter(|&row| self.attached_at(row).is_some());
        let wanted = rng.below_u64(alive.clone().count() as u64);
        let row = alive.clone().nth(wanted as usize)?;
        self.attached_at(row)
    }

    fn attached_rows(&self) -> u64 {
        let in_deltas = self.deltas().map(|(fresh, _)| fresh.table.attached().len());
        let in_segments = self
            .segments
            .iter()
            .map(|held| held.messages.attached().len());
        in_deltas.chain(in_segments).sum::<usize>() as u64
    }

    /// The message of a row of all parts; none for a second row of a message, and where it is
    /// forgotten.
    fn attached_at(&self, row: u64) -> Option<Place> {
        let mut row = row as usize;
        for (index, (fresh, dead)) in self.deltas().enumerate() {
            let rows = fresh.table.attached();
            if let Some(&(message, _)) = rows.get(row) {
                return (!dead.contains(message)).then_some(Place::Delta(index, message));
            }
            row -= rows.len();
        }
        for (index, held) in self.segments.iter().enumerate() {
            let rows = held.messages.attached();
            if let Some(&message) = rows.get(row) {
                let is_first = row == 0 || rows[row - 1] != message;
                let is_alive = !held.dead.contains(message);
                return (is_first && is_alive).then_some(Place::Segment(index, message));
            }
            row -= rows.len();
        }
        None
    }
}

/// The runs of a text of which a part knows all tokens.
fn known_runs(numbers: &[u32], length: usize) -> impl Iterator<Item = &[u32]> {
    runs(numbers, length).filter(|run| !run.contains(&u32::MAX))
}

/// The messages of a segment that may share a run, those that may share most first: how many, and
/// which.
fn candidates(
    held: &Held,
    wanted: &HashSet<&[u32]>,
    length: usize,
    most: usize,
    rng: &mut Rng,
) -> Result<Vec<(u32, u32)>> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let index = held.runs(length)?;
    let mut lists: Vec<&[u32]> = wanted.iter().map(|run| index.having(run)).collect();
    lists.sort_unstable_by_key(|list| list.len());
    let mut having: Vec<u32> = Vec::new();
    for list in lists {
        let room = list.len().min(most.saturating_sub(having.len()));
        let start = rng.below((list.len() - room + 1) as u32) as usize;
        having.extend_from_slice(&list[start..start + room]);
    }
    having.sort_unstable();
    let alike = having.chunk_by(|one, other| one == other);
    let counted = alike.map(|alike| (alike.len() as u32, alike[0]));
    let mut counted: Vec<(u32, u32)> = counted
        .filter(|(_, message)| !held.dead.contains(*message))
        .collect();
    // Of those that may share as much, any is as good: not always the oldest.
    let odd = rng.below(1 << 31) << 1 | 1;
    counted.sort_unstable_by_key(|(count, message)| (Reverse(*count), message.wrapping_mul(odd)));
    Ok(counted)
}

/// Sees what each live message of a delta that has attachments shares with a text.
fn best_of_delta(
    fresh: &Fresh,
    dead: &Dead,
    numbers: &[u32],
    length: usize,
    mut see: impl FnMut(u32, u32),
) {
    let wanted: HashSet<&[u32]> = known_runs(numbers, length).collect();
    if wanted.is_empty() {
        return;
    }
    // Most messages share nothing, which one bit of the hash of each run tells.
    let mut bits = [0_u64; 64];
    for run in &wanted {
        let hash = hash(run);
        bits[(hash >> 26) as usize] |= 1 << (hash & 63);
    }
    let may = |run: &[u32]| {
        let hash = hash(run);
        bits[(hash >> 26) as usize] >> (hash & 63) & 1 == 1
    };
    for &(message, _) in fresh.table.attached() {
        let tokens = fresh.delta.message(message);
        if runs(tokens, length).any(may) && !dead.contains(message) {
            see(shared(tokens, length, &wanted), message);
        }
    }
}
