//! One try: a walk from where the given words put it, in one of three ways.

use super::generator::{Generator, Piece, Prepared, Route};
use super::phrase::Phrase;
use super::{MOST_TOKENS, Start};
use crate::rng::Rng;
use crate::segment::states::{BOUNDARY, Malformed};
use crate::segment::vocabulary::hash;
use crate::walk::Stepper;

impl Generator<'_> {
    /// One try: fills `pieces` and gives its score, or none if it failed.
    pub(super) fn attempt(
        &mut self,
        prepared: &Prepared<'_>,
        rng: &mut Rng,
    ) -> Result<Option<u64>, Malformed> {
        self.pieces.clear();
        self.novelty.clear();
        self.given.clear();
        match prepared.route {
            Route::Forward => self.attempt_forward(prepared, rng),
            Route::BothWays => self.attempt_both_ways(prepared, rng),
            Route::Backward => self.attempt_backward(prepared, rng),
        }
    }

    /// From the start on, watching for copies at each token.
    fn attempt_forward(
        &mut self,
        prepared: &Prepared<'_>,
        rng: &mut Rng,
    ) -> Result<Option<u64>, Malformed> {
        let ask = prepared.ask;
        if matches!(ask.start, Start::Seed(_)) {
            self.forward.clear();
        } else {
            self.forward.begin();
        }
        self.choose(&prepared.start, rng);
        for (place, token) in self.given.iter().enumerate() {
            self.forward.follow(token.as_bytes());
            self.pieces.push(Piece::Given(place as u32));
            let token = hash(token.as_bytes());
            self.novelty.enter(token, true, &self.forward);
        }
        let mut score = 0;
        while let Some(step) = self.forward.step(rng)? {
            if !self.pieces.is_empty() {
                score += u64::from(step.choices.saturating_sub(1));
            }
            if step.token == BOUNDARY {
                let copied = ask.novel && self.novelty.whole_was_said(&self.forward);
                let drawn = self.pieces.len() > self.given.len();
                return Ok((drawn && !copied).then_some(score));
            }
            if self.pieces.len() as u32 >= ask.max_tokens.min(MOST_TOKENS) {
                break;
            }
            self.pieces.push(Piece::Forward(step.cursor, step.token));
            if ask.novel {
                let token = hash(self.forward.text(step.cursor, step.token));
                if self.novelty.enter(token, false, &self.forward) {
                    break;
                }
            }
        }
        Ok(None)
    }

    /// From the words in the middle on to the end, and then back to the beginning.
    fn attempt_both_ways(
        &mut self,
        prepared: &Prepared<'_>,
        rng: &mut Rng,
    ) -> Result<Option<u64>, Malformed> {
        let most = prepared.ask.max_tokens.min(MOST_TOKENS);
        self.choose(&prepared.containing, rng);
        self.forward.clear();
        for (place, token) in self.given.iter().enumerate() {
            self.forward.follow(token.as_bytes());
            self.pieces.push(Piece::Given(place as u32));
        }
        let pieces = &mut self.pieces;
        let Some(score) = walk(&mut self.forward, Piece::Forward, pieces, most, rng)? else {
            return Ok(None);
        };
        self.pieces.reverse();
        self.stand_before_the_pieces();
        let Some(backward) = &mut self.backward else {
            return Ok(None);
        };
        let Some(before) = walk(backward, Piece::Backward, &mut self.pieces, most, rng)? else {
            return Ok(None);
        };
        self.pieces.reverse();
        Ok(self.is_new(prepared).then_some(score + before))
    }

    /// Lets the backward walk stand where the message, of which the pieces are the end read
    /// backward, goes on to its beginning.
    fn stand_before_the_pieces(&mut self) {
        let Some(backward) = &mut self.backward else {
            return;
        };
        let order = backward.order();
        if self.pieces.len() < order {
            backward.begin();
        } else {
            backward.clear();
        }
        let first = self.pieces.len().saturating_sub(order);
        for &piece in &self.pieces[first..] {
            backward.follow(match piece {
                Piece::Given(place) => self.given[place as usize].as_bytes(),
                Piece::Forward(cursor, token) | Piece::Backward(cursor, token) => {
                    self.forward.text(cursor, token)
                }
            });
        }
    }

    /// From the last words back to the beginning.
    fn attempt_backward(
        &mut self,
        prepared: &Prepared<'_>,
        rng: &mut Rng,
    ) -> Result<Option<u64>, Malformed> {
        let most = prepared.ask.max_tokens.min(MOST_TOKENS);
        self.choose(&prepared.ending, rng);
        let Some(backward) = &mut self.backward else {
            return Ok(None);
        };
        backward.begin();
        for (place, token) in self.given.iter().enumerate().rev() {
            backward.follow(token.as_bytes());
            self.pieces.push(Piece::Given(place as u32));
        }
        let Some(score) = walk(backward, Piece::Backward, &mut self.pieces, most, rng)? else {
            return Ok(None);
        };
        self.pieces.reverse();
        Ok(self.is_new(prepared).then_some(score))
    }

    /// Takes one of the variants of a phrase, in proportion to how often it was gone on from.
    fn choose(&mut self, phrase: &Phrase, rng: &mut Rng) {
        let variants = &phrase.variants;
        let mut left = match variants.len() {
            0 | 1 => 0,
            _ => rng.below_u64(variants.iter().map(|(_, alive)| alive).sum()),
        };
        for (tokens, alive) in variants {
            if left < *alive {
                self.given.clone_from(tokens);
                return;
            }
            left -= alive;
        }
    }

    /// Whether something was drawn, and the pieces are no copy, if that matters.
    fn is_new(&mut self, prepared: &Prepared<'_>) -> bool {
        if self.pieces.len() <= self.given.len() {
            return false;
        }
        if !prepared.ask.novel {
            return true;
        }
        for place in 0..self.pieces.len() {
            let piece = self.pieces[place];
            let given = matches!(piece, Piece::Given(_));
            let token = hash(self.text(piece));
            if self.novelty.enter(token, given, &self.forward) {
                return false;
            }
        }
        !self.novelty.whole_was_said(&self.forward)
    }
}

/// Walks to the boundary: the score, or none when the walk is lost or too long.
fn walk(
    stepper: &mut Stepper<'_>,
    drawn: impl Fn(u32, u32) -> Piece,
    pieces: &mut Vec<Piece>,
    most: u32,
    rng: &mut Rng,
) -> Result<Option<u64>, Malformed> {
    let mut score = 0;
    while let Some(step) = stepper.step(rng)? {
        score += u64::from(step.choices.saturating_sub(1));
        if step.token == BOUNDARY {
            return Ok(Some(score));
        }
        if pieces.len() as u32 >= most {
            break;
        }
        pieces.push(drawn(step.cursor, step.token));
    }
    Ok(None)
}
