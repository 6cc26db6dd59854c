//! Saying something new: tries over a walk until one is new, long enough, and holds what was asked for.

use crate::rng::Rng;
use crate::segment::filter::Runs;
use crate::segment::states::{BOUNDARY, Malformed};
use crate::segment::vocabulary::hash;
use crate::tokens::{self, Mode, Tokenizer, Tokens};
use crate::walk::{Piece, Speaker, Stepper};
use crate::{Error, Result};

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Walks before it is given up. The first half use the whole context, later ones ever shorter contexts.
    pub max_tries: u32,
    /// Least freedom: the sum over drawn tokens of the successors there were to choose from, less one each. The first token of
    /// a message does not count.
    pub min_score: u64,
    /// Bounds of the whole message, given words included.
    pub min_tokens: u32,
    pub max_tokens: u32,
    pub max_bytes: u32,
    /// Nothing equal to a source message, no run longer than the chain's `max_copied_tokens` from one.
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

/// Generates from one chain or a mix, as it stands while the generator lives.
pub struct Generator<'v> {
    forward: Stepper<'v>,
    backward: Option<Stepper<'v>>,
    runs: Vec<Runs>,
    mode: Mode,
    order: usize,
    pieces: Vec<(Side, Piece)>,
    walked: Vec<(Side, Piece)>,
    bytes: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Forward,
    Backward,
}

/// Given words, in the writing in which the chain knows them.
#[derive(Clone, Debug, Default)]
struct Phrase(Vec<String>);

struct Prepared<'a> {
    ask: &'a Ask,
    start: Phrase,
    containing: Phrase,
    ending: Phrase,
    route: Route,
}

/// How a try goes: which of the given words it grows from. The others are looked for in what came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route {
    Forward,
    BothWays,
    Backward,
}

impl<'v> Generator<'v> {
    /// Over `voices` that share one token mode.
    #[must_use]
    pub fn new(voices: Vec<Voice<'v>>, mode: Mode) -> Self {
        let runs = voices.iter().map(|voice| Runs::new(voice.max_copied_tokens)).collect();
        let order = voices.iter().map(|voice| voice.forward.order).max().unwrap_or(1);
        let (forward, backward): (Vec<_>, Vec<_>) =
            voices.into_iter().map(|voice| (voice.forward, voice.backward)).unzip();
        let backward: Option<Vec<Speaker<'v>>> = backward.into_iter().collect();
        Self {
            forward: Stepper::new(&forward),
            backward: backward.map(|speakers| Stepper::new(&speakers)),
            runs,
            mode,
            order,
            pieces: Vec::new(),
            walked: Vec::new(),
            bytes: Vec::new(),
        }
    }

    /// Something new, or `Error::NothingNew` that says why not.
    pub fn say(&mut self, ask: &Ask, tokenizer: &Tokenizer, rng: &mut Rng) -> Result<Result<Said>, Malformed> {
        let prepared = match self.prepare(ask, tokenizer)? {
            Ok(prepared) => prepared,
            Err(error) => return Ok(Err(error)),
        };
        let mut said = Said::default();
        for turn in 0..ask.max_tries {
            self.limit(turn, ask.max_tries);
            if let Some(score) = self.attempt(&prepared, rng)? {
                said.score = score;
                said.tries = turn + 1;
                if self.fits(&prepared, &mut said.text) {
                    return Ok(Ok(said));
                }
            }
        }
        Ok(Err(nothing_new(&prepared)))
    }

    /// The first half of the tries use the whole context, the next quarter one token less, and so on.
    fn limit(&mut self, turn: u32, tries: u32) {
        let left = tries - turn;
        let shorter = (1..self.order).take_while(|&step| left <= tries >> step).count();
        self.forward.limit(self.order - shorter);
        if let Some(backward) = &mut self.backward {
            backward.limit(self.order - shorter);
        }
    }

