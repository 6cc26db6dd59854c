//! Merging: the delta, and the segments that it pays to touch, become new segments; what was forgotten is not among them.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use super::live::{Frozen, Held};
use super::{Chain, Writer, tokenizer};
use crate::dead::Dead;
use crate::messages::{self, Table};
use crate::segment::build::{Corpus, Plan, Support};
use crate::segment::states::BOUNDARY;
use crate::storage::{self, Disk, DiskFile, FileKind, NewLog, Options, SegmentEntry};
use crate::{Error, Result};

/// Places that a segment may have: a million messages of nine words. What a merge or a training takes follows from it: about 16
/// bytes a place, and the vocabulary.
pub const MAX_SEGMENT_PLACES: u64 = 10 << 20;

/// A segment is merged with the younger ones when it holds less than so many times their messages.
const FACTOR: u64 = 4;

/// How much a merge touches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Extent {
    /// The delta, what holds something forgotten, and segments that are small beside what is younger.
    #[default]
    Due,
    /// Everything, into as few segments as their bound allows.
    Whole,
    /// Everything, with other options from now on. Order, mode, caps and guard stay: what was learned was learned with them.
    Changed(Options),
}

/// What a merge did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Merged {
    /// Messages that were written anew.
    pub messages: u64,
    pub segments_before: u64,
    pub segments: u64,
    /// Forgotten messages that are physically gone now.
    pub dropped: u64,
}

/// What one new segment is made of: messages that are not forgotten.
#[derive(Clone)]
enum Input {
    Held(Box<Held>),
    Frozen(Frozen),
}

impl Input {
    fn first_sequence(&self) -> u64 {
        match self {
            Self::Held(held) => held.entry.first_sequence,
            Self::Frozen(frozen) => frozen.fresh.table.sequence(0),
        }
    }

    fn messages(&self) -> usize {
        match self {
            Self::Held(held) => held.messages.len(),
            Self::Frozen(frozen) => frozen.fresh.table.len(),
        }
    }

    fn dead(&self) -> &Dead {
        match self {
            Self::Held(held) => &held.dead,
            Self::Frozen(frozen) => &frozen.dead,
        }
    }

    fn alive(&self) -> u64 {
        self.messages() as u64 - u64::from(self.dead().len())
    }

    fn places(&self) -> u64 {
        match self {
            Self::Held(held) => held.entry.tokens + held.entry.messages,
            Self::Frozen(frozen) => frozen.fresh.delta.text().len() as u64,
        }
    }

    fn sequence(&self, message: usize) -> u64 {
        match self {
            Self::Held(held) => held.messages.sequence(message),
            Self::Frozen(frozen) => frozen.fresh.table.sequence(message),
        }
    }
}

impl Chain {
    /// Merges; messages may be learned, forgotten and made meanwhile.
    ///
    /// # Errors
    ///
    /// `Error::Io`, `Error::Damaged`: the chain is as it was before, and nothing is lost.
    pub fn merge(&self, extent: Extent) -> Result<Merged> {
        let _merging = self.merging();
        self.merge_now(extent)
    }

    /// With `merging` held.
    pub(super) fn merge_now(&self, extent: Extent) -> Result<Merged> {
        let writer = self.writer()?;
        let mut options = self.options();
        if let Extent::Changed(changed) = &extent {
            check_change(&options, changed)?;
            options = changed.clone();
        }
        let inputs = self.freeze(writer)?;
        let groups = plan(inputs, &extent, &options);
        let mut merged = Merged {
            segments_before: self.live().segments.len() as u64,
            ..Merged::default()
        };
        let built = groups
            .iter()
            .map(|group| {
                let dead = group.iter().map(|input| u64::from(input.dead().len())).sum::<u64>();
                merged.dropped += dead;
                let entry = self.build(writer, group, &options)?;
                merged.messages += entry.as_ref().map_or(0, |entry| entry.messages);
                Ok(entry)
            })
            .collect::<Result<Vec<_>>>();
        let done = built.and_then(|entries| {
            let gone: Vec<u64> = groups.iter().flatten().filter_map(number).collect();
            let new = entries.into_iter().flatten().collect();
            self.publish(writer, &gone, new, Some(&options))
        });
        match done {
            Ok(segments) => {
                merged.segments = segments;
                Ok(merged)
            }
            Err(error) => {
                self.thaw(writer, &error);
                Err(error)
            }
        }
    }

