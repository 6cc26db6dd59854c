//! Learning one by one: durable when the call returns.

use std::borrow::Cow;
use std::ops::AddAssign;

use super::Chain;
use super::counters;
use super::live::Live;
use super::writer::{Basis, Writer, WriterState};
use crate::guard::Replaced;
use crate::messages::About;
use crate::storage::{Batch, Learn, MessageId, Operation, StringsBuffer};
use crate::tokens::{Cut, Tokens};
use crate::{Error, Record, Result};

/// Messages that are learned under one lock, so that nobody waits long for the next sentence.
const MAX_BATCH: usize = 64;

/// Messages that are stored together: all of them or none. Who adds others waits meanwhile.
const MAX_TOGETHER: usize = 4096;

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

/// What tokens are made of a message, and what that took.
#[derive(Default)]
pub(super) struct Prepared {
    pub tokens: Tokens,
    pub cut: Cut,
    pub replaced: Replaced,
}

impl Chain {
    /// Fills `into` with the tokens of a text, after the leak guard; what that took is added up
    /// there.
    pub(super) fn prepare(&self, text: &str, into: &mut Prepared) {
        let text = match &self.guard {
            Some(guard) => guard.redact(text, &mut into.replaced),
            None => Cow::Borrowed(text),
        };
        self.tokenizer
            .tokenize(&text, &mut into.tokens, &mut into.cut);
    }

    /// Learns messages, in order. Those whose id is known already are passed over.
    ///
    /// # Errors
    ///
    /// `Error::Input` for an id, author, channel or attachment that cannot be used: then nothing is
    /// learned. `Error::Io` when it could not be stored: then none of them is learned, unless there
    /// are more than 4096 of them or they take more than 16 MiB: then those at the beginning may be.
    pub fn add(&self, records: &[Record]) -> Result<Added> {
        let writer = self.writer()?;
        for record in records {
            record.check()?;
        }
        let mut added = Added::default();
        let mut basis = Basis::default();
        let mut outcome = Ok(());
        for records in records.chunks(MAX_TOGETHER) {
            let mut prepared = Vec::with_capacity(records.len());
            for record in records {
                let mut one = Prepared::default();
                self.prepare(&record.text, &mut one);
                prepared.push((one, record));
            }
            outcome = self.append(writer, &prepared, &mut added, &mut basis);
            if outcome.is_err() {
                break;
            }
        }
        let synced = self.sync(writer, &basis);
        outcome.and(synced).map(|()| added)
    }

    fn append(
        &self,
        writer: &Writer,
        prepared: &[(Prepared, &Record)],
        added: &mut Added,
        basis: &mut Basis,
    ) -> Result<()> {
        let mut state = self.state(writer)?;
        self.make_sure(&mut state)?;
        self.check_room(prepared)?;
        let mut turn = Turn {
            writer,
            full: Vec::new(),
            batch: Batch::default(),
            added: Added::default(),
            replaced: Replaced::default(),
            own: std::mem::take(&mut basis.own),
        };
        let done = (prepared.chunks(MAX_BATCH))
            .try_for_each(|some| {
                turn.take(&mut state, &mut self.live_mut(), some)?;
                turn.send_full(&mut state)
            })
            .and_then(|()| turn.end(&mut state));
        let leans = basis.leans || turn.added.duplicates > 0;
        *added += turn.added;
        let Err(error) = done else {
            *basis = state.basis(turn.own, leans);
            return Ok(());
        };
        // Memory may hold what the log does not.
        self.recover_with(writer, &mut state, &error);
        state.told(&turn.own);
        *basis = Basis::default();
        Err(error)
    }

    /// What was learned since the last merge becomes one segment: beyond what that can hold nothing
    /// is learned, and nothing is dropped either.
    fn check_room(&self, prepared: &[(Prepared, &Record)]) -> Result<()> {
        let tokens = prepared.iter().map(|(one, _)| &one.tokens);
        let places = tokens.clone().map(|tokens| tokens.len() + 1).sum();
        let bytes = tokens.flat_map(Tokens::iter).map(str::len).sum();
        if self.live().fresh.delta.has_places(places, bytes) {
            return Ok(());
        }
        Err(Error::input(format!(
            "{} holds as much as it can until it is merged: merge it, then add these again",
            self.directory.display()
        )))
    }

