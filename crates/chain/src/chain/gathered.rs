//! Messages of a file, gathered for the next segment.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use xxhash_rust::xxh3::xxh3_128_with_seed;

use super::interning::Interning;
use super::learn::{Added, Prepared};
use crate::guard::Replaced;
use crate::messages::{About, Table};
use crate::storage::MessageId;
use crate::{Record, Result};

#[derive(Default)]
pub(super) struct Gathered {
    pub corpus: Interning,
    pub table: Table,
    pub added: Added,
    pub replaced: Replaced,
    ids: Ids,
    greatest_own: u64,
}

/// The ids of messages, the chain's own aside, of which there are no two.
pub(super) struct Ids {
    numbers: HashSet<u64>,
    texts: HashSet<u128>,
    /// So that nobody can prepare texts that are taken for one.
    seed: u64,
}

impl Default for Ids {
    fn default() -> Self {
        Self {
            numbers: HashSet::new(),
            texts: HashSet::new(),
            seed: RandomState::new().hash_one(()),
        }
    }
}

impl Ids {
    fn has(&self, id: &MessageId) -> bool {
        match id {
            MessageId::Number(number) => self.numbers.contains(number),
            MessageId::Text(text) => self.texts.contains(&self.key(text)),
            MessageId::Own(_) => false,
        }
    }

    /// Enters an id; whether it is new.
    pub fn insert(&mut self, id: &MessageId) -> bool {
        match id {
            MessageId::Number(number) => self.numbers.insert(*number),
            MessageId::Text(text) => {
                let key = self.key(text);
                self.texts.insert(key)
            }
            MessageId::Own(_) => true,
        }
    }

    fn key(&self, text: &str) -> u128 {
        xxh3_128_with_seed(text.as_bytes(), self.seed)
    }

    fn memory_bytes(&self) -> usize {
        self.numbers.capacity() * size_of::<u64>() + self.texts.capacity() * size_of::<u128>()
    }
}

impl Gathered {
    /// Places that it takes of a segment.
    pub fn places(&self) -> u64 {
        self.corpus.places()
    }

    /// Bytes that it takes in memory.
    pub fn memory_bytes(&self) -> usize {
        self.corpus.memory_bytes() + self.table.memory_bytes() + self.ids.memory_bytes()
    }

    /// Whether one of these messages has this id; never for the chain's own.
    pub fn has(&self, id: &MessageId) -> bool {
        self.ids.has(id)
    }

    /// Adds a message whose id is not there yet; what was cut and replaced counts when it is
    /// learned.
    ///
    /// # Errors
    ///
    /// `Error::Input` when a segment holds no more, `Error::Io` when no thread can be started.
    pub fn take(
        &mut self,
        sequence: u64,
        id: MessageId,
        record: &Record,
        one: &Prepared,
        most_tokens: u32,
    ) -> Result<()> {
        if one.tokens.is_empty() {
            self.added.empty += 1;
            return Ok(());
        }
        let about = About {
            sequence,
            id,
            author: &record.author,
            channel: &record.channel,
            time_ms: record.time_ms,
            attachments: &record.attachments,
        };
        if self.take_tokens(&about, one.tokens.iter(), most_tokens)? {
            self.added.cut += one.cut;
            self.replaced += &one.replaced;
        }
        Ok(())
    }

    /// The same with its tokens; false when the vocabulary has no room for them.
    ///
    /// # Errors
    ///
    /// As `take`.
    pub fn take_tokens<'t>(
        &mut self,
        about: &About<'_>,
        tokens: impl Iterator<Item = &'t str>,
        most_tokens: u32,
    ) -> Result<bool> {
        if !self.corpus.push(tokens, most_tokens)? {
            self.added.no_room += 1;
            return Ok(false);
        }
        self.ids.insert(&about.id);
        if let MessageId::Own(number) = &about.id {
            self.greatest_own = self.greatest_own.max(*number);
        }
        self.added.learned += 1;
        self.table.push(about)?;
        Ok(true)
    }

    /// The greatest of the chain's own ids; 0 if there is none.
    pub fn greatest_own(&self) -> u64 {
        self.greatest_own
    }
}
