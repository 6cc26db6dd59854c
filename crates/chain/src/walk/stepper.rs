//! One step of a walk: where it stands in every part, and which part speaks next.
//!
//! A part speaks in proportion to how often its live messages left the common state, so that the
//! parts together draw as one chain over all messages would. Where no part knows the whole context,
//! its oldest token is dropped (backoff). Of several chains one speaks in proportion to its weight,
//! among those that know the context.

use super::part::{Drawn, Part, UNKNOWN};
use crate::rng::Rng;
use crate::segment::states::{BOUNDARY, Malformed, NONE};

const MAX_ORDER: usize = 4;

/// One chain of a mix: its parts, its order (1 to 4), and its share where several could go on. One
/// without weight is never heard.
pub struct Speaker<'v> {
    pub parts: Vec<Part<'v>>,
    /// Parts that do not speak: what they hold was said before, no more. So it is, where a chain
    /// says only what enough people had, with what it learned since the last merge, and with a
    /// segment of which something was forgotten: nobody knows yet who else says it.
    pub silent: Vec<Part<'v>>,
    pub order: usize,
    pub weight: u32,
}

/// A drawn token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Who spoke, for `Stepper::text`.
    pub cursor: u32,
    /// In numbers of that part; `BOUNDARY` when the message is over.
    pub token: u32,
    /// How many successors there were to choose from in the part that has most. Of a state of more
    /// than 64, and in a delta of one left more than 256 times, forgotten ones count while enough
    /// messages are alive that they could be.
    pub choices: u32,
}

struct Cursor<'v> {
    part: Part<'v>,
    speaker: usize,
    /// The last tokens in this part's numbers, oldest first; the rightmost `Stepper::length` are
    /// set.
    context: [u32; MAX_ORDER],
    /// The state of the longest context, where it is known without looking.
    at_hand: Option<u32>,
    /// While a step is drawn: the state to leave, and its share.
    state: u32,
    alive: u32,
}

struct Share<'v> {
    silent: Vec<Part<'v>>,
    order: usize,
    weight: u32,
    /// While a step is drawn: live occurrences in all its parts.
    alive: u64,
}

/// A walk in progress over the parts of one or more speakers.
pub struct Stepper<'v> {
    cursors: Vec<Cursor<'v>>,
    shares: Vec<Share<'v>>,
    /// Tokens in the context.
    length: usize,
    /// Longest context to be used.
    longest: usize,
    /// The highest order of a speaker.
    order: usize,
}

impl<'v> Stepper<'v> {
    #[must_use]
    pub fn new(speakers: &[Speaker<'v>]) -> Self {
        let cursors = speakers.iter().enumerate().flat_map(|(speaker, one)| {
            one.parts.iter().map(move |&part| Cursor {
                part,
                speaker,
                context: [BOUNDARY; MAX_ORDER],
                at_hand: None,
                state: NONE,
                alive: 0,
            })
        });
        let shares = speakers.iter().map(|one| Share {
            silent: one.silent.clone(),
            order: one.order.min(MAX_ORDER),
            weight: one.weight,
            alive: 0,
        });
        let shares: Vec<_> = shares.collect();
        Self {
            cursors: cursors.collect(),
            order: shares.iter().map(|share| share.order).max().unwrap_or(0),
            shares,
            length: 0,
            longest: MAX_ORDER,
        }
    }

    /// The highest order of a speaker; 0 without speakers.
    #[must_use]
    pub fn order(&self) -> usize {
        self.order
    }

    /// Uses contexts of at most so many tokens from now on.
    pub fn limit(&mut self, longest: usize) {
        self.longest = longest.clamp(1, MAX_ORDER);
    }

    /// Stands nowhere: nothing was said, not even that a message begins.
    pub fn clear(&mut self) {
        self.length = 0;
    }

    /// Stands at the beginning of a message.
    pub fn begin(&mut self) {
        self.length = 1;
        for cursor in &mut self.cursors {
            cursor.context[MAX_ORDER - 1] = BOUNDARY;
            cursor.at_hand = None;
        }
    }

    /// Goes on with a given token.
    pub fn follow(&mut self, token: &[u8]) {
        let unknown = Drawn {
            token: UNKNOWN,
            next: None,
        };
        self.enter(token, usize::MAX, unknown);
    }

    /// How often live messages went on after the last `level` tokens (all there are, if fewer).
    ///
    /// # Errors
    ///
    /// `Malformed` when a state cannot be read, as in all that follows.
    pub fn alive(&mut self, level: usize) -> Result<u64, Malformed> {
        match level.min(self.length) {
            0 => Ok(0),
            level => Ok(self.measure(level)?.0),
        }
    }

    /// The text of a token that a step gave.
    #[inline]
    #[must_use]
    pub fn text(&self, cursor: u32, token: u32) -> &'v [u8] {
        self.cursors[cursor as usize].part.text(token)
    }

