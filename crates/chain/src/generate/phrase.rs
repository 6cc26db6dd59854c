//! Given words: the writing in which the chain can go on from them.

use crate::segment::states::Malformed;
use crate::tokens::{Cut, Mode, Tokenizer, Tokens};
use crate::walk::Stepper;

/// Given words as tokens. Where a space belongs to the token after it there are two ways to have
/// them: at the beginning of a message, or after a bracket, and after a space.
#[derive(Clone, Debug, Default)]
pub(super) struct Phrase {
    /// Each with how often live messages went on from it.
    pub variants: Vec<(Vec<String>, u64)>,
}

/// Where the words stand, and which way a walk goes on from them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Anywhere, and on to the end.
    Anywhere,
    /// At the beginning, and on to the end.
    Beginning,
    /// At the end, and back to the beginning; the stepper walks backward.
    Ending,
}

impl Phrase {
    /// The words as they are, in lower case, with a capital, or in upper case: whichever the chain
    /// can go on from with the longest context, the earlier of equals. None if there is none.
    ///
    /// # Errors
    ///
    /// `Malformed` when a state cannot be read.
    pub fn find(
        words: &str,
        place: Place,
        tokenizer: &Tokenizer,
        stepper: &mut Stepper<'_>,
    ) -> Result<Option<Self>, Malformed> {
        let mut longest = 0;
        let mut best = None;
        for writing in writings(words) {
            let mut variants = variants(&writing, place, tokenizer);
            let Some((tokens, _)) = variants.first() else {
                return Ok(None);
            };
            let ends = usize::from(place != Place::Anywhere);
            let whole = (tokens.len() + ends).min(stepper.order());
            for level in (longest + 1..=whole).rev() {
                for (tokens, alive) in &mut variants {
                    follow(stepper, tokens, place);
                    *alive = stepper.alive(level)?;
                }
                if variants.iter().any(|(_, alive)| *alive > 0) {
                    longest = level;
                    best = Some(Self { variants });
                    break;
                }
            }
            if longest == whole {
                break;
            }
        }
        Ok(best)
    }

    /// Whether these tokens are the phrase.
    pub fn is<'t, T: Iterator<Item = &'t [u8]>>(&self, tokens: impl Fn() -> T) -> bool {
        let same = |variant: &[String]| tokens().eq(variant.iter().map(String::as_bytes));
        self.variants.iter().any(|(variant, _)| same(variant))
    }

    pub fn is_empty(&self) -> bool {
        self.variants.is_empty()
    }

    /// Tokens of the phrase: the same in all variants.
    pub fn len(&self) -> usize {
        self.variants.first().map_or(0, |(tokens, _)| tokens.len())
    }
}

fn follow(stepper: &mut Stepper<'_>, tokens: &[String], place: Place) {
    match place {
        Place::Anywhere => stepper.clear(),
        Place::Beginning | Place::Ending => stepper.begin(),
    }
    let mut follow = |token: &String| stepper.follow(token.as_bytes());
    if place == Place::Ending {
        tokens.iter().rev().for_each(&mut follow);
    } else {
        tokens.iter().for_each(&mut follow);
    }
}

fn writings(words: &str) -> [String; 4] {
    let lower = words.to_lowercase();
    let mut letters = lower.chars();
    let capital = letters.next().into_iter().flat_map(char::to_uppercase);
    let title = capital.chain(letters.as_str().chars()).collect();
    [words.to_owned(), lower, title, words.to_uppercase()]
}

fn variants(writing: &str, place: Place, tokenizer: &Tokenizer) -> Vec<(Vec<String>, u64)> {
    let mut split = Tokens::new();
    tokenizer.tokenize(writing, &mut split, &mut Cut::default());
    let tokens: Vec<String> = split.iter().map(str::to_owned).collect();
    let Some(first) = tokens.first() else {
        return Vec::new();
    };
    if place == Place::Beginning || tokenizer.mode() != Mode::Segments {
        return vec![(tokens, 0)];
    }
    let mut after_a_space = tokens.clone();
    after_a_space[0] = format!(" {first}");
    vec![(tokens, 0), (after_a_space, 0)]
}
