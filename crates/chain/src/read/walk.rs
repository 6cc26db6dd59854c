//! A walk over a JSON document that is never held as a whole: where its values begin and end, and on which line.

use memchr::{memchr_iter, memchr2};

use super::MAX_MESSAGE_BYTES;
use super::window::Window;
use crate::Result;

pub(super) enum Value {
    /// `window.held()[..length]`, not yet taken; 0 when no value begins here.
    Whole(usize),
    /// Longer than the limit: taken, nothing of it was kept.
    TooLong,
    /// The input ended inside it: taken.
    Truncated,
}

/// What comes next in an array.
pub(super) enum Element {
    Whole(usize),
    TooLong,
    Closed,
    /// Why nothing after this place can be read.
    Broken(String),
}

pub(super) struct Walk {
    /// The line of the place that was reached, from 1.
    pub line: u64,
    first: bool,
}

impl Walk {
    pub fn new() -> Self {
        Self {
            line: 1,
            first: true,
        }
    }

    /// The next byte that is not white space.
    pub fn peek(&mut self, window: &mut Window) -> Result<Option<u8>> {
        loop {
            let held = window.held();
            let blank = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
            let length = held.iter().take_while(blank).count();
            let next = held.get(length).copied();
            self.take(window, length);
            if next.is_some() || !window.more()? {
                return Ok(next);
            }
        }
    }

    pub fn take(&mut self, window: &mut Window, length: usize) {
        self.line += memchr_iter(b'\n', &window.held()[..length]).count() as u64;
        window.advance(length);
    }

    /// The value at the place that was peeked at.
    pub fn value(&mut self, window: &mut Window, limit: usize) -> Result<Value> {
        let mut extent = Extent::default();
        let mut scanned = 0;
        let mut too_long = false;
        loop {
            let held = window.held();
            let end = extent.end(&held[scanned..]).map(|at| scanned + at);
            scanned = end.unwrap_or(held.len());
            too_long |= scanned > limit;
            if !too_long && end.is_some() {
                return Ok(Value::Whole(scanned));
            }
            if too_long {
                self.take(window, scanned);
                scanned = 0;
                if end.is_some() {
                    return Ok(Value::TooLong);
                }
            }
            if !window.more()? {
                self.take(window, scanned);
                return Ok(Value::Truncated);
            }
        }
    }

    /// Opens an array whose `[` was peeked at.
    pub fn open(&mut self, window: &mut Window) {
        self.take(window, 1);
        self.first = true;
    }

    /// The next element of the array that was opened. The line is the one it begins on, except
    /// after one that was taken here.
    pub fn element(&mut self, window: &mut Window) -> Result<(u64, Element)> {
        let mut next = self.peek(window)?;
        if next == Some(b']') {
            self.take(window, 1);
            return Ok((self.line, Element::Closed));
        }
        if next.is_some() && !std::mem::take(&mut self.first) {
            if next != Some(b',') {
                return Ok((self.line, Element::Broken(unexpected(next, "a comma or ]"))));
            }
            self.take(window, 1);
            next = self.peek(window)?;
        }
        let line = self.line;
        if next.is_none() {
            return Ok((line, Element::Broken(TRUNCATED.to_owned())));
        }
        let element = match self.value(window, MAX_MESSAGE_BYTES)? {
            Value::Whole(0) => Element::Broken(unexpected(next, "a message")),
            Value::Whole(length) => Element::Whole(length),
            Value::TooLong => Element::TooLong,
            Value::Truncated => Element::Broken(TRUNCATED.to_owned()),
        };
        Ok((line, element))
    }
}

pub(super) const TRUNCATED: &str = "the file ends here, inside the JSON document: it is truncated";

/// Why the walk ends here: what stands here and what should.
pub(super) fn unexpected(found: Option<u8>, wanted: &str) -> String {
    match found {
        None => TRUNCATED.to_owned(),
        Some(byte) => format!(
            "{wanted} should stand here, not {:?}: nothing after it was read",
            char::from(byte)
        ),
    }
}

/// Finds the end of one JSON value in bytes that come in pieces.
#[derive(Default)]
struct Extent {
    depth: u64,
    in_string: bool,
    escaped: bool,
    in_scalar: bool,
}

impl Extent {
    /// Where in `bytes`, the next piece, the value ends; none when it goes on after them.
    fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        while at < bytes.len() {
            if self.in_string {
                at += self.string(&bytes[at..]);
                if !self.in_string && self.depth == 0 {
                    return Some(at);
                }
                continue;
            }
            match bytes[at] {
                b'"' | b'{' | b'[' if self.in_scalar => return Some(at),
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' if self.depth > 0 => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        return Some(at + 1);
                    }
                }
                b'}' | b']' | b',' | b':' | b' ' | b'\t' | b'\r' | b'\n' if self.depth == 0 => {
                    return Some(at);
                }
                _ => self.in_scalar = self.depth == 0,
            }
            at += 1;
        }
        None
    }

    /// Goes on inside a string; the number of bytes passed.
    fn string(&mut self, bytes: &[u8]) -> usize {
        if std::mem::take(&mut self.escaped) {
            return 1;
        }
        let Some(at) = memchr2(b'"', b'\\', bytes) else {
            return bytes.len();
        };
        self.in_string = bytes[at] == b'\\';
        self.escaped = self.in_string;
        at + 1
    }
}
