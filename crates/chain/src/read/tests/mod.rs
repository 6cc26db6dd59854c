//! What users notice of the readers: each format, each compression, bad input, and any bytes at all.

mod compressed;
mod formats;
mod mailboxes;
mod properties;
mod wrong;

use std::io::{self, Cursor, Read};

use super::{Format, Next, Source};
use crate::{Record, Result};

fn source(bytes: &[u8], format: Option<Format>) -> Result<Source> {
    Source::over("chat", Box::new(Cursor::new(bytes.to_vec())), format)
}

/// All messages, and all complaints as they are shown.
fn drain(source: &mut Source) -> Result<(Vec<Record>, Vec<String>)> {
    let (mut messages, mut complaints) = (Vec::new(), Vec::new());
    let mut record = Record::default();
    loop {
        match source.next(&mut record)? {
            Next::Message => messages.push(record.clone()),
            Next::Bad(bad) => complaints.push(bad.to_string()),
            Next::End => break,
        }
    }
    assert_eq!(source.next(&mut record)?, Next::End, "the end is the end");
    let count = (messages.len() + complaints.len()) as u64;
    assert_eq!(source.records(), count);
    Ok((messages, complaints))
}

fn read(text: &str, format: Option<Format>) -> (Vec<Record>, Vec<String>) {
    drain(&mut source(text.as_bytes(), format).unwrap()).unwrap()
}

fn texts(records: &[Record]) -> Vec<&str> {
    records.iter().map(|record| &*record.text).collect()
}

/// Gives its bytes in pieces of the given sizes, again and again.
struct Pieces {
    bytes: Cursor<Vec<u8>>,
    sizes: Vec<usize>,
    turn: usize,
}

impl Read for Pieces {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let size = self.sizes[self.turn % self.sizes.len()].clamp(1, to.len().max(1));
        self.turn += 1;
        if self.turn % 7 == 3 {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let size = size.min(to.len());
        self.bytes.read(&mut to[..size])
    }
}
