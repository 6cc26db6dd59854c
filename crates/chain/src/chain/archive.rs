//! Export and import: a chain as one portable file, its messages as they were learned.
//!
//! The archive is gzip over lines of JSON: a head with version and options, one line a message with its tokens, and an end with
//! their number. It says nothing of segments, so that any version of the files can be made from it.

use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::Path;

use flate2::Compression;
use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};

use super::live::Live;
use super::merge::{Extent, MAX_SEGMENT_PLACES, write_segment};
use super::{Chain, Opening};
use crate::messages::{About, OwnedAbout, Table};
use crate::segment::build::Corpus;
use crate::segment::states::BOUNDARY;
use crate::storage::{MessageId, Options};
use crate::{Error, Result};

const VERSION: u32 = 1;

/// A line longer than any message that the caps allow.
const MAX_LINE_BYTES: u64 = 64 << 20;

#[derive(Serialize, Deserialize)]
struct Head {
    chaffinch_chain: u32,
    options: Options,
}

#[derive(Serialize, Deserialize)]
struct Line {
    id: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    author: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    channel: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    time_ms: Option<i64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    attachments: Vec<String>,
    tokens: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct End {
    messages: u64,
}

impl Chain {
    /// Writes every live message to an archive; how many there were.
    ///
    /// # Errors
    ///
    /// `Error::Io`, and `Error::Damaged` for a segment that cannot be read: a part is not passed off as the whole.
    pub fn export(&self, into: &mut dyn Write) -> Result<u64> {
        let doing = || Error::io("writing the archive");
        let mut out = GzEncoder::new(BufWriter::new(into), Compression::fast());
        let live = self.live();
        if let Some((entry, why)) = live.broken.first() {
            return Err(Error::damaged(
                &self.directory,
                format!("segment {} cannot be exported: {why}", entry.number),
            ));
        }
        let head = Head {
            chaffinch_chain: VERSION,
            options: live.options.clone(),
        };
        put(&mut out, &head)?;
        let mut messages = 0;
        each(&live, &mut |about, tokens| {
            messages += 1;
            let line = Line {
                id: about.id.to_string(),
                author: about.author,
                channel: about.channel,
                time_ms: about.time_ms,
                attachments: about.attachments,
                tokens,
            };
            put(&mut out, &line)
        })?;
        put(&mut out, &End { messages })?;
        out.finish().and_then(|mut rest| rest.flush()).map_err(doing())?;
        Ok(messages)
    }

    /// Makes a chain from an archive in a directory where there is none; how many messages it holds.
    ///
    /// # Errors
    ///
    /// `Error::Input` if there is a chain already, or for a line that is not an archive's: nothing is there then. `Error::Io`.
    pub fn import(directory: &Path, archive: &mut dyn Read) -> Result<u64> {
        let mut lines = Lines {
            input: BufReader::with_capacity(1 << 18, MultiGzDecoder::new(BufReader::new(archive))),
            line: 0,
            text: Vec::new(),
        };
        let head: Head = lines.next()?;
        if head.chaffinch_chain > VERSION {
            return Err(Error::input(format!(
                "the archive has version {}, this chaffinch reads up to {VERSION}: upgrade it",
                head.chaffinch_chain
            )));
        }
        if directory.join("manifest.json").exists() {
            return Err(Error::input(format!(
                "there is a chain in {} already: remove it first, or import under another name",
                directory.display()
            )));
        }
        let opening = Opening {
            write: true,
            create: Some(head.options.clone()),
            names: Vec::new(),
        };
        let chain = Self::open(directory, &opening)?;
        let imported = chain.take_in(&mut lines, &head.options);
        if imported.is_err() {
            drop(chain);
            // Everything in it was made just now.
            let _ = std::fs::remove_dir_all(directory);
        }
        imported
    }

