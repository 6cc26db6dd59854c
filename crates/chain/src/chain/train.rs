//! Training from files: messages go straight into segments, as many at a time as one segment holds.

use std::collections::HashSet;

use xxhash_rust::xxh3::xxh3_128;

use super::learn::{Added, Prepared, counter};
use super::merge::{Extent, MAX_SEGMENT_PLACES, write_segment};
use super::{Chain, Writer};
use crate::messages::{About, Table};
use crate::read::{Bad, Next, Source};
use crate::segment::build::Corpus;
use crate::segment::states::BOUNDARY;
use crate::storage::{MessageId, SourceProgress};
use crate::{Error, Record, Result};

/// How a training goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Training {
    /// Whether a bad record is passed over and counted. If not, it ends the training, and nothing of it is learned.
    pub skip_bad: bool,
}

/// How far a training is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    pub records: u64,
    /// Bytes of the file read so far, and its length where that is known; before decompression.
    pub bytes: u64,
    pub size: Option<u64>,
}

/// What a training did.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Trained {
    pub added: Added,
    /// Records of the file, bad ones among them.
    pub records: u64,
    /// Records that an earlier run had learned from this file.
    pub resumed: u64,
    /// Messages by bots and the like, which are not learned.
    pub left_out: u64,
    pub bad: u64,
    /// The first bad records.
    pub first_bad: Vec<Bad>,
}

/// Bad records that are named.
const NAMED_BAD: usize = 20;

/// Records between two reports of progress.
const REPORT_EVERY: u64 = 4096;

/// Messages gathered for the next segment.
#[derive(Default)]
struct Gathered {
    corpus: Corpus,
    table: Table,
    numbers: HashSet<u64>,
    texts: HashSet<u128>,
    added: Added,
    replaced: crate::guard::Replaced,
}

impl Chain {
    /// Learns all messages of a source. `key` names the source from run to run: a run that was cut off is taken up where its last
    /// segment ended, and a file that grew is read on. `report` is told how far it is, and ends the training by returning false:
    /// what is in segments by then stays, and can be resumed.
    ///
    /// # Errors
    ///
    /// `Error::Input` for a bad record (unless skipped) and for a file that is not the one an earlier run read; `Error::Io`.
    pub fn train(
        &self,
        key: &str,
        source: &mut Source,
        training: Training,
        report: &mut dyn FnMut(Progress) -> bool,
    ) -> Result<Trained> {
        let writer = self.writer()?;
        let _merging = self.merging();
        let mut run = Run {
            chain: self,
            writer,
            key,
            trained: Trained::default(),
            gathered: Gathered::default(),
            published: Vec::new(),
            before: None,
        };
        run.resume(source)?;
        let done = run.read(source, training, report);
        if let Err(error) = done {
            run.take_back()?;
            return Err(error);
        }
        run.trained.records = source.records();
        run.trained.left_out = source.left_out();
        let trained = run.trained;
        self.merge_now(Extent::Due)?;
        Ok(trained)
    }
}

struct Run<'c> {
    chain: &'c Chain,
    writer: &'c Writer,
    key: &'c str,
    trained: Trained,
    gathered: Gathered,
    /// Segments of this run, to be taken back if a bad record ends it, and the progress before it.
    published: Vec<u64>,
    before: Option<SourceProgress>,
}

