//! Mailboxes: mails one after the other, each begun by a line `From address date`.

use super::line::{Line, Lines};
use super::mail;
use super::window::Window;
use super::{Found, MAX_MESSAGE_BYTES};
use crate::{Record, Result};

/// More lines than that in a mail are no mail: 16 MiB of base64 have 220,000, and the parser
/// keeps something for each header and part.
const MAX_MAIL_LINES: u64 = 250_000;

/// Reads mail by mail, and gives each paragraph as a message.
#[derive(Default)]
pub(super) struct Reader {
    lines: Lines,
    /// The mail being read, unquoted; reused.
    mail: Vec<u8>,
    /// Paragraphs of the last mail that were not given yet.
    pending: mail::Paragraphs,
    head: mail::Head,
    given: u64,
}

impl Reader {
    pub fn next(&mut self, window: &mut Window, record: &mut Record) -> Result<Found> {
        if self.give(record) {
            return Ok(Found::Message);
        }
        let Some((line, begun)) = self.begin(window)? else {
            return Ok(Found::End);
        };
        let cut = self.gather(window)?;
        if !begun {
            let reason =
                "no \"From \" line begins a mail here: all before the next was passed over";
            return Ok(Found::Bad(line, reason.to_owned()));
        }
        self.given = 0;
        match mail::read(&self.mail, cut) {
            Ok((head, paragraphs)) => {
                self.head = head;
                self.pending = paragraphs;
            }
            Err(reason) => return Ok(Found::Bad(line, reason)),
        }
        Ok(if self.give(record) {
            Found::Message
        } else {
            Found::LeftOut
        })
    }

    /// The next paragraph into the record; false when there is none.
    fn give(&mut self, record: &mut Record) -> bool {
        let Some(text) = self.pending.next() else {
            return false;
        };
        record.text.push_str(text);
        self.given += 1;
        self.head.fill(self.given, record);
        true
    }

    /// Passes blank lines and the line that begins a mail: its number, and whether it was one.
    fn begin(&mut self, window: &mut Window) -> Result<Option<(u64, bool)>> {
        loop {
            match self.lines.peek(window)? {
                Line::End => return Ok(None),
                Line::TooLong => return Ok(Some((self.lines.number, false))),
                Line::Whole { length, taken } => {
                    let line = &window.held()[..length];
                    let begun = separates(line);
                    let blank = line.trim_ascii_start().is_empty();
                    self.lines.take(window, taken);
                    if begun || !blank {
                        return Ok(Some((self.lines.number, begun)));
                    }
                }
            }
        }
    }

    /// Collects the mail up to the next one; true when it was too long to be held as a whole.
    fn gather(&mut self, window: &mut Window) -> Result<bool> {
        self.mail.clear();
        self.mail.shrink_to(MAX_MESSAGE_BYTES / 16);
        let mut cut = false;
        let last = self.lines.number + MAX_MAIL_LINES;
        loop {
            match self.lines.peek(window)? {
                Line::End => return Ok(cut),
                Line::TooLong => cut = true,
                Line::Whole { length, taken } => {
                    let line = &window.held()[..taken];
                    if separates(&line[..length]) {
                        return Ok(cut);
                    }
                    cut |= self.mail.len() + taken > MAX_MESSAGE_BYTES || self.lines.number >= last;
                    if !cut {
                        self.mail.extend_from_slice(unquoted(line));
                    }
                    self.lines.take(window, taken);
                }
            }
        }
    }
}

/// `From `, something, and a time of day and a year: what stands between mails.
pub(super) fn separates(line: &[u8]) -> bool {
    let Some(rest) = line.strip_prefix(b"From ") else {
        return false;
    };
    let time = rest.windows(5).any(|part| {
        let digit = |at: usize| part[at].is_ascii_digit();
        digit(0) && digit(1) && part[2] == b':' && digit(3) && digit(4)
    });
    let mut words = rest.split(u8::is_ascii_whitespace);
    let year = words.any(|word| word.len() == 4 && word.iter().all(u8::is_ascii_digit));
    time && year
}

/// mboxo and mboxrd put a > before lines of a mail that look like the beginning of one.
fn unquoted(line: &[u8]) -> &[u8] {
    match line.strip_prefix(b">") {
        Some(rest) => {
            let marks = rest.iter().take_while(|byte| **byte == b'>').count();
            if rest[marks..].starts_with(b"From ") {
                rest
            } else {
                line
            }
        }
        None => line,
    }
}
