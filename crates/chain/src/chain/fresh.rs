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
    /// Bytes of the texts in them.
    id_bytes: usize,
}

/// Of an entry in a table of ids: the entry and its control byte.
const ID_BYTES: usize = size_of::<(MessageId, u32)>() + 1;

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
            id_bytes: 0,
        }
    }

    pub fn memory_bytes(&self) -> usize {
        self.delta.memory_bytes()
            + self.table.memory_bytes()
            + self.ids.capacity() * 8 / 7 * ID_BYTES
            + self.id_bytes
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
            let is_new = self.ids.insert(about.id.clone(), message).is_none();
            if let (MessageId::Text(text), true) = (&about.id, is_new) {
                self.id_bytes += text.len();
            }
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

    /// The messages that match, forgotten ones too.
    pub fn find(&self, what: &Forget) -> Vec<u32> {
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
        self.bury(&self.find(what), up_to_sequence, dead)
    }

    /// Takes these messages off, beside what was forgotten before; how many of them were not.
    pub fn bury(&self, found: &[u32], up_to_sequence: u64, dead: &mut Dead) -> u64 {
        let mut count = 0;
        for &message in found {
            if self.table.sequence(message as usize) <= up_to_sequence && dead.mark(message) {
                count += 1;
                bury::in_delta(&self.delta, message, dead);
            }
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_texts_of_ids_count_once() {
        let mut fresh = Fresh::new(&Options::default());
        let long = "x".repeat(10_000);
        let mut learn = |sequence: u64, id: MessageId| {
            let about = About {
                sequence,
                id,
                author: "",
                channel: "",
                time_ms: None,
                attachments: &[],
            };
            assert!(fresh.learn(&about, ["a"].into_iter()).unwrap());
            fresh.memory_bytes() - fresh.table.memory_bytes()
        };
        let before = learn(1, MessageId::Number(1));
        let with_text = learn(2, MessageId::Text(long.clone()));
        assert!(with_text >= before + long.len());
        let again = learn(3, MessageId::Text(long.clone()));
        assert!(again < with_text + long.len());
    }
}