    /// Starts a new log and a new delta. What is to be merged: every segment and the old delta, as they are now.
    fn freeze(&self, writer: &Writer) -> Result<Vec<Input>> {
        let mut state = writer.state()?;
        let mut live = self.live_mut();
        let mut inputs: Vec<Input> = live.segments.iter().map(|held| Input::Held(Box::new(held.clone()))).collect();
        state.begin_building();
        let holds_ops = writer.log.bytes() > EMPTY_LOG_BYTES || !live.fresh.table.is_empty();
        if holds_ops {
            if let Some(last) = state.last.take() {
                writer.log.sync_to(&last)?;
            }
            let number = state.manifest.take_file_number();
            let log = NewLog::create(&*self.disk, &self.directory, number)?;
            state.manifest.logs.push(number);
            if let Err(error) = state.manifest.publish(&*self.disk, &self.directory) {
                state.manifest.logs.pop();
                return Err(error);
            }
            writer.log.begin_next(log)?;
            let frozen = live.freeze();
            if !frozen.fresh.table.is_empty() {
                inputs.push(Input::Frozen(frozen));
            }
        }
        inputs.sort_by_key(Input::first_sequence);
        Ok(inputs)
    }

    /// Writes one segment of a group; none if nothing of it is alive.
    fn build(&self, writer: &Writer, group: &[Input], options: &Options) -> Result<Option<SegmentEntry>> {
        let (mut corpus, table) = gather(group)?;
        if table.is_empty() {
            return Ok(None);
        }
        let number = writer.state()?.manifest.take_file_number();
        write_segment(&*self.disk, &self.directory, number, &mut corpus, &table, options).map(Some)
    }

    /// Puts new segments in the place of old ones; how many there are then. After a merge, which has put everything from the older
    /// logs into segments, these logs go, and the options may be new.
    pub(super) fn publish(
        &self,
        writer: &Writer,
        gone: &[u64],
        new: Vec<SegmentEntry>,
        merged: Option<&Options>,
    ) -> Result<u64> {
        let options = merged.cloned().unwrap_or_else(|| self.options());
        let mut opened = Vec::with_capacity(new.len());
        for entry in &new {
            opened.push(Held::open(&self.directory, entry, &options)?);
        }
        let mut state = writer.state()?;
        let Some(building) = state.building.take() else {
            return Err(Error::input("nothing was being built"));
        };
        if merged.is_some() && building.replays != state.replays {
            return Err(Error::input("the chain was read anew while it was merged: merge it again"));
        }
        for (what, up_to_sequence) in &building.forgotten {
            for held in &mut opened {
                held.forget(what, *up_to_sequence)?;
            }
        }
        let mut manifest = state.manifest.clone();
        manifest.options = options.clone();
        manifest.segments.retain(|entry| !gone.contains(&entry.number));
        manifest.segments.extend(new);
        manifest.segments.sort_by_key(|entry| entry.first_sequence);
        manifest.next_sequence = state.next_sequence;
        let mut old_logs = Vec::new();
        if merged.is_some() {
            let last = manifest.logs.pop();
            old_logs = std::mem::replace(&mut manifest.logs, last.into_iter().collect());
            manifest.counters = building.counters;
        }
        let published = manifest.publish(&*self.disk, &self.directory);
        state.manifest.generation = manifest.generation;
        published?;
        state.manifest = manifest;
        let mut live = self.live_mut();
        live.segments.retain(|held| !gone.contains(&held.entry.number));
        live.segments.extend(opened);
        live.segments.sort_by_key(|held| held.entry.first_sequence);
        if merged.is_some() {
            live.frozen = None;
        }
        live.options = options;
        let count = live.segments.len() as u64;
        drop(live);
        drop(state);
        self.remove(gone, &old_logs);
        Ok(count)
    }

