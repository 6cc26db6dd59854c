//! What is said, against lists of what may be said.

mod bounds;
mod novelty;
mod walks;
mod words;

use std::ops::Range;

use super::{Ask, Generator, Said, Start, Voice};
use crate::rng::Rng;
use crate::segment::sample::{Message, Sample};
use crate::tokens::{Cut, Limits, Mode, Tokenizer, Tokens};
use crate::{Error, Result};

const MODES: [Mode; 3] = [Mode::Words, Mode::Segments, Mode::Graphemes];

fn cut(mode: Mode, text: &str) -> Message {
    let mut tokens = Tokens::new();
    Tokenizer::new(mode, Limits::default()).tokenize(text, &mut tokens, &mut Cut::default());
    tokens.iter().map(str::to_owned).collect()
}

fn cut_all<T: AsRef<str>>(mode: Mode, texts: &[T]) -> Vec<Message> {
    texts.iter().map(|text| cut(mode, text.as_ref())).collect()
}

/// Messages of 2 to 9 words, with what makes tokens of a word differ: brackets, commas, an
/// apostrophe, a script without spaces.
fn texts(rng: &mut Rng, count: usize) -> Vec<String> {
    const WORDS: [&str; 14] = [
        "the", "cat", "sat", "on", "a", "mat", "dog", "ran", "(to", "me)", "don't", "ok,", "日本",
        "house",
    ];
    let word = |rng: &mut Rng| {
        let below = 1 + rng.below(WORDS.len() as u32);
        WORDS[rng.below(below) as usize]
    };
    (0..count)
        .map(|_| {
            let words: Vec<_> = (0..2 + rng.below(8)).map(|_| word(rng)).collect();
            words.join(" ")
        })
        .collect()
}

/// A generator and what it is asked with.
struct Asked<'v> {
    generator: Generator<'v>,
    tokenizer: Tokenizer,
    rng: Rng,
}

impl<'v> Asked<'v> {
    fn of(voices: Vec<Voice<'v>>, mode: Mode) -> Self {
        Self {
            generator: Generator::new(voices, mode),
            tokenizer: Tokenizer::new(mode, Limits::default()),
            rng: Rng::seeded(3),
        }
    }

    fn one(sample: &'v Sample, mode: Mode) -> Self {
        Self::of(vec![sample.voice(1)], mode)
    }

    fn say(&mut self, ask: &Ask) -> Result<Said> {
        let tries = 0..ask.max_tries;
        let said = self.within(ask, tries)?;
        Ok(said.expect("the last try says it or says why not"))
    }

    fn within(&mut self, ask: &Ask, tries: Range<u32>) -> Result<Option<Said>> {
        let (tokenizer, rng) = (&self.tokenizer, &mut self.rng);
        self.generator.say(ask, tokenizer, rng, tries).unwrap()
    }

    /// So many answers, fewer when nothing new is found.
    fn texts(&mut self, ask: &Ask, count: usize) -> Vec<String> {
        let said = (0..count).map_while(|_| match self.say(ask) {
            Ok(said) => Some(said.text),
            Err(Error::NothingNew(_)) => None,
            Err(error) => panic!("{error}"),
        });
        said.collect()
    }
}

fn seed(words: &str) -> Ask {
    Ask {
        start: Start::Seed(words.into()),
        ..Ask::default()
    }
}

fn beginning(words: &str) -> Ask {
    Ask {
        start: Start::Beginning(words.into()),
        ..Ask::default()
    }
}

fn containing(words: &str) -> Ask {
    Ask {
        containing: Some(words.into()),
        ..Ask::default()
    }
}

fn ending(words: &str) -> Ask {
    Ask {
        ending: Some(words.into()),
        ..Ask::default()
    }
}

/// Where a phrase stands in a message. Where a space belongs to the token after it, the first one
/// may have it or not.
fn places(said: &[String], phrase: &[String]) -> Vec<Range<usize>> {
    let same = |window: &[String]| {
        let (one, other) = (window[0].trim_start(), phrase[0].trim_start());
        one == other && window[1..] == phrase[1..]
    };
    let windows = said.windows(phrase.len()).enumerate();
    windows
        .filter(|(_, window)| same(window))
        .map(|(start, _)| start..start + phrase.len())
        .collect()
}
