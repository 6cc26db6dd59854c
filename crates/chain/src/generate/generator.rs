//! A generator: what is asked for is looked up once, then tried until something fits.

use std::ops::Range;

use super::novelty::Novelty;
use super::phrase::{Phrase, Place};
use super::{Ask, Said, Start, Voice};
use crate::rng::Rng;
use crate::segment::states::Malformed;
use crate::segment::vocabulary::hash;
use crate::tokens::{Cut, Mode, Tokenizer, Tokens};
use crate::walk::{Speaker, Stepper};
use crate::{Error, Result};

/// Generates from one chain or a mix, as it stands while the generator lives.
pub struct Generator<'v> {
    pub(super) forward: Stepper<'v>,
    pub(super) backward: Option<Stepper<'v>>,
    pub(super) novelty: Novelty,
    mode: Mode,
    /// The message of the try under way, and the given words in it.
    pub(super) pieces: Vec<Piece>,
    pub(super) given: Vec<String>,
    bytes: Vec<u8>,
    /// Tokens that may be walked yet, and tries of the message under way that were made.
    left: u32,
    tried: u32,
}

/// A token of a message: the place in the given words, or who drew it and the number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Given(u32),
    Forward(u32, u32),
    Backward(u32, u32),
}

/// What is asked for, with its words as the chain knows them.
pub(super) struct Prepared<'a> {
    pub ask: &'a Ask,
    pub start: Phrase,
    pub containing: Phrase,
    pub ending: Phrase,
    pub route: Route,
}

/// How a try goes: which of the given words it grows from. The others are looked for in what came
/// out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    Forward,
    BothWays,
    Backward,
}

impl<'v> Generator<'v> {
    /// Over `voices` that share one token mode.
    #[must_use]
    pub fn new(voices: Vec<Voice<'v>>, mode: Mode) -> Self {
        let novelty = Novelty::new(voices.iter().map(|voice| voice.max_copied_tokens));
        let sides = voices.into_iter().map(|one| (one.forward, one.backward));
        let (forward, backward): (Vec<_>, Vec<_>) = sides.unzip();
        let backward: Option<Vec<Speaker<'v>>> = backward.into_iter().collect();
        Self {
            forward: Stepper::new(&forward),
            backward: backward.map(|speakers| Stepper::new(&speakers)),
            novelty,
            mode,
            pieces: Vec::new(),
            given: Vec::new(),
            bytes: Vec::new(),
            left: u32::MAX,
            tried: 0,
        }
    }

    /// From now on no try begins once so many tokens were walked, but one with each `say`.
    pub fn bound(&mut self, tokens: u32) {
        self.left = tokens;
    }

    /// Whether as many tokens were walked as the bound allows.
    #[must_use]
    pub fn is_spent(&self) -> bool {
        self.left == 0
    }

    /// Tries made of the message that `say` was last asked for: where to go on with it.
    #[must_use]
    pub fn tried(&self) -> u32 {
        self.tried
    }

    /// Something new, within these of the `ask.max_tries` tries: none when it takes more of them,
    /// or more tokens than the bound allows.
    /// What is asked for a try at a time is the same as when it is asked for at once. `tokenizer`
    /// is that of the chains.
    ///
    /// # Errors
    ///
    /// Outside, `Malformed` when a state or a token cannot be read. Inside, `Error::NothingNew`
    /// that says why when the last try was in vain, `Error::Input` for words that take backward
    /// states where there are none.
    pub fn say(
        &mut self,
        ask: &Ask,
        tokenizer: &Tokenizer,
        rng: &mut Rng,
        tries: Range<u32>,
    ) -> Result<Result<Option<Said>>, Malformed> {
        let prepared = match self.prepare(ask, tokenizer)? {
            Ok(prepared) => prepared,
            Err(error) => return Ok(Err(error)),
        };
        let mut text = String::new();
        for turn in tries.start..tries.end.min(ask.max_tries) {
            self.limit(turn, ask.max_tries);
            let score = self.attempt(&prepared, rng)?;
            self.left = self.left.saturating_sub(1 + self.pieces.len() as u32);
            self.tried = turn + 1;
            if let Some(score) = score
                && score >= ask.min_score
                && self.fits(&prepared, tokenizer, &mut text)?
            {
                let tries = self.tried;
                return Ok(Ok(Some(Said { text, score, tries })));
            }
            if self.is_spent() && self.tried < ask.max_tries {
                return Ok(Ok(None));
            }
        }
        Ok(if tries.end < ask.max_tries {
            Ok(None)
        } else {
            Err(nothing_new(ask))
        })
    }