    /// Files that no manifest names any more. What cannot be removed now is removed at the next open.
    fn remove(&self, segments: &[u64], logs: &[u64]) {
        let segments = segments.iter().flat_map(|&number| [(FileKind::Segment, number), (FileKind::Messages, number)]);
        let logs = logs.iter().map(|&number| (FileKind::Log, number));
        for (kind, number) in segments.chain(logs) {
            let _ = self.disk.remove(&kind.path(&self.directory, number));
        }
    }

    /// After a merge that failed: the logs still hold everything, so memory is made from them again.
    pub(super) fn thaw(&self, writer: &Writer, error: &Error) {
        if let Ok(mut state) = writer.state() {
            state.building = None;
        }
        if self.live().frozen.is_some() {
            self.recover(writer, error);
        }
    }
}

/// A log without operations is its header.
const EMPTY_LOG_BYTES: u64 = storage::LOG_HEADER_BYTES as u64;

fn number(input: &Input) -> Option<u64> {
    match input {
        Input::Held(held) => Some(held.entry.number),
        Input::Frozen(_) => None,
    }
}

fn check_change(old: &Options, new: &Options) -> Result<()> {
    new.validate()?;
    let kept = Options {
        order: old.order,
        mode: old.mode,
        max_tokens: old.max_tokens,
        max_token_bytes: old.max_token_bytes,
        guarded: old.guarded,
        ..new.clone()
    };
    if kept == *new && tokenizer(old) == tokenizer(new) {
        return Ok(());
    }
    Err(Error::input(
        "order, mode, max_tokens, max_token_bytes and guarded cannot be changed: train a new chain with them",
    ))
}

/// Which inputs become which segments. Inputs come in the order of their messages; those that stay as they are, are left out.
fn plan(inputs: Vec<Input>, extent: &Extent, options: &Options) -> Vec<Vec<Input>> {
    let whole = *extent != Extent::Due || options.guarded;
    let mut younger = 0;
    let mut groups: Vec<Vec<Input>> = Vec::new();
    let mut places = 0;
    // From the youngest on: it is merged, and so is what is small beside all that is younger.
    for input in inputs.into_iter().rev() {
        let small = matches!(input, Input::Frozen(_)) || input.alive() < FACTOR * younger;
        younger += input.alive();
        if !whole && !small && input.dead().is_empty() {
            continue;
        }
        let joins = (small || whole) && places + input.places() <= MAX_SEGMENT_PLACES;
        match groups.last_mut() {
            Some(group) if joins => {
                places += input.places();
                group.push(input);
            }
            _ => {
                places = input.places();
                groups.push(vec![input]);
            }
        }
    }
    // A segment alone, of which nothing was forgotten, would be written as it is.
    let changed = matches!(extent, Extent::Changed(_));
    groups.retain(|group| {
        changed || group.len() > 1 || matches!(group[0], Input::Frozen(_)) || !group[0].dead().is_empty()
    });
    groups
}

/// All live messages of a group, in their order.
fn gather(group: &[Input]) -> Result<(Corpus, Table)> {
    let mut corpus = Corpus::default();
    let mut table = Table::new();
    let mut numbers: Vec<Vec<u32>> = group.iter().map(|input| vec![BOUNDARY; tokens_of(input)]).collect();
    let mut places = vec![0; group.len()];
    let mut tokens = Vec::new();
    let mut attachments = Vec::new();
    loop {
        let next = (0..group.len())
            .filter(|&index| places[index] < group[index].messages())
            .min_by_key(|&index| group[index].sequence(places[index]));
        let Some(index) = next else { break };
        let (input, message) = (&group[index], places[index]);
        places[index] += 1;
        if input.dead().contains(message as u32) {
            continue;
        }
        match input {
            Input::Held(held) => {
                held.messages.tokens(message, &mut tokens)?;
                table.push(&held.messages.about_in(message, &mut attachments)?)?;
            }
            Input::Frozen(frozen) => {
                tokens.clear();
                tokens.extend_from_slice(frozen.fresh.delta.message(message as u32));
                table.push(&frozen.fresh.table.about(message))?;
            }
        }
        for &token in &tokens {
            let number = renumber(&mut corpus, &mut numbers[index], input, token)?;
            corpus.text.push(number);
        }
        corpus.text.push(BOUNDARY);
    }
    Ok((corpus, table))
}

