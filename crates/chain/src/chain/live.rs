//! What a chain knows at this moment: its segments, and what was learned since in memory.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use super::counts_support;
use super::fresh::Fresh;
use super::held::Held;
use crate::dead::Dead;
use crate::generate::Voice;
use crate::messages::About;
use crate::segment::Direction;
use crate::storage::{Forget, MessageId, Options, SegmentEntry};
use crate::walk::{Part, Speaker};
use crate::{Error, Result};

/// A delta that a merge is making into a segment.
#[derive(Clone, Debug)]
pub struct Frozen {
    pub fresh: Arc<Fresh>,
    pub dead: Dead,
}

#[derive(Clone, Debug)]
pub struct Live {
    pub segments: Vec<Held>,
    /// Segments that cannot be read, and why.
    pub broken: Vec<(SegmentEntry, String)>,
    /// What is damaged in the logs, one sentence each, and the numbers of those logs.
    pub log_damage: Vec<String>,
    pub damaged_logs: Vec<u64>,
    /// Counters as they were when this was read.
    pub counters: BTreeMap<String, u64>,
    /// How many names the manifest had for the guard.
    pub names: u64,
    /// Whether anything was to be forgotten since the last merge, found or not.
    pub forgot: bool,
    /// Segments of a training that goes on, and may be taken back: their ids are not known yet.
    pub provisional: Vec<u64>,
    pub frozen: Option<Frozen>,
    pub fresh: Fresh,
    pub fresh_dead: Dead,
    pub options: Options,
}

impl Live {
    fn new(options: &Options) -> Self {
        Self {
            segments: Vec::new(),
            broken: Vec::new(),
            log_damage: Vec::new(),
            damaged_logs: Vec::new(),
            counters: BTreeMap::new(),
            names: 0,
            forgot: false,
            provisional: Vec::new(),
            frozen: None,
            fresh: Fresh::new(options),
            fresh_dead: Dead::default(),
            options: options.clone(),
        }
    }

