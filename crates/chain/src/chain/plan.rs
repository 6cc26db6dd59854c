//! Which segments a merge touches, and which of them become one.

use super::held::Held;
use super::live::Frozen;
use super::merge::Extent;
use crate::dead::Dead;

/// A segment is merged with the younger ones when it holds less than so many times their messages.
const FACTOR: u64 = 4;

/// What one segment may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub places: u64,
    /// Bytes in memory of names, ids and tokens, while it is made.
    pub bytes: u64,
}

/// What new segments are made of: messages that are not forgotten.
#[derive(Clone)]
pub(super) enum Input {
    Held(Box<Held>),
    Frozen(Frozen),
}

impl Input {
    pub fn first_sequence(&self) -> u64 {
        match self {
            Self::Held(held) => held.entry.first_sequence,
            Self::Frozen(frozen) => frozen.fresh.table.sequence(0),
        }
    }

    pub fn messages(&self) -> usize {
        match self {
            Self::Held(held) => held.messages.len(),
            Self::Frozen(frozen) => frozen.fresh.table.len(),
        }
    }

    pub fn dead(&self) -> &Dead {
        match self {
            Self::Held(held) => &held.dead,
            Self::Frozen(frozen) => &frozen.dead,
        }
    }

    /// The number of its segment.
    pub fn number(&self) -> Option<u64> {
        match self {
            Self::Held(held) => Some(held.entry.number),
            Self::Frozen(_) => None,
        }
    }

    pub fn sequence(&self, message: usize) -> u64 {
        match self {
            Self::Held(held) => held.messages.sequence(message),
            Self::Frozen(frozen) => frozen.fresh.table.sequence(message),
        }
    }

    pub fn tokens(&self) -> usize {
        match self {
            Self::Held(held) => held.segment.vocabulary().len(),
            Self::Frozen(frozen) => frozen.fresh.delta.vocabulary().len(),
        }
    }

    fn alive(&self) -> u64 {
        self.messages() as u64 - u64::from(self.dead().len())
    }

    /// What it takes in memory while it is merged, its text aside.
    fn bytes(&self) -> u64 {
        match self {
            Self::Held(held) => {
                held.entry.messages_bytes + held.segment.vocabulary().bytes.len() as u64
            }
            Self::Frozen(frozen) => {
                (frozen.fresh.table.memory_bytes() + frozen.fresh.delta.vocabulary().memory_bytes())
                    as u64
            }
        }
    }

    fn places(&self) -> u64 {
        match self {
            Self::Held(held) => held.entry.tokens + held.entry.messages,
            Self::Frozen(frozen) => frozen.fresh.delta.text().len() as u64,
        }
    }
}

/// Which inputs become which segments. Inputs come in the order of their messages; those that stay
/// as they are, are left out. Where support counts everything is joined, as far as the bounds let
/// it: it is counted in each segment by itself.
pub(super) fn plan(
    inputs: Vec<Input>,
    extent: &Extent,
    counts_support: bool,
    bounds: Bounds,
) -> Vec<Vec<Input>> {
    let whole = *extent != Extent::Due || counts_support;
    let mut younger = 0;
    let mut groups: Vec<Vec<Input>> = Vec::new();
    let (mut places, mut bytes) = (0, 0);
    // From the youngest on: it is merged, and so is what is small beside all that is younger.
    for input in inputs.into_iter().rev() {
        let small = matches!(input, Input::Frozen(_)) || input.alive() < FACTOR * younger;
        younger += input.alive();
        if !whole && !small && input.dead().is_empty() {
            continue;
        }
        let joins = (small || whole)
            && places + input.places() <= bounds.places
            && bytes + input.bytes() <= bounds.bytes;
        match groups.last_mut() {
            Some(group) if joins => {
                places += input.places();
                bytes += input.bytes();
                group.push(input);
            }
            _ => {
                (places, bytes) = (input.places(), input.bytes());
                groups.push(vec![input]);
            }
        }
    }
    // A segment alone, of which nothing was forgotten, would be written as it is.
    let changed = matches!(extent, Extent::Changed(_));
    groups.retain(|group| {
        changed
            || group.len() > 1
            || matches!(group[0], Input::Frozen(_))
            || !group[0].dead().is_empty()
    });
    groups
}
