//! Messages of a file, gathered for the next segment.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use smallvec::SmallVec;
use xxhash_rust::xxh3::xxh3_128_with_seed;

use super::learn::{Added, Prepared};
use crate::guard::Replaced;
use crate::messages::{About, Table};
use crate::segment::build::Corpus;
use crate::segment::states::BOUNDARY;
use crate::storage::MessageId;
use crate::{Record, Result};

/// New tokens of a message that are looked for without room on the heap.
const FEW_TOKENS: usize = 32;

#[derive(Default)]
pub(super) struct Gathered {
    pub corpus: Corpus,
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
        self.corpus.text.len() as u64
    }

    /// Bytes that it takes in memory.
    pub fn memory_bytes(&self) -> usize {
        let text = self.corpus.text.capacity() * size_of::<u32>();
        let names = self.table.memory_bytes() + self.ids.memory_bytes();
        self.corpus.vocabulary.memory_bytes() + text + names
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
    /// `Error::Input` when a segment holds no more.
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
        if !self.intern(tokens, most_tokens) {
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

    /// Puts a message's tokens at the end of the text; false, and nothing is there, when the
    /// vocabulary has no room for them.
    fn intern<'t>(&mut self, tokens: impl Iterator<Item = &'t str>, most_tokens: u32) -> bool {
        let tokens: SmallVec<[&str; FEW_TOKENS]> = tokens.collect();
        if !self.has_room(&tokens, most_tokens) {
            return false;
        }
        let start = self.corpus.text.len();
        for token in tokens {
            let Some(number) = self.corpus.vocabulary.intern(token, most_tokens) else {
                self.corpus.text.truncate(start);
                return false;
            };
            self.corpus.text.push(number);
        }
        self.corpus.text.push(BOUNDARY);
        true
    }

    /// Whether all tokens of a message have room: those of a refused one would take it from the
    /// next.
    fn has_room(&self, tokens: &[&str], most_tokens: u32) -> bool {
        let vocabulary = &self.corpus.vocabulary;
        let room = (most_tokens as usize + 1).saturating_sub(vocabulary.len());
        if tokens.len() <= room {
            return true;
        }
        let new: HashSet<&&str> = tokens
            .iter()
            .filter(|token| vocabulary.find(token).is_none())
            .collect();
        new.len() <= room
    }
}