impl Run<'_> {
    /// Passes over what an earlier run learned.
    fn resume(&mut self, source: &mut Source) -> Result<()> {
        self.before = self.writer.state()?.manifest.progress.get(self.key).cloned();
        let Some(before) = &self.before else { return Ok(()) };
        let mut record = Record::default();
        while source.records() < before.records {
            if source.next(&mut record)? == Next::End {
                break;
            }
        }
        if (source.records(), source.fingerprint()) != (before.records, before.fingerprint) {
            return Err(Error::input(format!(
                "{} is not the file that was trained before under that name (its first {} records differ): rename it, or train anew with --clean",
                self.key, before.records
            )));
        }
        self.trained.resumed = before.records;
        Ok(())
    }

    fn read(&mut self, source: &mut Source, training: Training, report: &mut dyn FnMut(Progress) -> bool) -> Result<()> {
        let mut record = Record::default();
        let mut prepared = Prepared::new();
        let mut wanted = true;
        while wanted {
            match source.next(&mut record)? {
                Next::End => break,
                Next::Message => self.take(&record, &mut prepared)?,
                Next::Bad(bad) if training.skip_bad => {
                    self.trained.bad += 1;
                    if self.trained.first_bad.len() < NAMED_BAD {
                        self.trained.first_bad.push(bad);
                    }
                }
                Next::Bad(bad) => {
                    return Err(Error::input(format!("{bad}; nothing was learned from it (--skip-bad passes over such records)")));
                }
            }
            if source.records() % REPORT_EVERY == 0 {
                wanted = report(Progress {
                    records: source.records(),
                    bytes: source.position(),
                    size: source.size(),
                });
            }
            if self.gathered.corpus.text.len() as u64 >= MAX_SEGMENT_PLACES {
                self.flush(source, &mut prepared, false)?;
            }
        }
        report(Progress {
            records: source.records(),
            bytes: source.position(),
            size: source.size(),
        });
        self.flush(source, &mut prepared, wanted)
    }

    fn take(&mut self, record: &Record, prepared: &mut Prepared) -> Result<()> {
        let gathered = &mut self.gathered;
        let sequence = gathered.table.len() as u64;
        let id = if record.id.is_empty() {
            MessageId::Own(sequence)
        } else {
            let id = MessageId::given(&record.id)?;
            let new = match &id {
                MessageId::Number(number) => !gathered.numbers.contains(number),
                _ => !gathered.texts.contains(&xxh3_128(record.id.as_bytes())),
            };
            if !new || self.chain.live().knows(&id)? {
                gathered.added.duplicates += 1;
                return Ok(());
            }
            id
        };
        self.chain.prepare(&record.text, prepared);
        if prepared.tokens.is_empty() {
            gathered.added.empty += 1;
            return Ok(());
        }
        let start = gathered.corpus.text.len();
        let most = self.chain.live().options.max_vocabulary;
        for token in prepared.tokens.iter() {
            let Some(number) = gathered.corpus.vocabulary.intern(token, most) else {
                gathered.corpus.text.truncate(start);
                gathered.added.no_room += 1;
                return Ok(());
            };
            gathered.corpus.text.push(number);
        }
        gathered.corpus.text.push(BOUNDARY);
        match &id {
            MessageId::Number(number) => drop(gathered.numbers.insert(*number)),
            MessageId::Text(_) => drop(gathered.texts.insert(xxh3_128(record.id.as_bytes()))),
            MessageId::Own(_) => {}
        }
        gathered.added.learned += 1;
        gathered.table.push(&About {
            sequence,
            id,
            author: &record.author,
            channel: &record.channel,
            time_ms: record.time_ms,
            attachments: &record.attachments,
        })
    }

    /// Makes what was gathered a segment, and says in the same manifest how far the source was read.
    fn flush(&mut self, source: &Source, prepared: &mut Prepared, done: bool) -> Result<()> {
        let mut gathered = std::mem::take(&mut self.gathered);
        gathered.added.cut = std::mem::take(&mut prepared.cut);
        gathered.replaced = std::mem::take(&mut prepared.replaced);
        gathered.added.replaced = gathered.replaced.total();
        let added = gathered.added;
        let options = self.chain.options();
        let (number, base, before) = {
            let mut state = self.writer.state()?;
            state.begin_building();
            let base = state.next_sequence;
            state.next_sequence += gathered.table.len() as u64;
            (state.manifest.take_file_number(), base, state.manifest.clone())
        };
        let mut new = Vec::new();
        if !gathered.table.is_empty() {
            gathered.table.shift(base);
            let Gathered { corpus, table, .. } = &mut gathered;
            let disk = &*self.chain.disk;
            new.push(write_segment(disk, &self.chain.directory, number, corpus, table, &options)?);
        }
        drop(gathered.corpus);
        {
            let mut state = self.writer.state()?;
            let progress = SourceProgress {
                records: source.records(),
                fingerprint: source.fingerprint(),
                done,
            };
            state.manifest.progress.insert(self.key.to_owned(), progress);
            let replaced = gathered.replaced.iter().map(|(kind, by)| (format!("{}{}", counter::REPLACED, kind.name()), by));
            let plain = [
                (counter::TOKENS_DROPPED.to_owned(), added.cut.tokens_dropped),
                (counter::TOKENS_SHORTENED.to_owned(), added.cut.tokens_shortened),
                (counter::MESSAGES_CUT.to_owned(), added.cut.messages_cut),
                (counter::NO_ROOM.to_owned(), added.no_room),
            ];
            for (name, by) in plain.into_iter().chain(replaced).filter(|(_, by)| *by > 0) {
                *state.manifest.counters.entry(name.clone()).or_default() += by;
                *state.counters.entry(name).or_default() += by;
            }
        }
        let numbers: Vec<u64> = new.iter().map(|entry| entry.number).collect();
        if let Err(error) = self.chain.publish(self.writer, &[], new, None) {
            let mut state = self.writer.state()?;
            state.manifest.progress = before.progress;
            state.manifest.counters = before.counters;
            return Err(error);
        }
        self.published.extend(numbers);
        self.trained.added += added;
        Ok(())
    }

    /// A bad record ended the run: its segments go, and so does its progress.
    fn take_back(&mut self) -> Result<()> {
        let mut state = self.writer.state()?;
        state.building = None;
        if self.published.is_empty() {
            return Ok(());
        }
        match &self.before {
            Some(before) => drop(state.manifest.progress.insert(self.key.to_owned(), before.clone())),
            None => drop(state.manifest.progress.remove(self.key)),
        }
        state.begin_building();
        drop(state);
        self.chain.publish(self.writer, &self.published, Vec::new(), None)?;
        Ok(())
    }
}
