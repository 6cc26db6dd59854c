//! What was learned since the last segment, and can still be added to.

use std::collections::HashMap;

use super::bury;
use crate::Result;
use crate::dead::Dead;
use crate::delta::Delta;
use crate::messages::{About, Table};
use crate::storage::{Forget, MessageId, Options};

#[derive(Clone, Debug)]
pub struct Fresh {
    pub delta: Delta,
    pub table: Table,
    /// By id: the last message that has it.
    ids: HashMap<MessageId, u32>,
}

impl Fresh {
    pub fn new(options: &Options) -> Self {
        Self {
            delta: Delta::new(
                usize::from(options.order),
                options.backward,
                options.max_copied_tokens,
            )
            .with_most_tokens(options.max_vocabulary),
            table: Table::new(),
            ids: HashMap::new(),
        }
    }

    pub fn memory_bytes(&self) -> usize {
        self.delta.memory_bytes() + self.table.memory_bytes() + self.ids.capacity() * 48
    }

    /// Learns a message; false when there is no room for it.
    ///
    /// # Errors
    ///
    /// `Error::Input` when the table is full; memory is not consistent then.
    pub fn learn<'t>(
        &mut self,
        about: &About<'_>,
        tokens: impl Iterator<Item = &'t str>,
    ) -> Result<bool> {
        let Some(message) = self.delta.learn(tokens) else {
            return Ok(false);
        };
        self.table.push(about)?;
        if !matches!(about.id, MessageId::Own(_)) {
            self.ids.insert(about.id.clone(), message);
        }
        Ok(true)
    }

    pub fn knows(&self, id: &MessageId, dead: &Dead) -> bool {
        self.ids
            .get(id)
            .is_some_and(|&message| !dead.contains(message))
    }

    /// The ids of messages that are not forgotten, the chain's own aside.
    pub fn ids<'f>(&'f self, dead: &'f Dead) -> impl Iterator<Item = &'f MessageId> {
        let alive = self
            .ids
            .iter()
            .filter(|(_, message)| !dead.contains(**message));
        alive.map(|(id, _)| id)
    }

    fn find(&self, what: &Forget) -> Vec<u32> {
        match what {
            Forget::Message(id @ MessageId::Own(number)) => {
                // What is learned one by one has its sequence number for an id of its own.
                let found = self.table.find_sequence(*number);
                let own = found.filter(|&message| self.table.about(message as usize).id == *id);
                own.into_iter().collect()
            }
            Forget::Message(id) => self.ids.get(id).copied().into_iter().collect(),
            Forget::Author(author) => self.table.by_author(author),
            Forget::Channel(channel) => self.table.by_channel(channel),
            Forget::Before(time_ms) => self.table.before(*time_ms),
        }
    }

    /// Forgets what matches and came no later than a sequence number; how many messages that were.
    pub fn forget(&self, what: &Forget, up_to_sequence: u64, dead: &mut Dead) -> u64 {
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
