//! One step of a walk: where it stands in every part, and which part speaks next.
//!
//! A part speaks in proportion to how often its live messages left the common state, so that the parts together draw as one
//! chain over all messages would. Where no part knows the whole context, its oldest token is dropped (backoff).

use super::part::{Drawn, Part, UNKNOWN};
use crate::rng::Rng;
use crate::segment::states::{BOUNDARY, Malformed, NONE};
use crate::segment::vocabulary::hash;

const MAX_ORDER: usize = 4;

/// One chain of a mix: its parts, its order, and its share where several could go on.
pub struct Speaker<'v> {
    pub parts: Vec<Part<'v>>,
    pub order: usize,
    pub weight: u32,
}

/// A token of a walk: a part's number for it, or the place in the given words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    Part { cursor: u32, token: u32 },
    Given(u32),
}

struct Cursor<'v> {
    part: Part<'v>,
    speaker: usize,
    /// The last tokens in this part's numbers, oldest first; the rightmost `Stepper::length` are set.
    context: [u32; MAX_ORDER],
    /// The state of the longest context, where it is known without looking.
    at_hand: Option<u32>,
    /// While a step is drawn: the state to leave, and its share.
    state: u32,
    alive: u32,
}

/// A walk in progress over the parts of one or more speakers.
pub struct Stepper<'v> {
    cursors: Vec<Cursor<'v>>,
    /// Order and weight of each speaker, and its live occurrences while a step is drawn.
    speakers: Vec<(usize, u32, u64)>,
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
        Self {
            cursors: cursors.collect(),
            speakers: speakers.iter().map(|one| (one.order, one.weight, 0)).collect(),
            length: 0,
            longest: MAX_ORDER,
            order: speakers.iter().map(|one| one.order).max().unwrap_or(0),
        }
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

    /// Goes on with a given token. Whether any part knows it.
    pub fn follow(&mut self, token: &str) -> bool {
        self.enter(token.as_bytes(), usize::MAX, Drawn { token: UNKNOWN, next: None })
    }

    /// Whether any part can go on from here with at least the last token as context.
    pub fn can_go_on(&mut self) -> Result<bool, Malformed> {
        Ok(self.measure(1)?.0 > 0)
    }

    /// The text of a piece that a step gave.
    #[inline]
    #[must_use]
    pub fn text(&self, cursor: u32, token: u32) -> &'v [u8] {
        self.cursors[cursor as usize].part.text(token)
    }

    /// Whether any part of this speaker saw the key.
    #[inline]
    #[must_use]
    pub fn seen(&self, speaker: usize, key: u64) -> bool {
        self.cursors
            .iter()
            .any(|cursor| cursor.speaker == speaker && cursor.part.seen(key))
    }

    /// Draws the next token and goes there: the part that spoke, its number of the token (`BOUNDARY`: the message is over) and
    /// how many successors there were to choose from, at least. None when nothing follows here.
    #[inline]
    pub fn step(&mut self, rng: &mut Rng) -> Result<Option<(u32, u32, u32)>, Malformed> {
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
                let order = self.speakers[cursor.speaker].0;
                // A successor's state is at hand only if it is that of the longest context.
                let whole = level.min(order) == self.length.min(order);
                let drawn = Drawn { next: drawn.next.filter(|_| whole), ..drawn };
                let text = cursor.part.text(drawn.token);
                self.enter(text, index, drawn);
            }
            return Ok(Some((index as u32, drawn.token, choices)));
        }
        Ok(None)
    }

    /// Looks up the state of the last `level` tokens (each speaker's order at most) everywhere: live occurrences in all, and
    /// the most successors that one part has.
    fn measure(&mut self, level: usize) -> Result<(u64, u32), Malformed> {
        for speaker in &mut self.speakers {
            speaker.2 = 0;
        }
        let (mut total, mut choices) = (0, 0);
        for cursor in &mut self.cursors {
            let order = self.speakers[cursor.speaker].0;
            let level = level.min(order);
            let whole = level == self.length.min(order);
            cursor.state = match cursor.at_hand {
                Some(state) if whole => state,
                _ => cursor.part.state(&cursor.context[MAX_ORDER - level..])?,
            };
            let (alive, distinct) = cursor.part.alive(cursor.state)?;
            cursor.alive = alive;
            self.speakers[cursor.speaker].2 += u64::from(alive);
            total += u64::from(alive);
            choices = choices.max(distinct);
        }
        Ok((total, choices))
    }

    /// The cursor that speaks: a speaker by weight among those that can, then one of its parts by live occurrences.
    #[inline]
    fn choose(&mut self, rng: &mut Rng) -> usize {
        if self.cursors.len() == 1 {
            return 0;
        }
        let mut speaker = 0;
        if self.speakers.len() > 1 {
            let weight = |one: &(usize, u32, u64)| if one.2 > 0 { u64::from(one.1) } else { 0 };
            let mut left = rng.below_u64(self.speakers.iter().map(weight).sum());
            for (index, one) in self.speakers.iter().enumerate() {
                if left < weight(one) {
                    speaker = index;
                    break;
                }
                left -= weight(one);
            }
        }
        let mut left = rng.below_u64(self.speakers[speaker].2);
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

    /// Every cursor goes on with a token, of which `drawn` is the number in the part that spoke. Whether any part knows it.
    #[inline]
    fn enter(&mut self, text: &[u8], spoke: usize, drawn: Drawn) -> bool {
        let mut known = false;
        let alone = self.cursors.len() == 1 && spoke == 0;
        let text_hash = if alone { 0 } else { hash(text) };
        for (index, cursor) in self.cursors.iter_mut().enumerate() {
            let token = if index == spoke {
                cursor.at_hand = drawn.next;
                drawn.token
            } else {
                cursor.at_hand = None;
                cursor.part.find(text, text_hash).unwrap_or(UNKNOWN)
            };
            known |= token != UNKNOWN;
            cursor.context.rotate_left(1);
            cursor.context[MAX_ORDER - 1] = token;
        }
        self.length = (self.length + 1).min(MAX_ORDER);
        known
    }
}
