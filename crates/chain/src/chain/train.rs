//! Training from files: messages go straight into segments, as many at a time as one segment holds.

use super::Chain;
use super::counters::{self, Counts};
use super::gathered::Gathered;
use super::learn::{Added, Prepared};
use super::merge::Extent;
use super::output::write_segment;
use super::publish::Change;
use super::writer::Writer;
use crate::read::{Bad, Next, Source};
use crate::storage::{MessageId, SegmentEntry, SourceProgress};
use crate::tokens::Cut;
use crate::{Error, Record, Result};

/// How a training goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Training {
    /// Whether a bad record is passed over and counted. If not, it ends the training, and nothing
    /// of it is learned.
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

impl Chain {
    /// Learns all messages of a source. `key` names the source from run to run: a run that was cut
    /// off is taken up where its last segment ended, and a file that grew is read on. `report` is
    /// told how far it is, and ends the training by returning false: what was read by then stays,
    /// and can be resumed.
    ///
    /// # Errors
    ///
    /// `Error::Input` for a bad record (unless skipped), for a file that is not the one an earlier
    /// run read, and for one that cannot be decompressed: then nothing of this run is learned.
    /// `Error::Io`: what was in a segment by then stays, and the next run goes on
    /// there, as the error says.
    pub fn train(
        &self,
        key: &str,
        source: &mut Source,
        training: Training,
        report: &mut dyn FnMut(Progress) -> bool,
    ) -> Result<Trained> {
        let trained = self.train_now(key, source, training, report);
        // Who forgot in a guarded chain meanwhile did not wait for a merge. A training that was
        // there first, or takes its turn now, does it instead.
        let merged = self.merge_forgotten(0);
        trained.and_then(|trained| merged.map_err(only_merging).map(|()| trained))
    }

    /// After that many messages were forgotten: merges what they stood in, if transitions may stand
    /// on them. At once or, while a training goes on, between two of its segments: until then such
    /// a segment says nothing.
    ///
    /// # Errors
    ///
    /// As `merge`.
    pub(super) fn merge_forgotten(&self, count: u64) -> Result<()> {
        let is_due = {
            let live = self.live();
            // An earlier call may have been cut off before it merged.
            live.counts_support() && count > 0 || live.has_silenced()
        };
        if !is_due || !self.is_writer() {
            return Ok(());
        }
        let Some(_turn) = self.merging.begin_unless_training()? else {
            return Ok(());
        };
        self.merge_now(&Extent::Due).map(drop)
    }

    fn train_now(
        &self,
        key: &str,
        source: &mut Source,
        training: Training,
        report: &mut dyn FnMut(Progress) -> bool,
    ) -> Result<Trained> {
        let writer = self.writer()?;
        let _turn = self.merging.begin_training()?;
        let mut run = Run::new(self, writer, key);
        let done = run
            .resume(source)
            .and_then(|()| run.read(source, training, report));
        let done = done.map_err(|error| run.end(error));
        self.live_mut().provisional.clear();
        done?;
        run.trained.records = source.records();
        run.trained.left_out = source.left_out();
        let trained = run.trained;
        let merged = self.merge_now(&Extent::Due);
        merged.map_err(only_merging)?;
        Ok(trained)
    }
}

fn only_merging(error: Error) -> Error {
    saying(
        error,
        "everything was learned and stays so, only merging it failed",
    )
}

struct Run<'c> {
    chain: &'c Chain,
    writer: &'c Writer,
    key: &'c str,
    trained: Trained,
    gathered: Gathered,
    most_tokens: u32,
    /// Bad records since the last segment.
    bad: u64,
    /// What the segments of this run counted, and the progress before it: to be taken back with
    /// them if a bad record ends it.
    counted: Counts,
    before: Option<SourceProgress>,
}

impl<'c> Run<'c> {
    fn new(chain: &'c Chain, writer: &'c Writer, key: &'c str) -> Self {
        Self {
            chain,
            writer,
            key,
            trained: Trained::default(),
            gathered: Gathered::default(),
            most_tokens: chain.options().max_vocabulary,
            bad: 0,
            counted: Counts::new(),
            before: None,
        }
    }

    /// Passes over what an earlier run learned.
    fn resume(&mut self, source: &mut Source) -> Result<()> {
        self.before = self
            .chain
            .state(self.writer)?
            .manifest
            .progress
            .get(self.key)
            .cloned();
        let Some(before) = &self.before else {
            return Ok(());
        };
        let mut record = Record::default();
        while source.records() < before.records {
            if source.next(&mut record)? == Next::End {
                break;
            }
        }
        if (source.records(), source.fingerprint()) != (before.records, before.fingerprint) {
            return Err(Error::input(format!(
                "{} is not the file that was trained before under that name (its first {} records \
                 differ): rename it, or train anew with --clean",
                self.key, before.records
            )));
        }
        self.trained.resumed = before.records;
        Ok(())
    }