fn tokens_of(input: &Input) -> usize {
    match input {
        Input::Held(held) => held.segment.vocabulary().len(),
        Input::Frozen(frozen) => frozen.fresh.delta.vocabulary().len(),
    }
}

/// The corpus's number of a part's token, looked up once.
fn renumber(corpus: &mut Corpus, numbers: &mut [u32], input: &Input, token: u32) -> Result<u32> {
    let unknown = |input: &Input| match input {
        Input::Held(held) => Error::damaged(held.segment.path(), format!("it has no token {token}")),
        Input::Frozen(_) => Error::input("the delta has no such token"),
    };
    let known = numbers.get_mut(token as usize).ok_or_else(|| unknown(input))?;
    if *known == BOUNDARY {
        let text = match input {
            Input::Held(held) => held.segment.vocabulary().get(token),
            Input::Frozen(frozen) => frozen.fresh.delta.vocabulary().get(token),
        };
        if text.is_empty() {
            return Err(unknown(input));
        }
        *known = corpus
            .vocabulary
            .intern(text, u32::MAX)
            .ok_or_else(|| Error::input("a segment's vocabulary is full"))?;
    }
    Ok(*known)
}

/// Writes a segment and its messages, durably; the manifest does not name them yet.
pub(super) fn write_segment(
    disk: &dyn Disk,
    directory: &Path,
    number: u64,
    corpus: &mut Corpus,
    table: &Table,
    options: &Options,
) -> Result<SegmentEntry> {
    let count = table.len();
    let plan = Plan {
        order: usize::from(options.order),
        backward: options.backward,
        max_copied_tokens: options.max_copied_tokens,
        support: (options.min_authors > 1).then(|| Support {
            least: options.min_authors,
            speakers: match options.support {
                storage::Support::Authors => (0..count).map(|message| table.author_number(message)).collect(),
                storage::Support::Messages => (0..count as u32).collect(),
            },
        }),
    };
    let tokens = (corpus.text.len() - 1 - count) as u64;
    let path = FileKind::Segment.path(directory, number);
    let doing = |path: &Path| format!("writing {}", path.display());
    let out = Out::create(disk, &path)?;
    let (out, written) = corpus.write(&plan, out).map_err(|error| unwrapped(error, doing(&path)))?;
    let crc32 = out.finish(&path)?;
    let path = FileKind::Messages.path(directory, number);
    let out = Out::create(disk, &path)?;
    let (out, messages_bytes) = messages::write(out, table, &corpus.text).map_err(|error| unwrapped(error, doing(&path)))?;
    let messages_crc32 = out.finish(&path)?;
    disk.sync_directory(directory)?;
    Ok(SegmentEntry {
        number,
        messages: count as u64,
        tokens,
        first_sequence: table.sequence(0),
        last_sequence: table.sequence(count - 1),
        bytes: written.bytes,
        crc32,
        messages_bytes,
        messages_crc32,
    })
}

/// A file of the disk as a writer, with the checksum of all that went in.
struct Out {
    file: BufWriter<Raw>,
}

struct Raw {
    file: Box<dyn DiskFile>,
    crc: crc32fast::Hasher,
}

impl Out {
    fn create(disk: &dyn Disk, path: &Path) -> Result<Self> {
        let raw = Raw {
            file: disk.create(path)?,
            crc: crc32fast::Hasher::new(),
        };
        Ok(Self {
            file: BufWriter::with_capacity(1 << 18, raw),
        })
    }

    fn finish(self, path: &Path) -> Result<u32> {
        let raw = self.file.into_inner().map_err(|error| unwrapped(error.into_error(), format!("writing {}", path.display())))?;
        let Raw { mut file, crc } = raw;
        file.sync()?;
        Ok(crc.finalize())
    }
}

impl Write for Raw {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write_all(bytes).map_err(io::Error::other)?;
        self.crc.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// The error of the disk, where a writer wrapped it.
fn unwrapped(error: io::Error, doing: String) -> Error {
    match error.downcast::<Error>() {
        Ok(inner) => inner,
        Err(source) => Error::Io { doing, source },
    }
}

