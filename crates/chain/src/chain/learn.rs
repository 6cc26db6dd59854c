//! Learning and forgetting one by one: durable when the call returns.

use std::borrow::Cow;
use std::ops::AddAssign;

use super::{Chain, WriterState};
use crate::guard::Replaced;
use crate::messages::About;
use crate::storage::{Batch, Forget, Learn, MessageId, Operation, StringsBuffer, Ticket};
use crate::tokens::{Cut, Tokens};
use crate::{Error, MAX_NAME_BYTES, Record, Result};

/// Messages that are learned under one lock, so that nobody waits long for the next sentence.
pub const MAX_BATCH: usize = 64;

/// What became of messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Added {
    pub learned: u64,
    /// Their id was known: they were learned before.
    pub duplicates: u64,
    /// Nothing was left of them: no words, or none but control characters.
    pub empty: u64,
    /// The vocabulary had no room for them.
    pub no_room: u64,
    pub cut: Cut,
    /// Secrets and personal data that were replaced.
    pub replaced: u64,
}

impl AddAssign for Added {
    fn add_assign(&mut self, other: Self) {
        self.learned += other.learned;
        self.duplicates += other.duplicates;
        self.empty += other.empty;
        self.no_room += other.no_room;
        self.cut += other.cut;
        self.replaced += other.replaced;
    }
}

/// Names of the counters that a chain keeps.
pub(super) mod counter {
    pub const TOKENS_DROPPED: &str = "tokens_dropped";
    pub const TOKENS_SHORTENED: &str = "tokens_shortened";
    pub const MESSAGES_CUT: &str = "messages_cut";
    pub const NO_ROOM: &str = "vocabulary_full";
    /// Before the kind of what was replaced.
    pub const REPLACED: &str = "replaced_";
}

/// What tokens are made of a message, and what that took.
pub(super) struct Prepared {
    pub tokens: Tokens,
    pub cut: Cut,
    pub replaced: Replaced,
}

impl Prepared {
    pub fn new() -> Self {
        Self {
            tokens: Tokens::new(),
            cut: Cut::default(),
            replaced: Replaced::default(),
        }
    }
}

impl Chain {
    /// Fills `into` with the tokens of a text, after the leak guard; what that took is added up there.
    pub(super) fn prepare(&self, text: &str, into: &mut Prepared) {
        let text = match &self.guard {
            Some(guard) => guard.redact(text, &mut into.replaced),
            None => Cow::Borrowed(text),
        };
        self.tokenizer.tokenize(&text, &mut into.tokens, &mut into.cut);
    }

    /// Learns messages, in order. Those whose id is known already are passed over.
    ///
    /// # Errors
    ///
    /// `Error::Input` for an id, author or channel that cannot be used: then nothing after the last whole 64 is learned. `Error::Io`
    /// when it could not be stored: what was not acknowledged is not learned.
    pub fn add(&self, records: &[Record]) -> Result<Added> {
        let mut added = Added::default();
        let mut last = None;
        for records in records.chunks(MAX_BATCH) {
            let (some, ticket) = self.append(records)?;
            added += some;
            last = ticket.or(last);
        }
        if let Some(ticket) = last {
            self.sync(&ticket)?;
        }
        Ok(added)
    }

