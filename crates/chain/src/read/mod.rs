//! Streaming readers of message files. Memory stays bounded whatever the file's size: what is held
//! is one buffer, which grows for a single large message only.
//!
//! A record that cannot be used is reported with its line and its reason, and reading goes on after
//! it where the format allows. `docs/chain-import.md` describes the formats.

mod detect;
mod discord;
mod field;
mod files;
mod format;
mod input;
mod instant;
mod json;
mod line;
mod lines;
mod mail;
mod mbox;
mod message;
#[cfg(test)]
mod tests;
mod walk;
mod window;
mod zstd;

use std::fmt;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use crate::{Record, Result};
use input::Input;
use window::Window;

pub use files::files_in;
pub use format::{Compression, Format};

/// The longest message that is read, in bytes of its file: a line, an element of an array, a mail's
/// text. A longer one is passed over without being held, and reported.
pub const MAX_MESSAGE_BYTES: usize = 16 * 1024 * 1024;

/// One bad record: where and why. Shown as `chat.ndjson, line 17: ...`.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Bad {
    /// The name of the source.
    pub file: Arc<str>,
    /// From 1.
    pub line: u64,
    pub reason: String,
}

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, line {}: {}", self.file, self.line, self.reason)
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Next {
    /// The record holds the next message.
    Message,
    End,
    /// The record is empty.
    Bad(Bad),
}

/// What a format's reader came to.
enum Found {
    Message,
    /// A message that is no fault of the file and not learned.
    LeftOut,
    End,
    Bad(u64, String),
}

enum Reader {
    Lines(lines::Reader),
    Json(json::Reader),
    Ndjson(json::LineReader),
    Discord(discord::Reader),
    Mbox(mbox::Reader),
}

/// The messages of one file or stream, one after the other.
pub struct Source {
    window: Window,
    reader: Reader,
    format: Format,
    records: u64,
    left_out: u64,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("name", &self.window.input().name)
            .field("format", &self.format)
            .field("records", &self.records)
            .finish_non_exhaustive()
    }
}

impl Source {
    /// Opens a file; `-` is standard input. The compression is detected, and the format unless given.
    ///
    /// # Errors
    /// The file cannot be opened or read, is a directory, an archive, a database, UTF-16 or UTF-32.
    pub fn open(path: &Path, format: Option<Format>) -> Result<Self> {
        Self::of(Input::open(path)?, format)
    }

    /// The same over any reader; the name stands in messages.
    ///
    /// # Errors
    /// As [`Source::open`].
    pub fn over(name: &str, input: Box<dyn Read + Send>, format: Option<Format>) -> Result<Self> {
        Self::of(Input::over(name, input, None)?, format)
    }

    fn of(input: Input, format: Option<Format>) -> Result<Self> {
        let mut window = Window::new(input);
        detect::byte_order_mark(&mut window)?;
        let format = match format {
            Some(format) => format,
            None => detect::format(&mut window)?,
        };
        let reader = match format {
            Format::Lines => Reader::Lines(lines::Reader::default()),
            Format::Json => Reader::Json(json::Reader::new()),
            Format::Ndjson => Reader::Ndjson(json::LineReader::default()),
            Format::Discord => Reader::Discord(discord::Reader::new()),
            Format::Mbox => Reader::Mbox(mbox::Reader::default()),
        };
        Ok(Self {
            window,
            reader,
            format,
            records: 0,
            left_out: 0,
        })
    }

    /// The next message into `record`, which is cleared first. When nothing after a bad record can
    /// be read, its reason says so and the next call returns the end.
    ///
    /// # Errors
    /// The file cannot be read on, or its compressed data are damaged or truncated.
    #[inline]
    pub fn next(&mut self, record: &mut Record) -> Result<Next> {
        loop {
            record.clear();
            let found = match &mut self.reader {
                Reader::Lines(reader) => reader.next(&mut self.window, record)?,
                Reader::Json(reader) => reader.next(&mut self.window, record)?,
                Reader::Ndjson(reader) => reader.next(&mut self.window, record)?,
                Reader::Discord(reader) => reader.next(&mut self.window, record)?,
                Reader::Mbox(reader) => reader.next(&mut self.window, record)?,
            };
            match found {
                Found::Message => {
                    self.records += 1;
                    self.window.settle();
                    return Ok(Next::Message);
                }
                Found::LeftOut => self.left_out += 1,
                Found::End => return Ok(Next::End),
                Found::Bad(line, reason) => {
                    record.clear();
                    self.records += 1;
                    self.window.settle();
                    let file = self.window.name();
                    return Ok(Next::Bad(Bad { file, line, reason }));
                }
            }
        }
    }

    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    #[must_use]
    pub fn compression(&self) -> Compression {
        self.window.input().compression
    }

    /// Bytes of the file, compressed if it is, that were consumed.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.window.input().position()
    }

    /// Bytes of the file; none for a stream.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        self.window.input().size
    }

    /// xxh3-64 of the decompressed bytes up to the end of the last record that was returned, good or
    /// bad. The same bytes give the same value however they were read. Costs up to 30 us: ask once
    /// for each batch.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        self.window.fingerprint()
    }

    /// Records returned so far, good and bad.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Messages passed over so far because of what they are: of bots, without text of their own.
    #[must_use]
    pub fn left_out(&self) -> u64 {
        self.left_out
    }
}

fn too_long() -> String {
    format!(
        "the message is longer than {} MiB and was passed over",
        MAX_MESSAGE_BYTES >> 20
    )
}
