//! JSON: an array of messages, read element by element, and the same messages one a line.

use std::str::from_utf8;

use super::line::{Line, Lines};
use super::lines::not_utf8;
use super::message::{Outcome, Shape, parse};
use super::walk::{Element, Walk, unexpected};
use super::window::Window;
use super::{Found, too_long};
use crate::{Record, Result};

enum State {
    Start,
    Inside,
    After,
    Done,
}

pub(super) struct Reader {
    walk: Walk,
    state: State,
}

impl Reader {
    pub fn new() -> Self {
        Self {
            walk: Walk::new(),
            state: State::Start,
        }
    }

    pub fn next(&mut self, window: &mut Window, record: &mut Record) -> Result<Found> {
        loop {
            match self.state {
                State::Start => match self.walk.peek(window)? {
                    Some(b'[') => {
                        self.walk.open(window);
                        self.state = State::Inside;
                    }
                    None => self.state = State::Done,
                    found => return Ok(self.stop(unexpected(found, "the [ of an array"))),
                },
                State::Inside => {
                    let (line, element) = self.walk.element(window)?;
                    match element {
                        Element::Whole(length) => {
                            let found =
                                message(&window.held()[..length], line, Shape::Plain, record);
                            self.walk.take(window, length);
                            return Ok(found);
                        }
                        Element::TooLong => return Ok(Found::Bad(line, too_long())),
                        Element::Broken(reason) => return Ok(self.stop(reason)),
                        Element::Closed => self.state = State::After,
                    }
                }
                State::After => match self.walk.peek(window)? {
                    None => self.state = State::Done,
                    found => return Ok(self.stop(unexpected(found, "the end of the file"))),
                },
                State::Done => return Ok(Found::End),
            }
        }
    }

    fn stop(&mut self, reason: String) -> Found {
        self.state = State::Done;
        Found::Bad(self.walk.line, reason)
    }
}

/// One object or string a line; blank lines are nothing.
#[derive(Default)]
pub(super) struct LineReader {
    lines: Lines,
}

impl LineReader {
    pub fn next(&mut self, window: &mut Window, record: &mut Record) -> Result<Found> {
        loop {
            let (length, taken) = match self.lines.peek(window)? {
                Line::Whole { length, taken } => (length, taken),
                Line::TooLong => return Ok(Found::Bad(self.lines.number, too_long())),
                Line::End => return Ok(Found::End),
            };
            let line = window.held()[..length].trim_ascii();
            let found = (!line.is_empty())
                .then(|| message(line, self.lines.number + 1, Shape::Plain, record));
            self.lines.take(window, taken);
            if let Some(found) = found {
                return Ok(found);
            }
        }
    }
}

/// The message that is these bytes, whose first line is `line`.
pub(super) fn message(json: &[u8], line: u64, shape: Shape, record: &mut Record) -> Found {
    let text = match from_utf8(json) {
        Ok(text) => text,
        Err(error) => {
            let before = &json[..error.valid_up_to()];
            let lines = memchr::memchr_iter(b'\n', before).count() as u64;
            return Found::Bad(line + lines, not_utf8(&error));
        }
    };
    match parse(text, shape, record) {
        Ok(Outcome::Taken) => match record.check() {
            Ok(()) => Found::Message,
            Err(error) => Found::Bad(line, error.to_string()),
        },
        Ok(Outcome::LeftOut) => Found::LeftOut,
        Err(error) => {
            let (row, column) = (error.line(), error.column());
            let text = error.to_string();
            let place = format!(" at line {row} column {column}");
            let reason = text.strip_suffix(&place).unwrap_or(&text);
            Found::Bad(
                line + (row as u64).saturating_sub(1),
                format!("{reason} (column {column})"),
            )
        }
    }
}
