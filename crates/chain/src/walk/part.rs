//! One part of a chain as a walk reads it: a mapped segment or a delta, less what was forgotten.

use crate::dead::Removed;
use crate::delta::{Delta, Ref, Side};
use crate::rng::Rng;
use crate::segment::states::{BOUNDARY, Malformed, NONE, State};
use crate::segment::vocabulary::Vocabulary;
use crate::segment::{Direction, Segment, filter};

/// A token number that no part gives out.
pub const UNKNOWN: u32 = u32::MAX;

/// Draws that may hit something forgotten before the live successors are listed instead; more where
/// the list is longer, which costs as much as so many draws.
const MISSES: u32 = 32;

/// Up to this many successors of a state are counted anew after some were forgotten.
const NARROW: u32 = 64;

/// So it is in a delta, but only where a state was left no more often than this: it keeps a list of
/// all that followed, in which they are found one by one.
const SHORT: u32 = 256;

/// One part in one direction. States are numbers of the part's own; `NONE` is no state.
#[derive(Clone, Copy)]
pub enum Part<'v> {
    Mapped {
        vocabulary: Vocabulary<'v>,
        words: &'v [u32],
        roots: &'v [u32],
        filter: &'v [u64],
        removed: &'v Removed,
    },
    Fresh {
        delta: &'v Delta,
        side: &'v Side,
        removed: &'v Removed,
    },
}

/// A drawn token, and the state it leads to where the part knows it at once.
#[derive(Clone, Copy, Debug)]
pub struct Drawn {
    pub token: u32,
    pub next: Option<u32>,
}

impl<'v> Part<'v> {
    #[must_use]
    pub fn of_segment(segment: &'v Segment, removed: &'v Removed, direction: Direction) -> Self {
        Self::Mapped {
            vocabulary: segment.vocabulary(),
            words: segment.words(direction),
            roots: segment.roots(direction),
            filter: segment.filter(),
            removed,
        }
    }

    /// None in a direction that the delta does not keep.
    #[must_use]
    pub fn of_delta(delta: &'v Delta, removed: &'v Removed, direction: Direction) -> Option<Self> {
        let side = match direction {
            Direction::Forward => delta.forward(),
            Direction::Backward => delta.backward()?,
        };
        Some(Self::Fresh {
            delta,
            side,
            removed,
        })
    }

    /// This part's number of a token.
    #[must_use]
    pub fn find(&self, token: &[u8]) -> Option<u32> {
        match self {
            Self::Mapped { vocabulary, .. } => vocabulary.find_bytes(token),
            Self::Fresh { delta, .. } => delta.vocabulary().find(std::str::from_utf8(token).ok()?),
        }
    }

