//! The mapped file: what is known about a message, its tokens, and which messages to forget.
//!
//! Opening looks at a few numbers only. Everything read later is checked where it is used, so that
//! a damaged file is an error and never a panic; what a checksum alone can tell, `verify` does.

use std::ops::{ControlFlow, Range};
use std::path::Path;

use super::about::{About, OwnedAbout, time_code, time_of};
use super::stored::Stored;
use super::texts::Texts;
use super::tokens::{self, STRIDE};
use super::{
    ADDRESSES, ATTACHED, AUTHOR_NAMES, AUTHORS, CHANNEL_NAMES, CHANNELS, HEADER, HEADER_WORDS,
    ID_NAMES, IDS, KIND, OFFSETS, ORDER, SEQUENCES, TIMES, TOKENS, find_ascending, id,
};
use crate::sections::Sections;
use crate::storage::MessageId;
use crate::{Error, Result};

/// The messages of a segment.
#[derive(Debug)]
pub struct Messages {
    pub(super) sections: Sections,
    pub(super) count: usize,
    pub(super) sequences: Stored,
    pub(super) ids: Stored,
    pub(super) authors: Stored,
    pub(super) channels: Stored,
    pub(super) times: Stored,
    /// Empty if ids ascend.
    pub(super) order: Range<usize>,
    pub(super) id_names: Texts,
    pub(super) author_names: Texts,
    pub(super) channel_names: Texts,
    pub(super) attached: Range<usize>,
    pub(super) addresses: Texts,
    pub(super) tokens: Range<usize>,
    pub(super) offsets: Range<usize>,
}

impl Messages {
    /// Maps a file.
    ///
    /// # Errors
    ///
    /// `Error::Damaged` if it is no such file, or its parts do not fit each other; `Error::Newer`;
    /// `Error::Io`.
    pub fn open(path: &Path) -> Result<Self> {
        let sections = Sections::open(path, KIND)?;
        let damaged = |what: &str| Error::damaged(path, what);
        let header = sections.range::<u64>(HEADER)?;
        let header: [u64; HEADER_WORDS] = sections
            .slice::<u64>(&header)
            .try_into()
            .map_err(|_| damaged("its header has another length"))?;
        let count =
            u32::try_from(header[0]).map_err(|_| damaged("it counts too many messages"))? as usize;
        let column = |section: u32, place: usize| {
            let words = [header[place], header[place + 1]];
            Stored::open(&sections, section, words, count)?.ok_or_else(|| {
                damaged(&format!(
                    "column {section} does not fit its {count} messages"
                ))
            })
        };
        let names = |section: u32, indexed: bool| {
            Texts::open(&sections, section, indexed)?
                .ok_or_else(|| damaged(&format!("the index of names {section} has an odd length")))
        };
        let messages = Self {
            sequences: column(SEQUENCES, 1)?,
            ids: column(IDS, 3)?,
            authors: column(AUTHORS, 5)?,
            channels: column(CHANNELS, 7)?,
            times: column(TIMES, 9)?,
            order: sections.range::<u32>(ORDER)?,
            id_names: names(ID_NAMES, true)?,
            author_names: names(AUTHOR_NAMES, true)?,
            channel_names: names(CHANNEL_NAMES, true)?,
            attached: sections.range::<u32>(ATTACHED)?,
            addresses: names(ADDRESSES, false)?,
            tokens: sections.range::<u8>(TOKENS)?,
            offsets: sections.range::<u32>(OFFSETS)?,
            count,
            sections,
        };
        messages.check_lengths()?;
        Ok(messages)
    }

    fn check_lengths(&self) -> Result<()> {
        let words = |range: &Range<usize>| range.len() / size_of::<u32>();
        if words(&self.offsets) != self.count.div_ceil(STRIDE) {
            return Err(self.damaged("its offsets do not fit its messages"));
        }
        if !self.order.is_empty() && words(&self.order) != self.count {
            return Err(self.damaged("the order of its ids does not fit its messages"));
        }
        if words(&self.attached) + 1 != self.addresses.count() {
            return Err(self.damaged("its attachments do not fit their addresses"));
        }
        Ok(())
    }

