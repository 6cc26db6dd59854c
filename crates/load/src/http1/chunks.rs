//! The chunked transfer coding (RFC 9112 section 7.1), taken apart as it arrives.

use super::Fault;
use super::token::is_token;
use crate::Answer;

/// Bytes of the line before a chunk: its size and its extensions.
pub const MOST_LINE: u16 = 16 * 1024;

/// Bytes of the trailer section, the empty line that ends it included.
pub const MOST_TRAILERS: u16 = 16 * 1024;

/// What the next byte belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// The first digit of a size: there must be one.
    Size,
    Digits,
    /// White space after the size, which may only be followed by an extension or the end of the
    /// line.
    Padding,
    Extension,
    LineFeed,
    Data,
    DataReturn,
    DataFeed,
    Trailer,
    TrailerName,
    TrailerValue,
    TrailerFeed,
    LastFeed,
    Over,
}

/// A decoder of one body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chunks {
    /// The size as far as it is read, then the bytes of the chunk that are still to come.
    left: u64,
    /// Bytes of this size line, or of the trailers.
    line: u16,
    at: At,
}

/// What a decoder made of some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Taken {
    pub used: usize,
    /// Bytes of the body, without what frames them.
    pub body: u64,
    pub is_over: bool,
}

impl Chunks {
    pub(super) const fn new() -> Self {
        Self {
            left: 0,
            line: 0,
            at: At::Size,
        }
    }

    /// Takes as much of `bytes` as belongs to the body.
    ///
    /// # Errors
    /// [`Fault::BadChunk`] and [`Fault::TrailersTooLong`].
    pub(super) fn take(
        &mut self,
        bytes: &[u8],
        mut keep: Option<&mut Answer>,
    ) -> Result<Taken, Fault> {
        let (mut used, mut body) = (0, 0);
        while used < bytes.len() && self.at != At::Over {
            if self.at != At::Data {
                self.frame(bytes[used])?;
                used += 1;
                continue;
            }
            let rest = &bytes[used..];
            let here = rest
                .len()
                .min(usize::try_from(self.left).unwrap_or(usize::MAX));
            if let Some(answer) = keep.as_deref_mut() {
                answer.push_body(&rest[..here]);
            }
            used += here;
            body += here as u64;
            self.left -= here as u64;
            if self.left == 0 {
                self.at = At::DataReturn;
            }
        }
        let is_over = self.at == At::Over;
        Ok(Taken {
            used,
            body,
            is_over,
        })
    }

    /// One byte outside the data.
    fn frame(&mut self, byte: u8) -> Result<(), Fault> {
        self.at = match (self.at, byte) {
            (At::Size | At::Digits, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => self.digit(byte)?,
            (At::Digits | At::Padding | At::Extension, b'\r') => At::LineFeed,
            (At::Digits | At::Padding, b';') => At::Extension,
            (At::Digits | At::Padding, b' ' | b'\t') => At::Padding,
            (At::Extension, _) if is_text(byte) => At::Extension,
            (At::LineFeed, b'\n') => {
                self.line = 0;
                self.at = if self.left == 0 {
                    At::Trailer
                } else {
                    At::Data
                };
                return Ok(());
            }
            (At::DataReturn, b'\r') => At::DataFeed,
            (At::DataFeed, b'\n') => At::Size,
            (At::Trailer, b'\r') => At::LastFeed,
            (At::Trailer | At::TrailerName, _) if is_token(byte) => At::TrailerName,
            (At::TrailerName, b':') => At::TrailerValue,
            (At::TrailerValue, b'\r') => At::TrailerFeed,
            (At::TrailerValue, _) if is_text(byte) => At::TrailerValue,
            (At::TrailerFeed, b'\n') => At::Trailer,
            (At::LastFeed, b'\n') => At::Over,
            _ => return Err(Fault::BadChunk),
        };
        self.count()
    }

    fn digit(&mut self, byte: u8) -> Result<At, Fault> {
        let digit = (byte as char).to_digit(16).map_or(0, u64::from);
        if self.left > i64::MAX as u64 >> 4 {
            return Err(Fault::BadChunk);
        }
        self.left = self.left << 4 | digit;
        Ok(At::Digits)
    }

    /// Holds the bounds on what frames the data: without them a peer could keep a reader busy for
    /// ever.
    fn count(&mut self) -> Result<(), Fault> {
        self.line += 1;
        match self.at {
            At::Size => self.line = 0,
            At::Trailer | At::TrailerName | At::TrailerValue | At::TrailerFeed | At::LastFeed
                if self.line >= MOST_TRAILERS =>
            {
                return Err(Fault::TrailersTooLong);
            }
            _ if self.line > MOST_LINE => return Err(Fault::BadChunk),
            _ => {}
        }
        Ok(())
    }
}

/// A visible byte, a space or a tab.
const fn is_text(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}