    fn take_in<R: BufRead>(&self, lines: &mut Lines<R>, options: &Options) -> Result<u64> {
        let (mut corpus, mut table) = (Corpus::default(), Table::new());
        let mut messages = 0;
        loop {
            let value: serde_json::Value = lines.next()?;
            let end = value.get("messages").is_some();
            if end || corpus.text.len() as u64 >= MAX_SEGMENT_PLACES {
                messages += table.len() as u64;
                self.take_in_segment(std::mem::take(&mut corpus), std::mem::take(&mut table), options)?;
            }
            if end {
                let end: End = lines.parsed(value)?;
                if end.messages != messages {
                    return Err(lines.wrong(&format!("{} messages were written, {messages} are there", end.messages)));
                }
                break;
            }
            let line: Line = lines.parsed(value)?;
            let sequence = table.len() as u64;
            let id = line.id.parse().map_err(|error: Error| lines.wrong(&error.to_string()))?;
            let id = if matches!(id, MessageId::Own(_)) { MessageId::Own(sequence) } else { id };
            if line.tokens.is_empty() || line.tokens.iter().any(String::is_empty) {
                return Err(lines.wrong("a message has no tokens, or an empty one"));
            }
            for token in &line.tokens {
                let number = corpus.vocabulary.intern(token, u32::MAX);
                corpus.text.push(number.ok_or_else(|| lines.wrong("the vocabulary is full"))?);
            }
            corpus.text.push(BOUNDARY);
            table.push(&About {
                sequence,
                id,
                author: &line.author,
                channel: &line.channel,
                time_ms: line.time_ms,
                attachments: &line.attachments,
            })?;
        }
        self.merge(Extent::Due)?;
        Ok(messages)
    }

    fn take_in_segment(&self, mut corpus: Corpus, mut table: Table, options: &Options) -> Result<()> {
        if table.is_empty() {
            return Ok(());
        }
        let _merging = self.merging();
        let writer = self.writer()?;
        let (number, base) = {
            let mut state = writer.state()?;
            state.begin_building();
            let base = state.next_sequence;
            state.next_sequence += table.len() as u64;
            (state.manifest.take_file_number(), base)
        };
        table.shift(base);
        let entry = write_segment(&*self.disk, &self.directory, number, &mut corpus, &table, options)?;
        self.publish(writer, &[], vec![entry], None)?;
        Ok(())
    }
}

/// Every live message with its tokens, segment by segment and then the deltas.
fn each(live: &Live, take: &mut dyn FnMut(OwnedAbout, Vec<String>) -> Result<()>) -> Result<()> {
    let mut numbers = Vec::new();
    for held in &live.segments {
        let vocabulary = held.segment.vocabulary();
        for message in (0..held.messages.len()).filter(|&message| !held.dead.contains(message as u32)) {
            held.messages.tokens(message, &mut numbers)?;
            let tokens = numbers.iter().map(|&token| vocabulary.get(token).to_owned()).collect();
            take(held.messages.about(message)?, tokens)?;
        }
    }
    let frozen = live.frozen.as_ref().map(|frozen| (&*frozen.fresh, &frozen.dead));
    for (fresh, dead) in frozen.into_iter().chain([(&live.fresh, &live.fresh_dead)]) {
        let vocabulary = fresh.delta.vocabulary();
        for message in (0..fresh.table.len()).filter(|&message| !dead.contains(message as u32)) {
            let tokens = fresh.delta.message(message as u32).iter();
            let tokens = tokens.map(|&token| vocabulary.get(token).to_owned()).collect();
            take(fresh.table.about(message).into_owned(), tokens)?;
        }
    }
    Ok(())
}

fn put(out: &mut dyn Write, value: &impl Serialize) -> Result<()> {
    let mut line = serde_json::to_vec(value).map_err(|error| Error::input(error.to_string()))?;
    line.push(b'\n');
    out.write_all(&line).map_err(Error::io("writing the archive"))
}

/// The lines of an archive, numbered for what is wrong with them.
struct Lines<R> {
    input: R,
    line: u64,
    text: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    fn next<T: for<'de> Deserialize<'de>>(&mut self) -> Result<T> {
        self.line += 1;
        self.text.clear();
        let read = (&mut self.input).take(MAX_LINE_BYTES).read_until(b'\n', &mut self.text);
        match read {
            Ok(_) if self.text.ends_with(b"\n") => {}
            Ok(_) => return Err(self.wrong("it ends too early")),
            Err(error) => return Err(self.wrong(&format!("it cannot be decompressed: {error}"))),
        }
        serde_json::from_slice(&self.text).map_err(|error| self.wrong(&error.to_string()))
    }

    fn parsed<T: for<'de> Deserialize<'de>>(&self, value: serde_json::Value) -> Result<T> {
        serde_json::from_value(value).map_err(|error| self.wrong(&error.to_string()))
    }

    fn wrong(&self, what: &str) -> Error {
        Error::input(format!("the archive is not a chain's, line {}: {what}; nothing was imported", self.line))
    }
}
