//! What is known about the messages of a growing segment.

use super::about::{About, time_code, time_of};
use super::column::{Column, Number};
use super::{find_ascending, id};
use crate::segment::vocabulary::Interner;
use crate::{Error, Result};

/// Most messages of a table.
const MOST_MESSAGES: usize = u32::MAX as usize;

/// One row a message, in the order of sequence numbers. A column that says the same of all messages
/// takes no memory.
#[derive(Clone, Debug, Default)]
pub struct Table {
    pub(super) length: usize,
    pub(super) sequences: Column<u64>,
    pub(super) ids: Column<u64>,
    pub(super) authors: Column<u32>,
    pub(super) channels: Column<u32>,
    pub(super) times: Column<u64>,
    pub(super) id_names: Interner,
    pub(super) author_names: Interner,
    pub(super) channel_names: Interner,
    /// Messages that have any, ascending.
    pub(super) attachments: Vec<(u32, Box<[String]>)>,
    /// How many there are, and their bytes.
    attachment_count: usize,
    attachment_bytes: usize,
}

impl Table {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a message, whose sequence number is above that of the one before.
    ///
    /// # Errors
    ///
    /// `Error::Input` if 32 bits do not count the messages, or the bytes of their names; the table
    /// then has the messages that it had.
    pub fn push(&mut self, about: &About) -> Result<()> {
        debug_assert!(
            self.length == 0 || self.sequences.get(self.length - 1) < about.sequence,
            "sequence numbers ascend"
        );
        let full = || {
            Error::input(
                "a segment holds no more messages or names (4 GiB of one kind): \
                 merge what there is before adding more",
            )
        };
        if self.length >= MOST_MESSAGES {
            return Err(full());
        }
        let added: usize = about.attachments.iter().map(String::len).sum();
        let attached = self.attachment_bytes.saturating_add(added);
        if attached > u32::MAX as usize {
            return Err(full());
        }
        let author = self
            .author_names
            .intern(about.author, u32::MAX)
            .ok_or_else(full)?;
        let channel = self
            .channel_names
            .intern(about.channel, u32::MAX)
            .ok_or_else(full)?;
        let name = |text: &str| self.id_names.intern(text, u32::MAX);
        let id = id::encode(&about.id, about.sequence, name).ok_or_else(full)?;
        self.sequences.push(self.length, about.sequence);
        self.ids.push(self.length, id);
        self.authors.push(self.length, author);
        self.channels.push(self.length, channel);
        self.times.push(self.length, time_code(about.time_ms));
        if !about.attachments.is_empty() {
            self.attachments
                .push((self.length as u32, about.attachments.into()));
            self.attachment_count += about.attachments.len();
            self.attachment_bytes = attached;
        }
        self.length += 1;
        Ok(())
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.length
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// What is known about a message, by its place in the table.
    ///
    /// # Panics
    /// If the table is not that long.
    #[must_use]
    pub fn about(&self, index: usize) -> About<'_> {
        assert!(index < self.length, "message {index} of {}", self.length);
        let sequence = self.sequences.get(index);
        let id = id::decode(self.ids.get(index), sequence, |name| {
            Some(self.id_names.get(name))
        });
        let attached = self
            .attachments
            .binary_search_by_key(&(index as u32), |(message, _)| *message);
        About {
            sequence,
            id: id.expect("the table wrote the code itself"),
            author: self.author_names.get(self.authors.get(index)),
            channel: self.channel_names.get(self.channels.get(index)),
            time_ms: time_of(self.times.get(index)),
            attachments: attached.map_or(&[], |place| &*self.attachments[place].1),
        }
    }

    /// The messages that have attachments, ascending, and these.
    #[must_use]
    pub fn attached(&self) -> &[(u32, Box<[String]>)] {
        &self.attachments
    }

    #[must_use]
    pub fn sequence(&self, index: usize) -> u64 {
        self.sequences.get(index)
    }

