//! Text into tokens and back.
//!
//! A message is cleaned (`clean.rs`), cut at whitespace, and in two of the three modes cut
//! further (`pieces.rs`) around what is never cut (`whole.rs`).
//!
//! # Round trip
//!
//! Tokenizing what [`join`] makes of a message's tokens gives the same tokens:
//!
//! - [`Mode::Words`]: always, also where both caps were hit.
//! - [`Mode::Segments`], [`Mode::Graphemes`]: unless a token was shortened. What is left of a
//!   shortened token is cut anew beside its neighbour (a link that now ends in a full stop loses
//!   it). The cap on tokens does no harm: every rule here looks only at what stands before the
//!   cut.

mod buffer;
mod caps;
mod clean;
mod mode;
mod pieces;
mod scripts;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod timing;
mod whole;
mod words;

pub use buffer::{Tokens, join};
pub use caps::{Cut, Limits, MIN_TOKEN_BYTES};
pub use mode::Mode;

use caps::Sink;

/// Cuts messages into tokens: one mode, one set of caps, no state between messages.
///
/// Tokens are in NFC and hold no whitespace but the one space that [`Tokens`] tells of. Control
/// characters, the byte order mark and the marks that set the direction of writing
/// (`Bidi_Control`) are dropped and not counted: a chain must not repeat them. Joiners, variation
/// selectors and tags stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tokenizer {
    mode: Mode,
    limits: Limits,
}

impl Tokenizer {
    /// Limits outside what [`Limits`] states are moved to the nearest allowed value.
    #[must_use]
    pub fn new(mode: Mode, limits: Limits) -> Self {
        Self {
            mode,
            limits: limits.clamped(),
        }
    }

    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The caps as they are kept to.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Puts the tokens of `text` in `into` in place of what it held, and adds to `cut` what the
    /// caps took. Any text will do; the time is linear in its length.
    pub fn tokenize(&self, text: &str, into: &mut Tokens, cut: &mut Cut) {
        into.clear();
        let mut sink = Sink::new(self.limits, into);
        match self.mode {
            Mode::Words => words::split(text, &mut sink),
            Mode::Segments => {
                for (index, word) in clean::cleaned(text).split_whitespace().enumerate() {
                    let mut gap = if index == 0 { "" } else { " " };
                    pieces::segments(word, |piece| sink.push(std::mem::take(&mut gap), piece));
                }
            }
            Mode::Graphemes => {
                for (index, word) in clean::cleaned(text).split_whitespace().enumerate() {
                    if index > 0 {
                        sink.push("", " ");
                    }
                    pieces::graphemes(word, |piece| sink.push("", piece));
                }
                sink.drop_last_space();
            }
        }
        sink.finish(cut);
    }
}
