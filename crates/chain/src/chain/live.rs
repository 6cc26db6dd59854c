//! What a chain knows at this moment: its segments, and what was learned since in memory.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use super::bury;
use crate::dead::Dead;
use crate::delta::Delta;
use crate::generate::Voice;
use crate::messages::{About, Messages, Table};
use crate::segment::{Direction, Segment};
use crate::storage::{FileKind, Forget, MessageId, Options, SegmentEntry};
use crate::walk::{Part, Speaker};
use crate::{Error, Result};

/// One segment that can be read.
#[derive(Clone, Debug)]
pub struct Held {
    pub entry: SegmentEntry,
    pub segment: Arc<Segment>,
    pub messages: Arc<Messages>,
    pub dead: Dead,
}

impl Held {
    pub fn open(directory: &Path, entry: &SegmentEntry, options: &Options) -> Result<Self> {
        let path = FileKind::Segment.path(directory, entry.number);
        let segment = Segment::open(&path)?;
        let messages = Messages::open(&FileKind::Messages.path(directory, entry.number))?;
        let lengths = (segment.file_bytes(), messages.bytes(), messages.len() as u64);
        if lengths != (entry.bytes, entry.messages_bytes, entry.messages) {
            return Err(Error::damaged(&path, "it is not the file that the manifest names"));
        }
        let about = segment.about();
        if about.order != usize::from(options.order) {
            return Err(Error::damaged(&path, "it has another order than the manifest says"));
        }
        Ok(Self {
            entry: entry.clone(),
            segment: Arc::new(segment),
            messages: Arc::new(messages),
            dead: Dead::default(),
        })
    }

    /// Messages that are not forgotten.
    pub fn alive(&self) -> u64 {
        self.entry.messages - u64::from(self.dead.len())
    }

    fn find(&self, what: &Forget) -> Result<Vec<u32>> {
        Ok(match what {
            Forget::Message(id) => self.messages.find(id)?.into_iter().collect(),
            Forget::Author(author) => self.messages.by_author(author),
            Forget::Channel(channel) => self.messages.by_channel(channel),
            Forget::Before(time_ms) => self.messages.before(*time_ms),
        })
    }

    /// Forgets what matches and came no later than a sequence number; how many messages that were.
    pub fn forget(&mut self, what: &Forget, up_to_sequence: u64) -> Result<u64> {
        let mut count = 0;
        let mut tokens = Vec::new();
        for message in self.find(what)? {
            if self.messages.sequence(message as usize) > up_to_sequence || !self.dead.mark(message) {
                continue;
            }
            count += 1;
            self.messages.tokens(message as usize, &mut tokens)?;
            bury::in_segment(&self.segment, &tokens, &mut self.dead)
                .map_err(|_| Error::damaged(self.segment.path(), "a state cannot be read"))?;
        }
        Ok(count)
    }
}

/// What was learned since the last segment, and can still be added to.
#[derive(Clone, Debug)]
pub struct Fresh {
    pub delta: Delta,
    pub table: Table,
    /// By id: the last message that has it.
    ids: HashMap<MessageId, u32>,
}

impl Fresh {
    fn new(options: &Options) -> Self {
        Self {
            delta: Delta::new(usize::from(options.order), options.backward, options.max_copied_tokens)
                .with_most_tokens(options.max_vocabulary),
            table: Table::new(),
            ids: HashMap::new(),
        }
    }

    pub fn memory_bytes(&self) -> usize {
        self.delta.memory_bytes() + self.table.memory_bytes() + self.ids.capacity() * 48
    }

    fn find(&self, what: &Forget) -> Vec<u32> {
        let all = |matches: &dyn Fn(&About<'_>) -> bool| {
            (0..self.table.len() as u32)
                .filter(|&message| matches(&self.table.about(message as usize)))
                .collect()
        };
        match what {
            Forget::Message(id @ MessageId::Own(_)) => all(&|about| about.id == *id),
            Forget::Message(id) => self.ids.get(id).copied().into_iter().collect(),
            Forget::Author(author) => all(&|about| about.author == author),
            Forget::Channel(channel) => all(&|about| about.channel == channel),
            Forget::Before(time) => all(&|about| about.time_ms.is_some_and(|known| known < *time)),
        }
    }