    fn read(
        &mut self,
        source: &mut Source,
        training: Training,
        report: &mut dyn FnMut(Progress) -> bool,
    ) -> Result<()> {
        let mut record = Record::default();
        let mut prepared = Prepared::default();
        let mut wanted = true;
        while wanted {
            match source.next(&mut record)? {
                Next::End => break,
                Next::Message => self.take(&record, &mut prepared)?,
                Next::Bad(bad) => self.pass_over(bad, training)?,
            }
            let mut is_due = false;
            if source.records().is_multiple_of(REPORT_EVERY) {
                wanted = report(progress(source));
                is_due = self.chain.wants_merge();
            }
            if is_due
                || self.gathered.places() >= self.chain.segment_places
                || self.gathered.memory_bytes() >= self.chain.gathered_bytes
            {
                self.flush(source, false)?;
                // Nothing is gathered now whose id could be learned meanwhile. What fails is tried
                // again after a pause, and at the end, where it is an error.
                if self.chain.wants_merge() {
                    let _ = self.chain.merge_now(&Extent::Due);
                }
            }
        }
        report(progress(source));
        self.flush(source, wanted)
    }

    fn pass_over(&mut self, bad: Bad, training: Training) -> Result<()> {
        if !training.skip_bad {
            return Err(Error::input(format!(
                "{bad}; nothing was learned from it (--skip-bad passes over such records)"
            )));
        }
        self.bad += 1;
        self.trained.bad += 1;
        if self.trained.first_bad.len() < NAMED_BAD {
            self.trained.first_bad.push(bad);
        }
        Ok(())
    }

    /// Gathers a message, unless its id is known.
    fn take(&mut self, record: &Record, prepared: &mut Prepared) -> Result<()> {
        let sequence = self.gathered.table.len() as u64;
        let mut id = MessageId::Own(sequence);
        if !record.id.is_empty() {
            id = MessageId::given(&record.id)?;
            if self.gathered.has(&id) || self.chain.has(&id) {
                self.gathered.added.duplicates += 1;
                return Ok(());
            }
        }
        prepared.cut = Cut::default();
        prepared.replaced = crate::guard::Replaced::default();
        self.chain.prepare(&record.text, prepared);
        self.gathered
            .take(sequence, id, record, prepared, self.most_tokens)
    }

    /// Makes what was gathered a segment, and says in the same manifest how far the source was
    /// read.
    fn flush(&mut self, source: &Source, done: bool) -> Result<()> {
        let mut gathered = std::mem::take(&mut self.gathered);
        gathered.added.replaced = gathered.replaced.total();
        let added = gathered.added;
        let mut counted = counters::counts(&added, &gathered.replaced);
        let bad = std::mem::take(&mut self.bad);
        if bad > 0 {
            counted.insert(counters::RECORDS_BAD.to_owned(), bad);
        }
        let new = Vec::from_iter(self.write(gathered)?);
        let progress = SourceProgress {
            records: source.records(),
            fingerprint: source.fingerprint(),
            done,
        };
        let provisional: Vec<u64> = new.iter().map(|entry| entry.number).collect();
        let change = Change {
            new,
            progress: Some((self.key, Some(progress))),
            counted,
            provisional: &provisional,
            ..Change::default()
        };
        self.chain.publish(self.writer, &change)?;
        counters::add(&mut self.counted, &change.counted);
        self.trained.added += added;
        Ok(())
    }

    /// Writes a segment under sequence numbers that are taken for it; none if there are no
    /// messages.
    fn write(&self, mut gathered: Gathered) -> Result<Option<SegmentEntry>> {
        let (number, base) = {
            let mut state = self.chain.state(self.writer)?;
            state.begin_building();
            let base = state.next_sequence;
            state.next_sequence += gathered.table.len() as u64;
            (state.manifest.take_file_number(), base)
        };
        if gathered.table.is_empty() {
            return Ok(None);
        }
        gathered.table.shift(base);
        let Gathered { corpus, table, .. } = gathered;
        let (disk, directory) = (&*self.chain.disk, &self.chain.directory);
        write_segment(
            disk,
            directory,
            number,
            &mut corpus.finish(),
            &table,
            &self.chain.options(),
        )
        .map(Some)
    }

    /// The run ends with an error, which says what stays.
    fn end(&mut self, error: Error) -> Error {
        if let Ok(mut state) = self.chain.state(self.writer) {
            state.building = None;
        }
        let stays = "what was read before stays learned, and training it again goes on after it";
        match error {
            // The file is as good as it was: what was learned of it need not be learned again.
            error @ Error::Io { .. } if self.chain.live().provisional.is_empty() => error,
            error @ Error::Io { .. } => saying(error, stays),
            error => match self.take_back() {
                Ok(()) => error,
                Err(why) => saying(why, &format!("{error}; {stays}")),
            },
        }
    }

    /// The file is not what it should be: the segments of the run go, and so do its progress and
    /// what it counted.
    fn take_back(&mut self) -> Result<()> {
        let mut state = self.chain.state(self.writer)?;
        state.building = None;
        if state.manifest.progress.get(self.key) == self.before.as_ref() {
            return Ok(());
        }
        state.begin_building();
        drop(state);
        let gone = self.chain.live().provisional.clone();
        let change = Change {
            gone: &gone,
            progress: Some((self.key, self.before.clone())),
            uncounted: std::mem::take(&mut self.counted),
            ..Change::default()
        };
        self.chain.publish(self.writer, &change).map(drop)
    }
}

fn progress(source: &Source) -> Progress {
    Progress {
        records: source.records(),
        bytes: source.position(),
        size: source.size(),
    }
}

/// The same error with what stays true in spite of it.
fn saying(error: Error, what: &str) -> Error {
    match error {
        Error::Io { doing, source } => Error::Io {
            doing: format!("{what}: {doing}"),
            source,
        },
        other => other,
    }
}
