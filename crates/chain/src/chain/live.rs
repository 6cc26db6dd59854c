//! What a chain knows at this moment: its segments, and what was learned since in memory.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

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

    /// Whether a message that is there to stay has this id.
    ///
    /// # Errors
    ///
    /// `Error::Damaged` for a message file that cannot be read.
    pub fn knows(&self, id: &MessageId) -> Result<bool> {
        self.knows_in(id, |number| !self.provisional.contains(&number))
    }

    /// Whether any message has this id.
    ///
    /// # Errors
    ///
    /// As `knows`.
    pub fn has(&self, id: &MessageId) -> Result<bool> {
        self.knows_in(id, |_| true)
    }

    fn knows_in(&self, id: &MessageId, counts: impl Fn(u64) -> bool) -> Result<bool> {
        if self.deltas().any(|(fresh, dead)| fresh.knows(id, dead)) {
            return Ok(true);
        }
        for held in self
            .segments
            .iter()
            .filter(|held| counts(held.entry.number))
        {
            if held
                .messages
                .find(id)?
                .is_some_and(|message| !held.dead.contains(message))
            {
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

    /// Forgets what matches and came no later than a sequence number; how many messages that were.
    /// A segment in which that cannot be done serves no longer.
    pub fn forget(&mut self, what: &Forget, up_to_sequence: u64) -> u64 {
        let mut count = self.in_segments(|held| held.forget(what, up_to_sequence));
        if let Some(frozen) = &mut self.frozen {
            count += frozen.fresh.forget(what, up_to_sequence, &mut frozen.dead);
        }
        count
            + self
                .fresh
                .forget(what, up_to_sequence, &mut self.fresh_dead)
    }

    /// Of a message that is in a delta and in a segment, the one in the segment goes: it was
    /// trained while the other was added.
    pub fn bury_doubles(&mut self) {
        if self.segments.is_empty() {
            return;
        }
        let ids: Vec<MessageId> = self
            .deltas()
            .flat_map(|(fresh, dead)| fresh.ids(dead))
            .cloned()
            .collect();
        self.bury_known(&ids, |_| true);
    }

    fn bury_known(&mut self, ids: &[MessageId], within: impl Fn(&Held) -> bool) {
        self.in_segments(|held| {
            let mut count = 0;
            if within(held) {
                for id in ids.iter().filter(|id| !matches!(id, MessageId::Own(_))) {
                    count += held.forget(&Forget::Message(id.clone()), u64::MAX)?;
                }
            }
            Ok(count)
        });
    }

    fn in_segments(&mut self, mut change: impl FnMut(&mut Held) -> Result<u64>) -> u64 {
        let mut count = 0;
        let mut failed = Vec::new();
        for held in &mut self.segments {
            match change(held) {
                Ok(some) => count += some,
                Err(error) => failed.push((held.entry.number, error.to_string())),
            }
        }
        for (number, why) in failed {
            self.set_aside(number, why);
        }
        count
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
        let says = |held: &Held| held.segment.about().transitions > 0;
        let waits = self.options.guarded || self.deltas().all(|(fresh, _)| fresh.delta.is_empty());
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

    /// The chain as a generator reads it. A guarded chain speaks from segments alone: only they
    /// know who had a transition.
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
        let segments = self.segments.iter();
        let mut parts: Vec<Part<'_>> = segments
            .map(|held| Part::of_segment(&held.segment, held.dead.side(direction), direction))
            .collect();
        let mut silent = Vec::new();
        for (fresh, dead) in self.deltas().filter(|(fresh, _)| !fresh.delta.is_empty()) {
            if self.options.guarded {
                silent.push(&fresh.delta);
            } else {
                parts.extend(Part::of_delta(
                    &fresh.delta,
                    dead.side(direction),
                    direction,
                ));
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