    fn forget(&self, what: &Forget, up_to_sequence: u64, dead: &mut Dead) -> u64 {
        let mut count = 0;
        for message in self.find(what) {
            if self.table.sequence(message as usize) <= up_to_sequence && dead.mark(message) {
                count += 1;
                bury::in_delta(&self.delta, message, dead);
            }
        }
        count
    }
}

/// A delta that a merge is making into a segment.
#[derive(Clone, Debug)]
pub struct Frozen {
    pub fresh: Arc<Fresh>,
    pub dead: Dead,
}

#[derive(Debug)]
pub struct Live {
    pub segments: Vec<Held>,
    /// Segments that cannot be read, and why.
    pub broken: Vec<(SegmentEntry, String)>,
    pub frozen: Option<Frozen>,
    pub fresh: Fresh,
    pub fresh_dead: Dead,
    pub options: Options,
}

impl Live {
    pub fn new(options: &Options) -> Self {
        Self {
            segments: Vec::new(),
            broken: Vec::new(),
            frozen: None,
            fresh: Fresh::new(options),
            fresh_dead: Dead::default(),
            options: options.clone(),
        }
    }

    /// Maps the segments of a manifest; those that cannot be read are kept aside.
    pub fn open(directory: &Path, entries: &[SegmentEntry], options: &Options) -> Result<Self> {
        let mut live = Self::new(options);
        for entry in entries {
            match Held::open(directory, entry, options) {
                Ok(held) => live.segments.push(held),
                Err(newer @ Error::Newer { .. }) => return Err(newer),
                Err(error) => live.broken.push((entry.clone(), error.to_string())),
            }
        }
        Ok(live)
    }

    /// Learns a message; false when the vocabulary has no room for it.
    pub fn learn<'t>(&mut self, about: &About<'_>, tokens: impl Iterator<Item = &'t str>) -> Result<bool> {
        let Some(message) = self.fresh.delta.learn(tokens) else {
            return Ok(false);
        };
        self.fresh.table.push(about)?;
        if !matches!(about.id, MessageId::Own(_)) {
            self.fresh.ids.insert(about.id.clone(), message);
        }
        Ok(true)
    }

    /// Whether a live message has this id.
    pub fn knows(&self, id: &MessageId) -> Result<bool> {
        let in_fresh = |fresh: &Fresh, dead: &Dead| fresh.ids.get(id).is_some_and(|&message| !dead.contains(message));
        if in_fresh(&self.fresh, &self.fresh_dead)
            || self.frozen.as_ref().is_some_and(|frozen| in_fresh(&frozen.fresh, &frozen.dead))
        {
            return Ok(true);
        }
        for held in &self.segments {
            if held.messages.find(id)?.is_some_and(|message| !held.dead.contains(message)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Forgets what matches and came no later than a sequence number; how many messages that were.
    pub fn forget(&mut self, what: &Forget, up_to_sequence: u64) -> Result<u64> {
        let mut count = 0;
        for held in &mut self.segments {
            count += held.forget(what, up_to_sequence)?;
        }
        if let Some(frozen) = &mut self.frozen {
            count += frozen.fresh.forget(what, up_to_sequence, &mut frozen.dead);
        }
        Ok(count + self.fresh.forget(what, up_to_sequence, &mut self.fresh_dead))
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

    /// Messages that are not forgotten.
    pub fn messages(&self) -> u64 {
        let frozen = self.frozen.as_ref().map_or(0, |frozen| {
            frozen.fresh.table.len() as u64 - u64::from(frozen.dead.len())
        });
        self.segments.iter().map(Held::alive).sum::<u64>()
            + frozen
            + self.fresh.table.len() as u64
            - u64::from(self.fresh_dead.len())
    }

    /// The chain as a generator reads it. A guarded chain speaks from segments alone: only they know who had a transition.
    pub fn voice(&self, weight: u32) -> Voice<'_> {
        let backward = self.options.backward
            && self.segments.iter().all(|held| held.segment.about().backward);
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
        if !self.options.guarded {
            let frozen = self.frozen.as_ref().map(|frozen| (&*frozen.fresh, &frozen.dead));
            let fresh = std::iter::once((&self.fresh, &self.fresh_dead));
            for (fresh, dead) in frozen.into_iter().chain(fresh) {
                if !fresh.delta.is_empty() {
                    parts.extend(Part::of_delta(&fresh.delta, dead.side(direction), direction));
                }
            }
        }
        Speaker {
            parts,
            order: usize::from(self.options.order),
            weight,
        }
    }
}
