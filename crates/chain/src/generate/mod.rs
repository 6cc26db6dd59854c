//! Saying something new: tries over a walk until one is new, long enough, and holds what was asked
//! for.
//!
//! # New
//!
//! Nothing that is said equals a message of a chain that speaks, nor has a run of more than
//! `max_copied_tokens` tokens from one. Given words may be a copy themselves, so a run counts
//! unless it lies wholly within them: what is drawn must not extend the copy on either side. At
//! least one token is drawn. What was forgotten counts as said until a merge removes it.

mod attempt;
mod generator;
mod novelty;
mod phrase;
#[cfg(test)]
mod tests;

pub use generator::Generator;

use crate::walk::Speaker;

/// Most tokens of one message, whatever is asked for: a walk may never come to an end, since a
/// chain need not have the transition that would end it.
pub const MOST_TOKENS: u32 = 65_535;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Walks before it is given up. The first half use the whole context, later ones ever shorter
    /// contexts.
    pub max_tries: u32,
    /// Least freedom: the sum over drawn tokens, the end of the message among them, of the
    /// successors there were to choose from, less one each. The first token of a message, where
    /// it is drawn from how messages begin, does not count.
    pub min_score: u64,
    /// Bounds of the whole message, given words included; no message is longer than 65,535 tokens.
    pub min_tokens: u32,
    pub max_tokens: u32,
    pub max_bytes: u32,
    /// Nothing equal to a source message, no run longer than the chain's `max_copied_tokens` from
    /// one. Runs within the given words do not count.
    pub novel: bool,
    /// Words that the message begins with.
    pub start: Start,
    /// Words that it must hold, next to each other.
    pub containing: Option<String>,
    /// Words that it ends with.
    pub ending: Option<String>,
}

impl Default for Ask {
    fn default() -> Self {
        Self {
            max_tries: 1000,
            min_score: 0,
            min_tokens: 1,
            max_tokens: 200,
            max_bytes: 2000,
            novel: true,
            start: Start::Anywhere,
            containing: None,
            ending: None,
        }
    }
}

/// Where a message begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// As messages begin.
    Anywhere,
    /// With these words, wherever they stood in messages.
    Seed(String),
    /// With these words, as messages that begin with them go on.
    Beginning(String),
}

/// Something new.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    pub text: String,
    pub score: u64,
    /// Walks that it took.
    pub tries: u32,
}

/// One chain as a generator reads it.
pub struct Voice<'v> {
    pub forward: Speaker<'v>,
    /// None: the chain keeps no backward states.
    pub backward: Option<Speaker<'v>>,
    pub max_copied_tokens: u32,
}