    /// A number that an author has in this table alone; 0 is unknown.
    #[must_use]
    pub fn author_number(&self, index: usize) -> u32 {
        self.authors.get(index)
    }

    /// Raises every sequence number, and the chain's own ids with them.
    pub fn shift(&mut self, by: u64) {
        match &mut self.sequences {
            Column::Same(value) | Column::Run(value) => *value += by,
            Column::Each(values) => values.iter_mut().for_each(|value| *value += by),
        }
    }

    /// The message with a sequence number.
    #[must_use]
    pub fn find_sequence(&self, sequence: u64) -> Option<u32> {
        find_ascending(self.length, sequence, |message| self.sequence(message))
    }

    /// The messages of an author, ascending; for the empty text those without one.
    #[must_use]
    pub fn by_author(&self, author: &str) -> Vec<u32> {
        let number = self.author_names.find(author);
        number.map_or_else(Vec::new, |number| {
            self.which(&self.authors, |of| of == number)
        })
    }

    /// The messages of a channel, ascending; for the empty text those without one.
    #[must_use]
    pub fn by_channel(&self, channel: &str) -> Vec<u32> {
        let number = self.channel_names.find(channel);
        number.map_or_else(Vec::new, |number| {
            self.which(&self.channels, |of| of == number)
        })
    }

    /// The messages from before a time in milliseconds, ascending; those without a time are not
    /// among them.
    #[must_use]
    pub fn before(&self, time_ms: i64) -> Vec<u32> {
        let end = time_code(Some(time_ms));
        self.which(&self.times, |time| time != 0 && time < end)
    }

    fn which<T: Number>(&self, column: &Column<T>, matches: impl Fn(T) -> bool) -> Vec<u32> {
        let all = 0..self.length;
        all.filter(|&index| matches(column.get(index)))
            .map(|index| index as u32)
            .collect()
    }

    /// Bytes on the heap; in O(1).
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let columns = self.sequences.memory_bytes()
            + self.ids.memory_bytes()
            + self.authors.memory_bytes()
            + self.channels.memory_bytes()
            + self.times.memory_bytes();
        let names = self.id_names.memory_bytes()
            + self.author_names.memory_bytes()
            + self.channel_names.memory_bytes();
        let addresses = self.attachment_count * size_of::<String>();
        let rows = self.attachments.capacity() * size_of::<(u32, Box<[String]>)>();
        columns + names + rows + addresses + self.attachment_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::MessageId;

    fn plain(sequence: u64) -> About<'static> {
        About {
            sequence,
            id: MessageId::Own(sequence),
            author: "",
            channel: "",
            time_ms: None,
            attachments: &[],
        }
    }

    #[test]
    fn a_million_plain_lines_take_no_memory() {
        let mut table = Table::new();
        let before = table.memory_bytes();
        for sequence in 5..1_000_005 {
            table.push(&plain(sequence)).unwrap();
        }
        assert_eq!(table.memory_bytes(), before);
        assert_eq!(table.about(999_999), plain(1_000_004));
    }

    #[test]
    fn lines_after_some_were_forgotten_take_a_sequence_number_each() {
        let mut table = Table::new();
        for sequence in (0..4096).map(|one| one * 3 / 2) {
            table.push(&plain(sequence)).unwrap();
        }
        assert!(table.memory_bytes() <= 8 * 4096 + 4096);
        assert_eq!(table.about(4095), plain(4095 * 3 / 2));
    }

    #[test]
    fn attachments_stay_with_their_message() {
        let addresses = ["https://cdn.example/a.png".to_owned(), String::new()];
        let mut table = Table::new();
        for sequence in 0..10 {
            let attachments = if sequence % 4 == 1 {
                &addresses[..]
            } else {
                &[]
            };
            table
                .push(&About {
                    attachments,
                    ..plain(sequence)
                })
                .unwrap();
        }
        for index in 0..10 {
            let expected = if index % 4 == 1 { 2 } else { 0 };
            assert_eq!(
                table.about(index).attachments.len(),
                expected,
                "message {index}"
            );
        }
    }
}
