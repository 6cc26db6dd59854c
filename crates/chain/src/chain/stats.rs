//! What a chain says of itself.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::Chain;
use super::live::Live;
use crate::Result;
use crate::segment::Segment;
use crate::segment::vocabulary::hash;
use crate::storage::{Options, kept_logs};

/// A chain in numbers. States and transitions are added up over its parts.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Stats {
    /// Messages that answers may draw on.
    pub messages: u64,
    /// Tokens of these, and how many different ones there are; until the next merge also of those
    /// that were forgotten.
    pub tokens: u64,
    pub vocabulary: u64,
    pub states: u64,
    pub transitions: u64,
    /// Transitions of full order, and those that too few authors had to be used.
    pub full_transitions: u64,
    pub unsupported: u64,
    /// Bytes of all files.
    pub bytes: u64,
    pub segments: u64,
    /// Messages that are in the log and in memory only.
    pub delta_messages: u64,
    pub memory_bytes: u64,
    /// Messages that were forgotten and are still in files until the next merge.
    pub forgotten: u64,
    pub counters: BTreeMap<String, u64>,
    /// What is damaged, one sentence each.
    pub damage: Vec<String>,
    pub options: Options,
}

impl Chain {
    /// Counts what the chain holds, for a reader as it was at the last `refresh`; the vocabulary of
    /// several parts is counted token by token.
    ///
    /// # Errors
    ///
    /// `Error::Io` if the directory cannot be read, and for a writer that has to be opened again.
    pub fn stats(&self) -> Result<Stats> {
        let (mut stats, segments, known) = {
            let live = self.live();
            let segments: Vec<Arc<Segment>> = live
                .segments
                .iter()
                .map(|held| Arc::clone(&held.segment))
                .collect();
            (counted(&live), segments, in_deltas(&live))
        };
        // Nobody who learns waits for this.
        stats.vocabulary = vocabulary(&segments, known);
        for name in kept_logs(&*self.disk, &self.directory)? {
            stats.damage.push(format!(
                "{} is a log with damage that a merge replaced: take from it what you miss, then \
                 remove it, or forget something and merge, which removes it too",
                self.directory.join(name).display()
            ));
        }
        stats.damage.sort();
        stats.damage.dedup();
        for name in self.disk.list(&self.directory)? {
            let length = std::fs::metadata(self.directory.join(name)).map_or(0, |file| file.len());
            stats.bytes += length;
        }
        if let Some(writer) = &self.writer {
            stats.counters = self.state(writer)?.counters.clone();
        }
        Ok(stats)
    }
}

fn counted(live: &Live) -> Stats {
    let mut stats = Stats {
        messages: live.messages(),
        segments: live.segments.len() as u64,
        memory_bytes: live.memory_bytes() as u64,
        damage: live.damage(),
        counters: live.counters.clone(),
        options: live.options.clone(),
        ..Stats::default()
    };
    for held in &live.segments {
        let about = held.segment.about();
        stats.tokens += held.entry.tokens;
        stats.states += about.states;
        stats.transitions += about.transitions;
        stats.full_transitions += about.full_transitions;
        stats.unsupported += about.unsupported;
        stats.forgotten += u64::from(held.dead.len());
    }
    for (fresh, dead) in live.deltas() {
        let count = fresh.table.len() as u64;
        stats.tokens += (fresh.delta.text().len() as u64 - 1).saturating_sub(count);
        stats.states += fresh.delta.forward().states();
        stats.transitions += fresh.delta.forward().transitions();
        stats.delta_messages += count - u64::from(dead.len());
        stats.forgotten += u64::from(dead.len());
    }
    stats
}

/// The hashes of the tokens of the deltas.
fn in_deltas(live: &Live) -> HashSet<u64> {
    let mut known = HashSet::new();
    for (fresh, _) in live.deltas() {
        let vocabulary = fresh.delta.vocabulary();
        known.extend((1..vocabulary.len() as u32).map(|token| vocabulary.hash_of(token)));
    }
    known
}

/// Different tokens of all parts.
fn vocabulary(segments: &[Arc<Segment>], mut known: HashSet<u64>) -> u64 {
    if let ([only], true) = (segments, known.is_empty()) {
        return only.vocabulary().len() as u64 - 1;
    }
    for segment in segments {
        let vocabulary = segment.vocabulary();
        known.extend((1..vocabulary.len() as u32).map(|token| hash(vocabulary.bytes_of(token))));
    }
    known.len() as u64
}