    /// The first half of the tries use the whole context, the next quarter one token less, and so
    /// on.
    fn limit(&mut self, turn: u32, tries: u32) {
        let left = tries - turn;
        let order = self.forward.order();
        let is_shorter = |step: &usize| left <= tries >> step;
        let longest = order - (1..order).take_while(is_shorter).count();
        self.forward.limit(longest);
        if let Some(backward) = &mut self.backward {
            backward.limit(longest);
        }
    }

    fn prepare<'a>(
        &mut self,
        ask: &'a Ask,
        tokenizer: &Tokenizer,
    ) -> Result<Result<Prepared<'a>>, Malformed> {
        let mut prepared = Prepared {
            ask,
            start: Phrase::default(),
            containing: Phrase::default(),
            ending: Phrase::default(),
            route: Route::of(ask),
        };
        if prepared.route != Route::Forward && self.backward.is_none() {
            return Ok(Err(Error::input(
                "this chain cannot answer with words in the middle or at the end: it has no \
                 backward states; make them once by merging it with --backward",
            )));
        }
        let start = match &ask.start {
            Start::Anywhere => None,
            Start::Seed(words) => Some((words, Place::Anywhere)),
            Start::Beginning(words) => Some((words, Place::Beginning)),
        };
        let middle = ask.containing.as_ref();
        let middle = middle.map(|words| (words, Place::Anywhere));
        let end = ask.ending.as_ref().map(|words| (words, Place::Ending));
        for (asked, phrase) in [
            (start, &mut prepared.start),
            (middle, &mut prepared.containing),
            (end, &mut prepared.ending),
        ] {
            let Some((words, place)) = asked else {
                continue;
            };
            match self.find(words, place, tokenizer)? {
                Some(found) => *phrase = found,
                None => return Ok(Err(unknown(words))),
            }
        }
        if prepared.route == Route::Forward && prepared.start.is_empty() {
            self.forward.begin();
            if self.forward.alive(1)? == 0 {
                return Ok(Err(Error::NothingNew(
                    "cannot say anything new: nothing was learned yet".into(),
                )));
            }
        }
        Ok(Ok(prepared))
    }

    fn find(
        &mut self,
        words: &str,
        place: Place,
        tokenizer: &Tokenizer,
    ) -> Result<Option<Phrase>, Malformed> {
        match (&mut self.backward, place) {
            (Some(backward), Place::Ending) => Phrase::find(words, place, tokenizer, backward),
            // Nobody knows what messages end with; that the words are known will have to do.
            (None, Place::Ending) => {
                Phrase::find(words, Place::Anywhere, tokenizer, &mut self.forward)
            }
            _ => Phrase::find(words, place, tokenizer, &mut self.forward),
        }
    }

    pub(super) fn text(&self, piece: Piece) -> &[u8] {
        match (piece, &self.backward) {
            (Piece::Given(place), _) => self.given[place as usize].as_bytes(),
            (Piece::Backward(cursor, token), Some(backward)) => backward.text(cursor, token),
            (Piece::Forward(cursor, token) | Piece::Backward(cursor, token), _) => {
                self.forward.text(cursor, token)
            }
        }
    }

    /// Puts the message together; whether it is within all bounds and holds what was asked for.
    fn fits(
        &mut self,
        prepared: &Prepared<'_>,
        tokenizer: &Tokenizer,
        into: &mut String,
    ) -> Result<bool, Malformed> {
        let ask = prepared.ask;
        let separator = self.mode.separator().as_bytes();
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.clear();
        for (place, &piece) in self.pieces.iter().enumerate() {
            if place > 0 {
                bytes.extend_from_slice(separator);
            }
            bytes.extend_from_slice(self.text(piece));
        }
        let text = std::str::from_utf8(&bytes).map_err(|_| Malformed)?;
        into.clear();
        into.push_str(if separator.is_empty() {
            text.trim_start()
        } else {
            text
        });
        self.bytes = bytes;
        let tokens = self.pieces.len() as u32;
        Ok((ask.min_tokens..=ask.max_tokens).contains(&tokens)
            && into.len() <= ask.max_bytes as usize
            && self.holds(prepared)
            && (!ask.novel || self.is_new_as_text(tokenizer, into)))
    }

    /// Whether the words that the route does not see to are there.
    fn holds(&self, prepared: &Prepared<'_>) -> bool {
        let (containing, ending) = (&prepared.containing, &prepared.ending);
        let is = |phrase: &Phrase, pieces: &[Piece]| {
            phrase.is(|| pieces.iter().map(|&piece| self.text(piece)))
        };
        let holds = prepared.route == Route::BothWays
            || containing.is_empty()
            || (self.pieces.windows(containing.len())).any(|window| is(containing, window));
        let ends = prepared.route == Route::Backward
            || ending.is_empty()
            || (self.pieces.len().checked_sub(ending.len()))
                .is_some_and(|start| is(ending, &self.pieces[start..]));
        holds && ends
    }

    /// Where tokens stand together without a space, other tokens can make the text of a source
    /// message. What would be cut in another way is watched for in that way too.
    fn is_new_as_text(&mut self, tokenizer: &Tokenizer, text: &str) -> bool {
        if self.mode == Mode::Words {
            return true;
        }
        let mut tokens = Tokens::new();
        tokenizer.tokenize(text, &mut tokens, &mut Cut::default());
        let pieces = self.pieces.iter().map(|&piece| self.text(piece));
        if pieces.eq(tokens.iter().map(str::as_bytes)) {
            return true;
        }
        let given = self.given_bytes(text.len());
        self.novelty.clear();
        let mut end = 0;
        for token in tokens.iter() {
            let start = end;
            end += token.len();
            let is_given = given.start <= start && end <= given.end;
            let token = hash(token.as_bytes());
            if self.novelty.enter(token, is_given, &self.forward) {
                return false;
            }
        }
        !self.novelty.whole_was_said(&self.forward)
    }

    /// Where the given words are in a text of so many bytes, of which a space at the start was
    /// taken.
    fn given_bytes(&self, length: usize) -> Range<usize> {
        let bytes = |pieces: &[Piece]| -> usize {
            pieces.iter().map(|&piece| self.text(piece).len()).sum()
        };
        let taken = bytes(&self.pieces) - length;
        let is_given = |piece: &Piece| matches!(piece, Piece::Given(_));
        let first = self.pieces.iter().position(is_given);
        let first = first.unwrap_or(self.pieces.len());
        let (before, rest) = self.pieces.split_at(first);
        let start = bytes(before).saturating_sub(taken);
        let end = bytes(before) + bytes(&rest[..self.given.len().min(rest.len())]);
        start..end.saturating_sub(taken)
    }
}

impl Route {
    fn of(ask: &Ask) -> Self {
        match (&ask.start, &ask.containing, &ask.ending) {
            (Start::Anywhere, _, Some(_)) => Self::Backward,
            (Start::Anywhere, Some(_), None) => Self::BothWays,
            _ => Self::Forward,
        }
    }
}

fn unknown(words: &str) -> Error {
    Error::NothingNew(format!(
        "cannot say anything new about {words:?}: nothing is known that goes with it"
    ))
}

fn nothing_new(ask: &Ask) -> Error {
    let about = match (&ask.start, &ask.containing, &ask.ending) {
        (Start::Seed(words) | Start::Beginning(words), ..)
        | (_, Some(words), _)
        | (_, _, Some(words)) => format!(" about {words:?}"),
        _ => String::new(),
    };
    let tries = ask.max_tries;
    let plural = if tries == 1 { "y" } else { "ies" };
    Error::NothingNew(format!(
        "cannot say anything new{about}: {tries} tr{plural} gave nothing that was new and within \
         the bounds; teach it more, or ask for less (tries, score, length)"
    ))
}
