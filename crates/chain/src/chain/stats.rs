//! What a chain says of itself, and whether its files are what was written into them.

use std::collections::{BTreeMap, HashSet};

use super::Chain;
use super::live::Live;
use crate::Result;
use crate::segment::vocabulary::hash;
use crate::storage::{Manifest, Options, Recovery};

/// A chain in numbers. States and transitions are added up over its parts.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Stats {
    /// Messages that answers may draw on.
    pub messages: u64,
    /// Their tokens, and how many different ones there are.
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

/// What reading everything against its checksums came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Verified {
    pub files: u64,
    pub bytes: u64,
    /// One sentence for each fault.
    pub damage: Vec<String>,
}

impl Chain {
    /// Counts what the chain holds; the vocabulary of several parts is counted token by token.
    ///
    /// # Errors
    ///
    /// `Error::Io` if the directory cannot be read.
    pub fn stats(&self) -> Result<Stats> {
        let mut stats = {
            let live = self.live();
            counted(&live)
        };
        stats.memory_bytes = self.memory_bytes() as u64;
        stats.damage = self.damage.clone();
        stats.damage.extend(self.live().broken.iter().map(|(_, why)| why.clone()));
        stats.damage.sort();
        stats.damage.dedup();
        for name in self.disk.list(&self.directory)? {
            let length = std::fs::metadata(self.directory.join(name)).map_or(0, |file| file.len());
            stats.bytes += length;
        }
        stats.counters = match &self.writer {
            Some(writer) => writer.state()?.counters.clone(),
            None => self.counters_on_disk()?,
        };
        Ok(stats)
    }

    fn counters_on_disk(&self) -> Result<BTreeMap<String, u64>> {
        let Some(manifest) = Manifest::read(&*self.disk, &self.directory)? else {
            return Ok(BTreeMap::new());
        };
        let mut counters = manifest.counters;
        Recovery::read(&*self.disk, &self.directory, &manifest.logs, &mut |operation| {
            if let crate::storage::Operation::Count { name, by } = operation {
                *counters.entry(name.to_owned()).or_default() += by;
            }
            Ok(())
        })?;
        Ok(counters)
    }

    /// Reads every file against its checksums. Faults are reported, not errors.
    ///
    /// # Errors
    ///
    /// `Error::Io` if the directory or the logs cannot be read.
    pub fn verify(&self) -> Result<Verified> {
        let mut verified = Verified {
            damage: self.live().broken.iter().map(|(_, why)| why.clone()).collect(),
            ..Verified::default()
        };
        let parts: Vec<_> = {
            let live = self.live();
            let parts = live.segments.iter().map(|held| (held.segment.clone(), held.messages.clone()));
            parts.collect()
        };
        for (segment, messages) in parts {
            verified.files += 2;
            verified.bytes += segment.file_bytes() + messages.bytes();
            let faults = [segment.verify(), messages.verify()];
            verified.damage.extend(faults.into_iter().filter_map(|done| done.err().map(|error| error.to_string())));
        }
        // A writer may be appending: only what it has acknowledged is looked at, and what is torn at the end is not yet whole.
        if let Some(manifest) = Manifest::read(&*self.disk, &self.directory)? {
            let recovery = Recovery::read(&*self.disk, &self.directory, &manifest.logs, &mut |_| Ok(()))?;
            verified.files += 1 + manifest.logs.len() as u64;
            verified.bytes += recovery.logs.iter().map(|log| log.whole_bytes).sum::<u64>();
            verified.damage.extend(recovery.damage().map(ToString::to_string));
        }
        Ok(verified)
    }
}

fn counted(live: &Live) -> Stats {
    let mut stats = Stats {
        messages: live.messages(),
        segments: live.segments.len() as u64,
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
    let frozen = live.frozen.as_ref().map(|frozen| (&*frozen.fresh, &frozen.dead));
    for (fresh, dead) in frozen.into_iter().chain([(&live.fresh, &live.fresh_dead)]) {
        let count = fresh.table.len() as u64;
        stats.tokens += (fresh.delta.text().len() as u64 - 1).saturating_sub(count);
        stats.states += fresh.delta.forward().states();
        stats.transitions += fresh.delta.forward().transitions();
        stats.delta_messages += count - u64::from(dead.len());
        stats.forgotten += u64::from(dead.len());
    }
    stats.vocabulary = vocabulary(live);
    stats
}

/// Different tokens of all parts.
fn vocabulary(live: &Live) -> u64 {
    let frozen = live.frozen.as_ref().map(|frozen| &frozen.fresh.delta);
    let deltas: Vec<_> = frozen.into_iter().chain([&live.fresh.delta]).filter(|delta| !delta.is_empty()).collect();
    if let ([only], []) = (&live.segments[..], &deltas[..]) {
        return only.segment.vocabulary().len() as u64 - 1;
    }
    let mut known = HashSet::new();
    for held in &live.segments {
        let vocabulary = held.segment.vocabulary();
        known.extend((1..vocabulary.len() as u32).map(|token| hash(vocabulary.bytes_of(token))));
    }
    for delta in deltas {
        let vocabulary = delta.vocabulary();
        known.extend((1..vocabulary.len() as u32).map(|token| vocabulary.hash_of(token)));
    }
    known.len() as u64
}