    /// Whether any message has this id. A segment in which that cannot be found out serves no
    /// longer.
    pub(super) fn has(&self, id: &MessageId) -> bool {
        loop {
            let found = self.live().knows_in(id, |_| true);
            match found {
                Ok(has) => return has,
                Err((number, error)) => self.live_mut().set_aside(number, error.to_string()),
            }
        }
    }

    /// Returns when what an operation rests on is durable.
    pub(super) fn sync(&self, writer: &Writer, basis: &Basis) -> Result<()> {
        let (outcome, failed) = writer.wait(&self.directory, basis);
        if failed {
            let unknown = Error::input("a write failed");
            self.recover(
                writer,
                basis.last,
                outcome.as_ref().err().unwrap_or(&unknown),
            );
            if let Ok(mut state) = self.state(writer) {
                state.told(&basis.own);
            }
        }
        outcome
    }
}

/// One batch being learned.
struct Turn<'w> {
    writer: &'w Writer,
    /// Batches to be appended before this one: not under the lock of what generates, since that may
    /// write.
    full: Vec<Batch>,
    batch: Batch,
    added: Added,
    replaced: Replaced,
    own: Vec<u64>,
}

impl Turn<'_> {
    fn take(
        &mut self,
        state: &mut WriterState,
        live: &mut Live,
        prepared: &[(Prepared, &Record)],
    ) -> Result<()> {
        let (mut words, mut attached) = (StringsBuffer::default(), StringsBuffer::default());
        for (one, record) in prepared {
            let Some(about) = self.wanted(state, live, one, record)? else {
                continue;
            };
            words.clear();
            one.tokens.iter().for_each(|token| words.push(token));
            attached.clear();
            record.attachments.iter().for_each(|one| attached.push(one));
            let learn = Operation::Learn(Learn {
                sequence: about.sequence,
                id: about.id,
                author: about.author,
                channel: about.channel,
                time_ms: about.time_ms,
                attachments: attached.strings(),
                text_tokens: words.strings(),
            });
            self.push(&learn)?;
            state.next_sequence += 1;
            self.added.learned += 1;
            self.added.cut += one.cut;
            self.replaced += &one.replaced;
        }
        Ok(())
    }

    /// Counters go into the log beside what they count.
    fn end(&mut self, state: &mut WriterState) -> Result<()> {
        self.added.replaced = self.replaced.total();
        let counts = counters::counts(&self.added, &self.replaced);
        for (name, by) in &counts {
            self.push(&Operation::Count { name, by: *by })?;
        }
        counters::add(&mut state.counters, &counts);
        self.send(state)
    }

    /// Learns a message in memory unless it is empty or known, or there is no room.
    fn wanted<'r>(
        &mut self,
        state: &WriterState,
        live: &mut Live,
        one: &Prepared,
        record: &'r Record,
    ) -> Result<Option<About<'r>>> {
        if one.tokens.is_empty() {
            self.added.empty += 1;
            return Ok(None);
        }
        let id = match record.id.as_str() {
            "" => MessageId::Own(state.next_sequence),
            given => MessageId::given(given)?,
        };
        if !record.id.is_empty() && live.knows(&id) {
            self.added.duplicates += 1;
            return Ok(None);
        }
        let about = About {
            sequence: state.next_sequence,
            id,
            author: &record.author,
            channel: &record.channel,
            time_ms: record.time_ms,
            attachments: &record.attachments,
        };
        if !live.learn(&about, one.tokens.iter())? {
            self.added.no_room += 1;
            return Ok(None);
        }
        Ok(Some(about))
    }

    fn push(&mut self, operation: &Operation<'_>) -> Result<()> {
        if self.batch.push(operation).is_err() {
            self.full.push(std::mem::take(&mut self.batch));
            self.batch.push(operation)?;
        }
        Ok(())
    }

    fn send_full(&mut self, state: &mut WriterState) -> Result<()> {
        for batch in self.full.drain(..).filter(|batch| batch.operations() > 0) {
            self.own.push(self.writer.append(state, &batch)?);
        }
        Ok(())
    }

    fn send(&mut self, state: &mut WriterState) -> Result<()> {
        self.send_full(state)?;
        if self.batch.operations() > 0 {
            self.own.push(self.writer.append(state, &self.batch)?);
            self.batch.clear();
        }
        Ok(())
    }
}