    /// Maps the segments of a manifest; those that cannot be read are kept aside.
    ///
    /// # Errors
    ///
    /// `Error::Newer` for a segment of a later version; `Error::Io` when the machine does not let a
    /// file be read that is there: it is no worse for that, and can be read another time.
    pub fn open(directory: &Path, entries: &[SegmentEntry], options: &Options) -> Result<Self> {
        let mut live = Self::new(options);
        for entry in entries {
            match Held::open(directory, entry, options) {
                Ok(held) => live.segments.push(held),
                Err(error) if is_lasting(&error) => {
                    live.broken.push((entry.clone(), error.to_string()));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(live)
    }

    /// Learns a message; false when there is no room for it.
    ///
    /// # Errors
    ///
    /// `Error::Input` when the table is full; memory has to be made anew then.
    pub fn learn<'t>(
        &mut self,
        about: &About<'_>,
        tokens: impl Iterator<Item = &'t str>,
    ) -> Result<bool> {
        let learned = self.fresh.learn(about, tokens)?;
        if learned && !self.provisional.is_empty() {
            let provisional = std::mem::take(&mut self.provisional);
            self.bury_known(std::slice::from_ref(&about.id), |held| {
                provisional.contains(&held.entry.number)
            });
            self.provisional = provisional;
        }
        Ok(learned)
    }

    /// The same from a log. Where an older message of the log has the id, the failure of a frame
    /// between them undid what had made room for this one: it takes the older one's place.
    ///
    /// # Errors
    ///
    /// As `learn`. False only where the delta is as long as a segment can be.
    pub fn learn_again<'t>(
        &mut self,
        about: &About<'_>,
        tokens: impl Iterator<Item = &'t str>,
    ) -> Result<bool> {
        if self.fresh.knows(&about.id, &self.fresh_dead) {
            let older = Forget::Message(about.id.clone());
            self.fresh.forget(&older, u64::MAX, &mut self.fresh_dead);
        }
        self.fresh.learn(about, tokens)
    }

    /// While logs are read again: each of them kept to the vocabulary's bound on its own, all of
    /// them together need not.
    pub fn lift_bounds(&mut self, lifted: bool) {
        let most = if lifted {
            u32::MAX
        } else {
            self.options.max_vocabulary
        };
        self.fresh.delta.set_most_tokens(most);
    }

    /// Whether a message that is there to stay has this id. A segment in which that cannot be found
    /// out serves no longer.
    pub fn knows(&mut self, id: &MessageId) -> bool {
        loop {
            match self.knows_in(id, |number| !self.provisional.contains(&number)) {
                Ok(known) => return known,
                Err((number, error)) => self.set_aside(number, error.to_string()),
            }
        }
    }

    /// Whether any message has this id.
    ///
    /// # Errors
    ///
    /// `Error::Damaged` for a message file that cannot be read.
    pub fn has(&self, id: &MessageId) -> Result<bool> {
        self.knows_in(id, |_| true).map_err(|(_, error)| error)
    }

    /// Whether a message of the deltas or of a segment that counts has this id.
    ///
    /// # Errors
    ///
    /// The number of a segment in which that cannot be found out, and why.
    pub fn knows_in(
        &self,
        id: &MessageId,
        counts: impl Fn(u64) -> bool,
    ) -> Result<bool, (u64, Error)> {
        if self.deltas().any(|(fresh, dead)| fresh.knows(id, dead)) {
            return Ok(true);
        }
        for held in self
            .segments
            .iter()
            .filter(|held| counts(held.entry.number))
        {
            let found = held
                .messages
                .find(id)
                .map_err(|error| (held.entry.number, error))?;
            if found.is_some_and(|message| !held.dead.contains(message)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The frozen delta, if there is one, and the one that grows.
    pub fn deltas(&self) -> impl Iterator<Item = (&Fresh, &Dead)> {
        let frozen = self
            .frozen
            .as_ref()
            .map(|frozen| (&*frozen.fresh, &frozen.dead));
        frozen.into_iter().chain([(&self.fresh, &self.fresh_dead)])
    }

    /// Of a message that is in a delta and in a segment, the one in the segment goes: it was
    /// trained while the other was added.
    pub fn bury_doubles(&mut self) {
        if self.segments.is_empty() {
            return;
        }
        let ids = self.ids();
        self.bury_known(&ids, |_| true);
    }

    /// The ids of the messages of the deltas, the chain's own aside.
    pub fn ids(&self) -> Vec<MessageId> {
        let ids = self.deltas().flat_map(|(fresh, dead)| fresh.ids(dead));
        ids.cloned().collect()
    }

    fn bury_known(&mut self, ids: &[MessageId], within: impl Fn(&Held) -> bool) {
        let mut failed = Vec::new();
        for held in self.segments.iter_mut().filter(|held| within(held)) {
            if let Err(error) = held.bury_known(ids) {
                failed.push((held.entry.number, error.to_string()));
            }
        }
        for (number, why) in failed {
            self.set_aside(number, why);
        }
    }

    /// Whether only what enough authors or messages had may be said. How many had it is known when
    /// a segment is built, and no more once something of it was forgotten.
    pub fn counts_support(&self) -> bool {
        counts_support(&self.options)
    }

    /// Whether something was forgotten on which a transition may still stand, or too much to take
    /// it off one by one: its segment is silent until it is merged.
    pub fn has_silenced(&self) -> bool {
        self.segments.iter().any(|held| self.is_silenced(held))
    }

    fn is_silenced(&self, held: &Held) -> bool {
        held.dead.is_silent() || self.counts_support() && !held.dead.is_empty()
    }

    /// A segment that is damaged serves no longer. The manifest goes on naming it, so that its
    /// files can be put back.
    pub fn set_aside(&mut self, number: u64, why: String) {
        if let Some(index) = self
            .segments
            .iter()
            .position(|held| held.entry.number == number)
        {
            let held = self.segments.remove(index);
            self.broken.push((held.entry, why));
        }
    }

    /// What is damaged, one sentence each.
    pub fn damage(&self) -> Vec<String> {
        let segments = self.broken.iter().map(|(_, why)| why);
        segments.chain(&self.log_damage).cloned().collect()
    }

    /// Takes the delta out to be merged; an empty one takes its place.
    pub fn freeze(&mut self) -> Frozen {
        let fresh = std::mem::replace(&mut self.fresh, Fresh::new(&self.options));
        let frozen = Frozen {
            fresh: Arc::new(fresh),
            dead: std::mem::take(&mut self.fresh_dead),
        };
        self.frozen = Some(frozen.clone());
        frozen
    }

    /// Whether nothing may be said although something was learned: too few are known to have said it.
    pub fn is_mute(&self) -> bool {
        let says = |held: &Held| held.segment.about().transitions > 0 && !self.is_silenced(held);
        let waits = self.counts_support() || self.deltas().all(|(fresh, _)| fresh.delta.is_empty());
        waits && self.messages() > 0 && !self.segments.iter().any(says)
    }

    /// Messages that are not forgotten.
    pub fn messages(&self) -> u64 {
        let in_delta =
            |(fresh, dead): (&Fresh, &Dead)| fresh.table.len() as u64 - u64::from(dead.len());
        self.segments.iter().map(Held::alive).sum::<u64>()
            + self.deltas().map(in_delta).sum::<u64>()
    }

    /// Bytes that the deltas and what was forgotten take in memory.
    pub fn memory_bytes(&self) -> usize {
        let deltas = self
            .deltas()
            .map(|(fresh, dead)| fresh.memory_bytes() + dead.memory_bytes());
        let segments = self.segments.iter().map(|held| held.dead.memory_bytes());
        deltas.sum::<usize>() + segments.sum::<usize>()
    }

    /// The chain as a generator reads it. Where support counts it speaks from whole segments alone:
    /// only they know who had a transition.
    pub fn voice(&self, weight: u32) -> Voice<'_> {
        let backward = self.options.backward
            && self
                .segments
                .iter()
                .all(|held| held.segment.about().backward);
        Voice {
            forward: self.speaker(Direction::Forward, weight),
            backward: backward.then(|| self.speaker(Direction::Backward, weight)),
            max_copied_tokens: self.options.max_copied_tokens,
        }
    }

    fn speaker(&self, direction: Direction, weight: u32) -> Speaker<'_> {
        let (mut parts, mut silent) = (Vec::new(), Vec::new());
        for held in &self.segments {
            let part = Part::of_segment(&held.segment, held.dead.side(direction), direction);
            if self.is_silenced(held) {
                silent.push(part);
            } else {
                parts.push(part);
            }
        }
        for (fresh, dead) in self.deltas().filter(|(fresh, _)| !fresh.delta.is_empty()) {
            let part = Part::of_delta(&fresh.delta, dead.side(direction), direction);
            if self.counts_support() {
                silent.extend(part);
            } else {
                parts.extend(part);
            }
        }
        Speaker {
            parts,
            silent,
            order: usize::from(self.options.order),
            weight,
        }
    }
}

/// Whether an error is one of the file, and not of the moment.
fn is_lasting(error: &Error) -> bool {
    match error {
        Error::Damaged { .. } => true,
        Error::Io { source, .. } => source.kind() == ErrorKind::NotFound,
        _ => false,
    }
}