    fn append(&self, records: &[Record]) -> Result<(Added, Option<Ticket>)> {
        let writer = self.writer()?;
        let mut added = Added::default();
        let mut prepared: Vec<(Tokens, &Record)> = Vec::with_capacity(records.len());
        let mut one = Prepared::new();
        for record in records {
            check(record)?;
            self.prepare(&record.text, &mut one);
            if one.tokens.is_empty() {
                added.empty += 1;
            } else {
                prepared.push((std::mem::take(&mut one.tokens), record));
            }
        }
        added.cut = one.cut;
        added.replaced = one.replaced.total();
        let mut batch = Batch::default();
        let (mut words, mut attached) = (StringsBuffer::default(), StringsBuffer::default());
        let mut state = writer.state()?;
        let mut live = self.live_mut();
        let first = state.next_sequence;
        for (tokens, record) in &prepared {
            let sequence = state.next_sequence;
            let id = match record.id.as_str() {
                "" => MessageId::Own(sequence),
                given => MessageId::given(given)?,
            };
            if !record.id.is_empty() && live.knows(&id)? {
                added.duplicates += 1;
                continue;
            }
            let about = About {
                sequence,
                id,
                author: &record.author,
                channel: &record.channel,
                time_ms: record.time_ms,
                attachments: &record.attachments,
            };
            if !live.learn(&about, tokens.iter())? {
                added.no_room += 1;
                continue;
            }
            words.clear();
            tokens.iter().for_each(|token| words.push(token));
            attached.clear();
            record.attachments.iter().for_each(|one| attached.push(one));
            let learn = Operation::Learn(Learn {
                sequence,
                id: about.id,
                author: about.author,
                channel: about.channel,
                time_ms: about.time_ms,
                attachments: attached.strings(),
                text_tokens: words.strings(),
            });
            if batch.push(&learn).is_err() {
                // The batch is full: what is in it goes first.
                writer.log.append(&batch).map(|ticket| state.last = Some(ticket))?;
                batch.clear();
                batch.push(&learn)?;
            }
            state.next_sequence += 1;
        }
        added.learned = state.next_sequence - first;
        drop(live);
        count(&mut state, &mut batch, &added, &one.replaced)?;
        if batch.operations() == 0 {
            return Ok((added, None));
        }
        let ticket = writer.log.append(&batch);
        match ticket {
            Ok(ticket) => {
                state.last = Some(ticket.clone());
                Ok((added, Some(ticket)))
            }
            Err(error) => {
                drop(state);
                self.recover(writer, &error);
                Err(error)
            }
        }
    }

    pub(super) fn sync(&self, ticket: &Ticket) -> Result<()> {
        let writer = self.writer()?;
        writer.log.sync_to(ticket).inspect_err(|error| self.recover(writer, error))
    }

    /// Forgets every message that matches; how many there were. It is out of every answer when the call returns, and out of every
    /// file after the next merge. A guarded chain is merged at once, since what was forgotten may have been what a transition
    /// stood on.
    ///
    /// # Errors
    ///
    /// `Error::Io` when it could not be stored, `Error::Damaged` when a message file cannot be read.
    pub fn forget(&self, what: &Forget) -> Result<u64> {
        let writer = self.writer()?;
        let mut state = writer.state()?;
        let up_to_sequence = state.next_sequence - 1;
        let forgotten = self.live_mut().forget(what, up_to_sequence);
        let count = match forgotten {
            Ok(0) => return Ok(0),
            Ok(count) => count,
            Err(error) => {
                drop(state);
                self.recover(writer, &error);
                return Err(error);
            }
        };
        let mut batch = Batch::default();
        batch.push(&Operation::Forget {
            what: what.clone(),
            up_to_sequence,
        })?;
        let ticket = writer.log.append(&batch);
        if let Ok(ticket) = &ticket {
            state.last = Some(ticket.clone());
            if let Some(building) = &mut state.building {
                building.forgotten.push((what.clone(), up_to_sequence));
            }
        }
        drop(state);
        let ticket = ticket.inspect_err(|error| self.recover(writer, error))?;
        self.sync(&ticket)?;
        if self.live().options.guarded {
            self.merge(super::Extent::Due)?;
        }
        Ok(count)
    }
}

/// Counters outlast the process: they go into the log beside what they count.
fn count(state: &mut WriterState, batch: &mut Batch, added: &Added, replaced: &Replaced) -> Result<()> {
    let plain = [
        (counter::TOKENS_DROPPED, added.cut.tokens_dropped),
        (counter::TOKENS_SHORTENED, added.cut.tokens_shortened),
        (counter::MESSAGES_CUT, added.cut.messages_cut),
        (counter::NO_ROOM, added.no_room),
    ];
    let plain = plain.into_iter().map(|(name, by)| (name.to_owned(), by));
    let replaced = replaced.iter().map(|(kind, by)| (format!("{}{}", counter::REPLACED, kind.name()), by));
    for (name, by) in plain.chain(replaced).filter(|(_, by)| *by > 0) {
        batch.push(&Operation::Count { name: &name, by })?;
        *state.counters.entry(name).or_default() += by;
    }
    Ok(())
}

fn check(record: &Record) -> Result<()> {
    for (what, name) in [("author", &record.author), ("channel", &record.channel)] {
        if name.len() > MAX_NAME_BYTES {
            return Err(Error::input(format!(
                "the {what} {name:.40?}... has {} bytes, the longest allowed has {MAX_NAME_BYTES}: shorten it",
                name.len()
            )));
        }
    }
    Ok(())
}