    #[inline]
    #[must_use]
    pub fn text(&self, token: u32) -> &'v [u8] {
        match self {
            Self::Mapped { vocabulary, .. } => vocabulary.bytes_of(token),
            Self::Fresh { delta, .. } => delta.vocabulary().get(token).as_bytes(),
        }
    }

    /// Whether a run or a short message with this key was said before.
    #[inline]
    #[must_use]
    pub fn seen(&self, key: u64) -> bool {
        match self {
            Self::Mapped { filter, .. } => filter::contains(filter, key),
            Self::Fresh { delta, .. } => delta.seen(key),
        }
    }

    /// The state of a context: token numbers, oldest first.
    ///
    /// # Errors
    ///
    /// `Malformed` when a state on the way cannot be read; so in all that follows.
    pub fn state(&self, context: &[u32]) -> Result<u32, Malformed> {
        match self {
            Self::Mapped { words, roots, .. } => {
                let Some((&first, rest)) = context.split_first() else {
                    return Ok(NONE);
                };
                let mut state = roots.get(first as usize).copied().unwrap_or(NONE);
                for &token in rest {
                    if state == NONE || token == BOUNDARY {
                        return Ok(NONE);
                    }
                    state = State::at(words, state)?
                        .find(token)
                        .map_or(NONE, |found| found.next);
                }
                Ok(state)
            }
            Self::Fresh { side, .. } => {
                if context.contains(&UNKNOWN) {
                    return Ok(NONE);
                }
                Ok(side.state(context).map_or(NONE, Ref::number))
            }
        }
    }

    /// How often live messages left a state, and how many successors it has; zeros for no state.
    ///
    /// Where many could follow, and in a delta where a state was left often, forgotten successors
    /// are counted too, but no more than messages are alive.
    #[inline]
    pub fn alive(&self, state: u32) -> Result<(u32, u32), Malformed> {
        if state == NONE {
            return Ok((0, 0));
        }
        let (occurrences, distinct) = match self {
            Self::Mapped { words, .. } => {
                let state = State::at(words, state)?;
                (state.occurrences(), state.distinct())
            }
            Self::Fresh { side, .. } => {
                let state = Ref::from_number(state);
                (side.occurrences(state), side.distinct(state))
            }
        };
        let removed = self.removed();
        if removed.is_empty() {
            return Ok((occurrences, distinct));
        }
        let left = removed.left(state);
        let alive = occurrences.saturating_sub(left);
        let is_long =
            distinct > NARROW || matches!(self, Self::Fresh { .. }) && occurrences > SHORT;
        if left == 0 || alive <= 1 || is_long {
            return Ok((alive, distinct.min(alive)));
        }
        Ok((alive, self.live_successors(state)?.len() as u32))
    }

    /// Draws a live successor of a state that has one, in proportion to how often live messages
    /// took it.
    #[inline]
    pub fn draw(&self, state: u32, rng: &mut Rng) -> Result<Drawn, Malformed> {
        let removed = self.removed();
        if removed.is_empty() || removed.left(state) == 0 {
            return Ok(self.draw_any(state, rng)?.1);
        }
        for _ in 0..MISSES.max(self.width(state)?) {
            let (place, drawn) = self.draw_any(state, rng)?;
            let is_gone = match self {
                Self::Mapped { .. } => {
                    let taken = removed.taken(state, drawn.token);
                    taken > 0 && rng.below(self.count(state, drawn.token)?) < taken
                }
                Self::Fresh { .. } => removed.has_taken(state, drawn.token, place),
            };
            if !is_gone {
                return Ok(drawn);
            }
        }
        self.draw_listed(state, rng)
    }

    /// How long the list is that a state's live successors are found in.
    fn width(&self, state: u32) -> Result<u32, Malformed> {
        Ok(match self {
            Self::Mapped { words, .. } => State::at(words, state)?.distinct(),
            Self::Fresh { side, .. } => side.occurrences(Ref::from_number(state)),
        })
    }

    /// Draws among live and forgotten successors. Of a delta also the place in its list.
    #[inline]
    fn draw_any(&self, state: u32, rng: &mut Rng) -> Result<(u32, Drawn), Malformed> {
        Ok(match self {
            Self::Mapped { words, .. } => {
                let step = State::at(words, state)?.draw(rng)?;
                let next = Some(step.next);
                let token = step.token;
                (0, Drawn { token, next })
            }
            Self::Fresh { side, .. } => {
                let (place, token) = side.draw(Ref::from_number(state), rng);
                (place, Drawn { token, next: None })
            }
        })
    }

    /// The same draw from a list: for states of which little is left alive.
    fn draw_listed(&self, state: u32, rng: &mut Rng) -> Result<Drawn, Malformed> {
        let live = self.live_successors(state)?;
        let mut left = rng.below(live.iter().map(|(_, count)| count).sum());
        for (drawn, count) in live {
            if left < count {
                return Ok(drawn);
            }
            left -= count;
        }
        Err(Malformed)
    }

    /// The successors that live messages took, and how often they did.
    fn live_successors(&self, state: u32) -> Result<Vec<(Drawn, u32)>, Malformed> {
        let removed = self.removed();
        let mut all = self.successors(state)?;
        all.retain_mut(|(drawn, count)| {
            *count = count.saturating_sub(removed.taken(state, drawn.token));
            *count > 0
        });
        Ok(all)
    }

    fn successors(&self, state: u32) -> Result<Vec<(Drawn, u32)>, Malformed> {
        Ok(match self {
            Self::Mapped { words, .. } => State::at(words, state)?
                .successors()
                .map(|one| {
                    (
                        Drawn {
                            token: one.token,
                            next: Some(one.next),
                        },
                        one.count,
                    )
                })
                .collect(),
            Self::Fresh { side, .. } => side
                .successors(Ref::from_number(state))
                .into_iter()
                .map(|(token, count)| (Drawn { token, next: None }, count))
                .collect(),
        })
    }

    fn count(&self, state: u32, token: u32) -> Result<u32, Malformed> {
        Ok(match self {
            Self::Mapped { words, .. } => State::at(words, state)?
                .find(token)
                .map_or(0, |one| one.count),
            Self::Fresh { side, .. } => side.count(Ref::from_number(state), token),
        })
    }

    fn removed(&self) -> &'v Removed {
        match self {
            Self::Mapped { removed, .. } | Self::Fresh { removed, .. } => removed,
        }
    }
}