    pub(super) fn damaged(&self, what: impl Into<String>) -> Error {
        Error::damaged(self.sections.path(), what)
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Bytes of the file.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.sections.bytes()
    }

    /// The sequence number of a message; the highest there is for a message that is none.
    #[must_use]
    pub fn sequence(&self, index: usize) -> u64 {
        self.sequences
            .get(&self.sections, index)
            .unwrap_or(u64::MAX)
    }

    /// What is known about a message.
    ///
    /// # Errors
    ///
    /// `Error::Damaged` if the file has no such message, or the row refers to what is not there.
    pub fn about(&self, index: usize) -> Result<OwnedAbout> {
        let mut attachments = Vec::new();
        Ok(self.about_in(index, &mut attachments)?.into_owned())
    }

    /// The same without copying names: only attachments are put into the buffer, which is cleared
    /// before.
    ///
    /// # Errors
    ///
    /// As for `about`.
    pub fn about_in<'a>(
        &'a self,
        index: usize,
        attachments: &'a mut Vec<String>,
    ) -> Result<About<'a>> {
        let sections = &self.sections;
        let wrong = |what: &str| self.damaged(format!("message {index} has no such {what}"));
        let cell = |column: &Stored| column.get(sections, index).ok_or_else(|| wrong("row"));
        let name = |names: &'a Texts, number: u64| names.get(sections, number);
        let sequence = cell(&self.sequences)?;
        let id_name = |number: u32| name(&self.id_names, number.into());
        self.read_attachments(index, attachments)?;
        Ok(About {
            sequence,
            id: id::decode(cell(&self.ids)?, sequence, id_name).ok_or_else(|| wrong("id"))?,
            author: name(&self.author_names, cell(&self.authors)?)
                .ok_or_else(|| wrong("author"))?,
            channel: name(&self.channel_names, cell(&self.channels)?)
                .ok_or_else(|| wrong("channel"))?,
            time_ms: time_of(cell(&self.times)?),
            attachments,
        })
    }

    /// The message of each attachment, ascending unless the file is damaged.
    #[must_use]
    pub fn attached(&self) -> &[u32] {
        self.sections.slice::<u32>(&self.attached)
    }

    fn read_attachments(&self, index: usize, into: &mut Vec<String>) -> Result<()> {
        into.clear();
        let attached = self.attached();
        let first = attached.partition_point(|&message| (message as usize) < index);
        let of = attached[first..]
            .iter()
            .take_while(|&&message| message as usize == index);
        let mut room = self.addresses.bytes();
        for row in first..first + of.count() {
            let address = self.addresses.get(&self.sections, row as u64 + 1);
            // Damaged ends may overlap: no message has more than all of them together.
            let left = address.and_then(|address| room.checked_sub(address.len()));
            let (Some(address), Some(left)) = (address, left) else {
                return Err(self.damaged(format!("attachment {row} lies nowhere")));
            };
            into.push(address.to_owned());
            room = left;
        }
        Ok(())
    }

    /// The tokens of a message as numbers, in place of what the buffer held; whether the vocabulary
    /// has them is not known here.
    ///
    /// # Errors
    ///
    /// `Error::Damaged` if the file has no such message, or its bytes are no tokens.
    pub fn tokens(&self, index: usize, into: &mut Vec<u32>) -> Result<()> {
        into.clear();
        let wrong = || self.damaged(format!("the tokens of message {index} lie nowhere"));
        if index >= self.count {
            return Err(wrong());
        }
        let offset = self.sections.slice::<u32>(&self.offsets)[index / STRIDE];
        let bytes = self.sections.slice::<u8>(&self.tokens);
        let bytes = bytes.get(offset as usize..).ok_or_else(wrong)?;
        let mut bytes = tokens::skip(bytes, index % STRIDE).map_err(|_| wrong())?;
        tokens::take_message(&mut bytes, into).map_err(|_| wrong())
    }

    /// Reads all messages one after the other, until `f` breaks off.
    ///
    /// # Errors
    ///
    /// `Error::Damaged` at the first message whose bytes are no tokens; `f` had those before it.
    pub fn for_each_tokens(
        &self,
        mut f: impl FnMut(usize, &[u32]) -> ControlFlow<()>,
    ) -> Result<()> {
        let mut bytes = self.sections.slice::<u8>(&self.tokens);
        let mut message = Vec::new();
        for index in 0..self.count {
            message.clear();
            let wrong = |_| self.damaged(format!("the tokens of message {index} cannot be read"));
            tokens::take_message(&mut bytes, &mut message).map_err(wrong)?;
            if f(index, &message).is_break() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// The latest message with an id.
    ///
    /// # Errors
    ///
    /// `Error::Damaged` if the order of ids names messages that are not there.
    pub fn find(&self, id: &MessageId) -> Result<Option<u32>> {
        Ok(self.find_all(id)?.last().copied())
    }

    /// Every message with an id, ascending: more than one where it was replaced, or learned twice at
    /// the same time.
    ///
    /// # Errors
    ///
    /// As `find`.
    pub fn find_all(&self, id: &MessageId) -> Result<Vec<u32>> {
        let name = |text: &str| self.id_names.find(&self.sections, text);
        let MessageId::Own(number) = id else {
            let code = id::encode(id, 0, name);
            return code.map_or(Ok(Vec::new()), |code| self.find_code(code));
        };
        // An own id is a sequence number, or one that another chain gave.
        let own = self.find_sequence(*number);
        let own = own.filter(|&at| self.ids.get(&self.sections, at as usize) == Some(id::SEQUENCE));
        let foreign = id::encode(id, !number, name);
        let mut found = foreign.map_or(Ok(Vec::new()), |code| self.find_code(code))?;
        found.extend(own);
        found.sort_unstable();
        Ok(found)
    }

    fn find_code(&self, code: u64) -> Result<Vec<u32>> {
        let order = self.sections.slice::<u32>(&self.order);
        let lost = || self.damaged("the order of its ids names messages that it has not");
        let message = |place: usize| order.get(place).map_or(place, |&index| index as usize);
        let held = |place: usize| {
            let held = self.ids.get(&self.sections, message(place));
            held.ok_or_else(lost)
        };
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = low.midpoint(high);
            if held(middle)? < code {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let mut found = Vec::new();
        while low < self.count && held(low)? == code {
            found.push(message(low) as u32);
            low += 1;
        }
        Ok(found)
    }

    /// The message with a sequence number.
    #[must_use]
    pub fn find_sequence(&self, sequence: u64) -> Option<u32> {
        find_ascending(self.count, sequence, |message| self.sequence(message))
    }

    /// The messages of an author, ascending; for the empty text those without one.
    #[must_use]
    pub fn by_author(&self, author: &str) -> Vec<u32> {
        self.by_name(&self.authors, &self.author_names, author)
    }

    /// The messages of a channel, ascending; for the empty text those without one.
    #[must_use]
    pub fn by_channel(&self, channel: &str) -> Vec<u32> {
        self.by_name(&self.channels, &self.channel_names, channel)
    }

    fn by_name(&self, column: &Stored, names: &Texts, name: &str) -> Vec<u32> {
        let found = names.find(&self.sections, name);
        found.map_or_else(Vec::new, |number| {
            column.which(&self.sections, |held| held == u64::from(number))
        })
    }

    /// The messages from before a time in milliseconds, ascending; those without a time are not
    /// among them.
    #[must_use]
    pub fn before(&self, time_ms: i64) -> Vec<u32> {
        let end = time_code(Some(time_ms));
        self.times
            .which(&self.sections, |time| time != 0 && time < end)
    }
}
