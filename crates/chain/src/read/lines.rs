//! Plain text, one message a line. Blank lines are nothing.

use super::line::{Line, Lines};
use super::window::Window;
use super::{Found, too_long};
use crate::{Record, Result};

#[derive(Default)]
pub(super) struct Reader {
    lines: Lines,
}

impl Reader {
    #[inline]
    pub fn next(&mut self, window: &mut Window, record: &mut Record) -> Result<Found> {
        loop {
            let (length, taken) = match self.lines.peek(window)? {
                Line::Whole { length, taken } => (length, taken),
                Line::TooLong => return Ok(Found::Bad(self.lines.number, too_long())),
                Line::End => return Ok(Found::End),
            };
            let line = &window.held()[..length];
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let found = match std::str::from_utf8(line) {
                Ok(text) => {
                    record.text.push_str(text);
                    (!line.trim_ascii_start().is_empty()).then_some(Found::Message)
                }
                Err(error) => Some(Found::Bad(self.lines.number + 1, not_utf8(&error))),
            };
            self.lines.take(window, taken);
            if let Some(found) = found {
                return Ok(found);
            }
            record.text.clear();
        }
    }
}

#[cold]
pub(super) fn not_utf8(error: &std::str::Utf8Error) -> String {
    format!(
        "byte {} of the message is not UTF-8: convert the file, such as with iconv -f LATIN1 -t UTF-8",
        error.valid_up_to() + 1
    )
}