    fn prepare<'a>(&mut self, ask: &'a Ask, tokenizer: &Tokenizer) -> Result<Result<Prepared<'a>>, Malformed> {
        let route = match (&ask.start, &ask.containing, &ask.ending) {
            (Start::Anywhere, _, Some(_)) => Route::Backward,
            (Start::Anywhere, Some(_), None) => Route::BothWays,
            _ => Route::Forward,
        };
        if route != Route::Forward && self.backward.is_none() {
            return Ok(Err(Error::input(
                "this chain cannot answer with words in the middle or at the end: it has no backward states; make them once by merging it with --backward",
            )));
        }
        let mut prepared = Prepared {
            ask,
            start: Phrase::default(),
            containing: Phrase::default(),
            ending: Phrase::default(),
            route,
        };
        let start = match &ask.start {
            Start::Anywhere => None,
            Start::Seed(words) | Start::Beginning(words) => Some(words),
        };
        let asked = [(start, 0), (ask.containing.as_ref(), 1), (ask.ending.as_ref(), 2)];
        for (words, which) in asked {
            let Some(words) = words else { continue };
            let known = match which {
                0 => self.writing(words, tokenizer, &ask.start, Side::Forward)?,
                1 => self.writing(words, tokenizer, &Start::Seed(String::new()), Side::Forward)?,
                _ => self.writing(words, tokenizer, &Start::Seed(String::new()), Side::Backward)?,
            };
            let Some(phrase) = known else {
                return Ok(Err(Error::NothingNew(format!(
                    "cannot say anything new about {words:?}: nothing is known that goes with it"
                ))));
            };
            match which {
                0 => prepared.start = phrase,
                1 => prepared.containing = phrase,
                _ => prepared.ending = phrase,
            }
        }
        if route == Route::Forward && prepared.start.0.is_empty() {
            self.forward.begin();
            if !self.forward.can_go_on()? {
                return Ok(Err(Error::NothingNew("cannot say anything new: nothing was learned yet".into())));
            }
        }
        Ok(Ok(prepared))
    }

    /// The words as they are, in lower case, with a capital, or in upper case: whichever the chain can go on from first.
    fn writing(&mut self, words: &str, tokenizer: &Tokenizer, start: &Start, side: Side) -> Result<Option<Phrase>, Malformed> {
        let lower = words.to_lowercase();
        let mut title = String::new();
        let mut letters = lower.chars();
        title.extend(letters.next().into_iter().flat_map(char::to_uppercase));
        title.push_str(letters.as_str());
        let mut split = Tokens::default();
        for candidate in [words, &lower, &title, &words.to_uppercase()] {
            tokenizer.tokenize(candidate, &mut split, &mut tokens::Cut::default());
            if split.is_empty() {
                return Ok(None);
            }
            let phrase = Phrase(split.iter().map(str::to_owned).collect());
            let stepper = match (side, &mut self.backward) {
                (Side::Backward, Some(backward)) => backward,
                _ => &mut self.forward,
            };
            if matches!(start, Start::Beginning(_)) {
                stepper.begin();
            } else {
                stepper.clear();
            }
            match side {
                Side::Forward => phrase.0.iter().for_each(|token| drop(stepper.follow(token))),
                Side::Backward => phrase.0.iter().rev().for_each(|token| drop(stepper.follow(token))),
            }
            if stepper.can_go_on()? {
                return Ok(Some(phrase));
            }
        }
        Ok(None)
    }

    /// One try: fills `pieces` and gives its score, or none if it failed.
    fn attempt(&mut self, prepared: &Prepared, rng: &mut Rng) -> Result<Option<u64>, Malformed> {
        self.pieces.clear();
        self.walked.clear();
        for runs in &mut self.runs {
            runs.clear();
        }
        match prepared.route {
            Route::Forward => self.attempt_forward(prepared, rng),
            Route::BothWays => self.attempt_both_ways(prepared, rng),
            Route::Backward => self.attempt_backward(prepared, rng),
        }
    }

    /// From the start on, watching for copies at each token.
    fn attempt_forward(&mut self, prepared: &Prepared, rng: &mut Rng) -> Result<Option<u64>, Malformed> {
        let given = &prepared.start.0;
        if matches!(prepared.ask.start, Start::Seed(_)) {
            self.forward.clear();
        } else {
            self.forward.begin();
        }
        for (place, token) in given.iter().enumerate() {
            self.forward.follow(token);
            self.pieces.push((Side::Forward, Piece::Given(place as u32)));
            self.enter(hash(token.as_bytes()));
        }
        let mut score = 0;
        loop {
            let Some((cursor, token, choices)) = self.forward.step(rng)? else {
                return Ok(None);
            };
            if self.pieces.len() > given.len() || !given.is_empty() {
                score += u64::from(choices.saturating_sub(1));
            }
            if token == BOUNDARY {
                break;
            }
            if self.pieces.len() as u32 >= prepared.ask.max_tokens {
                return Ok(None);
            }
            self.pieces.push((Side::Forward, Piece::Part { cursor, token }));
            if prepared.ask.novel {
                let text = self.forward.text(cursor, token);
                if self.enter(hash(text)) {
                    return Ok(None);
                }
            }
        }
        let whole = prepared.ask.novel && self.whole_was_said();
        Ok((self.pieces.len() > given.len() && !whole).then_some(score))
    }

    /// From the words in the middle on to the end, and then back to the beginning.
    fn attempt_both_ways(&mut self, prepared: &Prepared, rng: &mut Rng) -> Result<Option<u64>, Malformed> {
        let given = &prepared.containing.0;
        self.forward.clear();
        for (place, token) in given.iter().enumerate() {
            self.forward.follow(token);
            self.pieces.push((Side::Forward, Piece::Given(place as u32)));
        }
        let most = prepared.ask.max_tokens;
        let Some(score) = walk(&mut self.forward, Side::Forward, &mut self.pieces, most, rng)? else {
            return Ok(None);
        };
        let Some(backward) = &mut self.backward else { return Ok(None) };
        backward.clear();
        let context = self.pieces.len().min(self.order);
        if self.pieces.len() < self.order {
            backward.begin();
        }
        for &(_, piece) in self.pieces[..context].iter().rev() {
            let text = match piece {
                Piece::Given(place) => given[place as usize].as_str(),
                Piece::Part { cursor, token } => std::str::from_utf8(self.forward.text(cursor, token)).map_err(|_| Malformed)?,
            };
            backward.follow(text);
        }
        let Some(before) = walk(backward, Side::Backward, &mut self.walked, most, rng)? else {
            return Ok(None);
        };
        self.walked.reverse();
        self.walked.append(&mut self.pieces);
        std::mem::swap(&mut self.walked, &mut self.pieces);
        Ok((self.pieces.len() > given.len() && !self.copies(prepared, given)).then_some(score + before))
    }

    /// From the last words back to the beginning.
    fn attempt_backward(&mut self, prepared: &Prepared, rng: &mut Rng) -> Result<Option<u64>, Malformed> {
        let given = &prepared.ending.0;
        let Some(backward) = &mut self.backward else { return Ok(None) };
        backward.begin();
        for token in given.iter().rev() {
            backward.follow(token);
        }
        let most = prepared.ask.max_tokens;
        let Some(score) = walk(backward, Side::Backward, &mut self.pieces, most, rng)? else {
            return Ok(None);
        };
        self.pieces.reverse();
        self.pieces.extend((0..given.len() as u32).map(|place| (Side::Backward, Piece::Given(place))));
        Ok((self.pieces.len() > given.len() && !self.copies(prepared, given)).then_some(score))
    }

    /// Whether the pieces copy a source: a run that is too long, beyond the given words, or a whole message.
    fn copies(&mut self, prepared: &Prepared, given: &[String]) -> bool {
        if !prepared.ask.novel {
            return false;
        }
        let pieces = std::mem::take(&mut self.pieces);
        let mut copied = false;
        for &(side, piece) in &pieces {
            let seen = self.enter(hash(self.text(side, piece, given)));
            copied |= seen && matches!(piece, Piece::Part { .. });
        }
        self.pieces = pieces;
        copied || self.whole_was_said()
    }

    /// One more token of the message: whether the run that it ends was said before.
    fn enter(&mut self, token: u64) -> bool {
        let mut copied = false;
        for (speaker, runs) in self.runs.iter_mut().enumerate() {
            let key = runs.push(token);
            copied |= key.is_some_and(|key| self.forward.seen(speaker, key));
        }
        copied
    }

    fn whole_was_said(&self) -> bool {
        self.runs
            .iter()
            .enumerate()
            .any(|(speaker, runs)| runs.finish().is_some_and(|key| self.forward.seen(speaker, key)))
    }

    fn text<'t>(&self, side: Side, piece: Piece, given: &'t [String]) -> &'t [u8]
    where
        'v: 't,
    {
        match (piece, side, &self.backward) {
            (Piece::Given(place), ..) => given[place as usize].as_bytes(),
            (Piece::Part { cursor, token }, Side::Backward, Some(backward)) => backward.text(cursor, token),
            (Piece::Part { cursor, token }, ..) => self.forward.text(cursor, token),
        }
    }

    /// Puts the message together; whether it is within all bounds and holds what was asked for.
    fn fits(&mut self, prepared: &Prepared, into: &mut String) -> bool {
        let ask = prepared.ask;
        let given = match prepared.route {
            Route::Forward => &prepared.start.0,
            Route::BothWays => &prepared.containing.0,
            Route::Backward => &prepared.ending.0,
        };
        let separator = self.mode.separator().as_bytes();
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.clear();
        for (place, &(side, piece)) in self.pieces.iter().enumerate() {
            if place > 0 {
                bytes.extend_from_slice(separator);
            }
            bytes.extend_from_slice(self.text(side, piece, given));
        }
        into.clear();
        let tokens = self.pieces.len() as u32;
        let text = std::str::from_utf8(&bytes).map(|text| if separator.is_empty() { text.trim_start() } else { text });
        let fits = text.is_ok_and(|text| {
            into.push_str(text);
            (ask.min_tokens..=ask.max_tokens).contains(&tokens) && text.len() <= ask.max_bytes as usize
        });
        self.bytes = bytes;
        fits && self.holds(prepared, given)
    }

    /// Whether the words that the route does not see to are there.
    fn holds(&self, prepared: &Prepared, given: &[String]) -> bool {
        let text = |&(side, piece): &(Side, Piece)| self.text(side, piece, given);
        let same = |pieces: &[(Side, Piece)], phrase: &Phrase| {
            pieces.iter().map(text).eq(phrase.0.iter().map(String::as_bytes))
        };
        let containing = &prepared.containing;
        let ending = &prepared.ending;
        let holds = prepared.route == Route::BothWays
            || containing.0.is_empty()
            || self.pieces.windows(containing.0.len()).any(|window| same(window, containing));
        let ends = prepared.route == Route::Backward
            || ending.0.is_empty()
            || (self.pieces.len() >= ending.0.len()
                && same(&self.pieces[self.pieces.len() - ending.0.len()..], ending));
        holds && ends
    }
}

