//! Lines out of a window: the ground of three formats.

use memchr::memchr;

use super::MAX_MESSAGE_BYTES;
use super::window::Window;
use crate::Result;

pub(super) enum Line {
    /// `window.held()[..length]` without its newline; [`Lines::take`] consumes `taken`.
    Whole {
        length: usize,
        taken: usize,
    },
    /// Longer than a message may be: consumed, nothing of it was kept.
    TooLong,
    End,
}

#[derive(Default)]
pub(super) struct Lines {
    /// Lines taken so far: while a line is looked at, the number of the one before it.
    pub number: u64,
    /// Bytes of the window known to hold no newline.
    scanned: usize,
}

impl Lines {
    #[inline]
    pub fn peek(&mut self, window: &mut Window) -> Result<Line> {
        loop {
            let held = window.held();
            if let Some(at) = memchr(b'\n', &held[self.scanned..]) {
                let length = self.scanned + at;
                if length > MAX_MESSAGE_BYTES {
                    return self.skip(window);
                }
                let taken = length + 1;
                return Ok(Line::Whole { length, taken });
            }
            self.scanned = held.len();
            if self.scanned > MAX_MESSAGE_BYTES {
                return self.skip(window);
            }
            if !window.more()? {
                let length = window.held().len();
                let taken = length;
                return Ok(match length {
                    0 => Line::End,
                    _ => Line::Whole { length, taken },
                });
            }
        }
    }

    #[inline]
    pub fn take(&mut self, window: &mut Window, taken: usize) {
        window.advance(taken);
        self.number += 1;
        self.scanned = 0;
    }

    #[cold]
    fn skip(&mut self, window: &mut Window) -> Result<Line> {
        loop {
            let held = window.held();
            let found = memchr(b'\n', held);
            let taken = found.map_or(held.len(), |at| at + 1);
            window.advance(taken);
            if found.is_some() || !window.more()? {
                break;
            }
        }
        self.number += 1;
        self.scanned = 0;
        Ok(Line::TooLong)
    }
}
