//! Segments: what was learned from a set of messages, immutable and mapped.

pub mod build;
pub mod filter;
pub mod index;
mod interner;
#[cfg(test)]
pub mod sample;
pub mod states;
#[cfg(test)]
mod tests;
pub mod trie;
pub mod vocabulary;

use std::ops::Range;
use std::path::Path;

use crate::sections::{Kind, Sections};
use crate::{Error, Result};
use vocabulary::Vocabulary;

pub const FILE: Kind = Kind {
    magic: *b"CHFSEGM\n",
    version: 1,
};

/// Names of the sections.
mod section {
    pub const ABOUT: u32 = 1;
    pub const TOKEN_BYTES: u32 = 2;
    pub const TOKEN_ENDS: u32 = 3;
    pub const TOKEN_INDEX: u32 = 4;
    pub const FILTER: u32 = 5;

    /// The words and the roots of one direction.
    pub const fn states(reversed: bool) -> (u32, u32) {
        if reversed { (8, 9) } else { (6, 7) }
    }
}

/// Which way messages are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    Forward,
    Backward,
}

/// What a segment says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct About {
    pub order: usize,
    pub backward: bool,
    pub max_copied_tokens: u32,
    /// Of the forward direction: states and transitions of all orders, transitions of the full
    /// order, and those left out for want of support.
    pub states: u64,
    pub transitions: u64,
    pub full_transitions: u64,
    pub unsupported: u64,
}

/// One mapped segment.
#[derive(Debug)]
pub struct Segment {
    sections: Sections,
    about: About,
    bytes: Range<usize>,
    ends: Range<usize>,
    index: Range<usize>,
    filter: Range<usize>,
    sides: [(Range<usize>, Range<usize>); 2],
}

impl Segment {
    /// Maps a segment: the same few steps whatever its size.
    ///
    /// # Errors
    ///
    /// `Error::Newer`, `Error::Damaged`, `Error::Io`.
    pub fn open(path: &Path) -> Result<Self> {
        let sections = Sections::open(path, FILE)?;
        let about = sections.range::<u64>(section::ABOUT)?;
        let about = match *sections.slice::<u64>(&about) {
            [
                order @ 1..=4,
                backward,
                max_copied_tokens,
                states,
                transitions,
                full,
                unsupported,
                ..,
            ] => About {
                order: order as usize,
                backward: backward == 1,
                max_copied_tokens: max_copied_tokens as u32,
                states,
                transitions,
                full_transitions: full,
                unsupported,
            },
            _ => return Err(Error::damaged(path, "it does not say what it holds")),
        };
        let side = |reversed| {
            let (states, roots) = section::states(reversed);
            Ok::<_, Error>((
                sections.range::<u32>(states)?,
                sections.range::<u32>(roots)?,
            ))
        };
        Ok(Self {
            about,
            bytes: sections.range::<u8>(section::TOKEN_BYTES)?,
            ends: sections.range::<u32>(section::TOKEN_ENDS)?,
            index: sections.range::<u32>(section::TOKEN_INDEX)?,
            filter: sections.range::<u64>(section::FILTER)?,
            sides: [side(false)?, side(true)?],
            sections,
        })
    }

    #[must_use]
    pub fn about(&self) -> &About {
        &self.about
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        self.sections.path()
    }

    /// Bytes of the file.
    #[must_use]
    pub fn file_bytes(&self) -> u64 {
        self.sections.bytes()
    }

    #[must_use]
    pub fn vocabulary(&self) -> Vocabulary<'_> {
        Vocabulary {
            bytes: self.sections.slice(&self.bytes),
            ends: self.sections.slice(&self.ends),
            index: self.sections.slice(&self.index),
        }
    }

    /// Whether a run or a short message was said before, for sure or by a rare false alarm.
    #[must_use]
    pub fn filter(&self) -> &[u64] {
        self.sections.slice(&self.filter)
    }

    /// The words of all states in one direction; empty when there are none.
    #[must_use]
    pub fn words(&self, direction: Direction) -> &[u32] {
        self.sections.slice(&self.sides[direction as usize].0)
    }

    /// By token: the state of order 1.
    #[must_use]
    pub fn roots(&self, direction: Direction) -> &[u32] {
        self.sections.slice(&self.sides[direction as usize].1)
    }

    /// Reads the whole file against its checksums.
    ///
    /// # Errors
    ///
    /// `Error::Damaged` names the section; `Error::Io`.
    pub fn verify(&self) -> Result<()> {
        self.sections.verify()
    }
}