    /// Whether any part of this speaker saw the key, silent ones too.
    #[inline]
    #[must_use]
    pub fn seen(&self, speaker: usize, key: u64) -> bool {
        let mut cursors = self.cursors.iter();
        cursors.any(|cursor| cursor.speaker == speaker && cursor.part.seen(key))
            || self.shares[speaker]
                .silent
                .iter()
                .any(|part| part.seen(key))
    }

    /// Draws the next token and goes there. None when nothing follows here.
    #[inline]
    pub fn step(&mut self, rng: &mut Rng) -> Result<Option<Step>, Malformed> {
        let mut level = self.length.min(self.longest).min(self.order);
        while level > 0 {
            let (total, choices) = self.measure(level)?;
            if total == 0 {
                level -= 1;
                continue;
            }
            let index = self.choose(rng);
            let cursor = &self.cursors[index];
            let drawn = cursor.part.draw(cursor.state, rng)?;
            if drawn.token != BOUNDARY {
                let order = self.shares[cursor.speaker].order;
                // A successor's state is at hand only if it is that of the longest context.
                let whole = level.min(order) == self.length.min(order);
                let next = drawn.next.filter(|_| whole);
                let text = cursor.part.text(drawn.token);
                if text.is_empty() {
                    return Err(Malformed); // no token of this part
                }
                self.enter(text, index, Drawn { next, ..drawn });
            }
            return Ok(Some(Step {
                cursor: index as u32,
                token: drawn.token,
                choices,
            }));
        }
        Ok(None)
    }

    /// Looks up the state of the last `level` tokens (each speaker's order at most) everywhere:
    /// live occurrences in all, and the most successors that one part has.
    #[inline]
    fn measure(&mut self, level: usize) -> Result<(u64, u32), Malformed> {
        for share in &mut self.shares {
            share.alive = 0;
        }
        let (mut total, mut choices) = (0, 0);
        for cursor in &mut self.cursors {
            let share = &mut self.shares[cursor.speaker];
            let level = level.min(share.order);
            let whole = level == self.length.min(share.order);
            cursor.alive = 0;
            if share.weight == 0 {
                continue;
            }
            cursor.state = match cursor.at_hand {
                Some(state) if whole => state,
                _ => cursor.part.state(&cursor.context[MAX_ORDER - level..])?,
            };
            let (alive, distinct) = cursor.part.alive(cursor.state)?;
            cursor.alive = alive;
            share.alive += u64::from(alive);
            total += u64::from(alive);
            choices = choices.max(distinct);
        }
        Ok((total, choices))
    }

    /// The cursor that speaks: a speaker by weight among those that can, then one of its parts by
    /// live occurrences. There is one that can.
    #[inline]
    fn choose(&mut self, rng: &mut Rng) -> usize {
        if self.cursors.len() == 1 {
            return 0;
        }
        let speaker = if self.shares.len() > 1 {
            self.choose_speaker(rng)
        } else {
            0
        };
        let mut left = rng.below_u64(self.shares[speaker].alive);
        let mut chosen = 0;
        for (index, cursor) in self.cursors.iter().enumerate() {
            if cursor.speaker == speaker && cursor.alive > 0 {
                chosen = index;
                if left < u64::from(cursor.alive) {
                    break;
                }
                left -= u64::from(cursor.alive);
            }
        }
        chosen
    }

    fn choose_speaker(&self, rng: &mut Rng) -> usize {
        let weight = |share: &Share| {
            if share.alive > 0 {
                u64::from(share.weight)
            } else {
                0
            }
        };
        let mut left = rng.below_u64(self.shares.iter().map(weight).sum());
        for (index, share) in self.shares.iter().enumerate() {
            if left < weight(share) {
                return index;
            }
            left -= weight(share);
        }
        0
    }

    /// Every cursor goes on with a token, of which `drawn` is the number in the part that spoke.
    #[inline]
    fn enter(&mut self, text: &[u8], spoke: usize, drawn: Drawn) {
        for (index, cursor) in self.cursors.iter_mut().enumerate() {
            let token = if index == spoke {
                cursor.at_hand = drawn.next;
                drawn.token
            } else {
                cursor.at_hand = None;
                cursor.part.find(text).unwrap_or(UNKNOWN)
            };
            cursor.context.rotate_left(1);
            cursor.context[MAX_ORDER - 1] = token;
        }
        self.length = (self.length + 1).min(MAX_ORDER);
    }
}