/// Walks to the boundary: the score, or none when the walk is lost or too long.
fn walk(
    stepper: &mut Stepper<'_>,
    side: Side,
    pieces: &mut Vec<(Side, Piece)>,
    most: u32,
    rng: &mut Rng,
) -> Result<Option<u64>, Malformed> {
    let mut score = 0;
    loop {
        let Some((cursor, token, choices)) = stepper.step(rng)? else {
            return Ok(None);
        };
        score += u64::from(choices.saturating_sub(1));
        if token == BOUNDARY {
            return Ok(Some(score));
        }
        if pieces.len() as u32 >= most {
            return Ok(None);
        }
        pieces.push((side, Piece::Part { cursor, token }));
    }
}

fn nothing_new(prepared: &Prepared) -> Error {
    let ask = prepared.ask;
    let about = match (&ask.start, &ask.containing, &ask.ending) {
        (Start::Seed(words) | Start::Beginning(words), ..) => format!(" about {words:?}"),
        (_, Some(words), _) | (_, _, Some(words)) => format!(" about {words:?}"),
        _ => String::new(),
    };
    let tries = ask.max_tries;
    let plural = if tries == 1 { "y" } else { "ies" };
    Error::NothingNew(format!(
        "cannot say anything new{about}: {tries} tr{plural} gave nothing that was new and within the bounds; teach it more, or ask for less (tries, score, length)"
    ))
}
